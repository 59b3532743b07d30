//! Calls to RDS that only this function makes: taking and copying snapshots.

use aws::Error;
use aws::rds::{Rds, snapshot_status};
use aws_sdk_rds::types::Tag;
use rules::database::Kind;
use tokio::time::Instant;

use crate::plan::{CopySnapshot, TakeSnapshot};

/// Takes a snapshot and returns its status. One that exists by now, and has not failed, is as good.
pub async fn take_snapshot(rds: &Rds, take: &TakeSnapshot, until: Instant) -> Result<String, Error> {
    let TakeSnapshot { database, id, .. } = take;
    let answer = rds.call(Some(until), async |client| match take.kind {
        Kind::Instance => {
            let call = client.create_db_snapshot().db_instance_identifier(database).db_snapshot_identifier(id);
            let answer = call.set_tags(Some(tags(&take.tags))).send().await;
            let answer = answer.map_err(|err| Error::new("CreateDBSnapshot", database, err))?;
            Ok(answer.db_snapshot().and_then(|it| it.status()).map(str::to_owned))
        }
        Kind::Cluster => {
            let call =
                client.create_db_cluster_snapshot().db_cluster_identifier(database).db_cluster_snapshot_identifier(id);
            let answer = call.set_tags(Some(tags(&take.tags))).send().await;
            let answer = answer.map_err(|err| Error::new("CreateDBClusterSnapshot", database, err))?;
            Ok(answer.db_cluster_snapshot().and_then(|it| it.status()).map(str::to_owned))
        }
    });
    match answer.await {
        // The database has begun something else since it was looked at: the next run finds it ready.
        Err(error)
            if error.code.starts_with("InvalidDBInstanceState") || error.code.starts_with("InvalidDBClusterState") =>
        {
            Err(Error { message: error.message, ..Error::not_now() })
        }
        Err(error) if error.code.starts_with("SnapshotQuotaExceeded") => Err(at_the_quota(error, take)),
        other => there_by_now(rds, take.kind, id, other).await,
    }
}

/// Copies a snapshot into the region of `rds` and returns the status of the copy.
pub async fn copy_snapshot(rds: &Rds, copy: &CopySnapshot, until: Instant) -> Result<String, Error> {
    let CopySnapshot { id, source, .. } = copy;
    let answer = rds.call(Some(until), async |client| match copy.kind {
        Kind::Instance => {
            let call =
                client.copy_db_snapshot().source_db_snapshot_identifier(source).target_db_snapshot_identifier(id);
            let call = call.set_kms_key_id(copy.key.clone()).set_option_group_name(copy.option_group.clone());
            let answer = call.set_tags(Some(tags(&copy.tags))).send().await;
            let answer = answer.map_err(|err| Error::new("CopyDBSnapshot", source, err))?;
            Ok(answer.db_snapshot().and_then(|it| it.status()).map(str::to_owned))
        }
        Kind::Cluster => {
            let call = client.copy_db_cluster_snapshot().source_db_cluster_snapshot_identifier(source);
            let call = call.target_db_cluster_snapshot_identifier(id).set_kms_key_id(copy.key.clone());
            let answer = call.set_tags(Some(tags(&copy.tags))).send().await;
            let answer = answer.map_err(|err| Error::new("CopyDBClusterSnapshot", source, err))?;
            Ok(answer.db_cluster_snapshot().and_then(|it| it.status()).map(str::to_owned))
        }
    });
    there_by_now(rds, copy.kind, id, answer.await).await
}

/// An answer may have been lost, or another run been quicker: then the snapshot is there, and that is all that is asked.
async fn there_by_now(rds: &Rds, kind: Kind, id: &str, answer: Result<Option<String>, Error>) -> Result<String, Error> {
    match answer {
        Ok(status) => Ok(status.unwrap_or_else(|| "creating".into())),
        Err(error) if error.code.contains("SnapshotAlreadyExists") => match snapshot_status(rds, kind, id).await? {
            Some(status) if status != "failed" => Ok(status),
            _ => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn at_the_quota(error: Error, take: &TakeSnapshot) -> Error {
    let TakeSnapshot { kind, manual, prunable, .. } = take;
    let way_out = match prunable {
        0 => format!("raise the quota \"Manual {kind} snapshots\" in Service Quotas, or shorten the rules"),
        _ => format!("{prunable} of them are kept by no rule any more: invoke prune-backups, then this function"),
    };
    let message = format!("{}; there are {manual} manual {kind} snapshots in the region; {way_out}", error.message);
    Error { message, ..error }
}

fn tags(tags: &[(String, String)]) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}
