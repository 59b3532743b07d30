//! What to do about each service. Pure: no clock, no environment, no AWS.
//!
//! [`plan`] looks at every service on its own and hands it to [`next_step`], which finds the one thing to do next:
//! the same whatever event led here, and nothing once it is done.

mod app_spec;
mod ask;
mod case;
mod code_deploy;
mod evidence;
mod gate;
mod rollback;
mod select;
mod step;
mod task_definition;
mod verdict;
mod wanted;
mod way;
mod world;

#[cfg(test)]
mod tests;

use jiff::{Timestamp, Zoned};
use reconcile::Plan;
use rules::memory::{Rejected, Verdict};
use rules::{Digest, keys};

pub use app_spec::{AppSpec, task_definition_in};
pub use ask::Ask;
pub use code_deploy::{Attempt, CodeDeploy, Group, Source, Status, group_of};
pub use gate::{Backup, Ended, Fact, Finding, Grade, Health, STARTED_BY, Scan, ScanState, Seen, Task, run_name};
pub use select::Image;
pub use step::{
    AskForSnapshot, CreateDeployment, Deploy, Memory as MemoryStep, Migrate, Revision, RollBack, Step, Stop, Way, What,
};
pub use task_definition::{DELETED_ONLY, ImageName, OUTPUT_ONLY, TaskDefinition, family, short_name};
pub use wanted::{LOOK_BACK, repositories, wanted_facts, wanted_revisions, wants_history};
pub use world::*;

use case::{Case, Leave, Memory};
use gate::{Candidate, Shut};
use select::{Selection, select};
use verdict::{Lost, Motion, PATIENCE};
use way::{asleep, deployer, under_way};

/// What to do about the services of `world`, as far as `ask` and their tags say.
pub fn plan(world: &World, ask: Option<&Ask>, now: &Zoned) -> Plan<Step> {
    let mut plan = Plan::new();
    for unseen in &world.unseen {
        match &unseen.why {
            Why::Gone if ask.is_some() => plan.problem(&unseen.resource, "no-such-service", "there is no such service"),
            Why::Gone => plan.skip(&unseen.resource, "it no longer exists"),
            Why::Refused(error) => plan.problem(&unseen.resource, "unreadable", error),
        }
    }
    for service in &world.services {
        let examined = |plan: &mut Plan<Step>| {
            plan.examined(&service.arn, service.tags.get(keys::PROBLEM).map(String::as_str));
        };
        match Case::read(service, world) {
            Ok(case) => {
                examined(&mut plan);
                next_step(&case, ask, now, &mut plan);
            }
            Err(Leave::Problem(kind, message)) => {
                examined(&mut plan);
                plan.problem(&service.arn, kind, message);
            }
            Err(Leave::Skip(reason)) if ask.is_some() => plan.problem(&service.arn, "not-ours", reason),
            Err(Leave::Skip(reason) | Leave::Elsewhere(reason)) => plan.skip(&service.arn, reason),
        }
    }
    plan
}

/// The next thing to do about one service.
///
/// In this order: what a person asks, what became of the last deployment, a way back if the running image is rejected,
/// patience while ECS is at work, and only then a newer image.
fn next_step(case: &Case<'_>, ask: Option<&Ask>, now: &Zoned, plan: &mut Plan<Step>) {
    let arn = &case.service.arn;
    let mut memory = case.memory.clone();
    let go_back = match ask::heed(case, ask, &mut memory, now, plan) {
        Ok(go_back) => go_back,
        Err((kind, message)) => return plan.problem(arn, kind, message),
    };
    if let Some(error) = case.code_deploy_error() {
        return plan.problem(arn, "code-deploy", error);
    }
    // A person who wants to go back is not to be stopped by a past that cannot be read: the revisions remember it too.
    if let Some(error) = case.history_error().filter(|_| !go_back) {
        return plan.problem(arn, "unreadable-history", error);
    }
    if let Some(lost) = verdict::lost(case, &memory) {
        let Lost { digest, pushed_at, by, why } = lost;
        let label = case.label(&digest);
        reject(case, &mut memory, digest, pushed_at, by, format!("{label} did not stay: {why}"), plan);
    }
    let running = case.running();
    let rejected = memory.rejected.as_ref().is_some_and(|it| running.digest.as_ref() == Some(&it.digest));
    // What a person deployed by hand is theirs to mend.
    let ours = case.digest_of_ours(case.revision).is_some();
    // Nor does an older image help where the one that was live fails only now.
    let restart_failed = verdict::restart_failed(case, &memory, now);
    let fallen = ours && restart_failed.is_none() && matches!(verdict::motion(case), Motion::Fallen(_));
    if let Some(message) = restart_failed.filter(|_| !rejected && !go_back) {
        plan.problem(arn, verdict::RESTART_FAILED, message);
    }
    if rejected || go_back || fallen {
        roll_back(case, &memory, go_back, now, plan);
    } else {
        go_on(case, &memory, now, plan);
    }
    if case.memory.wish.is_some() && !(go_back && way::held(case).is_some()) {
        remember(case, What::DropWish, keys::ROLLBACK, None, "", "it is settled".into(), plan);
    }
}

