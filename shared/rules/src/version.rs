//! How an image's tag reads as a version.

use std::fmt;
use std::str::FromStr;

use semver::{Version, VersionReq};

/// The version that an image's tag stands for: `v1.2.3`, `1.2.3` and `1.4` (which is 1.4.0) are versions.
///
/// Only stable ones: `1.2.3-rc1` is none, and neither is a number alone, such as `3050` (a build) or `v2`.
/// With a `suffix` only tags that end with it count, read without it.
pub fn version(tag: &str, suffix: Option<&str>) -> Option<Version> {
    let tag = match suffix {
        Some(suffix) => tag.strip_suffix(suffix)?,
        None => tag,
    };
    let numbers: Vec<&str> = tag.strip_prefix('v').unwrap_or(tag).split('.').collect();
    let number = |at: usize| -> Option<u64> {
        let text: &str = numbers.get(at)?;
        let plain = text.bytes().all(|it| it.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
        plain.then(|| text.parse().ok())?
    };
    match numbers.len() {
        2 => Some(Version::new(number(0)?, number(1)?, 0)),
        3 => Some(Version::new(number(0)?, number(1)?, number(2)?)),
        _ => None,
    }
}

/// The versions that a rule allows: `1.x` (or `1`), `1.2.x` (or `1.2`), or exactly `1.2.3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    numbers: Vec<u64>,
    allowed: VersionReq,
}

impl Range {
    /// Whether the range allows `version`.
    pub fn allows(&self, version: &Version) -> bool {
        self.allowed.matches(version)
    }
}

impl FromStr for Range {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let open = text.strip_suffix(".x");
        let numbers: Vec<&str> = open.unwrap_or(text).split('.').collect();
        if numbers.len() > if open.is_some() { 2 } else { 3 } {
            return Err(());
        }
        let number = |it: &&str| match it.bytes().all(|it| it.is_ascii_digit()) {
            true => it.parse::<u64>().map_err(drop),
            false => Err(()),
        };
        let numbers = numbers.iter().map(number).collect::<Result<Vec<u64>, ()>>()?;
        let written = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(".");
        let allowed = if numbers.len() == 3 { format!("={written}") } else { format!("~{written}") };
        Ok(Range { numbers, allowed: VersionReq::parse(&allowed).map_err(drop)? })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = self.numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(".");
        let open = if self.numbers.len() < 3 { ".x" } else { "" };
        write!(f, "{written}{open}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_read_as_versions_or_not() {
        let read = |tag, suffix| version(tag, suffix).map(|it| it.to_string());
        for (tag, expected) in
            [("v1.2.3", "1.2.3"), ("1.2.3", "1.2.3"), ("1.4", "1.4.0"), ("v0.1.0", "0.1.0"), ("10.20.30", "10.20.30")]
        {
            assert_eq!(read(tag, None).as_deref(), Some(expected));
        }
        for tag in [
            "3050",
            "v2",
            "1.2.3-rc1",
            "1.2.3-alpine",
            "1.2.3.4",
            "01.2.3",
            "1.2.x",
            "latest",
            "",
            ".",
            "1.",
            "V1.2.3",
            "1.2.+3",
        ] {
            assert_eq!(read(tag, None), None, "{tag}");
        }
        assert_eq!(read("v1.2.3-alpine", Some("-alpine")).as_deref(), Some("1.2.3"));
        assert_eq!(read("1.2.3", Some("-alpine")), None);
        assert_eq!(read("1.2.3-rc1-alpine", Some("-alpine")), None);
    }

    #[test]
    fn ranges_allow_what_they_say() {
        for (range, canonical, allowed, refused) in [
            ("1.x", "1.x", vec!["1.0.0", "1.99.0"], vec!["0.9.0", "2.0.0"]),
            ("1", "1.x", vec!["1.0.0", "1.99.0"], vec!["0.9.0", "2.0.0"]),
            ("0.x", "0.x", vec!["0.0.1", "0.9.0"], vec!["1.0.0"]),
            ("1.2.x", "1.2.x", vec!["1.2.0", "1.2.9"], vec!["1.1.9", "1.3.0"]),
            ("1.2", "1.2.x", vec!["1.2.0", "1.2.9"], vec!["1.1.9", "1.3.0"]),
            ("1.2.3", "1.2.3", vec!["1.2.3"], vec!["1.2.2", "1.2.4"]),
        ] {
            let read: Range = range.parse().unwrap();
            assert_eq!(read.to_string(), canonical);
            assert!(allowed.iter().all(|it| read.allows(&it.parse().unwrap())), "{range}");
            assert!(!refused.iter().any(|it| read.allows(&it.parse().unwrap())), "{range}");
        }
        for wrong in ["", "x", ".x", "1.2.3.x", "1.2.3.4", "v1", "1.x.x", "^1.2", "1.*", "1..2", "-1", "1 2"] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
    }
}
