//! Calls to RDS: which databases can be stopped, stopping, starting, and what became of one.

use aws::Error;
use aws::rds::{Rds, find_databases, list_databases_with};
use aws_sdk_rds::types as sdk;
use jiff::Timestamp;
use rules::database::{Database, Kind};
use tokio::time::Instant;

use crate::plan::{LastEvent, Sleeper};

/// How long RDS keeps its events.
const EVENTS_OF_MINUTES: i32 = 14 * 24 * 60;

/// What RDS says as it starts a database that was stopped for seven days. DescribeEvents gives no ids.
const STARTED_BY_AWS: &str = "maximum allowed time being stopped";

/// All databases of the region, each with the reason why RDS refuses to stop it, if it does.
pub async fn list_sleepers(rds: &Rds) -> Result<Vec<Sleeper>, Error> {
    let databases = list_databases_with(rds, instance_cannot_stop, cluster_cannot_stop).await?;
    Ok(databases.into_iter().map(|(database, cannot_stop)| Sleeper { database, cannot_stop }).collect())
}

fn instance_cannot_stop(it: &sdk::DbInstance) -> Option<&'static str> {
    let engine = it.engine().unwrap_or_default();
    let is = |it: Option<&str>| it.is_some_and(|it| !it.is_empty());
    if is(it.read_replica_source_db_instance_identifier()) || is(it.read_replica_source_db_cluster_identifier()) {
        Some("it is a read replica")
    } else if !it.read_replica_db_instance_identifiers().is_empty()
        || !it.read_replica_db_cluster_identifiers().is_empty()
    {
        Some("it has a read replica")
    } else if engine.starts_with("sqlserver") && it.multi_az().unwrap_or_default() {
        Some("it is SQL Server in several zones")
    } else if engine.starts_with("custom-") && !engine.starts_with("custom-sqlserver") {
        Some("it is RDS Custom")
    } else {
        None
    }
}

fn cluster_cannot_stop(it: &sdk::DbCluster) -> Option<&'static str> {
    let is = |it: Option<&str>| it.is_some_and(|it| !it.is_empty());
    if !it.engine().unwrap_or_default().starts_with("aurora") {
        Some("it is a Multi-AZ DB cluster, not Aurora")
    } else if it.engine_mode() == Some("serverless") {
        Some("it is Aurora Serverless v1")
    } else if is(it.global_cluster_identifier()) {
        Some("it is a member of a global database")
    } else if is(it.replication_source_identifier()) || !it.read_replica_identifiers().is_empty() {
        Some("it has a replica in another region, or is one")
    } else {
        None
    }
}

/// Stops a database, an instance with a snapshot of this id; one that is stopped by now is as good.
pub async fn stop(rds: &Rds, kind: Kind, id: &str, snapshot: Option<&str>, until: Instant) -> Result<(), Error> {
    let stopped = rds.call(Some(until), async |client| match kind {
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
    unless_it_is(rds, kind, id, &["stopping", "stopped"], stopped.await).await
}

/// Starts a database; one that is started by now is as good.
pub async fn start(rds: &Rds, kind: Kind, id: &str, until: Instant) -> Result<(), Error> {
    let started = rds.call(Some(until), async |client| match kind {
        Kind::Instance => {
            let call = client.start_db_instance().db_instance_identifier(id);
            call.send().await.map(drop).map_err(|err| Error::new("StartDBInstance", id, err))
        }
        Kind::Cluster => {
            let call = client.start_db_cluster().db_cluster_identifier(id);
            call.send().await.map(drop).map_err(|err| Error::new("StartDBCluster", id, err))
        }
    });
    unless_it_is(rds, kind, id, &["starting", "available"], started.await).await
}

/// A call that RDS refuses for the database's state may have been made by another run; or it has to wait for the next.
async fn unless_it_is(
    rds: &Rds,
    kind: Kind,
    id: &str,
    as_good: &[&str],
    outcome: Result<(), Error>,
) -> Result<(), Error> {
    match outcome {
        Err(error)
            if error.code.starts_with("InvalidDBInstanceState") || error.code.starts_with("InvalidDBCluster") =>
        {
            let found = find_databases(rds, id).await?;
            match found.iter().find(|it| it.kind == kind).map(|it| it.status.as_str()) {
                Some(status) if as_good.contains(&status) => Ok(()),
                // It is in the state that the call needs, so the state is not what is wrong.
                Some("available" | "stopped") | None => Err(error),
                Some(_) => Err(Error::not_now()),
            }
        }
        other => other,
    }
}

/// Gives a snapshot its tags; one that is not there yet gets them from a later run.
pub async fn tag_snapshot(rds: &Rds, arn: &str, tags: &[(String, String)], until: Instant) -> Result<(), Error> {
    rds.call(Some(until), async |client| {
        let tags = tags.iter().map(|(key, value)| sdk::Tag::builder().key(key).value(value).build()).collect();
        let call = client.add_tags_to_resource().resource_name(arn).set_tags(Some(tags));
        match call.send().await.map_err(|err| Error::new("AddTagsToResource", arn, err)) {
            Err(error) if error.code.contains("SnapshotNotFound") => Err(Error::not_now()),
            other => other.map(drop),
        }
    })
    .await
}

/// When a database was stopped last, or started by AWS after seven days; what a person started has no event of its own.
pub async fn last_event(rds: &Rds, database: &Database) -> Result<Option<LastEvent>, Error> {
    let (source, id) = match database.kind {
        Kind::Instance => (sdk::SourceType::DbInstance, &database.id),
        Kind::Cluster => (sdk::SourceType::DbCluster, &database.id),
    };
    let mut newest: Option<LastEvent> = None;
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
            let Some(at) = event.date().and_then(|it| Timestamp::new(it.secs(), it.subsec_nanos() as i32).ok()) else {
                continue;
            };
            let message = event.message().unwrap_or_default();
            let started_by_aws = message.contains(STARTED_BY_AWS);
            let stopped = message.trim_end_matches('.').ends_with(" stopped");
            if (started_by_aws || stopped) && newest.is_none_or(|newest| newest.at <= at) {
                newest = Some(LastEvent { at, started_by_aws });
            }
        }
        marker = answer.marker().filter(|it| !it.is_empty()).map(str::to_owned);
        if marker.is_none() {
            return Ok(newest);
        }
    }
}
