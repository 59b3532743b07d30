//! Which snapshots to copy to another region, and in which order.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reconcile::{Measure, Plan, Trouble};
use rules::database::{Kind, Original, Snapshot, made_by, region_of};
use rules::keys;
use rules::partition::Partition;
use rules::retention::{BackupRule, COPIED_WITHIN, Region};

use super::case::{Case, attempt};
use super::step::{CopySnapshot, Step};
use super::tags::tags;
use super::world::World;

/// How many copies to one region are under way at a time; AWS allows twenty for the whole account.
const COPIES_AT_A_TIME: usize = 5;

/// A snapshot that is not copied after this is behind by more than a night.
const BEHIND: SignedDuration = SignedDuration::from_hours(26);

/// A snapshot that has to be copied.
struct Due<'a> {
    case: &'a Case<'a>,
    source: &'a Snapshot,
    region: &'a Region,
    key: Option<&'a str>,
    /// A copy that failed and has to be deleted first.
    failed: Option<&'a Snapshot>,
    taken: Timestamp,
    /// How many newer ones of its database are due too.
    rank: usize,
    /// When the newest snapshot of its database was taken that has been copied.
    newest_copied: Option<Timestamp>,
}

/// Begins the copies that are due, as many as may be under way.
///
/// The newest of each database comes first, and of these the one that has waited longest: in the order of names the
/// first five would be copied each night, and the others never.
pub fn copy_all(cases: &[Case<'_>], world: &World, plan: &mut Plan<Step>) {
    let mut under_way = under_way(world);
    let mut due: Vec<Due<'_>> = cases.iter().flat_map(|it| it.copies(plan)).collect();
    due.sort_by_key(|it| (it.rank, it.newest_copied, Reverse(it.taken), &it.case.database.arn));
    for it in due {
        let Due { source, region, .. } = it;
        if let Some(quota) = world.full.get(&(region.clone(), source.kind)).filter(|_| it.failed.is_none()) {
            let message = format!(
                "no copy to {region}: the quota there is used up. It allows {quota} manual {} snapshots: shorten the rules, or raise the quota \"Manual {} snapshots\" there in Service Quotas",
                source.kind, source.kind
            );
            plan.problem(&it.case.database.arn, "copy-quota", message);
            continue;
        }
        let moving = under_way.entry(region.clone()).or_default();
        if *moving >= COPIES_AT_A_TIME {
            let reason = format!("{COPIES_AT_A_TIME} copies to {region} are under way; a later run copies it");
            plan.skip(&source.arn, reason);
            continue;
        }
        *moving += 1;
        let why = match it.failed {
            Some(_) => "its copy failed".into(),
            None => format!("it has no copy in {region}"),
        };
        plan.act(&source.arn, it.step(), why);
    }
}

/// How many copies to each region are under way; what is made there of databases there is not a copy.
fn under_way(world: &World) -> BTreeMap<Region, usize> {
    let moving = |it: &&Snapshot| it.is_copy() && matches!(it.status.as_str(), "creating" | "copying");
    let copies = world.copies.iter().filter_map(|(region, copies)| Some((region, copies.as_ref().ok()?)));
    copies.map(|(region, copies)| (region.clone(), copies.iter().filter(moving).count())).collect()
}

impl Due<'_> {
    fn step(&self) -> Step {
        let Due { source, region, .. } = self;
        let id = source.copy_id();
        let original = Original { arn: &source.arn, database_resource_id: source.database_resource_id.as_deref() };
        let mut remembered = vec![
            (keys::MADE_BY, made_by("snapshot-databases", &id, region.name())),
            (keys::TAKEN, format!("{:.0}", self.taken)),
            (keys::COPY_OF, original.to_string()),
        ];
        remembered.extend(self.failed.map(|it| (keys::ATTEMPT, (attempt(it) + 1).to_string())));
        let not_copied = [keys::SNAPSHOT_PROBLEM, keys::PRUNE_PROBLEM, keys::ATTEMPT];
        Step::CopySnapshot(CopySnapshot {
            kind: source.kind,
            database: source.database.clone(),
            id,
            source: source.arn.clone(),
            region: (*region).clone(),
            key: self.key.filter(|_| source.encrypted).map(str::to_owned),
            signed_for: signed_for(source),
            option_group: source.option_group.clone(),
            tags: tags(&source.tags, &remembered, |key| !not_copied.contains(&key)),
            replaces: self.failed.is_some(),
        })
    }
}

