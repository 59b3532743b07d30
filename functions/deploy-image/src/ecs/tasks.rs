//! Tasks that are run once: which there are, and a new one.

use aws::{Error, each, moment};
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types as sdk;

use crate::plan::{Capacity, Ended, Launch, Migrate, Task};

/// DescribeTasks takes no more.
const TASKS_PER_CALL: usize = 100;

/// The tasks of a family, those that ECS still knows though they stopped included.
pub async fn list_family(ecs: &Client, cluster: &str, family: &str) -> Result<Vec<Task>, Error> {
    let mut arns = list_arns(ecs, cluster, family, sdk::DesiredStatus::Running).await?;
    arns.extend(list_arns(ecs, cluster, family, sdk::DesiredStatus::Stopped).await?);
    let batches: Vec<Vec<String>> = arns.chunks(TASKS_PER_CALL).map(<[String]>::to_vec).collect();
    let answers = each(batches, 4, async |batch| describe_tasks(ecs, cluster, batch).await).await;
    let tasks: Result<Vec<Vec<Task>>, Error> = answers.into_iter().collect();
    Ok(tasks?.into_iter().flatten().collect())
}

async fn list_arns(
    ecs: &Client,
    cluster: &str,
    family: &str,
    status: sdk::DesiredStatus,
) -> Result<Vec<String>, Error> {
    let call = ecs.list_tasks().cluster(cluster).family(family).desired_status(status);
    let mut pages = call.into_paginator().send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|err| Error::new("ListTasks", &format!("{cluster}/{family}"), err))?;
        arns.extend_from_slice(page.task_arns());
    }
    Ok(arns)
}

/// A task that ECS has forgotten in between counts as never listed.
async fn describe_tasks(ecs: &Client, cluster: &str, arns: Vec<String>) -> Result<Vec<Task>, Error> {
    let answer = ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns)).send().await;
    let answer = answer.map_err(|err| Error::new("DescribeTasks", cluster, err))?;
    Ok(answer.tasks().iter().filter_map(task).collect())
}

fn task(it: &sdk::Task) -> Option<Task> {
    let text = |it: Option<&str>| it.unwrap_or_default().to_owned();
    let ended =
        |it: &sdk::Container| Ended { name: text(it.name()), exit_code: it.exit_code(), reason: text(it.reason()) };
    Some(Task {
        arn: it.task_arn()?.into(),
        started_by: text(it.started_by()),
        task_definition: it.task_definition_arn()?.into(),
        status: text(it.last_status()),
        reason: text(it.stopped_reason()),
        stop_code: text(it.stop_code().map(sdk::TaskStopCode::as_str)),
        started: it.started_at().is_some(),
        stopped_at: it.stopped_at().and_then(moment),
        containers: it.containers().iter().map(ended).collect(),
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
pub async fn run_task(ecs: &Client, migrate: &Migrate, revision: &str) -> Result<Started, Error> {
    let Migrate { service, family, launch, .. } = migrate;
    let call = ecs
        .run_task()
        .cluster(&service.cluster)
        .task_definition(revision)
        .count(1)
        .started_by(&migrate.run)
        .client_token(&migrate.token)
        .set_network_configuration(if migrate.in_vpc { network(launch)? } else { None })
        .set_platform_version(launch.platform.clone());
    let call = match launch.capacity.is_empty() {
        true => call.set_launch_type(launch.launch_type.as_deref().map(sdk::LaunchType::from)),
        false => call.set_capacity_provider_strategy(Some(capacity(&launch.capacity)?)),
    };
    let answer = match call.send().await {
        Ok(answer) => answer,
        Err(err) if err.as_service_error().is_some_and(|it| it.is_conflict_exception()) => {
            return Ok(Started::Elsewhere);
        }
        Err(err) => return Err(Error::new("RunTask", family, err)),
    };
    if let Some(task) = answer.tasks().first().and_then(|it| it.task_arn()) {
        return Ok(Started::Task(task.to_owned()));
    }
    let failure = answer.failures().first();
    let reason = failure.and_then(|it| it.reason()).unwrap_or("no reason given");
    let detail = failure.and_then(|it| it.detail()).map_or(String::new(), |it| format!(" ({it})"));
    Ok(Started::Refused(format!("{reason}{detail}")))
}

fn network(launch: &Launch) -> Result<Option<sdk::NetworkConfiguration>, Error> {
    let address = sdk::AwsVpcConfiguration::builder()
        .set_subnets(Some(launch.subnets.clone()))
        .set_security_groups((!launch.security_groups.is_empty()).then(|| launch.security_groups.clone()))
        .set_assign_public_ip(launch.public_address.as_deref().map(sdk::AssignPublicIp::from))
        .build()
        .map_err(|err| Error::unexpected("RunTask", "networkConfiguration", err.to_string()))?;
    Ok(Some(sdk::NetworkConfiguration::builder().awsvpc_configuration(address).build()))
}

fn capacity(items: &[Capacity]) -> Result<Vec<sdk::CapacityProviderStrategyItem>, Error> {
    let item = |it: &Capacity| {
        let item = sdk::CapacityProviderStrategyItem::builder();
        let item = item.capacity_provider(&it.provider).weight(it.weight).base(it.base).build();
        item.map_err(|err| Error::unexpected("RunTask", "capacityProviderStrategy", err.to_string()))
    };
    items.iter().map(item).collect()
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
