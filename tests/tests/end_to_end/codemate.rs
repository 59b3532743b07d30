//! The shop CodeMate: an image that staging has proven over a weekend is promoted as a canary, and comes back by one call.

use std::process::Command;

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

const DEPLOY: &str = "nightshift-deploy-image";
const SLEEP: &str = "nightshift-scale-staging";
const REMEDIATE: &str = "nightshift-remediate-alarm";
const STAGING: &str = "codemate-dev";
const PRODUCTION: &str = "codemate-cluster";
const SERVICE: &str = "codemate-backend";
const FULL_NAME: &str = "codemate-cluster/codemate-backend";

/// Staging gets what is pushed and sleeps at night and on weekends; production gets what was live there for four hours
/// awake, when a person approved it, from Monday to Thursday by day.
fn codemate() -> Result<LocalAws> {
    let aws = LocalAws::start(Options {
        parameters: vec![("TimeZone".into(), "Asia/Seoul".into())],
        functions: vec!["deploy-image", "scale-staging", "remediate-alarm"],
        ..Options::default()
    })?;
    aws.deliver_events("lost")?;
    at(&aws, "2026-11-20T14:00:00+09:00")?;
    aws.push_image(SERVICE, "c0ffee1", "codemate 1")?;
    let image = aws.image_uri(SERVICE, ":c0ffee1");
    for (cluster, tags) in [
        (STAGING, [("nightshift:deploy", "newest except=latest"), ("nightshift:schedule", "mon-fri 08:00-20:00")]),
        (
            PRODUCTION,
            [
                ("nightshift:deploy", "promote from=codemate-dev/codemate-backend soak=4h approval=manual"),
                ("nightshift:deploy-window", "mon-thu 10:00-16:00 Asia/Seoul"),
            ],
        ),
    ] {
        aws.ecs("CreateCluster", json!({"clusterName": cluster}))?;
        aws.start_service(cluster, SERVICE, &image, &tags)?;
    }
    let canary = json!({"strategy": "CANARY", "bakeTimeInMinutes": 30,
        "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 10},
        "deploymentCircuitBreaker": {"enable": true, "rollback": true}});
    aws.ecs("UpdateService", json!({"cluster": PRODUCTION, "service": SERVICE, "deploymentConfiguration": canary}))?;
    aws.deliver_events("live")?;
    aws.forget_calls()?;
    Ok(aws)
}

fn at(aws: &LocalAws, moment: &str) -> Result<()> {
    aws.set_moment(moment, &[DEPLOY, SLEEP, REMEDIATE])
}

/// What a run of the function says of the service in production.
fn look(aws: &LocalAws, moment: &str) -> Result<String> {
    at(aws, moment)?;
    run(aws, DEPLOY, &json!({}))
}

fn run(aws: &LocalAws, function: &str, payload: &Value) -> Result<String> {
    let invocation = aws.invoke(function, payload)?;
    assert_eq!(invocation.error, None, "{}", invocation.payload);
    let report = invocation.payload;
    let entries = ["actions", "problems", "skipped"].iter().flat_map(|it| report[*it].as_array().into_iter().flatten());
    let of_production = entries.filter(|it| it["resource"].as_str().is_some_and(|it| it.contains(PRODUCTION)));
    Ok(of_production.map(Value::to_string).collect::<Vec<_>>().join("\n"))
}

#[track_caller]
fn says(said: &str, expected: &str) {
    assert!(said.contains(expected), "{expected:?} is missing in\n{said}");
}

fn message(aws: &LocalAws, subject: &str) -> Result<String> {
    aws.wait_until(&format!("the message '{subject}'"), || {
        let begins = |it: &Option<String>| it.as_deref().is_some_and(|it| it.starts_with(subject));
        Ok(aws.messages()?.into_iter().find(|it| begins(&it.subject)).map(|it| it.body))
    })
}

fn runs(aws: &LocalAws, cluster: &str, image: &str) -> Result<bool> {
    Ok(aws.images(cluster, SERVICE)?[0].ends_with(image))
}

