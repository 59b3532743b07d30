//! Which snapshots to take, and which to copy. Pure: no clock, no environment, no AWS.

mod name;
mod predeploy;
mod step;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::{Measure, Plan};
use rules::database::{Database, Kind, Original, Snapshot, region_of};
use rules::keys;
use rules::retention::{BackupRule, Region};
use rules::tag::Reader;

pub use step::{CopySnapshot, Crowd, Step, TakeSnapshot};

use crate::request::Request;

/// How many copies to one region are under way at a time; AWS allows twenty for the whole account.
const COPIES_AT_A_TIME: usize = 5;

/// An older snapshot is not copied any more: what is asked for now is not a move of the whole past.
const COPIED_WITHIN: SignedDuration = SignedDuration::from_hours(72);

/// A backup that is older than this when its database is stopped misses more than a night.
const A_NIGHT: SignedDuration = SignedDuration::from_hours(26);

/// A database without a backup for this long has missed two nights, whatever the reason.
const TWO_NIGHTS: SignedDuration = SignedDuration::from_hours(50);

/// A snapshot that is being made counts for the age of the newest backup for so long; the first one of a big database
/// takes hours.
const BEING_MADE: SignedDuration = SignedDuration::from_hours(20);

/// Of a database whose newest backup is older `prune-backups` deletes nothing.
const PRUNED_WITHIN: SignedDuration = SignedDuration::from_hours(72);

/// AWS starts a stopped database after this time.
const STOPPED_AT_MOST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Everything that the decision depends on.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// All databases of the region.
    pub databases: Vec<Database>,
    /// The manual snapshots of the region that are called as Nightshift calls them.
    pub snapshots: Vec<Snapshot>,
    /// How many manual snapshots there are of each kind, whoever made them.
    pub manual: BTreeMap<Kind, usize>,
    /// The same snapshots of the regions that are copied to, or why they cannot be read.
    pub copies: BTreeMap<Region, Result<Vec<Snapshot>, String>>,
    /// The regions that the stack may copy to, each with its KMS key.
    pub copy_keys: BTreeMap<Region, Option<String>>,
}

/// What to do about the databases of `world`.
pub fn plan(world: &World, request: &Request, now: &Zoned) -> Plan<Step> {
    let mut plan = Plan::remembering(keys::SNAPSHOT_PROBLEM);
    if let Request::BeforeDeploy(wish) = request {
        return predeploy::plan(world, wish, now);
    }
    let mut under_way = under_way(world);
    let crowds = [Kind::Instance, Kind::Cluster].map(|kind| (kind, crowd(world, kind, now))).into();
    let mut oldest: f64 = 0.0;
    for database in tagged(&world.databases) {
        plan.examined(&database.arn, &database.tags);
        let rule = match rule(database) {
            Ok(rule) => rule,
            Err((kind, message)) => {
                plan.problem(&database.arn, kind, message);
                continue;
            }
        };
        let case = Case { database, rule, world, crowds: &crowds, now };
        if *request == Request::Everything {
            case.tonight(&mut plan);
            if let Some(hours) = case.age() {
                oldest = oldest.max(hours);
                let of = Some(database.id.clone());
                plan.measure(Measure { metric: "BackupAgeHours", kind: "Database", of, value: hours });
            }
        }
        case.copy(&mut under_way, &mut plan);
    }
    if *request == Request::Everything {
        plan.measure(Measure { metric: "BackupAgeHours", kind: "Database", of: None, value: oldest });
    }
    plan
}

/// The databases that opted in, in the order of their ARNs.
fn tagged(databases: &[Database]) -> Vec<&Database> {
    let mut tagged: Vec<&Database> = databases.iter().filter(|it| it.tags.contains_key(keys::BACKUP)).collect();
    tagged.sort_by(|a, b| a.arn.cmp(&b.arn));
    tagged
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

/// How many copies to each region are under way; what is made there of databases there is no copy.
fn under_way(world: &World) -> BTreeMap<Region, usize> {
    let moving = |it: &&Snapshot| it.is_copy() && matches!(it.status.as_str(), "creating" | "copying");
    let copies = world.copies.iter().filter_map(|(region, copies)| Some((region, copies.as_ref().ok()?)));
    copies.map(|(region, copies)| (region.clone(), copies.iter().filter(moving).count())).collect()
}

/// The rule of a database that can be backed up, or the kind of problem and the message.
fn rule(database: &Database) -> Result<BackupRule, (&'static str, String)> {
    if let Some(cluster) = &database.member_of {
        let message = format!(
            "it is a member of the DB cluster {cluster}, which is snapshotted as a whole: move the tag {} to the cluster",
            keys::BACKUP
        );
        return Err(("member-instance", message));
    }
    if ["neptune", "docdb"].contains(&database.engine.as_str()) {
        let message = format!("{} databases are not backed up by this function: remove the tag", database.engine);
        return Err(("other-engine", message));
    }
    let tag = database.tags.get(keys::BACKUP).map(String::as_str).unwrap_or_default();
    tag.parse().map_err(|bad: rules::BadTag| ("bad-tag", bad.to_string()))
}

/// A database that is to be backed up.
struct Case<'a> {
    database: &'a Database,
    rule: BackupRule,
    world: &'a World,
    /// How many snapshots there are, should a quota be reached.
    crowds: &'a BTreeMap<Kind, Crowd>,
    now: &'a Zoned,
}

