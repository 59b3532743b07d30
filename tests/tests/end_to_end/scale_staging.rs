//! Nights and days of a staging environment: what sleeps, what wakes, and what IAM keeps the function from.

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

pub const FUNCTION: &str = "nightshift-scale-staging";
const CLUSTER: &str = "codemate-dev";
const BACKEND: &str = "codemate-backend";
const DATABASE: &str = "codemate-dev-db";
const SCHEDULE: &str = "nightshift:schedule";
const ASLEEP: &str = "nightshift-state:asleep";

/// A Friday evening, five minutes later, and the Monday after.
pub const EVENING: &str = "2026-11-20T20:00:00+09:00";
const LATER: &str = "2026-11-20T20:05:00+09:00";
const NIGHT: &str = "2026-11-21T03:00:00+09:00";
const MORNING: &str = "2026-11-23T08:00:00+09:00";

/// A backend on two tasks that scales between one and four, the database that it needs, and one of each without a tag.
pub fn start() -> Result<LocalAws> {
    let aws =
        LocalAws::start(Options { parameters: vec![("TimeZone".into(), "Asia/Seoul".into())], ..Options::default() })?;
    aws.push_image(BACKEND, "v1.0.0", "backend")?;
    let image = aws.image_uri(BACKEND, ":v1.0.0");
    let hours = "mon-fri 08:00-20:00";
    aws.ecs("CreateCluster", json!({"clusterName": CLUSTER}))?;
    aws.start_service(CLUSTER, BACKEND, &image, &[(SCHEDULE, &format!("{hours} after={DATABASE}"))])?;
    aws.start_service(CLUSTER, "bare", &image, &[])?;
    aws.scaling(
        "RegisterScalableTarget",
        json!({"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount",
               "ResourceId": format!("service/{CLUSTER}/{BACKEND}"), "MinCapacity": 1, "MaxCapacity": 4}),
    )?;
    create_database(&aws, DATABASE, &[(SCHEDULE, hours), ("nightshift:backup", "days=30")])?;
    create_database(&aws, "bare-db", &[])?;
    aws.forget_calls()?;
    Ok(aws)
}

fn create_database(aws: &LocalAws, name: &str, tags: &[(&str, &str)]) -> Result<()> {
    let mut parameters = vec![
        ("DBInstanceIdentifier".to_owned(), name),
        ("DBInstanceClass".into(), "db.t4g.micro"),
        ("Engine".into(), "postgres"),
        ("AllocatedStorage".into(), "20"),
        ("MasterUsername".into(), "codemate"),
        ("MasterUserPassword".into(), "not-a-secret"),
    ];
    for (index, (key, value)) in tags.iter().enumerate() {
        parameters.push((format!("Tags.Tag.{}.Key", index + 1), key));
        parameters.push((format!("Tags.Tag.{}.Value", index + 1), value));
    }
    let parameters: Vec<(&str, &str)> = parameters.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    aws.rds("CreateDBInstance", &parameters).map(drop)
}

pub fn run(aws: &LocalAws, now: &str, payload: Value) -> Result<Value> {
    aws.set_clock(FUNCTION, now)?;
    let invocation = aws.invoke(FUNCTION, &payload)?;
    assert_eq!(invocation.error, None, "{}", invocation.payload);
    Ok(invocation.payload)
}

/// What a report says was done, as `action name`.
fn done(report: &Value) -> Vec<String> {
    let actions = report["actions"].as_array().into_iter().flatten().filter(|it| it["outcome"] == "done");
    let name = |arn: &Value| arn.as_str().unwrap_or_default().rsplit([':', '/']).next().unwrap_or_default().to_owned();
    actions.map(|it| format!("{} {}", it["action"].as_str().unwrap_or_default(), name(&it["resource"]))).collect()
}

fn desired(aws: &LocalAws, service: &str) -> Result<Value> {
    Ok(aws.service(CLUSTER, service)?["desiredCount"].clone())
}

fn tag(service: &Value, key: &str) -> Option<String> {
    let tags = service["tags"].as_array()?;
    tags.iter().find(|it| it["key"] == key)?["value"].as_str().map(str::to_owned)
}

fn target(aws: &LocalAws) -> Result<Value> {
    Ok(aws.scaling("DescribeScalableTargets", json!({"ServiceNamespace": "ecs"}))?["ScalableTargets"][0].clone())
}

