//! Calls to CodeDeploy.

mod past;
mod tell;

use aws::Error;
use aws_sdk_codedeploy::Client;
use aws_sdk_codedeploy::types as sdk;
use jiff::SignedDuration;

use crate::plan::{CreateDeployment, Group, ServiceName, Stop};
use past::list_deployments;

pub use tell::tell;

/// BatchGetDeploymentGroups takes no more names than this, all of one application.
const GROUPS_PER_CALL: usize = 100;

/// All deployment groups of the account and region that deploy an ECS service.
pub async fn list_groups(codedeploy: &Client) -> Result<Vec<Group>, Error> {
    let mut groups = Vec::new();
    for application in list_applications(codedeploy).await? {
        let names = list_names(codedeploy, &application).await?;
        groups.extend(describe_groups(codedeploy, &application, &names).await?);
    }
    Ok(groups)
}

async fn list_applications(codedeploy: &Client) -> Result<Vec<String>, Error> {
    let mut pages = codedeploy.list_applications().into_paginator().send();
    let mut applications = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|err| Error::new("ListApplications", "codedeploy", err))?;
        applications.extend(page.applications().to_vec());
    }
    Ok(applications)
}

async fn list_names(codedeploy: &Client, application: &str) -> Result<Vec<String>, Error> {
    let mut pages = codedeploy.list_deployment_groups().application_name(application).into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|err| Error::new("ListDeploymentGroups", application, err))?;
        names.extend(page.deployment_groups().to_vec());
    }
    Ok(names)
}

/// Those of an application's deployment groups that exist and deploy an ECS service.
pub async fn describe_groups(codedeploy: &Client, application: &str, names: &[String]) -> Result<Vec<Group>, Error> {
    let mut groups = Vec::new();
    for names in names.chunks(GROUPS_PER_CALL) {
        let answer = codedeploy
            .batch_get_deployment_groups()
            .application_name(application)
            .set_deployment_group_names(Some(names.to_vec()))
            .send()
            .await
            .map_err(|err| Error::new("BatchGetDeploymentGroups", application, err));
        match answer {
            Ok(answer) => groups.extend(answer.deployment_groups_info().iter().filter_map(group)),
            Err(error) if error.code.ends_with("DoesNotExistException") => {}
            Err(error) => return Err(error),
        }
    }
    Ok(groups)
}

fn group(it: &sdk::DeploymentGroupInfo) -> Option<Group> {
    let services: Vec<ServiceName> = it.ecs_services().iter().filter_map(service).collect();
    (!services.is_empty()).then_some(Group {
        application: it.application_name()?.into(),
        name: it.deployment_group_name()?.into(),
        services,
        goes_back: it.auto_rollback_configuration().is_some_and(|it| it.enabled()),
        waits: waits(it),
    })
}

/// How long a deployment of the group waits by its settings.
fn waits(it: &sdk::DeploymentGroupInfo) -> SignedDuration {
    let blue_green = it.blue_green_deployment_configuration();
    let ready = blue_green.and_then(|it| it.deployment_ready_option()).map_or(0, |it| it.wait_time_in_minutes());
    let end = blue_green.and_then(|it| it.terminate_blue_instances_on_deployment_success());
    let end = end.map_or(0, |it| it.termination_wait_time_in_minutes());
    SignedDuration::from_mins(i64::from(ready) + i64::from(end))
}

/// The cluster may be told by its ARN.
fn service(it: &sdk::EcsService) -> Option<ServiceName> {
    let cluster = it.cluster_name()?;
    let cluster = cluster.rsplit('/').next().unwrap_or(cluster);
    ServiceName::parse(&format!("{cluster}/{}", it.service_name()?))
}

/// Begins a deployment of the revision `task_definition`, which people know as `image`, and returns its id.
///
/// The description says which revision it deploys: CodeDeploy does not.
pub async fn create_deployment(
    codedeploy: &Client,
    how: &CreateDeployment,
    task_definition: &str,
    image: &str,
) -> Result<String, Error> {
    let content = sdk::AppSpecContent::builder().content(how.app_spec.naming(task_definition)).build();
    let revision = sdk::RevisionLocation::builder()
        .revision_type(sdk::RevisionLocationType::AppSpecContent)
        .app_spec_content(content)
        .build();
    let answer = codedeploy
        .create_deployment()
        .application_name(&how.application)
        .deployment_group_name(&how.group)
        .description(format!("Nightshift deploys {image}: {task_definition}"))
        .revision(revision)
        .send()
        .await
        .map_err(|err| Error::new("CreateDeployment", &format!("{}/{}", how.application, how.group), err));
    match answer {
        Ok(answer) => Ok(answer.deployment_id().unwrap_or_default().to_owned()),
        // Another run, or a person, was faster: what has to be done then, the next run sees.
        Err(error) if error.code == "DeploymentLimitExceededException" => Err(Error::not_now()),
        Err(error) => Err(error),
    }
}

/// Whether the decision knew of all deployments that there are; if not, the next run decides anew.
pub async fn ensure_unchanged(codedeploy: &Client, how: &CreateDeployment) -> Result<(), Error> {
    let ids = list_deployments(codedeploy, &how.application, &how.group, how.since).await?;
    if ids.iter().all(|it| how.known.contains(it)) { Ok(()) } else { Err(Error::not_now()) }
}

/// Stops a deployment and has CodeDeploy go back; one that has ended by now counts as stopped.
pub async fn stop_deployment(codedeploy: &Client, stop: &Stop) -> Result<(), Error> {
    let answer = codedeploy.stop_deployment().deployment_id(&stop.deployment).auto_rollback_enabled(true).send().await;
    match answer.map_err(|err| Error::new("StopDeployment", &stop.deployment, err)) {
        Err(error) if error.code == "DeploymentAlreadyCompletedException" => Ok(()),
        other => other.map(drop),
    }
}
