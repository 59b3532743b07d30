//! The end of a drill: what is written down, what people are told, and what is deleted.

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::{Measure, Plan, when};
use rules::database::{Database, Kind, PREFIX, State, region_of};
use rules::drill::{Drilled, Outcome, Proven, Source};
use rules::keys;

use super::case::{Case, Original, Stray, hours, minutes};
use super::own::Own;
use super::step::{Delete, Finish, Prove, Step};

/// One of ours that says nothing of itself stays no longer.
const STRAY_STAYS: SignedDuration = SignedDuration::from_hours(24);

/// A run lasts five minutes at most. What has not been told by then was lost with its run; before that, the run that ended
/// the drill may just be telling it.
const STILL_TELLING: SignedDuration = SignedDuration::from_mins(5);

/// How a drill ended.
pub enum End {
    /// It was restored, and proven at this moment.
    Good(Timestamp),
    /// It was not, for this reason.
    Failed(String),
    /// It was ended before that.
    Ended(String),
}

/// One line of how a drill of `original` ended; `elsewhere` is the region that it was in, if it was not the home region.
fn headline(original: &Original<'_>, drilled: &Drilled, elsewhere: Option<&str>) -> String {
    let (of, snapshot) = (&original.database.id, Source::name(&drilled.snapshot));
    let rule = original.rule.as_ref().ok();
    let place = elsewhere.map(|it| format!(" in {it}")).unwrap_or_default();
    match drilled.outcome {
        Outcome::Failed => format!("{of}: the restore drill{place} from {snapshot} FAILED"),
        Outcome::Ended => format!("{of}: the restore drill{place} from {snapshot} was ended"),
        Outcome::Proven | Outcome::Restored | Outcome::Late => {
            let took = drilled.took.unwrap_or_default();
            let took = match rule.and_then(|it| it.rto) {
                Some(rto) => format!("{took} of {} min", rto.as_mins()),
                None => format!("{took} min"),
            };
            let data = match rule.and_then(|it| it.rpo) {
                Some(rpo) => format!("{} of {} h", drilled.data, hours(rpo)),
                None => format!("{} h", drilled.data),
            };
            let check = rule.and_then(|it| it.check.as_ref());
            let checked = check.map(|it| format!(", checked by {}", it.family)).unwrap_or_default();
            let late = if drilled.outcome == Outcome::Late { ", TOO LATE" } else { "" };
            let place = elsewhere.map(|it| format!(" to {it}")).unwrap_or_default();
            format!("{of}: restored{place} in {took}{late}, data {data} old, from {snapshot}{checked}")
        }
    }
}

/// Tells how a drill of `original` ended if the run that ended it may not have come so far. The drill database may be gone
/// by then, so this is told from memory. `drill` is that database where it is still there.
pub fn tell_again(original: &Original<'_>, drill: Option<&Case<'_>>, now: &Zoned, plan: &mut Plan<Step>) {
    let untold = original.drilled.as_ref().filter(|it| it.untold);
    let Some(drilled) = untold.filter(|it| now.timestamp().duration_since(it.at) >= STILL_TELLING) else { return };
    let region = original.rule.as_ref().ok().and_then(|it| it.region.as_ref());
    let kept = drill.filter(|it| it.is_finished()).and_then(|it| it.kept_until(drilled));
    let mut reason = format!(
        "it ended at {}, and the run that ended it could not tell people; the log of that run says more",
        when(drilled.at, now)
    );
    kept.iter()
        .for_each(|it| reason.push_str(&format!("; the restored database stays until {} for a look", when(*it, now))));
    let finish = Finish {
        arn: original.database.arn.clone(),
        headline: headline(original, drilled, region.map(|it| it.name())),
        drilled: drilled.clone(),
        over: false,
        kept: kept.map(|_| original.database.id.clone()),
    };
    plan.act(&original.database.arn, Step::Finish(finish), reason);
}

