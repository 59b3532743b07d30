//! How a service is woken: what it waits for, and the size that it gets.

use rules::database::State;
use rules::keys;
use rules::schedule::Act;
use rules::sleep::{Asleep, By};

use super::case::{Case, DEPLOYING};
use super::step::Change;
use super::times::SERVES_WITHIN;
use super::wants::Source;
use super::world::World;

impl Case<'_> {
    /// Wakes it, finishes that, or leaves alone what a person did.
    pub fn wake(&mut self) {
        let is_down = self.size.desired <= self.off();
        if self.has_lost_its_memory() {
            self.restore_memory();
        }
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
            return self.draft.leave(format!(
                "it was started by hand with {} {}",
                self.size.desired,
                self.service.things()
            ));
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
                self.step(
                    Change::Remember,
                    format!("is awake with {before} {}, and its scaling is as it was", self.service.things()),
                );
            }
            (true, false) => self.step(Change::Remember, format!("was at {before} before it slept, and stays so")),
            (false, _) => {
                self.step(Change::Wake, format!("wakes ({})", self.change_of_size(before, self.size.desired)))
            }
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
            return self.draft.leave(format!("{} allows it no {}", self.service.scaling(), self.service.things()));
        }
        self.remember_that_it_is_woken(least);
        self.count(least);
        let change = self.change_of_size(0, self.size.desired);
        self.step(Change::Wake, format!("wakes ({change}; its previous size was not recorded)"));
    }

    /// Gives it its limits back and forgets that it slept, once it has the tasks that it had.
    pub fn finish_waking(&mut self, asleep: &Asleep) {
        if self.verdict.source == Source::AwakeUntil && !self.asked && self.is_smaller(asleep) {
            return;
        }
        if let (Some(was), Some(target)) = (asleep.limits, self.size.target) {
            if was.min > target.max {
                let message = format!(
                    "its minimum is {} {things} instead of {} as before it slept: {} allows no more now",
                    target.max,
                    was.min,
                    self.service.scaling(),
                    things = self.service.things(),
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
                "it got {most} {} instead of {remembered} as before it slept: {} allows no more now",
                self.service.things(),
                self.service.scaling()
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
        if let Some(waits) = waits_for_machines(name, world) {
            let late = self.verdict.since.is_some_and(|it| self.at().duration_since(it) >= SERVES_WITHIN);
            if let Some(why) = waits.as_ref().filter(|_| late) {
                self.draft.trouble("machine-not-up", format!("after={name}: it is not woken: {why}"));
            }
            return waits;
        }
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
}

/// Why what needs the instance or group `name` is not woken now, if it is not; `None` where the name is that of a database.
fn waits_for_machines(name: &str, world: &World) -> Option<Option<String>> {
    if !name.starts_with("ec2:") && !name.starts_with("asg:") {
        return None;
    }
    let arns = world.backing().arns(name);
    if arns.is_empty() {
        return Some(Some(format!("it waits for {name}, which does not exist or lacks the tag {}", keys::SCHEDULE)));
    }
    let instance = world.instances.iter().find(|it| arns.contains(&it.arn.as_str()) && it.state != "running");
    let groups = world.services.iter().filter(|it| arns.contains(&it.arn.as_str()));
    let group =
        groups.clone().find(|it| it.running == 0 || it.running < it.desired || it.tags.contains_key(keys::ASLEEP));
    Some(match (instance, group) {
        (Some(it), _) => Some(format!("it waits for the instance {name}, which is {}", it.state)),
        (None, Some(it)) => {
            Some(format!("it waits for the group {name}, of which {} of {} instances run", it.running, it.desired))
        }
        (None, None) => None,
    })
}
