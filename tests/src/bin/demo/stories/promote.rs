//! What staging has proven over a weekend goes to production as a canary, and an alarm takes it back by one call.

use serde_json::{Value, json};
use testkit::{LocalAws, Result};

use super::Story;
use crate::function::{Decision, decisions};
use crate::play::{ADDRESS, Play};
use crate::screen;

pub const STORY: Story = Story {
    name: "promote",
    about: "From staging to production over a weekend: soaked, approved, shifted as a canary, and back by one call.",
    functions: &["deploy-image", "scale-staging", "remediate-alarm"],
    play,
};

const FUNCTION: &str = "deploy-image";
const STAGING: &str = "codemate-dev";
const PRODUCTION: &str = "codemate-cluster";
const BACKEND: &str = "codemate-backend";
const FULL_NAME: &str = "codemate-cluster/codemate-backend";
const ALARM: &str = "backend-5xx";

/// What people tag each service with.
const TAGS: [(&str, [(&str, &str); 2]); 2] = [
    (STAGING, [("nightshift:deploy", "newest except=latest"), ("nightshift:schedule", "mon-fri 08:00-20:00")]),
    (
        PRODUCTION,
        [
            ("nightshift:deploy", "promote from=codemate-dev/codemate-backend soak=4h approval=manual"),
            ("nightshift:deploy-window", "mon-thu 10:00-16:00 Asia/Seoul"),
        ],
    ),
];

fn play(play: &Play) -> Result<()> {
    the_shop(play)?;
    let digest = friday(play)?;
    the_weekend(play)?;
    monday(play, &digest)?;
    the_canary(play)?;
    the_alarm(play)?;
    let refused: Vec<_> = play.calls_in_all(FUNCTION)?.into_iter().filter(|it| it.status >= 400).collect();
    screen::claim("none of its calls was refused by its own role", refused.is_empty(), format_args!("{refused:?}"))
}

