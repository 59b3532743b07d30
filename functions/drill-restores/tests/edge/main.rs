//! The whole function from payload to report, with the real SDK on a scripted RDS and ECS.

#![recursion_limit = "256"]

mod aws;

use drill_restores::{Clients, handle};
use reconcile::Report;
use serde_json::{Value, json};
use testkit::scripted::{Script, TOPIC};

use aws::{Aws, DRILL};

const RULE: &str = "monthly rto=1h rpo=24h check=kfood-drill service=kfood-cluster/kfood-backend";

/// Sends `payload` to the real function at this time in Seoul on the first of December.
async fn invoke(script: &Script<Aws>, time: &str, payload: Value) -> Result<Report, String> {
    let now = format!("2026-12-01T{time}:00+09:00");
    let variables = [
        ("NIGHTSHIFT_TIME_ZONE", "Asia/Seoul"),
        ("NIGHTSHIFT_TOPIC_ARN", TOPIC),
        ("NIGHTSHIFT_NOW", now.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "nightshift-drill-restores"),
    ];
    let sdk = script.sdk();
    let answer = runtime::invoke_once("drill-restores", &sdk, &variables, Clients::new, handle, payload);
    answer.await.map_err(|it| it.error_message)
}

/// Actions with their outcomes, then problems.
fn told(report: &Report) -> Vec<String> {
    let actions = report.actions.iter().map(|it| format!("{} {:?}", it.action, it.outcome));
    let problems = report.problems.iter().map(|it| format!("{}: {}", it.problem, it.message));
    actions.chain(problems).collect()
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
    assert_eq!((told_to[0]["name"].as_str(), told_to[1]["name"].as_str()), (Some("check"), Some("log-router")));
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

/// Wherever an answer gets lost, the next looks finish the drill, with one restore and one check.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_made_up_for_by_the_next_look() {
    for lost in ["RestoreDBInstanceFromDBSnapshot", "RunTask", "AddTagsToResource", "DeleteDBInstance"] {
        let script = Script::new(Aws::shop(false, RULE));
        script.lose_answers(lost, 5);
        for minutes in 0..14 {
            let _ = invoke(&script, &format!("10:{:02}", 3 + 4 * minutes), json!({})).await;
            script.aws().databases.iter_mut().for_each(|it| it.status = "available".into());
            script.aws().task_stopped = minutes > 3;
        }
        assert_eq!(script.aws().databases.len(), 1, "{lost}");
        assert!(script.aws().find("kfood-db").tags["nightshift-state:drilled"].starts_with("proven"), "{lost}");
        let tokens: std::collections::BTreeSet<String> =
            script.bodies("RunTask").iter().map(|it| it["clientToken"].to_string()).collect();
        assert_eq!(tokens.len(), 1, "{lost}: ECS starts one task for one token");
    }
}
