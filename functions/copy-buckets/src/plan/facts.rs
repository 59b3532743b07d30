//! What is so of a bucket, for the board and the report.

use jiff::SignedDuration;
use rules::bucket::{BucketRule, Versions};
use rules::facts::{Backup, Fact, Snapshot, SnapshotState};

use super::case::Case;
use super::world::State;

/// The board shows five weeks.
const SHOWN: SignedDuration = SignedDuration::from_hours(35 * 24);

impl Case<'_> {
    pub fn fact(&self) -> Fact {
        let shown = self.copies().filter(|(_, it)| self.since(it.moment) < SHOWN);
        let copies = shown.filter_map(|(folder, marker)| {
            let state = match marker.state {
                State::Complete => SnapshotState::Good,
                State::Failed => SnapshotState::Failed,
                State::Starting | State::Copying => SnapshotState::Pending,
                // What is left of it is not a copy any more.
                State::Deleting => return None,
            };
            Some(Snapshot { id: self.place(folder).url(), at: marker.moment, state, proven: marker.proven.is_some() })
        });
        Fact::Backup(Backup {
            database: self.bucket.name.clone(),
            continuous: false,
            rule: BucketRule::Copies(self.rule.clone()).to_string(),
            age_hours: self.newest_good().and(self.age()).map(|it| (it * 10.0).round() / 10.0),
            late: self.is_overdue(),
            snapshots: copies.collect(),
            copies: None,
        })
    }
}

/// Of a bucket whose old versions are kept every moment is a backup.
pub fn of_versions(name: &str, rule: &Versions, is_sound: bool) -> Fact {
    Fact::Backup(Backup {
        database: name.to_owned(),
        continuous: true,
        rule: BucketRule::Versions(rule.clone()).to_string(),
        age_hours: is_sound.then_some(0.0),
        late: !is_sound,
        snapshots: Vec::new(),
        copies: None,
    })
}
