//! `nightshift:backup` on an S3 bucket: where its objects are copied to each night, and how long copies are kept.

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
/// assert_eq!((rule.to.bucket.as_str(), rule.to.prefix.as_str()), ("kfood-backups", "uploads"));
/// assert_eq!(rule.to_string(), "days=30 to=kfood-backups/uploads prefix=uploads/ class=GLACIER_IR");
///
/// let wrong = "days=30".parse::<BucketRule>().unwrap_err();
/// assert_eq!(
///     wrong.to_string(),
///     "nightshift:backup: no option 'to' in 'days=30'; accepted: to=BUCKET/prefix, such as kfood-backups/uploads"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketRule {
    /// Which copies stay.
    pub retention: Retention,
    /// Each night's copy lies below it, in a folder named after the date.
    pub to: Destination,
    /// Only objects whose keys begin so; empty for all.
    pub prefix: String,
    /// The storage class of the copies.
    pub class: Option<&'static str>,
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
        let to = tag.required("to", "BUCKET/prefix, such as kfood-backups/uploads");
        let prefix = tag.option("prefix").unwrap_or_default().to_owned();
        let class = match tag.option("class") {
            None => Ok(None),
            Some(name) => match CLASSES.iter().find(|it| **it == name) {
                Some(class) => Ok(Some(*class)),
                None => Err(tag.bad_option("class", name, &format!("one of {}", CLASSES.join(", ")))),
            },
        };
        // A misspelt option is told before the one that it leaves missing.
        tag.clone().finish()?;
        let retention = retention?;
        if retention.gone.is_some() {
            return Err(tag.bad("the option 'gone'", "no gone= on a bucket: the copies of one that is gone stay"));
        }
        Ok(BucketRule { retention, to: to?, prefix, class: class? })
    }
}

impl fmt::Display for BucketRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to={}", self.retention, self.to)?;
        if !self.prefix.is_empty() {
            write!(f, " prefix={}", self.prefix)?;
        }
        self.class.iter().try_for_each(|it| write!(f, " class={it}"))
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
        ] {
            let error = value.parse::<BucketRule>().unwrap_err().to_string();
            assert!(error.starts_with("nightshift:backup: ") && error.contains(wrong), "{value}: {error}");
        }
        let rule: BucketRule = "daily=7 to=kfood-backups/a/b/".parse().unwrap();
        assert_eq!((rule.to.to_string().as_str(), rule.prefix.as_str(), rule.class), ("kfood-backups/a/b", "", None));
    }
}
