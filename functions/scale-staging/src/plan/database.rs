//! One database: when it is stopped, when it is started, and whether it has come up.

use jiff::{Timestamp, Zoned};
use reconcile::Trouble;
use rules::database::{Condition, Database, State};
use rules::keys;
use rules::schedule::Act;
use rules::sleep::{Asleep, By};
use serde_json::{Value, json};

use super::command::Command;
use super::draft::{Decision, Draft};
use super::needs::{Need, still_used};
use super::person::apply_command;
use super::step::{Call, Change, IfRefused, Refusal, Target};
use super::times::{EVENTS_ARE_KEPT, GRACE, SERVES_WITHIN, STANDS_FOR, STOPPABLE_WITHIN, STOPPED_AT_MOST};
use super::wants::{Source, Verdict, Wants};
use super::windows::{in_its_sleep, up_for_maintenance};
use super::woken::NOT_UP;
use super::world::{Events, LastEvent, Sleeper, World};

/// A database with everything read, as it will be after the calls so far.
pub struct DatabaseCase<'a> {
    pub sleeper: &'a Sleeper,
    pub status: String,
    /// Whether it serves, the instances of a cluster included.
    condition: Condition,
    pub wants: Wants,
    verdict: Verdict,
    pub world: &'a World,
    pub now: &'a Zoned,
    pub draft: Draft,
    /// A person's command is to be carried out, whoever changed what by hand before.
    asked: bool,
    /// Why it is not stopped: a service that needs it still runs, or may.
    used: Option<String>,
}

/// What is to be done about a database whose tags are `wants`, as far as the services that need it allow.
pub fn decide(
    sleeper: &Sleeper,
    mut wants: Wants,
    command: Option<&Command>,
    needs: &[Need],
    world: &World,
    now: &Zoned,
) -> Decision {
    let Database { arn, status, tags, resource_id, .. } = &sleeper.database;
    if let Some(trouble) = not_for_us(&sleeper.database) {
        return Decision::trouble(trouble);
    }
    let mut draft = Draft::new(Target::Database { arn: arn.clone() }, tags, view(status));
    let foreign = wants.leave_out_memory_of_another(resource_id.as_deref(), sleeper.created_at);
    wants.keep_up_for_maintenance(up_for_maintenance(sleeper, now));
    let asked = apply_command(command, &mut wants, &mut draft, now, &world.holidays);
    let needing: Vec<&Need> = needs.iter().filter(|it| it.is_for(sleeper, &world.databases)).collect();
    let verdict = wanted(&wants, &needing, now, world);
    let mut case = DatabaseCase {
        sleeper,
        status: status.clone(),
        condition: world.condition(sleeper),
        wants,
        verdict,
        world,
        now,
        draft,
        asked,
        used: still_used(&needing),
    };
    if foreign {
        case.draft.forget(&[keys::ASLEEP, keys::REFUSED]);
        case.step(
            Change::Remember,
            "forgets what its tags say of another database, which it was restored from or replaces",
        );
    }
    case.settle_snapshot();
    let is_broken = match case.verdict.awake {
        true => case.condition.state == State::Broken,
        // What its instances do matters to those who need it, not to a stop.
        false => sleeper.database.state() == State::Broken,
    };
    match (is_broken, case.verdict.awake) {
        (true, _) => case.tell_that_it_is_broken(),
        (false, true) => case.wake(),
        (false, false) => case.sleep(),
    }
    case.note_windows();
    let over = case.wants.over(case.at());
    case.draft.forget(&over);
    case.step(Change::Remember, "what is over is forgotten");
    let state = case.draft.idle().map_or_else(|| case.state(), str::to_owned);
    let idle = format!("{state}; {}; {}", case.verdict.why, case.next());
    let decision = case.draft.finish(idle);
    // A problem says more than its state does.
    let idle = decision.idle.filter(|_| decision.troubles.is_empty());
    Decision { idle, ..decision }
}

/// Whether only RDS's events tell what became of it: it runs though it was put to sleep, or does not come up.
pub fn needs_events(sleeper: &Sleeper, wants: &Wants, now: &Zoned, world: &World) -> bool {
    let verdict = wants.verdict(now, &world.holidays);
    let Some(asleep) = &wants.asleep else { return false };
    let forced = verdict.source == Source::Hold || wants.schedule.enforce || wants.has_failed();
    let status = sleeper.database.status.as_str();
    if !verdict.awake {
        return status == "available" && !forced;
    }
    let late = asleep.started.is_some_and(|it| now.timestamp().duration_since(it) >= SERVES_WITHIN);
    match world.condition(sleeper).state {
        State::Serving => false,
        State::Broken => true,
        State::Passing => late,
        State::Stopped => status == "stopped" && asleep.started.is_some(),
    }
}

