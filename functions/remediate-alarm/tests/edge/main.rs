//! The whole function from payload to report, with the real SDK on a scripted AWS: three payloads, pages, faults, bytes.

#![recursion_limit = "256"]

mod aws;

use aws::{NOW, REMEDIED, REMEDY, Script};
use reconcile::{Outcome, Report};
use serde_json::{Value, json};

const ALARM: &str = "arn:aws:cloudwatch:ap-northeast-2:123456789012:alarm:";

fn by_event_bridge(name: &str) -> Value {
    json!({"version": "0", "source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change",
           "resources": [format!("{ALARM}{name}")], "detail": {"alarmName": name, "state": {"value": "ALARM"}}})
}

fn by_sns(name: &str) -> Value {
    let message = json!({"AlarmName": name, "AlarmArn": format!("{ALARM}{name}"), "NewStateValue": "ALARM"});
    json!({"Records": [{"EventVersion": "1.0", "EventSource": "aws:sns", "EventSubscriptionArn": "arn:x",
        "Sns": {"Type": "Notification", "MessageId": "1", "Subject": null, "Message": message.to_string(),
                "TopicArn": "arn:aws:sns:ap-northeast-2:123456789012:alarms", "Timestamp": "2026-11-20T18:09:00.000Z",
                "SignatureVersion": "1", "Signature": "", "SigningCertUrl": "", "UnsubscribeUrl": "", "MessageAttributes": {}}}]})
}

fn directly(name: &str) -> Value {
    json!({"source": "aws.cloudwatch", "alarmArn": format!("{ALARM}{name}"), "alarmData": {"alarmName": name}})
}

/// Actions with their outcomes, then skips and problems, each with the resource's short name.
fn told(report: &Report) -> Vec<String> {
    let short = |it: &str| it.rsplit(['/', ':']).next().unwrap().to_owned();
    let mut lines: Vec<String> =
        report.actions.iter().map(|it| format!("{} {} {:?}", short(&it.resource), it.action, it.outcome)).collect();
    lines.extend(report.skipped.iter().map(|it| format!("{} skipped: {}", short(&it.resource), it.reason)));
    lines.extend(report.problems.iter().map(|it| format!("{} {}: {}", short(&it.resource), it.problem, it.message)));
    lines
}

/// The service `api` and an alarm on it.
fn shop(rule: &str) -> Script {
    let script = Script::new();
    script.service("api");
    script.alarm("api-5xx", rule);
    script
}

#[tokio::test]
async fn the_same_change_by_every_way_is_one_restart() {
    let script = shop("restart");
    let report = script.invoke(by_event_bridge("api-5xx")).await.unwrap();
    assert_eq!(told(&report), ["api restart Done"]);
    // Nothing but the new deployment is asked for: no task definition, no size.
    let call = json!({"cluster": "shop", "service": "api", "forceNewDeployment": true});
    assert_eq!(script.bodies("UpdateService"), std::slice::from_ref(&call));
    let memory = "restart rung=1 at=2026-11-20T18:10:00Z hour=1 day=2026-11-21 count=1 fired=2026-11-20T18:09:00Z since=2026-11-20T18:09:00Z";
    assert_eq!(script.memory("api-5xx").as_deref(), Some(memory));
    for again in [by_sns("api-5xx"), directly("api-5xx"), by_event_bridge("api-5xx"), json!({})] {
        let report = script.invoke(again).await.unwrap();
        let answered = "api-5xx skipped: what fired at Sat 2026-11-21 03:09 KST was answered by restart at Sat 2026-11-21 03:10 KST; cooldown=15m";
        assert_eq!(told(&report), [answered]);
    }
    assert_eq!(script.bodies("UpdateService"), [call]);
    assert_eq!(script.counts()["Publish"], 1);
}

