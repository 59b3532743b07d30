//! What RDS lists and describes, by its Query protocol: its typed readers know each of some hundred fields.

use jiff::Timestamp;
use rules::database::{Database, Kind, Snapshot};
use tokio::time::Instant;

use super::shapes::{self, Field};
use super::{AUTOMATED, MANUAL};
use crate::query::{Action, Element, Query, read_result};
use crate::{Boxed, Error};

/// The most entries that RDS puts into one page.
const PAGE: usize = 100;

/// RDS keeps events for fourteen days; asked for longer it refuses.
const MINUTES_OF_EVENTS: u32 = 14 * 24 * 60;

/// All DB instances and DB clusters of the region.
pub async fn list_databases(rds: &Query) -> Result<Vec<Database>, Error> {
    let databases = list_databases_with(rds, |_, _, ()| (), |_, _, ()| ()).await?;
    Ok(databases.into_iter().map(|(database, ())| database).collect())
}

/// The same, each with what else to read of its description.
pub async fn list_databases_with<T: Default>(
    rds: &Query,
    of_instance: Field<T>,
    of_cluster: Field<T>,
) -> Result<Vec<(Database, T)>, Error> {
    let instances = rds.action("DescribeDBInstances").field("MaxRecords", PAGE);
    let clusters = rds.action("DescribeDBClusters").field("MaxRecords", PAGE);
    let (instances, clusters) = tokio::join!(
        read_entries(instances, "DBInstances", "all", None, |it| shapes::database(Kind::Instance, it, of_instance)),
        read_entries(clusters, "DBClusters", "all", None, |it| shapes::database(Kind::Cluster, it, of_cluster)),
    );
    let mut databases = instances?;
    databases.extend(clusters?);
    Ok(databases)
}

/// The manual snapshots of the region that `keep` lets through, page by page, so that the others take no memory.
pub async fn list_snapshots(rds: &Query, keep: impl Fn(&Snapshot) -> bool) -> Result<Vec<Snapshot>, Error> {
    let listed = async |kind| {
        let (action, list) = snapshots(rds, kind);
        let action = action.field("SnapshotType", MANUAL).field("MaxRecords", PAGE);
        read_entries(action, list, "all", None, |it| shapes::manual_snapshot(kind, it).filter(&keep)).await
    };
    let (of_instances, of_clusters) = tokio::join!(listed(Kind::Instance), listed(Kind::Cluster));
    let mut snapshots = of_instances?;
    snapshots.extend(of_clusters?);
    Ok(snapshots)
}

/// The automated snapshots that RDS has of one database.
pub async fn list_automated_snapshots(rds: &Query, kind: Kind, database: &str) -> Result<Vec<Snapshot>, Error> {
    let (action, list) = snapshots(rds, kind);
    let of = match kind {
        Kind::Instance => "DBInstanceIdentifier",
        Kind::Cluster => "DBClusterIdentifier",
    };
    let action = action.field("SnapshotType", AUTOMATED).field(of, database).field("MaxRecords", PAGE);
    read_entries(action, list, database, None, |it| shapes::automated_snapshot(kind, it)).await
}

/// The call that lists snapshots of one kind, and what their list is called.
fn snapshots(rds: &Query, kind: Kind) -> (Action<'_>, &'static str) {
    match kind {
        Kind::Instance => (rds.action("DescribeDBSnapshots"), "DBSnapshots"),
        Kind::Cluster => (rds.action("DescribeDBClusterSnapshots"), "DBClusterSnapshots"),
    }
}

/// The DB instance and the DB cluster of this id, as far as there are such.
pub async fn find_databases(rds: &Query, id: &str) -> Result<Vec<Database>, Error> {
    let databases = find_databases_with(rds, id, |_, _, ()| (), |_, _, ()| ()).await?;
    Ok(databases.into_iter().map(|(database, ())| database).collect())
}

/// The same, each with what else to read of its description.
pub async fn find_databases_with<T: Default>(
    rds: &Query,
    id: &str,
    of_instance: Field<T>,
    of_cluster: Field<T>,
) -> Result<Vec<(Database, T)>, Error> {
    let instance = rds.action("DescribeDBInstances").field("DBInstanceIdentifier", id);
    let cluster = rds.action("DescribeDBClusters").field("DBClusterIdentifier", id);
    let (instance, cluster) = tokio::join!(
        read_entries(instance, "DBInstances", id, None, |it| shapes::database(Kind::Instance, it, of_instance)),
        read_entries(cluster, "DBClusters", id, None, |it| shapes::database(Kind::Cluster, it, of_cluster)),
    );
    let found = [there_or_not(instance, "DBInstanceNotFound")?, there_or_not(cluster, "DBClusterNotFound")?];
    Ok(found.into_iter().flatten().collect())
}

/// The manual snapshot of this id, if there is one.
pub async fn find_snapshot(rds: &Query, kind: Kind, id: &str) -> Result<Option<Snapshot>, Error> {
    let (action, list) = snapshots(rds, kind);
    let of = match kind {
        Kind::Instance => "DBSnapshotIdentifier",
        Kind::Cluster => "DBClusterSnapshotIdentifier",
    };
    let found = read_entries(action.field(of, id), list, id, None, |it| shapes::manual_snapshot(kind, it));
    there_or_not(found.await, "SnapshotNotFound")
}

/// Asked for by its id, what does not exist is an error of RDS.
fn there_or_not<T>(answer: Result<Vec<T>, Error>, missing: &str) -> Result<Option<T>, Error> {
    match answer {
        Err(error) if error.code.contains(missing) => Ok(None),
        other => Ok(other?.into_iter().next()),
    }
}

/// What RDS told of a database or a snapshot in the last fourteen days; `source` says which it is, as `db-instance`.
pub async fn list_rds_events(
    rds: &Query,
    source: &str,
    id: &str,
    until: Option<Instant>,
) -> Result<Vec<(Timestamp, String)>, Error> {
    let action = rds.action("DescribeEvents").field("SourceType", source).field("SourceIdentifier", id);
    let action = action.field("Duration", MINUTES_OF_EVENTS);
    let event = |it: &mut Element<'_, '_>| {
        let (mut at, mut message) = (None, String::new());
        it.each(|name, it| match name {
            "Date" => at = it.parsed(),
            "Message" => message = it.text(),
            _ => {}
        });
        Some((at?, message))
    };
    read_entries(action, "Events", id, until, event).await
}

/// Makes a call for page after page, and reads each entry of its `list`. Only what `read` takes is kept, so that the rest
/// takes no memory.
pub async fn read_entries<T>(
    action: Action<'_>,
    list: &str,
    resource: &str,
    until: Option<Instant>,
    read: impl Fn(&mut Element<'_, '_>) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let (mut entries, mut marker) = (Vec::new(), None::<String>);
    loop {
        // Boxed, since the futures of calls otherwise nest deeper than the compiler follows.
        let call: Boxed<'_, String> = Box::pin(action.clone().maybe("Marker", marker.take()).perform(resource, until));
        read_result(action.name(), resource, &call.await?, |name, it| match name {
            // Some emulators end with an empty one.
            "Marker" => marker = it.filled(),
            _ if name == list => it.each(|_, it| entries.extend(read(it))),
            _ => {}
        })?;
        if marker.is_none() {
            return Ok(entries);
        }
    }
}
