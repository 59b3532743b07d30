//! One database: stopped, with a snapshot where it is backed up, and started.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::Plan;
use rules::database::{Database, Kind, PREFIX};
use rules::keys;
use rules::retention::BackupRule;
use rules::schedule::Act;
use rules::sleep::{Asleep, By};
use serde_json::{Value, json};

use super::ask::{Ask, heed};
use super::draft::Draft;
use super::service::Fate;
use super::step::{Call, Step, What};
use super::wants::{Source, Verdict, Wants};
use super::world::{LastEvent, Sleeper, World};
use super::{GRACE, STANDS_FOR};

/// AWS starts a stopped database after this time.
const STOPPED_AT_MOST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// RDS tells of no older events.
pub const EVENTS_ARE_KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

/// RDS takes no more tags.
const MOST_TAGS: usize = 50;

/// A database with everything read, as it will be after the calls so far.
struct Case<'a> {
    sleeper: &'a Sleeper,
    status: String,
    wants: Wants,
    verdict: Verdict,
    world: &'a World,
    now: &'a Zoned,
    draft: Draft,
    asked: bool,
    /// Why it is not stopped: a service that needs it still runs, or may.
    used: Option<String>,
}

/// Plans what is to be done about a database whose tags are `wants`, as far as the services that need it allow.
pub fn decide(
    sleeper: &Sleeper,
    mut wants: Wants,
    ask: Option<&Ask>,
    fates: &[(String, Fate)],
    world: &World,
    now: &Zoned,
    plan: &mut Plan<Step>,
) {
    let Database { arn, id, status, tags, .. } = &sleeper.database;
    if let Some((kind, message)) = not_for_us(&sleeper.database) {
        return plan.problem(arn, kind, message);
    }
    // What cannot be done as asked is told, and the rest goes on as if nobody had asked.
    let (calls, asked) = match ask.map(|it| heed(it, &mut wants, now, &world.holidays)) {
        None => (Vec::new(), false),
        Some(Ok(calls)) => (calls, true),
        Some(Err((kind, message))) => {
            plan.problem(arn, kind, message);
            (Vec::new(), false)
        }
    };
    let mut draft = Draft::new(arn, tags, view(status));
    draft.take_over(calls);
    let needing = fates.iter().filter(|(_, it)| it.after.as_ref() == Some(id));
    let needed = needing.clone().find(|(_, it)| it.awake).map(|(name, _)| name);
    let using = needing.clone().find(|(_, it)| !it.awake && !it.down);
    let used = using.map(|(name, it)| match it.unreadable {
        true => format!("it is not stopped, since {name}, which may need it, cannot be read"),
        false => format!("it is stopped once the tasks of {name} have ended"),
    });
    let verdict = wanted(&wants, needed, now, world);
    let status = status.clone();
    let mut case = Case { sleeper, status, wants, verdict, world, now, draft, asked, used };
    let planned = plan.steps.len() + plan.problems.len();
    case.settle_snapshot(plan);
    let left_alone = if case.verdict.awake { case.wake(plan) } else { case.fall_asleep(plan) };
    let over = case.wants.over(case.at());
    case.draft.forget(&over);
    case.step(What::Remember, "what is over is forgotten".into(), plan);
    if plan.steps.len() + plan.problems.len() == planned {
        let state = left_alone.unwrap_or_else(|| case.state());
        plan.skip(arn, format!("{state}; {}; {}", case.verdict.why, case.next()));
    }
}

/// Whether only RDS's events can tell who started it: it runs though it was put to sleep, and that not just now.
pub fn wants_to_know_who_started_it(sleeper: &Sleeper, wants: &Wants, now: &Zoned, world: &World) -> bool {
    let fresh = |it: &Asleep| it.desired.is_none() && now.timestamp().duration_since(it.since) < GRACE;
    let verdict = wants.verdict(now, &world.holidays);
    let pressed = verdict.source == Source::Hold || wants.schedule.enforce || wants.failed;
    let asleep = wants.asleep.as_ref().is_some_and(|it| !fresh(it));
    sleeper.database.status == "available" && asleep && !verdict.awake && !pressed
}

/// What counts for a database: as for all, but a service that needs it outranks its schedule.
fn wanted(wants: &Wants, needed: Option<&String>, now: &Zoned, world: &World) -> Verdict {
    let verdict = wants.verdict(now, &world.holidays);
    match needed {
        Some(service) if !verdict.awake && verdict.source == Source::Schedule => Verdict {
            awake: true,
            source: Source::Needed,
            why: format!("{service} needs it"),
            since: None,
            until: None,
        },
        _ => verdict,
    }
}

