//! Which buckets to copy, and which copies to delete. Pure: no clock, no environment, no AWS.

mod case;
mod compare;
mod drill;
mod facts;
mod keep;
mod night;
mod pick;
mod restore;
mod sampler;
mod step;
mod versions;
mod world;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Zoned;
use reconcile::{Hint, Measure, Plan};
use rules::bucket::{BucketRule, Copies, Destination as Folders, Versions};
use rules::keys;

use case::Case;

pub use pick::{Picker, Version};
pub use sampler::Sampler;
pub use step::{Begin, Place, Restore, Step, TakeSample};
pub use world::{
    At, Bucket, Chosen, Compared, Contents, Destination, Drilling, Folder, Job, LifecycleRule, Listing, Lost, Manifest,
    Marker, NAME, Object, Obstacle, Part, REPORT, RestoreMarker, RestoreState, Restoring, SAMPLE, START, Sample, Scope,
    Setup, Side, Site, State, Versioning, Wanted, World, date_of_copy,
};

const AGE: &str = "BackupAgeHours";

/// What to do about the buckets of `world`.
pub fn plan(world: &World, scope: &Scope, now: &Zoned) -> Plan<Step> {
    let mut plan = Plan::remembering(keys::BUCKET_PROBLEM);
    let possible = match scope {
        Scope::Copy(name) => night::may_copy(world, name, now),
        Scope::Drill(name) => drill::may_drill(world, name, now),
        Scope::Everything | Scope::Restore(_) => Ok(()),
    };
    if let Err(why) = possible {
        plan.refuse(why);
        return plan;
    }
    if let Scope::Restore(wanted) = scope {
        match restore::begin(world, wanted, now) {
            Ok((bucket, step)) => plan.act(&bucket.arn, Step::Restore(step), "a person asks for it"),
            Err(why) => {
                plan.refuse(why);
                return plan;
            }
        }
    }
    let mut oldest: f64 = 0.0;
    for bucket in &world.buckets {
        plan.examined(&bucket.arn, &bucket.tags);
        restore::follow(bucket, world, now, &mut plan);
        let age = match case::rule(bucket, world) {
            Ok(BucketRule::Copies(rule)) => {
                let partition = bucket.arn.split_once(":::").map_or("", |it| it.0);
                plan.hint(&bucket.arn, Hint::Related(format!("{partition}:::{}", rule.to.bucket)));
                copy(bucket, rule, world, scope, now, &mut plan)
            }
            Ok(BucketRule::Versions(rule)) => keep_versions(bucket, &rule, world, &mut plan),
            Err(trouble) => {
                plan.trouble(&bucket.arn, trouble);
                None
            }
        };
        if let Some(value) = age {
            oldest = oldest.max(value);
            plan.measure(Measure { metric: AGE, kind: "Bucket", of: Some(bucket.name.clone()), value });
        }
    }
    for bucket in &world.only_drilled {
        plan.examined(&bucket.arn, &bucket.tags);
        drill::tell_without_copies(bucket, &format!("it has no tag {}", keys::BACKUP), &mut plan);
    }
    plan.measure(Measure { metric: AGE, kind: "Bucket", of: None, value: oldest });
    measure_drills(&mut plan);
    plan
}

/// What the alarm looks at: the worst of all buckets.
fn measure_drills(plan: &mut Plan<Step>) {
    for metric in ["DrillFailed", "DrillOverdue"] {
        let worst = plan.measures.iter().filter(|it| it.metric == metric).map(|it| it.value).reduce(f64::max);
        if let Some(value) = worst {
            plan.measure(Measure { metric, kind: "Bucket", of: None, value });
        }
    }
}

/// A bucket that is copied each night; returns how many hours old its newest good copy is.
fn copy(
    bucket: &Bucket,
    rule: Copies,
    world: &World,
    scope: &Scope,
    now: &Zoned,
    plan: &mut Plan<Step>,
) -> Option<f64> {
    let case = match Case::new(bucket, rule, world, now) {
        Ok(case) => case,
        Err(trouble) => {
            plan.trouble(&bucket.arn, trouble);
            return None;
        }
    };
    let steps = plan.steps.len();
    case.night(scope, plan);
    case.keep(plan);
    versions::tell_lingering(&case, plan);
    let drilled = case.drill(scope, plan).map(|it| format!("; {it}")).unwrap_or_default();
    if plan.steps.len() == steps && !plan.skipped.iter().any(|it| it.resource == bucket.arn) {
        plan.skip(&bucket.arn, case.state() + &drilled);
    }
    plan.fact(&bucket.arn, case.fact());
    case.age()
}

