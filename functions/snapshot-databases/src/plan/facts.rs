//! What backups there are of a database, for the board.

use jiff::SignedDuration;
use rules::database::Snapshot;
use rules::facts::{self, Backup, Fact, SnapshotState};
use rules::keys;

use super::case::Case;

/// What is older is of no night that a person looks for on a board.
const SHOWN: SignedDuration = SignedDuration::from_hours(35 * 24);

impl Case<'_> {
    pub fn fact(&self) -> Fact {
        let mut snapshots: Vec<facts::Snapshot> = self.ours().filter_map(|it| self.shown(it)).collect();
        snapshots.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let copies = self.rule.copy.as_ref().map(|region| (region.to_string(), self.newest_copied()));
        Fact::Backup(Backup {
            database: self.database.id.clone(),
            continuous: false,
            rule: self.rule.to_string(),
            age_hours: self.age(false).map(|it| (it * 10.0).round() / 10.0),
            late: self.is_overdue(),
            snapshots,
            copies,
        })
    }

    fn shown(&self, it: &Snapshot) -> Option<facts::Snapshot> {
        let at = it.taken_at().or(it.created_at)?;
        let state = match it.status.as_str() {
            "available" => SnapshotState::Good,
            "failed" => SnapshotState::Failed,
            _ => SnapshotState::Pending,
        };
        let proven = it.tags.contains_key(keys::PROVEN);
        (self.since(at) < SHOWN).then(|| facts::Snapshot { id: it.id.clone(), at, state, proven })
    }
}
