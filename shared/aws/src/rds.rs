//! Databases, their snapshots, and the memory tags on both.
//!
//! A call that RDS throttles is made again at a slower [`Pace`], which all calls of a client share.

mod backup;
mod regions;

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_rds::Client;
use aws_sdk_rds::config::Builder;
use aws_sdk_rds::operation::delete_db_cluster_snapshot::DeleteDBClusterSnapshotError;
use aws_sdk_rds::operation::delete_db_snapshot::DeleteDBSnapshotError;
use aws_sdk_rds::types as sdk;
use rules::database::{Database, Kind, Snapshot};
use tokio::time::Instant;

use crate::late::ready;
use crate::{Boxed, Error, Late, LeaveThrottling, Pace, in_region, late, moment};

pub use backup::find_backup;
pub use regions::{Elsewhere, Regions};

/// The most entries that RDS puts into one page.
const PAGE: i32 = 100;

/// The type of the snapshots that RDS takes by itself.
const AUTOMATED: &str = "automated";

/// RDS in one region, at the pace that it allows there.
pub struct Rds {
    client: Late<Client>,
    pace: Pace,
}

impl Rds {
    /// RDS in the region of `config`, or in another one.
    pub fn new(config: &SdkConfig, region: Option<&str>) -> Self {
        let there = region.map(|it| in_region(config, it));
        let client = |it: &SdkConfig| Client::from_conf(Builder::from(it).retry_classifier(LeaveThrottling).build());
        Rds { client: late(there.as_ref().unwrap_or(config), client), pace: Pace::learned() }
    }

    /// RDS behind `client`.
    pub fn of(client: Client) -> Self {
        Rds { client: ready(client), pace: Pace::learned() }
    }

