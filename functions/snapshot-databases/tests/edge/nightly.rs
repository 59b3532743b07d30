//! The nights: pages, states, the quota, copies, throttling, refusals.

use serde_json::{Value, json};
use testkit::scripted::{HOME, Rds, Script};

use super::{NOW, invoke, told};

const MADE_BY: (&str, &str) = ("nightshift-state:made-by", "snapshot-databases");

fn shop(names: &[&str], rule: &str) -> Script<Rds> {
    let mut rds = Rds::default();
    for name in names {
        rds.serve(name, &[("nightshift:backup", rule)]);
    }
    Script::new(rds)
}

fn tonight(database: &str) -> String {
    format!("nightshift-{database}-2026-11-21")
}

#[tokio::test(start_paused = true)]
async fn every_page_is_read_and_a_second_run_only_looks() {
    let names: Vec<String> = (0..230).map(|it| format!("app-{it:03}")).collect();
    let script = shop(&names.iter().map(String::as_str).collect::<Vec<_>>(), "days=30");
    // The snapshot of the last one stands on the last page.
    for name in &names[..229] {
        script.aws().store(&format!("by-hand-{name}"), name, NOW, &[]);
    }
    script.aws().store(&tonight("app-229"), "app-229", NOW, &[MADE_BY]);
    let report = invoke(&script, json!({})).await.unwrap();
    assert_eq!((report.actions.len(), report.skipped.len()), (229, 1));
    let counts = |script: &Script<Rds>| {
        ["DescribeDBInstances", "DescribeDBSnapshots", "CreateDBSnapshot", "Publish"].map(|it| script.count(it))
    };
    assert_eq!(counts(&script), [3, 3, 229, 0]);
    assert_eq!((script.count("DescribeAccountAttributes"), script.count("DescribeEvents")), (1, 0));
    script.forget_calls();
    assert_eq!(invoke(&script, json!({})).await.unwrap().actions.len(), 0);
    assert_eq!(counts(&script), [3, 5, 0, 0]);
}

#[tokio::test]
async fn each_status_of_the_snapshot_of_the_night_is_understood() {
    for status in ["available", "creating"] {
        let script = shop(&["app"], "days=30");
        script.aws().store(&tonight("app"), "app", NOW, &[MADE_BY]).status = status.into();
        let expected = format!("app skipped: nightshift-app-2026-11-21 is {status}");
        assert_eq!(told(&invoke(&script, json!({})).await.unwrap()), [expected]);
        // Where all is done and the quota is far away, that is all that is read.
        let reads = ["DescribeDBClusterSnapshots", "DescribeDBClusters", "DescribeDBInstances", "DescribeDBSnapshots"];
        assert_eq!(script.counts().into_iter().collect::<Vec<_>>(), reads.map(|it| (it.to_owned(), 1)));
    }
}

#[tokio::test]
async fn a_snapshot_that_failed_is_taken_again_and_told_as_failing_with_what_rds_says() {
    let script = shop(&["app"], "days=30");
    let fail = |at: &str| {
        script.aws().store(&tonight("app"), "app", at, &[MADE_BY]).status = "failed".into();
    };
    fail(NOW);
    script.aws().events.insert(tonight("app"), vec![(NOW.into(), "Storage is full".into())]);
    let failing = "app snapshot-failing: nightshift-app-2026-11-21 failed; RDS says \"Storage is full\"; it is taken again once an hour";
    assert_eq!(told(&invoke(&script, json!({})).await.unwrap()), ["app take-snapshot Done", failing]);
    assert_eq!((script.count("DeleteDBSnapshot"), script.count("DescribeEvents")), (1, 1));
    assert_eq!(script.sent("Publish")[0].text("Subject"), "[Nightshift] app: nightshift-app-2026-11-21 failed");

    // Under way again: what was told stays remembered. Failed again within the hour: nothing is done, nobody is told.
    invoke(&script, json!({})).await.unwrap();
    assert!(script.aws().database("app").tags.contains_key("nightshift-state:snapshot-problem"));
    (script.aws().snapshot(HOME, &tonight("app")).status, script.aws().snapshot(HOME, &tonight("app")).created_at) =
        ("failed".into(), Some(NOW.into()));
    assert_eq!(told(&invoke(&script, json!({})).await.unwrap()), [failing]);
    // An hour later it is taken a third time, and nobody is told that it is being taken.
    script.aws().snapshot(HOME, &tonight("app")).created_at = Some("2026-11-20T17:00:00Z".into());
    assert_eq!(told(&invoke(&script, json!({})).await.unwrap()), ["app take-snapshot Done", failing]);
    assert_eq!(script.count("Publish"), 1);
}

