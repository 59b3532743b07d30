//! What to delete. Pure: no clock, no environment, no AWS.
//!
//! Everything here errs on the side of keeping: what is not understood stays, and the reason is said.

mod images;
mod step;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::Plan;
use rules::database::{Database, Kind, Snapshot};
use rules::keys;
use rules::retention::{BackupRule, Region, Retention};

pub use images::{Image, InUse, Named, Repository};
pub use step::{DeleteImages, DeleteSnapshot, Step};

/// Where the newest backup is older, backups are failing, and the old ones are all there is.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(72);

/// A copy is begun within three days, and takes a day or two at most.
const COPIED_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A failed snapshot stays so long, for people to look at.
const FAILED_STAYS: SignedDuration = SignedDuration::from_hours(24);

/// Everything that the decision depends on.
#[derive(Debug, Clone)]
pub struct World {
    /// The region of the stack.
    pub region: String,
    /// All databases of the region.
    pub databases: Vec<Database>,
    /// The manual snapshots of the region that Nightshift made.
    pub snapshots: Vec<Snapshot>,
    /// The same of the regions that snapshots are copied to, or why they cannot be read.
    pub copies: BTreeMap<Region, Result<Vec<Snapshot>, String>>,
    /// The snapshots that must stay for a reason that only a question of its own could tell, by ARN.
    pub spared: BTreeMap<String, String>,
    /// Why it cannot be told of some of them whether they are shared.
    pub unasked: Option<String>,
    /// The ECR repositories that opted in, or why they cannot be found.
    pub repositories: Result<Vec<Repository>, String>,
    /// Which images are in use, or why that cannot be told.
    pub in_use: Result<InUse, String>,
}

/// What to delete of `world`.
pub fn plan(world: &World, now: &Zoned) -> Plan<Step> {
    let mut plan = Plan::remembering(keys::PRUNE_PROBLEM);
    let (copies, ours): (Vec<&Snapshot>, Vec<&Snapshot>) =
        world.snapshots.iter().filter(|it| it.is_ours()).partition(|it| it.is_copy());
    for copy in copies {
        plan.skip(&copy.arn, "it is a copy, which the stack of the region that it comes from looks after");
    }
    let in_flight = in_flight(world);
    let unreadable = world.copies.iter().find(|(_, copies)| copies.is_err()).map(|(region, _)| region);
    let spare = |it: &Snapshot| {
        let copying = in_flight.get(it.arn.as_str()).map(|region| format!("it is being copied to {region}"));
        let recent = |taken: Timestamp| now.timestamp().duration_since(taken) < COPIED_WITHIN;
        let unclear = unreadable
            .filter(|_| it.taken_at().is_some_and(recent))
            .map(|region| format!("it may be on its way to {region}, which cannot be read"));
        copying.or(unclear).or_else(|| world.spared.get(&it.arn).cloned())
    };
    let mut home = Place { region: None, kept: BTreeSet::new() };
    prune(&world.databases, &ours, &spare, &mut home, now, &mut plan);
    for (region, copies) in &world.copies {
        let copies = match copies {
            Ok(copies) => copies.iter().filter(|it| it.is_ours() && is_from_here(it, world)).collect::<Vec<_>>(),
            Err(error) => {
                plan.problem(&format!("copies in {region}"), "unreadable-region", error);
                continue;
            }
        };
        // A copy never goes before the snapshot that it is a copy of.
        let spare = |it: &Snapshot| {
            let kept = it.original().is_some_and(|it| home.kept.contains(it.arn));
            kept.then(|| "its original is kept".to_owned()).or_else(|| world.spared.get(&it.arn).cloned())
        };
        let mut there = Place { region: Some(region), kept: BTreeSet::new() };
        prune(&world.databases, &copies, &spare, &mut there, now, &mut plan);
    }
    if let Some(error) = &world.unasked {
        let message = format!(
            "it cannot be told which snapshots are shared with other accounts, so those stay: {error}; \
             mend that, or deploy the stack with KeepShared=false if you share none"
        );
        plan.problem("sharing of snapshots", "unreadable-sharing", message);
    }
    match &world.repositories {
        Ok(repositories) => images::plan(repositories, world.in_use.as_ref(), now, &mut plan),
        Err(error) => plan.problem("ECR repositories", "unreadable-repositories", error),
    }
    plan
}