fn database(aws: &LocalAws, name: &str) -> Result<String> {
    aws.rds("DescribeDBInstances", &[("DBInstanceIdentifier", name)])
}

/// Waits until the database is in this state, which takes RDS a moment.
fn becomes(aws: &LocalAws, name: &str, status: &str) -> Result<()> {
    aws.wait_until(&format!("{name} to be {status}"), || {
        Ok((LocalAws::element(&database(aws, name)?, "DBInstanceStatus")? == status).then_some(()))
    })
}

fn writes(aws: &LocalAws) -> Result<Vec<String>> {
    let own = aws.calls()?.into_iter().filter(|it| it.function.as_deref() == Some(FUNCTION));
    let reads = ["Describe", "Get", "Assume"];
    Ok(own.map(|it| it.action).filter(|it| !reads.iter().any(|read| it.starts_with(read))).collect())
}

#[test]
fn an_aurora_cluster_is_backed_up_by_the_other_function_before_it_is_stopped() -> Result<()> {
    let aws =
        LocalAws::start(Options { parameters: vec![("TimeZone".into(), "Asia/Seoul".into())], ..Options::default() })?;
    let tags = [(SCHEDULE, "mon-fri 08:00-20:00"), ("nightshift:backup", "days=30")];
    let mut parameters = vec![
        ("DBClusterIdentifier".to_owned(), "shop"),
        ("Engine".into(), "aurora-postgresql"),
        ("MasterUsername".into(), "codemate"),
        ("MasterUserPassword".into(), "not-a-secret"),
    ];
    for (index, (key, value)) in tags.iter().enumerate() {
        parameters.push((format!("Tags.Tag.{}.Key", index + 1), key));
        parameters.push((format!("Tags.Tag.{}.Value", index + 1), value));
    }
    let parameters: Vec<(&str, &str)> = parameters.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    aws.rds("CreateDBCluster", &parameters)?;
    let status = |name: &str, answer: String| LocalAws::element(&answer, name).map(str::to_owned);
    let cluster = || status("Status", aws.rds("DescribeDBClusters", &[("DBClusterIdentifier", "shop")])?);
    aws.set_clock("nightshift-snapshot-databases", EVENING)?;
    let evening = run(&aws, EVENING, json!({}))?;
    // It asks for the snapshot, and tells once which windows the cluster sleeps through.
    assert_eq!(done(&evening), ["remember shop", "remember shop"], "{evening}");
    assert_eq!(cluster()?, "available");
    let id = [("DBClusterSnapshotIdentifier", "nightshift-shop-2026-11-20-200000")];
    aws.wait_until("the snapshot to be there", || {
        let answer = aws.rds("DescribeDBClusterSnapshots", &id);
        Ok(answer.ok().filter(|it| it.contains("<Status>available</Status>")))
    })?;
    let later = run(&aws, LATER, json!({}))?;
    assert_eq!(done(&later), ["sleep shop"], "{later}");
    assert!(["stopping", "stopped"].contains(&cluster()?.as_str()));
    Ok(())
}

