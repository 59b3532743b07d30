//! The whole function from payload to report, with the real SDK on a scripted RDS and ECS.

#![recursion_limit = "256"]

mod aws;

use std::collections::BTreeSet;

use drill_restores::{Clients, handle};
use reconcile::Report;
use serde_json::{Value, json};
use testkit::scripted::{HOME, Script, TOPIC, told};

use aws::{AUTOMATED, Aws, COPY_OF, DRILL};

const RULE: &str = "monthly rto=1h rpo=24h check=kfood-drill service=kfood-cluster/kfood-backend";

/// Sends `payload` to the real function at this time in Seoul on the first of December.
async fn invoke(script: &Script<Aws>, time: &str, payload: Value) -> Result<Report, String> {
    invoke_with(script, time, payload, "").await
}

/// The same of a stack that may copy to these regions.
async fn invoke_with(script: &Script<Aws>, time: &str, payload: Value, regions: &str) -> Result<Report, String> {
    let now = format!("2026-12-01T{time}:00+09:00");
    let variables = [
        ("NIGHTSHIFT_TIME_ZONE", "Asia/Seoul"),
        ("NIGHTSHIFT_TOPIC_ARN", TOPIC),
        ("NIGHTSHIFT_COPY_REGIONS", regions),
        ("NIGHTSHIFT_NOW", now.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "nightshift-drill-restores"),
    ];
    let sdk = script.sdk();
    let answer = runtime::invoke_once("drill-restores", &sdk, &variables, Clients::new, handle, payload);
    answer.await.map_err(|it| it.error_message)
}

async fn run(script: &Script<Aws>, time: &str) -> Vec<String> {
    told(&invoke(script, time, json!({})).await.unwrap())
}

#[tokio::test]
async fn a_drill_of_an_instance_goes_from_its_snapshot_to_its_deletion() {
    let script = Script::new(Aws::shop(false, RULE));
    // At night two calls tell that nothing is due.
    assert!(run(&script, "03:00").await.is_empty());
    assert_eq!(script.all_calls().len(), 2);

    assert_eq!(run(&script, "10:03").await, ["restore Done"]);
    let restore = &script.sent("RestoreDBInstanceFromDBSnapshot")[0];
    for (field, value) in [
        ("DBInstanceIdentifier", DRILL),
        ("DBSnapshotIdentifier", "nightshift-kfood-db-2026-12-01"),
        ("DBInstanceClass", "db.t3.medium"),
        ("DBSubnetGroupName", "kfood"),
        ("VpcSecurityGroupIds.VpcSecurityGroupId.1", "sg-db"),
        ("DBParameterGroupName", "kfood-16"),
        ("OptionGroupName", "default:postgres-16"),
        ("StorageType", "gp2"),
        ("PubliclyAccessible", "false"),
        ("MultiAZ", "false"),
        ("DeletionProtection", "false"),
        ("BackupRetentionPeriod", "0"),
    ] {
        assert_eq!(restore.text(field), value, "{field}");
    }
    assert!(script.sent("Publish").is_empty(), "that a drill begins is routine");

    script.aws().find(DRILL).status = "available".into();
    script.aws().find(DRILL).loading = true;
    assert_eq!(run(&script, "10:15").await, ["note-progress Done", "run-check Done"]);
    let check = &script.bodies("RunTask")[0];
    assert_eq!((&check["startedBy"], &check["taskDefinition"]), (&json!(DRILL), &json!("kfood-drill")));
    assert_eq!(check["networkConfiguration"]["awsvpcConfiguration"]["subnets"], json!(["subnet-1"]));
    let told_to = &check["overrides"]["containerOverrides"];
    assert_eq!((told_to[0]["name"].as_str(), told_to[1]["name"].as_str()), (Some("log-router"), Some("check")));
    let host = json!({"name": "DRILL_HOST", "value": format!("{DRILL}.rds")});
    let (port, database) =
        (json!({"name": "DRILL_PORT", "value": "5432"}), json!({"name": "DRILL_DATABASE", "value": "kfood"}));
    assert_eq!(told_to[0]["environment"], json!([host, port, database]));

    assert!(run(&script, "10:20").await.is_empty());
    script.aws().task_stopped = true;
    assert_eq!(run(&script, "10:25").await, ["note-progress Done"]);
    script.aws().find(DRILL).loading = false;
    assert_eq!(run(&script, "10:53").await, ["mark-proven Done", "finish-drill Done", "delete-drill-database Done"]);
    assert_eq!(script.aws().databases.len(), 1);
    assert!(
        script.aws().find("kfood-db").tags["nightshift-state:drilled"].starts_with("proven at=2026-12-01T01:53:00Z")
    );
    assert_eq!(script.aws().snapshots[0].1["nightshift-state:proven"], "2026-12-01T01:53:00Z check=kfood-drill");
    assert_eq!(script.count("Publish"), 1, "people hear of its end");
    let message = script.sent("Publish")[0].text("Message").to_owned();
    let message: Value = serde_json::from_str(&message).unwrap();
    let text = message["default"].as_str().unwrap();
    assert!(text.contains("the check said last: \"214 tables\""), "{text}");
    assert!(run(&script, "11:03").await.is_empty(), "once a month is enough");
}