impl<'a> Case<'a> {
    /// What has to be copied and is not there yet; tells what stands in its way.
    fn copies(&'a self, plan: &mut Plan<Step>) -> Vec<Due<'a>> {
        let Some(region) = &self.rule.copy else { return Vec::new() };
        let arn = &self.database.arn;
        let Some((region, key)) = self.world.copy_keys.get_key_value(region) else {
            let message =
                format!("copy={region}: the stack may not copy there; add {region} to its parameter CopyRegions");
            plan.problem(arn, "no-copy-region", message);
            return Vec::new();
        };
        let copies = match self.world.copies.get(region) {
            Some(Ok(copies)) => copies,
            Some(Err(error)) => {
                plan.problem(
                    arn,
                    "unreadable-region",
                    format!("copy={region}: the copies there cannot be read: {error}"),
                );
                return Vec::new();
            }
            None => return Vec::new(),
        };
        let newest_copied = self.newest_copied();
        self.tell_lag(region, newest_copied, plan);
        let mut due: Vec<Due<'a>> = Vec::new();
        for (source, taken) in self.sources() {
            let id = source.copy_id();
            let existing = copies.iter().find(|it| it.kind == source.kind && it.id == id);
            let failed = match existing {
                None => None,
                Some(it) if it.original().map(|it| it.arn) != Some(source.arn.as_str()) => {
                    let message = format!(
                        "copy={region}: the id of the copy is taken. {id} exists there and is not a copy of {}: copy it to another id, then delete it",
                        source.id
                    );
                    plan.problem(arn, "id-taken", message);
                    continue;
                }
                Some(it) if it.status == "failed" && it.is_ours() => {
                    let says = self.rds_says(it);
                    plan.problem(
                        arn,
                        "copy-failing",
                        format!("copy={region}: {id} failed; {says}; it is copied again once an hour"),
                    );
                    if !self.is_due_again(it) {
                        continue;
                    }
                    Some(it)
                }
                Some(it) => {
                    let progress =
                        it.progress.filter(|_| !it.is_good()).map(|it| format!(", {it} %")).unwrap_or_default();
                    plan.skip(&source.arn, format!("its copy in {region} is {}{progress}", it.status));
                    continue;
                }
            };
            if let Some(trouble) = cannot_copy(source, region, key.as_deref()) {
                plan.trouble(arn, trouble);
                return Vec::new();
            }
            plan.examined(&source.arn, &source.tags);
            let rank = due.len();
            due.push(Due { case: self, source, region, key: key.as_deref(), failed, taken, rank, newest_copied });
        }
        due
    }

    /// The copies of it that failed, each with its region.
    pub fn failed_copies(&self) -> impl Iterator<Item = (&Region, &Snapshot)> {
        let failed = |it: &&Snapshot| it.status == "failed" && it.is_ours();
        let region = self.rule.copy.as_ref();
        self.copied.iter().copied().filter(failed).filter_map(move |it| Some((region?, it)))
    }

    /// What may be copied, the newest first.
    fn sources(&self) -> Vec<(&Snapshot, Timestamp)> {
        let good = self.ours().filter(|it| it.is_good()).filter_map(|it| Some((it, it.taken_at()?)));
        let mut sources: Vec<(&Snapshot, Timestamp)> =
            good.filter(|(_, taken)| self.since(*taken) <= COPIED_WITHIN).collect();
        sources.sort_by(|(a, taken_a), (b, taken_b)| (taken_b, &b.id).cmp(&(taken_a, &a.id)));
        sources
    }

    pub fn newest_copied(&self) -> Option<Timestamp> {
        let good = self.copied.iter().filter(|it| it.is_good() && it.is_copy());
        good.filter_map(|it| it.taken_at()).max()
    }

    /// Measures for how long a snapshot has been waiting for its copy, and tells it after more than a night.
    ///
    /// Only those count that were taken while `copy=` asked for it, which they remember: whoever adds it today has not
    /// been waiting since the oldest of them. What sleeps makes no new ones, so it falls behind by nothing.
    fn tell_lag(&self, region: &Region, newest_copied: Option<Timestamp>, plan: &mut Plan<Step>) {
        let asked = |it: &Snapshot| {
            let rule = it.tags.get(keys::RETAINED_BY).and_then(|it| BackupRule::remembered(it).ok());
            rule.is_some_and(|it| it.copy.as_ref() == Some(region))
        };
        let good = self.ours().filter(|it| it.is_good() && asked(it)).filter_map(|it| Some((it.taken_at()?, &it.id)));
        let waiting = good.filter(|(taken, _)| newest_copied.is_none_or(|copied| *taken > copied)).min();
        let lag = waiting.map_or(SignedDuration::ZERO, |(taken, _)| self.since(taken));
        let value = lag.as_secs_f64().max(0.0) / 3600.0;
        let of = Some(self.database.id.clone());
        plan.measure(Measure { metric: "CopyAgeHours", kind: "Database", of, value });
        if let Some((taken, id)) = waiting.filter(|_| lag > BEHIND) {
            plan.problem(
                &self.database.arn,
                "copy-late",
                format!(
                    "its copy to {region} is more than a day late; {id}, taken on {}, has none: look at the copies that are \
                     under way there, and at failed runs of snapshot-databases",
                    self.local(taken)
                ),
            );
        }
    }

    /// Whether a copy of it is being made anew: then nobody knows yet whether what was told is over.
    pub fn is_copying_again(&self) -> bool {
        self.copied.iter().any(|it| attempt(it) > 1 && matches!(it.status.as_str(), "creating" | "copying"))
    }
}

/// The region that RDS needs a signed URL of, in the partitions where it does.
fn signed_for(source: &Snapshot) -> Option<String> {
    let needs_it = source.encrypted && Partition::of_arn(&source.arn).is_some_and(Partition::copies_need_a_signed_url);
    region_of(&source.arn).filter(|_| needs_it).map(str::to_owned)
}

fn cannot_copy(source: &Snapshot, region: &Region, key: Option<&str>) -> Option<Trouble> {
    if source.kind == Kind::Cluster && !source.engine.starts_with("aurora") {
        let message = format!("copy={region}: AWS does not copy snapshots of Multi-AZ DB clusters; remove the option");
        return Some(Trouble::new("cannot-copy", message));
    }
    if region_of(&source.arn) == Some(region.name()) {
        let message = format!("copy={region}: that is the region of the database; name another one");
        return Some(Trouble::new("cannot-copy", message));
    }
    if source.encrypted && key.is_none() {
        let message = format!(
            "copy={region}: a copy needs a KMS key of that region; the snapshots are encrypted: \
             give it in the stack's parameter CopyRegions, as {region}=arn:aws:kms:{region}:…"
        );
        return Some(Trouble::new("no-copy-key", message));
    }
    None
}