    /// Makes a call at the pace that RDS allows, unless its turn comes later than `until`.
    pub async fn call<T>(
        &self,
        until: Option<Instant>,
        call: impl AsyncFn(&Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.pace.call(until, async || call(&self.client).await).await
    }
}

/// All DB instances and DB clusters of the region.
pub async fn list_databases(rds: &Rds) -> Result<Vec<Database>, Error> {
    let databases = list_databases_with(rds, |_| (), |_| ()).await?;
    Ok(databases.into_iter().map(|(database, ())| database).collect())
}

/// The same, each with what else to read of its description.
pub async fn list_databases_with<T>(
    rds: &Rds,
    of_instance: impl Fn(&sdk::DbInstance) -> T,
    of_cluster: impl Fn(&sdk::DbCluster) -> T,
) -> Result<Vec<(Database, T)>, Error> {
    let (instances, clusters) = tokio::join!(list_instances(rds, of_instance), list_clusters(rds, of_cluster));
    let mut databases = instances?;
    databases.extend(clusters?);
    Ok(databases)
}

async fn list_instances<T>(rds: &Rds, also: impl Fn(&sdk::DbInstance) -> T) -> Result<Vec<(Database, T)>, Error> {
    let page = async |client: &Client, marker| {
        let page = client.describe_db_instances().max_records(PAGE).set_marker(marker);
        page.send().await.map_err(|err| Error::new("DescribeDBInstances", "all", err))
    };
    let read = |it: &sdk::DbInstance| Some((instance(it)?, also(it)));
    pages(rds, page, |it| (it.marker.clone(), it.db_instances().iter().filter_map(read).collect())).await
}

async fn list_clusters<T>(rds: &Rds, also: impl Fn(&sdk::DbCluster) -> T) -> Result<Vec<(Database, T)>, Error> {
    let page = async |client: &Client, marker| {
        let page = client.describe_db_clusters().max_records(PAGE).set_marker(marker);
        page.send().await.map_err(|err| Error::new("DescribeDBClusters", "all", err))
    };
    let read = |it: &sdk::DbCluster| Some((cluster(it)?, also(it)));
    pages(rds, page, |it| (it.marker.clone(), it.db_clusters().iter().filter_map(read).collect())).await
}

/// The manual snapshots of the region that `keep` lets through, page by page, so that the others take no memory.
pub async fn list_snapshots(rds: &Rds, keep: impl Fn(&Snapshot) -> bool) -> Result<Vec<Snapshot>, Error> {
    let (of_instances, of_clusters) = tokio::join!(instance_snapshots(rds, &keep), cluster_snapshots(rds, &keep));
    let mut snapshots = of_instances?;
    snapshots.extend(of_clusters?);
    Ok(snapshots)
}

async fn instance_snapshots(rds: &Rds, keep: impl Fn(&Snapshot) -> bool) -> Result<Vec<Snapshot>, Error> {
    let page = async |client: &Client, marker| {
        let page = client.describe_db_snapshots().snapshot_type("manual").max_records(PAGE).set_marker(marker);
        page.send().await.map_err(|err| Error::new("DescribeDBSnapshots", "all", err))
    };
    let read = |it: &sdk::DbSnapshot| instance_snapshot(it).filter(&keep);
    pages(rds, page, |it| (it.marker.clone(), it.db_snapshots().iter().filter_map(read).collect())).await
}

async fn cluster_snapshots(rds: &Rds, keep: impl Fn(&Snapshot) -> bool) -> Result<Vec<Snapshot>, Error> {
    let page = async |client: &Client, marker| {
        let page = client.describe_db_cluster_snapshots().snapshot_type("manual").max_records(PAGE).set_marker(marker);
        page.send().await.map_err(|err| Error::new("DescribeDBClusterSnapshots", "all", err))
    };
    let read = |it: &sdk::DbClusterSnapshot| cluster_snapshot(it).filter(&keep);
    pages(rds, page, |it| (it.marker.clone(), it.db_cluster_snapshots().iter().filter_map(read).collect())).await
}

/// The automated snapshots that RDS has of one database.
pub async fn list_automated_snapshots(rds: &Rds, kind: Kind, database: &str) -> Result<Vec<Snapshot>, Error> {
    match kind {
        Kind::Instance => {
            let page = async |client: &Client, marker| {
                let page = client.describe_db_snapshots().snapshot_type(AUTOMATED).db_instance_identifier(database);
                let page = page.max_records(PAGE).set_marker(marker).send().await;
                page.map_err(|err| Error::new("DescribeDBSnapshots", database, err))
            };
            let wanted = |it: &&sdk::DbSnapshot| it.snapshot_type() == Some(AUTOMATED);
            let read = |it: &[sdk::DbSnapshot]| it.iter().filter(wanted).filter_map(any_instance_snapshot).collect();
            pages(rds, page, |it| (it.marker.clone(), read(it.db_snapshots()))).await
        }
        Kind::Cluster => {
            let page = async |client: &Client, marker| {
                let page = client.describe_db_cluster_snapshots().snapshot_type(AUTOMATED);
                let page = page.db_cluster_identifier(database).max_records(PAGE).set_marker(marker).send().await;
                page.map_err(|err| Error::new("DescribeDBClusterSnapshots", database, err))
            };
            let wanted = |it: &&sdk::DbClusterSnapshot| it.snapshot_type() == Some(AUTOMATED);
            let read =
                |it: &[sdk::DbClusterSnapshot]| it.iter().filter(wanted).filter_map(any_cluster_snapshot).collect();
            pages(rds, page, |it| (it.marker.clone(), read(it.db_cluster_snapshots()))).await
        }
    }
}

/// Reads page after page. Of each only what `read` takes is kept, so that the rest takes no memory.
async fn pages<P, T>(
    rds: &Rds,
    page: impl AsyncFn(&Client, Option<String>) -> Result<P, Error>,
    read: impl Fn(&P) -> (Option<String>, Vec<T>),
) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    let mut marker = None;
    loop {
        // Boxed, since the futures of SDK calls otherwise nest deeper than the compiler follows.
        let call: Boxed<'_, P> = Box::pin(rds.call(None, async |client| page(client, marker.clone()).await));
        let answer = call.await?;
        let (next, some) = read(&answer);
        all.extend(some);
        // Some emulators end with an empty one.
        marker = next.filter(|it| !it.is_empty());
        if marker.is_none() {
            return Ok(all);
        }
    }
}

/// The DB instance and the DB cluster of this id, as far as there are such.
pub async fn find_databases(rds: &Rds, id: &str) -> Result<Vec<Database>, Error> {
    let databases = find_databases_with(rds, id, |_| (), |_| ()).await?;
    Ok(databases.into_iter().map(|(database, ())| database).collect())
}

