//! Calls to ECS: what runs, and what it runs from.

use std::collections::BTreeMap;

use aws::{Error, each};
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{self as sdk, ServiceField, TaskDefinitionField};
use jiff::Timestamp;

/// How many clusters are looked at side by side, and how many calls are under way for each.
const AT_A_TIME: usize = 4;

/// DescribeServices takes no more.
const SERVICES: usize = 10;

/// DescribeTasks takes no more.
const TASKS: usize = 100;

/// A service, with all task definitions that it may start tasks of.
pub struct Service {
    /// `cluster/name`.
    pub name: String,
    /// The task definitions of the service, of its deployments and of its task sets.
    pub task_definitions: Vec<String>,
    /// How many tasks run or are about to.
    pub tasks: i32,
    /// When its newest deployment began.
    pub deployed_at: Option<Timestamp>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A running task.
pub struct Task {
    /// Its ARN.
    pub arn: String,
    /// Its task definition.
    pub task_definition: String,
    /// The images of its containers, by digest where ECS knows it.
    pub images: Vec<String>,
}

/// What a task definition names.
pub struct TaskDefinition {
    /// The images of its containers.
    pub images: Vec<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// All services and running tasks of the region.
pub async fn list_all(ecs: &Client) -> Result<(Vec<Service>, Vec<Task>), Error> {
    let mut pages = ecs.list_clusters().max_results(100).into_paginator().send();
    let mut clusters = Vec::new();
    while let Some(page) = pages.next().await {
        clusters.extend_from_slice(page.map_err(|err| Error::new("ListClusters", "all", err))?.cluster_arns());
    }
    let found = each(&clusters, AT_A_TIME, async |cluster| {
        tokio::try_join!(list_services(ecs, cluster), list_tasks(ecs, cluster))
    });
    let (mut services, mut tasks) = (Vec::new(), Vec::new());
    for found in found.await {
        match found {
            Ok((some, more)) => {
                services.extend(some);
                tasks.extend(more);
            }
            // It was deleted meanwhile, and so nothing runs there.
            Err(error) if error.code == "ClusterNotFoundException" => {}
            Err(error) => return Err(error),
        }
    }
    Ok((services, tasks))
}

async fn list_services(ecs: &Client, cluster: &str) -> Result<Vec<Service>, Error> {
    let mut pages = ecs.list_services().cluster(cluster).max_results(100).into_paginator().send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        arns.extend_from_slice(page.map_err(|err| Error::new("ListServices", cluster, err))?.service_arns());
    }
    let batches: Vec<&[String]> = arns.chunks(SERVICES).collect();
    let described = each(batches, AT_A_TIME, async |batch| {
        let call = ecs.describe_services().cluster(cluster).set_services(Some(batch.to_vec()));
        let answer = call.include(ServiceField::Tags).send().await;
        let answer = answer.map_err(|err| Error::new("DescribeServices", cluster, err))?;
        all_told("DescribeServices", cluster, answer.failures())?;
        Ok(answer.services().iter().map(service).collect::<Vec<_>>())
    });
    Ok(described.await.into_iter().collect::<Result<Vec<_>, Error>>()?.into_iter().flatten().collect())
}

async fn list_tasks(ecs: &Client, cluster: &str) -> Result<Vec<Task>, Error> {
    let mut pages = ecs.list_tasks().cluster(cluster).max_results(100).into_paginator().send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        arns.extend_from_slice(page.map_err(|err| Error::new("ListTasks", cluster, err))?.task_arns());
    }
    let batches: Vec<&[String]> = arns.chunks(TASKS).collect();
    let described = each(batches, AT_A_TIME, async |batch| {
        let answer = ecs.describe_tasks().cluster(cluster).set_tasks(Some(batch.to_vec())).send().await;
        let answer = answer.map_err(|err| Error::new("DescribeTasks", cluster, err))?;
        all_told("DescribeTasks", cluster, answer.failures())?;
        Ok(answer.tasks().iter().map(task).collect::<Vec<_>>())
    });
    Ok(described.await.into_iter().collect::<Result<Vec<_>, Error>>()?.into_iter().flatten().collect())
}

/// What vanished between the listing and the question is no matter; what ECS would not tell of is.
fn all_told(operation: &'static str, cluster: &str, failures: &[sdk::Failure]) -> Result<(), Error> {
    match failures.iter().find(|it| it.reason() != Some("MISSING")) {
        None => Ok(()),
        Some(it) => {
            let what = format!("{}: {}", it.arn().unwrap_or("one"), it.reason().unwrap_or("no reason given"));
            Err(Error::unexpected(operation, cluster, what))
        }
    }
}

fn service(it: &sdk::Service) -> Service {
    let deployments = it.deployments().iter().filter_map(|it| it.task_definition());
    let task_sets = it.task_sets().iter().filter_map(|it| it.task_definition());
    let of_all = it.task_definition().into_iter().chain(deployments).chain(task_sets);
    let began = it.deployments().iter().filter_map(|it| it.created_at());
    Service {
        name: it.service_arn().and_then(|it| it.split_once(":service/")).map_or("a service", |(_, it)| it).into(),
        task_definitions: of_all.map(str::to_owned).collect(),
        tasks: it.running_count() + it.pending_count(),
        deployed_at: began.filter_map(|it| Timestamp::new(it.secs(), it.subsec_nanos() as i32).ok()).max(),
        tags: tags(it.tags()),
    }
}

fn task(it: &sdk::Task) -> Task {
    // The digest is what runs, whatever the tag means by now; it is there once the image is pulled.
    let image = |it: &sdk::Container| match it.image_digest() {
        Some(digest) => Some(format!("{}@{digest}", it.image().unwrap_or_default())),
        None => it.image().map(str::to_owned),
    };
    Task {
        arn: it.task_arn().unwrap_or_default().into(),
        task_definition: it.task_definition_arn().unwrap_or_default().into(),
        images: it.containers().iter().filter_map(image).collect(),
    }
}

/// A task definition with its tags.
pub async fn describe_task_definition(ecs: &Client, name: &str) -> Result<TaskDefinition, Error> {
    let answer = ecs.describe_task_definition().task_definition(name).include(TaskDefinitionField::Tags).send().await;
    let answer = answer.map_err(|err| Error::new("DescribeTaskDefinition", name, err))?;
    let containers = answer.task_definition().map(|it| it.container_definitions()).unwrap_or_default();
    Ok(TaskDefinition {
        images: containers.iter().filter_map(|it| it.image().map(str::to_owned)).collect(),
        tags: tags(answer.tags()),
    })
}

fn tags(tags: &[sdk::Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|it| (it.key().unwrap_or_default().into(), it.value().unwrap_or_default().into())).collect()
}
