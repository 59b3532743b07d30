//! `nightshift:backup` on an S3 bucket: where its objects are copied to each night and how long copies are kept, or how
//! long S3 keeps old versions.

use std::fmt;
use std::str::FromStr;

use crate::keys;
use crate::retention::Retention;
use crate::tag::{BadTag, Reader};

/// The storage classes that copies may have.
const CLASSES: [&str; 7] =
    ["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"];

/// What the tag `nightshift:backup` of a bucket asks for.
///
/// ```
/// use rules::bucket::BucketRule;
///
/// let rule: BucketRule = "days=30 to=kfood-backups/uploads prefix=uploads/ class=GLACIER_IR".parse().unwrap();
/// assert_eq!(rule.to_string(), "days=30 to=kfood-backups/uploads prefix=uploads/ class=GLACIER_IR");
/// let BucketRule::Copies(copies) = rule else { panic!("it asks for copies") };
/// assert_eq!((copies.to.bucket.as_str(), copies.to.prefix.as_str()), ("kfood-backups", "uploads"));
///
/// let rule: BucketRule = "days=30 mode=versions".parse().unwrap();
/// assert!(matches!(rule, BucketRule::Versions(it) if it.days == 30 && it.prefix.is_empty()));
///
/// let wrong = "days=30".parse::<BucketRule>().unwrap_err();
/// assert_eq!(
///     wrong.to_string(),
///     "nightshift:backup: no option 'to' in 'days=30'; accepted: to=BUCKET/prefix, such as kfood-backups/uploads, or \
///      mode=versions"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BucketRule {
    /// A full copy each night.
    Copies(Copies),
    /// S3 itself keeps the old versions of objects.
    Versions(Versions),
}

/// A copy each night.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies {
    /// Which copies stay.
    pub retention: Retention,
    /// Each night's copy lies below it, in a folder named after the date.
    pub to: Destination,
    /// Only objects whose keys begin so; empty for all.
    pub prefix: String,
    /// The storage class of the copies.
    pub class: Option<&'static str>,
}

/// Old versions that stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    /// How long an old version stays after it was replaced or deleted.
    pub days: u16,
    /// Only objects whose keys begin so; empty for all.
    pub prefix: String,
}

/// A folder of a bucket, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    /// The bucket.
    pub bucket: String,
    /// The folder; never empty.
    pub prefix: String,
}

impl Destination {
    /// Whether one of the two lies in the other, or is the other.
    ///
    /// ```
    /// let at = |it: &str| it.parse::<rules::bucket::Destination>().unwrap();
    /// assert!(at("shop/x").overlaps(&at("shop/x/y")) && !at("shop/x").overlaps(&at("shop/xy")));
    /// ```
    pub fn overlaps(&self, other: &Destination) -> bool {
        let below = |one: &str, other: &str| format!("{one}/").starts_with(&format!("{other}/"));
        self.bucket == other.bucket && (below(&self.prefix, &other.prefix) || below(&other.prefix, &self.prefix))
    }
}

impl FromStr for Destination {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (bucket, prefix) = text.split_once('/').ok_or(())?;
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let in_bucket = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-' || it == '.';
        let in_prefix = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
        let sound_bucket = (3..=63).contains(&bucket.len()) && bucket.chars().all(in_bucket);
        let sound_prefix = prefix.split('/').all(|it| !it.is_empty() && it.chars().all(in_prefix));
        match sound_bucket && sound_prefix {
            true => Ok(Destination { bucket: bucket.into(), prefix: prefix.into() }),
            false => Err(()),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bucket, self.prefix)
    }
}

