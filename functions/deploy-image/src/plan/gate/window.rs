//! `nightshift:deploy-window`, `nightshift:freeze` and the stack's freeze: when a deployment may begin.
//!
//! A way back passes no gate, so it never waits for any of them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use reconcile::when;
use rules::keys;

use super::{Blocked, Candidate};
use crate::plan::case::Case;

/// How often window and freeze are compared: a window may open in the middle of a freeze.
const TURNS: usize = 8;

/// Deployments may begin now.
pub fn pass(Candidate { case, tag, now, .. }: Candidate<'_>) -> Result<(), Blocked> {
    let runs = case.running_label();
    if let Some(reason) = case.service.tags.get(keys::FREEZE) {
        let reason = if reason.trim().is_empty() { "it gives no reason" } else { reason };
        let key = keys::FREEZE;
        let message = format!("{tag} waits: {key} is on the service ({reason}). {runs} runs until the tag is removed");
        return Err(Blocked::Scheduled("frozen", message));
    }
    let window = case.window().map_err(|it| Blocked::NeedsPerson("bad-tag", it.to_string()))?;
    let frozen = case.calendar().freeze.and_then(|it| it.until(now.timestamp(), now.time_zone()));
    let closed = window.filter(|it| !it.at(now.timestamp(), now.time_zone(), &case.calendar().stack).awake);
    let (kind, cause) = match (frozen, closed) {
        (None, None) => return Ok(()),
        (Some(_), _) => ("frozen", "the stack's parameter Freeze holds".to_owned()),
        (None, Some(window)) => ("outside-window", format!("{} is '{window}'", keys::DEPLOY_WINDOW)),
    };
    let until = match opens(case, now.timestamp(), now.time_zone()) {
        Some(at) => format!("It is deployed with the first run after {}", when(at, now)),
        None => "That never changes by itself".into(),
    };
    Err(Blocked::Scheduled(kind, format!("{tag} waits: {cause}. {until}; {runs} runs until then")))
}

/// When deployments may begin again, if ever.
pub fn opens(case: &Case<'_>, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let window = case.window().ok().flatten();
    let mut at = now;
    for _ in 0..TURNS {
        if let Some(end) = case.calendar().freeze.and_then(|it| it.until(at, zone)) {
            at = end;
            continue;
        }
        match window.as_ref().map(|it| it.at(at, zone, &case.calendar().stack)) {
            Some(wanted) if !wanted.awake => at = wanted.until?,
            _ => return Some(at),
        }
    }
    None
}