/// Rejects an image, in the plan and in what the rest of the decision knows.
fn reject(
    case: &Case<'_>,
    memory: &mut Memory,
    digest: Digest,
    pushed_at: Timestamp,
    by: &str,
    why: String,
    plan: &mut Plan<Step>,
) {
    if memory.rejects(&digest, pushed_at) {
        return;
    }
    let label = case.label(&digest);
    let tag = (label != digest.short()).then(|| label.clone());
    let rejected = Rejected { digest, pushed_at, tag, by: Some(by.into()) };
    remember(case, What::Reject, keys::REJECTED, Some(rejected.to_string()), &label, why, plan);
    memory.rejected = Some(rejected);
}

fn remember(
    case: &Case<'_>,
    what: What,
    key: &'static str,
    value: Option<String>,
    image: &str,
    why: String,
    plan: &mut Plan<Step>,
) {
    let service = case.service;
    let step = MemoryStep {
        service: service.name.clone(),
        arn: service.arn.clone(),
        what,
        image: image.into(),
        running: case.running_label(),
        key,
        before: service.tags.get(key).cloned(),
        value,
    };
    plan.act(&service.arn, Step::Remember(step), why);
}

/// The running image is not to stay: on to a newer one if there is one, else back to the last one that was fine.
fn roll_back(case: &Case<'_>, memory: &Memory, asked: bool, now: &Zoned, plan: &mut Plan<Step>) {
    let service = case.service;
    let label = case.running_label();
    if let Some(reason) = way::held(case) {
        let kept = memory.rejected.as_ref().map(|it| &it.digest) == case.running().digest.as_ref();
        return match asked && !kept && case.memory.wish.is_none() {
            true => plan.problem(
                &service.arn,
                "not-now",
                format!("{label} is not to stay, but {reason}; send it again then"),
            ),
            false => plan.skip(&service.arn, format!("{label} is not to stay; {reason}")),
        };
    }
    let motion = verdict::motion(case);
    if case.by_code_deploy() && matches!(motion, Motion::Forward(_)) {
        return way::stop(case, asked, plan);
    }
    if let Some(reason) = patience(case, &motion, now).filter(|_| !asked) {
        return plan.skip(&service.arn, reason);
    }
    if !asked
        && let Selection::Newer { image, tag } = chosen(case, memory)
        && gate::pass(Candidate { case, memory, image, tag: &tag, now }).is_ok()
    {
        return deploy(case, memory, image, &tag, &motion, now, plan);
    }
    match rollback::target(case, memory) {
        Ok((revision, to)) => {
            let way = match way::way(case) {
                Ok(way) => way,
                Err(problem) => return plan.problem(&service.arn, "code-deploy", problem),
            };
            let step = RollBack {
                service: service.name.clone(),
                from: label.clone(),
                from_revision: case.revision.arn().into(),
                to,
                to_revision: revision.arn().into(),
                way,
            };
            let why = if asked { "somebody asked for it".into() } else { format!("{label} is rejected or failed") };
            plan.act(&service.arn, Step::RollBack(step), format!("{why}; {} completed before it", revision.short_name()));
        }
        Err(why) => plan.problem(
            &service.arn,
            "no-way-back",
            format!("{label} is not to stay, but there is nothing to go back to: {why}; push a newer image, or deploy one by hand"),
        ),
    }
}

/// Why a service that is not to stay as it is, is left alone for now: it goes back by itself, or its traffic is shifting.
fn patience(case: &Case<'_>, motion: &Motion, now: &Zoned) -> Option<String> {
    let label = case.running_label();
    let young = |since: &Option<Timestamp>| since.is_some_and(|it| now.timestamp().duration_since(it) < PATIENCE);
    match motion {
        Motion::Back => Some(format!("ECS is taking {label} back")),
        Motion::Fallen(since) if case.service.safety.goes_back && young(since) => {
            Some(format!("{label} failed, and {} goes back by itself", deployer(case)))
        }
        Motion::Forward(_) if case.shifts() => {
            Some("a deployment that shifts traffic is under way; it must end first".into())
        }
        _ => None,
    }
}

