//! Snapshots of databases: pages, throttling, refusals, odd states, answers that get lost.

use serde_json::{Value, json};
use testkit::scripted::{HOME, Script};

use crate::aws::{Aws, DEFAULT_KEY};
use crate::{invoke, invoke_with, told};

const MADE_BY: (&str, &str) = ("nightshift-state:made-by", "snapshot-databases");
const BACKUP: (&str, &str) = ("nightshift:backup", "daily=2");

/// The DB instance `app` with a good snapshot of each of the last days.
fn shop(nights: usize) -> Script<Aws> {
    let mut aws = Aws::default();
    aws.rds.serve("app", &[BACKUP]);
    let newest: jiff::Timestamp = "2026-11-20T18:00:00Z".parse().unwrap();
    for night in 0..nights {
        let taken = newest - jiff::SignedDuration::from_hours(24 * night as i64);
        aws.rds.store(&format!("nightshift-app-{night:04}"), "app", &taken.to_string(), &[MADE_BY]);
    }
    Script::new(aws)
}

fn left(script: &Script<Aws>) -> Vec<String> {
    script.aws().rds.ids(HOME)
}

#[tokio::test(start_paused = true)]
async fn every_page_is_read_and_each_deletion_is_asked_about_once() {
    let script = shop(250);
    for number in 0..130 {
        script.aws().rds.serve(&format!("other-{number}"), &[]);
    }
    let report = invoke(&script).await.unwrap();
    assert_eq!(report.actions.len(), 248);
    assert_eq!(left(&script), ["nightshift-app-0000", "nightshift-app-0001"]);
    let counts =
        ["DescribeDBSnapshots", "DescribeDBInstances", "DescribeDBSnapshotAttributes", "DeleteDBSnapshot", "Publish"];
    assert_eq!(counts.map(|it| script.count(it)), [3, 2, 248, 248, 0]);
    // Where nothing is shared nothing has to be asked.
    let script = shop(250);
    invoke_with(&script, json!({}), &[("NIGHTSHIFT_KEEP_SHARED", "false")]).await.unwrap();
    assert_eq!(counts.map(|it| script.count(it)), [3, 1, 0, 248, 0]);
}

/// What is encrypted with the default key of RDS cannot be shared, so that one question about the key answers for all.
#[tokio::test(start_paused = true)]
async fn a_thousand_snapshots_with_the_default_key_are_pruned_without_a_question_for_each() {
    let script = shop(1000);
    script.aws().rds.snapshots.iter_mut().for_each(|it| it.key = Some(DEFAULT_KEY.into()));
    invoke_with(&script, json!({}), &[("NIGHTSHIFT_MAX_CHANGES", "1000")]).await.unwrap();
    assert_eq!(left(&script), ["nightshift-app-0000", "nightshift-app-0001"]);
    let counts = ["DescribeKey", "DescribeDBSnapshotAttributes", "DeleteDBSnapshot"];
    assert_eq!(counts.map(|it| script.count(it)), [1, 0, 998]);
    // Ten pages of snapshots, one of databases, of clusters and of their snapshots, and the search for repositories.
    assert_eq!(script.all_calls().len() - 998, 15);
}

#[tokio::test]
async fn what_has_another_key_or_none_is_asked_about_and_kept_if_it_is_shared() {
    let other = "arn:aws:kms:ap-northeast-2:123456789012:key/shop";
    let elsewhere = "arn:aws:kms:us-west-2:123456789012:key/default";
    let script = shop(9);
    for (night, key) in [(2, other), (3, other), (4, DEFAULT_KEY), (5, DEFAULT_KEY), (6, elsewhere), (7, elsewhere)] {
        let rds = &mut script.aws().rds;
        let snapshot = rds.snapshot(HOME, &format!("nightshift-app-{night:04}"));
        snapshot.key = Some(key.into());
        // RDS never shares those with the default key; that they stay unasked is what this holds.
        snapshot.shared_with = vec!["210987654321".into()];
    }
    invoke(&script).await.unwrap();
    assert_eq!(left(&script), [0, 1, 2, 3, 6, 7].map(|it| format!("nightshift-app-{it:04}")));
    assert_eq!((script.count("DescribeKey"), script.count("DescribeDBSnapshotAttributes")), (2, 5));
    // Where KMS does not answer, RDS is asked.
    let script = shop(4);
    script.aws().rds.snapshots.iter_mut().for_each(|it| it.key = Some(DEFAULT_KEY.into()));
    script.refuse("DescribeKey", "", 9, 400, "AccessDeniedException");
    invoke(&script).await.unwrap();
    assert_eq!((left(&script).len(), script.count("DescribeDBSnapshotAttributes")), (2, 2));
}

