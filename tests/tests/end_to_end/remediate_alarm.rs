//! From an alarm that changes its state to what is done about it, and what is not.

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

const FUNCTION: &str = "nightshift-remediate-alarm";
const CLUSTER: &str = "truegul-production";
const API: &str = "api-server";

/// The shop TrueGul: a service on v1.0.0.
fn truegul(tags: &[(&str, &str)]) -> Result<LocalAws> {
    let aws =
        LocalAws::start(Options { parameters: vec![("TimeZone".into(), "Asia/Seoul".into())], ..Options::default() })?;
    aws.ecs("CreateCluster", json!({"clusterName": CLUSTER}))?;
    aws.push_image("truegul-api-server", "v1.0.0", "api-server 1.0.0")?;
    aws.start_service(CLUSTER, API, &aws.image_uri("truegul-api-server", ":v1.0.0"), tags)?;
    Ok(aws)
}

/// An alarm on the service; what it does by itself stands in `actions`.
fn put_alarm(aws: &LocalAws, name: &str, rule: &str, actions: &[&str]) -> Result<()> {
    let alarm = json!({
        "AlarmName": name, "Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average",
        "Period": 60, "EvaluationPeriods": 5, "Threshold": 80, "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore", "AlarmActions": actions,
        "Dimensions": [{"Name": "ClusterName", "Value": CLUSTER}, {"Name": "ServiceName", "Value": API}],
        "Tags": [{"Key": "nightshift:remedy", "Value": rule}],
    });
    aws.cloudwatch("PutMetricAlarm", alarm).map(drop)
}

fn set_state(aws: &LocalAws, name: &str, state: &str) -> Result<()> {
    let change = json!({"AlarmName": name, "StateValue": state, "StateReason": "42 datapoints were greater than 10"});
    aws.cloudwatch("SetAlarmState", change).map(drop)
}

fn alarm_tag(aws: &LocalAws, name: &str, key: &str) -> Result<Option<String>> {
    let arn = format!("arn:aws:cloudwatch:ap-northeast-2:123456789012:alarm:{name}");
    let tags = aws.cloudwatch("ListTagsForResource", json!({"ResourceARN": arn}))?["Tags"].clone();
    let found = tags.as_array().into_iter().flatten().find(|it| it["Key"] == key);
    Ok(found.and_then(|it| it["Value"].as_str()).map(str::to_owned))
}

fn service_tag(aws: &LocalAws, key: &str) -> Result<Option<String>> {
    let tags = aws.service(CLUSTER, API)?["tags"].clone();
    let found = tags.as_array().into_iter().flatten().find(|it| it["key"] == key);
    Ok(found.and_then(|it| it["value"].as_str()).map(str::to_owned))
}

fn wait_for_message(aws: &LocalAws, subject: &str) -> Result<String> {
    aws.wait_until(&format!("the message '{subject}'"), || {
        let begins = |it: &Option<String>| it.as_deref().is_some_and(|it| it.starts_with(subject));
        Ok(aws.messages()?.into_iter().find(|it| begins(&it.subject)).map(|it| it.body))
    })
}

fn wait_for_image(aws: &LocalAws, digest: &str) -> Result<()> {
    aws.wait_until(&format!("{API} to run {digest}"), || {
        let completed = aws.service(CLUSTER, API)?["deployments"][0]["rolloutState"] == "COMPLETED";
        Ok((completed && aws.images(CLUSTER, API)?[0].ends_with(digest)).then_some(()))
    })
}

/// The calls of the function that change something.
fn writes(aws: &LocalAws) -> Result<Vec<String>> {
    let own = aws.calls()?.into_iter().filter(|it| it.function.as_deref() == Some(FUNCTION));
    let read = |action: &str| ["Get", "Describe", "List", "Assume"].iter().any(|it| action.starts_with(it));
    Ok(own.map(|it| it.action).filter(|it| !read(it)).collect())
}

fn run(aws: &LocalAws, payload: &Value) -> Result<Value> {
    let invocation = aws.invoke(FUNCTION, payload)?;
    assert_eq!(invocation.error, None, "{}", invocation.payload);
    Ok(invocation.payload)
}

