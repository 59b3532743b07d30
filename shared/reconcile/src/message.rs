//! The messages that people get of a run: each with a subject, a plain text for e-mail and a card for chat.

#[cfg(test)]
mod bad_input;
mod chat;
mod commands;
mod headline;
mod link;
mod part;
mod runbook;
mod safe;
mod shorten;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kind::{MessageKind, Routine};
use crate::memory::News;
use crate::report::{Action, Outcome, Problem, Report};
use part::Part;

pub use link::page_of;
pub use part::Site;
pub use runbook::{BadRunbookBase, RunbookBase};
pub use safe::{name, short_name};

/// SNS takes no longer subject, and ASCII only.
const SUBJECT_LENGTH: usize = 100;

/// Of the title in chat nobody reads more.
const TITLE_LENGTH: usize = 150;

/// What every subject begins with, for filters of mail programs.
const MARK: &str = "[Nightshift] ";

/// One thing that people are told.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// What it asks of them.
    pub kind: MessageKind,
    /// What it is about: ARNs, or the name of the function.
    pub resources: Vec<String>,
    /// What happened, in at most 100 ASCII characters.
    pub subject: String,
    /// What, why, before and after, and what to do if that is wrong; for e-mail.
    pub text: String,
    /// The same as a custom notification of Amazon Q Developer in chat applications.
    pub chat: Value,
}

/// The messages for `report`, one for each kind of news; none for a dry run, or for a run that did nothing new.
///
/// What a run has to say of one resource is one story, and stands in one message: that of its gravest part.
pub fn messages(report: &Report, news: &News<'_>, site: &Site<'_>) -> Vec<Message> {
    if report.dry_run {
        return Vec::new();
    }
    let done = || report.actions.iter().filter(|it| it.outcome == Outcome::Done && it.tells.is_some());
    let refused = news.refused.map(|_| (report.function.as_str(), MessageKind::NeedsYou));
    let problems = news.problems.iter().map(|it| (it.resource.as_str(), it.kind));
    let failures = news.failures.iter().map(|it| (it.resource.as_str(), MessageKind::Failed));
    let told = done().filter_map(|it| Some((it.resource.as_str(), site.kind_of(it)?)));
    let mut kinds: BTreeMap<&str, MessageKind> = BTreeMap::new();
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
    for it in done().filter(|it| !is_told_anyway(it, report, news)) {
        parts.entry(kinds[it.resource.as_str()]).or_default().done.push(it);
    }
    // What production is now comes before why ("going back to v1.0.0" before "v1.1.0 is rejected"), and what only writes
    // down what is known comes last.
    for part in parts.values_mut() {
        part.done.sort_by_key(|it| (it.tells != Some(MessageKind::Changed), text::change(it).is_empty()));
    }
    let is_sent = |kind: MessageKind| kind != MessageKind::Routine || site.routine == Routine::Each;
    let parts = parts.into_iter().filter(|(kind, _)| is_sent(*kind));
    parts.map(|(kind, part)| part.message(report, kind, site)).collect()
}

/// Whether the same is told of the resource in other words: by a problem that gives the reason of this step, such as a
/// remedy that is refused, or by a later step with the same headline.
fn is_told_anyway(it: &Action, report: &Report, news: &News<'_>) -> bool {
    let says = |problem: &Problem| problem.resource == it.resource && problem.message.starts_with(&it.reason);
    let by_problem = it.tells == Some(MessageKind::NeedsYou) && !it.reason.is_empty();
    let is_told = |other: &Action| other.outcome == Outcome::Done && other.tells.is_some();
    let same = |other: &Action| other.resource == it.resource && other.headline == it.headline;
    let last = report.actions.iter().rfind(|other| is_told(other) && same(other));
    by_problem && news.problems.iter().any(|it| says(it)) || last.is_some_and(|last| !std::ptr::eq(last, it))
}

/// The one message of a day, or of some other time, about what happened in it; `title` is `Daily report`.
pub fn digest(report: &Report, title: &str, lines: &[String], site: &Site<'_>) -> Message {
    let day = report.at.strftime("%a %Y-%m-%d");
    let subject = format!("{MARK}{title}, {day}");
    let text = text::of_lines(report, lines, site);
    let chat = chat::of_lines(report, lines, &subject);
    let resources = vec![report.function.clone()];
    Message { kind: MessageKind::Routine, resources, text, chat, subject }
}

impl Part<'_> {
    fn message(&self, report: &Report, kind: MessageKind, site: &Site<'_>) -> Message {
        let title = self.title(report);
        // SNS takes ASCII only and no more than a hundred characters; the title of the chat form has the real names.
        let around = MARK.len() + title.more.len();
        let subject = format!("{MARK}{}{}", shorten::to(&title.ascii, SUBJECT_LENGTH - around), title.more);
        let in_chat = format!("{MARK}{}{}", shorten::to(&title.real, TITLE_LENGTH - around), title.more);
        let resources = self.resources(report);
        let text = text::text(report, self, kind, &resources, site);
        let chat = chat::chat(report, self, kind, &resources, site, &in_chat);
        Message { kind, text, chat, resources, subject }
    }

    /// What a person is asked comes first, then what failed, then what was done.
    fn title(&self, report: &Report) -> Title {
        let count = usize::from(self.refused.is_some()) + self.failures.len() + self.problems.len() + self.done.len();
        let more = if count > 1 { format!(" (+{} more)", count - 1) } else { String::new() };
        let (title, resource, instead) = if self.refused.is_some() {
            (headline::refused_headline(report), &report.function, "too many changes")
        } else if let Some(it) = self.problems.first() {
            (headline::problem_headline(report, it), &it.resource, it.problem.as_str())
        } else if let Some(it) = self.failures.first() {
            (headline::failure_headline(report, it), &it.resource, it.action)
        } else {
            (headline::headline(report, self.done[0]), &self.done[0].resource, self.done[0].action)
        };
        Title {
            ascii: safe::subject(&title, report.name_of(resource), resource, instead),
            real: safe::chat(&title),
            more,
        }
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
