//! What became of a deployment: live, lost, still under way. Told from the deployment itself, never from "stable",
//! since a service is stable after a rollback too.

use jiff::{SignedDuration, Timestamp, Zoned};
use rules::Digest;
use rules::keys;

use super::case::{Case, Memory};
use super::evidence::{Evidence, FailedRestart, Lost, failed_restart, signs};
use super::motion::{Motion, motion};
use super::select::is_newer;

/// After this time a deployment that nothing will ever end is told to people, and one that failed is no longer ECS's.
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(30);

/// So long a restart that failed and was taken back is a problem; after that it is history.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The newest image that was brought to the service and did not stay, unless that is remembered or forgiven.
pub fn lost(case: &Case<'_>, memory: &Memory) -> Option<Lost> {
    let running = case.running();
    let forgiven = |lost: &Lost, since: Option<Timestamp>| {
        memory.approved.as_ref().is_some_and(|it| it.digest == lost.digest && since.is_some_and(|since| since <= it.at))
    };
    // What runs may be newer by now; where that cannot be told, the image counts as lost.
    let superseded = |lost: &Lost| {
        let by_push = || Some(lost.pushed_at > case.pushed_at(running.digest.as_ref()?)?);
        let newer = is_newer(&case.rule.selector, case.images, &running, &lost.digest).or_else(by_push);
        running.digest.as_ref() != Some(&lost.digest) && newer == Some(false)
    };
    let counts = |sign: &Evidence| {
        let lost = &sign.lost;
        !memory.rejects(&lost.digest, lost.pushed_at) && !forgiven(lost, sign.since) && !superseded(lost)
    };
    // Two runs that overlap may bring one image by two revisions: the earlier deployment then looks stopped by hand,
    // while of the later one AWS itself says what became of it.
    let said_by_aws = |it: &Lost| it.by != "hand";
    signs(case, memory).into_iter().filter(counts).map(|it| it.lost).max_by_key(|it| (it.pushed_at, said_by_aws(it)))
}

/// The problem where a restart failed.
pub const RESTART_FAILED: &str = "restart-failed";

/// What to say of a restart that failed, for a day or as long as the service stands as it fell.
pub fn restart_failed(case: &Case<'_>, memory: &Memory, now: &Zoned) -> Option<String> {
    let FailedRestart { began, why } = failed_restart(case, memory)?;
    let began = began?;
    let fallen = matches!(motion(case), Motion::Fallen(_));
    if !fallen && now.timestamp().duration_since(began) >= TOLD_FOR {
        return None;
    }
    Some(format!(
        "{} was live, and when it was deployed once more at {} its new tasks failed: {why}. The image is not rejected, and \
         nothing is brought in its place. Look at the events of the service and at why its new tasks stopped: a secret or a \
         parameter, the database, a quota, the image itself in the registry",
        case.running_label(),
        began.to_zoned(now.time_zone().clone()).strftime("%Y-%m-%d %H:%M %Z"),
        why = why.trim_end_matches('.'),
    ))
}

/// Whether the image in use is ours, live, and was not yet found to be.
pub fn won(case: &Case<'_>, memory: &Memory) -> Option<Digest> {
    let digest = case.digest_of_ours(case.revision)?;
    let told = memory.verdict.as_ref().is_some_and(|it| it.digest == digest);
    (case.proven() && !told).then_some(digest)
}

/// What to say of a deployment that will never end by itself.
pub fn stuck(case: &Case<'_>, now: &Zoned) -> Option<String> {
    let Motion::Forward(Some(began)) = motion(case) else { return None };
    let ours = case.revision.tags.contains_key(keys::IMAGE);
    if !ours || case.shifts() || case.service.safety.gives_up || now.timestamp().duration_since(began) < PATIENCE {
        return None;
    }
    Some(format!(
        "{} is rolling out since {} and does not get ready; nothing makes ECS give up. \
         Set deploymentCircuitBreaker {{enable=true, rollback=true}} on the service (ECS then goes back by itself), \
         or roll it back",
        case.running_label(),
        began.to_zoned(now.time_zone().clone()).strftime("%Y-%m-%d %H:%M %Z"),
    ))
}
