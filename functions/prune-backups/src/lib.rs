#![doc = include_str!("../README.md")]

mod ecr;
mod ecs;
pub mod plan;
mod rds;
mod registry;
pub mod request;

use std::collections::BTreeMap;

use aws::rds::{Elsewhere, Rds, Regions, delete_snapshot, list_databases, list_snapshots, write_memory};
use aws::{Error, each};
use aws_config::SdkConfig;
use reconcile::memory::Note;
use reconcile::{Report, Step as _};
use rules::database::Snapshot;
use rules::keys;
use rules::retention::Region;
use runtime::Run;
use serde_json::{Value, json};
use tokio::time::Instant;

use plan::{DeleteSnapshot, Step, World};
use registry::Registry;
use request::Sweep;

/// The clients of the services that this function calls.
pub struct Clients {
    rds: Regions,
    registry: Registry,
}

impl Clients {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        Clients {
            rds: Regions::new(config),
            registry: Registry {
                ecr: aws_sdk_ecr::Client::new(config),
                ecs: aws_sdk_ecs::Client::new(config),
                tagging: aws_sdk_resourcegroupstagging::Client::new(config),
            },
        }
    }
}

/// RDS here and in the regions of this run.
struct Places<'a> {
    here: &'a Rds,
    elsewhere: Elsewhere,
}

impl Places<'_> {
    fn of(&self, region: Option<&Region>) -> &Rds {
        region.and_then(|it| self.elsewhere.get(it)).unwrap_or(self.here)
    }

    /// RDS where the resource of this ARN is.
    fn of_arn(&self, arn: &str) -> &Rds {
        let region = arn.split(':').nth(3).and_then(|it| it.parse().ok());
        self.of(region.as_ref())
    }
}

/// One run: looks at all databases and snapshots, repositories and images, decides, and deletes what no rule keeps.
pub async fn handle(clients: &Clients, _: Sweep, run: &Run<'_>) -> Result<Report, Error> {
    let regions = Places { here: &clients.rds.here, elsewhere: clients.rds.elsewhere(run.copy_regions().keys()) };
    let mut world = observe(&regions, &clients.registry).await?;
    world.region = clients.rds.region();
    if run.keep_shared() {
        ask_whether_shared(&regions, &mut world, run).await;
    }
    let plan = plan::plan(&world, &run.now);
    drop(world);
    let ecr = &clients.registry.ecr;
    let remember = async |note: &Note| {
        let (arn, value) = (&note.resource, note.value.as_deref());
        match arn.split(':').nth(2) {
            Some("ecr") => ecr::write_memory(ecr, arn, keys::PRUNE_PROBLEM, value).await,
            _ => write_memory(regions.of_arn(arn), arn, keys::PRUNE_PROBLEM, value).await,
        }
    };
    Ok(run.apply(plan, async |step| apply(&regions, ecr, step, run.last_start).await, remember).await)
}

/// Everything that the decision depends on, of every region.
async fn observe(regions: &Places<'_>, registry: &Registry) -> Result<World, Error> {
    let copies = each(&regions.elsewhere, 4, async |(region, rds)| (region.clone(), ours(rds).await));
    let (databases, snapshots, copies, images) =
        tokio::join!(list_databases(regions.here), ours(regions.here), copies, registry.observe());
    let copies = copies.into_iter().map(|(region, it)| (region, it.map_err(|err| err.cause()))).collect();
    Ok(World {
        region: String::new(),
        databases: databases?,
        snapshots: snapshots?,
        copies,
        spared: BTreeMap::new(),
        unasked: None,
        repositories: images.repositories,
        in_use: images.in_use,
    })
}

/// The snapshots that Nightshift made, with no more than what the decision needs of them.
async fn ours(rds: &Rds) -> Result<Vec<Snapshot>, Error> {
    let mut snapshots = list_snapshots(rds, Snapshot::is_ours).await?;
    for snapshot in &mut snapshots {
        snapshot.tags.retain(|key, _| key.starts_with(keys::PEOPLE) || key.starts_with(keys::MEMORY));
    }
    Ok(snapshots)
}

/// Asks of each snapshot that is to go whether somebody shared it, and spares it if so, or if that cannot be told.
///
/// That takes a call for each, but no listing tells it. Half of the time is kept for the deletions.
async fn ask_whether_shared(regions: &Places<'_>, world: &mut World, run: &Run<'_>) {
    let begun = Instant::now();
    let until = begun + run.last_start.saturating_duration_since(begun) / 2;
    let due = plan::plan(world, &run.now).steps;
    if due.iter().map(|it| it.step.changes()).sum::<usize>() > run.max_changes() {
        return;
    }
    let snapshots = due.into_iter().filter_map(|planned| match planned.step {
        Step::DeleteSnapshot(delete) => Some((planned.resource, delete)),
        Step::DeleteImages(_) => None,
    });
    let answers = each(snapshots, Step::AT_A_TIME, async |(arn, DeleteSnapshot { kind, id, region, .. })| {
        (rds::shared_with(regions.of(region.as_ref()), kind, &id, until).await, arn)
    });
    for (answer, arn) in answers.await {
        let spared = match answer {
            Ok(accounts) if accounts.is_empty() => continue,
            Ok(accounts) => format!("it is shared with {}", accounts.join(", ")),
            // It vanished meanwhile: its deletion finds that out.
            Err(error) if error.code.contains("SnapshotNotFound") => continue,
            Err(error) if error.is_not_now() => {
                "there was no time to ask whether it is shared; the next run does".into()
            }
            Err(error) => {
                world.unasked.get_or_insert_with(|| error.cause());
                format!("it cannot be told whether it is shared: {error}")
            }
        };
        world.spared.insert(arn, spared);
    }
}

/// Carries out one step; returns what only the doing could tell.
async fn apply(regions: &Places<'_>, ecr: &aws_sdk_ecr::Client, step: &Step, until: Instant) -> Result<Value, Error> {
    match step {
        Step::DeleteSnapshot(it) => {
            let existed = delete_snapshot(regions.of(it.region.as_ref()), it.kind, &it.id, Some(until)).await?;
            Ok(if existed { Value::Null } else { json!({"found": "gone already"}) })
        }
        Step::DeleteImages(it) => ecr::delete_images(ecr, it, until).await.map(|()| Value::Null),
    }
}
