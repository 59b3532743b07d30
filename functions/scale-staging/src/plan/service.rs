//! One service: when it is put to sleep, when it is woken, and when a person's change stands.

use jiff::Zoned;
use reconcile::Trouble;
use rules::database::State;
use rules::keys;
use rules::schedule::Act;
use rules::sleep::{Asleep, By, Suspended};

use super::case::{Case, from_to};
use super::command::Command;
use super::draft::{Decision, Draft};
use super::needs::{Need, Used, databases_named, is_migrating};
use super::person::apply_command;
use super::size::Size;
use super::step::{Change, Target};
use super::times::{DEPLOYS_WITHIN, SERVES_WITHIN, STANDS_FOR};
use super::wants::{Source, Wants};
use super::world::{Service, World};

const DEPLOYING: &str = "a deployment is in progress, which the next run looks at again";

/// What is to be done about a service whose tags are `wants`, and what it needs of its databases.
pub fn decide(
    service: &Service,
    mut wants: Wants,
    command: Option<&Command>,
    world: &World,
    now: &Zoned,
) -> (Decision, Need) {
    let mut need = Need {
        service: service.name.name.clone(),
        databases: databases_named(&service.tags),
        awake: false,
        used: used(service, now),
    };
    if service.status != "ACTIVE" {
        return (Decision::idle(format!("it is {}", service.status)), need);
    }
    if service.is_daemon {
        let message =
            format!("a DAEMON service has no desired count and cannot sleep: remove the tag {}", keys::SCHEDULE);
        return (Decision::trouble(Trouble::new("daemon", message)), need);
    }
    if wants.schedule.maintenance_awake {
        let message = format!(
            "{}: maintenance=awake is for databases, whose maintenance window RDS keeps; leave it out here",
            keys::SCHEDULE
        );
        return (Decision::trouble(Trouble::new("bad-tag", message)), need);
    }
    let size = Size { desired: service.desired, target: service.target };
    let mut draft = Draft::new(Target::Service { arn: service.arn.clone() }, &service.tags, size.view());
    let foreign = wants.leave_out_memory_of_another(service.own_id().as_deref(), service.created_at);
    let asked = apply_command(command, &mut wants, &mut draft, now, &world.holidays);
    let verdict = wants.verdict(now, &world.holidays);
    let mut case = Case { service, size, wants, verdict, world, now, draft, asked };
    if foreign {
        case.draft.forget(&[keys::ASLEEP, keys::BOOSTED, keys::WOKEN]);
        case.step(Change::Remember, "forgets what its tags say of another service that had its name before");
    }
    for name in missing_databases(&case.wants.schedule.after, world) {
        case.draft.add_trouble(no_such_database(&name));
    }
    case.end_boost_that_is_over();
    if case.verdict.awake {
        case.wake()
    } else {
        case.sleep()
    }
    case.boost();
    case.check_that_it_is_up();
    case.forget_what_is_over();
    need.awake = case.verdict.awake;
    let state = case.draft.idle().map_or_else(|| case.state(), str::to_owned);
    let idle = format!("{state}; {}; {}", case.verdict.why, case.next());
    (case.draft.finish(idle), need)
}

/// Whether its databases are used, whatever is decided now: what a step changes takes time to come about.
pub fn used(service: &Service, now: &Zoned) -> Used {
    match service.desired > 0 || service.running > 0 || service.pending > 0 {
        true => Used::ByTasks,
        false if is_migrating(&service.tags, now) => Used::ByMigration,
        false => Used::No,
    }
}

/// Those of `names` that no database has.
pub fn missing_databases(names: &[String], world: &World) -> Vec<String> {
    names.iter().filter(|it| world.databases_named(it).is_empty()).cloned().collect()
}

pub fn no_such_database(name: &str) -> Trouble {
    let message =
        format!("after={name}: there is no such DB instance or DB cluster, so it is not woken once it sleeps");
    Trouble::new("no-such-database", message)
}

