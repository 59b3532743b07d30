//! The changes that this function makes: a deployment, a way back, a memory.

use jiff::Timestamp;
use reconcile::{MessageKind, Undo};
use rules::Digest;
use rules::migrating::{Migrating, Start};
use serde_json::{Value, json};

use super::app_spec::AppSpec;
use super::world::{Launch, Service, ServiceName, short_name};

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
    /// It is to be registered: what to send to RegisterTaskDefinition.
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

/// Asks for a snapshot before a new image goes out.
#[derive(Debug, Clone, PartialEq)]
pub struct AskForSnapshot {
    pub service: ServiceName,
    pub database: String,
    pub digest: Digest,
    /// The human tag of the new image.
    pub image: String,
    pub id: String,
}

impl AskForSnapshot {
    /// The command that `snapshot-databases` is sent.
    pub fn payload(&self) -> String {
        json!({"snapshot": {"database": self.database, "image": self.digest.to_string()}}).to_string()
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
    Migrated,
    /// A migration runs, or does not run any more.
    Migrating,
    /// The request to roll back is fulfilled or has become pointless.
    DropIntent,
}

impl reconcile::Step for Step {
    fn action(&self) -> &'static str {
        match self {
            Step::Deploy(_) => "deploy",
            Step::RollBack(_) => "roll-back",
            Step::Stop(_) => "stop",
            Step::Continue(_) => "continue",
            Step::Migrate(_) => "migrate",
            Step::AskForSnapshot(_) => "ask-for-snapshot",
            Step::Remember(it) => match it.change {
                MemoryChange::Reject => "reject",
                MemoryChange::Approve => "approve",
                MemoryChange::Clear => "clear",
                MemoryChange::Forgive => "forgive",
                MemoryChange::DropApproval => "drop-approval",
                MemoryChange::Live => "record-success",
                MemoryChange::Migrated => "record-migration",
                MemoryChange::Migrating => "mark-migration",
                MemoryChange::DropIntent => "drop-request",
            },
        }
    }

    fn headline(&self) -> String {
        match self {
            Step::Deploy(it) => format!("{}: deploying {} (was {})", it.service, it.to, it.from),
            Step::RollBack(it) => format!("{}: going back to {} from {}", it.service, it.to, it.from),
            Step::Stop(it) => {
                let by = if it.by == StoppedBy::Ecs { "ECS" } else { "CodeDeploy" };
                format!("{}: stopping {}, {by} goes back", it.service, it.from)
            }
            Step::Continue(it) => format!("{}: {} goes on after the pause at {}", it.service, it.image, it.stage),
            Step::Migrate(it) => format!("{}: the migration for {} begins", it.service, it.image),
            Step::AskForSnapshot(it) => {
                format!("{}: asking for a snapshot of {} before {} goes out", it.service, it.database, it.image)
            }
            Step::Remember(it) => match it.change {
                MemoryChange::Reject if it.stays && it.image != it.running => {
                    format!("{}: {} is rejected, {} stays", it.service, it.image, it.running)
                }
                MemoryChange::Reject => format!("{}: {} is rejected", it.service, it.image),
                MemoryChange::Approve => format!("{}: {} is approved", it.service, it.image),
                MemoryChange::Clear | MemoryChange::Forgive => {
                    format!("{}: {} is no longer rejected", it.service, it.image)
                }
                MemoryChange::DropApproval => format!("{}: {} is no longer approved", it.service, it.image),
                MemoryChange::Live => format!("{}: {} is live", it.service, it.image),
                MemoryChange::Migrated => format!("{}: the migration for {} has ended well", it.service, it.image),
                MemoryChange::Migrating if it.value.is_some() => {
                    format!("{}: the migration for {} is running", it.service, it.image)
                }
                MemoryChange::Migrating => format!("{}: no migration is running", it.service),
                MemoryChange::DropIntent => format!("{}: the request to roll back is settled", it.service),
            },
        }
    }

