//! Calls to RDS: which databases can be stopped, stopping, starting, and what became of one.

use aws::Error;
use aws::query::{Element, Query};
use aws::rds::{Rds, find_databases, list_databases_with, list_rds_events, writer_of_members};
use aws_sdk_rds::types as sdk;
use jiff::Timestamp;
use rules::database::{Database, Kind};
use tokio::time::Instant;

use crate::plan::{CannotStop, DatabaseName, Events, LastEvent, Sleeper};

/// What RDS says as it starts a database that was stopped for seven days. DescribeEvents gives no ids.
const STARTED_BY_AWS: &str = "maximum allowed time being stopped";

/// What the green side of a blue/green deployment is called, before six more letters.
const GREEN: &str = "-green-";

/// What RDS may name as pending, in the order in which people are told.
const PENDING_OF_INSTANCE: [&str; 24] = [
    "DBInstanceClass",
    "AllocatedStorage",
    "MasterUserPassword",
    "Port",
    "BackupRetentionPeriod",
    "MultiAZ",
    "EngineVersion",
    "LicenseModel",
    "Iops",
    "StorageThroughput",
    "DBInstanceIdentifier",
    "StorageType",
    "CACertificateIdentifier",
    "DBSubnetGroupName",
    "PendingCloudwatchLogsExports",
    "ProcessorFeatures",
    "AutomationMode",
    "ResumeFullAutomationModeTime",
    "MultiTenant",
    "IAMDatabaseAuthenticationEnabled",
    "DedicatedLogVolume",
    "Engine",
    "AdditionalStorageVolumes",
    "DBCapacityReservationIdentifier",
];

const PENDING_OF_CLUSTER: [&str; 11] = [
    "PendingCloudwatchLogsExports",
    "DBClusterIdentifier",
    "MasterUserPassword",
    "IAMDatabaseAuthenticationEnabled",
    "EngineVersion",
    "BackupRetentionPeriod",
    "StorageType",
    "AllocatedStorage",
    "RdsCustomClusterConfiguration",
    "Iops",
    "CertificateDetails",
];

/// What of a description is for this function only.
#[derive(Default)]
struct More {
    is_replica: bool,
    replicas: Vec<String>,
    /// Clusters of Aurora that replicate an instance.
    has_cluster_as_replica: bool,
    multi_az: bool,
    engine_mode: Option<String>,
    is_global: bool,
    is_backed_up: bool,
    writer: Option<String>,
    created_at: Option<Timestamp>,
    copies_tags: bool,
    maintenance_window: Option<String>,
    backup_window: Option<String>,
    pending: Vec<&'static str>,
}

/// All databases of the region.
pub async fn list_sleepers(rds: &Query) -> Result<Vec<Sleeper>, Error> {
    let databases = list_databases_with(rds, more_of_instance, more_of_cluster).await?;
    let sleeper = |(database, more): (Database, More)| Sleeper {
        cannot_stop: match database.kind {
            Kind::Instance => instance_cannot_stop(&database, &more),
            Kind::Cluster => cluster_cannot_stop(&database, &more),
        },
        // RDS backs up every cluster.
        backup_window: more.backup_window.filter(|_| more.is_backed_up || database.kind == Kind::Cluster),
        writer: more.writer,
        created_at: more.created_at,
        copies_tags: more.copies_tags,
        maintenance_window: more.maintenance_window,
        pending: more.pending,
        database,
    };
    Ok(databases.into_iter().map(sleeper).collect())
}

fn more_of_instance(name: &str, it: &mut Element<'_, '_>, more: &mut More) {
    match name {
        "ReadReplicaSourceDBInstanceIdentifier" | "ReadReplicaSourceDBClusterIdentifier" => {
            more.is_replica |= it.filled().is_some();
        }
        "ReadReplicaDBInstanceIdentifiers" => it.each(|_, it| more.replicas.push(it.text())),
        "ReadReplicaDBClusterIdentifiers" => more.has_cluster_as_replica = has_entries(it),
        "MultiAZ" => more.multi_az = it.parsed().unwrap_or_default(),
        "BackupRetentionPeriod" => more.is_backed_up = it.parsed::<i32>().is_some_and(|it| it > 0),
        "InstanceCreateTime" => more.created_at = it.parsed(),
        "PendingModifiedValues" => more.pending = pending(it, &PENDING_OF_INSTANCE),
        _ => more_of_both(name, it, more),
    }
}