/// What the status of a database means for a snapshot.
enum State {
    Ready,
    Asleep,
    /// It passes by itself.
    Passing,
    /// A person has to do something.
    Broken,
}

/// What is there under the id of a snapshot that is wanted.
enum Existing<'a> {
    None,
    /// It is no backup and has to go first.
    Failed,
    /// Somebody else's.
    Taken(String),
    /// Ours, in this status.
    There(&'a str),
}

impl Case<'_> {
    /// Takes the snapshot of tonight, unless there is one.
    fn tonight(&self, plan: &mut Plan<Step>) {
        let Database { kind, id, arn, status, .. } = self.database;
        let name = name::of_the_night(*kind, id, self.now.date());
        let replaces = match self.existing(&name) {
            Existing::None => false,
            Existing::Failed => true,
            Existing::Taken(message) => return plan.problem(arn, "id-taken", message),
            Existing::There(status) => return plan.skip(arn, format!("{name} is {status}")),
        };
        match state(*kind, status) {
            State::Ready => {
                let why = if replaces { format!("{name} failed") } else { format!("there is no {name} yet") };
                plan.act(arn, self.take(name, replaces), why);
            }
            State::Asleep => self.asleep(plan),
            State::Passing if self.is_overdue() => plan.problem(
                arn,
                "no-backup",
                format!(
                    "it is {status}, in which AWS takes no snapshot, and {}: look at the database, and at its events in RDS",
                    self.last_backup()
                ),
            ),
            State::Passing => {
                plan.skip(arn, format!("it is {status} and cannot be snapshotted now; the next run tries again"));
            }
            State::Broken => plan.problem(arn, "not-snapshottable", broken(status)),
        }
    }

    /// The snapshot of this id, if there is one.
    fn existing(&self, name: &str) -> Existing<'_> {
        match self.world.snapshots.iter().find(|it| it.kind == self.database.kind && it.id == name) {
            None => Existing::None,
            Some(it) if it.is_ours() && !self.database.owns(it) => Existing::Taken(format!(
                "{name} exists, and is the backup of an earlier database of this name, so it stays: \
                 take one by hand if there has to be one of this database today; \
                 the next night has a name of its own"
            )),
            Some(it) if !it.is_ours() => Existing::Taken(format!(
                "{name} exists, but Nightshift did not make it: copy it to another name, then delete it"
            )),
            Some(it) if it.status == "failed" => Existing::Failed,
            Some(it) => Existing::There(&it.status),
        }
    }

    fn take(&self, name: String, replaces: bool) -> Step {
        let Database { kind, id, .. } = self.database;
        let state = [
            (keys::MADE_BY, "snapshot-databases".to_owned()),
            (keys::DATABASE, id.clone()),
            (keys::RETAINED_BY, self.rule.retention.to_string()),
        ];
        Step::TakeSnapshot(TakeSnapshot {
            kind: *kind,
            database: id.clone(),
            id: name,
            tags: name::tags(&self.database.tags, &state, |key| {
                !key.starts_with(keys::PEOPLE) && !key.starts_with(keys::MEMORY)
            }),
            replaces,
            overdue: self.is_overdue(),
            crowd: self.crowds.get(kind).copied(),
        })
    }

    /// A stopped database cannot be snapshotted, and does not change either.
    fn asleep(&self, plan: &mut Plan<Step>) {
        let Database { arn, status, .. } = self.database;
        match (self.newest_good(), self.stopped_at()) {
            (None, _) => plan.problem(
                arn,
                "never-backed-up",
                format!("it is {status} and has no backup: a stopped database cannot be snapshotted, so start it for a night"),
            ),
            (Some(newest), Some(stopped)) if stopped.duration_since(newest) > A_NIGHT => plan.problem(
                arn,
                "stopped-without-backup",
                format!(
                    "it was stopped on {} without a snapshot, and its newest backup is of {}: start it for a night",
                    self.local(stopped),
                    self.local(newest)
                ),
            ),
            (Some(newest), _) => plan.skip(
                arn,
                format!("it is {status}, so it does not change and cannot be snapshotted; its newest backup is of {}", self.local(newest)),
            ),
        }
    }

    /// When the database was stopped, as `scale-staging` remembers it, or as AWS reckons when to start it again.
    fn stopped_at(&self) -> Option<Timestamp> {
        let remembered = self
            .database
            .tags
            .get(keys::ASLEEP)
            .and_then(|it| Reader::new(keys::ASLEEP, it).ok()?.parsed("since", "MOMENT").ok()?);
        remembered.or_else(|| self.database.restarts_at.map(|it| it - STOPPED_AT_MOST))
    }

    /// The snapshots that Nightshift took of it; copies from other regions are none.
    fn ours(&self) -> impl Iterator<Item = &Snapshot> {
        self.world.snapshots.iter().filter(|it| it.is_ours() && !it.is_copy() && self.database.owns(it))
    }

    fn newest_good(&self) -> Option<Timestamp> {
        self.ours().filter(|it| it.is_good()).filter_map(Snapshot::taken_at).max()
    }

    /// Whether there has been no backup for two nights, although there was time for one.
    ///
    /// AWS does not say when a database was tagged, so one that has no backup at all is given the first night.
    fn is_overdue(&self) -> bool {
        let first_tried = || self.ours().filter_map(|it| it.created_at).min();
        let since = self.newest_good().or_else(first_tried);
        let being_made = matches!(self.database.status.as_str(), "creating" | "deleting");
        !being_made && since.is_some_and(|it| self.now.timestamp().duration_since(it) > TWO_NIGHTS)
    }

    fn last_backup(&self) -> String {
        match self.newest_good() {
            Some(newest) => format!("its newest backup is of {}", self.local(newest)),
            None => "it has no backup".into(),
        }
    }

    /// How many hours ago the newest backup was begun that is good, or is being made and may become so; or the first
    /// one tried if all failed.
    ///
    /// A sleeping database does not change: what was taken in the night before it was stopped is as good as new.
    fn age(&self) -> Option<f64> {
        if self.ours().any(|it| self.is_being_made(it)) {
            return Some(0.0);
        }
        let newest = self.newest_good().or_else(|| self.ours().filter_map(|it| it.created_at).min())?;
        let asleep = matches!(state(self.database.kind, &self.database.status), State::Asleep);
        let missed = self.stopped_at().is_some_and(|it| it.duration_since(newest) > A_NIGHT);
        if asleep && !missed && self.newest_good().is_some() {
            return Some(0.0);
        }
        Some(self.now.timestamp().duration_since(newest).as_secs_f64().max(0.0) / 3600.0)
    }

    /// Whether AWS is still at work on a snapshot, and has not been for suspiciously long.
    ///
    /// AWS may not say of one that is being made when it was begun; its name does.
    fn is_being_made(&self, snapshot: &Snapshot) -> bool {
        let young = match snapshot.created_at {
            Some(begun) => self.now.timestamp().duration_since(begun) < BEING_MADE,
            None => snapshot.id == name::of_the_night(self.database.kind, &self.database.id, self.now.date()),
        };
        snapshot.status == "creating" && young
    }

    /// Copies what is to be copied and is not there yet, the newest first.
    fn copy(&self, under_way: &mut BTreeMap<Region, usize>, plan: &mut Plan<Step>) {
        let Some(region) = &self.rule.copy else { return };
        let arn = &self.database.arn;
        let Some((region, key)) = self.world.copy_keys.get_key_value(region) else {
            let message =
                format!("copy={region}: the stack may not copy there; add {region} to its parameter CopyRegions");
            return plan.problem(arn, "no-copy-region", message);
        };
        let copies = match self.world.copies.get(region) {
            Some(Ok(copies)) => copies,
            Some(Err(error)) => return plan.problem(arn, "unreadable-region", format!("copy={region}: {error}")),
            None => return,
        };
        let mut sources: Vec<(&Snapshot, Timestamp)> =
            self.ours().filter(|it| it.is_good()).filter_map(|it| Some((it, it.taken_at()?))).collect();
        sources.retain(|(_, taken)| self.now.timestamp().duration_since(*taken) <= COPIED_WITHIN);
        sources.sort_by(|(a, taken_a), (b, taken_b)| (taken_b, &b.id).cmp(&(taken_a, &a.id)));
        for (source, taken) in sources {
            let id = source.copy_id();
            let existing = copies.iter().find(|it| it.kind == source.kind && it.id == id);
            let replaces = match existing {
                None => false,
                Some(it) if it.original().map(|it| it.arn) != Some(source.arn.as_str()) => {
                    let message = format!(
                        "copy={region}: {id} exists there and is no copy of {}: copy it to another name, then delete it",
                        source.id
                    );
                    plan.problem(arn, "id-taken", message);
                    continue;
                }
                Some(it) if it.status == "failed" && it.is_ours() => true,
                Some(it) => {
                    let progress =
                        it.progress.filter(|_| !it.is_good()).map(|it| format!(", {it} %")).unwrap_or_default();
                    plan.skip(&source.arn, format!("its copy in {region} is {}{progress}", it.status));
                    continue;
                }
            };
            if let Some((kind, message)) = cannot_copy(source, region, key.as_deref()) {
                return plan.problem(arn, kind, message);
            }
            let moving = under_way.entry(region.clone()).or_default();
            if *moving >= COPIES_AT_A_TIME {
                plan.skip(
                    &source.arn,
                    format!("{COPIES_AT_A_TIME} copies to {region} are under way; a later run copies it"),
                );
                continue;
            }
            *moving += 1;
            plan.examined(&source.arn, &source.tags);
            let original = Original { arn: &source.arn, database_resource_id: source.database_resource_id.as_deref() };
            let remembered = [(keys::TAKEN, format!("{taken:.0}")), (keys::COPY_OF, original.to_string())];
            let copy = CopySnapshot {
                kind: source.kind,
                database: source.database.clone(),
                id,
                source: source.arn.clone(),
                region: region.clone(),
                key: key.clone().filter(|_| source.encrypted),
                option_group: source.option_group.clone(),
                tags: name::tags(&source.tags, &remembered, |key| {
                    key != keys::SNAPSHOT_PROBLEM && key != keys::PRUNE_PROBLEM
                }),
                replaces,
            };
            let why = if replaces { "its copy failed".into() } else { format!("it has no copy in {region}") };
            plan.act(&source.arn, Step::CopySnapshot(copy), why);
        }
    }

    /// A moment in the stack's zone, for people.
    fn local(&self, moment: Timestamp) -> String {
        moment.to_zoned(self.now.time_zone().clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }
}