#[tokio::test]
async fn the_memory_is_written_before_the_remedy_is_begun() {
    let script = shop("restart");
    script.refuse("UpdateService", "", 9, 400, "AccessDeniedException");
    let denied = told(&script.invoke(directly("api-5xx")).await.unwrap());
    assert!(denied[1].starts_with("api denied: UpdateService shop/api: AccessDeniedException: "), "{denied:?}");
    assert!(script.memory("api-5xx").unwrap().starts_with("restart rung=1"));
    // It is told, and not tried again by itself: a refusal never falls through to another action.
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(report.actions, []);

    let script = shop("restart");
    script.refuse("TagResource", REMEDIED, 9, 400, "AccessDeniedException");
    let denied = told(&script.invoke(directly("api-5xx")).await.unwrap());
    assert!(denied[1].starts_with("api denied: TagResource "), "{denied:?}");
    assert_eq!(script.counts().get("UpdateService"), None);
}

#[tokio::test]
async fn whoever_finds_the_memory_of_another_run_leaves_it_to_that() {
    let script = shop("restart");
    let (own, other) = tokio::join!(script.invoke(by_event_bridge("api-5xx")), script.invoke(by_sns("api-5xx")));
    let outcomes: Vec<Outcome> =
        [own.unwrap(), other.unwrap()].iter().flat_map(|it| it.actions.iter().map(|it| it.outcome)).collect();
    let done = outcomes.iter().filter(|it| **it == Outcome::Done).count();
    assert_eq!(done, script.bodies("UpdateService").len());
    assert!(done >= 1 && script.counts()["TagResource"] == done, "{outcomes:?}");
}

#[tokio::test]
async fn requests_are_tags_and_their_owners_are_woken() {
    let (arn, until) = ("arn:aws:ecs:ap-northeast-2:123456789012:service/shop/api", "2026-11-20T19:10:00Z");
    let digest = format!("sha256:{:064x}", 2);
    for (rule, key, value, owner, payload) in [
        (
            "scale-out step=2 max=6",
            "nightshift-state:boost",
            format!("step=2 until={until} by=alarm:api-5xx"),
            "nightshift-scale-staging",
            json!({"resource": arn}),
        ),
        (
            "rollback",
            "nightshift-state:rollback",
            format!("{digest} by=alarm:api-5xx at=2026-11-20T18:10:00Z"),
            "nightshift-deploy-image",
            json!({"resource": arn}),
        ),
        (
            "wake",
            "nightshift-state:awake-until",
            "2026-11-20T20:10:00Z".into(),
            "nightshift-scale-staging",
            json!({"wake": {"resource": arn, "until": "2026-11-20T20:10:00Z"}}),
        ),
    ] {
        let script = shop(rule);
        if rule == "wake" {
            let mut aws = script.aws();
            let service = aws.services.get_mut(arn).unwrap();
            service["desiredCount"] = json!(0);
            service["tags"]
                .as_array_mut()
                .unwrap()
                .push(json!({"key": "nightshift-state:asleep", "value": "by=schedule"}));
        }
        let report = script.invoke(by_event_bridge("api-5xx")).await.unwrap();
        assert_eq!(report.count(Outcome::Done), 1, "{rule}: {:?}", told(&report));
        assert_eq!(report.actions[0].after["owner"], owner);
        let intent = json!({"resourceArn": arn, "tags": [{"key": key, "value": value}]});
        assert!(script.bodies("TagResource").contains(&intent), "{rule}: {:?}", script.bodies("TagResource"));
        assert_eq!(script.bodies("Invoke"), [json!({"function": owner, "type": "Event", "payload": payload})]);
        assert_eq!(script.counts().get("UpdateService"), None);
    }
}

#[tokio::test]
async fn an_owner_that_cannot_be_woken_finds_the_request_by_itself() {
    let script = shop("scale-out max=6");
    script.refuse("Invoke", "", 9, 404, "ResourceNotFoundException");
    let report = script.invoke(by_event_bridge("api-5xx")).await.unwrap();
    assert_eq!(told(&report), ["api scale-out Done"]);
    assert_eq!(report.actions[0].after["owner"], "the next sweep of scale-staging");
}

