//! The snapshot that a DB instance is stopped with, or a DB cluster after: its name, its tags, and what became of it.

use std::collections::{BTreeMap, BTreeSet};

use reconcile::MessageKind;
use rules::database::{Database, Kind, made_by, region_of, sleep_id};
use rules::keys;
use rules::retention::BackupRule;
use rules::sleep::Asleep;

use super::machine::DatabaseCase;
use super::step::{Call, Change};
use super::times::BACKED_UP_WITHIN;

/// RDS takes no more tags.
const MOST_TAGS: usize = 50;

/// What a snapshot must not carry: AWS's own names, and what is said to or remembered of its database, which would count
/// for whatever is restored from it.
const RESERVED: [&str; 4] = ["aws:", "rds:", keys::PEOPLE, keys::MEMORY];

impl DatabaseCase<'_> {
    /// The rule by which it is backed up.
    pub fn backup(&self) -> Result<Option<BackupRule>, rules::BadTag> {
        self.of.database.tags.get(keys::BACKUP).map(|it| it.parse()).transpose()
    }

    /// RDS takes a snapshot with the stop of an instance only: that of a cluster is taken before.
    pub fn is_cluster(&self) -> bool {
        self.of.database.kind == Kind::Cluster
    }

    pub fn snapshot_id(&self) -> String {
        sleep_id(self.of.database.kind, &self.of.database.id, self.now)
    }

    pub fn tag_snapshot(&mut self, id: &str, asleep: &Asleep) {
        let Database { arn, id: name, tags, .. } = &self.of.database;
        let rule = self.backup().ok().flatten();
        let made_by = made_by("scale-staging", id, region_of(arn).unwrap_or_default());
        let mut state = vec![(keys::MADE_BY, made_by), (keys::DATABASE, name.clone())];
        state.extend(rule.map(|it| (keys::RETAINED_BY, it.to_string())));
        let snapshot = arn.replacen(&format!(":db:{name}"), &format!(":snapshot:{id}"), 1);
        let kept = snapshot_tags(tags, state);
        // Where RDS copies tags to snapshots it does so with a stop as well, the memory of that stop included; and there
        // is room for fifty tags in all.
        let stays = |key: &String| kept.iter().any(|(it, _)| it == key) || key.starts_with("aws:");
        let born_with = tags.keys().map(String::as_str).chain([keys::ASLEEP]).map(str::to_owned);
        let born_with: BTreeSet<String> = born_with.filter(|_| self.of.copies_tags).collect();
        let (remove, tags) = (born_with.into_iter().filter(|it| !stays(it)).collect(), kept);
        self.draft.call(Call::TagSnapshot { arn: snapshot, remove, tags });
        self.forget_snapshot(asleep);
    }

    pub fn forget_snapshot(&mut self, asleep: &Asleep) {
        let asleep = Asleep { snapshot: None, ..asleep.clone() };
        self.draft.remember(keys::ASLEEP, asleep.to_string());
        self.wants.asleep = Some(asleep);
    }

    /// Whether a cluster may be stopped as far as the snapshot goes that is taken before: it is there, or it did not come in
    /// an hour, which is told.
    pub fn has_its_snapshot(&mut self, asleep: &Asleep) -> bool {
        let Some(id) = asleep.snapshot.as_ref().filter(|_| self.is_cluster()) else { return true };
        let found = self.world.snapshots.get(&self.of.database.arn);
        let status = match found {
            Some(Ok(status)) => status.as_deref(),
            Some(Err(error)) => {
                self.draft.trouble(
                    "unreadable-snapshot",
                    format!("whether it has its snapshot cannot be read: {id}: {error}"),
                );
                return false;
            }
            None => None,
        };
        if status == Some("available") {
            return true;
        }
        if self.at().duration_since(asleep.since) >= BACKED_UP_WITHIN {
            let message = format!(
                "it is stopped without a snapshot: {id} was not available an hour after it was to sleep, see what \
                 snapshot-databases says of it"
            );
            self.draft.trouble("no-snapshot", message);
            return true;
        }
        if status.is_none_or(|it| it == "failed") {
            self.ask_for_snapshot(asleep);
            self.draft.again();
            self.step(Change::Remember, format!("asks again for its snapshot {id}"));
        }
        self.draft.leave(format!("it is stopped once its snapshot {id} is available"));
        false
    }

    /// Only snapshot-databases makes snapshots of clusters. However often it is asked, this is one snapshot.
    pub fn ask_for_snapshot(&mut self, asleep: &Asleep) {
        let database = self.of.database.id.clone();
        self.draft.call(Call::AskForSnapshot { database, begun: asleep.since });
    }

    /// Tags the snapshot that was taken with the stop; one that was never taken is forgotten once nothing can take it.
    pub fn settle_snapshot(&mut self) {
        let Some(asleep) = self.wants.asleep.clone() else { return };
        let Some(id) = asleep.snapshot.clone().filter(|_| !self.is_cluster()) else { return };
        match (self.world.snapshots.get(&self.of.database.arn), self.state.as_str()) {
            (Some(Ok(Some(status))), _) if status != "failed" => {
                self.tag_snapshot(&id, &asleep);
                self.step(Change::Remember, format!("its snapshot {id} is {status}"));
            }
            (Some(Ok(other)), "stopped") => {
                let why = if other.is_some() { "failed" } else { "was never taken" };
                self.forget_snapshot(&asleep);
                self.step(Change::Tell(MessageKind::Failed), format!("is stopped without a snapshot: {id} {why}"));
            }
            (Some(Err(error)), _) => {
                self.draft.trouble(
                    "unreadable-snapshot",
                    format!("whether it has its snapshot cannot be read: {id}: {error}"),
                );
            }
            // Not there yet, or the stop is still to come.
            _ => {}
        }
    }
}

/// The tags of the snapshot: its own, then those of its database that order nothing, as far as there is room.
fn snapshot_tags(of: &BTreeMap<String, String>, own: Vec<(&'static str, String)>) -> Vec<(String, String)> {
    let comes_along = |key: &str| !RESERVED.iter().any(|it| key.to_ascii_lowercase().starts_with(it));
    let mut tags: Vec<(String, String)> = own.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    tags.extend(of.iter().filter(|(key, _)| comes_along(key)).map(|(key, value)| (key.clone(), value.clone())));
    tags.truncate(MOST_TAGS);
    tags
}
