//! Which images of an ECR repository go. Pure, and on the side of keeping as the rest.

mod named;
mod shelf;
mod usage;

use jiff::Zoned;
use reconcile::Plan;
use rules::keys;
use rules::retention::KeepImages;

use shelf::Shelf;

use super::step::{DeleteImages, Step};
use super::world::{Image, Repository, Usage};

#[cfg(test)]
pub use named::Named;
use usage::InUse;
pub use usage::{tag_revisions, ways_back};

/// BatchDeleteImage takes no more.
const BATCH: usize = 100;

/// Deletes of each repository what neither its rule nor any use keeps.
pub fn plan(repositories: &[Repository], usage: Result<&Usage, &String>, now: &Zoned, plan: &mut Plan<Step>) {
    let in_use = usage.map_err(String::clone).and_then(InUse::of);
    let mut sorted: Vec<&Repository> = repositories.iter().collect();
    sorted.sort_by(|a, b| a.arn.cmp(&b.arn));
    for repository in sorted {
        if !repository.tags.is_empty() {
            plan.examined(&repository.arn, &repository.tags);
        }
        let images = match &repository.images {
            Ok(images) => images,
            Err(error) => {
                plan.problem(
                    &repository.arn,
                    "unreadable-images",
                    format!("its images cannot be read, so none of them is deleted: {error}"),
                );
                continue;
            }
        };
        let Some(tag) = repository.tags.get(keys::KEEP_IMAGES) else {
            plan.skip(&repository.arn, format!("it no longer has the tag {}", keys::KEEP_IMAGES));
            continue;
        };
        let rule: KeepImages = match tag.parse() {
            Ok(rule) => rule,
            Err(bad) => {
                plan.problem(&repository.arn, "bad-tag", bad);
                continue;
            }
        };
        match &in_use {
            Ok(in_use) => judge(repository, images, rule, in_use, now, plan),
            Err(error) => plan.problem(
                &repository.arn,
                "unreadable-use",
                format!("which images are in use cannot be read, so none of its images is deleted: {error}"),
            ),
        }
    }
}

fn judge(
    repository: &Repository,
    images: &[Image],
    rule: KeepImages,
    in_use: &InUse,
    now: &Zoned,
    plan: &mut Plan<Step>,
) {
    let shelf = Shelf::new(&repository.name, images);
    if let Some(doubt) = shelf.doubt(in_use) {
        plan.skip(&repository.arn, doubt);
        return;
    }
    let kept = shelf.kept(rule, in_use, now);
    for (image, reason) in shelf.images.iter().zip(&kept) {
        if let Some(reason) = reason {
            plan.skip(&format!("{}@{}", repository.arn, image.digest), format!("{}: {reason}", image.name()));
        }
    }
    let mut doomed: Vec<usize> = (0..images.len()).filter(|it| kept[*it].is_none()).collect();
    if doomed.is_empty() {
        return;
    }
    // An index goes before what it lists, which ECR does not delete as long as an index does list it.
    let levels = shelf.levels();
    doomed.sort_by_key(|it| (levels[*it], shelf.images[*it].pushed_at, &shelf.images[*it].digest));
    let of_a_level = doomed.chunk_by(|a, b| levels[*a] == levels[*b]);
    let batches = of_a_level.flat_map(|level| level.chunks(BATCH));
    let delete = DeleteImages {
        repository: repository.name.clone(),
        batches: batches.map(|it| it.iter().map(|it| shelf.images[*it].digest.clone()).collect()).collect(),
        names: doomed.iter().map(|it| shelf.images[*it].name()).collect(),
    };
    plan.act(&repository.arn, Step::DeleteImages(delete), format!("not kept by {rule}, and not in use"));
}
