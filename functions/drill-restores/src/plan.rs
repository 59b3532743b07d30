//! Which drills begin, and what is next in those under way. Pure: no clock, no environment, no AWS.

mod advance;
mod begin;
mod case;
mod finish;
mod own;
mod scope;
mod step;
mod world;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Zoned;
use reconcile::{Measure, Plan, Trouble};
use rules::ServiceName;
use rules::database::Kind;
use rules::drill::{Check, DrillRule, Origin, Outcome};
use rules::facts::{self, Fact};
use rules::keys;
use rules::retention::Region;

use begin::{Turn, begin, cost, is_overdue, region_of_drill, running, turn};
use case::{Case, Original, is_called_like_a_drill};
use finish::tell_again;

pub use own::{Own, own};
pub use scope::Scope;
pub use step::{AddMember, Backup, Delete, Restore, RunCheck, Step};
pub use world::{CheckTarget, Container, Details, Said, Settings, Task, World};

/// What to do about the drills of `world`.
pub fn plan(world: &World, scope: &Scope, now: &Zoned) -> Plan<Step> {
    let mut plan = Plan::remembering(keys::DRILL_PROBLEM);
    let originals = world.originals();
    let (drills, strays) = world.drills(now);
    if let Err(why) = possible(scope, world, &originals, &drills) {
        plan.refuse(why);
        return plan;
    }
    for drill in &drills {
        let ended = matches!(scope, Scope::End(name) if drill.of().eq_ignore_ascii_case(name));
        drill.advance(ended, &mut plan);
    }
    strays.iter().for_each(|it| it.judge(now, &mut plan));
    let foreign = world.at_home().filter(|it| is_called_like_a_drill(it) && world.own(it).is_none());
    for database in foreign.filter(|it| !it.tags.contains_key(keys::DRILL)) {
        plan.skip(
            &database.arn,
            "it is called as the databases of drills are, but the drill-restores of this region did not make it",
        );
    }
    let mut room = world.max_drills.saturating_sub(drills.len());
    let mut by_need: Vec<&Original<'_>> = originals.iter().collect();
    by_need.sort_by_key(|it| it.drilled.as_ref().map(|it| it.begun));
    for original in by_need {
        plan.examined(&original.database.arn, &original.database.tags);
        plan.fact(&original.database.arn, fact(original));
        tell_again(original, running(&drills, original), now, &mut plan);
        match &original.rule {
            Err(bad) => plan.trouble(&original.database.arn, Trouble::new("bad-tag", bad)),
            Ok(rule) => look(original, rule, (world, scope, &drills), now, &mut room, &mut plan),
        }
    }
    measure(&originals, now, &mut plan);
    plan
}

/// How the last drill of a database ended, for the board.
fn fact(original: &Original<'_>) -> Fact {
    let last = original.drilled.as_ref();
    Fact::Drill(facts::Drill {
        database: original.database.id.clone(),
        outcome: last.map(|it| it.outcome.to_string()),
        at: last.map(|it| it.at),
        took_minutes: last.and_then(|it| it.took),
        data_hours: last.map(|it| it.data),
        good: last.and_then(|it| it.good),
    })
}