#[tokio::test]
async fn what_is_creating_failed_shared_or_a_persons_is_not_deleted() {
    let script = shop(8);
    {
        let rds = &mut script.aws().rds;
        rds.snapshot(HOME, "nightshift-app-0000").status = "creating".into();
        rds.snapshot(HOME, "nightshift-app-0000").created_at = None;
        rds.snapshot(HOME, "nightshift-app-0001").status = "failed".into();
        rds.snapshot(HOME, "nightshift-app-0004").shared_with = vec!["210987654321".into()];
        rds.snapshot(HOME, "nightshift-app-0005").tags.clear();
        rds.snapshot(HOME, "nightshift-app-0006").tags.insert("nightshift:keep".into(), "audit".into());
    }
    let report = invoke(&script).await.unwrap();
    assert_eq!(told(&report), ["nightshift-app-0007 delete-snapshot Done", "nightshift-app-0001 delete-snapshot Done"]);
    assert_eq!(left(&script), [0, 2, 3, 4, 5, 6].map(|it| format!("nightshift-app-{it:04}")));
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out_everywhere() {
    let script = shop(12);
    for operation in [
        "DescribeDBSnapshots",
        "DescribeDBInstances",
        "DescribeDBSnapshotAttributes",
        "DeleteDBSnapshot",
        "DescribeDBClusters",
    ] {
        script.refuse(operation, "", 5, 400, "Throttling");
    }
    let report = invoke(&script).await.unwrap();
    assert_eq!((report.actions.len(), left(&script).len()), (10, 2));
}

#[tokio::test(start_paused = true)]
async fn answers_lost_after_the_deletion_are_no_failure() {
    let script = shop(12);
    script.lose_answers("DeleteDBSnapshot", 3);
    let report = invoke(&script).await.unwrap();
    assert_eq!((report.actions.len(), left(&script).len(), report.failed()), (10, 2, false));
    assert_eq!(script.count("DeleteDBSnapshot"), 13);
}

#[tokio::test]
async fn one_that_a_policy_refuses_stops_no_other_and_is_told_once_with_the_way_out() {
    let script = shop(6);
    script.refuse("DeleteDBSnapshot", "nightshift-app-0004", 2, 403, "AccessDenied");
    for _ in 0..2 {
        let report = invoke(&script).await.unwrap();
        let problem = "nightshift-app-0004 denied: DeleteDBSnapshot nightshift-app-0004: AccessDenied: refused by the \
                       script; a policy forbids the call: ";
        assert!(told(&report).last().unwrap().starts_with(problem), "{:?}", told(&report));
        assert_eq!(left(&script), [0, 1, 4].map(|it| format!("nightshift-app-{it:04}")));
    }
    assert_eq!(script.sent("Publish").iter().filter(|it| it.text("Message").contains("denied")).count(), 1);
    invoke(&script).await.unwrap();
    assert_eq!(left(&script).len(), 2);
}

#[tokio::test]
async fn one_whose_state_has_changed_since_it_was_listed_is_told_once_and_fails_no_run() {
    let script = shop(6);
    script.refuse("DeleteDBSnapshot", "nightshift-app-0004", 2, 400, "InvalidDBSnapshotState");
    for _ in 0..2 {
        let report = invoke(&script).await.unwrap();
        let problem = "nightshift-app-0004 busy-snapshot: DeleteDBSnapshot nightshift-app-0004: InvalidDBSnapshotState: \
                       refused by the script; it was not in a state in which RDS deletes it; the next run tries again";
        assert_eq!(told(&report).last().unwrap(), problem);
        assert_eq!(left(&script), [0, 1, 4].map(|it| format!("nightshift-app-{it:04}")));
    }
    assert_eq!(script.sent("Publish").iter().filter(|it| it.text("Message").contains("busy-snapshot")).count(), 1);
    invoke(&script).await.unwrap();
    assert_eq!(left(&script).len(), 2);
}

#[tokio::test]
async fn one_that_is_refused_for_another_reason_stops_no_other_and_fails_the_run() {
    let script = shop(6);
    script.refuse("DeleteDBSnapshot", "nightshift-app-0004", 2, 400, "InvalidParameterValue");
    for _ in 0..2 {
        let report: Value = serde_json::from_str(&invoke(&script).await.unwrap_err()).unwrap();
        let failed = report["actions"].as_array().unwrap().iter().find(|it| it["outcome"] == "failed").unwrap();
        let message = "DeleteDBSnapshot nightshift-app-0004: InvalidParameterValue: refused by the script";
        assert_eq!(failed["error"]["message"], message);
        assert_eq!(left(&script), [0, 1, 4].map(|it| format!("nightshift-app-{it:04}")));
    }
    // That it failed, once.
    assert_eq!(script.count("Publish"), 1);
    invoke(&script).await.unwrap();
    assert_eq!(left(&script).len(), 2);
}

#[tokio::test]
async fn what_cannot_be_told_to_be_unshared_stays() {
    let script = shop(4);
    script.refuse("DescribeDBSnapshotAttributes", "nightshift-app-0002", 1, 403, "AccessDenied");
    let report = invoke(&script).await.unwrap();
    let told = told(&report);
    assert_eq!(told[0], "nightshift-app-0003 delete-snapshot Done");
    let problem = "sharing of snapshots unreadable-sharing: it cannot be told which snapshots are shared with other accounts, so those stay: DescribeDBSnapshotAttributes nightshift-app-0002: AccessDenied";
    assert!(told[1].starts_with(problem), "{told:?}");
    assert!(left(&script).contains(&"nightshift-app-0002".to_owned()));
}

#[tokio::test]
async fn a_listing_that_is_denied_ends_the_run_before_anything_is_deleted() {
    for operation in ["DescribeDBInstances", "DescribeDBClusters", "DescribeDBSnapshots", "DescribeDBClusterSnapshots"]
    {
        let script = shop(4);
        script.refuse(operation, "", 1, 403, "AccessDenied");
        let error = invoke(&script).await.unwrap_err();
        assert!(error.starts_with(operation), "{error}");
        assert_eq!((left(&script).len(), script.count("DeleteDBSnapshot")), (4, 0));
    }
}

#[tokio::test]
async fn copies_are_pruned_in_their_region_and_one_that_is_moving_keeps_its_original() {
    let script = shop(5);
    {
        let rds = &mut script.aws().rds;
        rds.database("app").tags.insert(BACKUP.0.into(), "daily=2 copy=us-west-2".into());
        let mut copies: Vec<_> = rds.snapshots.clone();
        for copy in &mut copies {
            let original = format!("arn:aws:rds:{HOME}:123456789012:snapshot:{}", copy.id);
            copy.tags.insert("nightshift-state:copy-of".into(), original);
            copy.id = format!("{}-{HOME}", copy.id);
            copy.region = "us-west-2".into();
            copy.tags.insert("nightshift-state:taken".into(), copy.created_at.clone().unwrap());
            copy.created_at = Some("2026-11-20T20:00:00Z".into());
        }
        copies[3].status = "creating".into();
        rds.snapshots.extend(copies);
    }
    let more = [("NIGHTSHIFT_COPY_REGIONS", "us-west-2")];
    invoke_with(&script, json!({}), &more).await.unwrap();
    let expected = [0, 1, 3].map(|it| format!("nightshift-app-{it:04}"));
    let copies = expected.clone().map(|it| format!("{it}-{HOME}"));
    assert_eq!((left(&script), script.aws().rds.ids("us-west-2")), (expected.to_vec(), copies.to_vec()));
    // A region that cannot be read is told and keeps no other from being pruned.
    let script = shop(3);
    script.aws().rds.page = 100;
    let report = invoke_with(&script, json!({}), &[("NIGHTSHIFT_COPY_REGIONS", "us-west-2")]).await.unwrap();
    assert_eq!(told(&report), ["nightshift-app-0002 delete-snapshot Done"]);
}
