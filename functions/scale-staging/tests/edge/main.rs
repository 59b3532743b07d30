//! The whole function from payload to report, with the real SDK on a scripted AWS: pages, faults, odd states, bytes.

#![recursion_limit = "256"]

mod aws;
mod by_others;
mod databases;
mod jobs;
mod machines;

use aws::{ASLEEP, SCHEDULE, Script, service_arn};
use reconcile::Report;
use serde_json::{Value, json};

const HOURS: &str = "mon-fri 08:00-20:00";
/// A Friday evening and the Monday after.
const EVENING: &str = "2026-11-20T20:00";
const NIGHT: &str = "2026-11-21T03:00";
const MORNING: &str = "2026-11-23T08:00";

/// Actions with their outcomes, then problems, each with the resource's short name.
fn told(report: &Report) -> Vec<String> {
    let short = |it: &str| it.rsplit(['/', ':']).next().unwrap().to_owned();
    let mut lines: Vec<String> =
        report.actions.iter().map(|it| format!("{} {} {:?}", short(&it.resource), it.action, it.outcome)).collect();
    lines.extend(report.problems.iter().map(|it| format!("{} {}: {}", short(&it.resource), it.problem, it.message)));
    lines
}

fn counts(script: &Script) -> Vec<(String, usize)> {
    script.counts()
}

fn expected(counts: &[(&str, usize)]) -> Vec<(String, usize)> {
    counts.iter().map(|(name, count)| (name.to_string(), *count)).collect()
}

/// A hundred services on two clusters, ten of them with a scaling target.
fn hundred() -> Script {
    let script = Script::new();
    for index in 0..100 {
        let name = format!("staging-{}/service-{index:03}", index % 2);
        script.serve(&name, HOURS, 2);
        if index < 10 {
            script.scale(&name, 1, 4);
        }
    }
    script
}

#[tokio::test(start_paused = true)]
async fn a_hundred_services_cost_no_more_calls_than_they_must() {
    let script = hundred();
    script.invoke(EVENING, json!({})).await.unwrap();
    let evening = [
        ("DescribeAutoScalingGroups", 1),
        ("DescribeDBClusters", 1),
        ("DescribeDBInstances", 1),
        ("DescribeInstances", 1),
        ("DescribeScalableTargets", 1),
        ("DescribeScheduledActions", 1),
        ("DescribeServices", 10),
        ("GetResources", 1),
        ("RegisterScalableTarget", 10),
        ("TagResource", 100),
        ("UpdateService", 100),
    ];
    assert_eq!(counts(&script), expected(&evening));
    assert!(script.aws().services.values().all(|it| it["desiredCount"] == 0));

    script.invoke(MORNING, json!({})).await.unwrap();
    let morning = [&evening[..9], &[("UntagResource", 100), ("UpdateService", 100)]].concat();
    assert_eq!(counts(&script), expected(&morning));
    assert!(script.aws().services.values().all(|it| it["desiredCount"] == 2));
    assert!(script.aws().targets.values().all(|it| it["MinCapacity"] == 1));
}

/// Another run remembers the limits before it lowers them: whoever reads the tags first may take lowered limits for real.
#[tokio::test(start_paused = true)]
async fn the_limits_of_a_service_are_read_before_the_tags_that_may_remember_them() {
    let script = Script::new();
    script.serve("staging/api", HOURS, 2);
    script.invoke("2026-11-20T20:00", json!({})).await.unwrap();
    let order = script.order();
    let place = |operation: &str| order.iter().position(|it| it == operation);
    let (limits, tags) = (place("DescribeScalableTargets"), place("DescribeServices"));
    assert!(limits.is_some() && limits < tags, "{order:?}");
}

