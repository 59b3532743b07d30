//! What became of a deployment: live, lost, still under way. Told from the deployment itself, never from "stable",
//! since a service is stable after a rollback too.

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::when;
use rules::Digest;

use super::case::{Case, Memory};
use super::evidence::{self, Evidence, FailedRestart, FailedWayBack, Lost, failed_restart, is_way_back, signs};
use super::motion::{Motion, motion};

/// After this time a deployment that nothing will ever end is told to people, and one that failed is no longer ECS's.
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(30);

/// After this time, and after what it waits for by its own settings, a deployment is told that should end by itself.
const HANGS_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// So long a restart that failed and was taken back is a problem; after that it is history.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The newest image that was deployed to the service and did not stay, unless that is remembered or forgiven.
pub fn lost(case: &Case<'_>, memory: &Memory) -> Option<Lost> {
    let running = case.running();
    let forgiven = |lost: &Lost, since: Option<Timestamp>| {
        let approved = memory.approved.as_ref().filter(|it| it.digest == lost.digest).map(|it| it.at);
        let at = approved.max(memory.cleared.at(&lost.digest));
        at.is_some_and(|at| since.is_some_and(|since| since <= at))
    };
    // What a person let out may be older than what runs. When its deployment ends badly it is lost all the same: it would
    // be deployed again and again, and the person would not learn of it.
    // A person who stopped it has taken the approval back. One who left it later for what ran before has not: that is the
    // newer image, which needs no rejection of this one to stay.
    let tried_for_a_person = |sign: &Evidence| {
        let lost = &sign.lost;
        let approved = memory.approved.as_ref().filter(|it| it.digest == lost.digest && !it.cleared);
        approved.is_some_and(|it| {
            let replaced = it.from.as_ref().zip(running.digest.as_ref()).is_some_and(|(from, runs)| from.is(runs));
            let failed = lost.by != "hand" || sign.stopped;
            failed && replaced || case.choice(memory, &running).is_still_to_deploy(it)
        })
    };
    // What runs may be newer by now; where that cannot be told, the image counts as lost.
    let superseded = |lost: &Lost| {
        let by_push = || Some(lost.pushed_at > case.pushed_at(running.digest.as_ref()?)?);
        let newer = case.choice(memory, &running).is_newer(&lost.digest).or_else(by_push);
        running.digest.as_ref() != Some(&lost.digest) && newer == Some(false)
    };
    let counts = |sign: &Evidence| {
        let lost = &sign.lost;
        // A way back from a rejected image may lead past older ones, which nobody took back.
        let limit = memory.rejected.as_ref().and_then(|it| it.pushed_at).map(|it| it.as_millisecond());
        let passed_by = lost.by == "hand" && limit.is_some_and(|limit| lost.pushed_at.as_millisecond() <= limit);
        let passed_over = (passed_by || superseded(lost)) && !tried_for_a_person(sign);
        !passed_over && !memory.rejects(&lost.digest) && !forgiven(lost, sign.since)
    };
    // Two runs that overlap may deploy one image by two revisions: the earlier deployment then looks stopped by hand,
    // while of the later one AWS itself says what became of it.
    let said_by_aws = |it: &Lost| it.by != "hand";
    signs(case, memory).into_iter().filter(counts).map(|it| it.lost).max_by_key(|it| (it.pushed_at, said_by_aws(it)))
}

/// Whether the deployment under way restores what was live before.
pub fn is_going_back(case: &Case<'_>) -> bool {
    way_back(case).is_some()
}

/// The image that the deployment under way takes back, if it can be told.
pub fn left_on_the_way_back(case: &Case<'_>) -> Option<Digest> {
    let replaced = case.history().get(way_back(case)? + 1)?;
    case.described(&replaced.task_definition).and_then(|it| case.digest_of_ours(it))
}

/// Where in the history the way back stands that is under way.
fn way_back(case: &Case<'_>) -> Option<usize> {
    matches!(motion(case), Motion::Forward(_) | Motion::Back).then_some(())?;
    let at = case.history().iter().position(|it| it.task_definition == case.revision.arn())?;
    is_way_back(case, at).then_some(at)
}

