//! What was observed, as plain data: services, task definitions, images and past deployments.

mod code_deploy;
mod fact;
mod need;
mod origin;
mod scheduled;
mod service;
mod shift;

mod task_definition;

use std::collections::{BTreeMap, BTreeSet};

pub use choose::Image;
use rules::Digest;
use rules::keys::UnknownKey;

pub use code_deploy::{Attempt, CodeDeploy, Group, Source, Status, group_of};
pub use fact::{Ended, Fact, Health, Look, Observation, Target, Task};
pub use gates::Calendar;
#[cfg(test)]
pub use gates::{Finding, Grade, Scan, ScanState};
pub use need::{Found, Need};
pub use origin::{Fired, Origin};
#[cfg(test)]
pub use rules::database::Backup;
pub use scheduled::{ScheduleGroup, Scheduled};
pub use service::*;
pub use shift::{Pause, PauseState, Shift};
#[cfg(test)]
pub use task_definition::{DELETED_ONLY, OUTPUT_ONLY};
pub use task_definition::{ImageName, TaskDefinition, family, short_name};

/// A snapshot of everything that the decision depends on.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The services that were asked about and exist, in the order of their ARNs.
    pub services: Vec<Service>,
    /// Whether that is all that opted in.
    pub whole: bool,
    /// Task definitions by ARN: those in use, the newest of each family, and where trouble is, earlier ones.
    pub task_definitions: BTreeMap<String, TaskDefinition>,
    /// The ARN of the newest active revision of each family that has one.
    pub newest_revision: BTreeMap<String, String>,
    /// Why a task definition or a whole family could not be read, by ARN or by family.
    pub unreadable: BTreeMap<String, String>,
    /// The images of each repository that was asked about, or why they could not be listed.
    pub repositories: BTreeMap<String, Result<Vec<Image>, String>>,
    /// The digests that ECS pinned for the containers of a service when its deployment began, by service and container,
    /// where it was asked, or why it would not say.
    pub pinned: BTreeMap<String, Result<BTreeMap<String, Digest>, String>>,
    /// The past deployments of services, newest first, where they were asked about, or why they could not be listed.
    pub history: BTreeMap<String, Result<Vec<Rollout>, String>>,
    /// What gates asked for.
    pub facts: BTreeMap<Fact, Observation>,
    /// What CodeDeploy told of the services that it deploys, where it was asked, or why nothing, and how to fix that.
    pub code_deploy: BTreeMap<String, Result<CodeDeploy, String>>,
    /// The newest deployments of services whose deployments shift traffic or pause, or why they could not be read.
    pub shifts: BTreeMap<String, Result<Shift, String>>,
    pub missing: Vec<Missing>,
    /// The groups of schedules that follow a service, where this run looks at them.
    pub groups: Vec<ScheduleGroup>,
    /// The roles of schedules that may be changed.
    pub schedule_roles: BTreeSet<String>,
    pub calendar: Calendar,
    /// Tag keys of the region that look like Nightshift's and are not, or why they could not be listed: in a dry run only.
    pub unknown_tags: Vec<Result<UnknownKey, String>>,
}

impl World {
    /// Takes in what ECS told of a deployment that shifts traffic or pauses. A pause at which nobody answered says nothing
    /// against the image.
    pub fn learn_shift(&mut self, service: &str, deployment: &str, told: Result<Shift, String>) {
        let expired = told
            .as_ref()
            .is_ok_and(|it| it.pauses.iter().any(|it| it.state == PauseState::TimedOut && !it.then_continues));
        let Some(Ok(history)) = self.history.get_mut(service) else { return };
        let Some(at) = history.iter().position(|it| it.arn.as_deref() == Some(deployment)) else { return };
        if matches!(history[at].end, RolloutEnd::TakenBack | RolloutEnd::GoingBack) {
            history[at].expired = expired;
        }
        if at == 0 {
            self.shifts.insert(service.to_owned(), told);
        }
    }

    /// Takes in what CodeDeploy told: the past of its services, and whether it goes back by itself.
    pub fn learn(&mut self, told: BTreeMap<String, Result<CodeDeploy, String>>) {
        for (arn, told) in told {
            if let Ok(told) = &told {
                self.history.insert(arn.clone(), Ok(told.rollouts()));
                if let Some(service) = self.services.iter_mut().find(|it| it.arn == arn) {
                    service.safety = Safety { gives_up: true, goes_back: told.group.goes_back };
                    service.bakes = told.group.waits;
                }
            }
            self.code_deploy.insert(arn, told);
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    pub resource: String,
    pub cause: Cause,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// The tag index still lists it, but it is gone.
    NotFound,
    /// AWS refused; the error in words.
    Denied(String),
}
