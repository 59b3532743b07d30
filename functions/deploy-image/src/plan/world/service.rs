//! ECS services, their deployments and their past.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rules::Digest;
pub use rules::ServiceName;
use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub arn: String,
    pub name: ServiceName,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    /// Who carries out its deployments.
    pub controller: Controller,
    /// How ECS carries out its deployments.
    pub strategy: Strategy,
    /// What ECS does about a deployment that fails.
    pub safety: Safety,
    /// How its tasks are started.
    pub launch: Launch,
    pub desired: i32,
    pub running: i32,
    /// Its deployments as they stand now, the primary one first.
    pub deployments: Vec<Deployment>,
    /// The ARN of the task definition in use; with CodeDeploy the one that has the traffic.
    pub task_definition: String,
    /// How long its deployments wait by their own settings before they are complete.
    pub bakes: SignedDuration,
    /// Its deployments count as complete before all of their tasks run (`earlySuccessCriteria`).
    pub early_success: bool,
    /// Its deployments pause for a person.
    pub pauses: bool,
    /// What ECS said of it last.
    pub newest_event: Option<String>,
    /// The task sets between which CodeDeploy shifts its traffic; those that only wait for their end left out.
    pub task_sets: Vec<TaskSet>,
    /// The ARNs of the target groups that its tasks are registered in; with CodeDeploy those of the task set that has the
    /// traffic.
    pub target_groups: Vec<String>,
    /// Its deployments move between two target groups, so that only a service revision says which of them is in use.
    pub alternates: bool,
    /// The ARNs of the service revisions in use: two while a deployment is under way.
    pub revisions: Vec<String>,
    pub tags: BTreeMap<String, String>,
}

impl Service {
    /// The deployment that is under way, or that ECS has completed.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|it| it.primary)
    }
}

/// One of the task sets of a service that CodeDeploy deploys (`services[].taskSets[]`).
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSet {
    /// Its id, `ecs-svc/…`.
    pub id: String,
    /// It has the traffic.
    pub primary: bool,
    pub task_definition: String,
    /// The id of the CodeDeploy deployment that made it; the first one of a service is made without.
    pub deployment: Option<String>,
    pub began: Option<Timestamp>,
    /// What an AppSpec says of it besides the task definition: load balancer, platform version, network, capacity providers.
    pub properties: Value,
}

/// How the tasks of a service are started, and so those of its migration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Launch {
    /// `FARGATE`, unless capacity providers say so.
    pub launch_type: Option<String>,
    /// Where on the capacity providers.
    pub capacity: Vec<Capacity>,
    pub platform: Option<String>,
    /// The subnets, if they have an address of their own.
    pub subnets: Vec<String>,
    /// The security groups; none is the default one of the network.
    pub security_groups: Vec<String>,
    /// `ENABLED` or `DISABLED`.
    pub public_address: Option<String>,
}

/// An item of a capacity provider strategy.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    pub provider: String,
    /// How many of the tasks beyond the base go there, in relation to the others.
    pub weight: i32,
    /// How many go there at least.
    pub base: i32,
}

/// Who carries out a service's deployments (`deploymentController`).
#[derive(Debug, Clone, PartialEq)]
pub enum Controller {
    Ecs,
    CodeDeploy,
    /// ECS, as part of an Express Mode service, whose load balancer, scaling and deployments it owns.
    Express,
    /// Task sets from outside.
    External,
    /// One that this version does not know.
    Unknown(String),
}

/// How ECS carries out a deployment (`deploymentConfiguration.strategy`).
#[derive(Debug, Clone, PartialEq)]
pub enum Strategy {
    /// Task by task; a newer deployment supersedes one under way.
    Rolling,
    /// Blue/green, linear, canary, by CodeDeploy, or one that this version does not know: its name.
    Shifting(String),
}

/// What ECS does about a deployment that fails (circuit breaker and deployment alarms).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Safety {
    /// It gives up.
    pub gives_up: bool,
    /// It goes back to the last deployment that completed.
    pub goes_back: bool,
}

/// One of a service's deployments (`services[].deployments[]`).
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Its id, `ecs-svc/…`, or that of a task set.
    pub id: String,
    /// The one that is being deployed.
    pub primary: bool,
    pub task_definition: String,
    pub state: RolloutState,
    /// What ECS says of that.
    pub reason: String,
    /// How many of its tasks have failed.
    pub failed_tasks: i32,
    /// How many of its tasks run.
    pub running: i32,
    pub began: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutState {
    InProgress,
    /// It reached a steady state.
    Completed,
    /// ECS gave it up.
    Failed,
    /// ECS does not say, as with the shifting strategies.
    Unsaid,
}

/// One entry of a service's deployment history (ListServiceDeployments).
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// The ARN of the task definition that it was meant to deploy.
    pub task_definition: String,
    pub end: RolloutEnd,
    /// The digests that ECS pinned for its containers.
    pub pinned: BTreeMap<String, Digest>,
    /// What ECS says of that.
    pub reason: String,
    pub began: Option<Timestamp>,
    /// Its ARN, where ECS deploys.
    pub arn: Option<String>,
    /// It was taken back since nobody answered at a pause in time.
    pub expired: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutEnd {
    /// Still under way, or in a status of CodeDeploy that this version does not know.
    Open,
    /// ECS is taking it back.
    GoingBack,
    Successful,
    /// ECS took it back, or CodeDeploy gave it up.
    TakenBack,
    /// CodeDeploy gave it up, for something that the image has nothing to do with.
    NotItsFault,
    /// A newer deployment took its place, or a person stopped it.
    Stopped,
    /// A status that this version does not know.
    Unknown,
}
