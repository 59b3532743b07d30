//! How old the newest backup is, for the metric.

use jiff::{SignedDuration, Timestamp};
use rules::database::Snapshot;
use rules::keys;

use super::case::{A_NIGHT, Case, Readiness};
use super::world::Event;

/// A snapshot that is being made counts for the age of the newest backup for so long; the first one of a big database
/// takes hours.
const BEING_MADE: SignedDuration = SignedDuration::from_hours(20);

/// What is never backed up and of unknown age counts as old as what missed two nights.
const NEVER: f64 = 50.0;

impl Case<'_> {
    /// How many hours ago the newest backup was begun that is good, or is being made and may become so; of a database
    /// without any, how old that is. `None` for one whose first is being taken now.
    ///
    /// A sleeping database does not change: what was taken in the night before it was stopped counts as new.
    pub fn age(&self, takes_one_now: bool) -> Option<f64> {
        if self.ours().any(|it| self.is_being_made(it)) {
            return Some(0.0);
        }
        let Some(newest) = self.newest_good() else { return self.age_without_any(takes_one_now) };
        let asleep = self.readiness() == Readiness::Asleep;
        let missed = self.stopped_at().is_some_and(|it| it.duration_since(newest) > A_NIGHT);
        if asleep && !missed {
            return Some(0.0);
        }
        let age = self.since(newest) - self.slept_since(newest);
        // What has slept through the nights shows up with an old backup, and gets one now. Only what was tried in vain,
        // which is remembered, has missed them.
        if age > A_NIGHT && takes_one_now && !self.has_failed_since(newest) {
            return Some(0.0);
        }
        Some(hours(age))
    }

    fn age_without_any(&self, takes_one_now: bool) -> Option<f64> {
        if let Some(tried) = self.first_tried() {
            return Some(hours(self.since(tried)));
        }
        if takes_one_now || matches!(self.database.status.as_str(), "creating" | "deleting") {
            return None;
        }
        Some(self.world.created.get(&self.database.arn).map_or(NEVER, |it| hours(self.since(*it))))
    }

    fn has_failed_since(&self, newest: Timestamp) -> bool {
        let failed = |it: &Snapshot| it.status == "failed" && it.created_at.is_none_or(|it| it > newest);
        self.database.tags.contains_key(keys::SNAPSHOT_PROBLEM) || self.ours().any(failed)
    }

    /// Whether AWS is still at work on a snapshot, and has not been for suspiciously long.
    ///
    /// AWS may not say of one that is being made when it was begun; its name does.
    fn is_being_made(&self, snapshot: &Snapshot) -> bool {
        let young = match snapshot.created_at {
            Some(begun) => self.since(begun) < BEING_MADE,
            None => snapshot.id.contains(&format!("-{}", self.now.date())),
        };
        snapshot.status == "creating" && young
    }

    /// Whether RDS's events of the database are needed to tell how old its backup is.
    pub fn may_have_slept(&self) -> bool {
        let old = |newest| self.since(newest) > A_NIGHT;
        self.readiness() != Readiness::Asleep && self.newest_good().is_some_and(old)
    }

    /// How long the database was stopped after `newest`, by RDS's events, which last for fourteen days.
    fn slept_since(&self, newest: Timestamp) -> SignedDuration {
        let Some(Ok(events)) = self.world.events.get(&self.database.arn) else { return SignedDuration::ZERO };
        let mut events: Vec<&Event> = events.iter().filter(|it| it.at > newest).collect();
        events.sort_by_key(|it| it.at);
        let mut slept = SignedDuration::ZERO;
        let mut stopped = None;
        for event in events {
            let message = event.message.to_ascii_lowercase();
            if message.contains("stopped") {
                stopped = stopped.or(Some(event.at));
            } else if let Some(from) = stopped.take_if(|_| message.contains("started")) {
                slept += event.at.duration_since(from);
            }
        }
        slept
    }
}

fn hours(age: SignedDuration) -> f64 {
    age.as_secs_f64().max(0.0) / 3600.0
}
