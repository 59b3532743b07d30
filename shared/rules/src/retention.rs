//! `nightshift:backup` and `nightshift:keep-images`: how long backups and images are kept.

mod count;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;

use crate::keys;
use crate::tag::{BadTag, Reader};

/// Where the newest good backup is older than this, backups are failing: `prune-backups` deletes nothing of that
/// database, and `snapshot-databases` counts nothing of it as deletable.
pub const STALE_AFTER: SignedDuration = SignedDuration::from_hours(72);

/// `snapshot-databases` begins no copy of an older snapshot: `copy=` does not move the whole past.
pub const COPIED_WITHIN: SignedDuration = SignedDuration::from_hours(72);

/// A snapshot that is older than this is not being copied any more: a copy begins within [`COPIED_WITHIN`] and takes
/// a day or two at most.
pub const COPY_ENDS_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What the tag `nightshift:backup` of a database asks for.
///
/// ```
/// use rules::retention::BackupRule;
///
/// let rule: BackupRule = "weekly=4 daily=7 copy=us-west-2".parse().unwrap();
/// assert_eq!(rule.to_string(), "daily=7 weekly=4 copy=us-west-2");
///
/// let wrong = "dayly=7".parse::<BackupRule>().unwrap_err();
/// assert_eq!(
///     wrong.to_string(),
///     "nightshift:backup: unknown option 'dayly' in 'dayly=7'; \
///      did you mean 'daily'? Accepted: last, days, daily, weekly, monthly, yearly, gone, copy"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRule {
    /// Which snapshots stay.
    pub retention: Retention,
    /// The region that each snapshot is copied to.
    pub copy: Option<Region>,
}

/// Which snapshots of a database stay: all that one of the counts keeps, and always the newest. A count of 0 keeps
/// none.
///
/// ```
/// use rules::retention::Retention;
///
/// // The last 30 days, and the newest of each of the last 12 months that have one.
/// let rule: Retention = "days=30 monthly=12".parse().unwrap();
/// let taken = ["2026-09-01T03:00:00Z", "2026-09-30T03:00:00Z", "2026-11-20T03:00:00Z"];
/// let now = "2026-11-21T12:00:00+09:00[Asia/Seoul]".parse().unwrap();
/// let kept = rule.judge(&taken.map(|it| it.parse().unwrap()), &now);
/// assert_eq!(kept[0].as_deref(), Some("oldest monthly 2026-09"));
/// assert_eq!(kept[1].as_deref(), Some("monthly 2026-09"));
/// assert_eq!(kept[2].as_deref(), Some("within 30 days, monthly 2026-11"));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// The newest ones, whatever their age.
    pub last: u16,
    /// Those of the last days.
    pub days: u16,
    /// The newest of each day that has one.
    pub daily: u16,
    /// The newest of each ISO week, which begins on Monday.
    pub weekly: u16,
    /// The newest of each month.
    pub monthly: u16,
    /// The newest of each year.
    pub yearly: u16,
    /// Once the database is gone: this number of days after its last snapshot that one goes too.
    pub gone: Option<u16>,
}

/// The name of an AWS region, such as `us-west-2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region(String);

/// What the tag `nightshift:keep-images` of an ECR repository asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepImages {
    /// How many of the newest images stay, whatever else does.
    pub count: u16,
    /// What was pushed in the last days stays too.
    pub days: u16,
}

impl FromStr for BackupRule {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        BackupRule::read(keys::BACKUP, value)
    }
}

impl BackupRule {
    /// Reads what is remembered on a snapshot: the whole rule of its database at the time.
    pub fn remembered(value: &str) -> Result<Self, BadTag> {
        BackupRule::read(keys::RETAINED_BY, value)
    }

    fn read(key: &'static str, value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(key, value)?;
        let retention = Retention::take(&mut tag);
        let copy = tag.parsed("copy", "a region such as us-west-2");
        // A misspelt option is told before the one that it leaves missing.
        tag.clone().finish()?;
        Ok(BackupRule { retention: retention?, copy: copy? })
    }
}

impl FromStr for Retention {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::RETAINED_BY, value)?;
        let retention = Retention::take(&mut tag);
        tag.finish()?;
        retention
    }
}

impl FromStr for KeepImages {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::KEEP_IMAGES, value)?;
        let (count, days) = (tag.option("count"), tag.option("days"));
        tag.clone().finish()?;
        let accepted = "a whole number from 1, such as 10";
        let read = |name, text: &str| match text.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(tag.bad_option(name, text, accepted)),
        };
        match count {
            Some(count) => {
                Ok(KeepImages { count: read("count", count)?, days: days.map_or(Ok(0), |it| read("days", it))? })
            }
            // Without a count a repository that is not pushed to for a while would lose all that does not run.
            None => Err(tag.bad("no option 'count'", format!("count={accepted}"))),
        }
    }
}

impl FromStr for Region {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let parts: Vec<&str> = name.split('-').collect();
        let Some((number, words)) = parts.split_last().filter(|(_, words)| words.len() >= 2) else { return Err(()) };
        let word = |it: &&str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_lowercase());
        let sound = words.iter().all(word) && !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit());
        if sound { Ok(Region(name.into())) } else { Err(()) }
    }
}

impl Region {
    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Retention {
    /// The counts with their names, in the order in which they are written.
    fn counts(&self) -> [(&'static str, u16); 6] {
        let Retention { last, days, daily, weekly, monthly, yearly, .. } = *self;
        [("last", last), ("days", days), ("daily", daily), ("weekly", weekly), ("monthly", monthly), ("yearly", yearly)]
    }

    pub(crate) fn take(tag: &mut Reader<'_>) -> Result<Self, BadTag> {
        let mut rule = Retention::default();
        let Retention { last, days, daily, weekly, monthly, yearly, .. } = &mut rule;
        let mut wrong = None;
        for (name, count) in [
            ("last", last),
            ("days", days),
            ("daily", daily),
            ("weekly", weekly),
            ("monthly", monthly),
            ("yearly", yearly),
        ] {
            let Some(text) = tag.option(name) else { continue };
            match text.parse() {
                Ok(number) if number > 0 => *count = number,
                _ => wrong = wrong.or(Some(tag.bad_option(name, text, "a whole number from 1 to 65535"))),
            }
        }
        if let Some(text) = tag.option("gone") {
            match text.strip_suffix('d').map(str::parse) {
                Some(Ok(number)) if number > 0 => rule.gone = Some(number),
                _ => wrong = wrong.or(Some(tag.bad_option("gone", text, "days from 1d to 65535d, such as 90d"))),
            }
        }
        match wrong {
            Some(wrong) => Err(wrong),
            None if rule.counts().iter().all(|(_, count)| *count == 0) => Err(tag.bad("nothing is kept", SAMPLES)),
            None => Ok(rule),
        }
    }
}

const SAMPLES: &str = "days=30, or daily=7 weekly=4 monthly=12 yearly=2, or last=5, alone or together";

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts().into_iter().filter(|(_, count)| *count > 0);
        let mut words: Vec<String> = counts.map(|(name, count)| format!("{name}={count}")).collect();
        words.extend(self.gone.map(|it| format!("gone={it}d")));
        f.write_str(&words.join(" "))
    }
}

impl fmt::Display for BackupRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.retention)?;
        self.copy.iter().try_for_each(|it| write!(f, " copy={it}"))
    }
}

impl fmt::Display for KeepImages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={}", self.count)?;
        if self.days > 0 { write!(f, " days={}", self.days) } else { Ok(()) }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