#[tokio::test]
async fn databases_are_rebooted_and_woken() {
    let on_database = |rule: &str| {
        let script = Script::new();
        script.database("shop-db");
        script.alarm("db", rule);
        script.aws().alarms.get_mut("db").unwrap()["Dimensions"] =
            json!([{"Name": "DBInstanceIdentifier", "Value": "shop-db"}]);
        script
    };
    let script = on_database("reboot failover=true");
    assert_eq!(told(&script.invoke(directly("db")).await.unwrap()), ["shop-db reboot Done"]);
    let sent = script.bodies("RebootDBInstance").remove(0);
    assert_eq!((&sent["DBInstanceIdentifier"], &sent["ForceFailover"]), (&json!("shop-db"), &json!("true")));
    let script = on_database("reboot");
    script.invoke(directly("db")).await.unwrap();
    assert_eq!(script.bodies("RebootDBInstance")[0]["ForceFailover"], Value::Null);

    let script = on_database("wake");
    {
        let mut aws = script.aws();
        let it = aws.databases.get_mut("shop-db").unwrap();
        it["status"] = json!("stopped");
        it["tags"]["nightshift-state:asleep"] = json!("by=schedule");
    }
    assert_eq!(told(&script.invoke(directly("db")).await.unwrap()), ["shop-db wake Done"]);
    let sent = script.bodies("AddTagsToResource").remove(0);
    assert_eq!(sent["ResourceName"], "arn:aws:rds:ap-northeast-2:123456789012:db:shop-db");
    assert!(sent.to_string().contains("nightshift-state:awake-until"), "{sent}");

    let script = on_database("reboot db=Shop-DB");
    assert_eq!(told(&script.invoke(directly("db")).await.unwrap()), ["shop-db reboot Done"]);

    let script = on_database("reboot db=gone");
    let gone = "db no-such-target: there is no DB instance or DB cluster gone";
    assert_eq!(told(&script.invoke(directly("db")).await.unwrap()), [gone]);
}

#[tokio::test]
async fn metric_math_anomaly_bands_and_composite_alarms_are_read() {
    let script = shop("");
    let dimensions = json!([{"Name": "TargetGroup", "Value": "targetgroup/api/6d0e"}, {"Name": "LoadBalancer", "Value": "app/shop/1"}]);
    let stat = |id: &str| {
        json!({"Id": id, "ReturnData": false, "MetricStat": {"Period": 86400, "Stat": "Sum",
        "Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount", "Dimensions": dimensions}}})
    };
    let expression = |text: &str| json!({"Id": "e", "Expression": text, "Label": "x", "ReturnData": true});
    for (name, metrics) in [
        ("rate", json!([expression("100 * a / b"), stat("a"), stat("b")])),
        ("band", json!([stat("m1"), expression("ANOMALY_DETECTION_BAND(m1, 2)")])),
    ] {
        script.alarm(name, "restart cooldown=1m limit=99");
        let mut aws = script.aws();
        let alarm = aws.alarms.get_mut(name).unwrap().as_object_mut().unwrap();
        alarm.remove("Dimensions");
        alarm.insert("Metrics".into(), metrics);
    }
    script.alarm("ill", "restart");
    let rule = format!("ALARM(\"rate\") AND NOT ALARM({ALARM}quiet)");
    script.aws().alarms.get_mut("ill").unwrap()["AlarmRule"] = json!(rule);
    for name in ["rate", "band", "ill"] {
        let report = script.invoke(by_event_bridge(name)).await.unwrap();
        assert_eq!(told(&report), ["api restart Done"], "{name}");
    }
}

