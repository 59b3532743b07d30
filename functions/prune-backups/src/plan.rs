//! What to delete. Pure: no clock, no environment, no AWS.
//!
//! Everything here errs on the side of keeping: what is not understood stays, and the reason is said.

mod group;
mod images;
mod sharing;
mod snapshots;
mod step;
mod world;

#[cfg(test)]
mod tests;

use jiff::Zoned;
use reconcile::{Plan, Trouble};
use rules::keys;

pub use images::{tag_revisions, ways_back};
pub use sharing::{keys_to_ask, to_ask};
pub use step::{DeleteImages, DeleteSnapshot, Step};
pub use world::{
    Group, Image, Instance, PinnedImage, Repository, Service, Sharing, Task, TaskDefinition, Usage, World,
};

/// What to delete of `world`.
pub fn plan(world: &World, now: &Zoned) -> Plan<Step> {
    let mut plan = Plan::remembering(keys::PRUNE_PROBLEM);
    snapshots::plan(world, now, &mut plan);
    sharing::tell(world, &mut plan);
    match &world.repositories {
        Ok(repositories) => images::plan(repositories, world.usage.as_ref(), now, &mut plan),
        Err(error) => {
            let what = "which of them have a rule";
            plan.trouble("ECR repositories", Trouble::unreadable("unreadable-repositories", what, error));
        }
    }
    plan
}