#[tokio::test]
async fn a_cluster_is_restored_with_the_engine_of_its_snapshot_and_one_instance() {
    let script = Script::new(Aws::shop(true, "monthly"));
    assert_eq!(run(&script, "10:03").await, ["restore Done"]);
    let restore = &script.sent("RestoreDBClusterFromSnapshot")[0];
    for (field, value) in [
        ("Engine", "aurora-postgresql"),
        ("EngineVersion", "16.4"),
        ("DBSubnetGroupName", "kfood"),
        ("DBClusterParameterGroupName", "kfood-cluster"),
        ("BackupRetentionPeriod", "1"),
        ("DeletionProtection", "false"),
    ] {
        assert_eq!(restore.text(field), value, "{field}");
    }
    script.aws().find(DRILL).status = "available".into();
    assert_eq!(run(&script, "10:13").await, ["add-instance Done"]);
    let add = &script.sent("CreateDBInstance")[0];
    assert_eq!((add.text("DBInstanceClass"), add.text("PubliclyAccessible")), ("db.t3.medium", "false"));
    assert_eq!(add.text("MasterUsername"), "", "that is the cluster's");
    script.aws().databases.iter_mut().for_each(|it| it.status = "available".into());
    let done = ["note-progress Done", "mark-proven Done", "finish-drill Done", "delete-drill-database Done"];
    assert_eq!(run(&script, "10:23").await, done);
    assert_eq!(run(&script, "10:33").await, ["delete-drill-database Done"]);
    assert_eq!(script.aws().databases.len(), 2);
}

#[tokio::test]
async fn the_latest_point_in_time_is_restored_with_the_settings_of_the_original() {
    let script = Script::new(Aws::shop(false, "monthly from=latest"));
    assert_eq!(run(&script, "10:03").await, ["restore Done"]);
    assert_eq!(script.count("DescribeDBSnapshots"), 0);
    let restore = &script.sent("RestoreDBInstanceToPointInTime")[0];
    for (field, value) in [
        ("SourceDBInstanceIdentifier", "kfood-db"),
        ("TargetDBInstanceIdentifier", DRILL),
        ("UseLatestRestorableTime", "true"),
        ("DBInstanceClass", "db.t3.medium"),
        ("DBSubnetGroupName", "kfood"),
        ("VpcSecurityGroupIds.VpcSecurityGroupId.1", "sg-db"),
        ("DBParameterGroupName", "kfood-16"),
        ("StorageType", "gp2"),
        ("PubliclyAccessible", "false"),
        ("MultiAZ", "false"),
        ("DeletionProtection", "false"),
        ("BackupRetentionPeriod", "0"),
    ] {
        assert_eq!(restore.text(field), value, "{field}");
    }
    script.aws().find(DRILL).status = "available".into();
    assert_eq!(run(&script, "10:13").await, ["note-progress Done", "finish-drill Done", "delete-drill-database Done"]);
    let drilled = script.aws().find("kfood-db").tags["nightshift-state:drilled"].clone();
    assert!(drilled.ends_with("snapshot=point-in-time"), "{drilled}");
}

#[tokio::test]
async fn a_cluster_is_copied_in_full_and_not_cloned() {
    let script = Script::new(Aws::shop(true, "monthly from=latest"));
    assert_eq!(run(&script, "10:03").await, ["restore Done"]);
    let restore = &script.sent("RestoreDBClusterToPointInTime")[0];
    for (field, value) in [
        ("SourceDBClusterIdentifier", "kfood-db"),
        ("DBClusterIdentifier", DRILL),
        ("RestoreType", "full-copy"),
        ("UseLatestRestorableTime", "true"),
        ("DBSubnetGroupName", "kfood"),
        ("DBClusterParameterGroupName", "kfood-cluster"),
        ("BackupRetentionPeriod", "1"),
        ("DeletionProtection", "false"),
    ] {
        assert_eq!(restore.text(field), value, "{field}");
    }
}

