//! What is done to one service or database, call by call, and what people read of it.

use jiff::Timestamp;
use reconcile::{Choice, CommandLine, MessageKind, Trouble, Undo, writing_down};
use rules::keys;
use rules::sleep::Suspended;
use serde_json::{Value, json};

use super::world::{DatabaseName, Scaled, short_name};

/// A change of one service or database: calls that are made one after the other.
///
/// A run may die after any of them; the next one goes on from what is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub target: Target,
    pub change: Change,
    pub calls: Vec<Call>,
    pub before: Value,
    pub after: Value,
    /// One line for people, without the name.
    pub headline: String,
    /// The tags of the holds on it, which no command outranks.
    pub holds: Vec<&'static str>,
    /// Nobody needs to hear of it: it was told before and is only tried again.
    pub is_again: bool,
    pub if_refused: Option<IfRefused>,
    /// The moment until which the command in its message keeps it awake, as a command names it.
    pub awake_until: Option<String>,
    /// What a person can decide about it.
    pub choices: Vec<Choice>,
}

/// What a step changes.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    Service {
        arn: String,
    },
    Group {
        arn: String,
        name: String,
    },
    Database {
        arn: String,
    },
    /// The schedules of a group.
    Jobs {
        arn: String,
        name: String,
    },
    /// With the name that people gave it.
    Instance {
        arn: String,
        id: String,
        name: Option<String>,
    },
}

/// What a step amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Sleep,
    Wake,
    /// It gets more tasks for a while.
    Boost,
    /// It gets its size back after a boost.
    EndBoost,
    /// Only what is remembered of it changes.
    Remember,
    /// The same, and people are told.
    Tell(MessageKind),
}

/// A call that changes something.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Writes a memory tag.
    Remember(&'static str, String),
    /// Removes memory tags.
    Forget(Vec<&'static str>),
    /// Sets the least number of tasks or instances, and what of the scaling is suspended; the greatest stays.
    Limits {
        of: Scaled,
        min: i32,
        suspended: Suspended,
    },
    /// Sets how many tasks or instances there should be.
    Count {
        of: Scaled,
        desired: i32,
    },
    /// Stops a database, with a snapshot of this id.
    Stop {
        database: DatabaseName,
        snapshot: Option<String>,
    },
    Start {
        database: DatabaseName,
    },
    /// Stops an instance, by its id.
    StopInstance {
        id: String,
        hibernate: bool,
    },
    StartInstance {
        id: String,
    },
    /// Disables or enables schedules of a group, each after another look at it.
    Jobs {
        group: String,
        jobs: Vec<String>,
        on: bool,
    },
    /// Writes what is remembered of a service on its scaling target as well, by the ARN of that.
    CopyMemory {
        target: String,
        value: String,
    },
    /// Asks snapshot-databases for the snapshot of a cluster that is to sleep since `begun`.
    AskForSnapshot {
        database: String,
        begun: Timestamp,
    },
    /// Takes tags off the snapshot that was taken with the stop, then gives it its own.
    TagSnapshot {
        arn: String,
        remove: Vec<String>,
        tags: Vec<(String, String)>,
    },
}

/// What is left where AWS refuses to stop or start a database or an instance in a state that allows it.
#[derive(Debug, Clone, PartialEq)]
pub struct IfRefused {
    /// When it was tried.
    pub at: Timestamp,
    /// What was remembered for this change alone.
    pub forget: Vec<&'static str>,
    pub kind: Refusal,
}

/// What AWS refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Stop,
    Start,
}

impl Refusal {
    /// The problem that people are told, whether AWS has just said so or said so within the hour.
    pub fn trouble(self, said: &str) -> Trouble {
        match self {
            Refusal::Stop if said.contains("SnapshotQuotaExceeded") => Trouble::new(
                "snapshot-quota",
                format!(
                    "it is not stopped, since the snapshot that it has to be stopped with would be one too many: {said}. \
                     Delete manual snapshots that are not needed, or have the quota raised; it is tried again every hour"
                ),
            ),
            Refusal::Stop if said.contains("OperationNotPermitted") => Trouble::new(
                "not-stoppable",
                format!(
                    "it is protected from being stopped: turn its stop protection off, or remove the tag {}. AWS says: \
                     {said}; it is tried again every hour",
                    keys::SCHEDULE
                ),
            ),
            Refusal::Start if said.contains("InsufficientInstanceCapacity") => Trouble::new(
                "no-capacity",
                format!(
                    "AWS has no capacity for its instance type in its Availability Zone: {said}. It is tried again every \
                     hour, or at once by the command wake; another instance type or a capacity reservation avoids that"
                ),
            ),
            _ if ["AccessDenied", "UnauthorizedOperation", "KMSKeyNotAccessible"]
                .iter()
                .any(|it| said.contains(it)) =>
            {
                let call = if self == Refusal::Stop { "stopped" } else { "started" };
                let message = format!(
                    "it is not {call}, since a policy or its KMS key forbids that: {said}. Look at the role of this \
                     function, at the organization's policies and at the key; it is tried again every hour"
                );
                Trouble::new("denied", message)
            }
            Refusal::Stop => Trouble::new(
                "not-stoppable",
                format!("AWS refuses to stop it, though its state allows that: {said}; it is tried again every hour"),
            ),
            Refusal::Start => Trouble::new(
                "not-started",
                format!(
                    "AWS refuses to start it: {said}; it is tried again every hour, or at once by the command wake"
                ),
            ),
        }
    }
}

