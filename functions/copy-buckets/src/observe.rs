//! Reads what the decision depends on.

use std::collections::BTreeMap;

use aws::rest::Bucket as Place;
use aws::{Error, each, tagging};
use rules::bucket::{Copies, Destination as Folders};
use rules::drill::Calendar;
use rules::keys;
use runtime::Run;

use crate::plan::{
    self, Bucket, Contents, Destination, Folder, Job, Lost, Marker, NAME, Obstacle, REPORT, RestoreMarker,
    RestoreState, Restoring, Scope, Setup, Site, World,
};
use crate::{Clients, drill, s3};

/// How many objects that were not copied are told by name.
const NAMED: usize = 10;

/// Everything that the decision depends on. Where no bucket is tagged that is two calls.
pub async fn observe(clients: &Clients, scope: &Scope, run: &Run<'_>) -> Result<World, Error> {
    let (backed_up, drilled) = tokio::try_join!(
        tagging::resources_with_tags(&clients.tagging, "s3", keys::BACKUP),
        tagging::resources_with_tags(&clients.tagging, "s3", keys::DRILL)
    )?;
    let bucket = |(arn, tags): (String, _)| {
        let name = arn.split(":::").nth(1)?.to_owned();
        Some(Bucket { arn, name, tags })
    };
    let only_drilled = drilled.into_iter().filter(|(arn, _)| !backed_up.contains_key(arn));
    let only_drilled = only_drilled.filter_map(bucket).collect();
    let copied = run.buckets();
    let mut world = World {
        buckets: backed_up.into_iter().filter_map(bucket).collect(),
        only_drilled,
        setup: Setup {
            sources: copied.sources.clone(),
            targets: copied.targets.clone(),
            role: copied.role.clone(),
            at: copied.at,
            may_read: copied.drills,
            drills: Calendar { at: run.drill_at(), holidays: run.calendar().holidays.clone() },
        },
        destinations: BTreeMap::new(),
        jobs: BTreeMap::new(),
        obstacles: BTreeMap::new(),
        versioning: BTreeMap::new(),
        restores: BTreeMap::new(),
        drills: BTreeMap::new(),
        site: None,
    };
    let destinations = each(plan::wanted_destinations(&world), 4, async |(name, rule)| {
        let destination = destination(clients, &rule).await;
        (name, destination.map_err(|err| err.to_string()))
    });
    world.destinations = destinations.await.into_iter().collect();
    let account = run.account().map(|(_, account)| account).unwrap_or_default();
    let jobs = each(plan::wanted_jobs(&world, &run.now), 4, async |(id, folder)| {
        let job = job(clients, account, &id, &folder).await;
        (id, job)
    });
    world.jobs = jobs.await.into_iter().collect();
    let obstacles = each(plan::wanted_obstacles(&world, scope, &run.now), 4, async |(bucket, folder)| {
        let found = obstacles(clients, &bucket.name, &folder).await;
        (bucket.name, found.unwrap_or_else(|err| vec![Obstacle::Unreadable(err.to_string())]))
    });
    world.obstacles = obstacles.await.into_iter().collect();
    let drills = each(plan::wanted_drills(&world, scope, &run.now), 1, async |(name, folder, marker)| {
        let found = drill::drilling(clients, &folder, &marker).await;
        (name, found.map_err(|err| err.to_string()))
    });
    world.drills = drills.await.into_iter().collect();
    observe_versions(clients, scope, run, account, &mut world).await;
    Ok(world)
}

/// What there is of old versions and of restores.
async fn observe_versions(clients: &Clients, scope: &Scope, run: &Run<'_>, account: &str, world: &mut World) {
    let versioning = each(plan::wanted_versioning(world, scope), 4, async |name| {
        let bucket = Place { region: clients.s3.home().to_owned(), name: name.clone() };
        let found = s3::versions::versioning(&clients.s3, &bucket).await;
        (name, found.map_err(|err| err.to_string()))
    });
    world.versioning = versioning.await.into_iter().collect();
    let restores = each(plan::wanted_restores(world), 4, async |(bucket, (to, name))| {
        let found = restoring(clients, account, to, name).await;
        (bucket, found.map_err(|err| err.to_string()))
    });
    world.restores = restores.await.into_iter().collect();
    if let Some((bucket, to, name)) = plan::wanted_site(world, scope, &run.now) {
        world.site = Some(site(clients, &bucket, to, name).await.map_err(|err| err.to_string()));
    }
}

