//! What another service has proven: an image for those that promote from it, a revision for schedules that follow it.

use rules::deploy::DeployRule;
use rules::deploy::Selector;
use rules::memory::Verdict;
use rules::rejections::Rejections;
use rules::soak::Soak;
use rules::{Digest, keys};

use super::memory::Memory;
use super::world::{Controller, Fact, Image, Observation, Origin, RolloutEnd, RolloutState, World, short_name};

/// The images that were live for long enough on the service that `selector` promotes from, as far as that is known.
pub fn promoted<'q>(
    selector: &Selector,
    images: &'q [Image],
    world: &World,
    memory: &'q Memory,
) -> [Option<&'q Digest>; 2] {
    let Selector::Promote { from, soak } = selector else { return [None, None] };
    let Some(count) = memory.soak.as_ref().filter(|it| it.of == Soak::mark_of(from)) else { return [None, None] };
    let origin = match world.facts.get(&Fact::Origin(from.clone())) {
        Some(Observation::Origin(Some(origin))) => Some(origin),
        // It is looked at before anything is done.
        None => None,
        Some(_) => return [None, None],
    };
    let fine = |it: &&Digest| origin.is_none_or(|origin| !rejects(origin, it));
    let ready = count.ready.as_ref().and_then(|it| images.iter().find(|image| it.is(&image.digest)));
    let ready = ready.map(|it| &it.digest);
    [Some(&count.digest).filter(|_| count.is_done(*soak)).filter(fine), ready.filter(fine)]
}

/// Whether the service has rejected the image.
fn rejects(origin: &Origin, digest: &Digest) -> bool {
    let tags = keys::DEPLOYS.iter().filter_map(|it| origin.service.tags.get(it.rejected));
    tags.map(|it| it.parse::<Rejections>()).any(|it| it.is_ok_and(|it| it.covers(digest)))
}

/// The images that were found live on the service by the function that deploys to it.
pub fn verdicts(origin: &Origin) -> impl Iterator<Item = Verdict> {
    keys::DEPLOYS.iter().filter_map(|it| origin.service.tags.get(it.verdict)?.parse().ok())
}

/// Whether a deployment of the service is under way.
pub fn is_rolling_out(source: &Origin) -> bool {
    let service = &source.service;
    let newest = source.history.first().map(|it| it.end);
    match service.primary().map(|it| it.state) {
        _ if service.controller == Controller::CodeDeploy => service.task_sets.len() > 1,
        Some(RolloutState::InProgress) => true,
        Some(RolloutState::Unsaid) => matches!(newest, Some(RolloutEnd::Open | RolloutEnd::GoingBack)),
        _ => false,
    }
}

/// The ARN of the revision that the service runs, if it has proven it; the error says why it has not.
pub fn proven_revision(source: &Origin) -> Result<&str, String> {
    let service = &source.service;
    let (name, runs) = (&service.name, short_name(&service.task_definition));
    if service.status != "ACTIVE" || service.task_definition.is_empty() {
        return Err(format!("{name} is {}, so nothing is proven there", service.status.to_lowercase()));
    }
    if is_rolling_out(source) {
        return Err(format!("{name} has a deployment under way, and {runs} is not proven before its end"));
    }
    if service.primary().is_some_and(|it| it.state == RolloutState::Failed) {
        return Err(format!("the deployment of {runs} to {name} failed"));
    }
    if source.pinned.values().any(|it| rejects(source, it)) {
        return Err(format!("{name} runs an image that is rejected there"));
    }
    let awake = service.desired > 0 && service.running > 0 && !service.tags.contains_key(keys::ASLEEP);
    let all_run = !service.early_success || service.running >= service.desired;
    let rule = service.tags.get(keys::DEPLOY).and_then(|it| it.parse::<DeployRule>().ok());
    // An address may still say that the image is ill, and then it goes back.
    let is_judged_later = rule.is_some_and(|it| it.health.is_some());
    let found_live = verdicts(source).any(|it| source.pinned.values().any(|pinned| *pinned == it.digest));
    match found_live || awake && all_run && !is_judged_later {
        true => Ok(&service.task_definition),
        false => Err(format!("{runs} was not found live on {name} yet")),
    }
}
