//! Which copies are deleted. A copy is deleted if and only if it carries our marker about this bucket, and
//!
//! - it is good, no count of the rule keeps it, it is neither the newest good one nor the newest proven one, and copies do not fail at present; or
//! - it failed, and a newer one is good; or
//! - its deletion has begun before.

use jiff::Timestamp;
use reconcile::{Plan, when};
use rules::retention::STALE_AFTER;

use super::case::Case;
use super::drill::{self, LASTS};
use super::step::{Delete, Step};
use super::world::{Folder, Marker, State};

impl Case<'_> {
    pub fn keep(&self, plan: &mut Plan<Step>) {
        let arn = self.bucket.arn.as_str();
        for (folder, marker) in self.copies().filter(|(_, it)| it.state == State::Deleting) {
            self.delete(folder, marker, "its deletion has begun", plan);
        }
        let Some(newest) = self.newest_good() else { return };
        // Otherwise the deletion would go on until nothing is left.
        if self.since(newest) > STALE_AFTER {
            return plan.skip(
                arn,
                format!(
                    "its newest good copy is of {}: none is deleted until copies are good again",
                    when(newest, self.now)
                ),
            );
        }
        let good: Vec<_> = self.good().collect();
        // It is known to be right, which the newer ones are not yet; and a drill that is under way reads its copy.
        let proven = good.iter().filter(|(_, it)| it.proven.is_some()).map(|(_, it)| it.moment).max();
        // However late it ends, this run may be the one that proves the copy. One whose tag was removed in the middle of it
        // has no end.
        let ends = drill::rule(self.bucket, &self.world.setup).is_some_and(|it| it.is_ok());
        let is_read = |it: &Marker| it.drilling.is_some_and(|since| ends || self.since(since) <= LASTS);
        let stays = |it: &Marker| Some(it.moment) == proven || is_read(it);
        let moments: Vec<Timestamp> = good.iter().map(|(_, it)| it.moment).collect();
        let kept = self.rule.retention.judge(&moments, self.now);
        for ((folder, marker), _) in good.iter().zip(kept).filter(|((_, it), kept)| kept.is_none() && !stays(it)) {
            self.delete(folder, marker, format_args!("not kept by {}", self.rule.retention), plan);
        }
        for (folder, marker) in self.copies().filter(|(_, it)| it.state == State::Failed && it.moment < newest) {
            self.delete(folder, marker, "it is not good, and a newer one is", plan);
        }
    }

    fn delete(&self, folder: &Folder, marker: &Marker, reason: impl std::fmt::Display, plan: &mut Plan<Step>) {
        let delete = Delete { folder: self.place(folder), marker: marker.clone() };
        plan.act(&self.bucket.arn, Step::Delete(delete), reason);
    }
}
