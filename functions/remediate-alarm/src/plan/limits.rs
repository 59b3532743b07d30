//! How many remedies there may be: of one alarm on one day, and of the whole account within an hour.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use rules::keys;
use rules::remedied::Remedied;
use rules::remedy::{RemedyRule, in_minutes};

use super::blocked::Blocked;
use super::case::{AlarmCase, memories};
use super::world::{Alarm, State};
use reconcile::when;

/// A firing that could not be answered for so long is not answered out of the blue.
const TOO_OLD: SignedDuration = SignedDuration::from_hours(1);

/// What this run starts, as far as it is decided: the next alarm must not interfere with it.
#[derive(Debug, Default)]
pub struct Started {
    /// The ARNs of what something is done to.
    pub targets: BTreeSet<String>,
    /// The ARNs of the alarms that it is done for.
    pub alarms: BTreeSet<String>,
    pub remedies: u32,
}

impl AlarmCase<'_> {
    pub fn in_time(&self, fired: Timestamp) -> Result<(), Blocked> {
        if !self.is_answered(fired) && self.now.timestamp() > self.answered_by(fired) {
            let why = "no remedy could be started within an hour, and by now a person may be at work on it";
            return Err(Blocked::refused("too-old", why.into()));
        }
        Ok(())
    }

    /// Until when a remedy for the firing of that moment may still be started.
    pub fn answered_by(&self, fired: Timestamp) -> Timestamp {
        let last = self.memory.as_ref().and_then(|it| it.last.as_ref());
        match last {
            Some(last) if self.is_answered(fired) => self.ladder_ends(last),
            // The hour begins once the remedy before had its time.
            Some(last) => fired.max(last.at + self.rule.cooldown) + TOO_OLD,
            None => fired + TOO_OLD,
        }
    }

    pub fn within_limits(&self, fired: Timestamp, started: &Started) -> Result<(), Blocked> {
        let last = self.memory.as_ref().and_then(|it| it.last.as_ref());
        if let Some(last) = last.filter(|it| self.is_cooling(it)) {
            let (cooldown, at) = (in_minutes(self.rule.cooldown), when(last.at, self.now));
            let reason = format!("{} was started at {at}, and cooldown={cooldown}", last.remedy);
            return Err(Blocked::NotNow { kind: "cooldown", reason, told: false });
        }
        let limit = self.rule.limit;
        if self.memory.as_ref().is_some_and(|it| it.today(self.now) >= limit) {
            let reason = format!("limit={limit} is reached on {}", self.now.date());
            return Err(Blocked::refused("daily-limit", reason));
        }
        let most = self.options.max_remedies;
        if self.of_the_hour(fired, started) >= most {
            let reason = format!(
                "the account has had {most} within an hour (parameter MaxRemedies); this many alarms at once point to one cause, \
                 so no further remedy is started"
            );
            return Err(Blocked::refused("too-many", reason));
        }
        Ok(())
    }

    /// How many remedies of this hour come before the one that answers this firing.
    ///
    /// The tag index lags behind, and in a storm many runs see the same: so an alarm that has fired before this one and
    /// whose answer is not known yet counts as well, and the runs agree on who comes first.
    fn of_the_hour(&self, fired: Timestamp, started: &Started) -> u32 {
        let now = self.now.timestamp();
        let own = known(self.alarm, now).unwrap_or(1);
        let others = self.world.alarms.iter().chain(&self.world.others).filter(|it| it.arn != self.alarm.arn);
        let spent = others.map(|it| spent(it, (fired, &self.alarm.arn), started, now)).sum::<u32>();
        own + spent + started.remedies
    }
}

/// How many remedies of the hour the alarm remembers; `None` where its memory cannot be read.
fn known(alarm: &Alarm, now: Timestamp) -> Option<u32> {
    Some(memories(alarm).ok()?.values().map(|it| it.within_the_hour(now)).sum())
}

/// What an alarm takes of the account's limit before another one that fired at `before`.
fn spent(alarm: &Alarm, before: (Timestamp, &String), started: &Started, now: Timestamp) -> u32 {
    // What cannot be read may have been anything.
    let Some(known) = known(alarm, now) else { return 1 };
    if started.alarms.contains(&alarm.arn) {
        return known;
    }
    let acts = || alarm.tags.get(keys::REMEDY).is_some_and(|it| it.parse().is_ok_and(|it: RemedyRule| it.acts()));
    let memory = alarm.tags.get(keys::REMEDIED).and_then(|it| it.parse::<Remedied>().ok());
    let waits = alarm.since.is_some_and(|since| {
        alarm.state == State::Alarm
            && (since, &alarm.arn) < before
            && now.duration_since(since) < TOO_OLD
            && memory.is_none_or(|it| since > it.fired)
    });
    known + u32::from(waits && acts())
}