/// Nothing is wrong with the running image: is it live, and is there a newer one?
fn go_on(case: &Case<'_>, memory: &Memory, now: &Zoned, plan: &mut Plan<Step>) {
    let arn = &case.service.arn;
    if let Some(digest) = verdict::won(case, memory) {
        match gate::is_well(case) {
            Ok(()) => win(case, digest, now, plan),
            Err(Shut::Reject { by, why }) => {
                let pushed_at = case.pushed_at(&digest).unwrap_or(case.running().no_later_than);
                let mut memory = memory.clone();
                reject(case, &mut memory, digest, pushed_at, by, why, plan);
                return roll_back(case, &memory, false, now, plan);
            }
            Err(shut) => hold(case, shut, plan),
        }
    }
    if let Some(stuck) = verdict::stuck(case, now) {
        plan.problem(arn, "stuck", stuck);
    }
    if let Some(waits) = way::waits(case) {
        plan.problem(arn, "waits-for-traffic", waits);
    }
    bring_chosen(case, memory, now, plan);
}

/// The running image is live.
fn win(case: &Case<'_>, digest: Digest, now: &Zoned, plan: &mut Plan<Step>) {
    let label = case.running_label();
    let verdict = Verdict { digest, at: now.timestamp() };
    let why = format!("its deployment completed with {} of {} tasks", case.service.running, case.service.desired);
    remember(case, What::Win, keys::VERDICT, Some(verdict.to_string()), &label, why, plan);
}

/// Says why an image stands still, does what lets it go on, or rejects it and looks for another one.
fn stand_still(candidate: Candidate<'_>, shut: Shut, plan: &mut Plan<Step>) {
    let Candidate { case, memory, image, now, .. } = candidate;
    let Shut::Reject { by, why } = shut else { return hold(case, shut, plan) };
    let mut memory = memory.clone();
    reject(case, &mut memory, image.digest.clone(), image.pushed_at, by, why, plan);
    bring_chosen(case, &memory, now, plan);
}

/// Says why an image stands still, or does what lets it go on.
fn hold(case: &Case<'_>, shut: Shut, plan: &mut Plan<Step>) {
    let arn = &case.service.arn;
    match shut {
        Shut::Wait(reason) => plan.skip(arn, reason),
        Shut::Hold(kind, message) => plan.problem(arn, kind, message),
        Shut::Do(acts) => acts.into_iter().for_each(|(step, why)| plan.act(arn, step, why)),
        Shut::Noted(noted) => {
            let ((step, why), shut) = *noted;
            plan.act(arn, step, why);
            hold(case, shut, plan);
        }
        Shut::Reject { why, .. } => plan.problem(arn, "rejected", why),
    }
}

/// Brings what the rule selects, or says why not.
fn bring_chosen(case: &Case<'_>, memory: &Memory, now: &Zoned, plan: &mut Plan<Step>) {
    let arn = &case.service.arn;
    let motion = verdict::motion(case);
    let repository = &case.image.repository;
    let rule = case.rule.selector.to_string();
    match chosen(case, memory) {
        Selection::Newer { image, tag } => {
            let waits = match motion {
                Motion::Back => format!("{} is taking a deployment back", deployer(case)),
                Motion::Forward(_) if case.shifts() => format!("{} is under way", under_way(case)),
                _ => return deploy(case, memory, image, &tag, &motion, now, plan),
            };
            let candidate = Candidate { case, memory, image, tag: &tag, now };
            let shut = Shut::Wait(format!("{tag} is newer, but {waits}; after that"));
            stand_still(candidate, gate::held(candidate, shut), plan);
        }
        Selection::Current { tag } => match repair(case).filter(|_| !case.shifts() || motion == Motion::Still) {
            Some(image) => deploy(case, memory, image, &tag, &motion, now, plan),
            None => plan.skip(arn, current(case, &tag, &motion)),
        },
        Selection::Older { tag } => plan.skip(
            arn,
            format!(
                "{tag}, which '{rule}' selects in {repository}, is older than {}, which runs",
                case.running_label()
            ),
        ),
        Selection::Rejected => {
            let rejected = memory.rejected.as_ref();
            let name =
                rejected.map_or_else(String::new, |it| it.tag.clone().unwrap_or_else(|| it.digest.short().to_string()));
            plan.skip(
                arn,
                format!("{name} is rejected and so is everything pushed before it; {} stays", case.running_label()),
            )
        }
        Selection::NoMatch { seen } => plan.problem(
            arn,
            "no-image",
            match seen.is_empty() {
                true => format!("the repository {repository} holds no tagged image"),
                false => format!("'{rule}' selects no image of {repository}, which has the tags {}", seen.join(", ")),
            },
        ),
        Selection::CannotTell { tag } => plan.problem(
            arn,
            "unknown-age",
            format!(
                "'{rule}' selects {tag}, but the image that runs ({}) is no longer in {repository}, \
                 so it cannot be told which is newer; push a new image, or deploy {tag} by hand once",
                case.running_label()
            ),
        ),
    }
}

