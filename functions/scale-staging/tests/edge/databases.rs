//! Databases: stops, starts and their snapshots, what RDS refuses, and what its events tell.

use serde_json::json;

use super::{EVENING, HOURS, NIGHT, told};
use crate::aws::{ASLEEP, SCHEDULE, Script, database_arn};

#[tokio::test]
async fn a_database_is_stopped_with_a_snapshot_that_gets_its_tags() {
    let script = Script::new();
    let tags = [(SCHEDULE, HOURS), ("nightshift:backup", "days=30"), ("team", "web")];
    script.store("app-db", "available", "", &tags);
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    assert_eq!(told(&report), ["app-db sleep Done"]);
    let stop = &script.sent("StopDBInstance")[0];
    assert_eq!(
        (&stop["DBInstanceIdentifier"], &stop["DBSnapshotIdentifier"]),
        (&json!("app-db"), &json!("nightshift-app-db-2026-11-20-200000"))
    );
    let tags = ["nightshift-state:made-by", "nightshift-state:database", "nightshift-state:backup", "team"];
    assert_eq!(script.aws().snapshots["nightshift-app-db-2026-11-20-200000"], tags);
    assert_eq!(script.aws().instances["app-db"].tags[ASLEEP], "since=2026-11-20T11:00:00Z by=schedule");
}

#[tokio::test]
async fn a_cluster_is_stopped_once_the_snapshot_that_was_asked_for_is_there() {
    let script = Script::new();
    script.cluster("shop", "available", &[(SCHEDULE, HOURS), ("nightshift:backup", "days=30")]);
    let id = "nightshift-shop-2026-11-20-200000";
    script.invoke(EVENING, json!({})).await.unwrap();
    let asked = &script.sent("Invoke")[0];
    assert_eq!(asked["function"], "nightshift-snapshot-databases");
    let command = json!({"snapshot": {"database": "shop", "before-sleep": "2026-11-20T11:00:00Z"}});
    assert_eq!(asked["payload"], command);
    // A command that was lost is given again; a snapshot that is being taken is waited for, and asked for no more.
    for (now, snapshot, asked) in [("20:05", None, 2), ("20:10", Some("creating"), 2)] {
        script.aws().cluster_snapshots = snapshot.map(|it| (id.to_owned(), it.to_owned())).into_iter().collect();
        script.invoke(&format!("2026-11-20T{now}"), json!({})).await.unwrap();
        assert_eq!((script.sent("Invoke").len(), script.sent("StopDBCluster").len()), (asked, 0), "{now}");
    }
    script.aws().cluster_snapshots.insert(id.into(), "available".into());
    let report = script.invoke("2026-11-20T20:15", json!({})).await.unwrap();
    assert_eq!(told(&report), ["shop sleep Done"]);
    assert_eq!(script.sent("StopDBCluster").len(), 1);
}

#[tokio::test]
async fn a_cluster_whose_snapshot_fails_or_never_comes_is_stopped_after_an_hour_and_that_is_told() {
    for snapshot in [None, Some("failed")] {
        let script = Script::new();
        script.cluster("shop", "available", &[(SCHEDULE, HOURS), ("nightshift:backup", "days=30")]);
        let id = "nightshift-shop-2026-11-20-200000".to_owned();
        script.invoke(EVENING, json!({})).await.unwrap();
        script.aws().cluster_snapshots = snapshot.map(|it| (id, it.to_owned())).into_iter().collect();
        script.invoke("2026-11-20T20:55", json!({})).await.unwrap();
        assert_eq!(script.sent("StopDBCluster").len(), 0);
        let report = told(&script.invoke("2026-11-20T21:00", json!({})).await.unwrap());
        assert!(report.iter().any(|it| it.starts_with("shop no-snapshot: ")), "{report:?}");
        assert_eq!(script.sent("StopDBCluster").len(), 1, "{snapshot:?}");
    }
}

#[tokio::test]
async fn a_snapshot_that_is_not_there_yet_gets_its_tags_later() {
    let script = Script::new();
    script.store("app-db", "available", "", &[(SCHEDULE, HOURS), ("nightshift:backup", "days=30")]);
    script.fail("AddTagsToResource", "snapshot:nightshift", 1, 404, "DBSnapshotNotFound");
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    assert_eq!(told(&report), ["app-db sleep Deferred"]);
    let report = script.invoke("2026-11-20T20:05", json!({})).await.unwrap();
    assert_eq!(told(&report), ["app-db remember Done"]);
    assert_eq!(script.aws().snapshots["nightshift-app-db-2026-11-20-200000"].len(), 3);
    assert_eq!(script.sent("StopDBInstance").len(), 1);
}

