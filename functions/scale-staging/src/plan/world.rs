//! What is there: services with their scaling targets, Auto Scaling groups, EC2 instances and databases.

mod instance;
mod job;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rules::ServiceName;
use rules::database::{Condition, Database, Kind};
use rules::schedule::StackCalendar;
use rules::sleep::Limits;

pub use instance::Instance;
pub use job::{Job, JobGroup, switched, without_past_start};

/// Everything that the decision depends on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct World {
    /// The services that were looked at, and all Auto Scaling groups that opted in.
    pub services: Vec<Service>,
    /// All EC2 instances that opted in, or that sleep.
    pub instances: Vec<Instance>,
    /// Groups of schedules of EventBridge Scheduler that opted in.
    pub job_groups: Vec<JobGroup>,
    /// Tagged services that were not looked at, since nothing can be due: as the tag index has them.
    pub listed: Vec<Listed>,
    /// Services that do not exist, or that AWS would not tell about.
    pub missing: Vec<Missing>,
    /// Services that may sleep and have lost the tag that opts in, as far as this run looked for them.
    pub left_behind: Vec<Service>,
    /// The same of groups of schedules: ARN and tags.
    pub jobs_left_behind: BTreeMap<String, BTreeMap<String, String>>,
    /// All databases of the region.
    pub databases: Vec<Sleeper>,
    /// The status of the snapshot that a database should have been stopped with, by the database's ARN; `None` if there is none.
    pub snapshots: BTreeMap<String, Result<Option<String>, String>>,
    /// What RDS's events tell of the databases whose decision depends on them, by the database's ARN.
    pub events: BTreeMap<String, Result<Events, String>>,
    /// Days on which no window starts, and schedules by name.
    pub calendar: StackCalendar,
    /// How long before a sleep that people may not expect they are told of it, if at all.
    pub notice: Option<SignedDuration>,
}

/// A tagged service as the tag index has it, which may be some seconds old.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub arn: String,
    pub tags: BTreeMap<String, String>,
}

/// A service that could not be looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    pub arn: String,
    /// Why not; `None` if it no longer exists.
    pub refused: Option<String>,
    /// As the tag index has them.
    pub tags: BTreeMap<String, String>,
}

