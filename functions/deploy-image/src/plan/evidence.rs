//! The signs that an image that was deployed to a service did not stay. What they amount to, `verdict.rs` says.

use jiff::{SignedDuration, Timestamp};
use rules::{Digest, keys};

use super::case::{Case, Memory};
use super::world::{Deployment, Rollout, RolloutEnd, RolloutState, TaskDefinition, short_name};

/// Longer than a run of this function lasts.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// An image that was deployed to a service and did not stay.
#[derive(Debug, Clone, PartialEq)]
pub struct Lost {
    pub digest: Digest,
    /// When it was pushed, or a moment before which it must have been.
    pub pushed_at: Timestamp,
    /// Who took it back, as the memory calls them.
    pub by: &'static str,
    pub why: String,
}

pub struct Evidence {
    pub lost: Lost,
    /// When what happened had begun.
    pub since: Option<Timestamp>,
    /// It was stopped before it was live.
    pub stopped: bool,
}

/// All signs, whether they still count or not.
pub fn signs(case: &Case<'_>, memory: &Memory) -> Vec<Evidence> {
    let mut signs = in_deployments(case, memory);
    signs.extend(in_history(case, memory));
    signs.extend(in_registry(case));
    signs.extend(in_memory(case, memory));
    signs
}

/// Deployments that ECS has given up and still shows.
fn in_deployments(case: &Case<'_>, memory: &Memory) -> Vec<Evidence> {
    let way_back = |it: &Deployment| {
        let at = case.history().iter().position(|past| past.task_definition == it.task_definition);
        at.is_some_and(|at| is_way_back(case, at))
    };
    let expired = |it: &Deployment| {
        case.history().iter().find(|past| past.task_definition == it.task_definition).is_some_and(|past| past.expired)
    };
    let counts = |it: &&Deployment| {
        let of_others = is_of_others(case, &it.task_definition, it.began);
        !of_others && !expired(it) && !is_restart(case, memory, &it.task_definition, it.began) && !way_back(it)
    };
    let failed = failed_deployments(case).filter(counts);
    let why = |reason: &str| format!("ECS gave its deployment up: {}", said(reason));
    failed.filter_map(|it| sign(case, &it.task_definition, it.began, "ecs", why(&it.reason))).collect()
}

/// Past deployments that were taken back, by ECS or by a person.
fn in_history(case: &Case<'_>, memory: &Memory) -> Vec<Evidence> {
    let mut seen: Vec<&str> = Vec::new();
    let mut signs = Vec::new();
    for (at, it) in case.history().iter().enumerate() {
        // Only the last time that a revision was tried counts.
        if seen.contains(&it.task_definition.as_str()) {
            continue;
        }
        seen.push(&it.task_definition);
        let replaced = it.task_definition != case.revision.arn();
        let latest = case.history().first().is_some_and(|newest| newest == it);
        let rolled_back = || replaced && went_back(case, case.described(&it.task_definition), it.began);
        let (by, why) = match it.end {
            RolloutEnd::TakenBack | RolloutEnd::GoingBack
                if it.expired
                    || is_of_others(case, &it.task_definition, it.began)
                    || is_restart(case, memory, &it.task_definition, it.began)
                    || is_way_back(case, at) =>
            {
                continue;
            }
            RolloutEnd::TakenBack if case.by_code_deploy() => {
                ("codedeploy", format!("its deployment by CodeDeploy failed: {}", said(&it.reason)))
            }
            RolloutEnd::TakenBack | RolloutEnd::GoingBack => {
                ("ecs", format!("ECS took its deployment back: {}", said(&it.reason)))
            }
            RolloutEnd::Successful if rolled_back() => {
                ("hand", "it was live, and a person rolled the service back".into())
            }
            // CodeDeploy lets nothing supersede a deployment, so one that was stopped was stopped by a person or an alarm.
            RolloutEnd::Stopped if case.by_code_deploy() && replaced => {
                ("hand", format!("its deployment by CodeDeploy was stopped: {}", said(&it.reason)))
            }
            // Nothing was deployed after it, and yet something else is in use: it was stopped, and ECS went back.
            RolloutEnd::Stopped if rolled_back() || replaced && latest => {
                ("hand", "a person rolled the service back while it was being deployed".into())
            }
            RolloutEnd::Successful
            | RolloutEnd::Stopped
            | RolloutEnd::NotItsFault
            | RolloutEnd::Open
            | RolloutEnd::Unknown => continue,
        };
        let stopped = it.end == RolloutEnd::Stopped;
        signs.extend(sign(case, &it.task_definition, it.began, by, why).map(|it| Evidence { stopped, ..it }));
    }
    signs
}

