//! Which image of a repository a rule selects, and whether the service may go to it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;
use rules::Digest;
use rules::deploy::Selector;
use rules::image::is_attachment_tag;
use rules::memory::Approved;
use rules::rejections::Rejections;
use rules::version::{Shape, closest_version, moves_with, version};
use semver::Version;

use super::world::Image;

/// The image that a service runs, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its digest, as the task definition or ECS pins it.
    pub digest: Option<Digest>,
    /// What it was called when it was deployed.
    pub tag: Option<String>,
    /// It was pushed no later than this.
    pub no_later_than: Timestamp,
    /// It is not an image of the repository that is chosen from: whatever is chosen there is newer.
    pub elsewhere: bool,
}

/// What a selection depends on.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'q, 'a> {
    pub selector: &'q Selector,
    pub images: &'a [Image],
    pub running: &'q Running,
    pub rejected: Option<&'q Rejections>,
    /// The image that a person let out.
    pub approved: Option<&'q Approved>,
    /// Each image waits for a person anyway.
    pub asks: bool,
    /// Images that no container of the service can be started from, with the reason.
    pub unfit: &'q BTreeMap<Digest, String>,
}

/// What a rule selects, seen from the image that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection<'a> {
    /// A newer image, or one that a person or a tag that moved asks for.
    Newer {
        image: &'a Image,
        tag: String,
    },
    Current {
        tag: String,
    },
    /// An image that is older than the one that runs.
    Older {
        tag: String,
    },
    /// A newer image than the one that a person chose instead of it.
    Declined {
        tag: String,
    },
    /// Nothing but rejected images, and images that are older than one of them.
    Rejected {
        /// The newest of the latter: a person may let it out.
        older: Option<String>,
    },
    /// No image at all; the repository has, among others, these tags.
    NoMatch {
        /// Some of the repository's tags.
        seen: Vec<String>,
    },
    /// Images match, but none that a container of the service can be started from.
    Unfit {
        tag: String,
        why: String,
    },
    /// An image of which it cannot be told whether it is newer.
    CannotTell {
        tag: String,
    },
}

