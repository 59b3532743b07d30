//! Databases and their snapshots, as far as backups are concerned.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::{Digest, keys};

/// What the ids of all snapshots begin with that Nightshift makes.
pub const PREFIX: &str = "nightshift-";

/// What a database is, and so by which calls it is snapshotted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A DB instance that stands alone.
    Instance,
    /// A DB cluster: Aurora, or Multi-AZ with readable standbys.
    Cluster,
}

/// A DB instance or a DB cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Database {
    /// Which of the two.
    pub kind: Kind,
    /// Its identifier.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// What stays the same when it is renamed, and differs from that of an earlier one of the same name.
    pub resource_id: Option<String>,
    /// Such as `available`.
    pub status: String,
    /// Such as `postgres` or `aurora-mysql`.
    pub engine: String,
    /// Of a member instance the cluster.
    pub member_of: Option<String>,
    /// When AWS will start it by itself, if it is stopped: seven days after it was.
    pub restarts_at: Option<Timestamp>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A manual snapshot of a database.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// What it is a snapshot of.
    pub kind: Kind,
    /// Its identifier.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// The identifier of its database.
    pub database: String,
    /// The `resource_id` of its database.
    pub database_resource_id: Option<String>,
    /// Such as `available`.
    pub status: String,
    /// How much of it is there, in percent.
    pub progress: Option<i32>,
    /// When AWS says that it was taken; of a copy, mostly, when it was copied.
    pub created_at: Option<Timestamp>,
    /// Such as `postgres`.
    pub engine: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Its option group, unless that is a default one.
    pub option_group: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// What the snapshot of the database `id` before the deployment of `image` is called.
///
/// Whoever wants it and whoever takes it come to the same name, so that a doubled wish is one snapshot.
pub fn predeploy_id(id: &str, image: &Digest) -> String {
    format!("{PREFIX}predeploy-{id}-{}", image.short().trim_start_matches("sha256:"))
}

impl Database {
    /// Whether `snapshot` is one of this very database.
    pub fn owns(&self, snapshot: &Snapshot) -> bool {
        let same = match (&self.resource_id, &snapshot.database_resource_id) {
            (Some(mine), Some(its)) => mine == its,
            _ => self.id == snapshot.database,
        };
        self.kind == snapshot.kind && same
    }

    /// Whether it is stopped, about to be, or on its way back.
    pub fn is_asleep(&self) -> bool {
        matches!(self.status.as_str(), "stopped" | "stopping" | "starting")
    }
}

impl Snapshot {
    /// Whether it is a backup: complete, and not on its way in or out.
    pub fn is_good(&self) -> bool {
        self.status == "available" && self.taken_at().is_some()
    }

    /// Whether Nightshift made it: it says so, and is called so.
    pub fn is_ours(&self) -> bool {
        self.id.starts_with(PREFIX) && self.tags.contains_key(keys::MADE_BY)
    }

    /// When it was taken; of a copy, when the original was.
    pub fn taken_at(&self) -> Option<Timestamp> {
        let remembered = self.tags.get(keys::TAKEN).and_then(|it| it.parse().ok());
        remembered.or(self.created_at)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Instance => "DB instance",
            Kind::Cluster => "DB cluster",
        })
    }
}
