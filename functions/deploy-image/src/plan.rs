//! What to do about each service. Pure: no clock, no environment, no AWS.
//!
//! [`plan`] looks at every service on its own and decides the one thing to do next: the same whatever event led here,
//! and nothing once it is done. What it lacks to decide is part of its answer.

mod app_spec;
mod apply_command;
mod case;
mod command;
mod config;
mod deployer;
mod draft;
mod evidence;
mod facts;
mod follow;
mod gate;
mod go_back;
mod leave;
mod memory;
mod motion;
mod next;
mod offer;
mod part;
mod past;
mod platform;
mod preflight;
mod promote;
mod proven;
mod rollback;
mod send;
mod shift;
mod status;
mod step;
mod targets;
mod together;
mod verdict;
mod wakes;
mod wanted;
mod watched;
mod world;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::Zoned;
use reconcile::{Hint, Plan, Trouble};
use rules::keys;

pub use app_spec::task_definition_in;
pub use command::{Command, Scope, promotes_from};
pub use follow::followed;
pub use gate::STARTED_BY;
#[cfg(test)]
pub use gate::run_name;
pub use step::{
    CreateDeployment, DeployVia, Follow, MemoryChange, Migrate, Revision, Step, Stop, StoppedBy, Unchanged,
};
#[cfg(test)]
pub use step::{Deploy, RollBack};
pub use targets::{judge as judge_targets, target_groups};
pub use wanted::{LOOK_BACK, repositories, wanted_revisions, wanted_shifts, wants_history, wants_pinned};
pub use world::*;

use case::{Case, Leave};

/// What is decided about all services of a run.
#[derive(Debug, Default)]
pub struct Decision {
    /// What to do; not to be carried out while something is lacking.
    pub plan: Plan<Step>,
    /// What has to be observed first. A gate asks for it only when an image stands before it, so it is known no sooner.
    pub lacking: BTreeSet<Fact>,
}

const NO_SUCH_SERVICE: &str = "there is no such service in this region: name one that is there, as CLUSTER/SERVICE";

/// What to do about the services of `world`, as far as `command` and their tags say.
pub fn plan(world: &World, scope: &Scope, command: Option<&Command>, now: &Zoned) -> Decision {
    let (mut plan, mut lacking) = (Plan::remembering(keys::PROBLEM), BTreeSet::new());
    let status = matches!(command, Some(Command::Status { .. }));
    for missing in &world.missing {
        match &missing.cause {
            cause if status => plan.refuse(match cause {
                Cause::NotFound => format!("there is no service {}", missing.resource),
                Cause::Denied(error) => error.clone(),
            }),
            Cause::NotFound if command.is_some() => {
                plan.problem(&missing.resource, "no-such-service", NO_SUCH_SERVICE);
            }
            Cause::NotFound => plan.skip(&missing.resource, "it no longer exists"),
            Cause::Denied(error) => {
                plan.trouble(&missing.resource, Trouble::unreadable("unreadable", "the service", error))
            }
        }
    }
    for unknown in &world.unknown_tags {
        match unknown {
            Ok(it) => plan.problem(&it.key, "unknown-tag", format_args!("no function knows this tag; {}", it.hint())),
            Err(error) => plan.trouble("tag keys", Trouble::unreadable("unreadable", "which tags there are", error)),
        }
    }
    for service in &world.services {
        let examined = |plan: &mut Plan<Step>| plan.examined(&service.arn, &service.tags);
        let cases = Case::all(service, world);
        if let Some(Command::Status { image }) = command {
            status::tell(service, &cases, image, now, &mut plan, &mut lacking);
            continue;
        }
        for case in &cases {
            match case {
                Ok(case) => {
                    examined(&mut plan);
                    plan.fact(&service.arn, facts::image(case, now));
                    let groups = case.revision.log_groups();
                    groups.for_each(|it| plan.hint(&service.arn, Hint::LogGroup(it.to_owned())));
                }
                Err(Leave::Problem(trouble)) => {
                    examined(&mut plan);
                    plan.trouble(&service.arn, trouble.clone());
                }
                Err(Leave::Skip(reason)) if command.is_some() => plan.problem(&service.arn, "not-ours", reason),
                Err(Leave::Skip(reason) | Leave::Elsewhere(reason)) => plan.skip(&service.arn, reason),
            }
        }
        together::decide(service, &cases, command, now, &mut plan, &mut lacking);
    }
    for group in &world.groups {
        follow::decide(group, world, &mut plan, &mut lacking);
    }
    match scope {
        Scope::DeploymentGroup { application, group } if world.services.is_empty() && world.missing.is_empty() => {
            plan.skip(&format!("{application}/{group}"), "this deployment group of CodeDeploy deploys no ECS service");
        }
        _ => {}
    }
    Decision { plan, lacking }
}
