//! The line that a message, or one thing in it, begins with.

use super::safe::{name, short_name};
use crate::report::{Action, Problem, Report};

pub fn refused_headline(report: &Report) -> String {
    format!("{}: nothing was done, the plan holds too many changes", report.function)
}

/// The name and the first sentence of what is wrong.
pub fn problem_headline(report: &Report, it: &Problem) -> String {
    let (first, _) = sentence(&it.message);
    let own = report.name_of(&it.resource);
    match it.story.as_deref().map(|it| report.name_of(it)).filter(|story| *story != own) {
        Some(story) => format!("{story}: {own}: {}", first.trim_end_matches('.')),
        None => format!("{own}: {}", first.trim_end_matches('.')),
    }
}

/// The headline, which begins with the name of what its story is about: the messages of a service and of its alarms
/// stand together wherever subjects are sorted.
pub fn headline(report: &Report, it: &Action) -> String {
    let own = report.name_of(&it.resource);
    let (first, what) = it.headline.split_once(": ").unwrap_or(("", &it.headline));
    let is_of = |resource: &str| first == name(resource) || first == short_name(resource);
    match it.story.as_deref() {
        Some(story) if is_of(story) => format!("{}: {what}", report.name_of(story)),
        Some(story) => {
            let name = report.name_of(story);
            format!("{name}: {}", it.headline.replace(&format!(" {name}"), ""))
        }
        None if is_of(&it.resource) => format!("{own}: {what}"),
        None => it.headline.clone(),
    }
}

pub fn failure_headline(report: &Report, it: &Action) -> String {
    match headline(report, it).split_once(": ") {
        Some((name, what)) => format!("{name}: failed: {what}"),
        None => format!("failed: {}", it.headline),
    }
}

/// What follows the first sentence.
pub fn rest(message: &str) -> &str {
    sentence(message).1
}

fn sentence(message: &str) -> (&str, &str) {
    let end = [". ", "; "].iter().filter_map(|it| message.find(it)).min();
    end.map_or((message, ""), |at| (&message[..at], message[at + 2..].trim_start()))
}