#[tokio::test]
async fn a_stop_that_is_refused_for_a_state_that_passes_waits() {
    for (became, outcome) in [("stopping", "app-db sleep Done"), ("backing-up", "app-db sleep Deferred")] {
        let script = Script::new();
        script.store("app-db", "available", "", &[(SCHEDULE, HOURS)]);
        script.aws().becomes = Some(("StopDBInstance", "InvalidDBInstanceState", became));
        assert_eq!(told(&script.invoke(EVENING, json!({})).await.unwrap()), [outcome]);
    }
}

#[tokio::test]
async fn a_stop_that_aws_refuses_all_night_is_told_once_and_fails_no_run() {
    let script = Script::new();
    for id in ["shop", "shop-green-ab12cd"] {
        script.cluster(id, "available", &[(SCHEDULE, HOURS)]);
    }
    script.fail("StopDBCluster", "", 99, 400, "InvalidDBClusterStateFault");
    let problem = |id: &str| {
        format!(
            "{id} not-stoppable: AWS refuses to stop it, though its state allows that: StopDBCluster {id}: \
             InvalidDBClusterStateFault: refused by the script; it is tried again every hour"
        )
    };
    let problems = [problem("shop"), problem("shop-green-ab12cd")];
    for (now, tries) in [("20:00", 2), ("20:05", 2), ("20:55", 2), ("21:00", 4), ("21:05", 4), ("22:00", 6)] {
        let report = script.invoke(&format!("2026-11-20T{now}"), json!({})).await.unwrap();
        let told = told(&report);
        assert_eq!(told[told.len() - 2..], problems, "{now}");
        assert_eq!(script.sent("StopDBCluster").len(), tries, "{now}");
        assert!(
            script.aws().clusters.values().all(|it| !it.tags.contains_key(ASLEEP)),
            "it is not remembered as asleep"
        );
    }
    assert_eq!(script.sent("Publish").len(), 1);
}

#[tokio::test]
async fn what_a_policy_or_a_key_refuses_is_told_once_with_the_way_out_and_fails_no_run() {
    let (stop, start) = (("20:00", "StopDBInstance"), ("08:00", "StartDBInstance"));
    for ((hour, operation), code) in
        [(stop, "AccessDenied"), (start, "AccessDenied"), (start, "KMSKeyNotAccessibleFault")]
    {
        let script = Script::new();
        script.store("app-db", "available", "", &[(SCHEDULE, HOURS)]);
        if operation == "StartDBInstance" {
            script.invoke(EVENING, json!({})).await.unwrap();
            script.aws().instances.get_mut("app-db").unwrap().status = "stopped".into();
        }
        let messages = script.sent("Publish").len();
        script.fail(operation, "", 99, 403, code);
        for minute in ["00", "05", "10"] {
            let now = format!("2026-11-2{}T{}:{minute}", if hour == "20:00" { 0 } else { 3 }, &hour[..2]);
            let told = told(&script.invoke(&now, json!({})).await.unwrap());
            let problem = told.last().unwrap();
            assert!(problem.starts_with("app-db denied: it is not st") && problem.contains(code), "{problem}");
            assert!(problem.contains("Look at the role of this function"), "{problem}");
        }
        assert_eq!(script.sent(operation).len(), 1, "{code}: tried again after an hour");
        assert_eq!(script.sent("Publish").len(), messages + 1, "{code}");
    }
}

#[tokio::test]
async fn what_a_policy_refuses_of_a_service_is_told_once_and_fails_no_run() {
    for operation in ["UpdateService", "RegisterScalableTarget", "TagResource"] {
        let script = Script::new();
        script.serve("shop/api", HOURS, 2);
        script.scale("shop/api", 1, 4);
        script.fail(operation, "", 99, 403, "AccessDeniedException");
        for now in ["2026-11-20T20:00", "2026-11-20T20:05", "2026-11-20T20:10"] {
            let told = told(&script.invoke(now, json!({})).await.unwrap());
            let denied = format!("api denied: {operation} ");
            let is_told = |it: &String| it.starts_with(&denied) && it.contains("a policy forbids the call");
            assert!(told.iter().any(is_told), "{operation}: {told:?}");
        }
        assert!(script.sent("Publish").len() == 1 || operation == "TagResource", "{operation}");
    }
}