#[tokio::test]
async fn what_is_not_in_alarm_any_more_not_tagged_or_not_ours_is_left_alone() {
    let script = shop("restart");
    script.aws().alarms.get_mut("api-5xx").unwrap()["StateValue"] = json!("OK");
    assert_eq!(told(&script.invoke(by_event_bridge("api-5xx")).await.unwrap()), ["api-5xx skipped: it is OK"]);

    let script = shop("");
    assert_eq!(
        told(&script.invoke(by_event_bridge("api-5xx")).await.unwrap()),
        ["api-5xx skipped: it has no tag nightshift:remedy"]
    );
    let two = [("DescribeAlarms".to_owned(), 1), ("ListTagsForResource".to_owned(), 1)];
    assert_eq!(script.counts().into_iter().collect::<Vec<_>>(), two);

    for (arn, reason) in [
        ("arn:aws:cloudwatch:ap-northeast-2:210987654321:alarm:api-5xx", "it is an alarm of another account or region"),
        ("arn:aws:cloudwatch:us-east-1:123456789012:alarm:api-5xx", "it is an alarm of another account or region"),
        ("arn:aws:cloudwatch:us-east-1:123456789012:alarm:gone", "there is no such alarm in this account and region"),
    ] {
        let script = shop("restart");
        let event = json!({"source": "aws.cloudwatch", "alarmArn": arn, "alarmData": {}});
        let report = script.invoke(event).await.unwrap();
        assert_eq!(report.skipped[0].reason, reason);
        assert_eq!((report.actions.len(), script.counts().get("UpdateService")), (0, None));
    }
}

#[tokio::test]
async fn an_alarm_that_recovered_is_told_once() {
    let script = shop("restart");
    script.invoke(by_event_bridge("api-5xx")).await.unwrap();
    {
        let mut aws = script.aws();
        let alarm = aws.alarms.get_mut("api-5xx").unwrap();
        alarm["StateValue"] = json!("OK");
        alarm["StateTransitionedTimestamp"] = json!({"at": NOW + 180});
    }
    let report = script.invoke(by_event_bridge("api-5xx")).await.unwrap();
    assert_eq!(report.actions[0].headline, "api-5xx: recovered after 4 minutes");
    assert_eq!(script.counts()["Publish"], 2);
    assert_eq!(told(&script.invoke(json!({})).await.unwrap()), ["api-5xx skipped: it is OK"]);
    assert_eq!(script.counts()["Publish"], 2);
}

#[tokio::test]
async fn what_waits_is_told_once_with_its_reason_and_done_when_it_can_be() {
    let script = shop("restart");
    script.aws().services.values_mut().next().unwrap()["deployments"][0]["rolloutState"] = json!("IN_PROGRESS");
    let report = script.invoke(by_event_bridge("api-5xx")).await.unwrap();
    let refusal = "api-5xx deploying: it fired at Sat 2026-11-21 03:09 KST, and restart waits: shop/api is being deployed; \
                   each sweep tries again until Sat 2026-11-21 04:09 KST, then it is a person's";
    assert_eq!(told(&report), [refusal]);
    let message = script.bodies("Publish").remove(0);
    assert!(
        message["Subject"]
            .as_str()
            .unwrap()
            .starts_with("[Nightshift] api-5xx: it fired at Sat 2026-11-21 03:09 KST, and restart waits"),
        "{message}"
    );
    script.invoke(by_sns("api-5xx")).await.unwrap();
    script.invoke(json!({})).await.unwrap();
    assert_eq!((script.counts()["Publish"], script.counts().get("UpdateService")), (1, None));
    script.aws().services.values_mut().next().unwrap()["deployments"][0]["rolloutState"] = json!("COMPLETED");
    assert_eq!(told(&script.invoke(json!({})).await.unwrap()), ["api restart Done"]);
}

#[tokio::test]
async fn a_service_that_codedeploy_is_deploying_is_being_deployed() {
    let script = shop("restart");
    {
        let mut aws = script.aws();
        let service = aws.services.values_mut().next().unwrap();
        let set = |status: &str, at: i64| json!({"id": status, "status": status, "createdAt": at, "taskDefinition": "arn:aws:ecs:ap-northeast-2:123456789012:task-definition/api:41"});
        service["deployments"] = json!([]);
        service["deploymentController"] = json!({"type": "CODE_DEPLOY"});
        service["taskSets"] = json!([set("PRIMARY", NOW - 90_000), set("ACTIVE", NOW - 60)]);
    }
    let told = told(&script.invoke(by_event_bridge("api-5xx")).await.unwrap());
    assert!(told[0].starts_with("api-5xx deploying: "), "{told:?}");
    assert_eq!(script.counts().get("UpdateService"), None);
}

