//! The deletions, and what people read of them.

use jiff::Zoned;
use reconcile::Undo;
use rules::database::{Kind, Snapshot};
use rules::retention::Region;
use serde_json::Value;

/// A deletion.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Deletes a snapshot of a database.
    DeleteSnapshot(DeleteSnapshot),
}

/// Deletes a snapshot of a database.
#[derive(Debug, Clone, PartialEq)]
pub struct DeleteSnapshot {
    /// What it is a snapshot of.
    pub kind: Kind,
    /// Its identifier.
    pub id: String,
    /// The identifier of the database.
    pub database: String,
    /// Its region, unless that is the stack's.
    pub region: Option<Region>,
    /// When it was taken, in the stack's zone.
    pub taken_at: Option<String>,
    /// Its status.
    pub status: String,
}

impl Step {
    pub(super) fn of(snapshot: &Snapshot, region: Option<&Region>, now: &Zoned) -> Self {
        Step::DeleteSnapshot(DeleteSnapshot {
            kind: snapshot.kind,
            id: snapshot.id.clone(),
            database: snapshot.database.clone(),
            region: region.cloned(),
            taken_at: snapshot.taken_at().map(|it| super::local(it, now)),
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
        }
    }

    fn headline(&self) -> String {
        match self {
            Step::DeleteSnapshot(it) => match &it.region {
                Some(region) => format!("{}: deleting {} in {region}", it.database, it.id),
                None => format!("{}: deleting {}", it.database, it.id),
            },
        }
    }

    fn before(&self) -> Value {
        match self {
            Step::DeleteSnapshot(it) => match &it.taken_at {
                Some(taken) => format!("{}, taken on {taken}", it.status).into(),
                None => it.status.clone().into(),
            },
        }
    }

    fn after(&self) -> Value {
        Value::Null
    }

    /// What is deleted is gone.
    fn undo(&self) -> Option<Undo> {
        None
    }
}
