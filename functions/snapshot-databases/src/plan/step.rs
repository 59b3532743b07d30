//! The snapshots and copies, and what people read of them.

use reconcile::{MessageKind, Undo};
use rules::database::Kind;
use rules::retention::Region;
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    TakeSnapshot(TakeSnapshot),
    CopySnapshot(CopySnapshot),
}

/// Takes a snapshot of a database.
#[derive(Debug, Clone, PartialEq)]
pub struct TakeSnapshot {
    pub kind: Kind,
    pub database: String,
    pub id: String,
    pub tags: Vec<(String, String)>,
    /// A failed one of that id has to be deleted first.
    pub replaces: bool,
    /// There has been no backup for two nights: a refusal is not left to the next run any more.
    pub overdue: bool,
    /// What to say should the quota be reached, if all snapshots were read.
    pub count: Option<SnapshotCount>,
}

/// How many snapshots of one kind there are in a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotCount {
    /// Manual ones, whoever made them.
    pub manual: usize,
    /// Those that Nightshift made and no rule keeps any more.
    pub prunable: usize,
}

/// Copies a snapshot to another region.
#[derive(Debug, Clone, PartialEq)]
pub struct CopySnapshot {
    pub kind: Kind,
    pub database: String,
    pub id: String,
    /// The ARN of the original.
    pub source: String,
    /// Where it is copied to.
    pub region: Region,
    /// The KMS key for the copy of an encrypted snapshot.
    pub key: Option<String>,
    /// The region of the original, if RDS needs a URL that is signed for it.
    pub signed_for: Option<String>,
    /// The option group for the copy, by the same name, unless it is a default one.
    pub option_group: Option<String>,
    pub tags: Vec<(String, String)>,
    /// A failed copy has to be deleted first.
    pub replaces: bool,
}

impl reconcile::Step for Step {
    /// As for deletions: the pace of the calls finds out how many RDS allows.
    const AT_A_TIME: usize = 32;

    fn action(&self) -> &'static str {
        match self {
            Step::TakeSnapshot(_) => "take-snapshot",
            Step::CopySnapshot(_) => "copy-snapshot",
        }
    }

    fn headline(&self) -> String {
        match self {
            Step::TakeSnapshot(it) => format!("{}: taking {}", it.database, it.id),
            Step::CopySnapshot(it) => format!("{}: copying {} to {}", it.database, it.id, it.region),
        }
    }

    fn before(&self) -> Value {
        match self {
            Step::TakeSnapshot(TakeSnapshot { replaces: true, .. }) => json!({"status": "failed"}),
            Step::CopySnapshot(CopySnapshot { replaces: true, .. }) => json!({"status": "failed"}),
            _ => Value::Null,
        }
    }

    fn after(&self) -> Value {
        match self {
            Step::TakeSnapshot(it) => json!({"snapshot": it.id, "status": "creating"}),
            Step::CopySnapshot(it) => json!({"snapshot": it.id, "region": it.region.name(), "status": "creating"}),
        }
    }

    /// A backup is not undone: a command that deletes one must not stand in a message to be pasted.
    fn undo(&self) -> Option<Undo> {
        None
    }

    /// That one failed is told as a problem; a mail "taking it" for each further attempt would read as if it was well.
    fn tells(&self) -> Option<MessageKind> {
        let (Step::TakeSnapshot(TakeSnapshot { replaces, .. }) | Step::CopySnapshot(CopySnapshot { replaces, .. })) =
            self;
        (!replaces).then_some(MessageKind::Routine)
    }
}
