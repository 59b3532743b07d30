//! The images that match a rule, and which of two is newer.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;
use rules::Digest;
use rules::deploy::Selector;
use rules::version::{Shape, closest_version, moves_with, version};
use semver::Version;

use crate::choice::Choice;
use crate::image::{Image, best_name};
use crate::kind::is_attachment_tag;

impl<'a> Choice<'_, 'a> {
    /// The images that match the rule.
    pub(crate) fn candidates(&self) -> Vec<Candidate<'a>> {
        let shape = self.shape();
        self.images.iter().filter_map(|it| self.candidate(it, shape)).collect()
    }

    pub(crate) fn candidate(&self, image: &'a Image, shape: Option<Shape>) -> Option<Candidate<'a>> {
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
    pub(crate) fn shape(&self) -> Option<Shape> {
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
    pub(crate) fn compared(&self, it: &Candidate<'_>) -> Option<Ordering> {
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
    pub(crate) fn version_of(&self, tag: &str) -> Option<Version> {
        let Selector::Semver { suffix, .. } = self.selector else { return None };
        version(tag, suffix.as_deref())
    }

    pub(crate) fn pushed_at(&self, digest: Option<&Digest>) -> Option<Timestamp> {
        self.images.iter().find(|it| Some(&it.digest) == digest).map(|it| it.pushed_at)
    }
}

/// An image that matches a rule.
pub(crate) struct Candidate<'a> {
    pub(crate) image: &'a Image,
    pub(crate) tag: String,
    pub(crate) version: Option<Version>,
}

impl Candidate<'_> {
    /// The order in which images are newer than others; the digest only makes it total.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let key = |it: &Self| (it.version.clone(), it.image.pushed_at);
        key(self).cmp(&key(other)).then_with(|| self.image.digest.cmp(&other.image.digest))
    }
}

/// The version that a tag comes closest to, if it has at least two numbers: a lone number tells nothing of a shape.
fn dotted(tag: &str) -> Option<Version> {
    let has_dot = tag.split_once('.').is_some_and(|(_, rest)| rest.starts_with(|it: char| it.is_ascii_digit()));
    closest_version(tag).filter(|_| has_dot)
}
