//! A report that is small enough to be the answer of a run.

use std::io::{self, Write};

use serde::Serialize;

use crate::report::{LeftOut, Outcome, Report};

/// What stands around the lists of a report.
const FRAME: usize = 2_000;

impl Report {
    /// Leaves out what makes the report longer than `most` bytes, and says how much that was; the log holds every action and problem.
    ///
    /// What failed stays first, then what needs a person, then what was done, then what was left alone.
    /// The bytes are those of a text within JSON, since Lambda wraps the answer of a failed run into one.
    pub fn fit(&mut self, most: usize) {
        if size(self) <= most {
            return;
        }
        // The ARNs are enough for what reads a cut answer.
        self.names.clear();
        let room = most.saturating_sub(FRAME + size(&self.refused) + size(&self.notification_error));
        let mut used = 0;
        // So that many failures do not hide every problem, and many of both not everything that was done.
        let mut fits = |size: usize, share: usize| {
            let fits = used + size < room / 4 * share;
            used += if fits { size } else { 0 };
            fits
        };
        let failed: Vec<bool> =
            self.actions.iter().map(|it| it.outcome == Outcome::Failed && fits(size(it), 2)).collect();
        let before = (self.actions.len(), self.problems.len(), self.skipped.len());
        self.problems.retain(|it| fits(size(it), 3));
        // Of a dry run the facts are what its reader draws, and come before the sentences.
        self.facts.retain(|it| fits(size(it), 4));
        let mut failed = failed.into_iter();
        self.actions.retain(|it| {
            let kept = failed.next().unwrap_or_default();
            kept || it.outcome != Outcome::Failed && fits(size(it), 4)
        });
        self.skipped.retain(|it| fits(size(it), 4));
        self.left_out = Some(LeftOut {
            actions: before.0 - self.actions.len(),
            problems: before.1 - self.problems.len(),
            skipped: before.2 - self.skipped.len(),
            note: "the log of the function holds every action and problem",
        });
    }
}

/// How many bytes `value` has as JSON within a JSON text.
fn size(value: &impl Serialize) -> usize {
    let mut bytes = Bytes(0);
    // A report that cannot be written has no answer at all, which is found out there.
    let _ = serde_json::to_writer(&mut bytes, value);
    bytes.0
}

/// Counts what is written to it.
struct Bytes(usize);

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() + bytes.iter().filter(|it| matches!(it, b'"' | b'\\')).count();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::report::{Action, Failure, Problem, Skipped};

    const MOST: usize = 200_000;

    fn action(index: usize, outcome: Outcome) -> Action {
        Action {
            resource: format!("arn:aws:ecs:ap-northeast-2:123456789012:service/shop/api-{index}"),
            action: "deploy",
            headline: String::new(),
            tells: None,
            is_in_daily_report: false,
            story: None,
            reason: "v1.1.0 is \"the newest\" image".into(),
            before: json!({"image": "v1.0.0"}),
            after: json!({"image": "v1.1.0"}),
            outcome,
            error: (outcome == Outcome::Failed).then(|| Failure {
                code: "AccessDeniedException".into(),
                message: "denied ".repeat(100),
                request_id: None,
            }),
            undo: Some("aws lambda invoke --payload '{\"rollback\":{\"service\":\"shop/api\"}}'".into()),
            choices: Vec::new(),
            offer: None,
        }
    }

    fn report(failed: usize, done: usize, problems: usize, skipped: usize) -> Report {
        let actions =
            (0..failed).map(|it| action(it, Outcome::Failed)).chain((0..done).map(|it| action(it, Outcome::Done)));
        let at = "2026-11-21T03:10:00+09:00[Asia/Seoul]".parse().unwrap();
        let mut report = Report { actions: actions.collect(), ..Report::new("deploy-image", at) };
        let resource = |it: usize| format!("arn:{it}");
        let problem = |it| Problem {
            resource: resource(it),
            problem: "odd".into(),
            message: "뒤".repeat(300),
            kind: crate::MessageKind::NeedsYou,
            story: None,
            choices: Vec::new(),
            monthly: false,
        };
        report.problems = (0..problems).map(problem).collect();
        report.skipped = (0..skipped).map(|it| Skipped { resource: resource(it), reason: "x ".repeat(50) }).collect();
        report
    }

    #[test]
    fn however_much_failed_the_answer_stays_small_and_says_what_it_leaves_out() {
        for (failed, done, problems, skipped) in
            [(500, 0, 0, 0), (500, 500, 500, 500), (0, 3000, 0, 0), (0, 0, 1000, 0), (0, 0, 0, 9000)]
        {
            let whole = report(failed, done, problems, skipped);
            let mut cut = whole.clone();
            cut.fit(MOST);
            // As Lambda answers where a run failed: the report as a text within JSON.
            let answer = json!({"errorMessage": serde_json::to_string(&cut).unwrap()}).to_string();
            assert!((MOST / 5..=MOST).contains(&answer.len()), "{} of {failed}, {done}, {problems}", answer.len());
            let left_out = cut.left_out.clone().unwrap();
            assert_eq!(cut.actions.len() + left_out.actions, failed + done);
            assert_eq!(cut.problems.len() + left_out.problems, problems);
            assert_eq!(cut.skipped.len() + left_out.skipped, skipped);
            // Every kind of thing that is worth a look is still there.
            assert_eq!(cut.failed(), whole.failed());
            assert_eq!(cut.problems.is_empty(), problems == 0);
            assert_eq!(
                serde_json::to_value(&cut).unwrap()["left_out"]["note"],
                "the log of the function holds every action and problem"
            );
        }
    }

    #[test]
    fn a_report_that_fits_stays_as_it_is() {
        let whole = report(10, 10, 10, 10);
        let mut cut = whole.clone();
        cut.fit(MOST);
        assert_eq!(cut, whole);
        assert_eq!(serde_json::to_value(&cut).unwrap()["left_out"], Value::Null);
    }
}
