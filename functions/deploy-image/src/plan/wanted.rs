//! What has to be looked at before [`plan`](super::plan) can decide: no more than the decision takes.

use std::collections::{BTreeMap, BTreeSet};

use choose::Selection;
use jiff::SignedDuration;
use rules::deploy::Selector;
use rules::keys;

use super::case::Case;
use super::command::Scope;
use super::motion::{Motion, motion};
use super::part::{Part, parts};
use super::watched::Watched;
use super::world::{Controller, Image, RolloutEnd, RolloutState, Service, Strategy, World};
use super::{rollback, verdict};

/// How far back the deployments of CodeDeploy are looked at: an image that failed before that is rejected long since.
pub const LOOK_BACK: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The repositories to list the images of, as AWS is asked for them.
pub fn repositories(world: &World, scope: &Scope) -> BTreeSet<String> {
    let of_service = |it: &Service| {
        let Some(revision) = world.task_definitions.get(&it.task_definition) else { return BTreeSet::new() };
        let of_part = |Part { rule, .. }: Part| {
            let watched = Watched::find(it, rule.container.as_deref(), rule.repository.as_ref(), revision);
            Some(watched.ok()?.key(it))
        };
        parts(&it.tags).into_iter().flatten().filter_map(of_part).collect::<BTreeSet<String>>()
    };
    if let Scope::Repository(repository) = scope {
        // What is new in another repository of the same service goes out with it.
        let together = world.services.iter().map(of_service).filter(|it| it.contains(repository));
        return together.flatten().chain([repository.clone()]).collect();
    }
    world.services.iter().flat_map(of_service).collect()
}

/// Whether deciding about `service` takes its deployment history.
///
/// Only where the present does not tell what became of the last deployment: a push to a hundred healthy services asks
/// for none.
pub fn wants_history(service: &Service, world: &World, scope: &Scope) -> bool {
    Case::all(service, world).into_iter().flatten().any(|case| case_wants_history(&case, scope))
}

fn case_wants_history(case: &Case<'_>, scope: &Scope) -> bool {
    let service = case.service;
    let newer = || matches!(case.selection(&case.memory), Selection::Newer { .. });
    // A revision of ours that is not in use: either it was taken back, or a run died before using it.
    let unused = || {
        case.unused_revision().is_some_and(|it| {
            case.digest_of_ours(it)
                .is_some_and(|digest| case.pushed_at(&digest).is_some() && !case.memory.rejects(&digest))
        })
    };
    let trouble = || {
        // Of a deployment that shifts traffic the service itself does not say whether it is under way.
        if service.pauses && (case.shifts() || matches!(motion(case), Motion::Forward(_))) {
            return true;
        }
        let rejected = || case.running().digest.is_some_and(|it| case.memory.rejects(&it));
        // What people were told of the past stands until the past says otherwise.
        let told = service.tags.get(keys::PROBLEM).is_some_and(|it| it.contains(verdict::RESTART_FAILED));
        let failed = service.deployments.iter().any(|it| it.state == RolloutState::Failed);
        failed
            || told
            || matches!(motion(case), Motion::Fallen(_) | Motion::Back)
            || case.memory.rollback.is_some()
            || case.rule.health.is_some() && verdict::won(case, &case.memory).is_some()
            || rejected()
    };
    // A deployment of CodeDeploy may be under way before any task set tells of it.
    let unsettled = || service.task_sets.len() > 1;
    // What has to be promoted is known only later, and may be an image that was tried before.
    let promotes = || matches!(case.rule.selector, Selector::Promote { .. });
    match scope {
        Scope::Service(_) | Scope::Followers(_) | Scope::DeploymentGroup { .. } => true,
        _ if trouble() || promotes() => true,
        _ if case.shifts() => {
            newer() || unsettled() || case.repair().is_some() || verdict::won(case, &case.memory).is_some()
        }
        // A newer image that no push announced to us may be one that was tried before.
        Scope::Everywhere | Scope::Migration(_) | Scope::Snapshot(_) => newer() || unused(),
        _ => unused(),
    }
}

/// How many past deployments of a service are looked at closely.
const LOOKED_AT: usize = 6;

/// The deployments that have to be read closely, by the ARNs of their services: those that shift traffic or pause, the
/// newest if it is under way, and what was taken back. Only that tells whether nobody answered at a pause, which says
/// nothing against the image, however much was deployed since.
pub fn wanted_shifts(world: &World) -> BTreeMap<String, Vec<String>> {
    let of_service = |it: &Service| {
        let history = world.history.get(&it.arn)?.as_ref().ok()?;
        let wanted = history.iter().enumerate().filter(|(at, past)| match past.end {
            RolloutEnd::TakenBack => *at == 0 || it.pauses,
            RolloutEnd::Open | RolloutEnd::GoingBack => *at == 0,
            _ => false,
        });
        let wanted: Vec<String> = wanted.filter_map(|(_, it)| it.arn.clone()).take(LOOKED_AT).collect();
        let asked = it.controller == Controller::Ecs && (it.pauses || matches!(it.strategy, Strategy::Shifting(_)));
        (asked && !wanted.is_empty()).then(|| (it.arn.clone(), wanted))
    };
    world.services.iter().filter_map(of_service).collect()
}

/// Whether deciding about `service` takes the digest that ECS pinned, since its task definition names a tag.
///
/// What was pushed after its deployment began is newer than whatever that is; but where images are rejected, what runs
/// may be one of them, and an approval holds only as long as what ran then still runs.
pub fn wants_pinned(service: &Service, world: &World, scope: &Scope) -> bool {
    Case::all(service, world).into_iter().flatten().any(|case| case_wants_pinned(&case, scope))
}

fn case_wants_pinned(case: &Case<'_>, scope: &Scope) -> bool {
    let service = case.service;
    let running = case.running();
    let is_newer = |image: &Image| image.pushed_at > running.no_later_than;
    let clear = matches!(case.selection(&case.memory), Selection::Newer { image, .. } if is_newer(image));
    let by_tag = case.image.digest.is_none() && case.elsewhere.is_none() && !service.revisions.is_empty();
    let judged = case.memory.rejected.is_some() || case.memory.approved.is_some();
    by_tag && (matches!(scope, Scope::Service(_) | Scope::Followers(_)) || !clear || judged)
}

/// The ARNs of revisions that deciding about `service` takes and that `world` does not hold.
pub fn wanted_revisions(service: &Service, world: &World) -> Vec<String> {
    let mut wanted: Vec<String> =
        Case::all(service, world).iter().flatten().flat_map(|it| revisions(it, world)).collect();
    wanted.sort();
    wanted.dedup();
    wanted
}

fn revisions(case: &Case<'_>, world: &World) -> Vec<String> {
    let service = case.service;
    let mut wanted: Vec<String> = Vec::new();
    if world.history.contains_key(&service.arn) {
        wanted.extend(case.history().iter().map(|it| it.task_definition.clone()));
        wanted.dedup();
        wanted.truncate(LOOKED_AT);
        wanted.extend(rollback::candidates(case).into_iter().take(LOOKED_AT));
    }
    wanted.extend(case.unknown_revisions());
    wanted.retain(|it| case.described(it).is_none());
    wanted
}
