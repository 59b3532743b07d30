//! The windows of RDS for maintenance and automated backups, which pass unused where a database sleeps through them.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use rules::database::Kind;
use rules::schedule::Hours;

use super::wants::Wants;
use super::world::{DatabaseName, Sleeper, World};

/// A database takes minutes to start, and RDS does not wait for it.
const UP_BEFORE: SignedDuration = SignedDuration::from_mins(30);

/// Between the windows and the changes that wait for them.
const PENDING: &str = " with pending ";

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// When a database with `maintenance=awake` is up for a maintenance window: now, or next.
///
/// Aurora gives each instance of a cluster a window of its own, beside that of the cluster.
pub fn up_for_maintenance(sleeper: &Sleeper, all: &[Sleeper], now: &Zoned) -> Option<(Timestamp, Timestamp)> {
    let parts = std::iter::once(sleeper).chain(members(sleeper, all));
    let windows = parts.filter_map(|it| weekly(it.maintenance_window.as_deref()?, now.timestamp()));
    windows.map(|(start, end)| (start - UP_BEFORE, end)).min()
}

/// The instances of a cluster.
fn members<'a>(sleeper: &'a Sleeper, all: &'a [Sleeper]) -> impl Iterator<Item = &'a Sleeper> {
    let is_cluster = sleeper.database.kind == Kind::Cluster;
    let is_its = move |it: &&Sleeper| {
        let cluster = it.database.member_of.as_deref();
        is_cluster && cluster.is_some_and(|cluster| cluster.eq_ignore_ascii_case(&sleeper.database.id))
    };
    all.iter().filter(is_its)
}

/// Whether what is pending of it, or of an instance of the cluster, may be on its way: then it waits for no window.
pub fn is_applying_changes(sleeper: &Sleeper, all: &[Sleeper]) -> bool {
    let rests = |it: &Sleeper| ["available", "stopped"].contains(&it.database.status.as_str());
    std::iter::once(sleeper).chain(members(sleeper, all)).any(|it| !it.pending.is_empty() && !rests(it))
}

/// A tag of RDS holds 256 characters.
const MEMORY: usize = 256;

/// This number of changes is named, as far as they fit into the memory.
const NAMES: usize = 4;

/// The longest that follows the names: ` and 9999 more`.
const MORE: usize = 14;

/// What lies wholly in the sleep of a database.
#[derive(Debug, Clone, PartialEq)]
pub struct InItsSleep {
    pub windows: String,
    pub pending: Option<Pending>,
}

/// The changes that wait for a maintenance window in the sleep.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    pub names: String,
    /// What the changes are of: the database, or instances of the cluster.
    pub of: Vec<DatabaseName>,
}

impl InItsSleep {
    /// As it is remembered; tags of RDS take no commas.
    pub fn memory(&self) -> String {
        match &self.pending {
            Some(pending) => format!("{}{PENDING}{}", self.windows, pending.names),
            None => self.windows.clone(),
        }
    }

    /// Whether these windows were told with changes that are not pending any more.
    pub fn was_told_with_changes(&self, memory: Option<&String>) -> bool {
        let rest = memory.and_then(|it| it.strip_prefix(&self.windows));
        self.pending.is_none() && rest.is_some_and(|it| it.starts_with(PENDING))
    }
}

