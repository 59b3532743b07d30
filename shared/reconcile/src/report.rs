//! What one run did: the answer, the log and the dry run are this one type.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use jiff::Zoned;
use serde::Serialize;
use serde_json::Value;

use crate::kind::MessageKind;
use crate::undo::{Choice, Undo};

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
    /// What is so, for programs that draw it; only in a dry run, whose answer is read and not kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
    /// Where people look, by resource.
    #[serde(skip)]
    pub hints: BTreeMap<String, BTreeSet<Hint>>,
    /// What people call a resource whose ARN ends in an id that nobody knows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// What another function answered to what this run sent it, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<String>,
    /// What the answer is instead of this report: a page, where a board asked for one.
    #[serde(skip)]
    pub page: Option<String>,
    /// Why nothing was done at all, if something was refused whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// The commands and events that the function accepts, where it refused one.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub accepted: &'static [&'static str],
    /// Why the message to people did not get through, if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification_error: Option<String>,
    /// What the answer leaves out, see [`Report::fit`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
}

/// How much an answer leaves out, so that it stays small.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeftOut {
    /// How many actions.
    pub actions: usize,
    /// How many problems.
    pub problems: usize,
    /// How many resources that were left alone.
    pub skipped: usize,
    /// Where all of it is.
    pub note: &'static str,
}

/// What was refused whole, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Refused {
    /// The plan: it holds more changes than are allowed. The run counts as failed, and people are told.
    Plan(String),
    /// A command: the person who gave it reads the reason in the answer, so the run did not fail.
    Command(String),
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
    /// What kind of message tells people of it once it is done.
    #[serde(skip)]
    pub tells: Option<MessageKind>,
    /// The report of the day tells it soon enough.
    #[serde(skip)]
    pub is_in_daily_report: bool,
    /// The resource whose story it belongs to, if that is another one.
    #[serde(skip)]
    pub story: Option<String>,
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
    /// What a person can decide about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// A command that a person can paste to take it back.
    pub undo: Option<String>,
    /// The same, for the button of a message in chat.
    #[serde(skip)]
    pub offer: Option<Undo>,
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

/// Where people look who are told of a resource, besides its own page in the console.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hint {
    /// The group in CloudWatch Logs that its tasks write to.
    LogGroup(String),
    /// What to do, as the address of a page that the resource itself names.
    Runbook(String),
    /// Another resource, by its ARN: the alarm that watches it, the bucket that it is copied to.
    Related(String),
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// The error's code, such as `AccessDeniedException`: the same as long as the cause is the same.
    pub code: String,
    /// The whole message, with operation and resource: the same as long as the cause is the same.
    pub message: String,
    /// AWS's id of the request, to look it up or to name it to AWS Support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// What is wrong with a resource: the kind and the words for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// The kind, in kebab case: `bad-tag`.
    pub kind: &'static str,
    /// What is wrong and how to fix it; the same as long as the cause is the same, see [`crate::Plan::problem`].
    pub message: String,
}

impl Trouble {
    /// A trouble of `kind`.
    pub fn new(kind: &'static str, message: impl Display) -> Self {
        Trouble { kind, message: message.to_string() }
    }

    /// AWS did not tell `what`, which stands at the beginning of a sentence: the images of a repository.
    pub fn unreadable(kind: &'static str, what: impl Display, error: impl Display) -> Self {
        Self::new(kind, format_args!("{what} cannot be read: {error}"))
    }
}

/// Why a step was not done.
#[derive(Debug, Clone, PartialEq)]
pub enum Undone {
    /// It cannot be done now, but by a later run.
    NotNow,
    /// It failed.
    Failed(Failure),
    /// It is refused for a while, which is a problem of the resource and no failure of the run.
    Problem(Trouble),
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
    /// What kind of message tells of it.
    #[serde(skip)]
    pub kind: MessageKind,
    /// The resource whose story it belongs to, if that is another one.
    #[serde(skip)]
    pub story: Option<String>,
    /// What a person can decide about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// It is told once a month instead of once a day: nothing fails, but it should not be forgotten.
    #[serde(skip)]
    pub monthly: bool,
    /// What is wrong and how to fix it.
    pub message: String,
}

/// What is so of one resource, in figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    /// The resource's ARN.
    pub resource: String,
    /// What is so; `rules::facts` has the forms.
    #[serde(flatten)]
    pub fact: Value,
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
            facts: Vec::new(),
            hints: BTreeMap::new(),
            names: BTreeMap::new(),
            answers: Vec::new(),
            page: None,
            refused: None,
            accepted: &[],
            notification_error: None,
            left_out: None,
        }
    }

    /// A report of a command that is refused.
    pub fn refusing(function: &str, at: Zoned, why: String, accepted: &'static [&'static str]) -> Self {
        Report { refused: Some(Refused::Command(why)), accepted, ..Self::new(function, at) }
    }

    /// A report of a run that could do nothing.
    pub fn of_failed_run(function: &str, at: Zoned, error: impl Display) -> Self {
        let problem = Problem {
            resource: function.into(),
            problem: "run-failed".into(),
            message: format!("nothing was done: {error}. The next run tries again"),
            kind: MessageKind::Failed,
            story: None,
            choices: Vec::new(),
            monthly: false,
        };
        Report { problems: vec![problem], ..Self::new(function, at) }
    }

    /// What people call `resource`.
    pub fn name_of<'a>(&'a self, resource: &'a str) -> &'a str {
        self.names.get(resource).map_or_else(|| crate::message::name(resource), String::as_str)
    }

    /// Whether something was left failed, so that the run as a whole must count as an error.
    pub fn failed(&self) -> bool {
        self.plan_refused().is_some()
            || self.notification_error.is_some()
            || self.actions.iter().any(|it| it.outcome == Outcome::Failed)
    }

    /// Why the plan was refused whole, if it was.
    pub fn plan_refused(&self) -> Option<&str> {
        self.refused.as_ref().and_then(|it| match it {
            Refused::Plan(why) => Some(why.as_str()),
            Refused::Command(_) => None,
        })
    }

    /// Why something was refused whole, the plan or the command.
    pub fn refusal(&self) -> Option<&str> {
        self.refused.as_ref().map(|(Refused::Plan(why) | Refused::Command(why))| why.as_str())
    }

    /// How many actions ended in `outcome`.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.actions.iter().filter(|it| it.outcome == outcome).count()
    }
}
