//! One service: asleep, awake, boosted.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::Plan;
use rules::keys;
use rules::schedule::Act;
use rules::sleep::{Asleep, Boosted, By, Limits, Suspended};
use serde_json::{Value, json};

use super::ask::{Ask, heed};
use super::draft::Draft;
use super::step::{Call, Step, What};
use super::wants::{Source, Verdict, Wants, database_needed};
use super::world::{Service, World};
use super::{GRACE, STANDS_FOR};

/// A deployment that takes longer than this is not waited for any more.
const DEPLOYS_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// What becomes of a service, as far as its database is concerned.
#[derive(Debug, Clone, PartialEq)]
pub struct Fate {
    /// The database that it needs.
    pub after: Option<String>,
    /// It is, or is to be, awake.
    pub awake: bool,
    /// No task of it runs that would have to stop.
    pub down: bool,
    /// It, or what its tags say, cannot be read.
    pub unreadable: bool,
}

impl Fate {
    /// Of a service that cannot be read: it may need its database as long as it may run.
    pub fn unreadable(tags: &BTreeMap<String, String>, down: bool) -> Self {
        Fate { after: database_needed(tags).map(str::to_owned), awake: false, down, unreadable: true }
    }
}

/// A service with everything read, as it will be after the calls so far.
struct Case<'a> {
    service: Service,
    wants: Wants,
    verdict: Verdict,
    world: &'a World,
    now: &'a Zoned,
    draft: Draft,
    /// A person's command is to be carried out, whoever changed what by hand before.
    asked: bool,
}

