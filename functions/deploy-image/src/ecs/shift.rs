//! Deployments of ECS that shift traffic or pause: how far they are, and the calls that end a pause or take them back.

use std::collections::BTreeMap;

use aws::{Error, each, moment};
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types as sdk;

use crate::plan::{Pause, PauseState, Shift};

/// DescribeServiceDeployments takes no more.
const DEPLOYMENTS_PER_CALL: usize = 20;

/// Deployments by their ARNs; what a refused call was about has the error in its place.
pub async fn describe_deployments(ecs: &Client, arns: Vec<String>) -> BTreeMap<String, Result<Shift, String>> {
    let batches: Vec<Vec<String>> = arns.chunks(DEPLOYMENTS_PER_CALL).map(<[String]>::to_vec).collect();
    let answers = each(batches, 4, async |batch| {
        let answer = ecs.describe_service_deployments().set_service_deployment_arns(Some(batch.clone())).send().await;
        (answer.map_err(|err| Error::new("DescribeServiceDeployments", "service deployments", err)), batch)
    });
    let mut told = BTreeMap::new();
    for (answer, batch) in answers.await {
        match answer {
            Ok(answer) => {
                told.extend(answer.service_deployments().iter().filter_map(shift).map(|it| (it.arn.clone(), Ok(it))))
            }
            Err(error) => told.extend(batch.into_iter().map(|it| (it, Err(error.to_string())))),
        }
    }
    told
}

fn shift(it: &sdk::ServiceDeployment) -> Option<Shift> {
    let status = it.status()?;
    Some(Shift {
        arn: it.service_deployment_arn()?.into(),
        under_way: matches!(status, sdk::ServiceDeploymentStatus::Pending | sdk::ServiceDeploymentStatus::InProgress),
        stage: it.lifecycle_stage().map(|it| it.as_str().to_owned()).unwrap_or_default(),
        moved: it.updated_at().and_then(moment),
        traffic: it.target_service_revision().and_then(|it| it.requested_production_traffic_weight()),
        pauses: it.lifecycle_hook_details().iter().filter_map(pause).collect(),
    })
}

/// A hook that a function answers is none that a person answers.
fn pause(it: &sdk::DeploymentLifecycleHookDetail) -> Option<Pause> {
    if it.target_type() == Some(&sdk::DeploymentLifecycleHookTargetType::AwsLambda) {
        return None;
    }
    Some(Pause {
        hook: it.hook_id()?.into(),
        state: match it.status() {
            Some(sdk::DeploymentLifecycleHookStatus::AwaitingAction) => PauseState::Waits,
            Some(sdk::DeploymentLifecycleHookStatus::TimedOut) => PauseState::TimedOut,
            _ => PauseState::Over,
        },
        until: it.expires_at().and_then(moment),
        then_continues: it.timeout_action() == Some(&sdk::DeploymentLifecycleHookAction::Continue),
    })
}

/// Whether a hook of the service's settings is a pause. ECS leaves out what kind it is, and a function has an ARN.
pub fn is_pause(it: &sdk::DeploymentLifecycleHook) -> bool {
    it.hook_target_arn().is_none_or(str::is_empty)
}

/// Lets a deployment go on that pauses at `hook`. One that does not wait there any more was answered before.
pub async fn continue_deployment(ecs: &Client, deployment: &str, hook: &str) -> Result<(), Error> {
    let call = ecs.continue_service_deployment().service_deployment_arn(deployment).hook_id(hook);
    match call.action(sdk::DeploymentLifecycleHookAction::Continue).send().await {
        Ok(_) => Ok(()),
        Err(err) if err.as_service_error().is_some_and(|it| it.is_invalid_parameter_exception()) => {
            Err(Error::not_now())
        }
        Err(err) => Err(Error::new("ContinueServiceDeployment", deployment, err)),
    }
}

/// Takes a deployment back: the tasks of before still run, so the traffic returns at once.
pub async fn stop_deployment(ecs: &Client, deployment: &str) -> Result<(), Error> {
    let call = ecs.stop_service_deployment().service_deployment_arn(deployment);
    let answer = call.stop_type(sdk::StopServiceDeploymentStopType::Rollback).send().await;
    answer.map(drop).map_err(|err| Error::new("StopServiceDeployment", deployment, err))
}
