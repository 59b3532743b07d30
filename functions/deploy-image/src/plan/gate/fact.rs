//! What gates have to know, and what was seen of it.

use rules::Digest;

use super::health::Health;
use super::migrate::Task;
use super::scan::Scan;
use super::snapshot::Backup;
use crate::plan::task_definition::TaskDefinition;
use crate::plan::world::Service;

/// Something that a gate has to know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// What the scan of an image found.
    Scan {
        /// The image's repository.
        repository: String,
        /// The image.
        digest: Digest,
    },
    /// The tasks of a family in a cluster, those that stopped lately included.
    Tasks {
        /// The cluster.
        cluster: String,
        /// The family.
        family: String,
    },
    /// A task definition by its ARN, or the newest active one of a family.
    TaskDefinition(String),
    /// The snapshot before a deployment.
    Snapshot {
        /// The database.
        database: String,
        /// What the snapshot is called.
        id: String,
    },
    /// What the address of a service that was just deployed answers.
    Health {
        /// The service's ARN.
        service: String,
        /// The address.
        url: String,
    },
    /// All services that opted in.
    Services,
}

/// What was seen of a [`Fact`].
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// The scans of an image: one, or of a multi-platform image one for each platform.
    Scans(Vec<Scan>),
    /// Tasks.
    Tasks(Vec<Task>),
    /// A task definition.
    TaskDefinition(Box<TaskDefinition>),
    /// A snapshot, or what there is to take one of.
    Backup(Box<Backup>),
    /// What an address answered.
    Health(Health),
    /// Services.
    Services(Vec<Service>),
    /// It could not be seen; the error in words.
    Refused(String),
}
