//! Sleepers that lost the tag that opts in: nothing may be done about them, but people have to know.

use std::collections::BTreeMap;

use jiff::Zoned;
use reconcile::{Plan, when};
use rules::keys;
use rules::sleep::Asleep;

use super::command::Scope;
use super::step::Step;
use super::world::World;

/// Tells of each what it was before it was put to sleep, and how it comes back.
pub fn tell(world: &World, scope: &Scope, now: &Zoned, plan: &mut Plan<Step>) {
    if *scope != Scope::Everywhere {
        return;
    }
    // A database that runs is awake, whatever is remembered of it.
    let databases =
        world.databases.iter().filter(|it| it.database.status == "stopped" && is_left_behind(&it.database.tags));
    let databases = databases.map(|it| {
        let own = (it.database.resource_id.as_deref(), it.created_at);
        (&it.database.arn, (&it.database.tags, own))
    });
    // The index may be behind: a service that is gone is not left behind.
    let services = world.left_behind.iter().filter(|it| it.status == "ACTIVE" && is_left_behind(&it.tags));
    let services = services.map(|it| (&it.arn, (&it.tags, (None, None))));
    let instances = world.instances.iter().filter(|it| it.state == "stopped" && is_left_behind(&it.tags));
    let instances = instances.map(|it| (&it.arn, (&it.tags, (Some(it.id.as_str()), None))));
    let jobs = world.jobs_left_behind.iter().filter(|(_, tags)| is_left_behind(tags));
    let jobs = jobs.map(|(arn, tags)| (arn, (tags, (None, None))));
    let all: BTreeMap<_, _> = services.chain(databases).chain(instances).chain(jobs).collect();
    for (arn, (tags, (own, created))) in all {
        let Some(memory) = tags.get(keys::ASLEEP) else { continue };
        // There the number is not one of its size.
        let is_jobs = arn.contains(":schedule-group/");
        let was = match memory.parse::<Asleep>() {
            // It was down before, and lost nothing.
            Ok(Asleep { desired: Some(0), limits: None, .. }) if !is_jobs => continue,
            // It was restored from a snapshot, and the one that slept was another.
            Ok(asleep) if asleep.is_of_another(own, created) => continue,
            Ok(asleep) => {
                let things = match arn.contains(":autoScalingGroup:") {
                    true => Some("instances"),
                    false => (!is_jobs).then_some("tasks"),
                };
                in_words(&asleep, things, now)
            }
            Err(_) => format!("was put to sleep ({}={memory})", keys::ASLEEP),
        };
        plan.examined(arn, tags);
        let message = format!(
            "nothing wakes it: it has lost its tag {0}; it {was}. Put the tag back ({0}=always wakes it now), or restore it by hand and remove the tag {1}",
            keys::SCHEDULE,
            keys::ASLEEP
        );
        plan.problem(arn, "left-behind", message);
    }
}

/// Whether something was put to sleep and does not say any more that it may be woken.
pub fn is_left_behind(tags: &BTreeMap<String, String>) -> bool {
    tags.contains_key(keys::ASLEEP) && !tags.contains_key(keys::SCHEDULE)
}

fn in_words(asleep: &Asleep, things: Option<&str>, now: &Zoned) -> String {
    let since = when(asleep.since, now);
    let tasks = asleep.desired.zip(things).map(|(it, things)| format!("{it} {things}"));
    let limits = asleep.limits.map(|it| format!("min {} and max {} of its scaling", it.min, it.max));
    let had: Vec<String> = tasks.into_iter().chain(limits).collect();
    let had = if had.is_empty() { String::new() } else { format!(" (it had {})", had.join(", ")) };
    format!("was put to sleep on {since}{had}")
}
