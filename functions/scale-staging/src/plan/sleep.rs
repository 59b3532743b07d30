//! How a service is put to sleep, and whose doing it is where it runs all the same.

use reconcile::MessageKind;
use rules::keys;
use rules::schedule::Act;
use rules::sleep::{Asleep, By, Suspended};

use super::case::{Case, DEPLOYING};
use super::size::Size;
use super::step::Change;
use super::times::{DEPLOYS_WITHIN, STANDS_FOR};
use super::wants::Source;

impl Case<'_> {
    /// Puts it to sleep, finishes that, or leaves alone what a person started.
    pub fn sleep(&mut self) {
        let by_schedule = self.verdict.source == Source::Schedule && !self.asked;
        if self.wants.schedule.act == Act::Wake && by_schedule && !self.has_just_been_put_to_sleep() {
            return self.draft.leave(format!("{}, and act=wake leaves the rest to people", self.state()));
        }
        let Some(asleep) = self.wants.asleep.clone() else { return self.begin_sleep() };
        let (forced, is_over) = (self.is_forced(&asleep), self.stays_up_no_longer(&asleep));
        if self.size.desired > self.off() && !forced {
            return self.started_by_hand(&asleep);
        }
        if let Some(why) = self.used.clone().filter(|_| forced && self.size.desired > self.off()) {
            return self.leave_what_is_used(why);
        }
        if forced {
            if self.size.desired > self.off() && (self.is_deploying() || self.composes()) {
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
        self.keep_copy();
    }

    fn begin_sleep(&mut self) {
        if self.has_lost_its_memory() {
            if !self.restore_memory() {
                self.tell_that_it_lost_its_memory();
            }
            return;
        }
        let mut actions = self.service.scheduled_actions.iter();
        if let Some(first) = actions.find(|it| it.ends.is_none_or(|it| self.at() < it)) {
            // Suspended with the rest of the scaling, these would be missed, and nothing says what they would have done.
            let message = format!(
                "{} has a schedule of its own (the scheduled action {}), which Nightshift would suspend: remove either \
                 the scheduled actions or the tag {}",
                self.service.scaling(),
                first.name,
                keys::SCHEDULE
            );
            self.draft.trouble("scheduled-actions", message);
            return self.draft.leave("it scales by scheduled actions of its own");
        }
        if self.size.desired > self.off() && (self.is_deploying() || self.composes()) {
            return self.draft.leave(DEPLOYING);
        }
        if let Some(why) = self.used.clone().filter(|_| self.size.desired > self.off()) {
            return self.leave_what_is_used(why);
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
                self.step(
                    Change::Sleep,
                    format!("goes to sleep ({})", self.change_of_size(desired, self.size.desired)),
                );
            }
            (false, None) => self.step(Change::Remember, format!("is at {desired} already and stays so")),
            (false, Some(_)) => {
                self.step(Change::Remember, format!("is at {desired} already and stays so, without scaling"));
            }
        }
    }

    /// Nothing is taken from under what runs, whoever wants it asleep.
    fn leave_what_is_used(&mut self, why: String) {
        if self.asked {
            let message = format!("it cannot be put to sleep now: {why}. Put that to sleep first, and send it again");
            self.draft.trouble("in-use", message);
        }
        self.draft.leave(why);
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
    pub fn stays_up_no_longer(&self, asleep: &Asleep) -> bool {
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
        self.verdict = self.wants.verdict(self.now, &self.world.calendar);
        self.finish_waking(asleep);
        let until = self.local(until);
        self.step(Change::Tell(MessageKind::Routine), format!("{by}, so it stays up until {until}"));
    }

    fn who_started_it(&self, asleep: &Asleep) -> String {
        let desired = self.size.desired;
        // Scaling is suspended, so that only a registration of its target can have raised its least number of tasks.
        let raised =
            asleep.limits.is_some() && self.size.target.is_some_and(|it| it.min > self.off() && it.min == desired);
        match raised {
            true => format!(
                "the least number of {} of {} was set to {desired}, as terraform apply does, which started them",
                self.service.things(),
                self.service.scaling()
            ),
            false => format!("was started by hand ({desired} {})", self.service.things()),
        }
    }
}
