//! When a drill is due: on the first weekday of each period, with catch-up on the weekdays after it.

use std::fmt;

use jiff::civil::{Date, Time, Weekday};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

use crate::days_off::DaysOff;
use crate::tag::{BadTag, Reader};

/// How often a database or a bucket is drilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// On the first weekday of each week.
    Week,
    /// Of each month.
    Month,
    /// Of January, April, July and October.
    Quarter,
}

impl Every {
    const ALL: [(Every, &str); 3] = [(Every::Week, "weekly"), (Every::Month, "monthly"), (Every::Quarter, "quarterly")];

    /// The first word of a tag.
    pub(super) fn take(tag: &mut Reader<'_>) -> Result<Self, BadTag> {
        let words = Every::ALL.map(|(_, word)| word);
        let Some(word) = tag.word() else {
            return Err(tag.bad("how often is missing", words.join(", ")));
        };
        let every = Every::ALL.iter().find(|(_, it)| *it == word).map(|(every, _)| *every);
        every.ok_or_else(|| tag.bad_word(word, &words))
    }

    /// The first day of the period that `date` is in.
    fn first(self, date: Date) -> Date {
        match self {
            Every::Week => back(date, i64::from(date.weekday().to_monday_zero_offset())),
            Every::Month => date.first_of_month(),
            Every::Quarter => {
                let month = (date.month() - 1) / 3 * 3 + 1;
                Date::new(date.year(), month, 1).unwrap_or(date)
            }
        }
    }

    /// The first day of the period after the one that begins on `first`.
    fn next(self, first: Date) -> Date {
        let next = match self {
            Every::Week => first.checked_add(1.week()),
            Every::Month => first.checked_add(1.month()),
            Every::Quarter => first.checked_add(3.months()),
        };
        next.unwrap_or(Date::MAX)
    }

    /// How long a period lasts at most.
    pub fn longest(self) -> SignedDuration {
        SignedDuration::from_hours(
            24 * match self {
                Every::Week => 7,
                Every::Month => 31,
                Every::Quarter => 92,
            },
        )
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Every::ALL.iter().find(|(it, _)| it == self).map_or("", |(_, word)| word))
    }
}

fn back(date: Date, days: i64) -> Date {
    date.checked_sub(days.days()).unwrap_or(Date::MIN)
}

/// The days and hours at which drills begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// The time of the day from which they begin.
    pub at: Time,
    /// Days on which none begins, besides Saturdays and Sundays.
    pub holidays: DaysOff,
}

/// Drills begin for so long after the time of the day: people are there to read how they end.
const OPEN_FOR: SignedDuration = SignedDuration::from_hours(6);

impl Calendar {
    /// Whether a drill that is due may begin: on a weekday, within six hours after the time of the day.
    pub fn is_open(&self, now: &Zoned) -> bool {
        let is_open = |date: Date| {
            let since = now.timestamp().duration_since(self.moment(date, now));
            self.is_working(date) && !since.is_negative() && since < OPEN_FOR
        };
        // Those of a late hour go on after midnight.
        let today = now.date();
        is_open(today) || today.yesterday().is_ok_and(is_open)
    }

    /// When the drill of the current period is due; it may lie ahead.
    pub fn due(&self, every: Every, now: &Zoned) -> Timestamp {
        let first = every.first(now.date());
        self.moment(self.first_working(first, every.next(first)), now)
    }

    /// When the drill of the period after the current one is due.
    pub fn next_due(&self, every: Every, now: &Zoned) -> Timestamp {
        let first = every.next(every.first(now.date()));
        self.moment(self.first_working(first, every.next(first)), now)
    }

    fn is_working(&self, date: Date) -> bool {
        !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday) && !self.holidays.contains(date)
    }

    /// A week that is all holidays has none: then its first day stands for it, on which nothing begins.
    fn first_working(&self, first: Date, end: Date) -> Date {
        let days = first.series(1.day()).take_while(|it| *it < end);
        days.into_iter().find(|it| self.is_working(*it)).unwrap_or(first)
    }

    fn moment(&self, date: Date, now: &Zoned) -> Timestamp {
        let local = date.to_datetime(self.at).to_zoned(now.time_zone().clone());
        local.map_or(Timestamp::MAX, |it| it.timestamp())
    }
}