/// An ECS service, or an Auto Scaling group: what has a number of tasks or instances, with limits.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub arn: String,
    pub scaled: Scaled,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`; of a group that is being deleted what Auto Scaling says.
    pub status: String,
    /// It runs one task on each instance, and has no desired count.
    pub is_daemon: bool,
    /// Whether it is an Express Mode service, whose scaling ECS owns.
    pub is_express: bool,
    pub desired: i32,
    pub running: i32,
    /// How many tasks are about to run.
    pub pending: i32,
    /// AWS names a service by what a later one of the same name may have as well, but for the moment of its creation.
    pub created_at: Option<Timestamp>,
    /// When the deployment that is in progress began.
    pub deploying_since: Option<Timestamp>,
    /// When the newest deployment began, and when ECS last changed anything of it, its count included.
    pub deployed_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    /// What ECS tells of it, the newest first.
    pub messages: Vec<Message>,
    /// Its scaling target, if it has one.
    pub target: Option<Limits>,
    pub target_arn: Option<String>,
    /// The copy of what is remembered of it, on the tags of that target, where that was read.
    pub copy: Option<Result<Option<String>, String>>,
    /// The scheduled actions of that target, which are not Nightshift's.
    pub scheduled_actions: Vec<ScheduledAction>,
    pub tags: BTreeMap<String, String>,
}

/// Which of them it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaled {
    Service(ServiceName),
    /// An Auto Scaling group, by its name.
    Group(String),
}

/// A scheduled action of a scaling target.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduledAction {
    pub name: String,
    /// From then on it does nothing any more.
    pub ends: Option<Timestamp>,
}

/// An event of an ECS service.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub at: Timestamp,
    pub text: String,
}

/// A database, and whether AWS would stop it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sleeper {
    pub database: Database,
    /// Why AWS refuses to stop it, if it does.
    pub cannot_stop: Option<CannotStop>,
    /// The instance of a cluster that writes, if RDS names it.
    pub writer: Option<String>,
    pub created_at: Option<Timestamp>,
    /// Snapshots of it are born with its tags.
    pub copies_tags: bool,
    /// Such as `sun:16:00-sun:16:30`, in UTC.
    pub maintenance_window: Option<String>,
    /// Such as `17:00-17:30`, in UTC; none where RDS takes no automated backups.
    pub backup_window: Option<String>,
    /// What RDS changes in the next maintenance window, by the names of its API; the values may be secret.
    pub pending: Vec<&'static str>,
}

/// Why AWS refuses to stop a database.
#[derive(Debug, Clone, PartialEq)]
pub struct CannotStop {
    pub reason: String,
    /// It ends by itself, as a blue/green deployment does.
    pub passes: bool,
}

/// How RDS addresses a database.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseName {
    pub kind: Kind,
    pub id: String,
}

/// What RDS's events tell of a database.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Events {
    /// That it was stopped last, or started by AWS after seven days; what a person started has no event of its own.
    pub last: Option<LastEvent>,
    /// What RDS said last, in its own words.
    pub newest: Option<String>,
}

/// What RDS did last with a database: it stopped it, or started it after seven days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LastEvent {
    pub at: Timestamp,
    /// It started it, since it had been stopped for seven days.
    pub started_by_aws: bool,
}

impl World {
    /// What services can need.
    pub fn backing(&self) -> Backing<'_> {
        Backing { databases: &self.databases, services: &self.services, instances: &self.instances }
    }

    /// The databases that a person means by `name`.
    ///
    /// RDS keeps names in lower case. Who names an instance of a cluster means the cluster, since that is what is
    /// stopped and started. An instance and a cluster may have the same name: then both are meant.
    pub fn databases_named<'a>(&'a self, name: &str) -> Vec<&'a Sleeper> {
        self.backing().databases_named(name)
    }

    /// Whether a database serves, the instances of a cluster included.
    pub fn condition(&self, sleeper: &Sleeper) -> Condition {
        sleeper.database.condition(sleeper.writer.as_deref(), self.databases.iter().map(|it| &it.database))
    }
}

/// What services can need, by the names in `after=`.
#[derive(Clone, Copy)]
pub struct Backing<'a> {
    pub databases: &'a [Sleeper],
    /// Among them the groups.
    pub services: &'a [Service],
    pub instances: &'a [Instance],
}

impl<'a> Backing<'a> {
    /// The ARNs of what a person means by `name`.
    pub fn arns(&self, name: &str) -> Vec<&'a str> {
        if let Some(name) = name.strip_prefix("ec2:") {
            let named = self.instances.iter().filter(|it| it.is_called(name));
            return named.map(|it| it.arn.as_str()).collect();
        }
        if let Some(name) = name.strip_prefix("asg:") {
            let named = self.services.iter().filter(|it| matches!(&it.scaled, Scaled::Group(it) if it == name));
            return named.map(|it| it.arn.as_str()).collect();
        }
        self.databases_named(name).into_iter().map(|it| it.database.arn.as_str()).collect()
    }

    /// As [`World::databases_named`].
    pub fn databases_named(&self, name: &str) -> Vec<&'a Sleeper> {
        named(self.databases, name.strip_prefix("db:").unwrap_or(name))
    }
}

/// As [`World::databases_named`].
pub fn named<'a>(databases: &'a [Sleeper], name: &str) -> Vec<&'a Sleeper> {
    let called = |it: &&Sleeper, name: &str| it.database.id.eq_ignore_ascii_case(name);
    let clusters = databases.iter().filter(|it| it.database.kind == Kind::Cluster);
    let mut found: Vec<&Sleeper> = Vec::new();
    for it in databases.iter().filter(|it| called(it, name)) {
        let meant = match &it.database.member_of {
            Some(cluster) => clusters.clone().find(|it| called(it, cluster)),
            None => Some(it),
        };
        found.extend(meant.filter(|meant| !found.iter().any(|it| it.database.arn == meant.database.arn)));
    }
    found
}

impl Sleeper {
    pub fn name(&self) -> DatabaseName {
        DatabaseName { kind: self.database.kind, id: self.database.id.clone() }
    }
}

impl Scaled {
    /// What people call it.
    pub fn name(&self) -> &str {
        match self {
            Scaled::Service(it) => &it.name,
            Scaled::Group(it) => it,
        }
    }
}

impl Service {
    pub fn is_group(&self) -> bool {
        matches!(self.scaled, Scaled::Group(_))
    }

    /// What its size is a number of.
    pub fn things(&self) -> &'static str {
        if self.is_group() { "instances" } else { "tasks" }
    }

    /// What has its limits.
    pub fn scaling(&self) -> &'static str {
        if self.is_group() { "its group" } else { "its scaling target" }
    }

    /// Whether ECS scales this group as the capacity of its services: the tag is put on it by ECS itself.
    pub fn is_capacity_of_ecs(&self) -> bool {
        self.is_group() && self.tags.contains_key("AmazonECSManaged")
    }

    /// What this service is and no later one of its name.
    pub fn own_id(&self) -> Option<String> {
        self.created_at.map(|it| format!("{it:.0}"))
    }
}

/// The last part of an ARN: what people call the thing.
pub fn short_name(arn: &str) -> &str {
    arn.rsplit(['/', ':']).next().unwrap_or(arn)
}
