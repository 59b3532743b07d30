//! What is remembered of an ECS service's deployments, as the values of tags on the service.
//!
//! Moments are RFC 3339 in UTC, to the millisecond.

use std::fmt;
use std::str::FromStr;

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};

use crate::tag::{BadTag, Reader};
use crate::{Digest, ShortDigest, keys};

const SHORT: &str = "the last 12 digits of a digest";
const DIGEST: &str = "sha256:DIGEST";
const MOMENT: &str = "2026-11-21T03:00:00Z";

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
    /// It goes out although it has not been live for long enough where it is promoted from.
    pub now: bool,
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

/// `nightshift-state:verdict` before there is one: all traffic is on the image, and the tasks of before still run.
///
/// `shifted sha256:…`; as a [`Verdict`] it cannot be read, so whoever asks whether the image is live hears that it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shifted {
    /// The image.
    pub digest: Digest,
}

/// `nightshift-state:rollback`: another function's request to roll the service back.
///
/// `sha256:… by=alarm:api-5xx at=2026-11-21T03:00:00Z`; without a digest it is about whatever runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackIntent {
    /// The image to go back from; if another one runs by now, the request has no effect.
    pub digest: Option<Digest>,
    /// Who asks for it.
    pub by: String,
    /// When it was asked for.
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
            now: tag.parsed("now", "true")?.unwrap_or_default(),
        };
        tag.finish().map(|()| approved)
    }
}

impl fmt::Display for Approved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at={}", self.digest, written(self.at))?;
        self.from.iter().try_for_each(|it| write!(f, " from={it}"))?;
        self.instead.iter().try_for_each(|it| write!(f, " instead={it}"))?;
        if self.cleared {
            f.write_str(" cleared=true")?;
        }
        if self.now { f.write_str(" now=true") } else { Ok(()) }
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

impl Shifted {
    /// What the tag says, if it says this and not a verdict.
    pub fn read(value: &str) -> Option<Self> {
        let digest = value.trim().strip_prefix("shifted ")?.parse().ok()?;
        Some(Shifted { digest })
    }
}

impl fmt::Display for Shifted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shifted {}", self.digest)
    }
}

impl FromStr for RollbackIntent {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::ROLLBACK, value)?;
        let request = RollbackIntent {
            digest: digest(&mut tag)?,
            by: tag.required("by", "NAME")?,
            at: tag.required("at", MOMENT)?,
        };
        tag.finish().map(|()| request)
    }
}

impl fmt::Display for RollbackIntent {
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
            let approved = Approved {
                digest: digest.clone(), at, from: some.then(|| ShortDigest::of(&digest)),
                instead: (!some).then(|| ShortDigest::of(&digest)), cleared: some, now: !some,
            };
            prop_assert_eq!(approved.to_string().parse(), Ok(approved));
            let verdict = Verdict { digest: digest.clone(), at };
            prop_assert_eq!(Shifted::read(&verdict.to_string()), None);
            prop_assert_eq!(verdict.to_string().parse(), Ok(verdict));
            let shifted = Shifted { digest: digest.clone() };
            prop_assert!(shifted.to_string().parse::<Verdict>().is_err());
            prop_assert_eq!(Shifted::read(&shifted.to_string()), Some(shifted));
            let migrated = Migrated { run: name.clone(), at };
            prop_assert_eq!(migrated.to_string().parse(), Ok(migrated));
            let request = RollbackIntent { digest: some.then_some(digest), by: name, at };
            prop_assert_eq!(request.to_string().parse(), Ok(request));
        }

        #[test]
        fn no_value_makes_it_panic(value in any::<String>()) {
            let _ = (value.parse::<Approved>(), value.parse::<Verdict>(), value.parse::<Migrated>());
            let _ = value.parse::<RollbackIntent>();
        }
    }

    #[test]
    fn a_memory_that_was_changed_by_hand_is_refused_with_what_is_accepted() {
        let digest = format!("sha256:{:064x}", 1);
        for (value, error) in [
            (digest.clone(), format!("nightshift-state:approved: no option 'at' in '{digest}'; accepted: at={MOMENT}")),
            ("v1".into(), "nightshift-state:approved: unknown word 'v1' in 'v1'; accepted: sha256:DIGEST".into()),
            (String::new(), "nightshift-state:approved: no digest in ''; accepted: sha256:DIGEST".into()),
        ] {
            assert_eq!(value.parse::<Approved>().unwrap_err().to_string(), error);
        }
    }
}
