//! `nightshift:backup` and `nightshift:keep-images`: how long backups and images are kept.

use std::fmt;
use std::str::FromStr;

use jiff::civil::ISOWeekDate;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::keys;
use crate::tag::{BadTag, Reader};

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
///      did you mean 'daily'? accepted: days, daily, weekly, monthly, yearly, copy"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRule {
    /// Which snapshots stay.
    pub retention: Retention,
    /// The region that each snapshot is copied to.
    pub copy: Option<Region>,
}

/// Which snapshots of a database stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Those of the last so many days.
    Days(u16),
    /// The newest of each period, for so many periods of each kind in which there is one.
    Periods {
        /// Days.
        daily: u16,
        /// ISO weeks, which begin on Monday.
        weekly: u16,
        /// Months.
        monthly: u16,
        /// Years.
        yearly: u16,
    },
}

/// The name of an AWS region, such as `us-west-2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region(String);

/// What the tag `nightshift:keep-images` of an ECR repository asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepImages {
    /// How many of the newest images stay, whatever else does.
    pub count: u16,
}

impl FromStr for BackupRule {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::BACKUP, value)?;
        let retention = Retention::take(&mut tag);
        let copy = tag.parsed("copy", "a region such as us-west-2");
        // A misspelt option is told before the one that it leaves missing.
        tag.clone().finish()?;
        Ok(BackupRule { retention: retention?, copy: copy? })
    }
}

impl FromStr for Retention {
    type Err = BadTag;

