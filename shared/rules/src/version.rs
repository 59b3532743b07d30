//! How an image's tag reads as a version.

use std::fmt;
use std::str::FromStr;

use semver::{Prerelease, Version, VersionReq};

/// The version that an image's tag stands for: `v1.2.3`, `1.2.3` and `1.4` (which is 1.4.0) are versions, and so are
/// `2027.01.04` and `18.04`, whose numbers are zero-padded.
///
/// Only stable ones: `1.2.3-rc1` is not one, and neither is a number alone, such as `3050` (a build) or `v2`.
/// With a `suffix` only tags that end with it count, read without it.
pub fn version(tag: &str, suffix: Option<&str>) -> Option<Version> {
    let tag = match suffix {
        Some(suffix) => tag.strip_suffix(suffix)?,
        None => tag,
    };
    let numbers: Vec<&str> = tag.strip_prefix('v').unwrap_or(tag).split('.').collect();
    let [major, minor, patch] = match numbers[..] {
        [major, minor] => [number(major)?, number(minor)?, 0],
        [major, minor, patch] => [number(major)?, number(minor)?, number(patch)?],
        _ => return None,
    };
    Some(Version::new(major, minor, patch))
}

/// How the tags of a repository read as versions: what stands around the numbers, and which pre-releases count.
///
/// ```
/// use rules::version::Reading;
///
/// let reading = Reading { prefix: Some("api-".into()), channel: Some("rc".into()), ..Reading::default() };
/// assert!(reading.version("api-v1.3.0-rc.2") > reading.version("api-v1.3.0-rc.1"));
/// assert!(reading.version("api-v1.3.0") > reading.version("api-v1.3.0-rc.10"));
/// assert_eq!(reading.version("web-v9.0.0"), None);
/// assert_eq!(reading.version("api-v1.3.0-beta.1"), None);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// What the tag has to begin with, before the version.
    pub prefix: Option<String>,
    /// What the tag has to end with, after the version.
    pub suffix: Option<String>,
    /// The name of the pre-releases that count beside releases, such as `rc`.
    pub channel: Option<String>,
}

impl Reading {
    /// The version that a tag stands for.
    pub fn version(&self, tag: &str) -> Option<Version> {
        let text = self.core(tag)?;
        version(text, None).or_else(|| pre_release(text, self.channel.as_deref()?))
    }

    /// What of a tag stands between prefix and suffix, if it has both.
    pub fn core<'a>(&self, tag: &'a str) -> Option<&'a str> {
        let tag = tag.strip_prefix(self.prefix.as_deref().unwrap_or_default())?;
        tag.strip_suffix(self.suffix.as_deref().unwrap_or_default())
    }

    /// The tag without the prefix, if it has that.
    pub fn unprefixed<'a>(&self, tag: &'a str) -> &'a str {
        self.prefix.as_deref().and_then(|it| tag.strip_prefix(it)).unwrap_or(tag)
    }
}

/// `1.3.0-rc.2`, `1.3.0-rc2`, `1.3.0rc2` and `1.3.0-rc` of the channel `rc`.
fn pre_release(text: &str, channel: &str) -> Option<Version> {
    let digits = |it: char| it.is_ascii_digit() || it == '.';
    let plain = text.strip_prefix('v').unwrap_or(text);
    let end = plain.find(|it| !digits(it))?;
    let (numbers, rest) = plain.split_at(end);
    let separator = |it: char| matches!(it, '.' | '-' | '_');
    let rest = rest.trim_start_matches(separator);
    let name = rest.get(..channel.len()).filter(|it| it.eq_ignore_ascii_case(channel))?;
    let count = rest[name.len()..].trim_start_matches(separator);
    let count = if count.is_empty() { 0 } else { number(count)? };
    let mut version = version(numbers.trim_end_matches('.'), None)?;
    version.pre = Prerelease::new(&format!("{}.{count}", channel.to_ascii_lowercase())).ok()?;
    Some(version)
}

