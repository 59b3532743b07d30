//! What an instance remembers of the compose service on it, as the values of two tags.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::memory::written;
use crate::tag::{BadTag, LONGEST, Reader};
use crate::{Digest, ShortDigest, keys};

const DIGEST: &str = "sha256:DIGEST";
const SHORT: &str = "the last 12 digits of a digest";
const MOMENT: &str = "2026-11-21T03:00:00Z";

/// `nightshift-state:runs`: the image that the instance was found to run, as it was read back from it.
///
/// `sha256:… at=2026-11-21T03:00:00Z before=1a2b3c4d5e6f tag=v1.1.0`, or `none` where no container of the service ran;
/// `failed=ID` names the command that could not restore what ran before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runs {
    /// The image; `None` if no container of the service ran.
    pub digest: Option<Digest>,
    /// When that was read back.
    pub at: Timestamp,
    /// The image that ran before it, and that can be gone back to.
    pub before: Option<ShortDigest>,
    /// What people called it when it was deployed.
    pub tag: Option<String>,
    /// The command that left the service broken, if one did.
    pub failed: Option<String>,
    /// The [place](super::ComposeRule::place) where it runs, where that is known.
    pub of: Option<String>,
}

/// What a command is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Reads back what runs.
    Look,
    /// Deploys this image.
    Deploy(Digest),
    /// Deploys this image again, which ran before.
    GoBack(Digest),
}

/// `nightshift-state:command`: the command that was sent to the instance, written before it is sent.
///
/// `deploy sha256:… key=ns-1a2b3c4d-1 at=2026-11-21T03:00:00Z`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// What it is for.
    pub intent: Intent,
    /// What stands in its comment: by that it is found again, since a command has no name of its own.
    pub key: String,
    /// When it was decided.
    pub at: Timestamp,
    /// One before it, for the same, did not get through: people were told of that, and are not told anew.
    pub again: bool,
    /// The [place](super::ComposeRule::place) that it changes or looks at, where that is known.
    pub of: Option<String>,
    /// The instance that it was sent to: only on the Auto Scaling group of the instance.
    pub on: Option<String>,
}

impl Intent {
    /// The image that it deploys, if it deploys one.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Intent::Look => None,
            Intent::Deploy(digest) | Intent::GoBack(digest) => Some(digest),
        }
    }
}

impl FromStr for Runs {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::RUNS, value)?;
        let digest = match tag.word() {
            Some("none") => None,
            Some(word) => Some(word.parse().map_err(|_| tag.bad_word(word, &[DIGEST, "none"]))?),
            None => return Err(tag.bad("no digest", format!("{DIGEST}, none"))),
        };
        let runs = Runs {
            digest,
            at: tag.required("at", MOMENT)?,
            before: tag.parsed("before", SHORT)?,
            tag: tag.option("tag").map(str::to_owned),
            failed: tag.option("failed").map(str::to_owned),
            of: tag.option("of").map(str::to_owned),
        };
        tag.finish().map(|()| runs)
    }
}

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = match &self.digest {
            Some(digest) => digest.to_string(),
            None => "none".into(),
        };
        value += &format!(" at={}", written(self.at));
        let before = self.before.as_ref().map(|it| it.usual().to_owned());
        // The tag is for people: one that does not fit is left out.
        for (name, text) in [("failed", &self.failed), ("before", &before), ("of", &self.of), ("tag", &self.tag)] {
            if let Some(text) = text
                && value.len() + name.len() + text.len() + 2 <= LONGEST
            {
                value += &format!(" {name}={text}");
            }
        }
        f.write_str(&value)
    }
}

