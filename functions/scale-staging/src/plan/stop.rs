//! How a database is stopped, and whose doing it is where it runs all the same.

use rules::database::STOPPED_AT_MOST;
use rules::keys;
use rules::sleep::Asleep;

use super::machine::DatabaseCase;
use super::step::{Call, Change, IfRefused, Refusal};
use super::times::EVENTS_ARE_KEPT;
use super::world::{Events, LastEvent};

impl DatabaseCase<'_> {
    pub fn sleep(&mut self) {
        if self.is_left_to_people() {
            return self.draft.leave(format!("{}, and act=wake leaves the rest to people", self.state_in_words()));
        }
        match (self.wants.asleep.clone(), self.state.as_str()) {
            (None, "available") => self.begin_sleep(),
            (None, "stopped") => {
                self.note_that_it_is_stopped(self.of.database.restarts_at.map(|it| it - STOPPED_AT_MOST))
            }
            (Some(asleep), "available") => self.sleep_again(&asleep),
            (asleep, status) => {
                let passes = ["stopped", "stopping", "starting"].contains(&status);
                if let Some(asleep) = asleep {
                    self.renew_behalf(&asleep);
                    self.step(Change::Remember, "stays stopped");
                }
                if !passes {
                    self.tell_that_its_state_forbids_it();
                }
            }
        }
    }

    fn begin_sleep(&mut self) {
        if let Some(it) = &self.of.cannot_stop {
            let message = match it.passes {
                true => format!("AWS does not stop it now, since {}; it is stopped once that is over", it.reason),
                false => format!("AWS does not stop it, since {}: remove the tag {}", it.reason, keys::SCHEDULE),
            };
            return self.draft.trouble("not-stoppable", message);
        }
        if self.was_refused(Refusal::Stop) {
            return;
        }
        if let Some(why) = self.used.clone().filter(|_| !self.asked) {
            return self.draft.leave(why);
        }
        let snapshot = match self.backup() {
            Ok(rule) => rule.map(|_| self.snapshot_id()),
            Err(bad) => {
                let message = format!("{bad}; it is not stopped, since it could not be backed up with the stop");
                return self.draft.trouble("bad-tag", message);
            }
        };
        let asleep = Asleep { snapshot, ..self.falls_asleep() };
        self.draft.remember(keys::ASLEEP, asleep.to_string());
        if let Some(why) = self.used.clone() {
            // A person's command is remembered, and carried out as soon as nothing runs any more that needs it.
            self.wants.asleep = Some(asleep);
            return self.step(Change::Remember, format!("{why}, as a person asks"));
        }
        if let Some(id) = asleep.snapshot.as_ref().filter(|_| self.is_cluster()) {
            let headline = format!("is stopped once its snapshot {id} is available");
            self.ask_for_snapshot(&asleep);
            self.wants.asleep = Some(asleep);
            return self.step(Change::Remember, headline);
        }
        let headline = match &asleep.snapshot {
            Some(id) => format!("is stopped, with the snapshot {id}"),
            None => "is stopped".into(),
        };
        self.stop(&asleep, vec![keys::ASLEEP]);
        self.step(Change::Sleep, headline);
    }

    /// It was put to sleep, and runs: a run died, AWS started it after seven days, or a person did.
    fn sleep_again(&mut self, asleep: &Asleep) {
        if self.was_refused(Refusal::Stop) {
            return;
        }
        let headline = match self.world.events.get(&self.of.database.arn) {
            Some(Ok(Events { last: Some(LastEvent { started_by_aws: true, .. }), .. })) => {
                "AWS started it after seven days, so it is stopped again"
            }
            _ if self.is_forced() => "is stopped, which an earlier run left unfinished or a person undid",
            Some(Ok(it)) if self.was_never_stopped(asleep, it.last.as_ref()) => {
                "is stopped, which no earlier run has done"
            }
            Some(Ok(_)) => return self.started_by_hand(),
            Some(Err(error)) => {
                let message = format!("it runs though it was put to sleep, and who started it cannot be told: {error}");
                return self.draft.trouble("unreadable-events", message);
            }
            None => {
                return self.draft.leave("it runs though it was put to sleep; the next run finds out who started it");
            }
        };
        if let Some(why) = self.used.clone() {
            // As of now: what was started before the command is not taken for a start after it. A snapshot that is
            // pending is known by the moment that it was asked for.
            let since = if asleep.snapshot.is_none() { self.at() } else { asleep.since };
            self.remember_that_a_person_asks(&Asleep { since, ..asleep.clone() }, &why);
            return self.draft.leave(why);
        }
        if !self.has_its_snapshot(asleep) {
            return self.remember_that_a_person_asks(asleep, "waits for its snapshot");
        }
        let asleep = self.renew_behalf(asleep);
        self.stop(&asleep, Vec::new());
        self.step(Change::Sleep, headline);
    }

    /// A person's command that cannot be carried out yet is remembered, and carried out as soon as nothing is in its way.
    fn remember_that_a_person_asks(&mut self, asleep: &Asleep, waits: &str) {
        if self.asked {
            self.renew_behalf(asleep);
            self.step(Change::Remember, format!("{waits}, as a person asks"));
        }
    }

    /// Whether it has run all the time, by what RDS did last: nothing since it was put to sleep.
    fn was_never_stopped(&self, asleep: &Asleep, last: Option<&LastEvent>) -> bool {
        let known = self.at().duration_since(asleep.since) < EVENTS_ARE_KEPT;
        asleep.desired.is_none() && known && last.is_none_or(|it| it.at < asleep.since)
    }

    /// Stops it. Where AWS refuses that, `forget` is what was remembered for it.
    fn stop(&mut self, asleep: &Asleep, forget: Vec<&'static str>) {
        let snapshot = asleep.snapshot.clone().filter(|_| !self.is_cluster());
        self.draft.call(Call::Stop { database: self.of.name(), snapshot: snapshot.clone() });
        self.state = "stopping".into();
        self.draft.forget(&[keys::REFUSED]);
        self.draft.if_refused(IfRefused { at: self.at(), forget, kind: Refusal::Stop });
        match snapshot {
            // The snapshot is tagged as soon as it is there, and then need not be remembered.
            Some(id) => self.tag_snapshot(&id, asleep),
            // That of a cluster has its tags already.
            None => self.forget_snapshot(asleep),
        }
    }
}
