//! What gates have to know, and what was seen of it.

use std::collections::{BTreeMap, BTreeSet};

use choose::kind::Index;
use gates::Scan;
use jiff::Timestamp;
use rules::database::Backup;
use rules::deploy::HealthCheck;
use rules::{Digest, ServiceName};

use super::need::{Found, Need};
use super::origin::{Fired, Origin};
use super::service::Service;
use super::task_definition::TaskDefinition;

/// Something that a gate has to know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    Scan {
        repository: String,
        digest: Digest,
    },
    /// The tasks of a family in a cluster, those that stopped lately included.
    Tasks {
        cluster: String,
        family: String,
    },
    /// A task definition by its ARN, or the newest active one of a family.
    TaskDefinition(String),
    /// The snapshot before a deployment.
    Snapshot {
        database: String,
        id: String,
    },
    /// Whether a service is well, by its address or its target groups.
    Health {
        service: String,
        check: HealthCheck,
        look: Look,
    },
    /// What these indexes of a repository list, and for which platforms.
    Indexes {
        repository: String,
        digests: BTreeSet<Digest>,
    },
    Lifecycle(String),
    /// Whether these are there.
    Needs(BTreeSet<Need>),
    Services,
    /// A service that another one promotes from.
    Origin(ServiceName),
    /// When alarms that name their service went into ALARM last.
    Fired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// While a deployment pauses, of the test traffic.
    Test,
    Before,
    After,
    /// A minute later, where the first answer was bad; and only if all tasks of the same deployment run then.
    Again,
}

/// What was seen of a [`Fact`].
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// The scans of an image: one, or of a multi-platform image one for each platform.
    Scans(Vec<Scan>),
    Tasks(Vec<Task>),
    TaskDefinition(Box<TaskDefinition>),
    /// A snapshot, or what there is to take one of.
    Backup(Box<Backup>),
    Health(Health),
    /// What indexes list; one that vanished meanwhile is missing.
    Indexes(BTreeMap<Digest, Index>),
    Lifecycle(bool),
    /// What could be read; the rest is left out.
    Needs(BTreeMap<Need, Found>),
    Services(Vec<Service>),
    /// `None` if there is no such service.
    Origin(Option<Box<Origin>>),
    Fired(Vec<Fired>),
    /// AWS did not tell; the error in words.
    Unavailable(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub arn: String,
    /// Who started it; of ours its `run_name`.
    pub started_by: String,
    pub task_definition: String,
    /// Such as `RUNNING` and, at last, `STOPPED`.
    pub status: String,
    pub reason: String,
    /// The kind of that reason, such as `EssentialContainerExited` or `SpotInterruption`.
    pub stop_code: String,
    /// Its containers have run.
    pub started: bool,
    pub stopped_at: Option<Timestamp>,
    /// Its containers as they ended; none if it never started.
    pub containers: Vec<Ended>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    pub name: String,
    /// What it exited with, if it ever ran.
    pub exit_code: Option<i32>,
    pub reason: String,
}

impl Task {
    pub fn has_stopped(&self) -> bool {
        self.status == "STOPPED"
    }

    pub fn id(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or(&self.arn)
    }
}

/// A target of a target group, as its health check sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `healthy`, `unhealthy`, `initial`, `draining`, `unused`, `unavailable` or `unhealthy.draining`.
    pub state: String,
    /// Why, in the words of the load balancer.
    pub said: String,
}

impl Target {
    /// Its state; one that is drained for being unhealthy is unhealthy.
    pub fn state(&self) -> &str {
        if self.state == "unhealthy.draining" { "unhealthy" } else { &self.state }
    }
}

/// What became of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It answered 2xx, or all targets are healthy.
    Healthy,
    /// It answered something else, or not in time: what it said last.
    Unhealthy(String),
    /// Nothing listens there: what was tried.
    Closed(String),
    /// It cannot be asked, for a reason that says nothing about an image: its name is not found, its certificate is bad.
    Unreachable(String),
    /// It may not be asked: why.
    Refused(String),
    /// There was no time left to ask, or tasks or targets were still starting.
    Later,
}
