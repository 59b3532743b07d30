//! What one run did: the answer, the log and the dry run are this one type.

use jiff::Zoned;
use serde::Serialize;
use serde_json::Value;

/// What a run did, left alone and could not do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The function, as its folder is called.
    pub function: String,
    /// Whether nothing was changed on purpose.
    pub dry_run: bool,
    /// The moment for which the plan was made, with its zone.
    pub at: Zoned,
    /// What was planned, with what became of it.
    pub actions: Vec<Action>,
    /// What was looked at and left alone.
    pub skipped: Vec<Skipped>,
    /// What needs a person.
    pub problems: Vec<Problem>,
    /// Figures for the metrics.
    #[serde(skip)]
    pub measures: Vec<Measure>,
    /// Why the plan was refused whole, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Why the message to people did not get through, if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untold: Option<String>,
}

/// One step of the plan and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Action {
    /// The ARN of the resource that was changed.
    pub resource: String,
    /// What was done, in kebab case.
    pub action: &'static str,
    /// One line for people; the subject of a message.
    #[serde(skip)]
    pub headline: String,
    /// Whether it only wrote down what is known.
    #[serde(skip)]
    pub is_note: bool,
    /// Whether nobody needs to hear of it once it is done.
    #[serde(skip)]
    pub is_quiet: bool,
    /// Why.
    pub reason: String,
    /// What was changed, as it was.
    pub before: Value,
    /// What was changed, as it is now.
    pub after: Value,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// A command that a person can paste to take it back.
    pub undo: Option<String>,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Not done, since the run was dry.
    Planned,
    /// Done.
    Done,
    /// Tried in vain.
    Failed,
    /// Not tried in this run; the next one does it.
    Deferred,
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// The error's code, such as `AccessDeniedException`: the same as long as the cause is the same.
    pub code: String,
    /// The whole message, with operation, resource and request id.
    pub message: String,
}

/// A resource that was looked at and left alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Skipped {
    /// The resource's ARN.
    pub resource: String,
    /// Why it was left alone.
    pub reason: String,
}

/// A resource that needs a person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    /// The resource's ARN.
    pub resource: String,
    /// The kind, in kebab case: `bad-tag`.
    pub problem: String,
    /// What is wrong and how it is mended.
    pub message: String,
}

/// A figure of one resource, for the metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// What is measured, with the unit in its name, such as `BackupAgeHours`.
    pub metric: &'static str,
    /// What kind of resource it is measured of, such as `Database`.
    pub kind: &'static str,
    /// The name of the resource; `None` for the largest figure of all of them.
    pub of: Option<String>,
    /// The figure.
    pub value: f64,
}

impl Failure {
    /// The code of a step that cannot be made now, but by a later run: it is deferred, not failed.
    pub const NOT_NOW: &str = "NotNow";
}

impl Report {
    /// A report of `function` at `at` in which nothing was done yet.
    pub fn new(function: &str, at: Zoned) -> Self {
        Report {
            function: function.into(),
            dry_run: false,
            at,
            actions: Vec::new(),
            skipped: Vec::new(),
            problems: Vec::new(),
            measures: Vec::new(),
            refused: None,
            untold: None,
        }
    }

    /// Whether something was left failed, so that the run as a whole must count as an error.
    pub fn failed(&self) -> bool {
        self.refused.is_some() || self.untold.is_some() || self.actions.iter().any(|it| it.outcome == Outcome::Failed)
    }

    /// How many actions ended in `outcome`.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.actions.iter().filter(|it| it.outcome == outcome).count()
    }
}
