//! Calls to ECS: what services are like, and a restart.

use std::collections::BTreeMap;

use aws::ecs::{Ecs, deploying_since, tags};
use aws::{Error, moment};
use aws_sdk_ecs::types as sdk;

use crate::plan::world::{Rollout, RolloutEnd, Service, ServiceName, TaskSet};

/// Deployments that are looked at: more than there can be within the longest `within=`, for any shop.
const HISTORY: usize = 100;

/// The most deployments that AWS puts into one page.
const PAGE: i32 = 100;

/// DescribeServiceRevisions takes no more ARNs than this.
const REVISIONS_PER_CALL: usize = 20;

/// What is needed of a service; one that ECS still shows after its deletion counts as not there.
pub fn service(it: &sdk::Service) -> Option<Service> {
    let arn = it.service_arn().filter(|_| it.status() != Some("INACTIVE"))?;
    let balancers = it.load_balancers();
    let alternate =
        |it: &sdk::LoadBalancer| Some(it.advanced_configuration()?.alternate_target_group_arn()?.to_owned());
    // With CodeDeploy a service has task sets in place of deployments, and two of them while one replaces the other.
    let task_sets: Vec<&sdk::TaskSet> = it.task_sets().iter().filter(|it| it.status() != Some("DRAINING")).collect();
    let live = task_sets.iter().find(|it| it.status() == Some("PRIMARY")).and_then(|it| it.task_definition());
    let groups = balancers.iter().filter_map(|it| it.target_group_arn().map(str::to_owned));
    Some(Service {
        arn: arn.into(),
        name: ServiceName::of_arn(arn)?,
        status: it.status().unwrap_or_default().into(),
        controller: match it.deployment_controller().map(|it| it.r#type()) {
            None | Some(sdk::DeploymentControllerType::Ecs) => None,
            Some(other) => Some(other.as_str().into()),
        },
        desired: it.desired_count(),
        deploying: deploying_since(it).is_some(),
        task_definition: live.or(it.task_definition()).unwrap_or_default().into(),
        task_sets: task_sets.iter().map(|it| task_set(it)).collect(),
        target_groups: groups.chain(balancers.iter().filter_map(alternate)).collect(),
        tags: tags(it.tags()),
    })
}

fn task_set(it: &sdk::TaskSet) -> TaskSet {
    TaskSet { primary: it.status() == Some("PRIMARY"), made: it.created_at().and_then(moment) }
}

/// The containers of a task definition, each with its image.
pub async fn images(ecs: &Ecs, task_definition: &str) -> Result<Vec<(String, String)>, Error> {
    let answer = ecs.call(None, async |client| {
        let answer = client.describe_task_definition().task_definition(task_definition).send().await;
        answer.map_err(|err| Error::new("DescribeTaskDefinition", task_definition, err))
    });
    let answer = answer.await?;
    let containers = answer.task_definition().map_or(&[][..], |it| it.container_definitions());
    Ok(containers.iter().filter_map(|it| Some((it.name()?.into(), it.image()?.into()))).collect())
}

/// The service's latest deployments, newest first.
pub async fn list_rollouts(ecs: &Ecs, service: &ServiceName) -> Result<Vec<Rollout>, Error> {
    let name = service.to_string();
    let (mut briefs, mut token) = (Vec::new(), None::<String>);
    // A page can be short, or empty, and not be the last one.
    while briefs.len() < HISTORY {
        let page = ecs.call(None, async |client| {
            let call = client.list_service_deployments().cluster(&service.cluster).service(&service.name);
            let answer = call.max_results(PAGE).set_next_token(token.clone()).send().await;
            answer.map_err(|err| Error::new("ListServiceDeployments", &name, err))
        });
        let page = page.await?;
        briefs.extend_from_slice(page.service_deployments());
        token = page.next_token().filter(|it| !it.is_empty()).map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    briefs.sort_by_key(|it| std::cmp::Reverse(it.created_at().and_then(moment)));
    let mut revisions: Vec<String> =
        briefs.iter().filter_map(|it| it.target_service_revision_arn().map(str::to_owned)).collect();
    revisions.sort();
    revisions.dedup();
    let mut task_definitions = BTreeMap::new();
    for some in revisions.chunks(REVISIONS_PER_CALL) {
        let answer = ecs.call(None, async |client| {
            let call = client.describe_service_revisions().set_service_revision_arns(Some(some.to_vec()));
            call.send().await.map_err(|err| Error::new("DescribeServiceRevisions", &name, err))
        });
        let answer = answer.await?;
        let pair =
            |it: &sdk::ServiceRevision| Some((it.service_revision_arn()?.to_owned(), it.task_definition()?.to_owned()));
        task_definitions.extend(answer.service_revisions().iter().filter_map(pair));
    }
    let rollout = |it: &sdk::ServiceDeploymentBrief| {
        Some(Rollout {
            task_definition: task_definitions.get(it.target_service_revision_arn()?)?.clone(),
            end: end(it.status()),
            at: it.finished_at().or(it.started_at()).or(it.created_at()).and_then(moment),
        })
    };
    Ok(briefs.iter().filter_map(rollout).collect())
}

fn end(status: Option<&sdk::ServiceDeploymentStatus>) -> RolloutEnd {
    use sdk::ServiceDeploymentStatus::*;
    match status {
        Some(Pending | InProgress) => RolloutEnd::Open,
        Some(StopRequested | RollbackRequested | RollbackInProgress) => RolloutEnd::GoingBack,
        Some(Successful) => RolloutEnd::Successful,
        _ => RolloutEnd::Ended,
    }
}

/// Replaces every task of the service. Nothing of the service changes, its image and its size least of all.
pub async fn restart(ecs: &Ecs, service: &ServiceName) -> Result<(), Error> {
    ecs.call(None, async |client| {
        let call = client.update_service().cluster(&service.cluster).service(&service.name);
        let answer = call.force_new_deployment(true).send().await;
        answer.map(drop).map_err(|err| Error::new("UpdateService", &service.to_string(), err))
    })
    .await
}

/// Writes on the service what its owner is asked for. Nothing is ever removed, so that the role need not allow it.
pub async fn write_request(ecs: &Ecs, arn: &str, key: &str, value: &str) -> Result<(), Error> {
    ecs.call(None, async |client| {
        let tag = sdk::Tag::builder().key(key).value(value).build();
        let call = client.tag_resource().resource_arn(arn).tags(tag);
        call.send().await.map(drop).map_err(|err| Error::new("TagResource", arn, err))
    })
    .await
}
