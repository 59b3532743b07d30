//! What one message tells, and what it needs to know of where it comes from.

use std::collections::BTreeSet;

use super::runbook::RunbookBase;
use super::text;
use crate::kind::{MessageKind, Routine};
use crate::report::{Action, Problem, Report};
use crate::undo::Choice;

/// An attribute of SNS counts with the message, and a filter asks for one of them.
const MOST_RESOURCES: usize = 40;

/// Where the function runs and what its people want to hear.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// The function's name in AWS, for the commands that people can paste.
    pub invoke_as: &'a str,
    /// Its region, where that is known.
    pub region: Option<&'a str>,
    /// The host of the web console of its partition, where there is a public one.
    pub console: Option<&'a str>,
    /// What becomes of routine news.
    pub routine: Routine,
    /// Where people keep what to do, for what names no page of its own.
    pub runbooks: Option<&'a RunbookBase>,
}

impl Site<'_> {
    /// What kind of message tells of an action here.
    pub fn kind_of(&self, it: &Action) -> Option<MessageKind> {
        match it.is_in_daily_report && self.routine == Routine::Daily {
            true => it.tells.and(Some(MessageKind::Routine)),
            false => it.tells,
        }
    }
}

/// What of a run one message tells.
#[derive(Default)]
pub struct Part<'a> {
    pub refused: Option<&'a str>,
    pub failures: Vec<&'a Action>,
    pub problems: Vec<&'a Problem>,
    pub done: Vec<&'a Action>,
}

impl<'a> Part<'a> {
    /// What it is about: ARNs, or the name of the function.
    pub fn resources(&self, report: &Report) -> Vec<String> {
        let of_actions = self.failures.iter().chain(&self.done).map(|it| it.resource.as_str());
        let refused = self.refused.map(|_| report.function.as_str());
        let all = self.problems.iter().map(|it| it.resource.as_str()).chain(of_actions).chain(refused);
        let mut resources: Vec<String> = all.map(str::to_owned).collect();
        resources.sort();
        resources.dedup();
        resources.truncate(MOST_RESOURCES);
        resources
    }

    /// The one thing that its subject is about: the word for it, and the resource. `None` where nothing is wrong.
    pub fn trouble(&self, report: &'a Report) -> Option<(&'a str, &'a str)> {
        let refused = self.refused.map(|_| ("too-many-changes", report.function.as_str()));
        let problem = self.problems.first().map(|it| (it.problem.as_str(), it.resource.as_str()));
        let failure = self.failures.first().map(|it| ("failed", it.resource.as_str()));
        let done = self.done.first().map(|it| (it.action, it.resource.as_str()));
        refused.or(problem).or(failure).or(done)
    }

    /// The resources whose stories it tells.
    pub fn stories(&self) -> BTreeSet<&'a str> {
        let of_problems = self.problems.iter().map(|it| it.story.as_deref().unwrap_or(&it.resource));
        let of_actions = self.failures.iter().chain(&self.done);
        of_problems.chain(of_actions.map(|it| it.story.as_deref().unwrap_or(&it.resource))).collect()
    }

    /// The commands that a person may want after this, each once, with what it does.
    pub fn commands(&self, report: &Report, site: &Site<'_>) -> Vec<(String, String)> {
        let line = |it: &Choice| it.command.command_line(site.invoke_as, site.region);
        let choices = |resource: &'a str, all: &'a [Choice]| {
            all.iter().map(move |it| Command { resource, label: it.label, undone: None, line: line(it) })
        };
        let of_problems = self.problems.iter().flat_map(|it| choices(&it.resource, &it.choices));
        let of_actions = self.done.iter().flat_map(|it| choices(&it.resource, &it.choices));
        let undo = self.done.iter().filter_map(|it| {
            Some(Command { resource: &it.resource, label: UNDO, undone: Some(it), line: it.undo.clone()? })
        });
        let mut all: Vec<Command<'_>> = of_problems.chain(of_actions).chain(undo).collect();
        // Two steps may share one, as a rejection and the way back from what it rejects do.
        let mut seen = BTreeSet::new();
        all.retain(|it| seen.insert(it.line.clone()));
        let labels: Vec<String> = (0..all.len()).map(|at| label(&all, at, report)).collect();
        labels.into_iter().zip(all).map(|(label, it)| (label, it.line)).collect()
    }
}

/// What stands before the command that takes a step back.
const UNDO: &str = "If that is wrong";

struct Command<'a> {
    resource: &'a str,
    label: &'static str,
    /// The step that it takes back.
    undone: Option<&'a Action>,
    line: String,
}

/// What a command is called beside the others of its message: of several of one name nobody could tell which is meant.
fn label(all: &[Command<'_>], at: usize, report: &Report) -> String {
    let it = &all[at];
    let alike = || all.iter().filter(|other| other.label == it.label);
    if alike().count() == 1 {
        return it.label.into();
    }
    let is_of_one = alike().all(|other| other.resource == it.resource);
    let name = report.name_of(it.resource);
    match it.undone {
        Some(step) => {
            let headline = text::headline(report, step);
            let what = headline.strip_prefix(name).and_then(|it| it.strip_prefix(": ")).filter(|_| is_of_one);
            format!("If this is wrong, \"{}\"", what.unwrap_or(&headline))
        }
        None if is_of_one => {
            let place = all[..=at].iter().filter(|other| other.label == it.label).count();
            format!("{}, {place} of {}", it.label, alike().count())
        }
        None => format!("{}, {name}", it.label),
    }
}