/// What counts for a database: as for all, but a service that needs it outranks its schedule.
fn wanted(wants: &Wants, needing: &[&Need], now: &Zoned, world: &World) -> Verdict {
    let verdict = wants.verdict(now, &world.holidays);
    match needing.iter().find(|it| it.awake) {
        Some(need) if !verdict.awake && verdict.source == Source::Schedule => Verdict {
            awake: true,
            source: Source::Needed,
            why: format!("{} needs it", need.service),
            since: None,
            until: None,
        },
        _ => verdict,
    }
}

fn not_for_us(database: &Database) -> Option<Trouble> {
    if let Some(cluster) = &database.member_of {
        let message = format!(
            "it is a member of the DB cluster {cluster}, which is stopped as a whole: move the tag {} to the cluster",
            keys::SCHEDULE
        );
        return Some(Trouble::new("member-instance", message));
    }
    let other = ["neptune", "docdb"].contains(&database.engine.as_str());
    let message = || format!("{} databases are not put to sleep: remove the tag {}", database.engine, keys::SCHEDULE);
    other.then(|| Trouble::new("other-engine", message()))
}

impl DatabaseCase<'_> {
    // -------------------------------------------------------------------------------- asleep

    fn sleep(&mut self) {
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
            return self.draft.leave(why);
        }
        if !self.has_its_snapshot(asleep) {
            return;
        }
        let asleep = self.renew_behalf(asleep);
        self.stop(&asleep, Vec::new());
        self.step(Change::Sleep, headline);
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
        self.verdict = self.wants.verdict(self.now, &self.world.holidays);
        self.draft.forget(&[keys::ASLEEP]);
        self.wants.asleep = None;
        let until = self.wants.local(until, self.now);
        self.step(Change::Remember, format!("was started by hand, so it stays up until {until}"));
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

    // -------------------------------------------------------------------------------- awake

    fn wake(&mut self) {
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

    // -------------------------------------------------------------------------------- what is told

    /// In a state that does not pass it is neither stopped nor started, and what is remembered of it stays.
    fn tell_that_it_is_broken(&mut self) {
        let message =
            format!("it is {}: RDS does not bring it out of that by itself{}", self.condition.words, self.rds_says());
        self.draft.trouble("database-broken", message);
    }

    fn tell_that_its_state_forbids_it(&mut self) {
        let late = |it: Timestamp| self.at().duration_since(it) >= STOPPABLE_WITHIN;
        if self.verdict.since.is_some_and(late) {
            let message = format!(
                "it is {}, in which RDS does not stop a database, since more than an hour after it was to sleep; it is \
                 stopped once it is available",
                self.status
            );
            self.draft.trouble("not-stoppable", message);
        }
    }

    /// Whether AWS refused this within the last hour, which is told as it was then.
    fn was_refused(&mut self, kind: Refusal) -> bool {
        let said = self.wants.refused(self.at()).filter(|_| !self.asked).map(str::to_owned);
        if let Some(said) = &said {
            self.draft.add_trouble(kind.trouble(said));
        }
        said.is_some()
    }

    fn rds_says(&self) -> String {
        match self.world.events.get(&self.sleeper.database.arn) {
            Some(Ok(Events { newest: Some(text), .. })) => format!("; RDS says: {}", text.trim_end_matches('.')),
            Some(Err(error)) => format!("; its events cannot be read: {error}"),
            _ => String::new(),
        }
    }

    fn note_windows(&mut self) {
        match in_its_sleep(self.sleeper, &self.wants, self.now, &self.world.holidays) {
            Some(windows) => {
                self.draft.remember(keys::WINDOWS, windows.clone());
                let headline = format!(
                    "sleeps through its {windows}: RDS takes a missed automated backup once it is up, and maintenance \
                     waits until it is up in its window, for which maintenance=awake keeps it up"
                );
                self.step(Change::Remember, headline);
            }
            None => self.draft.forget(&[keys::WINDOWS]),
        }
    }

    // -------------------------------------------------------------------------------- the rest

    pub fn step(&mut self, change: Change, headline: impl Into<String>) {
        let reason = format!("{}; {}", self.verdict.why, self.next());
        self.draft.step(change, headline.into(), view(&self.status), reason);
    }

    pub fn at(&self) -> Timestamp {
        self.now.timestamp()
    }

    fn state(&self) -> String {
        match &self.wants.asleep {
            Some(asleep) if self.status == "stopped" => {
                format!("it is stopped since {}", self.wants.local(asleep.since, self.now))
            }
            None if self.status == "stopped" => "it was stopped by hand".into(),
            _ => format!("it is {}", self.status),
        }
    }

    fn next(&self) -> String {
        match self.verdict.source {
            Source::Needed => "sleeps when that does".into(),
            _ => self.wants.next(&self.verdict, self.now),
        }
    }
}

fn view(status: &str) -> Value {
    json!({"status": status})
}
