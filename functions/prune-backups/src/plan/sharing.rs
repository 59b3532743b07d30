//! Whether snapshots that are to go are shared with other accounts, which only a call for each of them tells.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Zoned;
use reconcile::{Plan, Step as _};
use rules::database::region_of;

use super::snapshots;
use super::step::{DeleteSnapshot, Step};
use super::world::{Sharing, World};

/// The snapshots of which it has to be known whether they are shared, by ARN: those that would go otherwise.
///
/// Where they are more than may go in one run, the plan is refused whole, and nothing has to be asked.
pub fn to_ask(world: &World, now: &Zoned, max_changes: usize) -> Vec<(String, DeleteSnapshot)> {
    let mut plan = Plan::new();
    snapshots::plan(world, now, &mut plan);
    if plan.steps.iter().map(|it| it.step.counts_as().0).sum::<usize>() > max_changes {
        return Vec::new();
    }
    let snapshot = |step| match step {
        Step::DeleteSnapshot(it) => Some(it),
        Step::DeleteImages(_) => None,
    };
    plan.steps.into_iter().filter_map(|it| Some((it.resource, snapshot(it.step)?))).collect()
}

/// The keys of which it has to be known whether they are the default key of RDS, each with the ARNs of the snapshots that
/// are to go and are encrypted with it.
///
/// AWS shares no snapshot that is encrypted with that key ("Sharing encrypted snapshots" in the guides of RDS and Aurora),
/// and the key of a snapshot never changes. Of a single snapshot the question itself is no more than this one.
pub fn keys_to_ask<'a>(world: &'a World, doomed: &[(String, DeleteSnapshot)]) -> BTreeMap<&'a str, Vec<&'a str>> {
    let doomed: BTreeSet<&str> = doomed.iter().map(|(arn, _)| arn.as_str()).collect();
    let mut keys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for snapshot in world.snapshots.iter().filter(|it| doomed.contains(it.arn.as_str())) {
        let here = |it: &&String| region_of(it) == Some(world.region.as_str());
        if let Some(key) = snapshot.key.as_ref().filter(here) {
            keys.entry(key).or_default().push(&snapshot.arn);
        }
    }
    keys.retain(|_, it| it.len() > 1);
    keys
}

/// Tells why snapshots stay of which it cannot be told; once, since the reason is mostly one.
pub fn tell(world: &World, plan: &mut Plan<Step>) {
    let error = world.sharing.values().find_map(|it| match it {
        Sharing::Unreadable(error) => Some(error),
        _ => None,
    });
    if let Some(error) = error {
        let message = format!(
            "it cannot be told which snapshots are shared with other accounts, so those stay: {error}; \
             fix that, or deploy the stack with KeepShared=false if you share none"
        );
        plan.problem("sharing of snapshots", "unreadable-sharing", message);
    }
}
