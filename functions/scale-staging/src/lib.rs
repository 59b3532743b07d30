#![doc = include_str!("../README.md")]

mod autoscaling;
mod ecs;
pub mod plan;
mod rds;
pub mod request;

use std::collections::BTreeMap;

use aws::rds::{Rds, find_snapshot, write_memory};
use aws::{Error, each, tagging};
use aws_config::SdkConfig;
use reconcile::Report;
use reconcile::memory::Note;
use rules::database::Kind;
use rules::keys;
use runtime::Run;
use serde_json::Value;

use ecs::Ecs;
use plan::{Call, Listed, Sleeper, Step, World};
use request::{Place, Request};

/// How many reads are under way at a time.
const READS: usize = 16;

/// The clients of the services that this function calls.
pub struct Clients {
    ecs: Ecs,
    rds: Rds,
    scaling: aws_sdk_applicationautoscaling::Client,
    tagging: aws_sdk_resourcegroupstagging::Client,
}

impl Clients {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        Clients {
            ecs: Ecs::new(config),
            rds: Rds::new(config, None),
            scaling: aws_sdk_applicationautoscaling::Client::new(config),
            tagging: aws_sdk_resourcegroupstagging::Client::new(config),
        }
    }
}

/// One run: looks where the request says, decides what sleeps and what wakes, and brings that about.
pub async fn handle(clients: &Clients, request: Request, run: &Run<'_>) -> Result<Report, Error> {
    let world = observe(clients, &request.place, run).await?;
    let plan = plan::plan(&world, &request, &run.now);
    let remember = async |note: &Note| write_note(clients, note, run).await;
    Ok(run.apply(plan, async |step| apply(clients, &world, step, run).await, remember).await)
}

/// Everything that the decision depends on: what the tag index and RDS list, and of that closely what can be due.
async fn observe(clients: &Clients, place: &Place, run: &Run<'_>) -> Result<World, Error> {
    let index = tagging::resources_with_tags(&clients.tagging, "ecs:service", keys::SCHEDULE);
    let (index, databases, left_behind) =
        tokio::join!(index, rds::list_sleepers(&clients.rds), left_behind(clients, place, run));
    let (index, databases, left_behind) = (index?, databases?, left_behind?);
    let listed = index.clone().into_iter().map(|(arn, tags)| Listed { arn, tags }).collect();
    let holidays = run.holidays().to_vec();
    let (close, listed) = plan::services_to_look_at(listed, place, &databases, &holidays, run.dry_run, &run.now);
    let (described, targets, snapshots) = tokio::join!(
        each(ecs::batches(&close), READS, async |batch| ecs::describe_services(&clients.ecs, &batch).await),
        autoscaling::describe_targets(&clients.scaling, &close),
        pending_snapshots(clients, &databases, run),
    );
    let (mut targets, mut services, mut unseen) = (targets?, Vec::new(), Vec::new());
    for (found, missing) in described {
        services.extend(found);
        unseen.extend(missing);
    }
    for it in &mut unseen {
        it.tags = index.get(&it.arn).cloned().unwrap_or_default();
    }
    for service in &mut services {
        service.target = targets.remove(&service.arn);
    }
    let mut world = World { services, listed, unseen, left_behind, databases, snapshots, holidays, ..World::default() };
    let in_question = plan::database_in_question(&world, place, &run.now);
    let events = each(in_question, READS, async |it| (it.arn.clone(), rds::last_event(&clients.rds, it).await));
    world.last_events = events.await.into_iter().map(|(arn, it)| (arn, it.map_err(|err| err.cause()))).collect();
    Ok(world)
}

/// Services that sleep and have lost the tag that opts in, where this run looks for them.
async fn left_behind(clients: &Clients, place: &Place, run: &Run<'_>) -> Result<Vec<Listed>, Error> {
    if !plan::looks_for_those_left_behind(place, run.dry_run, &run.now) {
        return Ok(Vec::new());
    }
    let index = tagging::resources_with_tags(&clients.tagging, "ecs:service", keys::ASLEEP).await?;
    let index = index.into_iter().filter(|(_, tags)| plan::is_left_behind(tags));
    let arns: Vec<String> = index.map(|(arn, _)| arn).collect();
    // The index may be behind: a service that is gone has been left by nobody.
    let described = each(ecs::batches(&arns), READS, async |batch| ecs::describe_services(&clients.ecs, &batch).await);
    let found = described.await.into_iter().flat_map(|(found, _)| found);
    let found = found.filter(|it| it.status == "ACTIVE" && plan::is_left_behind(&it.tags));
    Ok(found.map(|it| Listed { arn: it.arn, tags: it.tags }).collect())
}

/// What became of the snapshots that databases were to be stopped with.
async fn pending_snapshots(
    clients: &Clients,
    databases: &[Sleeper],
    run: &Run<'_>,
) -> BTreeMap<String, Result<Option<String>, String>> {
    let pending = plan::pending_snapshot(databases, &run.now);
    let read = each(pending, READS, async |(database, id)| {
        let snapshot = find_snapshot(&clients.rds, Kind::Instance, &id).await;
        (database.arn.clone(), snapshot.map(|it| it.map(|it| it.status)).map_err(|err| err.cause()))
    });
    read.await.into_iter().collect()
}

/// Makes the calls of one step, one after the other.
async fn apply(clients: &Clients, world: &World, step: &Step, run: &Run<'_>) -> Result<Value, Error> {
    let database = world.databases.iter().find(|it| it.database.arn == step.arn).map(|it| &it.database);
    let (arn, until) = (step.arn.as_str(), run.last_start);
    for call in &step.calls {
        match (call, database) {
            (Call::Remember(key, value), None) => ecs::remember(&clients.ecs, arn, key, value, until).await?,
            (Call::Forget(keys), None) => ecs::forget(&clients.ecs, arn, keys, until).await?,
            (Call::Limits { min, suspended }, _) => {
                autoscaling::set_limits(&clients.scaling, arn, *min, *suspended).await?
            }
            (Call::Count(desired), _) => ecs::set_count(&clients.ecs, arn, *desired, until).await?,
            (Call::Remember(key, value), Some(_)) => write_memory(&clients.rds, arn, key, Some(value)).await?,
            (Call::Forget(keys), Some(_)) => {
                for key in keys {
                    write_memory(&clients.rds, arn, key, None).await?;
                }
            }
            (Call::Stop(snapshot), Some(it)) => {
                rds::stop(&clients.rds, it.kind, &it.id, snapshot.as_deref(), until).await?
            }
            (Call::Start, Some(it)) => rds::start(&clients.rds, it.kind, &it.id, until).await?,
            (Call::TagSnapshot { arn, tags }, _) => rds::tag_snapshot(&clients.rds, arn, tags, until).await?,
            (Call::Stop(_) | Call::Start, None) => {
                return Err(Error::unexpected("none", arn, "only a database can be stopped and started"));
            }
        }
    }
    Ok(Value::Null)
}

/// Writes what a resource remembers of the problems told about it.
async fn write_note(clients: &Clients, note: &Note, run: &Run<'_>) -> Result<(), Error> {
    let (arn, key) = (note.resource.as_str(), keys::SLEEP_PROBLEM);
    match &note.value {
        _ if rules::ServiceName::of_arn(arn).is_none() => {
            write_memory(&clients.rds, arn, key, note.value.as_deref()).await
        }
        Some(value) => ecs::remember(&clients.ecs, arn, key, value, run.last_start).await,
        None => ecs::forget(&clients.ecs, arn, &[key], run.last_start).await,
    }
}
