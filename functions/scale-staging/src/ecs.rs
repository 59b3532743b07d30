//! Calls to ECS, all at one pace.

use aws::ecs::{Ecs, Services, deploying_since, tags};
use aws::{Error, moment};
use aws_sdk_ecs::types as sdk;
use rules::ServiceName;
use tokio::time::Instant;

use crate::plan::{Message, Scaled, Service};

/// This number of events tells why tasks do not start; ECS keeps a hundred, which would be memory for nothing.
const MESSAGES: usize = 10;

/// Describes services; their scaling targets are for another call.
pub async fn describe_services(ecs: &Ecs, arns: &[String]) -> Services<Service> {
    aws::ecs::describe_services(ecs, arns.iter().filter_map(|it| ServiceName::of_arn(it)), service).await
}

fn service(it: &sdk::Service) -> Option<Service> {
    let arn = it.service_arn()?;
    let name = ServiceName::of_arn(arn)?;
    let primary = it.deployments().iter().find(|it| it.status() == Some("PRIMARY"));
    let message =
        |it: &sdk::ServiceEvent| Some(Message { at: moment(it.created_at()?)?, text: it.message()?.to_owned() });
    Some(Service {
        arn: arn.into(),
        scaled: Scaled::Service(name),
        status: it.status().unwrap_or_default().into(),
        is_express: it.resource_management_type() == Some(&sdk::ResourceManagementType::Ecs),
        is_daemon: it.scheduling_strategy() == Some(&sdk::SchedulingStrategy::Daemon),
        desired: it.desired_count(),
        running: it.running_count(),
        pending: it.pending_count(),
        created_at: it.created_at().and_then(moment),
        deploying_since: deploying_since(it),
        deployed_at: primary.and_then(|it| moment(it.created_at()?)),
        updated_at: primary.and_then(|it| moment(it.updated_at()?)),
        messages: it.events().iter().filter_map(message).take(MESSAGES).collect(),
        target: None,
        target_arn: None,
        copy: None,
        scheduled_actions: Vec::new(),
        tags: tags(it.tags()),
    })
}

/// Sets how many tasks there should be.
pub async fn set_count(ecs: &Ecs, service: &ServiceName, desired: i32, until: Instant) -> Result<(), Error> {
    let ServiceName { cluster, name } = service;
    ecs.call(Some(until), async |client| {
        let call = client.update_service().cluster(cluster).service(name).desired_count(desired);
        call.send().await.map(drop).map_err(|err| Error::new("UpdateService", &service.to_string(), err))
    })
    .await
}

/// Removes memory tags, all with one call.
pub async fn forget(ecs: &Ecs, arn: &str, keys: &[&str], until: Instant) -> Result<(), Error> {
    ecs.call(Some(until), async |client| {
        let keys = keys.iter().map(|it| it.to_string()).collect();
        let call = client.untag_resource().resource_arn(arn).set_tag_keys(Some(keys));
        call.send().await.map(drop).map_err(|err| Error::new("UntagResource", arn, err))
    })
    .await
}
