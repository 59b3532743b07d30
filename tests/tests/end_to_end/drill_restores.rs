//! A restore drill of the K-Food shop, with IAM in force.

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

use crate::deploy_image::wait_for_message;

const FUNCTION: &str = "nightshift-drill-restores";
const RULE: &str = "monthly rto=1h rpo=24h check=kfood-drill service=kfood-cluster/kfood-backend";
const SNAPSHOT: &str = "nightshift-kfood-db-2026-11-27";
const DRILL: &str = "nightshift-drill-kfood-db-2026-11-27";

/// A Friday: the drill of the month has not been yet.
const MORNING: &str = "2026-11-27T10:03:00+09:00";

/// The check ends.
const CHECKED: &str = "2026-11-27T01:34:00Z";

/// The shop with its database, the snapshot of the night, its backend and the check.
fn shop() -> Result<LocalAws> {
    let aws =
        LocalAws::start(Options { parameters: vec![("TimeZone".into(), "Asia/Seoul".into())], ..Options::default() })?;
    create_database(&aws, "kfood-db", &[("nightshift:drill", RULE), ("team", "food")])?;
    let made_by = format!("snapshot-databases {SNAPSHOT} {}", LocalAws::REGION);
    aws.rds(
        "CreateDBSnapshot",
        &[
            ("DBInstanceIdentifier", "kfood-db"),
            ("DBSnapshotIdentifier", SNAPSHOT),
            ("Tags.Tag.1.Key", "nightshift-state:made-by"),
            ("Tags.Tag.1.Value", &made_by),
        ],
    )?;
    aws.change_snapshot(SNAPSHOT, "2026-11-26T18:00:00Z", "available")?;
    aws.ecs("CreateCluster", json!({"clusterName": "kfood-cluster"}))?;
    aws.push_image("kfood-backend", "v1", "kfood-backend 1")?;
    aws.start_service("kfood-cluster", "kfood-backend", &aws.image_uri("kfood-backend", ":v1"), &[])?;
    let check = json!([{"name": "check", "image": aws.image_uri("kfood-backend", ":v1"), "essential": true}]);
    aws.ecs("RegisterTaskDefinition", json!({"family": "kfood-drill", "containerDefinitions": check}))?;
    aws.set_clock(FUNCTION, MORNING)?;
    aws.forget_calls()?;
    Ok(aws)
}

fn create_database(aws: &LocalAws, name: &str, tags: &[(&str, &str)]) -> Result<()> {
    let mut parameters = vec![
        ("DBInstanceIdentifier".to_owned(), name.to_owned()),
        ("DBInstanceClass".into(), "db.t3.medium".into()),
        ("Engine".into(), "postgres".into()),
        ("AllocatedStorage".into(), "20".into()),
        ("MasterUsername".into(), "kfood".into()),
        ("MasterUserPassword".into(), "not-a-secret".into()),
    ];
    for (number, (key, value)) in tags.iter().enumerate() {
        parameters.push((format!("Tags.Tag.{}.Key", number + 1), key.to_string()));
        parameters.push((format!("Tags.Tag.{}.Value", number + 1), value.to_string()));
    }
    let parameters: Vec<(&str, &str)> = parameters.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    aws.rds("CreateDBInstance", &parameters).map(drop)
}

/// What RDS says of the database, and nothing where there is none.
fn described(aws: &LocalAws, name: &str) -> Result<Option<String>> {
    let all = aws.rds("DescribeDBInstances", &[])?;
    let mut each = all.split("<DBInstance>").skip(1);
    Ok(each.find(|it| it.contains(&format!("<DBInstanceIdentifier>{name}<"))).map(str::to_owned))
}

fn tag(aws: &LocalAws, key: &str) -> Result<Option<String>> {
    let of_original = described(aws, "kfood-db")?.unwrap_or_default();
    let value = of_original.split(&format!("<Key>{key}</Key><Value>")).nth(1);
    Ok(value.and_then(|it| it.split('<').next()).map(str::to_owned))
}

/// A run, and what it says was done.
fn run(aws: &LocalAws) -> Result<Vec<String>> {
    let invocation = aws.invoke(FUNCTION, &json!({}))?;
    assert_eq!(invocation.error, None, "{}", invocation.payload);
    let actions = invocation.payload["actions"].as_array().cloned().unwrap_or_default();
    let text = |it: &Value, field: &str| it[field].as_str().unwrap_or_default().to_owned();
    Ok(actions.iter().map(|it| format!("{} {}", text(it, "action"), text(it, "outcome"))).collect())
}

/// 404 answers the question whether something is there; 400 and 403 are refusals.
fn was_refused(status: u64) -> bool {
    status >= 400 && status != 404
}

