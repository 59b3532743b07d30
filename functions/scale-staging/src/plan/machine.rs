//! What is stopped and started as a whole, a database or an EC2 instance, and what holds for both.

use jiff::{Timestamp, Zoned};
use reconcile::MessageKind;
use rules::keys;
use rules::schedule::Act;
use rules::sleep::{Asleep, By};
use serde_json::Value;

use super::draft::Draft;
use super::needs::Need;
use super::notice;
use super::step::{Call, Change, Refusal};
use super::times::{GRACE, STANDS_FOR};
use super::wants::{Source, Verdict, Wants};
use super::world::{Instance, Sleeper, World};

pub type DatabaseCase<'a> = Machine<'a, Sleeper>;
pub type InstanceCase<'a> = Machine<'a, Instance>;

/// How a kind of machine differs from the other.
pub trait Stoppable {
    /// What it does once it is up, as people say it after "does not".
    const SERVE: &'static str;

    /// What tells it from another one that had its name, or from which it was restored.
    fn own_id(&self) -> Option<String>;

    /// Its state, as the call that describes it shows it.
    fn view(state: &str) -> Value;

    fn serves(&self, world: &World) -> bool;

    /// Its state in words, as AWS last showed it.
    fn words(&self, world: &World) -> String;

    /// What AWS says of that, to end a sentence with; empty if it says nothing.
    fn says(&self, world: &World) -> String;

    /// The call that starts it, and its state after that.
    fn start(&self) -> (Call, &'static str);

    /// The databases that have to serve before it is started.
    fn waits_for(wants: &Wants) -> &[String];
}

/// A machine with everything read.
pub struct Machine<'a, M> {
    pub of: &'a M,
    /// As it will be after the calls so far.
    pub state: String,
    pub wants: Wants,
    pub verdict: Verdict,
    pub world: &'a World,
    pub now: &'a Zoned,
    pub draft: Draft,
    /// A person's command has to be carried out, whoever changed what by hand before.
    pub asked: bool,
    /// Why it is not stopped: a service that needs it still runs, or may.
    pub used: Option<String>,
}

