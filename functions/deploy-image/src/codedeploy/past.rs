//! The deployments of a deployment group: which there were, what became of them, and by which AppSpec.

use std::collections::BTreeMap;

use aws::Error;
use aws_sdk_codedeploy::Client;
use aws_sdk_codedeploy::primitives::DateTime;
use aws_sdk_codedeploy::types as sdk;
use jiff::Timestamp;

use crate::plan::{Attempt, Group, Source, Status, TaskSet, task_definition_in};

/// BatchGetDeployments takes no more ids than this.
const DEPLOYMENTS_PER_CALL: usize = 25;

/// Deployments that are looked at; one further back tells nothing about the present.
const HISTORY: usize = 100;

/// The application and the deployment group of each of these deployments that CodeDeploy still knows.
pub async fn deployment_groups(
    codedeploy: &Client,
    ids: &[String],
) -> Result<BTreeMap<String, (String, String)>, Error> {
    let told = describe_deployments(codedeploy, ids).await?;
    let group = |it: &sdk::DeploymentInfo| {
        let group = (it.application_name()?.into(), it.deployment_group_name()?.into());
        Some((it.deployment_id()?.into(), group))
    };
    Ok(told.iter().filter_map(group).collect())
}

pub async fn list_deployments(
    codedeploy: &Client,
    application: &str,
    group: &str,
    since: Timestamp,
) -> Result<Vec<String>, Error> {
    let range = sdk::TimeRange::builder().start(DateTime::from_secs(since.as_second())).build();
    let request = codedeploy.list_deployments().application_name(application).deployment_group_name(group);
    let mut pages = request.create_time_range(range).into_paginator().send();
    let mut ids = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|err| Error::new("ListDeployments", &format!("{application}/{group}"), err))?;
        ids.extend(page.deployments().to_vec());
    }
    Ok(ids)
}

/// The deployments `known` of a group and those that made `task_sets`, newest first.
pub async fn attempts(
    codedeploy: &Client,
    group: &Group,
    known: &[String],
    task_sets: &[TaskSet],
) -> Result<Vec<Attempt>, Error> {
    let mut ids: Vec<String> = task_sets.iter().filter_map(|it| it.deployment.clone()).collect();
    ids.extend(known.iter().take(HISTORY).cloned());
    ids.sort();
    ids.dedup();
    let mut told = describe_deployments(codedeploy, &ids).await?;
    // A task set may stem from a time when the service had another group.
    told.retain(|it| it.application_name() == Some(&group.application));
    told.retain(|it| it.deployment_group_name() == Some(&group.name));
    told.sort_by_key(|it| std::cmp::Reverse(it.create_time().map(|it| (it.secs(), it.subsec_nanos()))));
    let mut attempts = Vec::new();
    for it in &told {
        let Some(id) = it.deployment_id() else { continue };
        let made = task_sets.iter().find(|set| set.deployment.as_deref() == Some(id));
        let described = it.description().and_then(task_definition_in);
        let known = made.map(|it| it.task_definition.as_str()).or(described);
        // The AppSpec of what has the traffic is the model of the next one; of others only the revision matters.
        let app_spec = match made.is_some_and(|it| it.primary) || known.is_none() {
            true => app_spec(codedeploy, &group.application, it.revision()).await?,
            false => Source::Unread,
        };
        attempts.push(attempt(it, id, known, app_spec));
    }
    Ok(attempts)
}

async fn describe_deployments(codedeploy: &Client, ids: &[String]) -> Result<Vec<sdk::DeploymentInfo>, Error> {
    let mut told = Vec::new();
    for ids in ids.chunks(DEPLOYMENTS_PER_CALL) {
        let request = codedeploy.batch_get_deployments().set_deployment_ids(Some(ids.to_vec()));
        let answer = request.send().await.map_err(|err| Error::new("BatchGetDeployments", &ids[0], err))?;
        told.extend(answer.deployments_info().to_vec());
    }
    Ok(told)
}

/// The AppSpec at `location`. CodeDeploy tells of a deployment only its hash; the application has the text.
async fn app_spec(
    codedeploy: &Client,
    application: &str,
    location: Option<&sdk::RevisionLocation>,
) -> Result<Source, Error> {
    let Some(location) = location else { return Ok(Source::Unread) };
    if let Some(s3) = location.s3_location() {
        let place = format!("s3://{}/{}", s3.bucket().unwrap_or_default(), s3.key().unwrap_or_default());
        return Ok(Source::Elsewhere(place));
    }
    if let Some(text) = text(location) {
        return Ok(Source::Text(text));
    }
    let request = codedeploy.get_application_revision().application_name(application).revision(location.clone());
    match request.send().await.map_err(|err| Error::new("GetApplicationRevision", application, err)) {
        Ok(answer) => Ok(answer.revision().and_then(text).map_or(Source::Unread, Source::Text)),
        Err(error) if error.code == "RevisionDoesNotExistException" => Ok(Source::Unread),
        Err(error) => Err(error),
    }
}

fn text(location: &sdk::RevisionLocation) -> Option<String> {
    location.app_spec_content()?.content().filter(|it| !it.is_empty()).map(str::to_owned)
}

fn attempt(it: &sdk::DeploymentInfo, id: &str, task_definition: Option<&str>, app_spec: Source) -> Attempt {
    let named = match &app_spec {
        Source::Text(content) => task_definition_in(content),
        Source::Elsewhere(_) | Source::Unread => None,
    };
    let moment = |it: &DateTime| Timestamp::new(it.secs(), it.subsec_nanos() as i32).ok();
    let status = it.status();
    let code = it.error_information().and_then(|it| it.code());
    Attempt {
        id: id.into(),
        task_definition: task_definition.or(named).map(str::to_owned),
        status: match status {
            Some(sdk::DeploymentStatus::Succeeded) => Status::Succeeded,
            Some(sdk::DeploymentStatus::Failed) => Status::Failed,
            // An alarm or a time limit stops a deployment too; no person decided that.
            Some(sdk::DeploymentStatus::Stopped) if code.is_none_or(|it| *it == sdk::ErrorCode::ManualStop) => {
                Status::Stopped
            }
            Some(sdk::DeploymentStatus::Stopped) => Status::Failed,
            _ => Status::Open,
        },
        said: status.map_or("no status", |it| it.as_str()).into(),
        code: code.map(|it| it.as_str().to_owned()).unwrap_or_default(),
        reason: it.error_information().map_or_else(String::new, reason),
        undoes: it.creator() == Some(&sdk::DeploymentCreator::CodeDeployRollback),
        began: it.create_time().and_then(moment),
        ended: it.complete_time().and_then(moment),
        app_spec,
    }
}

fn reason(it: &sdk::ErrorInformation) -> String {
    let code = it.code().map_or("", |it| it.as_str());
    [code, it.message().unwrap_or_default()].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(": ")
}
