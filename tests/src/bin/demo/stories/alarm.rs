//! A bad night: 5xx after a deployment, rolled back, recovered; the same event twice; and the next step, a person.

use serde_json::{Value, json};
use testkit::{LocalAws, Message, Result};

use super::Story;
use crate::function::{decisions, is_write};
use crate::play::{ADDRESS, Play};
use crate::truegul::{API_SERVER, CLUSTER};
use crate::{screen, telling};

pub const STORY: Story = Story {
    name: "alarm",
    about: "5xx after a deployment, rolled back and recovered; a doubled event, and an alarm that comes back.",
    functions: &["remediate-alarm", "deploy-image"],
    play,
};

const FUNCTION: &str = "remediate-alarm";
const ALARM: &str = "api-server-5xx";
const REMEDY: &str = "rollback within=30m then=notify";

fn play(play: &Play) -> Result<()> {
    the_evening_before(play)?;
    let event = the_night(play)?;
    the_same_again(play, &event)?;
    all_is_well(play)?;
    the_next_step(play)
}

fn the_evening_before(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(1, "A deployment");
    screen::say(&format!(
        "The service {} of TrueGul runs v1.0.0, and in the evening v1.1.0 is pushed. An alarm watches its errors, and \
         says in a tag what to do: go back if the image is new, else call a person.",
        API_SERVER.full_name()
    ));
    API_SERVER.start(aws, "v1.0.0")?;
    API_SERVER.push(aws, "v1.1.0")?;
    wait_for_version(play, "v1.1.0")?;
    aws.wait_until("deploy-image to have found it live", || {
        Ok(API_SERVER.describe(aws)?.tags.contains_key("nightshift-state:verdict").then_some(()))
    })?;
    let alarm = json!({
        "AlarmName": ALARM, "Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_5XX_Count",
        "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 10,
        "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
        "Dimensions": [{"Name": "ClusterName", "Value": CLUSTER}, {"Name": "ServiceName", "Value": API_SERVER.name}],
        "Tags": [{"Key": "nightshift:remedy", "Value": REMEDY}],
    });
    aws.cloudwatch("PutMetricAlarm", alarm)?;
    screen::table(["alarm", "nightshift:remedy"], &[[ALARM.to_owned(), REMEDY.to_owned()]]);
    play.messages()?;
    play.calls(FUNCTION)?;
    let live = API_SERVER.describe(aws)?;
    screen::claim("v1.1.0 is live", live.primary().version == "v1.1.0", format_args!("{live:?}"))
}

/// Returns the event of the alarm.
fn the_night(play: &Play) -> Result<Value> {
    let aws = play.aws();
    play.chapter(2, "An alarm goes off");
    screen::say("v1.1.0 answers with 5xx, and CloudWatch notices:");
    set_state(play, "ALARM", "Threshold Crossed: 42 answers with 5xx in a minute were more than 10")?;
    let event = state_event(play, "ALARM")?;
    telling::event(play, &event, "RemediateAlarmFunction", "StateChanged")?;
    let run = play.run(FUNCTION)?;
    screen::announce("run", &format!("{FUNCTION} ran for {:.0} ms and decided:", run.milliseconds));
    telling::decisions(&run.decisions);
    run.reason(API_SERVER.name, "rollback")?;
    let writes: Vec<String> =
        play.calls(FUNCTION)?.iter().filter(|it| is_write(it)).map(|it| it.action.clone()).collect();
    screen::fact("wrote", &writes.join(", "));
    let expected = writes == ["TagResource", "TagResource", "InvokeFunction", "Publish"];
    screen::claim(
        "it remembers, asks deploy-image by a tag, wakes it and tells you; it does not change the service itself",
        expected,
        writes.join(", "),
    )?;

    screen::say("deploy-image alone changes what a service runs. It finds the request and goes back:");
    wait_for_version(play, "v1.0.0")?;
    let now = API_SERVER.describe(aws)?;
    telling::deployments(&now);
    let rejected = now.tags.get("nightshift-state:rejected").cloned().unwrap_or_default();
    screen::fact("tag", &format!("nightshift-state:rejected = {rejected}"));
    screen::claim("v1.1.0 is rejected, and will not come back by itself", rejected.starts_with("sha256:"), &rejected)?;
    show_mail(play, "rolling back")?;
    Ok(event)
}

