//! The quota of manual snapshots: told before it is reached, and never run against.

use std::collections::BTreeMap;

use jiff::{Timestamp, Zoned};
use reconcile::Plan;
use rules::database::{Database, Kind, Snapshot};
use rules::keys;
use rules::retention::{BackupRule, STALE_AFTER};

use super::opted_in::{rule, tagged};
use super::owned::Owned;
use super::step::{SnapshotCount, Step};
use super::world::World;

/// What an account has for each kind and region unless AWS raised it.
const USUAL: usize = 100;

/// Whether a quota can matter: whether the snapshots of a kind, `manual` that are there and one of each tagged database
/// that this night adds, nearly reach the least quota that an account has.
pub fn matters(manual: &BTreeMap<Kind, usize>, databases: &[Database]) -> bool {
    [Kind::Instance, Kind::Cluster].into_iter().any(|kind| {
        let of_tonight = tagged(databases).iter().filter(|it| it.kind == kind).count();
        is_near(manual.get(&kind).copied().unwrap_or_default() + of_tonight, USUAL)
    })
}

fn is_near(there: usize, quota: usize) -> bool {
    there * 10 >= quota * 9
}

/// How many snapshots of each kind there are.
pub fn counts(world: &World, here: &Owned<'_>, now: &Zoned) -> BTreeMap<Kind, SnapshotCount> {
    [Kind::Instance, Kind::Cluster].map(|kind| (kind, count(world, here, kind, now))).into()
}

fn count(world: &World, here: &Owned<'_>, kind: Kind, now: &Zoned) -> SnapshotCount {
    let of = |database: &&Database| {
        let Ok(rule) = rule(database) else { return 0 };
        let good = here.by(database).filter(|it| it.is_good());
        let taken: Vec<Timestamp> = good.filter_map(Snapshot::taken_at).collect();
        // `prune-backups` deletes nothing while backups fail.
        let fresh = |it: &Timestamp| now.timestamp().duration_since(*it) <= STALE_AFTER;
        if !taken.iter().any(fresh) {
            return 0;
        }
        rule.retention.judge(&taken, now).iter().filter(|it| it.is_none()).count()
    };
    let of_the_gone = gone(world, here, kind, now);
    SnapshotCount {
        manual: world.manual.get(&kind).copied().unwrap_or_default(),
        prunable: tagged(&world.databases).iter().filter(|it| it.kind == kind).map(of).sum::<usize>() + of_the_gone,
    }
}

/// How many snapshots of databases that no longer exist no rule keeps.
fn gone(world: &World, here: &Owned<'_>, kind: Kind, now: &Zoned) -> usize {
    let mut of_one: BTreeMap<&str, Vec<&Snapshot>> = BTreeMap::new();
    let ours = world.snapshots.iter().filter(|it| it.kind == kind && it.is_ours() && it.is_good() && !it.is_copy());
    let owned = here.by_any(&world.databases);
    for snapshot in ours.filter(|it| !owned.contains(it.arn.as_str())) {
        let database = snapshot.resource_id_of_database().unwrap_or(&snapshot.database);
        of_one.entry(database).or_default().push(snapshot);
    }
    let of = |snapshots: &Vec<&Snapshot>| {
        let newest = snapshots.iter().max_by_key(|it| it.taken_at());
        let rule = newest.and_then(|it| BackupRule::remembered(it.tags.get(keys::RETAINED_BY)?).ok());
        let taken: Vec<Timestamp> = snapshots.iter().filter_map(|it| it.taken_at()).collect();
        rule.map_or(0, |it| it.retention.judge_gone(&taken, now).iter().filter(|it| it.is_none()).count())
    };
    of_one.values().map(of).sum()
}

/// How many more snapshots of a kind may be taken; tells it where there are nearly none or none.
///
/// One database of that kind stands for the account, which cannot remember what was told.
pub fn room(world: &World, kind: Kind, counts: &BTreeMap<Kind, SnapshotCount>, plan: &mut Plan<Step>) -> usize {
    let Some(count) = counts.get(&kind) else { return usize::MAX };
    let known = world.quotas.get(&kind).copied();
    let quota = match known {
        Some(quota) => quota,
        // More than the usual quota are there, so it was raised, and to what is not known.
        None if count.manual > USUAL => return usize::MAX,
        None => USUAL,
    };
    let Some(witness) = tagged(&world.databases).into_iter().find(|it| it.kind == kind && rule(it).is_ok()) else {
        return usize::MAX;
    };
    let is_full = count.manual >= quota;
    if is_full && known.is_some() {
        let message = format!(
            "no further backup: the snapshot quota is used up. It allows {quota} manual {kind} snapshots in the region; {}",
            way_out(kind, Some(*count))
        );
        plan.problem(&witness.arn, "snapshot-quota", message);
        return 0;
    }
    if is_near(count.manual, quota) {
        let message = format!(
            "the snapshot quota is more than 90 % used. It allows {quota} manual {kind} snapshots in the region: {}",
            raise(kind)
        );
        plan.problem(&witness.arn, "snapshot-quota-near", message);
    }
    if known.is_some() { quota - count.manual } else { usize::MAX }
}

fn raise(kind: Kind) -> String {
    format!("raise the quota \"Manual {kind} snapshots\" in Service Quotas, or shorten the rules")
}

/// What a person can do where the quota is reached.
pub fn way_out(kind: Kind, count: Option<SnapshotCount>) -> String {
    match count {
        None => format!("invoke prune-backups, then this function again, or {}", raise(kind)),
        Some(SnapshotCount { prunable: 0, .. }) => raise(kind),
        Some(SnapshotCount { prunable, .. }) => {
            format!("{prunable} of them are kept by no rule any more: invoke prune-backups, then this function")
        }
    }
}
