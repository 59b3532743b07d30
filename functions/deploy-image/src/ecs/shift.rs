//! Deployments of ECS that shift traffic or pause: how far they are, and the calls that end a pause or take them back.

use std::collections::BTreeMap;

use aws::{Error, JsonApi, each, seconds};
use aws_sdk_ecs::types as sdk;
use serde_json::{Value, json};

use crate::plan::{Pause, PauseState, Shift};

/// DescribeServiceDeployments takes no more.
const DEPLOYMENTS_PER_CALL: usize = 20;

/// Deployments by their ARNs; what a refused call was about has the error in its place.
pub async fn describe_deployments(ecs: &JsonApi, arns: Vec<String>) -> BTreeMap<String, Result<Shift, String>> {
    let batches: Vec<Vec<String>> = arns.chunks(DEPLOYMENTS_PER_CALL).map(<[String]>::to_vec).collect();
    let answers = each(batches, 4, async |batch| {
        let body = json!({"serviceDeploymentArns": batch});
        (ecs.call("DescribeServiceDeployments", "service deployments", body).await, batch)
    });
    let mut told = BTreeMap::new();
    for (answer, batch) in answers.await {
        match answer {
            Ok(mut answer) => {
                let deployments = answer.remove("serviceDeployments").unwrap_or_default();
                let deployments = deployments.as_array().into_iter().flatten().filter_map(shift);
                told.extend(deployments.map(|it| (it.arn.clone(), Ok(it))));
            }
            Err(error) => told.extend(batch.into_iter().map(|it| (it, Err(error.to_string())))),
        }
    }
    told
}

fn shift(it: &Value) -> Option<Shift> {
    let status = it["status"].as_str()?;
    Some(Shift {
        arn: it["serviceDeploymentArn"].as_str()?.into(),
        under_way: matches!(status, "PENDING" | "IN_PROGRESS"),
        stage: it["lifecycleStage"].as_str().unwrap_or_default().into(),
        moved: seconds(&it["updatedAt"]),
        traffic: it["targetServiceRevision"]["requestedProductionTrafficWeight"].as_f64(),
        pauses: it["lifecycleHookDetails"].as_array().into_iter().flatten().filter_map(pause).collect(),
    })
}

/// A hook that a function answers is none that a person answers.
fn pause(it: &Value) -> Option<Pause> {
    if it["targetType"] == "AWS_LAMBDA" {
        return None;
    }
    Some(Pause {
        hook: it["hookId"].as_str()?.into(),
        state: match it["status"].as_str() {
            Some("AWAITING_ACTION") => PauseState::Waits,
            Some("TIMED_OUT") => PauseState::TimedOut,
            _ => PauseState::Over,
        },
        until: seconds(&it["expiresAt"]),
        then_continues: it["timeoutAction"] == "CONTINUE",
    })
}

/// Whether a hook of the service's settings is a pause. ECS leaves out what kind it is, and a function has an ARN.
pub fn is_pause(it: &sdk::DeploymentLifecycleHook) -> bool {
    it.hook_target_arn().is_none_or(str::is_empty)
}

/// Lets a deployment go on that pauses at `hook`. One that does not wait there any more was answered before.
pub async fn continue_deployment(ecs: &JsonApi, deployment: &str, hook: &str) -> Result<(), Error> {
    let body = json!({"serviceDeploymentArn": deployment, "hookId": hook, "action": "CONTINUE"});
    match ecs.call("ContinueServiceDeployment", deployment, body).await {
        Err(error) if error.code == "InvalidParameterException" => Err(Error::not_now()),
        other => other.map(drop),
    }
}

/// Takes a deployment back: the tasks of before still run, so the traffic returns at once.
pub async fn stop_deployment(ecs: &JsonApi, deployment: &str) -> Result<(), Error> {
    let body = json!({"serviceDeploymentArn": deployment, "stopType": "ROLLBACK"});
    ecs.call("StopServiceDeployment", deployment, body).await.map(drop)
}