fn cannot_copy(source: &Snapshot, region: &Region, key: Option<&str>) -> Option<(&'static str, String)> {
    if source.kind == Kind::Cluster && !source.engine.starts_with("aurora") {
        let message = format!("copy={region}: AWS does not copy snapshots of Multi-AZ DB clusters; remove the option");
        return Some(("cannot-copy", message));
    }
    if region_of(&source.arn) == Some(region.name()) {
        return Some(("cannot-copy", format!("copy={region}: that is the region of the database; name another one")));
    }
    if source.encrypted && key.is_none() {
        let message = format!(
            "copy={region}: the snapshots are encrypted, so a copy needs a KMS key of that region; \
             give it in the stack's parameter CopyRegions, as {region}=arn:aws:kms:{region}:…"
        );
        return Some(("no-copy-key", message));
    }
    None
}

fn state(kind: Kind, status: &str) -> State {
    match status {
        "available" => State::Ready,
        "storage-optimization" if kind == Kind::Instance => State::Ready,
        "stopped" | "stopping" => State::Asleep,
        "failed" | "storage-full" | "restore-error" | "insufficient-capacity" => State::Broken,
        _ if status.starts_with("incompatible-") || status.starts_with("inaccessible-") => State::Broken,
        // What is not known passes too; if it does not, the database is overdue in the end.
        _ => State::Passing,
    }
}

fn broken(status: &str) -> String {
    format!("it is {status}: AWS takes no snapshot of it until that is mended")
}

/// How many snapshots of this kind there are, for people who ran into the quota.
fn crowd(world: &World, kind: Kind, now: &Zoned) -> Crowd {
    let of = |database: &&Database| {
        let Ok(rule) = rule(database) else { return 0 };
        let good = world.snapshots.iter().filter(|it| it.is_ours() && it.is_good() && database.owns(it));
        let taken: Vec<Timestamp> = good.filter_map(Snapshot::taken_at).collect();
        // `prune-backups` deletes nothing while backups fail.
        let fresh = |it: &Timestamp| now.timestamp().duration_since(*it) <= PRUNED_WITHIN;
        if !taken.iter().any(fresh) {
            return 0;
        }
        rule.retention.judge(&taken, now).iter().filter(|it| it.is_none()).count()
    };
    Crowd {
        manual: world.manual.get(&kind).copied().unwrap_or_default(),
        prunable: tagged(&world.databases).iter().filter(|it| it.kind == kind).map(of).sum(),
    }
}
