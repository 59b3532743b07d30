//! What to do about each instance. Pure: no clock, no environment, no AWS.
//!
//! Instances with the same tag are a fleet: [`plan`] decides each fleet as a whole, the same whatever event led here, and
//! nothing once it is done. What it lacks to decide is part of its answer.

mod answer;
mod apply_command;
mod case;
mod command;
mod decision;
mod draft;
mod fleet;
mod gate;
mod go_back;
mod group;
mod join;
mod next;
mod settle;
mod status;
mod step;
mod wanted;
mod world;

#[cfg(test)]
mod tests;

use jiff::Zoned;
use reconcile::Plan;
use rules::keys;

pub use answer::answer_of;
pub use command::{Command, Scope};
pub use decision::Decision;
pub use step::{Send, Step};
pub use wanted::wanted;
pub use world::{Fact, Group, Instance, Invocation, Observation, World};

/// What to do about the instances of `world`, as far as `command` and their tags say.
pub fn plan(world: &World, scope: &Scope, command: Option<&Command>, now: &Zoned) -> Decision {
    let plan = Plan::remembering(keys::COMPOSE_PROBLEM);
    let mut decision = Decision { plan, ..Decision::default() };
    let fleets = fleet::fleets(world, scope);
    if let (Scope::Instance(name), Some(_)) = (scope, command)
        && let Err(why) = fleet::is_one(name, &fleets)
    {
        decision.plan.refuse(why);
        return decision;
    }
    if let (Scope::Instance(name), true) = (scope, fleets.is_empty()) {
        decision.plan.skip(name, format_args!("it has no {} tag", keys::DEPLOY));
    }
    for fleet in &fleets {
        fleet::decide(fleet, scope, command, now, &mut decision);
    }
    decision
}
