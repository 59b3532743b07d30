//! Calls to EventBridge Scheduler.

use aws::scheduler::{ScheduleName, Scheduler};
use aws::{Error, each};
use serde_json::Value;

use crate::plan::{Follow, Scheduled};

/// How many schedules are read at a time.
const READS: usize = 8;

/// The schedules of a group whose target is a task of ECS; those that are gone meanwhile count as never listed.
pub async fn schedules_on_ecs(scheduler: &Scheduler, group: &str) -> Result<Vec<Scheduled>, Error> {
    let names = scheduler.list_schedules(group).await?;
    let read = each(names, READS, async |name| Ok((scheduler.get_schedule(&name).await?, name.name))).await;
    let mut schedules = Vec::new();
    for answer in read {
        let (Some(schedule), name) = answer? else { continue };
        let target = &schedule["Target"];
        let text = |it: &Value| it.as_str().map(str::to_owned);
        // Without parameters of ECS it is another target.
        if let Some(task_definition) = text(&target["EcsParameters"]["TaskDefinitionArn"]) {
            schedules.push(Scheduled { name, role: text(&target["RoleArn"]).unwrap_or_default(), task_definition });
        }
    }
    schedules.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(schedules)
}

/// Lets a schedule run another revision. It is read right before, so that whatever else was changed in it stays; one that
/// another has changed since the decision is left to the next run.
pub async fn follow_revision(scheduler: &Scheduler, it: &Follow) -> Result<(), Error> {
    let name = ScheduleName { group: it.group.clone(), name: it.schedule.clone() };
    let Some(mut schedule) = scheduler.get_schedule(&name).await? else { return Err(Error::not_now()) };
    let Some(target) = schedule.get_mut("Target") else { return Err(Error::not_now()) };
    let runs = target["EcsParameters"]["TaskDefinitionArn"].as_str();
    if runs != Some(&it.from) || target["RoleArn"].as_str() != Some(&it.role) {
        return Err(Error::not_now());
    }
    target["EcsParameters"]["TaskDefinitionArn"] = it.to.as_str().into();
    match scheduler.update_schedule(&name, &schedule).await {
        // Such as one whose end lies in the past: trying at every hour does not help.
        Err(error) if error.code == "ValidationException" => {
            let message = format!("{name} does not follow {}: {error}", it.service);
            Err(error.told_as("follow-refused", message))
        }
        other => other,
    }
}
