//! What a gate is asked and what it answers, and how it looks at what was observed.

use std::fmt::Display;

use jiff::Zoned;

use crate::plan::case::{Case, Memory};
use crate::plan::step::{MemoryChange, Remember, Step};
use crate::plan::world::{Fact, Image, Observation};

/// A step and the reason for it.
pub type Act = (Step, String);

/// Why an image does not go out now.
pub type Blocked = gates::Blocked<Fact, Act>;

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

impl<'a> Candidate<'a> {
    /// The same for the gates that know nothing of ECS.
    pub fn at_gates(&self, running: &'a str) -> gates::Candidate<'a> {
        let Candidate { case, image, tag, now, .. } = *self;
        gates::Candidate { on: "service", running, repository: &case.repository, image, tag, now }
    }

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
pub fn unavailable(observation: &Observation, kind: &'static str, what: impl Display) -> Blocked {
    match observation {
        Observation::Unavailable(error) => Blocked::NeedsPerson(
            kind,
            format!("{what} cannot be read: {error}. Each run tries again, once an hour at least"),
        ),
        other => Blocked::NeedsPerson(kind, format!("the answer was not the expected one: {other:?}")),
    }
}