#[tokio::test]
async fn at_the_quota_people_are_told_once_how_many_could_go_and_no_run_fails() {
    let script = shop(&["app"], "daily=1");
    for night in ["2026-11-18", "2026-11-19", "2026-11-20"] {
        script.aws().store(&format!("nightshift-app-{night}"), "app", &format!("{night}T00:00:00Z"), &[MADE_BY]);
    }
    for it in 0..97 {
        script.aws().store(&format!("by-hand-{it}"), "other", "2026-11-01T00:00:00Z", &[]);
    }
    script.aws().quota = 100;
    // The catch-up runs of the night neither try nor tell it again.
    for _ in 0..3 {
        let report = invoke(&script, json!({})).await.unwrap();
        let full = "app snapshot-quota: no further backup: the snapshot quota is used up. It allows 100 manual DB instance snapshots in the region; 2 of them are kept by no rule any more: invoke prune-backups, then this function";
        assert_eq!(told(&report).last().unwrap(), full);
    }
    assert_eq!((script.count("CreateDBSnapshot"), script.count("Publish")), (0, 1));
    let subject = script.sent("Publish")[0].text("Subject").to_string();
    assert!(subject.starts_with("[Nightshift] app: no further backup: the snapshot quota is used up"), "{subject}");
    // Where the quota cannot be read, what AWS refuses is told.
    script.refuse("DescribeAccountAttributes", "", 1, 403, "AccessDenied");
    let report = told(&invoke(&script, json!({})).await.unwrap()).pop().unwrap();
    assert!(
        report.starts_with("app snapshot-quota: ") && report.contains("there are 100 manual DB instance"),
        "{report}"
    );
}

#[tokio::test]
async fn a_snapshot_that_a_policy_or_a_key_refuses_is_told_once_with_the_way_out_and_no_run_fails() {
    for code in ["AccessDenied", "KMSKeyNotAccessibleFault"] {
        let script = shop(&["app", "other"], "days=30");
        script.refuse("CreateDBSnapshot", "nightshift-app", 3, 403, code);
        for _ in 0..3 {
            let told = told(&invoke(&script, json!({})).await.unwrap());
            let denied = format!("app denied: CreateDBSnapshot app: {code}: ");
            let is_told = |it: &String| it.starts_with(&denied) && it.contains("; ");
            assert!(told.iter().any(is_told), "{code}: {told:?}");
        }
        assert_eq!(script.count("CreateDBSnapshot"), 4, "{code}: the other database has its snapshot");
        let told_of_it = script.sent("Publish").iter().filter(|it| it.text("Message").contains("denied")).count();
        assert_eq!(told_of_it, 1, "{code}");
        assert!(told(&invoke(&script, json!({})).await.unwrap()).contains(&"app take-snapshot Done".into()));
    }
}

#[tokio::test]
async fn a_failed_snapshot_that_may_not_be_replaced_is_told_and_no_run_fails() {
    let script = shop(&["app"], "days=30");
    script.aws().store(&tonight("app"), "app", "2026-11-20T15:30:00Z", &[MADE_BY]).status = "failed".into();
    script.refuse("DeleteDBSnapshot", "", 1, 403, "AccessDenied");
    let told = told(&invoke(&script, json!({})).await.unwrap());
    assert!(told.iter().any(|it| it.starts_with("app denied: DeleteDBSnapshot ")), "{told:?}");
}

#[tokio::test]
async fn a_copy_that_is_refused_for_good_is_told_once_and_no_run_fails() {
    for code in ["KMSKeyNotAccessibleFault", "AccessDenied", "SnapshotQuotaExceeded"] {
        let script = shop(&["app"], "days=30 copy=us-west-2");
        script.aws().store(&tonight("app"), "app", NOW, &[MADE_BY]);
        script.refuse("CopyDBSnapshot", "", 3, 400, code);
        for _ in 0..3 {
            let report = invoke(&script, json!({"copies": {}})).await.unwrap();
            let refused = format!("{} copy-refused: ", tonight("app"));
            assert!(told(&report).iter().any(|it| it.starts_with(&refused)), "{code}: {:?}", told(&report));
        }
        assert_eq!((script.count("CopyDBSnapshot"), script.count("Publish")), (3, 1), "{code}");
        // It works again: the copy begins, and what was told is forgotten.
        invoke(&script, json!({"copies": {}})).await.unwrap();
        assert_eq!(script.aws().ids("us-west-2").len(), 1);
        assert!(!script.aws().snapshot(HOME, &tonight("app")).tags.contains_key("nightshift-state:snapshot-problem"));
    }
}

#[tokio::test]
async fn a_full_region_gets_no_copies_and_people_are_told_once() {
    let script = shop(&["app"], "days=30 copy=us-west-2");
    script.aws().store(&tonight("app"), "app", NOW, &[MADE_BY]);
    for number in 0..100 {
        script.aws().store(&format!("by-hand-{number}"), "other", NOW, &[]).region = "us-west-2".into();
    }
    script.aws().quota = 100;
    for _ in 0..2 {
        let report = invoke(&script, json!({"copies": {}})).await.unwrap();
        assert!(
            told(&report)[0]
                .starts_with("app copy-quota: no copy to us-west-2: the quota there is used up. It allows 100 manual"),
            "{report:?}"
        );
    }
    assert_eq!((script.count("CopyDBSnapshot"), script.count("Publish")), (0, 1));
}