/// What may surprise is told with the command against it, and only then remembered; the command is taken.
#[tokio::test(start_paused = true)]
async fn the_first_sleep_is_told_before_it_and_a_person_puts_it_off() {
    let script = Script::new();
    let arn = script.serve("staging/api", HOURS, 2);
    script.invoke_telling("15m", "2026-11-20T19:40", json!({})).await.unwrap();
    assert!(script.sent("Publish").is_empty());
    let report = script.invoke_telling("15m", "2026-11-20T19:45", json!({})).await.unwrap();
    assert_eq!(told(&report), ["api remember Done"]);
    let order = script.order();
    let place = |name: &str| order.iter().position(|it| it == name).unwrap();
    assert!(place("Publish") < place("TagResource"), "{order:?}");
    let message = script.sent("Publish")[0]["Message"].to_string();
    assert!(message.contains("goes to sleep in 15 min, at Fri 2026-11-20 20:00 KST"), "{message}");
    assert!(message.contains("2026-11-20T22:00"), "{message}");
    script.invoke_telling("15m", "2026-11-20T19:50", json!({})).await.unwrap();
    assert_eq!(script.sent("Publish").len(), 1, "once is enough");
    let wake = json!({"wake": {"resource": arn, "until": "2026-11-20T22:00"}});
    script.invoke_telling("15m", "2026-11-20T19:52", wake).await.unwrap();
    script.invoke_telling("15m", EVENING, json!({})).await.unwrap();
    assert_eq!(script.aws().services[&arn]["desiredCount"], 2);
    script.invoke_telling("15m", "2026-11-20T22:00", json!({})).await.unwrap();
    assert_eq!(script.aws().services[&arn]["desiredCount"], 0);
}

