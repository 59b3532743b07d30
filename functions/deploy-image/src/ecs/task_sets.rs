//! The task sets of a service that CodeDeploy deploys, as the SDK's types tell of them.

use aws::moment;
use aws_sdk_ecs::types as sdk;
use serde_json::{Value, json};

use crate::plan::{Deployment, RolloutState, TaskSet};

/// A task set, unless it only waits for its end.
pub fn task_set(it: &sdk::TaskSet) -> Option<TaskSet> {
    let status = it.status().unwrap_or_default();
    (status != "DRAINING").then_some(TaskSet {
        id: it.id().unwrap_or_default().into(),
        primary: status == "PRIMARY",
        task_definition: it.task_definition()?.into(),
        deployment: it.external_id().filter(|it| it.starts_with("d-")).map(str::to_owned),
        began: it.created_at().and_then(moment),
        properties: properties(it),
    })
}

/// The task set in the place of the deployment that ECS does not tell of.
pub fn deployment(it: &TaskSet) -> Deployment {
    Deployment {
        id: it.id.clone(),
        primary: it.primary,
        task_definition: it.task_definition.clone(),
        state: RolloutState::Unsaid,
        reason: String::new(),
        failed_tasks: 0,
        running: 0,
        began: it.began,
    }
}

/// What an AppSpec has to say for the next task set to be like this one.
fn properties(it: &sdk::TaskSet) -> Value {
    let mut properties = json!({});
    if let Some(balancer) = it.load_balancers().first() {
        properties["LoadBalancerInfo"] =
            json!({"ContainerName": balancer.container_name(), "ContainerPort": balancer.container_port()});
    }
    if let Some(version) = it.platform_version().filter(|it| !it.is_empty()) {
        properties["PlatformVersion"] = version.into();
    }
    if let Some(network) = it.network_configuration().and_then(|it| it.awsvpc_configuration()) {
        let mut awsvpc = json!({"Subnets": network.subnets(), "SecurityGroups": network.security_groups()});
        if let Some(public) = network.assign_public_ip() {
            awsvpc["AssignPublicIp"] = public.as_str().into();
        }
        properties["NetworkConfiguration"] = json!({"AwsvpcConfiguration": awsvpc});
    }
    let provider = |it: &sdk::CapacityProviderStrategyItem| json!({"CapacityProvider": it.capacity_provider(), "Base": it.base(), "Weight": it.weight()});
    if !it.capacity_provider_strategy().is_empty() {
        properties["CapacityProviderStrategy"] = it.capacity_provider_strategy().iter().map(provider).collect();
    }
    properties
}