#[test]
fn a_weekend_ends_as_it_began() -> Result<()> {
    let aws = start()?;
    let evening = run(&aws, EVENING, json!({}))?;
    // The windows of the database lie in its sleep, which is told once.
    assert_eq!(done(&evening), ["sleep codemate-backend", "remember codemate-dev-db"], "{evening}");
    let backend = aws.service(CLUSTER, BACKEND)?;
    assert_eq!(backend["desiredCount"], 0);
    let memory = "since=2026-11-20T11:00:00Z desired=2 min=1 max=4 by=schedule";
    assert!(
        tag(&backend, ASLEEP).is_some_and(|it| it.starts_with(&format!("{memory} of="))),
        "{:?}",
        tag(&backend, ASLEEP)
    );
    let lowered = target(&aws)?;
    assert_eq!(
        (&lowered["MinCapacity"], &lowered["SuspendedState"]["DynamicScalingOutSuspended"]),
        (&json!(0), &json!(true))
    );
    // The database goes down once the tasks that need it have ended, with a snapshot that says what it is.
    assert_eq!(done(&run(&aws, LATER, json!({}))?), [format!("sleep {DATABASE}")]);
    becomes(&aws, DATABASE, "stopped")?;
    let snapshots =
        aws.rds("DescribeDBSnapshots", &[("DBSnapshotIdentifier", "nightshift-codemate-dev-db-2026-11-20-200500")])?;
    let made_by = "scale-staging nightshift-codemate-dev-db-2026-11-20-200500 ";
    for (key, value) in [("made-by", made_by), ("database", DATABASE), ("backup", "days=30")] {
        let tag = format!("<Key>nightshift-state:{key}</Key><Value>{value}");
        assert!(snapshots.contains(&tag), "{tag} in {snapshots}");
    }
    // The night: nothing but looking.
    aws.forget_calls()?;
    let night = run(&aws, NIGHT, json!({}))?;
    assert_eq!((&night["actions"], &night["problems"]), (&json!([]), &json!([])), "{night}");
    assert_eq!(writes(&aws)?, Vec::<String>::new());

    assert_eq!(done(&run(&aws, MORNING, json!({}))?), [format!("wake {DATABASE}")]);
    becomes(&aws, DATABASE, "available")?;
    let woken = run(&aws, MORNING, json!({}))?;
    assert_eq!(done(&woken), [format!("wake {BACKEND}"), format!("remember {DATABASE}")], "{woken}");
    let backend = aws.service(CLUSTER, BACKEND)?;
    assert_eq!((&backend["desiredCount"], tag(&backend, ASLEEP)), (&json!(2), None));
    let restored = target(&aws)?;
    assert_eq!(
        (&restored["MinCapacity"], &restored["SuspendedState"]["DynamicScalingOutSuspended"]),
        (&json!(1), &json!(false))
    );
    // All that stays is what was told of its windows.
    assert!(!database(&aws, DATABASE)?.replace("nightshift-state:windows", "").contains("nightshift-state:"));
    // What carries no tag was never touched.
    assert_eq!(desired(&aws, "bare")?, 2);
    assert_eq!(LocalAws::element(&database(&aws, "bare-db")?, "DBInstanceStatus")?, "available");
    Ok(())
}

#[test]
fn a_person_wakes_it_and_starts_a_database_by_hand_and_aws_starts_one() -> Result<()> {
    let aws = start()?;
    run(&aws, EVENING, json!({}))?;
    run(&aws, LATER, json!({}))?;
    becomes(&aws, DATABASE, "stopped")?;
    // A word about the service is enough to have its database too.
    let arn = aws.service(CLUSTER, BACKEND)?["serviceArn"].clone();
    let wake = json!({"wake": {"resource": arn, "until": "23:00"}});
    run(&aws, "2026-11-20T21:00:00+09:00", wake.clone())?;
    becomes(&aws, DATABASE, "available")?;
    assert_eq!(done(&run(&aws, "2026-11-20T21:05:00+09:00", json!({}))?)[0], format!("wake {BACKEND}"));
    run(&aws, "2026-11-20T23:00:00+09:00", json!({}))?;
    assert_eq!(desired(&aws, BACKEND)?, 0);
    run(&aws, "2026-11-20T23:05:00+09:00", json!({}))?;
    becomes(&aws, DATABASE, "stopped")?;

    // AWS starts the database: it is stopped again.
    aws.start_after_seven_days(DATABASE)?;
    let stopped = run(&aws, "2026-11-21T12:00:00+09:00", json!({}))?;
    assert_eq!(done(&stopped), [format!("sleep {DATABASE}")], "{stopped}");
    becomes(&aws, DATABASE, "stopped")?;
    // A person starts it: it stays up.
    aws.rds("StartDBInstance", &[("DBInstanceIdentifier", DATABASE)])?;
    becomes(&aws, DATABASE, "available")?;
    let left = run(&aws, "2026-11-21T13:00:00+09:00", json!({}))?;
    assert_eq!(done(&left), [format!("remember {DATABASE}")], "{left}");
    assert!(database(&aws, DATABASE)?.contains("<Value>2026-11-22T23:00:00Z</Value>"));
    assert_eq!(LocalAws::element(&database(&aws, DATABASE)?, "DBInstanceStatus")?, "available");
    Ok(())
}

