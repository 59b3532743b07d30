//! Which buckets to copy, and which copies to delete. Pure: no clock, no environment, no AWS.

mod case;
mod keep;
mod night;
mod step;
mod world;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Zoned;
use reconcile::{Measure, Plan};
use rules::bucket::BucketRule;
use rules::keys;

use case::Case;

pub use step::{Begin, Place, Step};
pub use world::{Bucket, Destination, Folder, Job, Lost, Marker, NAME, Obstacle, REPORT, Scope, Setup, State, World};

const AGE: &str = "BackupAgeHours";

/// What to do about the buckets of `world`.
pub fn plan(world: &World, scope: &Scope, now: &Zoned) -> Plan<Step> {
    let mut plan = Plan::remembering(keys::BUCKET_PROBLEM);
    if let Scope::Copy(name) = scope
        && let Err(why) = night::may_copy(world, name, now)
    {
        plan.refuse(why);
        return plan;
    }
    let mut oldest: f64 = 0.0;
    for bucket in &world.buckets {
        plan.examined(&bucket.arn, &bucket.tags);
        let case = match Case::read(bucket, world, now) {
            Ok(case) => case,
            Err(trouble) => {
                plan.trouble(&bucket.arn, trouble);
                continue;
            }
        };
        let steps = plan.steps.len();
        case.night(scope, &mut plan);
        case.keep(&mut plan);
        if plan.steps.len() == steps && !plan.skipped.iter().any(|it| it.resource == bucket.arn) {
            plan.skip(&bucket.arn, case.state());
        }
        if let Some(value) = case.age() {
            oldest = oldest.max(value);
            plan.measure(Measure { metric: AGE, kind: "Bucket", of: Some(bucket.name.clone()), value });
        }
    }
    plan.measure(Measure { metric: AGE, kind: "Bucket", of: None, value: oldest });
    plan
}

/// The buckets with a rule that can be carried out, each with it, by name: their destinations are to be read.
pub fn wanted_destinations(world: &World) -> BTreeMap<String, BucketRule> {
    let sound = world.buckets.iter().filter_map(|it| Some((it.name.clone(), case::rule(it, world).ok()?)));
    sound.collect()
}

/// The ids of the jobs that are to be looked at, each with the folder of its copy.
pub fn wanted_jobs(world: &World, now: &Zoned) -> BTreeMap<String, Place> {
    let cases = world.buckets.iter().filter_map(|it| Case::read(it, world, now).ok());
    cases.flat_map(|case| case.jobs()).collect()
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