/// Plans what is to be done about a service whose tags are `wants`.
pub fn decide(
    service: &Service,
    mut wants: Wants,
    ask: Option<&Ask>,
    world: &World,
    now: &Zoned,
    plan: &mut Plan<Step>,
) -> Option<Fate> {
    let arn = &service.arn;
    if service.status != "ACTIVE" {
        plan.skip(arn, format!("it is {}", service.status));
        return None;
    }
    if service.is_daemon {
        let message =
            format!("a DAEMON service has no desired count and cannot sleep: remove the tag {}", keys::SCHEDULE);
        plan.problem(arn, "daemon", message);
        return None;
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
    let verdict = wants.verdict(now, &world.holidays);
    let mut draft = Draft::new(arn, &service.tags, view(service));
    draft.take_over(calls);
    let mut case = Case { service: service.clone(), wants, verdict, world, now, draft, asked };
    let planned = plan.steps.len();
    case.end_boost_that_is_over(plan);
    let left_alone = if case.verdict.awake { case.wake(plan) } else { case.fall_asleep(plan) };
    let left_alone = case.boost(plan).or(left_alone);
    case.forget_what_is_over(plan);
    if plan.steps.len() == planned {
        plan.skip(
            arn,
            format!("{}; {}; {}", left_alone.unwrap_or_else(|| case.state()), case.verdict.why, case.next()),
        );
    }
    let down = service.desired <= case.off() && service.running <= case.off();
    Some(Fate { after: case.wants.schedule.after.clone(), awake: case.verdict.awake, down, unreadable: false })
}

impl Case<'_> {
    // -------------------------------------------------------------------------------- asleep

    /// Puts it to sleep, finishes that, or leaves alone what a person started; says why nothing is done.
    fn fall_asleep(&mut self, plan: &mut Plan<Step>) -> Option<String> {
        let by_schedule = self.verdict.source == Source::Schedule && !self.asked;
        if self.wants.schedule.act == Act::Wake && by_schedule && !self.has_just_been_put_to_sleep() {
            return Some(format!("{}, and act=wake leaves the rest to people", self.state()));
        }
        let Some(asleep) = self.wants.asleep.clone() else { return self.begin_sleep(plan) };
        let (pressed, is_over) = (self.is_pressed(&asleep), self.stays_up_no_longer(&asleep));
        if self.service.desired > self.off() && !pressed {
            return self.started_by_hand(&asleep, plan);
        }
        if pressed {
            if self.service.desired > self.off() && self.is_deploying() {
                return Some("a deployment is in progress, which the next run looks at again".into());
            }
            self.renew(&asleep);
        }
        if pressed || self.is_fresh(asleep.since) {
            self.lie_down(asleep.limits.is_some());
        }
        self.draft.forget(&[keys::BOOSTED]);
        let headline = match is_over {
            true => "goes to sleep again, since what somebody started is over".to_owned(),
            false => "goes on falling asleep, which an earlier run left unfinished".to_owned(),
        };
        self.step(What::Sleep, headline, plan);
        None
    }

    fn begin_sleep(&mut self, plan: &mut Plan<Step>) -> Option<String> {
        if self.service.desired > self.off() && self.is_deploying() {
            return Some("a deployment is in progress, which the next run looks at again".into());
        }
        // A boost is no part of the size that is remembered.
        if let Some(boosted) = self.wants.boosted.clone() {
            self.end_boost(&boosted, plan);
        }
        let (desired, limits) = (self.service.desired, self.service.target);
        // One that has no more tasks than it keeps asleep keeps them, and only its scaling is suspended: a policy would
        // wake it. Where the count is outside of the limits not even that, since registering these would move it.
        let changes = desired > self.off();
        let (by, until) = self.wants.on_behalf(&self.verdict, self.at());
        let limits = limits.filter(|it| changes || (it.min..=it.max).contains(&desired));
        let asleep = Asleep { since: self.at(), desired: Some(desired), limits, by, until, snapshot: None };
        self.draft.remember(keys::ASLEEP, asleep.to_string());
        self.wants.asleep = Some(asleep);
        self.lie_down(limits.is_some());
        let (what, headline) = match (changes, limits) {
            (true, _) => (What::Sleep, format!("goes to sleep ({})", from_to(desired, self.service.desired))),
            (false, None) => (What::Remember, format!("is at {desired} already and stays so")),
            (false, Some(_)) => (What::Remember, format!("is at {desired} already and stays so, without scaling")),
        };
        self.step(what, headline, plan);
        None
    }

    /// Lowers the limits, then the count: the other way round a scaling target would start tasks at once.
    fn lie_down(&mut self, with_limits: bool) {
        if let Some(target) = self.service.target.filter(|_| with_limits) {
            self.limits(target.min.min(self.off()).min(self.service.desired), Suspended::ALL);
        }
        if self.service.desired > self.off() {
            self.count(self.off());
        }
    }

    /// Whether it is put to sleep (again), though something runs.
    fn is_pressed(&self, asleep: &Asleep) -> bool {
        // A run that died looks like a start by hand; for a while the former is likelier.
        let fresh = asleep.desired.is_some_and(|it| it > self.off()) && self.is_fresh(asleep.since);
        let says_so = self.wants.failed || self.wants.schedule.enforce || self.verdict.source == Source::Hold;
        fresh || self.asked || says_so || self.stays_up_no_longer(asleep)
    }

    fn has_just_been_put_to_sleep(&self) -> bool {
        self.wants.asleep.as_ref().is_some_and(|it| self.is_fresh(it.since))
    }

    /// Whether a person started it with fewer tasks than it had, and the time for which that stood is over.
    fn stays_up_no_longer(&self, asleep: &Asleep) -> bool {
        !self.verdict.awake
            && self.service.desired > self.off()
            && self.wants.was_kept_awake_after(asleep.since, self.at())
    }

    /// A person who puts to sleep what sleeps for another reason has the say from then on, and what stays up no longer
    /// sleeps from now on; the size stays as remembered.
    fn renew(&mut self, asleep: &Asleep) {
        let since = if self.stays_up_no_longer(asleep) { self.at() } else { asleep.since };
        let (by, until) = match self.wants.on_behalf(&self.verdict, self.at()) {
            (By::Person, until) => (By::Person, until),
            _ => (asleep.by, asleep.until),
        };
        let renewed = Asleep { since, by, until, ..asleep.clone() };
        if renewed != *asleep {
            self.draft.remember(keys::ASLEEP, renewed.to_string());
            self.wants.asleep = Some(renewed);
        }
    }

    /// What a person started at night stays up until the next change.
    fn started_by_hand(&mut self, asleep: &Asleep, plan: &mut Plan<Step>) -> Option<String> {
        let until = self.verdict.until.unwrap_or(self.at() + STANDS_FOR);
        self.draft.remember(keys::AWAKE_UNTIL_MEMORY, format!("{until:.0}"));
        self.wants.kept_awake = Some(until);
        self.verdict = self.wants.verdict(self.now, &self.world.holidays);
        let desired = self.service.desired;
        self.finish_waking(asleep, plan);
        let until = self.wants.local(until, self.now);
        let headline = format!("somebody started it ({desired} tasks), so it stays up until {until}");
        self.step(What::Remember, headline, plan);
        None
    }

    // -------------------------------------------------------------------------------- awake

    /// Wakes it, finishes that, or leaves alone what a person did; says why nothing is done.
    fn wake(&mut self, plan: &mut Plan<Step>) -> Option<String> {
        let is_down = self.service.desired <= self.off();
        let Some(asleep) = self.wants.asleep.clone() else { return self.wake_without_memory(plan) };
        let by_schedule = self.verdict.source == Source::Schedule && asleep.by == By::Schedule;
        // What kept the tasks that it had is not woken: only its scaling is.
        let has_its_size = asleep.limits.is_some() && asleep.desired.is_some_and(|it| it <= self.off());
        if self.wants.schedule.act == Act::Sleep && by_schedule && is_down && !has_its_size {
            return Some(format!("{}, and act=sleep leaves the waking to people", self.state()));
        }
        if is_down && let Some(why) = self.waits(plan) {
            return Some(why);
        }
        if !is_down && self.verdict.source == Source::AwakeUntil && !self.asked && self.is_smaller(&asleep) {
            return Some(format!("somebody started it with {} tasks", self.service.desired));
        }
        let before = self.service.desired;
        let leaves_count = self.wants.schedule.act == Act::Sleep && by_schedule;
        if !leaves_count {
            let remembered = self.remembered(&asleep, plan);
            self.count(remembered.max(before));
        }
        self.finish_waking(&asleep, plan);
        let headline = match (before == self.service.desired, before > self.off()) {
            (true, true) => format!("is awake with {before} tasks, and its scaling is as it was"),
            (true, false) => format!("was at {before} before it slept, and stays so"),
            (false, _) => format!("wakes ({})", from_to(before, self.service.desired)),
        };
        let what = if before == self.service.desired { What::Remember } else { What::Wake };
        self.step(what, headline, plan);
        None
    }

    /// One whose size nobody remembers: a person stopped it in its waking hours, which mostly stands.
    fn wake_without_memory(&mut self, plan: &mut Plan<Step>) -> Option<String> {
        if self.service.desired > 0 || !self.wakes_what_people_stopped() {
            self.step(What::Remember, "is awake".into(), plan);
            return None;
        }
        if let Some(why) = self.waits(plan) {
            return Some(why);
        }
        self.count(self.least());
        let headline = format!("wakes ({}; nobody remembers its size)", from_to(0, self.service.desired));
        self.step(What::Wake, headline, plan);
        None
    }

    /// Gives it its limits back and forgets that it slept, once it has the tasks that it had.
    fn finish_waking(&mut self, asleep: &Asleep, plan: &mut Plan<Step>) {
        if self.verdict.source == Source::AwakeUntil && !self.asked && self.is_smaller(asleep) {
            return;
        }
        if let (Some(was), Some(target)) = (asleep.limits, self.service.target) {
            if was.min > target.max {
                plan.problem(
                    &self.service.arn,
                    "clamped",
                    format!(
                        "its scaling target had at least {} tasks before it slept and has at most {} now: it got {}",
                        was.min, target.max, target.max
                    ),
                );
            }
            let desired = self.service.desired;
            self.limits(was.min.min(target.max), was.suspended);
            self.count(desired);
        }
        self.draft.forget(&[keys::ASLEEP, keys::BOOSTED]);
        self.wants.asleep = None;
        self.wants.boosted = None;
    }

    /// The size that it had, as far as its scaling target allows it today.
    fn remembered(&self, asleep: &Asleep, plan: &mut Plan<Step>) -> i32 {
        let remembered = match asleep.desired.unwrap_or_default() {
            0 if self.wakes_what_people_stopped() => self.least(),
            other => other,
        };
        match self.service.target {
            Some(target) if remembered > target.max => {
                plan.problem(
                    &self.service.arn,
                    "clamped",
                    format!(
                        "it had {remembered} tasks before it slept, and its scaling target allows {} now: it got {}",
                        target.max, target.max
                    ),
                );
                target.max
            }
            _ => remembered,
        }
    }

    /// Whether it has fewer tasks than it had, so that a person chose the number.
    fn is_smaller(&self, asleep: &Asleep) -> bool {
        let max = self.service.target.map_or(i32::MAX, |it| it.max);
        self.service.desired < asleep.desired.unwrap_or_default().min(max)
    }

    /// Why it is not woken now, if it is not.
    fn waits(&self, plan: &mut Plan<Step>) -> Option<String> {
        if self.is_deploying() {
            return Some("a deployment is in progress, which the next run looks at again".into());
        }
        let id = self.wants.schedule.after.as_ref()?;
        let named = self.world.databases.iter().filter(|it| it.database.id == *id && it.database.member_of.is_none());
        let statuses: Vec<&str> = named.clone().map(|it| it.database.status.as_str()).collect();
        if statuses.is_empty() {
            let message = format!("after={id}: there is no such DB instance or DB cluster, so it is not woken");
            plan.problem(&self.service.arn, "no-such-database", message);
            return Some(format!("it waits for the database {id}, which does not exist"));
        }
        let waiting = statuses.iter().find(|it| **it != "available")?;
        let asleep = named.clone().any(|it| it.database.tags.contains_key(keys::ASLEEP));
        if *waiting == "stopped" && !asleep {
            let message =
                format!("after={id}: that database is stopped and nothing starts it, so the service is not woken");
            plan.problem(&self.service.arn, "database-stopped", message);
        }
        Some(format!("it waits for the database {id}, which is {waiting}"))
    }

    // -------------------------------------------------------------------------------- boosted

    fn end_boost_that_is_over(&mut self, plan: &mut Plan<Step>) {
        if self.wants.asleep.is_none()
            && self.wants.boost(self.at()).is_none()
            && let Some(boosted) = self.wants.boosted.clone()
        {
            self.end_boost(&boosted, plan);
        }
    }

    /// Begins or changes a boost; says why nothing is done.
    fn boost(&mut self, plan: &mut Plan<Step>) -> Option<String> {
        if self.wants.asleep.is_some() || !self.verdict.awake {
            return None;
        }
        let wish = self.wants.boost(self.at()).cloned()?;
        let boosted = self.wants.boosted.clone();
        let max = self.service.target.map_or(i32::MAX, |it| it.max);
        let from = boosted.as_ref().map_or(self.service.desired, |it| it.from);
        let to = from.saturating_add(wish.step).min(max);
        match boosted {
            Some(boosted) if to < boosted.to => {
                self.end_boost(&boosted, plan);
                // From here on as if it had never been; the next time round there is no boost to be lowered.
                self.boost(plan)
            }
            Some(boosted) if to > boosted.to && self.is_boosted_or_was_to_be(&boosted) => {
                self.begin_boost(Boosted { since: self.at(), to, ..boosted }, &wish.by, wish.until, plan);
                None
            }
            Some(boosted) => self.keep_boost(&boosted, plan),
            None if from == 0 => Some(format!("{} asks for {} more, but somebody set it to 0", wish.by, wish.step)),
            None if to <= from => {
                Some(format!("{} asks for {} more, but it has {from} tasks of at most {max}", wish.by, wish.step))
            }
            None => {
                let min = self.service.target.map(|it| it.min);
                let boosted = Boosted { since: self.at(), from, to, min };
                self.begin_boost(boosted, &wish.by, wish.until, plan);
                None
            }
        }
    }

    /// Whether it has the tasks of its boost, or a run died before it got them.
    fn is_boosted_or_was_to_be(&self, boosted: &Boosted) -> bool {
        let desired = self.service.desired;
        desired == boosted.to || desired < boosted.to && self.is_fresh(boosted.since)
    }

    fn begin_boost(&mut self, boosted: Boosted, by: &str, until: Timestamp, plan: &mut Plan<Step>) {
        let before = self.service.desired;
        self.draft.remember(keys::BOOSTED, boosted.to_string());
        self.count(boosted.to);
        self.raise_least(&boosted);
        let (change, until) = (from_to(before, boosted.to), self.wants.local(until, self.now));
        self.wants.boosted = Some(boosted);
        let headline = format!("gets more tasks ({change}) until {until}, as {by} asks");
        self.step(What::Boost, headline, plan);
    }

    /// Finishes what a run that died left; later, what a person or the scaling did since stands.
    fn keep_boost(&mut self, boosted: &Boosted, plan: &mut Plan<Step>) -> Option<String> {
        if self.is_fresh(boosted.since) {
            self.count(boosted.to.max(self.service.desired));
            self.raise_least(boosted);
        }
        self.step(What::Boost, format!("gets more tasks (to {})", boosted.to), plan);
        Some(format!("it has {} tasks, {} of them by a boost", self.service.desired, boosted.to - boosted.from))
    }

    /// So that the scaling does not take the tasks away at once.
    fn raise_least(&mut self, boosted: &Boosted) {
        if let (Some(target), Some(_)) = (self.service.target, boosted.min) {
            self.limits(target.min.max(boosted.to.min(target.max)), target.suspended);
        }
    }

    fn end_boost(&mut self, boosted: &Boosted, plan: &mut Plan<Step>) {
        let before = self.service.desired;
        let wanted = if before == boosted.to { boosted.from } else { before };
        if let (Some(target), Some(min)) = (self.service.target, boosted.min)
            && target.min == boosted.to.min(target.max)
        {
            self.limits(min.min(target.max), target.suspended);
        }
        self.count(wanted);
        self.draft.forget(&[keys::BOOSTED]);
        self.wants.boosted = None;
        let headline = match before == self.service.desired {
            true => format!("the boost is over, and it keeps the {before} tasks that it got since"),
            false => format!("the boost is over ({})", from_to(before, self.service.desired)),
        };
        self.step(What::EndBoost, headline, plan);
    }

    // -------------------------------------------------------------------------------- the rest

    fn forget_what_is_over(&mut self, plan: &mut Plan<Step>) {
        let mut over = self.wants.over(self.at());
        // As long as a deployment is waited for, this is what says that it is to sleep again.
        if self.wants.asleep.as_ref().is_some_and(|it| self.stays_up_no_longer(it)) {
            over.retain(|it| *it != keys::AWAKE_UNTIL_MEMORY);
        }
        self.draft.forget(&over);
        self.step(What::Remember, "what is over is forgotten".into(), plan);
    }

    fn step(&mut self, what: What, headline: String, plan: &mut Plan<Step>) {
        let reason = format!("{}; {}", self.verdict.why, self.next());
        self.draft.step(what, headline, view(&self.service), reason, plan);
    }

    fn limits(&mut self, min: i32, suspended: Suspended) {
        let Some(target) = self.service.target.filter(|it| (it.min, it.suspended) != (min, suspended)) else { return };
        self.service.target = Some(Limits { min, suspended, ..target });
        // Registering a target moves the count inside its limits at once.
        self.service.desired = self.service.desired.min(target.max).max(min);
        self.draft.call(Call::Limits { min, suspended });
    }

    fn count(&mut self, desired: i32) {
        if self.service.desired != desired {
            self.service.desired = desired;
            self.draft.call(Call::Count(desired));
        }
    }

    /// Whether it is woken though a person stopped it: another asks, or its schedule says so.
    fn wakes_what_people_stopped(&self) -> bool {
        self.asked || self.wants.wakes_what_people_stopped(&self.verdict, self.at())
    }

    fn off(&self) -> i32 {
        i32::try_from(self.wants.schedule.off).unwrap_or(i32::MAX)
    }

    /// How many tasks it gets where nobody remembers how many it had.
    fn least(&self) -> i32 {
        self.service.target.map_or(1, |it| it.min.max(1).min(it.max))
    }

    fn at(&self) -> Timestamp {
        self.now.timestamp()
    }

    fn is_fresh(&self, moment: Timestamp) -> bool {
        self.at().duration_since(moment) < GRACE
    }

    /// A deployment in progress is waited for, but no person is kept waiting.
    fn is_deploying(&self) -> bool {
        !self.asked && self.service.deploying_since.is_some_and(|it| self.at().duration_since(it) < DEPLOYS_WITHIN)
    }

    fn state(&self) -> String {
        match &self.wants.asleep {
            Some(asleep) if self.service.desired <= self.off() => {
                let since = self.wants.local(asleep.since, self.now);
                format!("it is asleep since {since} (it had {} tasks)", asleep.desired.unwrap_or_default())
            }
            _ if self.service.desired == 0 => "somebody set it to 0".into(),
            _ => format!("it is awake with {} tasks", self.service.desired),
        }
    }

    fn next(&self) -> String {
        self.wants.next(&self.verdict, self.now)
    }
}

fn view(service: &Service) -> Value {
    let mut view = json!({"desired": service.desired});
    if let Some(Limits { min, max, suspended }) = service.target {
        view["min"] = min.into();
        view["max"] = max.into();
        if suspended != Suspended::default() {
            view["suspended"] = suspended.to_string().into();
        }
    }
    view
}

fn from_to(from: i32, to: i32) -> String {
    format!("{from} -> {to} tasks")
}