fn not_for_us(database: &Database) -> Option<(&'static str, String)> {
    if let Some(cluster) = &database.member_of {
        let message = format!(
            "it is a member of the DB cluster {cluster}, which is stopped as a whole: move the tag {} to the cluster",
            keys::SCHEDULE
        );
        return Some(("member-instance", message));
    }
    let other = ["neptune", "docdb"].contains(&database.engine.as_str());
    let message = || format!("{} databases are not put to sleep: remove the tag {}", database.engine, keys::SCHEDULE);
    other.then(|| ("other-engine", message()))
}

impl Case<'_> {
    // -------------------------------------------------------------------------------- asleep

    fn fall_asleep(&mut self, plan: &mut Plan<Step>) -> Option<String> {
        let by_schedule = self.verdict.source == Source::Schedule && !self.asked;
        if self.wants.schedule.act == Act::Wake && by_schedule && !self.has_just_been_put_to_sleep() {
            return Some(format!("{}, and act=wake leaves the rest to people", self.state()));
        }
        match (self.wants.asleep.clone(), self.status.as_str()) {
            (None, "available") => self.begin_sleep(plan),
            (None, "stopped") => {
                self.note_that_it_is_stopped(plan);
                None
            }
            (Some(asleep), "available") => self.sleep_again(&asleep, plan),
            (Some(asleep), _) => {
                self.renew_behalf(&asleep);
                self.step(What::Remember, "stays stopped, as somebody asks".into(), plan);
                None
            }
            (None, _) => None,
        }
    }

    fn begin_sleep(&mut self, plan: &mut Plan<Step>) -> Option<String> {
        let Database { arn, .. } = &self.sleeper.database;
        if let Some(reason) = self.sleeper.cannot_stop {
            let message = format!("AWS does not stop it, since {reason}: remove the tag {}", keys::SCHEDULE);
            plan.problem(arn, "not-stoppable", message);
            return None;
        }
        if let Some(why) = self.still_used() {
            return Some(why);
        }
        let snapshot = match self.backup() {
            Ok(rule) => rule.map(|_| self.snapshot_id()),
            Err(bad) => {
                plan.problem(
                    arn,
                    "bad-tag",
                    format!("{bad}; it is not stopped, since it could not be backed up with the stop"),
                );
                return None;
            }
        };
        let (by, until) = self.wants.on_behalf(&self.verdict, self.at());
        let asleep = Asleep { since: self.at(), desired: None, limits: None, by, until, snapshot };
        self.draft.remember(keys::ASLEEP, asleep.to_string());
        let headline = match &asleep.snapshot {
            Some(id) => format!("is stopped, with the snapshot {id}"),
            None => "is stopped".into(),
        };
        self.stop(&asleep, asleep.snapshot.clone());
        self.step(What::Sleep, headline, plan);
        None
    }

    /// A person had stopped it before: that is remembered, so that it stays stopped in the morning.
    fn note_that_it_is_stopped(&mut self, plan: &mut Plan<Step>) {
        let stopped_at = self.sleeper.database.restarts_at.map(|it| it - STOPPED_AT_MOST);
        let (by, until) = self.wants.on_behalf(&self.verdict, self.at());
        let since = stopped_at.filter(|it| *it < self.at()).unwrap_or(self.at());
        let asleep = Asleep { since, desired: Some(0), limits: None, by, until, snapshot: None };
        self.draft.remember(keys::ASLEEP, asleep.to_string());
        self.step(What::Remember, "somebody has stopped it already, and it stays so".into(), plan);
    }

    /// It was put to sleep, and runs: a run died, AWS started it after seven days, or a person did.
    fn sleep_again(&mut self, asleep: &Asleep, plan: &mut Plan<Step>) -> Option<String> {
        let fresh = self.has_just_been_put_to_sleep();
        let pressed =
            self.asked || self.wants.failed || self.wants.schedule.enforce || self.verdict.source == Source::Hold;
        let last_event = self.world.last_events.get(&self.sleeper.database.arn);
        let headline = match last_event {
            Some(Ok(Some(LastEvent { started_by_aws: true, .. }))) => {
                "AWS started it after seven days, so it is stopped again"
            }
            _ if fresh || pressed => "is stopped, which an earlier run left unfinished or somebody undid",
            Some(Ok(it)) if self.was_never_stopped(asleep, it.as_ref()) => "is stopped, which no earlier run has done",
            Some(Ok(_)) => {
                self.started_by_hand(plan);
                return None;
            }
            Some(Err(error)) => {
                let message = format!("it runs though it was put to sleep, and who started it cannot be told: {error}");
                plan.problem(&self.sleeper.database.arn, "unreadable-events", message);
                return None;
            }
            None => return Some("it runs though it was put to sleep; the next run finds out who started it".into()),
        };
        if let Some(why) = self.still_used() {
            return Some(why);
        }
        let asleep = self.renew_behalf(asleep);
        self.stop(&asleep, asleep.snapshot.clone());
        self.step(What::Sleep, headline.into(), plan);
        None
    }

    /// Whether it has run all the time, by what RDS did last: nothing since it was put to sleep.
    fn was_never_stopped(&self, asleep: &Asleep, last_event: Option<&LastEvent>) -> bool {
        let known = self.at().duration_since(asleep.since) < EVENTS_ARE_KEPT;
        asleep.desired.is_none() && known && last_event.is_none_or(|it| it.at < asleep.since)
    }

    fn has_just_been_put_to_sleep(&self) -> bool {
        let asleep = self.wants.asleep.as_ref().filter(|it| it.desired.is_none());
        asleep.is_some_and(|it| self.at().duration_since(it.since) < GRACE)
    }

    /// A person who puts to sleep what sleeps for another reason has the say from then on.
    fn renew_behalf(&mut self, asleep: &Asleep) -> Asleep {
        let (by, until) = self.wants.on_behalf(&self.verdict, self.at());
        if by != By::Person {
            return asleep.clone();
        }
        let renewed = Asleep { by, until, ..asleep.clone() };
        self.draft.remember(keys::ASLEEP, renewed.to_string());
        self.wants.asleep = Some(renewed.clone());
        renewed
    }

    /// What a person started at night stays up until the next change.
    fn started_by_hand(&mut self, plan: &mut Plan<Step>) {
        let until = self.verdict.until.unwrap_or(self.at() + STANDS_FOR);
        self.draft.remember(keys::AWAKE_UNTIL_MEMORY, format!("{until:.0}"));
        self.wants.kept_awake = Some(until);
        self.verdict = self.wants.verdict(self.now, &self.world.holidays);
        self.draft.forget(&[keys::ASLEEP]);
        self.wants.asleep = None;
        let headline = format!("somebody started it, so it stays up until {}", self.wants.local(until, self.now));
        self.step(What::Remember, headline, plan);
    }

    /// Stops it. The snapshot is tagged as soon as it is there, and then need not be remembered.
    fn stop(&mut self, asleep: &Asleep, snapshot: Option<String>) {
        self.draft.call(Call::Stop(snapshot.clone()));
        self.status = "stopping".into();
        if let Some(id) = snapshot {
            self.tag_snapshot(&id, asleep);
        }
    }

    fn tag_snapshot(&mut self, id: &str, asleep: &Asleep) {
        let Database { arn, id: name, tags, .. } = &self.sleeper.database;
        let rule = self.backup().ok().flatten();
        let mut state = vec![(keys::MADE_BY, "scale-staging".to_owned()), (keys::DATABASE, name.clone())];
        state.extend(rule.map(|it| (keys::RETAINED_BY, it.retention.to_string())));
        let snapshot = arn.replacen(&format!(":db:{name}"), &format!(":snapshot:{id}"), 1);
        self.draft.call(Call::TagSnapshot { arn: snapshot, tags: snapshot_tags(tags, state) });
        self.forget_snapshot(asleep);
    }

    fn forget_snapshot(&mut self, asleep: &Asleep) {
        let asleep = Asleep { snapshot: None, ..asleep.clone() };
        self.draft.remember(keys::ASLEEP, asleep.to_string());
        self.wants.asleep = Some(asleep);
    }

    /// Tags the snapshot that was taken with the stop; one that was never taken is forgotten once nothing can take it.
    fn settle_snapshot(&mut self, plan: &mut Plan<Step>) {
        let Some(asleep) = self.wants.asleep.clone() else { return };
        let Some(id) = asleep.snapshot.clone() else { return };
        let arn = &self.sleeper.database.arn;
        match (self.world.snapshots.get(arn), self.status.as_str()) {
            (Some(Ok(Some(status))), _) if status != "failed" => {
                self.tag_snapshot(&id, &asleep);
                self.step(What::Remember, format!("its snapshot {id} is {status}"), plan);
            }
            (Some(Ok(other)), "stopped") => {
                let why = if other.is_some() { "failed" } else { "was never taken" };
                self.forget_snapshot(&asleep);
                self.step(What::Remember, format!("is stopped without a snapshot: {id} {why}"), plan);
            }
            (Some(Err(error)), _) => plan.problem(arn, "unreadable-snapshot", format!("its snapshot {id}: {error}")),
            // Not there yet, or the stop is still to come.
            _ => {}
        }
    }

    // -------------------------------------------------------------------------------- awake

    fn wake(&mut self, plan: &mut Plan<Step>) -> Option<String> {
        let by_schedule = self.verdict.source == Source::Schedule;
        let stopped = self.status == "stopped";
        let again = self.wants.wakes_what_people_stopped(&self.verdict, self.at());
        match self.wants.asleep.clone() {
            None => {
                if stopped && (self.asked || again) {
                    self.start(plan);
                }
                self.step(What::Remember, "is awake".into(), plan);
                None
            }
            Some(asleep) if asleep.desired == Some(0) && stopped && !self.asked => {
                self.draft.forget(&[keys::ASLEEP]);
                self.step(What::Remember, "was stopped by somebody before the night, and stays so".into(), plan);
                if again {
                    self.start(plan);
                }
                None
            }
            Some(asleep) if stopped => {
                if self.wants.schedule.act == Act::Sleep && by_schedule && asleep.by == By::Schedule {
                    return Some(format!("{}, and act=sleep leaves the waking to people", self.state()));
                }
                self.start(plan);
                None
            }
            // What is on its way may fail: it is remembered until it is there.
            Some(_) if ["stopping", "starting"].contains(&self.status.as_str()) => {
                self.step(What::Remember, "is to be awake".into(), plan);
                None
            }
            Some(_) => {
                self.draft.forget(&[keys::ASLEEP]);
                self.step(What::Remember, format!("is {} again", self.status), plan);
                None
            }
        }
    }

    fn start(&mut self, plan: &mut Plan<Step>) {
        self.draft.call(Call::Start);
        self.status = "starting".into();
        self.step(What::Wake, "is started".into(), plan);
    }

    // -------------------------------------------------------------------------------- the rest

    fn still_used(&self) -> Option<String> {
        self.used.clone().filter(|_| !self.asked)
    }

    /// The rule by which it is backed up; RDS takes a snapshot with the stop of an instance only.
    fn backup(&self) -> Result<Option<BackupRule>, rules::BadTag> {
        let tag = self.sleeper.database.tags.get(keys::BACKUP);
        tag.filter(|_| self.sleeper.database.kind == Kind::Instance).map(|it| it.parse()).transpose()
    }

    fn snapshot_id(&self) -> String {
        format!("{PREFIX}{}-{}", self.sleeper.database.id.to_ascii_lowercase(), self.now.strftime("%Y-%m-%d-%H%M%S"))
    }

    fn step(&mut self, what: What, headline: String, plan: &mut Plan<Step>) {
        let reason = format!("{}; {}", self.verdict.why, self.next());
        self.draft.step(what, headline, view(&self.status), reason, plan);
    }

    fn at(&self) -> Timestamp {
        self.now.timestamp()
    }

    fn state(&self) -> String {
        match &self.wants.asleep {
            Some(asleep) if self.status == "stopped" => {
                format!("it is stopped since {}", self.wants.local(asleep.since, self.now))
            }
            None if self.status == "stopped" => "somebody stopped it".into(),
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

/// The tags of the snapshot: those of its database that are no orders, and ours.
fn snapshot_tags(of: &BTreeMap<String, String>, ours: Vec<(&'static str, String)>) -> Vec<(String, String)> {
    let reserved = ["aws:", "rds:", keys::PEOPLE, keys::MEMORY];
    let comes_along = |key: &str| !reserved.iter().any(|it| key.to_ascii_lowercase().starts_with(it));
    let mut tags: Vec<(String, String)> = ours.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    tags.extend(of.iter().filter(|(key, _)| comes_along(key)).map(|(key, value)| (key.clone(), value.clone())));
    tags.truncate(MOST_TAGS);
    tags
}

fn view(status: &str) -> Value {
    json!({"status": status})
}
