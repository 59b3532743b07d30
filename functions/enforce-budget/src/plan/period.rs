//! The periods of budgets, which begin and end in UTC as AWS counts.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A budget's period, in UTC as AWS counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub start: Timestamp,
    /// The first moment of the next one, or the end of the budget.
    pub end: Timestamp,
}

impl Period {
    /// Its first day in UTC, by which it is remembered.
    pub fn first_day(&self) -> Date {
        day(self.start)
    }
}

/// The day of a moment in UTC.
pub fn day(moment: Timestamp) -> Date {
    moment.to_zoned(TimeZone::UTC).date()
}
