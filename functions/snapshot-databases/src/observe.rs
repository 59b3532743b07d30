//! Reads what the decision depends on.

use std::cell::RefCell;
use std::collections::BTreeMap;

use aws::query::Query;
use aws::rds::{Elsewhere, Regions, created, find_databases, find_snapshot, list_databases_with, list_snapshots};
use aws::{Error, each};
use jiff::Timestamp;
use rules::database::{Database, Kind, PREFIX, Snapshot};
use rules::retention::Region;
use runtime::Run;

use crate::plan::{self, Command, Scope, World};
use crate::rds;

/// Everything that the decision depends on, and RDS in the regions that are copied to.
pub async fn observe(regions: &Regions, scope: &Scope, run: &Run<'_>) -> Result<(World, Elsewhere), Error> {
    if let Scope::One(command) = scope {
        return Ok((one(&regions.here.query, command, run).await?, BTreeMap::new()));
    }
    let databases = list_databases_with(&regions.here.query, created, created).await?;
    let created = databases.iter().filter_map(|(it, created)| Some((it.arn.clone(), (*created)?)));
    let created: BTreeMap<String, Timestamp> = created.collect();
    let databases: Vec<_> = databases.into_iter().map(|(database, _)| database).collect();
    let copy_keys = run.copy_regions().clone();
    // Every snapshot of the account wakes this function when it is there, and mostly nobody asked for a copy of it.
    let nothing_to_do = match scope {
        Scope::Copies => !plan::any_copied(&databases),
        _ => !plan::any_tagged(&databases),
    };
    let mut world = World { databases, created, copy_keys, ..World::default() };
    if nothing_to_do {
        return Ok((world, BTreeMap::new()));
    }
    let elsewhere = regions.elsewhere(&plan::copy_regions(&world.databases, &world.copy_keys));
    let tagged = &world.databases;
    let there = each(&elsewhere, 4, async |(region, rds)| (region.clone(), shelf(&rds.query, tagged).await));
    let (here, there) = tokio::join!(shelf(&regions.here.query, tagged), there);
    let here = here?;
    (world.snapshots, world.manual, world.quotas) = (here.snapshots, here.manual, here.quotas);
    for (region, shelf) in there {
        world.put(region, shelf);
    }
    let (databases, failed) = plan::wanted_events(&world, &run.now);
    let of_databases = each(databases, 4, async |it| {
        let events = rds::events_of_database(&regions.here.query, &it, run.last_start).await;
        (it.arn, events)
    });
    let of_snapshots = each(failed, 4, async |(region, it)| {
        let rds = region.and_then(|it| elsewhere.get(&it)).unwrap_or(&regions.here);
        let events = rds::events_of_snapshot(&rds.query, &it, run.last_start).await;
        (it.arn, events)
    });
    let (of_databases, of_snapshots) = tokio::join!(of_databases, of_snapshots);
    let events = of_databases.into_iter().chain(of_snapshots);
    world.events = events.map(|(arn, events)| (arn, events.map_err(|err| err.to_string()))).collect();
    Ok((world, elsewhere))
}

/// The snapshots of one region that are called as Nightshift calls them, and how many there are of all.
struct Shelf {
    snapshots: Vec<Snapshot>,
    manual: BTreeMap<Kind, usize>,
    quotas: BTreeMap<Kind, usize>,
}

async fn shelf(rds: &Query, databases: &[Database]) -> Result<Shelf, Error> {
    let manual = RefCell::new(BTreeMap::new());
    let snapshots = list_snapshots(rds, |it| {
        *manual.borrow_mut().entry(it.kind).or_default() += 1;
        it.id.starts_with(PREFIX)
    });
    let snapshots = snapshots.await?;
    let manual = manual.into_inner();
    let quotas = match plan::quota_matters(&manual, databases) {
        // Without it the quota is not told beforehand; what AWS then refuses is.
        true => rds::quotas(rds).await.unwrap_or_default(),
        false => BTreeMap::new(),
    };
    Ok(Shelf { snapshots, manual, quotas })
}

impl World {
    fn put(&mut self, region: Region, shelf: Result<Shelf, Error>) {
        let snapshots = shelf.map_err(|err| err.to_string()).map(|shelf| {
            let full = shelf.quotas.into_iter().filter(|(kind, quota)| shelf.manual.get(kind) >= Some(quota));
            self.full.extend(full.map(|(kind, quota)| ((region.clone(), kind), quota)));
            shelf.snapshots
        });
        self.copies.insert(region, snapshots);
    }
}

/// The one database that a snapshot is asked for of, and that snapshot if it is there: three or four calls.
async fn one(rds: &Query, command: &Command, run: &Run<'_>) -> Result<World, Error> {
    let databases = find_databases(rds, &command.database).await?;
    let mut kinds: Vec<Kind> = databases.iter().map(|it| it.kind).collect();
    kinds.dedup();
    let found = each(kinds, 2, async |kind| find_snapshot(rds, kind, &plan::asked_id(command, kind, &run.now)).await);
    let snapshots: Vec<_> = found.await.into_iter().collect::<Result<_, _>>()?;
    Ok(World { databases, snapshots: snapshots.into_iter().flatten().collect(), ..World::default() })
}
