//! `health=URL`: after the rollout the address answers well; otherwise the image goes back.
//!
//! Checked once for each deployment: what came out is remembered as the verdict or as the rejection.

use super::{Fact, Seen, Shut, unseen};
use crate::plan::case::Case;

/// What became of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It answered 2xx.
    Well,
    /// It did not: what it said last.
    Sick(String),
    /// It may not be asked: why.
    Refused(String),
    /// There was no time left to ask.
    Later,
}

/// The image that was brought, and whose tasks all run, is well.
pub fn is_well(case: &Case<'_>) -> Result<(), Shut> {
    let Some(url) = &case.rule.health else { return Ok(()) };
    let label = case.running_label();
    match case.look(Fact::Health { service: case.service.arn.clone(), url: url.clone() }) {
        Some(Seen::Health(Health::Well)) => Ok(()),
        Some(Seen::Health(Health::Sick(said))) => {
            Err(Shut::Reject { by: "health", why: format!("{label} was brought, but is not well: {said}") })
        }
        Some(Seen::Health(Health::Refused(why))) => Err(Shut::Hold(
            "health-refused",
            format!(
                "{label} was brought, but whether it is well cannot be checked: health={url}: {why}. Nightshift asks public \
                 addresses only, so that a tag opens no way into the network; name a public one, or remove health= from the tag"
            ),
        )),
        Some(Seen::Health(Health::Later)) => Err(Shut::Wait(format!(
            "{label} was brought; there was no time left to check whether it is well, the next run does"
        ))),
        other => Err(unseen(other, "unreadable-health")),
    }
}