/// Begins a drill of `original` if it is its turn.
fn look(
    original: &Original<'_>,
    rule: &DrillRule,
    (world, scope, drills): (&World, &Scope, &[Case<'_>]),
    now: &Zoned,
    room: &mut usize,
    plan: &mut Plan<Step>,
) {
    let arn = &original.database.arn;
    if let Some(drill) = running(drills, original) {
        return plan.skip(arn, format!("its drill {} is under way", drill.database.id));
    }
    let turn = match scope {
        Scope::Drill(name) if original.database.id.eq_ignore_ascii_case(name) => {
            Turn::Now("a person asked for it".into())
        }
        _ => turn(original, rule, world, now),
    };
    match turn {
        Turn::Now(_) if *room == 0 => {
            plan.skip(arn, "its drill is due and waits for another one to end (parameter MaxDrills of the stack)");
        }
        Turn::Now(why) => *room -= usize::from(begin(original, rule, world, now, &why, plan)),
        Turn::Not(why) => match cost(original, rule, world, now) {
            Some(cost) => plan.skip(arn, format!("{why}; {cost}")),
            None => plan.skip(arn, why),
        },
    }
}

/// Why a command cannot be carried out, if it cannot.
fn possible(scope: &Scope, world: &World, originals: &[Original<'_>], drills: &[Case<'_>]) -> Result<(), String> {
    let (name, wanted) = match scope {
        Scope::Everything => return Ok(()),
        Scope::Drill(name) => (name, true),
        Scope::End(name) => (name, false),
    };
    let running = drills.iter().find(|it| it.of().eq_ignore_ascii_case(name) && !it.is_deleting());
    if !wanted {
        return running.map(drop).ok_or_else(|| format!("no drill of {name} is under way"));
    }
    if let Some(drill) = drills.iter().find(|it| it.of().eq_ignore_ascii_case(name)) {
        return Err(format!("a drill of {name} is under way, or being deleted: {}", drill.database.id));
    }
    let tagged = originals.iter().filter(|it| it.database.id.eq_ignore_ascii_case(name)).count();
    match tagged {
        0 if world.at_home().any(|it| it.id.eq_ignore_ascii_case(name)) => {
            Err(format!("{name} has no tag {}: add it first, for example with the value monthly", keys::DRILL))
        }
        0 => Err(format!("there is no DB instance and no DB cluster {name} in this region")),
        1 if drills.len() >= world.max_drills => Err(format!(
            "{} drills are under way, which is the most (parameter MaxDrills of the stack): wait, or end one of them",
            drills.len()
        )),
        1 => Ok(()),
        _ => Err(format!("a DB instance and a DB cluster are both called {name}: remove the tag from one of them")),
    }
}

fn measure(originals: &[Original<'_>], now: &Zoned, plan: &mut Plan<Step>) {
    let (mut failed, mut overdue): (f64, f64) = (0.0, 0.0);
    for original in originals {
        let troubled = plan.problems.iter().any(|it| it.resource == original.database.arn);
        let last = original.drilled.as_ref().map(|it| it.outcome);
        let bad = matches!(last, Some(Outcome::Failed | Outcome::Late)) || troubled;
        let late = original.rule.as_ref().is_ok_and(|it| is_overdue(original, it, troubled, now));
        (failed, overdue) = (failed.max(f64::from(u8::from(bad))), overdue.max(f64::from(u8::from(late))));
        let of = Some(original.database.id.clone());
        plan.measure(Measure {
            metric: "DrillFailed",
            kind: "Database",
            of: of.clone(),
            value: f64::from(u8::from(bad)),
        });
        plan.measure(Measure { metric: "DrillOverdue", kind: "Database", of, value: f64::from(u8::from(late)) });
    }
    plan.measure(Measure { metric: "DrillFailed", kind: "Database", of: None, value: failed });
    plan.measure(Measure { metric: "DrillOverdue", kind: "Database", of: None, value: overdue });
}

/// Which snapshots have to be read.
#[derive(Debug, Default, PartialEq)]
pub struct Wanted {
    /// Those that Nightshift made.
    pub ours: bool,
    /// The copies in these regions.
    pub copies: BTreeSet<Region>,
    /// The automated ones of these databases.
    pub automated: Vec<(Kind, String)>,
}

/// Which snapshots have to be read, since some drill is to begin; or, in a dry run, since people are told what it would
/// restore.
pub fn wanted_snapshots(world: &World, scope: &Scope, dry_run: bool, now: &Zoned) -> Wanted {
    let originals = if dry_run { world.originals() } else { beginning(world, scope, now) };
    let mut wanted = Wanted::default();
    for original in originals {
        let Ok(rule) = &original.rule else { continue };
        match (&rule.region, rule.from) {
            (Some(region), _) if matches!(world.elsewhere.get(region), Some(Ok(()))) => {
                wanted.copies.insert(region.clone());
            }
            (Some(_), _) | (None, Origin::Latest) => {}
            (None, Origin::Nightshift) => wanted.ours = true,
            (None, Origin::Automated) => {
                wanted.automated.push((original.database.kind, original.database.id.clone()));
            }
        }
    }
    wanted
}

/// The checks of which it must be known whether they can run, each with the region that it runs in, by the ARN of the
/// original.
pub fn wanted_checks(world: &World, scope: &Scope, now: &Zoned) -> BTreeMap<String, (String, Check)> {
    let (drills, _) = world.drills(now);
    let check = |original: &Original<'_>, region: &str| {
        let check = original.rule.as_ref().ok()?.check.clone()?;
        Some((original.database.arn.clone(), (region.to_owned(), check)))
    };
    let unchecked = drills.iter().filter(|it| it.progress.task.is_none() && !it.is_deleting());
    // The tag may name another region by now than the one that the drill was begun in.
    let mut wanted: BTreeMap<_, _> = unchecked.filter_map(|it| check(it.original.as_ref()?, it.region())).collect();
    let begins = beginning(world, scope, now);
    wanted.extend(begins.iter().filter_map(|it| check(it, region_of_drill(it.rule.as_ref().ok()?, world))));
    wanted
}

/// The tasks to look at, by the ARN of the drill database: the service in whose cluster it runs, and its id.
pub fn wanted_tasks(world: &World, now: &Zoned) -> BTreeMap<String, (ServiceName, String)> {
    let (drills, _) = world.drills(now);
    let task = |it: &Case<'_>| {
        let check = it.original.as_ref()?.rule.as_ref().ok()?.check.clone()?;
        let open = it.progress.proven.is_none() && !it.is_deleting();
        open.then(|| Some((it.database.arn.clone(), (check.service, it.progress.task.clone()?))))?
    };
    drills.iter().filter_map(task).collect()
}

/// The checks of which it matters what they said last, by the ARN of the drill database, each with the id of its task: those
/// that have ended.
pub fn wanted_words(world: &World, now: &Zoned) -> BTreeMap<String, (Check, String)> {
    let (drills, _) = world.drills(now);
    let wanted = |it: &Case<'_>| {
        let check = it.original.as_ref()?.rule.as_ref().ok()?.check.clone()?;
        let stopped = matches!(world.tasks.get(&it.database.arn), Some(Ok(Some(task))) if task.stopped);
        let ended = stopped || it.progress.proven.is_some();
        let matters = ended && !it.is_deleting() && !it.is_finished();
        matters.then(|| Some((it.database.arn.clone(), (check, it.progress.task.clone()?))))?
    };
    drills.iter().filter_map(wanted).collect()
}

fn beginning<'a>(world: &'a World, scope: &Scope, now: &Zoned) -> Vec<Original<'a>> {
    let (drills, _) = world.drills(now);
    let begins = |it: &Original<'_>| match (&it.rule, scope) {
        _ if running(&drills, it).is_some() => false,
        (Ok(_), Scope::Drill(name)) if it.database.id.eq_ignore_ascii_case(name) => true,
        (Ok(rule), _) => matches!(turn(it, rule, world, now), Turn::Now(_)),
        (Err(_), _) => false,
    };
    world.originals().into_iter().filter(begins).collect()
}