#[tokio::test]
async fn a_log_alarm_is_answered_as_any_other_and_read_as_a_child() {
    for payload in [by_event_bridge("errors-in-log"), json!({})] {
        let script = shop("");
        script.alarm("errors-in-log", "restart service=shop/api then=notify");
        script.aws().alarms.get_mut("errors-in-log").unwrap()["QueryResultsToAlarm"] = json!(1);
        assert_eq!(told(&script.invoke(payload.clone()).await.unwrap()), ["api restart Done"]);

        let script = shop("");
        script.alarm("errors-in-log", "notify");
        script.aws().alarms.get_mut("errors-in-log").unwrap()["QueryResultsToAlarm"] = json!(1);
        assert_eq!(told(&script.invoke(payload).await.unwrap()), ["errors-in-log notify Done"]);
        assert_eq!(script.counts()["Publish"], 1);
    }
    let script = shop("");
    script.alarm("errors-in-log", "");
    script.alarm("cpu", "");
    script.alarm("ill", "restart");
    {
        let mut aws = script.aws();
        aws.alarms.get_mut("errors-in-log").unwrap()["QueryResultsToAlarm"] = json!(1);
        aws.alarms.get_mut("cpu").unwrap()["StateValue"] = json!("OK");
        aws.alarms.get_mut("ill").unwrap()["AlarmRule"] = json!("ALARM(\"errors-in-log\") OR ALARM(\"cpu\")");
    }
    let told = told(&script.invoke(by_event_bridge("ill")).await.unwrap());
    let expected = "ill no-target: what it watches names nothing that restart could be for: say in the tag";
    assert!(told[0].starts_with(expected), "{told:?}");
}

#[tokio::test]
async fn each_contributor_of_an_alarm_is_read_and_answered() {
    let script = shop("");
    script.service("web");
    script.alarm("cpu", "restart");
    {
        let mut aws = script.aws();
        let alarm = aws.alarms.get_mut("cpu").unwrap().as_object_mut().unwrap();
        alarm.remove("Dimensions");
        let query = "SELECT AVG(CPUUtilization) FROM \"AWS/ECS\" GROUP BY ClusterName, ServiceName";
        alarm.insert("Metrics".into(), json!([{"Id": "q", "Expression": query, "ReturnData": true, "Period": 60}]));
        let one = |id: &str, service: &str| {
            json!({"ContributorId": id, "StateReason": "93 > 80", "StateTransitionedTimestamp": {"at": NOW - 60},
                   "ContributorAttributes": {"ClusterName": "shop", "ServiceName": service}})
        };
        aws.contributors.insert("cpu".into(), vec![one("a1", "api"), one("b2", "web")]);
    }
    let mut event = by_event_bridge("cpu");
    event["detail-type"] = json!("CloudWatch Alarm Contributor State Change");
    event["detail"]["alarmContributor"] = json!({"id": "a1", "attributes": {}});
    assert_eq!(told(&script.invoke(event).await.unwrap()), ["api restart Done", "web restart Done"]);
    for id in ["a1", "b2"] {
        let memory = script.aws().alarms["cpu"]["Tags"][format!("nightshift-state:remedied.{id}")].clone();
        assert!(memory.as_str().unwrap().starts_with("restart rung=1 "), "{memory}");
    }
    let answered = script.invoke(json!({})).await.unwrap();
    assert_eq!((answered.actions.len(), answered.skipped.len()), (0, 2), "{:?}", told(&answered));
    script.refuse("DescribeAlarmContributors", "", 9, 400, "AccessDeniedException");
    let denied = "cpu unreadable: DescribeAlarmContributors cpu: AccessDeniedException: refused by the script";
    assert_eq!(told(&script.invoke(json!({})).await.unwrap()), [denied]);
}

