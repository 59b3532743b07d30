//! Databases, their snapshots, and the memory tags on both.
//!
//! A call that RDS throttles is made again at a slower [`Pace`], which all calls of a client share.

use std::collections::BTreeMap;

use aws_config::{Region, SdkConfig};
use aws_sdk_rds::operation::delete_db_cluster_snapshot::DeleteDBClusterSnapshotError;
use aws_sdk_rds::operation::delete_db_snapshot::DeleteDBSnapshotError;
use aws_sdk_rds::primitives::DateTime;
use aws_sdk_rds::types as sdk;
use jiff::Timestamp;
use rules::database::{Database, Kind, Snapshot};
use tokio::time::Instant;

use crate::{Error, LeaveThrottling, Pace};

/// The most entries that RDS puts into one page.
const PAGE: i32 = 100;

/// RDS in one region, at the pace that it allows there.
pub struct Rds {
    client: aws_sdk_rds::Client,
    pace: Pace,
}

impl Rds {
    /// RDS in the region of `config`, or in another one.
    pub fn new(config: &SdkConfig, region: Option<&str>) -> Self {
        let mut builder = aws_sdk_rds::config::Builder::from(config).retry_classifier(LeaveThrottling);
        if let Some(region) = region {
            builder = builder.region(Region::new(region.to_owned()));
        }
        Self::of(aws_sdk_rds::Client::from_conf(builder.build()))
    }

    /// RDS behind `client`.
    pub fn of(client: aws_sdk_rds::Client) -> Self {
        Rds { client, pace: Pace::learned() }
    }