/// What the rule selects, seen from the image that runs.
fn chosen<'a>(case: &Case<'a>, memory: &Memory) -> Selection<'a> {
    select(&case.rule.selector, case.images, &case.running(), memory.rejected.as_ref())
}

/// The image in use, if some of several containers are not set to it yet.
fn repair<'a>(case: &Case<'a>) -> Option<&'a Image> {
    let digest = case.image.digest.as_ref()?;
    let image = case.images.iter().find(|it| it.digest == *digest && !it.archived)?;
    (!case.is_set_to(case.revision, &case.image.pinned(digest))).then_some(image)
}

fn current(case: &Case<'_>, tag: &str, motion: &Motion) -> String {
    let chosen = format!("the one that '{}' selects in {}", case.rule.selector, case.image.repository);
    let asleep = if case.service.tags.contains_key(keys::ASLEEP) { "it is asleep and " } else { "" };
    match motion {
        Motion::Still => format!("{asleep}runs {tag}, {chosen}"),
        Motion::Forward(_) if case.by_code_deploy() => format!("{tag}, {chosen}, is rolling out: {}", under_way(case)),
        Motion::Forward(_) => format!("{tag}, {chosen}, is rolling out"),
        Motion::Back => format!("{} is going back to {tag}, {chosen}", deployer(case)),
        Motion::Fallen(_) => format!("{tag}, {chosen}, failed"),
    }
}

fn deploy(
    case: &Case<'_>,
    memory: &Memory,
    image: &Image,
    tag: &str,
    motion: &Motion,
    now: &Zoned,
    plan: &mut Plan<Step>,
) {
    let service = case.service;
    let candidate = Candidate { case, memory, image, tag, now };
    if let Some(reason) = asleep(case) {
        let shut = Shut::Wait(format!("{tag} is newer; {reason}"));
        return stand_still(candidate, gate::held(candidate, shut), plan);
    }
    let way = match way::way(case) {
        Ok(way) => way,
        Err(problem) => return plan.problem(&service.arn, "code-deploy", problem),
    };
    match gate::pass(candidate) {
        Ok(note) => note.into_iter().for_each(|(step, why)| plan.act(&service.arn, step, why)),
        Err(shut) => return stand_still(candidate, shut, plan),
    }
    let pinned = case.image.pinned(&image.digest);
    let previous = previous(case);
    let next = case.revision.next(&case.containers, &pinned, &[(keys::IMAGE, tag), (keys::PREVIOUS, &previous)]);
    // A run that died between registering and using the revision left it behind: use it instead of a second one.
    let left_over = case.newer_revision().filter(|it| it.next(&[], "", &[]) == next).map(|it| it.arn().to_owned());
    let from = case.running_label();
    let over = match motion {
        Motion::Forward(_) => format!("; {from}, which is still rolling out, is superseded"),
        _ if service.tags.contains_key(keys::ASLEEP) => "; the service is asleep and stays so".into(),
        _ => String::new(),
    };
    let why = format!("{tag} is the image that '{}' selects in {}{over}", case.rule.selector, case.image.repository);
    let step = Deploy {
        service: service.name.clone(),
        from,
        from_revision: case.revision.arn().into(),
        to: tag.into(),
        digest: image.digest.clone(),
        revision: left_over.map_or(Revision::Register(next), Revision::Registered),
        way,
    };
    plan.act(&service.arn, Step::Deploy(step), why);
}

/// The last revision that was live: the one in use, or where that was never proven, the one before it.
fn previous(case: &Case<'_>) -> String {
    let before = case.revision.tags.get(keys::PREVIOUS).filter(|_| !case.proven());
    before.cloned().unwrap_or_else(|| case.revision.short_name())
}
