//! Databases, their snapshots and copies, and whether those are shared.

use std::collections::BTreeMap;

use aws::query::Query;
use aws::rds::{Elsewhere, Rds, list_databases, list_snapshots};
use aws::{Error, JsonApi, each};
use reconcile::Step as _;
use rules::database::{Database, Snapshot, region_of};
use rules::keys;
use rules::retention::Region;
use runtime::Run;
use tokio::time::Instant;

use crate::plan::{self, DeleteSnapshot, Sharing, Step, World};
use crate::{kms, rds};

/// RDS here and in the regions of this run.
pub struct Places<'a> {
    pub here: &'a Rds,
    pub kms: &'a JsonApi,
    pub elsewhere: Elsewhere,
}

impl Places<'_> {
    pub fn of(&self, region: Option<&Region>) -> &Rds {
        region.and_then(|it| self.elsewhere.get(it)).unwrap_or(self.here)
    }

    /// RDS where the resource of this ARN is.
    pub fn of_arn(&self, arn: &str) -> &Rds {
        let region = region_of(arn).and_then(|it| it.parse().ok());
        self.of(region.as_ref())
    }
}

/// Databases, snapshots, and the copies of each region, or why they cannot be read.
type Read = (Vec<Database>, Vec<Snapshot>, BTreeMap<Region, Result<Vec<Snapshot>, String>>);

pub async fn read(places: &Places<'_>) -> Result<Read, Error> {
    let copies = each(&places.elsewhere, 4, async |(region, rds)| (region.clone(), ours(&rds.query).await));
    let (databases, snapshots, copies) =
        tokio::join!(list_databases(&places.here.query), ours(&places.here.query), copies);
    let copies = copies.into_iter().map(|(region, it)| (region, it.map_err(|err| err.to_string()))).collect();
    Ok((databases?, snapshots?, copies))
}

/// The snapshots that Nightshift made, with no more than what the decision needs of them.
async fn ours(rds: &Query) -> Result<Vec<Snapshot>, Error> {
    let mut snapshots = list_snapshots(rds, Snapshot::is_ours).await?;
    for snapshot in &mut snapshots {
        snapshot.tags.retain(|key, _| key.starts_with(keys::PEOPLE) || key.starts_with(keys::MEMORY));
    }
    Ok(snapshots)
}

/// Asks of the snapshots that are to go whether they are shared: a call for each, since no listing tells it, but for those
/// that cannot be shared.
pub async fn ask_whether_shared(places: &Places<'_>, world: &World, run: &Run<'_>) -> BTreeMap<String, Sharing> {
    let begun = Instant::now();
    // Half of the time is kept for the deletions.
    let until = begun + run.last_start.saturating_duration_since(begun) / 2;
    let mut doomed = plan::to_ask(world, &run.now, run.max_changes());
    let keys = each(plan::keys_to_ask(world, &doomed), 4, async |(key, snapshots)| {
        let default = kms::is_managed_by_aws(places.kms, key).await;
        if default { snapshots } else { Vec::new() }
    });
    let never: Vec<String> = keys.await.into_iter().flatten().map(str::to_owned).collect();
    let mut sharing: BTreeMap<String, Sharing> = never.into_iter().map(|it| (it, Sharing::Never)).collect();
    doomed.retain(|(arn, _)| !sharing.contains_key(arn));
    let answers = each(doomed, Step::AT_A_TIME, async |(arn, DeleteSnapshot { kind, id, region, .. })| {
        let answer = match rds::shared_with(&places.of(region.as_ref()).query, kind, &id, until).await {
            Ok(accounts) => Sharing::With(accounts),
            // It vanished meanwhile: its deletion finds that out.
            Err(error) if error.code.contains("SnapshotNotFound") => Sharing::With(Vec::new()),
            Err(error) if error.is_not_now() => Sharing::NotAsked,
            Err(error) => Sharing::Unreadable(error.to_string()),
        };
        (arn, answer)
    });
    sharing.extend(answers.await);
    sharing
}