    /// Makes a call at the pace that RDS allows, unless its turn comes later than `until`.
    pub async fn call<T>(
        &self,
        until: Option<Instant>,
        call: impl AsyncFn(&aws_sdk_rds::Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.pace.call(until, async || call(&self.client).await).await
    }
}

/// All DB instances and DB clusters of the region.
pub async fn list_databases(rds: &Rds) -> Result<Vec<Database>, Error> {
    let (instances, clusters) = tokio::join!(list_instances(rds), list_clusters(rds));
    let mut databases = instances?;
    databases.extend(clusters?);
    Ok(databases)
}

async fn list_instances(rds: &Rds) -> Result<Vec<Database>, Error> {
    let mut instances = Vec::new();
    let mut marker = None;
    loop {
        let answer = rds
            .call(None, async |client| {
                let page = client.describe_db_instances().max_records(PAGE).set_marker(marker.clone());
                page.send().await.map_err(|err| Error::new("DescribeDBInstances", "all", err))
            })
            .await?;
        instances.extend(answer.db_instances().iter().filter_map(instance));
        marker = more(answer.marker());
        if marker.is_none() {
            return Ok(instances);
        }
    }
}

async fn list_clusters(rds: &Rds) -> Result<Vec<Database>, Error> {
    let mut clusters = Vec::new();
    let mut marker = None;
    loop {
        let answer = rds
            .call(None, async |client| {
                let page = client.describe_db_clusters().max_records(PAGE).set_marker(marker.clone());
                page.send().await.map_err(|err| Error::new("DescribeDBClusters", "all", err))
            })
            .await?;
        clusters.extend(answer.db_clusters().iter().filter_map(cluster));
        marker = more(answer.marker());
        if marker.is_none() {
            return Ok(clusters);
        }
    }
}

/// The manual snapshots of the region that `keep` lets through, page by page, so that the others take no memory.
pub async fn list_snapshots(rds: &Rds, keep: impl Fn(&Snapshot) -> bool) -> Result<Vec<Snapshot>, Error> {
    let (of_instances, of_clusters) = tokio::join!(instance_snapshots(rds, &keep), cluster_snapshots(rds, &keep));
    let mut snapshots = of_instances?;
    snapshots.extend(of_clusters?);
    Ok(snapshots)
}

async fn instance_snapshots(rds: &Rds, keep: impl Fn(&Snapshot) -> bool) -> Result<Vec<Snapshot>, Error> {
    let mut snapshots = Vec::new();
    let mut marker = None;
    loop {
        let answer = rds
            .call(None, async |client| {
                let page = client.describe_db_snapshots().snapshot_type("manual").max_records(PAGE);
                let page = page.set_marker(marker.clone());
                page.send().await.map_err(|err| Error::new("DescribeDBSnapshots", "all", err))
            })
            .await?;
        snapshots.extend(answer.db_snapshots().iter().filter_map(instance_snapshot).filter(&keep));
        marker = more(answer.marker());
        if marker.is_none() {
            return Ok(snapshots);
        }
    }
}

async fn cluster_snapshots(rds: &Rds, keep: impl Fn(&Snapshot) -> bool) -> Result<Vec<Snapshot>, Error> {
    let mut snapshots = Vec::new();
    let mut marker = None;
    loop {
        let answer = rds
            .call(None, async |client| {
                let page = client.describe_db_cluster_snapshots().snapshot_type("manual").max_records(PAGE);
                let page = page.set_marker(marker.clone());
                page.send().await.map_err(|err| Error::new("DescribeDBClusterSnapshots", "all", err))
            })
            .await?;
        snapshots.extend(answer.db_cluster_snapshots().iter().filter_map(cluster_snapshot).filter(&keep));
        marker = more(answer.marker());
        if marker.is_none() {
            return Ok(snapshots);
        }
    }
}

/// The status of one snapshot; `None` if there is none of that id.
pub async fn snapshot_status(rds: &Rds, kind: Kind, id: &str) -> Result<Option<String>, Error> {
    rds.call(None, async |client| {
        let status = match kind {
            Kind::Instance => {
                let answer = client.describe_db_snapshots().db_snapshot_identifier(id).send().await;
                let answer = answer.map_err(|err| Error::new("DescribeDBSnapshots", id, err));
                answer.map(|it| it.db_snapshots().first().and_then(|it| it.status()).map(str::to_owned))
            }
            Kind::Cluster => {
                let answer = client.describe_db_cluster_snapshots().db_cluster_snapshot_identifier(id).send().await;
                let answer = answer.map_err(|err| Error::new("DescribeDBClusterSnapshots", id, err));
                answer.map(|it| it.db_cluster_snapshots().first().and_then(|it| it.status()).map(str::to_owned))
            }
        };
        match status {
            Err(error) if error.code.contains("SnapshotNotFound") => Ok(None),
            other => other,
        }
    })
    .await
}

/// Deletes a manual snapshot; `false` if it was gone already, which is as good.
pub async fn delete_snapshot(rds: &Rds, kind: Kind, id: &str, until: Option<Instant>) -> Result<bool, Error> {
    rds.call(until, async |client| match kind {
        Kind::Instance => match client.delete_db_snapshot().db_snapshot_identifier(id).send().await {
            Ok(_) => Ok(true),
            Err(err) if err.as_service_error().is_some_and(DeleteDBSnapshotError::is_db_snapshot_not_found_fault) => {
                Ok(false)
            }
            Err(err) => Err(Error::new("DeleteDBSnapshot", id, err)),
        },
        Kind::Cluster => {
            let gone = DeleteDBClusterSnapshotError::is_db_cluster_snapshot_not_found_fault;
            match client.delete_db_cluster_snapshot().db_cluster_snapshot_identifier(id).send().await {
                Ok(_) => Ok(true),
                Err(err) if err.as_service_error().is_some_and(gone) => Ok(false),
                Err(err) => Err(Error::new("DeleteDBClusterSnapshot", id, err)),
            }
        }
    })
    .await
}

/// Writes the tag `key` of a database or a snapshot, or removes it where there is no value.
pub async fn write_memory(rds: &Rds, arn: &str, key: &str, value: Option<&str>) -> Result<(), Error> {
    rds.call(None, async |client| match value {
        Some(value) => {
            let tag = sdk::Tag::builder().key(key).value(value).build();
            let call = client.add_tags_to_resource().resource_name(arn).tags(tag);
            call.send().await.map(drop).map_err(|err| Error::new("AddTagsToResource", arn, err))
        }
        None => {
            let call = client.remove_tags_from_resource().resource_name(arn).tag_keys(key);
            call.send().await.map(drop).map_err(|err| Error::new("RemoveTagsFromResource", arn, err))
        }
    })
    .await
}

/// The marker of the next page; some emulators end with an empty one.
fn more(marker: Option<&str>) -> Option<String> {
    marker.filter(|it| !it.is_empty()).map(str::to_owned)
}

fn instance(it: &sdk::DbInstance) -> Option<Database> {
    Some(Database {
        kind: Kind::Instance,
        id: it.db_instance_identifier()?.into(),
        arn: it.db_instance_arn()?.into(),
        resource_id: text(it.dbi_resource_id()),
        status: it.db_instance_status().unwrap_or_default().into(),
        engine: it.engine().unwrap_or_default().into(),
        member_of: text(it.db_cluster_identifier()),
        restarts_at: it.automatic_restart_time().and_then(moment),
        tags: tags(it.tag_list()),
    })
}

fn cluster(it: &sdk::DbCluster) -> Option<Database> {
    Some(Database {
        kind: Kind::Cluster,
        id: it.db_cluster_identifier()?.into(),
        arn: it.db_cluster_arn()?.into(),
        resource_id: text(it.db_cluster_resource_id()),
        status: it.status().unwrap_or_default().into(),
        engine: it.engine().unwrap_or_default().into(),
        member_of: None,
        restarts_at: it.automatic_restart_time().and_then(moment),
        tags: tags(it.tag_list()),
    })
}

/// A snapshot of another type, should AWS list one, is none of ours.
fn instance_snapshot(it: &sdk::DbSnapshot) -> Option<Snapshot> {
    let manual = it.snapshot_type().is_none_or(|it| it == "manual");
    manual.then_some(())?;
    Some(Snapshot {
        kind: Kind::Instance,
        id: it.db_snapshot_identifier()?.into(),
        arn: it.db_snapshot_arn()?.into(),
        database: it.db_instance_identifier()?.into(),
        database_resource_id: text(it.dbi_resource_id()),
        status: it.status().unwrap_or_default().into(),
        progress: it.percent_progress(),
        created_at: it.original_snapshot_create_time().or(it.snapshot_create_time()).and_then(moment),
        engine: it.engine().unwrap_or_default().into(),
        encrypted: it.encrypted().unwrap_or_default(),
        option_group: text(it.option_group_name()).filter(|it| !it.starts_with("default:")),
        tags: tags(it.tag_list()),
    })
}

fn cluster_snapshot(it: &sdk::DbClusterSnapshot) -> Option<Snapshot> {
    let manual = it.snapshot_type().is_none_or(|it| it == "manual");
    manual.then_some(())?;
    Some(Snapshot {
        kind: Kind::Cluster,
        id: it.db_cluster_snapshot_identifier()?.into(),
        arn: it.db_cluster_snapshot_arn()?.into(),
        database: it.db_cluster_identifier()?.into(),
        database_resource_id: text(it.db_cluster_resource_id()),
        status: it.status().unwrap_or_default().into(),
        progress: it.percent_progress(),
        created_at: it.snapshot_create_time().and_then(moment),
        engine: it.engine().unwrap_or_default().into(),
        encrypted: it.storage_encrypted().unwrap_or_default(),
        option_group: None,
        tags: tags(it.tag_list()),
    })
}

fn text(it: Option<&str>) -> Option<String> {
    it.filter(|it| !it.is_empty()).map(str::to_owned)
}

fn moment(it: &DateTime) -> Option<Timestamp> {
    Timestamp::new(it.secs(), it.subsec_nanos() as i32).ok()
}

fn tags(tags: &[sdk::Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|it| (it.key().unwrap_or_default().into(), it.value().unwrap_or_default().into())).collect()
}
