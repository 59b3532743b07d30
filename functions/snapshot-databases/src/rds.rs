//! Calls to RDS that only this function makes: taking and copying snapshots, quotas and events.

use std::collections::BTreeMap;

use aws::Error;
use aws::rds::{Rds, Regions, find_snapshot};
use aws_sdk_rds::primitives::DateTime;
use aws_sdk_rds::types::{SourceType, Tag};
use jiff::Timestamp;
use rules::database::{Database, Kind, Snapshot};
use tokio::time::Instant;

use crate::plan::{CopySnapshot, Event, TakeSnapshot, way_out};

/// RDS keeps events for fourteen days; asked for longer it refuses.
const MINUTES_OF_EVENTS: i32 = 14 * 24 * 60;

/// How many manual snapshots of each kind the account may have in a region.
pub async fn quotas(rds: &Rds) -> Result<BTreeMap<Kind, usize>, Error> {
    rds.call(None, async |client| {
        let answer = client.describe_account_attributes().send().await;
        let answer = answer.map_err(|err| Error::new("DescribeAccountAttributes", "quotas", err))?;
        let quota = |it: &aws_sdk_rds::types::AccountQuota| {
            let kind = match it.account_quota_name()? {
                "ManualSnapshots" => Kind::Instance,
                "ManualClusterSnapshots" => Kind::Cluster,
                _ => return None,
            };
            Some((kind, usize::try_from(it.max()?).ok()?))
        };
        Ok(answer.account_quotas().iter().filter_map(quota).collect())
    })
    .await
}

/// What RDS did with a database in the last fourteen days.
pub async fn events_of_database(rds: &Rds, database: &Database, until: Instant) -> Result<Vec<Event>, Error> {
    let source = match database.kind {
        Kind::Instance => SourceType::DbInstance,
        Kind::Cluster => SourceType::DbCluster,
    };
    events(rds, &database.id, source, until).await
}

/// What RDS told of a snapshot in the last fourteen days.
pub async fn events_of_snapshot(rds: &Rds, snapshot: &Snapshot, until: Instant) -> Result<Vec<Event>, Error> {
    let source = match snapshot.kind {
        Kind::Instance => SourceType::DbSnapshot,
        Kind::Cluster => SourceType::DbClusterSnapshot,
    };
    events(rds, &snapshot.id, source, until).await
}

async fn events(rds: &Rds, id: &str, source: SourceType, until: Instant) -> Result<Vec<Event>, Error> {
    let (mut events, mut marker) = (Vec::new(), None);
    loop {
        let answer = rds.call(Some(until), async |client| {
            let call = client.describe_events().source_identifier(id).source_type(source.clone());
            let call = call.duration(MINUTES_OF_EVENTS).set_marker(marker.clone()).send();
            call.await.map_err(|err| Error::new("DescribeEvents", id, err))
        });
        let answer = answer.await?;
        let read = answer.events().iter().filter_map(|it| {
            Some(Event { at: moment(it.date())?, message: it.message().unwrap_or_default().to_owned() })
        });
        events.extend(read);
        marker = answer.marker().filter(|it| !it.is_empty()).map(str::to_owned);
        if marker.is_none() {
            return Ok(events);
        }
    }
}

pub fn moment(it: Option<&DateTime>) -> Option<Timestamp> {
    it.and_then(|it| Timestamp::new(it.secs(), it.subsec_nanos() as i32).ok())
}

/// Takes a snapshot and returns its status. One that exists by now, and has not failed, will do.
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
        // The database has begun something else since it was looked at: the next run finds it ready. If it never does,
        // people hear of it, but no run fails for it.
        Err(error)
            if error.code.starts_with("InvalidDBInstanceState") || error.code.starts_with("InvalidDBClusterState") =>
        {
            match take.overdue {
                false => Err(Error { message: error.message, ..Error::not_now() }),
                true => Err(told_as("no-backup", error, "look at the database, and at its events in RDS")),
            }
        }
        Err(error) if error.code.starts_with("SnapshotQuotaExceeded") => Err(at_the_quota(error, take)),
        other => there_by_now(rds, take.kind, id, other).await,
    }
}

/// The URL by which RDS reads the original, where it needs one.
pub async fn signed_copy(regions: &Regions, copy: &CopySnapshot) -> Result<Option<String>, Error> {
    let Some(region) = &copy.signed_for else { return Ok(None) };
    let (action, source, target) = match copy.kind {
        Kind::Instance => ("CopyDBSnapshot", "SourceDBSnapshotIdentifier", "TargetDBSnapshotIdentifier"),
        Kind::Cluster => {
            ("CopyDBClusterSnapshot", "SourceDBClusterSnapshotIdentifier", "TargetDBClusterSnapshotIdentifier")
        }
    };
    let mut fields =
        vec![("DestinationRegion", copy.region.name()), (source, copy.source.as_str()), (target, copy.id.as_str())];
    fields.extend(copy.key.as_deref().map(|it| ("KmsKeyId", it)));
    regions.presigned(region, action, &fields).await.map(Some)
}