impl FromStr for Ordered {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::COMMAND, value)?;
        let kind = tag.word().ok_or_else(|| tag.bad("no word", "look, deploy, go-back"))?;
        let mut digest = || match tag.word() {
            Some(word) => word.parse().map_err(|_| tag.bad_word(word, &[DIGEST])),
            None => Err(tag.bad("no digest", DIGEST)),
        };
        let intent = match kind {
            "look" => Intent::Look,
            "deploy" => Intent::Deploy(digest()?),
            "go-back" => Intent::GoBack(digest()?),
            other => return Err(tag.bad_word(other, &["look", "deploy", "go-back"])),
        };
        let key = tag.required::<String>("key", "ns-KEY")?;
        let (at, again) = (tag.required("at", MOMENT)?, tag.parsed("again", "true")?.unwrap_or_default());
        let option = |tag: &mut Reader<'_>, name| tag.option(name).map(str::to_owned);
        let (of, on) = (option(&mut tag, "of"), option(&mut tag, "on"));
        let ordered = Ordered { intent, key, at, again, of, on };
        tag.finish().map(|()| ordered)
    }
}

impl fmt::Display for Ordered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.intent {
            Intent::Look => f.write_str("look")?,
            Intent::Deploy(digest) => write!(f, "deploy {digest}")?,
            Intent::GoBack(digest) => write!(f, "go-back {digest}")?,
        }
        write!(f, " key={} at={}", self.key, written(self.at))?;
        if self.again {
            f.write_str(" again=true")?;
        }
        self.of.iter().try_for_each(|it| write!(f, " of={it}"))?;
        self.on.iter().try_for_each(|it| write!(f, " on={it}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(number: u64) -> Digest {
        format!("sha256:{number:064x}").parse().unwrap()
    }

    #[test]
    fn a_memory_that_was_changed_by_hand_is_refused_with_what_is_accepted() {
        let runs = |value: &str| value.parse::<Runs>().unwrap_err().to_string();
        assert_eq!(runs(""), "nightshift-state:runs: no digest in ''; accepted: sha256:DIGEST, none");
        assert_eq!(runs("v1"), "nightshift-state:runs: unknown word 'v1' in 'v1'; accepted: sha256:DIGEST, none");
        let ordered = |value: &str| value.parse::<Ordered>().unwrap_err().to_string();
        assert!(ordered("pull").starts_with("nightshift-state:command: unknown word 'pull'"), "{}", ordered("pull"));
        assert!(ordered("deploy key=a").contains("no digest"), "{}", ordered("deploy key=a"));
        assert!(ordered("look key=a").contains("no option 'at'"), "{}", ordered("look key=a"));
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_read_back_and_fits_a_tag(
            number in any::<u64>(), second in 0..4_000_000_000i64, tag in prop::option::of("[a-zA-Z0-9._-]{1,128}"),
            shape in 0..6u8
        ) {
            let at = Timestamp::from_second(second).unwrap();
            let runs = Runs {
                digest: (shape % 2 == 0).then(|| digest(number)),
                at,
                before: (shape > 2).then(|| ShortDigest::of(&digest(number / 2))),
                tag,
                failed: (shape > 3).then(|| "e8d3c0e4-71f7-4491-898f-c9b35bee5f3b".into()),
                of: (shape > 2).then(|| "1a2b3c4d".into()),
            };
            prop_assert!(runs.to_string().len() <= LONGEST);
            let read: Runs = runs.to_string().parse().unwrap();
            let kept = Runs { tag: read.tag.clone(), ..runs };
            prop_assert_eq!(read, kept);
            let intent = match shape % 3 {
                0 => Intent::Look,
                1 => Intent::Deploy(digest(number)),
                _ => Intent::GoBack(digest(number)),
            };
            let ordered = Ordered {
                intent,
                key: format!("ns-{number:x}"),
                at,
                again: shape > 3,
                of: (shape > 2).then(|| "1a2b3c4d".into()),
                on: (shape > 4).then(|| "i-0123456789abcdef0".into()),
            };
            prop_assert!(ordered.to_string().len() <= LONGEST);
            prop_assert_eq!(ordered.to_string().parse::<Ordered>().unwrap(), ordered);
        }
    }
}