fn the_same_again(play: &Play, event: &Value) -> Result<()> {
    play.chapter(3, "The same event again");
    screen::say("EventBridge delivers at least once, and the same alarm may come through SNS as well:");
    play.calls(FUNCTION)?;
    let detail = &event["detail"];
    let arn = event["resources"][0].as_str().unwrap_or_default();
    play.aws().put_event("aws.cloudwatch", "CloudWatch Alarm State Change", detail, &[arn])?;
    let run = play.run(FUNCTION)?;
    telling::decisions(&run.decisions);
    screen::claim("nothing is planned", run.left_all_alone(), format_args!("{:?}", run.decisions))?;
    let writes = play.calls(FUNCTION)?.iter().filter(|it| is_write(it)).count();
    screen::claim("and nothing written", writes == 0, writes)
}

fn all_is_well(play: &Play) -> Result<()> {
    play.chapter(4, "All is well again");
    play.messages()?;
    set_state(play, "OK", "Threshold Crossed: no datapoints were received, which is not breaching")?;
    play.run(FUNCTION)?.reason(ALARM, "record-recovery")?;
    show_mail(play, "recovered after less than a minute")?;
    let tags = play.aws().cloudwatch("ListTagsForResource", json!({"ResourceARN": alarm_arn()}))?;
    let memory = tags["Tags"].as_array().into_iter().flatten().find(|it| it["Key"] == "nightshift-state:remedied");
    let memory = memory.and_then(|it| it["Value"].as_str()).unwrap_or_default();
    screen::fact("tag", &format!("nightshift-state:remedied = {memory}"));
    screen::claim("the alarm itself remembers what was done", memory.starts_with("rollback rung=1"), memory)
}

fn the_next_step(play: &Play) -> Result<()> {
    play.chapter(5, "Once more, and a person is needed");
    screen::say("The alarm goes off again. Going back has not helped for good, so the next step of its tag is due:");
    play.messages()?;
    set_state(play, "ALARM", "Threshold Crossed: 12 answers with 5xx in a minute were more than 10")?;
    let run = play.run(FUNCTION)?;
    telling::decisions(&run.decisions);
    let why = run.reason(ALARM, "notify")?;
    screen::claim("it is handed to a person", why.contains("notify is step 2 of 2 of its tag"), why)?;
    show_mail(play, "needs you")?;
    let now = API_SERVER.describe(play.aws())?;
    screen::claim("v1.0.0 runs on", now.primary().version == "v1.0.0", format_args!("{now:?}"))?;
    screen::say("Whoever asks again hears the same, and nobody is written to a second time:");
    let report = play.ask(FUNCTION, &json!({}))?;
    telling::decisions(&decisions(&report));
    telling::no_message(play)
}

// ------------------------------------------------------------------------------------------------ turns of phrase

fn alarm_arn() -> String {
    format!("arn:aws:cloudwatch:{}:{}:alarm:{ALARM}", LocalAws::REGION, LocalAws::ACCOUNT)
}

fn set_state(play: &Play, state: &str, reason: &str) -> Result<()> {
    screen::command(&format!("aws cloudwatch set-alarm-state --alarm-name {ALARM} --state-value {state} …"));
    let change = json!({"AlarmName": ALARM, "StateValue": state, "StateReason": reason});
    play.aws().cloudwatch("SetAlarmState", change).map(drop)
}

fn state_event(play: &Play, state: &str) -> Result<Value> {
    play.event(&format!("that {ALARM} is {state}"), |it| {
        it["detail"]["alarmName"] == ALARM && it["detail"]["state"]["value"] == state
    })
}

fn wait_for_version(play: &Play, version: &str) -> Result<()> {
    play.aws().wait_until(&format!("{} to run {version}", API_SERVER.name), || {
        let primary = API_SERVER.describe(play.aws())?;
        let primary = primary.primary();
        Ok((primary.version == version && primary.rollout == "COMPLETED").then_some(()))
    })
}

/// Shows the message about the alarm that says so, among those that came since the last time. It is a part of the
/// service's story, and so begins with its name.
fn show_mail(play: &Play, what: &str) -> Result<()> {
    let subject = format!("[Nightshift] {}: {ALARM}: {what}", API_SERVER.full_name());
    let wanted = |it: &Message| it.subject.as_deref().is_some_and(|it| it.starts_with(&subject));
    let message =
        play.aws().wait_until(&format!("the message '{subject}'"), || Ok(play.messages()?.into_iter().find(wanted)))?;
    screen::mail(ADDRESS, &message);
    Ok(())
}