/// Copies a snapshot into the region of `rds` and returns the status of the copy.
pub async fn copy_snapshot(
    rds: &Rds,
    copy: &CopySnapshot,
    url: Option<String>,
    until: Instant,
) -> Result<String, Error> {
    let CopySnapshot { id, source, .. } = copy;
    let answer = rds.call(Some(until), async |client| match copy.kind {
        Kind::Instance => {
            let call =
                client.copy_db_snapshot().source_db_snapshot_identifier(source).target_db_snapshot_identifier(id);
            let call = call.set_kms_key_id(copy.key.clone()).set_option_group_name(copy.option_group.clone());
            let call = call.set_pre_signed_url(url.clone());
            let answer = call.set_tags(Some(tags(&copy.tags))).send().await;
            let answer = answer.map_err(|err| Error::new("CopyDBSnapshot", source, err))?;
            Ok(answer.db_snapshot().and_then(|it| it.status()).map(str::to_owned))
        }
        Kind::Cluster => {
            let call = client.copy_db_cluster_snapshot().source_db_cluster_snapshot_identifier(source);
            let call = call.target_db_cluster_snapshot_identifier(id).set_kms_key_id(copy.key.clone());
            let call = call.set_pre_signed_url(url.clone());
            let answer = call.set_tags(Some(tags(&copy.tags))).send().await;
            let answer = answer.map_err(|err| Error::new("CopyDBClusterSnapshot", source, err))?;
            Ok(answer.db_cluster_snapshot().and_then(|it| it.status()).map(str::to_owned))
        }
    });
    match answer.await {
        Err(error) if stays(&error) => {
            let region = &copy.region;
            let remedy = format!("look at the KMS key, the quotas and the option groups of {region}");
            Err(told_as("copy-refused", error, &remedy))
        }
        other => there_by_now(rds, copy.kind, id, other).await,
    }
}

/// A refusal that stays until a person does something: told once, and no run fails for it.
fn told_as(problem: &'static str, error: Error, remedy: &str) -> Error {
    let message = format!("{error}; {remedy}");
    error.told_as(problem, message)
}

/// What a copy is refused for as long as nothing is changed, and the looks for copies come once an hour.
fn stays(error: &Error) -> bool {
    const CODES: [&str; 5] = [
        "KMSKeyNotAccessible",
        "SnapshotQuotaExceeded",
        "OptionGroupNotFound",
        "InvalidParameterCombination",
        "InvalidParameterValue",
    ];
    error.is_denied() || CODES.iter().any(|it| error.code.starts_with(it))
}

/// An answer may have been lost, or another run been quicker: then the snapshot is there, which is all that was asked for.
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
    let there = take.count.map(|it| format!("there are {} manual {} snapshots in the region; ", it.manual, take.kind));
    let remedy = format!("{}{}", there.unwrap_or_default(), way_out(take.kind, take.count));
    told_as("snapshot-quota", error, &remedy)
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

    use aws::ErrorKind;

    use super::*;
    use crate::plan::SnapshotCount;

    fn take() -> TakeSnapshot {
        TakeSnapshot {
            kind: Kind::Instance,
            database: "kfood-db".into(),
            id: "nightshift-kfood-db-2026-11-21".into(),
            tags: vec![("team".into(), "food".into())],
            replaces: false,
            overdue: false,
            count: Some(SnapshotCount { manual: 100, prunable: 40 }),
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
    async fn one_that_is_there_already_will_do_unless_it_failed() {
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
        assert_eq!(error.kind, ErrorKind::Problem("snapshot-quota"));
        assert_eq!(
            error.message,
            "CreateDBSnapshot kfood-db: SnapshotQuotaExceeded: no; there are 100 manual DB instance snapshots in the \
             region; 40 of them are kept by no rule any more: invoke prune-backups, then this function"
        );
        let error = || Error::unexpected("CreateDBSnapshot", "kfood-db", "no");
        let count = Some(SnapshotCount { manual: 100, prunable: 0 });
        let nothing_to_prune = at_the_quota(error(), &TakeSnapshot { count, ..take() }).message;
        assert!(
            nothing_to_prune.ends_with(
                "no; there are 100 manual DB instance snapshots in the region; raise the quota \"Manual DB instance \
                 snapshots\" in Service Quotas, or shorten the rules"
            ),
            "{nothing_to_prune}"
        );
        let unknown = at_the_quota(error(), &TakeSnapshot { count: None, ..take() }).message;
        assert!(
            unknown.contains("no; invoke prune-backups, then this function again, or raise the quota"),
            "{unknown}"
        );
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
                    && it.pre_signed_url() == Some("https://signed")
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
            signed_for: None,
            option_group: Some("audit".into()),
            tags: Vec::new(),
            replaces: false,
        };
        assert_eq!(
            copy_snapshot(&Rds::of(client), &copy, Some("https://signed".into()), soon()).await.as_deref(),
            Ok("creating")
        );
    }
}
