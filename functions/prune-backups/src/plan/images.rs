//! Which images of an ECR repository go. Pure, and on the side of keeping as the rest.

mod named;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::Plan;
use rules::keys;
use rules::retention::KeepImages;

pub use named::Named;

use super::step::{DeleteImages, Step};

/// An image without a tag may be a part of one that is being pushed, whose index comes last.
const BEING_PUSHED: SignedDuration = SignedDuration::from_hours(24);

/// BatchDeleteImage takes no more.
const BATCH: usize = 100;

/// A repository that opted in.
#[derive(Debug, Clone, PartialEq)]
pub struct Repository {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// All images in it, or why they cannot be read.
    pub images: Result<Vec<Image>, String>,
}

/// An image, an index of images, or what refers to one, such as a signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Its digest.
    pub digest: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was pushed.
    pub pushed_at: Option<Timestamp>,
    /// Of an index: the digests of what it lists.
    pub children: Vec<String>,
    /// Of a signature and the like: the digest of what it is about.
    pub subject: Option<String>,
}

/// Which images are in use or may come to be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InUse {
    /// What services, tasks and ways back name, each with who names it.
    pub images: Vec<(Named, String)>,
    /// Services with a gate that run this image: what was pushed after it may be waiting for a person or a scan.
    pub waiting: Vec<(Named, String)>,
    /// Services without a task that name an image by its tag, with the moment of their deployment.
    pub sleeping: Vec<(Named, String, Option<Timestamp>)>,
}

