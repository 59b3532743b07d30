//! Calls to ECS by its JSON; only services come in the SDK's types, which are shared with other functions. The types of a
//! few operations would be a twentieth of the whole function.

mod revisions;
mod shift;
mod task_sets;
mod tasks;

use aws::{Error, JsonApi, Pace, moment, seconds};
use aws_config::SdkConfig;
use aws_sdk_ecs::types as sdk;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::plan::{
    Controller, Deployment, Rollout, RolloutEnd, RolloutState, Safety, Service, ServiceName, Strategy, TaskDefinition,
    TaskSet,
};

pub use revisions::describe_revisions;
pub use shift::{continue_deployment, describe_deployments, stop_deployment};
pub use tasks::{Started, list_family, run_task};

/// Deployments that are looked at; a deployment further back tells nothing about the present.
const HISTORY: usize = 20;

/// A service, as far as the decision depends on it.
pub fn service(it: &sdk::Service) -> Option<Service> {
    let arn = it.service_arn()?;
    let configuration = it.deployment_configuration();
    let task_sets: Vec<TaskSet> = it.task_sets().iter().filter_map(task_sets::task_set).collect();
    // With CodeDeploy a service has task sets in place of deployments.
    let mut deployments: Vec<Deployment> = it.deployments().iter().filter_map(deployment).collect();
    deployments.extend(task_sets.iter().map(task_sets::deployment));
    deployments.sort_by_key(|it| !it.primary);
    let live = task_sets.iter().find(|it| it.primary).map(|it| it.task_definition.clone());
    Some(Service {
        arn: arn.into(),
        name: ServiceName::of_arn(arn)?,
        status: it.status().unwrap_or_default().into(),
        controller: match it.deployment_controller().map(|it| it.r#type()) {
            _ if it.resource_management_type() == Some(&sdk::ResourceManagementType::Ecs) => Controller::Express,
            None | Some(sdk::DeploymentControllerType::Ecs) => Controller::Ecs,
            Some(sdk::DeploymentControllerType::CodeDeploy) => Controller::CodeDeploy,
            Some(sdk::DeploymentControllerType::External) => Controller::External,
            Some(other) => Controller::Unknown(other.as_str().into()),
        },
        strategy: match configuration.and_then(|it| it.strategy()) {
            _ if !task_sets.is_empty() => Strategy::Shifting("CODE_DEPLOY".into()),
            None | Some(sdk::DeploymentStrategy::Rolling) => Strategy::Rolling,
            Some(other) => Strategy::Shifting(other.as_str().into()),
        },
        safety: configuration.map_or(Safety { gives_up: false, goes_back: false }, safety),
        launch: tasks::launch(it),
        desired: it.desired_count(),
        running: it.running_count(),
        deployments,
        // An EXTERNAL service may have no task set yet, and then no task definition.
        task_definition: live.or(it.task_definition().map(str::to_owned)).unwrap_or_default(),
        bakes: configuration.map_or(SignedDuration::ZERO, bakes),
        early_success: configuration.and_then(|it| it.early_success_criteria()).is_some_and(|it| it.enable()),
        pauses: configuration.is_some_and(|it| it.lifecycle_hooks().iter().any(shift::is_pause)),
        newest_event: it.events().first().and_then(|it| it.message()).map(str::to_owned),
        task_sets,
        target_groups: target_groups(it),
        alternates: it.load_balancers().iter().any(|it| it.advanced_configuration().is_some()),
        revisions: it.current_service_revisions().iter().filter_map(|it| it.arn().map(str::to_owned)).collect(),
        tags: aws::ecs::tags(it.tags()),
    })
}

/// CodeDeploy moves the traffic between task sets, each in a target group of its own; the service names none then.
fn target_groups(it: &sdk::Service) -> Vec<String> {
    let live = it.task_sets().iter().find(|it| it.status() == Some("PRIMARY"));
    let balancers = live.map_or(it.load_balancers(), |it| it.load_balancers());
    balancers.iter().filter_map(|it| it.target_group_arn().map(str::to_owned)).collect()
}

