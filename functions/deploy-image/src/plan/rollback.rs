//! Where a service can go back to: the last task definition that completed and whose image is still there.

use rules::Digest;

use super::case::{Case, Memory};
use super::world::{ImageName, RolloutEnd, TaskDefinition, short_name};

/// The revision to go back to, and its image for people; the error says why there is none.
pub fn target<'a>(case: &Case<'a>, memory: &Memory) -> Result<(&'a TaskDefinition, String), String> {
    let mut candidates = candidates(case);
    // What the service's other tags have deployed stays, where that is possible.
    candidates.sort_by_key(|it| case.described(it).is_none_or(|it| !case.has_same_others(it, case.revision)));
    for arn in &candidates {
        if let Some(revision) = case.described(arn)
            && let Some(label) = suits(case, memory, revision)
        {
            return Ok((revision, label));
        }
    }
    Err(match candidates.len() {
        0 => "no earlier deployment of it is known".into(),
        _ => {
            let names: Vec<&str> = candidates.iter().map(|it| short_name(it)).collect();
            format!("none of {} is active with an image that is still there and was not rejected", names.join(", "))
        }
    })
}

/// The revisions that completed before the one in use, likeliest first.
pub fn candidates(case: &Case<'_>) -> Vec<String> {
    let mut arns = case.earlier_revisions();
    let completed = case.history().iter().filter(|it| it.end == RolloutEnd::Successful);
    for it in completed {
        if it.task_definition != case.revision.arn() && !arns.contains(&it.task_definition) {
            arns.push(it.task_definition.clone());
        }
    }
    arns
}

/// The label of the revision's image, if the service can go back to it.
fn suits(case: &Case<'_>, memory: &Memory, revision: &TaskDefinition) -> Option<String> {
    if !revision.is_active() || revision.arn() == case.revision.arn() || !every_image_is_there(case, revision) {
        return None;
    }
    let image = case.image_of(revision)?;
    let digest = resolve(case, &image)?;
    let running = case.running().digest;
    let pushed_at = case.pushed_at(&digest)?;
    let rejected = memory.rejects(&digest);
    // A tag that moved since would deploy a newer image, of which nothing is known; but what a person replaced with an
    // older image was live.
    let chosen = memory.approved.as_ref().filter(|it| !it.cleared && running.as_ref() == Some(&it.digest));
    let replaced = chosen.and_then(|it| it.from.as_ref()).is_some_and(|from| from.is(&digest));
    let newer = running.as_ref().and_then(|it| case.pushed_at(it)).is_some_and(|it| pushed_at > it);
    let same = running.as_ref() == Some(&digest);
    (!rejected && (!newer || replaced) && !same).then(|| image.tag.unwrap_or_else(|| case.label(&digest)))
}

/// Whether all containers that use the repository could pull what the revision sets them to.
fn every_image_is_there(case: &Case<'_>, revision: &TaskDefinition) -> bool {
    let of_repository = revision
        .images()
        .filter_map(|(_, image)| ImageName::parse(image).filter(|it| it.repository() == case.image.repository()));
    of_repository.into_iter().all(|image| {
        let digest = resolve(case, &image);
        case.images.iter().any(|it| Some(&it.digest) == digest.as_ref() && !it.archived)
    })
}

fn resolve(case: &Case<'_>, image: &ImageName) -> Option<Digest> {
    let by_tag = || {
        let tag = image.tag.as_ref()?;
        case.images.iter().find(|it| it.tags.contains(tag)).map(|it| it.digest.clone())
    };
    image.digest.clone().or_else(by_tag)
}
