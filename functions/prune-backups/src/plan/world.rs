//! What was observed, as plain data.

mod images;
mod sharing;

use std::collections::BTreeMap;

use rules::database::{Database, Snapshot};
use rules::retention::Region;

pub use images::{Group, Image, Instance, PinnedImage, Repository, Service, Task, TaskDefinition, Usage};
pub use sharing::Sharing;

/// Everything that the decision depends on.
#[derive(Debug, Clone)]
pub struct World {
    /// The region of the stack.
    pub region: String,
    /// All databases of the region.
    pub databases: Vec<Database>,
    /// The manual snapshots of the region that Nightshift made.
    pub snapshots: Vec<Snapshot>,
    /// The same of the regions that snapshots are copied to, or why they cannot be read.
    pub copies: BTreeMap<Region, Result<Vec<Snapshot>, String>>,
    /// Whether the snapshots that are to go are shared, by ARN, as far as RDS was asked.
    pub sharing: BTreeMap<String, Sharing>,
    /// The ECR repositories that opted in, or why they cannot be found.
    pub repositories: Result<Vec<Repository>, String>,
    /// What runs in the region, or why that cannot be told.
    pub usage: Result<Usage, String>,
}