/// A deployment that was meant to deploy again the image that was live before it, and failed.
///
/// Tasks that had run do not start any more: something around them has changed, and an older image would hardly help.
pub struct FailedRestart {
    pub began: Option<Timestamp>,
    pub why: String,
}

/// The last deployment of the image in use, if it was a restart and failed.
pub fn failed_restart(case: &Case<'_>, memory: &Memory) -> Option<FailedRestart> {
    let running = case.running().digest;
    let of_running = |arn: &str| running.is_some() && digest_of(case, arn) == running;
    let latest = case.history().iter().find(|it| of_running(&it.task_definition));
    let in_history = latest.filter(|it| matches!(it.end, RolloutEnd::TakenBack | RolloutEnd::GoingBack));
    // The history may be slower to tell than the service; and what ECS gives up without going back ends as stopped.
    let untold = latest.is_none_or(|it| matches!(it.end, RolloutEnd::Open | RolloutEnd::Stopped));
    let in_deployments = failed_deployments(case).find(|it| untold && of_running(&it.task_definition));
    let (arn, began, reason) = in_history
        .map(|it| (&it.task_definition, it.began, &it.reason))
        .or(in_deployments.map(|it| (&it.task_definition, it.began, &it.reason)))?;
    let restarts = !is_of_others(case, arn, began) && is_restart(case, memory, arn, began);
    restarts.then(|| FailedRestart { began, why: said(reason).into() })
}

/// Whether a deployment that began then only changed the images of the service's other tags: how it ends says nothing
/// about this one.
pub fn is_of_others(case: &Case<'_>, arn: &str, began: Option<Timestamp>) -> bool {
    if case.others.is_empty() {
        return false;
    }
    let described = |arn: &str| if arn == case.revision.arn() { Some(case.revision) } else { case.described(arn) };
    let Some(revision) = described(arn) else { return false };
    let completed = case.history().iter().find(|it| it.end == RolloutEnd::Successful && it.began < began);
    let by_tag = || {
        let (registry, _) = arn.rsplit_once('/')?;
        described(&format!("{registry}/{}", revision.tags.get(keys::PREVIOUS)?))
    };
    let before = completed.and_then(|it| described(&it.task_definition)).or_else(by_tag);
    let same = |before: &TaskDefinition| case.image_of(before) == case.image_of(revision);
    before.is_some_and(|it| same(it) && !case.has_same_others(it, revision))
}

/// Whether a deployment that began then was meant to deploy what was live, and still is in use.
fn is_restart(case: &Case<'_>, memory: &Memory, arn: &str, began: Option<Timestamp>) -> bool {
    let Some(digest) = digest_of(case, arn).filter(|it| case.running().digest.as_ref() == Some(it)) else {
        return false;
    };
    let completed = case.history().iter().find(|it| it.end == RolloutEnd::Successful && it.began < began);
    match completed {
        Some(before) => digest_of(case, &before.task_definition) == Some(digest),
        // ECS tells of the last ninety days only; the service remembers what was live before that.
        None => {
            memory.verdict.as_ref().is_some_and(|it| it.digest == digest && began.is_some_and(|began| it.at <= began))
        }
    }
}

/// A deployment that was meant to restore what was live before, and failed.
pub struct FailedWayBack {
    /// What it was meant to deploy, for people.
    pub to: String,
    pub began: Option<Timestamp>,
    pub why: String,
}

/// The last way back from `image`, or to it, if it failed.
pub fn failed_way_back(case: &Case<'_>, image: &Digest) -> Option<FailedWayBack> {
    let history = case.history();
    let about = |at: &usize| {
        let of = |at: usize| history.get(at).and_then(|it| digest_of(case, &it.task_definition));
        of(*at).as_ref() == Some(image) || of(*at + 1).as_ref() == Some(image)
    };
    let at = (0..history.len()).find(|at| is_way_back(case, *at) && about(at))?;
    let it = &history[at];
    let given_up = failed_deployments(case).any(|failed| failed.task_definition == it.task_definition);
    let failed = match it.end {
        RolloutEnd::TakenBack | RolloutEnd::GoingBack => true,
        RolloutEnd::Stopped | RolloutEnd::Open => at == 0 && given_up,
        _ => false,
    };
    let to = case.described(&it.task_definition).and_then(|it| case.digest_of_ours(it)).map(|it| case.label(&it));
    let to = to.unwrap_or_else(|| short_name(&it.task_definition).into());
    failed.then(|| FailedWayBack { to, began: it.began, why: said(&it.reason).into() })
}

