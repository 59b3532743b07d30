//! Sentences that every story needs: an event and who it wakes, a run, a message, a service as it is.

use serde_json::Value;
use testkit::{Error, LocalAws, Message, Result};

use crate::function::Decision;
use crate::play::{ADDRESS, Play};
use crate::screen;
use crate::truegul::{Description, Service};

/// Shows an event and the rule of the template that it matches; fails unless it is `rule` alone of those that wake
/// `function`, such as `DeployImageFunction`. An event may wake others too.
pub fn event(play: &Play, event: &Value, function: &str, rule: &str) -> Result<()> {
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    screen::fact("event", &format!("\"{}\" from {}", text("detail-type"), text("source")));
    screen::fact("", &screen::json(&event["detail"]));
    let mut rules = play.rules(event)?;
    rules.retain(|it| it.name.contains(function));
    let names: Vec<&str> = rules.iter().map(|it| it.name.as_str()).collect();
    match rules.as_slice() {
        [only] if only.name.contains(rule) => {
            screen::fact("rule", &format!("{rule} in template.yaml is the one that matches:"));
            screen::fact("", &screen::json(&only.pattern["detail"]));
            Ok(())
        }
        _ => {
            Err(Error::new(format!("the event should match the rule {rule} alone, but it matches {names:?}: {event}")))
        }
    }
}

/// Shows what was decided about each resource, and why.
pub fn decisions(decisions: &[Decision]) {
    let row = |it: &Decision| [it.short_name().to_owned(), it.action.clone(), it.reason.clone()];
    let rows: Vec<[String; 3]> = decisions.iter().map(row).collect();
    screen::table(["service", "action", "why"], &rows);
}

/// Shows the one message that was sent since the last time; fails unless its subject begins with `subject`.
pub fn message(play: &Play, subject: &str) -> Result<Message> {
    let message = only_message(play, subject)?;
    screen::mail(ADDRESS, &message);
    Ok(message)
}

fn only_message(play: &Play, subject: &str) -> Result<Message> {
    let mut messages = play.messages()?;
    match (messages.pop(), messages.len()) {
        (Some(message), 0) if begins(&message, subject) => Ok(message),
        (last, _) => {
            messages.extend(last);
            let subjects: Vec<_> = messages.iter().map(|it| it.subject.clone().unwrap_or_default()).collect();
            Err(Error::new(format!("there should be one new message, {subject:?}, but there are {subjects:?}")))
        }
    }
}

fn begins(message: &Message, subject: &str) -> bool {
    message.subject.as_deref().is_some_and(|it| it.starts_with(&format!("[Nightshift] {subject}")))
}

/// Says that nobody was written to.
pub fn no_message(play: &Play) -> Result<()> {
    let messages = play.messages()?;
    screen::claim("nobody gets a message", messages.is_empty(), format_args!("{messages:?}"))
}

/// Shows how services are tagged and what they run.
pub fn services(aws: &LocalAws, services: &[Service]) -> Result<()> {
    let row = |it: &Service| {
        let now = it.describe(aws)?;
        let tag = now.tags.get(crate::truegul::DEPLOY).cloned().unwrap_or_default();
        let primary = now.primary();
        Ok([it.name.to_owned(), tag, primary.revision.clone(), now.tasks.clone(), short(&primary.image)])
    };
    let rows = services.iter().map(row).collect::<Result<Vec<_>>>()?;
    screen::table(["service", "nightshift:deploy", "task definition", "tasks", "image"], &rows);
    Ok(())
}

/// Shows the deployments of a service as DescribeServices does.
pub fn deployments(description: &Description) {
    let rows: Vec<[String; 5]> = description
        .deployments
        .iter()
        .map(|it| [it.status.clone(), it.rollout.clone(), it.revision.clone(), it.version.clone(), short(&it.image)])
        .collect();
    screen::table(["deployment", "rollout", "task definition", "known as", "image"], &rows);
}

/// An image reference with the beginning of its digest.
fn short(image: &str) -> String {
    match image.split_once("@sha256:") {
        Some((repository, digest)) => format!("{repository}@sha256:{}…", digest.get(..12).unwrap_or(digest)),
        None => image.to_owned(),
    }
}
