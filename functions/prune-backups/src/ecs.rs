//! Calls to ECS: what runs, and what it runs from.

use std::collections::BTreeMap;

use aws::ecs::{Cause, Ecs, describe_services};
use aws::{Error, each};
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{self as sdk, TaskDefinitionField};
use jiff::Timestamp;
use rules::ServiceName;

use crate::plan::{PinnedImage, Service, Task, TaskDefinition};

/// How many clusters are looked at side by side, and how many calls are under way for each.
const AT_A_TIME: usize = 4;

/// DescribeTasks takes no more.
const TASKS: usize = 100;

/// DescribeServiceRevisions takes no more.
const REVISIONS: usize = 20;

/// DescribeServiceDeployments takes no more.
const DEPLOYMENTS: usize = 20;

/// All services and all tasks of the region that are not stopped.
pub async fn list_all(ecs: &Client) -> Result<(Vec<Service>, Vec<Task>), Error> {
    let mut pages = ecs.list_clusters().max_results(100).into_paginator().send();
    let mut clusters = Vec::new();
    while let Some(page) = pages.next().await {
        clusters.extend_from_slice(page.map_err(|err| Error::new("ListClusters", "all", err))?.cluster_arns());
    }
    let found = each(&clusters, AT_A_TIME, async |cluster| {
        tokio::try_join!(list_services(ecs, cluster), list_tasks(ecs, cluster))
    });
    let (mut names, mut tasks) = (Vec::new(), Vec::new());
    for found in found.await {
        match found {
            Ok((some, more)) => {
                names.extend(some);
                tasks.extend(more);
            }
            // It was deleted meanwhile, and so nothing runs there.
            Err(error) if error.code == "ClusterNotFoundException" => {}
            Err(error) => return Err(error),
        }
    }
    let services = describe_services(&Ecs::of(ecs.clone()), names, |it| Some(service(it))).await;
    for missing in services.missing {
        // One that was deleted meanwhile uses nothing; of one that cannot be read that is not known.
        if let Cause::Denied(error) = missing.cause {
            return Err(Error::unexpected("DescribeServices", &missing.service.to_string(), error));
        }
    }
    Ok((services.found, tasks))
}

async fn list_services(ecs: &Client, cluster: &str) -> Result<Vec<ServiceName>, Error> {
    let mut pages = ecs.list_services().cluster(cluster).max_results(100).into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        for arn in page.map_err(|err| Error::new("ListServices", cluster, err))?.service_arns() {
            // The cluster is known, which ARNs of the old form do not name.
            let name = arn.rsplit('/').next().unwrap_or(arn);
            let cluster = cluster.rsplit('/').next().unwrap_or(cluster);
            names.push(ServiceName { cluster: cluster.into(), name: name.into() });
        }
    }
    Ok(names)
}

/// ECS wants the tasks that are to run: that is those in every state before they are stopped, from `PROVISIONING` on.
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

/// What vanished between the listing and the question is not needed; what ECS does not tell of is.
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
        revisions: it.current_service_revisions().iter().filter_map(|it| it.arn().map(str::to_owned)).collect(),
        deployment: it.current_service_deployment().map(str::to_owned),
        rollback_revisions: Vec::new(),
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

/// Adds the service revisions that deployments go back to if they fail.
///
/// In a blue/green deployment the old tasks end with the shift of the traffic or stay without it until the bake time is
/// over: a service without tasks still needs the image of the revision it came from.
pub async fn add_rollback_revisions(ecs: &Client, services: &mut [Service]) -> Result<(), Error> {
    let arns: Vec<String> = services.iter().filter_map(|it| it.deployment.clone()).collect();
    let batches: Vec<&[String]> = arns.chunks(DEPLOYMENTS).collect();
    let described = each(batches, AT_A_TIME, async |batch| {
        let call = ecs.describe_service_deployments().set_service_deployment_arns(Some(batch.to_vec()));
        let answer = call.send().await.map_err(|err| Error::new("DescribeServiceDeployments", "all", err))?;
        all_told("DescribeServiceDeployments", "all", answer.failures())?;
        let sources = |it: &sdk::ServiceDeployment| {
            let sources = it.source_service_revisions().iter().filter_map(|it| it.arn());
            let back = it.rollback().and_then(|it| it.service_revision_arn());
            let revisions: Vec<String> = sources.chain(back).map(str::to_owned).collect();
            Some((it.service_deployment_arn()?.to_owned(), revisions))
        };
        Ok(answer.service_deployments().iter().filter_map(sources).collect::<Vec<_>>())
    });
    let described = described.await.into_iter().collect::<Result<Vec<_>, Error>>()?;
    let by_arn: BTreeMap<String, Vec<String>> = described.into_iter().flatten().collect();
    for service in services {
        let revisions = service.deployment.as_ref().and_then(|it| by_arn.get(it));
        service.rollback_revisions = revisions.cloned().unwrap_or_default();
    }
    Ok(())
}

/// The images that deployments have pinned, by the ARN of the service revision.
pub async fn pinned_images(ecs: &Client, revisions: Vec<String>) -> Result<BTreeMap<String, Vec<PinnedImage>>, Error> {
    let batches: Vec<&[String]> = revisions.chunks(REVISIONS).collect();
    let described = each(batches, AT_A_TIME, async |batch| {
        let call = ecs.describe_service_revisions().set_service_revision_arns(Some(batch.to_vec()));
        let answer = call.send().await.map_err(|err| Error::new("DescribeServiceRevisions", "all", err))?;
        all_told("DescribeServiceRevisions", "all", answer.failures())?;
        let image = |it: &sdk::ContainerImage| {
            Some(PinnedImage { image: it.image()?.to_owned(), digest: it.image_digest()?.to_owned() })
        };
        let revision = |it: &sdk::ServiceRevision| {
            Some((it.service_revision_arn()?.to_owned(), it.container_images().iter().filter_map(image).collect()))
        };
        Ok(answer.service_revisions().iter().filter_map(revision).collect::<Vec<_>>())
    });
    Ok(described.await.into_iter().collect::<Result<Vec<_>, Error>>()?.into_iter().flatten().collect())
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