/// A bucket whose old versions S3 keeps; returns how many hours ago a moment may be that cannot be restored.
fn keep_versions(bucket: &Bucket, rule: &Versions, world: &World, plan: &mut Plan<Step>) -> Option<f64> {
    let found = match world.versioning.get(&bucket.name)? {
        Ok(found) => found,
        Err(why) => {
            plan.problem(&bucket.arn, "unreadable", format!("whether old versions are kept cannot be read: {why}"));
            return None;
        }
    };
    let is_sound = versions::check(bucket, rule, found, plan);
    drill::tell_without_copies(bucket, "its tag says mode=versions", plan);
    plan.fact(&bucket.arn, facts::of_versions(&bucket.name, rule, is_sound));
    if is_sound {
        plan.skip(&bucket.arn, format!("its old versions are kept for {} days", rule.days));
        return Some(0.0);
    }
    // Any moment of the rule may be lost, so that the alarm has to ring.
    Some(f64::from(rule.days.max(2)) * 24.0)
}

/// The buckets that are copied, each with its rule, by name: their destinations are to be read.
pub fn wanted_destinations(world: &World) -> BTreeMap<String, Copies> {
    let copied = world.buckets.iter().filter_map(|it| Some((it.name.clone(), case::copied(it, world)?)));
    copied.collect()
}

/// The buckets of which is to be known whether they keep old versions.
pub fn wanted_versioning(world: &World, scope: &Scope) -> Vec<String> {
    let restored = |it: &Bucket| matches!(scope, Scope::Restore(wanted) if wanted.bucket == it.name);
    let meant = world.buckets.iter().filter(|it| match case::rule(it, world) {
        Ok(BucketRule::Versions(_)) => true,
        Ok(BucketRule::Copies(_)) => restored(it),
        Err(_) => false,
    });
    meant.map(|it| it.name.clone()).collect()
}

/// The folders of restores that tags say are under way, by the names of their buckets.
pub fn wanted_restores(world: &World) -> BTreeMap<String, (Folders, String)> {
    let named = world.buckets.iter().filter_map(|it| {
        let value = it.tags.get(keys::BUCKET_RESTORE)?;
        Some((it.name.clone(), world::remembered(value)?))
    });
    named.collect()
}

/// The folder that a command asks to restore to, if it can be carried out as far as is known without a look at it.
pub fn wanted_site(world: &World, scope: &Scope, now: &Zoned) -> Option<(String, Folders, String)> {
    let Scope::Restore(wanted) = scope else { return None };
    let (_, name) = restore::place(world, wanted, now).ok()?;
    Some((wanted.bucket.clone(), wanted.to.clone(), name))
}

/// The ids of the jobs that are to be looked at, each with the folder of its copy.
pub fn wanted_jobs(world: &World, now: &Zoned) -> BTreeMap<String, Place> {
    let copied = world.buckets.iter().filter_map(|it| Some((it, case::copied(it, world)?)));
    let cases = copied.filter_map(|(bucket, rule)| Case::new(bucket, rule, world, now).ok());
    cases.flat_map(|case| case.jobs()).collect()
}

/// The copies whose samples are to be read, by the names of their buckets, each with what its marker says.
pub fn wanted_drills(world: &World, scope: &Scope, now: &Zoned) -> Vec<(String, Place, Marker)> {
    // A person who asks for something else does not wait for it.
    if *scope != Scope::Everything {
        return Vec::new();
    }
    let copied = world.buckets.iter().filter_map(|it| Some((it, case::copied(it, world)?)));
    let cases = copied.filter_map(|(bucket, rule)| Case::new(bucket, rule, world, now).ok());
    cases.filter_map(|case| case.sampled().map(|(place, it)| (case.bucket.name.clone(), place, it.clone()))).collect()
}

/// The buckets that are about to be copied, each with its destination: both are looked at once more before.
pub fn wanted_obstacles(world: &World, scope: &Scope, now: &Zoned) -> Vec<(Bucket, Place)> {
    let steps = plan(world, scope, now).steps.into_iter();
    let begun = steps.filter_map(|it| match it.step {
        Step::Begin(begin) => Some((begin.marker.source, begin.folder)),
        _ => None,
    });
    begun
        .filter_map(|(name, folder)| Some((world.buckets.iter().find(|it| it.name == name)?.clone(), folder)))
        .collect()
}