#[tokio::test]
async fn a_muted_alarm_is_left_alone_by_events_and_by_the_sweep() {
    let script = shop("restart");
    script.aws().mute_rules.insert("api-5xx".into(), vec!["release-night".into()]);
    for payload in [by_event_bridge("api-5xx"), json!({})] {
        let muted = "api-5xx skipped: the mute rule release-night of CloudWatch is in force, so nothing is done now";
        assert_eq!(told(&script.invoke(payload).await.unwrap()), [muted]);
    }
    assert_eq!((script.counts().get("UpdateService"), script.counts().get("Publish")), (None, None));
    script.aws().mute_rules.clear();
    assert_eq!(told(&script.invoke(json!({})).await.unwrap()), ["api restart Done"]);

    let script = shop("restart");
    script.refuse("ListAlarmMuteRules", "", 9, 400, "UnknownOperationException");
    assert_eq!(told(&script.invoke(json!({})).await.unwrap()), ["api restart Done"]);
    let script = shop("restart");
    script.refuse("ListAlarmMuteRules", "", 9, 400, "AccessDeniedException");
    let denied = "api-5xx unreadable: ListAlarmMuteRules api-5xx: AccessDeniedException: refused by the script";
    assert_eq!(told(&script.invoke(json!({})).await.unwrap()), [denied]);
    assert_eq!(told(&script.invoke(by_event_bridge("api-5xx")).await.unwrap()), ["api restart Done"]);
}

#[tokio::test]
async fn a_tagged_alarm_that_is_not_described_is_a_problem_and_a_deleted_one_is_not() {
    let script = shop("restart");
    script.alarm("strange", "notify");
    script.aws().alarms.get_mut("strange").unwrap()["Hidden"] = json!(true);
    for payload in [by_event_bridge("strange"), json!({})] {
        let told = told(&script.invoke(payload).await.unwrap());
        let problem = "strange unreadable: its tags can be read, but DescribeAlarms does not show it";
        assert!(told.iter().any(|it| it.starts_with(problem)), "{told:?}");
    }
    assert_eq!(script.counts()["Publish"], 2, "the restart, and the problem once");
    script.alarm("deleted", "notify");
    script.refuse("ListTagsForResource", "alarm:deleted", 9, 404, "ResourceNotFoundException");
    script.aws().alarms.get_mut("deleted").unwrap()["Hidden"] = json!(true);
    let told = told(&script.invoke(json!({})).await.unwrap());
    assert!(told.contains(&"deleted skipped: it no longer exists".to_owned()), "{told:?}");
}

#[tokio::test]
async fn the_description_of_an_alarm_is_in_the_message() {
    for rule in [None, Some("ALARM(api-5xx)")] {
        let script = shop("restart");
        script.alarm("ill", "restart");
        {
            let mut aws = script.aws();
            let alarm = aws.alarms.get_mut("ill").unwrap();
            alarm["AlarmDescription"] = json!("Customers see 5xx. Look first at the log.");
            if let Some(rule) = rule {
                alarm["AlarmRule"] = json!(rule);
            }
        }
        script.invoke(by_event_bridge("ill")).await.unwrap();
        let message = script.bodies("Publish").remove(0).to_string();
        assert!(message.contains("of its tag. Customers see 5xx. Look first at the log."), "{message}");
    }
}

#[tokio::test]
async fn the_limit_of_the_account_holds_though_the_index_lags_behind() {
    let script = Script::new();
    for number in 0..5 {
        let name = format!("api-{number}");
        script.service(&name);
        let arn = script.alarm(&name, &format!("restart service=shop/{name}"));
        let mut aws = script.aws();
        aws.alarms.get_mut(&name).unwrap()["StateTransitionedTimestamp"] = json!({"at": NOW - 60 + number});
        // Nobody sees what the others have written.
        aws.unindexed.push(arn);
    }
    for number in 0..5 {
        let report = script.invoke(by_event_bridge(&format!("api-{number}"))).await.unwrap();
        let expected = if number < 3 { "restart" } else { "leave-to-person" };
        assert_eq!(report.actions[0].action, expected, "{:?}", told(&report));
    }
    assert_eq!(script.counts()["UpdateService"], 3);
}