#[tokio::test]
async fn a_stop_whose_answer_was_lost_has_not_failed() {
    let script = Script::new();
    script.store("app-db", "available", "", &[(SCHEDULE, HOURS), ("nightshift:backup", "days=30")]);
    script.lose_answers("StopDBInstance", 1);
    // The SDK asks again and hears that the snapshot of that name is there; the database is on its way down.
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    assert_eq!(told(&report), ["app-db sleep Done"]);
    assert_eq!(script.aws().instances["app-db"].status, "stopping");
}

#[tokio::test]
async fn a_snapshot_that_was_born_with_the_tags_of_its_database_loses_what_is_said_to_that() {
    let script = Script::new();
    let tags = [(SCHEDULE, HOURS), ("nightshift:backup", "days=30"), ("team", "web")];
    script.store("app-db", "available", "<CopyTagsToSnapshot>true</CopyTagsToSnapshot>", &tags);
    script.invoke(EVENING, json!({})).await.unwrap();
    let removed = &script.sent("RemoveTagsFromResource")[0];
    assert!(removed["ResourceName"].as_str().unwrap().ends_with(":snapshot:nightshift-app-db-2026-11-20-200000"));
    let keys: Vec<&str> = (1..4).map(|it| removed[format!("TagKeys.member.{it}")].as_str().unwrap()).collect();
    assert_eq!(keys, [ASLEEP, "nightshift:backup", SCHEDULE]);
}

#[tokio::test]
async fn a_start_that_aws_refuses_is_told_and_the_next_try_is_an_hour_later() {
    let script = Script::new();
    script.store("app-db", "stopped", "", &[(SCHEDULE, HOURS), (ASLEEP, "since=2026-11-20T11:00:00Z by=schedule")]);
    script.fail("StartDBInstance", "", 1, 400, "InsufficientDBInstanceCapacity");
    for (now, tries) in [("08:00", 1), ("08:05", 1), ("09:00", 2)] {
        let report = script.invoke(&format!("2026-11-23T{now}"), json!({})).await.unwrap();
        assert_eq!(script.sent("StartDBInstance").len(), tries, "{now}: {:?}", told(&report));
    }
    let script = script.aws();
    let db = &script.instances["app-db"];
    assert_eq!((db.status.as_str(), db.tags.contains_key("nightshift-state:refused")), ("starting", false));
}

#[tokio::test]
async fn what_a_database_says_when_it_does_not_come_up_is_told() {
    let script = Script::new();
    let memory = "since=2026-11-20T11:00:00Z by=schedule started=2026-11-22T23:00:00Z";
    script.store("app-db", "incompatible-network", "", &[(SCHEDULE, HOURS), (ASLEEP, memory)]);
    script.aws().events = vec![
        ("The DB instance is in a network that is not compatible.", "2026-11-22T23:07:00Z"),
        ("DB instance stopped", "2026-11-20T11:05:00Z"),
    ];
    let report = script.invoke("2026-11-23T08:10", json!({})).await.unwrap();
    let expected = "app-db database-broken: it is incompatible-network: RDS does not end that by itself; RDS says: \
                    The DB instance is in a network that is not compatible";
    assert_eq!(told(&report), [expected]);
}

#[tokio::test]
async fn who_started_a_database_is_told_by_its_events() {
    let restarted = "DB instance is being started due to it exceeding the maximum allowed time being stopped";
    let stopped = ("DB instance stopped", "2026-11-20T11:05:00Z");
    let asleep = "since=2026-11-20T11:00:00Z by=schedule";
    for (events, action) in [
        (
            vec![stopped, (restarted, "2026-11-27T11:05:00Z"), ("DB instance started", "2026-11-27T11:15:00Z")],
            "app-db sleep Done",
        ),
        (vec![stopped, ("DB instance started", "2026-11-21T11:15:00Z")], "app-db remember Done"),
        // Stopped again since AWS started it, and then started by a person.
        (
            vec![(restarted, "2026-11-20T10:05:00Z"), stopped, ("DB instance started", "2026-11-21T11:15:00Z")],
            "app-db remember Done",
        ),
        // It was never stopped in that night.
        (vec![], "app-db sleep Done"),
        (vec![("DB instance stopped", "2026-11-19T11:04:00Z")], "app-db sleep Done"),
    ] {
        let script = Script::new();
        script.store("app-db", "available", "", &[(SCHEDULE, "never"), (ASLEEP, asleep)]);
        script.aws().events = events;
        let report = script.invoke("2026-11-27T20:30", json!({})).await.unwrap();
        assert_eq!(told(&report), [action]);
        let asked = &script.sent("DescribeEvents")[0];
        assert_eq!((&asked["SourceIdentifier"], &asked["Duration"]), (&json!("app-db"), &json!("20160")));
    }
    let script = Script::new();
    script.store("app-db", "available", "", &[(SCHEDULE, "never"), (ASLEEP, asleep)]);
    script.fail("DescribeEvents", "", 9, 400, "AccessDenied");
    let report = script.invoke("2026-11-27T20:30", json!({})).await.unwrap();
    assert!(
        told(&report)[0].starts_with("app-db unreadable-events: it runs though it was put to sleep"),
        "{:?}",
        told(&report)
    );
}