    /// Reads what is remembered on a snapshot: the rule at the time, without the region.
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
        let count = tag.option("count");
        tag.clone().finish()?;
        let accepted = "a whole number from 1, such as 10";
        match count.map(str::parse) {
            Some(Ok(count)) if count > 0 => Ok(KeepImages { count }),
            Some(_) => Err(tag.bad_option("count", count.unwrap_or_default(), accepted)),
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
    fn take(tag: &mut Reader<'_>) -> Result<Self, BadTag> {
        let mut counts = [0; 5];
        let mut wrong = None;
        for (name, count) in ["days", "daily", "weekly", "monthly", "yearly"].into_iter().zip(&mut counts) {
            let Some(text) = tag.option(name) else { continue };
            match text.parse() {
                Ok(number) if number > 0 => *count = number,
                _ => wrong = wrong.or(Some(tag.bad_option(name, text, "a whole number from 1 to 65535"))),
            }
        }
        match (wrong, counts) {
            (Some(wrong), _) => Err(wrong),
            (None, [0, 0, 0, 0, 0]) => Err(tag.bad("nothing is kept", SAMPLES)),
            (None, [days, 0, 0, 0, 0]) => Ok(Retention::Days(days)),
            (None, [0, daily, weekly, monthly, yearly]) => Ok(Retention::Periods { daily, weekly, monthly, yearly }),
            (None, _) => Err(tag.bad("'days' beside other periods", SAMPLES)),
        }
    }

    /// Why each of the snapshots taken at `taken` stays; `None` for one that does not.
    ///
    /// Periods are those of the zone of `now`, and are counted as `restic forget` counts them: only periods in which
    /// there is a snapshot, newest first; the oldest snapshot of all stays as long as some count is not used up.
    /// The newest snapshot always stays.
    ///
    /// ```
    /// use rules::retention::Retention;
    ///
    /// let taken = ["2026-11-19T18:00:00Z", "2026-11-20T18:00:00Z", "2026-11-20T19:00:00Z"];
    /// let now = "2026-11-21T12:00:00+09:00[Asia/Seoul]".parse().unwrap();
    /// let kept = "daily=1 weekly=1".parse::<Retention>().unwrap().judge(&taken.map(|it| it.parse().unwrap()), &now);
    /// assert_eq!(kept, [None, None, Some("daily 2026-11-21, weekly 2026-W47".into())]);
    /// ```
    pub fn judge(&self, taken: &[Timestamp], now: &Zoned) -> Vec<Option<String>> {
        let mut newest_first: Vec<usize> = (0..taken.len()).collect();
        newest_first.sort_by_key(|it| std::cmp::Reverse(taken[*it]));
        let mut kept = vec![None; taken.len()];
        match *self {
            Retention::Days(days) => {
                // A span that reaches beyond the calendar keeps everything.
                let since = now.checked_sub(i32::from(days).days()).map_or(Timestamp::MIN, |it| it.timestamp());
                for (place, index) in newest_first.into_iter().enumerate() {
                    kept[index] = match taken[index] > since {
                        true => Some(format!("within {}", counted(days, "day"))),
                        false if place == 0 => Some("newest".into()),
                        false => None,
                    };
                }
            }
            Retention::Periods { daily, weekly, monthly, yearly } => {
                let mut buckets = [
                    Bucket { left: daily, last: None, kind: Kind::Daily },
                    Bucket { left: weekly, last: None, kind: Kind::Weekly },
                    Bucket { left: monthly, last: None, kind: Kind::Monthly },
                    Bucket { left: yearly, last: None, kind: Kind::Yearly },
                ];
                let oldest = newest_first.last().copied();
                for index in newest_first {
                    let moment = Moment::new(taken[index], now.time_zone());
                    let reasons: Vec<String> =
                        buckets.iter_mut().filter_map(|it| it.takes(&moment, Some(index) == oldest)).collect();
                    kept[index] = (!reasons.is_empty()).then(|| reasons.join(", "));
                }
            }
        }
        kept
    }
}

const SAMPLES: &str = "days=30, or daily=7 weekly=4 monthly=12 yearly=2 (any of the four)";

/// One kind of period while snapshots are counted, newest first.
struct Bucket {
    left: u16,
    last: Option<Period>,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// The year and the number of the period within it.
type Period = (i16, i16);

/// When a snapshot was taken, on the calendar of a zone.
struct Moment {
    local: Zoned,
    week: ISOWeekDate,
}

impl Moment {
    fn new(taken: Timestamp, zone: &TimeZone) -> Self {
        let local = taken.to_zoned(zone.clone());
        Moment { week: local.date().iso_week_date(), local }
    }
}

impl Kind {
    fn period(self, at: &Moment) -> Period {
        match self {
            Kind::Daily => (at.local.year(), at.local.day_of_year()),
            Kind::Weekly => (at.week.year(), at.week.week().into()),
            Kind::Monthly => (at.local.year(), at.local.month().into()),
            Kind::Yearly => (at.local.year(), 0),
        }
    }

    fn name(self, at: &Moment) -> String {
        match self {
            Kind::Daily => format!("daily {}", at.local.date()),
            Kind::Weekly => format!("weekly {}-W{:02}", at.week.year(), at.week.week()),
            Kind::Monthly => format!("monthly {}-{:02}", at.local.year(), at.local.month()),
            Kind::Yearly => format!("yearly {}", at.local.year()),
        }
    }
}

impl Bucket {
    /// The reason for which this kind of period keeps a snapshot, if it does.
    fn takes(&mut self, at: &Moment, oldest: bool) -> Option<String> {
        let period = Some(self.kind.period(at));
        let fresh = period != self.last;
        if self.left == 0 || !(fresh || oldest) {
            return None;
        }
        self.left -= 1;
        self.last = period;
        Some(if fresh { self.kind.name(at) } else { format!("oldest {}", self.kind.name(at)) })
    }
}

fn counted(count: u16, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Retention::Days(days) => write!(f, "days={days}"),
            Retention::Periods { daily, weekly, monthly, yearly } => {
                let counts = [("daily", daily), ("weekly", weekly), ("monthly", monthly), ("yearly", yearly)];
                let said = counts.iter().filter(|(_, it)| *it > 0).map(|(name, it)| format!("{name}={it}"));
                f.write_str(&said.collect::<Vec<_>>().join(" "))
            }
        }
    }
}