#[test]
fn an_alarm_after_a_deployment_takes_it_back_and_its_end_is_told() -> Result<()> {
    let aws = truegul(&[("nightshift:deploy", "semver range=1.x")])?;
    let good = aws.images(CLUSTER, API)?[0].clone();
    let bad = aws.push_image("truegul-api-server", "v1.1.0", "api-server 1.1.0")?;
    wait_for_image(&aws, &bad)?;
    wait_for_message(&aws, "[Nightshift] truegul-production/api-server: v1.1.0 is live")?;

    put_alarm(&aws, "api-5xx", "rollback within=30m then=notify", &[])?;
    set_state(&aws, "api-5xx", "ALARM")?;
    let body = wait_for_message(&aws, "[Nightshift] truegul-production/api-server: api-5xx: rolling back")?;
    assert!(body.contains("(42 datapoints were greater than 10); rollback is step 1 of 2 of its tag"), "{body}");
    assert!(body.contains("api-server:2 -> then nightshift-deploy-image carries it out"), "{body}");
    wait_for_message(&aws, "[Nightshift] truegul-production/api-server: going back to v1.0.0 from v1.1.0")?;
    aws.wait_until("the image before", || Ok((aws.images(CLUSTER, API)?[0] == good).then_some(())))?;
    assert!(service_tag(&aws, "nightshift-state:rejected")?.is_some_and(|it| it.starts_with(&bad)));

    set_state(&aws, "api-5xx", "OK")?;
    wait_for_message(&aws, "[Nightshift] truegul-production/api-server: api-5xx: recovered after less than a minute")?;
    let memory = alarm_tag(&aws, "api-5xx", "nightshift-state:remedied")?.unwrap_or_default();
    assert!(memory.starts_with("rollback rung=1 at=") && !memory.contains("since="), "{memory}");

    // Whoever looks again finds nothing to do.
    aws.forget_calls()?;
    assert_eq!(run(&aws, &json!({}))?["actions"], json!([]));
    assert_eq!(writes(&aws)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_change_that_comes_by_two_ways_is_one_restart() -> Result<()> {
    let aws = truegul(&[("nightshift:deploy", "newest")])?;
    let before = aws.service(CLUSTER, API)?;
    put_alarm(&aws, "api-stuck", "restart cooldown=1m", &[aws.output("RemediateAlarmFunctionArn")?])?;
    aws.forget_calls()?;
    set_state(&aws, "api-stuck", "ALARM")?;
    wait_for_message(&aws, "[Nightshift] truegul-production/api-server: api-stuck: restarting")?;
    aws.wait_until("both runs to be over", || {
        let runs = aws.log_lines(FUNCTION)?.iter().filter(|it| it.starts_with("REPORT RequestId")).count();
        Ok((runs >= 2).then_some(()))
    })?;
    let after = aws.service(CLUSTER, API)?;
    assert_ne!(after["deployments"][0]["id"], before["deployments"][0]["id"]);
    for unchanged in ["taskDefinition", "desiredCount"] {
        assert_eq!(after[unchanged], before[unchanged], "{unchanged}");
    }
    let restarts = writes(&aws)?.into_iter().filter(|it| it == "UpdateService").count();
    let memory = alarm_tag(&aws, "api-stuck", "nightshift-state:remedied")?.unwrap_or_default();
    assert!(memory.starts_with("restart rung=1 at=") && memory.contains(" count=1 "), "{memory}");
    // Two runs in the same moment may both get through; then the second restart takes the place of the first.
    assert!((1..=2).contains(&restarts), "{restarts}");

    // The same event again, late.
    aws.forget_calls()?;
    let arn = "arn:aws:cloudwatch:ap-northeast-2:123456789012:alarm:api-stuck";
    let report =
        run(&aws, &json!({"source": "aws.cloudwatch", "alarmArn": arn, "alarmData": {"alarmName": "api-stuck"}}))?;
    assert!(
        report["skipped"][0]["reason"].as_str().is_some_and(|it| it.contains("was answered by restart")),
        "{report}"
    );
    assert_eq!(writes(&aws)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_service_without_a_tag_is_not_touched_and_iam_would_not_let_it_be() -> Result<()> {
    let aws = truegul(&[("team", "api")])?;
    put_alarm(&aws, "api-stuck", "restart", &[])?;
    aws.forget_calls()?;
    set_state(&aws, "api-stuck", "ALARM")?;
    let body = wait_for_message(&aws, "[Nightshift] truegul-production/api-server: api-stuck: ")?;
    assert!(body.contains("has no tag nightshift:deploy or nightshift:schedule\nAdd it there"), "{body}");
    aws.wait_until("the problem to be remembered", || alarm_tag(&aws, "api-stuck", "nightshift-state:remedy-problem"))?;
    assert_eq!(writes(&aws)?.iter().filter(|it| *it == "UpdateService").count(), 0);

    // The tag is there while the function looks, and gone before it acts.
    let arn = aws.service(CLUSTER, API)?["serviceArn"].clone();
    aws.ecs("TagResource", json!({"resourceArn": arn, "tags": [{"key": "nightshift:deploy", "value": "newest"}]}))?;
    let slow = json!([{"service": "cloudwatch", "action": "TagResource", "times": 1, "delay_seconds": 2}]);
    aws.control("POST", "faults", Some(slow))?;
    aws.forget_calls()?;
    let payload = json!({"alarmData": {"alarmName": "api-stuck"}, "source": "aws.cloudwatch"});
    let answer = std::thread::scope(|scope| {
        let running = scope.spawn(|| aws.invoke(FUNCTION, &payload));
        aws.wait_until("the function to have seen the service", || {
            let mut seen = aws.calls()?.into_iter().filter(|it| it.function.is_some());
            Ok(seen.any(|it| it.action == "DescribeServices").then_some(()))
        })?;
        aws.ecs("UntagResource", json!({"resourceArn": arn, "tagKeys": ["nightshift:deploy"]}))?;
        running.join().expect("the invocation does not panic")
    })?;
    assert_eq!((answer.error.as_deref(), &answer.payload["problems"][0]["problem"]), (None, &json!("denied")));
    let told = answer.payload.to_string();
    assert!(told.contains("UpdateService truegul-production/api-server: AccessDenied"), "{told}");
    Ok(())
}
