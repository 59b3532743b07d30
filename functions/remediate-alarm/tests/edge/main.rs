//! The whole function from payload to report, with the real SDK on a scripted AWS: three payloads, pages, faults, bytes.

#![recursion_limit = "256"]

mod aws;
mod kinds;
mod unread;

use aws::{NOW, REMEDIED, Script};
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
        assert_eq!(report.actions[0].after["then"], format!("{owner} carries it out"));
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
    assert_eq!(report.actions[0].after["then"], "the next sweep of scale-staging carries it out");
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
    let refusal = "api-5xx deploying: restart waits: shop/api is being deployed; it fired at Sat 2026-11-21 03:09 KST. \
                 Each sweep tries again until Sat 2026-11-21 04:09 KST; after that it needs you";
    assert_eq!(told(&report), [refusal]);
    let message = script.bodies("Publish").remove(0);
    assert!(
        message["Subject"].as_str().unwrap().starts_with("[Nightshift] shop/api: api-5xx: restart waits"),
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
async fn a_person_can_have_the_past_forgotten() {
    let script = shop("restart");
    script.invoke(by_event_bridge("api-5xx")).await.unwrap();
    let report = script.invoke(json!({"clear": {"alarm": "api-5xx"}})).await.unwrap();
    assert_eq!(told(&report), ["api-5xx forget Done"]);
    assert_eq!(script.memory("api-5xx"), None);
    assert_eq!(told(&script.invoke(json!({})).await.unwrap()), ["api restart Done"]);
}
