//! A service with several tags: each is decided about on its own, and what they lead to is one deployment.
//!
//! Which of the images that were new in a revision made it fail is not known. Each tag rejects its own, and so all of
//! them are rejected; an image that was in use before is not.

use std::collections::BTreeSet;

use jiff::Zoned;
use reconcile::{Plan, Trouble};
use rules::Digest;
use rules::keys;
use rules::memory::RollbackIntent;

use super::apply_command::find;
use super::case::{Case, Leave};
use super::command::Command;
use super::draft::{Change, Draft};
use super::evidence::is_of_others;
use super::step::{Deploy, Revision, Step};
use super::world::{Fact, Service};

/// The problems of the service as a whole, which are told once.
const OF_SERVICE: [&str; 8] = [
    "stuck",
    "waits-for-traffic",
    "newer-revision",
    "code-deploy",
    "unreadable-history",
    "unreadable-deployment",
    "paused",
    "no-pause",
];

/// What one tag leads to.
struct Decided<'a> {
    case: &'a Case<'a>,
    plan: Plan<Step>,
    change: Option<Change>,
    soon: Option<String>,
    /// The image that runs is rejected.
    must_go: bool,
    /// The rejected image, for people, that the service leaves before anything else goes out.
    leaves_first: Option<String>,
    /// A person wants its image out at once.
    at_once: bool,
}

