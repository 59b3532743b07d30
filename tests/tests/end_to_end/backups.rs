//! The nights of a shop's databases: snapshots, pruning, and what stays whatever happens.

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

const SNAPSHOT: &str = "nightshift-snapshot-databases";
const PRUNE: &str = "nightshift-prune-backups";

fn start() -> Result<LocalAws> {
    let aws =
        LocalAws::start(Options { parameters: vec![("TimeZone".into(), "Asia/Seoul".into())], ..Options::default() })?;
    create_database(&aws, "kfood-db", &[("nightshift:backup", "daily=2"), ("team", "food")])?;
    create_database(&aws, "bare-db", &[])?;
    aws.forget_calls()?;
    Ok(aws)
}

fn create_database(aws: &LocalAws, name: &str, tags: &[(&str, &str)]) -> Result<()> {
    let mut parameters = vec![
        ("DBInstanceIdentifier", name.to_owned()),
        ("DBInstanceClass", "db.t3.medium".into()),
        ("Engine", "postgres".into()),
        ("AllocatedStorage", "20".into()),
        ("MasterUsername", "kfood".into()),
        ("MasterUserPassword", "not-a-secret".into()),
    ];
    let keys: Vec<(String, String)> =
        (1..=tags.len()).map(|it| (format!("Tags.Tag.{it}.Key"), format!("Tags.Tag.{it}.Value"))).collect();
    for ((key, value), (tag, text)) in keys.iter().zip(tags) {
        parameters.extend([(key.as_str(), tag.to_string()), (value.as_str(), text.to_string())]);
    }
    let parameters: Vec<(&str, &str)> = parameters.iter().map(|(key, value)| (*key, value.as_str())).collect();
    aws.rds("CreateDBInstance", &parameters).map(drop)
}

/// A snapshot as an earlier night would have left it: made by the function, some days ago.
fn earlier(aws: &LocalAws, date: &str, more: &[(&str, &str)]) -> Result<String> {
    let id = format!("nightshift-kfood-db-{date}");
    snapshot(aws, &id, &[&[("nightshift-state:made-by", "snapshot-databases")], more].concat())?;
    aws.change_snapshot(&id, &format!("{date}T18:00:00Z"), "available")?;
    Ok(id)
}

fn snapshot(aws: &LocalAws, id: &str, tags: &[(&str, &str)]) -> Result<()> {
    let keys: Vec<(String, String)> =
        (1..=tags.len()).map(|it| (format!("Tags.Tag.{it}.Key"), format!("Tags.Tag.{it}.Value"))).collect();
    let mut parameters = vec![("DBInstanceIdentifier", "kfood-db"), ("DBSnapshotIdentifier", id)];
    for ((key, value), (tag, text)) in keys.iter().zip(tags) {
        parameters.extend([(key.as_str(), *tag), (value.as_str(), *text)]);
    }
    aws.rds("CreateDBSnapshot", &parameters).map(drop)
}

/// The ids of all snapshots, sorted.
fn snapshots(aws: &LocalAws) -> Result<Vec<String>> {
    let xml = aws.rds("DescribeDBSnapshots", &[])?;
    let ids = xml.split("<DBSnapshotIdentifier>").skip(1).filter_map(|it| it.split('<').next()).map(str::to_owned);
    let mut ids: Vec<String> = ids.collect();
    ids.sort();
    Ok(ids)
}

fn run(aws: &LocalAws, function: &str) -> Result<Value> {
    let invocation = aws.invoke(function, &json!({}))?;
    assert_eq!(invocation.error, None, "{}", invocation.payload);
    Ok(invocation.payload)
}

/// What a report says was done, as `action resource-name`.
fn done(report: &Value) -> Vec<String> {
    let actions = report["actions"].as_array().into_iter().flatten().filter(|it| it["outcome"] == "done");
    let name = |arn: &Value| arn.as_str().unwrap_or_default().rsplit(':').next().unwrap_or_default().to_owned();
    actions.map(|it| format!("{} {}", it["action"].as_str().unwrap_or_default(), name(&it["resource"]))).collect()
}

fn writes(aws: &LocalAws, function: &str) -> Result<Vec<String>> {
    let own = aws.calls()?.into_iter().filter(|it| it.function.as_deref() == Some(function));
    let reads = ["Describe", "List", "Get", "Assume"];
    Ok(own.map(|it| it.action).filter(|it| !reads.iter().any(|read| it.starts_with(read))).collect())
}

