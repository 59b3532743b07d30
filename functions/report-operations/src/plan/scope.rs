//! What is shown or told.

use board::Section;
use jiff::{SignedDuration, Span, Timestamp, ToSpan, Zoned};

use super::usage::Query;

/// What a run was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    /// What the widget takes, for whoever adds it.
    Describe,
    /// These parts of the board.
    Board(Vec<Section>),
    /// A message about the time that has just ended.
    Report(Period),
}

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Day,
    Week,
    /// The calendar month before this one.
    Month,
}

impl Period {
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "day" => Some(Period::Day),
            "week" => Some(Period::Week),
            "month" => Some(Period::Month),
            _ => None,
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Period::Day => "Daily report",
            Period::Week => "Weekly report",
            Period::Month => "Monthly report",
        }
    }

    /// What CloudWatch is asked for.
    pub fn queries(self) -> &'static [Query] {
        match self {
            Period::Day => &Query::OF_DAY,
            Period::Week => &Query::OF_WEEK,
            Period::Month => &Query::OF_MONTH,
        }
    }

    /// The two weeks up to the end of a window.
    pub fn two_weeks((_, until): (Timestamp, Timestamp)) -> (Timestamp, Timestamp) {
        (until - SignedDuration::from_hours(14 * 24), until)
    }

    /// The time that it is about, in whole hours: CloudWatch answers quicker so.
    pub fn window(self, now: &Zoned) -> (Timestamp, Timestamp) {
        let back = |span: Span| now.saturating_sub(span);
        let hour = |it: Timestamp| Timestamp::from_second(it.as_second().div_euclid(3600) * 3600).unwrap_or(it);
        match self {
            Period::Day => (hour(back(1.day()).timestamp()), hour(now.timestamp())),
            Period::Week => (hour(back(7.days()).timestamp()), hour(now.timestamp())),
            Period::Month => {
                let first = now.date().first_of_month();
                let midnight = |date: jiff::civil::Date| {
                    date.to_zoned(now.time_zone().clone()).map_or(now.timestamp(), |it| it.timestamp())
                };
                (midnight(first.saturating_sub(1.month())), midnight(first))
            }
        }
    }
}
