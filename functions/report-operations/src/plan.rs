//! What is told of a day, a week and a month. Pure: no clock, no environment, no AWS.

mod backups;
mod databases;
mod deployments;
pub mod errors;
pub mod findings;
pub mod history;
mod images;
mod line;
mod money;
pub mod next;
pub mod price;
pub mod scope;
mod seen;
mod services;
mod trend;
pub mod usage;
pub mod world;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use board::Section;
use jiff::Zoned;
use reconcile::message::short_name;

use line::Lines;
use scope::Period;

pub use seen::{Read, Scanned, Seen, Weekly};

/// The functions whose dry runs these parts of a board are drawn from.
pub fn functions(sections: &[Section]) -> Vec<&'static str> {
    let all: BTreeSet<&str> = sections.iter().flat_map(|it| it.functions().iter().copied()).collect();
    all.into_iter().collect()
}

/// The report: first what needs a person, a line for each thing with what to do; then what changed; last, in one line,
/// all that is as it should be.
pub fn lines(seen: &Seen, period: Period, now: &Zoned) -> Vec<String> {
    let mut lines = Lines::default();
    unreadable(seen, &mut lines);
    problems(seen, &mut lines);
    alarms(seen, now, &mut lines);
    if let Ok(usage) = &seen.usage {
        services::bounds(usage, seen, &mut lines);
    }
    errors::tell(seen, &mut lines);
    match period {
        Period::Day => {
            images::went_live(&seen.board, seen.window, "day", now, &mut lines);
            routine(seen, &mut lines);
            planned(seen, &mut lines);
        }
        Period::Week => {
            backups::tell(seen, now, &mut lines);
            images::tell(&seen.board, seen.window, now, &mut lines);
            deployments::tell(seen, &mut lines);
            findings::tell(seen, &mut lines);
            services::sizes(seen, &mut lines);
            databases::tell(seen, now, &mut lines);
            money::saved(seen, &mut lines);
        }
        Period::Month => {
            money::table(seen, now, &mut lines);
            money::saved(seen, &mut lines);
            backups::drills(seen, now, &mut lines);
            if let Ok(usage) = &seen.usage {
                trend::tell(usage, seen, &mut lines);
            }
        }
    }
    lines.finish(seen.stack.needs_you())
}

fn unreadable(seen: &Seen, lines: &mut Lines) {
    for (function, run) in &seen.board.runs {
        match run {
            Err(why) => lines.red(format_args!("{function} could not be asked: {why}"), seen.stack.log(function)),
            Ok(run) => {
                let log = seen.stack.log(function);
                run.refused.iter().for_each(|why| lines.red(format_args!("{function} is refused: {why}"), &log));
                if run.is_cut {
                    lines.red(format_args!("{function} had more to say than its answer holds"), log);
                }
            }
        }
    }
    if let Err(why) = &seen.usage {
        lines.red(format_args!("what CloudWatch measured could not be read: {why}"), seen.stack.own_log());
    }
    if let Some(Err(why)) = &seen.routine {
        lines.red(format_args!("what happened as every day could not be read: {why}"), seen.stack.log("scale-staging"));
    }
}

fn problems(seen: &Seen, lines: &mut Lines) {
    let mut count = 0;
    for function in Section::NeedsYou.functions() {
        let Some(run) = seen.board.run(function) else { continue };
        for problem in &run.problems {
            count += 1;
            let line = format!("{}: {} ({function})", run.name_of(&problem.resource), problem.message);
            let choices =
                problem.choices.iter().filter_map(|it| Some(format!("{}: {}", it.label, it.command.as_ref()?)));
            let choices: Vec<String> = choices.collect();
            match choices.is_empty() {
                true => lines.red(line, seen.stack.resource(&problem.resource, function)),
                false => lines.red(line, choices.join("; ")),
            }
        }
    }
    if count == 0 {
        lines.green("no problem");
    }
}

fn alarms(seen: &Seen, now: &Zoned, lines: &mut Lines) {
    match &seen.board.firing {
        Some(Ok(firing)) if firing.is_empty() => lines.green("no alarm in ALARM"),
        Some(Ok(firing)) => {
            for it in firing {
                let since = it.since.map(|it| format!(" since {}", reconcile::when(it, now))).unwrap_or_default();
                let line = format!("alarm {} is in ALARM{since}: {}", it.name, it.reason);
                lines.red(line, seen.stack.alarm(&it.name));
            }
        }
        Some(Err(why)) => lines.red(format_args!("the alarms could not be read: {why}"), seen.stack.own_log()),
        None => {}
    }
}

fn routine(seen: &Seen, lines: &mut Lines) {
    if let Some(Ok(routine)) = &seen.routine {
        routine.iter().for_each(|it| lines.news(it.clone()));
    }
}

/// How many names stand in a line.
const NAMES: usize = 10;

/// What happens next, by what each function would do now.
fn planned(seen: &Seen, lines: &mut Lines) {
    for (function, run) in seen.board.runs.iter().filter_map(|(function, run)| Some((function, run.as_ref().ok()?))) {
        let names: BTreeSet<&str> = run.planned.iter().map(|it| short_name(&it.resource)).collect();
        if names.is_empty() {
            continue;
        }
        let shown: Vec<&str> = names.iter().take(NAMES).copied().collect();
        let more = names.len().saturating_sub(NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.news(format!("Next run of {function}: {} changes, of {}{more}", run.planned.len(), shown.join(", ")));
    }
}
