//! What is there: services with their scaling targets, and databases.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rules::ServiceName;
use rules::database::{Condition, Database, Kind};
use rules::schedule::StackCalendar;
use rules::sleep::Limits;

/// Everything that the decision depends on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct World {
    /// The services that were looked at.
    pub services: Vec<Service>,
    /// Tagged services that were not looked at, since nothing can be due: as the tag index has them.
    pub listed: Vec<Listed>,
    /// Services that do not exist, or that AWS would not tell about.
    pub missing: Vec<Missing>,
    /// Services that may sleep and have lost the tag that opts in, as far as this run looked for them.
    pub left_behind: Vec<Service>,
    /// All databases of the region.
    pub databases: Vec<Sleeper>,
    /// The status of the snapshot that a database was to be stopped with, by the database's ARN; `None` if there is none.
    pub snapshots: BTreeMap<String, Result<Option<String>, String>>,
    /// What RDS's events tell of the databases whose decision depends on them, by the database's ARN.
    pub events: BTreeMap<String, Result<Events, String>>,
    /// Days on which no window starts, and schedules by name.
    pub calendar: StackCalendar,
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

/// An ECS service.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub arn: String,
    pub name: ServiceName,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
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
    /// The databases that a person means by `name`.
    ///
    /// RDS keeps names in lower case. Who names an instance of a cluster means the cluster, since that is what is
    /// stopped and started. An instance and a cluster may have the same name: then both are meant.
    pub fn databases_named<'a>(&'a self, name: &str) -> Vec<&'a Sleeper> {
        named(&self.databases, name)
    }

    /// Whether a database serves, the instances of a cluster included.
    pub fn condition(&self, sleeper: &Sleeper) -> Condition {
        sleeper.database.condition(sleeper.writer.as_deref(), self.databases.iter().map(|it| &it.database))
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

impl Service {
    /// What this service is and no later one of its name.
    pub fn own_id(&self) -> Option<String> {
        self.created_at.map(|it| format!("{it:.0}"))
    }
}

/// The last part of an ARN: what people call the thing.
pub fn short_name(arn: &str) -> &str {
    arn.rsplit(['/', ':']).next().unwrap_or(arn)
}
