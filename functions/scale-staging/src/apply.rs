//! Makes the calls of a step, and writes what is remembered.

use aws::ec2::{instance_id, write_instance_tag};
use aws::ec2_autoscaling::{group_name, write_group_tag};
use aws::scheduler::group_of_arn;
use aws::{Error, lambda, memory};
use reconcile::memory::Note;
use rules::sleep::Refused;
use rules::{ServiceName, keys};
use runtime::Run;
use serde_json::{Value, json};

use crate::plan::{Call, IfRefused, Scaled, Step};
use crate::{Clients, autoscaling, ec2, ec2_autoscaling, ecs, rds, scheduler};

/// Makes the calls of one step, one after the other.
pub async fn apply(clients: &Clients, step: &Step, run: &Run<'_>) -> Result<Value, Error> {
    if step.is_written_once_told() {
        return Ok(Value::Null);
    }
    for call in &step.calls {
        match (make(clients, step.target.arn(), call, run).await, &step.if_refused) {
            (Err(error), Some(refusal)) if error.is_refused() => {
                return Err(remember_refusal(clients, step.target.arn(), refusal, error, run).await?);
            }
            (outcome, _) => outcome?,
        }
    }
    Ok(Value::Null)
}

async fn make(clients: &Clients, arn: &str, call: &Call, run: &Run<'_>) -> Result<(), Error> {
    let until = run.last_start;
    match call {
        Call::Remember(key, value) => write(clients, arn, key, Some(value), run).await,
        Call::Forget(keys) => forget(clients, arn, keys, run).await,
        Call::Limits { of: Scaled::Service(service), min, suspended } => {
            autoscaling::set_limits(&clients.scaling, service, *min, *suspended, until).await
        }
        Call::Limits { of: Scaled::Group(group), min, suspended } => {
            ec2_autoscaling::set_limits(&clients.groups, group, *min, *suspended, until).await
        }
        Call::Count { of: Scaled::Service(service), desired } => {
            ecs::set_count(&clients.ecs, service, *desired, until).await
        }
        Call::Count { of: Scaled::Group(group), desired } => {
            ec2_autoscaling::set_count(&clients.groups, group, *desired, until).await
        }
        Call::StopInstance { id, hibernate } => ec2::stop(&clients.ec2, id, *hibernate, until).await,
        Call::StartInstance { id } => ec2::start(&clients.ec2, id, until).await,
        Call::Stop { database, snapshot } => rds::stop(&clients.rds, database, snapshot.as_deref(), until).await,
        Call::Start { database } => rds::start(&clients.rds, database, until).await,
        Call::Jobs { group, jobs, on } => {
            let within = scheduler::Within { now: run.now.timestamp(), until };
            scheduler::switch_jobs(&clients.scheduler, group, jobs, *on, within).await
        }
        Call::CopyMemory { target, value } => {
            autoscaling::write_tag(&clients.scaling, target, keys::ASLEEP, value, until).await
        }
        Call::AskForSnapshot { database, begun } => {
            // Tried out alone, outside of AWS, there is no such function.
            let Some(function) = run.sibling("snapshot-databases") else { return Ok(()) };
            let payload = json!({"snapshot": {"database": database, "before-sleep": format!("{begun:.0}")}});
            lambda::wake(&clients.lambda, &function, &payload.to_string()).await
        }
        Call::TagSnapshot { arn, remove, tags } => rds::tag_snapshot(&clients.rds, arn, remove, tags, until).await,
    }
}

/// Leaves what a refusal leaves, and returns it as the problem that people are told.
async fn remember_refusal(
    clients: &Clients,
    arn: &str,
    refusal: &IfRefused,
    error: Error,
    run: &Run<'_>,
) -> Result<Error, Error> {
    forget(clients, arn, &refusal.forget, run).await?;
    let refused = Refused::new(refusal.at, &error.to_string());
    write(clients, arn, keys::REFUSED, Some(&refused.to_string()), run).await?;
    let trouble = refusal.kind.trouble(&refused.said);
    Ok(error.told_as(trouble.kind, trouble.message))
}

async fn forget(clients: &Clients, arn: &str, keys: &[&'static str], run: &Run<'_>) -> Result<(), Error> {
    if ServiceName::of_arn(arn).is_some() {
        return ecs::forget(&clients.ecs, arn, keys, run.last_start).await;
    }
    for key in keys {
        write(clients, arn, key, None, run).await?;
    }
    Ok(())
}

/// Writes a memory tag, or removes it where there is no value.
async fn write(clients: &Clients, arn: &str, key: &str, value: Option<&str>, run: &Run<'_>) -> Result<(), Error> {
    let until = run.last_start;
    if let Some(group) = group_name(arn) {
        return write_group_tag(&clients.groups.0, group, key, value, until).await;
    }
    if group_of_arn(arn).is_some() {
        return clients.scheduler.write_schedule_group_tag(arn, key, value).await;
    }
    if let Some(instance) = instance_id(arn) {
        return write_instance_tag(&clients.ec2.0, instance, key, value, until).await;
    }
    memory::write(&clients.ecs, &clients.rds, arn, key, value, Some(until)).await
}

/// Writes what a resource remembers of the problems told about it.
pub async fn write_note(clients: &Clients, note: &Note, run: &Run<'_>) -> Result<(), Error> {
    write(clients, &note.resource, keys::SLEEP_PROBLEM, note.value.as_deref(), run).await
}
