//! Reads what the decision depends on.

use std::collections::BTreeMap;

use aws::rds::{list_automated_snapshots, list_databases_with, list_snapshots};
use aws::{Error, each};
use rules::database::{Database, Snapshot};
use rules::drill::{Calendar, Check};
use runtime::Run;

use crate::plan::{self, Details, Said, Scope, World};
use crate::regions::{Regions, Services};
use crate::{ecs, logs, rds};

/// Everything that the decision depends on. Most runs find nothing to do and make two calls in each region.
///
/// All regions of the stack are looked at, whatever the tags name: a drill must not stay only because its original has
/// lost the tag.
pub async fn observe(regions: &Regions<'_>, scope: &Scope, run: &Run<'_>) -> Result<World, Error> {
    let there = each(regions.elsewhere(), 4, async |(name, services)| (name, list(services).await));
    let (here, there) = tokio::join!(list(regions.here), there);
    let mut listed = here?;
    let mut elsewhere = BTreeMap::new();
    for (name, databases) in there {
        let Some(region) = run.copy_regions().keys().find(|it| it.name() == name) else { continue };
        let read = databases.map(|it| listed.extend(it)).map_err(|err| err.to_string());
        elsewhere.insert(region.clone(), read);
    }
    let details = listed.iter().map(|(database, details)| (database.arn.clone(), details.clone()));
    let mut world = World {
        home: regions.home.to_owned(),
        elsewhere,
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
        world.snapshots = Some(snapshots(regions, wanted, &mut world).await?);
    }
    let checks = each(plan::wanted_checks(&world, scope, &run.now), 4, async |(arn, (region, check))| {
        let target = match regions.named(&region) {
            Ok(services) => ecs::check_target(&services.ecs, &check).await,
            Err(unknown) => Err(unknown.to_string()),
        };
        (arn, target)
    });
    let tasks = each(plan::wanted_tasks(&world, &run.now), 4, async |(arn, (service, task))| {
        let found = match regions.of(&arn) {
            Ok(services) => ecs::find_task(&services.ecs, &service.cluster, &task).await,
            Err(unknown) => Err(unknown),
        };
        (arn, found.map_err(|err| err.to_string()))
    });
    let (checks, tasks) = tokio::join!(checks, tasks);
    world.checks = checks.into_iter().collect();
    world.tasks = tasks.into_iter().collect();
    let said = each(plan::wanted_words(&world, &run.now), 4, async |(arn, (check, task))| {
        let said = match regions.of(&arn) {
            Ok(services) => said(services, &check, &task).await,
            Err(unknown) => Err(unknown),
        };
        (arn, said.map_err(|err| err.to_string()))
    });
    world.said = said.await.into_iter().collect();
    Ok(world)
}

async fn list(services: &Services) -> Result<Vec<(Database, Details)>, Error> {
    list_databases_with(&services.rds.query, rds::details_of_instance, rds::details_of_cluster).await
}

/// What each container of a check said last.
async fn said(services: &Services, check: &Check, task: &str) -> Result<Vec<Said>, Error> {
    let mut said = Vec::new();
    for stream in ecs::streams(&services.ecs, check, task).await? {
        let line = logs::last_line(&services.logs, &stream.group, &stream.name).await?;
        said.extend(line.map(|line| Said { container: stream.container, line }));
    }
    Ok(said)
}

/// A region whose snapshots cannot be read is noted as such; the drills of the others go on.
async fn snapshots(regions: &Regions<'_>, wanted: plan::Wanted, world: &mut World) -> Result<Vec<Snapshot>, Error> {
    let here = &regions.here.rds.query;
    let mut snapshots = match wanted.ours {
        true => list_snapshots(here, Snapshot::is_ours).await?,
        false => Vec::new(),
    };
    let automated = each(wanted.automated, 4, async |(kind, id)| list_automated_snapshots(here, kind, &id).await);
    for some in automated.await {
        snapshots.extend(some?);
    }
    let copies = each(wanted.copies, 4, async |region| {
        let copies = match regions.named(region.name()) {
            Ok(services) => list_snapshots(&services.rds.query, Snapshot::is_ours).await,
            Err(unknown) => Err(unknown),
        };
        (region, copies)
    });
    for (region, copies) in copies.await {
        let read = copies.map(|it| snapshots.extend(it)).map_err(|err| err.to_string());
        world.elsewhere.insert(region, read);
    }
    Ok(snapshots)
}