#[tokio::test]
async fn a_sweep_reads_every_page_and_asks_only_about_what_may_need_an_answer() {
    let script = shop("restart");
    for number in 0..250 {
        script.alarm(&format!("quiet-{number}"), "restart");
        script.aws().alarms.get_mut(&format!("quiet-{number}")).unwrap()["StateValue"] = json!("OK");
    }
    script.alarm("odd", "restrat");
    script.aws().alarms.get_mut("odd").unwrap()["StateValue"] = json!("OK");
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(report.count(Outcome::Done), 1);
    assert_eq!(report.problems[0].problem, "bad-tag");
    assert_eq!(report.skipped.len(), 250);
    let counts = script.counts();
    let reads = ["GetResources", "DescribeAlarms", "ListTagsForResource", "DescribeServices"].map(|it| counts[it]);
    // The second reading of the tags comes before the restart.
    assert_eq!(reads, [3, 3, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out_and_what_cannot_be_read_is_told() {
    let script = shop("restart");
    for operation in ["DescribeAlarms", "ListTagsForResource", "TagResource", "DescribeServices", "UpdateService"] {
        script.refuse(operation, "", 2, 400, "ThrottlingException");
    }
    assert_eq!(told(&script.invoke(by_event_bridge("api-5xx")).await.unwrap()), ["api restart Done"]);

    let script = shop("restart");
    script.refuse("DescribeServices", "", 9, 400, "AccessDeniedException");
    let unreadable = "api-5xx unreadable: DescribeServices shop: AccessDeniedException: refused by the script";
    assert_eq!(told(&script.invoke(by_event_bridge("api-5xx")).await.unwrap()), [unreadable]);

    let script = shop("restart");
    script.refuse("DescribeAlarms", "", 9, 400, "AccessDeniedException");
    let error = script.invoke(by_event_bridge("api-5xx")).await.unwrap_err();
    assert!(error.starts_with("DescribeAlarms api-5xx: AccessDeniedException: refused by the script"), "{error}");
}

#[tokio::test]
async fn a_call_that_a_policy_forbids_is_told_once_and_stops_no_other() {
    let script = shop("restart");
    script.alarm("web-5xx", "restart service=shop/web");
    script.service("web");
    script.refuse("TagResource", "alarm:api-5xx", 1, 400, "AccessDeniedException");
    let report = script.invoke(json!({})).await.unwrap();
    let denied =
        format!("api denied: TagResource {ALARM}api-5xx: AccessDeniedException: refused by the script; a policy");
    let told_now = told(&report);
    assert!(told_now.contains(&"web restart Done".to_owned()), "{told_now:?}");
    assert!(told_now.iter().any(|it| it.starts_with(&denied)), "{told_now:?}");
    // Without the memory nothing was restarted; with it, it is.
    assert_eq!(script.count("UpdateService"), 1);
    assert_eq!(told(&script.invoke(json!({})).await.unwrap())[0], "api restart Done");
}

#[tokio::test]
async fn an_alarm_that_cannot_be_read_is_told_once_and_hides_no_other() {
    let script = shop("restart");
    script.alarm("other", "restart");
    script.refuse("ListTagsForResource", "alarm:other", 99, 400, "AccessDeniedException");
    let unreadable =
        format!("other unreadable: ListTagsForResource {ALARM}other: AccessDeniedException: refused by the script");
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report), ["api restart Done".to_owned(), unreadable.clone()]);
    assert_eq!(script.counts()["Publish"], 2);
    assert_eq!(told(&script.invoke(json!({})).await.unwrap())[1], unreadable);
    assert_eq!(script.counts()["Publish"], 2);
    // An event about nothing else is repeated by Lambda.
    assert!(script.invoke(by_event_bridge("other")).await.is_err());

    // Of two calls for alarms one fails.
    let script = Script::new();
    script.service("api");
    for number in 0..150 {
        script.alarm(&format!("quiet-{number:03}"), "restart");
        script.aws().alarms.get_mut(&format!("quiet-{number:03}")).unwrap()["StateValue"] = json!("OK");
    }
    script.alarm("a-first", "restart");
    script.refuse("DescribeAlarms", "quiet-149", 9, 400, "AccessDeniedException");
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!((report.count(Outcome::Done), report.skipped.len(), report.problems.len()), (1, 99, 51));
    let unreadable = "quiet-099 unreadable: DescribeAlarms quiet-099: AccessDeniedException: refused by the script";
    assert_eq!((report.actions[0].action, told(&report)[100].as_str()), ("restart", unreadable));

    // And one for the alarms that another is made of.
    let script = shop("restart");
    script.alarm("ill", "restart");
    script.aws().alarms.get_mut("ill").unwrap()["AlarmRule"] = json!("ALARM(child)");
    script.refuse("DescribeAlarms", "child", 9, 400, "AccessDeniedException");
    let report = script.invoke(json!({})).await.unwrap();
    let unreadable = "ill unreadable: DescribeAlarms child: AccessDeniedException: refused by the script";
    assert_eq!(told(&report), ["api restart Done", unreadable]);
}

#[tokio::test]
async fn a_service_that_cannot_be_read_hides_no_other_of_its_cluster() {
    let script = shop("restart");
    let deleted = script.service("old");
    script.aws().services.get_mut(&deleted).unwrap()["status"] = json!("INACTIVE");
    script.alarm("old-5xx", "restart service=shop/old");
    script.service("web");
    script.alarm("web-5xx", "restart service=shop/web");
    script.refuse("DescribeServices", "web", 9, 400, "AccessDeniedException");
    let expected = [
        "api restart Done",
        "old-5xx no-such-target: there is no ECS service shop/old",
        "web-5xx unreadable: DescribeServices shop: AccessDeniedException: refused by the script",
    ];
    assert_eq!(told(&script.invoke(json!({})).await.unwrap()), expected);
    assert_eq!(script.counts()["DescribeServices"], 4, "all in one call, then each by itself");
}

#[tokio::test]
async fn what_went_live_is_found_behind_an_empty_page_of_deployments() {
    let script = shop("rollback");
    let report = script.invoke(by_event_bridge("api-5xx")).await.unwrap();
    assert_eq!(told(&report), ["api rollback Done"]);
    assert_eq!(script.counts()["ListServiceDeployments"], 2);
    let undo = report.actions[0].undo.as_deref().unwrap();
    assert!(undo.contains("--function-name nightshift-deploy-image "), "{undo}");
}

#[tokio::test]
async fn what_one_alarm_lacks_hides_no_other_and_a_dry_run_changes_nothing() {
    let script = shop("restart");
    script.alarm("other", "reboot");
    let dry = script.invoke(json!({"dry_run": true})).await.unwrap();
    assert_eq!(told(&dry).len(), 2);
    assert!(["TagResource", "UpdateService", "Publish"].iter().all(|it| !script.counts().contains_key(*it)));
    let report = script.invoke(json!({})).await.unwrap();
    assert!(told(&report)[0].starts_with("api restart Done"), "{:?}", told(&report));
    assert!(told(&report)[1].starts_with("other no-target: "), "{:?}", told(&report));
    let problem = &script.aws().alarms["other"]["Tags"];
    assert!(problem["nightshift-state:remedy-problem"].as_str().unwrap().starts_with("no-target "), "{problem}");
    assert_eq!(problem[REMEDY], "reboot");
}

#[tokio::test]
async fn a_person_can_have_the_past_forgotten() {
    let script = shop("restart");
    script.invoke(by_event_bridge("api-5xx")).await.unwrap();
    let report = script.invoke(json!({"clear": {"alarm": "api-5xx"}})).await.unwrap();
    assert_eq!(told(&report), ["api-5xx forget Done"]);
    assert_eq!(script.memory("api-5xx"), None);
    assert_eq!(told(&script.invoke(json!({})).await.unwrap()), ["api restart Done"]);
}