/// Decides about a service by its tags.
pub fn decide(
    service: &Service,
    cases: &[Result<Case<'_>, Leave>],
    command: Option<&Command>,
    now: &Zoned,
    plan: &mut Plan<Step>,
    lacking: &mut BTreeSet<Fact>,
) {
    let readable: Vec<&Case<'_>> = cases.iter().flatten().collect();
    let addressed = match command.map(|it| addressed(&readable, it)).transpose() {
        Ok(addressed) => addressed,
        Err(trouble) => return plan.trouble(&service.arn, trouble),
    };
    // Another function means what was deployed last, and names the image of the first tag.
    let newest = newest_of(&readable);
    let first = readable.iter().find(|it| it.memory.rollback.is_some());
    let requested = first.and_then(|it| {
        let intent = it.memory.rollback.clone()?;
        let still_runs = intent.digest.is_none() || intent.digest == it.running().digest;
        Some(if still_runs && !it.others.is_empty() { RollbackIntent { digest: None, ..intent } } else { intent })
    });
    let newest = if requested.as_ref().is_some_and(|it| it.digest.is_some()) { 0 } else { newest };
    let mut all: Vec<Decided<'_>> = Vec::new();
    for (index, case) in readable.iter().copied().enumerate() {
        let mut own = Plan::remembering(keys::PROBLEM);
        let mut memory = case.memory.clone();
        memory.rollback = requested.clone().filter(|_| index == newest);
        let mut draft = Draft::of(case, memory, now, &mut own, lacking);
        draft.decide(command.filter(|_| addressed == Some(index)));
        let (change, soon) = (draft.change.take(), draft.soon.take());
        let must_go = case.running().digest.is_some_and(|it| draft.memory.rejects(&it));
        let at_once = draft.now_wanted.is_some();
        let leaves_first = draft.leaves_first().filter(|_| change.is_none()).map(|it| case.label(&it));
        all.push(Decided { case, plan: own, change, soon, must_go, leaves_first, at_once });
    }
    join(&mut all);
    answer_once(&mut all);
    for it in all {
        plan.steps.extend(it.plan.steps);
        plan.skipped.extend(it.plan.skipped);
        plan.measures.extend(it.plan.measures);
        for problem in it.plan.problems {
            let of_service = OF_SERVICE.contains(&problem.problem.as_str());
            let told = plan.problems.iter().any(|other| {
                other.resource == problem.resource
                    && other.problem == problem.problem
                    && (of_service || other.message == problem.message)
            });
            if !told {
                plan.problems.push(problem);
            }
        }
        if let Some(why) = it.plan.refused {
            plan.refuse(why);
        }
    }
}

/// Makes one deployment of several, or lets one wait for the others.
fn join(all: &mut [Decided<'_>]) {
    let goes_back =
        |it: &Decided<'_>| it.plan.steps.iter().any(|it| matches!(it.step, Step::RollBack(_) | Step::Stop(_)));
    if let Some(first) = all.iter().position(goes_back) {
        for (index, it) in all.iter_mut().enumerate() {
            if index != first {
                it.drop_deployment("the service goes back first");
            }
        }
        return;
    }
    let changes = all.iter().filter(|it| it.change.is_some()).count();
    let at_once = all.iter().any(|it| it.at_once);
    if let Some(left) = all.iter().find_map(|it| it.leaves_first.clone()).filter(|_| changes > 0 && !at_once) {
        return all.iter_mut().for_each(|it| it.drop_deployment(&format!("the service leaves {left} first")));
    }
    if let Some(name) = all.iter().find_map(|it| it.soon.clone()).filter(|_| changes > 0 && !at_once) {
        all.iter_mut().for_each(|it| it.drop_deployment(&format!("it goes out together with {name}, which waits")));
        return;
    }
    let kept = all.iter().find(|it| it.must_go && it.change.is_none()).map(|it| it.case.running_label());
    if let Some(name) = kept.filter(|_| changes > 0) {
        let why = format!("{name} is rejected and still runs, and would be deployed once more");
        return all.iter_mut().for_each(|it| it.drop_deployment(&why));
    }
    let waits = all.iter().find(|it| it.change.is_none()).and_then(|it| it.case.new_config());
    if let Some(base) = waits.filter(|_| changes > 0) {
        // A revision on top of the one in use would be newer than that configuration, which then would never be deployed.
        let why = format!("the configuration of {} goes out first", base.short_name());
        return all.iter_mut().for_each(|it| it.drop_deployment(&why));
    }
    if changes > 1 {
        merge(all);
    }
}

/// A pause is that of the whole deployment: it is answered once, and not at all where the service goes back.
fn answer_once(all: &mut [Decided<'_>]) {
    let back = all.iter().flat_map(|it| &it.plan.steps).any(|it| matches!(it.step, Step::Stop(_)));
    let mut hooks = BTreeSet::new();
    for it in all.iter_mut() {
        it.plan.steps.retain(|it| !matches!(&it.step, Step::Continue(it) if back || !hooks.insert(it.hook.clone())));
    }
    if back || !hooks.is_empty() {
        all.iter_mut().for_each(|it| it.plan.problems.retain(|it| it.problem != "paused"));
    }
}

impl Decided<'_> {
    fn drop_deployment(&mut self, why: &str) {
        let replaces = |it: &Step| matches!(it, Step::Deploy(_) | Step::RollBack(_) | Step::Stop(_));
        let dropped = self.plan.steps.iter().find_map(|it| match &it.step {
            Step::Deploy(it) => Some(it.to.clone()),
            it if replaces(it) => Some(self.case.running_label()),
            _ => None,
        });
        self.plan.steps.retain(|it| !replaces(&it.step));
        if let Some(name) = dropped.filter(|_| self.change.take().is_some()) {
            self.plan.skip(&self.case.service.arn, format!("{name} waits: {why}"));
        }
    }
}

/// One revision with all changes: the first deployment gets those of the others, which go.
fn merge(all: &mut [Decided<'_>]) {
    let changes: Vec<Change> = all.iter().filter_map(|it| it.change.clone()).collect();
    let images: Vec<(&[String], &str)> = changes.iter().map(|it| (&it.containers[..], it.image.as_str())).collect();
    let memory: Vec<(&str, &str)> =
        changes.iter().rev().flat_map(|it| &it.memory).map(|(key, value)| (*key, value.as_str())).collect();
    let Some(case) = all.iter().find(|it| it.change.is_some()).map(|it| it.case) else { return };
    let next = case.base().next_with(&images, &memory);
    let left_over = case.unused_revision().filter(|it| it.next(&[], "", &[]) == next).map(|it| it.arn().to_owned());
    let revision = left_over.map_or(Revision::Register(next), Revision::Registered);
    let mut others: Vec<(Deploy, String)> = Vec::new();
    let mut first = true;
    for it in all.iter_mut().filter(|it| it.change.is_some()) {
        if std::mem::take(&mut first) {
            continue;
        }
        it.plan.steps.retain(|planned| match &planned.step {
            Step::Deploy(deploy) => {
                others.push((deploy.clone(), planned.reason.clone()));
                false
            }
            _ => true,
        });
    }
    let Some(kept) = all.iter_mut().find(|it| it.change.is_some()) else { return };
    for planned in &mut kept.plan.steps {
        let Step::Deploy(deploy) = &mut planned.step else { continue };
        deploy.revision = revision.clone();
        for (other, why) in &others {
            deploy.to = format!("{} and {}", deploy.to, other.to);
            deploy.from = format!("{} and {}", deploy.from, other.from);
            planned.reason = format!("{}; {why}", planned.reason);
        }
    }
}

/// The first tag whose image was new in the revision that is in use.
fn newest_of(cases: &[&Case<'_>]) -> usize {
    let is_new = |it: &&Case<'_>| {
        let began = it.service.primary().and_then(|it| it.began);
        !is_of_others(it, it.revision.arn(), began)
    };
    cases.iter().position(is_new).unwrap_or(0)
}

/// The tag that a command is about: the one whose repository has the image that it names.
fn addressed(cases: &[&Case<'_>], command: &Command) -> Result<usize, Trouble> {
    let Some(image) = command.image() else {
        let rejects = |it: &&Case<'_>| it.memory.rejected.is_some();
        let several = cases.iter().filter(|it| rejects(it)).count() > 1;
        return match command {
            Command::Clear { .. } if several => {
                let names = cases.iter().filter_map(|it| {
                    let last = it.memory.rejected.as_ref()?.last()?.clone();
                    let known = it.images.iter().find(|image| last.is(&image.digest));
                    Some(known.map_or_else(|| format!("sha256:…{last}"), |image| it.label(&image.digest)))
                });
                let names = names.collect::<Vec<_>>().join(", ");
                Err(Trouble::new("which-image", format!("several images are rejected: {names}; name one as \"image\"")))
            }
            Command::Clear { .. } => Ok(cases.iter().position(rejects).unwrap_or(0)),
            _ => Ok(newest_of(cases)),
        };
    };
    let digest = |it: &Case<'_>| -> Option<Digest> {
        let known = find(it, image).ok().map(|it| it.digest.clone());
        // Deleted from the registry, it is only known by what was remembered of it.
        let remembered = || {
            image
                .parse()
                .ok()
                .filter(|digest| it.memory.rejects(digest) || it.running().digest.as_ref() == Some(digest))
        };
        known.or_else(remembered)
    };
    let found: Vec<(usize, Digest)> =
        cases.iter().enumerate().filter_map(|(index, it)| Some((index, digest(it)?))).collect();
    let same = found.windows(2).all(|it| it[0].1 == it[1].1);
    if !same {
        let names = found.iter().map(|(index, digest)| format!("{digest} of {}", cases[*index].repository));
        let names = names.collect::<Vec<_>>().join(", ");
        return Err(Trouble::new(
            "which-image",
            format!("'{image}' names several images: {names}; name one by its digest"),
        ));
    }
    // One repository may be that of several tags: then the rule that can select the image.
    let selects = |(index, digest): &&(usize, Digest)| {
        let case = cases[*index];
        case.choice(&case.memory, &case.running()).can_select(digest)
    };
    Ok(found.iter().find(selects).or(found.first()).map_or(0, |(index, _)| *index))
}
