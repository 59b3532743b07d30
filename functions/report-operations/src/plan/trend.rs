//! Where a month is leading: databases that fill, and services that grow.

use jiff::Timestamp;

use super::line::Lines;
use super::seen::Seen;
use super::usage::{Query, Series, Usage};

const GIBIBYTE: f64 = 1024.0 * 1024.0 * 1024.0;

/// What is full within this many months at the rate of the last one needs a person.
const MONTHS: f64 = 3.0;

/// Less than this is not a trend.
const CHANGE: f64 = 0.1;

/// How many days at the beginning and at the end of a month are compared.
const DAYS: i64 = 7;

pub fn tell(usage: &Usage, seen: &Seen, lines: &mut Lines) {
    let (from, until) = seen.window;
    for (name, series) in usage.of(Query::DatabaseStorage) {
        let Some((before, after)) = ends(series, from, until, f64::min) else { continue };
        let used = before - after;
        if used < before * CHANGE {
            continue;
        }
        let left = after / used;
        let line = format!(
            "{name}: free storage went from {:.1} to {:.1} GiB in the month; at this rate it is full in {left:.1} months",
            before / GIBIBYTE,
            after / GIBIBYTE
        );
        if left < MONTHS { lines.red(line, seen.stack.database(name)) } else { lines.news(line) }
    }
    let grown: Vec<String> = usage.of(Query::Requests).filter_map(|(name, it)| grown(name, it, from, until)).collect();
    if !grown.is_empty() {
        lines.news(format!("Requests an hour, first week and last week of the month: {}", grown.join(", ")));
    }
}

fn grown(name: &str, series: &Series, from: Timestamp, until: Timestamp) -> Option<String> {
    let (before, after) = ends(series, from, until, |sum, it| sum + it)?;
    let hours = (DAYS * 24) as f64;
    let change = (after - before) / before.max(1.0);
    (change.abs() >= CHANGE)
        .then(|| format!("{name} {:.0} to {:.0} ({:+.0} %)", before / hours, after / hours, change * 100.0))
}

/// What the first and the last week come to; nothing where one of them has no value.
fn ends(
    series: &Series,
    from: Timestamp,
    until: Timestamp,
    reduce: impl Fn(f64, f64) -> f64 + Copy,
) -> Option<(f64, f64)> {
    let week = jiff::SignedDuration::from_hours(24 * DAYS);
    let within = |low: Timestamp, high: Timestamp| {
        series.iter().filter(|(at, _)| low <= *at && *at < high).map(|it| it.1).reduce(reduce)
    };
    Some((within(from, from + week)?, within(until - week, until)?))
}