#[tokio::test]
async fn one_refusal_stops_no_other_database() {
    let script = shop(&["a", "b", "c"], "days=30");
    script.refuse("CreateDBSnapshot", "nightshift-b-", 1, 400, "InternalFailure");
    let report: Value = serde_json::from_str(&invoke(&script, json!({})).await.unwrap_err()).unwrap();
    let outcomes: Vec<&Value> = report["actions"].as_array().unwrap().iter().map(|it| &it["outcome"]).collect();
    assert_eq!(outcomes, ["done", "failed", "done"]);
    assert_eq!(script.aws().ids(HOME), [tonight("a"), tonight("c")]);
    assert_eq!(told(&invoke(&script, json!({})).await.unwrap())[0], "b take-snapshot Done");
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out_and_a_lost_answer_is_no_failure() {
    let script = shop(&["a", "b", "c"], "days=30");
    for operation in ["DescribeDBInstances", "DescribeDBClusters", "DescribeDBSnapshots", "CreateDBSnapshot"] {
        script.refuse(operation, "", 4, 400, "Throttling");
    }
    script.lose_answers("CreateDBSnapshot", 2);
    let report = invoke(&script, json!({})).await.unwrap();
    assert_eq!((report.actions.len(), report.failed()), (3, false));
    assert_eq!(script.aws().ids(HOME).len(), 3);
}

#[tokio::test]
async fn a_copy_is_begun_once_followed_and_replaced_when_it_failed() {
    let script = shop(&["app"], "days=30 copy=us-west-2");
    script.aws().store(&tonight("app"), "app", NOW, &[MADE_BY]).status = "creating".into();
    let copied = format!("{}-{HOME}", tonight("app"));
    let copies = |script: &Script<Rds>| (script.count("CopyDBSnapshot"), script.aws().ids("us-west-2").len());
    invoke(&script, json!({})).await.unwrap();
    assert_eq!(copies(&script), (0, 0));

    script.aws().snapshot(HOME, &tonight("app")).status = "available".into();
    let available = json!({"source": "aws.rds", "detail-type": "RDS DB Snapshot Event",
        "detail": {"EventID": "RDS-EVENT-0042", "SourceIdentifier": tonight("app")}});
    let report = invoke(&script, available.clone()).await.unwrap();
    assert_eq!(told(&report), [format!("{} copy-snapshot Done", tonight("app"))]);
    let tags = script.aws().snapshot("us-west-2", &copied).tags.clone();
    assert_eq!(tags["nightshift-state:taken"], NOW);
    assert!(tags["nightshift-state:copy-of"].contains(&tonight("app")), "{tags:?}");

    script.aws().snapshot("us-west-2", &copied).progress = 40;
    let report = invoke(&script, available.clone()).await.unwrap();
    assert_eq!(told(&report), [format!("{} skipped: its copy in us-west-2 is creating, 40 %", tonight("app"))]);
    assert_eq!(copies(&script), (1, 1));

    script.aws().snapshot("us-west-2", &copied).status = "failed".into();
    invoke(&script, available).await.unwrap();
    assert_eq!((copies(&script), script.count("DeleteDBSnapshot")), ((2, 1), 1));
}

#[tokio::test]
async fn where_no_tag_asks_for_copies_looking_for_them_costs_two_calls() {
    let script = shop(&["app"], "days=30");
    script.aws().store(&tonight("app"), "app", NOW, &[MADE_BY]);
    let available = json!({"source": "aws.rds", "detail-type": "RDS DB Snapshot Event",
        "detail": {"EventID": "RDS-EVENT-0042", "SourceIdentifier": tonight("app")}});
    invoke(&script, available).await.unwrap();
    let counts = ["DescribeDBInstances", "DescribeDBClusters", "DescribeDBSnapshots", "DescribeDBClusterSnapshots"];
    assert_eq!(counts.map(|it| script.count(it)), [1, 1, 0, 0]);
    // So does the hourly look for copies that wait.
    invoke(&script, json!({"copies": {}})).await.unwrap();
    assert_eq!(counts.map(|it| script.count(it)), [2, 2, 0, 0]);
}

#[tokio::test]
async fn what_cannot_be_listed_ends_the_run_before_anything_is_taken() {
    for operation in ["DescribeDBInstances", "DescribeDBClusters", "DescribeDBSnapshots", "DescribeDBClusterSnapshots"]
    {
        let script = shop(&["app"], "days=30");
        script.refuse(operation, "", 1, 403, "AccessDenied");
        let error = invoke(&script, json!({})).await.unwrap_err();
        assert!(error.starts_with(operation), "{error}");
        assert_eq!(script.count("CreateDBSnapshot"), 0);
    }
}
