//! Which image of a repository a person asks for: the words that `nightshift:deploy` begins with.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;

use crate::ServiceName;
use crate::length::in_minutes;
use crate::soak::{LENGTH, Length};
use crate::tag::{BadTag, Reader};
use crate::version::{Allowed, Range, Reading};

/// Which image of the repository is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// The one that was pushed last.
    Newest {
        /// What its tag has to begin with.
        prefix: Option<String>,
        /// What its tag has to end with.
        suffix: Option<String>,
        /// Tags that do not count: an image with no other tag is never chosen.
        except: Vec<String>,
    },
    /// The one with the highest version.
    Semver {
        /// How a tag reads as a version.
        reading: Reading,
        /// The versions that are allowed.
        allowed: Allowed,
    },
    /// The one with the highest number of a build.
    Number {
        /// What its tag has to begin with.
        prefix: Option<String>,
    },
    /// Whatever image holds this tag.
    Tag {
        /// The tag.
        name: String,
    },
    /// The one that has been live on another service.
    Promote {
        /// That service.
        from: ServiceName,
        /// For how long it has to be live there, while that service is awake.
        soak: SignedDuration,
    },
}

const SELECTORS: [&str; 5] = ["newest", "semver", "number", "tag", "promote"];

impl Selector {
    /// The selector that a tag begins with, and its options.
    pub(crate) fn read(tag: &mut Reader<'_>) -> Result<Self, BadTag> {
        let text = |it: Option<&str>| it.map(str::to_owned);
        Ok(match tag.word() {
            Some("newest") => Selector::Newest {
                prefix: text(tag.option("prefix")),
                suffix: text(tag.option("suffix")),
                except: tag.parsed::<Names>("except", "TAG, or several: latest+dev")?.map_or_else(Vec::new, |it| it.0),
            },
            Some("semver") => {
                let allowed = Allowed {
                    range: tag.parsed("range", "1.x, 1.2.x or 1.2.3")?,
                    from: tag.parsed("from", "1, 1.2 or 1.2.3")?,
                    below: tag.parsed("below", "1, 1.2 or 1.2.3")?,
                };
                if let Some((fault, accepted)) = allowed.fault() {
                    return Err(tag.bad(fault, accepted));
                }
                let reading = Reading {
                    prefix: text(tag.option("prefix")),
                    suffix: text(tag.option("suffix")),
                    channel: tag.parsed::<Channel>("channel", "the name of a pre-release, such as rc")?.map(|it| it.0),
                };
                Selector::Semver { reading, allowed }
            }
            Some("number") => Selector::Number { prefix: text(tag.option("prefix")) },
            Some("tag") => Selector::Tag { name: tag.required("name", "TAG")? },
            Some("promote") => Selector::Promote {
                from: tag.required("from", "CLUSTER/SERVICE")?,
                soak: tag.required::<Length>("soak", LENGTH)?.0,
            },
            Some(other) => {
                let mut error = tag.bad_word(other, &SELECTORS);
                if let Some(meant) = meant(other) {
                    error.suggest(&meant);
                }
                return Err(error);
            }
            None => return Err(tag.bad("no selector", SELECTORS.join(", "))),
        })
    }
}

/// Tags that many repositories move from image to image.
const MOVING: [&str; 9] = ["latest", "stable", "main", "master", "dev", "develop", "staging", "prod", "production"];

/// The selector that a person most likely means who writes a tag, or a range of versions, in its place.
fn meant(word: &str) -> Option<String> {
    let is_range = word.trim_start_matches('v').parse::<Range>().is_ok();
    match is_range {
        true => Some(format!("semver range={}", word.trim_start_matches('v'))),
        false => MOVING.contains(&word).then(|| format!("tag name={word}")),
    }
}

/// Tags joined by `+`, which a tag of an image cannot hold.
struct Names(Vec<String>);

impl FromStr for Names {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let names: Vec<String> = text.split('+').map(str::to_owned).collect();
        if names.iter().any(String::is_empty) { Err(()) } else { Ok(Names(names)) }
    }
}

struct Channel(String);

impl FromStr for Channel {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let fine = text.bytes().all(|it| it.is_ascii_alphabetic());
        if fine { Ok(Channel(text.into())) } else { Err(()) }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let option = |f: &mut fmt::Formatter<'_>, name: &str, value: Option<&dyn fmt::Display>| {
            value.map_or(Ok(()), |value| write!(f, " {name}={value}"))
        };
        fn shown<T: fmt::Display>(it: &Option<T>) -> Option<&dyn fmt::Display> {
            it.as_ref().map(|it| it as &dyn fmt::Display)
        }
        match self {
            Selector::Newest { prefix, suffix, except } => {
                f.write_str("newest")?;
                option(f, "prefix", shown(prefix))?;
                option(f, "suffix", shown(suffix))?;
                if except.is_empty() { Ok(()) } else { write!(f, " except={}", except.join("+")) }
            }
            Selector::Semver { reading, allowed } => {
                f.write_str("semver")?;
                option(f, "range", shown(&allowed.range))?;
                option(f, "from", shown(&allowed.from))?;
                option(f, "below", shown(&allowed.below))?;
                option(f, "prefix", shown(&reading.prefix))?;
                option(f, "channel", shown(&reading.channel))?;
                option(f, "suffix", shown(&reading.suffix))
            }
            Selector::Number { prefix } => {
                f.write_str("number")?;
                option(f, "prefix", shown(prefix))
            }
            Selector::Tag { name } => write!(f, "tag name={name}"),
            Selector::Promote { from, soak } => write!(f, "promote from={from} soak={}", in_minutes(*soak)),
        }
    }
}
