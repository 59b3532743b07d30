//! How a database or an instance is started, and whether it comes up.

use rules::database::State;
use rules::keys;
use rules::schedule::Act;
use rules::sleep::{Asleep, By};

use super::machine::{Machine, Stoppable};
use super::step::{Change, IfRefused, Refusal};
use super::times::SERVES_WITHIN;
use super::wants::Source;
use super::woken::NOT_UP;

impl<M: Stoppable> Machine<'_, M> {
    pub fn wake(&mut self) {
        let stopped = self.state == "stopped";
        let again = self.wants.wakes_what_people_stopped(&self.verdict, self.at());
        match self.wants.asleep.clone() {
            None => {
                if stopped && (self.asked || again) {
                    self.start(None);
                }
                self.step(Change::Remember, "is awake");
            }
            Some(asleep) if asleep.desired == Some(0) && stopped && !self.asked => {
                self.draft.forget(&[keys::ASLEEP]);
                self.step(Change::Remember, "had already been stopped by hand before the night; left stopped");
                if again {
                    self.start(None);
                }
            }
            Some(asleep) if stopped => {
                let by_schedule = self.verdict.source == Source::Schedule && asleep.by == By::Schedule;
                if self.wants.schedule.act == Act::Sleep && by_schedule {
                    let reason = format!("{}, and act=sleep leaves the waking to people", self.state_in_words());
                    return self.draft.leave(reason);
                }
                if !self.was_refused(Refusal::Start) && !self.was_started_in_vain(&asleep) {
                    self.start(Some(asleep));
                }
            }
            Some(_) if self.of.serves(self.world) => {
                self.draft.forget(&[keys::ASLEEP, keys::REFUSED]);
                self.step(Change::Remember, format!("is {} again", self.state));
            }
            // What is on its way may fail: it is remembered until it serves.
            Some(asleep) => self.wait_until_it_serves(&asleep),
        }
    }

    fn start(&mut self, asleep: Option<Asleep>) {
        if let Some(why) = self.waits() {
            return self.draft.leave(why);
        }
        let (call, state) = self.of.start();
        self.draft.call(call);
        self.state = state.into();
        self.draft.if_refused(IfRefused { at: self.at(), forget: Vec::new(), kind: Refusal::Start });
        // Remembered after the call: a run that dies in between is made up for as soon as it is seen starting.
        if let Some(asleep) = asleep {
            if asleep.started.is_some() {
                self.draft.again();
            }
            self.draft.remember(keys::ASLEEP, Asleep { started: Some(self.at()), ..asleep }.to_string());
        }
        self.draft.forget(&[keys::REFUSED]);
        self.step(Change::Wake, "is started");
    }

    /// Why it is not started now: a database that it names does not serve.
    fn waits(&mut self) -> Option<String> {
        let waits = |name: &String| {
            let meant = self.world.databases_named(name);
            if meant.is_empty() {
                return Some(format!("it waits for the database {name}, which does not exist"));
            }
            let conditions = meant.into_iter().map(|it| self.world.condition(it));
            let found = conditions.filter(|it| it.state != State::Serving).map(|it| it.words).next()?;
            Some(format!("it waits for the database {name}, which is {found}"))
        };
        let why = M::waits_for(&self.wants).iter().find_map(waits)?;
        if self.verdict.since.is_some_and(|it| self.at().duration_since(it) >= SERVES_WITHIN) {
            self.draft.trouble("database-not-up", format!("it is not started: {why}"));
        }
        Some(why)
    }

    /// Whether it was started a while ago and is stopped again all the same: that is told, and tried again now and then.
    fn was_started_in_vain(&mut self, asleep: &Asleep) -> bool {
        let Some(started) = asleep.started.filter(|_| !self.asked) else { return false };
        if self.at().duration_since(started) >= SERVES_WITHIN {
            return false;
        }
        let says = self.of.says(self.world);
        let message = format!("it was started and is stopped again{says}; it is tried again every half hour");
        self.draft.trouble(NOT_UP, message);
        true
    }

    fn wait_until_it_serves(&mut self, asleep: &Asleep) {
        if self.state == "stopping" {
            return;
        }
        let words = self.of.words(self.world);
        let Some(started) = asleep.started else {
            let asleep = Asleep { started: Some(self.at()), ..asleep.clone() };
            self.draft.remember(keys::ASLEEP, asleep.to_string());
            self.wants.asleep = Some(asleep);
            return self.step(Change::Remember, format!("is {words}, and is looked at until it {}s", M::SERVE));
        };
        if self.at().duration_since(started) >= SERVES_WITHIN {
            let says = self.of.says(self.world);
            let message = format!("it was started and does not {} after half an hour: it is {words}{says}", M::SERVE);
            self.draft.trouble(NOT_UP, message);
        }
        self.draft.leave(format!("it is {words}"));
    }
}