async fn restoring(clients: &Clients, account: &str, to: Folders, name: String) -> Result<Restoring, Error> {
    let region = s3::region(&clients.s3, &to.bucket).await?;
    let folder = plan::Place { region: region.clone(), to, name };
    let marker = restore_marker(clients, &folder).await?;
    let copied = marker.as_ref().filter(|it| it.state == RestoreState::Copying).and_then(|it| it.job.clone());
    let job = match copied {
        Some(id) => Some(job(clients, account, &id, &folder).await),
        None => None,
    };
    Ok(Restoring { region, marker, job })
}

async fn restore_marker(clients: &Clients, folder: &plan::Place) -> Result<Option<RestoreMarker>, Error> {
    let text = s3::read(&clients.s3, &s3::bucket(folder), &s3::marker_key(folder)).await?;
    Ok(text.and_then(|it| RestoreMarker::read(&it)))
}

/// The folder that a person wants to restore to.
async fn site(clients: &Clients, source: &str, to: Folders, name: String) -> Result<Site, Error> {
    let region = s3::region(&clients.s3, &to.bucket).await?;
    let folder = plan::Place { region: region.clone(), to, name };
    let bucket = s3::bucket(&folder);
    let contents = match restore_marker(clients, &folder).await? {
        Some(marker) => Contents::Restore(Box::new(marker)),
        None if s3::first_keys(&clients.s3, &bucket, &folder.key()).await?.is_empty() => Contents::Nothing,
        None => Contents::Other,
    };
    Ok(Site { region, contents, obstacles: obstacles(clients, source, &folder).await? })
}

async fn destination(clients: &Clients, rule: &Copies) -> Result<Destination, Error> {
    let region = s3::region(&clients.s3, &rule.to.bucket).await?;
    let bucket = Place { region: region.clone(), name: rule.to.bucket.clone() };
    let base = format!("{}/", rule.to.prefix);
    let (folders, versioning) =
        tokio::join!(s3::folders(&clients.s3, &bucket, &base), s3::versions::versioning(&clients.s3, &bucket));
    let folders = folders?;
    let dates = folders.iter().filter_map(|it| plan::date_of_copy(it.strip_prefix(&base)?.strip_suffix('/')?));
    let markers = each(dates, 8, async |date: jiff::civil::Date| {
        let text = s3::read(&clients.s3, &bucket, &format!("{base}{date}/{NAME}")).await?;
        Ok(Folder { date, marker: text.and_then(|it| Marker::read(&it)) })
    });
    let mut folders = markers.await.into_iter().collect::<Result<Vec<_>, Error>>()?;
    folders.sort_by_key(|it| it.date);
    // It decides about a message only, so that what cannot be read stops no copy.
    Ok(Destination { region, folders, versioning: versioning.ok() })
}

async fn job(clients: &Clients, account: &str, id: &str, folder: &plan::Place) -> Result<Job, Lost> {
    let mut job = match s3::describe_job(&clients.s3, account, &folder.region, id).await {
        Ok(job) => job,
        Err(error) if s3::is_missing(&error) => return Err(Lost::Gone),
        Err(error) => return Err(Lost::Unreadable(error.to_string())),
    };
    let has_ended = ["Complete", "Failed", "Cancelled"].contains(&job.status.as_str());
    if has_ended && job.failed > 0 {
        let bucket = Place { region: folder.region.clone(), name: folder.to.bucket.clone() };
        let report = format!("{}{REPORT}/job-{id}/results/", folder.key());
        job.failures = match s3::failures(&clients.s3, &bucket, &report, NAMED).await {
            Ok(failures) => failures,
            Err(error) if error.is_denied() => vec![format!("its report cannot be read: {error}")],
            // What failed is written down and told once, so what a later run can read is left to it.
            Err(error) => return Err(Lost::Unreadable(format!("its report cannot be read: {error}"))),
        };
    }
    Ok(job)
}

async fn obstacles(clients: &Clients, source: &str, folder: &plan::Place) -> Result<Vec<Obstacle>, Error> {
    let source = Place { region: clients.s3.home().to_owned(), name: source.to_owned() };
    let target = Place { region: folder.region.clone(), name: folder.to.bucket.clone() };
    let (pays, public) = tokio::join!(s3::requester_pays(&clients.s3, &source), s3::is_public(&clients.s3, &target));
    let pays = pays?.then_some(Obstacle::RequesterPays);
    Ok(pays.into_iter().chain(public?.then_some(Obstacle::PublicTarget)).collect())
}