    fn before(&self) -> Value {
        match self {
            Step::Deploy(it) => json!({"image": it.from, "task_definition": short_name(&it.from_revision)}),
            Step::RollBack(it) => json!({"image": it.from, "task_definition": short_name(&it.from_revision)}),
            Step::Stop(it) => json!({"image": it.from, "task_definition": short_name(&it.from_revision)}),
            Step::Continue(it) => json!({"paused": it.stage}),
            Step::Migrate(it) => json!({"image": it.running}),
            Step::AskForSnapshot(_) => json!({"snapshot": null}),
            Step::Remember(it) => json!({it.key: it.before}),
        }
    }

    fn after(&self) -> Value {
        match self {
            Step::Deploy(it) => json!({"image": it.to, "digest": it.digest.to_string()}),
            Step::RollBack(it) => json!({"image": it.to, "task_definition": short_name(&it.to_revision)}),
            Step::Stop(it) => {
                let to = it.to_revision.as_deref().map(short_name);
                json!({"task_definition": to, "stopped": it.deployment})
            }
            Step::Continue(it) => json!({"image": it.image, "continued": it.hook}),
            Step::Migrate(it) => json!({"family": it.family, "started_by": it.run}),
            Step::AskForSnapshot(it) => json!({"snapshot": it.id}),
            Step::Remember(it) => json!({it.key: it.value}),
        }
    }

    /// Whoever rejected or approved an image wants the deployment or the way back more than the note of it; without the
    /// note the past of the service tells most of it.
    fn is_dispensable(&self) -> bool {
        matches!(self, Step::Remember(_))
    }

    /// How a deployment ended is news; that it begins, and what an image passes before, is routine. Asking for a
    /// snapshot changes nothing and is repeated until it is there: whoever takes it tells of it.
    fn tells(&self) -> Option<MessageKind> {
        match self {
            Step::RollBack(_) => Some(MessageKind::Changed),
            Step::Stop(_) => Some(MessageKind::Failed),
            Step::Deploy(_) | Step::Migrate(_) | Step::Continue(_) => Some(MessageKind::Routine),
            Step::AskForSnapshot(_) => None,
            Step::Remember(it) => match it.change {
                MemoryChange::Reject => Some(MessageKind::Failed),
                MemoryChange::Live if it.is_staging => Some(MessageKind::Routine),
                MemoryChange::Live => Some(MessageKind::Changed),
                MemoryChange::Approve
                | MemoryChange::Clear
                | MemoryChange::Forgive
                | MemoryChange::DropApproval
                | MemoryChange::Migrated => Some(MessageKind::Routine),
                MemoryChange::Migrating | MemoryChange::DropIntent => None,
            },
        }
    }

    /// Each names the image that it is about: sent late or twice, it does nothing to another one.
    fn undo(&self) -> Option<Undo> {
        let (command, service, image) = match self {
            Step::Deploy(it) => ("rollback", &it.service, Some(&it.digest)),
            // What was gone back from is rejected: forgiven, it is deployed again.
            Step::RollBack(it) => ("clear", &it.service, it.from_digest.as_ref()),
            Step::Stop(it) => ("clear", &it.service, it.from_digest.as_ref()),
            Step::Continue(it) => ("rollback", &it.service, it.digest.as_ref()),
            Step::Remember(it) => match it.change {
                MemoryChange::Reject => ("clear", &it.service, it.digest.as_ref()),
                MemoryChange::Live => ("rollback", &it.service, it.digest.as_ref()),
                MemoryChange::Clear => ("reject", &it.service, it.digest.as_ref()),
                MemoryChange::Approve
                | MemoryChange::Forgive
                | MemoryChange::DropApproval
                | MemoryChange::Migrated
                | MemoryChange::Migrating
                | MemoryChange::DropIntent => return None,
            },
            // What it did to a database only a person knows.
            Step::Migrate(_) | Step::AskForSnapshot(_) => return None,
        };
        Some(Undo::Command(json!({command: {"service": service.to_string(), "image": image?.to_string()}})))
    }
}
