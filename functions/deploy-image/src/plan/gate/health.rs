//! `health=URL`, `health=targets`: an address that answered well, or target groups that were healthy, before the rollout
//! and are not after it take the image back.
//!
//! What it answered before is remembered on the revision that is registered for the image; what came out of the check
//! afterwards is remembered as the verdict or as the rejection.

use jiff::SignedDuration;
use rules::deploy::HealthCheck;
use rules::keys;

use super::{Blocked, Candidate, look, unavailable};
use crate::plan::case::Case;
use crate::plan::offer;
use crate::plan::world::{Fact, Health, Look, Observation};

/// A deployment that began longer ago is not judged any more: what happens later is not its doing.
const JUDGED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// What ends a wait for an answer that there was no time for.
const NEXT_RUN: &str = "the next run has asked, within an hour";

/// What is known of an address before a rollout.
#[derive(Debug, Clone, PartialEq)]
pub enum Before {
    Well,
    /// It does not: what it said. The new image may be the cure, so it goes out, and is not judged by the address.
    Ill(String),
    /// It was not asked, or cannot be.
    Unknown,
}

impl Before {
    /// As it stands in the tag of a revision.
    pub fn word(&self) -> &'static str {
        match self {
            Before::Well => "well",
            Before::Ill(_) => "ill",
            Before::Unknown => "unknown",
        }
    }
}

fn ask<'a>(case: &'a Case<'a>, check: &HealthCheck, when: Look) -> Result<&'a Health, Blocked> {
    if *check == HealthCheck::Targets && case.service.target_groups.is_empty() {
        let message = "health=targets needs a load balancer, and the service has no target group; name an address with \
                       health=https://NAME/PATH, or remove health= from the tag";
        return Err(Blocked::NeedsPerson("bad-tag", message.into()));
    }
    match look(case, Fact::Health { service: case.service.arn.clone(), check: check.clone(), look: when })? {
        Observation::Health(health) => Ok(health),
        other => Err(unavailable(other, "unreadable-health", "whether it is well")),
    }
}

/// How the address answers before the image goes out; `None` where the rule names none.
pub fn before(candidate: Candidate<'_>) -> Result<Option<Before>, Blocked> {
    let Candidate { case, memory, image, tag, .. } = candidate;
    let Some(check) = &case.rule.health else { return Ok(None) };
    // Nobody answers for a sleeping service.
    if case.service.desired == 0 || case.service.tags.contains_key(keys::ASLEEP) {
        return Ok(Some(Before::Unknown));
    }
    // A person's command goes before: whoever approves this very image wants it out whatever is known of its health.
    let approved = memory.approved.as_ref().is_some_and(|it| it.digest == image.digest && !it.cleared);
    let health = match ask(case, check, Look::Before) {
        Err(Blocked::NeedsPerson(..)) if approved => return Ok(Some(Before::Unknown)),
        other => other?,
    };
    let why = match health {
        Health::Healthy => return Ok(Some(Before::Well)),
        Health::Unhealthy(said) => return Ok(Some(Before::Ill(said.clone()))),
        Health::Later => {
            let what = match check {
                HealthCheck::Url(url) => format!("there was no time left to ask {url} first"),
                HealthCheck::Targets => "it is not known yet how healthy the targets of what runs are".into(),
            };
            return Err(Blocked::pending(format!("{tag} waits: {what}"), NEXT_RUN));
        }
        Health::Closed(why) | Health::Unreachable(why) => why.clone(),
        Health::Refused(why) => format!("{why}. {PUBLIC_ONLY}"),
    };
    if approved {
        return Ok(Some(Before::Unknown));
    }
    let message = format!(
        "{tag} is not deployed: health= cannot be checked. {check}: {why}, so nothing could be told of the \
         image afterwards. Correct {}, or let this image out",
        match check {
            HealthCheck::Url(_) => "the address",
            HealthCheck::Targets => "the target group or its load balancer",
        }
    );
    let choices = vec![offer::about(case, "Let it out", "approve", &image.digest)];
    Err(Blocked::Asks { kind: "health-refused", message, choices })
}

const PUBLIC_ONLY: &str = "Nightshift asks public addresses only, so that a tag opens no way into the network; name a public one, or remove \
     health= from the tag";

/// Whether the address of the test traffic answers well, while a deployment pauses there.
pub fn test(case: &Case<'_>, url: &str) -> Result<(), Blocked> {
    let label = case.running_label();
    match ask(case, &HealthCheck::Url(url.into()), Look::Test)? {
        Health::Healthy => Ok(()),
        Health::Unhealthy(said) | Health::Closed(said) => Err(Blocked::Reject {
            by: "health",
            why: format!("{label} failed its health check on the test traffic: {said}"),
        }),
        Health::Later => {
            Err(Blocked::pending(format!("{label} is paused; there was no time left to ask {url}"), NEXT_RUN))
        }
        Health::Unreachable(why) | Health::Refused(why) => {
            Err(Blocked::NeedsPerson("health-refused", format!("test-health={url} cannot be asked: {why}")))
        }
    }
}

/// Whether the image that was deployed, and whose tasks all run, is healthy; and what to say of that.
pub fn after(case: &Case<'_>, now: jiff::Timestamp) -> Result<Option<String>, Blocked> {
    let Some(check) = &case.rule.health else { return Ok(None) };
    let label = case.running_label();
    let before = case.revision.tags.get(keys::HEALTH).map_or("unknown", String::as_str);
    if before != Before::Well.word() {
        let what = match check {
            HealthCheck::Url(url) => format!("{url} did not answer"),
            HealthCheck::Targets => "its targets were not".into(),
        };
        return Ok(Some(format!("{what} well before it, and that says nothing about it")));
    }
    let began = case.service.primary().and_then(|it| it.began);
    if began.is_some_and(|it| now.duration_since(it) > JUDGED_FOR) {
        return Ok(None);
    }
    let (running, desired) = (case.service.running, case.service.desired);
    if running < desired {
        let why = format!("{label} was deployed, and its health is not known yet: {running} of {desired} tasks run");
        return Err(Blocked::pending(why, "all of them run"));
    }
    let mut bad = Vec::new();
    for when in [Look::After, Look::Again] {
        match ask(case, check, when)? {
            Health::Healthy => return Ok(None),
            Health::Unhealthy(said) | Health::Closed(said) => bad.push(said.clone()),
            Health::Later => {
                return Err(Blocked::pending(format!("{label} was deployed; its health is not known yet"), NEXT_RUN));
            }
            Health::Unreachable(why) => {
                return Err(Blocked::NeedsPerson(
                    "health-refused",
                    format!(
                        "{label} was deployed, but its health cannot be checked, for a reason that says nothing about the image: \
                     health={check}: {why}"
                    ),
                ));
            }
            Health::Refused(why) => {
                return Err(Blocked::NeedsPerson(
                    "health-refused",
                    format!(
                        "{label} was deployed, but its health cannot be checked: health={check}: {why}. {PUBLIC_ONLY}"
                    ),
                ));
            }
        }
    }
    let said = bad.pop().unwrap_or_default();
    Err(Blocked::Reject {
        by: "health",
        why: format!("{label} was deployed but failed its health check twice: {said}"),
    })
}