/// The same, each with what else to read of its description.
pub async fn find_databases_with<T>(
    rds: &Rds,
    id: &str,
    of_instance: impl Fn(&sdk::DbInstance) -> T,
    of_cluster: impl Fn(&sdk::DbCluster) -> T,
) -> Result<Vec<(Database, T)>, Error> {
    let of_instances = rds.call(None, async |client| {
        let answer = client.describe_db_instances().db_instance_identifier(id).send().await;
        let answer = answer.map_err(|err| Error::new("DescribeDBInstances", id, err))?;
        Ok(answer.db_instances().iter().find_map(|it| Some((instance(it)?, of_instance(it)))))
    });
    let of_clusters = rds.call(None, async |client| {
        let answer = client.describe_db_clusters().db_cluster_identifier(id).send().await;
        let answer = answer.map_err(|err| Error::new("DescribeDBClusters", id, err))?;
        Ok(answer.db_clusters().iter().find_map(|it| Some((cluster(it)?, of_cluster(it)))))
    });
    let (instance, cluster) = tokio::join!(of_instances, of_clusters);
    let found = [there_or_not(instance, "DBInstanceNotFound")?, there_or_not(cluster, "DBClusterNotFound")?];
    Ok(found.into_iter().flatten().collect())
}

/// The manual snapshot of this id, if there is one.
pub async fn find_snapshot(rds: &Rds, kind: Kind, id: &str) -> Result<Option<Snapshot>, Error> {
    let answer = rds.call(None, async |client| match kind {
        Kind::Instance => {
            let answer = client.describe_db_snapshots().db_snapshot_identifier(id).send().await;
            let answer = answer.map_err(|err| Error::new("DescribeDBSnapshots", id, err))?;
            Ok(answer.db_snapshots().iter().find_map(instance_snapshot))
        }
        Kind::Cluster => {
            let answer = client.describe_db_cluster_snapshots().db_cluster_snapshot_identifier(id).send().await;
            let answer = answer.map_err(|err| Error::new("DescribeDBClusterSnapshots", id, err))?;
            Ok(answer.db_cluster_snapshots().iter().find_map(cluster_snapshot))
        }
    });
    there_or_not(answer.await, "SnapshotNotFound")
}

/// Asked for by its id, what does not exist is an error of RDS.
fn there_or_not<T>(answer: Result<Option<T>, Error>, missing: &str) -> Result<Option<T>, Error> {
    match answer {
        Err(error) if error.code.contains(missing) => Ok(None),
        other => other,
    }
}

/// Deletes a manual snapshot; `false` if it no longer existed, which is not an error.
pub async fn delete_snapshot(rds: &Rds, kind: Kind, id: &str, until: Option<Instant>) -> Result<bool, Error> {
    let answer = rds.call(until, async |client| match kind {
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
    });
    answer.await.map_err(Error::told_if_busy)
}

/// Writes the tag `key` of a database or a snapshot, or removes it where there is no value, unless its turn comes later
/// than `until`.
pub async fn write_tag(
    rds: &Rds,
    arn: &str,
    key: &str,
    value: Option<&str>,
    until: Option<Instant>,
) -> Result<(), Error> {
    rds.call(until, async |client| match value {
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

/// A snapshot of another type, should AWS list one, is skipped: Nightshift takes manual ones only.
fn instance_snapshot(it: &sdk::DbSnapshot) -> Option<Snapshot> {
    let manual = it.snapshot_type().is_none_or(|it| it == "manual");
    if manual { any_instance_snapshot(it) } else { None }
}

fn any_instance_snapshot(it: &sdk::DbSnapshot) -> Option<Snapshot> {
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
        key: text(it.kms_key_id()),
        option_group: text(it.option_group_name()).filter(|it| !it.starts_with("default:")),
        tags: tags(it.tag_list()),
    })
}

fn cluster_snapshot(it: &sdk::DbClusterSnapshot) -> Option<Snapshot> {
    let manual = it.snapshot_type().is_none_or(|it| it == "manual");
    if manual { any_cluster_snapshot(it) } else { None }
}

fn any_cluster_snapshot(it: &sdk::DbClusterSnapshot) -> Option<Snapshot> {
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
        key: text(it.kms_key_id()),
        option_group: None,
        tags: tags(it.tag_list()),
    })
}

