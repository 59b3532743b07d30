//! How an instance is stopped, and whose doing it is where it runs all the same.

use rules::keys;
use rules::sleep::Asleep;

use super::machine::InstanceCase;
use super::step::{Call, Change, IfRefused, Refusal};

impl InstanceCase<'_> {
    pub fn sleep(&mut self) {
        if self.is_left_to_people() {
            return self.draft.leave(format!("{}, and act=wake leaves the rest to people", self.state_in_words()));
        }
        match (self.wants.asleep.clone(), self.state.as_str()) {
            (None, "running") => self.begin_sleep(),
            (None, "stopping" | "stopped") => self.note_that_it_is_stopped(self.of.stopped_at),
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
        if self.wants.schedule.hibernate && !self.of.can_hibernate {
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
        self.draft.remember(keys::ASLEEP, self.falls_asleep().to_string());
        if let Some(why) = self.used.clone() {
            // A person's command is remembered, and carried out as soon as nothing runs any more that needs it.
            return self.step(Change::Remember, format!("{why}, as a person asks"));
        }
        self.stop(vec![keys::ASLEEP]);
        let headline = if self.wants.schedule.hibernate { "hibernates" } else { "is stopped" };
        self.step(Change::Sleep, headline);
    }

    /// It was put to sleep, and runs: a run died before it stopped it, or a person started it.
    fn sleep_again(&mut self, asleep: &Asleep) {
        if self.was_refused(Refusal::Stop) {
            return;
        }
        let was_started = self.of.launched_at.is_none_or(|it| it > asleep.since) || asleep.desired == Some(0);
        if was_started && !self.is_forced() {
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

    fn stop(&mut self, forget: Vec<&'static str>) {
        let hibernate = self.wants.schedule.hibernate && self.of.can_hibernate;
        self.draft.call(Call::StopInstance { id: self.of.id.clone(), hibernate });
        self.state = "stopping".into();
        self.draft.forget(&[keys::REFUSED]);
        self.draft.if_refused(IfRefused { at: self.at(), forget, kind: Refusal::Stop });
    }
}
