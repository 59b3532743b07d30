//! The text of a message, for e-mail.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::Value;

use super::commands::commands;
use super::headline::{capital, failure_headline, headline, problem_headline, refused_headline, rest};
use super::link;
use super::part::{Part, Site};
use super::safe;
use crate::kind::MessageKind;
use crate::report::{Action, Outcome, Problem, Report};

/// How many actions and how many problems a message spells out; the log holds them all.
const SPELLED_OUT: usize = 40;

/// SNS takes 256 KiB for all forms of a message together, and the text goes out twice.
const LONGEST_TEXT: usize = 60_000;

/// Of one fact, or of the card for chat, nobody reads more.
pub const LONGEST_FACT: usize = 4_000;

/// How many commands stand in one message, each on a line of its own.
const MOST_COMMANDS: usize = 10;

/// Fields of a change that identify something for programs.
const FOR_PROGRAMS: [&str; 7] = ["command", "continued", "digest", "key", "started_by", "stopped", "told"];

/// How many resources a message has links for.
const MOST_LINKS: usize = 5;

pub fn text(report: &Report, part: &Part<'_>, kind: MessageKind, resources: &[String], site: &Site<'_>) -> String {
    let mut text = String::new();
    if let Some(refused) = part.refused {
        paragraph(&mut text, &refused_headline(report), &[capital(refused).into_owned()]);
    }
    for it in part.problems.iter().take(SPELLED_OUT) {
        // By this word the README of the function says more; by its id AWS knows what has a name of its own.
        let id = report.names.get(&it.resource).map(|_| format!(" ({})", safe::kind_and_id(&it.resource)));
        let word = format!("Problem: {}{}", it.problem, id.unwrap_or_default());
        paragraph(&mut text, &problem_headline(report, it), &[what_next(it).into_owned(), word]);
    }
    for it in part.failures.iter().take(SPELLED_OUT) {
        let error = it.error.as_ref().map_or(String::new(), |it| it.message.clone());
        let next = "The next run tries it again.".to_owned();
        paragraph(&mut text, &failure_headline(report, it), &[format!("Error: {error}"), why(it), next]);
    }
    for it in part.done.iter().take(SPELLED_OUT) {
        paragraph(&mut text, &headline(report, it), &[why(it), change(it)]);
    }
    let left_out: usize = [part.failures.len(), part.problems.len(), part.done.len()]
        .iter()
        .map(|it| it.saturating_sub(SPELLED_OUT))
        .sum();
    if left_out > 0 {
        let _ = writeln!(text, "... and {left_out} more; the log of the function holds the full report.\n");
    }
    let mut text = cut(&text, LONGEST_TEXT).into_owned();
    for (label, command) in commands(part, report, site).iter().take(MOST_COMMANDS) {
        // A command is quoted for the shell and stays as it is, but for what would end its line.
        let _ = writeln!(text, "{}:\n{}\n", safe::fact(label), safe::one_line(command));
    }
    let text = link::with_own_buckets(&text, report);
    end(text, report, link::links(&link::About::of(report, part, resources), kind, site))
}

/// A message of lines alone, each about one thing that went as planned.
pub fn of_lines(report: &Report, lines: &[String], site: &Site<'_>) -> String {
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{}", safe::fact(line));
    }
    text.push('\n');
    let about = link::About::function(report);
    let links = link::links(&about, MessageKind::Routine, site);
    end(cut(&text, LONGEST_TEXT).into_owned(), report, links)
}

/// The links, and who says all this when.
fn end(mut text: String, report: &Report, links: Vec<(&'static str, String)>) -> String {
    let deferred = report.count(Outcome::Deferred);
    if deferred > 0 {
        let changes = if deferred == 1 { "change is" } else { "changes are" };
        let _ = writeln!(text, "{deferred} more {changes} left for the next run.\n");
    }
    for (name, address) in links.iter().take(MOST_LINKS) {
        let _ = writeln!(text, "{name}: {address}");
    }
    let _ = write!(text, "-- \nNightshift {}, {}\n", report.function, report.at.strftime("%a %Y-%m-%d %H:%M %Z"));
    text
}

/// What a person can do, or what happens by itself: of what AWS does not tell, the error alone is known.
fn what_next(it: &Problem) -> Cow<'_, str> {
    let rest = rest(&it.message);
    match rest.is_empty() && it.problem.starts_with("unreadable") {
        true => "Nothing is done about it until it can be read; each run tries again.".into(),
        false => rest,
    }
}

/// Why, unless that is empty.
fn why(it: &Action) -> String {
    if it.reason.is_empty() { String::new() } else { format!("Why: {}", it.reason) }
}

/// Before and after, where there is something to see.
pub fn change(it: &Action) -> String {
    match (in_words(&it.before), in_words(&it.after)) {
        (before, after) if before == after => String::new(),
        (before, after) if before.is_empty() => format!("Now: {after}"),
        (before, after) if after.is_empty() => format!("Before: {before}"),
        (before, after) => format!("{before} -> {after}"),
    }
}

/// `{"image": "v1.1.0", "task_definition": "api-server:42"}` as `image v1.1.0, task definition api-server:42`.
///
/// A tag in which Nightshift remembers is of no interest at night, and only tags have a colon in their names. Nor is what
/// only programs compare; a digest stands in the command.
fn in_words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(it) => it.clone(),
        Value::Object(fields) => {
            let shown = |(name, value): &(&String, &Value)| {
                !value.is_null() && !name.contains(':') && !FOR_PROGRAMS.contains(&name.as_str())
            };
            let field = |(name, value): (&String, &Value)| format!("{} {}", name.replace('_', " "), in_words(value));
            fields.iter().filter(shown).map(field).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// The beginning of what is longer than `longest` bytes.
pub fn cut(text: &str, longest: usize) -> Cow<'_, str> {
    match text.len() > longest {
        true => format!("{} ... the rest is in the log of the function.\n", &text[..text.floor_char_boundary(longest)])
            .into(),
        false => text.into(),
    }
}

/// A headline and what belongs to it, one to a line; what is empty is left out.
fn paragraph(text: &mut String, headline: &str, facts: &[String]) {
    for line in std::iter::once(headline).chain(facts.iter().map(String::as_str)).filter(|it| !it.is_empty()) {
        let _ = writeln!(text, "{}", cut(&safe::fact(line), LONGEST_FACT).trim_end());
    }
    text.push('\n');
}
