//! One database that is backed up: what there is of it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::when;
use rules::database::{Database, Kind, STOPPED_AT_MOST, Snapshot, State, made_by, region_of};
use rules::keys;
use rules::retention::BackupRule;
use rules::tag::Reader;

use super::owned::Shelves;
use super::step::{SnapshotCount, Step, TakeSnapshot};
use super::tags::tags;
use super::world::{Event, World};

/// A backup that is older than this when its database is stopped misses more than a night.
pub const A_NIGHT: SignedDuration = SignedDuration::from_hours(26);

/// A database without a backup for this long has missed two nights, whatever the reason.
const TWO_NIGHTS: SignedDuration = SignedDuration::from_hours(50);

/// What fails again and again is tried once an hour: each attempt starts anew, and fills the log and RDS's events.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// A database that has to be backed up.
pub struct Case<'a> {
    pub database: &'a Database,
    pub rule: BackupRule,
    pub world: &'a World,
    /// What Nightshift made of it here, copies too.
    mine: Vec<&'a Snapshot>,
    /// What there is of it in the region that it is copied to.
    pub copied: Vec<&'a Snapshot>,
    /// How many snapshots there are, should a quota be reached.
    pub counts: &'a BTreeMap<Kind, SnapshotCount>,
    pub now: &'a Zoned,
}

/// What the state of a database means for a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    Asleep,
    /// It passes by itself.
    Busy,
    /// A person has to do something.
    Broken,
}

