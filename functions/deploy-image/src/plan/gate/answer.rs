//! What a gate is asked and what it answers, and how it looks at what was observed.

use jiff::Zoned;
use reconcile::Choice;

use crate::plan::case::{Case, Memory};
use crate::plan::step::{MemoryChange, Remember, Step};
use crate::plan::world::{Fact, Image, Observation};

/// A step and the reason for it.
pub type Act = (Step, String);

#[derive(Debug, PartialEq)]
pub enum Blocked {
    /// This has to be observed first.
    Lacks(Fact),
    /// It takes time, and then an event: the reason.
    Pending(String),
    /// It takes a person: the problem's kind and what is wrong.
    NeedsPerson(&'static str, String),
    /// The same, with what that person can decide.
    Asks { kind: &'static str, message: String, choices: Vec<Choice> },
    /// It takes time that people have set apart, mostly days: the problem's kind and until when.
    Scheduled(&'static str, String),
    /// It takes these steps, and then an event.
    Requires(Vec<Act>),
    /// It must not go out at all.
    Reject {
        /// Who rejects it, as the memory calls them.
        by: &'static str,
        why: String,
    },
}

/// The image that stands before the gates.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    pub case: &'a Case<'a>,
    /// What the service remembers, by what was decided so far.
    pub memory: &'a Memory,
    pub image: &'a Image,
    pub tag: &'a str,
    pub now: &'a Zoned,
}

impl Candidate<'_> {
    /// Writes `value` under `key` on the service, or removes the tag.
    pub fn note(&self, change: MemoryChange, key: &'static str, value: Option<String>) -> Step {
        Step::Remember(Remember::new(self.case.service, change, self.tag, self.case.running_label(), key, value))
    }
}

/// What was observed of `fact`, or that it has to be.
pub fn look<'a>(case: &Case<'a>, fact: Fact) -> Result<&'a Observation, Blocked> {
    case.observation(&fact).ok_or(Blocked::Lacks(fact))
}

/// What a gate says where AWS did not tell what it asked for: the error is the problem `kind`.
pub fn unavailable(observation: &Observation, kind: &'static str) -> Blocked {
    match observation {
        Observation::Unavailable(error) => Blocked::NeedsPerson(kind, error.clone()),
        other => Blocked::NeedsPerson(kind, format!("the answer was not the expected one: {other:?}")),
    }
}
