//! The deletions, and what people read of them.

use jiff::Zoned;
use reconcile::{MessageKind, Undo, when};
use rules::database::{Kind, Snapshot};
use rules::retention::Region;
use serde_json::Value;

/// A deletion.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    DeleteSnapshot(DeleteSnapshot),
    DeleteImages(DeleteImages),
}

/// Deletes images of a repository.
#[derive(Debug, Clone, PartialEq)]
pub struct DeleteImages {
    pub repository: String,
    /// The digests, as many at a time as ECR takes, and an index before what it lists.
    pub batches: Vec<Vec<String>>,
    /// What people call the images, in the same order.
    pub names: Vec<String>,
}

/// How many names are spelt out; the log has a line for each image that stays.
const NAMES: usize = 20;

/// Deletes a snapshot of a database.
#[derive(Debug, Clone, PartialEq)]
pub struct DeleteSnapshot {
    pub kind: Kind,
    pub id: String,
    pub database: String,
    /// Its region, unless that is the stack's.
    pub region: Option<Region>,
    /// When it was taken, in the stack's zone.
    pub taken_at: Option<String>,
    pub status: String,
}

impl Step {
    pub fn of(snapshot: &Snapshot, region: Option<&Region>, now: &Zoned) -> Self {
        Step::DeleteSnapshot(DeleteSnapshot {
            kind: snapshot.kind,
            id: snapshot.id.clone(),
            database: snapshot.database.clone(),
            region: region.cloned(),
            taken_at: snapshot.taken_at().map(|it| when(it, now)),
            status: snapshot.status.clone(),
        })
    }
}

impl reconcile::Step for Step {
    /// RDS deletes as many as its unpublished limit allows, which the pace of the calls finds out.
    const AT_A_TIME: usize = 32;

    fn action(&self) -> &'static str {
        match self {
            Step::DeleteSnapshot(_) => "delete-snapshot",
            Step::DeleteImages(_) => "delete-images",
        }
    }

    fn headline(&self) -> String {
        match self {
            Step::DeleteSnapshot(it) => match &it.region {
                Some(region) => format!("{}: deleting {} in {region}", it.database, it.id),
                None => format!("{}: deleting {}", it.database, it.id),
            },
            Step::DeleteImages(it) => match &it.names[..] {
                [name] => format!("{}: deleting the image {name}", it.repository),
                names => format!("{}: deleting {} images", it.repository, names.len()),
            },
        }
    }

    fn before(&self) -> Value {
        match self {
            Step::DeleteSnapshot(it) => match &it.taken_at {
                Some(taken) => format!("{}, taken on {taken}", it.status).into(),
                None => it.status.clone().into(),
            },
            Step::DeleteImages(it) => {
                let shown = it.names[..it.names.len().min(NAMES)].join(", ");
                match it.names.len().saturating_sub(NAMES) {
                    0 => shown.into(),
                    more => format!("{shown} and {more} more").into(),
                }
            }
        }
    }

    fn counts_as(&self) -> (usize, Option<&'static str>) {
        match self {
            Step::DeleteSnapshot(_) => (1, Some("snapshots")),
            Step::DeleteImages(it) => (it.names.len(), Some("images")),
        }
    }

    fn tells(&self) -> Option<MessageKind> {
        Some(MessageKind::Routine)
    }

    fn after(&self) -> Value {
        Value::Null
    }

    /// What is deleted cannot be had back.
    fn undo(&self) -> Option<Undo> {
        None
    }
}