fn safety(configuration: &sdk::DeploymentConfiguration) -> Safety {
    let breaker = configuration.deployment_circuit_breaker().filter(|it| it.enable());
    let alarms = configuration.alarms().filter(|it| it.enable());
    Safety {
        gives_up: breaker.is_some() || alarms.is_some(),
        goes_back: breaker.is_some_and(|it| it.rollback()) || alarms.is_some_and(|it| it.rollback()),
    }
}

/// More than any deployment takes; a percentage near to nothing would leave the calendar.
const MOST_MINUTES: f64 = 31.0 * 24.0 * 60.0;

/// How long traffic is watched before a deployment goes on: after each step of it, and at its end.
fn bakes(configuration: &sdk::DeploymentConfiguration) -> SignedDuration {
    let linear = configuration.linear_configuration().map_or(0.0, |it| {
        let percent = it.step_percent().filter(|it| *it > 0.0).unwrap_or(10.0);
        (100.0 / percent).ceil() * f64::from(it.step_bake_time_in_minutes().unwrap_or_default())
    });
    let canary =
        configuration.canary_configuration().and_then(|it| it.canary_bake_time_in_minutes()).unwrap_or_default();
    let end = configuration.bake_time_in_minutes().unwrap_or_default();
    SignedDuration::from_mins(linear.min(MOST_MINUTES) as i64 + i64::from(canary) + i64::from(end))
}

fn deployment(it: &sdk::Deployment) -> Option<Deployment> {
    Some(Deployment {
        id: it.id().unwrap_or_default().into(),
        primary: it.status() == Some("PRIMARY"),
        task_definition: it.task_definition()?.into(),
        state: match it.rollout_state() {
            Some(sdk::DeploymentRolloutState::InProgress) => RolloutState::InProgress,
            Some(sdk::DeploymentRolloutState::Completed) => RolloutState::Completed,
            Some(sdk::DeploymentRolloutState::Failed) => RolloutState::Failed,
            _ => RolloutState::Unsaid,
        },
        reason: it.rollout_state_reason().unwrap_or_default().into(),
        failed_tasks: it.failed_tasks(),
        running: it.running_count(),
        began: it.created_at().and_then(moment),
    })
}

/// Task definitions, which have to be in JSON: see `plan/world/task_definition.rs` for why.
pub struct TaskDefinitions {
    api: JsonApi,
    /// ECS registers 20 of them at once and then one a second, for the whole account.
    registrations: Pace,
}

impl TaskDefinitions {
    pub fn new(config: &SdkConfig) -> Self {
        TaskDefinitions { api: JsonApi::new(aws::ECS, config), registrations: Pace::new(20, 1) }
    }

    /// Waits until one may be registered.
    pub async fn turn(&self) {
        self.registrations.turn().await;
    }
}

/// A revision with its tags, by ARN, by `family:revision`, or of a family the newest active one.
pub async fn describe_task_definition(ecs: &TaskDefinitions, name: &str) -> Result<TaskDefinition, Error> {
    let body = json!({"taskDefinition": name, "include": ["TAGS"]});
    let mut answer = ecs.api.call("DescribeTaskDefinition", name, body).await?;
    let Some(Value::Object(fields)) = answer.remove("taskDefinition") else {
        return Err(Error::unexpected("DescribeTaskDefinition", name, "the answer holds no task definition"));
    };
    let tags = answer.remove("tags").and_then(|it| it.as_array().cloned()).unwrap_or_default();
    let text = |tag: &Value, name: &str| tag.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let tags = tags.iter().map(|tag| (text(tag, "key"), text(tag, "value"))).collect();
    Ok(TaskDefinition { fields, tags })
}

/// Registers a revision and returns its ARN. `fields` is the whole request.
pub async fn register_task_definition(ecs: &TaskDefinitions, fields: &Value) -> Result<String, Error> {
    let family = fields.get("family").and_then(Value::as_str).unwrap_or_default();
    let answer = ecs.api.call("RegisterTaskDefinition", family, fields.clone()).await?;
    let arn = answer.get("taskDefinition").and_then(|it| it.get("taskDefinitionArn")?.as_str());
    arn.map(str::to_owned)
        .ok_or_else(|| Error::unexpected("RegisterTaskDefinition", family, "the answer holds no task definition"))
}

