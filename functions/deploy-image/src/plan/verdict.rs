//! What became of a deployment: live, lost, still under way. Told from the deployment itself, never from "stable",
//! since a service is stable after a rollback too.

use jiff::{SignedDuration, Timestamp, Zoned};
use rules::Digest;
use rules::keys;

use super::case::{Case, Memory};
use super::select::is_newer;
use super::task_definition::TaskDefinition;
use super::world::{Rollout, RolloutEnd, RolloutState};

/// After this time a deployment that nothing will ever end is told to people, and one that failed is no longer ECS's.
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(30);

/// An image that was brought to a service and did not stay.
#[derive(Debug, Clone, PartialEq)]
pub struct Lost {
    /// The image.
    pub digest: Digest,
    /// When it was pushed, or a moment before which it must have been.
    pub pushed_at: Timestamp,
    /// Who took it back, as the memory calls them.
    pub by: &'static str,
    /// What happened, in words.
    pub why: String,
}

/// How a service moves just now.
#[derive(Debug, Clone, PartialEq)]
pub enum Motion {
    /// Nothing is under way.
    Still,
    /// A deployment is under way since then.
    Forward(Option<Timestamp>),
    /// ECS is taking a deployment back.
    Back,
    /// A deployment failed and stands as it fell.
    Fallen(Option<Timestamp>),
}

/// How the service moves just now.
pub fn motion(case: &Case<'_>) -> Motion {
    let Some(primary) = case.service.primary() else { return Motion::Still };
    let latest = case.history().first().map(|it| it.end);
    match primary.state {
        _ if latest == Some(RolloutEnd::GoingBack) => Motion::Back,
        RolloutState::Failed => Motion::Fallen(primary.began),
        RolloutState::InProgress => {
            let fallen = case.service.deployments.iter().any(|it| it.state == RolloutState::Failed);
            if fallen || primary.reason.contains("rolling back") {
                Motion::Back
            } else {
                Motion::Forward(primary.began)
            }
        }
        RolloutState::Unsaid if latest == Some(RolloutEnd::Open) => Motion::Forward(primary.began),
        RolloutState::Unsaid | RolloutState::Completed => Motion::Still,
    }
}

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
    evidence(case, memory)
        .into_iter()
        .filter(|(lost, since)| {
            !memory.rejects(&lost.digest, lost.pushed_at) && !forgiven(lost, *since) && !superseded(lost)
        })
        .map(|(lost, _)| lost)
        .max_by_key(|it| it.pushed_at)
}

/// All signs that an image did not stay, each with the moment that it dates from.
fn evidence(case: &Case<'_>, memory: &Memory) -> Vec<(Lost, Option<Timestamp>)> {
    let mut evidence = Vec::new();
    let running = case.running().digest;
    let mut note = |arn: &str, since: Option<Timestamp>, by: &'static str, why: String| {
        let Some(revision) = case.described(arn) else { return };
        let Some(digest) = case.digest_of_ours(revision) else { return };
        // Another revision with the image that runs: what became of that one says nothing any more.
        if arn != case.revision.arn() && running.as_ref() == Some(&digest) {
            return;
        }
        let known = case.pushed_at(&digest).or(revision.registered_at());
        let Some(pushed_at) = known else { return };
        evidence.push((Lost { digest, pushed_at, by, why }, since));
    };

    let in_use = case.revision.arn();
    for it in case.service.deployments.iter().filter(|it| it.state == RolloutState::Failed) {
        note(&it.task_definition, it.began, "ecs", format!("ECS gave its deployment up: {}", said(&it.reason)));
    }
    let brought_back = |it: &Rollout| went_back(case, case.described(&it.task_definition), it.began);
    let mut seen: Vec<&str> = Vec::new();
    for it in case.history() {
        // Only the last time that a revision was tried counts.
        if seen.contains(&it.task_definition.as_str()) {
            continue;
        }
        seen.push(&it.task_definition);
        let since = it.began;
        match it.end {
            RolloutEnd::TakenBack | RolloutEnd::GoingBack => {
                note(&it.task_definition, since, "ecs", format!("ECS took its deployment back: {}", said(&it.reason)));
            }
            RolloutEnd::Successful if it.task_definition != in_use && brought_back(it) => {
                note(&it.task_definition, since, "hand", "it was live, and somebody brought the service back".into());
            }
            RolloutEnd::Stopped if it.task_definition != in_use && brought_back(it) => {
                note(
                    &it.task_definition,
                    since,
                    "hand",
                    "somebody brought the service back while it rolled out".into(),
                );
            }
            RolloutEnd::Successful | RolloutEnd::Stopped | RolloutEnd::Open | RolloutEnd::Unknown => {}
        }
    }
    if let Some(primary) = case.service.primary()
        && primary.state == RolloutState::InProgress
        && case.digest_of_ours(case.revision).is_some_and(|it| case.pushed_at(&it).is_none())
    {
        let repository = &case.image.repository;
        let why = format!("the image was deleted from {repository} while it was rolling out");
        note(in_use, primary.began, "registry", why);
    }
    if let Some(verdict) = &memory.verdict
        && case.running().digest.as_ref() != Some(&verdict.digest)
        && let Some(pushed_at) = case.pushed_at(&verdict.digest)
        && went_back(case, None, Some(verdict.at))
    {
        let why = "it was live, and somebody brought the service back".into();
        let lost = Lost { digest: verdict.digest.clone(), pushed_at, by: "hand", why };
        // A deployment of ours under way has not replaced the verdict yet; a newer image is told apart by its push time.
        evidence.push((lost, Some(verdict.at)));
    }
    evidence
}

/// Longer than a run of this function lasts.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// Whether somebody brought the service back from `lost`, which began then, to what is in use.
///
/// If not, two runs of this function overlapped and the one that had seen less came last. That says nothing against an
/// image, and the next run brings the newer one again. Such a run has registered its revision just before.
fn went_back(case: &Case<'_>, lost: Option<&TaskDefinition>, began: Option<Timestamp>) -> bool {
    let in_use = case.revision;
    let by_hand = case.digest_of_ours(in_use).is_none();
    let one_back = lost.and_then(|it| it.tags.get(keys::PREVIOUS)).is_some_and(|it| *it == in_use.short_name());
    let old = match (in_use.registered_at(), began) {
        (Some(registered), Some(began)) => began.duration_since(registered) > OVERLAP,
        _ => true,
    };
    let was_live =
        |it: &Rollout| it.task_definition == in_use.arn() && it.end == RolloutEnd::Successful && it.began < began;
    by_hand || one_back || old || case.history().iter().any(was_live)
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

fn said(reason: &str) -> &str {
    if reason.is_empty() { "it gave no reason" } else { reason }
}
