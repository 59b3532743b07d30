#![doc = include_str!("../README.md")]

pub mod plan;
mod rds;
pub mod request;

use std::cell::RefCell;
use std::collections::BTreeMap;

use aws::rds::{
    Elsewhere, Rds, Regions, delete_snapshot, find_databases, find_snapshot, list_databases, list_snapshots,
    write_memory,
};
use aws::{Error, each};
use aws_config::SdkConfig;
use reconcile::Report;
use reconcile::memory::Note;
use rules::database::{Kind, PREFIX, predeploy_id};
use rules::keys;
use rules::retention::Region;
use runtime::Run;
use serde_json::{Value, json};
use tokio::time::Instant;

use plan::{Step, World};
use request::{Request, Wish};

/// The clients of the services that this function calls.
pub struct Clients(Regions);

impl Clients {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        Clients(Regions::new(config))
    }
}

/// One run: looks at the databases and their snapshots, decides, and takes and copies what is missing.
pub async fn handle(clients: &Clients, request: Request, run: &Run<'_>) -> Result<Report, Error> {
    let regions = &clients.0;
    let (world, elsewhere) = match &request {
        Request::BeforeDeploy(wish) => (observe_one(&regions.here, wish).await?, BTreeMap::new()),
        Request::Everything | Request::Copies => observe(regions, &request, run.copy_regions()).await?,
    };
    let plan = plan::plan(&world, &request, &run.now);
    // What stands in the way of one is another thing than what stands in the way of the other.
    let memory = match request {
        Request::BeforeDeploy(_) => keys::PREDEPLOY_PROBLEM,
        _ => keys::SNAPSHOT_PROBLEM,
    };
    let remember = async |note: &Note| write_memory(&regions.here, &note.resource, memory, note.value.as_deref()).await;
    Ok(run.apply(plan, async |step| apply(&regions.here, &elsewhere, step, run.last_start).await, remember).await)
}

/// Everything that the decision depends on, and RDS in the regions that are copied to.
async fn observe(
    regions: &Regions,
    request: &Request,
    copy_keys: &BTreeMap<Region, Option<String>>,
) -> Result<(World, Elsewhere), Error> {
    let databases = list_databases(&regions.here).await?;
    let copy_keys = copy_keys.clone();
    // Every snapshot of the account wakes this function when it is there, and mostly nobody wants a copy of it.
    let nothing_to_do = match request {
        Request::Copies => !plan::any_copied(&databases),
        _ => !plan::any_tagged(&databases),
    };
    if nothing_to_do {
        return Ok((World { databases, copy_keys, ..World::default() }, BTreeMap::new()));
    }
    let elsewhere = regions.elsewhere(&plan::copy_regions(&databases, &copy_keys));
    let manual = RefCell::new(BTreeMap::new());
    let here = list_snapshots(&regions.here, |it| {
        *manual.borrow_mut().entry(it.kind).or_default() += 1;
        it.id.starts_with(PREFIX)
    });
    let there = each(&elsewhere, 4, async |(region, rds)| {
        let copies = list_snapshots(rds, |it| it.id.starts_with(PREFIX)).await;
        (region.clone(), copies.map_err(|err| err.cause()))
    });
    let (snapshots, copies) = tokio::join!(here, there);
    let copies = copies.into_iter().collect();
    let world = World { databases, snapshots: snapshots?, manual: manual.into_inner(), copies, copy_keys };
    Ok((world, elsewhere))
}

/// The one database that a snapshot is wanted of, and that snapshot if it is there: three or four calls.
async fn observe_one(rds: &Rds, wish: &Wish) -> Result<World, Error> {
    let databases = find_databases(rds, &wish.database).await?;
    let mut kinds: Vec<Kind> = databases.iter().map(|it| it.kind).collect();
    kinds.dedup();
    let id = predeploy_id(&wish.database, &wish.image);
    let found = each(kinds, 2, async |kind| find_snapshot(rds, kind, &id).await).await;
    let snapshots: Vec<_> = found.into_iter().collect::<Result<_, _>>()?;
    Ok(World { databases, snapshots: snapshots.into_iter().flatten().collect(), ..World::default() })
}

/// Carries out one step; returns what only the doing could tell.
async fn apply(here: &Rds, elsewhere: &Elsewhere, step: &Step, until: Instant) -> Result<Value, Error> {
    let status = match step {
        Step::TakeSnapshot(it) => {
            if it.replaces {
                delete_snapshot(here, it.kind, &it.id, Some(until)).await?;
            }
            rds::take_snapshot(here, it, until).await?
        }
        Step::CopySnapshot(it) => {
            let there = elsewhere.get(&it.region).unwrap_or(here);
            if it.replaces {
                delete_snapshot(there, it.kind, &it.id, Some(until)).await?;
            }
            rds::copy_snapshot(there, it, until).await?
        }
    };
    Ok(json!({"status": status}))
}
