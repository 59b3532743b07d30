//! Reads of ECS: all services with their tags, and which image each runs.

use std::collections::BTreeMap;

use aws::ecs::{Cause, Ecs, describe_services};
use aws::{Error, each};
use aws_sdk_ecs::Client;
use rules::ServiceName;

/// How many calls are under way.
const AT_A_TIME: usize = 4;

/// A service.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub arn: String,
    pub name: ServiceName,
    pub tags: BTreeMap<String, String>,
    task_definition: String,
}

/// All services of the region, and why some could not be read.
pub async fn list_services(ecs: &Client) -> Result<(Vec<Service>, Vec<String>), Error> {
    let mut pages = ecs.list_clusters().max_results(100).into_paginator().send();
    let mut clusters = Vec::new();
    while let Some(page) = pages.next().await {
        clusters.extend_from_slice(page.map_err(|err| Error::new("ListClusters", "all", err))?.cluster_arns());
    }
    let listed = each(&clusters, AT_A_TIME, async |cluster| list_names(ecs, cluster).await).await;
    let names: Vec<Vec<ServiceName>> = listed.into_iter().collect::<Result<_, _>>()?;
    let services = describe_services(&Ecs::of(ecs.clone()), names.into_iter().flatten(), service).await;
    let denied = services.missing.into_iter().filter_map(|it| match it.cause {
        Cause::NotFound => None,
        Cause::Denied(why) => Some(why),
    });
    Ok((services.found, denied.collect()))
}

async fn list_names(ecs: &Client, cluster: &str) -> Result<Vec<ServiceName>, Error> {
    let mut pages = ecs.list_services().cluster(cluster).max_results(100).into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|err| Error::new("ListServices", cluster, err))?;
        // One of the old form cannot carry tags.
        names.extend(page.service_arns().iter().filter_map(|it| ServiceName::of_arn(it)));
    }
    Ok(names)
}

fn service(it: &aws_sdk_ecs::types::Service) -> Option<Service> {
    let arn = it.service_arn().filter(|_| it.status() == Some("ACTIVE"))?;
    let tags =
        it.tags().iter().filter_map(|it| Some((it.key()?.to_owned(), it.value().unwrap_or_default().to_owned())));
    Some(Service {
        arn: arn.into(),
        name: ServiceName::of_arn(arn)?,
        tags: tags.collect(),
        task_definition: it.task_definition().unwrap_or_default().into(),
    })
}

/// The images of the containers of each service, in its order.
pub async fn images(ecs: &Client, services: &[Service]) -> Vec<Result<Vec<String>, Error>> {
    each(services, AT_A_TIME, async |service| {
        let name = &service.task_definition;
        let answer = ecs.describe_task_definition().task_definition(name).send().await;
        let answer = answer.map_err(|err| Error::new("DescribeTaskDefinition", name, err))?;
        let containers = answer.task_definition().map(|it| it.container_definitions()).unwrap_or_default();
        Ok(containers.iter().filter_map(|it| it.image().map(str::to_owned)).collect())
    })
    .await
}