#[test]
fn a_call_that_fails_is_made_up_for_and_overlapping_runs_do_no_harm() -> Result<()> {
    let aws = start()?;
    aws.fail_calls("ecs", "UpdateService", 1, "AccessDeniedException")?;
    aws.set_clock(FUNCTION, EVENING)?;
    // What a policy refuses is told once, instead of failing the run at each tick.
    let denied = aws.invoke(FUNCTION, &json!({}))?;
    assert_eq!(denied.error, None, "{}", denied.payload);
    assert_eq!(denied.payload["problems"][0]["problem"], "denied", "{}", denied.payload);
    assert_eq!(desired(&aws, BACKEND)?, 2);
    aws.set_clock(FUNCTION, LATER)?;
    std::thread::scope(|scope| {
        let runs = [(); 2].map(|()| scope.spawn(|| aws.invoke(FUNCTION, &json!({}))));
        runs.into_iter().try_for_each(|it| it.join().expect("no panic").map(drop))
    })?;
    let backend = aws.service(CLUSTER, BACKEND)?;
    assert_eq!(backend["desiredCount"], 0);
    let memory = "since=2026-11-20T11:00:00Z desired=2 min=1 max=4 by=schedule";
    assert!(
        tag(&backend, ASLEEP).is_some_and(|it| it.starts_with(&format!("{memory} of="))),
        "{:?}",
        tag(&backend, ASLEEP)
    );
    Ok(())
}

#[test]
fn a_late_index_and_throttling_only_delay() -> Result<()> {
    let aws = start()?;
    // The index does not list what is new, and still lists what has lost its tag.
    aws.freeze("tag-index", None)?;
    let arn = aws.service(CLUSTER, BACKEND)?["serviceArn"].clone();
    aws.start_service(CLUSTER, "new", &aws.image_uri(BACKEND, ":v1.0.0"), &[(SCHEDULE, "mon-fri 08:00-20:00")])?;
    aws.ecs("UntagResource", json!({"resourceArn": arn, "tagKeys": [SCHEDULE]}))?;
    let evening = run(&aws, EVENING, json!({}))?;
    assert!(!evening["actions"].to_string().contains(":service/"), "{evening}");
    assert_eq!((desired(&aws, BACKEND)?, desired(&aws, "new")?), (json!(2), json!(2)));
    aws.thaw()?;
    let tag = json!([{"key": SCHEDULE, "value": "mon-fri 08:00-20:00"}]);
    aws.ecs("TagResource", json!({"resourceArn": arn, "tags": tag}))?;
    // One UpdateService, and the second not before the bucket has filled: it is repeated until then.
    aws.throttle("ecs", "UpdateService", 1, 0.25)?;
    aws.forget_calls()?;
    run(&aws, LATER, json!({}))?;
    let refused = aws.calls()?.into_iter().filter(|it| it.action == "UpdateService" && it.status == 400).count();
    assert!(refused > 0, "nothing was throttled");
    assert_eq!((desired(&aws, BACKEND)?, desired(&aws, "new")?), (json!(0), json!(0)));
    assert_eq!(desired(&aws, "bare")?, 2);
    Ok(())
}

#[test]
fn iam_refuses_to_touch_what_lost_its_tag() -> Result<()> {
    let aws = start()?;
    // The tag goes after the function has seen it and before its first change, the memory on the service, reaches AWS.
    let slow = json!([{"service": "ecs", "action": "TagResource", "times": 1, "delay_seconds": 2}]);
    aws.control("POST", "faults", Some(slow))?;
    aws.set_clock(FUNCTION, EVENING)?;
    let arn = aws.service(CLUSTER, BACKEND)?["serviceArn"].clone();
    aws.forget_calls()?;
    let answer = std::thread::scope(|scope| {
        let running = scope.spawn(|| aws.invoke(FUNCTION, &json!({})));
        aws.wait_until("the function to have read the service", || {
            let calls = aws.calls()?;
            Ok(calls.iter().any(|it| it.function.is_some() && it.action == "DescribeServices").then_some(()))
        })?;
        aws.ecs("UntagResource", json!({"resourceArn": arn, "tagKeys": [SCHEDULE]}))?;
        running.join().expect("the invocation does not panic")
    })?;
    assert_eq!(answer.error, None, "{}", answer.payload);
    let told = answer.payload["problems"].to_string();
    assert!(told.contains("\"denied\"") && told.contains("AccessDenied"), "{}", answer.payload);
    assert_eq!(desired(&aws, BACKEND)?, 2);
    Ok(())
}
