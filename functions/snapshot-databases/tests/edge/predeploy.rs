//! The command that asks for a snapshot before a deployment.

use serde_json::{Value, json};
use testkit::scripted::{HOME, Rds, Script};

use super::{NOW, invoke, told};

const ID: &str = "nightshift-predeploy-app-1a2b3c4d1a2b";
const MADE_BY: (&str, &str) = ("nightshift-state:made-by", "snapshot-databases");
const BY_US: (&str, &str) =
    ("nightshift-state:made-by", "snapshot-databases nightshift-predeploy-app-1a2b3c4d1a2b ap-northeast-2");
const MEMORY: &str = "nightshift-state:predeploy-problem";

fn asked(database: &str) -> Value {
    json!({"snapshot": {"database": database, "image": format!("sha256:{}", "1a2b3c4d".repeat(8))}})
}

/// A script with the DB instance `app`, which opted in, and a hundred others.
fn shop() -> Script<Rds> {
    let mut rds = Rds::default();
    for number in 0..100 {
        rds.serve(&format!("other-{number}"), &[("nightshift:backup", "days=30")]);
    }
    rds.serve("app", &[("nightshift:backup", "daily=7"), ("team", "food")]);
    Script::new(rds)
}

#[tokio::test]
async fn one_database_is_looked_at_and_snapshotted_and_a_second_command_finds_it_there() {
    let script = shop();
    let report = invoke(&script, asked("App")).await.unwrap();
    assert_eq!(told(&report), ["app take-snapshot Done"]);
    let calls: Vec<(String, usize)> = script.counts().into_iter().collect();
    let expected =
        [("CreateDBSnapshot", 1), ("DescribeDBClusters", 1), ("DescribeDBInstances", 1), ("DescribeDBSnapshots", 1)];
    assert_eq!(calls, expected.map(|(name, count)| (name.to_owned(), count)));
    let tags = script.aws().snapshot(HOME, ID).tags.clone();
    let tags: Vec<(&str, &str)> = tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let expected =
        [("nightshift-state:backup", "daily=7"), ("nightshift-state:database", "app"), BY_US, ("team", "food")];
    assert_eq!(tags, expected);

    for status in ["creating", "available"] {
        script.aws().snapshot(HOME, ID).status = status.into();
        script.forget_calls();
        let report = invoke(&script, asked("app")).await.unwrap();
        assert_eq!(told(&report), [format!("app skipped: {ID} is {status}")]);
        assert_eq!((script.count("CreateDBSnapshot"), script.count("Publish")), (0, 0));
    }
}

#[tokio::test]
async fn a_cluster_is_found_by_its_name_and_a_failed_snapshot_of_it_replaced() {
    let mut rds = Rds::default();
    let cluster = rds.serve("app", &[("nightshift:backup", "days=3")]);
    (cluster.cluster, cluster.engine) = (true, "aurora-postgresql".into());
    let failed = rds.store(ID, "app", NOW, &[MADE_BY]);
    (failed.cluster, failed.status) = (true, "failed".into());
    let script = Script::new(rds);
    let report = invoke(&script, asked("app")).await.unwrap();
    assert_eq!(told(&report), ["app take-snapshot Done"]);
    assert_eq!((script.count("DeleteDBClusterSnapshot"), script.count("CreateDBClusterSnapshot")), (1, 1));
    assert_eq!(script.aws().snapshot(HOME, ID).status, "creating");
}

#[tokio::test]
async fn what_prevents_it_is_told_once_and_forgotten_when_it_is_gone() {
    let script = shop();
    script.aws().database("app").status = "stopped".into();
    for _ in 0..3 {
        let report = invoke(&script, asked("app")).await.unwrap();
        assert!(told(&report)[0].starts_with("app asleep: it is stopped, and AWS takes no snapshot"), "{report:?}");
    }
    assert_eq!(script.count("Publish"), 1);
    let subject = script.sent("Publish")[0].text("Subject").to_string();
    assert!(subject.starts_with("[Nightshift] app: it is stopped, and AWS takes no snapshot"), "{subject}");
    let memory = script.aws().database("app").tags[MEMORY].clone();
    assert!(memory.starts_with("asleep "), "{memory}");
    // The nightly run has a memory of its own.
    script.aws().database("app").status = "available".into();
    invoke(&script, json!({})).await.unwrap();
    assert_eq!(script.aws().database("app").tags[MEMORY], memory);

    assert_eq!(told(&invoke(&script, asked("app")).await.unwrap()), ["app take-snapshot Done"]);
    assert!(!script.aws().database("app").tags.contains_key(MEMORY));
}

