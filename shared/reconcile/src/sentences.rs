//! A report in sentences, for a person who sent a command.

use crate::report::{Action, Outcome, Problem, Report};

/// How many things of one kind are spelled out; the log has them all.
const SPELLED_OUT: usize = 50;

impl Report {
    /// What was done, what needs a person, and what was left alone, one to a line.
    pub fn sentences(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(why) = self.refusal() {
            lines.push(format!("Refused: {why}."));
        }
        lines.extend(self.accepted.iter().map(|it| format!("  accepted: {it}")));
        if self.dry_run {
            lines.push("This is a dry run: nothing was changed.".into());
        }
        lines.extend(self.answers.iter().cloned());
        listed(&mut lines, self.actions.iter().map(action));
        let name = |resource: &str| match self.names.get(resource) {
            Some(name) => name.clone(),
            None => crate::message::short_name(resource).to_owned(),
        };
        listed(&mut lines, self.problems.iter().map(|it| problem(name(&it.resource), it)));
        listed(&mut lines, self.skipped.iter().map(|it| format!("Left alone: {}: {}", name(&it.resource), it.reason)));
        lines.extend(
            self.notification_error.iter().map(|it| format!("The message to people did not get through: {it}")),
        );
        if lines.is_empty() {
            lines.push("There was nothing to do.".into());
        }
        lines
    }
}

fn action(it: &Action) -> String {
    let why = if it.reason.is_empty() { String::new() } else { format!(" ({})", it.reason) };
    let error = it.error.as_ref().map_or(String::new(), |it| format!(": {}", it.message));
    let outcome = match it.outcome {
        Outcome::Planned => "Would be done",
        Outcome::Done => "Done",
        Outcome::Failed => "Failed",
        // The event of a command ends with its run.
        Outcome::Deferred => "Not done now (the next run does what is due; a command has to be sent again)",
    };
    format!("{outcome}: {}{why}{error}", it.headline)
}

/// With each command on a line of its own, so that it can be pasted.
fn problem(name: String, it: &Problem) -> String {
    let commands = it.choices.iter().map(|it| format!("\n{}:\n{}", it.label, it.line()));
    format!("Needs you: {name}: {}{}", it.message, commands.collect::<String>())
}

fn listed(lines: &mut Vec<String>, all: impl ExactSizeIterator<Item = String>) {
    let more = all.len().saturating_sub(SPELLED_OUT);
    lines.extend(all.take(SPELLED_OUT));
    if more > 0 {
        lines.push(format!("... and {more} more; the log of the function holds all"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::{Failure, Skipped};
    use crate::undo::{Choice, Undo};
    use crate::{MessageKind, Refused};

    fn report() -> Report {
        Report::new("deploy-image", "2026-11-21T03:10:00+09:00[Asia/Seoul]".parse().unwrap())
    }

    #[test]
    fn a_person_reads_what_was_done_what_failed_and_what_was_left_alone() {
        let action = |outcome, error: Option<&str>| Action {
            resource: "arn:aws:ecs:r:1:service/shop/api".into(),
            action: "deploy",
            headline: "api: deploying v2".into(),
            tells: Some(MessageKind::Changed),
            is_in_daily_report: false,
            story: None,
            reason: "it is newer".into(),
            before: Value::Null,
            after: Value::Null,
            outcome,
            error: error.map(|it| Failure { code: "X".into(), message: it.into(), request_id: None }),
            undo: None,
            choices: Vec::new(),
            offer: None,
        };
        let problem = Problem {
            resource: "arn:aws:ecs:r:1:service/shop/web".into(),
            problem: "bad-tag".into(),
            kind: MessageKind::NeedsYou,
            story: None,
            choices: vec![Choice::new("Look", Undo::Shell(crate::CommandLine::of(["aws", "ecs", "a b"])))],
            monthly: false,
            message: "there is no 'x'".into(),
        };
        let skipped = Skipped { resource: "db".into(), reason: "it sleeps".into() };
        let report = Report {
            actions: vec![action(Outcome::Done, None), action(Outcome::Failed, Some("denied"))],
            problems: vec![problem],
            skipped: vec![skipped],
            ..report()
        };
        let expected = [
            "Done: api: deploying v2 (it is newer)",
            "Failed: api: deploying v2 (it is newer): denied",
            "Needs you: web: there is no 'x'\nLook:\naws ecs 'a b'",
            "Left alone: db: it sleeps",
        ];
        assert_eq!(report.sentences(), expected);
    }

    #[test]
    fn a_refusal_says_what_is_accepted_and_an_empty_run_that_there_was_nothing_to_do() {
        assert_eq!(report().sentences(), ["There was nothing to do."]);
        let refused = Some(Refused::Command("there is no command \"x\"".into()));
        let refusing = Report { refused, accepted: &["{}"], dry_run: true, ..report() };
        let expected =
            ["Refused: there is no command \"x\".", "  accepted: {}", "This is a dry run: nothing was changed."];
        assert_eq!(refusing.sentences(), expected);
        let many = Skipped { resource: "db".into(), reason: "it sleeps".into() };
        let long = Report { skipped: vec![many; 60], ..report() }.sentences();
        assert_eq!((long.len(), long[50].as_str()), (51, "... and 10 more; the log of the function holds all"));
    }
}
