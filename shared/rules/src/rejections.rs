//! Which images of an ECS service are rejected, and which were forgiven, as the values of two tags on the service.
//!
//! A rejection forbids one image and no other. What is older than a rejected image does not go out by itself either, so
//! that after two bad pushes the first does not come back; a person may still let it out.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::memory::written;
use crate::tag::{BadTag, LONGEST, Reader};
use crate::{Digest, ShortDigest, keys};

const DIGESTS: &str = "the last 12 digits of digests";
const MOMENT: &str = "2026-11-21T03:00:00Z";

/// `nightshift-state:rejected`: the images that are not tried again, the one that was rejected last at the end.
///
/// `sha256:… pushed=2026-11-21T03:00:00Z by=ecs tag=v1.1.0`, or of several the last digits of each:
/// `1a2b3c4d5e6f 0123456789ab pushed=2026-11-21T03:00:00Z by=ecs tag=v1.1.0`
///
/// Earlier versions wrote one image, in the same way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejections {
    /// The images.
    pub images: Vec<ShortDigest>,
    /// None of them was pushed after this: it is what is left of an image that is gone from the registry.
    pub pushed_at: Option<Timestamp>,
    /// What people call the last one.
    pub tag: Option<String>,
    /// Who rejected the last one.
    pub by: Option<String>,
    /// People may not have been told of the last one: the run that rejected it ended before that.
    pub untold: bool,
}

/// An image that is being rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The image.
    pub digest: Digest,
    /// When it was pushed.
    pub pushed_at: Timestamp,
    /// What people call it.
    pub tag: Option<String>,
    /// Who rejects it.
    pub by: String,
}

impl Rejections {
    /// Whether this very image is rejected.
    pub fn covers(&self, digest: &Digest) -> bool {
        self.images.iter().any(|it| it.is(digest))
    }

    /// The one that was rejected last.
    pub fn last(&self) -> Option<&ShortDigest> {
        self.images.last()
    }

    /// Adds an image. Where a tag has no room left, the oldest ones go that the registry no longer has, and only if all
    /// of them are still there, the oldest one: what is older than the newest stays back by itself anyway.
    pub fn add(&mut self, rejection: Rejection, is_there: impl Fn(&ShortDigest) -> bool) {
        let Rejection { digest, pushed_at, tag, by } = rejection;
        self.images.retain(|it| !it.is(&digest));
        self.images.push(ShortDigest::whole(&digest));
        self.pushed_at = self.pushed_at.max(Some(pushed_at));
        (self.tag, self.by, self.untold) = (tag, Some(by), true);
        self.shorten(is_there);
    }

    /// Adds what another memory rejects, of which people were told there: as the older ones, so that the last one stays.
    pub fn include(&mut self, other: &Rejections, is_there: impl Fn(&ShortDigest) -> bool) {
        if self.images.is_empty() {
            *self = Rejections { untold: false, ..other.clone() };
            return;
        }
        let known = |it: &&ShortDigest| !self.images.iter().any(|own| own.shortest() == it.shortest());
        let more: Vec<ShortDigest> = other.images.iter().filter(known).cloned().collect();
        self.images.splice(0..0, more);
        self.pushed_at = self.pushed_at.max(other.pushed_at);
        self.shorten(is_there);
    }

    fn shorten(&mut self, is_there: impl Fn(&ShortDigest) -> bool) {
        while self.images.len() > 1 && !self.fits() {
            let older = &self.images[..self.images.len() - 1];
            let gone = older.iter().position(|it| !is_there(it));
            self.images.remove(gone.unwrap_or(0));
        }
    }

    /// Forgives an image. `pushed` says when the others were pushed, as far as the registry still has them.
    pub fn remove(&mut self, digest: &Digest, pushed: impl Fn(&ShortDigest) -> Option<Timestamp>) {
        self.untold = false;
        if self.last().is_some_and(|it| it.is(digest)) {
            (self.tag, self.by) = (None, None);
        }
        self.images.retain(|it| !it.is(digest));
        let known: Vec<Option<Timestamp>> = self.images.iter().map(pushed).collect();
        // One that is gone may have been the newest, and then nothing else tells of it.
        if known.iter().all(Option::is_some) {
            self.pushed_at = known.into_iter().flatten().max();
        }
    }

    /// The value of the tag; `None` where nothing is rejected.
    pub fn value(&self) -> Option<String> {
        (!self.images.is_empty()).then(|| self.to_string())
    }

    fn fits(&self) -> bool {
        self.shortest().len() <= LONGEST
    }

    fn shortest(&self) -> String {
        self.with(&self.images.iter().map(|it| it.shortest().to_owned()).collect::<Vec<_>>())
    }

    fn with(&self, digests: &[String]) -> String {
        let pushed = self.pushed_at.map(|it| format!(" pushed={}", written(it))).unwrap_or_default();
        digests.join(" ") + &pushed
    }
}