/// The number of a build that a tag stands for: after the prefix, the first run of digits that stands by itself.
///
/// `build-412` is 412, `main-7f3a2b1-1764300000` is 1764300000 and `20261101-7f3a2b1` is 20261101. A tag that says of
/// itself that it is a commit (`sha-1234567`) is not a number, unless the prefix names that.
///
/// ```
/// use rules::version::build_number;
///
/// assert_eq!(build_number("build-412", Some("build-")), Some(412));
/// assert_eq!(build_number("web-412", Some("build-")), None);
/// assert_eq!(build_number("sha-1234567", None), None);
/// ```
pub fn build_number(tag: &str, prefix: Option<&str>) -> Option<u64> {
    const COMMITS: [&str; 4] = ["sha-", "sha256-", "git-", "commit-"];
    let rest = tag.strip_prefix(prefix.unwrap_or_default())?;
    if prefix.is_none() && COMMITS.iter().any(|it| tag.starts_with(it)) {
        return None;
    }
    // What has dots is a version, and none of its numbers is that of a build.
    let runs = rest.split(|it: char| !it.is_ascii_alphanumeric() && it != '.');
    number(runs.into_iter().find(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()))?)
}

fn number(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|it| it.is_ascii_digit())).then(|| text.parse().ok())?
}

/// The version that a tag comes closest to, for tags that [`version`] does not read: `1.5.0-rc.1` is before 1.5.0,
/// `1.2.3-alpine` and `1.2.3.4` are like 1.2.3, `v2` and `3050` are 2.0.0 and 3050.0.0.
///
/// It is only good for telling that a version would be a step back.
pub fn closest_version(tag: &str) -> Option<Version> {
    let text = tag.strip_prefix(['v', 'V']).unwrap_or(tag);
    let end = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let mut numbers = numbers.split('.').filter(|it| !it.is_empty()).map(number);
    let mut next = || numbers.next().unwrap_or(Some(0));
    if !text.starts_with(|it: char| it.is_ascii_digit()) {
        return None;
    }
    let mut version = Version::new(next()?, next()?, next()?);
    let name = rest.trim_start_matches(|it: char| !it.is_ascii_alphanumeric()).to_ascii_lowercase();
    // A commit such as `7f3a2b1` begins with a digit as well.
    if !rest.is_empty() && rest.starts_with(|it: char| it.is_ascii_alphanumeric()) && !is_prerelease(&name) {
        return None;
    }
    if is_prerelease(&name) {
        version.pre = Prerelease::new("0").unwrap_or(Prerelease::EMPTY);
    }
    Some(version)
}

/// Whether what follows the numbers of a version names something that comes before its release.
fn is_prerelease(name: &str) -> bool {
    const NAMES: [&str; 11] =
        ["alpha", "beta", "rc", "pre", "dev", "snapshot", "canary", "nightly", "next", "preview", "milestone"];
    let letters = name.trim_end_matches(|it: char| !it.is_ascii_alphabetic());
    let word = letters.split(|it: char| !it.is_ascii_alphabetic()).next().unwrap_or_default();
    NAMES.contains(&word) || matches!(word, "a" | "b" | "m") && name.len() > 1
}

/// Whether `tag` is one that moves with the versions of another tag of the same image: `1.2` beside `1.2.3`.
pub fn moves_with(tag: &str, reading: &Reading, others: &[String]) -> bool {
    let plain = |it: &str| reading.unprefixed(it).strip_prefix('v').unwrap_or(reading.unprefixed(it)).to_owned();
    let tag = plain(reading.suffix.as_deref().and_then(|it| tag.strip_suffix(it)).unwrap_or(tag));
    let is_longer = |other: &String| {
        let other = plain(other);
        let rest = other.strip_prefix(&tag).and_then(|it| it.strip_prefix('.'));
        rest.is_some_and(|it| it.starts_with(|it: char| it.is_ascii_digit()))
    };
    others.iter().any(is_longer)
}

