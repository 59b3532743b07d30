//! What is there: services with their scaling targets, and databases.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rules::database::Database;
use rules::sleep::Limits;

/// Everything that the decision depends on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct World {
    /// The services that were looked at.
    pub services: Vec<Service>,
    /// Tagged services that were not looked at, since nothing can be due: as the tag index has them.
    pub listed: Vec<Listed>,
    /// Services that do not exist, or that AWS would not tell about.
    pub unseen: Vec<Unseen>,
    /// Services that sleep and have lost the tag that opts in, as far as this run looked for them.
    pub left_behind: Vec<Listed>,
    /// All databases of the region.
    pub databases: Vec<Sleeper>,
    /// The status of the snapshot that a database was to be stopped with, by the database's ARN; `None` if there is none.
    pub snapshots: BTreeMap<String, Result<Option<String>, String>>,
    /// What RDS did last with a database that was to be asleep and runs, by the database's ARN; `None` if nothing.
    pub last_events: BTreeMap<String, Result<Option<LastEvent>, String>>,
    /// Days on which no window starts.
    pub holidays: Vec<Date>,
}

/// A tagged service as the tag index has it, which may be some seconds old.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its ARN.
    pub arn: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A service that could not be looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Unseen {
    /// Its ARN.
    pub arn: String,
    /// Why not; `None` if it no longer exists.
    pub refused: Option<String>,
    /// Its tags, as the tag index has them.
    pub tags: BTreeMap<String, String>,
}

/// An ECS service.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its ARN.
    pub arn: String,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    /// It runs one task on each instance, and has no desired count.
    pub is_daemon: bool,
    /// How many tasks there should be.
    pub desired: i32,
    /// How many tasks there are.
    pub running: i32,
    /// When the deployment that is in progress began.
    pub deploying_since: Option<Timestamp>,
    /// Its scaling target, if it has one.
    pub target: Option<Limits>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A database, and whether AWS would stop it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sleeper {
    /// The database.
    pub database: Database,
    /// Why AWS refuses to stop it, if it does.
    pub cannot_stop: Option<&'static str>,
}

/// What RDS did last with a database, by its events: it stopped it, or started it after seven days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LastEvent {
    /// When.
    pub at: Timestamp,
    /// It started it, since it had been stopped for seven days.
    pub started_by_aws: bool,
}

/// The last part of an ARN: what people call the thing.
pub fn short_name(arn: &str) -> &str {
    arn.rsplit(['/', ':']).next().unwrap_or(arn)
}
