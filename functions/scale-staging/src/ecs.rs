//! Calls to ECS, all at one pace.

use std::collections::BTreeMap;

use aws::{Error, LeaveThrottling, Pace};
use aws_config::SdkConfig;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types as sdk;
use jiff::Timestamp;
use rules::ServiceName;
use tokio::time::Instant;

use crate::plan::{Service, Unseen};

/// DescribeServices takes no more names than this, all of one cluster.
const SERVICES_PER_CALL: usize = 10;

/// ECS, at the pace that it allows.
pub struct Ecs {
    client: Client,
    pace: Pace,
}

impl Ecs {
    /// ECS in the region of `config`.
    pub fn new(config: &SdkConfig) -> Self {
        let builder = aws_sdk_ecs::config::Builder::from(config).retry_classifier(LeaveThrottling);
        Ecs { client: Client::from_conf(builder.build()), pace: Pace::learned() }
    }

    async fn call<T>(
        &self,
        until: Option<Instant>,
        call: impl AsyncFn(&Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.pace.call(until, async || call(&self.client).await).await
    }
}

/// The batches in which services are described.
pub fn batches(arns: &[String]) -> Vec<Vec<String>> {
    let mut clusters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for arn in arns {
        let Some(name) = ServiceName::of_arn(arn) else { continue };
        clusters.entry(name.cluster).or_default().push(arn.clone());
    }
    clusters.into_values().flat_map(|it| it.chunks(SERVICES_PER_CALL).map(<[_]>::to_vec).collect::<Vec<_>>()).collect()
}

/// Describes up to ten services of one cluster; their scaling targets are for another call.
pub async fn describe_services(ecs: &Ecs, batch: &[String]) -> (Vec<Service>, Vec<Unseen>) {
    let Some(ServiceName { cluster, .. }) = batch.first().and_then(|it| ServiceName::of_arn(it)) else {
        return Default::default();
    };
    let answer = ecs
        .call(None, async |client| {
            let names = batch.iter().filter_map(|it| Some(ServiceName::of_arn(it)?.name));
            let call = client.describe_services().cluster(&cluster).set_services(Some(names.collect()));
            let call = call.include(sdk::ServiceField::Tags);
            call.send().await.map_err(|err| Error::new("DescribeServices", &cluster, err))
        })
        .await;
    match answer {
        Ok(answer) => {
            let found: Vec<Service> = answer.services().iter().filter_map(service).collect();
            let missing = |arn: &&String| !found.iter().any(|it| it.arn == **arn);
            let refused = |arn: &str| {
                let failure = answer.failures().iter().find(|it| it.arn() == Some(arn))?;
                failure.reason().filter(|it| *it != "MISSING").map(|it| format!("DescribeServices {cluster}: {it}"))
            };
            let unseen = |arn: &String| Unseen { arn: arn.clone(), refused: refused(arn), tags: BTreeMap::new() };
            let unseen = batch.iter().filter(missing).map(unseen).collect();
            (found, unseen)
        }
        Err(error) => {
            // The tag index may list the services of a cluster for a while after both are gone.
            let refused = (error.code != "ClusterNotFoundException").then(|| error.cause());
            let unseen = |arn: &String| Unseen { arn: arn.clone(), refused: refused.clone(), tags: BTreeMap::new() };
            (Vec::new(), batch.iter().map(unseen).collect())
        }
    }
}

fn service(it: &sdk::Service) -> Option<Service> {
    let arn = it.service_arn()?;
    ServiceName::of_arn(arn)?;
    Some(Service {
        arn: arn.into(),
        status: it.status().unwrap_or_default().into(),
        is_daemon: it.scheduling_strategy() == Some(&sdk::SchedulingStrategy::Daemon),
        desired: it.desired_count(),
        running: it.running_count(),
        deploying_since: deploying_since(it.deployments()),
        target: None,
        tags: it
            .tags()
            .iter()
            .map(|it| (it.key().unwrap_or_default().into(), it.value().unwrap_or_default().into()))
            .collect(),
    })
}

/// When the deployment began that is in progress: one that ECS says is, or the newest of several.
fn deploying_since(deployments: &[sdk::Deployment]) -> Option<Timestamp> {
    let primary = deployments.iter().find(|it| it.status() == Some("PRIMARY"))?;
    let in_progress = match primary.rollout_state() {
        Some(sdk::DeploymentRolloutState::InProgress) => true,
        Some(_) => false,
        None => deployments.len() > 1,
    };
    let created = primary.created_at()?;
    in_progress.then(|| Timestamp::new(created.secs(), created.subsec_nanos() as i32).ok()).flatten()
}

/// Sets how many tasks there should be.
pub async fn set_count(ecs: &Ecs, arn: &str, desired: i32, until: Instant) -> Result<(), Error> {
    ecs.call(Some(until), async |client| {
        let Some(service) = ServiceName::of_arn(arn) else {
            return Err(Error::unexpected("UpdateService", arn, "the ARN names no cluster"));
        };
        let call = client.update_service().cluster(service.cluster).service(service.name).desired_count(desired);
        call.send().await.map(drop).map_err(|err| Error::new("UpdateService", arn, err))
    })
    .await
}

/// Writes a memory tag.
pub async fn remember(ecs: &Ecs, arn: &str, key: &str, value: &str, until: Instant) -> Result<(), Error> {
    ecs.call(Some(until), async |client| {
        let tag = sdk::Tag::builder().key(key).value(value).build();
        let call = client.tag_resource().resource_arn(arn).tags(tag);
        call.send().await.map(drop).map_err(|err| Error::new("TagResource", arn, err))
    })
    .await
}

/// Removes memory tags.
pub async fn forget(ecs: &Ecs, arn: &str, keys: &[&str], until: Instant) -> Result<(), Error> {
    ecs.call(Some(until), async |client| {
        let keys = keys.iter().map(|it| it.to_string()).collect();
        let call = client.untag_resource().resource_arn(arn).set_tag_keys(Some(keys));
        call.send().await.map(drop).map_err(|err| Error::new("UntagResource", arn, err))
    })
    .await
}
