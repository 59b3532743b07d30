//! Calls to RDS that only this function makes: taking and copying snapshots.

use aws::Error;
use aws::rds::{Rds, find_snapshot};
use aws_sdk_rds::types::Tag;
use rules::database::Kind;
use tokio::time::Instant;

use crate::plan::{CopySnapshot, Crowd, TakeSnapshot};

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
            if !take.overdue
                && (error.code.starts_with("InvalidDBInstanceState")
                    || error.code.starts_with("InvalidDBClusterState")) =>
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
        Err(error) if error.code.contains("SnapshotAlreadyExists") => match find_snapshot(rds, kind, id).await? {
            Some(it) if ["available", "creating", "copying"].contains(&it.status.as_str()) => Ok(it.status),
            _ => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn at_the_quota(error: Error, take: &TakeSnapshot) -> Error {
    let kind = take.kind;
    let raise = format!("raise the quota \"Manual {kind} snapshots\" in Service Quotas, or shorten the rules");
    let way_out = match take.crowd {
        None => format!("invoke prune-backups, then this function again, or {raise}"),
        Some(Crowd { manual, prunable: 0 }) => {
            format!("there are {manual} manual {kind} snapshots in the region; {raise}")
        }
        Some(Crowd { manual, prunable }) => format!(
            "there are {manual} manual {kind} snapshots in the region; {prunable} of them are kept by no rule any more: \
             invoke prune-backups, then this function"
        ),
    };
    Error { message: format!("{}; {way_out}", error.message), ..error }
}

fn tags(tags: &[(String, String)]) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::Client;
    use aws_sdk_rds::operation::copy_db_snapshot::CopyDbSnapshotOutput;
    use aws_sdk_rds::operation::create_db_snapshot::{CreateDBSnapshotError, CreateDbSnapshotOutput};
    use aws_sdk_rds::operation::describe_db_snapshots::DescribeDbSnapshotsOutput;
    use aws_sdk_rds::types::DbSnapshot;
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use aws_smithy_types::error::ErrorMetadata;
    use std::time::Duration;

    use super::*;

    fn take() -> TakeSnapshot {
        TakeSnapshot {
            kind: Kind::Instance,
            database: "kfood-db".into(),
            id: "nightshift-kfood-db-2026-11-21".into(),
            tags: vec![("team".into(), "food".into())],
            replaces: false,
            overdue: false,
            crowd: Some(Crowd { manual: 100, prunable: 40 }),
        }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    /// What becomes of the call if AWS refuses it so, and of the snapshot of that id if there is one by now.
    async fn refused(code: &'static str, status: Option<&'static str>) -> Result<String, Error> {
        let create = mock!(Client::create_db_snapshot).then_error(move || {
            CreateDBSnapshotError::generic(ErrorMetadata::builder().code(code).message("no").build())
        });
        let describe = mock!(Client::describe_db_snapshots).then_output(move || {
            let named = |it| DbSnapshot::builder().db_snapshot_identifier("a").db_snapshot_arn("arn:a").status(it);
            let snapshots = status.map(|it| named(it).db_instance_identifier("kfood-db").build());
            DescribeDbSnapshotsOutput::builder().set_db_snapshots(Some(snapshots.into_iter().collect())).build()
        });
        let client = mock_client!(aws_sdk_rds, RuleMode::MatchAny, [&create, &describe]);
        take_snapshot(&Rds::of(client), &take(), soon()).await
    }

    #[tokio::test]
    async fn the_call_carries_all_tags_and_the_status_comes_back() {
        let create = mock!(Client::create_db_snapshot)
            .match_requests(|it| {
                it.db_instance_identifier() == Some("kfood-db")
                    && it.db_snapshot_identifier() == Some("nightshift-kfood-db-2026-11-21")
                    && it.tags()[0].key() == Some("team")
            })
            .then_output(|| {
                let snapshot = DbSnapshot::builder().status("creating").build();
                CreateDbSnapshotOutput::builder().db_snapshot(snapshot).build()
            });
        let client = mock_client!(aws_sdk_rds, RuleMode::MatchAny, [&create]);
        assert_eq!(take_snapshot(&Rds::of(client), &take(), soon()).await.as_deref(), Ok("creating"));
    }

    #[tokio::test]
    async fn one_that_is_there_already_is_as_good_unless_it_failed() {
        assert_eq!(refused("DBSnapshotAlreadyExists", Some("creating")).await.as_deref(), Ok("creating"));
        assert_eq!(refused("DBSnapshotAlreadyExists", Some("available")).await.as_deref(), Ok("available"));
        for odd in [Some("failed"), Some("deleting"), None] {
            assert_eq!(refused("DBSnapshotAlreadyExists", odd).await.unwrap_err().code, "DBSnapshotAlreadyExists");
        }
    }

    #[tokio::test]
    async fn a_database_that_has_begun_something_else_waits_for_the_next_run() {
        assert!(refused("InvalidDBInstanceState", None).await.unwrap_err().is_not_now());
    }

    #[tokio::test]
    async fn at_the_quota_the_way_out_is_told() {
        let error = refused("SnapshotQuotaExceeded", None).await.unwrap_err();
        assert_eq!(
            error.cause(),
            "CreateDBSnapshot kfood-db: SnapshotQuotaExceeded: no; there are 100 manual DB instance snapshots in the \
             region; 40 of them are kept by no rule any more: invoke prune-backups, then this function"
        );
        let error = || Error::unexpected("CreateDBSnapshot", "kfood-db", "no");
        let crowd = Some(Crowd { manual: 100, prunable: 0 });
        let nothing_to_prune = at_the_quota(error(), &TakeSnapshot { crowd, ..take() }).message;
        assert_eq!(
            nothing_to_prune,
            "no; there are 100 manual DB instance snapshots in the region; raise the quota \"Manual DB instance \
             snapshots\" in Service Quotas, or shorten the rules"
        );
        let unknown = at_the_quota(error(), &TakeSnapshot { crowd: None, ..take() }).message;
        assert!(unknown.starts_with("no; invoke prune-backups, then this function again, or raise the quota"));
    }

    #[tokio::test]
    async fn a_copy_names_the_key_and_the_option_group_of_its_region() {
        let key = "arn:aws:kms:us-west-2:123456789012:key/1";
        let copied = mock!(Client::copy_db_snapshot)
            .match_requests(|it| {
                it.source_db_snapshot_identifier() == Some("arn:source")
                    && it.target_db_snapshot_identifier() == Some("nightshift-kfood-db-2026-11-21")
                    && it.kms_key_id() == Some("arn:aws:kms:us-west-2:123456789012:key/1")
                    && it.option_group_name() == Some("audit")
            })
            .then_output(|| CopyDbSnapshotOutput::builder().build());
        let client = mock_client!(aws_sdk_rds, RuleMode::MatchAny, [&copied]);
        let copy = CopySnapshot {
            kind: Kind::Instance,
            database: "kfood-db".into(),
            id: "nightshift-kfood-db-2026-11-21".into(),
            source: "arn:source".into(),
            region: "us-west-2".parse().unwrap(),
            key: Some(key.into()),
            option_group: Some("audit".into()),
            tags: Vec::new(),
            replaces: false,
        };
        assert_eq!(copy_snapshot(&Rds::of(client), &copy, soon()).await.as_deref(), Ok("creating"));
    }
}