#[tokio::test]
async fn the_automated_snapshot_is_restored_and_not_one_of_aws_backup() {
    for (cluster, operation, field) in [
        (false, "RestoreDBInstanceFromDBSnapshot", "DBSnapshotIdentifier"),
        (true, "RestoreDBClusterFromSnapshot", "SnapshotIdentifier"),
    ] {
        let script = Script::new(Aws::shop(cluster, "monthly from=automated"));
        assert_eq!(run(&script, "10:03").await, ["restore Done"]);
        assert_eq!(script.sent(operation)[0].text(field), AUTOMATED);
    }
}

/// All of it but the memory of the original is done in the other region.
#[tokio::test]
async fn a_copy_is_restored_checked_and_deleted_in_its_region() {
    let script = Script::new(Aws::shop(false, &format!("{RULE} region=us-west-2")));
    let copy = format!("nightshift-kfood-db-2026-12-01-{HOME}");
    let made_by = format!("snapshot-databases {copy} us-west-2");
    let of = format!("arn:aws:rds:{HOME}:123456789012:snapshot:nightshift-kfood-db-2026-12-01");
    let tags = [("nightshift-state:made-by", made_by.as_str()), (COPY_OF, of.as_str())];
    script.aws().snapshots.push((copy.clone(), aws::tags(&tags)));
    let run = async |time| told(&invoke_with(&script, time, json!({}), "us-west-2").await.unwrap());
    assert_eq!(run("10:03").await, ["restore Done"]);
    let restore = &script.sent("RestoreDBInstanceFromDBSnapshot")[0];
    assert_eq!((restore.region.as_str(), restore.text("DBSnapshotIdentifier")), ("us-west-2", copy.as_str()));
    assert_eq!(restore.text("VpcSecurityGroupIds.VpcSecurityGroupId.1"), "", "that group is of this region");
    let drill = format!("nightshift-drill-kfood-db-{HOME}-2026-12-01");
    script.aws().find(&drill).status = "available".into();
    assert_eq!(run("10:13").await, ["note-progress Done", "run-check Done"]);
    script.aws().task_stopped = true;
    assert_eq!(run("10:23").await, ["mark-proven Done", "finish-drill Done", "delete-drill-database Done"]);
    assert_eq!(script.aws().databases.len(), 1);
    for operation in ["RunTask", "DescribeTasks", "GetLogEvents", "DeleteDBInstance"] {
        let regions: BTreeSet<String> = script.sent(operation).into_iter().map(|it| it.region).collect();
        assert_eq!(regions.into_iter().collect::<Vec<_>>(), ["us-west-2"], "{operation}");
    }
    let finished = |it: &&testkit::scripted::Call| it.text("Tags.Tag.1.Key") == "nightshift-state:drilled";
    assert_eq!(script.sent("AddTagsToResource").iter().find(finished).unwrap().region, HOME);
    assert!(script.aws().snapshots[1].1.contains_key("nightshift-state:proven"));
}

/// The other regions are no reason to leave a drill of this one.
#[tokio::test]
async fn a_region_that_cannot_be_read_holds_back_its_own_drills_only() {
    for (rule, done) in
        [("monthly", "restore Done"), ("monthly region=eu-west-1", "unreadable-region: region=eu-west-1: ")]
    {
        let script = Script::new(Aws { denied: "eu-west-1", ..Aws::shop(false, rule) });
        let told = told(&invoke_with(&script, "10:03", json!({}), "us-west-2 eu-west-1").await.unwrap());
        assert!(told.len() == 1 && told[0].starts_with(done), "{told:?}");
    }
}

#[tokio::test]
async fn what_is_kept_for_a_look_is_told_before_it_is_deleted() {
    let script = Script::new(Aws::shop(false, "monthly keep=30m"));
    run(&script, "10:03").await;
    script.aws().find(DRILL).status = "available".into();
    assert_eq!(run(&script, "10:13").await, ["note-progress Done", "mark-proven Done", "finish-drill Done"]);
    assert_eq!(script.count("Publish"), 1);
    assert!(run(&script, "10:33").await.is_empty());
    assert_eq!(run(&script, "10:43").await, ["delete-drill-database Done"]);
    assert_eq!((script.aws().databases.len(), script.count("Publish")), (1, 1));
}

