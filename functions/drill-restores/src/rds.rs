//! Calls to RDS that only this function makes: restoring a snapshot, and deleting what was restored.

use aws::Error;
use aws::query::Element;
use aws::rds::{Rds, created, find_databases_with, read_entries, writer_of_members};
use aws_sdk_rds::types as sdk;
use rules::database::Kind;
use tokio::time::Instant;

use crate::plan::{AddMember, Backup, Delete, Details, Own, Restore, Settings, own};

/// What a drill depends on of an instance.
pub fn details_of_instance(name: &str, it: &mut Element<'_, '_>, details: &mut Details) {
    let settings = &mut details.settings;
    match name {
        "InstanceCreateTime" => details.created = it.parsed(),
        "DBInstanceClass" => details.class = it.filled(),
        "DBSubnetGroup" => settings.subnet_group = field(it, "DBSubnetGroupName"),
        "DBParameterGroups" => settings.parameter_group = field_of_first(it, "DBParameterGroupName"),
        "OptionGroupMemberships" => settings.option_group = field_of_first(it, "OptionGroupName"),
        "StorageType" => settings.storage = it.filled(),
        "Endpoint" => it.each(|name, it| match name {
            "Address" => details.endpoint = it.filled(),
            "Port" => details.port = it.parsed(),
            _ => {}
        }),
        "DBName" => details.database_name = it.filled(),
        // It is there only while RDS works on the storage; `Optimizing` follows a change of it, and loads nothing.
        "StorageOperationStatus" => details.loading = it.text().eq_ignore_ascii_case("initializing"),
        _ => details_of_both(name, it, details),
    }
}

/// What a drill depends on of a cluster.
pub fn details_of_cluster(name: &str, it: &mut Element<'_, '_>, details: &mut Details) {
    let settings = &mut details.settings;
    match name {
        "ClusterCreateTime" => details.created = it.parsed(),
        "DBClusterInstanceClass" => details.class = it.filled(),
        "DBSubnetGroup" => settings.subnet_group = it.filled(),
        "DBClusterParameterGroup" => settings.parameter_group = it.filled(),
        "ServerlessV2ScalingConfiguration" => {
            let (mut least, mut most) = (None, None);
            it.each(|name, it| match name {
                "MinCapacity" => least = it.parsed(),
                "MaxCapacity" => most = it.parsed(),
                _ => {}
            });
            settings.capacity = least.zip(most);
        }
        "EngineMode" => details.engine_mode = it.filled(),
        "DBClusterMembers" => details.writer = writer_of_members(it),
        "Endpoint" => details.endpoint = it.filled(),
        "Port" => details.port = it.parsed(),
        "DatabaseName" => details.database_name = it.filled(),
        _ => details_of_both(name, it, details),
    }
}

fn details_of_both(name: &str, it: &mut Element<'_, '_>, details: &mut Details) {
    match name {
        "VpcSecurityGroups" => {
            it.each(|_, it| details.settings.security_groups.extend(field(it, "VpcSecurityGroupId")));
        }
        "EngineLifecycleSupport" => details.settings.lifecycle_support = it.filled(),
        "LatestRestorableTime" => details.latest = it.parsed(),
        _ => {}
    }
}

fn field(it: &mut Element<'_, '_>, wanted: &str) -> Option<String> {
    let mut found = None;
    it.each(|name, it| {
        if name == wanted {
            found = it.filled();
        }
    });
    found
}

fn field_of_first(list: &mut Element<'_, '_>, wanted: &str) -> Option<String> {
    let mut found = Vec::new();
    list.each(|_, it| found.push(field(it, wanted)));
    found.into_iter().next().flatten()
}

/// Restores the backup. A database of that name that is there by now was restored by an overlapping run.
pub async fn restore(rds: &Rds, restore: &Restore, until: Instant) -> Result<(), Error> {
    let answer = match (restore.kind, &restore.backup) {
        (Kind::Instance, Backup::Snapshot(it)) => restore_instance(rds, restore, it, until).await,
        (Kind::Cluster, Backup::Snapshot(it)) => restore_cluster(rds, restore, it, until).await,
        (Kind::Instance, Backup::PointInTime) => restore_instance_to_latest(rds, restore, until).await,
        (Kind::Cluster, Backup::PointInTime) => restore_cluster_to_latest(rds, restore, until).await,
    };
    match answer {
        Err(error) if error.code.contains("AlreadyExists") => Err(Error { message: error.message, ..Error::not_now() }),
        Err(error) => Err(told(error, restore)),
        Ok(()) => Ok(()),
    }
}

