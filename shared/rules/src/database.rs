//! Databases and their snapshots, as far as backups are concerned.

mod kind;
mod name;
mod state;

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::keys;

pub use kind::Kind;
pub use name::{PREFIX, made_by, night_id, night_id_apart, predeploy_id, sleep_id, snapshot_id};
pub use state::{Condition, State};

/// AWS starts a stopped database after this time.
pub const STOPPED_AT_MOST: SignedDuration = SignedDuration::from_hours(7 * 24);

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
    /// The ARN of the KMS key that it is encrypted with.
    pub key: Option<String>,
    /// Its option group, unless that is a default one.
    pub option_group: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// What there is of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Backup {
    /// The snapshot, if there is one of its id.
    pub snapshot: Option<Snapshot>,
    /// If not, what there is of that name: DB instance, DB cluster, both or nothing.
    pub databases: Vec<Database>,
}

/// What a copy of a snapshot was made of, as the copy remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Original<'a> {
    /// The ARN of the snapshot.
    pub arn: &'a str,
    /// The `resource_id` of its database, which AWS does not promise to tell of a copy.
    pub database_resource_id: Option<&'a str>,
}

/// The kind of the problem where an instance of a cluster carries a tag that belongs on the cluster.
pub const MEMBER: &str = "member-instance";

/// What people are told then; `done` is what happens to the cluster as a whole.
pub fn told_of_member(cluster: &str, done: &str, tag: &str) -> String {
    format!("it is a member of the DB cluster {cluster}, which {done} as a whole: move the tag {tag} to the cluster")
}

impl Database {
    /// Why what `tag` asks for cannot be done to it: the kind of the problem and the message. `done` is that, such as
    /// `is stopped`.
    ///
    /// RDS's API lists the databases of Neptune and DocumentDB too, which have calls of their own.
    pub fn unfit_for(&self, tag: &str, done: &str) -> Option<(&'static str, String)> {
        if let Some(cluster) = &self.member_of {
            return Some((MEMBER, told_of_member(cluster, done, tag)));
        }
        let other = ["neptune", "docdb"].contains(&self.engine.as_str());
        let message = || format!("{} databases are not supported: remove the tag {tag}", self.engine);
        other.then(|| ("other-engine", message()))
    }

    /// Whether `snapshot` is one of this very database.
    pub fn owns(&self, snapshot: &Snapshot) -> bool {
        let same = match (self.resource_id.as_deref(), snapshot.resource_id_of_database()) {
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

    /// Whether Nightshift made it: it is called so, and says so of this very snapshot. A person's copy of it says so of
    /// the original.
    pub fn is_ours(&self) -> bool {
        let says = |it: &String| name::is_made_by(it, &self.id, region_of(&self.arn));
        self.id.starts_with(PREFIX) && self.tags.get(keys::MADE_BY).is_some_and(says)
    }

    /// Whether it is a copy that Nightshift made, of a snapshot of this region or of any other.
    pub fn is_copy(&self) -> bool {
        self.tags.contains_key(keys::COPY_OF) || self.tags.contains_key(keys::TAKEN)
    }

    /// Of a copy: what it was made of.
    ///
    /// ```
    /// use rules::database::Original;
    ///
    /// let original = Original {
    ///     arn: "arn:aws:rds:ap-northeast-2:123456789012:snapshot:nightshift-app-2026-11-21",
    ///     database_resource_id: Some("db-ABCD"),
    /// };
    /// assert_eq!(Original::read(&original.to_string()), Some(original));
    /// assert_eq!(original.region(), Some("ap-northeast-2"));
    /// ```
    pub fn original(&self) -> Option<Original<'_>> {
        Original::read(self.tags.get(keys::COPY_OF)?)
    }

    /// The `resource_id` of the database that it was taken of, or that its original was.
    pub fn resource_id_of_database(&self) -> Option<&str> {
        let remembered = self.original().and_then(|it| it.database_resource_id);
        remembered.or(self.database_resource_id.as_deref())
    }

    /// What its copy is called: after the region of the original too, since that one may have snapshots of its own.
    pub fn copy_id(&self) -> String {
        let region = region_of(&self.arn).unwrap_or_default();
        snapshot_id("", self.id.strip_prefix(PREFIX).unwrap_or(&self.id), region, self.kind.longest_id())
    }

    /// When it was taken; of a copy, when the original was.
    pub fn taken_at(&self) -> Option<Timestamp> {
        let remembered = self.tags.get(keys::TAKEN).and_then(|it| it.parse().ok());
        remembered.or(self.created_at)
    }
}

impl<'a> Original<'a> {
    /// Reads what [`fmt::Display`] has written into the tag.
    pub fn read(tag: &'a str) -> Option<Self> {
        let mut words = tag.split(' ');
        let arn = words.next().filter(|it| it.starts_with("arn:"))?;
        Some(Original { arn, database_resource_id: words.next() })
    }

    /// The region of the original.
    pub fn region(&self) -> Option<&'a str> {
        region_of(self.arn)
    }
}

impl fmt::Display for Original<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.arn)?;
        self.database_resource_id.map_or(Ok(()), |it| write!(f, " {it}"))
    }
}

/// The region in an ARN.
pub fn region_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(3).filter(|it| !it.is_empty())
}
