//! Carries out one step.

use aws::Error;
use aws::rds::write_tag;
use rules::keys;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::plan::Step;
use crate::regions::Regions;
use crate::{ecs, rds};

/// Carries out `step`; returns what only the doing could tell.
pub async fn apply(regions: &Regions<'_>, step: &Step, until: Instant) -> Result<Value, Error> {
    let tag = async |arn: &str, key: &str, value: &str| {
        write_tag(&regions.of(arn)?.rds, arn, key, Some(value), Some(until)).await
    };
    match step {
        Step::Restore(it) => {
            let region = it.region.as_ref().map_or(regions.home, |it| it.name());
            rds::restore(&regions.named(region)?.rds, it, until).await?;
        }
        Step::AddMember(it) => rds::add_member(&regions.of(&it.arn)?.rds, it, until).await?,
        Step::Note(it) => tag(&it.arn, keys::DRILL_PROGRESS, &it.progress.to_string()).await?,
        Step::RunCheck(it) => {
            // The task is noted only now: a run that dies in between starts it with the same token, and ECS answers
            // with the same task.
            let task = ecs::run_check(&regions.of(&it.arn)?.ecs, it).await?;
            let progress = rules::drill::Progress { task: Some(task.clone()), ..it.progress.clone() };
            tag(&it.arn, keys::DRILL_PROGRESS, &progress.to_string()).await?;
            return Ok(json!({"task": task}));
        }
        Step::Prove(it) => tag(&it.arn, keys::PROVEN, &it.value).await?,
        Step::Finish(it) => tag(&it.arn, keys::DRILLED, &it.drilled.to_string()).await?,
        Step::Delete(it) => rds::delete(&regions.of(&it.arn)?.rds, it, regions.home, until).await?,
    }
    Ok(json!({}))
}
