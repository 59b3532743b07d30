//! What one message tells, and what it needs to know of where it comes from.

use std::collections::BTreeSet;

use super::runbook::RunbookBase;
use crate::kind::{MessageKind, Routine};
use crate::report::{Action, Problem, Report};

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
}
