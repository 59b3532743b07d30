//! The changes that this function makes: a deployment, a way back, a memory.

mod tell;

use gates::AskForSnapshot;
use jiff::Timestamp;
use rules::Digest;
use rules::migrating::{Migrating, Start};
use serde_json::Value;

use super::app_spec::AppSpec;
use super::world::{Launch, Service, ServiceName};

#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Deploy(Deploy),
    RollBack(RollBack),
    /// Stops a deployment under way, so that CodeDeploy or ECS goes back.
    Stop(Stop),
    /// Lets a deployment go on that pauses.
    Continue(Continue),
    Migrate(Box<Migrate>),
    /// Asks `snapshot-databases` for the snapshot that comes before a new image.
    AskForSnapshot(AskForSnapshot),
    Remember(Remember),
    /// Lets a schedule run the revision that a service has proven.
    Follow(Follow),
}

/// A schedule of EventBridge Scheduler runs another revision from now on.
#[derive(Debug, Clone, PartialEq)]
pub struct Follow {
    pub group: String,
    pub schedule: String,
    /// The service that has proven the revision.
    pub service: ServiceName,
    /// The role with which it runs tasks, as the decision saw it.
    pub role: String,
    /// The ARN of the revision that it runs now, as the decision saw it.
    pub from: String,
    /// The ARN of the revision that it is to run.
    pub to: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Deploy {
    pub service: ServiceName,
    /// The image that runs now, for people.
    pub from: String,
    pub from_revision: String,
    /// The human tag of the new image.
    pub to: String,
    pub digest: Digest,
    /// Where the revision with the new image comes from.
    pub revision: Revision,
    pub via: DeployVia,
}

#[derive(Debug, Clone, PartialEq)]
pub enum DeployVia {
    UpdateService(Unchanged),
    CreateDeployment(CreateDeployment),
}

/// What the decision saw of a service that ECS deploys: with anything else it has to be made anew.
#[derive(Debug, Clone, PartialEq)]
pub struct Unchanged {
    pub task_definition: String,
    pub deployment: Option<String>,
    /// The number that its family's next revision gets, if nobody else registers one.
    pub next_revision: Option<u64>,
    /// A deployment that shifts traffic is under way, and ECS may refuse to replace it.
    pub supersedes: bool,
}

/// How CodeDeploy is asked to deploy.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateDeployment {
    pub application: String,
    pub group: String,
    /// What to deploy, but for the task definition.
    pub app_spec: AppSpec,
    /// From when on `known` holds all deployments of the group.
    pub since: Timestamp,
    /// The deployments that the decision knew of: with another one, it has to be made anew.
    pub known: Vec<String>,
}

/// Stops a deployment of CodeDeploy that is under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Stop {
    pub service: ServiceName,
    pub deployment: String,
    pub by: StoppedBy,
    /// The image that it was meant to deploy, for people.
    pub from: String,
    /// That image, if it can be told.
    pub from_digest: Option<Digest>,
    /// The ARN of the task definition that it was meant to deploy.
    pub from_revision: String,
    /// The ARN of the task definition that CodeDeploy goes back to, if that can be told.
    pub to_revision: Option<String>,
}

/// Where the task definition revision of a deployment comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Revision {
    /// It was registered by an earlier run, which did not get to use it: its ARN.
    Registered(String),
    /// It has to be registered: what to send to RegisterTaskDefinition.
    Register(Value),
}

#[derive(Debug, Clone, PartialEq)]
pub struct RollBack {
    pub service: ServiceName,
    /// The image that runs now, for people.
    pub from: String,
    /// The image that runs now, if it can be told.
    pub from_digest: Option<Digest>,
    pub from_revision: String,
    /// The image to go back to, for people.
    pub to: String,
    /// The ARN of the task definition to go back to.
    pub to_revision: String,
    pub via: DeployVia,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Migrate {
    pub service: ServiceName,
    pub arn: String,
    pub digest: Digest,
    pub family: String,
    /// The human tag of the new image.
    pub image: String,
    /// The image that runs now, for people.
    pub running: String,
    /// Where the revision that runs comes from.
    pub revision: Revision,
    /// Whether the task has an address of its own, and so needs a place in the network.
    pub in_vpc: bool,
    pub launch: Launch,
    /// What makes a doubled call one.
    pub token: String,
    pub run: String,
    pub at: Timestamp,
}

impl Migrate {
    /// The mark that it leaves on the service.
    pub fn mark(&self, start: Start, task: Option<String>) -> Migrating {
        Migrating { run: self.run.clone(), since: self.at, task, family: Some(self.family.clone()), start }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Remember {
    pub service: ServiceName,
    pub arn: String,
    pub change: MemoryChange,
    /// The image that it is about, for people.
    pub image: String,
    /// That image, where a command can take the change back.
    pub digest: Option<Digest>,
    /// The image that runs, for people.
    pub running: String,
    /// Nothing else is deployed in the same run.
    pub stays: bool,
    /// The service sleeps by a schedule, so it is not production.
    pub is_staging: bool,
    /// A person approved the image, and waits to hear how its deployment ended.
    pub is_approved: bool,
    pub key: &'static str,
    pub before: Option<String>,
    /// The tag's value to be; `None` removes it.
    pub value: Option<String>,
}

/// Who carries out the deployment that is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoppedBy {
    CodeDeploy,
    Ecs,
}

/// Lets a deployment of ECS go on that pauses at a hook.
#[derive(Debug, Clone, PartialEq)]
pub struct Continue {
    pub service: ServiceName,
    /// The ARN of the service deployment.
    pub deployment: String,
    pub hook: String,
    pub stage: String,
    /// The image that is rolling out, for people.
    pub image: String,
    pub digest: Option<Digest>,
}

impl Remember {
    /// Writes `value` under `key` on the service, or removes the tag; `image` is what it is about, for people.
    pub fn new(
        service: &Service,
        change: MemoryChange,
        image: &str,
        running: String,
        key: &'static str,
        value: Option<String>,
    ) -> Self {
        Remember {
            service: service.name.clone(),
            arn: service.arn.clone(),
            change,
            image: image.into(),
            digest: None,
            running,
            stays: true,
            is_staging: service.tags.contains_key(rules::keys::SCHEDULE),
            is_approved: false,
            key,
            before: service.tags.get(key).cloned(),
            value,
        }
    }
}

/// What a memory is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryChange {
    Reject,
    /// The image may go out, whatever was known against it.
    Approve,
    Clear,
    /// What is known against the image does not count.
    Forgive,
    DropApproval,
    Live,
    /// All traffic is on the image, and the tasks of before still run.
    AllTraffic,
    Migrated,
    /// How long the image that is promoted has been live where it comes from.
    Soak,
    /// A migration runs, or does not run any more.
    Migrating,
    /// The request to roll back is fulfilled or has become pointless.
    DropIntent,
}
