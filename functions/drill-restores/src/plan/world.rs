//! What was observed, as plain data.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rules::database::{Database, Snapshot};
use rules::drill::Calendar;
use rules::retention::Region;

/// Everything that the decision depends on.
#[derive(Debug, Clone)]
pub struct World {
    /// The region of the stack, and of the databases that it drills.
    pub home: String,
    /// The other regions that drills may run in, and why one of them cannot be read.
    pub elsewhere: BTreeMap<Region, Result<(), String>>,
    /// All databases of these regions.
    pub databases: Vec<Database>,
    /// What else has to be known of each, by ARN.
    pub details: BTreeMap<String, Details>,
    /// The snapshots that Nightshift made, the copies in other regions where those are drilled, and the automated ones of databases that are drilled from those; they are read
    /// when a drill is to begin.
    pub snapshots: Option<Vec<Snapshot>>,
    /// By the ARN of an original, whether its check can run; read when a drill is to begin or its check is to start.
    pub checks: BTreeMap<String, Result<CheckTarget, String>>,
    /// By the ARN of a drill database, the task that checks it.
    pub tasks: BTreeMap<String, Result<Option<Task>, String>>,
    /// By the ARN of a drill database, what each container of its check said last, in the order of its task definition; read
    /// when the check has ended.
    pub said: BTreeMap<String, Result<Vec<Said>, String>>,
    /// When drills begin.
    pub calendar: Calendar,
    /// How many drills there may be at once.
    pub max_drills: usize,
}

/// A database, as far as its drill depends on it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Details {
    /// AWS leaves it out while one is `creating`.
    pub created: Option<Timestamp>,
    /// Such as `db.t4g.micro`; a cluster has none of its own, unless it is a Multi-AZ DB cluster.
    pub class: Option<String>,
    pub settings: Settings,
    /// Of a cluster: `serverless` is the first version of Aurora Serverless.
    pub engine_mode: Option<String>,
    /// Of a cluster: the instance that takes writes.
    pub writer: Option<String>,
    pub endpoint: Option<String>,
    pub port: Option<i32>,
    /// The database that was created with it.
    pub database_name: Option<String>,
    /// The latest point in time that RDS can restore; none where RDS takes no backups of it.
    pub latest: Option<Timestamp>,
    /// It takes connections, but part of its data is still in S3.
    pub loading: bool,
}

/// What a restored database takes over from its original, since RDS would choose its own defaults otherwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    pub subnet_group: Option<String>,
    pub security_groups: Vec<String>,
    pub parameter_group: Option<String>,
    pub option_group: Option<String>,
    /// Of an instance: its type of storage.
    pub storage: Option<String>,
    /// Of Aurora Serverless v2: the least and the most capacity.
    pub capacity: Option<(f64, f64)>,
    /// Without it RDS enrols the restored database in extended support, which is paid for.
    pub lifecycle_support: Option<String>,
}

/// The service and the task definition of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckTarget {
    /// The names of the containers, each of which is told where the database is.
    pub containers: Vec<String>,
}

/// The task that checks a restored database.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub stopped: bool,
    pub stopped_at: Option<Timestamp>,
    /// Why ECS stopped it.
    pub reason: String,
    pub containers: Vec<Container>,
}

/// What a container of a check said last.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub container: String,
    pub line: String,
}

/// A container of that task.
#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    pub name: String,
    /// None if it never started.
    pub exit_code: Option<i32>,
    pub reason: String,
}