/// Whether an entry of the history was meant to restore an earlier revision, which had been live, in place of a later one.
pub fn is_way_back(case: &Case<'_>, at: usize) -> bool {
    let history = case.history();
    let number = |arn: &str| arn.rsplit_once(':').and_then(|(_, number)| number.parse::<u64>().ok());
    let (Some(it), Some(replaced)) = (history.get(at), history.get(at + 1)) else { return false };
    let was_live = |past: &&Rollout| past.task_definition == it.task_definition && past.end == RolloutEnd::Successful;
    number(&it.task_definition) < number(&replaced.task_definition) && history[at + 1..].iter().any(|it| was_live(&it))
}

fn failed_deployments<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a Deployment> + use<'a> {
    case.service.deployments.iter().filter(|it| it.state == RolloutState::Failed)
}

/// The digest that a revision of ours pins, by its ARN.
fn digest_of(case: &Case<'_>, arn: &str) -> Option<Digest> {
    let revision = if arn == case.revision.arn() { case.revision } else { case.described(arn)? };
    case.digest_of_ours(revision)
}

/// The image that is rolling out is no longer in the registry, so no task of it can start.
fn in_registry(case: &Case<'_>) -> Option<Evidence> {
    let rolling_out = case.service.primary().filter(|it| it.state == RolloutState::InProgress)?;
    let gone = case.pushed_at(&case.digest_of_ours(case.revision)?).is_none();
    let why = format!("the image was deleted from {} while it was rolling out", case.repository);
    gone.then(|| sign(case, case.revision.arn(), rolling_out.began, "registry", why))?
}

/// The image that was last found live is no longer the one that runs.
///
/// A newer one of ours that is rolling out does not count against it: `verdict.rs` tells that by its age.
fn in_memory(case: &Case<'_>, memory: &Memory) -> Option<Evidence> {
    let verdict = memory.verdict.as_ref().filter(|it| case.running().digest.as_ref() != Some(&it.digest))?;
    let pushed_at = case.pushed_at(&verdict.digest)?;
    let why = "it was live, and a person rolled the service back".into();
    let lost = Lost { digest: verdict.digest.clone(), pushed_at, by: "hand", why };
    went_back(case, None, Some(verdict.at)).then_some(Evidence { lost, since: Some(verdict.at), stopped: false })
}

/// The sign that the image of a revision of ours did not stay.
fn sign(case: &Case<'_>, arn: &str, since: Option<Timestamp>, by: &'static str, why: String) -> Option<Evidence> {
    let revision = case.described(arn)?;
    let digest = case.digest_of_ours(revision)?;
    // Another revision with the image that runs: what became of that one says nothing any more.
    if arn != case.revision.arn() && case.running().digest.as_ref() == Some(&digest) {
        return None;
    }
    let pushed_at = case.pushed_at(&digest).or(revision.registered_at())?;
    Some(Evidence { lost: Lost { digest, pushed_at, by, why }, since, stopped: false })
}

/// Whether a person rolled the service back from `lost`, which began then, to what is in use.
///
/// Only a revision that this function registered earlier counts. Another one, of Terraform, CDK or a person, changes the
/// configuration and says nothing against an image, even where it names the image of before.
///
/// Nor does it say anything if two runs of this function overlapped and the one that had seen less came last: the next run
/// deploys the newer image again. Such a run has registered its revision just before.
fn went_back(case: &Case<'_>, lost: Option<&TaskDefinition>, began: Option<Timestamp>) -> bool {
    let in_use = case.revision;
    if case.digest_of_ours(in_use).is_none() {
        return false;
    }
    // ECS may show a service for a while as it was before its last deployment, of which the history tells already: what
    // is in use then was deployed before what seems lost. CodeDeploy goes back to tasks that are older indeed.
    let deployed = case.service.primary().and_then(|it| it.began);
    if !case.by_code_deploy() && deployed.zip(began).is_some_and(|(deployed, began)| deployed < began) {
        return false;
    }
    let one_back = lost.and_then(|it| it.tags.get(keys::PREVIOUS)).is_some_and(|it| *it == in_use.short_name());
    let old = match (in_use.registered_at(), began) {
        (Some(registered), Some(began)) => began.duration_since(registered) > OVERLAP,
        _ => true,
    };
    let was_live =
        |it: &Rollout| it.task_definition == in_use.arn() && it.end == RolloutEnd::Successful && it.began < began;
    one_back || old || case.history().iter().any(was_live)
}

fn said(reason: &str) -> &str {
    if reason.is_empty() { "it gave no reason" } else { reason }
}