fn more_of_cluster(name: &str, it: &mut Element<'_, '_>, more: &mut More) {
    match name {
        "ReplicationSourceIdentifier" => more.is_replica = it.filled().is_some(),
        "ReadReplicaIdentifiers" => it.each(|_, it| more.replicas.push(it.text())),
        "EngineMode" => more.engine_mode = it.filled(),
        "GlobalClusterIdentifier" => more.is_global = it.filled().is_some(),
        "DBClusterMembers" => more.writer = writer_of_members(it),
        "ClusterCreateTime" => more.created_at = it.parsed(),
        "PendingModifiedValues" => more.pending = pending(it, &PENDING_OF_CLUSTER),
        _ => more_of_both(name, it, more),
    }
}

fn more_of_both(name: &str, it: &mut Element<'_, '_>, more: &mut More) {
    match name {
        "CopyTagsToSnapshot" => more.copies_tags = it.parsed().unwrap_or_default(),
        "PreferredMaintenanceWindow" => more.maintenance_window = it.filled(),
        "PreferredBackupWindow" => more.backup_window = it.filled(),
        _ => {}
    }
}

/// Which of these `names` are pending: what is named without a value, as an empty list, is not.
fn pending(values: &mut Element<'_, '_>, names: &[&'static str]) -> Vec<&'static str> {
    let mut named = Vec::new();
    values.each(|name, it| {
        let is_pending = match name {
            "PendingCloudwatchLogsExports" => {
                let mut changes = false;
                it.each(|_, it| changes |= has_entries(it));
                changes
            }
            "ProcessorFeatures" | "AdditionalStorageVolumes" => has_entries(it),
            _ => true,
        };
        if is_pending {
            named.push(name.to_owned());
        }
    });
    names.iter().copied().filter(|it| named.iter().any(|name| name == it)).collect()
}

fn has_entries(list: &mut Element<'_, '_>) -> bool {
    let mut found = false;
    list.each(|_, _| found = true);
    found
}

fn instance_cannot_stop(database: &Database, more: &More) -> Option<CannotStop> {
    let engine = database.engine.as_str();
    if more.is_replica {
        if database.id.contains(GREEN) {
            return passes("it is the green side of a blue/green deployment");
        }
        for_good("it is a read replica")
    } else if !more.replicas.is_empty() || more.has_cluster_as_replica {
        if !more.has_cluster_as_replica && more.replicas.iter().all(|it| it.contains(GREEN)) {
            return passes("a blue/green deployment of it is under way");
        }
        for_good("it has a read replica")
    } else if engine.starts_with("sqlserver") && more.multi_az {
        for_good("it is SQL Server in several zones")
    } else if engine.starts_with("custom-") && !engine.starts_with("custom-sqlserver") {
        for_good("it is RDS Custom")
    } else {
        None
    }
}

fn cluster_cannot_stop(database: &Database, more: &More) -> Option<CannotStop> {
    if !database.engine.starts_with("aurora") {
        for_good("it is a Multi-AZ DB cluster, not Aurora")
    } else if more.engine_mode.as_deref() == Some("serverless") {
        for_good("it is Aurora Serverless v1")
    } else if more.is_global {
        for_good("it is a member of a global database")
    } else if more.is_replica || !more.replicas.is_empty() {
        let to_green = !more.replicas.is_empty() && more.replicas.iter().all(|it| it.contains(GREEN));
        if database.id.contains(GREEN) || to_green {
            return passes("a blue/green deployment of it is under way");
        }
        for_good("it has a replica in another region, or is one")
    } else {
        None
    }
}

fn for_good(reason: &str) -> Option<CannotStop> {
    Some(CannotStop { reason: reason.into(), passes: false })
}

/// Told apart, so that people do not take a tag off for what is over tomorrow.
fn passes(reason: &str) -> Option<CannotStop> {
    Some(CannotStop { reason: reason.into(), passes: true })
}

/// Stops a database, an instance with a snapshot of this id; one that is stopped by now is not an error.
pub async fn stop(rds: &Rds, database: &DatabaseName, snapshot: Option<&str>, until: Instant) -> Result<(), Error> {
    let id = database.id.as_str();
    let stopped = rds.call(Some(until), async |client| match database.kind {
        Kind::Instance => {
            let call = client.stop_db_instance().db_instance_identifier(id);
            let call = call.set_db_snapshot_identifier(snapshot.map(str::to_owned));
            call.send().await.map(drop).map_err(|err| Error::new("StopDBInstance", id, err))
        }
        Kind::Cluster => {
            let call = client.stop_db_cluster().db_cluster_identifier(id);
            call.send().await.map(drop).map_err(|err| Error::new("StopDBCluster", id, err))
        }
    });
    settled(rds, database, "available", stopped.await).await
}

/// Starts a database; one that is started by now is not an error.
pub async fn start(rds: &Rds, database: &DatabaseName, until: Instant) -> Result<(), Error> {
    let id = database.id.as_str();
    let started = rds.call(Some(until), async |client| match database.kind {
        Kind::Instance => {
            let call = client.start_db_instance().db_instance_identifier(id);
            call.send().await.map(drop).map_err(|err| Error::new("StartDBInstance", id, err))
        }
        Kind::Cluster => {
            let call = client.start_db_cluster().db_cluster_identifier(id);
            call.send().await.map(drop).map_err(|err| Error::new("StartDBCluster", id, err))
        }
    });
    settled(rds, database, "stopped", started.await).await
}

/// What a refused call comes to, by the state that the database is in now.
///
/// Another run may have made the call, or this one, whose answer was lost; a passing state is left to the next run. In
/// the state that the call needs (`allows`), AWS refuses it for a reason that stays.
async fn settled(rds: &Rds, database: &DatabaseName, allows: &str, outcome: Result<(), Error>) -> Result<(), Error> {
    let Err(error) = outcome else { return Ok(()) };
    if !is_refusal(&error) {
        return Err(error);
    }
    let found = find_databases(&rds.query, &database.id).await?;
    let status = found.iter().find(|it| it.kind == database.kind).map(|it| it.status.as_str());
    let done: &[&str] = if allows == "available" { &["stopping", "stopped"] } else { &["starting", "available"] };
    match status {
        Some(status) if done.contains(&status) => Ok(()),
        // Its snapshot has been taken, and the stop that it was taken with has not come about: the next run sees that.
        Some("available") if error.code.contains("SnapshotAlreadyExists") => Err(Error::not_now()),
        Some("available" | "stopped") => Err(error.refused()),
        Some(_) => Err(Error::not_now()),
        None => Err(error),
    }
}

/// Whether the call is refused until something changes. What is throttled and what has no answer is not.
fn is_refusal(error: &Error) -> bool {
    const CODES: [&str; 12] = [
        "InvalidDBInstanceState",
        "InvalidDBCluster",
        "SnapshotAlreadyExists",
        "SnapshotQuotaExceeded",
        "InvalidParameter",
        "InsufficientDBInstanceCapacity",
        "InsufficientDBClusterCapacity",
        "InsufficientStorageClusterCapacity",
        "DBSubnetGroupDoesNotCoverEnoughAZs",
        "InvalidSubnet",
        "InvalidVPCNetworkState",
        "AuthorizationNotFound",
    ];
    error.way_out().is_some() || CODES.iter().any(|it| error.code.contains(it))
}

/// Takes tags off a snapshot, then gives it its own; one that is not there yet gets them from a later run.
pub async fn tag_snapshot(
    rds: &Rds,
    arn: &str,
    remove: &[String],
    tags: &[(String, String)],
    until: Instant,
) -> Result<(), Error> {
    let later = |result: Result<(), Error>| match result {
        Err(error) if error.code.contains("SnapshotNotFound") => Err(Error::not_now()),
        other => other,
    };
    if !remove.is_empty() {
        let removed = rds.call(Some(until), async |client| {
            let call = client.remove_tags_from_resource().resource_name(arn).set_tag_keys(Some(remove.to_vec()));
            call.send().await.map(drop).map_err(|err| Error::new("RemoveTagsFromResource", arn, err))
        });
        later(removed.await)?;
    }
    let added = rds.call(Some(until), async |client| {
        let tags = tags.iter().map(|(key, value)| sdk::Tag::builder().key(key).value(value).build()).collect();
        let call = client.add_tags_to_resource().resource_name(arn).set_tags(Some(tags));
        call.send().await.map(drop).map_err(|err| Error::new("AddTagsToResource", arn, err))
    });
    later(added.await)
}

/// What RDS's events of the last two weeks tell of a database.
pub async fn events(rds: &Query, database: &Database) -> Result<Events, Error> {
    let source = match database.kind {
        Kind::Instance => "db-instance",
        Kind::Cluster => "db-cluster",
    };
    let mut last: Option<LastEvent> = None;
    let mut newest: Option<(Timestamp, String)> = None;
    for (at, message) in list_rds_events(rds, source, &database.id, None).await? {
        let started_by_aws = message.contains(STARTED_BY_AWS);
        let stopped = message.trim_end_matches('.').ends_with(" stopped");
        if (started_by_aws || stopped) && last.is_none_or(|last| last.at <= at) {
            last = Some(LastEvent { at, started_by_aws });
        }
        if newest.as_ref().is_none_or(|(newest, _)| *newest <= at) {
            newest = Some((at, message));
        }
    }
    Ok(Events { last, newest: newest.map(|(_, it)| it) })
}