/// The restore has begun, RDS is done with it, and the check that its event has started runs.
fn being_checked(aws: &LocalAws) -> Result<()> {
    assert_eq!(run(aws)?, ["restore done"]);
    let restored = described(aws, DRILL)?.expect("it is there");
    for expected in [
        "<DBInstanceStatus>creating<",
        "<PubliclyAccessible>false<",
        "<BackupRetentionPeriod>0<",
        "<Key>team</Key><Value>food<",
        "<Key>nightshift-state:drill</Key><Value>of=kfood-db ",
    ] {
        assert!(restored.contains(expected), "{expected} in {restored}");
    }
    assert!(!restored.contains("nightshift:drill"), "{restored}");
    assert_eq!(run(aws)?, Vec::<String>::new(), "it is being created");
    aws.restored(DRILL, "available", false)?;
    aws.wait_until("the check to run", || {
        let running = aws.ecs("ListTasks", json!({"cluster": "kfood-cluster", "family": "kfood-drill"}))?;
        let noted = described(aws, DRILL)?.is_some_and(|it| it.contains(" task="));
        Ok((noted && running["taskArns"].as_array().is_some_and(|it| !it.is_empty())).then_some(()))
    })
}

fn count(aws: &LocalAws, action: &str) -> Result<usize> {
    let calls = aws.calls()?.into_iter().filter(|it| it.function.as_deref() == Some(FUNCTION));
    Ok(calls.filter(|it| it.action == action).count())
}

fn assert_nothing_was_refused(aws: &LocalAws) -> Result<()> {
    let refused: Vec<_> =
        aws.calls()?.into_iter().filter(|it| it.function.is_some() && was_refused(it.status)).collect();
    assert!(refused.is_empty(), "{refused:?}");
    Ok(())
}

#[test]
fn a_monthly_drill_restores_checks_and_deletes_and_leaves_the_rest_alone() -> Result<()> {
    let aws = shop()?;
    // A person's database that is called as drills are.
    create_database(&aws, "nightshift-drill-x", &[("nightshift-state:drill", "of=kfood-db")])?;
    being_checked(&aws)?;
    assert_eq!(aws.end_tasks_at("kfood-drill", 0, CHECKED)?, 1);
    aws.wait_until("the drill to be over", || Ok(described(&aws, DRILL)?.is_none().then_some(())))?;
    let drilled = tag(&aws, "nightshift-state:drilled")?.expect("it is remembered");
    assert!(
        drilled.starts_with("proven at=2026-11-27T01:03:00Z begun=2026-11-27T01:03:00Z took=31m data=7h"),
        "{drilled}"
    );
    let proven = aws.rds("DescribeDBSnapshots", &[("DBSnapshotIdentifier", SNAPSHOT)])?;
    assert!(proven.contains("nightshift-state:proven"), "{proven}");
    assert_eq!(run(&aws)?, Vec::<String>::new(), "once a month is enough");
    assert!(described(&aws, "nightshift-drill-x")?.is_some() && described(&aws, "kfood-db")?.is_some());
    assert_eq!((count(&aws, "RestoreDBInstanceFromDBSnapshot")?, count(&aws, "RunTask")?), (1, 1));
    assert_nothing_was_refused(&aws)
}

#[test]
fn a_check_that_fails_is_told_and_the_database_is_deleted_all_the_same() -> Result<()> {
    let aws = shop()?;
    being_checked(&aws)?;
    // Its event is lost: the sweep finds it.
    aws.deliver_events("lost")?;
    assert_eq!(aws.end_tasks_at("kfood-drill", 3, CHECKED)?, 1);
    assert_eq!(run(&aws)?, ["finish-drill done", "delete-drill-database done"]);
    let subject = format!("[Nightshift] kfood-db: the restore drill from {SNAPSHOT} FAILED");
    let body = wait_for_message(&aws, &subject)?;
    assert!(body.contains("the container check of the check kfood-drill ended with exit code 3"), "{body}");
    assert!(tag(&aws, "nightshift-state:drilled")?.is_some_and(|it| it.starts_with("failed ")));
    assert_eq!(described(&aws, DRILL)?, None);
    assert_nothing_was_refused(&aws)
}

#[test]
fn what_never_gets_available_is_told_after_six_hours_and_deleted_once_rds_lets_it() -> Result<()> {
    let aws = shop()?;
    assert_eq!(run(&aws)?, ["restore done"]);
    aws.set_clock(FUNCTION, "2026-11-27T16:04:00+09:00")?;
    // RDS deletes nothing that is still being created.
    assert_eq!(run(&aws)?, ["finish-drill done", "delete-drill-database deferred"]);
    assert!(tag(&aws, "nightshift-state:drilled")?.is_some_and(|it| it.starts_with("failed ")));
    aws.deliver_events("lost")?;
    aws.restored(DRILL, "incompatible-restore", false)?;
    assert_eq!(run(&aws)?, ["delete-drill-database done"]);
    assert_eq!(described(&aws, DRILL)?, None);
    Ok(())
}