/// What the numbers of a repository's versions look like. Versions of one shape are not compared with those of another:
/// `20250115.3` beside `1.2.1` is the date of a build and not the next version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// `1.2.3`
    Plain,
    /// `2026.11.1`: the first number is a year.
    Year,
    /// `20261101.2`, `3050.1`: the first number is a whole date or the number of a build.
    Build,
}

impl Shape {
    /// The shape of a version.
    pub fn of(version: &Version) -> Self {
        Self::of_number(version.major)
    }

    fn of_number(first: u64) -> Self {
        match first {
            0..1000 => Shape::Plain,
            1970..2200 => Shape::Year,
            _ => Shape::Build,
        }
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

    /// The shape of the versions that it allows.
    pub fn shape(&self) -> Shape {
        Shape::of_number(self.numbers[0])
    }
}

/// Which versions a rule allows: those of a range, or from one version up to, but without, another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// `range=1.x`
    pub range: Option<Range>,
    /// `from=1.2`
    pub from: Option<Bound>,
    /// `below=2.0`
    pub below: Option<Bound>,
}

impl Allowed {
    /// Whether `version` is allowed; a pre-release is where its release is, so 2.0.0-rc.1 is not below 2.0.
    pub fn allows(&self, version: &Version) -> bool {
        let release = Version::new(version.major, version.minor, version.patch);
        self.range.as_ref().is_none_or(|it| it.allows(&release))
            && self.from.as_ref().is_none_or(|it| release >= it.version())
            && self.below.as_ref().is_none_or(|it| release < it.version())
    }

    /// The shape of the versions that it allows, if it says so.
    pub fn shape(&self) -> Option<Shape> {
        let range = self.range.as_ref().map(Range::shape);
        range.or_else(|| self.from.as_ref().or(self.below.as_ref()).map(|it| Shape::of(&it.version())))
    }

    /// What is wrong with it, and what is accepted instead.
    pub fn fault(&self) -> Option<(String, &'static str)> {
        const ACCEPTED: &str = "range=1.x, or from=1.2 below=2.0";
        if self.range.is_some() && (self.from.is_some() || self.below.is_some()) {
            return Some(("range together with from or below".into(), ACCEPTED));
        }
        let (from, below) = (self.from.as_ref()?, self.below.as_ref()?);
        if Shape::of(&from.version()) != Shape::of(&below.version()) {
            return Some((format!("from={from} and below={below} are not versions of one kind"), ACCEPTED));
        }
        (from.version() >= below.version()).then(|| (format!("from={from} is not lower than below={below}"), ACCEPTED))
    }
}

/// The beginning or the end of the versions that a rule allows: `1`, `1.2` or `1.2.3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound(Vec<u64>);

impl Bound {
    /// The version, whose missing numbers are zero.
    pub fn version(&self) -> Version {
        let number = |at: usize| self.0.get(at).copied().unwrap_or_default();
        Version::new(number(0), number(1), number(2))
    }
}