/// What to say where a way back from the image that runs, or to it, has failed: it is tried once, and then a person
/// decides. Otherwise the service would be deployed to and fro for ever.
pub fn failed_way_back(case: &Case<'_>, memory: &Memory) -> Option<String> {
    let running = case.running().digest;
    let FailedWayBack { to, began, why } = evidence::failed_way_back(case, running.as_ref()?)?;
    let forgiven = running.and_then(|it| memory.forgiven_at(&it));
    if forgiven.is_some_and(|at| began.is_none_or(|it| it <= at)) {
        return None;
    }
    Some(format!(
        "the way back to {to} has failed: {why}. {} runs now, and nothing else is tried by itself. Look at why its tasks \
         stopped, and push a newer image or go back from it",
        case.running_label(),
        why = why.trim_end_matches('.'),
    ))
}

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
        "new tasks of {} failed, though it was live: {why}. It was deployed once more at {}. The image is not rejected, and \
         nothing is deployed in its place. Look at the events of the service and at why its new tasks stopped: a secret or a \
         parameter, the database, a quota, the image itself in the registry",
        case.running_label(),
        when(began, now),
        why = why.trim_end_matches('.'),
    ))
}

/// Whether the image in use is ours, live, and was not yet found to be.
pub fn won(case: &Case<'_>, memory: &Memory) -> Option<Digest> {
    let digest = case.digest_of_ours(case.revision)?;
    let told = memory.verdict.as_ref().is_some_and(|it| it.digest == digest);
    (case.proven() && !told).then_some(digest)
}

/// What to say of an image whose deployment is complete by `earlySuccessCriteria` before all of its tasks run.
pub fn completes(case: &Case<'_>) -> Option<String> {
    let (service, primary) = (case.service, case.service.primary()?);
    let early = service.early_success && primary.running < service.desired;
    early.then(|| {
        format!(
            "ECS counts the deployment of {} as complete (earlySuccessCriteria); it is live once all {} of its tasks run; {} do",
            case.running_label(),
            service.desired,
            primary.running
        )
    })
}

/// What to say of a deployment that does not get on.
///
/// A circuit breaker counts only tasks that fail, deployment alarms only what happens when tasks run, and neither ends a
/// deployment that shifts traffic and whose tasks never start. So time decides, whatever else is set.
pub fn stuck(case: &Case<'_>, now: &Zoned) -> Option<String> {
    let Motion::Forward(Some(began)) = motion(case) else { return None };
    let service = case.service;
    let ends_itself = case.shifts() || service.safety.gives_up;
    let allowed = if ends_itself { HANGS_AFTER + service.bakes } else { PATIENCE };
    // A pause may have lasted for days; what counts is how long the stage lasts since then.
    let moved = case.shift().and_then(|it| it.moved).unwrap_or(began).max(began);
    if now.timestamp().duration_since(moved) < allowed {
        return None;
    }
    let failed = match service.primary().map_or(0, |it| it.failed_tasks) {
        0 => "none of its tasks has failed (failedTasks 0)",
        1..=9 => "some of its tasks have failed (failedTasks 1 or more)",
        _ => "its tasks fail again and again (failedTasks 10 or more)",
    };
    let event = service.newest_event.as_deref().map_or(String::new(), |it| format!(". ECS says: {}", timeless(it)));
    let help = match (case.by_code_deploy(), case.shifts(), service.safety.gives_up) {
        (true, ..) => "Look at the deployment in CodeDeploy and at the events of the service, or roll it back",
        (_, true, _) | (_, _, true) => {
            "Look at why its tasks do not get ready, push an image that does, or roll it back"
        }
        _ => {
            "Nothing makes ECS give up: set deploymentCircuitBreaker {enable=true, rollback=true} on the service (ECS then \
             goes back by itself), or roll it back"
        }
    };
    let stage = case.shift().filter(|it| !it.stage.is_empty()).map(|it| format!(" at the stage {}", it.stage));
    Some(format!(
        "the deployment of {} does not get ready{}; it began at {}, and {failed}{event}. {help}",
        case.running_label(),
        stage.unwrap_or_default(),
        when(began, now)
    ))
}

/// A message of ECS without what changes from one to the next of its kind, such as the ids of tasks: a problem is told
/// again when its words change.
fn timeless(event: &str) -> String {
    let changes = |it: &str| it.bytes().filter(u8::is_ascii_digit).count() >= 4;
    let words = event.trim_end_matches('.').split(' ').map(|it| if changes(it) { "…" } else { it });
    words.collect::<Vec<_>>().join(" ")
}
