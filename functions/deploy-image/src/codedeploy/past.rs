//! The deployments of a deployment group: which there were, what became of them, and by which AppSpec.

use std::collections::BTreeMap;

use aws::{Error, JsonApi, seconds};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::texts::{names, text};
use crate::plan::{Attempt, Group, Source, Status, TaskSet, task_definition_in};

/// BatchGetDeployments takes no more ids than this.
const DEPLOYMENTS_PER_CALL: usize = 25;

/// Deployments that are looked at; one further back tells nothing about the present.
const HISTORY: usize = 100;

/// The application and the deployment group of each of these deployments that CodeDeploy still knows.
pub async fn deployment_groups(
    codedeploy: &JsonApi,
    ids: &[String],
) -> Result<BTreeMap<String, (String, String)>, Error> {
    let told = describe_deployments(codedeploy, ids).await?;
    let group = |it: &Value| {
        let group = (it["applicationName"].as_str()?.into(), it["deploymentGroupName"].as_str()?.into());
        Some((it["deploymentId"].as_str()?.into(), group))
    };
    Ok(told.iter().filter_map(group).collect())
}

pub async fn list_deployments(
    codedeploy: &JsonApi,
    application: &str,
    group: &str,
    since: Timestamp,
) -> Result<Vec<String>, Error> {
    let range = json!({"start": since.as_second()});
    let body = json!({"applicationName": application, "deploymentGroupName": group, "createTimeRange": range});
    let ids = codedeploy.list("ListDeployments", &format!("{application}/{group}"), body, "deployments").await?;
    Ok(names(ids))
}

/// The deployments `known` of a group and those that made `task_sets`, newest first.
pub async fn attempts(
    codedeploy: &JsonApi,
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
    told.retain(|it| text(it, "applicationName") == group.application && text(it, "deploymentGroupName") == group.name);
    told.sort_by_key(|it| std::cmp::Reverse(seconds(&it["createTime"])));
    let mut attempts = Vec::new();
    for it in &told {
        let Some(id) = it["deploymentId"].as_str() else { continue };
        let made = task_sets.iter().find(|set| set.deployment.as_deref() == Some(id));
        let described = it["description"].as_str().and_then(task_definition_in);
        let known = made.map(|it| it.task_definition.as_str()).or(described);
        // The AppSpec of what has the traffic is the model of the next one; of others only the revision matters.
        let app_spec = match made.is_some_and(|it| it.primary) || known.is_none() {
            true => app_spec(codedeploy, &group.application, &it["revision"]).await?,
            false => Source::Unread,
        };
        attempts.push(attempt(it, id, known, app_spec));
    }
    Ok(attempts)
}

async fn describe_deployments(codedeploy: &JsonApi, ids: &[String]) -> Result<Vec<Value>, Error> {
    let mut told = Vec::new();
    for ids in ids.chunks(DEPLOYMENTS_PER_CALL) {
        let mut answer = codedeploy.call("BatchGetDeployments", &ids[0], json!({"deploymentIds": ids})).await?;
        if let Some(Value::Array(some)) = answer.remove("deploymentsInfo") {
            told.extend(some);
        }
    }
    Ok(told)
}

/// The AppSpec at `location`. CodeDeploy tells of a deployment only its hash; the application has the text.
async fn app_spec(codedeploy: &JsonApi, application: &str, location: &Value) -> Result<Source, Error> {
    if location.is_null() {
        return Ok(Source::Unread);
    }
    let s3 = &location["s3Location"];
    if s3.is_object() {
        return Ok(Source::Elsewhere(format!("s3://{}/{}", text(s3, "bucket"), text(s3, "key"))));
    }
    if let Some(content) = content(location) {
        return Ok(Source::Text(content));
    }
    let body = json!({"applicationName": application, "revision": location});
    match codedeploy.call("GetApplicationRevision", application, body).await {
        Ok(answer) => Ok(answer.get("revision").and_then(content).map_or(Source::Unread, Source::Text)),
        Err(error) if error.code == "RevisionDoesNotExistException" => Ok(Source::Unread),
        Err(error) => Err(error),
    }
}

fn content(location: &Value) -> Option<String> {
    Some(text(&location["appSpecContent"], "content")).filter(|it| !it.is_empty()).map(str::to_owned)
}

fn attempt(it: &Value, id: &str, task_definition: Option<&str>, app_spec: Source) -> Attempt {
    let named = match &app_spec {
        Source::Text(content) => task_definition_in(content),
        Source::Elsewhere(_) | Source::Unread => None,
    };
    let status = it["status"].as_str();
    let error = &it["errorInformation"];
    let code = error["code"].as_str();
    Attempt {
        id: id.into(),
        task_definition: task_definition.or(named).map(str::to_owned),
        status: match status {
            Some("Succeeded") => Status::Succeeded,
            Some("Failed") => Status::Failed,
            // An alarm or a time limit stops a deployment too; no person decided that.
            Some("Stopped") if code.is_none_or(|it| it == "MANUAL_STOP") => Status::Stopped,
            Some("Stopped") => Status::Failed,
            _ => Status::Open,
        },
        said: status.unwrap_or("no status").into(),
        code: code.unwrap_or_default().into(),
        reason: [text(error, "code"), text(error, "message")]
            .into_iter()
            .filter(|it| !it.is_empty())
            .collect::<Vec<_>>()
            .join(": "),
        undoes: it["creator"] == "codeDeployRollback",
        began: seconds(&it["createTime"]),
        ended: seconds(&it["completeTime"]),
        app_spec,
    }
}

#[cfg(test)]
mod bad_input {
    use serde_json::json;

    use super::*;

    #[test]
    fn deployments() {
        let sample = json!({
            "status": "Stopped", "creator": "codeDeployRollback", "createTime": 1_795_000_000.25, "completeTime": 1_795_000_100,
            "errorInformation": {"code": "MANUAL_STOP", "message": "by hand"},
            "appSpecContent": {"content": "arn:aws:ecs:r:1:task-definition/api:7"},
        });
        fuzz::values(&[sample], |it| {
            fuzz::used(attempt(it, "d-1", None, content(it).map_or(Source::Unread, Source::Text)));
        });
    }
}
