//! How a database is started, and whether it comes up.

use rules::database::State;
use rules::keys;
use rules::schedule::Act;
use rules::sleep::{Asleep, By};

use super::database::DatabaseCase;
use super::step::{Call, Change, IfRefused, Refusal};
use super::times::SERVES_WITHIN;
use super::wants::Source;
use super::woken::NOT_UP;

impl DatabaseCase<'_> {
    pub fn wake(&mut self) {
        let by_schedule = self.verdict.source == Source::Schedule;
        let stopped = self.status == "stopped";
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
                if self.wants.schedule.act == Act::Sleep && by_schedule && asleep.by == By::Schedule {
                    let reason = format!("{}, and act=sleep leaves the waking to people", self.state());
                    return self.draft.leave(reason);
                }
                if !self.was_refused(Refusal::Start) && !self.was_started_in_vain(&asleep) {
                    self.start(Some(asleep));
                }
            }
            Some(_) if self.condition.state == State::Serving => {
                self.draft.forget(&[keys::ASLEEP, keys::REFUSED]);
                self.step(Change::Remember, format!("is {} again", self.status));
            }
            // What is on its way may fail: it is remembered until it serves.
            Some(asleep) => self.wait_until_it_serves(&asleep),
        }
    }

    fn start(&mut self, asleep: Option<Asleep>) {
        self.draft.call(Call::Start { database: self.sleeper.name() });
        self.status = "starting".into();
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

    /// Whether it was started a while ago and is stopped again all the same: that is told, and tried again now and then.
    fn was_started_in_vain(&mut self, asleep: &Asleep) -> bool {
        let Some(started) = asleep.started.filter(|_| !self.asked) else { return false };
        if self.at().duration_since(started) >= SERVES_WITHIN {
            return false;
        }
        let message =
            format!("it was started and is stopped again{}; it is tried again every half hour", self.rds_says());
        self.draft.trouble(NOT_UP, message);
        true
    }

    fn wait_until_it_serves(&mut self, asleep: &Asleep) {
        if self.status == "stopping" {
            return;
        }
        let Some(started) = asleep.started else {
            let asleep = Asleep { started: Some(self.at()), ..asleep.clone() };
            self.draft.remember(keys::ASLEEP, asleep.to_string());
            self.wants.asleep = Some(asleep);
            return self
                .step(Change::Remember, format!("is {}, and is looked at until it serves", self.condition.words));
        };
        if self.at().duration_since(started) >= SERVES_WITHIN {
            let words = &self.condition.words;
            let message =
                format!("it was started and does not serve after half an hour: it is {words}{}", self.rds_says());
            self.draft.trouble(NOT_UP, message);
        }
        self.draft.leave(format!("it is {}", self.condition.words));
    }
}