/// What people have to know of the windows that lie wholly in its sleep, if some do.
pub fn in_its_sleep(sleeper: &Sleeper, wants: &Wants, now: &Zoned, world: &World) -> Option<InItsSleep> {
    // What never wakes has no better time for them.
    if !matches!(wants.schedule.times.hours, Hours::Windows(_)) {
        return None;
    }
    let sleeps_through = |(start, end): (Timestamp, Timestamp)| {
        let then = wants.schedule.wanted(start, now.time_zone(), &world.calendar);
        !then.awake && then.until.is_none_or(|it| end <= it)
    };
    // A holiday or a weekend is not what its sleep is: all that come soon have to lie in it.
    let all = |of: fn(&str, Timestamp) -> Option<(Timestamp, Timestamp)>, window: &str, times: i64, hours: i64| {
        (0..times).all(|it| of(window, now.timestamp() + (it * hours).hours()).is_some_and(sleeps_through))
    };
    let maintenance_of = |it: &'_ Sleeper| {
        let window = it.maintenance_window.clone().filter(|_| !wants.schedule.maintenance_awake);
        window.filter(|it| all(weekly, it, 4, 7 * 24))
    };
    let own = maintenance_of(sleeper);
    let waiting: Vec<&Sleeper> = std::iter::once(sleeper)
        .chain(members(sleeper, &world.databases))
        .filter(|it| !it.pending.is_empty() && maintenance_of(it).is_some())
        .collect();
    let of_instance = || {
        let first = waiting.first()?;
        Some(format!("maintenance window {} UTC of {}", maintenance_of(first)?, first.database.id))
    };
    let backup = sleeper.backup_window.as_deref().filter(|it| all(daily, it, 7, 24));
    let both: Vec<String> = [
        own.map(|it| format!("maintenance window {it} UTC")).or_else(of_instance),
        backup.map(|it| format!("backup window {it} UTC")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let windows = both.join(" and ");
    let names = names(sleeper, &waiting, MEMORY.saturating_sub(windows.len() + PENDING.len() + MORE));
    let pending = names.map(|names| Pending { names, of: waiting.iter().map(|it| it.name()).collect() });
    (!windows.is_empty()).then_some(InItsSleep { windows, pending })
}

/// The names of the changes, as many as fit into `room`; those of instances with the instance.
fn names(sleeper: &Sleeper, waiting: &[&Sleeper], room: usize) -> Option<String> {
    let of = |it: &Sleeper| match it.database.arn == sleeper.database.arn {
        true => String::new(),
        false => format!(" of {}", it.database.id),
    };
    let all: Vec<String> =
        waiting.iter().flat_map(|it| it.pending.iter().map(|name| format!("{name}{}", of(it)))).collect();
    let named = (0..=all.len().min(NAMES)).rev().find(|it| all[..*it].join(" ").len() <= room).unwrap_or_default();
    match (all.len(), named, all.len() - named) {
        (0, ..) => None,
        (_, _, 0) => Some(all.join(" ")),
        (_, 0, more) => Some(format!("{more} changes")),
        (_, _, more) => Some(format!("{} and {more} more", all[..named].join(" "))),
    }
}

/// The occurrence of `sun:16:00-sun:16:30` (UTC) that holds at `now`, or else the next.
fn weekly(window: &str, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let (from, to) = window.split_once('-')?;
    let at = |text: &str| {
        let (day, time) = text.split_once(':')?;
        let day = DAYS.iter().position(|it| day.eq_ignore_ascii_case(it))?;
        Some((Weekday::from_monday_zero_offset(day as i8).ok()?, time.parse::<Time>().ok()?))
    };
    let ((from, start), (to, end)) = (at(from)?, at(to)?);
    let days = (to.to_monday_zero_offset() - from.to_monday_zero_offset()).rem_euclid(7);
    occurrence(now, 7, |date| {
        (date.weekday() == from).then_some(())?;
        span(date, start, date.checked_add(i64::from(days).days()).ok()?, end)
    })
}

/// The occurrence of `17:00-17:30` (UTC) that holds at `now`, or else the next.
fn daily(window: &str, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let (from, to) = window.split_once('-')?;
    let (start, end) = (from.parse::<Time>().ok()?, to.parse::<Time>().ok()?);
    occurrence(now, 1, |date| {
        let last = if end <= start { date.tomorrow().ok()? } else { date };
        span(date, start, last, end)
    })
}

fn occurrence(
    now: Timestamp,
    days: i32,
    on: impl Fn(Date) -> Option<(Timestamp, Timestamp)>,
) -> Option<(Timestamp, Timestamp)> {
    let today = TimeZone::UTC.to_datetime(now).date();
    let dates = (-days..=days).filter_map(|it| today.checked_add(i64::from(it).days()).ok());
    dates.filter_map(on).find(|(_, end)| now < *end)
}

fn span(first: Date, start: Time, last: Date, end: Time) -> Option<(Timestamp, Timestamp)> {
    let at = |date: Date, time: Time| TimeZone::UTC.to_timestamp(date.to_datetime(time)).ok();
    Some((at(first, start)?, at(last, end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: Option<(Timestamp, Timestamp)>, expected: (&str, &str)) {
        let text = |it: Timestamp| it.to_string();
        assert_eq!(found.map(|(start, end)| (text(start), text(end))), Some((expected.0.into(), expected.1.into())));
    }

    #[test]
    fn a_window_is_the_one_that_holds_or_else_the_next() {
        let at = |text: &str| text.parse().unwrap();
        let sunday = ("2026-11-22T16:00:00Z", "2026-11-22T16:30:00Z");
        for now in ["2026-11-20T00:00:00Z", "2026-11-22T16:29:59Z", "2026-11-15T16:30:00Z"] {
            check(weekly("sun:16:00-sun:16:30", at(now)), sunday);
        }
        let midnight = ("2026-11-22T23:45:00Z", "2026-11-23T00:15:00Z");
        check(weekly("Sun:23:45-Mon:00:15", at("2026-11-23T00:10:00Z")), midnight);
        check(daily("23:45-00:15", at("2026-11-23T00:10:00Z")), midnight);
        check(daily("17:00-17:30", at("2026-11-22T17:30:00Z")), ("2026-11-23T17:00:00Z", "2026-11-23T17:30:00Z"));
        for odd in ["", "sun", "sun:16:00", "one:16:00-sun:16:30", "sun:25:00-sun:16:30"] {
            assert_eq!((weekly(odd, at(sunday.0)), daily(odd, at(sunday.0))), (None, None), "{odd}");
        }
    }
}