impl Case<'_> {
    // -------------------------------------------------------------------------------- asleep

    /// Puts it to sleep, finishes that, or leaves alone what a person started.
    fn sleep(&mut self) {
        let by_schedule = self.verdict.source == Source::Schedule && !self.asked;
        if self.wants.schedule.act == Act::Wake && by_schedule && !self.has_just_been_put_to_sleep() {
            return self.draft.leave(format!("{}, and act=wake leaves the rest to people", self.state()));
        }
        let Some(asleep) = self.wants.asleep.clone() else { return self.begin_sleep() };
        let (forced, is_over) = (self.is_forced(&asleep), self.stays_up_no_longer(&asleep));
        if self.size.desired > self.off() && !forced {
            return self.started_by_hand(&asleep);
        }
        if forced {
            if self.size.desired > self.off() && self.is_deploying() {
                return self.draft.leave(DEPLOYING);
            }
            self.renew(&asleep);
        }
        if forced || self.is_fresh(asleep.since) {
            self.scale_down(asleep.limits.is_some());
        }
        self.draft.forget(&[keys::BOOSTED, keys::WOKEN]);
        let headline = match is_over {
            true => "goes to sleep again, since the time of what was started by hand is over",
            false => "goes on falling asleep, which an earlier run left unfinished",
        };
        self.step(Change::Sleep, headline);
    }

    fn begin_sleep(&mut self) {
        if self.has_lost_its_memory() {
            return self.tell_that_it_lost_its_memory();
        }
        if let [first, ..] = &self.service.scheduled_actions[..] {
            // Suspended with the rest of the scaling, these would be missed, and nothing says what they would have done.
            let message = format!(
                "its scaling target has a schedule of its own (the scheduled action {first}), which Nightshift would \
                 suspend: remove either the scheduled actions or the tag {}",
                keys::SCHEDULE
            );
            self.draft.trouble("scheduled-actions", message);
            return self.draft.leave("it scales by scheduled actions of its own");
        }
        if self.size.desired > self.off() && self.is_deploying() {
            return self.draft.leave(DEPLOYING);
        }
        // A boost is not part of the size that is remembered.
        if let Some(boosted) = self.wants.boosted.clone() {
            self.end_boost(&boosted);
        }
        let Size { desired, target } = self.size;
        // One that has no more tasks than it keeps asleep keeps them, and only its scaling is suspended: a policy would
        // wake it. Where the count is outside of the limits not even that, since registering these would move it.
        let changes = desired > self.off();
        let (by, until) = self.wants.on_behalf(&self.verdict, self.at());
        let limits = target.filter(|_| changes || self.size.is_within_limits());
        let of = self.service.own_id();
        let asleep =
            Asleep { since: self.at(), desired: Some(desired), limits, by, until, snapshot: None, of, started: None };
        self.draft.remember(keys::ASLEEP, asleep.to_string());
        self.draft.forget(&[keys::WOKEN]);
        (self.wants.asleep, self.wants.woken) = (Some(asleep), None);
        self.scale_down(limits.is_some());
        match (changes, limits) {
            (true, _) => {
                self.step(Change::Sleep, format!("goes to sleep ({})", from_to(desired, self.size.desired)));
            }
            (false, None) => self.step(Change::Remember, format!("is at {desired} already and stays so")),
            (false, Some(_)) => {
                self.step(Change::Remember, format!("is at {desired} already and stays so, without scaling"));
            }
        }
    }

    /// Lowers the limits, then the count: the other way round a scaling target would start tasks at once.
    fn scale_down(&mut self, with_limits: bool) {
        if let Some(target) = self.size.target.filter(|_| with_limits) {
            self.limits(target.min.min(self.off()).min(self.size.desired), Suspended::ALL);
        }
        if self.size.desired > self.off() {
            self.count(self.off());
        }
    }

    /// Whether it is put to sleep (again), though something runs.
    fn is_forced(&self, asleep: &Asleep) -> bool {
        // A run that died looks like a start by hand, but for what ECS says of the deployment.
        let unfinished = asleep.desired.is_some_and(|it| it > self.off())
            && self.is_fresh(asleep.since)
            && !self.was_changed_after(asleep);
        let says_so = self.wants.has_failed() || self.wants.schedule.enforce || self.verdict.source == Source::Hold;
        unfinished || self.asked || says_so || self.stays_up_no_longer(asleep)
    }

    /// Whether ECS has changed anything of its deployment since it was put to sleep. A run that died before it set the
    /// count has not, and one that died after has left the count that it set.
    fn was_changed_after(&self, asleep: &Asleep) -> bool {
        // A deployment that was under way then may have ended since, which is a change too.
        let was_steady = self.service.deployed_at.is_some_and(|it| it + DEPLOYS_WITHIN < asleep.since);
        was_steady && self.service.updated_at.is_some_and(|it| it > asleep.since)
    }

    fn has_just_been_put_to_sleep(&self) -> bool {
        self.wants.asleep.as_ref().is_some_and(|it| self.is_fresh(it.since))
    }

    /// Whether a person started it with fewer tasks than it had, and the time for which that stood is over.
    fn stays_up_no_longer(&self, asleep: &Asleep) -> bool {
        !self.verdict.awake
            && self.size.desired > self.off()
            && self.wants.was_kept_awake_after(asleep.since, self.at())
    }

    /// A person who puts to sleep what sleeps for another reason decides from then on, and what stays up no longer
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
    fn started_by_hand(&mut self, asleep: &Asleep) {
        let until = self.verdict.until.unwrap_or(self.at() + STANDS_FOR);
        // Not remembered as the will of a person: a pipeline sets counts as well, and a budget's hold outranks that.
        self.draft.remember(keys::AWAKE_UNTIL_MEMORY, format!("{until:.0}"));
        self.wants.kept_awake = Some(until);
        let by = self.who_started_it(asleep);
        self.verdict = self.wants.verdict(self.now, &self.world.holidays);
        self.finish_waking(asleep);
        let until = self.local(until);
        self.step(Change::Remember, format!("{by}, so it stays up until {until}"));
    }

    fn who_started_it(&self, asleep: &Asleep) -> String {
        let desired = self.size.desired;
        // Scaling is suspended, so that only a registration of its target can have raised its least number of tasks.
        let raised =
            asleep.limits.is_some() && self.size.target.is_some_and(|it| it.min > self.off() && it.min == desired);
        match raised {
            true => format!(
                "the least number of tasks of its scaling target was set to {desired}, as terraform apply does, which \
                 started them"
            ),
            false => format!("was started by hand ({desired} tasks)"),
        }
    }

    // -------------------------------------------------------------------------------- memory

    /// Whether it is as Nightshift leaves what it puts to sleep, and nothing is remembered of it: a tool that manages its
    /// tags has taken them away.
    fn has_lost_its_memory(&self) -> bool {
        let suspended = self.size.target.is_some_and(|it| it.suspended == Suspended::ALL && it.min <= self.off());
        suspended && self.wants.asleep.is_none() && self.size.desired <= self.off()
    }

    fn tell_that_it_lost_its_memory(&mut self) {
        let message = format!(
            "it has {} tasks and all of its scaling is suspended, as Nightshift leaves what it puts to sleep, but its tag \
             {} is gone, which said how many it had: set its count and resume its scaling by hand, and have your \
             Terraform ignore tags that begin with {}",
            self.size.desired,
            keys::ASLEEP,
            keys::MEMORY
        );
        self.draft.trouble("memory-lost", message);
    }

    // -------------------------------------------------------------------------------- awake

    /// Wakes it, finishes that, or leaves alone what a person did.
    fn wake(&mut self) {
        let is_down = self.size.desired <= self.off();
        let Some(asleep) = self.wants.asleep.clone() else { return self.wake_without_memory() };
        let by_schedule = self.verdict.source == Source::Schedule && asleep.by == By::Schedule;
        // What kept the tasks that it had is not woken: only its scaling is.
        let has_its_size = asleep.limits.is_some() && asleep.desired.is_some_and(|it| it <= self.off());
        if self.wants.schedule.act == Act::Sleep && by_schedule && is_down && !has_its_size {
            return self.draft.leave(format!("{}, and act=sleep leaves the waking to people", self.state()));
        }
        if is_down && let Some(why) = self.waits() {
            return self.draft.leave(why);
        }
        if !is_down && self.verdict.source == Source::AwakeUntil && !self.asked && self.is_smaller(&asleep) {
            return self.draft.leave(format!("it was started by hand with {} tasks", self.size.desired));
        }
        let before = self.size.desired;
        let leaves_count = self.wants.schedule.act == Act::Sleep && by_schedule;
        if !leaves_count {
            let remembered = self.remembered(&asleep);
            let desired = remembered.max(before);
            if desired > before {
                self.remember_that_it_is_woken(desired);
            }
            self.count(desired);
        }
        self.finish_waking(&asleep);
        match (before == self.size.desired, before > self.off()) {
            (true, true) => {
                self.step(Change::Remember, format!("is awake with {before} tasks, and its scaling is as it was"));
            }
            (true, false) => self.step(Change::Remember, format!("was at {before} before it slept, and stays so")),
            (false, _) => self.step(Change::Wake, format!("wakes ({})", from_to(before, self.size.desired))),
        }
    }

    /// One whose size was not recorded: a person stopped it in its waking hours, which mostly stands.
    fn wake_without_memory(&mut self) {
        if self.has_lost_its_memory() {
            self.tell_that_it_lost_its_memory();
        }
        if self.size.desired > 0 || !self.wakes_what_people_stopped() {
            return self.step(Change::Remember, "is awake");
        }
        if let Some(why) = self.waits() {
            return self.draft.leave(why);
        }
        let least = self.size.least();
        if least == 0 {
            return self.draft.leave("its scaling target allows it no tasks");
        }
        self.remember_that_it_is_woken(least);
        self.count(least);
        let change = from_to(0, self.size.desired);
        self.step(Change::Wake, format!("wakes ({change}; its previous size was not recorded)"));
    }

    /// Gives it its limits back and forgets that it slept, once it has the tasks that it had.
    fn finish_waking(&mut self, asleep: &Asleep) {
        if self.verdict.source == Source::AwakeUntil && !self.asked && self.is_smaller(asleep) {
            return;
        }
        if let (Some(was), Some(target)) = (asleep.limits, self.size.target) {
            if was.min > target.max {
                let message = format!(
                    "its scaling target had at least {} tasks before it slept and has at most {} now: it got {}",
                    was.min, target.max, target.max
                );
                self.draft.trouble("clamped", message);
            }
            let desired = self.size.desired;
            self.limits(was.min.min(target.max), was.suspended);
            self.count(desired);
        }
        self.draft.forget(&[keys::ASLEEP, keys::BOOSTED]);
        (self.wants.asleep, self.wants.boosted) = (None, None);
    }

    /// The size that it had, as far as its scaling target allows it today.
    fn remembered(&mut self, asleep: &Asleep) -> i32 {
        let remembered = match asleep.desired.unwrap_or_default() {
            0 if self.wakes_what_people_stopped() => self.size.least(),
            other => other,
        };
        let most = self.size.most();
        if remembered > most {
            let message = format!(
                "it had {remembered} tasks before it slept, and its scaling target allows {most} now: it got {most}"
            );
            self.draft.trouble("clamped", message);
        }
        remembered.min(most)
    }

    /// Whether it has fewer tasks than it had, so that a person chose the number.
    fn is_smaller(&self, asleep: &Asleep) -> bool {
        self.size.desired < asleep.desired.unwrap_or_default().min(self.size.most())
    }

    /// Why it is not woken now, if it is not.
    fn waits(&mut self) -> Option<String> {
        if self.is_deploying() {
            return Some(DEPLOYING.into());
        }
        let mut waits = None;
        for name in self.wants.schedule.after.clone() {
            let why = self.waits_for(&name);
            waits = waits.or(why);
        }
        waits
    }

    fn waits_for(&mut self, name: &str) -> Option<String> {
        let world = self.world;
        let meant = world.databases_named(name);
        if meant.is_empty() {
            return Some(format!("it waits for the database {name}, which does not exist"));
        }
        let (sleeper, condition) = meant
            .into_iter()
            .map(|it| (it, world.condition(it)))
            .find(|(_, condition)| condition.state != State::Serving)?;
        // A database that carries the tag tells of itself.
        if !sleeper.database.tags.contains_key(keys::SCHEDULE) {
            let late = self.verdict.since.is_some_and(|it| self.at().duration_since(it) >= SERVES_WITHIN);
            let words = &condition.words;
            match condition.state {
                State::Stopped if sleeper.database.status == "stopped" => self.draft.trouble(
                    "database-stopped",
                    format!(
                        "after={name}: that database is stopped and nothing starts it, so the service is not woken"
                    ),
                ),
                State::Broken => self.draft.trouble(
                    "database-broken",
                    format!("after={name}: that database is {words}, so the service is not woken"),
                ),
                _ if late => self.draft.trouble(
                    "database-not-up",
                    format!("after={name}: that database is still {words}, so the service is not woken"),
                ),
                _ => {}
            }
        } else if sleeper.database.status == "stopped" && !sleeper.database.tags.contains_key(keys::ASLEEP) {
            self.draft.trouble(
                "database-stopped",
                format!("after={name}: that database is stopped and nothing starts it, so the service is not woken"),
            );
        }
        Some(format!("it waits for the database {name}, which is {}", condition.words))
    }

    // -------------------------------------------------------------------------------- the rest

    fn forget_what_is_over(&mut self) {
        let mut over = self.wants.over(self.at());
        // As long as a deployment is waited for, this is what says that it is to sleep again.
        if self.wants.asleep.as_ref().is_some_and(|it| self.stays_up_no_longer(it)) {
            over.retain(|it| *it != keys::AWAKE_UNTIL_MEMORY);
        }
        self.draft.forget(&over);
        self.step(Change::Remember, "what is over is forgotten");
    }
}