#[test]
fn a_night_takes_one_snapshot_of_each_tagged_database_however_often_it_runs() -> Result<()> {
    let aws = start()?;
    assert_eq!(done(&run(&aws, SNAPSHOT)?), ["take-snapshot kfood-db"]);
    let taken = snapshots(&aws)?;
    assert_eq!(taken.len(), 1);
    assert!(taken[0].starts_with("nightshift-kfood-db-20"), "{taken:?}");
    let xml = aws.rds("DescribeDBSnapshots", &[("DBSnapshotIdentifier", taken[0].as_str())])?;
    let made_by = format!("snapshot-databases {} ap-northeast-2", taken[0]);
    for tag in [
        format!("<Key>nightshift-state:made-by</Key><Value>{made_by}</Value>").as_str(),
        "<Key>nightshift-state:database</Key><Value>kfood-db</Value>",
        "<Key>nightshift-state:backup</Key><Value>daily=2</Value>",
        "<Key>team</Key><Value>food</Value>",
    ] {
        assert!(xml.contains(tag), "{tag} in {xml}");
    }
    assert!(!xml.contains("nightshift:backup"), "{xml}");

    // The catch-up runs of the night: nothing but looking.
    aws.forget_calls()?;
    for _ in 0..2 {
        let report = run(&aws, SNAPSHOT)?;
        assert_eq!((&report["actions"], &report["problems"]), (&json!([]), &json!([])), "{report}");
    }
    assert_eq!(writes(&aws, SNAPSHOT)?, Vec::<String>::new());
    assert_eq!(snapshots(&aws)?, taken);

    // It failed after all: it is taken anew, and nobody counts it as a backup meanwhile.
    aws.change_snapshot(&taken[0], "2026-01-01T00:00:00Z", "failed")?;
    assert_eq!(done(&run(&aws, SNAPSHOT)?), ["take-snapshot kfood-db"]);
    assert_eq!(snapshots(&aws)?, taken);
    Ok(())
}