/// Begins a deployment of `task_definition`. Nothing else of the service changes, its size least of all.
pub async fn update_service(
    ecs: &JsonApi,
    service: &ServiceName,
    task_definition: &str,
    supersedes: bool,
) -> Result<(), Error> {
    let body = json!({"cluster": service.cluster, "service": service.name, "taskDefinition": task_definition});
    match ecs.call("UpdateService", &service.to_string(), body).await {
        // Which code ECS answers with here is not documented. A wrong service or a missing right has a code of its own.
        Err(error) if supersedes && NOT_WHILE_SHIFTING.contains(&error.code.as_str()) => {
            let message = format!(
                "ECS does not replace the deployment under way, so the newer image waits for its end: {}",
                error.message
            );
            Err(error.told_as("not-superseded", message))
        }
        other => other.map(drop),
    }
}

const NOT_WHILE_SHIFTING: [&str; 4] =
    ["ClientException", "ConflictException", "InvalidParameterException", "UnsupportedFeatureException"];

/// What a run checks right before it changes a service.
#[derive(Debug, Clone)]
pub struct Standing {
    pub service: ServiceName,
    pub task_definition: String,
    pub deployment: Option<String>,
    /// All tasks that it should have run.
    pub all_run: bool,
    pub deploying: bool,
}

pub fn standing(it: &sdk::Service) -> Option<Standing> {
    let primary = it.deployments().iter().find(|it| it.status() == Some("PRIMARY"));
    Some(Standing {
        service: ServiceName::of_arn(it.service_arn()?)?,
        task_definition: it.task_definition().unwrap_or_default().to_owned(),
        deployment: primary.map(|it| it.id().unwrap_or_default().to_owned()),
        all_run: it.desired_count() > 0 && it.running_count() >= it.desired_count(),
        deploying: aws::ecs::deploying_since(it).is_some(),
    })
}

/// The service's latest deployments, newest first. The order of a page is not promised, and it may be short or empty.
pub async fn list_rollouts(ecs: &JsonApi, service: &ServiceName) -> Result<Vec<Rollout>, Error> {
    let name = service.to_string();
    let body = json!({"cluster": service.cluster, "service": service.name, "maxResults": 100});
    let mut briefs = ecs.list("ListServiceDeployments", &name, body, "serviceDeployments").await?;
    briefs.sort_by_key(|it| std::cmp::Reverse(seconds(&it["createdAt"])));
    briefs.truncate(HISTORY);
    let text = |it: &Value, name: &str| it[name].as_str().map(str::to_owned);
    let arns = briefs.iter().filter_map(|it| text(it, "targetServiceRevisionArn"));
    let revisions = describe_revisions(ecs, &name, arns).await?;
    let rollout = |it: &Value| {
        let revision = revisions.get(it["targetServiceRevisionArn"].as_str()?)?;
        Some(Rollout {
            arn: text(it, "serviceDeploymentArn"),
            expired: false,
            task_definition: revision.task_definition.clone(),
            pinned: revision.pinned.clone(),
            end: it["status"].as_str().map_or(RolloutEnd::Unknown, end),
            reason: text(it, "statusReason").unwrap_or_default(),
            began: seconds(&it["createdAt"]),
        })
    };
    Ok(briefs.iter().filter_map(rollout).collect())
}

fn end(status: &str) -> RolloutEnd {
    match status {
        "PENDING" | "IN_PROGRESS" => RolloutEnd::Open,
        "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS" => RolloutEnd::GoingBack,
        "SUCCESSFUL" => RolloutEnd::Successful,
        "ROLLBACK_SUCCESSFUL" | "ROLLBACK_FAILED" => RolloutEnd::TakenBack,
        // A newer deployment took its place, a person stopped it, or ECS gave it up without going back.
        "STOP_REQUESTED" | "STOPPED" => RolloutEnd::Stopped,
        _ => RolloutEnd::Unknown,
    }
}
