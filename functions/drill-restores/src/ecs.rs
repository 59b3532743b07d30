//! Calls to ECS: whether a check can run, its start, and how it ended.

use aws::ecs::{Cause, Ecs, describe_services};
use aws::{Error, moment};
use aws_sdk_ecs::types as sdk;
use rules::ServiceName;
use rules::drill::Check;

use crate::plan::{CheckTarget, Container, RunCheck, Task};

/// How the tasks of a service are started. It goes back to ECS as it came.
struct Launch {
    network: Option<sdk::NetworkConfiguration>,
    launch_type: Option<sdk::LaunchType>,
    capacity: Vec<sdk::CapacityProviderStrategyItem>,
    platform: Option<String>,
}

/// With CodeDeploy the task set that has the traffic tells.
fn launch(it: &sdk::Service) -> Option<Launch> {
    let set = it.task_sets().iter().find(|it| it.status() == Some("PRIMARY"));
    let of_set = set.map(|it| it.capacity_provider_strategy().to_vec()).unwrap_or_default();
    (it.status() == Some("ACTIVE")).then(|| Launch {
        network: it.network_configuration().or(set.and_then(|it| it.network_configuration())).cloned(),
        launch_type: it.launch_type().or(set.and_then(|it| it.launch_type())).cloned(),
        capacity: match it.capacity_provider_strategy() {
            [] => of_set,
            items => items.to_vec(),
        },
        platform: it.platform_version().or(set.and_then(|it| it.platform_version())).map(str::to_owned),
    })
}

async fn launch_of(ecs: &Ecs, service: &ServiceName) -> Result<Launch, String> {
    let mut services = describe_services(ecs, [service.clone()], launch).await;
    match (services.found.pop(), services.missing.pop()) {
        (Some(launch), _) => Ok(launch),
        (None, Some(missing)) => Err(match missing.cause {
            Cause::NotFound => format!("there is no ECS service {service}, which the option service= names"),
            Cause::Denied(why) => why,
        }),
        (None, None) => Err(format!("ECS does not tell of the service {service}")),
    }
}

/// The check, as far as its start depends on it; or why it cannot run, in words that stay the same.
pub async fn check_target(ecs: &Ecs, check: &Check) -> Result<CheckTarget, String> {
    launch_of(ecs, &check.service).await?;
    let family = check.family.as_str();
    let containers = containers(ecs, family).await.map_err(|err| {
        // ECS answers a family that it does not know like any other bad request.
        match err.code.as_str() {
            "ClientException" => format!("there is no active task definition {family}, which the option check= names"),
            _ => err.to_string(),
        }
    })?;
    Ok(CheckTarget { containers: containers.iter().filter_map(|it| it.name().map(str::to_owned)).collect() })
}

async fn containers(ecs: &Ecs, family: &str) -> Result<Vec<sdk::ContainerDefinition>, Error> {
    let answer = ecs.call(None, async |client| {
        let call = client.describe_task_definition().task_definition(family).send().await;
        call.map_err(|err| Error::new("DescribeTaskDefinition", family, err))
    });
    Ok(answer.await?.task_definition.and_then(|it| it.container_definitions).unwrap_or_default())
}

/// Where a container of a check writes its log.
pub struct Stream {
    pub container: String,
    pub group: String,
    pub name: String,
}

/// What the prefix of a stream begins with that the role of this function may read.
const READABLE: &str = "drill";

/// The streams of the containers of a check that this function may read.
pub async fn streams(ecs: &Ecs, check: &Check, task: &str) -> Result<Vec<Stream>, Error> {
    let stream = |it: &sdk::ContainerDefinition| {
        let log = it.log_configuration().filter(|it| it.log_driver() == &sdk::LogDriver::Awslogs)?;
        let option = |name: &str| log.options()?.get(name).cloned();
        let prefix = option("awslogs-stream-prefix").filter(|it| it.starts_with(READABLE))?;
        let container = it.name()?.to_owned();
        let name = format!("{prefix}/{container}/{task}");
        Some(Stream { container, group: option("awslogs-group")?, name })
    };
    Ok(containers(ecs, &check.family).await?.iter().filter_map(stream).collect())
}

/// Starts the check and returns the id of its task.
pub async fn run_check(ecs: &Ecs, run: &RunCheck) -> Result<String, Error> {
    let unexpected = |why: String| Error::unexpected("RunTask", &run.family, why);
    let launch = launch_of(ecs, &run.service).await.map_err(unexpected)?;
    let environment: Vec<sdk::KeyValuePair> = run
        .environment
        .iter()
        .map(|(name, value)| sdk::KeyValuePair::builder().name(*name).value(value).build())
        .collect();
    let told =
        |name: &String| sdk::ContainerOverride::builder().name(name).set_environment(Some(environment.clone())).build();
    let overrides =
        sdk::TaskOverride::builder().set_container_overrides(Some(run.containers.iter().map(told).collect()));
    let answer = ecs.call(None, async |client| {
        let call = client
            .run_task()
            .cluster(&run.service.cluster)
            .task_definition(&run.family)
            .count(1)
            .started_by(&run.id)
            .client_token(&run.token)
            .overrides(overrides.clone().build())
            .set_network_configuration(launch.network.clone())
            .set_platform_version(launch.platform.clone());
        let call = match launch.capacity.is_empty() {
            true => call.set_launch_type(launch.launch_type.clone()),
            false => call.set_capacity_provider_strategy(Some(launch.capacity.clone())),
        };
        call.send().await.map_err(|err| Error::new("RunTask", &run.family, err))
    });
    let answer = answer.await?;
    if let Some(arn) = answer.tasks().first().and_then(|it| it.task_arn()) {
        return Ok(arn.rsplit('/').next().unwrap_or(arn).to_owned());
    }
    let failure = answer.failures().first();
    let reason = failure.and_then(|it| it.reason()).unwrap_or("no reason given");
    Err(unexpected(format!("no task was started: {reason}")))
}

/// A task, if ECS still knows it.
pub async fn find_task(ecs: &Ecs, cluster: &str, id: &str) -> Result<Option<Task>, Error> {
    let answer = ecs.call(None, async |client| {
        let call = client.describe_tasks().cluster(cluster).tasks(id).send().await;
        call.map_err(|err| Error::new("DescribeTasks", cluster, err))
    });
    Ok(answer.await?.tasks().first().map(task))
}

fn task(it: &sdk::Task) -> Task {
    let text = |it: Option<&str>| it.unwrap_or_default().to_owned();
    let container =
        |it: &sdk::Container| Container { name: text(it.name()), exit_code: it.exit_code(), reason: text(it.reason()) };
    Task {
        stopped: it.last_status() == Some("STOPPED"),
        stopped_at: it.stopped_at().and_then(moment),
        reason: text(it.stopped_reason()),
        containers: it.containers().iter().map(container).collect(),
    }
}
