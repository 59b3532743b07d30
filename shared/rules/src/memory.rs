//! What is remembered of an ECS service's deployments, as the values of tags on the service.
//!
//! Moments are RFC 3339 in UTC, to the millisecond.

use std::fmt;
use std::str::FromStr;

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};

use crate::tag::{BadTag, LONGEST, Reader};
use crate::{Digest, ShortDigest, keys};

const SHORT: &str = "the first 12 digits of a digest";
const DIGEST: &str = "sha256:DIGEST";
const MOMENT: &str = "2026-11-21T03:00:00Z";

/// `nightshift-state:rejected`: the image that is not to be tried again, and with it every image pushed before it.
///
/// `sha256:… pushed=2026-11-21T03:00:00Z by=ecs tag=v1.1.0`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The image.
    pub digest: Digest,
    /// When it was pushed.
    pub pushed_at: Timestamp,
    /// What people call it.
    pub tag: Option<String>,
    /// Who rejected it.
    pub by: Option<String>,
}

impl Rejected {
    /// Whether an image is rejected: this one, or one that was not pushed after it.
    ///
    /// After two bad pushes in a row the first must not come back when the second is rejected, so the newest rejection
    /// is memory enough.
    pub fn covers(&self, digest: &Digest, pushed_at: Timestamp) -> bool {
        // The tag keeps milliseconds, the registry may keep more.
        *digest == self.digest || pushed_at.as_millisecond() <= self.pushed_at.as_millisecond()
    }
}

/// `nightshift-state:approved`: the image that a person let out, and that what was known against it before then does
/// not count.
///
/// `sha256:… at=2026-11-21T03:00:00Z from=1a2b3c4d5e6f instead=0123456789ab`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// The image.
    pub digest: Digest,
    /// When it was approved.
    pub at: Timestamp,
    /// What ran then: as long as it does, the image is still to be deployed.
    pub from: Option<ShortDigest>,
    /// What the rule selected then: as long as the approved image runs, that one does not go out by itself.
    pub instead: Option<ShortDigest>,
    /// Written by earlier versions when a person forgave the image: that is not an approval.
    pub cleared: bool,
}

/// `nightshift-state:migrated`: the run of a migration that last ended well.
///
/// `ns-0123456789ab-0123456789abcdef at=2026-11-21T03:00:00Z`; the name holds the beginning of the image's digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// What the run was called.
    pub run: String,
    /// When it was found to have ended well.
    pub at: Timestamp,
}

/// `nightshift-state:verdict`: the image that was last found live.
///
/// `won sha256:… at=2026-11-21T03:00:00Z`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The image.
    pub digest: Digest,
    /// When it was found to be live.
    pub at: Timestamp,
}

/// `nightshift-state:rollback`: another function's wish to bring the service back.
///
/// `sha256:… by=alarm:api-5xx at=2026-11-21T03:00:00Z`; without a digest it is about whatever runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackWish {
    /// The image to go back from; if another one runs by now, the wish is pointless.
    pub digest: Option<Digest>,
    /// Who wishes it.
    pub by: String,
    /// When it was wished.
    pub at: Timestamp,
}

/// A moment as it stands in a tag: to the millisecond, which is what AWS's own moments have.
pub(crate) fn written(moment: Timestamp) -> Timestamp {
    let to_milliseconds = TimestampRound::new().smallest(Unit::Millisecond).mode(RoundMode::Trunc);
    moment.round(to_milliseconds).unwrap_or(moment)
}

fn digest(tag: &mut Reader<'_>) -> Result<Option<Digest>, BadTag> {
    let Some(word) = tag.word() else { return Ok(None) };
    word.parse().map(Some).map_err(|_| tag.bad_word(word, &[DIGEST]))
}

fn needed(tag: &mut Reader<'_>) -> Result<Digest, BadTag> {
    digest(tag)?.ok_or_else(|| tag.bad("no digest", DIGEST))
}

impl FromStr for Rejected {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::REJECTED, value)?;
        let rejected = Rejected {
            digest: needed(&mut tag)?,
            pushed_at: tag.required("pushed", MOMENT)?,
            tag: tag.option("tag").map(str::to_owned),
            by: tag.option("by").map(str::to_owned),
        };
        tag.finish().map(|()| rejected)
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = format!("{} pushed={}", self.digest, written(self.pushed_at));
        // These two are for people: one that does not fit into a tag is left out.
        for (name, text) in [("by", &self.by), ("tag", &self.tag)] {
            if let Some(text) = text
                && value.len() + name.len() + text.len() + 2 <= LONGEST
            {
                value += &format!(" {name}={text}");
            }
        }
        f.write_str(&value)
    }
}

impl FromStr for Approved {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::APPROVED, value)?;
        let approved = Approved {
            digest: needed(&mut tag)?,
            at: tag.required("at", MOMENT)?,
            from: tag.parsed("from", SHORT)?,
            instead: tag.parsed("instead", SHORT)?,
            cleared: tag.parsed("cleared", "true")?.unwrap_or_default(),
        };
        tag.finish().map(|()| approved)
    }
}

