//! The snapshot of tonight.

use reconcile::Plan;
use rules::database::{Database, Snapshot, night_id, night_id_apart};

use super::case::{A_NIGHT, Case, Existing, Readiness, attempt, broken};
use super::step::Step;

impl Case<'_> {
    /// Takes the snapshot of tonight, unless there is one. `room` is how many more of this kind the quota allows.
    pub fn tonight(&self, room: &mut usize, plan: &mut Plan<Step>) {
        let Database { arn, status, .. } = self.database;
        let (name, existing) = self.of_the_night();
        let failed = match existing {
            Existing::None => None,
            Existing::Failed(it) => Some(it),
            Existing::Taken(message) => return plan.problem(arn, "id-taken", message),
            Existing::There(it) => return plan.skip(arn, format!("{name} is {}", it.status)),
        };
        if let Some(failed) = failed {
            // The message must not tell the attempts apart, or each of them would be told anew.
            let message = format!("{name} failed; {}; it is taken again once an hour", self.rds_says(failed));
            plan.problem(arn, "snapshot-failing", message);
        }
        match self.readiness() {
            Readiness::Ready => match failed {
                Some(failed) if !self.is_due_again(failed) => {}
                Some(_) => plan.act(arn, self.take(name.clone(), failed), format!("{name} failed")),
                None if *room == 0 => {
                    plan.skip(arn, format!("there is no {name} yet, and the quota allows no further snapshot"));
                }
                None => {
                    *room -= 1;
                    plan.act(arn, self.take(name.clone(), None), format!("there is no {name} yet"));
                }
            },
            Readiness::Asleep => self.asleep(plan),
            Readiness::Busy if self.is_overdue() => plan.problem(
                arn,
                "no-backup",
                format!(
                    "it cannot be backed up while it is {status}; {}: look at the database, and at its events in RDS",
                    self.last_backup()
                ),
            ),
            Readiness::Busy if self.first_tried().is_none() && self.has_had_a_night() => plan.problem(
                arn,
                "never-backed-up",
                format!(
                    "it has no backup: it is {status}. In that state AWS takes no snapshot; the next run tries again. \
                     If it stays {status}, look at its events in RDS"
                ),
            ),
            Readiness::Busy => {
                plan.skip(arn, format!("it is {status} and cannot be snapshotted now; the next run tries again"));
            }
            Readiness::Broken => plan.problem(arn, "not-snapshottable", broken(status)),
        }
    }

    /// The id of the snapshot of tonight, and what there is under it.
    ///
    /// After a blue/green switchover, or a restore under the old name, tonight's id may belong to the database that had
    /// the name before. Then this one gets an id of its own, since what it holds is in no backup.
    fn of_the_night(&self) -> (String, Existing<'_>) {
        let Database { kind, id, resource_id, .. } = self.database;
        let night = self.now.date();
        let plain = night_id(*kind, id, night);
        let apart = resource_id.as_deref().map(|it| night_id_apart(*kind, id, night, it));
        // One that has been renamed since has its snapshot of tonight under the old name.
        let dated = format!("-{night}");
        let mine = self.ours().filter(|it| it.id.ends_with(&dated) || Some(&it.id) == apart.as_ref());
        if let Some(mine) = mine.min_by_key(|it| (standing(it), it.id.clone())) {
            let existing = if mine.status == "failed" { Existing::Failed(mine) } else { Existing::There(mine) };
            return (mine.id.clone(), existing);
        }
        match (self.existing(&plain), apart) {
            (Existing::Taken(_), Some(apart)) => {
                let existing = self.existing(&apart);
                (apart, existing)
            }
            (existing, _) => (plain, existing),
        }
    }

    /// Whether tonight's snapshot is being taken anew: then nobody knows yet whether what was told is over.
    pub fn is_trying_again(&self) -> bool {
        match self.of_the_night().1 {
            Existing::There(it) => it.status == "creating" && attempt(it) > 1,
            _ => false,
        }
    }

    /// Tonight's snapshot, if that failed.
    pub fn failed_tonight(&self) -> Option<&Snapshot> {
        match self.of_the_night().1 {
            Existing::Failed(it) => Some(it),
            _ => None,
        }
    }

    /// A stopped database cannot be snapshotted, and does not change either.
    fn asleep(&self, plan: &mut Plan<Step>) {
        let Database { arn, status, .. } = self.database;
        match (self.newest_good(), self.stopped_at()) {
            (None, _) => plan.problem(
                arn,
                "never-backed-up",
                format!("it is {status} and has no backup: a stopped database cannot be snapshotted, so start it for a night"),
            ),
            (Some(newest), Some(stopped)) if stopped.duration_since(newest) > A_NIGHT => plan.problem(
                arn,
                "stopped-without-backup",
                format!(
                    "it was stopped without a snapshot: start it for a night. It was stopped on {}, and its newest backup is of {}",
                    self.local(stopped),
                    self.local(newest)
                ),
            ),
            (Some(newest), _) => plan.skip(
                arn,
                format!("it is {status}, so it does not change and cannot be snapshotted; its newest backup is of {}", self.local(newest)),
            ),
        }
    }
}

/// Which of several snapshots of one night counts.
fn standing(snapshot: &Snapshot) -> u8 {
    match snapshot.status.as_str() {
        "available" => 0,
        "creating" => 1,
        "failed" => 3,
        _ => 2,
    }
}