impl<'a> Choice<'_, 'a> {
    /// Selects an image.
    ///
    /// A rejection forbids one image. What is older than a rejected image is not selected either, unless a person asks
    /// for it; what runs may itself be older than a rejected image: then it stays.
    pub fn select(&self) -> Selection<'a> {
        if let Some((image, tag)) = self.approved_next() {
            return Selection::Newer { image, tag };
        }
        let all = self.candidates();
        let matching: Vec<&Candidate<'a>> =
            all.iter().filter(|it| !self.unfit.contains_key(&it.image.digest)).collect();
        let Some(newest) = matching.iter().max_by(|a, b| a.order(b)) else {
            return match all.iter().max_by(|a, b| a.order(b)) {
                Some(it) => Selection::Unfit { tag: it.tag.clone(), why: self.unfit[&it.image.digest].clone() },
                None => Selection::NoMatch { seen: some_tags(self.images) },
            };
        };
        let is_running = |it: &Candidate| self.running.digest.as_ref() == Some(&it.image.digest);
        let eligible = |it: &&&Candidate| !self.is_held_back(it, &all);
        let Some(best) = matching.iter().filter(eligible).max_by(|a, b| a.order(b)) else {
            // Whatever was rejected, the newest image that there is may be the one that runs.
            return match is_running(newest) && !self.is_rejected(&newest.image.digest) {
                true => Selection::Current { tag: newest.tag.clone() },
                false => {
                    // What is older than the image that runs as well is of no interest.
                    let newer = |it: &&&Candidate| self.compared(it) == Some(Ordering::Greater);
                    let held_back = matching.iter().filter(|it| !self.is_rejected(&it.image.digest) && !is_running(it));
                    let older = held_back.filter(newer);
                    Selection::Rejected { older: older.max_by(|a, b| a.order(b)).map(|it| it.tag.clone()) }
                }
            };
        };
        let (image, tag) = (best.image, best.tag.clone());
        if is_running(best) {
            return Selection::Current { tag };
        }
        if self.is_declined(best, &all) {
            return Selection::Declined { tag };
        }
        // Whoever moves a tag means the image that it names now, be it older or newer.
        if matches!(self.selector, Selector::Tag { name } if self.running.tag.as_ref() == Some(name))
            && self.running.digest.is_some()
        {
            return Selection::Newer { image, tag };
        }
        match self.compared(best) {
            // Of two that are alike in age the one that was chosen counts as newer: the choice is the same every time.
            Some(Ordering::Greater | Ordering::Equal) => Selection::Newer { image, tag },
            Some(Ordering::Less) => Selection::Older { tag },
            None => Selection::CannotTell { tag },
        }
    }

    /// The newest image that matches the rule, rejected or not.
    pub fn newest(&self) -> Option<&'a Image> {
        self.candidates().into_iter().max_by(|a, b| a.order(b)).map(|it| it.image)
    }

    /// Whether an image that the rule can select is newer than the one that runs; `None` if that cannot be told.
    pub fn is_newer(&self, digest: &Digest) -> Option<bool> {
        let shape = self.shape();
        let image = self.images.iter().find(|it| it.digest == *digest)?;
        let order = self.compared(&self.candidate(image, shape)?)?;
        Some(order == Ordering::Greater)
    }

    /// The newest image without a tag that the rule could read, if it was pushed after the one that runs, and its tag.
    ///
    /// Only rules that go by versions leave out what is newer; tags of other variants of a version are read well enough.
    pub fn unread(&self) -> Option<(&'a Image, String)> {
        let Selector::Semver { suffix, .. } = self.selector else { return None };
        let shape = self.shape();
        let since = self.pushed_at(self.running.digest.as_ref()).unwrap_or(self.running.no_later_than);
        let reads = |tag: &String| {
            let read = version(tag, suffix.as_deref()).filter(|it| shape.is_none_or(|shape| Shape::of(it) == shape));
            // Another variant of a version: `1.2.3-alpine` where no suffix, or another one, is asked for.
            let other = closest_version(tag).filter(|it| it.pre.is_empty() && tag.contains('.') && !tag.contains('+'));
            let variant =
                || other.is_some_and(|it| shape.is_none_or(|shape| Shape::of(&it) == shape)) && is_variant(tag);
            read.is_some() || version(tag, None).is_some() && suffix.is_some() || variant()
        };
        let unread = |it: &&Image| {
            it.pushed_at > since
                && it.is_deployable()
                && !it.tags.iter().any(reads)
                && it.tags.iter().any(|it| !is_attachment_tag(it))
        };
        let newest = self.images.iter().filter(unread).max_by_key(|it| (it.pushed_at, &it.digest))?;
        let name = best_name(newest.tags.iter().filter(|it| !is_attachment_tag(it)))?;
        (!self.unfit.contains_key(&newest.digest)).then_some((newest, name))
    }

    /// The image that a person let out and that has not been deployed since, if it is the one to deploy.
    fn approved_next(&self) -> Option<(&'a Image, String)> {
        let approved = self.approved.filter(|it| !it.cleared && !self.is_rejected(&it.digest))?;
        let pending = self.is_still_to_deploy(approved);
        let image = self.images.iter().find(|it| it.digest == approved.digest && it.is_deployable())?;
        if !pending || self.unfit.contains_key(&image.digest) {
            return None;
        }
        // Where the rule needs no person, what was pushed after the person chose goes out as ever.
        let all = self.candidates();
        let later = |it: &Candidate| it.image.pushed_at > approved.at && !self.is_held_back(it, &all);
        if !self.asks && all.iter().any(later) {
            return None;
        }
        let name = best_name(image.tags.iter().filter(|it| !is_attachment_tag(it)));
        let by_rule = all.iter().find(|it| it.image.digest == image.digest).map(|it| it.tag.clone());
        Some((image, by_rule.or(name).unwrap_or_else(|| image.digest.short().to_owned())))
    }

    /// Whether an image that a person let out has still to replace what ran then: nothing was deployed since.
    ///
    /// A deployment by CodeDeploy that fails or is stopped leaves the tasks of before as they were, so it does not count.
    pub fn is_still_to_deploy(&self, approved: &Approved) -> bool {
        let same = match (&approved.from, &self.running.digest) {
            (Some(from), Some(running)) => from.is(running) && *running != approved.digest,
            // What ran then was not known, and is not now.
            (None, None) => true,
            _ => false,
        };
        // Whatever was deployed since, by this function or by hand, is the later word, even if it is what ran before.
        let began = self.running.no_later_than;
        same && (began <= approved.at || began == Timestamp::MAX)
    }

    /// Whether a person chose another image instead of this one, or of one that is newer than this one.
    ///
    /// That choice stands while what was chosen runs, and where it failed, while what ran before it runs again.
    fn is_declined(&self, it: &Candidate<'_>, all: &[Candidate<'_>]) -> bool {
        let (Some(approved), Some(running)) = (self.approved, &self.running.digest) else { return false };
        let failed = || approved.from.as_ref().is_some_and(|it| it.is(running)) && self.is_rejected(&approved.digest);
        let stands = !self.asks && (approved.digest == *running || failed());
        let Some(instead) = approved.instead.as_ref().filter(|_| stands) else { return false };
        let by_tag = matches!(self.selector, Selector::Tag { .. });
        match all.iter().find(|it| instead.is(&it.image.digest)) {
            Some(instead) if by_tag => it.image.digest == instead.image.digest,
            Some(instead) => it.order(instead) != Ordering::Greater,
            None => !by_tag && it.image.pushed_at <= approved.at,
        }
    }

    fn is_rejected(&self, digest: &Digest) -> bool {
        self.rejected.is_some_and(|by| by.covers(digest))
    }

    /// Whether an image is rejected, or older than one that is: older by version where versions count, else by push.
    ///
    /// An image that a tag names is not older than another one: whoever moved the tag chose it.
    fn is_held_back(&self, it: &Candidate<'_>, all: &[Candidate<'_>]) -> bool {
        let Some(rejected) = self.rejected else { return false };
        if rejected.covers(&it.image.digest) {
            return true;
        }
        match self.selector {
            Selector::Tag { .. } => false,
            // The tag keeps milliseconds, the registry may keep more.
            Selector::Newest { .. } => {
                rejected.pushed_at.is_some_and(|by| it.image.pushed_at.as_millisecond() <= by.as_millisecond())
            }
            Selector::Semver { .. } => {
                let older = |by: &Candidate| rejected.covers(&by.image.digest) && it.order(by) == Ordering::Less;
                let last_is_gone = || !self.images.iter().any(|it| rejected.last().is_some_and(|by| by.is(&it.digest)));
                let last = || rejected.tag.as_ref().and_then(|tag| self.version_of(tag).or_else(|| version(tag, None)));
                all.iter().any(older) || last_is_gone() && last().is_some_and(|by| it.version.as_ref() <= Some(&by))
            }
        }
    }

    fn candidates(&self) -> Vec<Candidate<'a>> {
        let shape = self.shape();
        self.images.iter().filter_map(|it| self.candidate(it, shape)).collect()
    }

    fn candidate(&self, image: &'a Image, shape: Option<Shape>) -> Option<Candidate<'a>> {
        if !image.is_deployable() {
            return None;
        }
        let tags = image.tags.iter().filter(|it| !is_attachment_tag(it));
        let (tag, version) = match self.selector {
            Selector::Newest { prefix } => {
                let tags = tags.filter(|it| prefix.as_ref().is_none_or(|prefix| it.starts_with(prefix.as_str())));
                (best_name(tags)?, None)
            }
            Selector::Semver { range, suffix } => {
                // An image may hold several versions, and the tag that moves with one (`1.2`) beside it (`1.2.3`).
                let read = |tag: &'a String| {
                    let version = self.version_of(tag)?;
                    let allowed = range.as_ref().is_none_or(|it| it.allows(&version));
                    let alike = shape.is_none_or(|it| Shape::of(&version) == it);
                    (allowed && alike && !moves_with(tag, suffix.as_deref(), &image.tags)).then_some((version, tag))
                };
                let (version, tag) = tags.filter_map(read).max()?;
                (tag.clone(), Some(version))
            }
            Selector::Tag { name } => (tags.filter(|it| *it == name).min()?.clone(), None),
        };
        Some(Candidate { image, tag, version })
    }

    /// The shape of the versions that count: that of the range, else of what runs, else of most of the repository.
    fn shape(&self) -> Option<Shape> {
        let Selector::Semver { range, .. } = self.selector else { return None };
        if let Some(range) = range {
            return Some(range.shape());
        }
        let read = |tag: &String| self.version_of(tag).or_else(|| version(tag, None));
        if let Some(running) = self.running.tag.as_ref().and_then(|tag| read(tag).or_else(|| dotted(tag))) {
            return Some(Shape::of(&running));
        }
        let known = self.images.iter().find(|it| Some(&it.digest) == self.running.digest.as_ref());
        let mut shapes: Vec<Shape> =
            known.iter().flat_map(|it| &it.tags).filter_map(read).map(|it| Shape::of(&it)).collect();
        shapes.sort();
        shapes.dedup();
        if let [only] = shapes[..] {
            return Some(only);
        }
        let mut count: BTreeMap<Shape, (usize, Timestamp)> = BTreeMap::new();
        for image in self.images.iter().filter(|it| it.is_deployable()) {
            for version in image.tags.iter().filter_map(|it| self.version_of(it)) {
                let (times, last) = count.entry(Shape::of(&version)).or_insert((0, image.pushed_at));
                (*times, *last) = (*times + 1, image.pushed_at.max(*last));
            }
        }
        count.into_iter().max_by_key(|(_, seen)| *seen).map(|(shape, _)| shape)
    }

    /// Whether a candidate is newer than the image that runs; `None` if that cannot be told.
    fn compared(&self, it: &Candidate<'_>) -> Option<Ordering> {
        if self.running.elsewhere {
            return Some(Ordering::Greater);
        }
        let by_version = match (&it.version, self.running_version()) {
            (Some(version), Some(running)) if Shape::of(version) == Shape::of(&running) => version.cmp(&running),
            _ => Ordering::Equal,
        };
        if by_version != Ordering::Equal {
            return Some(by_version);
        }
        match self.pushed_at(self.running.digest.as_ref()) {
            Some(running) => Some(it.image.pushed_at.cmp(&running)),
            // It is gone, but it was pushed before this at least.
            None if it.image.pushed_at > self.running.no_later_than => Some(Ordering::Greater),
            None => None,
        }
    }

    /// The version that runs: of several that its image holds the one that the rule allows; where no tag reads as a
    /// version, what comes closest, so that `1.5.0-rc.1` is not followed by `1.4.9`.
    fn running_version(&self) -> Option<Version> {
        let Selector::Semver { range, suffix } = self.selector else { return None };
        let known = self.images.iter().find(|it| Some(&it.digest) == self.running.digest.as_ref());
        let tags: Vec<&String> = match known {
            Some(known) if known.tags.iter().any(|it| closest_version(it).is_some()) => known.tags.iter().collect(),
            _ => self.running.tag.iter().collect(),
        };
        let moving = |tag: &&&String| known.is_some_and(|it| moves_with(tag, suffix.as_deref(), &it.tags));
        let steady = || tags.iter().filter(|it| !moving(it));
        let best = |read: &dyn Fn(&String) -> Option<Version>| {
            let shape = self.shape();
            let alike = |it: &Version| shape.is_none_or(|shape| Shape::of(it) == shape);
            steady().filter_map(|it| read(it)).filter(alike).max()
        };
        // A rule that got its suffix only now must still see the version that was deployed without it.
        let read = |tag: &String| self.version_of(tag).or_else(|| version(tag, None));
        best(&|it| read(it).filter(|it| range.as_ref().is_none_or(|range| range.allows(it))))
            .or_else(|| steady().filter_map(|it| read(it)).max())
            .or_else(|| best(&|it| closest_version(it)))
    }

    /// The version that a tag stands for under a rule that goes by versions, whether its range allows it or not.
    fn version_of(&self, tag: &str) -> Option<Version> {
        let Selector::Semver { suffix, .. } = self.selector else { return None };
        version(tag, suffix.as_deref())
    }

    fn pushed_at(&self, digest: Option<&Digest>) -> Option<Timestamp> {
        self.images.iter().find(|it| Some(&it.digest) == digest).map(|it| it.pushed_at)
    }
}