impl Case<'_> {
    /// Writes down how the drill ended, and deletes it.
    pub fn finish(&self, end: End, plan: &mut Plan<Step>) {
        let arn = &self.database.arn;
        let mut reason = self.reason(&end);
        let mut kept = None;
        if let Some(original) = &self.original {
            let drilled = self.drilled(&end);
            let snapshot = &drilled.snapshot;
            kept = self.kept_until(&drilled);
            if let Some(until) = kept {
                reason.push_str(&format!("; {} stays until {} for a look", self.database.id, when(until, self.now)));
            }
            // prune-backups deletes only snapshots of Nightshift, so that only those need to be remembered as proven.
            if drilled.outcome.is_good() && snapshot.starts_with(PREFIX) {
                let check = original.rule.as_ref().ok().and_then(|it| it.check.as_ref()).map(|it| it.family.clone());
                let value = Proven { at: drilled.at, check }.to_string();
                let prove = Prove { arn: self.snapshot_arn(snapshot), id: snapshot.clone(), value };
                plan.act(arn, Step::Prove(prove), &reason);
            }
            if let End::Good(proven) = &end {
                let of = original.database.id.clone();
                let restore = minutes(self.after(*proven)) as f64;
                for (metric, value) in [("RestoreMinutes", restore), ("RestoredDataAgeHours", drilled.data as f64)] {
                    for of in [Some(of.clone()), None] {
                        plan.measure(Measure { metric, kind: "Database", of, value });
                    }
                }
            }
            let elsewhere = Some(self.region()).filter(|it| *it != self.world.home);
            let finish = Finish {
                arn: original.database.arn.clone(),
                headline: headline(original, &drilled, elsewhere),
                drilled,
                over: self.is_over(),
                kept: kept.map(|_| original.database.id.clone()),
            };
            plan.act(arn, Step::Finish(finish), &reason);
        }
        if kept.is_none() {
            self.delete(&reason, plan);
        }
    }

    /// Until when the restored database stays although its drill ended so, if it does. What serves nobody stays no longer,
    /// nor what a person has ended.
    pub fn kept_until(&self, drilled: &Drilled) -> Option<Timestamp> {
        let keep = self.original.as_ref()?.rule.as_ref().ok()?.keep?;
        let until = drilled.at.checked_add(keep).ok()?.min(self.drill.until);
        let serves = drilled.outcome != Outcome::Ended && self.state().0 == State::Serving;
        (serves && self.now.timestamp() < until).then_some(until)
    }

    /// Whether the time is over that any drill may take.
    pub fn is_over(&self) -> bool {
        self.now.timestamp() >= self.drill.until
    }

    /// Deletes the drill database; of a cluster its instance first.
    pub fn delete(&self, reason: &str, plan: &mut Plan<Step>) {
        let mut gone = true;
        for member in &self.members {
            if member.status == "deleting" {
                continue;
            }
            gone = false;
            let drill = match self.world.own(member) {
                Some(Own::Drill(drill)) => Some(drill),
                Some(Own::Unreadable) => None,
                None => {
                    self.tell_foreign(member, plan);
                    continue;
                }
            };
            // Not before it is written down how the drill ended.
            let after = Some(self.database.arn.clone());
            let (id, arn) = (member.id.clone(), member.arn.clone());
            plan.act(&member.arn, Step::Delete(Delete { kind: Kind::Instance, id, arn, drill, after }), reason);
        }
        // RDS deletes no cluster that still has instances. The event of their deletion wakes this function.
        if gone {
            let Database { kind, id, arn, .. } = self.database;
            let drill = Some(self.drill.clone());
            let delete = Delete { kind: *kind, id: id.clone(), arn: arn.clone(), drill, after: None };
            plan.act(arn, Step::Delete(delete), reason);
        }
    }

    fn tell_foreign(&self, member: &Database, plan: &mut Plan<Step>) {
        let message = format!(
            "not deleted: a person added {}; this cluster of a drill costs money until that instance is deleted, then \
             drill-restores deletes the cluster",
            member.id
        );
        plan.problem(&self.database.arn, "foreign-instance", message);
    }

    fn drilled(&self, end: &End) -> Drilled {
        let original = self.original.as_ref();
        let rto = original.and_then(|it| it.rule.as_ref().ok()?.rto);
        let checked = original.is_some_and(|it| it.rule.as_ref().is_ok_and(|it| it.check.is_some()));
        let outcome = match end {
            End::Failed(_) => Outcome::Failed,
            End::Ended(_) => Outcome::Ended,
            End::Good(proven) if rto.is_some_and(|it| self.after(*proven) > it) => Outcome::Late,
            End::Good(_) if checked => Outcome::Proven,
            End::Good(_) => Outcome::Restored,
        };
        let (took, good) = match end {
            End::Good(proven) => (Some(minutes(self.after(*proven))), Some(*proven)),
            _ => (None, original.and_then(|it| it.drilled.as_ref()?.good)),
        };
        Drilled {
            outcome,
            at: self.now.timestamp(),
            begun: self.drill.begun,
            took,
            data: self.source.as_ref().map_or(0, |it| hours(self.drill.begun.duration_since(it.taken))),
            good,
            snapshot: self.source.as_ref().map_or("unknown".into(), |it| it.snapshot.clone()),
            untold: true,
        }
    }

    fn reason(&self, end: &End) -> String {
        match end {
            End::Failed(why) => format!("{why}; a restore of this backup in a real disaster would end the same way"),
            End::Ended(why) => why.clone(),
            End::Good(proven) => {
                let up = self.progress.up.unwrap_or(*proven);
                let loaded = match self.is_loading() {
                    false => format!("all of its data loaded after {} min", minutes(self.after(self.now.timestamp()))),
                    true => "its data was not fully loaded when the time of the drill was over".into(),
                };
                format!(
                    "it took connections after {} min, was proven after {} min, {loaded}{}",
                    minutes(self.after(up)),
                    minutes(self.after(*proven)),
                    self.last_words(None)
                )
            }
        }
    }

    /// A snapshot is in the region that it is restored in.
    fn snapshot_arn(&self, id: &str) -> String {
        let arn = &self.database.arn;
        let account = arn.split(':').nth(4).unwrap_or_default();
        let partition = arn.split(':').nth(1).unwrap_or_default();
        let kind = match self.database.kind {
            Kind::Instance => "snapshot",
            Kind::Cluster => "cluster-snapshot",
        };
        format!("arn:{partition}:rds:{}:{account}:{kind}:{id}", region_of(arn).unwrap_or_default())
    }
}

impl Stray<'_> {
    /// Deletes what nobody can end any more, once it has been there for a day.
    pub fn judge(&self, now: &Zoned, plan: &mut Plan<Step>) {
        let arn = &self.database.arn;
        if self.database.status == "deleting" {
            return plan.skip(arn, "it is being deleted");
        }
        let age = self.created.map(|it| now.timestamp().duration_since(it));
        if age.is_some_and(|it| it > STRAY_STAYS) {
            let Database { kind, id, .. } = self.database;
            let delete = Delete { kind: *kind, id: id.clone(), arn: arn.clone(), drill: None, after: None };
            return plan.act(arn, Step::Delete(delete), "it is a drill database, and has been there for a day");
        }
        plan.problem(
            arn,
            "unreadable-drill",
            format!(
                "its tag {} was changed by hand, so its drill cannot go on: delete it, or drill-restores deletes it a day \
                 after it was created",
                keys::DRILL_MEMORY
            ),
        );
    }
}
