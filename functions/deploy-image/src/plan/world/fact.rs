//! What gates have to know, and what was seen of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rules::Digest;
use rules::database::{Database, Snapshot};
use rules::image::Index;

use super::service::Service;
use super::task_definition::TaskDefinition;

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
    /// What the address of a service answers.
    Health {
        /// The service's ARN.
        service: String,
        /// The address.
        url: String,
        /// When it is asked.
        look: Look,
    },
    /// What these indexes of a repository list, and for which platforms.
    Indexes {
        /// The repository.
        repository: String,
        /// The indexes.
        digests: BTreeSet<Digest>,
    },
    /// Whether a repository has a lifecycle policy.
    Lifecycle(String),
    /// All services that opted in.
    Services,
}

/// When an address is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// Before the rollout of an image.
    Before,
    /// After it.
    After,
    /// A minute later, where the first answer was bad; and only if all tasks of the same deployment run then.
    Again,
}

/// What was seen of a [`Fact`].
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
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
    /// What indexes list; one that vanished meanwhile is missing.
    Indexes(BTreeMap<Digest, Index>),
    /// Whether there is a lifecycle policy.
    Lifecycle(bool),
    /// Services.
    Services(Vec<Service>),
    /// AWS did not tell; the error in words.
    Unavailable(String),
}

/// What the scan of one image found.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// How far it is.
    pub state: ScanState,
    /// How many findings are `CRITICAL`, as the registry counts them.
    pub critical: u64,
    /// How many are `HIGH`.
    pub high: u64,
    /// The findings of these two grades.
    pub findings: Vec<Finding>,
}

/// How far a scan is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanState {
    /// It has ended, or goes on for ever with findings so far: enhanced scanning.
    Done,
    /// It is under way.
    Pending,
    /// There is none.
    Missing,
    /// The registry cannot scan such an image: its reason.
    Unsupported(String),
    /// There are no findings to be had: status and reason.
    Unavailable(String),
}

/// A weakness that a scan found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// `CVE-2026-1234`.
    pub name: String,
    /// The package that has it.
    pub package: Option<String>,
    /// How bad it is.
    pub grade: Grade,
    /// How bad it is within that, from 0 to 10.
    pub score: f64,
}

/// How bad a finding is; less bad ones hold nothing back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// `CRITICAL`
    Critical,
    /// `HIGH`
    High,
}

impl Scan {
    /// A scan without findings.
    pub fn of(state: ScanState) -> Self {
        Scan { state, critical: 0, high: 0, findings: Vec::new() }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        self.package.iter().try_for_each(|it| write!(f, " ({it})"))
    }
}

/// A task of a migration's family.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its ARN.
    pub arn: String,
    /// Who started it; of ours its `run_name`.
    pub started_by: String,
    /// The ARN of its task definition.
    pub task_definition: String,
    /// Such as `RUNNING` and, at last, `STOPPED`.
    pub status: String,
    /// Why it stopped, as ECS says.
    pub reason: String,
    /// The kind of that reason, such as `EssentialContainerExited` or `SpotInterruption`.
    pub stop_code: String,
    /// Its containers have run.
    pub started: bool,
    /// When it stopped.
    pub stopped_at: Option<Timestamp>,
    /// Its containers as they ended; none if it never started.
    pub containers: Vec<Ended>,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Its name.
    pub name: String,
    /// What it exited with, if it ever ran.
    pub exit_code: Option<i32>,
    /// What ECS says of it.
    pub reason: String,
}

impl Task {
    /// Whether it will not run any more.
    pub fn has_stopped(&self) -> bool {
        self.status == "STOPPED"
    }

    /// The last part of its ARN.
    pub fn id(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or(&self.arn)
    }
}

/// What there is of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Backup {
    /// The snapshot, if there is one of its id.
    pub snapshot: Option<Snapshot>,
    /// If not, what there is of that name: DB instance, DB cluster, both or nothing.
    pub databases: Vec<Database>,
}

/// What became of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It answered 2xx.
    Healthy,
    /// It answered something else, or not in time: what it said last.
    Unhealthy(String),
    /// Nothing listens there: what was tried.
    Closed(String),
    /// It cannot be asked, for a reason that says nothing about an image: its name is not found, its certificate is bad.
    Unreachable(String),
    /// It may not be asked: why.
    Refused(String),
    /// There was no time left to ask, or tasks were still starting.
    Later,
}
