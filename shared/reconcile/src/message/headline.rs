//! The line that a message, or one thing in it, begins with, and the one that follows it.

use std::borrow::Cow;

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

/// Words with which sentences of the functions go on after a semicolon. What else begins in lower case may be a name, and
/// names keep their case.
const OPENINGS: [&str; 44] = [
    "accepted", "add", "an", "any", "both", "correct", "delete", "deploy", "did", "each", "fix", "give", "if", "it",
    "its", "leave", "look", "make", "name", "no", "nothing", "push", "put", "remove", "see", "send", "set", "start",
    "stop", "tag", "that", "the", "then", "there", "they", "this", "to", "use", "wait", "what", "where", "without",
    "you", "your",
];

/// What follows the first sentence. It begins a line, and so with a capital.
pub fn rest(message: &str) -> Cow<'_, str> {
    capital(sentence(message).1)
}

/// A sentence of a function with a capital; what begins with a name is left as it is.
pub fn capital(text: &str) -> Cow<'_, str> {
    let end = text.find(|it: char| !it.is_ascii_lowercase()).unwrap_or(text.len());
    // `the/api` and `it-1` are names; `accepted:` is not.
    let is_word = matches!(text.as_bytes().get(end..), Some([] | [b' ', ..] | [b':', b' ', ..]));
    match text.chars().next() {
        Some(first) if is_word && OPENINGS.contains(&&text[..end]) => {
            format!("{}{}", first.to_ascii_uppercase(), &text[1..]).into()
        }
        _ => text.into(),
    }
}

fn sentence(message: &str) -> (&str, &str) {
    let end = [". ", "; "].iter().filter_map(|it| message.find(it)).min();
    end.map_or((message, ""), |at| (&message[..at], message[at + 2..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_begins_with_a_capital_unless_it_is_a_name() {
        for (message, expected) in [
            ("shop/api has no tag; add it there, or change this tag", "Add it there, or change this tag"),
            ("unknown word 'x'; accepted: newest, semver", "Accepted: newest, semver"),
            ("it stays; it is tried again", "It is tried again"),
            ("no migration; api-migrate: stopped", "api-migrate: stopped"),
            ("no migration; the/api stopped", "the/api stopped"),
            ("a cluster waits; app is busy", "app is busy"),
            ("no hook; approval=at-hook needs one", "approval=at-hook needs one"),
            ("nothing more", ""),
        ] {
            assert_eq!(rest(message), expected, "{message}");
        }
    }
}
