//! What a function says that it would do, read from the answer to `{"dry_run":true}`.
//!
//! Read leniently: the functions of a stack are not replaced at one moment.

use std::collections::BTreeMap;

use reconcile::message;
use rules::facts::Fact;
use serde_json::Value;

/// The report of a dry run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DryRun {
    /// What people call a resource whose ARN ends in an id, by ARN.
    pub names: BTreeMap<String, String>,
    /// What would be done.
    pub planned: Vec<Planned>,
    /// What needs a person.
    pub problems: Vec<Problem>,
    /// What is left alone, by ARN, with the reason.
    pub skipped: Vec<(String, String)>,
    /// What is so, by ARN.
    pub facts: Vec<(String, Fact)>,
    /// Why all of it was refused, if it was.
    pub refused: Option<String>,
    /// Whether the answer was too long, so that some of it is only in the log.
    pub is_cut: bool,
}

/// One step that would be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The ARN of the resource.
    pub resource: String,
    /// What is done, in kebab case.
    pub action: String,
    /// Why.
    pub reason: String,
}

/// What needs a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The ARN of the resource.
    pub resource: String,
    /// The kind, in kebab case.
    pub kind: String,
    /// What is wrong and how to fix it.
    pub message: String,
    /// What a person can decide.
    pub choices: Vec<Choice>,
}

/// What a person can decide: a command of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// As on a button: `Approve`.
    pub label: String,
    /// The function that takes it, if that is not the one that reports it.
    pub function: Option<String>,
    /// The command.
    pub payload: Value,
    /// The same as a command line.
    pub command: Option<String>,
}

impl DryRun {
    /// Reads a report; the error says what is in its place.
    pub fn read(report: &Value) -> Result<Self, String> {
        if report.get("function").is_none() || report["dry_run"] != true {
            return Err("its answer is not the report of a dry run".into());
        }
        let names = serde_json::from_value(report["names"].clone()).unwrap_or_default();
        let list = |key: &str| report[key].as_array().map(Vec::as_slice).unwrap_or_default();
        let planned = list("actions").iter().map(|it| Planned {
            resource: text(it, "resource"),
            action: text(it, "action"),
            reason: text(it, "reason"),
        });
        let problems = list("problems").iter().map(|it| Problem {
            resource: text(it, "resource"),
            kind: text(it, "problem"),
            message: text(it, "message"),
            choices: it["choices"].as_array().into_iter().flatten().filter_map(choice).collect(),
        });
        let skipped = list("skipped").iter().map(|it| (text(it, "resource"), text(it, "reason")));
        let fact = |it: &Value| Some((text(it, "resource"), serde_json::from_value(it.clone()).ok()?));
        Ok(DryRun {
            names,
            planned: planned.collect(),
            problems: problems.collect(),
            skipped: skipped.collect(),
            facts: list("facts").iter().filter_map(fact).collect(),
            refused: report["refused"].as_str().map(str::to_owned),
            is_cut: report.get("left_out").is_some_and(|it| !it.is_null()),
        })
    }

    /// What people call a resource.
    pub fn name_of<'a>(&'a self, resource: &'a str) -> &'a str {
        self.names.get(resource).map_or_else(|| message::name(resource), String::as_str)
    }

    /// Why a resource waits or is left alone, the gravest first.
    pub fn said_of<'a>(&'a self, resource: &'a str) -> Option<&'a str> {
        let problem = self.problems.iter().find(|it| it.resource == resource).map(|it| &it.message);
        let planned = self.planned.iter().find(|it| it.resource == resource).map(|it| &it.reason);
        let skipped = self.skipped.iter().find(|it| it.0 == resource).map(|it| &it.1);
        problem.or(planned).or(skipped).map(String::as_str)
    }
}

fn text(of: &Value, key: &str) -> String {
    of[key].as_str().unwrap_or_default().to_owned()
}

/// A choice that a button can make; what is a command line for a shell has no payload.
fn choice(it: &Value) -> Option<Choice> {
    let payload = it.get("payload").filter(|it| it.is_object())?.clone();
    let optional = |key: &str| it[key].as_str().map(str::to_owned);
    Some(Choice { label: text(it, "label"), function: optional("function"), payload, command: optional("command") })
}
