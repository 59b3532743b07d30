//! Which snapshots and copies go.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::{Plan, Trouble};
use rules::database::{Database, Kind, Snapshot};
use rules::drill::DrillRule;
use rules::keys;
use rules::retention::{COPY_ENDS_WITHIN, Region};

use super::group::{Group, Leave, Place};
use super::step::Step;
use super::world::World;

/// A drill lasts a day at most, begins from the newest copy, and that may be of the night before the last.
const MAY_BE_DRILLED: SignedDuration = SignedDuration::from_hours(72);

/// Deletes the snapshots and copies of every region that no rule keeps.
pub fn plan(world: &World, now: &Zoned, plan: &mut Plan<Step>) {
    let (copies, ours): (Vec<&Snapshot>, Vec<&Snapshot>) =
        world.snapshots.iter().filter(|it| it.is_ours()).partition(|it| it.is_copy());
    for copy in copies {
        plan.skip(&copy.arn, "it is a copy, which the stack of the region that it comes from looks after");
    }
    let in_flight = in_flight(world);
    let unreadable = world.copies.iter().find(|(_, copies)| copies.is_err()).map(|(region, _)| region);
    let drilled = drilled(world);
    let spare = |it: &Snapshot| {
        if drilled.contains(it.id.as_str()) {
            return Some("a drill is restored from it".to_owned());
        }
        let copying = in_flight.get(it.arn.as_str()).map(|region| format!("it is being copied to {region}"));
        let recent = |taken: Timestamp| now.timestamp().duration_since(taken) < COPY_ENDS_WITHIN;
        let unclear = unreadable
            .filter(|_| it.taken_at().is_some_and(recent))
            .map(|region| format!("it may be on its way to {region}, which cannot be read"));
        copying.or(unclear).or_else(|| world.sharing.get(&it.arn)?.spares())
    };
    let mut home = Place { region: None, kept: BTreeSet::new() };
    let last_ones = prune(&world.databases, &ours, &spare, &mut home, now, plan);
    tell_of_the_gone(&last_ones, plan);
    for (region, copies) in &world.copies {
        let copies = match copies {
            Ok(copies) => copies.iter().filter(|it| it.is_ours() && is_from_here(it, world)).collect::<Vec<_>>(),
            Err(error) => {
                let trouble = Trouble::unreadable("unreadable-region", "the snapshots there", error);
                plan.trouble(&format!("copies in {region}"), trouble);
                continue;
            }
        };
        // A copy never goes before the snapshot that it is a copy of.
        let spare = |it: &Snapshot| {
            let kept = it.original().is_some_and(|it| home.kept.contains(it.arn));
            let drilled =
                || may_be_drilled(it, region, world, now).then(|| "a drill there may be restored from it".to_owned());
            kept.then(|| "its original is kept".to_owned())
                .or_else(drilled)
                .or_else(|| world.sharing.get(&it.arn)?.spares())
        };
        let mut there = Place { region: Some(region), kept: BTreeSet::new() };
        prune(&world.databases, &copies, &spare, &mut there, now, plan);
    }
}

/// Whether a snapshot of another region is a copy of one of this region.
///
/// The others there are not this stack's to judge: that region may have a stack of its own, whose databases this one
/// does not see, and so would take for gone.
fn is_from_here(copy: &Snapshot, world: &World) -> bool {
    copy.original().and_then(|it| it.region()) == Some(world.region.as_str())
}

/// The snapshots that drills under way were restored from: such a drill may prove the snapshot, which then stays.
fn drilled(world: &World) -> BTreeSet<&str> {
    let sources = world.databases.iter().filter_map(|it| it.tags.get(keys::DRILL_FROM));
    sources.filter_map(|it| it.split_whitespace().next()).collect()
}

/// Whether a drill in another region may be restored from this copy, or be about to prove it. The databases there are not
/// read: it was the newest there at most a night and the day of a drill ago.
fn may_be_drilled(copy: &Snapshot, region: &Region, world: &World, now: &Zoned) -> bool {
    let drills = |it: &Database| {
        let rule = it.tags.get(keys::DRILL).map(|it| it.parse::<DrillRule>());
        // A tag that cannot be read says nothing of what is under way.
        rule.is_some_and(|it| it.map_or(true, |it| it.region.as_ref() == Some(region)))
    };
    let is_recent = copy.taken_at().is_some_and(|it| now.timestamp().duration_since(it) < MAY_BE_DRILLED);
    is_recent && world.databases.iter().any(|it| drills(it) && it.owns(copy))
}

/// The snapshots that are being copied, by ARN, with the regions that they go to: deleting one would end the copying.
fn in_flight(world: &World) -> BTreeMap<&str, &Region> {
    let readable = world.copies.iter().filter_map(|(region, copies)| Some((region, copies.as_ref().ok()?)));
    readable
        .flat_map(|(region, copies)| copies.iter().map(move |it| (it, region)))
        .filter(|(it, _)| matches!(it.status.as_str(), "creating" | "copying"))
        .filter_map(|(it, region)| Some((it.original()?.arn, region)))
        .collect()
}

