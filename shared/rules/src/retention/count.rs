//! Counts snapshots by days, weeks, months and years: which stay, and why.

use jiff::civil::{Date, ISOWeekDate};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::Retention;

impl Retention {
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
        self.count(taken, now, false)
    }

    /// The same for a database that is gone: no new snapshot comes, so the days, weeks, months and years that have
    /// passed since the last one count, although there is no snapshot in them. Otherwise `daily=7` would keep seven
    /// for ever.
    ///
    /// The newest stays until `gone` is over.
    ///
    /// ```
    /// use rules::retention::Retention;
    ///
    /// let rule: Retention = "daily=3 gone=90d".parse().unwrap();
    /// let taken = ["2026-08-01T03:00:00Z", "2026-08-02T03:00:00Z", "2026-08-03T03:00:00Z"];
    /// let kept = |now: &str| {
    ///     let judged = rule.judge_gone(&taken.map(|it| it.parse().unwrap()), &now.parse().unwrap());
    ///     judged.iter().flatten().count()
    /// };
    /// assert_eq!(kept("2026-08-03T12:00:00Z[UTC]"), 3);
    /// assert_eq!(kept("2026-08-04T12:00:00Z[UTC]"), 2);
    /// assert_eq!(kept("2026-08-20T12:00:00Z[UTC]"), 1);
    /// assert_eq!(kept("2026-11-01T03:00:00Z[UTC]"), 0);
    /// ```
    pub fn judge_gone(&self, taken: &[Timestamp], now: &Zoned) -> Vec<Option<String>> {
        if self.has_ended(taken, now) {
            return vec![None; taken.len()];
        }
        self.count(taken, now, true)
    }

    /// Whether a database with these snapshots, which is gone, has been gone for so long that none stays.
    fn has_ended(&self, taken: &[Timestamp], now: &Zoned) -> bool {
        let Some((days, newest)) = self.gone.zip(taken.iter().max()) else { return false };
        now.checked_sub(i32::from(days).days()).is_ok_and(|since| *newest <= since.timestamp())
    }

    fn count(&self, taken: &[Timestamp], now: &Zoned, gone: bool) -> Vec<Option<String>> {
        let mut newest_first: Vec<usize> = (0..taken.len()).collect();
        newest_first.sort_by_key(|it| std::cmp::Reverse(taken[*it]));
        let (Some(newest), Some(oldest)) = (newest_first.first().copied(), newest_first.last().copied()) else {
            return Vec::new();
        };
        // A span that reaches beyond the calendar keeps everything.
        let since = now.checked_sub(i32::from(self.days).days()).map_or(Timestamp::MIN, |it| it.timestamp());
        let mut buckets = [
            (self.daily, Period::Day),
            (self.weekly, Period::Week),
            (self.monthly, Period::Month),
            (self.yearly, Period::Year),
        ]
        .map(|(count, period)| Bucket { left: count, last: None, period });
        if gone {
            let last = Moment::new(taken[newest], now.time_zone());
            let today = Moment::new(now.timestamp(), now.time_zone());
            for bucket in &mut buckets {
                bucket.left = bucket.left.saturating_sub(bucket.period.passed(&last, &today));
            }
        }
        let mut kept = vec![None; taken.len()];
        for (place, index) in newest_first.into_iter().enumerate() {
            let mut reasons = Vec::new();
            if place < usize::from(self.last) {
                reasons.push(format!("one of the last {}", self.last));
            }
            if self.days > 0 && taken[index] > since {
                reasons.push(format!("within {}", counted(self.days, "day")));
            }
            let moment = Moment::new(taken[index], now.time_zone());
            reasons.extend(buckets.iter_mut().filter_map(|it| it.takes(&moment, index == oldest)));
            if reasons.is_empty() && index == newest {
                reasons.push("newest".into());
            }
            kept[index] = (!reasons.is_empty()).then(|| reasons.join(", "));
        }
        kept
    }
}

/// One kind of period while snapshots are counted, newest first.
struct Bucket {
    left: u16,
    last: Option<(i16, i16)>,
    period: Period,
}

#[derive(Clone, Copy)]
enum Period {
    Day,
    Week,
    Month,
    Year,
}

/// When a snapshot was taken, on the calendar of a zone.
struct Moment {
    date: Date,
    week: ISOWeekDate,
}

impl Moment {
    fn new(taken: Timestamp, zone: &TimeZone) -> Self {
        let date = taken.to_zoned(zone.clone()).date();
        Moment { week: date.iso_week_date(), date }
    }
}

impl Period {
    /// The year and the number of the period within it. The year of a week is that of its Thursday.
    fn of(self, at: &Moment) -> (i16, i16) {
        match self {
            Period::Day => (at.date.year(), at.date.day_of_year()),
            Period::Week => (at.week.year(), at.week.week().into()),
            Period::Month => (at.date.year(), at.date.month().into()),
            Period::Year => (at.date.year(), 0),
        }
    }

    fn name(self, at: &Moment) -> String {
        match self {
            Period::Day => format!("daily {}", at.date),
            Period::Week => format!("weekly {}-W{:02}", at.week.year(), at.week.week()),
            Period::Month => format!("monthly {}-{:02}", at.date.year(), at.date.month()),
            Period::Year => format!("yearly {}", at.date.year()),
        }
    }

    /// How many periods have begun between two moments.
    fn passed(self, from: &Moment, to: &Moment) -> u16 {
        let days = |from: Date, to: Date| i64::from(from.until(to).map_or(0, |it| it.get_days()));
        let monday = |it: &Moment| ISOWeekDate::new(it.week.year(), it.week.week(), jiff::civil::Weekday::Monday);
        let years = i64::from(to.date.year()) - i64::from(from.date.year());
        let passed = match self {
            Period::Day => days(from.date, to.date),
            Period::Week => match (monday(from), monday(to)) {
                (Ok(from), Ok(to)) => days(from.date(), to.date()) / 7,
                _ => 0,
            },
            Period::Month => years * 12 + i64::from(to.date.month()) - i64::from(from.date.month()),
            Period::Year => years,
        };
        passed.clamp(0, i64::from(u16::MAX)) as u16
    }
}

impl Bucket {
    /// The reason for which this kind of period keeps a snapshot, if it does.
    fn takes(&mut self, at: &Moment, oldest: bool) -> Option<String> {
        let period = Some(self.period.of(at));
        let fresh = period != self.last;
        if self.left == 0 || !(fresh || oldest) {
            return None;
        }
        self.left -= 1;
        self.last = period;
        Some(if fresh { self.period.name(at) } else { format!("oldest {}", self.period.name(at)) })
    }
}

fn counted(count: u16, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