#[test]
fn pruning_deletes_what_the_rule_drops_and_nothing_that_is_not_its_own() -> Result<()> {
    let aws = start()?;
    run(&aws, SNAPSHOT)?;
    let tonight = snapshots(&aws)?;
    let kept = earlier(&aws, "2026-01-04", &[])?;
    let dropped = earlier(&aws, "2026-01-03", &[])?;
    let wanted = earlier(&aws, "2026-01-02", &[("nightshift:keep", "audit")])?;
    let shared = earlier(&aws, "2026-01-01", &[])?;
    let share = [
        ("DBSnapshotIdentifier", shared.as_str()),
        ("AttributeName", "restore"),
        ("ValuesToAdd.AttributeValue.1", "210987654321"),
    ];
    aws.rds("ModifyDBSnapshotAttribute", &share)?;
    snapshot(&aws, "before-the-migration", &[])?;
    snapshot(&aws, "nightshift-kfood-db-by-hand", &[])?;

    let planned = aws.invoke(PRUNE, &json!({"dry_run": true}))?.payload;
    assert_eq!(planned["actions"].as_array().map(Vec::len), Some(1), "{planned}");
    assert_eq!(snapshots(&aws)?.len(), 7);

    let report = run(&aws, PRUNE)?;
    assert_eq!(done(&report), [format!("delete-snapshot {dropped}")]);
    assert_eq!(report["actions"][0]["reason"], "not kept by daily=2");
    let reasons = report["skipped"].to_string();
    for reason in [
        "newest good snapshot of kfood-db",
        "daily 2026-01-05",
        "it has the tag nightshift:keep",
        "it is shared with 210987654321",
    ] {
        assert!(reasons.contains(reason), "{reason} in {reasons}");
    }
    let mut rest = vec![
        tonight[0].clone(),
        kept,
        wanted,
        shared,
        "before-the-migration".into(),
        "nightshift-kfood-db-by-hand".into(),
    ];
    rest.sort();
    assert_eq!(snapshots(&aws)?, rest);

    // Once more, and at the same time as the snapshots: nothing is left to do.
    aws.forget_calls()?;
    assert_eq!(done(&run(&aws, PRUNE)?), Vec::<String>::new());
    assert_eq!(writes(&aws, PRUNE)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn while_backups_fail_nothing_is_deleted_and_people_are_told() -> Result<()> {
    let aws = start()?;
    for date in ["2026-01-01", "2026-01-02", "2026-01-03"] {
        earlier(&aws, date, &[])?;
    }
    let before = snapshots(&aws)?;
    let report = run(&aws, PRUNE)?;
    assert_eq!(
        (&report["actions"], &report["problems"][0]["problem"]),
        (&json!([]), &json!("backups-failing")),
        "{report}"
    );
    assert_eq!(snapshots(&aws)?, before);
    let told = aws.wait_until("the message", || Ok(aws.messages()?.pop()))?;
    assert!(told.subject.as_deref().is_some_and(|it| it.starts_with("[Nightshift] kfood-db: ")), "{told:?}");
    // It is told once.
    aws.forget_calls()?;
    run(&aws, PRUNE)?;
    assert_eq!(writes(&aws, PRUNE)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn iam_refuses_to_delete_what_lost_the_tag_of_its_maker() -> Result<()> {
    let aws = start()?;
    run(&aws, SNAPSHOT)?;
    earlier(&aws, "2026-01-02", &[])?;
    let dropped = earlier(&aws, "2026-01-01", &[])?;
    // The tag goes after the function has seen it and before it acts.
    let slow = json!([{"service": "rds", "action": "DescribeDBSnapshotAttributes", "times": 1, "delay_seconds": 2}]);
    aws.control("POST", "faults", Some(slow))?;
    aws.forget_calls()?;
    let function = std::thread::scope(|scope| {
        let running = scope.spawn(|| aws.invoke(PRUNE, &json!({})));
        aws.wait_until("the function to have listed everything", || {
            let seen: Vec<String> =
                aws.calls()?.into_iter().filter(|it| it.function.is_some()).map(|it| it.action).collect();
            let all =
                ["DescribeDBSnapshots", "DescribeDBClusterSnapshots", "DescribeDBInstances", "DescribeDBClusters"];
            Ok(all.iter().all(|it| seen.iter().any(|seen| seen == it)).then_some(()))
        })?;
        let arn = format!("arn:aws:rds:ap-northeast-2:123456789012:snapshot:{dropped}");
        aws.rds("RemoveTagsFromResource", &[("ResourceName", &arn), ("TagKeys.member.1", "nightshift-state:made-by")])?;
        running.join().expect("the invocation does not panic")
    })?;
    assert_eq!(function.error, None, "{}", function.payload);
    let told = function.payload["problems"].to_string();
    assert!(told.contains("\"denied\"") && told.contains("AccessDenied") && told.contains(&dropped), "{told}");
    assert!(snapshots(&aws)?.contains(&dropped));
    Ok(())
}

/// A snapshot is authorised on its database too: the tag goes after the function has read it and before it acts.
#[test]
fn iam_refuses_a_snapshot_of_a_database_that_lost_its_tag() -> Result<()> {
    let aws = start()?;
    let slow = json!([{"service": "rds", "action": "DescribeDBSnapshots", "times": 1, "delay_seconds": 2}]);
    aws.control("POST", "faults", Some(slow))?;
    aws.forget_calls()?;
    let answer = std::thread::scope(|scope| {
        let running = scope.spawn(|| aws.invoke(SNAPSHOT, &json!({})));
        aws.wait_until("the function to have read the databases", || {
            let calls = aws.calls()?;
            Ok(calls.iter().any(|it| it.function.is_some() && it.action == "DescribeDBInstances").then_some(()))
        })?;
        let database = "arn:aws:rds:ap-northeast-2:123456789012:db:kfood-db";
        aws.rds("RemoveTagsFromResource", &[("ResourceName", database), ("TagKeys.member.1", "nightshift:backup")])?;
        running.join().expect("the invocation does not panic")
    })?;
    assert!(answer.payload.to_string().contains("AccessDenied"), "{}", answer.payload);
    assert_eq!(snapshots(&aws)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn images_that_nobody_uses_go_and_what_runs_stays() -> Result<()> {
    const REPOSITORY: &str = "arn:aws:ecr:ap-northeast-2:123456789012:repository/kfood-backend";
    let aws = start()?;
    aws.ecs("CreateCluster", json!({"clusterName": "kfood-cluster"}))?;
    for version in 1..=4 {
        aws.push_image("kfood-backend", &format!("v{version}"), &format!("kfood {version}"))?;
        aws.push_image("bare", &format!("v{version}"), &format!("bare {version}"))?;
    }
    aws.start_service("kfood-cluster", "kfood-backend", &aws.image_uri("kfood-backend", ":v1"), &[])?;
    let tags = json!([{"Key": "nightshift:keep-images", "Value": "count=2"}]);
    aws.ecr("TagResource", json!({"resourceArn": REPOSITORY, "tags": tags}))?;
    let report = run(&aws, PRUNE)?;
    assert_eq!(done(&report), ["delete-images repository/kfood-backend"], "{report}");
    assert_eq!(report["actions"][0]["before"], "v2");
    let left = |repository: &str| -> Result<Vec<String>> {
        let images = aws.ecr("DescribeImages", json!({"repositoryName": repository}))?;
        let tags = images["imageDetails"].as_array().into_iter().flatten();
        Ok(tags.map(|it| it["imageTags"][0].as_str().unwrap_or_default().to_owned()).collect())
    };
    assert_eq!(left("kfood-backend")?, ["v1", "v3", "v4"]);
    assert_eq!(left("bare")?.len(), 4);

    // Once more: nothing is left to do.
    aws.forget_calls()?;
    assert_eq!(done(&run(&aws, PRUNE)?), Vec::<String>::new());
    assert_eq!(writes(&aws, PRUNE)?, Vec::<String>::new());
    Ok(())
}
