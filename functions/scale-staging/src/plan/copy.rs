//! A second copy of what is remembered of a sleeping service, on the tags of its scaling target.
//!
//! A tool that takes unknown tags off the service often knows nothing of the target's. The copy is made with the first
//! hourly look of a night, so that no evening waits for it, and is only read where it is made or needed.

use jiff::{SignedDuration, Zoned};
use rules::keys;
use rules::sleep::{Asleep, Suspended};

use super::case::Case;
use super::step::{Call, Change};
use super::times::{COPIED_WITHIN, GRACE};
use super::wants::Wants;
use super::world::Service;

/// A copy that is older than any stay at night is one of an earlier time.
const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Whether the copy has to be read: it may have to be made, or the memory is lost.
pub fn is_in_question(service: &Service, wants: &Wants, now: &Zoned) -> bool {
    is_time_to_copy(wants, now) || is_memory_lost(service, wants)
}

fn off(wants: &Wants) -> i32 {
    i32::try_from(wants.schedule.off).unwrap_or(i32::MAX)
}

/// Whatever its count is: this very run may be the one that puts it to sleep again.
fn is_time_to_copy(wants: &Wants, now: &Zoned) -> bool {
    let Some(asleep) = wants.asleep.as_ref().filter(|it| it.limits.is_some()) else { return false };
    let age = now.timestamp().duration_since(asleep.since);
    GRACE <= age && age < COPIED_WITHIN
}

/// Whether it is as Nightshift leaves what it puts to sleep, and nothing is remembered of it: a tool that manages its
/// tags has taken them away.
fn is_memory_lost(service: &Service, wants: &Wants) -> bool {
    let suspended = service.target.is_some_and(|it| it.suspended == Suspended::ALL && it.min <= off(wants));
    suspended && wants.asleep.is_none() && service.desired <= off(wants)
}

impl Case<'_> {
    pub fn has_lost_its_memory(&self) -> bool {
        is_memory_lost(self.service, &self.wants)
    }

    /// Makes the copy, where it is not there yet: of what is remembered once this run is over, at the count that it
    /// leaves.
    pub fn keep_copy(&mut self) {
        let Some((arn, Some(Ok(copy)))) = self.service.target_arn.as_ref().map(|it| (it, &self.service.copy)) else {
            return;
        };
        if self.size.desired > self.off() || !is_time_to_copy(&self.wants, self.now) {
            return;
        }
        let Some(value) = self.draft.tag(keys::ASLEEP).filter(|it| copy.as_deref() != Some(*it)).map(str::to_owned)
        else {
            return;
        };
        self.draft.call(Call::CopyMemory { target: arn.clone(), value });
        self.draft.again();
        self.step(Change::Remember, "its size is also kept on its scaling target");
    }

    /// Takes what was remembered from the copy, if that is of this very service; returns whether it is.
    pub fn restore_memory(&mut self) -> bool {
        let Some(Ok(Some(value))) = &self.service.copy else { return false };
        let Ok(asleep) = value.parse::<Asleep>() else { return false };
        let own = self.service.own_id();
        let is_old = self.at().duration_since(asleep.since) >= KEPT;
        if is_old || asleep.of.is_none() || asleep.is_of_another(own.as_deref(), self.service.created_at) {
            return false;
        }
        self.draft.remember(keys::ASLEEP, value.clone());
        self.wants.asleep = Some(asleep);
        self.step(Change::Remember, "had lost its memory, which its scaling target still has");
        true
    }

    pub fn tell_that_it_lost_its_memory(&mut self) {
        let message = format!(
            "it has {} {} and all of its scaling is suspended, as Nightshift leaves what it puts to sleep, but its tag \
             {} is gone, which said how many it had: set its count and resume its scaling by hand, and have your \
             Terraform ignore tags that begin with {}",
            self.size.desired,
            self.service.things(),
            keys::ASLEEP,
            keys::MEMORY
        );
        self.draft.trouble("memory-lost", message);
    }
}
