//! ECS services: described in batches, with what cannot be read told apart from what does not exist.
//!
//! Only this module calls DescribeServices: how many names it takes, what a denied batch hides and what a missing
//! cluster means is the same for every function.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::Builder;
use aws_sdk_ecs::types::{self as sdk, DeploymentRolloutState, ServiceField, Tag};
use jiff::Timestamp;
use rules::ServiceName;
use tokio::time::Instant;

use crate::late::ready;
use crate::{Boxed, Error, Late, LeaveThrottling, Pace, each, late, moment};

/// DescribeServices takes no more names than this, all of one cluster.
const SERVICES_PER_CALL: usize = 10;

/// How many batches are read side by side; ECS allows 20 reads a second and a burst of 50 and more.
const BATCHES: usize = 16;

/// ECS in the region of the function.
pub struct Ecs {
    client: Late<Client>,
    pace: Option<Pace>,
}

/// What ECS said about some services.
#[derive(Debug, Clone, PartialEq)]
pub struct Services<T> {
    /// Those that exist, in the order of their names.
    pub found: Vec<T>,
    /// Those that do not, or that ECS would not tell about.
    pub missing: Vec<Missing>,
}

/// A service that could not be described.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// Which.
    pub service: ServiceName,
    /// Why not.
    pub cause: Cause,
}

/// Why a service could not be described.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// It does not exist, or its cluster does not. The tag index may list it for a while after it is gone.
    NotFound,
    /// AWS refused; the error in words that stay the same as long as the cause does.
    Denied(String),
}

impl Ecs {
    /// ECS at the pace that it allows, which all calls share: a throttled call is made again, more slowly.
    pub fn new(config: &SdkConfig) -> Self {
        let client = |it: &SdkConfig| Client::from_conf(Builder::from(it).retry_classifier(LeaveThrottling).build());
        Ecs { client: late(config, client), pace: Some(Pace::learned()) }
    }

    /// ECS behind a client that retries what is throttled by itself; for functions that make few calls.
    pub fn retrying(config: &SdkConfig) -> Self {
        Ecs { client: late(config, Client::new), pace: None }
    }

    /// ECS behind `client`, whose own retries are all there are.
    pub fn of(client: Client) -> Self {
        Ecs { client: ready(client), pace: None }
    }