/// The SDK has a type for each operation, with the same setters: what a restored instance gets, from whichever backup.
macro_rules! like_the_original_instance {
    ($call:expr, $restore:expr, $storage:expr) => {{
        let Restore { class, settings, tags, .. } = $restore;
        $call
            .set_db_instance_class(class.clone())
            .set_db_subnet_group_name(settings.subnet_group.clone())
            .set_vpc_security_group_ids(Some(settings.security_groups.clone()))
            .set_db_parameter_group_name(settings.parameter_group.clone())
            .set_option_group_name(settings.option_group.clone())
            .set_engine_lifecycle_support(settings.lifecycle_support.clone())
            // RDS takes gp3 where no type is named, and a change of the type makes the restore slower.
            .set_storage_type($storage)
            .multi_az(false)
            .publicly_accessible(false)
            .deletion_protection(false)
            .copy_tags_to_snapshot(false)
            .auto_minor_version_upgrade(false)
            .backup_retention_period(0)
            .set_tags(Some(tags_of(tags)))
    }};
}

/// The same of a cluster.
macro_rules! like_the_original_cluster {
    ($call:expr, $restore:expr) => {{
        let Restore { settings, tags, .. } = $restore;
        $call
            .set_db_subnet_group_name(settings.subnet_group.clone())
            .set_vpc_security_group_ids(Some(settings.security_groups.clone()))
            .set_db_cluster_parameter_group_name(settings.parameter_group.clone())
            .set_serverless_v2_scaling_configuration(capacity(settings))
            .set_engine_lifecycle_support(settings.lifecycle_support.clone())
            .deletion_protection(false)
            .copy_tags_to_snapshot(false)
            // A cluster cannot be without; its backups go with it.
            .backup_retention_period(1)
            .set_tags(Some(tags_of(tags)))
    }};
}

async fn restore_instance(rds: &Rds, restore: &Restore, snapshot: &str, until: Instant) -> Result<(), Error> {
    let id = &restore.id;
    let described = rds.query.action("DescribeDBSnapshots").field("DBSnapshotIdentifier", snapshot);
    let storage = |it: &mut Element<'_, '_>| Some(field(it, "StorageType"));
    let described = read_entries(described, "DBSnapshots", snapshot, Some(until), storage).await?;
    let storage = described.into_iter().next().flatten();
    rds.call(Some(until), async |client| {
        let call = client.restore_db_instance_from_db_snapshot();
        let call = call.db_instance_identifier(id).db_snapshot_identifier(snapshot);
        let answer = like_the_original_instance!(call, restore, storage.clone()).send().await;
        answer.map(drop).map_err(|err| Error::new("RestoreDBInstanceFromDBSnapshot", id, err))
    })
    .await
}

async fn restore_cluster(rds: &Rds, restore: &Restore, snapshot: &str, until: Instant) -> Result<(), Error> {
    let id = &restore.id;
    // RDS takes the newest engine of the region where no version is named.
    let described = rds.query.action("DescribeDBClusterSnapshots").field("DBClusterSnapshotIdentifier", snapshot);
    let engine = |it: &mut Element<'_, '_>| {
        let (mut engine, mut version) = (None, None);
        it.each(|name, it| match name {
            "Engine" => engine = it.filled(),
            "EngineVersion" => version = it.filled(),
            _ => {}
        });
        Some((engine.unwrap_or_default(), version))
    };
    let described = read_entries(described, "DBClusterSnapshots", snapshot, Some(until), engine).await?;
    let Some((engine, version)) = described.into_iter().next() else {
        return Err(Error::unexpected("DescribeDBClusterSnapshots", snapshot, "the answer holds no snapshot"));
    };
    rds.call(Some(until), async |client| {
        let call = client.restore_db_cluster_from_snapshot();
        let call = call.db_cluster_identifier(id).snapshot_identifier(snapshot);
        let call = call.engine(&engine).set_engine_version(version.clone());
        let answer = like_the_original_cluster!(call, restore).send().await;
        answer.map(drop).map_err(|err| Error::new("RestoreDBClusterFromSnapshot", id, err))
    })
    .await
}

async fn restore_instance_to_latest(rds: &Rds, restore: &Restore, until: Instant) -> Result<(), Error> {
    let Restore { id, of, settings, .. } = restore;
    rds.call(Some(until), async |client| {
        let call = client.restore_db_instance_to_point_in_time();
        let call = call.source_db_instance_identifier(of).target_db_instance_identifier(id);
        let call = call.use_latest_restorable_time(true);
        let answer = like_the_original_instance!(call, restore, settings.storage.clone()).send().await;
        answer.map(drop).map_err(|err| Error::new("RestoreDBInstanceToPointInTime", id, err))
    })
    .await
}

async fn restore_cluster_to_latest(rds: &Rds, restore: &Restore, until: Instant) -> Result<(), Error> {
    let Restore { id, of, .. } = restore;
    rds.call(Some(until), async |client| {
        let call = client.restore_db_cluster_to_point_in_time();
        let call = call.source_db_cluster_identifier(of).db_cluster_identifier(id);
        // A clone shares the storage of the original, so that it would prove nothing about a restore.
        let call = call.restore_type("full-copy").use_latest_restorable_time(true);
        let answer = like_the_original_cluster!(call, restore).send().await;
        answer.map(drop).map_err(|err| Error::new("RestoreDBClusterToPointInTime", id, err))
    })
    .await
}

fn capacity(settings: &Settings) -> Option<sdk::ServerlessV2ScalingConfiguration> {
    let (least, most) = settings.capacity?;
    Some(sdk::ServerlessV2ScalingConfiguration::builder().min_capacity(least).max_capacity(most).build())
}

