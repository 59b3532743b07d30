//! Calls to RDS: which databases can be stopped, stopping, starting, and what became of one.

use aws::Error;
use aws::rds::{Rds, find_databases, list_databases_with};
use aws_sdk_rds::primitives::DateTime;
use aws_sdk_rds::types as sdk;
use jiff::Timestamp;
use rules::database::{Database, Kind};
use tokio::time::Instant;

use crate::plan::{CannotStop, DatabaseName, Events, LastEvent, Sleeper};

/// How long RDS keeps its events.
const EVENTS_OF_MINUTES: i32 = 14 * 24 * 60;

/// What RDS says as it starts a database that was stopped for seven days. DescribeEvents gives no ids.
const STARTED_BY_AWS: &str = "maximum allowed time being stopped";

/// What the green side of a blue/green deployment is called, before six more letters.
const GREEN: &str = "-green-";

/// What of a description is for this function only.
struct More {
    cannot_stop: Option<CannotStop>,
    writer: Option<String>,
    created_at: Option<Timestamp>,
    copies_tags: bool,
    maintenance_window: Option<String>,
    backup_window: Option<String>,
    pending: Vec<&'static str>,
}

/// All databases of the region.
pub async fn list_sleepers(rds: &Rds) -> Result<Vec<Sleeper>, Error> {
    let databases = list_databases_with(rds, more_of_instance, more_of_cluster).await?;
    let sleeper = |(database, more): (Database, More)| Sleeper {
        database,
        cannot_stop: more.cannot_stop,
        writer: more.writer,
        created_at: more.created_at,
        copies_tags: more.copies_tags,
        maintenance_window: more.maintenance_window,
        backup_window: more.backup_window,
        pending: more.pending,
    };
    Ok(databases.into_iter().map(sleeper).collect())
}

fn more_of_instance(it: &sdk::DbInstance) -> More {
    let backed_up = it.backup_retention_period().is_some_and(|it| it > 0);
    More {
        cannot_stop: instance_cannot_stop(it),
        writer: None,
        created_at: it.instance_create_time().and_then(moment),
        copies_tags: it.copy_tags_to_snapshot().unwrap_or_default(),
        maintenance_window: it.preferred_maintenance_window().map(str::to_owned),
        backup_window: it.preferred_backup_window().filter(|_| backed_up).map(str::to_owned),
        pending: it.pending_modified_values().map(pending_of_instance).unwrap_or_default(),
    }
}

fn more_of_cluster(it: &sdk::DbCluster) -> More {
    let writer = it.db_cluster_members().iter().find(|it| it.is_cluster_writer().unwrap_or_default());
    More {
        cannot_stop: cluster_cannot_stop(it),
        writer: writer.and_then(|it| it.db_instance_identifier()).map(str::to_owned),
        created_at: it.cluster_create_time().and_then(moment),
        copies_tags: it.copy_tags_to_snapshot().unwrap_or_default(),
        maintenance_window: it.preferred_maintenance_window().map(str::to_owned),
        backup_window: it.preferred_backup_window().map(str::to_owned),
        pending: it.pending_modified_values().map(pending_of_cluster).unwrap_or_default(),
    }
}

fn pending_of_instance(it: &sdk::PendingModifiedValues) -> Vec<&'static str> {
    named(&[
        ("DBInstanceClass", it.db_instance_class.is_some()),
        ("AllocatedStorage", it.allocated_storage.is_some()),
        ("MasterUserPassword", it.master_user_password.is_some()),
        ("Port", it.port.is_some()),
        ("BackupRetentionPeriod", it.backup_retention_period.is_some()),
        ("MultiAZ", it.multi_az.is_some()),
        ("EngineVersion", it.engine_version.is_some()),
        ("LicenseModel", it.license_model.is_some()),
        ("Iops", it.iops.is_some()),
        ("StorageThroughput", it.storage_throughput.is_some()),
        ("DBInstanceIdentifier", it.db_instance_identifier.is_some()),
        ("StorageType", it.storage_type.is_some()),
        ("CACertificateIdentifier", it.ca_certificate_identifier.is_some()),
        ("DBSubnetGroupName", it.db_subnet_group_name.is_some()),
        ("PendingCloudwatchLogsExports", it.pending_cloudwatch_logs_exports().is_some_and(changes_exports)),
        ("ProcessorFeatures", !it.processor_features().is_empty()),
        ("AutomationMode", it.automation_mode.is_some()),
        ("ResumeFullAutomationModeTime", it.resume_full_automation_mode_time.is_some()),
        ("MultiTenant", it.multi_tenant.is_some()),
        ("IAMDatabaseAuthenticationEnabled", it.iam_database_authentication_enabled.is_some()),
        ("DedicatedLogVolume", it.dedicated_log_volume.is_some()),
        ("Engine", it.engine.is_some()),
        ("AdditionalStorageVolumes", !it.additional_storage_volumes().is_empty()),
        ("DBCapacityReservationIdentifier", it.db_capacity_reservation_identifier.is_some()),
    ])
}