/// Whether a snapshot of another region is a copy of one of this region.
///
/// The others there are not this stack's to judge: that region may have a stack of its own, whose databases this one
/// does not see, and so would take for gone.
fn is_from_here(copy: &Snapshot, world: &World) -> bool {
    copy.original().and_then(|it| it.region()) == Some(world.region.as_str())
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

/// One region, and what of it stays.
struct Place<'a> {
    /// The region of copies; none for the stack's own.
    region: Option<&'a Region>,
    /// The ARNs of what stays.
    kept: BTreeSet<String>,
}

/// The snapshots of one database in one region.
struct Group<'a> {
    /// The database, if there still is one.
    database: Option<&'a Database>,
    snapshots: Vec<&'a Snapshot>,
}

fn prune(
    databases: &[Database],
    snapshots: &[&Snapshot],
    spare: &dyn Fn(&Snapshot) -> Option<String>,
    place: &mut Place<'_>,
    now: &Zoned,
    plan: &mut Plan<Step>,
) {
    for group in groups(databases, snapshots) {
        if let Some(database) = group.database
            && database.tags.contains_key(keys::BACKUP)
        {
            plan.examined(&database.arn, &database.tags);
        }
        match group.rule(place.region, now) {
            Ok(rule) => group.judge(&rule, spare, place, now, plan),
            Err(Leave { reason, problem }) => {
                for snapshot in &group.snapshots {
                    place.kept.insert(snapshot.arn.clone());
                    plan.skip(&snapshot.arn, &reason);
                }
                if let (Some(problem), Some(database)) = (problem, group.database) {
                    plan.problem(&database.arn, problem.kind, format!("{reason}{}", problem.remedy));
                }
            }
        }
    }
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

/// Why a whole group stays as it is.
struct Leave {
    reason: String,
    /// What kind of problem that is, if it is one.
    problem: Option<Trouble>,
}

/// A kind of problem, and what mends it where the reason does not say so itself.
struct Trouble {
    kind: &'static str,
    remedy: &'static str,
}

const BAD_TAG: Trouble = Trouble { kind: "bad-tag", remedy: "" };

const BACKUPS_FAILING: Trouble = Trouble {
    kind: "backups-failing",
    remedy: "; look first at the log of snapshot-databases for the last nights, then at the status of the database",
};

const COPIES_FAILING: Trouble = Trouble {
    kind: "backups-failing",
    remedy: "; look first at the log of snapshot-databases for copies that failed, then at the KMS key of that region",
};

impl Group<'_> {
    fn name(&self) -> &str {
        match (self.database, self.snapshots.first()) {
            (Some(database), _) => &database.id,
            (None, Some(snapshot)) => &snapshot.database,
            (None, None) => "",
        }
    }

    fn newest_good(&self) -> Option<&Snapshot> {
        self.snapshots.iter().rev().find(|it| it.is_good()).copied()
    }

    /// The rule that the group is judged by, unless all of it has to stay.
    fn rule(&self, region: Option<&Region>, now: &Zoned) -> Result<Retention, Leave> {
        let leave = |reason: String| Leave { reason, problem: None };
        let newest = || self.newest_good().ok_or_else(|| leave(format!("{} has no good backup", self.name())));
        let Some(database) = self.database else {
            let newest = newest()?;
            let rule = newest.tags.get(keys::RETAINED_BY).ok_or_else(|| {
                leave(format!("{} is gone, and {} does not say how long backups stay", self.name(), newest.id))
            })?;
            return rule.parse().map_err(|bad| leave(format!("{} is gone, and of {} {bad}", self.name(), newest.id)));
        };
        let Some(tag) = database.tags.get(keys::BACKUP) else {
            return Err(leave(format!("{} no longer has the tag {}", database.id, keys::BACKUP)));
        };
        let rule: BackupRule = tag.parse().map_err(|bad| Leave { reason: format!("{bad}"), problem: Some(BAD_TAG) })?;
        // Where nothing is copied any more the copies grow old, and nothing is wrong with that.
        let fed = region.is_none_or(|it| rule.copy.as_ref() == Some(it));
        let Some(newest) = self.newest_good().and_then(Snapshot::taken_at) else {
            return newest().map(|_| rule.retention);
        };
        if fed && now.timestamp().duration_since(newest) > STALE_AFTER {
            let place = region.map(|it| format!(" in {it}")).unwrap_or_default();
            let reason = format!(
                "the newest good backup of {}{place} is of {}, which is more than three days ago: nothing of it is deleted",
                database.id,
                local(newest, now)
            );
            let trouble = if region.is_some() { COPIES_FAILING } else { BACKUPS_FAILING };
            let problem = (!database.is_asleep()).then_some(trouble);
            return Err(Leave { reason, problem });
        }
        Ok(rule.retention)
    }

    fn judge(
        &self,
        rule: &Retention,
        spare: &dyn Fn(&Snapshot) -> Option<String>,
        place: &mut Place<'_>,
        now: &Zoned,
        plan: &mut Plan<Step>,
    ) {
        let good: Vec<(&Snapshot, Timestamp)> =
            self.snapshots.iter().filter(|it| it.is_good()).filter_map(|it| Some((*it, it.taken_at()?))).collect();
        let moments: Vec<Timestamp> = good.iter().map(|(_, taken)| *taken).collect();
        let newest = self.newest_good().map(|it| it.arn.as_str());
        let reasons = good.iter().map(|(it, _)| it.arn.as_str()).zip(rule.judge(&moments, now));
        let mut reasons: BTreeMap<&str, Option<String>> = reasons.collect();
        for snapshot in &self.snapshots {
            let by_rule = reasons.remove(snapshot.arn.as_str());
            let stays = match by_rule {
                // The newest is kept by every rule; that it stays must not depend on a rule.
                _ if newest == Some(snapshot.arn.as_str()) => {
                    let also = by_rule.flatten().filter(|it| it != "newest").map(|it| format!(", {it}"));
                    Some(format!("newest good snapshot of {}{}", self.name(), also.unwrap_or_default()))
                }
                Some(Some(reason)) => Some(reason),
                Some(None) => self.spared(snapshot, spare),
                None => self.unfinished(snapshot, now).or_else(|| self.spared(snapshot, spare)),
            };
            match stays {
                Some(reason) => {
                    place.kept.insert(snapshot.arn.clone());
                    plan.skip(&snapshot.arn, reason);
                }
                None => {
                    let reason = match snapshot.is_good() {
                        true => format!("not kept by {rule}"),
                        false => "it failed, so it is no backup".into(),
                    };
                    plan.examined(&snapshot.arn, &snapshot.tags);
                    plan.act(&snapshot.arn, Step::of(snapshot, place.region, now), reason);
                }
            }
        }
    }

    fn spared(&self, snapshot: &Snapshot, spare: &dyn Fn(&Snapshot) -> Option<String>) -> Option<String> {
        let tagged = snapshot.tags.contains_key(keys::KEEP).then(|| format!("it has the tag {}", keys::KEEP));
        tagged.or_else(|| spare(snapshot))
    }

    /// Why a snapshot that is no good backup stays nevertheless.
    fn unfinished(&self, snapshot: &Snapshot, now: &Zoned) -> Option<String> {
        let age = snapshot.taken_at().map(|it| now.timestamp().duration_since(it));
        match (snapshot.status.as_str(), age) {
            ("failed", Some(age)) if age > FAILED_STAYS => None,
            ("failed", Some(_)) => Some("it failed less than a day ago".into()),
            ("failed", None) => Some("it failed, and AWS does not say when".into()),
            (status, _) => Some(format!("it is {status}")),
        }
    }
}

/// A moment in the zone of `now`, for people.
fn local(moment: Timestamp, now: &Zoned) -> String {
    moment.to_zoned(now.time_zone().clone()).strftime("%Y-%m-%d %H:%M").to_string()
}