#[tokio::test]
async fn what_is_not_there_did_not_opt_in_or_is_a_member_is_not_touched() {
    let script = shop();
    script.aws().serve("bare", &[]);
    script.aws().serve("member", &[]).member_of = Some("cluster".into());
    for (database, kind) in [("nobody", "no-such-database"), ("bare", "not-opted-in"), ("member", "member-instance")] {
        let report = invoke(&script, asked(database)).await.unwrap();
        assert!(told(&report)[0].starts_with(&format!("{database} {kind}: ")), "{report:?}");
    }
    assert!(script.aws().snapshots.is_empty());
    assert_eq!((script.count("AddTagsToResource"), script.count("DescribeDBClusterSnapshots")), (0, 0));
}

#[tokio::test]
async fn a_database_that_begins_something_else_meanwhile_is_asked_for_again_later() {
    let script = shop();
    script.refuse("CreateDBSnapshot", "app", 1, 400, "InvalidDBInstanceState");
    assert_eq!(told(&invoke(&script, asked("app")).await.unwrap()), ["app take-snapshot Deferred"]);
    assert_eq!(told(&invoke(&script, asked("app")).await.unwrap()), ["app take-snapshot Done"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_got_lost_is_not_a_failure() {
    let script = shop();
    script.lose_answers("CreateDBSnapshot", 1);
    assert_eq!(told(&invoke(&script, asked("app")).await.unwrap()), ["app take-snapshot Done"]);
    assert_eq!(script.aws().ids(HOME), [ID]);
    assert_eq!(script.count("CreateDBSnapshot"), 2);
}

#[tokio::test]
async fn at_the_quota_the_way_out_is_told() {
    let script = shop();
    script.aws().quota = 0;
    let report = told(&invoke(&script, asked("app")).await.unwrap()).pop().unwrap();
    assert!(report.starts_with("app snapshot-quota: "), "{report}");
    assert!(report.contains("SnapshotQuotaExceeded: refused by the script; invoke prune-backups"), "{report}");
}

#[tokio::test]
async fn what_cannot_be_read_fails_the_run_and_people_hear_why() {
    for operation in ["DescribeDBInstances", "DescribeDBClusters", "DescribeDBSnapshots"] {
        let script = shop();
        script.refuse(operation, "", 1, 403, "AccessDenied");
        let error = invoke(&script, asked("app")).await.unwrap_err();
        assert!(error.starts_with(operation) && error.contains("AccessDenied"), "{error}");
        let subject = script.sent("Publish")[0].text("Subject").to_string();
        assert!(subject.starts_with("[Nightshift] snapshot-databases: nothing was done"), "{subject}");
        assert!(script.aws().snapshots.is_empty());
    }
}

#[tokio::test]
async fn before_a_sleep_one_snapshot_of_the_cluster_is_taken_however_often_it_is_asked_for() {
    let mut rds = Rds::default();
    let cluster = rds.serve("shop", &[("nightshift:backup", "days=3")]);
    (cluster.cluster, cluster.engine) = (true, "aurora-postgresql".into());
    let script = Script::new(rds);
    let before_sleep = || json!({"snapshot": {"database": "shop", "before-sleep": "2026-11-20T11:00:00Z"}});
    assert_eq!(told(&invoke(&script, before_sleep()).await.unwrap()), ["shop take-snapshot Done"]);
    let id = "nightshift-shop-2026-11-20-200000";
    assert_eq!(script.aws().ids(HOME), [id]);
    for status in ["creating", "available"] {
        script.aws().snapshot(HOME, id).status = status.into();
        let report = invoke(&script, before_sleep()).await.unwrap();
        assert_eq!(told(&report), [format!("shop skipped: {id} is {status}")]);
    }
    script.aws().snapshot(HOME, id).status = "failed".into();
    assert_eq!(told(&invoke(&script, before_sleep()).await.unwrap()), ["shop take-snapshot Done"]);
    assert_eq!((script.count("CreateDBClusterSnapshot"), script.count("DeleteDBClusterSnapshot")), (2, 1));
    // Asked for again while RDS is stopping it: scale-staging sees that itself, and nobody is told.
    script.aws().snapshots.clear();
    script.aws().database("shop").status = "stopping".into();
    let report = invoke(&script, before_sleep()).await.unwrap();
    assert!(told(&report)[0].starts_with("shop skipped: it is stopping"), "{report:?}");
    assert_eq!(script.count("CreateDBClusterSnapshot"), 2);
}