struct Candidate<'a> {
    image: &'a Image,
    tag: String,
    version: Option<Version>,
}

impl Candidate<'_> {
    /// The order in which images are newer than others; the digest only makes it total.
    fn order(&self, other: &Self) -> Ordering {
        let key = |it: &Self| (it.version.clone(), it.image.pushed_at);
        key(self).cmp(&key(other)).then_with(|| self.image.digest.cmp(&other.image.digest))
    }
}

/// The version that a tag comes closest to, if it has at least two numbers: a lone number tells nothing of a shape.
fn dotted(tag: &str) -> Option<Version> {
    let has_dot = tag.split_once('.').is_some_and(|(_, rest)| rest.starts_with(|it: char| it.is_ascii_digit()));
    closest_version(tag).filter(|_| has_dot)
}

/// Whether a tag is a version with the name of a variant after it: `1.2.3-alpine`.
fn is_variant(tag: &str) -> bool {
    let numbers = tag.trim_start_matches('v').split('-').next().unwrap_or_default();
    tag.contains('-') && version(numbers, None).is_some()
}

/// What people would call an image of several tags: rather a name of its own than the one that moves.
fn best_name<'a>(tags: impl Iterator<Item = &'a String>) -> Option<String> {
    tags.min_by_key(|it| (*it == "latest", *it)).cloned()
}

fn some_tags(images: &[Image]) -> Vec<String> {
    let mut latest: Vec<&Image> = images.iter().filter(|it| it.is_deployable()).collect();
    latest.sort_by_key(|it| (std::cmp::Reverse(it.pushed_at), &it.digest));
    let names = latest.iter().filter_map(|it| best_name(it.tags.iter().filter(|it| !is_attachment_tag(it))));
    names.take(5).collect()
}
