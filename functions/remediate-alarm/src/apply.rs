//! Carries out one step of the plan.

use std::collections::BTreeMap;

use aws::Error;
use rules::keys;
use runtime::Run;
use serde_json::{Value, json};
use tracing::warn;

use crate::plan::step::{RemedyAction, StartRemedy, Step};
use crate::{Clients, cloudwatch, ecs, rds};

/// Carries out one step; returns what only the doing could tell.
pub async fn apply(clients: &Clients, step: &Step, run: &Run<'_>) -> Result<Value, Error> {
    match step {
        Step::Start(step) => start(clients, step, run).await,
        Step::Remember(it) if step.is_written_once_told() => {
            ensure_unchanged(clients, &it.arn, &it.key, it.before.as_ref()).await.map(|()| Value::Null)
        }
        Step::Remember(change) => {
            let value = change.memory.as_ref().map(ToString::to_string);
            cloudwatch::write_tag(&clients.cloudwatch, &change.arn, &change.key, value.as_deref()).await?;
            Ok(Value::Null)
        }
    }
}

/// Starts a remedy, after the alarm remembers it: a run that dies in between has done too little, never twice.
async fn start(clients: &Clients, step: &StartRemedy, run: &Run<'_>) -> Result<Value, Error> {
    ensure_unchanged(clients, &step.alarm_arn, &step.key, step.before.as_ref()).await?;
    // It is written once people were told.
    if step.action == RemedyAction::Notify {
        return Ok(Value::Null);
    }
    let memory = step.memory.to_string();
    cloudwatch::write_tag(&clients.cloudwatch, &step.alarm_arn, &step.key, Some(&memory)).await?;
    match &step.action {
        RemedyAction::Notify => Ok(Value::Null),
        RemedyAction::Restart(service) => ecs::restart(&clients.ecs, service).await.map(|()| Value::Null),
        RemedyAction::Reboot { id, failover } => rds::reboot(&clients.rds, id, *failover).await.map(|()| Value::Null),
        RemedyAction::ScaleOut { arn, boost, .. } => {
            write_request(clients, arn, keys::BOOST_MEMORY, &boost.to_string()).await?;
            Ok(wake(clients, run, "scale-staging", json!({"resource": arn})).await)
        }
        RemedyAction::Rollback { arn, request, .. } => {
            write_request(clients, arn, keys::ROLLBACK, &request.to_string()).await?;
            Ok(wake(clients, run, "deploy-image", json!({"resource": arn})).await)
        }
        RemedyAction::Wake { arn, until, .. } => {
            let until = until.0.to_string();
            write_request(clients, arn, keys::AWAKE_UNTIL_MEMORY, &until).await?;
            // Without a moment the command would mean "until the next change", and overwrite the tag.
            let payload = json!({"wake": {"resource": arn, "until": until}});
            Ok(wake(clients, run, "scale-staging", payload).await)
        }
    }
}

/// EventBridge, SNS and a direct action come within a moment: who finds the memory of another run leaves it to that.
async fn ensure_unchanged(clients: &Clients, alarm: &str, key: &str, before: Option<&String>) -> Result<(), Error> {
    let tags: BTreeMap<_, _> = cloudwatch::tags(&clients.cloudwatch, alarm).await?.unwrap_or_default();
    if tags.get(key) == before { Ok(()) } else { Err(Error::not_now()) }
}

/// Writes on a service or database what its owner is asked for.
async fn write_request(clients: &Clients, arn: &str, key: &str, value: &str) -> Result<(), Error> {
    if arn.contains(":ecs:") {
        ecs::write_request(&clients.ecs, arn, key, value).await
    } else {
        rds::write_request(&clients.rds, arn, key, value).await
    }
}

/// Wakes the owner of what was asked for. One that cannot be woken finds the tag with its next sweep.
async fn wake(clients: &Clients, run: &Run<'_>, owner: &str, payload: Value) -> Value {
    let then = |who: String| json!({"then": format!("{who} carries it out")});
    let Some(function) = run.sibling(owner) else { return then(format!("the next sweep of {owner}")) };
    match aws::lambda::wake(&clients.lambda, &function, &payload.to_string()).await {
        Ok(()) => then(function),
        Err(error) => {
            warn!(function, reason = %error, "not woken; its next sweep finds the tag");
            then(format!("the next sweep of {owner}"))
        }
    }
}
