//! What a page is made of, and how it is shown.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{Timestamp, Zoned};
use rules::facts::Fact;

use crate::dry_run::DryRun;
use crate::section::Section;

/// What was spent of each budget so far, in USD, at the end of each day of the period.
pub type Spent = BTreeMap<String, Vec<(Date, f64)>>;

/// All that is known.
#[derive(Debug, Clone, Default)]
pub struct Board {
    /// What each function would do, by its name, or why it could not be asked.
    pub runs: BTreeMap<String, Result<DryRun, String>>,
    /// The alarms of the account and region that are in ALARM, tagged or not, or why they could not be read.
    pub firing: Option<Result<Vec<Firing>, String>>,
    /// How many percent of each budget were spent, by day, or why that could not be read.
    pub spent: Option<Result<Spent, String>>,
    /// What sleeping has saved, or why that could not be read.
    pub saved: Option<Result<Saved, String>>,
}

/// An alarm that is in ALARM.
#[derive(Debug, Clone, PartialEq)]
pub struct Firing {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// What CloudWatch says of that.
    pub reason: String,
}

/// What did not run because it slept.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Saved {
    /// Over how many days.
    pub days: i64,
    /// Hours of tasks.
    pub task_hours: f64,
    /// Hours of databases.
    pub database_hours: f64,
}

/// The colours of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
    /// As the browser says.
    Either,
}

/// How a board is shown.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// The moment, in the zone of the stack.
    pub now: &'a Zoned,
    /// The colours.
    pub theme: Theme,
    /// The parts that are shown, in their order.
    pub sections: &'a [Section],
    /// The ARN of each function that a button may invoke, by its name. Without any there are no buttons.
    pub endpoints: BTreeMap<String, String>,
}

impl Board {
    /// The run of a function, if it could be asked.
    pub fn run(&self, function: &str) -> Option<&DryRun> {
        self.runs.get(function)?.as_ref().ok()
    }

    /// The facts of a function, each with the ARN that it is about.
    pub fn facts(&self, function: &str) -> impl Iterator<Item = (&str, &Fact)> {
        self.run(function).into_iter().flat_map(|it| it.facts.iter().map(|(arn, fact)| (arn.as_str(), fact)))
    }
}

impl View<'_> {
    /// A moment of the board, without the date where that is near.
    pub fn clock(&self, moment: Timestamp) -> String {
        moment.to_zoned(self.now.time_zone().clone()).strftime("%a %H:%M").to_string()
    }

    /// The local day of a moment.
    pub fn day(&self, moment: Timestamp) -> Date {
        moment.to_zoned(self.now.time_zone().clone()).date()
    }

    /// A moment with its date and zone.
    pub fn when(&self, moment: Timestamp) -> String {
        reconcile::when(moment, self.now)
    }
}