/// The evening that docs/benchmarks.md counts: 300 services, 30 of them with a scaling target, and ten databases that the
/// services name.
#[tokio::test(start_paused = true)]
async fn an_evening_of_three_hundred_services_costs_its_floor_and_what_databases_need() {
    let script = Script::new();
    for index in 0..300 {
        let name = format!("staging-{}/service-{index:03}", index % 3);
        script.serve(&name, &format!("{HOURS} after=db-{}", index % 10), 2);
        if index < 30 {
            script.scale(&name, 1, 4);
        }
    }
    for index in 0..10 {
        script.store(&format!("db-{index}"), "available", "", &[(SCHEDULE, HOURS)]);
    }
    script.invoke(EVENING, json!({})).await.unwrap();
    let reads = [
        ("DescribeAutoScalingGroups", 1),
        ("DescribeDBClusters", 1),
        ("DescribeDBInstances", 1),
        ("DescribeInstances", 1),
        ("DescribeScalableTargets", 1),
        ("DescribeScheduledActions", 1),
        ("DescribeServices", 30),
        ("GetResources", 3),
    ];
    let writes = [("RegisterScalableTarget", 30), ("TagResource", 300), ("UpdateService", 300)];
    let mut evening = expected(&[&reads[..], &writes[..]].concat());
    evening.sort();
    assert_eq!(counts(&script), evening);
    // Tasks with scale-in protection run on: as long as they do, the services of that database are described.
    let protected = service_arn("staging-0/service-000");
    script.aws().services.get_mut(&protected).unwrap()["runningCount"] = json!(1);
    script.invoke("2026-11-20T20:20", json!({})).await.unwrap();
    let stopped = script.sent("StopDBInstance").len();
    assert_eq!(stopped, 9, "all but the one that is in use");
    script.counts();
    script.invoke("2026-11-20T20:25", json!({})).await.unwrap();
    let described: usize =
        script.sent("DescribeServices").iter().map(|it| it["services"].as_array().unwrap().len()).sum();
    assert!(described <= 30 + 30, "{described}: the 30 that name it, and those whose turn it is");
    assert!(script.sent("StopDBInstance").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_tick_with_nothing_to_do_makes_at_most_ten_calls_for_a_hundred_services() {
    let script = hundred();
    for index in 0..10 {
        script.store(&format!("db-{index}"), "available", "", &[(SCHEDULE, HOURS)]);
    }
    script.invoke("2026-11-20T12:00", json!({})).await.unwrap();
    let idle = [
        ("DescribeAutoScalingGroups", 1),
        ("DescribeDBClusters", 1),
        ("DescribeDBInstances", 1),
        ("DescribeInstances", 1),
        ("GetResources", 1),
    ];
    assert_eq!(counts(&script), expected(&idle));
    script.invoke(EVENING, json!({})).await.unwrap();
    script.counts();
    // The whole hour: each run looks closely at one service of twelve.
    let mut described = 0;
    for minute in 0..12 {
        let report = script.invoke(&format!("2026-11-21T03:{:02}", minute * 5), json!({})).await.unwrap();
        assert_eq!((report.actions.len(), report.skipped.len()), (0, 110), "everything is told of");
        let names: usize =
            script.sent("DescribeServices").iter().map(|it| it["services"].as_array().unwrap().len()).sum();
        described += names;
        let calls: usize = counts(&script).iter().map(|(_, it)| it).sum();
        assert!(calls <= 10, "{calls} calls at 03:{:02}", minute * 5);
    }
    assert_eq!(described, 100);
}

#[tokio::test]
async fn every_page_is_read() {
    let script = Script::new();
    script.aws().page = 1;
    for name in ["shop/a", "shop/b", "shop/c"] {
        script.serve(name, HOURS, 2);
        script.scale(name, 2, 4);
    }
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    assert_eq!(told(&report), ["a sleep Done", "b sleep Done", "c sleep Done"]);
    assert_eq!((script.sent("GetResources").len(), script.sent("RegisterScalableTarget").len()), (3, 3));
}

#[tokio::test]
async fn the_calls_say_what_aws_needs_to_hear() {
    let script = Script::new();
    let api = script.serve("shop/api", HOURS, 3);
    script.scale("shop/api", 2, 6);
    script.aws().targets.get_mut("service/shop/api").unwrap()["SuspendedState"] =
        json!({"DynamicScalingInSuspended": true});
    script.invoke(EVENING, json!({})).await.unwrap();
    let memory = "since=2026-11-20T11:00:00Z desired=3 min=2 max=6 suspended=in by=schedule of=2026-09-21T14:13:20Z";
    assert_eq!(script.aws().tag(&api, ASLEEP).as_deref(), Some(memory));
    let all = |is: bool| json!({"DynamicScalingInSuspended": true, "DynamicScalingOutSuspended": is, "ScheduledScalingSuspended": is});
    let registered = |min: i32, is: bool| {
        json!({"ServiceNamespace": "ecs", "ResourceId": "service/shop/api", "ScalableDimension": "ecs:service:DesiredCount",
               "MinCapacity": min, "SuspendedState": all(is)})
    };
    let updated = |desired: i32| json!({"cluster": "shop", "service": "api", "desiredCount": desired});
    assert_eq!(script.sent("RegisterScalableTarget"), [registered(0, true)]);
    assert_eq!(script.sent("UpdateService"), [updated(0)]);
    script.invoke(MORNING, json!({})).await.unwrap();
    assert_eq!(script.sent("RegisterScalableTarget")[1], registered(2, false));
    assert_eq!(script.sent("UpdateService")[1], updated(3));
    assert_eq!(script.sent("UntagResource"), [json!({"resourceArn": api, "tagKeys": [ASLEEP]})]);
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out() {
    let script = Script::new();
    script.serve("shop/api", HOURS, 2);
    script.scale("shop/api", 1, 2);
    for operation in ["GetResources", "DescribeServices", "DescribeScalableTargets", "TagResource", "UpdateService"] {
        script.fail(operation, "", 3, 400, "ThrottlingException");
    }
    // More often than the SDK retries: the pace waits.
    for operation in ["DescribeScalableTargets", "RegisterScalableTarget"] {
        script.fail(operation, "", 9, 400, "ThrottlingException");
    }
    script.fail("RegisterScalableTarget", "", 2, 400, "ConcurrentUpdateException");
    // Another registration at the same time is not throttling: the next run finishes what is left.
    assert!(script.invoke(EVENING, json!({})).await.unwrap_err().contains("ConcurrentUpdateException"));
    script.invoke("2026-11-20T20:05", json!({})).await.unwrap_err();
    let report = script.invoke("2026-11-20T20:10", json!({})).await.unwrap();
    assert_eq!(told(&report), ["api sleep Done"]);
    assert_eq!((script.sent("GetResources").len(), script.sent("UpdateService").len()), (6, 4));
}

#[tokio::test]
async fn one_refused_service_stops_no_other_and_is_tried_again_however_late() {
    let script = Script::new();
    for name in ["a", "b", "c"] {
        script.serve(&format!("shop/{name}"), HOURS, 2);
    }
    script.fail("UpdateService", "\"b\"", 2, 400, "InvalidParameterException");
    let report: Value = serde_json::from_str(&script.invoke(EVENING, json!({})).await.unwrap_err()).unwrap();
    let outcomes: Vec<&str> =
        report["actions"].as_array().unwrap().iter().map(|it| it["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["done", "failed", "done"]);
    assert_eq!(report["actions"][1]["error"]["code"], "InvalidParameterException");
    // An hour later it still runs. That it failed is remembered, so it is nobody's start by hand.
    script.invoke("2026-11-20T21:00", json!({})).await.unwrap_err();
    assert_eq!(script.sent("Publish").len(), 1, "the same failure is told once");
    let report = script.invoke("2026-11-20T22:00", json!({})).await.unwrap();
    assert_eq!(told(&report), ["b sleep Done"]);
    assert_eq!(script.aws().tag(&service_arn("shop/b"), "nightshift-state:sleep-problem"), None);
}

#[tokio::test]
async fn what_is_gone_or_may_not_be_read_hides_no_other() {
    let script = Script::new();
    for name in ["shop/a", "shop/b", "closed/c", "secret/d"] {
        script.serve(name, HOURS, 2);
    }
    script.aws().services.get_mut(&service_arn("shop/b")).unwrap()["gone"] = json!(true);
    script.fail("DescribeServices", "\"closed\"", 1, 400, "ClusterNotFoundException");
    script.fail("DescribeServices", "\"secret\"", 1, 400, "AccessDeniedException");
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    assert_eq!(
        told(&report),
        [
            "a sleep Done",
            "d unreadable: it cannot be read: DescribeServices secret: AccessDeniedException: refused by the script"
        ]
    );
    assert_eq!(report.skipped.iter().filter(|it| it.reason == "it no longer exists").count(), 2);
    let told = script.aws().tag(&service_arn("secret/d"), "nightshift-state:sleep-problem");
    assert!(told.is_some_and(|it| it.starts_with("unreadable ")), "it remembers that people were told");
}

#[tokio::test]
async fn a_run_that_cannot_see_everything_it_needs_changes_nothing() {
    for (operation, code) in [
        ("GetResources", "AccessDeniedException"),
        ("DescribeScalableTargets", "AccessDeniedException"),
        ("DescribeDBInstances", "AccessDenied"),
    ] {
        let script = Script::new();
        script.serve("shop/api", HOURS, 2);
        script.fail(operation, "", 9, 400, code);
        let error = script.invoke(EVENING, json!({})).await.unwrap_err();
        assert!(error.starts_with(operation) && error.contains(code), "{error}");
        assert!(script.sent("TagResource").is_empty() && script.sent("UpdateService").is_empty());
        let subject = script.sent("Publish")[0]["Subject"].to_string();
        assert!(subject.contains("[Nightshift] scale-staging: nothing was done: "), "{subject}");
    }
}

#[tokio::test]
async fn a_dry_run_tells_what_will_happen_tonight_and_writes_nothing() {
    let script = Script::new();
    script.serve("shop/api", HOURS, 2);
    script.serve("shop/always", "always", 1);
    script.store("shop-db", "available", "", &[(SCHEDULE, HOURS)]);
    let report = script.invoke("2026-11-20T12:00", json!({"dry_run": true})).await.unwrap();
    let mut reasons: Vec<&str> = report.skipped.iter().map(|it| it.reason.as_str()).collect();
    reasons.sort();
    assert_eq!(
        reasons,
        [
            "it is available; 'mon-fri 08:00-20:00' wants it awake; sleeps Fri 2026-11-20 20:00 KST",
            "it is awake with 1 tasks; 'always' wants it awake; no next change",
            "it is awake with 2 tasks; 'mon-fri 08:00-20:00' wants it awake; sleeps Fri 2026-11-20 20:00 KST",
        ]
    );
    let report = script.invoke(EVENING, json!({"dry_run": true})).await.unwrap();
    assert_eq!(told(&report), ["api sleep Planned", "shop-db sleep Planned"]);
    let reason = "'mon-fri 08:00-20:00' wants it asleep; wakes Mon 2026-11-23 08:00 KST";
    assert_eq!((report.actions[0].reason.as_str(), report.actions[1].reason.as_str()), (reason, reason));
    let calls = counts(&script);
    assert!(calls.iter().all(|(it, _)| it.starts_with("Describe") || it.starts_with("Get")), "{calls:?}");
}

#[tokio::test]
async fn only_the_resource_that_is_named_is_done_at_once() {
    let script = Script::new();
    let api = script.serve("shop/api", "always", 2);
    script.serve("shop/web", HOURS, 2);
    let tags = json!([{"key": SCHEDULE, "value": "always"}, {"key": "nightshift-state:boost", "value": "step=1 until=2026-11-20T23:00 by=alarm:cpu"}]);
    script.aws().services.get_mut(&api).unwrap()["tags"] = tags;
    let report = script.invoke(EVENING, json!({"resource": api})).await.unwrap();
    assert_eq!(told(&report), ["api boost Done"]);
    assert_eq!(script.aws().services[&api]["desiredCount"], 3);
    assert_eq!(script.aws().services[&service_arn("shop/web")]["desiredCount"], 2);
    assert_eq!(script.sent("DescribeServices").len(), 1);
    let report = script.invoke(EVENING, json!({"wake": {"resource": service_arn("shop/nobody")}})).await.unwrap();
    assert_eq!(report.skipped[0].reason, "it no longer exists");
}

#[tokio::test]
async fn a_command_of_a_person_is_carried_out_and_answered() {
    let script = Script::new();
    let api = script.serve("shop/api", HOURS, 2);
    script.invoke(EVENING, json!({})).await.unwrap();
    let report = script.invoke("2026-11-20T21:00", json!({"wake": {"resource": api, "until": "23:00"}})).await.unwrap();
    assert_eq!(told(&report), ["api wake Done"]);
    let reason =
        "nightshift-state:awake-until keeps it awake until Fri 2026-11-20 23:00 KST; sleeps Fri 2026-11-20 23:00 KST";
    assert_eq!(report.actions[0].reason, reason);
    assert_eq!(script.aws().services[&api]["desiredCount"], 2);
    assert_eq!(report.actions[0].headline, "api: wakes (0 -> 2 tasks)");
    assert_eq!(script.sent("Publish").len(), 0, "the person has the answer, the others the report of the day");
    let report = script.invoke("2026-11-20T22:00", json!({"sleep": {"resource": api}})).await.unwrap();
    assert_eq!(told(&report), ["api sleep Done"]);
    assert_eq!(script.aws().tag(&api, "nightshift-state:awake-until"), None);
}

#[tokio::test]
async fn a_sleeper_that_lost_its_schedule_is_found_once_an_hour_and_told_once() {
    let script = Script::new();
    let api = script.serve("shop/api", HOURS, 0);
    let gone = script.serve("shop/gone", HOURS, 0);
    let asleep = "since=2026-11-20T11:00:00Z desired=3 by=schedule";
    for arn in [&api, &gone] {
        script.aws().services.get_mut(arn).unwrap()["tags"] = json!([{"key": ASLEEP, "value": asleep}]);
    }
    script.aws().services.get_mut(&gone).unwrap()["status"] = json!("INACTIVE");
    let quiet = script.invoke("2026-11-21T12:00", json!({})).await.unwrap();
    assert_eq!((told(&quiet), script.sent("GetResources").len()), (vec![], 1));
    for now in ["2026-11-21T12:30", "2026-11-21T13:30"] {
        let report = script.invoke(now, json!({})).await.unwrap();
        assert_eq!(told(&report).len(), 1);
        assert!(told(&report)[0].contains("it was put to sleep on Fri 2026-11-20 20:00 KST (it had 3"));
    }
    assert_eq!(script.sent("Publish").len(), 1);
    let memory = script.aws().tag(&api, "nightshift-state:sleep-problem").unwrap();
    assert!(memory.starts_with("left-behind "), "{memory}");
    // A dry run tells of it at any time.
    assert_eq!(told(&script.invoke("2026-11-21T14:00", json!({"dry_run": true})).await.unwrap()).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_day_is_answered_for_the_daily_report_and_changes_nothing() {
    let script = Script::new();
    script.serve("dev/backend", HOURS, 2);
    script.serve("dev/frontend", HOURS, 2);
    script.invoke(EVENING, json!({})).await.unwrap();
    assert_eq!(script.sent("Publish").len(), 0, "what is routine waits for the report");
    let report = script.invoke("2026-11-21T09:00", json!({"report": "day"})).await.unwrap();
    assert_eq!((told(&report), script.sent("UpdateService").len(), script.sent("Publish").len()), (vec![], 2, 0));
    let line = "Asleep (2): backend (since Fri 2026-11-20 20:00 KST), frontend (since Fri 2026-11-20 20:00 KST)";
    assert_eq!(report.skipped.iter().map(|it| it.reason.as_str()).collect::<Vec<_>>(), [line]);
}