/// How the script of pipelines ends with the real AWS CLI, and what it says, where it looks once.
fn wait(aws: &LocalAws, cluster: &str, image: &str) -> Result<(Option<i32>, String)> {
    let cli = aws.aws_cli()?;
    let cli = cli.parent().map(|it| it.display().to_string()).unwrap_or_default();
    let mut script = Command::new("bash");
    let service = format!("{cluster}/{SERVICE}");
    script.arg(aws.workspace().join("deploy/github-action/wait.sh")).args([service.as_str(), image, "0"]);
    script.env_clear().envs([
        ("PATH", format!("{cli}:/usr/local/bin:/usr/bin:/bin").as_str()),
        ("HOME", env!("CARGO_TARGET_TMPDIR")),
        ("AWS_ENDPOINT_URL", aws.endpoint()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", LocalAws::REGION),
    ]);
    let done = script.output()?;
    let said = [done.stdout, done.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat();
    Ok((done.status.code(), said))
}

/// The script ends with this code, after these first words.
fn waits(aws: &LocalAws, cluster: &str, image: &str, code: i32, first: &str) -> Result<()> {
    let (ended, said) = wait(aws, cluster, image)?;
    assert!(ended == Some(code) && said.starts_with(first), "{image} on {cluster}: {ended:?} {said}");
    Ok(())
}

fn deployment(aws: &LocalAws) -> Result<String> {
    let answer = aws.ecs("ListServiceDeployments", json!({"cluster": PRODUCTION, "service": SERVICE}))?;
    Ok(answer["serviceDeployments"][0]["status"].as_str().unwrap_or_default().to_owned())
}

fn calls(aws: &LocalAws, action: &str) -> Result<usize> {
    let own = aws.calls()?.into_iter().filter(|it| it.function.as_deref() == Some(DEPLOY));
    Ok(own.filter(|it| it.action == action).count())
}

#[test]
fn what_soaked_over_a_weekend_goes_out_as_a_canary_and_an_alarm_in_its_bake_takes_it_back_by_one_call() -> Result<()> {
    let aws = codemate()?;
    at(&aws, "2026-11-20T17:00:00+09:00")?;
    let digest = aws.push_image(SERVICE, "c0ffee2", "codemate 2")?;
    message(&aws, "[Nightshift] codemate-dev/codemate-backend: c0ffee2 is live")?;

    // Friday evening, a weekend asleep, Monday morning: only hours awake count.
    says(
        &look(&aws, "2026-11-20T18:30:00+09:00")?,
        "c0ffee2 soaks on codemate-dev/codemate-backend: live for 1 of 4 hours",
    );
    says(&look(&aws, "2026-11-20T19:55:00+09:00")?, "live for 2 of 4 hours awake");
    at(&aws, "2026-11-20T20:00:00+09:00")?;
    aws.invoke(SLEEP, &json!({}))?;
    assert_eq!(aws.service(STAGING, SERVICE)?["desiredCount"], 0);
    let asleep = look(&aws, "2026-11-21T15:00:00+09:00")?;
    says(
        &asleep,
        "which sleeps, so nothing is counted: live for 3 of 4 hours awake; it is deployed Mon 2026-11-23 10:00 KST",
    );
    at(&aws, "2026-11-23T08:00:00+09:00")?;
    aws.invoke(SLEEP, &json!({}))?;
    assert_eq!(aws.service(STAGING, SERVICE)?["desiredCount"], 2);
    // Pipelines wait for a verdict, and end by it.
    waits(&aws, STAGING, "c0ffee2", 0, "live: c0ffee2 is live since Fri 2026-11-20 17:00 KST")?;
    waits(&aws, STAGING, "c0ffee1", 3, "superseded: c0ffee2 runs, which is newer than c0ffee1")?;
    waits(&aws, PRODUCTION, "c0ffee2", 4, "waiting: c0ffee2 soaks on codemate-dev/codemate-backend: live for 3 of 4")?;
    waits(
        &aws,
        PRODUCTION,
        "c0ffee9",
        2,
        "there is no image 'c0ffee9'; accepted: a tag of the repository codemate-backend",
    )?;
    look(&aws, "2026-11-23T08:05:00+09:00")?;

    says(&look(&aws, "2026-11-23T09:15:00+09:00")?, "needs-approval");
    let asked = message(
        &aws,
        "[Nightshift] codemate-cluster/codemate-backend: c0ffee2 waits for your approval (runs c0ffee1)",
    )?;
    says(&asked, &digest);
    run(&aws, DEPLOY, &json!({"approve": {"service": FULL_NAME, "image": digest}}))?;
    says(&look(&aws, "2026-11-23T09:45:00+09:00")?, "waits until Mon 2026-11-23 10:00 KST");
    assert_eq!(calls(&aws, "UpdateService")?, 1, "of staging alone");

    // The window opens, and the traffic shifts.
    aws.rollouts_wait()?;
    says(&look(&aws, "2026-11-23T10:05:00+09:00")?, "\"action\":\"deploy\"");
    aws.shift_to(FULL_NAME, "PRODUCTION_TRAFFIC_SHIFT", 10.0)?;
    let stage = "rolling-out: c0ffee2 is rolling out: stage PRODUCTION_TRAFFIC_SHIFT, 10 % of the traffic";
    waits(&aws, PRODUCTION, "c0ffee2", 4, stage)?;
    aws.shift_to(FULL_NAME, "BAKE_TIME", 100.0)?;
    says(&look(&aws, "2026-11-23T10:20:00+09:00")?, "record-all-traffic");
    let told = message(&aws, "[Nightshift] codemate-cluster/codemate-backend: all traffic is on c0ffee2")?;
    says(&told, "it can go back at once, at least until Mon 2026-11-23 10:45 KST");

    // An alarm in the bake: what is taken back is the deployment, and nothing new is deployed.
    let alarm = json!({
        "AlarmName": "backend-5xx", "Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_5XX_Count",
        "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 10, "AlarmActions": [],
        "ComparisonOperator": "GreaterThanThreshold",
        "Tags": [{"Key": "nightshift:remedy", "Value": format!("rollback service={FULL_NAME} within=30m")}]});
    aws.cloudwatch("PutMetricAlarm", alarm)?;
    at(&aws, "2026-11-23T10:25:00+09:00")?;
    aws.cloudwatch(
        "SetAlarmState",
        json!({"AlarmName": "backend-5xx", "StateValue": "ALARM", "StateReason": "42 > 10"}),
    )?;
    aws.wait_until("the deployment to go back", || Ok((deployment(&aws)? == "ROLLBACK_IN_PROGRESS").then_some(())))?;
    message(&aws, "[Nightshift] codemate-cluster/codemate-backend: stopping c0ffee2, ECS goes back")?;
    aws.end_rollout(FULL_NAME, "completed")?;
    aws.wait_until("the image before", || Ok(runs(&aws, PRODUCTION, ":c0ffee1")?.then_some(())))?;
    assert_eq!(deployment(&aws)?, "ROLLBACK_SUCCESSFUL");
    waits(&aws, PRODUCTION, "c0ffee2", 1, "rejected: c0ffee2 is rejected by alarm:backend-5xx; c0ffee1 runs")?;

    // Whoever looks again deploys nothing: not today, and not in the next window.
    for moment in ["2026-11-23T11:00:00+09:00", "2026-11-24T11:00:00+09:00"] {
        says(&look(&aws, moment)?, "c0ffee1");
    }
    assert!(runs(&aws, PRODUCTION, ":c0ffee1")? && runs(&aws, STAGING, &digest)?);
    let made = ["UpdateService", "StopServiceDeployment", "RegisterTaskDefinition"].map(|it| calls(&aws, it));
    assert_eq!(made.into_iter().collect::<Result<Vec<_>>>()?, [2, 1, 2], "one deployment each, and one call back");
    Ok(())
}
