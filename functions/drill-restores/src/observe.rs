//! Reads what the decision depends on.

use std::collections::BTreeMap;

use aws::rds::{list_automated_snapshots, list_databases_with, list_snapshots};
use aws::{Error, each};
use rules::database::Snapshot;
use rules::drill::{Calendar, Check};
use runtime::Run;

use crate::plan::{self, Said, Scope, World};
use crate::{Clients, ecs, logs, rds};

/// Everything that the decision depends on. Most runs find nothing to do and make two calls.
pub async fn observe(clients: &Clients, scope: &Scope, run: &Run<'_>) -> Result<World, Error> {
    let listed = list_databases_with(&clients.rds, rds::details_of_instance, rds::details_of_cluster).await?;
    let details = listed.iter().map(|(database, details)| (database.arn.clone(), details.clone()));
    let mut world = World {
        details: details.collect(),
        databases: listed.into_iter().map(|(database, _)| database).collect(),
        snapshots: None,
        checks: BTreeMap::new(),
        tasks: BTreeMap::new(),
        said: BTreeMap::new(),
        calendar: Calendar { at: run.drill_at(), holidays: run.calendar().holidays.clone() },
        max_drills: run.max_drills(),
    };
    let wanted = plan::wanted_snapshots(&world, scope, run.dry_run, &run.now);
    if run.dry_run || wanted != plan::Wanted::default() {
        world.snapshots = Some(snapshots(clients, wanted).await?);
    }
    let checks = each(plan::wanted_checks(&world, scope, &run.now), 4, async |(arn, check)| {
        let target = ecs::check_target(&clients.ecs, &check).await;
        (arn, target)
    });
    let tasks = each(plan::wanted_tasks(&world, &run.now), 4, async |(arn, (service, task))| {
        let task = ecs::find_task(&clients.ecs, &service.cluster, &task).await;
        (arn, task.map_err(|err| err.to_string()))
    });
    let (checks, tasks) = tokio::join!(checks, tasks);
    world.checks = checks.into_iter().collect();
    world.tasks = tasks.into_iter().collect();
    let said = each(plan::wanted_words(&world, &run.now), 4, async |(arn, (check, task))| {
        (arn, said(clients, &check, &task).await.map_err(|err| err.to_string()))
    });
    world.said = said.await.into_iter().collect();
    Ok(world)
}

/// What each container of a check said last.
async fn said(clients: &Clients, check: &Check, task: &str) -> Result<Vec<Said>, Error> {
    let mut said = Vec::new();
    for stream in ecs::streams(&clients.ecs, check, task).await? {
        let line = logs::last_line(&clients.logs, &stream.group, &stream.name).await?;
        said.extend(line.map(|line| Said { container: stream.container, line }));
    }
    Ok(said)
}

async fn snapshots(clients: &Clients, wanted: plan::Wanted) -> Result<Vec<Snapshot>, Error> {
    let mut snapshots = match wanted.ours {
        true => list_snapshots(&clients.rds, Snapshot::is_ours).await?,
        false => Vec::new(),
    };
    let automated =
        each(wanted.automated, 4, async |(kind, id)| list_automated_snapshots(&clients.rds, kind, &id).await);
    for some in automated.await {
        snapshots.extend(some?);
    }
    Ok(snapshots)
}