fn pending_of_cluster(it: &sdk::ClusterPendingModifiedValues) -> Vec<&'static str> {
    named(&[
        ("PendingCloudwatchLogsExports", it.pending_cloudwatch_logs_exports().is_some_and(changes_exports)),
        ("DBClusterIdentifier", it.db_cluster_identifier.is_some()),
        ("MasterUserPassword", it.master_user_password.is_some()),
        ("IAMDatabaseAuthenticationEnabled", it.iam_database_authentication_enabled.is_some()),
        ("EngineVersion", it.engine_version.is_some()),
        ("BackupRetentionPeriod", it.backup_retention_period.is_some()),
        ("StorageType", it.storage_type.is_some()),
        ("AllocatedStorage", it.allocated_storage.is_some()),
        ("RdsCustomClusterConfiguration", it.rds_custom_cluster_configuration.is_some()),
        ("Iops", it.iops.is_some()),
        ("CertificateDetails", it.certificate_details.is_some()),
    ])
}

fn changes_exports(it: &sdk::PendingCloudwatchLogsExports) -> bool {
    !it.log_types_to_enable().is_empty() || !it.log_types_to_disable().is_empty()
}

fn named(fields: &[(&'static str, bool)]) -> Vec<&'static str> {
    fields.iter().filter(|(_, is_pending)| *is_pending).map(|(name, _)| *name).collect()
}

fn instance_cannot_stop(it: &sdk::DbInstance) -> Option<CannotStop> {
    let engine = it.engine().unwrap_or_default();
    let is = |it: Option<&str>| it.is_some_and(|it| !it.is_empty());
    let replicas = it.read_replica_db_instance_identifiers();
    let of_clusters = it.read_replica_db_cluster_identifiers();
    if is(it.read_replica_source_db_instance_identifier()) || is(it.read_replica_source_db_cluster_identifier()) {
        if it.db_instance_identifier().is_some_and(|it| it.contains(GREEN)) {
            return passes("it is the green side of a blue/green deployment");
        }
        for_good("it is a read replica")
    } else if !replicas.is_empty() || !of_clusters.is_empty() {
        if of_clusters.is_empty() && replicas.iter().all(|it| it.contains(GREEN)) {
            return passes("a blue/green deployment of it is under way");
        }
        for_good("it has a read replica")
    } else if engine.starts_with("sqlserver") && it.multi_az().unwrap_or_default() {
        for_good("it is SQL Server in several zones")
    } else if engine.starts_with("custom-") && !engine.starts_with("custom-sqlserver") {
        for_good("it is RDS Custom")
    } else {
        None
    }
}

fn cluster_cannot_stop(it: &sdk::DbCluster) -> Option<CannotStop> {
    let is = |it: Option<&str>| it.is_some_and(|it| !it.is_empty());
    if !it.engine().unwrap_or_default().starts_with("aurora") {
        for_good("it is a Multi-AZ DB cluster, not Aurora")
    } else if it.engine_mode() == Some("serverless") {
        for_good("it is Aurora Serverless v1")
    } else if is(it.global_cluster_identifier()) {
        for_good("it is a member of a global database")
    } else if is(it.replication_source_identifier()) || !it.read_replica_identifiers().is_empty() {
        if it.db_cluster_identifier().is_some_and(|it| it.contains(GREEN))
            || !it.read_replica_identifiers().is_empty()
                && it.read_replica_identifiers().iter().all(|it| it.contains(GREEN))
        {
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

fn moment(it: &DateTime) -> Option<Timestamp> {
    Timestamp::new(it.secs(), it.subsec_nanos() as i32).ok()
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
    let found = find_databases(rds, &database.id).await?;
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
pub async fn events(rds: &Rds, database: &Database) -> Result<Events, Error> {
    let (source, id) = match database.kind {
        Kind::Instance => (sdk::SourceType::DbInstance, &database.id),
        Kind::Cluster => (sdk::SourceType::DbCluster, &database.id),
    };
    let mut last: Option<LastEvent> = None;
    let mut newest: Option<(Timestamp, String)> = None;
    let mut marker = None;
    loop {
        let answer = rds
            .call(None, async |client| {
                let call = client.describe_events().source_type(source.clone()).source_identifier(id);
                let call = call.duration(EVENTS_OF_MINUTES).set_marker(marker.clone());
                call.send().await.map_err(|err| Error::new("DescribeEvents", id, err))
            })
            .await?;
        for event in answer.events() {
            let Some(at) = event.date().and_then(moment) else { continue };
            let message = event.message().unwrap_or_default();
            let started_by_aws = message.contains(STARTED_BY_AWS);
            let stopped = message.trim_end_matches('.').ends_with(" stopped");
            if (started_by_aws || stopped) && last.is_none_or(|last| last.at <= at) {
                last = Some(LastEvent { at, started_by_aws });
            }
            if newest.as_ref().is_none_or(|(newest, _)| *newest <= at) {
                newest = Some((at, message.to_owned()));
            }
        }
        marker = answer.marker().filter(|it| !it.is_empty()).map(str::to_owned);
        if marker.is_none() {
            return Ok(Events { last, newest: newest.map(|(_, it)| it) });
        }
    }
}
