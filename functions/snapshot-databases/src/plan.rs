//! Which snapshots to take, and which to copy. Pure: no clock, no environment, no AWS.

mod age;
mod asked;
mod case;
mod command;
mod copy;
mod facts;
mod night;
mod opted_in;
mod owned;
mod quota;
mod step;
mod tags;
mod world;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Zoned;
use reconcile::{Measure, Plan};
use rules::database::{Database, Kind, Snapshot};
use rules::keys;
use rules::retention::Region;

use case::Case;
use opted_in::{rule, tagged};
use owned::Shelves;

pub use asked::asked_id;
pub use command::{Command, Occasion, Scope};
pub use quota::{matters as quota_matters, way_out};
#[cfg(test)]
pub use step::SnapshotCount;
pub use step::{CopySnapshot, Step, TakeSnapshot};
pub use world::{Event, World};

/// What to do about the databases of `world`.
pub fn plan(world: &World, scope: &Scope, now: &Zoned) -> Plan<Step> {
    match scope {
        Scope::One(command) => asked::plan(world, command, now),
        Scope::Everything => everything(world, now),
        // Where nothing is copied, no snapshot was read.
        Scope::Copies if !any_copied(&world.databases) => Plan::new(),
        // Everything is looked at as in the night, or what was told then would be taken for solved, and told again.
        Scope::Copies => {
            let mut plan = everything(world, now);
            plan.steps.retain(|it| matches!(it.step, Step::CopySnapshot(_)));
            plan.skipped.retain(|it| !world.databases.iter().any(|database| database.arn == it.resource));
            plan.measures.retain(|it| it.metric != AGE);
            plan
        }
    }
}

const AGE: &str = "BackupAgeHours";

fn everything(world: &World, now: &Zoned) -> Plan<Step> {
    let mut plan = Plan::remembering(keys::SNAPSHOT_PROBLEM);
    let shelves = Shelves::of(world);
    let counts = quota::counts(world, &shelves.here, now);
    let mut cases = Vec::new();
    for database in tagged(&world.databases) {
        match rule(database) {
            Ok(rule) => cases.push(Case::new(database, rule, world, &shelves, &counts, now)),
            Err(trouble) => {
                plan.examined(&database.arn, &database.tags);
                plan.trouble(&database.arn, trouble);
            }
        }
    }
    let mut room: BTreeMap<Kind, usize> =
        [Kind::Instance, Kind::Cluster].map(|kind| (kind, quota::room(world, kind, &counts, &mut plan))).into();
    // Where the quota does not allow all of them, what has waited longest comes first.
    let mut by_need: Vec<&Case<'_>> = cases.iter().collect();
    by_need.sort_by_key(|it| it.newest_good());
    let mut nights: BTreeMap<&str, Plan<Step>> = BTreeMap::new();
    for case in by_need {
        let mut night = Plan::new();
        case.tonight(room.entry(case.database.kind).or_default(), &mut night);
        nights.insert(&case.database.arn, night);
    }
    let mut oldest: f64 = 0.0;
    for case in &cases {
        let arn = case.database.arn.as_str();
        let night = nights.remove(arn).unwrap_or_default();
        if let Some(value) = case.age(!night.steps.is_empty()) {
            oldest = oldest.max(value);
            plan.measure(Measure { metric: AGE, kind: "Database", of: Some(case.database.id.clone()), value });
        }
        plan.steps.extend(night.steps);
        plan.skipped.extend(night.skipped);
        plan.problems.extend(night.problems);
        case.tell_switchover(&mut plan);
        plan.fact(arn, case.fact());
    }
    plan.measure(Measure { metric: AGE, kind: "Database", of: None, value: oldest });
    copy::copy_all(&cases, world, &mut plan);
    for case in &cases {
        let undecided = case.is_trying_again() || case.is_copying_again();
        if !undecided || plan.problems.iter().any(|it| it.resource == case.database.arn) {
            plan.examined(&case.database.arn, &case.database.tags);
        }
    }
    plan
}

impl Case<'_> {
    /// RDS renames what a blue/green deployment replaced, and leaves its tags on it.
    fn tell_switchover(&self, plan: &mut Plan<Step>) {
        let Database { kind, id, arn, .. } = self.database;
        let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        let Some((name, _)) = id.rsplit_once("-old").filter(|(_, number)| is_number(number)) else { return };
        if self.world.databases.iter().any(|it| it.kind == *kind && it.id == name) {
            plan.problem(
                arn,
                "switched-over",
                format!(
                    "{name} took its place in a blue/green deployment, and it is backed up still: remove its tag {}, or \
                     delete it; its snapshots stay as the rule on them says",
                    keys::BACKUP
                ),
            );
        }
    }
}

/// The regions that the databases ask to be copied to, as far as the stack may copy to them.
pub fn copy_regions(databases: &[Database], allowed: &BTreeMap<Region, Option<String>>) -> BTreeSet<Region> {
    let asked = tagged(databases).into_iter().filter_map(|it| rule(it).ok()?.copy);
    asked.filter(|it| allowed.contains_key(it)).collect()
}

/// Whether any database asks for copies.
pub fn any_copied(databases: &[Database]) -> bool {
    tagged(databases).into_iter().any(|it| rule(it).is_ok_and(|it| it.copy.is_some()))
}

/// Whether any database opted in.
pub fn any_tagged(databases: &[Database]) -> bool {
    !tagged(databases).is_empty()
}

/// The databases and the failed snapshots and copies whose events in RDS the decision depends on. Mostly none.
pub fn wanted_events(world: &World, now: &Zoned) -> (Vec<Database>, Vec<(Option<Region>, Snapshot)>) {
    let (counts, mut databases, mut snapshots) = (BTreeMap::new(), Vec::new(), Vec::new());
    let shelves = Shelves::of(world);
    for database in tagged(&world.databases) {
        let Ok(rule) = rule(database) else { continue };
        let case = Case::new(database, rule, world, &shelves, &counts, now);
        if case.may_have_slept() {
            databases.push(database.clone());
        }
        snapshots.extend(case.failed_tonight().map(|it| (None, it.clone())));
        snapshots.extend(case.failed_copies().map(|(region, it)| (Some(region.clone()), it.clone())));
    }
    (databases, snapshots)
}
