//! Calls to RDS that only this function makes: taking and copying snapshots, quotas and events.

use std::collections::BTreeMap;

use aws::Error;
use aws::query::{Element, Query};
use aws::rds::{Rds, Regions, find_snapshot, list_rds_events, read_entries};
use aws_sdk_rds::types::Tag;
use rules::database::{Database, Kind, Snapshot};
use tokio::time::Instant;

use crate::plan::{CopySnapshot, Event, TakeSnapshot, way_out};

/// How many manual snapshots of each kind the account may have in a region.
pub async fn quotas(rds: &Query) -> Result<BTreeMap<Kind, usize>, Error> {
    let quota = |it: &mut Element<'_, '_>| {
        let (mut kind, mut max) = (None, None);
        it.each(|name, it| match name {
            "AccountQuotaName" => {
                kind = match it.text().as_str() {
                    "ManualSnapshots" => Some(Kind::Instance),
                    "ManualClusterSnapshots" => Some(Kind::Cluster),
                    _ => None,
                }
            }
            "Max" => max = it.parsed(),
            _ => {}
        });
        kind.zip(max)
    };
    let action = rds.action("DescribeAccountAttributes");
    let quotas = read_entries(action, "AccountQuotas", "quotas", None, quota).await?;
    Ok(quotas.into_iter().collect())
}

/// What RDS did with a database in the last fourteen days.
pub async fn events_of_database(rds: &Query, database: &Database, until: Instant) -> Result<Vec<Event>, Error> {
    let source = match database.kind {
        Kind::Instance => "db-instance",
        Kind::Cluster => "db-cluster",
    };
    events(rds, &database.id, source, until).await
}

/// What RDS told of a snapshot in the last fourteen days.
pub async fn events_of_snapshot(rds: &Query, snapshot: &Snapshot, until: Instant) -> Result<Vec<Event>, Error> {
    let source = match snapshot.kind {
        Kind::Instance => "db-snapshot",
        Kind::Cluster => "db-cluster-snapshot",
    };
    events(rds, &snapshot.id, source, until).await
}

async fn events(rds: &Query, id: &str, source: &str, until: Instant) -> Result<Vec<Event>, Error> {
    let events = list_rds_events(rds, source, id, Some(until)).await?;
    Ok(events.into_iter().map(|(at, message)| Event { at, message }).collect())
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
        Err(error) if error.code.contains("SnapshotAlreadyExists") => {
            match find_snapshot(&rds.query, kind, id).await? {
                Some(it) if ["available", "creating", "copying"].contains(&it.status.as_str()) => Ok(it.status),
                _ => Err(error),
            }
        }
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
    use std::time::Duration;

    use aws::ErrorKind;
    use testkit::scripted::{HOME, Rds as Tables, Script};

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
    async fn refused(code: &'static str, status: Option<&str>) -> Result<String, Error> {
        let mut tables = Tables::default();
        if let Some(status) = status {
            tables.store(&take().id, "kfood-db", "2026-11-21T03:00:00Z", &[]).status = status.into();
        }
        let script = Script::new(tables);
        script.refuse("CreateDBSnapshot", "", 1, 400, code);
        take_snapshot(&Rds::new(&script.sdk(), None), &take(), soon()).await
    }

    #[tokio::test]
    async fn the_call_carries_all_tags_and_the_status_comes_back() {
        let mut tables = Tables::default();
        tables.serve("kfood-db", &[]);
        let script = Script::new(tables);
        let taken = take_snapshot(&Rds::new(&script.sdk(), None), &take(), soon()).await;
        assert_eq!(taken.as_deref(), Ok("creating"));
        assert_eq!(script.aws().snapshot(HOME, "nightshift-kfood-db-2026-11-21").tags["team"], "food");
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
            "CreateDBSnapshot kfood-db: SnapshotQuotaExceeded: refused by the script; there are 100 manual DB instance snapshots in the \
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
        let mut tables = Tables::default();
        let source = tables.store("nightshift-kfood-db-2026-11-21", "kfood-db", "2026-11-21T03:00:00Z", &[]).arn();
        let script = Script::new(tables);
        let copy = CopySnapshot {
            kind: Kind::Instance,
            database: "kfood-db".into(),
            id: "nightshift-kfood-db-2026-11-21".into(),
            source: source.clone(),
            region: "us-west-2".parse().unwrap(),
            key: Some(key.into()),
            signed_for: None,
            option_group: Some("audit".into()),
            tags: Vec::new(),
            replaces: false,
        };
        let there = Rds::new(&script.sdk(), Some("us-west-2"));
        let copied = copy_snapshot(&there, &copy, Some("https://signed".into()), soon()).await;
        assert_eq!(copied.as_deref(), Ok("creating"));
        let sent = script.sent("CopyDBSnapshot").remove(0);
        let fields =
            ["SourceDBSnapshotIdentifier", "KmsKeyId", "OptionGroupName", "PreSignedUrl"].map(|it| sent.text(it));
        assert_eq!((sent.region.as_str(), fields), ("us-west-2", [source.as_str(), key, "audit", "https://signed"]));
    }
}