impl FromStr for Bound {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let numbers = text.split('.').map(|it| number(it).ok_or(())).collect::<Result<Vec<u64>, ()>>()?;
        if numbers.len() <= 3 { Ok(Bound(numbers)) } else { Err(()) }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(u64::to_string).collect::<Vec<_>>().join("."))
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
    use proptest::prelude::*;

    use super::*;

    fn suffixed(suffix: &str) -> Reading {
        Reading { suffix: Some(suffix.into()), ..Reading::default() }
    }

    proptest! {
        #[test]
        fn no_tag_makes_it_panic(tag in any::<String>(), numbers in "v?[0-9.]{0,30}[-a-z0-9.]{0,6}") {
            for tag in [&tag, &numbers] {
                let reading = Reading { prefix: Some("v".into()), suffix: None, channel: Some("rc".into()) };
                let _ = (reading.version(tag), build_number(tag, None), build_number(tag, Some("v")), tag.parse::<Bound>());
                let _ = (version(tag, None), closest_version(tag), moves_with(tag, &suffixed("-x"), std::slice::from_ref(tag)));
            }
        }

        #[test]
        fn a_version_comes_closest_to_itself(major in 0..99999u64, minor in 0..99u64, patch in 0..99u64) {
            for tag in [format!("v{major}.{minor}.{patch}"), format!("{major:02}.{minor:02}.{patch:02}"), format!("{major}.{minor}")] {
                prop_assert!(version(&tag, None).is_some());
                prop_assert_eq!(version(&tag, None), closest_version(&tag));
            }
        }
    }

    #[test]
    fn tags_read_as_versions_or_not() {
        let read = |tag, suffix| version(tag, suffix).map(|it| it.to_string());
        for (tag, expected) in [
            ("v1.2.3", "1.2.3"),
            ("1.2.3", "1.2.3"),
            ("1.4", "1.4.0"),
            ("v0.1.0", "0.1.0"),
            ("10.20.30", "10.20.30"),
            ("2027.01.04", "2027.1.4"),
            ("18.04", "18.4.0"),
            ("01.2.3", "1.2.3"),
            ("20250115.3", "20250115.3.0"),
        ] {
            assert_eq!(read(tag, None).as_deref(), Some(expected));
        }
        for tag in
            ["3050", "v2", "1.2.3-rc1", "1.2.3-alpine", "1.2.3.4", "1.2.x", "latest", "", ".", "1.", "V1.2.3", "1.2.+3"]
        {
            assert_eq!(read(tag, None), None, "{tag}");
        }
        assert_eq!(read("v1.2.3-alpine", Some("-alpine")).as_deref(), Some("1.2.3"));
        assert_eq!(read("1.2.3", Some("-alpine")), None);
        assert_eq!(read("1.2.3-rc1-alpine", Some("-alpine")), None);
    }

    #[test]
    fn what_does_not_read_as_a_version_still_comes_close_to_one() {
        for (tag, expected) in [
            ("1.5.0-rc.1", Some("1.5.0-0")),
            ("v1.5.0-beta2", Some("1.5.0-0")),
            ("1.5.0rc1", Some("1.5.0-0")),
            ("1.5-SNAPSHOT", Some("1.5.0-0")),
            ("1.2.3-alpine", Some("1.2.3")),
            ("1.2.3-alpine3.20", Some("1.2.3")),
            ("1.2.3.4", Some("1.2.3")),
            ("1.2.3+build", Some("1.2.3")),
            ("V1.2.3", Some("1.2.3")),
            ("v2", Some("2.0.0")),
            ("3050", Some("3050.0.0")),
            ("7f3a2b1", None),
            ("latest", None),
            ("", None),
            ("v", None),
            (".1", None),
            ("release-1.2", None),
        ] {
            assert_eq!(closest_version(tag).map(|it| it.to_string()).as_deref(), expected, "{tag}");
        }
        assert!(closest_version("1.5.0-rc.1") > version("1.4.9", None));
        assert!(closest_version("1.5.0-rc.1") < version("1.5.0", None));
    }

    #[test]
    fn a_short_version_moves_with_a_longer_one_of_the_same_image() {
        let tags = |list: &[&str]| list.iter().map(|it| it.to_string()).collect::<Vec<_>>();
        assert!(moves_with("1.2", &Reading::default(), &tags(&["1.2.3", "1.2"])));
        assert!(moves_with("v1.2", &Reading::default(), &tags(&["1.2.3-alpine", "v1.2"])));
        assert!(moves_with("1.2-alpine", &suffixed("-alpine"), &tags(&["1.2.3-alpine", "1.2-alpine"])));
        assert!(!moves_with("1.2", &Reading::default(), &tags(&["1.2", "1.20.1", "1.2-alpine", "latest"])));
        assert!(!moves_with("1.2.3", &Reading::default(), &tags(&["1.2.3", "1.2"])));
    }

    #[test]
    fn a_version_has_the_shape_of_its_first_number() {
        for (tag, shape) in [
            ("1.2.3", Shape::Plain),
            ("18.04", Shape::Plain),
            ("2026.11.1", Shape::Year),
            ("20250115.3", Shape::Build),
            ("202501.3", Shape::Build),
            ("3050.1", Shape::Build),
        ] {
            assert_eq!(Shape::of(&version(tag, None).unwrap()), shape, "{tag}");
        }
        assert_eq!(
            "2027.01.x".parse::<Range>().map(|it| (it.shape(), it.to_string())),
            Ok((Shape::Year, "2027.1.x".into()))
        );
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

    #[test]
    fn pre_releases_of_a_channel_are_versions_before_their_release() {
        let reading = Reading { channel: Some("rc".into()), ..Reading::default() };
        let read = |tag| reading.version(tag).map(|it| it.to_string());
        for (tag, expected) in [
            ("1.3.0-rc.1", Some("1.3.0-rc.1")),
            ("v1.3.0-rc2", Some("1.3.0-rc.2")),
            ("1.3.0rc10", Some("1.3.0-rc.10")),
            ("1.3-RC", Some("1.3.0-rc.0")),
            ("1.3.0", Some("1.3.0")),
            ("1.3.0-beta.1", None),
            ("1.3.0-rc.1-alpine", None),
            ("1.3.0-rcx", None),
            ("rc.1", None),
        ] {
            assert_eq!(read(tag).as_deref(), expected, "{tag}");
        }
        let order = ["1.2.9", "1.3.0-rc", "1.3.0-rc.2", "1.3.0-rc.10", "1.3.0"].map(|it| reading.version(it).unwrap());
        assert!(order.is_sorted(), "{order:?}");
    }

    #[test]
    fn bounds_allow_what_lies_between_them() {
        let allowed = |from: Option<&str>, below: Option<&str>, range: Option<&str>| Allowed {
            range: range.map(|it| it.parse().unwrap()),
            from: from.map(|it| it.parse().unwrap()),
            below: below.map(|it| it.parse().unwrap()),
        };
        let both = allowed(Some("1.2"), Some("2.0"), None);
        let inside = ["1.2.0", "1.99.9", "1.2.0-rc.1"].map(|it| both.allows(&it.parse().unwrap()));
        let outside = ["1.1.9", "2.0.0", "2.0.0-rc.1", "20250115.3.0"].map(|it| both.allows(&it.parse().unwrap()));
        assert_eq!((inside, outside, both.fault()), ([true; 3], [false; 4], None));
        for (from, below, range, fault) in [
            (Some("2.0"), Some("1.2"), None, "from=2.0 is not lower than below=1.2"),
            (Some("1.2"), Some("1.2.0"), None, "from=1.2 is not lower than below=1.2.0"),
            (Some("1.2"), Some("2027.1"), None, "from=1.2 and below=2027.1 are not versions of one kind"),
            (Some("1.2"), None, Some("1.x"), "range together with from or below"),
        ] {
            assert_eq!(allowed(from, below, range).fault().map(|it| it.0).as_deref(), Some(fault));
        }
        for wrong in ["", "1.x", "v1", "1.2.3.4", "-1", "1..2"] {
            assert!(wrong.parse::<Bound>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_number_of_a_build_is_the_first_run_of_digits_that_stands_by_itself() {
        for (tag, prefix, expected) in [
            ("build-412", Some("build-"), Some(412)),
            ("build-0412-7f3a2b1", Some("build-"), Some(412)),
            ("412", None, Some(412)),
            ("main-7f3a2b1-1764300000", None, Some(1764300000)),
            ("20261101-7f3a2b1", None, Some(20261101)),
            ("7f3a2b1", None, None),
            ("sha-1234567", None, None),
            ("sha-1234567", Some("sha-"), Some(1234567)),
            ("v1.2.3", None, None),
            ("1.2.3-412", None, Some(412)),
            ("latest", None, None),
            ("99999999999999999999999", None, None),
        ] {
            assert_eq!(build_number(tag, prefix), expected, "{tag}");
        }
    }
}
