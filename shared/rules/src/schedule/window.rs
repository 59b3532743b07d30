//! A time of the day, on the days on which it starts.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};

use super::days::Days;

const TIMES: &str =
    "times such as 08:00-20:00; one that ends before it starts runs into the next day, and a day ends at 24:00";

const DAY: u16 = 24 * 60;

/// `[start, end)` by the wall clock, on the days on which it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    days: Days,
    /// In minutes after midnight.
    start: u16,
    /// The same; beyond 24 hours on the next day.
    end: u16,
}

impl Window {
    /// Reads `08:00-20:00`; the error says what is accepted.
    pub(super) fn read(days: Days, text: &str) -> Result<Self, &'static str> {
        let (start, end) = text.split_once('-').ok_or(TIMES)?;
        let (start, end) = (minutes(start).ok_or(TIMES)?, minutes(end).ok_or(TIMES)?);
        if start == end || start == DAY {
            return Err("a window of some length, such as mon-sun 00:00-24:00 for whole days");
        }
        Ok(Window { days, start, end: if end < start { end + DAY } else { end } })
    }

    /// The days on which it starts.
    pub(super) fn days(&self) -> &Days {
        &self.days
    }

    /// When it starts and ends, if it starts on `date`.
    pub(super) fn on(&self, date: Date) -> Option<(DateTime, DateTime)> {
        self.days.contain(date).then_some(())?;
        let at = |minutes: u16| date.to_datetime(Default::default()).checked_add(i64::from(minutes).minutes()).ok();
        Some((at(self.start)?, at(self.end)?))
    }
}

fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |it: &str, digits: &[usize]| {
        let plain = digits.contains(&it.len()) && it.bytes().all(|it| it.is_ascii_digit());
        plain.then(|| it.parse::<u16>().ok()).flatten()
    };
    let minutes = number(hour, &[1, 2])? * 60 + number(minute, &[2]).filter(|it| *it < 60)?;
    (minutes <= DAY).then_some(minutes)
}