impl FromStr for BucketRule {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::BACKUP, value)?;
        let retention = Retention::take(&mut tag);
        let to = tag.parsed::<Destination>("to", "BUCKET/prefix, such as kfood-backups/uploads");
        let prefix = tag.option("prefix").unwrap_or_default().to_owned();
        let class = match tag.option("class") {
            None => Ok(None),
            Some(name) => match CLASSES.iter().find(|it| **it == name) {
                Some(class) => Ok(Some(*class)),
                None => Err(tag.bad_option("class", name, &format!("one of {}", CLASSES.join(", ")))),
            },
        };
        let mode = match tag.option("mode") {
            None => Ok(false),
            Some("versions") => Ok(true),
            Some(other) => Err(tag.bad_option("mode", other, "versions, or to=BUCKET/prefix without mode=")),
        };
        // A misspelt option is told before the one that it leaves missing.
        tag.clone().finish()?;
        let (keeps_versions, retention, to, class) = (mode?, retention?, to?, class?);
        if retention.gone.is_some() {
            return Err(tag.bad("the option 'gone'", "no gone= on a bucket: the copies of one that is gone stay"));
        }
        if keeps_versions {
            if to.is_some() || class.is_some() {
                return Err(tag.bad("mode=versions with to= or class=", "one of both: old versions stay in the bucket"));
            }
            if retention != (Retention { days: retention.days, ..Retention::default() }) {
                return Err(tag.bad("mode=versions with other counts than days=", "days=30 mode=versions"));
            }
            return Ok(BucketRule::Versions(Versions { days: retention.days, prefix }));
        }
        let to = to.ok_or_else(|| {
            tag.bad("no option 'to'", "to=BUCKET/prefix, such as kfood-backups/uploads, or mode=versions")
        })?;
        Ok(BucketRule::Copies(Copies { retention, to, prefix, class }))
    }
}

impl BucketRule {
    /// Only objects whose keys begin so; empty for all.
    pub fn prefix(&self) -> &str {
        match self {
            BucketRule::Copies(it) => &it.prefix,
            BucketRule::Versions(it) => &it.prefix,
        }
    }
}

impl fmt::Display for BucketRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BucketRule::Copies(it) => write!(f, "{} to={}", it.retention, it.to)?,
            BucketRule::Versions(it) => write!(f, "days={} mode=versions", it.days)?,
        }
        if !self.prefix().is_empty() {
            write!(f, " prefix={}", self.prefix())?;
        }
        match self {
            BucketRule::Copies(Copies { class: Some(class), .. }) => write!(f, " class={class}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_what_is_accepted() {
        for (value, wrong) in [
            ("to=kfood-backups/uploads", "nothing is kept"),
            ("days=30 to=kfood-backups", "to=kfood-backups cannot be understood"),
            ("days=30 to=kfood-backups/", "to=kfood-backups/ cannot be understood"),
            ("days=30 to=kfood-backups//x", "to=kfood-backups//x cannot be understood"),
            ("days=30 to=KFood/x", "to=KFood/x cannot be understood"),
            ("days=30 to=kfood-backups/x class=COLD", "class=COLD cannot be understood"),
            ("days=30 to=kfood-backups/x copy=us-west-2", "unknown option 'copy'"),
            ("days=30 too=kfood-backups/x", "did you mean 'to'?"),
            ("days=30 gone=90d to=kfood-backups/x", "the option 'gone'"),
            ("days=30 mode=copies", "mode=copies cannot be understood"),
            ("days=30 mode=versions to=kfood-backups/x", "mode=versions with to= or class="),
            ("days=30 mode=versions class=STANDARD", "mode=versions with to= or class="),
            ("daily=7 mode=versions", "mode=versions with other counts than days="),
            ("days=30 weekly=4 mode=versions", "mode=versions with other counts than days="),
            ("mode=versions", "nothing is kept"),
        ] {
            let error = value.parse::<BucketRule>().unwrap_err().to_string();
            assert!(error.starts_with("nightshift:backup: ") && error.contains(wrong), "{value}: {error}");
        }
        let rule = "daily=7 to=kfood-backups/a/b/".parse();
        let Ok(BucketRule::Copies(rule)) = rule else { panic!("{rule:?} asks for copies") };
        assert_eq!((rule.to.to_string().as_str(), rule.prefix.as_str(), rule.class), ("kfood-backups/a/b", "", None));
    }
}
