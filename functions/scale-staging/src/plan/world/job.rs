//! Schedules of EventBridge Scheduler, by their groups: only groups carry tags.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rules::keys;
use serde_json::{Map, Value};

/// What a schedule that was disabled here says of itself. It is written by the call that disables it: so the two cannot be
/// parted by a run that dies, and what a person disabled is never enabled here.
fn mark() -> String {
    format!("[{}] ", keys::ASLEEP)
}

/// How many characters a description may have.
const LONGEST: usize = 512;

/// A schedule group that opted in, or that sleeps.
#[derive(Debug, Clone, PartialEq)]
pub struct JobGroup {
    pub arn: String,
    pub name: String,
    /// As the tag index has them.
    pub tags: BTreeMap<String, String>,
    /// Its schedules, where they were read: each costs a call.
    pub jobs: Option<Result<Vec<Job>, String>>,
}

/// A schedule of such a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub name: String,
    pub enabled: bool,
    /// It was disabled here; a person may have enabled it since.
    pub marked: bool,
    /// It runs once: disabled at its time it would never run.
    pub once: bool,
    /// Its description has room for the mark.
    pub has_room: bool,
    /// Its end lies in the past: it runs no more, and AWS may refuse to change it.
    pub over: bool,
}

impl Job {
    /// Of what GetSchedule answers.
    pub fn read(name: &str, schedule: &Map<String, Value>, now: Timestamp) -> Self {
        let (description, mark) = (text(schedule, "Description"), mark());
        Job {
            name: name.to_owned(),
            enabled: text(schedule, "State") != "DISABLED",
            marked: description.starts_with(&mark),
            once: text(schedule, "ScheduleExpression").starts_with("at("),
            has_room: description.chars().count() + mark.len() <= LONGEST,
            over: is_past(schedule, "EndDate", now),
        }
    }

    /// Whether it is to be disabled now: what runs once is left alone, and what a person enabled in its sleep stands.
    pub fn is_to_disable(&self) -> bool {
        self.enabled && !self.marked && !self.once && !self.over && self.has_room
    }
}

/// A schedule as it was read right before, changed to be disabled or enabled again; `None` where nothing is to change by
/// now.
pub fn switched(schedule: &Map<String, Value>, on: bool, now: Timestamp) -> Option<Map<String, Value>> {
    let job = Job::read("", schedule, now);
    let description = text(schedule, "Description");
    let (state, description) = match on {
        false => job.is_to_disable().then(|| ("DISABLED", format!("{}{description}", mark())))?,
        true => ("ENABLED", description.strip_prefix(&mark())?.to_owned()),
    };
    let mut changed = schedule.clone();
    changed.insert("State".into(), state.into());
    // GetSchedule leaves out what is empty.
    match description.is_empty() {
        true => drop(changed.remove("Description")),
        false => drop(changed.insert("Description".into(), description.into())),
    }
    Some(changed)
}

/// The same without a beginning that is over, which then means nothing but the rhythm of a `rate(…)`; `None` where it has
/// none.
pub fn without_past_start(schedule: &Map<String, Value>, now: Timestamp) -> Option<Map<String, Value>> {
    let mut changed = schedule.clone();
    is_past(schedule, "StartDate", now).then(|| changed.remove("StartDate"))?;
    Some(changed)
}

/// Scheduler writes moments as seconds with a fraction.
fn is_past(schedule: &Map<String, Value>, field: &str, now: Timestamp) -> bool {
    let moment = schedule.get(field).and_then(Value::as_f64);
    moment.is_some_and(|it| it < now.as_second() as f64)
}

fn text<'a>(schedule: &'a Map<String, Value>, field: &str) -> &'a str {
    schedule.get(field).and_then(Value::as_str).unwrap_or_default()
}
