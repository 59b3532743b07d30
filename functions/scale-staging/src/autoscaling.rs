//! Calls to Application Auto Scaling: the scaling targets of services.

use std::collections::BTreeMap;

use aws::{Error, Late, LeaveThrottling, Pace, late};
use aws_config::SdkConfig;
use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::types::{ScalableDimension, ScalableTarget, ServiceNamespace, SuspendedState};
use jiff::Timestamp;
use rules::ServiceName;
use rules::sleep::{Limits, Suspended};
use tokio::time::Instant;

use crate::plan::ScheduledAction;

/// DescribeScalableTargets takes no more names than this, and puts no more targets into one page.
const TARGETS_PER_CALL: usize = 50;

/// Application Auto Scaling, at the pace that it allows: it publishes no rate of calls, and the evening of a large shop
/// lowers the limits of hundreds of targets at once.
pub struct Scaling {
    client: Late<Client>,
    pace: Pace,
}

impl Scaling {
    pub fn new(config: &SdkConfig) -> Self {
        let client = |config: &SdkConfig| {
            let builder = aws_sdk_applicationautoscaling::config::Builder::from(config);
            Client::from_conf(builder.retry_classifier(LeaveThrottling).build())
        };
        Scaling { client: late(config, client), pace: Pace::learned() }
    }

    async fn call<T>(
        &self,
        until: Option<Instant>,
        call: impl AsyncFn(&Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.pace.call(until, async || call(&self.client).await).await
    }
}

/// A scaling target, and what its owner has scheduled on it.
pub struct Target {
    pub arn: Option<String>,
    pub limits: Limits,
    pub scheduled_actions: Vec<ScheduledAction>,
}

/// The scaling targets of these services, as far as they have any, by the service's ARN.
///
/// Few services are asked for by name; of many, few have a target, so all targets of the region are read.
pub async fn describe_targets(scaling: &Scaling, arns: &[String]) -> Result<BTreeMap<String, Target>, Error> {
    if arns.is_empty() {
        return Ok(BTreeMap::new());
    }
    let by_id: BTreeMap<String, &String> = arns.iter().filter_map(|it| Some((resource_id(it)?, it))).collect();
    let named = (by_id.len() <= TARGETS_PER_CALL).then(|| by_id.keys().cloned().collect());
    let mut targets = BTreeMap::new();
    let mut token = None;
    loop {
        let page = scaling
            .call(None, async |client| {
                let call = client.describe_scalable_targets().service_namespace(ServiceNamespace::Ecs);
                let call = call.scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
                let call = call.set_resource_ids(named.clone()).max_results(TARGETS_PER_CALL as i32);
                let page = call.set_next_token(token.clone()).send().await;
                page.map_err(|err| Error::new("DescribeScalableTargets", "ecs", err))
            })
            .await?;
        for target in page.scalable_targets() {
            let Some(arn) = by_id.get(target.resource_id()) else { continue };
            targets.insert(
                arn.to_string(),
                Target {
                    arn: target.scalable_target_arn().map(str::to_owned),
                    limits: limits(target),
                    scheduled_actions: Vec::new(),
                },
            );
        }
        token = page.next_token.filter(|it| !it.is_empty());
        if token.is_none() {
            break;
        }
    }
    if !targets.is_empty() {
        add_scheduled_actions(scaling, &by_id, &mut targets).await?;
    }
    Ok(targets)
}

/// The call takes one target or none: all scheduled actions of services are read, which are few.
async fn add_scheduled_actions(
    scaling: &Scaling,
    by_id: &BTreeMap<String, &String>,
    targets: &mut BTreeMap<String, Target>,
) -> Result<(), Error> {
    let mut token = None;
    loop {
        let page = scaling
            .call(None, async |client| {
                let call = client.describe_scheduled_actions().service_namespace(ServiceNamespace::Ecs);
                let call = call.scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
                let page = call.max_results(TARGETS_PER_CALL as i32).set_next_token(token.clone()).send().await;
                page.map_err(|err| Error::new("DescribeScheduledActions", "ecs", err))
            })
            .await?;
        for action in page.scheduled_actions() {
            let target = by_id.get(action.resource_id()).and_then(|arn| targets.get_mut(*arn));
            if let Some(target) = target {
                let ends = action.end_time().and_then(|it| Timestamp::new(it.secs(), it.subsec_nanos() as i32).ok());
                target.scheduled_actions.push(ScheduledAction { name: action.scheduled_action_name().into(), ends });
            }
        }
        token = page.next_token.filter(|it| !it.is_empty());
        if token.is_none() {
            return Ok(());
        }
    }
}

fn resource_id(arn: &str) -> Option<String> {
    ServiceName::of_arn(arn).map(|it| format!("service/{it}"))
}

fn limits(target: &ScalableTarget) -> Limits {
    let suspended = target.suspended_state();
    let is = |it: fn(&SuspendedState) -> Option<bool>| suspended.and_then(it).unwrap_or_default();
    Limits {
        min: target.min_capacity(),
        max: target.max_capacity(),
        suspended: Suspended {
            scale_in: is(SuspendedState::dynamic_scaling_in_suspended),
            scale_out: is(SuspendedState::dynamic_scaling_out_suspended),
            scheduled: is(SuspendedState::scheduled_scaling_suspended),
        },
    }
}

/// Sets the least number of tasks of a target and what of it is suspended; the greatest stays.
///
/// All three flags are given, since one that is not keeps its value.
pub async fn set_limits(
    scaling: &Scaling,
    service: &ServiceName,
    min: i32,
    suspended: Suspended,
    until: Instant,
) -> Result<(), Error> {
    let state = SuspendedState::builder()
        .dynamic_scaling_in_suspended(suspended.scale_in)
        .dynamic_scaling_out_suspended(suspended.scale_out)
        .scheduled_scaling_suspended(suspended.scheduled)
        .build();
    let set = scaling.call(Some(until), async |client| {
        let call = client.register_scalable_target().service_namespace(ServiceNamespace::Ecs);
        let call = call.scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
        let call = call.resource_id(format!("service/{service}")).min_capacity(min).suspended_state(state.clone());
        call.send().await.map(drop).map_err(|err| Error::new("RegisterScalableTarget", &service.to_string(), err))
    });
    set.await
}

/// The value of one tag of a target, if it has that.
pub async fn tag(scaling: &Scaling, target: &str, key: &str) -> Result<Option<String>, Error> {
    let read = scaling.call(None, async |client| {
        let answer = client.list_tags_for_resource().resource_arn(target).send().await;
        answer.map_err(|err| Error::new("ListTagsForResource", target, err))
    });
    Ok(read.await?.tags().and_then(|it| it.get(key)).cloned())
}

pub async fn write_tag(scaling: &Scaling, target: &str, key: &str, value: &str, until: Instant) -> Result<(), Error> {
    let written = scaling.call(Some(until), async |client| {
        let call = client.tag_resource().resource_arn(target).tags(key, value);
        call.send().await.map(drop).map_err(|err| Error::new("TagResource", target, err))
    });
    written.await
}
