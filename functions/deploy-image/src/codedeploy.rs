//! Calls to CodeDeploy.

mod past;
mod tell;
mod texts;

use aws::{Error, JsonApi};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::plan::{CreateDeployment, Group, ServiceName, Stop};
use past::list_deployments;
use texts::names;

pub use tell::tell;

/// BatchGetDeploymentGroups takes no more names than this, all of one application.
const GROUPS_PER_CALL: usize = 100;

/// All deployment groups of the account and region that deploy an ECS service.
pub async fn list_groups(codedeploy: &JsonApi) -> Result<Vec<Group>, Error> {
    let mut groups = Vec::new();
    for application in names(codedeploy.list("ListApplications", "codedeploy", json!({}), "applications").await?) {
        let of_it = json!({"applicationName": application});
        let names = names(codedeploy.list("ListDeploymentGroups", &application, of_it, "deploymentGroups").await?);
        groups.extend(describe_groups(codedeploy, &application, &names).await?);
    }
    Ok(groups)
}

/// Those of an application's deployment groups that exist and deploy an ECS service.
pub async fn describe_groups(codedeploy: &JsonApi, application: &str, names: &[String]) -> Result<Vec<Group>, Error> {
    let mut groups = Vec::new();
    for names in names.chunks(GROUPS_PER_CALL) {
        let body = json!({"applicationName": application, "deploymentGroupNames": names});
        match codedeploy.call("BatchGetDeploymentGroups", application, body).await {
            Ok(answer) => groups.extend(
                answer.get("deploymentGroupsInfo").and_then(Value::as_array).into_iter().flatten().filter_map(group),
            ),
            Err(error) if error.code.ends_with("DoesNotExistException") => {}
            Err(error) => return Err(error),
        }
    }
    Ok(groups)
}

fn group(it: &Value) -> Option<Group> {
    let services: Vec<ServiceName> = it["ecsServices"].as_array()?.iter().filter_map(service).collect();
    (!services.is_empty()).then_some(Group {
        application: it["applicationName"].as_str()?.into(),
        name: it["deploymentGroupName"].as_str()?.into(),
        services,
        goes_back: it["autoRollbackConfiguration"]["enabled"] == true,
        waits: waits(&it["blueGreenDeploymentConfiguration"]),
    })
}

/// CodeDeploy takes no longer wait than two days; what is more would leave the calendar.
const MOST_MINUTES: u64 = 2 * 24 * 60;

/// How long a deployment of the group waits by its settings.
fn waits(blue_green: &Value) -> SignedDuration {
    let minutes = |option: &str, name: &str| blue_green[option][name].as_u64().unwrap_or_default().min(MOST_MINUTES);
    let ready = minutes("deploymentReadyOption", "waitTimeInMinutes");
    let end = minutes("terminateBlueInstancesOnDeploymentSuccess", "terminationWaitTimeInMinutes");
    SignedDuration::from_mins((ready + end) as i64)
}

/// The cluster may be told by its ARN.
fn service(it: &Value) -> Option<ServiceName> {
    let cluster = it["clusterName"].as_str()?;
    let cluster = cluster.rsplit('/').next().unwrap_or(cluster);
    ServiceName::parse(&format!("{cluster}/{}", it["serviceName"].as_str()?))
}

/// Begins a deployment of the revision `task_definition`, which people know as `image`, and returns its id.
///
/// The description says which revision it deploys: CodeDeploy does not.
pub async fn create_deployment(
    codedeploy: &JsonApi,
    how: &CreateDeployment,
    task_definition: &str,
    image: &str,
) -> Result<String, Error> {
    let content = json!({"content": how.app_spec.naming(task_definition)});
    let body = json!({
        "applicationName": how.application,
        "deploymentGroupName": how.group,
        "description": format!("Nightshift deploys {image}: {task_definition}"),
        "revision": {"revisionType": "AppSpecContent", "appSpecContent": content},
    });
    let answer = codedeploy.call("CreateDeployment", &format!("{}/{}", how.application, how.group), body).await;
    match answer {
        Ok(answer) => Ok(answer.get("deploymentId").and_then(Value::as_str).unwrap_or_default().to_owned()),
        // Another run, or a person, was faster: what has to be done then, the next run sees.
        Err(error) if error.code == "DeploymentLimitExceededException" => Err(Error::not_now()),
        Err(error) => Err(error),
    }
}

/// Whether the decision knew of all deployments that there are; if not, the next run decides anew.
pub async fn ensure_unchanged(codedeploy: &JsonApi, how: &CreateDeployment) -> Result<(), Error> {
    let ids = list_deployments(codedeploy, &how.application, &how.group, how.since).await?;
    if ids.iter().all(|it| how.known.contains(it)) { Ok(()) } else { Err(Error::not_now()) }
}

/// Stops a deployment and has CodeDeploy go back; one that has ended by now counts as stopped.
pub async fn stop_deployment(codedeploy: &JsonApi, stop: &Stop) -> Result<(), Error> {
    let body = json!({"deploymentId": stop.deployment, "autoRollbackEnabled": true});
    match codedeploy.call("StopDeployment", &stop.deployment, body).await {
        Err(error) if error.code == "DeploymentAlreadyCompletedException" => Ok(()),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod bad_input {
    use super::*;

    #[test]
    fn deployment_groups() {
        let sample = json!({
            "applicationName": "api", "deploymentGroupName": "blue", "autoRollbackConfiguration": {"enabled": true},
            "ecsServices": [{"clusterName": "arn:aws:ecs:r:1:cluster/shop", "serviceName": "api"}],
            "blueGreenDeploymentConfiguration": {
                "deploymentReadyOption": {"waitTimeInMinutes": 30},
                "terminateBlueInstancesOnDeploymentSuccess": {"terminationWaitTimeInMinutes": 5}},
        });
        fuzz::values(&[sample], |it| fuzz::used(group(it)));
    }
}
