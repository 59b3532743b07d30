//! `nightshift:deploy-window`, `nightshift:freeze` and the stack's freeze: when a deployment may begin.
//!
//! A way back passes no gate, so it never waits for any of them.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::when;
use rules::calendar::{DeployWindow, Freeze};
use rules::schedule::StackCalendar;
use rules::{BadTag, keys};

use crate::{Blocked, Candidate};

/// How often window and freeze are compared: a window may open in the middle of a freeze.
const TURNS: usize = 8;

/// How often that changes within a day before the rest is left out: a window of hours opens 24 times.
const MOST_CHANGES: usize = 50;

/// What the stack says of when deployments may begin.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calendar {
    /// Days on which no window opens, and schedules that one can name.
    pub stack: StackCalendar,
    /// A time in which nothing is deployed.
    pub freeze: Option<Freeze>,
}

/// When deployments may begin, if the tag of a resource says so. Where the tag is wrong only these wait.
pub fn window_of(tags: &BTreeMap<String, String>, calendar: &Calendar) -> Result<Option<DeployWindow>, BadTag> {
    tags.get(keys::DEPLOY_WINDOW).map(|it| DeployWindow::read(it, &calendar.stack)).transpose()
}

/// Deployments may begin now, by the tags of the resource and by the stack.
pub fn window<F, A>(
    candidate: &Candidate<'_>,
    tags: &BTreeMap<String, String>,
    calendar: &Calendar,
) -> Result<(), Blocked<F, A>> {
    let Candidate { on, running: runs, tag, now, .. } = *candidate;
    if let Some(reason) = frozen_by_tag(tags) {
        let key = keys::FREEZE;
        let message =
            format!("{tag} waits until {key} is removed. It is on the {on}: {reason}. {runs} runs until then");
        return Err(Blocked::Scheduled("frozen", message));
    }
    let window = window_of(tags, calendar).map_err(|it| Blocked::NeedsPerson("bad-tag", it.to_string()))?;
    let frozen = calendar.freeze.and_then(|it| it.until(now.timestamp(), now.time_zone()));
    let open = |it: &DeployWindow| it.at(now.timestamp(), now.time_zone(), &calendar.stack).awake;
    let (kind, cause) = match (frozen, window.as_ref().filter(|it| !open(it))) {
        (None, None) => return Ok(()),
        (Some(_), _) => ("frozen", "the stack's parameter Freeze holds".to_owned()),
        (None, Some(window)) => ("outside-window", format!("{} is '{window}'", keys::DEPLOY_WINDOW)),
    };
    let until = match opens(window.as_ref(), calendar, now.timestamp(), now.time_zone()) {
        Some(at) => {
            format!(
                "{tag} waits until {}: {cause}. It is deployed with the first run after that; {runs} runs until then",
                when(at, now)
            )
        }
        None => format!("{tag} waits: {cause}. {runs} runs until the tag is changed"),
    };
    Err(Blocked::Scheduled(kind, until))
}

fn frozen_by_tag(tags: &BTreeMap<String, String>) -> Option<&str> {
    let reason = tags.get(keys::FREEZE)?;
    Some(if reason.trim().is_empty() { "it gives no reason" } else { reason })
}

/// Which freeze holds, if one does.
pub fn frozen(tags: &BTreeMap<String, String>, calendar: &Calendar, now: &Zoned) -> Option<String> {
    let by_tag = frozen_by_tag(tags).map(|it| format!("{}: {it}", keys::FREEZE));
    let of_stack = || {
        let end = calendar.freeze?.until(now.timestamp(), now.time_zone())?;
        Some(format!("the stack's parameter Freeze holds until {}", when(end, now)))
    };
    by_tag.or_else(of_stack)
}

/// When deployments may begin within the next day; `None` where nothing limits that.
pub fn within_a_day(
    tags: &BTreeMap<String, String>,
    calendar: &Calendar,
    now: &Zoned,
) -> Option<Vec<(Timestamp, Timestamp)>> {
    let Ok(window) = window_of(tags, calendar) else { return Some(Vec::new()) };
    if frozen_by_tag(tags).is_some() {
        return Some(Vec::new());
    }
    let (zone, from) = (now.time_zone(), now.timestamp());
    let (mut at, end) = (from, from + SignedDuration::from_hours(24));
    let mut open: Vec<(Timestamp, Timestamp)> = Vec::new();
    for _ in 0..MOST_CHANGES {
        if at >= end {
            break;
        }
        if let Some(thaw) = calendar.freeze.and_then(|it| it.until(at, zone)) {
            at = thaw;
            continue;
        }
        let wanted = window.as_ref().map(|it| it.at(at, zone, &calendar.stack));
        let changes = wanted.as_ref().and_then(|it| it.until).filter(|it| *it > at).map_or(end, |it| it.min(end));
        let freezes = calendar.freeze.and_then(|it| it.begins(zone)).filter(|it| *it > at);
        let until = freezes.map_or(changes, |it| it.min(changes));
        if wanted.is_none_or(|it| it.awake) {
            open.push((at, until));
        }
        at = until;
    }
    // A freeze that is over, or far away, limits nothing.
    (window.is_some() || open != [(from, end)]).then_some(open)
}

/// When deployments may begin again after `now`, if ever.
pub fn opens(window: Option<&DeployWindow>, calendar: &Calendar, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let mut at = now;
    for _ in 0..TURNS {
        if let Some(end) = calendar.freeze.and_then(|it| it.until(at, zone)) {
            at = end;
            continue;
        }
        match window.map(|it| it.at(at, zone, &calendar.stack)) {
            Some(wanted) if !wanted.awake => at = wanted.until?,
            _ => return Some(at),
        }
    }
    None
}
