//! What is done to one service or database, call by call, and what people read of it.

use reconcile::{CommandLine, Undo};
use rules::sleep::Suspended;
use rules::{ServiceName, keys};
use serde_json::{Value, json};

use super::world::short_name;

/// A change of one service or database: calls that are made one after the other.
///
/// A run may die after any of them; the next one goes on from what is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The service or database.
    pub arn: String,
    /// What the calls amount to.
    pub what: What,
    /// The calls, in their order.
    pub calls: Vec<Call>,
    /// What it is now.
    pub before: Value,
    /// What it will be.
    pub after: Value,
    /// One line for people, without the name.
    pub headline: String,
    /// The tags of the holds on it, which no command outranks.
    pub holds: Vec<&'static str>,
}

/// What a step amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It is put to sleep.
    Sleep,
    /// It is woken.
    Wake,
    /// It gets more tasks for a while.
    Boost,
    /// It gets its size back after a boost.
    EndBoost,
    /// Only what is remembered of it changes.
    Remember,
}

/// A call that changes something.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Writes a memory tag.
    Remember(&'static str, String),
    /// Removes memory tags.
    Forget(Vec<&'static str>),
    /// Sets the least number of tasks of a scaling target, and what of it is suspended.
    Limits {
        /// The least number of tasks; the greatest stays.
        min: i32,
        /// What is suspended.
        suspended: Suspended,
    },
    /// Sets how many tasks there should be.
    Count(i32),
    /// Stops a database, with a snapshot of this id.
    Stop(Option<String>),
    /// Starts a database.
    Start,
    /// Gives the snapshot that was taken with the stop its tags.
    TagSnapshot {
        /// Its ARN.
        arn: String,
        /// Its tags.
        tags: Vec<(String, String)>,
    },
}

impl Step {
    fn remove_hold(&self) -> CommandLine {
        let arn = self.arn.as_str();
        CommandLine::of(match ServiceName::of_arn(arn) {
            Some(_) => ["aws", "ecs", "untag-resource", "--resource-arn", arn, "--tag-keys", keys::HOLD],
            None => ["aws", "rds", "remove-tags-from-resource", "--resource-name", arn, "--tag-keys", keys::HOLD],
        })
    }
}

impl reconcile::Step for Step {
    /// The pace of the calls finds out how many ECS and RDS allow.
    const AT_A_TIME: usize = 32;

    fn action(&self) -> &'static str {
        match self.what {
            What::Sleep => "sleep",
            What::Wake => "wake",
            What::Boost => "boost",
            What::EndBoost => "end-boost",
            What::Remember => "remember",
        }
    }

    fn headline(&self) -> String {
        format!("{}: {}", short_name(&self.arn), self.headline)
    }

    fn before(&self) -> Value {
        self.before.clone()
    }

    fn after(&self) -> Value {
        self.after.clone()
    }

    fn undo(&self) -> Option<Undo> {
        match self.what {
            What::Sleep => match self.holds[..] {
                [] => Some(Undo::Command(json!({"wake": {"resource": self.arn}}))),
                [keys::HOLD] => Some(Undo::Shell(self.remove_hold())),
                // Whose hold it is takes it back.
                _ => None,
            },
            What::Wake => Some(Undo::Command(json!({"sleep": {"resource": self.arn}}))),
            What::Boost | What::EndBoost | What::Remember => None,
        }
    }

    fn is_note(&self) -> bool {
        self.what == What::Remember
    }
}