impl fmt::Display for Approved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at={}", self.digest, written(self.at))?;
        self.from.iter().try_for_each(|it| write!(f, " from={it}"))?;
        self.instead.iter().try_for_each(|it| write!(f, " instead={it}"))?;
        if self.cleared { f.write_str(" cleared=true") } else { Ok(()) }
    }
}

impl FromStr for Migrated {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::MIGRATED, value)?;
        let Some(run) = tag.word() else { return Err(tag.bad("no run", "ns-NAME")) };
        let migrated = Migrated { run: run.to_owned(), at: tag.required("at", MOMENT)? };
        tag.finish().map(|()| migrated)
    }
}

impl fmt::Display for Migrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at={}", self.run, written(self.at))
    }
}

impl FromStr for Verdict {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::VERDICT, value)?;
        match tag.word() {
            Some("won") => {}
            Some(other) => return Err(tag.bad_word(other, &["won"])),
            None => return Err(tag.bad("no word", "won")),
        }
        let verdict = Verdict { digest: needed(&mut tag)?, at: tag.required("at", MOMENT)? };
        tag.finish().map(|()| verdict)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "won {} at={}", self.digest, written(self.at))
    }
}

impl FromStr for RollbackWish {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::ROLLBACK, value)?;
        let wish = RollbackWish {
            digest: digest(&mut tag)?,
            by: tag.required("by", "NAME")?,
            at: tag.required("at", MOMENT)?,
        };
        tag.finish().map(|()| wish)
    }
}

impl fmt::Display for RollbackWish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digest.iter().try_for_each(|it| write!(f, "{it} "))?;
        write!(f, "by={} at={}", self.by, written(self.at))
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

    proptest! {
        #[test]
        fn what_is_remembered_is_read_back_and_fits_a_tag(
            digest in digests(), at in moments(), name in "[a-zA-Z0-9._:/@+-]{1,60}", some in any::<bool>()
        ) {
            let rejected = Rejected {
                digest: digest.clone(), pushed_at: at, tag: some.then(|| name.clone()), by: some.then(|| "ecs".into()),
            };
            prop_assert!(rejected.to_string().len() <= 256);
            prop_assert_eq!(rejected.to_string().parse(), Ok(rejected));
            let approved = Approved {
                digest: digest.clone(), at, from: some.then(|| ShortDigest::of(&digest)),
                instead: (!some).then(|| ShortDigest::of(&digest)), cleared: some,
            };
            prop_assert_eq!(approved.to_string().parse(), Ok(approved));
            let verdict = Verdict { digest: digest.clone(), at };
            prop_assert_eq!(verdict.to_string().parse(), Ok(verdict));
            let migrated = Migrated { run: name.clone(), at };
            prop_assert_eq!(migrated.to_string().parse(), Ok(migrated));
            let wish = RollbackWish { digest: some.then_some(digest), by: name, at };
            prop_assert_eq!(wish.to_string().parse(), Ok(wish));
        }

        #[test]
        fn no_value_makes_it_panic(value in any::<String>()) {
            let _ = (value.parse::<Rejected>(), value.parse::<Approved>(), value.parse::<Verdict>(), value.parse::<Migrated>());
            let _ = value.parse::<RollbackWish>();
        }

        #[test]
        fn a_rejection_covers_its_image_and_all_pushed_before_it(
            rejected in digests(), other in digests(), pushed in moments(), since in -2000..2000i64
        ) {
            let rejected = Rejected { digest: rejected, pushed_at: pushed, tag: None, by: None };
            let rejected: Rejected = rejected.to_string().parse().unwrap();
            let other_pushed = Timestamp::from_millisecond(pushed.as_millisecond() + since).unwrap();
            prop_assert!(rejected.covers(&rejected.digest, other_pushed));
            prop_assert_eq!(rejected.covers(&other, other_pushed), since <= 0 || other == rejected.digest);
        }
    }

    #[test]
    fn what_does_not_fit_into_a_tag_is_left_out() {
        let digest: Digest = format!("sha256:{:064x}", 1).parse().unwrap();
        let pushed_at = "2026-11-21T03:00:00Z".parse().unwrap();
        let rejected = Rejected { digest, pushed_at, tag: Some("t".repeat(128)), by: Some("a".repeat(100)) };
        assert!(rejected.to_string().len() <= 256);
        assert_eq!(rejected.to_string().parse(), Ok(Rejected { tag: None, ..rejected }));
    }

    #[test]
    fn a_memory_that_somebody_changed_is_refused_with_what_is_accepted() {
        let digest = format!("sha256:{:064x}", 1);
        for (value, error) in [
            (
                digest.clone(),
                format!("nightshift-state:rejected: no option 'pushed' in '{digest}'; accepted: pushed={MOMENT}"),
            ),
            ("v1".into(), "nightshift-state:rejected: unknown word 'v1' in 'v1'; accepted: sha256:DIGEST".into()),
            (String::new(), "nightshift-state:rejected: no digest in ''; accepted: sha256:DIGEST".into()),
        ] {
            assert_eq!(value.parse::<Rejected>().unwrap_err().to_string(), error);
        }
    }
}