#[tokio::test]
async fn the_event_that_aws_started_a_database_is_about_that_one_only() {
    let script = Script::new();
    script.store("app-db", "starting", "", &[(SCHEDULE, HOURS), (ASLEEP, "since=2026-11-13T11:00:00Z by=schedule")]);
    script.serve("shop/api", HOURS, 2);
    let event = json!({"source": "aws.rds", "detail-type": "RDS DB Instance Event", "resources": [database_arn("app-db")],
        "detail": {"EventID": "RDS-EVENT-0154", "SourceIdentifier": "app-db", "SourceArn": database_arn("app-db")}});
    let report = script.invoke(NIGHT, event).await.unwrap();
    assert_eq!(told(&report), [""; 0]);
    assert_eq!(
        report.skipped[0].reason,
        "it is starting; 'mon-fri 08:00-20:00' wants it asleep; wakes Mon 2026-11-23 08:00 KST"
    );
}

#[tokio::test]
async fn what_rds_would_not_stop_is_told_once() {
    for (more, why) in [
        ("<ReadReplicaSourceDBInstanceIdentifier>x</ReadReplicaSourceDBInstanceIdentifier>", "it is a read replica"),
        (
            "<ReadReplicaDBInstanceIdentifiers><ReadReplicaDBInstanceIdentifier>x</ReadReplicaDBInstanceIdentifier></ReadReplicaDBInstanceIdentifiers>",
            "it has a read replica",
        ),
    ] {
        let script = Script::new();
        script.store("app-db", "available", more, &[(SCHEDULE, HOURS)]);
        let report = script.invoke(EVENING, json!({})).await.unwrap();
        assert_eq!(
            told(&report),
            [format!("app-db not-stoppable: AWS does not stop it, since {why}: remove the tag nightshift:schedule")]
        );
        script.invoke("2026-11-20T20:05", json!({})).await.unwrap();
        assert_eq!((script.sent("Publish").len(), script.sent("StopDBInstance").len()), (1, 0));
    }
}

#[tokio::test]
async fn a_pending_change_that_waits_for_a_window_in_the_sleep_is_told_once_and_without_its_values() {
    let script = Script::new();
    let more = "<PreferredMaintenanceWindow>sun:16:00-sun:16:30</PreferredMaintenanceWindow><PendingModifiedValues>\
                <DBInstanceClass>db.t4g.large</DBInstanceClass><MasterUserPassword>****</MasterUserPassword>\
                </PendingModifiedValues>";
    script.store("app-db", "available", more, &[(SCHEDULE, HOURS)]);
    // An empty element is not a change.
    let none = "<PreferredMaintenanceWindow>sun:16:00-sun:16:30</PreferredMaintenanceWindow><PendingModifiedValues/>";
    script.store("other-db", "available", none, &[(SCHEDULE, HOURS)]);
    let report = script.invoke("2026-11-20T12:00", json!({})).await.unwrap();
    assert_eq!(told(&report), ["app-db remember Done", "other-db remember Done"]);
    let windows = |id: &str| script.aws().instances[id].tags["nightshift-state:windows"].clone();
    let window = "maintenance window sun:16:00-sun:16:30 UTC";
    assert_eq!(windows("app-db"), format!("{window} with pending DBInstanceClass MasterUserPassword"));
    assert_eq!(windows("other-db"), window);
    let mail = script.sent("Publish")[0]["Message"].to_string();
    let command = "aws rds modify-db-instance --db-instance-identifier app-db --apply-immediately";
    assert!(mail.contains(command) && !mail.contains("db.t4g.large") && !mail.contains("****"), "{mail}");
    let report = script.invoke("2026-11-20T12:05", json!({})).await.unwrap();
    assert_eq!((told(&report).len(), script.sent("Publish").len()), (0, 1));
}
