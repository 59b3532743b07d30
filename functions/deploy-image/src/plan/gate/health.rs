//! `health=URL`: after the rollout the address answers well; otherwise the image goes back.
//!
//! Checked once for each deployment: what came out is remembered as the verdict or as the rejection.

use super::{Blocked, look, unavailable};
use crate::plan::case::Case;
use crate::plan::world::{Fact, Health, Observation};

/// The image that was brought, and whose tasks all run, is well.
pub fn is_healthy(case: &Case<'_>) -> Result<(), Blocked> {
    let Some(url) = &case.rule.health else { return Ok(()) };
    let label = case.running_label();
    match look(case, Fact::Health { service: case.service.arn.clone(), url: url.clone() })? {
        Observation::Health(Health::Healthy) => Ok(()),
        Observation::Health(Health::Unhealthy(said)) => {
            Err(Blocked::Reject { by: "health", why: format!("{label} was brought, but is not well: {said}") })
        }
        Observation::Health(Health::Refused(why)) => Err(Blocked::NeedsPerson(
            "health-refused",
            format!(
                "{label} was brought, but whether it is well cannot be checked: health={url}: {why}. Nightshift asks public \
                 addresses only, so that a tag opens no way into the network; name a public one, or remove health= from the tag"
            ),
        )),
        Observation::Health(Health::Later) => Err(Blocked::Pending(format!(
            "{label} was brought; there was no time left to check whether it is well, the next run does"
        ))),
        other => Err(unavailable(other, "unreadable-health")),
    }
}
