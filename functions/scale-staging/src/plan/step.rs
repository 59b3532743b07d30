//! What is done to one service or database, call by call, and what people read of it.

use jiff::Timestamp;
use reconcile::{CommandLine, MessageKind, Trouble, Undo};
use rules::ServiceName;
use rules::keys;
use rules::sleep::Suspended;
use serde_json::{Value, json};

use super::world::{DatabaseName, short_name};

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
}

/// What a step changes.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    Service { arn: String },
    Database { arn: String },
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
    /// Sets the least number of tasks of a scaling target, and what of it is suspended; the greatest stays.
    Limits {
        service: ServiceName,
        min: i32,
        suspended: Suspended,
    },
    /// Sets how many tasks there should be.
    Count {
        service: ServiceName,
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

/// What is left where AWS refuses to stop or start a database in a state that allows it.
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
                    "it is not stopped, since the snapshot that it is to be stopped with would be one too many: {said}. \
                     Delete manual snapshots that are not needed, or have the quota raised; it is tried again every hour"
                ),
            ),
            _ if ["AccessDenied", "KMSKeyNotAccessible"].iter().any(|it| said.contains(it)) => {
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
            Target::Service { arn } | Target::Database { arn } => arn,
        }
    }

    fn untag(&self, key: &str) -> CommandLine {
        CommandLine::of(match self {
            Target::Service { arn } => ["aws", "ecs", "untag-resource", "--resource-arn", arn, "--tag-keys", key],
            Target::Database { arn } => {
                ["aws", "rds", "remove-tags-from-resource", "--resource-name", arn, "--tag-keys", key]
            }
        })
    }
}

impl Step {
    pub fn is_stop(&self) -> bool {
        self.calls.iter().any(|it| matches!(it, Call::Stop { .. }))
    }

    pub fn is_start(&self) -> bool {
        self.calls.iter().any(|it| matches!(it, Call::Start { .. }))
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
        format!("{}: {}", short_name(self.target.arn()), self.headline)
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
            Change::Sleep => match self.holds[..] {
                [] => Some(Undo::Command(json!({"wake": {"resource": arn}}))),
                [keys::HOLD] => Some(Undo::Shell(self.target.untag(keys::HOLD))),
                // The function that holds it takes that back.
                _ => None,
            },
            Change::Wake => Some(Undo::Command(json!({"sleep": {"resource": arn}}))),
            Change::Boost | Change::EndBoost | Change::Remember | Change::Tell(_) => None,
        }
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
