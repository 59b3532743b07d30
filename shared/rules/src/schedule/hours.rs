//! Windows as instants: whether one holds now, since when, and when that changes.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::dates::{Dates, meet};
use super::window::Window;
use crate::days_off::DaysOff;

/// The number of days that are looked back and ahead at first: longer than any window and than a week.
const NEAR: i32 = 10;

/// A schedule of days of the week that does not change in this time, holidays included, does not change.
const FAR: i32 = 400;

/// The same of any other: a 29 February that is a Sunday may come after 40 years.
const FARTHEST: i32 = 41 * 366;

/// Windows with a gap of at most this between them are one: who writes `10:00` and `10:01`, or lets a day end at `23:59`,
/// does not mean that everything stops for a minute.
const GAP: SignedDuration = SignedDuration::from_mins(1);

/// When something is awake.
#[derive(Debug, Clone, PartialEq)]
pub enum Hours {
    /// Always.
    Always,
    /// Never.
    Never,
    /// While some window holds.
    Windows(Windows),
}

/// Windows, and the dates on which they start.
#[derive(Debug, Clone, PartialEq)]
pub struct Windows {
    windows: Vec<Window>,
    /// They start only on what is among all of these.
    dates: Vec<Dates>,
    /// They do not start on these.
    skip: DaysOff,
}

/// What a schedule wants at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Whether it should be awake.
    pub awake: bool,
    /// Since when, if that is not too long ago.
    pub since: Option<Timestamp>,
    /// When that changes, if it ever does.
    pub until: Option<Timestamp>,
}

impl Windows {
    pub(super) fn new(windows: Vec<Window>) -> Self {
        Windows { windows, dates: Vec::new(), skip: DaysOff::default() }
    }

    /// The same on these dates only; none if a window of them would never start.
    pub(super) fn on_dates(mut self, dates: Dates) -> Option<Self> {
        self.dates.push(dates);
        self.windows.iter().all(|it| meet(&self.dates, it.days())).then_some(self)
    }

    /// The same without these days.
    pub(super) fn without(mut self, days: &DaysOff) -> Self {
        self.skip = self.skip.and(days);
        self
    }

    fn start_on(&self, date: Date, holidays: &DaysOff) -> bool {
        self.dates.iter().all(|it| it.contain(date)) && !self.skip.contains(date) && !holidays.contains(date)
    }

    /// The number of days in which they change, if ever.
    fn horizon(&self) -> i32 {
        let weekly = self.dates.is_empty() && self.windows.iter().all(|it| it.days().are_weekly());
        if weekly && self.skip.is_empty() { FAR } else { FARTHEST }
    }
}

impl Hours {
    /// What they want at `now` in `zone`, if no window starts on `holidays`.
    pub(crate) fn wanted(&self, now: Timestamp, zone: &TimeZone, holidays: &DaysOff) -> Wanted {
        let windows = match self {
            Hours::Always => return Wanted { awake: true, since: None, until: None },
            Hours::Never => return Wanted { awake: false, since: None, until: None },
            Hours::Windows(windows) => windows,
        };
        let near = wanted(windows, now, zone, holidays, NEAR);
        if near.until.is_some() { near } else { wanted(windows, now, zone, holidays, windows.horizon()) }
    }
}

/// As [`Hours::wanted`], as far as `days` ahead tell.
fn wanted(windows: &Windows, now: Timestamp, zone: &TimeZone, holidays: &DaysOff, days: i32) -> Wanted {
    let today = zone.to_datetime(now).date();
    let (Ok(first), Ok(last)) = (today.checked_sub(NEAR.days()), today.checked_add(days.days())) else {
        return Wanted { awake: false, since: None, until: None };
    };
    let spans = spans(windows, first, last, zone, holidays);
    // What begins or ends where the search does begins or ends elsewhere.
    let (begin, end) =
        (reached(first.to_datetime(Default::default()), zone), reached(last.to_datetime(Default::default()), zone));
    let known = |it: Timestamp| Some(it).filter(|it| *it > begin && *it < end);
    match spans.iter().find(|(start, end)| *start <= now && now < *end) {
        Some((start, end)) => Wanted { awake: true, since: known(*start), until: known(*end) },
        None => Wanted {
            awake: false,
            since: spans.iter().rev().find(|(_, end)| *end <= now).and_then(|(_, end)| known(*end)),
            until: spans.iter().find(|(start, _)| now < *start).and_then(|(start, _)| known(*start)),
        },
    }
}

/// When some window holds, as instants: in order, and windows that touch, or almost do, are one.
fn spans(
    windows: &Windows,
    first: Date,
    last: Date,
    zone: &TimeZone,
    holidays: &DaysOff,
) -> Vec<(Timestamp, Timestamp)> {
    let mut spans: Vec<(Timestamp, Timestamp)> = Vec::new();
    for date in first.series(1.day()).take_while(|it| *it <= last).filter(|it| windows.start_on(*it, holidays)) {
        for (start, end) in windows.windows.iter().filter_map(|it| it.on(date)) {
            let (start, end) = (reached(start, zone), reached(end, zone));
            if start < end {
                spans.push((start, end));
            }
        }
    }
    spans.sort();
    spans.dedup_by(|next, before| {
        let touches = next.0.duration_since(before.1) <= GAP;
        if touches {
            before.1 = before.1.max(next.1);
        }
        touches
    });
    spans
}

/// The first instant at which the wall clock of `zone` shows `time` or later.
pub(super) fn reached(time: DateTime, zone: &TimeZone) -> Timestamp {
    let instant = |it: Result<Timestamp, _>| it.unwrap_or(Timestamp::MAX);
    match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            instant(offset.to_timestamp(time))
        }
        // Read with the later offset, a skipped time lies before the change.
        AmbiguousOffset::Gap { after, .. } => {
            let before = instant(after.to_timestamp(time));
            zone.following(before).next().map_or(before, |it| it.timestamp())
        }
    }
}
