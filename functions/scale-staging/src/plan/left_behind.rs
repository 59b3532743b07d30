//! Sleepers that lost the tag that opts in: nothing may be done about them, but somebody has to know.

use std::collections::BTreeMap;

use jiff::Zoned;
use reconcile::Plan;
use rules::keys;
use rules::sleep::Asleep;

use super::step::Step;
use super::world::World;
use crate::request::Place;

/// Tells of each what it was before it was put to sleep, and how it comes back.
pub fn tell(world: &World, place: &Place, now: &Zoned, plan: &mut Plan<Step>) {
    if *place != Place::Everywhere {
        return;
    }
    // A database that runs is awake, whatever is remembered of it.
    let databases = world.databases.iter().map(|it| &it.database).filter(|it| it.status == "stopped");
    let databases = databases.filter(|it| is_left_behind(&it.tags)).map(|it| (&it.arn, &it.tags));
    let services = world.left_behind.iter().map(|it| (&it.arn, &it.tags));
    let all: BTreeMap<_, _> = services.chain(databases).collect();
    for (arn, tags) in all {
        let Some(memory) = tags.get(keys::ASLEEP) else { continue };
        let was = match memory.parse::<Asleep>() {
            // It was down before, and lost nothing.
            Ok(Asleep { desired: Some(0), limits: None, .. }) => continue,
            Ok(asleep) => in_words(&asleep, now),
            Err(_) => format!("was put to sleep ({}={memory})", keys::ASLEEP),
        };
        plan.examined(arn, tags);
        let message = format!(
            "it {was} and has lost its tag {0}, so that nothing wakes it: put the tag back ({0}=always wakes it now), \
             or restore it by hand and remove the tag {1}",
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

fn in_words(asleep: &Asleep, now: &Zoned) -> String {
    let since = asleep.since.to_zoned(now.time_zone().clone()).strftime("%a %Y-%m-%d %H:%M");
    let tasks = asleep.desired.map(|it| format!("{it} tasks"));
    let limits = asleep.limits.map(|it| format!("min {} and max {} of its scaling", it.min, it.max));
    let had: Vec<String> = tasks.into_iter().chain(limits).collect();
    let had = if had.is_empty() { String::new() } else { format!(" (it had {})", had.join(", ")) };
    format!("was put to sleep on {since}{had}")
}
