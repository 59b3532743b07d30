//! How a database is stopped, and whose doing it is where it runs all the same.

use reconcile::MessageKind;
use rules::database::STOPPED_AT_MOST;
use rules::keys;
use rules::schedule::Act;
use rules::sleep::{Asleep, By};

use super::database::DatabaseCase;
use super::step::{Call, Change, IfRefused, Refusal};
use super::times::{EVENTS_ARE_KEPT, GRACE, STANDS_FOR};
use super::wants::Source;
use super::world::{Events, LastEvent};

impl DatabaseCase<'_> {
    pub fn sleep(&mut self) {
        let by_schedule = self.verdict.source == Source::Schedule && !self.asked;
        if self.wants.schedule.act == Act::Wake && by_schedule && !self.has_just_been_put_to_sleep() {
            return self.draft.leave(format!("{}, and act=wake leaves the rest to people", self.state()));
        }
        match (self.wants.asleep.clone(), self.status.as_str()) {
            (None, "available") => self.begin_sleep(),
            (None, "stopped") => self.note_that_it_is_stopped(),
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
        if let Some(it) = &self.sleeper.cannot_stop {
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
        let (by, until) = self.wants.on_behalf(&self.verdict, self.at());
        let of = self.sleeper.database.resource_id.clone();
        let asleep = Asleep { since: self.at(), desired: None, limits: None, by, until, snapshot, of, started: None };
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

    /// It was stopped before: by a person, which is remembered so that it stays stopped in the morning; or in its sleep,
    /// so that what was remembered of that has been taken away.
    fn note_that_it_is_stopped(&mut self) {
        let stopped_at = self.sleeper.database.restarts_at.map(|it| it - STOPPED_AT_MOST);
        let (by, until) = self.wants.on_behalf(&self.verdict, self.at());
        let since = stopped_at.filter(|it| *it < self.at()).unwrap_or(self.at());
        let in_its_sleep = self.verdict.source == Source::Schedule
            && self.verdict.since.is_some_and(|it| stopped_at.is_some_and(|stopped| it <= stopped));
        let desired = if in_its_sleep { None } else { Some(0) };
        let of = self.sleeper.database.resource_id.clone();
        let asleep = Asleep { since, desired, limits: None, by, until, snapshot: None, of, started: None };
        self.draft.remember(keys::ASLEEP, asleep.to_string());
        self.wants.asleep = Some(asleep);
        let headline = match in_its_sleep {
            true => "was stopped in its sleep and its tag was lost, so that is remembered again",
            false => "had already been stopped by hand, and stays so",
        };
        self.step(Change::Remember, headline);
    }

    /// It was put to sleep, and runs: a run died, AWS started it after seven days, or a person did.
    fn sleep_again(&mut self, asleep: &Asleep) {
        if self.was_refused(Refusal::Stop) {
            return;
        }
        let forced =
            self.asked || self.wants.has_failed() || self.wants.schedule.enforce || self.verdict.source == Source::Hold;
        let headline = match self.world.events.get(&self.sleeper.database.arn) {
            Some(Ok(Events { last: Some(LastEvent { started_by_aws: true, .. }), .. })) => {
                "AWS started it after seven days, so it is stopped again"
            }
            _ if forced => "is stopped, which an earlier run left unfinished or a person undid",
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

    fn has_just_been_put_to_sleep(&self) -> bool {
        let asleep = self.wants.asleep.as_ref().filter(|it| it.desired.is_none());
        asleep.is_some_and(|it| self.at().duration_since(it.since) < GRACE)
    }

    /// A person who puts to sleep what sleeps for another reason decides from then on.
    fn renew_behalf(&mut self, asleep: &Asleep) -> Asleep {
        let (by, until) = self.wants.on_behalf(&self.verdict, self.at());
        let started = None;
        let renewed = match by {
            By::Person => Asleep { by, until, started, ..asleep.clone() },
            _ => Asleep { started, ..asleep.clone() },
        };
        self.draft.remember(keys::ASLEEP, renewed.to_string());
        self.wants.asleep = Some(renewed.clone());
        renewed
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

    /// Stops it. Where AWS refuses that, `forget` is what was remembered for it.
    fn stop(&mut self, asleep: &Asleep, forget: Vec<&'static str>) {
        let snapshot = asleep.snapshot.clone().filter(|_| !self.is_cluster());
        self.draft.call(Call::Stop { database: self.sleeper.name(), snapshot: snapshot.clone() });
        self.status = "stopping".into();
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