impl FromStr for Rejections {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::REJECTED, value)?;
        let mut images: Vec<ShortDigest> = Vec::new();
        while let Some(word) = tag.word() {
            images.push(word.parse().map_err(|_| tag.bad_word(word, &[DIGESTS]))?);
        }
        if images.is_empty() {
            return Err(tag.bad("no digest", DIGESTS));
        }
        let rejections = Rejections {
            images,
            pushed_at: tag.parsed("pushed", MOMENT)?,
            tag: tag.option("tag").map(str::to_owned),
            by: tag.option("by").map(str::to_owned),
            untold: tag.option("told") == Some("no"),
        };
        tag.finish().map(|()| rejections)
    }
}

impl fmt::Display for Rejections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Where there is room for whole digests, they tell people more.
        let usual = self.images.iter().map(|it| it.usual().to_owned()).collect::<Vec<_>>();
        let mut value = match &self.images[..] {
            [only] if only.to_string().len() == 64 => self.with(&[format!("sha256:{only}")]),
            _ => self.with(&usual),
        };
        if value.len() > LONGEST {
            value = self.shortest();
        }
        // These are for people: one that does not fit into a tag is left out.
        let told = self.untold.then(|| "no".to_owned());
        for (name, text) in [("told", &told), ("by", &self.by), ("tag", &self.tag)] {
            if let Some(text) = text
                && value.len() + name.len() + text.len() + 2 <= LONGEST
            {
                value += &format!(" {name}={text}");
            }
        }
        f.write_str(&value)
    }
}

/// `nightshift-state:cleared`: the images that a person forgave, each with the moment: what is known against them from
/// before then does not count.
///
/// `1a2b3c4d5e6f@2026-11-21T03:00:00Z`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleared {
    images: Vec<(ShortDigest, Timestamp)>,
}

impl Cleared {
    /// Adds an image; the oldest go where a tag has no room left.
    pub fn add(&mut self, digest: &Digest, at: Timestamp) {
        self.images.retain(|(it, _)| !it.is(digest));
        self.images.push((ShortDigest::of(digest), written(at)));
        while self.to_string().len() > LONGEST {
            self.images.remove(0);
        }
    }

    /// When the image was forgiven, if it was.
    pub fn at(&self, digest: &Digest) -> Option<Timestamp> {
        self.images.iter().rfind(|(it, _)| it.is(digest)).map(|(_, at)| *at)
    }
}

impl FromStr for Cleared {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        const ACCEPTED: &str = "the last 12 digits of a digest, @ and a moment such as 2026-11-21T03:00:00Z";
        let mut tag = Reader::new(keys::CLEARED, value)?;
        let mut images = Vec::new();
        while let Some(word) = tag.word() {
            let read = || {
                let (digest, at) = word.split_once('@')?;
                Some((digest.parse().ok()?, at.parse().ok()?))
            };
            images.push(read().ok_or_else(|| tag.bad_word(word, &[ACCEPTED]))?);
        }
        if images.is_empty() {
            return Err(tag.bad("no digest", ACCEPTED));
        }
        tag.finish().map(|()| Cleared { images })
    }
}

