//! Every kind of alarm, and alarms that are muted.

use crate::aws::NOW;
use crate::*;

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
    let denied = "cpu unreadable: which of its series fire cannot be read: DescribeAlarmContributors cpu: AccessDeniedException: refused by the script";
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
    let denied = "api-5xx unreadable: whether it is muted cannot be read: ListAlarmMuteRules api-5xx: AccessDeniedException: refused by the script";
    assert_eq!(told(&script.invoke(json!({})).await.unwrap()), [denied]);
    assert_eq!(told(&script.invoke(by_event_bridge("api-5xx")).await.unwrap()), ["api restart Done"]);
}
