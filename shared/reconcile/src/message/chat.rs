//! A message as a card in chat: a custom notification of Amazon Q Developer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::commands::commands;
use super::headline::{failure_headline, headline, problem_headline, rest};
use super::part::{Part, Site};
use super::text::{LONGEST_FACT, cut};
use super::{link, safe};
use crate::button::Button;
use crate::kind::MessageKind;
use crate::report::{Action, Problem, Report};

/// How many lines a card has; the e-mail has the rest.
const LINES: usize = 10;

pub fn chat(
    report: &Report,
    part: &Part<'_>,
    kind: MessageKind,
    resources: &[String],
    site: &Site<'_>,
    title: &str,
) -> Value {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(part.refused.iter().map(|it| safe::chat(it)));
    let problem =
        |it: &&Problem| format!("*{}*\n{}", safe::chat(&problem_headline(report, it)), safe::chat(&rest(&it.message)));
    lines.extend(part.problems.iter().map(problem));
    let failure = |it: &&Action| {
        let code = it.error.as_ref().map_or("", |it| &it.code);
        format!("*{}* ({})", safe::chat(&failure_headline(report, it)), safe::chat(code))
    };
    lines.extend(part.failures.iter().map(failure));
    lines.extend(
        part.done.iter().map(|it| format!("*{}*\n{}", safe::chat(&headline(report, it)), safe::chat(&it.reason))),
    );
    let links = link::links(&link::About::of(report, part, resources), kind, site).into_iter();
    let links: Vec<String> = links.take(4).map(|(name, address)| format!("{name}: {address}")).collect();
    // What holds a backquote or a second line would end the code that it stands in; the e-mail has it.
    let fits = |it: &(String, String)| !it.1.contains('`') && safe::one_line(&it.1) == it.1;
    let commands = commands(part, report, site).into_iter().filter(fits).take(3);
    let next_steps = commands.map(|(label, command)| format!("{}: `{command}`", safe::chat(&label))).collect();
    let lines = lines.into_iter().map(|it| link::with_own_buckets(&it, report)).collect();
    let mut card = card(report, lines, links, title, next_steps);
    card["metadata"]["relatedResources"] = json!(&resources[..resources.len().min(10)]);
    if let Some(thread) = thread(report, part) {
        card["metadata"]["threadId"] = thread.into();
    }
    let buttons = buttons(report, part);
    if !buttons.is_empty() {
        card["metadata"]["additionalContext"] = json!(buttons);
        card["metadata"]["enableCustomActions"] = true.into();
    }
    card["content"]["keywords"] = json!([kind.as_str(), report.function]);
    card
}

/// The value of each button under the message. Where a message offers the same for two things, nobody could tell what
/// the button means, so there is none: people send the commands of the text then.
fn buttons(report: &Report, part: &Part<'_>) -> BTreeMap<&'static str, String> {
    let of_actions = part.done.iter().flat_map(|it| &it.choices);
    let choices = part.problems.iter().flat_map(|it| &it.choices).chain(of_actions).map(|it| &it.command);
    let undo = part.done.iter().filter_map(|it| it.offer.as_ref());
    let mut offered: BTreeMap<Button, BTreeSet<String>> = BTreeMap::new();
    for (button, value) in choices.chain(undo).filter_map(|it| Button::offered(it, &report.function, report.at.date()))
    {
        offered.entry(button).or_default().insert(value);
    }
    let alone = |(button, values): (Button, BTreeSet<String>)| {
        (values.len() == 1).then_some(())?;
        Some((button.name(), values.into_iter().next()?))
    };
    offered.into_iter().filter_map(alone).collect()
}

/// The card of a message of lines alone.
pub fn of_lines(report: &Report, lines: &[String], title: &str) -> Value {
    let mut card = card(report, lines.iter().map(|it| safe::chat(it)).collect(), Vec::new(), title, Vec::new());
    card["content"]["keywords"] = json!([MessageKind::Routine.as_str(), report.function]);
    card
}

fn card(report: &Report, mut lines: Vec<String>, links: Vec<String>, title: &str, next_steps: Vec<String>) -> Value {
    let left_out = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    if left_out > 0 {
        lines.push(format!("... and {left_out} more"));
    }
    let mut description = cut(&lines.join("\n"), LONGEST_FACT).into_owned();
    if !links.is_empty() {
        description = format!("{description}\n{}", links.join("\n"));
    }
    let mut content = json!({"textType": "client-markdown", "title": title, "description": description});
    if !next_steps.is_empty() {
        content["nextSteps"] = next_steps.into();
    }
    json!({
        "version": "1.0",
        "source": "custom",
        "content": content,
        "metadata": {"summary": title, "eventType": format!("nightshift.{}", report.function)},
    })
}

/// What a message is filed under, where it is one story: what it is about, and the day. So an alarm, its remedy, the
/// rollback and the recovery stand together, whichever function told them, and no thread grows for ever.
fn thread(report: &Report, part: &Part<'_>) -> Option<String> {
    let stories: Vec<&str> = part.stories().into_iter().collect();
    let [story] = stories[..] else { return None };
    let name = story.splitn(6, ':').nth(5).unwrap_or(story);
    Some(format!("{} {}", safe::chat(name), report.at.date()))
}