/// The cluster first, its one instance once the cluster is available; they go the other way round.
#[test]
fn an_aurora_cluster_is_restored_with_one_instance_and_both_are_deleted() -> Result<()> {
    let aws =
        LocalAws::start(Options { parameters: vec![("TimeZone".into(), "Asia/Seoul".into())], ..Options::default() })?;
    let (cluster, drill) = ("codemate-db", "nightshift-drill-codemate-db-2026-11-27");
    let snapshot = "nightshift-codemate-db-2026-11-27";
    aws.rds(
        "CreateDBCluster",
        &[
            ("DBClusterIdentifier", cluster),
            ("Engine", "aurora-postgresql"),
            ("MasterUsername", "codemate"),
            ("MasterUserPassword", "not-a-secret"),
            ("Tags.Tag.1.Key", "nightshift:drill"),
            ("Tags.Tag.1.Value", "monthly rto=2h rpo=24h"),
        ],
    )?;
    let member = [
        ("DBInstanceIdentifier", "codemate-db-1"),
        ("DBClusterIdentifier", cluster),
        ("DBInstanceClass", "db.t4g.medium"),
        ("Engine", "aurora-postgresql"),
    ];
    aws.rds("CreateDBInstance", &member)?;
    let made_by = format!("snapshot-databases {snapshot} {}", LocalAws::REGION);
    aws.rds(
        "CreateDBClusterSnapshot",
        &[
            ("DBClusterIdentifier", cluster),
            ("DBClusterSnapshotIdentifier", snapshot),
            ("Tags.Tag.1.Key", "nightshift-state:made-by"),
            ("Tags.Tag.1.Value", &made_by),
        ],
    )?;
    aws.change_snapshot(snapshot, "2026-11-26T18:00:00Z", "available")?;
    aws.set_clock(FUNCTION, MORNING)?;
    aws.forget_calls()?;
    let clusters = || -> Result<usize> {
        Ok(aws.rds("DescribeDBClusters", &[])?.matches(&format!("<DBClusterIdentifier>{drill}<")).count())
    };

    assert_eq!(run(&aws)?, ["restore done"]);
    assert_eq!((clusters()?, described(&aws, drill)?), (1, None));
    assert_eq!(run(&aws)?, Vec::<String>::new(), "RDS creates no instance in a cluster that is not available");
    aws.restored(drill, "available", false)?;
    assert_eq!(run(&aws)?, ["add-instance done"]);
    let instance = described(&aws, drill)?.expect("it is there");
    assert!(instance.contains("<DBInstanceClass>db.t4g.medium<"), "{instance}");
    assert_eq!(run(&aws)?, Vec::<String>::new(), "its instance is being created");
    // The events of the instance, that it is there and that it is deleted, wake the function.
    aws.restored(drill, "available", false)?;
    aws.wait_until("the drill to be over", || Ok((clusters()? == 0).then_some(())))?;
    assert_eq!(described(&aws, drill)?, None);
    let original = aws.rds("DescribeDBClusters", &[("DBClusterIdentifier", cluster)])?;
    assert!(
        original.contains("<Key>nightshift-state:drilled</Key><Value>restored at=2026-11-27T01:03:00Z "),
        "{original}"
    );
    assert!(described(&aws, "codemate-db-1")?.is_some());
    assert_nothing_was_refused(&aws)
}

/// Each call of the drill is refused once, and the run ends there: the next looks finish what was begun.
#[test]
fn a_drill_that_dies_at_each_call_is_finished() -> Result<()> {
    let aws = shop()?;
    aws.deliver_events("lost")?;
    let looks = || (0..3).try_for_each(|_| aws.invoke(FUNCTION, &json!({})).map(drop));
    let refuse = |service: &str, action: &str| aws.fail_calls(service, action, 1, "AccessDenied");
    refuse("rds", "RestoreDBInstanceFromDBSnapshot")?;
    looks()?;
    aws.restored(DRILL, "available", false)?;
    refuse("rds", "AddTagsToResource")?;
    refuse("ecs", "RunTask")?;
    looks()?;
    assert_eq!(aws.end_tasks_at("kfood-drill", 0, CHECKED)?, 1);
    refuse("rds", "AddTagsToResource")?;
    refuse("rds", "DeleteDBInstance")?;
    looks()?;
    assert_eq!(described(&aws, DRILL)?, None);
    assert!(tag(&aws, "nightshift-state:drilled")?.is_some_and(|it| it.starts_with("proven ")));
    Ok(())
}
