//! What was observed, as plain data.

use std::collections::BTreeMap;

use choose::Image;
use gates::{Calendar, Scan};
use jiff::Timestamp;
use rules::Digest;
use rules::database::Backup;

/// A snapshot of everything that the decision depends on.
#[derive(Debug, Clone)]
pub struct World {
    /// All instances that opted in, in the order of their ids.
    pub instances: Vec<Instance>,
    /// The Auto Scaling groups that carry the tag themselves, or why they could not be listed.
    pub groups: Result<Vec<Group>, String>,
    /// How Systems Manager reaches each of them, or why it would not say.
    pub pings: Result<BTreeMap<String, String>, String>,
    /// The images of each repository that was asked about, or why they could not be listed.
    pub repositories: BTreeMap<String, Result<Vec<Image>, String>>,
    /// What became of the command that an instance remembers, by the instance; `None` if it was never sent.
    pub invocations: BTreeMap<String, Result<Option<Invocation>, String>>,
    /// What gates asked for.
    pub facts: BTreeMap<Fact, Observation>,
    pub calendar: Calendar,
    pub region: String,
}

impl Default for World {
    fn default() -> Self {
        World {
            instances: Vec::new(),
            groups: Ok(Vec::new()),
            pings: Ok(BTreeMap::new()),
            repositories: BTreeMap::new(),
            invocations: BTreeMap::new(),
            facts: BTreeMap::new(),
            calendar: Calendar::default(),
            region: String::new(),
        }
    }
}

/// An EC2 instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    pub arn: String,
    pub id: String,
    pub account: String,
    /// `pending`, `running`, `stopping` or `stopped`.
    pub state: String,
    /// When it was started last.
    pub launched_at: Option<Timestamp>,
    pub tags: BTreeMap<String, String>,
}

impl Instance {
    /// What people call it.
    pub fn name(&self) -> &str {
        self.tags.get("Name").map(|it| it.trim()).filter(|it| !it.is_empty()).unwrap_or(&self.id)
    }

    /// Whether a person means it by `name`: its id, or its name.
    pub fn is_called(&self, name: &str) -> bool {
        self.id == name || self.name() == name
    }

    /// The Auto Scaling group that it belongs to. AWS writes this tag, and nobody else may.
    pub fn group(&self) -> Option<&String> {
        self.tags.get("aws:autoscaling:groupName")
    }
}

/// An Auto Scaling group: it outlives its instances, and so does what it remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub arn: String,
    pub name: String,
    /// Its instances with their lifecycle state, such as `InService` and `Terminating:Wait`.
    pub members: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
}

impl Group {
    /// Whether it is replacing or removing this instance, or has done so: `Terminating:Wait` is a hook before the end.
    pub fn lets_go(&self, id: &str) -> bool {
        self.members.get(id).is_none_or(|it| it.starts_with("Terminat"))
    }

    /// Whether the instance stands by, stopped, until the group grows.
    pub fn keeps_warm(&self, id: &str) -> bool {
        self.members.get(id).is_some_and(|it| it.starts_with("Warmed"))
    }
}

/// A command that was sent to an instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    pub command: String,
    /// Such as `InProgress` and, at last, `Success`.
    pub status: String,
    /// The same closer, such as `Delivery Timed Out`.
    pub details: String,
    /// When it ended, where Systems Manager says so.
    pub ended_at: Option<Timestamp>,
    /// What the script answered, if it did.
    pub answer: Option<Answer>,
}

/// What the script answered in its last line.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub outcome: Outcome,
    /// What ran before it.
    pub before: Option<Digest>,
    /// What runs now, as it was read back.
    pub running: Option<Digest>,
    /// For how many seconds nothing answered.
    pub downtime: u64,
    /// The migration failed.
    pub migration_failed: bool,
    pub why: String,
}

/// How a run of the script ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was only asked what runs.
    Running,
    Deployed,
    /// The image ran already.
    Unchanged,
    /// The new image failed, and the one before it runs again.
    Restored,
    /// The new image failed, and so did the way back.
    Failed,
    /// It changed nothing.
    Refused,
}

/// Something that a gate has to know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    Scan {
        repository: String,
        digest: Digest,
    },
    /// The snapshot before a deployment.
    Snapshot {
        database: String,
        id: String,
    },
}

/// What was seen of a [`Fact`].
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    Scans(Vec<Scan>),
    Backup(Box<Backup>),
    /// AWS did not tell; the error in words.
    Unavailable(String),
}
