//! Calls to ECS: the tags of services.

use std::collections::BTreeMap;

use aws::Error;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types as sdk;
use rules::ServiceName;

use crate::plan::{Resource, Unseen};

/// DescribeServices takes no more names than this, all of one cluster.
const SERVICES_PER_CALL: usize = 10;

/// What ECS told about some services.
#[derive(Default)]
pub struct Services {
    /// Those that exist.
    pub found: Vec<Resource>,
    /// Those that do not, or that ECS would not tell about.
    pub unseen: Vec<Unseen>,
}

/// The batches in which services are described. What has no cluster in its ARN, of the old short form, has no tags.
pub fn batches(arns: &[String]) -> Vec<Vec<String>> {
    let mut clusters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for arn in arns {
        if let Some(name) = ServiceName::of_arn(arn) {
            clusters.entry(name.cluster).or_default().push(arn.clone());
        }
    }
    clusters
        .into_values()
        .flat_map(|arns| arns.chunks(SERVICES_PER_CALL).map(<[_]>::to_vec).collect::<Vec<_>>())
        .collect()
}

/// Describes up to ten services of one cluster.
///
/// One that may not be read hides the others of its batch, so a refused batch is read again one by one.
pub async fn describe_services(ecs: &Client, batch: &[String]) -> Services {
    match describe_batch(ecs, batch).await {
        Err(error) if error.is_denied() && batch.len() > 1 => {
            let mut services = Services::default();
            for one in batch.chunks(1) {
                let answer = describe_batch(ecs, one).await.unwrap_or_else(|error| refused(one, &error));
                services.found.extend(answer.found);
                services.unseen.extend(answer.unseen);
            }
            services
        }
        other => other.unwrap_or_else(|error| refused(batch, &error)),
    }
}

fn refused(batch: &[String], error: &Error) -> Services {
    // The tag index may list the services of a cluster for a while after both are gone.
    let why = (error.code != "ClusterNotFoundException").then(|| error.cause());
    let unseen = |arn: &String| Unseen { resource: arn.clone(), why: why.clone() };
    Services { found: Vec::new(), unseen: batch.iter().map(unseen).collect() }
}

async fn describe_batch(ecs: &Client, batch: &[String]) -> Result<Services, Error> {
    let cluster = &ServiceName::of_arn(&batch[0]).map(|it| it.cluster).unwrap_or_default();
    let answer = ecs
        .describe_services()
        .cluster(cluster)
        .set_services(Some(batch.to_vec()))
        .include(sdk::ServiceField::Tags)
        .send()
        .await
        .map_err(|err| Error::new("DescribeServices", cluster, err))?;
    let unseen = |failure: &sdk::Failure| Unseen {
        resource: failure.arn().unwrap_or(cluster).into(),
        why: match failure.reason() {
            Some("MISSING") => None,
            other => Some(format!("DescribeServices {cluster}: {}", other.unwrap_or("no reason given"))),
        },
    };
    let (there, gone): (Vec<_>, Vec<_>) = answer.services().iter().partition(|it| it.status() == Some("ACTIVE"));
    let gone = gone.into_iter().filter_map(|it| Some(Unseen { resource: it.service_arn()?.into(), why: None }));
    Ok(Services {
        found: there.into_iter().filter_map(service).collect(),
        unseen: answer.failures().iter().map(unseen).chain(gone).collect(),
    })
}

fn service(it: &sdk::Service) -> Option<Resource> {
    let arn = it.service_arn()?;
    let tag = |it: &sdk::Tag| (it.key().unwrap_or_default().into(), it.value().unwrap_or_default().into());
    Some(Resource {
        arn: arn.into(),
        name: ServiceName::of_arn(arn)?.to_string(),
        member_of: None,
        tags: it.tags().iter().map(tag).collect(),
    })
}