/// Creates the instance of a restored cluster. Everything else is the cluster's, and refused here.
pub async fn add_member(rds: &Rds, add: &AddMember, until: Instant) -> Result<(), Error> {
    let id = &add.cluster;
    let answer = rds.call(Some(until), async |client| {
        let call = client
            .create_db_instance()
            .db_instance_identifier(id)
            .db_cluster_identifier(id)
            .db_instance_class(&add.class)
            .engine(&add.engine)
            .publicly_accessible(false)
            .auto_minor_version_upgrade(false)
            .set_tags(Some(tags_of(&add.tags)));
        call.send().await.map(drop).map_err(|err| Error::new("CreateDBInstance", id, err))
    });
    match answer.await {
        Err(error) if error.code.contains("AlreadyExists") || error.code.starts_with("InvalidDBClusterState") => {
            Err(Error { message: error.message, ..Error::not_now() })
        }
        other => other,
    }
}

/// Deletes a drill database without a final snapshot, after a last look at whether it still is one.
pub async fn delete(rds: &Rds, delete: &Delete, home: &str, until: Instant) -> Result<(), Error> {
    let id = delete.id.as_str();
    let found = find_databases_with(&rds.query, id, created, created);
    let found = found.await?.into_iter().find(|(it, _)| it.kind == delete.kind);
    let Some((database, created)) = found else { return Ok(()) };
    let same = match own(&database, created, home) {
        Some(Own::Drill(drill)) => delete.drill == Some(drill),
        Some(Own::Unreadable) => delete.drill.is_none(),
        None => false,
    };
    if !same || database.arn != delete.arn {
        let operation = if delete.kind == Kind::Instance { "DeleteDBInstance" } else { "DeleteDBCluster" };
        return Err(Error::unexpected(operation, id, "it is not the database of this drill any more, so it stays"));
    }
    let answer = rds.call(Some(until), async |client| match delete.kind {
        Kind::Instance => {
            // A member has no backups of its own: of it RDS takes neither option.
            let alone = database.member_of.is_none();
            let call = client.delete_db_instance().db_instance_identifier(id).skip_final_snapshot(true);
            let call = call.set_delete_automated_backups(alone.then_some(true));
            call.send().await.map(drop).map_err(|err| Error::new("DeleteDBInstance", id, err))
        }
        Kind::Cluster => {
            let call = client.delete_db_cluster().db_cluster_identifier(id).skip_final_snapshot(true);
            call.send().await.map(drop).map_err(|err| Error::new("DeleteDBCluster", id, err))
        }
    });
    match answer.await {
        Err(error) if error.code.contains("NotFound") => Ok(()),
        // It is being created or changed, or is deleted already: the next run looks again.
        Err(error)
            if error.code.starts_with("InvalidDBInstanceState") || error.code.starts_with("InvalidDBClusterState") =>
        {
            Err(Error { message: error.message, ..Error::not_now() })
        }
        other => other,
    }
}

/// What AWS says no to, as what it is: nothing was restored, which is the finding.
fn told(error: Error, restore: &Restore) -> Error {
    let remedy = match error.code.as_str() {
        it if it.contains("QuotaExceeded") => "raise that quota in Service Quotas, or delete what is not needed",
        it if it.starts_with("InsufficientDBInstanceCapacity") => {
            "AWS has no instance of this class free now; set another one with the option class="
        }
        it if it.starts_with("KMSKeyNotAccessible") => {
            "the key of the snapshot is disabled or gone, or its policy does not let the role of drill-restores use it; a \
             real restore needs it too"
        }
        it if it.starts_with("PointInTimeRestoreNotEnabled") => {
            "RDS takes no automated backups of the original: set a backup retention period, or remove the option from="
        }
        it if it.contains("SubnetGroup") && restore.region.is_some() => {
            "create a DB subnet group of the name of the original's there, or name another one with the option subnet-group="
        }
        it if it.contains("SubnetGroup") => "the subnet group of the original does not fit or is gone",
        it if it.contains("ParameterGroup") && restore.region.is_some() => {
            "create the parameter group of the original there too: a restore after a disaster needs it"
        }
        it if it.starts_with("InvalidDBSnapshotState") || it.starts_with("InvalidDBClusterSnapshotState") => {
            "the snapshot is not ready; the next run tries again"
        }
        it if it.starts_with("InvalidRestore")
            || it.starts_with("InvalidParameterCombination")
            || it.starts_with("InvalidParameterValue")
            || it.starts_with("StorageTypeNotSupported") =>
        {
            "a real restore with the settings of the original would be refused too; set another class with the option class=, \
             or look at the settings that the message names"
        }
        _ => return error,
    };
    let message = format!("{} could not be restored: {error}; {remedy}", restore.backup.name());
    error.told_as("restore-refused", message)
}

fn tags_of(tags: &[(String, String)]) -> Vec<sdk::Tag> {
    tags.iter().map(|(key, value)| sdk::Tag::builder().key(key).value(value).build()).collect()
}
