//! Tasks that are run once: which there are, and a new one.

use aws::{Error, JsonApi, each, seconds};
use aws_sdk_ecs::types as sdk;
use serde_json::{Value, json};

use crate::plan::{Capacity, Ended, Launch, Migrate, Task};

/// DescribeTasks takes no more.
const TASKS_PER_CALL: usize = 100;

/// The tasks of a family, those that ECS still knows though they stopped included.
pub async fn list_family(ecs: &JsonApi, cluster: &str, family: &str) -> Result<Vec<Task>, Error> {
    let mut arns = Vec::new();
    for status in ["RUNNING", "STOPPED"] {
        let body = json!({"cluster": cluster, "family": family, "desiredStatus": status});
        arns.extend(ecs.list("ListTasks", &format!("{cluster}/{family}"), body, "taskArns").await?);
    }
    let batches: Vec<Vec<Value>> = arns.chunks(TASKS_PER_CALL).map(<[Value]>::to_vec).collect();
    let answers = each(batches, 4, async |batch| {
        ecs.call("DescribeTasks", cluster, json!({"cluster": cluster, "tasks": batch})).await
    });
    let mut tasks = Vec::new();
    for answer in answers.await {
        // A task that ECS has forgotten in between counts as never listed.
        tasks.extend(answer?.get("tasks").and_then(Value::as_array).into_iter().flatten().filter_map(task));
    }
    Ok(tasks)
}

fn task(it: &Value) -> Option<Task> {
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let exit_code = |it: &Value| i32::try_from(it.as_i64()?).ok();
    let ended = |it: &Value| Ended {
        name: text(&it["name"]),
        exit_code: exit_code(&it["exitCode"]),
        reason: text(&it["reason"]),
    };
    Some(Task {
        arn: it["taskArn"].as_str()?.into(),
        started_by: text(&it["startedBy"]),
        task_definition: it["taskDefinitionArn"].as_str()?.into(),
        status: text(&it["lastStatus"]),
        reason: text(&it["stoppedReason"]),
        stop_code: text(&it["stopCode"]),
        started: !it["startedAt"].is_null(),
        stopped_at: seconds(&it["stoppedAt"]),
        containers: it["containers"].as_array().into_iter().flatten().map(ended).collect(),
    })
}

/// What ECS answered to the start of a task.
pub enum Started {
    Task(String),
    /// A run that overlaps has started it, on a revision of its own.
    Elsewhere,
    Refused(String),
}

/// Starts a migration on the given revision. A call that was made before is not made twice.
pub async fn run_task(ecs: &JsonApi, migrate: &Migrate, revision: &str) -> Result<Started, Error> {
    let Migrate { service, family, launch, .. } = migrate;
    let mut body = json!({
        "cluster": service.cluster, "taskDefinition": revision, "count": 1,
        "startedBy": migrate.run, "clientToken": migrate.token,
    });
    if migrate.in_vpc {
        body["networkConfiguration"] = json!({"awsvpcConfiguration": network(launch)});
    }
    if let Some(platform) = &launch.platform {
        body["platformVersion"] = platform.as_str().into();
    }
    match (launch.capacity.is_empty(), &launch.launch_type) {
        (true, Some(launch_type)) => body["launchType"] = launch_type.as_str().into(),
        (true, None) => {}
        (false, _) => {
            let item = |it: &Capacity| json!({"capacityProvider": it.provider, "weight": it.weight, "base": it.base});
            body["capacityProviderStrategy"] = launch.capacity.iter().map(item).collect();
        }
    }
    let answer = match ecs.call("RunTask", family, body).await {
        Err(error) if error.code == "ConflictException" => return Ok(Started::Elsewhere),
        other => Value::from(other?),
    };
    if let Some(task) = answer["tasks"][0]["taskArn"].as_str() {
        return Ok(Started::Task(task.to_owned()));
    }
    let failure = &answer["failures"][0];
    let reason = failure["reason"].as_str().unwrap_or("no reason given");
    let detail = failure["detail"].as_str().map_or(String::new(), |it| format!(" ({it})"));
    Ok(Started::Refused(format!("{reason}{detail}")))
}

fn network(launch: &Launch) -> Value {
    let mut network = json!({"subnets": launch.subnets});
    if !launch.security_groups.is_empty() {
        network["securityGroups"] = json!(launch.security_groups);
    }
    if let Some(address) = &launch.public_address {
        network["assignPublicIp"] = address.as_str().into();
    }
    network
}

/// How the tasks of a service are started. With CodeDeploy the task set that has the traffic tells.
pub fn launch(it: &sdk::Service) -> Launch {
    let set = it.task_sets().iter().find(|it| it.status() == Some("PRIMARY"));
    let network = it.network_configuration().or(set.and_then(|it| it.network_configuration()));
    let network = network.and_then(|it| it.awsvpc_configuration());
    let launch_type = it.launch_type().or(set.and_then(|it| it.launch_type()));
    let strategy = match it.capacity_provider_strategy() {
        [] => set.map_or(&[][..], |it| it.capacity_provider_strategy()),
        items => items,
    };
    let item = |it: &sdk::CapacityProviderStrategyItem| Capacity {
        provider: it.capacity_provider().into(),
        weight: it.weight(),
        base: it.base(),
    };
    Launch {
        launch_type: launch_type.map(|it| it.as_str().to_owned()),
        capacity: strategy.iter().map(item).collect(),
        platform: it.platform_version().or(set.and_then(|it| it.platform_version())).map(str::to_owned),
        subnets: network.map(|it| it.subnets().to_vec()).unwrap_or_default(),
        security_groups: network.map(|it| it.security_groups().to_vec()).unwrap_or_default(),
        public_address: network.and_then(|it| it.assign_public_ip()).map(|it| it.as_str().to_owned()),
    }
}
