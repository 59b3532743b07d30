//! The snapshots of one database in one region: which of them stay, and why.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::{Plan, Trouble, when};
use rules::database::{Database, Snapshot};
use rules::keys;
use rules::retention::{BackupRule, Region, Retention, STALE_AFTER};

use super::step::Step;

/// A failed snapshot stays for so long, for people to look at.
const FAILED_STAYS: SignedDuration = SignedDuration::from_hours(24);

/// One region, and what of it stays.
pub struct Place<'a> {
    /// The region of copies; none for the stack's own.
    pub region: Option<&'a Region>,
    /// The ARNs of what stays.
    pub kept: BTreeSet<String>,
}

/// The snapshots of one database in one region.
pub struct Group<'a> {
    /// The database, if there still is one.
    pub database: Option<&'a Database>,
    /// The oldest first.
    pub snapshots: Vec<&'a Snapshot>,
}

/// Why a whole group stays as it is.
pub struct Leave {
    pub reason: String,
    /// What people are told of the database, if anything is wrong with it.
    pub trouble: Option<Trouble>,
}

const LOOK_AT_SNAPSHOTS: &str =
    "look first at the log of snapshot-databases for the last nights, then at the status of the database";

const LOOK_AT_COPIES: &str =
    "look first at the log of snapshot-databases for copies that failed, then at the KMS key of that region";

impl<'a> Group<'a> {
    fn name(&self) -> &str {
        match (self.database, self.snapshots.first()) {
            (Some(database), _) => &database.id,
            (None, Some(snapshot)) => &snapshot.database,
            (None, None) => "",
        }
    }

