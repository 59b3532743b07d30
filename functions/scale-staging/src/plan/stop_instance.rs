//! How an instance is stopped, and whose doing it is where it runs all the same.

use reconcile::MessageKind;
use rules::keys;
use rules::schedule::Act;
use rules::sleep::{Asleep, By};

use super::instance::InstanceCase;
use super::step::{Call, Change, IfRefused, Refusal};
use super::times::{GRACE, STANDS_FOR};
use super::wants::Source;

impl InstanceCase<'_> {
    pub fn sleep(&mut self) {
        let by_schedule = self.verdict.source == Source::Schedule && !self.asked;
        if self.wants.schedule.act == Act::Wake && by_schedule && !self.has_just_been_put_to_sleep() {
            return self.draft.leave(format!("{}, and act=wake leaves the rest to people", self.state_in_words()));
        }
        match (self.wants.asleep.clone(), self.state.as_str()) {
            (None, "running") => self.begin_sleep(),
            (None, "stopping" | "stopped") => self.note_that_it_is_stopped(),
            (Some(asleep), "running") => self.sleep_again(&asleep),
            (Some(asleep), "stopping" | "stopped") => {
                self.renew_behalf(&asleep);
                self.step(Change::Remember, "stays stopped");
            }
            // It can be stopped once it runs.
            _ => self.draft.leave(format!("it is {}", self.state)),
        }
    }

    fn begin_sleep(&mut self) {
        if self.wants.schedule.hibernate && !self.instance.can_hibernate {
            let message = "hibernate=true, but hibernation was not configured when it was launched, and cannot be later: \
                           leave hibernate=true out, and it is stopped";
            return self.draft.trouble("no-hibernation", message);
        }
        if self.was_refused(Refusal::Stop) {
            return;
        }
        if let Some(why) = self.used.clone().filter(|_| !self.asked) {
            return self.draft.leave(why);
        }
        let (by, until) = self.wants.on_behalf(&self.verdict, self.at());
        let of = Some(self.instance.id.clone());
        let asleep =
            Asleep { since: self.at(), desired: None, limits: None, by, until, snapshot: None, of, started: None };
        self.draft.remember(keys::ASLEEP, asleep.to_string());
        if let Some(why) = self.used.clone() {
            // A person's command is remembered, and carried out as soon as nothing runs any more that needs it.
            return self.step(Change::Remember, format!("{why}, as a person asks"));
        }
        self.stop(vec![keys::ASLEEP]);
        let headline = if self.wants.schedule.hibernate { "hibernates" } else { "is stopped" };
        self.step(Change::Sleep, headline);
    }

    /// It was stopped before: by a person, which is remembered so that it stays stopped in the morning; or in its sleep,
    /// so that what was remembered of that has been taken away.
    fn note_that_it_is_stopped(&mut self) {
        let (by, until) = self.wants.on_behalf(&self.verdict, self.at());
        let stopped_at = self.instance.stopped_at.filter(|it| *it < self.at());
        let in_its_sleep = self.verdict.source == Source::Schedule
            && self.verdict.since.is_some_and(|it| stopped_at.is_some_and(|stopped| it <= stopped));
        let (since, of) = (stopped_at.unwrap_or(self.at()), Some(self.instance.id.clone()));
        let desired = if in_its_sleep { None } else { Some(0) };
        let asleep = Asleep { since, desired, limits: None, by, until, snapshot: None, of, started: None };
        self.draft.remember(keys::ASLEEP, asleep.to_string());
        self.wants.asleep = Some(asleep);
        let headline = match in_its_sleep {
            true => "was stopped in its sleep and its tag was lost, so that is remembered again",
            false => "had already been stopped by hand, and stays so",
        };
        self.step(Change::Remember, headline);
    }

    /// It was put to sleep, and runs: a run died before it stopped it, or a person started it.
    fn sleep_again(&mut self, asleep: &Asleep) {
        if self.was_refused(Refusal::Stop) {
            return;
        }
        let forced =
            self.asked || self.wants.has_failed() || self.wants.schedule.enforce || self.verdict.source == Source::Hold;
        let was_started = self.instance.launched_at.is_none_or(|it| it > asleep.since) || asleep.desired == Some(0);
        if was_started && !forced {
            return self.started_by_hand();
        }
        if let Some(why) = self.used.clone() {
            if self.asked {
                self.renew_behalf(&Asleep { since: self.at(), ..asleep.clone() });
                self.step(Change::Remember, format!("{why}, as a person asks"));
            }
            return self.draft.leave(why);
        }
        // As of now: what a person starts after this is told from what was started before.
        self.renew_behalf(&Asleep { since: self.at(), desired: None, ..asleep.clone() });
        self.stop(Vec::new());
        self.step(Change::Sleep, "is stopped, which an earlier run left unfinished or a person undid");
    }

    /// What a person started at night stays up until the next change.
    fn started_by_hand(&mut self) {
        let until = self.verdict.until.unwrap_or(self.at() + STANDS_FOR);
        self.draft.remember(keys::AWAKE_UNTIL_MEMORY, format!("{until:.0}"));
        self.wants.kept_awake = Some(until);
        self.verdict = self.wants.verdict(self.now, &self.world.calendar);
        self.draft.forget(&[keys::ASLEEP]);
        self.wants.asleep = None;
        let until = self.wants.local(until, self.now);
        self.step(Change::Tell(MessageKind::Routine), format!("was started by hand, so it stays up until {until}"));
    }

    fn stop(&mut self, forget: Vec<&'static str>) {
        let hibernate = self.wants.schedule.hibernate && self.instance.can_hibernate;
        self.draft.call(Call::StopInstance { id: self.instance.id.clone(), hibernate });
        self.state = "stopping".into();
        self.draft.forget(&[keys::REFUSED]);
        self.draft.if_refused(IfRefused { at: self.at(), forget, kind: Refusal::Stop });
    }

    fn has_just_been_put_to_sleep(&self) -> bool {
        let asleep = self.wants.asleep.as_ref().filter(|it| it.desired.is_none());
        asleep.is_some_and(|it| self.at().duration_since(it.since) < GRACE)
    }

    /// A person who puts to sleep what sleeps for another reason decides from then on.
    fn renew_behalf(&mut self, asleep: &Asleep) {
        let (by, until) = match self.wants.on_behalf(&self.verdict, self.at()) {
            (By::Person, until) => (By::Person, until),
            _ => (asleep.by, asleep.until),
        };
        let renewed = Asleep { by, until, started: None, ..asleep.clone() };
        self.draft.remember(keys::ASLEEP, renewed.to_string());
        self.wants.asleep = Some(renewed);
    }
}
