//! What is done: people are told how far a budget has come, and holds are written and removed.

use reconcile::{CommandLine, MessageKind, Undo, writing_down};
use rules::keys;
use serde_json::{Value, json};

/// A change.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Tells people of a budget, and remembers it on the budget.
    Tell(Tell),
    /// Remembers a figure on the budget, of which there is nothing to tell.
    Remember(MemoryNote),
    /// Writes a hold, by which `scale-staging` puts something to sleep.
    Hold(Hold),
    /// Removes a hold.
    Release(Release),
}

/// Tells people of a budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Tell {
    /// Such as `warn`.
    pub action: &'static str,
    /// One line.
    pub headline: String,
    /// What people knew before.
    pub before: Value,
    /// What they know now.
    pub after: Value,
    /// What has to be remembered before anything is held or released for it.
    pub note: MemoryNote,
    /// What is remembered once people know.
    pub told: String,
}

/// What to remember on a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryNote {
    /// The budget's ARN.
    pub budget: String,
    /// The value that its tag had when this was decided.
    pub before: Option<String>,
    /// The value of its tag.
    pub memory: String,
}

/// Writes a hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Hold {
    /// The ARN of the service or database.
    pub resource: String,
    /// What people call it.
    pub name: String,
    /// The name of the budget.
    pub budget: String,
    /// The hold that it has, if another one takes its place.
    pub before: Option<String>,
    /// The value of the tag.
    pub hold: String,
    /// The budget whose memory is written first: what is not remembered would be undone by the next figures that went
    /// down.
    pub after: Option<String>,
}

/// Removes a hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    /// The ARN of the service or database.
    pub resource: String,
    /// What people call it.
    pub name: String,
    /// The hold.
    pub hold: String,
    /// The budget whose memory is written first: what is not remembered as released would be held again.
    pub after: Option<String>,
}

impl reconcile::Step for Step {
    fn action(&self) -> &'static str {
        match self {
            Step::Tell(it) => it.action,
            Step::Remember(_) => "remember",
            Step::Hold(_) => "hold",
            Step::Release(_) => "release",
        }
    }

    fn headline(&self) -> String {
        match self {
            Step::Tell(it) => it.headline.clone(),
            Step::Remember(it) => format!("{}: a figure is remembered", it.budget),
            Step::Hold(it) => format!("{}: put to sleep by {}", it.name, it.budget),
            Step::Release(it) => format!("{}: released, back to its schedule", it.name),
        }
    }

    fn attempt(&self) -> String {
        match self {
            Step::Tell(_) => writing_down(&self.headline()),
            Step::Remember(_) | Step::Hold(_) | Step::Release(_) => self.headline(),
        }
    }

    fn before(&self) -> Value {
        match self {
            Step::Tell(it) => it.before.clone(),
            Step::Remember(_) => Value::Null,
            Step::Hold(it) => it.before.as_ref().map_or(Value::Null, |it| json!({keys::HOLD_MEMORY: it})),
            Step::Release(it) => json!({keys::HOLD_MEMORY: it.hold}),
        }
    }

    fn after(&self) -> Value {
        match self {
            Step::Tell(it) => it.after.clone(),
            Step::Remember(it) => json!({keys::WARNED: it.memory}),
            Step::Hold(it) => json!({keys::HOLD_MEMORY: it.hold}),
            Step::Release(_) => json!({}),
        }
    }

    fn needs(&self) -> Option<&str> {
        match self {
            Step::Hold(it) => it.after.as_deref(),
            Step::Release(it) => it.after.as_deref(),
            Step::Tell(_) | Step::Remember(_) => None,
        }
    }

    fn tells(&self) -> Option<MessageKind> {
        match self {
            Step::Tell(_) | Step::Hold(_) | Step::Release(_) => Some(MessageKind::Changed),
            Step::Remember(_) => None,
        }
    }

    fn undo(&self) -> Option<Undo> {
        match self {
            Step::Hold(it) => Some(Undo::Command(json!({"release": {"budget": it.budget}}))),
            Step::Tell(Tell { action: "release", note, .. }) => Some(Undo::Shell(CommandLine::of([
                "aws",
                "budgets",
                "untag-resource",
                "--resource-arn",
                &note.budget,
                "--resource-tag-keys",
                rules::keys::WARNED,
            ]))),
            Step::Tell(_) | Step::Remember(_) | Step::Release(_) => None,
        }
    }
}