    /// The newest snapshot that a restore drill has restored: of this one it is known that it works.
    fn newest_proven(&self) -> Option<&'a Snapshot> {
        self.snapshots.iter().rev().find(|it| it.is_good() && it.tags.contains_key(keys::PROVEN)).copied()
    }

    fn newest_good(&self) -> Option<&'a Snapshot> {
        self.snapshots.iter().rev().find(|it| it.is_good()).copied()
    }

    /// The last backup of a database that is gone, unless a person has decided that it stays.
    pub fn last_one(&self) -> Option<&'a Snapshot> {
        self.newest_good().filter(|it| self.database.is_none() && !it.tags.contains_key(keys::KEEP))
    }

    /// The rule that the group is judged by, unless all of it has to stay.
    pub fn rule(&self, region: Option<&Region>, now: &Zoned) -> Result<Retention, Leave> {
        let leave = |reason: String| Leave { reason, trouble: None };
        let newest = || self.newest_good().ok_or_else(|| leave(format!("{} has no good backup", self.name())));
        let Some(database) = self.database else {
            let newest = newest()?;
            let rule = newest.tags.get(keys::RETAINED_BY).ok_or_else(|| {
                leave(format!("{} is gone, and {} does not say how long backups stay", self.name(), newest.id))
            })?;
            let rule = BackupRule::remembered(rule);
            return rule
                .map(|it| it.retention)
                .map_err(|bad| leave(format!("{} is gone, and of {} {bad}", self.name(), newest.id)));
        };
        let Some(tag) = database.tags.get(keys::BACKUP) else {
            return Err(leave(format!("{} no longer has the tag {}", database.id, keys::BACKUP)));
        };
        let rule: BackupRule = tag
            .parse()
            .map_err(|bad| Leave { reason: format!("{bad}"), trouble: Some(Trouble::new("bad-tag", bad)) })?;
        // Where nothing is copied any more the copies grow old, and nothing is wrong with that.
        let fed = region.is_none_or(|it| rule.copy.as_ref() == Some(it));
        let Some(newest) = self.newest_good().and_then(Snapshot::taken_at) else {
            return newest().map(|_| rule.retention);
        };
        if fed && now.timestamp().duration_since(newest) > STALE_AFTER {
            let place = region.map(|it| format!(" in {it}")).unwrap_or_default();
            let reason = format!(
                "no snapshot is deleted: its newest good backup{place} is of {}, which is more than three days ago",
                when(newest, now)
            );
            let look = if region.is_some() { LOOK_AT_COPIES } else { LOOK_AT_SNAPSHOTS };
            let failing = Trouble::new("backups-failing", format!("{reason}; {look}"));
            return Err(Leave { reason, trouble: (!database.is_asleep()).then_some(failing) });
        }
        Ok(rule.retention)
    }

    pub fn judge(
        &self,
        rule: &Retention,
        spare: &dyn Fn(&Snapshot) -> Option<String>,
        place: &mut Place<'_>,
        now: &Zoned,
        plan: &mut Plan<Step>,
    ) {
        let good: Vec<(&Snapshot, Timestamp)> =
            self.snapshots.iter().filter(|it| it.is_good()).filter_map(|it| Some((*it, it.taken_at()?))).collect();
        let moments: Vec<Timestamp> = good.iter().map(|(_, taken)| *taken).collect();
        let newest = self.newest_good().map(|it| it.arn.as_str());
        let proven = self.newest_proven().map(|it| it.arn.as_str());
        let judged = match self.database {
            Some(_) => rule.judge(&moments, now),
            None => rule.judge_gone(&moments, now),
        };
        let has_ended = self.database.is_none() && judged.iter().all(Option::is_none);
        let reasons = good.iter().map(|(it, _)| it.arn.as_str()).zip(judged);
        let mut reasons: BTreeMap<&str, Option<String>> = reasons.collect();
        for snapshot in &self.snapshots {
            let by_rule = reasons.remove(snapshot.arn.as_str());
            let stays = match by_rule {
                // The newest is kept by every rule but `gone=`; that it stays must not depend on a count.
                _ if newest == Some(snapshot.arn.as_str()) && !has_ended => {
                    let also = by_rule.flatten().filter(|it| it != "newest").map(|it| format!(", {it}"));
                    Some(format!("newest good snapshot of {}{}", self.name(), also.unwrap_or_default()))
                }
                _ if proven == Some(snapshot.arn.as_str()) && !has_ended => {
                    let also = by_rule.flatten().map(|it| format!(", {it}"));
                    Some(format!("newest snapshot that a restore drill has proven{}", also.unwrap_or_default()))
                }
                Some(Some(reason)) => Some(reason),
                Some(None) => self.spared(snapshot, spare),
                None => self.unfinished(snapshot, now).or_else(|| self.spared(snapshot, spare)),
            };
            match stays {
                Some(reason) => {
                    place.kept.insert(snapshot.arn.clone());
                    plan.skip(&snapshot.arn, reason);
                }
                None => {
                    let reason = match snapshot.is_good() {
                        true if has_ended => {
                            format!("{} is gone for longer than {rule} keeps its last one", self.name())
                        }
                        true => format!("not kept by {rule}"),
                        false => "it failed, so it is not a backup".into(),
                    };
                    plan.examined(&snapshot.arn, &snapshot.tags);
                    plan.act(&snapshot.arn, Step::of(snapshot, place.region, now), reason);
                }
            }
        }
    }

    fn spared(&self, snapshot: &Snapshot, spare: &dyn Fn(&Snapshot) -> Option<String>) -> Option<String> {
        let tagged = snapshot.tags.contains_key(keys::KEEP).then(|| format!("it has the tag {}", keys::KEEP));
        tagged.or_else(|| spare(snapshot))
    }

    /// Why a snapshot that is not a good backup stays nevertheless.
    fn unfinished(&self, snapshot: &Snapshot, now: &Zoned) -> Option<String> {
        let age = snapshot.taken_at().map(|it| now.timestamp().duration_since(it));
        match (snapshot.status.as_str(), age) {
            ("failed", Some(age)) if age > FAILED_STAYS => None,
            ("failed", Some(_)) => Some("it failed less than a day ago".into()),
            ("failed", None) => Some("it failed, and AWS does not say when".into()),
            (status, _) => Some(format!("it is {status}")),
        }
    }
}
