//! One service with everything read, as it will be after the calls so far.

use jiff::{Timestamp, Zoned};
use rules::compose::Ordered;
use rules::keys;
use rules::sleep::Suspended;

use super::draft::Draft;
use super::size::Size;
use super::step::{Call, Change};
use super::times::{COMPOSES_WITHIN, DEPLOYS_WITHIN, GRACE};
use super::wants::{Source, Verdict, Wants};
use super::world::{Service, World};

/// Why a deployment is waited for.
pub const DEPLOYING: &str = "a deployment is in progress, which the next run looks at again";

pub struct Case<'a> {
    pub service: &'a Service,
    /// As it will be after the calls so far.
    pub size: Size,
    pub wants: Wants,
    pub verdict: Verdict,
    pub world: &'a World,
    pub now: &'a Zoned,
    pub draft: Draft,
    /// A person's command has to be carried out, whoever changed what by hand before.
    pub asked: bool,
    /// Why a group does not sleep: a service that needs it still runs, or may.
    pub used: Option<String>,
}

impl Case<'_> {
    pub fn at(&self) -> Timestamp {
        self.now.timestamp()
    }

    pub fn is_fresh(&self, moment: Timestamp) -> bool {
        self.at().duration_since(moment) < GRACE
    }

    /// How many tasks stay while it is asleep.
    pub fn off(&self) -> i32 {
        i32::try_from(self.wants.schedule.off).unwrap_or(i32::MAX)
    }

    /// A deployment in progress is waited for, but no person is kept waiting.
    pub fn is_deploying(&self) -> bool {
        !self.asked && self.service.deploying_since.is_some_and(|it| self.at().duration_since(it) < DEPLOYS_WITHIN)
    }

    /// An image that no instance of the group runs yet is being deployed to one: if that was terminated now, the image would
    /// count as bad.
    pub fn composes(&self) -> bool {
        let sent = self.service.tags.get(keys::COMMAND).filter(|_| self.service.is_group());
        let sent = sent.and_then(|it| it.parse::<Ordered>().ok());
        sent.is_some_and(|it| self.at().duration_since(it.at) < COMPOSES_WITHIN)
    }

    pub fn limits(&mut self, min: i32, suspended: Suspended) {
        let as_wanted = self.size.target.is_none_or(|it| (it.min, it.suspended) == (min, suspended));
        if !as_wanted {
            self.size = self.size.limited(min, suspended);
            self.draft.call(Call::Limits { of: self.service.scaled.clone(), min, suspended });
        }
    }

    pub fn count(&mut self, desired: i32) {
        if self.size.desired != desired {
            self.size = self.size.counted(desired);
            self.draft.call(Call::Count { of: self.service.scaled.clone(), desired });
        }
    }

    /// The calls so far become a step, if there are any.
    pub fn step(&mut self, change: Change, headline: impl Into<String>) {
        let reason = format!("{}; {}", self.verdict.why, self.next());
        self.draft.step(change, headline.into(), self.size.view(), reason);
    }

    /// Whether it is woken though a person stopped it: another asks, or its schedule says so.
    pub fn wakes_what_people_stopped(&self) -> bool {
        self.asked || self.wants.wakes_what_people_stopped(&self.verdict, self.at())
    }

    pub fn local(&self, moment: Timestamp) -> String {
        self.wants.local(moment, self.now)
    }

    pub fn next(&self) -> String {
        match self.verdict.source {
            Source::Needed => "sleeps when that does".into(),
            _ => self.wants.next(&self.verdict, self.now),
        }
    }

    /// Such as `2 -> 0 tasks`.
    pub fn change_of_size(&self, from: i32, to: i32) -> String {
        format!("{from} -> {to} {}", self.service.things())
    }

    pub fn state(&self) -> String {
        match &self.wants.asleep {
            Some(asleep) if self.size.desired <= self.off() => {
                let had = asleep.desired.unwrap_or_default();
                let things = self.service.things();
                format!("it is asleep since {} (it had {had} {things})", self.local(asleep.since))
            }
            _ if self.size.desired == 0 => "it was set to 0 by hand".into(),
            _ => format!("it is awake with {} {}", self.size.desired, self.service.things()),
        }
    }
}
