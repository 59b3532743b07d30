//! What a run was asked: where to look, and what a person wants of that.

use jiff::civil::Time;
use rules::intent::Moment;

/// What a run of this function was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Where to look.
    pub scope: Scope,
    /// What a person asks for, if a person did.
    pub command: Option<Command>,
}

/// Where to look.
#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    /// At everything that opted in.
    Everywhere,
    /// At the memories of the last day, for the daily report.
    LastDay,
    /// At one service or database, by its ARN.
    Resource(String),
}

/// A person's command about one service or database.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Wake it, and keep it awake until then.
    Wake(Until),
    /// Put it to sleep until its schedule wakes it.
    Sleep,
}

/// How long a person wants something awake.
#[derive(Debug, Clone, PartialEq)]
pub enum Until {
    /// Until the schedule changes next.
    NextChange,
    /// Until the clock of the schedule's zone shows this time next.
    Time(Time),
    /// Until this moment.
    Moment(Moment),
}

impl Scope {
    /// Whether this is the one resource that is asked about.
    pub fn is(&self, arn: &str) -> bool {
        matches!(self, Scope::Resource(it) if it == arn)
    }

    /// Whether something may be done about this resource.
    pub fn holds(&self, arn: &str) -> bool {
        *self == Scope::Everywhere || self.is(arn)
    }
}