fn text(it: Option<&str>) -> Option<String> {
    it.filter(|it| !it.is_empty()).map(str::to_owned)
}

fn tags(tags: &[sdk::Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|it| (it.key().unwrap_or_default().into(), it.value().unwrap_or_default().into())).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::operation::delete_db_snapshot::DeleteDbSnapshotOutput;
    use aws_sdk_rds::operation::describe_db_cluster_snapshots::DescribeDbClusterSnapshotsOutput;
    use aws_sdk_rds::operation::describe_db_clusters::DescribeDbClustersOutput;
    use aws_sdk_rds::operation::describe_db_instances::DescribeDbInstancesOutput;
    use aws_sdk_rds::operation::describe_db_snapshots::{DescribeDBSnapshotsError, DescribeDbSnapshotsOutput};
    use aws_sdk_rds::primitives::DateTime;
    use aws_sdk_rds::types::error::DbSnapshotNotFoundFault;
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use aws_smithy_types::error::ErrorMetadata;
    use rules::keys;

    use super::*;
    use crate::ErrorKind;

    fn meta(code: &str) -> ErrorMetadata {
        ErrorMetadata::builder().code(code).message("no").build()
    }

    fn stored(id: &str, kind: &str) -> sdk::DbSnapshot {
        sdk::DbSnapshot::builder()
            .db_snapshot_identifier(id)
            .db_snapshot_arn(format!("arn:aws:rds:ap-northeast-2:123456789012:snapshot:{id}"))
            .db_instance_identifier("kfood-db")
            .snapshot_type(kind)
            .status("available")
            .snapshot_create_time(DateTime::from_secs(1_800_000_000))
            .option_group_name("default:postgres-16")
            .tag_list(
                sdk::Tag::builder()
                    .key(keys::MADE_BY)
                    .value(rules::database::made_by("snapshot-databases", id, "ap-northeast-2"))
                    .build(),
            )
            .build()
    }

    fn page(ids: &[&str], marker: Option<&str>) -> DescribeDbSnapshotsOutput {
        let snapshots = ids.iter().map(|it| stored(it, "manual")).collect();
        DescribeDbSnapshotsOutput::builder()
            .set_db_snapshots(Some(snapshots))
            .set_marker(marker.map(str::to_owned))
            .build()
    }

    #[tokio::test]
    async fn every_page_is_read_and_only_what_is_wanted_is_kept() {
        let first = mock!(Client::describe_db_snapshots)
            .match_requests(|it| {
                it.marker().is_none() && it.snapshot_type() == Some("manual") && it.max_records() == Some(100)
            })
            .then_output(|| page(&["nightshift-a-2026-11-20", "by-hand"], Some("more")));
        let second = mock!(Client::describe_db_snapshots)
            .match_requests(|it| it.marker() == Some("more"))
            .then_output(|| page(&["nightshift-b-2026-11-20"], Some("")));
        let clusters = mock!(Client::describe_db_cluster_snapshots)
            .then_output(|| DescribeDbClusterSnapshotsOutput::builder().build());
        let client = mock_client!(aws_sdk_rds, RuleMode::MatchAny, [&first, &second, &clusters]);
        let snapshots = list_snapshots(&Rds::of(client), Snapshot::is_ours).await.unwrap();
        let ids: Vec<&str> = snapshots.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["nightshift-a-2026-11-20", "nightshift-b-2026-11-20"]);
        assert_eq!((snapshots[0].option_group.as_deref(), snapshots[0].is_good()), (None, true));
        assert_eq!((first.num_calls(), second.num_calls(), clusters.num_calls()), (1, 1, 1));
    }

    #[test]
    fn what_is_not_manual_or_has_no_name_is_none_of_ours() {
        assert!(instance_snapshot(&stored("rds:kfood-db-2026-11-21-03-00", "automated")).is_none());
        assert!(instance_snapshot(&sdk::DbSnapshot::builder().snapshot_type("manual").build()).is_none());
        assert!(cluster_snapshot(&sdk::DbClusterSnapshot::builder().snapshot_type("awsbackup").build()).is_none());
    }

    #[tokio::test]
    async fn databases_are_instances_and_clusters_with_what_backups_depend_on() {
        let instance = || {
            sdk::DbInstance::builder()
                .db_instance_identifier("app-1")
                .db_instance_arn("arn:1")
                .db_cluster_identifier("app")
                .db_instance_status("available")
                .build()
        };
        let cluster = || {
            sdk::DbCluster::builder()
                .db_cluster_identifier("app")
                .db_cluster_arn("arn:2")
                .db_cluster_resource_id("cluster-X")
                .status("stopped")
                .automatic_restart_time(DateTime::from_secs(1_800_000_000))
                .tag_list(sdk::Tag::builder().key(keys::BACKUP).value("days=30").build())
                .build()
        };
        let instances = mock!(Client::describe_db_instances)
            .then_output(move || DescribeDbInstancesOutput::builder().db_instances(instance()).build());
        let clusters = mock!(Client::describe_db_clusters)
            .then_output(move || DescribeDbClustersOutput::builder().db_clusters(cluster()).build());
        let client = mock_client!(aws_sdk_rds, RuleMode::MatchAny, [&instances, &clusters]);
        let databases = list_databases(&Rds::of(client)).await.unwrap();
        assert_eq!(databases[0].member_of.as_deref(), Some("app"));
        assert_eq!((databases[1].kind, databases[1].resource_id.as_deref()), (Kind::Cluster, Some("cluster-X")));
        assert_eq!(databases[1].tags[keys::BACKUP], "days=30");
        assert!(databases[1].is_asleep() && databases[1].restarts_at.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_page_is_asked_for_again_and_a_denied_one_is_an_error() {
        let throttled = mock!(Client::describe_db_snapshots)
            .sequence()
            .error(|| DescribeDBSnapshotsError::generic(meta("Throttling")))
            .times(3)
            .output(|| page(&["nightshift-a"], None))
            .build();
        let client = mock_client!(aws_sdk_rds, RuleMode::Sequential, [&throttled]);
        let snapshots = instance_snapshots(&Rds::of(client), |_| true).await.unwrap();
        assert_eq!((snapshots.len(), throttled.num_calls()), (1, 4));

        let denied =
            mock!(Client::describe_db_snapshots).then_error(|| DescribeDBSnapshotsError::generic(meta("AccessDenied")));
        let client = mock_client!(aws_sdk_rds, RuleMode::MatchAny, [&denied]);
        let error = instance_snapshots(&Rds::of(client), |_| true).await.unwrap_err();
        assert!(error.is_denied());
        assert_eq!(error.to_string(), "DescribeDBSnapshots all: AccessDenied: no");
    }

    #[tokio::test]
    async fn deleting_what_is_gone_is_not_an_error_and_what_is_refused_is_told() {
        let gone = mock!(Client::delete_db_snapshot)
            .then_error(|| DeleteDBSnapshotError::DbSnapshotNotFoundFault(DbSnapshotNotFoundFault::builder().build()));
        let client = mock_client!(aws_sdk_rds, RuleMode::MatchAny, [&gone]);
        assert_eq!(delete_snapshot(&Rds::of(client), Kind::Instance, "nightshift-a", None).await, Ok(false));

        let deleted = mock!(Client::delete_db_snapshot)
            .match_requests(|it| it.db_snapshot_identifier() == Some("nightshift-a"))
            .then_output(|| DeleteDbSnapshotOutput::builder().build());
        let client = mock_client!(aws_sdk_rds, RuleMode::MatchAny, [&deleted]);
        assert_eq!(delete_snapshot(&Rds::of(client), Kind::Instance, "nightshift-a", None).await, Ok(true));

        let refused = mock!(Client::delete_db_snapshot)
            .then_error(|| DeleteDBSnapshotError::generic(meta("InvalidDBSnapshotState")));
        let client = mock_client!(aws_sdk_rds, RuleMode::MatchAny, [&refused]);
        let error = delete_snapshot(&Rds::of(client), Kind::Instance, "nightshift-a", None).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Problem("busy-snapshot"));
        assert!(error.message.starts_with("DeleteDBSnapshot nightshift-a: InvalidDBSnapshotState: no; "), "{error}");
    }
}