impl fmt::Display for Cleared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.images.iter().map(|(digest, at)| format!("{digest}@{at}")).collect();
        f.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digests() -> impl Strategy<Value = Digest> {
        "[0-9a-f]{64}".prop_map(|it| format!("sha256:{it}").parse().unwrap())
    }

    fn moments() -> impl Strategy<Value = Timestamp> {
        (0..4_000_000_000_000i64).prop_map(|it| Timestamp::from_millisecond(it).unwrap())
    }

    fn rejection(number: u64, pushed: i64) -> Rejection {
        Rejection {
            digest: format!("sha256:{number:064x}").parse().unwrap(),
            pushed_at: Timestamp::from_second(pushed).unwrap(),
            tag: Some(format!("v1.{number}.0")),
            by: "person".into(),
        }
    }

    #[test]
    fn a_rejection_is_of_one_image() {
        let mut rejections = Rejections::default();
        rejections.add(rejection(1 << 20, 100), |_| true);
        rejections.add(rejection(2 << 20, 50), |_| true);
        assert_eq!(
            rejections.to_string(),
            "000000100000 000000200000 pushed=1970-01-01T00:01:40Z told=no by=person tag=v1.2097152.0"
        );
        // Once people were told of it, it says nothing of that.
        let told = Rejections { untold: false, ..rejections.to_string().parse().unwrap() };
        assert_eq!(
            told.to_string(),
            "000000100000 000000200000 pushed=1970-01-01T00:01:40Z by=person tag=v1.2097152.0"
        );
        assert!(rejections.covers(&rejection(1 << 20, 0).digest) && rejections.covers(&rejection(2 << 20, 0).digest));
        assert!(!rejections.covers(&rejection(3 << 20, 0).digest));
        assert!(rejections.to_string().parse::<Rejections>().unwrap().covers(&rejection(1 << 20, 0).digest));
        rejections.remove(&rejection(2 << 20, 0).digest, |_| None);
        assert_eq!(
            rejections.to_string(),
            format!("{} pushed=1970-01-01T00:01:40Z", rejection(1 << 20, 0).digest),
            "what is gone stays a limit"
        );
        rejections.remove(&rejection(1 << 20, 0).digest, |_| None);
        assert_eq!((rejections.value(), rejections.pushed_at), (None, None));
    }

    #[test]
    fn what_another_memory_rejects_is_older_than_the_last_one_and_is_added_once() {
        let of = |numbers: std::ops::RangeInclusive<u64>| {
            let mut rejections = Rejections::default();
            numbers.for_each(|it| rejections.add(rejection(it << 20, it as i64), |_| true));
            rejections
        };
        let mut own = of(3..=3);
        own.include(&of(1..=4), |_| true);
        let words = "000000100000 000000200000 000000400000 000000300000";
        assert_eq!(own.to_string(), format!("{words} pushed=1970-01-01T00:00:04Z told=no by=person tag=v1.3145728.0"));
        // What is read from the tag has fewer digits, and is the same.
        let mut read: Rejections = own.to_string().parse().unwrap();
        read.include(&own, |_| true);
        assert_eq!(read.to_string(), own.to_string());
        let mut none = Rejections::default();
        none.include(&own, |_| true);
        assert_eq!(none, Rejections { untold: false, ..own });
        let (mut many, more) = (of(1..=30), of(40..=70));
        many.include(&more, |_| true);
        let once = many.to_string();
        assert!(once.len() <= LONGEST && many.covers(&rejection(30 << 20, 0).digest));
        many.include(&more, |_| true);
        assert_eq!(many.to_string(), once, "it comes to rest");
    }

    #[test]
    fn what_an_earlier_version_wrote_is_still_read() {
        let digest = format!("sha256:{}", "1a2b3c4d".repeat(8));
        let read: Rejections = format!("{digest} pushed=2026-11-21T03:00:00Z by=hand tag=v1.1.0").parse().unwrap();
        assert!(read.covers(&digest.parse().unwrap()));
        assert_eq!(read.to_string(), format!("{digest} pushed=2026-11-21T03:00:00Z by=hand tag=v1.1.0"));
    }

    #[test]
    fn many_rejections_fit_a_tag_and_those_of_images_that_are_gone_go_first() {
        let mut rejections = Rejections::default();
        let number = |it: u64| rejection(it, it as i64);
        for it in 1..=40 {
            rejections.add(number(it), |short| !short.is(&number(5).digest));
            assert!(rejections.to_string().len() <= LONGEST);
            assert_eq!(rejections.to_string().parse::<Rejections>().unwrap().images.len(), rejections.images.len());
        }
        assert!(rejections.images.len() >= 24, "{rejections}");
        assert!(!rejections.covers(&number(5).digest) && rejections.covers(&number(40).digest));
        assert_eq!(rejections.pushed_at, Some(Timestamp::from_second(40).unwrap()));
    }

    #[test]
    fn a_memory_that_was_changed_by_hand_is_refused_with_what_is_accepted() {
        let read = |value: &str| value.parse::<Rejections>().unwrap_err().to_string();
        assert_eq!(read(""), format!("nightshift-state:rejected: no digest in ''; accepted: {DIGESTS}"));
        assert_eq!(read("v1"), format!("nightshift-state:rejected: unknown word 'v1' in 'v1'; accepted: {DIGESTS}"));
        let read = |value: &str| value.parse::<Cleared>().unwrap_err().to_string();
        assert!(read("1a2b3c4d").starts_with("nightshift-state:cleared: unknown word '1a2b3c4d'"));
        assert!(read("").starts_with("nightshift-state:cleared: no digest in ''"));
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_read_back_and_fits_a_tag(
            digests in prop::collection::vec((digests(), moments()), 1..40), tag in "[a-zA-Z0-9._-]{1,128}", by in "[a-z:-]{1,100}"
        ) {
            let (mut rejections, mut cleared) = (Rejections::default(), Cleared::default());
            for (digest, pushed_at) in &digests {
                let rejection = Rejection { digest: digest.clone(), pushed_at: *pushed_at, tag: Some(tag.clone()), by: by.clone() };
                rejections.add(rejection, |_| true);
                cleared.add(digest, *pushed_at);
                let read: Rejections = rejections.to_string().parse().unwrap();
                prop_assert!(rejections.to_string().len() <= LONGEST && cleared.to_string().len() <= LONGEST);
                prop_assert!(read.covers(digest), "{}", rejections);
                prop_assert_eq!(read.pushed_at, rejections.pushed_at.map(written));
                prop_assert_eq!(cleared.to_string().parse::<Cleared>().unwrap().at(digest), Some(*pushed_at));
            }
            let last = digests.last().unwrap().0.clone();
            rejections.remove(&last, |_| None);
            prop_assert!(!rejections.covers(&last));
        }

        #[test]
        fn no_value_makes_it_panic(value in any::<String>(), words in "[0-9a-f@:. =-]{0,60}") {
            for value in [value, words] {
                let _ = (value.parse::<Rejections>(), value.parse::<Cleared>());
            }
        }
    }
}