    /// Makes a call at the pace of this client, unless its turn comes later than `until`.
    pub async fn call<T>(
        &self,
        until: Option<Instant>,
        call: impl AsyncFn(&Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match &self.pace {
            Some(pace) => pace.call(until, async || call(&self.client).await).await,
            None => call(&self.client).await,
        }
    }
}

/// Describes services, with their tags. `read` takes what is needed of each; a service of which it takes nothing
/// counts as not found, such as an `INACTIVE` one that ECS still shows.
///
/// One service that may not be read hides the others of its batch, so a denied batch is read again one by one.
pub async fn describe_services<T>(
    ecs: &Ecs,
    names: impl IntoIterator<Item = ServiceName>,
    read: impl Fn(&sdk::Service) -> Option<T>,
) -> Services<T> {
    let mut services = Services { found: Vec::new(), missing: Vec::new() };
    for (service, answer) in describe_each(ecs, names, read).await {
        let cause = match answer {
            Ok(found) => {
                services.found.push(found);
                continue;
            }
            Err(Unread::NotFound) => Cause::NotFound,
            Err(Unread::Failure(reason)) => Cause::Denied(format!("DescribeServices {service}: {reason}")),
            Err(Unread::Error(error)) => Cause::Denied(error.to_string()),
        };
        services.missing.push(Missing { service, cause });
    }
    services
}

/// Describes those of the services that exist; one that ECS would not tell about is an error. For those who act on all
/// of them or on none.
pub async fn describe_all<T>(
    ecs: &Ecs,
    names: impl IntoIterator<Item = ServiceName>,
    read: impl Fn(&sdk::Service) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    for (service, answer) in describe_each(ecs, names, read).await {
        match answer {
            Ok(found) => all.push(found),
            Err(Unread::NotFound) => {}
            Err(Unread::Failure(reason)) => {
                return Err(Error::unexpected("DescribeServices", &service.to_string(), reason));
            }
            Err(Unread::Error(error)) => return Err(error),
        }
    }
    Ok(all)
}

/// Why a service could not be read.
#[derive(Clone)]
enum Unread {
    NotFound,
    Failure(String),
    Error(Error),
}

/// What was read of each service, in the order of their names.
type Answers<T> = Vec<(ServiceName, Result<T, Unread>)>;

async fn describe_each<T>(
    ecs: &Ecs,
    names: impl IntoIterator<Item = ServiceName>,
    read: impl Fn(&sdk::Service) -> Option<T>,
) -> Answers<T> {
    let mut clusters: BTreeMap<String, BTreeSet<ServiceName>> = BTreeMap::new();
    for name in names {
        clusters.entry(name.cluster.clone()).or_default().insert(name);
    }
    let batches = clusters.into_values().flat_map(|names| {
        let names: Vec<ServiceName> = names.into_iter().collect();
        names.chunks(SERVICES_PER_CALL).map(<[_]>::to_vec).collect::<Vec<_>>()
    });
    let answers = each(batches, BATCHES, async |batch: Vec<ServiceName>| describe_batch(ecs, &batch, &read).await);
    answers.await.into_iter().flatten().collect()
}

async fn describe_batch<T>(ecs: &Ecs, batch: &[ServiceName], read: &impl Fn(&sdk::Service) -> Option<T>) -> Answers<T> {
    let none = |names: &[ServiceName], why: Unread| names.iter().map(|it| (it.clone(), Err(why.clone()))).collect();
    match describe(ecs, batch, read).await {
        Ok(answers) => answers,
        Err(error) if error.code == "ClusterNotFoundException" => none(batch, Unread::NotFound),
        Err(error) if error.is_denied() && batch.len() > 1 => {
            let mut answers = Vec::new();
            for one in batch.chunks(1) {
                answers.extend(describe(ecs, one, read).await.unwrap_or_else(|error| none(one, Unread::Error(error))));
            }
            answers
        }
        Err(error) => none(batch, Unread::Error(error)),
    }
}

async fn describe<T>(
    ecs: &Ecs,
    batch: &[ServiceName],
    read: &impl Fn(&sdk::Service) -> Option<T>,
) -> Result<Answers<T>, Error> {
    let cluster = batch[0].cluster.as_str();
    // Boxed, since the futures of SDK calls otherwise nest deeper than the compiler follows.
    let answer: Boxed<'_, _> = Box::pin(ecs.call(None, async |client| {
        let names = batch.iter().map(|it| it.name.clone()).collect();
        let call = client.describe_services().cluster(cluster).set_services(Some(names)).include(ServiceField::Tags);
        call.send().await.map_err(|err| Error::new("DescribeServices", cluster, err))
    }));
    let answer = answer.await?;
    let read_one = |name: &ServiceName| {
        // Both the long and the old short form of an ARN end in the service's name.
        let is_it = |arn: Option<&str>| arn.and_then(|it| it.rsplit('/').next()) == Some(name.name.as_str());
        match answer.services().iter().find(|it| is_it(it.service_arn())).and_then(read) {
            Some(found) => Ok(found),
            None => match answer.failures().iter().find(|it| is_it(it.arn())).and_then(|it| it.reason()) {
                None | Some("MISSING") => Err(Unread::NotFound),
                Some(reason) => Err(Unread::Failure(reason.into())),
            },
        }
    };
    Ok(batch.iter().map(|name| (name.clone(), read_one(name))).collect())
}

/// Since when a deployment of the service is in progress, if one is.
///
/// Of a service that CodeDeploy or another controller deploys ECS tells no deployments: two task sets between which
/// its traffic is shifted are one. A deployment without a date counts as one from long ago.
pub fn deploying_since(service: &sdk::Service) -> Option<Timestamp> {
    // One that is DRAINING only waits for its end.
    let task_sets = service.task_sets().iter().filter(|it| it.status() != Some("DRAINING"));
    let created: Vec<_> = task_sets.map(|it| it.created_at().and_then(moment)).collect();
    if created.len() > 1 {
        return Some(created.into_iter().flatten().max().unwrap_or(Timestamp::UNIX_EPOCH));
    }
    let deployments = service.deployments();
    let primary = deployments.iter().find(|it| it.status() == Some("PRIMARY"))?;
    let in_progress = match primary.rollout_state() {
        Some(DeploymentRolloutState::InProgress) => true,
        Some(_) => deployments.iter().any(|it| it.rollout_state() == Some(&DeploymentRolloutState::InProgress)),
        None => deployments.len() > 1,
    };
    in_progress.then(|| primary.created_at().and_then(moment).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// The tags of a service or a task definition.
pub fn tags(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter().filter_map(|it| Some((it.key()?.into(), it.value().unwrap_or_default().into()))).collect()
}

/// Writes the tag `key` of the service `arn`, or removes it where there is no value.
pub async fn write_tag(ecs: &Client, arn: &str, key: &str, value: Option<&str>) -> Result<(), Error> {
    match value {
        Some(value) => {
            let tag = Tag::builder().key(key).value(value).build();
            let call = ecs.tag_resource().resource_arn(arn).tags(tag);
            call.send().await.map(drop).map_err(|err| Error::new("TagResource", arn, err))
        }
        None => {
            let call = ecs.untag_resource().resource_arn(arn).tag_keys(key);
            call.send().await.map(drop).map_err(|err| Error::new("UntagResource", arn, err))
        }
    }
}

#[cfg(test)]
mod tests;