/// Judges all snapshots of one region. Returns the last ones of databases that are gone and that no rule ends.
fn prune<'a>(
    databases: &'a [Database],
    snapshots: &[&'a Snapshot],
    spare: &dyn Fn(&Snapshot) -> Option<String>,
    place: &mut Place<'_>,
    now: &Zoned,
    plan: &mut Plan<Step>,
) -> Vec<&'a Snapshot> {
    let mut last_ones = Vec::new();
    for group in groups(databases, snapshots) {
        if let Some(database) = group.database
            && database.tags.contains_key(keys::BACKUP)
        {
            plan.examined(&database.arn, &database.tags);
        }
        match group.rule(place.region, now) {
            Ok(rule) => {
                last_ones.extend(group.last_one().filter(|_| rule.gone.is_none()));
                group.judge(&rule, spare, place, now, plan);
            }
            Err(Leave { reason, trouble }) => {
                last_ones.extend(group.last_one());
                for snapshot in &group.snapshots {
                    place.kept.insert(snapshot.arn.clone());
                    plan.skip(&snapshot.arn, &reason);
                }
                if let (Some(trouble), Some(database)) = (trouble, group.database) {
                    plan.trouble(&database.arn, trouble);
                }
            }
        }
    }
    last_ones
}

/// Tells once a month which last snapshots stay for ever: of a database for each pull request they fill the quota.
///
/// The oldest of them remembers it, since it stays the longest, so that one more of them is not told at once.
fn tell_of_the_gone(last_ones: &[&Snapshot], plan: &mut Plan<Step>) {
    let mut sorted = last_ones.to_vec();
    sorted.sort_by(|a, b| (a.taken_at(), &a.arn).cmp(&(b.taken_at(), &b.arn)));
    let Some(oldest) = sorted.first() else { return };
    let names: Vec<&str> = sorted.iter().take(3).map(|it| it.id.as_str()).collect();
    // Rounded, since a changed number would be told at once.
    let what = match sorted.len() {
        1 => format!("{} is the last backup of a database that is gone, and stays for ever", oldest.id),
        few @ ..10 => format!(
            "{few} snapshots of deleted databases stay for ever, such as {}, since they are the last backups",
            names.join(", ")
        ),
        many => format!(
            "at least {} snapshots of deleted databases stay for ever, such as {}, since they are the last backups",
            many / 10 * 10,
            names.join(", ")
        ),
    };
    plan.examined(&oldest.arn, &oldest.tags);
    let message = format!(
        "{what}: delete what is not needed, tag the rest {}, and give databases that come and go the option gone=90d",
        keys::KEEP
    );
    plan.monthly(&oldest.arn, "last-backups", message);
}

/// The snapshots of each database, the oldest first; then those of databases that are gone.
fn groups<'a>(databases: &'a [Database], snapshots: &[&'a Snapshot]) -> Vec<Group<'a>> {
    let mut by_database: BTreeMap<(bool, Kind, &str), Group<'a>> = BTreeMap::new();
    let mut by_name: BTreeMap<(Kind, &str), Vec<&Database>> = BTreeMap::new();
    let mut by_resource_id: BTreeMap<(Kind, &str), &Database> = BTreeMap::new();
    for database in databases {
        by_name.entry((database.kind, &database.id)).or_default().push(database);
        by_resource_id.extend(database.resource_id.as_deref().map(|it| ((database.kind, it), database)));
    }
    for snapshot in snapshots {
        let by_id = snapshot.resource_id_of_database().and_then(|it| by_resource_id.get(&(snapshot.kind, it)));
        let named = by_name.get(&(snapshot.kind, snapshot.database.as_str())).into_iter().flatten();
        let database = by_id.into_iter().chain(named).copied().find(|it| it.owns(snapshot));
        let key = match database {
            Some(it) => (false, it.kind, it.arn.as_str()),
            None => (true, snapshot.kind, snapshot.resource_id_of_database().unwrap_or(&snapshot.database)),
        };
        by_database.entry(key).or_insert_with(|| Group { database, snapshots: Vec::new() }).snapshots.push(snapshot);
    }
    // A database without any snapshot is looked at too: its tag may be wrong.
    for database in databases.iter().filter(|it| it.tags.contains_key(keys::BACKUP)) {
        let key = (false, database.kind, database.arn.as_str());
        by_database.entry(key).or_insert_with(|| Group { database: Some(database), snapshots: Vec::new() });
    }
    let mut groups: Vec<Group<'a>> = by_database.into_values().collect();
    for group in &mut groups {
        group.snapshots.sort_by(|a, b| (a.taken_at(), &a.id).cmp(&(b.taken_at(), &b.id)));
    }
    groups
}
