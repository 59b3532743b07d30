//! Services that CodeDeploy deploys: which deployment group is theirs, and what its deployments amount to.

use jiff::{SignedDuration, Timestamp};

use super::service::{Rollout, RolloutEnd, ServiceName};

#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub application: String,
    pub name: String,
    /// The ECS services that it deploys; CodeDeploy takes one.
    pub services: Vec<ServiceName>,
    /// Whether CodeDeploy goes back by itself when a deployment fails.
    pub goes_back: bool,
    /// How long its deployments wait by its settings: for their traffic and before the old tasks end.
    pub waits: SignedDuration,
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.application, self.name)
    }
}

/// What CodeDeploy told of a service that it deploys.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeDeploy {
    pub group: Group,
    /// Its deployments, newest first: those since `since` and those that made the present task sets.
    pub attempts: Vec<Attempt>,
    /// The ids of all deployments since `since`.
    pub known: Vec<String>,
    /// How far back was looked.
    pub since: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Its id, `d-…`.
    pub id: String,
    /// The ARN of the task definition that it was meant to deploy, if that is known.
    pub task_definition: Option<String>,
    pub status: Status,
    /// The status as CodeDeploy calls it.
    pub said: String,
    /// What went wrong, as CodeDeploy calls it.
    pub code: String,
    /// The same with CodeDeploy's words.
    pub reason: String,
    /// CodeDeploy itself began it, to undo another one.
    pub undoes: bool,
    pub began: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    /// By what it was deployed.
    pub app_spec: Source,
}

/// The errors of CodeDeploy that say something about an image: its tasks did not get healthy, an alarm fired, a hook
/// that tests it failed. Everything else is a matter of permissions, limits, settings or AWS.
const OF_THE_IMAGE: [&str; 4] =
    ["ALARM_ACTIVE", "CUSTOMER_APPLICATION_UNHEALTHY", "HEALTH_CONSTRAINTS", "HOOK_EXECUTION_FAILURE"];

impl Attempt {
    /// Whether it failed for what the image did.
    pub fn blames_image(&self) -> bool {
        self.status == Status::Failed && OF_THE_IMAGE.contains(&self.code.as_str())
    }

    /// Whether it failed, and not for what the image did.
    pub fn failed_otherwise(&self) -> bool {
        self.status == Status::Failed && !self.blames_image()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Created, queued, in progress, baking or waiting for its traffic; or in a status that this version does not know.
    Open,
    /// It succeeded: the old tasks are gone.
    Succeeded,
    Failed,
    /// A person stopped it, or it waited too long for its traffic.
    Stopped,
}

/// Where the AppSpec of a deployment is.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// It says this.
    Text(String),
    /// It is where this function does not read.
    Elsewhere(String),
    /// It was not asked for, or is no longer there.
    Unread,
}

/// The deployment group among `groups` that deploys `service`; the error is a problem, with how to fix it.
pub fn group_of<'a>(service: &ServiceName, groups: &'a [Group]) -> Result<&'a Group, String> {
    let mut its = groups.iter().filter(|it| it.services.contains(service));
    match (its.next(), its.next()) {
        (Some(group), None) => Ok(group),
        (Some(one), Some(other)) => Err(format!(
            "the CodeDeploy deployment groups {one} and {other} both deploy it, so it cannot be told which is meant; \
             delete the one that is not used"
        )),
        (None, _) => {
            Err("its deployments are CodeDeploy's, but no deployment group of this account and region names it; \
             create an application and a deployment group for it, or use the ECS deployment controller"
                .into())
        }
    }
}

impl CodeDeploy {
    /// The deployment under way: CodeDeploy takes one at a time.
    pub fn under_way(&self) -> Option<&Attempt> {
        self.attempts.iter().find(|it| it.status == Status::Open)
    }

    /// The past as the rest of the decision knows it. What undoes a deployment deploys nothing, so it is left out.
    pub fn rollouts(&self) -> Vec<Rollout> {
        let rollout = |it: &Attempt| {
            Some(Rollout {
                arn: None,
                expired: false,
                pinned: Default::default(),
                task_definition: it.task_definition.clone()?,
                end: match it.status {
                    Status::Open => RolloutEnd::Open,
                    Status::Succeeded => RolloutEnd::Successful,
                    Status::Failed if !it.blames_image() => RolloutEnd::NotItsFault,
                    Status::Failed => RolloutEnd::TakenBack,
                    Status::Stopped => RolloutEnd::Stopped,
                },
                reason: it.reason.clone(),
                began: it.began,
            })
        };
        self.attempts.iter().filter(|it| !it.undoes).filter_map(rollout).collect()
    }

    /// The ARN of the task definition that is being deployed.
    pub fn target(&self) -> Option<&str> {
        self.under_way().filter(|it| !it.undoes)?.task_definition.as_deref()
    }
}
