//! The one thing that can be done: a command is sent to the function that takes it.

use reconcile::{Button, MessageKind, Undo};
use serde_json::{Value, json};

/// Sends the command of a button.
#[derive(Debug, Clone, PartialEq)]
pub struct Press {
    pub button: Button,
    /// What people call what it is about.
    pub about: String,
    pub command: Value,
}

impl reconcile::Step for Press {
    fn action(&self) -> &'static str {
        "press"
    }

    fn headline(&self) -> String {
        format!("'{}' was sent to {} for {}", self.button.label(), self.button.function(), self.about)
    }

    fn before(&self) -> Value {
        Value::Null
    }

    fn after(&self) -> Value {
        json!({"function": self.button.function(), "command": self.command})
    }

    /// The function that takes the command says how it is undone.
    fn undo(&self) -> Option<Undo> {
        None
    }

    /// That function tells people, too.
    fn tells(&self) -> Option<MessageKind> {
        None
    }
}
