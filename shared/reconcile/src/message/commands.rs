//! The commands that a person may want after a message.

use std::collections::BTreeSet;

use super::headline::headline;
use super::part::{Part, Site};
use crate::report::{Action, Report};

/// The commands that a person may want after this, each once, with what it does.
pub fn commands(part: &Part<'_>, report: &Report, site: &Site<'_>) -> Vec<(String, String)> {
    let of_problems =
        part.problems.iter().flat_map(|it| it.choices.iter().map(|choice| (it.resource.as_str(), choice)));
    let of_actions = part.done.iter().flat_map(|it| it.choices.iter().map(|choice| (it.resource.as_str(), choice)));
    let choices = of_problems.chain(of_actions).map(|(resource, it)| Command {
        resource,
        label: it.label,
        undone: None,
        line: it.command.command_line(site.invoke_as, site.region),
    });
    let undo = part.done.iter().filter_map(|it| {
        Some(Command { resource: &it.resource, label: UNDO, undone: Some(it), line: it.undo.clone()? })
    });
    let mut all: Vec<Command<'_>> = choices.chain(undo).collect();
    // Two steps may share one, as a rejection and the way back from what it rejects do.
    let mut seen = BTreeSet::new();
    all.retain(|it| seen.insert(it.line.clone()));
    let labels: Vec<String> = (0..all.len()).map(|at| label(&all, at, report)).collect();
    labels.into_iter().zip(all).map(|(label, it)| (label, it.line)).collect()
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
            let headline = headline(report, step);
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