/// What there is under the id that a snapshot would get.
pub enum Existing<'a> {
    None,
    /// It is not a backup and has to be deleted first.
    Failed(&'a Snapshot),
    /// It is of another database, or Nightshift did not make it.
    Taken(String),
    /// The snapshot itself, which is there, on its way or being deleted.
    There(&'a Snapshot),
}

impl<'a> Case<'a> {
    pub fn new(
        database: &'a Database,
        rule: BackupRule,
        world: &'a World,
        shelves: &Shelves<'a>,
        counts: &'a BTreeMap<Kind, SnapshotCount>,
        now: &'a Zoned,
    ) -> Self {
        let mine = shelves.here.by(database).collect();
        let copied = rule.copy.as_ref().map(|it| shelves.there(it, database)).unwrap_or_default();
        Case { database, rule, world, mine, copied, counts, now }
    }

    pub fn readiness(&self) -> Readiness {
        let Database { kind, status, .. } = self.database;
        match State::of(status) {
            // Serving is not enough: of the states in which it serves AWS takes a snapshot in these only.
            State::Serving if status == "available" => Readiness::Ready,
            State::Serving if status == "storage-optimization" && *kind == Kind::Instance => Readiness::Ready,
            // What is not known passes too; if it does not, the database is overdue in the end.
            State::Serving | State::Passing => Readiness::Busy,
            State::Stopped => Readiness::Asleep,
            State::Broken => Readiness::Broken,
        }
    }

    /// The snapshots that Nightshift took of it; copies from other regions are not among them.
    pub fn ours(&self) -> impl Iterator<Item = &Snapshot> {
        self.mine.iter().copied().filter(|it| !it.is_copy())
    }

    pub fn newest_good(&self) -> Option<Timestamp> {
        self.ours().filter(|it| it.is_good()).filter_map(Snapshot::taken_at).max()
    }

    pub fn first_tried(&self) -> Option<Timestamp> {
        self.ours().filter_map(|it| it.created_at).min()
    }

    /// The snapshot of this id, if there is one.
    pub fn existing(&self, name: &str) -> Existing<'_> {
        match self.world.snapshots.iter().find(|it| it.kind == self.database.kind && it.id == name) {
            None => Existing::None,
            Some(it) if it.is_ours() && !self.database.owns(it) => Existing::Taken(format!(
                "{name} exists, and is the backup of an earlier database of this name, so it stays: \
                 take one by hand if there has to be one of this database"
            )),
            Some(it) if !it.is_ours() => Existing::Taken(format!(
                "{name} exists, but Nightshift did not make it: copy it to another name, then delete it"
            )),
            Some(it) if it.status == "failed" => Existing::Failed(it),
            Some(it) => Existing::There(it),
        }
    }

    /// Takes the snapshot `name`, in place of one that failed if there is such.
    pub fn take(&self, name: String, failed: Option<&Snapshot>) -> Step {
        let Database { kind, id, arn, .. } = self.database;
        let mut state = vec![
            (keys::MADE_BY, made_by("snapshot-databases", &name, region_of(arn).unwrap_or_default())),
            (keys::DATABASE, id.clone()),
            (keys::RETAINED_BY, self.rule.to_string()),
        ];
        state.extend(failed.map(|it| (keys::ATTEMPT, (attempt(it) + 1).to_string())));
        Step::TakeSnapshot(TakeSnapshot {
            kind: *kind,
            database: id.clone(),
            id: name,
            tags: tags(&self.database.tags, &state, |key| {
                !key.starts_with(keys::PEOPLE) && !key.starts_with(keys::MEMORY)
            }),
            replaces: failed.is_some(),
            overdue: self.is_overdue(),
            count: self.counts.get(kind).copied(),
        })
    }

    /// When the database was stopped, as `scale-staging` remembers it, or as AWS reckons when to start it again.
    pub fn stopped_at(&self) -> Option<Timestamp> {
        let remembered = self
            .database
            .tags
            .get(keys::ASLEEP)
            .and_then(|it| Reader::new(keys::ASLEEP, it).ok()?.parsed("since", "MOMENT").ok()?);
        remembered.or_else(|| self.database.restarts_at.map(|it| it - STOPPED_AT_MOST))
    }

    /// Whether it is old enough that a night has passed in which it could have been backed up.
    ///
    /// AWS does not say when a database was tagged; one that is being created is not told of.
    pub fn has_had_a_night(&self) -> bool {
        let being_made = matches!(self.database.status.as_str(), "creating" | "deleting");
        let young = self.world.created.get(&self.database.arn).is_some_and(|it| self.since(*it) <= A_NIGHT);
        !being_made && !young
    }

    /// Whether there has been no backup for two nights, although there was time for one.
    pub fn is_overdue(&self) -> bool {
        let being_made = matches!(self.database.status.as_str(), "creating" | "deleting");
        let since = self.newest_good().or_else(|| self.first_tried());
        !being_made && since.is_some_and(|it| self.since(it) > TWO_NIGHTS)
    }

    pub fn last_backup(&self) -> String {
        match self.newest_good() {
            Some(newest) => format!("its newest backup is of {}", self.local(newest)),
            None => "it has no backup".into(),
        }
    }

    pub fn since(&self, moment: Timestamp) -> SignedDuration {
        self.now.timestamp().duration_since(moment)
    }

    /// A moment in the stack's zone, for people.
    pub fn local(&self, moment: Timestamp) -> String {
        when(moment, self.now)
    }

    /// Whether a snapshot or copy that failed is tried again now: the first time at once, then once an hour.
    pub fn is_due_again(&self, failed: &Snapshot) -> bool {
        match failed.created_at.filter(|_| !failed.is_copy()) {
            _ if attempt(failed) == 1 => true,
            Some(begun) => self.since(begun) >= AGAIN_AFTER,
            // AWS does not say when it was begun (a copy has the moment of its original): then by the clock.
            None => self.now.minute() < 15,
        }
    }

    /// What RDS said last of a snapshot or copy that failed, in quotes.
    pub fn rds_says(&self, failed: &Snapshot) -> String {
        match self.world.events.get(&failed.arn) {
            Some(Ok(events)) => match events.iter().max_by_key(|it| it.at) {
                Some(Event { message, .. }) => format!("RDS says \"{message}\""),
                None => "RDS has no event of it".into(),
            },
            Some(Err(error)) => format!("RDS's events of it cannot be read: {error}"),
            None => "RDS's events tell more".into(),
        }
    }
}

/// Which attempt a snapshot is.
pub fn attempt(snapshot: &Snapshot) -> u32 {
    snapshot.tags.get(keys::ATTEMPT).and_then(|it| it.parse().ok()).unwrap_or(1)
}

pub fn broken(status: &str) -> String {
    format!("it is {status}: AWS takes no snapshot of it until that is fixed")
}
