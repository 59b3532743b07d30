//! Whether snapshots that are to go are shared with other accounts, which only a call for each of them tells.

use jiff::Zoned;
use reconcile::{Plan, Step as _};

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