impl fmt::Display for BackupRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.retention)?;
        self.copy.iter().try_for_each(|it| write!(f, " copy={it}"))
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn rules() -> impl Strategy<Value = Retention> {
        let few = || 0..6u16;
        let periods = (few(), few(), few(), few())
            .prop_filter("something is kept", |it| *it != (0, 0, 0, 0))
            .prop_map(|(daily, weekly, monthly, yearly)| Retention::Periods { daily, weekly, monthly, yearly });
        prop_oneof![(1..400u16).prop_map(Retention::Days), periods]
    }

    /// Snapshots of some years, several on some days; now is after the last of them.
    fn histories() -> impl Strategy<Value = Vec<Timestamp>> {
        vec(prop_oneof![0..36i64, 0..24 * 60i64, 0..24 * 1200i64], 1..60).prop_map(|hours| {
            let newest: Timestamp = "2026-11-20T18:00:00Z".parse().unwrap();
            hours.iter().map(|it| newest - it.hours()).collect()
        })
    }

    fn zones() -> impl Strategy<Value = Zoned> {
        prop_oneof![Just("Asia/Seoul"), Just("America/New_York"), Just("UTC"), Just("Pacific/Kiritimati")].prop_map(
            |zone| {
                let now: Timestamp = "2026-11-20T18:10:00Z".parse().unwrap();
                now.to_zoned(TimeZone::get(zone).unwrap())
            },
        )
    }

    fn survivors(rule: &Retention, taken: &[Timestamp], now: &Zoned) -> Vec<Timestamp> {
        let kept = rule.judge(taken, now);
        taken.iter().zip(kept).filter(|(_, kept)| kept.is_some()).map(|(it, _)| *it).collect()
    }

    /// The same rule with all its numbers raised.
    fn raised(rule: &Retention, by: u16) -> Retention {
        match *rule {
            Retention::Days(days) => Retention::Days(days + by),
            Retention::Periods { daily, weekly, monthly, yearly } => Retention::Periods {
                daily: daily + by,
                weekly: weekly + by,
                monthly: monthly + by,
                yearly: yearly + by,
            },
        }
    }

    proptest! {
        #[test]
        fn the_newest_always_stays(rule in rules(), taken in histories(), now in zones()) {
            let newest = taken.iter().max().unwrap();
            prop_assert!(survivors(&rule, &taken, &now).contains(newest));
        }

        #[test]
        fn what_stays_once_stays_the_second_time(rule in rules(), taken in histories(), now in zones()) {
            let kept = survivors(&rule, &taken, &now);
            prop_assert_eq!(survivors(&rule, &kept, &now), kept);
        }

        #[test]
        fn a_newer_snapshot_never_brings_an_older_one_back(
            rule in rules(), taken in histories(), now in zones(), minutes in 0..600i64
        ) {
            let before = rule.judge(&taken, &now);
            let mut more = taken.clone();
            more.push(*taken.iter().max().unwrap() + minutes.minutes());
            let after = rule.judge(&more, &now);
            for index in 0..taken.len() {
                prop_assert!(before[index].is_some() || after[index].is_none(), "{} came back", taken[index]);
            }
        }

        #[test]
        fn of_a_day_only_the_newest_is_its_daily(rule in rules(), taken in histories(), now in zones()) {
            let kept = rule.judge(&taken, &now);
            for (one, reason) in taken.iter().zip(&kept) {
                let day = one.to_zoned(now.time_zone().clone()).date();
                let daily = |it: &str| it.split(", ").any(|it| it == format!("daily {day}"));
                if reason.as_deref().is_some_and(daily) {
                    let newer = taken.iter().any(|it| it > one && it.to_zoned(now.time_zone().clone()).date() == day);
                    prop_assert!(!newer);
                }
            }
        }

        #[test]
        fn a_larger_number_never_keeps_less(rule in rules(), by in 1..5u16, taken in histories(), now in zones()) {
            let larger = raised(&rule, by).judge(&taken, &now);
            for (kept, still) in rule.judge(&taken, &now).iter().zip(&larger) {
                prop_assert!(kept.is_none() || still.is_some());
            }
        }

        #[test]
        fn every_rule_is_read_back_and_no_value_makes_it_panic(
            rule in rules(), copy in any::<bool>(), noise in any::<String>()
        ) {
            prop_assert_eq!(rule.to_string().parse(), Ok(rule));
            let copy = copy.then(|| Region("ap-northeast-2".into()));
            let rule = BackupRule { retention: rule, copy };
            prop_assert_eq!(rule.to_string().parse(), Ok(rule));
            let _ = (noise.parse::<BackupRule>(), noise.parse::<Retention>(), noise.parse::<KeepImages>());
        }
    }

    /// `taken` are local moments, newest last; `expected` are the reasons in the same order, `-` for none.
    #[track_caller]
    fn check(rule: &str, zone: &str, taken: &[&str], expected: &[&str]) {
        let zone = TimeZone::get(zone).unwrap();
        let moment = |it: &&str| match it.parse::<Timestamp>() {
            Ok(exact) => exact,
            Err(_) => it.parse::<jiff::civil::DateTime>().unwrap().to_zoned(zone.clone()).unwrap().timestamp(),
        };
        let taken: Vec<Timestamp> = taken.iter().map(moment).collect();
        let now = (*taken.last().unwrap() + 10.minutes()).to_zoned(zone.clone());
        let kept = rule.parse::<Retention>().unwrap().judge(&taken, &now);
        let kept: Vec<&str> = kept.iter().map(|it| it.as_deref().unwrap_or("-")).collect();
        assert_eq!(kept, expected);
    }

    #[test]
    fn months_end_when_they_end() {
        check(
            "monthly=3",
            "Asia/Seoul",
            &["2026-01-30T03:00", "2026-01-31T03:00", "2026-02-27T03:00", "2026-02-28T23:59:59", "2026-03-01T00:00"],
            &["-", "monthly 2026-01", "-", "monthly 2026-02", "monthly 2026-03"],
        );
        // The leap day is a day of its own.
        check(
            "daily=3",
            "UTC",
            &["2028-02-28T03:00", "2028-02-29T03:00", "2028-03-01T03:00"],
            &["daily 2028-02-28", "daily 2028-02-29", "daily 2028-03-01"],
        );
        // The same day of another month is another day.
        check(
            "daily=2",
            "UTC",
            &["2026-08-21T03:00", "2026-09-21T03:00", "2026-10-21T03:00"],
            &["-", "daily 2026-09-21", "daily 2026-10-21"],
        );
    }

    #[test]
    fn a_week_belongs_to_the_year_of_its_thursday() {
        check(
            "weekly=2 yearly=2",
            "UTC",
            &["2026-12-27T03:00", "2026-12-31T03:00", "2027-01-03T03:00", "2027-01-04T03:00"],
            &["-", "yearly 2026", "weekly 2026-W53", "weekly 2027-W01, yearly 2027"],
        );
    }

    #[test]
    fn the_day_is_that_of_the_zone_whatever_the_clocks_do() {
        // 03:00 in Seoul is the day before in UTC.
        check("daily=1", "Asia/Seoul", &["2026-11-20T18:00:00Z"], &["daily 2026-11-21"]);
        check("daily=1", "UTC", &["2026-11-20T18:00:00Z"], &["daily 2026-11-20"]);
        // The day on which an hour is skipped, and the one on which 01:30 comes twice.
        check(
            "daily=2",
            "America/New_York",
            &["2026-03-07T23:30", "2026-03-08T01:30", "2026-03-08T03:30"],
            &["daily 2026-03-07", "-", "daily 2026-03-08"],
        );
        check(
            "daily=2",
            "America/New_York",
            &["2026-10-31T23:30", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"],
            &["daily 2026-10-31", "-", "daily 2026-11-01"],
        );
        // Thirty days ago is the same wall time, though an hour fewer or more has passed.
        check(
            "days=1",
            "America/New_York",
            &["2026-03-07T12:10", "2026-03-07T12:10:01", "2026-03-08T12:00"],
            &["-", "within 1 day", "within 1 day"],
        );
    }

    #[test]
    fn periods_without_a_snapshot_do_not_count_and_the_oldest_stays_while_a_count_is_left() {
        check(
            "daily=3",
            "UTC",
            &["2026-01-01T01:00", "2026-01-01T02:00", "2026-06-01T03:00"],
            &["oldest daily 2026-01-01", "daily 2026-01-01", "daily 2026-06-01"],
        );
        check("days=30", "UTC", &["2026-01-01T01:00", "2026-02-01T03:00"], &["-", "within 30 days"]);
    }

    #[test]
    fn the_newest_stays_though_its_days_are_over() {
        let taken = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"].map(|it| it.parse().unwrap());
        let now = "2026-11-21T00:00:00Z[UTC]".parse().unwrap();
        assert_eq!(Retention::Days(30).judge(&taken, &now), [None, Some("newest".into())]);
        assert_eq!(Retention::Days(u16::MAX).judge(&taken, &now).iter().flatten().count(), 2);
        assert_eq!(Retention::Days(1).judge(&[], &now), []);
    }

    #[test]
    fn what_is_wrong_is_quoted_and_what_is_accepted_listed() {
        for (value, error) in [
            ("", "nothing is kept in ''; accepted: days=30, or daily=7 weekly=4 monthly=12 yearly=2 (any of the four)"),
            ("copy=us-west-2", "nothing is kept in 'copy=us-west-2'; accepted: days=30, or daily=7"),
            ("days=0", "days=0 cannot be understood in 'days=0'; accepted: days=a whole number from 1"),
            ("daily=-1", "daily=-1 cannot be understood in 'daily=-1'; accepted: daily=a whole number from 1"),
            ("days=30 daily=7", "'days' beside other periods in 'days=30 daily=7'; accepted: days=30, or daily=7"),
            (
                "days=30 copy=oregon",
                "copy=oregon cannot be understood in 'days=30 copy=oregon'; accepted: copy=a region",
            ),
            (
                "nightly",
                "unknown word 'nightly' in 'nightly'; accepted: no word here, but the options days, daily, weekly, monthly, yearly, copy",
            ),
            ("dialy=7", "unknown option 'dialy' in 'dialy=7'; did you mean 'daily'? accepted: days, daily, weekly"),
        ] {
            let refused = value.parse::<BackupRule>().unwrap_err().to_string();
            assert!(refused.starts_with(&format!("nightshift:backup: {error}")), "{refused}");
        }
        for (value, error) in [
            ("", "no option 'count' in ''; accepted: count=a whole number from 1, such as 10"),
            ("count=0", "count=0 cannot be understood in 'count=0'; accepted: count=a whole number from 1, such as 10"),
            ("10", "unknown word '10' in '10'; accepted: no word here, but count=…"),
        ] {
            let refused = value.parse::<KeepImages>().unwrap_err().to_string();
            assert_eq!(refused, format!("nightshift:keep-images: {error}"));
        }
        assert_eq!("count=10".parse(), Ok(KeepImages { count: 10 }));
    }

    #[test]
    fn regions_read_as_aws_names_them() {
        for name in ["us-west-2", "ap-northeast-2", "us-gov-west-1", "ap-southeast-10"] {
            assert_eq!(name.parse::<Region>().unwrap().name(), name);
        }
        for wrong in ["", "oregon", "us-west", "us-2", "US-west-2", "us-west-2a", "us--2", "-west-2"] {
            assert!(wrong.parse::<Region>().is_err(), "{wrong}");
        }
    }
}
