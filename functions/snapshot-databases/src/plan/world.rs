//! What was observed, as plain data.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rules::database::{Database, Kind, Snapshot};
use rules::retention::Region;

/// Everything that the decision depends on.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// All databases of the region.
    pub databases: Vec<Database>,
    /// When each database was created, by ARN; AWS leaves it out while one is `creating`.
    pub created: BTreeMap<String, Timestamp>,
    /// The manual snapshots of the region that are called as Nightshift calls them.
    pub snapshots: Vec<Snapshot>,
    /// How many manual snapshots there are of each kind, whoever made them.
    pub manual: BTreeMap<Kind, usize>,
    /// How many there may be, as far as AWS tells; read where that can matter.
    pub quotas: BTreeMap<Kind, usize>,
    /// The same snapshots of the regions that are copied to, or why they cannot be read.
    pub copies: BTreeMap<Region, Result<Vec<Snapshot>, String>>,
    /// Regions in which there are as many manual snapshots of a kind as there may be, with that number.
    pub full: BTreeMap<(Region, Kind), usize>,
    /// The regions that the stack may copy to, each with its KMS key.
    pub copy_keys: BTreeMap<Region, Option<String>>,
    /// What RDS told of databases and snapshots in the last days, by ARN, or why that cannot be read.
    pub events: BTreeMap<String, Result<Vec<Event>, String>>,
}

/// An event of RDS.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub at: Timestamp,
    pub message: String,
}
