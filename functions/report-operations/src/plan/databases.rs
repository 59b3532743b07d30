//! What AWS will do to databases, and until when it supports their engines.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::message::short_name;
use reconcile::when;

use super::line::Lines;
use super::seen::Seen;
use super::world::{Database, Lifecycle, Pending};

/// What is done by force so soon needs a person now.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// An upgrade to another major version takes weeks: a copy, tests, a window.
const UPGRADE_WITHIN: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What ends later than this is not news.
const FAR: SignedDuration = SignedDuration::from_hours(365 * 24);

pub fn tell(seen: &Seen, now: &Zoned, lines: &mut Lines) {
    match &seen.weekly.pending {
        Some(Ok(all)) => maintenance(all, seen, now, lines),
        Some(Err(why)) => lines.red(format_args!("pending maintenance could not be read: {why}"), seen.stack.own_log()),
        None => {}
    }
    match (&seen.weekly.databases, &seen.weekly.lifecycles) {
        (Some(Ok(databases)), Some(Ok(lifecycles))) => ends(databases, lifecycles, (seen, now), lines),
        (Some(Err(why)), _) | (_, Some(Err(why))) => {
            let line = format!("the end of support of engines could not be read: {why}");
            lines.red(line, seen.stack.own_log());
        }
        _ => {}
    }
}

fn maintenance(all: &[Pending], seen: &Seen, now: &Zoned, lines: &mut Lines) {
    for it in all {
        let planned = [it.current, it.automatic].into_iter().flatten().min();
        let due = match (it.forced, planned) {
            (Some(at), _) => format!("done by force on {}", when(at, now)),
            (None, Some(at)) => format!("done in the maintenance window from {}", when(at, now)),
            (None, None) => "not done before a person chooses it".into(),
        };
        let description = if it.description.is_empty() { &it.action } else { &it.description };
        let line = format!("{}: {} is pending, {due}: {description}", short_name(&it.arn), it.action);
        match it.forced.is_some_and(|at| at.duration_since(now.timestamp()) <= SOON) {
            true => lines.red(line, seen.stack.run(apply(it))),
            false => lines.news(line),
        }
    }
    if all.is_empty() {
        lines.green("no maintenance of a database pending");
    }
}

/// Has it done in the next maintenance window, and not at any moment.
fn apply(it: &Pending) -> [&str; 9] {
    [
        "aws",
        "rds",
        "apply-pending-maintenance-action",
        "--resource-identifier",
        &it.arn,
        "--apply-action",
        &it.action,
        "--opt-in-type",
        "next-maintenance",
    ]
}

/// Databases by major version, with the end of its support.
fn ends(databases: &[Database], lifecycles: &[Lifecycle], (seen, now): (&Seen, &Zoned), lines: &mut Lines) {
    let mut by_end: BTreeMap<(Timestamp, &str, &str, bool), Vec<&str>> = BTreeMap::new();
    let mut supported = 0;
    for database in databases {
        let Some(lifecycle) = lifecycles.iter().find(|it| it.is_of(database)) else { continue };
        let Some(end) = lifecycle.standard else { continue };
        let is_over = end <= now.timestamp();
        let end = if is_over { lifecycle.extended.unwrap_or(end) } else { end };
        if end.duration_since(now.timestamp()) > FAR && !is_over {
            supported += 1;
            continue;
        }
        let name = database.cluster.as_deref().unwrap_or(&database.name);
        let names = by_end.entry((end, &lifecycle.engine, &lifecycle.major, is_over)).or_default();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    for ((end, engine, major, is_over), names) in by_end {
        let page = seen.stack.database(names[0]);
        let (names, at) = (names.join(", "), when(end, now));
        match is_over {
            true => {
                let line =
                    format!("{names}: standard support of {engine} {major} has ended; AWS bills extended support");
                lines.red(format_args!("{line} until {at}: upgrade"), page);
            }
            false if end.duration_since(now.timestamp()) <= UPGRADE_WITHIN => {
                let line = format!("{names}: standard support of {engine} {major} ends on {at}: upgrade before then");
                lines.red(line, page);
            }
            false => lines.news(format!("{names}: standard support of {engine} {major} ends on {at}")),
        }
    }
    if supported > 0 {
        lines.green(format!("engines of {supported} database instances supported for more than a year"));
    }
}