#[tokio::test]
async fn what_rds_refuses_is_told_once_with_what_to_do() {
    let script = Script::new(Aws::shop(false, "monthly"));
    script.refuse("RestoreDBInstanceFromDBSnapshot", "", 9, 400, "KMSKeyNotAccessibleFault");
    for _ in 0..2 {
        assert_eq!(
            run(&script, "10:03").await,
            [
                "restore Deferred",
                "restore-refused: nightshift-kfood-db-2026-12-01 could not be restored: RestoreDBInstanceFromDBSnapshot \
                 nightshift-drill-kfood-db-2026-12-01: KMSKeyNotAccessibleFault: refused by the script; the key of the \
                 snapshot is disabled or gone, or its policy does not let the role of drill-restores use it; a real restore \
                 needs it too"
            ]
        );
    }
    assert_eq!(script.count("Publish"), 1);
}

#[tokio::test]
async fn a_database_of_a_person_that_takes_the_name_of_a_drill_stays() {
    let script = Script::new(Aws::shop(false, "monthly"));
    run(&script, "10:03").await;
    script.aws().find(DRILL).tags = aws::tags(&[("team", "food")]);
    for time in ["10:13", "16:30", "23:50"] {
        let end = invoke(&script, time, json!({"end": {"database": "kfood-db"}})).await.unwrap();
        assert_eq!(end.refusal(), Some("no drill of kfood-db is under way"));
        run(&script, time).await;
    }
    assert_eq!((script.aws().databases.len(), script.count("DeleteDBInstance")), (2, 0));
}

/// Plays a drill in looks four minutes apart, each after `before`; returns what was called in each look.
async fn play(script: &Script<Aws>, before: impl Fn(usize)) -> Vec<BTreeSet<String>> {
    let mut called = Vec::new();
    for look in 0..10 {
        before(look);
        let earlier = script.all_calls().len();
        let _ = invoke(script, &format!("10:{:02}", 3 + 4 * look), json!({})).await;
        script.end_faults();
        called.push(script.all_calls().into_iter().skip(earlier).map(|it| it.operation).collect());
        // An instance can be added to a cluster in one look, and is available in the next.
        script.aws().databases.iter_mut().for_each(|it| it.status = "available".into());
        script.aws().task_stopped = look > 3;
    }
    called
}

/// Each call of each look dies once, with what it did done or not: the next looks end the same drill in the same state.
#[tokio::test(start_paused = true)]
async fn a_run_that_dies_at_any_call_is_finished_by_the_next_looks() {
    for (cluster, restore) in [(false, "RestoreDBInstanceFromDBSnapshot"), (true, "RestoreDBClusterFromSnapshot")] {
        let clean = Script::new(Aws::shop(cluster, RULE));
        let looks = play(&clean, |_| {}).await;
        let ended = end(&clean);
        assert_eq!(ended, (1 + usize::from(cluster), "proven".to_owned()));
        let calls = looks.iter().enumerate().flat_map(|(look, calls)| calls.iter().map(move |it| (look, it.as_str())));
        // A look that cannot read ends before it does anything, whichever look it is.
        let mut read = BTreeSet::new();
        let calls = calls.filter(|(_, it)| !it.starts_with("Describe") || read.insert(*it));
        for ((look, call), done) in calls.flat_map(|it| [(it, true), (it, false)]) {
            let script = Script::new(Aws::shop(cluster, RULE));
            // The script takes names that stay.
            let call: &'static str = Box::leak(call.to_owned().into_boxed_str());
            play(&script, |now| match (now == look, done) {
                (false, _) => {}
                (true, true) => script.lose_answers(call, 5),
                (true, false) => script.refuse(call, "", 5, 400, "AccessDenied"),
            })
            .await;
            let what = format!("{call} in look {look}, done: {done}");
            assert_eq!(end(&script), ended, "{what}");
            assert!(is_marked(&script), "{what}");
            let tokens: BTreeSet<String> =
                script.bodies("RunTask").iter().map(|it| it["clientToken"].to_string()).collect();
            assert_eq!(tokens.len(), 1, "{what}: ECS starts one task for one token");
            let restored: BTreeSet<String> =
                script.sent(restore).iter().map(|it| it.text("Tags.Tag.2.Value").to_owned()).collect();
            let begun = if call == restore && !done { 2 } else { 1 };
            assert!(restored.len() <= begun, "{what}: {restored:?}");
        }
    }
}

/// How many databases are left, and how the last drill ended.
fn end(script: &Script<Aws>) -> (usize, String) {
    let mut aws = script.aws();
    let drilled = aws.find("kfood-db").tags.get("nightshift-state:drilled").cloned().unwrap_or_default();
    (aws.databases.len(), drilled.split(' ').next().unwrap_or_default().to_owned())
}

/// Whether the snapshot is known to be proven.
fn is_marked(script: &Script<Aws>) -> bool {
    script.aws().snapshots[0].1.contains_key("nightshift-state:proven")
}
