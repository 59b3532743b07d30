//! When deployments may begin: the window of a service (`nightshift:deploy-window`) and the freeze of a stack.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::keys;
use crate::schedule::{StackCalendar, Times, Wanted};
use crate::tag::{BadTag, Reader};

/// `nightshift:deploy-window`: when deployments to a service may begin, in the grammar of schedules.
///
/// ```
/// use rules::calendar::DeployWindow;
/// use rules::schedule::StackCalendar;
///
/// let stack = StackCalendar::default();
/// let window = DeployWindow::read("mon-thu 10:00-16:00 Asia/Seoul", &stack).unwrap();
/// let saturday: jiff::Zoned = "2026-11-21T03:10:00+09:00[Asia/Seoul]".parse().unwrap();
/// let wanted = window.at(saturday.timestamp(), saturday.time_zone(), &stack);
/// assert!(!wanted.awake);
/// assert_eq!(wanted.until.unwrap().to_string(), "2026-11-23T01:00:00Z");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DeployWindow(Times);

impl DeployWindow {
    /// Reads the value of the tag; a name in it is one of `stack`.
    pub fn read(value: &str, stack: &StackCalendar) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::DEPLOY_WINDOW, value)?;
        let times = Times::read(&mut tag, &stack.schedules)?;
        tag.finish()?;
        Ok(DeployWindow(times))
    }

    /// Whether it is open at `now` (`awake`), and until when it stays so; in `zone` unless it names its own.
    pub fn at(&self, now: Timestamp, zone: &TimeZone, stack: &StackCalendar) -> Wanted {
        self.0.wanted(now, zone, stack)
    }
}

/// As it was written.
impl fmt::Display for DeployWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A time in which a stack deploys nothing, by the wall clock of its zone: `[from, to)`.
///
/// ```
/// use rules::calendar::Freeze;
///
/// // A date stands for the whole day.
/// let freeze: Freeze = "2026-12-20/2027-01-03".parse().unwrap();
/// let last: jiff::Zoned = "2027-01-03T23:59:00+09:00[Asia/Seoul]".parse().unwrap();
/// assert_eq!(freeze.until(last.timestamp(), last.time_zone()).unwrap().to_string(), "2027-01-03T15:00:00Z");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freeze {
    from: DateTime,
    to: DateTime,
}

/// What is not a time in which nothing is deployed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFreeze {
    /// One of its two ends cannot be read.
    #[error("'{0}' is not a date or a moment")]
    End(String),
    /// There are not two ends.
    #[error("'{0}' does not name two ends")]
    Ends(String),
    /// It ends before it begins.
    #[error("'{0}' ends before it begins")]
    Order(String),
}

impl Freeze {
    /// When it ends, if it holds at `now`.
    pub fn until(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let at = |it: DateTime| it.to_zoned(zone.clone()).map(|it: Zoned| it.timestamp());
        let (from, to) = (at(self.from).ok()?, at(self.to).ok()?);
        (from <= now && now < to).then_some(to)
    }

    /// When it begins.
    pub fn begins(&self, zone: &TimeZone) -> Option<Timestamp> {
        self.from.to_zoned(zone.clone()).ok().map(|it| it.timestamp())
    }
}

impl FromStr for Freeze {
    type Err = BadFreeze;

    fn from_str(text: &str) -> Result<Self, BadFreeze> {
        let (from, to) = text.split_once('/').ok_or_else(|| BadFreeze::Ends(text.into()))?;
        let moment = |it: &str| it.contains('T').then(|| it.parse::<DateTime>().ok()).flatten();
        let day =
            |it: &str, days: i64| it.parse::<Date>().ok()?.checked_add(days.days()).ok().map(|it| it.at(0, 0, 0, 0));
        let end = |it: &str, days: i64| {
            let read = if it.contains('T') { moment(it) } else { day(it, days) };
            read.ok_or_else(|| BadFreeze::End(it.into()))
        };
        let freeze = Freeze { from: end(from, 0)?, to: end(to, 1)? };
        if freeze.from < freeze.to { Ok(freeze) } else { Err(BadFreeze::Order(text.into())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freeze_is_read_from_dates_and_from_moments() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for (text, now, until) in [
            ("2026-12-20/2027-01-03", "2026-12-19T22:59:59Z", None),
            ("2026-12-20/2027-01-03", "2026-12-19T23:00:00Z", Some("2027-01-03T23:00:00Z")),
            ("2026-12-20/2026-12-20", "2026-12-20T22:59:59Z", Some("2026-12-20T23:00:00Z")),
            ("2026-12-20/2026-12-20", "2026-12-20T23:00:00Z", None),
            ("2026-12-18T18:00/2027-01-04T09:00", "2026-12-18T16:59:00Z", None),
            ("2026-12-18T18:00/2027-01-04T09:00", "2027-01-04T07:59:59Z", Some("2027-01-04T08:00:00Z")),
        ] {
            let freeze: Freeze = text.parse().unwrap();
            let expected = until.map(|it: &str| it.parse::<Timestamp>().unwrap());
            assert_eq!(freeze.until(now.parse().unwrap(), &zone), expected, "{text} at {now}");
        }
    }

    #[test]
    fn what_is_not_a_freeze_is_refused_with_what_is_wrong() {
        for (text, wrong) in [
            ("2026-12-20", "'2026-12-20' does not name two ends"),
            ("2026-12-20/christmas", "'christmas' is not a date or a moment"),
            ("2026-02-30/2026-03-01", "'2026-02-30' is not a date or a moment"),
            ("2026-12-20/2026-12-19", "'2026-12-20/2026-12-19' ends before it begins"),
        ] {
            assert_eq!(text.parse::<Freeze>().unwrap_err().to_string(), wrong);
        }
    }

    #[test]
    fn a_window_is_refused_in_the_words_of_schedules_and_takes_no_options_but_dates() {
        let stack = StackCalendar { schedules: "releases=mon-thu 10:00-16:00".parse().unwrap(), ..Default::default() };
        for (value, wrong) in [
            ("mon-thurs 10:00-16:00", "mon-thurs"),
            ("10:00-16:00", "no days before '10:00-16:00'"),
            ("mon-thu 10:00-16:00 off=1", "unknown option 'off'"),
            ("release", "unknown word 'release' in 'release'; did you mean 'releases'?"),
            ("", "no window"),
        ] {
            let error = DeployWindow::read(value, &stack).unwrap_err().to_string();
            assert!(error.starts_with("nightshift:deploy-window: ") && error.contains(wrong), "{error}");
        }
        for (value, words) in [
            ("  mon-thu  10:00-16:00 ", "mon-thu 10:00-16:00"),
            ("releases day=1-20", "releases day=1-20 (mon-thu 10:00-16:00)"),
        ] {
            assert_eq!(DeployWindow::read(value, &stack).unwrap().to_string(), words);
        }
    }

    #[test]
    fn a_window_does_not_open_on_a_holiday() {
        let mut stack = StackCalendar::default();
        let window = DeployWindow::read("mon-thu 10:00-16:00", &stack).unwrap();
        let zone = TimeZone::get("Asia/Seoul").unwrap();
        let monday = "2026-11-23T02:00:00Z".parse().unwrap();
        assert!(window.at(monday, &zone, &stack).awake);
        stack.holidays = ["11-23".parse().unwrap()].into_iter().collect();
        let wanted = window.at(monday, &zone, &stack);
        assert_eq!((wanted.awake, wanted.until.unwrap().to_string().as_str()), (false, "2026-11-24T01:00:00Z"));
    }
}
