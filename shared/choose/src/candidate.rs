//! The images that match a rule, and which of two is newer.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;
use rules::Digest;
use rules::deploy::Selector;
use rules::version::{Shape, build_number, closest_version, moves_with, version};
use semver::Version;

use crate::choice::Choice;
use crate::image::{Image, best_name};
use crate::kind::is_attachment_tag;

impl<'a> Choice<'_, 'a> {
    /// The images that match the rule.
    pub(crate) fn candidates(&self) -> Vec<Candidate<'a>> {
        let alike = self.alike();
        self.images.iter().filter_map(|it| self.candidate(it, alike)).collect()
    }

    pub(crate) fn candidate(&self, image: &'a Image, alike: Alike) -> Option<Candidate<'a>> {
        if !image.is_deployable() {
            return None;
        }
        let tags = image.tags.iter().filter(|it| !is_attachment_tag(it));
        let (tag, version) = match self.selector {
            Selector::Newest { .. } => (best_name(tags.filter(|it| self.counts(it)))?, None),
            Selector::Semver { .. } | Selector::Number { .. } => {
                // An image may hold several versions, and the tag that moves with one (`1.2`) beside it (`1.2.3`).
                let read = |tag: &'a String| {
                    let version = self.version_of(tag)?;
                    let fits = self.allows(&version) && alike.admits(&version);
                    (fits && !self.is_moving(tag, &image.tags)).then_some((version, tag))
                };
                let (version, tag) = tags.filter_map(read).max()?;
                (tag.clone(), Some(version))
            }
            Selector::Tag { name } => (tags.filter(|it| *it == name).min()?.clone(), None),
            // Whatever it is called, and if its tags have moved on: it is the image that was live.
            Selector::Promote { .. } if self.promoted.contains(&Some(&image.digest)) => {
                (best_name(tags).unwrap_or_else(|| image.digest.short().to_owned()), None)
            }
            Selector::Promote { .. } => return None,
        };
        Some(Candidate { image, tag, version })
    }

    /// Whether a tag has the prefix and the suffix that the rule asks for, and is not one that it excepts.
    pub(crate) fn counts(&self, tag: &str) -> bool {
        let (prefix, suffix, except): (_, _, &[String]) = match self.selector {
            Selector::Newest { prefix, suffix, except } => (prefix, suffix, except),
            Selector::Semver { reading, .. } => (&reading.prefix, &reading.suffix, &[]),
            Selector::Number { prefix } => (prefix, &None, &[]),
            Selector::Tag { name } => return tag == name,
            Selector::Promote { .. } => return true,
        };
        tag.starts_with(prefix.as_deref().unwrap_or_default())
            && tag.ends_with(suffix.as_deref().unwrap_or_default())
            && !except.iter().any(|it| it == tag)
    }

    fn allows(&self, version: &Version) -> bool {
        match self.selector {
            Selector::Semver { allowed, .. } => allowed.allows(version),
            _ => true,
        }
    }

    /// Whether a tag moves with the versions of another tag of the same image.
    fn is_moving(&self, tag: &str, others: &[String]) -> bool {
        matches!(self.selector, Selector::Semver { reading, .. } if moves_with(tag, reading, others))
    }

    /// Which versions are compared with one another: those of the shape of the range, else of what runs, else of most of
    /// the repository; numbers of builds, if they have no more digits than the next ones could have.
    pub(crate) fn alike(&self) -> Alike {
        match self.selector {
            Selector::Semver { allowed, .. } => {
                allowed.shape().or_else(|| self.shape()).map_or(Alike::Any, Alike::OfShape)
            }
            Selector::Number { .. } => self.digits().map_or(Alike::Any, |it| Alike::UpTo(it.max(3) + 1)),
            _ => Alike::Any,
        }
    }

    fn shape(&self) -> Option<Shape> {
        let read = |tag: &String| self.plain_version(tag);
        if let Some(running) = self.running.tag.as_ref().and_then(|tag| read(tag).or_else(|| self.dotted(tag))) {
            return Some(Shape::of(&running));
        }
        let mut shapes: Vec<Shape> =
            self.known().iter().flat_map(|it| &it.tags).filter_map(read).map(|it| Shape::of(&it)).collect();
        shapes.sort();
        shapes.dedup();
        match shapes[..] {
            [only] => Some(only),
            _ => self.most_common(Shape::of),
        }
    }

    /// How many digits the number of the build that runs has. A commit of nothing but digits has more, and would stay
    /// the highest number for ever.
    fn digits(&self) -> Option<usize> {
        let running = self.running.tag.as_ref().and_then(|it| self.version_of(it));
        let of_image = || self.known().iter().flat_map(|it| &it.tags).filter_map(|it| self.version_of(it)).min();
        running.or_else(of_image).as_ref().map(digits).or_else(|| self.most_common(digits))
    }

    /// What most versions of the repository have in common; of two, what was pushed last.
    fn most_common<T: Ord>(&self, of: impl Fn(&Version) -> T) -> Option<T> {
        let mut count: BTreeMap<T, (usize, Timestamp)> = BTreeMap::new();
        for image in self.images.iter().filter(|it| it.is_deployable()) {
            for version in image.tags.iter().filter_map(|it| self.version_of(it)) {
                let (times, last) = count.entry(of(&version)).or_insert((0, image.pushed_at));
                (*times, *last) = (*times + 1, image.pushed_at.max(*last));
            }
        }
        count.into_iter().max_by_key(|(_, seen)| *seen).map(|(it, _)| it)
    }

    /// Whether a candidate is newer than the image that runs; `None` if that cannot be told.
    pub(crate) fn compared(&self, it: &Candidate<'_>) -> Option<Ordering> {
        if self.running.elsewhere {
            return Some(Ordering::Greater);
        }
        let by_version = match (&it.version, self.running_version()) {
            (Some(version), Some(running)) if self.is_comparable(version, &running) => version.cmp(&running),
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

    fn is_comparable(&self, one: &Version, other: &Version) -> bool {
        matches!(self.selector, Selector::Number { .. }) || Shape::of(one) == Shape::of(other)
    }

    /// The version that runs: of several that its image holds the one that the rule allows; where no tag reads as a
    /// version, what comes closest, so that `1.5.0-rc.1` is not followed by `1.4.9`.
    fn running_version(&self) -> Option<Version> {
        if let Selector::Number { .. } = self.selector {
            let alike = self.alike();
            let of_image =
                || self.known()?.tags.iter().filter_map(|it| self.version_of(it)).filter(|it| alike.admits(it)).max();
            return self.running.tag.as_ref().and_then(|it| self.version_of(it)).max(of_image());
        }
        let known = self.known();
        let tags: Vec<&String> = match known {
            Some(known) if known.tags.iter().any(|it| self.closest(it).is_some()) => known.tags.iter().collect(),
            _ => self.running.tag.iter().collect(),
        };
        // A rule that got its prefix or suffix only now must still see the version that was deployed without it; where the
        // image has a tag with them as well, the others are about something else.
        let by_rule = tags.iter().any(|it| self.version_of(it).is_some());
        let read = |tag: &String| if by_rule { self.version_of(tag) } else { self.plain_version(tag) };
        let moving = |tag: &&&String| known.is_some_and(|it| self.is_moving(tag, &it.tags));
        let steady = || tags.iter().filter(|it| !moving(it));
        let alike = self.alike();
        let best = |read: &dyn Fn(&String) -> Option<Version>| {
            steady().filter_map(|it| read(it)).filter(|it| alike.admits(it)).max()
        };
        best(&|it| read(it).filter(|it| self.allows(it)))
            .or_else(|| steady().filter_map(|it| read(it)).max())
            .or_else(|| best(&|it| self.closest(it)))
    }

    /// The version that a tag stands for under a rule that goes by versions, whether its range allows it or not.
    pub(crate) fn version_of(&self, tag: &str) -> Option<Version> {
        match self.selector {
            Selector::Semver { reading, .. } => reading.version(tag),
            Selector::Number { prefix } => Some(Version::new(build_number(tag, prefix.as_deref())?, 0, 0)),
            Selector::Newest { .. } | Selector::Tag { .. } | Selector::Promote { .. } => None,
        }
    }

    /// The same, also of a tag without the prefix or suffix of the rule.
    pub(crate) fn plain_version(&self, tag: &str) -> Option<Version> {
        let plain = || matches!(self.selector, Selector::Semver { .. }).then(|| version(tag, None))?;
        self.version_of(tag).or_else(plain)
    }

    /// The version that a tag comes closest to.
    pub(crate) fn closest(&self, tag: &str) -> Option<Version> {
        let Selector::Semver { reading, .. } = self.selector else { return None };
        closest_version(reading.unprefixed(tag))
    }

    /// The same, if it has at least two numbers: a lone number tells nothing of a shape.
    fn dotted(&self, tag: &str) -> Option<Version> {
        let has_dot = tag.split_once('.').is_some_and(|(_, rest)| rest.starts_with(|it: char| it.is_ascii_digit()));
        self.closest(tag).filter(|_| has_dot)
    }

    /// The image that runs, if the repository still has it.
    pub(crate) fn known(&self) -> Option<&'a Image> {
        self.images.iter().find(|it| Some(&it.digest) == self.running.digest.as_ref())
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

/// Which versions are compared with one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alike {
    /// All.
    Any,
    /// Those of one shape.
    OfShape(Shape),
    /// Numbers of at most that many digits.
    UpTo(usize),
}

impl Alike {
    pub(crate) fn admits(self, version: &Version) -> bool {
        match self {
            Alike::Any => true,
            Alike::OfShape(shape) => Shape::of(version) == shape,
            Alike::UpTo(most) => digits(version) <= most,
        }
    }
}

fn digits(version: &Version) -> usize {
    version.major.to_string().len()
}