/// Deletes of each repository what neither its rule nor any use keeps.
pub fn plan(repositories: &[Repository], in_use: Result<&InUse, &String>, now: &Zoned, plan: &mut Plan<Step>) {
    let mut sorted: Vec<&Repository> = repositories.iter().collect();
    sorted.sort_by(|a, b| a.arn.cmp(&b.arn));
    for repository in sorted {
        if !repository.tags.is_empty() {
            plan.examined(&repository.arn, &repository.tags);
        }
        let images = match &repository.images {
            Ok(images) => images,
            Err(error) => {
                plan.problem(&repository.arn, "unreadable-images", format!("nothing of it is deleted: {error}"));
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
        match in_use {
            Ok(in_use) => judge(repository, images, rule, in_use, now, plan),
            Err(error) => plan.problem(
                &repository.arn,
                "unreadable-use",
                format!("which images are in use cannot be read, so nothing of it is deleted: {error}"),
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
    plan.act(&repository.arn, Step::DeleteImages(delete), format!("not kept by count={}, and not in use", rule.count));
}

impl Image {
    /// What people call it.
    fn name(&self) -> String {
        match self.tags.iter().min() {
            Some(tag) => tag.clone(),
            None => self.digest.chars().take("sha256:".len() + 12).collect(),
        }
    }

    /// What it is about, as it says, or as cosign names a signature: `sha256-DIGEST.sig`.
    fn about(&self) -> Option<String> {
        let by_tag = self.tags.iter().find_map(|it| {
            let digits = it.strip_prefix("sha256-")?.get(..64)?;
            digits.bytes().all(|it| it.is_ascii_hexdigit()).then(|| format!("sha256:{digits}"))
        });
        self.subject.clone().or(by_tag)
    }
}

/// The images of one repository, the oldest first, and what belongs to what.
struct Shelf<'a> {
    repository: &'a str,
    images: Vec<&'a Image>,
    /// What each one lists, and what refers to it: this goes with it.
    below: Vec<Vec<usize>>,
    above: Vec<Vec<usize>>,
}

impl<'a> Shelf<'a> {
    fn new(repository: &'a str, images: &'a [Image]) -> Self {
        let mut images: Vec<&Image> = images.iter().collect();
        images.sort_by(|a, b| (a.pushed_at, &a.digest).cmp(&(b.pushed_at, &b.digest)));
        let places: BTreeMap<&str, usize> =
            images.iter().enumerate().map(|(place, it)| (it.digest.as_str(), place)).collect();
        let mut shelf =
            Shelf { repository, below: vec![vec![]; images.len()], above: vec![vec![]; images.len()], images };
        for (place, image) in shelf.images.iter().enumerate() {
            for child in image.children.iter().filter_map(|it| places.get(it.as_str())) {
                shelf.below[place].push(*child);
                shelf.above[*child].push(place);
            }
            if let Some(subject) = image.about().and_then(|it| places.get(it.as_str()).copied()) {
                shelf.below[subject].push(place);
                shelf.above[place].push(subject);
            }
        }
        shelf
    }

    /// The place of the image that is named so, as far as it is one of this repository.
    fn find(&self, named: &Named) -> Option<usize> {
        self.images.iter().rposition(|it| named.is(self.repository, &it.digest, &it.tags))
    }

    /// Why it cannot be told which images are in use.
    ///
    /// ECS pins the image that a tag meant at the deployment, and while no task runs nothing tells which that was.
    fn doubt(&self, in_use: &InUse) -> Option<String> {
        let moved = |(named, _, deployed): &&(Named, String, Option<Timestamp>)| {
            let Named::Tag { repository, .. } = named else { return false };
            let pushed = self.find(named).and_then(|it| self.images[it].pushed_at);
            *repository == self.repository && !pushed.is_some_and(|it| deployed.is_some_and(|deployed| it <= deployed))
        };
        let (named, by, _) = in_use.sleeping.iter().find(moved)?;
        Some(format!(
            "{by} has no task, and {named} has moved since its deployment: which image it will start cannot be told, \
             so nothing is deleted"
        ))
    }

    /// Why each image stays; `None` for one that does not.
    fn kept(&self, rule: KeepImages, in_use: &InUse, now: &Zoned) -> Vec<Option<String>> {
        let mut kept: Vec<Option<String>> = vec![None; self.images.len()];
        self.keep_used(in_use, &mut kept);
        for tagged in [true, false] {
            let alike = |it: &usize| self.above[*it].is_empty() && self.images[*it].tags.is_empty() != tagged;
            let newest = (0..self.images.len()).rev().filter(alike).take(rule.count.into());
            for place in newest {
                kept[place].get_or_insert_with(|| format!("one of the newest {}", rule.count));
            }
        }
        for (place, image) in self.images.iter().enumerate() {
            let fresh = |it: Timestamp| image.tags.is_empty() && now.timestamp().duration_since(it) < BEING_PUSHED;
            let reason = match image.pushed_at {
                None => "AWS does not say when it was pushed",
                Some(pushed) if fresh(pushed) => "it has no tag and was pushed less than a day ago",
                Some(_) => continue,
            };
            kept[place].get_or_insert_with(|| reason.into());
        }
        self.keep_whole(&mut kept);
        kept
    }

    fn keep_used(&self, in_use: &InUse, kept: &mut [Option<String>]) {
        let by_digest: BTreeMap<&str, usize> =
            self.images.iter().enumerate().map(|(place, it)| (it.digest.as_str(), place)).collect();
        let tags = self.images.iter().enumerate().flat_map(|(place, it)| it.tags.iter().map(move |tag| (tag, place)));
        let by_tag: BTreeMap<&String, usize> = tags.collect();
        let place = |named: &Named| match named {
            Named::Digest(digest) => by_digest.get(digest.as_str()).copied(),
            Named::Tag { repository, tag } if repository == self.repository => by_tag.get(tag).copied(),
            Named::Tag { .. } => None,
        };
        for (named, by) in &in_use.images {
            if let Some(place) = place(named) {
                kept[place].get_or_insert_with(|| format!("used by {by}"));
            }
        }
        for (named, by) in &in_use.waiting {
            let Some(runs) = place(named) else { continue };
            kept[runs].get_or_insert_with(|| format!("used by {by}"));
            let later = (runs + 1..self.images.len()).filter(|it| !self.images[*it].tags.is_empty());
            for place in later {
                kept[place]
                    .get_or_insert_with(|| format!("newer than what {by} runs, and may be waiting to go out to it"));
            }
        }
    }

    /// An image stays with the indexes that list it, where it stays for its own sake, and with all that belongs to it.
    fn keep_whole(&self, kept: &mut [Option<String>]) {
        for neighbours in [&self.above, &self.below] {
            let mut fresh: Vec<usize> = (0..kept.len()).filter(|it| kept[*it].is_some()).collect();
            while let Some(place) = fresh.pop() {
                for &other in neighbours[place].iter() {
                    if kept[other].is_none() {
                        kept[other] = Some(format!("it belongs to {}", self.images[place].name()));
                        fresh.push(other);
                    }
                }
            }
        }
    }

    /// How deep below another one each image is.
    fn levels(&self) -> Vec<usize> {
        let mut levels = vec![0; self.images.len()];
        // A digest cannot be of what contains it, so there are no circles; should a listing show one, this ends too.
        for _ in 0..self.images.len() {
            let mut changed = false;
            for place in 0..levels.len() {
                for &child in &self.below[place] {
                    if levels[child] <= levels[place] {
                        levels[child] = levels[place] + 1;
                        changed = true;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        levels
    }
}