impl<M: Stoppable> Machine<'_, M> {
    pub fn at(&self) -> Timestamp {
        self.now.timestamp()
    }

    /// The calls so far become a step, if there are any.
    pub fn step(&mut self, change: Change, headline: impl Into<String>) {
        let reason = format!("{}; {}", self.verdict.why, self.next());
        self.draft.step(change, headline.into(), M::view(&self.state), reason);
    }

    pub fn forget_what_is_over(&mut self) {
        let over = self.wants.over(self.at());
        self.draft.forget(&over);
        self.step(Change::Remember, "what is over is forgotten");
    }

    /// Why nothing is done, where nothing is.
    pub fn idle(&self) -> Option<String> {
        let state = self.draft.idle().map_or_else(|| self.state_in_words(), str::to_owned);
        self.draft.is_idle().then(|| format!("{state}; {}; {}", self.verdict.why, self.next()))
    }

    pub fn state_in_words(&self) -> String {
        match &self.wants.asleep {
            Some(asleep) if self.state == "stopped" => {
                format!("it is stopped since {}", self.wants.local(asleep.since, self.now))
            }
            None if self.state == "stopped" => "it was stopped by hand".into(),
            _ => format!("it is {}", self.state),
        }
    }

    fn next(&self) -> String {
        match self.verdict.source {
            Source::Needed => "sleeps when that does".into(),
            _ => self.wants.next(&self.verdict, self.now),
        }
    }

    /// Whether AWS refused this within the last hour, which is told as it was then.
    pub fn was_refused(&mut self, kind: Refusal) -> bool {
        let said = self.wants.refused(self.at()).filter(|_| !self.asked).map(str::to_owned);
        if let Some(said) = &said {
            self.draft.add_trouble(kind.trouble(said));
        }
        said.is_some()
    }

    /// What needs it is told itself.
    pub fn tell_that_it_sleeps_soon(&mut self, needing: &[&Need]) {
        if !self.of.serves(self.world) || needing.iter().any(|it| it.awake) {
            return;
        }
        if let Some(notice) = notice::due(&self.wants, &self.verdict, self.world.notice, self.now, &self.world.calendar)
        {
            let follows = M::waits_for(&self.wants);
            notice.draft(&self.wants, follows, M::view(&self.state), self.now, &mut self.draft);
        }
    }

    // -------------------------------------------------------------------------------- falling asleep

    /// Whether `act=wake` leaves it to people to put it to sleep. A run that died is finished all the same.
    pub fn is_left_to_people(&self) -> bool {
        let by_schedule = self.verdict.source == Source::Schedule && !self.asked;
        let asleep = self.wants.asleep.as_ref().filter(|it| it.desired.is_none());
        let just_put_to_sleep = asleep.is_some_and(|it| self.at().duration_since(it.since) < GRACE);
        self.wants.schedule.act == Act::Wake && by_schedule && !just_put_to_sleep
    }

    /// Whether it is stopped again, whoever started it.
    pub fn is_forced(&self) -> bool {
        let says_so = self.wants.has_failed() || self.wants.schedule.enforce;
        self.asked || says_so || self.verdict.source == Source::Hold
    }

    /// What is remembered of it when it is put to sleep.
    pub fn falls_asleep(&self) -> Asleep {
        let (by, until) = self.wants.on_behalf(&self.verdict, self.at());
        let (since, of) = (self.at(), self.of.own_id());
        Asleep { since, desired: None, limits: None, by, until, snapshot: None, of, started: None }
    }

    /// It was stopped before: by a person, which is remembered so that it stays stopped in the morning; or in its sleep,
    /// so that what was remembered of that has been taken away.
    pub fn note_that_it_is_stopped(&mut self, stopped_at: Option<Timestamp>) {
        let stopped_at = stopped_at.filter(|it| *it <= self.at());
        let in_its_sleep = self.verdict.source == Source::Schedule
            && self.verdict.since.is_some_and(|it| stopped_at.is_some_and(|stopped| it <= stopped));
        let (since, desired) = (stopped_at.unwrap_or(self.at()), if in_its_sleep { None } else { Some(0) });
        let asleep = Asleep { since, desired, ..self.falls_asleep() };
        self.draft.remember(keys::ASLEEP, asleep.to_string());
        self.wants.asleep = Some(asleep);
        let headline = match in_its_sleep {
            true => "was stopped in its sleep and its tag was lost, so that is remembered again",
            false => "had already been stopped by hand, and stays so",
        };
        self.step(Change::Remember, headline);
    }

    /// A person who puts to sleep what sleeps for another reason decides from then on.
    pub fn renew_behalf(&mut self, asleep: &Asleep) -> Asleep {
        let (by, until) = match self.wants.on_behalf(&self.verdict, self.at()) {
            (By::Person, until) => (By::Person, until),
            _ => (asleep.by, asleep.until),
        };
        let renewed = Asleep { by, until, started: None, ..asleep.clone() };
        self.draft.remember(keys::ASLEEP, renewed.to_string());
        self.wants.asleep = Some(renewed.clone());
        renewed
    }

    /// What a person started at night stays up until the next change.
    pub fn started_by_hand(&mut self) {
        let until = self.verdict.until.unwrap_or(self.at() + STANDS_FOR);
        self.draft.remember(keys::AWAKE_UNTIL_MEMORY, format!("{until:.0}"));
        self.wants.kept_awake = Some(until);
        self.verdict = self.wants.verdict(self.now, &self.world.calendar);
        self.draft.forget(&[keys::ASLEEP]);
        self.wants.asleep = None;
        let until = self.wants.local(until, self.now);
        self.step(Change::Tell(MessageKind::Routine), format!("was started by hand, so it stays up until {until}"));
    }
}
