//! Databases and their snapshots, as far as backups are concerned.

mod state;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::{Digest, keys};

pub use state::{Condition, State};

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

/// What a copy of a snapshot was made of, as the copy remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Original<'a> {
    /// The ARN of the snapshot.
    pub arn: &'a str,
    /// The `resource_id` of its database, which AWS does not promise to tell of a copy.
    pub database_resource_id: Option<&'a str>,
}

/// What the snapshot of the database `id` before the deployment of `image` is called.
///
/// Whoever wants it and whoever takes it come to the same name, so that a doubled wish is one snapshot. It is one that
/// RDS takes for an instance and for a cluster, since who wishes it need not know which of the two it is.
pub fn predeploy_id(id: &str, image: &Digest) -> String {
    snapshot_id("predeploy-", id, image.short().trim_start_matches("sha256:"), Kind::Cluster.longest_id())
}

/// An id of at most `longest` letters, of our prefix, `before`, the database, and `after`.
///
/// A database whose name is too long for that is cut and ends in a hash of the name; no id holds two hyphens in a row.
pub fn snapshot_id(before: &str, database: &str, after: &str, longest: usize) -> String {
    // RDS stores ids in lower case.
    let database = database.to_ascii_lowercase();
    let whole = format!("{PREFIX}{before}{database}-{after}");
    if whole.len() <= longest {
        return whole;
    }
    let hash: String = Sha256::digest(&database).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let room = (longest + database.len()).saturating_sub(whole.len() + 1 + hash.len());
    let cut = database.get(..room).unwrap_or_default().trim_end_matches('-');
    format!("{PREFIX}{before}{cut}-{hash}-{after}")
}

impl Database {
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

    /// Whether Nightshift made it: it says so, and is called so.
    pub fn is_ours(&self) -> bool {
        self.id.starts_with(PREFIX) && self.tags.contains_key(keys::MADE_BY)
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

impl Kind {
    /// The most letters that RDS takes for the id of a snapshot.
    pub fn longest_id(self) -> usize {
        match self {
            Kind::Instance => 255,
            Kind::Cluster => 63,
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn image(number: u64) -> Digest {
        format!("sha256:{number:012x}{:052x}", 0).parse().unwrap()
    }

    #[test]
    fn the_snapshot_before_a_deployment_is_called_after_database_and_image() {
        assert_eq!(predeploy_id("Kfood-db", &image(0x1a2b)), "nightshift-predeploy-kfood-db-000000001a2b");
        // 29 letters are the most that fit.
        let fits = "d".repeat(29);
        assert_eq!(predeploy_id(&fits, &image(1)), format!("nightshift-predeploy-{fits}-000000000001"));
        let long = format!("{}-{}", "d".repeat(19), "e".repeat(40));
        assert_eq!(
            predeploy_id(&long, &image(1)),
            format!("nightshift-predeploy-{}-356f1f29-000000000001", "d".repeat(19))
        );
    }

    proptest! {
        #[test]
        fn an_id_is_always_one_that_rds_takes(parts in proptest::collection::vec("[a-zA-Z][a-zA-Z0-9]{0,20}", 1..6)) {
            let mut database = parts.join("-");
            database.truncate(63);
            let database = database.trim_end_matches('-');
            for id in [predeploy_id(database, &image(1)), snapshot_id("", database, "2026-11-21", 63)] {
                prop_assert!(id.len() <= 63 && !id.contains("--") && !id.ends_with('-'), "{id}");
            }
        }

        #[test]
        fn two_databases_or_two_images_never_share_an_id(one in "[a-z]{20,63}", other in "[a-z]{20,63}") {
            prop_assert_ne!(predeploy_id(&one, &image(1)), predeploy_id(&one, &image(2)));
            prop_assume!(one != other);
            prop_assert_ne!(predeploy_id(&one, &image(1)), predeploy_id(&other, &image(1)));
        }
    }
}