impl Target {
    pub fn arn(&self) -> &str {
        match self {
            Target::Service { arn }
            | Target::Group { arn, .. }
            | Target::Database { arn }
            | Target::Jobs { arn, .. }
            | Target::Instance { arn, .. } => arn,
        }
    }

    fn untag(&self, key: &str) -> CommandLine {
        match self {
            Target::Service { arn } => {
                CommandLine::of(["aws", "ecs", "untag-resource", "--resource-arn", arn, "--tag-keys", key])
            }
            Target::Database { arn } => {
                CommandLine::of(["aws", "rds", "remove-tags-from-resource", "--resource-name", arn, "--tag-keys", key])
            }
            Target::Jobs { arn, .. } => {
                CommandLine::of(["aws", "scheduler", "untag-resource", "--resource-arn", arn, "--tag-keys", key])
            }
            Target::Group { name, .. } => {
                let tag = json!([{"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": key}]).to_string();
                CommandLine::of(["aws", "autoscaling", "delete-tags", "--tags", &tag])
            }
            Target::Instance { id, .. } => {
                let tag = json!([{"Key": key}]).to_string();
                CommandLine::of(["aws", "ec2", "delete-tags", "--resources", id, "--tags", &tag])
            }
        }
    }

    /// What people call it.
    fn name(&self) -> String {
        match self {
            Target::Instance { name: Some(name), .. } => name.clone(),
            _ => short_name(self.arn()).to_owned(),
        }
    }
}

impl Step {
    pub fn is_stop(&self) -> bool {
        self.calls.iter().any(|it| matches!(it, Call::Stop { .. } | Call::StopInstance { .. }))
    }

    /// Whether it changes nothing but what people were told.
    pub fn is_written_once_told(&self) -> bool {
        let must_be_told = matches!(self.change, Change::Tell(MessageKind::NeedsYou | MessageKind::Failed));
        must_be_told && self.calls.iter().all(|it| matches!(it, Call::Remember(..) | Call::Forget(_)))
    }

    pub fn is_start(&self) -> bool {
        self.calls.iter().any(|it| matches!(it, Call::Start { .. } | Call::StartInstance { .. }))
    }
}

impl reconcile::Step for Step {
    /// The pace of the calls finds out how many ECS and RDS allow.
    const AT_A_TIME: usize = 32;

    fn action(&self) -> &'static str {
        match self.change {
            Change::Sleep => "sleep",
            Change::Wake => "wake",
            Change::Boost => "boost",
            Change::EndBoost => "end-boost",
            Change::Remember | Change::Tell(_) => "remember",
        }
    }

    fn headline(&self) -> String {
        format!("{}: {}", self.target.name(), self.headline)
    }

    fn attempt(&self) -> String {
        match self.change {
            Change::Tell(_) | Change::Remember => writing_down(&self.headline()),
            Change::Sleep | Change::Wake | Change::Boost | Change::EndBoost => self.headline(),
        }
    }

    fn before(&self) -> Value {
        self.before.clone()
    }

    fn after(&self) -> Value {
        self.after.clone()
    }

    fn undo(&self) -> Option<Undo> {
        let arn = self.target.arn();
        match self.change {
            // They follow what they need: that is what a person wakes.
            Change::Sleep | Change::Wake if matches!(self.target, Target::Jobs { .. }) => None,
            Change::Sleep => match self.holds[..] {
                [] => Some(Undo::Command(json!({"wake": {"resource": arn}}))),
                [keys::HOLD] => Some(Undo::Shell(self.target.untag(keys::HOLD))),
                // The function that holds it takes that back.
                _ => None,
            },
            Change::Tell(_) if self.awake_until.is_some() => {
                Some(Undo::Command(json!({"wake": {"resource": arn, "until": self.awake_until}})))
            }
            Change::Wake => Some(Undo::Command(json!({"sleep": {"resource": arn}}))),
            Change::Boost | Change::EndBoost | Change::Remember | Change::Tell(_) => None,
        }
    }

    fn choices(&self) -> Vec<Choice> {
        self.choices.clone()
    }

    fn once_told(&self) -> Option<Self> {
        self.is_written_once_told().then(|| Step { change: Change::Remember, ..self.clone() })
    }

    fn tells(&self) -> Option<MessageKind> {
        match self.change {
            _ if self.is_again => None,
            Change::Sleep | Change::Wake | Change::Boost | Change::EndBoost => Some(MessageKind::Routine),
            Change::Tell(kind) => Some(kind),
            Change::Remember => None,
        }
    }
}