fn the_shop(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(1, "Staging and production");
    screen::say(&format!(
        "CodeMate runs {BACKEND} on two clusters. Staging gets every image that is pushed, and sleeps at night and on \
         weekends. Production gets what has been live there for four hours awake, once a person approved it, and only \
         within its window; ECS shifts its traffic as a canary."
    ));
    // The events of the opening would only wake runs that find nothing to do.
    aws.deliver_events("lost")?;
    at(play, "2026-11-20T14:00:00+09:00")?;
    aws.push_image(BACKEND, "c0ffee1", "codemate 1")?;
    let image = aws.image_uri(BACKEND, ":c0ffee1");
    for (cluster, tags) in TAGS {
        aws.ecs("CreateCluster", json!({"clusterName": cluster}))?;
        aws.start_service(cluster, BACKEND, &image, &tags)?;
    }
    let canary = json!({"strategy": "CANARY", "bakeTimeInMinutes": 30,
        "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 10}});
    aws.ecs("UpdateService", json!({"cluster": PRODUCTION, "service": BACKEND, "deploymentConfiguration": canary}))?;
    aws.deliver_events("live")?;
    let row = |(cluster, (key, value)): (&str, (&str, &str))| [cluster.to_owned(), key.to_owned(), value.to_owned()];
    let rows: Vec<[String; 3]> = TAGS.iter().flat_map(|(cluster, tags)| tags.map(|it| row((cluster, it)))).collect();
    screen::table(["cluster", "tag", "value"], &rows);
    both_run(play, "c0ffee1", "c0ffee1")
}

/// Returns the digest of the image that is pushed.
fn friday(play: &Play) -> Result<String> {
    play.chapter(2, "Friday, five in the afternoon");
    at(play, "2026-11-20T17:00:00+09:00")?;
    screen::command(&format!("docker push $REGISTRY/{BACKEND}:c0ffee2"));
    let digest = play.aws().push_image(BACKEND, "c0ffee2", "codemate 2")?;
    play.aws().wait_until("deploy-image to have found it live on staging", || {
        let tags = play.aws().service(STAGING, BACKEND)?["tags"].to_string();
        Ok((tags.contains("nightshift-state:verdict") && tags.contains(&digest)).then_some(()))
    })?;
    both_run(play, "c0ffee2", "c0ffee1")?;
    screen::say("On staging it is live. For production its hours begin to count, from run to run:");
    let mut rows = Vec::new();
    for (when, moment) in [("Fri 18:30", "2026-11-20T18:30:00+09:00"), ("Fri 19:55", "2026-11-20T19:55:00+09:00")] {
        rows.push(soaks(play, when, moment)?);
    }
    screen::table(["when", "what deploy-image says of production"], &rows);
    screen::claim("after three hours nothing has gone out", !rows[1][1].contains("deploying"), &rows[1][1])?;
    Ok(digest)
}

fn the_weekend(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(3, "The weekend");
    screen::say("At eight in the evening scale-staging puts staging to sleep, and on Monday at eight it wakes it:");
    let mut rows = Vec::new();
    asleep(play, "2026-11-20T20:00:00+09:00", 0)?;
    for (when, moment) in [("Sat 15:00", "2026-11-21T15:00:00+09:00"), ("Sun 15:00", "2026-11-22T15:00:00+09:00")] {
        rows.push(soaks(play, when, moment)?);
    }
    asleep(play, "2026-11-23T08:00:00+09:00", 2)?;
    rows.push(soaks(play, "Mon 08:05", "2026-11-23T08:05:00+09:00")?);
    screen::table(["when", "what deploy-image says of production"], &rows);
    let counted = rows.iter().all(|it| it[1].contains("live for 3 of 4 hours awake"));
    screen::claim("a night and a weekend asleep count for nothing", counted, format_args!("{rows:?}"))?;
    let forecast = rows[0][1].contains("Mon 2026-11-23 10:00 KST at the earliest");
    screen::claim("and the forecast knows the schedule and the window", forecast, &rows[0][1])?;
    aws.messages().map(drop)
}

fn monday(play: &Play, digest: &str) -> Result<()> {
    play.chapter(4, "Monday morning: a person is asked");
    at(play, "2026-11-23T09:15:00+09:00")?;
    play.ask(FUNCTION, &json!({}))?;
    let asked = mail(play, "codemate-cluster/codemate-backend: c0ffee2 waits for your approval (runs c0ffee1)", true)?;
    screen::claim("the message names the image by its digest", asked.contains(digest), &asked)?;
    let approve = json!({"approve": {"service": FULL_NAME, "image": digest}});
    let shown = json!({"approve": {"service": FULL_NAME, "image": "sha256:…"}});
    screen::command(&format!("printf %s '{shown}' | aws lambda invoke --function-name nightshift-{FUNCTION} …"));
    let waits = of_production(&play.ask(FUNCTION, &approve)?);
    table(&waits);
    let window = waits.iter().any(|it| it.reason.contains("waits until Mon 2026-11-23 10:00"));
    screen::claim("it is approved, and waits for its window", window, format_args!("{waits:?}"))?;
    both_run(play, "c0ffee2", "c0ffee1")
}

fn the_canary(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(5, "Ten o'clock: the canary");
    aws.rollouts_wait()?;
    at(play, "2026-11-23T10:05:00+09:00")?;
    let begun = of_production(&play.ask(FUNCTION, &json!({}))?);
    table(&begun);
    screen::claim("the window is open, and it is deployed", acts(&begun, "deploy"), format_args!("{begun:?}"))?;
    aws.shift_to(FULL_NAME, "PRODUCTION_TRAFFIC_SHIFT", 10.0)?;
    screen::say("A tenth of the traffic is on the new tasks. A pipeline that waits for its image is told so:");
    let status = json!({"status": {"service": FULL_NAME, "image": "c0ffee2"}});
    let told = of_production(&play.ask(FUNCTION, &status)?);
    table(&told);
    let stage = "rolling-out: c0ffee2 is rolling out: stage PRODUCTION_TRAFFIC_SHIFT, 10 % of the traffic";
    screen::claim("stage and share of the traffic are told", told[0].reason == stage, format_args!("{told:?}"))?;
    aws.shift_to(FULL_NAME, "BAKE_TIME", 100.0)?;
    screen::say("All traffic is on it. The tasks of before run on until the end of the bake time:");
    at(play, "2026-11-23T10:20:00+09:00")?;
    play.ask(FUNCTION, &json!({}))?;
    let said = mail(play, "codemate-cluster/codemate-backend: all traffic is on c0ffee2", true)?;
    let until = said.contains("it can go back at once, at least until Mon 2026-11-23 10:45 KST");
    screen::claim("and until when the way back is one call", until, &said)
}

fn the_alarm(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(6, "An alarm in the bake");
    let remedy = format!("rollback service={FULL_NAME} within=30m");
    let alarm = json!({
        "AlarmName": ALARM, "Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_5XX_Count",
        "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 10,
        "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
        "Tags": [{"Key": "nightshift:remedy", "Value": remedy}],
    });
    aws.cloudwatch("PutMetricAlarm", alarm)?;
    screen::table(["alarm", "nightshift:remedy"], &[[ALARM.to_owned(), remedy]]);
    at(play, "2026-11-23T10:25:00+09:00")?;
    let before = calls(play)?;
    let reason = "Threshold Crossed: 42 answers with 5xx in a minute were more than 10";
    aws.cloudwatch("SetAlarmState", json!({"AlarmName": ALARM, "StateValue": "ALARM", "StateReason": reason}))?;
    mail(play, &format!("{FULL_NAME}: {ALARM}: rolling back"), false)?;
    mail(play, &format!("{FULL_NAME}: stopping c0ffee2, ECS goes back"), true)?;
    let made = |action: &str| calls(play).map(|it| it.iter().filter(|it| *it == action).count());
    screen::claim(
        "one StopServiceDeployment",
        made("StopServiceDeployment")? == 1,
        format_args!("{:?}", calls(play)?),
    )?;
    let deployed = before.iter().filter(|it| *it == "UpdateService").count();
    screen::claim("and no UpdateService", made("UpdateService")? == deployed, format_args!("{:?}", calls(play)?))?;
    aws.end_rollout(FULL_NAME, "completed")?;
    both_run(play, "c0ffee2", "c0ffee1")?;
    screen::say("The next window opens on Tuesday. What was taken back does not go out again:");
    at(play, "2026-11-24T11:00:00+09:00")?;
    let later = of_production(&play.ask(FUNCTION, &json!({}))?);
    table(&later);
    screen::claim("c0ffee2 stays rejected", !acts(&later, "deploy"), format_args!("{later:?}"))?;
    both_run(play, "c0ffee2", "c0ffee1")
}

// ------------------------------------------------------------------------------------------------ turns of phrase

/// From now on it is this moment for AWS and for the functions.
fn at(play: &Play, moment: &str) -> Result<()> {
    let names: Vec<String> = STORY.functions.iter().map(|it| Play::full_name(it)).collect();
    play.aws().set_moment(moment, &names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn of_production(report: &Value) -> Vec<Decision> {
    decisions(report).into_iter().filter(|it| it.resource.contains(PRODUCTION)).collect()
}

fn table(decisions: &[Decision]) {
    let rows: Vec<[String; 2]> = decisions.iter().map(|it| [it.action.clone(), it.reason.clone()]).collect();
    screen::table(["action", "why"], &rows);
}

fn acts(decisions: &[Decision], action: &str) -> bool {
    decisions.iter().any(|it| it.action == action)
}

/// What a run says of the image that is to be promoted.
fn soaks(play: &Play, when: &str, moment: &str) -> Result<[String; 2]> {
    at(play, moment)?;
    let said = of_production(&play.ask(FUNCTION, &json!({}))?);
    let soaks = said.into_iter().map(|it| it.reason).find(|it| it.contains(" soaks on ")).unwrap_or_default();
    Ok([when.to_owned(), soaks])
}

/// Runs scale-staging, after which staging has that many tasks.
fn asleep(play: &Play, moment: &str, tasks: i64) -> Result<()> {
    at(play, moment)?;
    play.ask("scale-staging", &json!({}))?;
    let count = play.aws().service(STAGING, BACKEND)?["desiredCount"].clone();
    screen::claim(&format!("staging has {tasks} tasks"), count == tasks, count)
}

/// The message with this subject, whole or its subject only; what it says.
fn mail(play: &Play, subject: &str, whole: bool) -> Result<String> {
    let subject = format!("[Nightshift] {subject}");
    let message = play.aws().wait_until(&format!("the message {subject:?}"), || {
        let begins = |it: &Option<String>| it.as_deref().is_some_and(|it| it.starts_with(&subject));
        Ok(play.aws().messages()?.into_iter().find(|it| begins(&it.subject)))
    })?;
    match whole {
        true => screen::mail(ADDRESS, &message),
        false => screen::fact("e-mail", message.subject.as_deref().unwrap_or_default()),
    }
    Ok(message.body)
}

/// The calls of deploy-image so far.
fn calls(play: &Play) -> Result<Vec<String>> {
    Ok(play.calls_in_all(FUNCTION)?.into_iter().map(|it| it.action).collect())
}

fn both_run(play: &Play, staging: &str, production: &str) -> Result<()> {
    let runs = |aws: &LocalAws, cluster: &str, version: &str| -> Result<bool> {
        let definition = aws.service(cluster, BACKEND)?["taskDefinition"].clone();
        let answer = aws.ecs("DescribeTaskDefinition", json!({"taskDefinition": definition, "include": ["TAGS"]}))?;
        let image =
            answer["taskDefinition"]["containerDefinitions"][0]["image"].as_str().unwrap_or_default().to_owned();
        let mut tags = answer["tags"].as_array().into_iter().flatten();
        Ok(image.ends_with(&format!(":{version}"))
            || tags.any(|it| it["key"] == "nightshift-state:image" && it["value"] == version))
    };
    play.aws().wait_until(&format!("staging on {staging} and production on {production}"), || {
        let both = runs(play.aws(), STAGING, staging)? && runs(play.aws(), PRODUCTION, production)?;
        Ok(both.then_some(()))
    })?;
    screen::claim(&format!("staging runs {staging}, production {production}"), true, "")
}
