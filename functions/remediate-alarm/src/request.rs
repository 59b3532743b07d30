//! Events and commands, reduced to the alarms to look at.
//!
//! CloudWatch says the same in three forms: by EventBridge, through SNS, and by invoking the function itself. Of each
//! only the alarm's name is taken, and whether it was muted; its state, and what it watches, are read again.

use runtime::{Argument, BusEvent, Notification, Reading, no_such_command, not_for_us};
use serde_json::Value;

use crate::plan::scope::{AlarmName, Command, Scope};

/// What a run of this function was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub scope: Scope,
    pub command: Option<Command>,
}

/// The alarm as a whole, and one of several things that it watches.
const STATE_CHANGES: [&str; 2] = ["CloudWatch Alarm State Change", "CloudWatch Alarm Contributor State Change"];

impl runtime::Request for Request {
    const ACCEPTED: &'static [&'static str] = &[
        "{} (look at every tagged alarm)",
        "{\"dry_run\":true}",
        "{\"clear\":{\"alarm\":\"NAME\"}}",
        "EventBridge events \"CloudWatch Alarm State Change\" and \"CloudWatch Alarm Contributor State Change\"",
        "the same by SNS",
        "direct alarm actions",
    ];

    fn sweep() -> Self {
        Request { scope: Scope::EveryAlarm, command: None }
    }

    fn command(name: &str, argument: Value) -> Result<Reading<Self>, String> {
        command(name, argument).map(Reading::Work)
    }

    fn bus(event: &BusEvent) -> Result<Reading<Self>, String> {
        bus_event(event).map(|it| Reading::Work(Request::about(vec![it])))
    }

    fn notifications(all: Vec<Notification>) -> Result<Reading<Self>, String> {
        Ok(notifications(&all))
    }

    fn alarm(payload: &Value) -> Result<Reading<Self>, String> {
        direct(payload).map(|it| Reading::Work(Request::about(vec![it])))
    }
}

impl Request {
    fn about(alarms: Vec<AlarmName>) -> Self {
        Request { scope: Scope::Alarms(alarms), command: None }
    }
}

fn bus_event(event: &BusEvent) -> Result<AlarmName, String> {
    match (event.source.as_str(), event.detail_type.as_str()) {
        ("aws.cloudwatch", it) if STATE_CHANGES.contains(&it) => {}
        _ => return Err(not_for_us(event)),
    }
    let arn = event.resources.first().cloned();
    named(text(&event.detail, "alarmName"), arn, &event.detail)
        .ok_or_else(|| format!("a \"{}\" event that names no alarm", event.detail_type))
}

fn direct(payload: &Value) -> Result<AlarmName, String> {
    let alarm = &payload["alarmData"];
    named(text(alarm, "alarmName"), text(payload, "alarmArn"), alarm)
        .ok_or_else(|| "an alarm action that names no alarm".to_owned())
}

/// A topic may carry more than alarms: other messages are left alone.
fn notifications(all: &[Notification]) -> Reading<Request> {
    let alarm = |it: &Notification| {
        let message: Value = serde_json::from_str(&it.message).ok()?;
        message.get("NewStateValue")?;
        named(text(&message, "AlarmName"), text(&message, "AlarmArn"), &message)
    };
    let alarms: Vec<AlarmName> = all.iter().filter_map(alarm).collect();
    match all.first() {
        Some(it) if alarms.is_empty() => Reading::no_work(&it.topic, "the message is not from a CloudWatch alarm"),
        _ => Reading::Work(Request::about(alarms)),
    }
}

fn named(name: Option<String>, arn: Option<String>, about: &Value) -> Option<AlarmName> {
    let of_arn = || Some(arn.as_ref()?.split_once(":alarm:")?.1.to_owned());
    let name = name.or_else(of_arn)?;
    Some(AlarmName { name, arn, muted: !about["muteDetail"].is_null() })
}

fn text(value: &Value, field: &str) -> Option<String> {
    value.get(field)?.as_str().filter(|it| !it.is_empty()).map(str::to_owned)
}

fn command(name: &str, argument: Value) -> Result<Request, String> {
    if name != "clear" {
        return Err(no_such_command(name));
    }
    let mut argument = Argument::read(name, argument, "{\"alarm\":\"NAME\"}")?;
    let alarm = argument.text("alarm")?;
    argument.end()?;
    let arn = alarm.starts_with("arn:").then(|| alarm.clone());
    let name = if arn.is_some() { None } else { Some(alarm.clone()) };
    let alarm = named(name, arn, &Value::Null)
        .ok_or_else(|| format!("\"clear\": \"{alarm}\" is neither the name nor the ARN of an alarm"))?;
    Ok(Request { scope: Scope::Alarms(vec![alarm]), command: Some(Command::Clear) })
}

#[cfg(test)]
mod tests {
    use runtime::Request as _;
    use serde_json::json;

    use super::*;

    fn sample(name: &str) -> Result<Reading<Request>, String> {
        let path = format!("{}/../../events/remediate-alarm/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let payload = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Request::read(runtime::event(payload)?)
    }

    fn alarm(name: &str) -> AlarmName {
        let arn = format!("arn:aws:cloudwatch:ap-northeast-2:123456789012:alarm:{name}");
        AlarmName { name: name.into(), arn: Some(arn), muted: false }
    }

    #[test]
    fn every_sample_is_reduced_to_the_alarm_it_is_about() {
        for sweep in ["sweep", "dry-run", "scheduled-default"] {
            let everywhere = Request { scope: Scope::EveryAlarm, command: None };
            assert_eq!(sample(sweep), Ok(Reading::Work(everywhere)), "{sweep}");
        }
        for (name, about) in [
            ("state-change-alarm", "api-server-5xx"),
            ("state-change-ok", "api-server-5xx"),
            ("state-change-math", "api-server-5xx-rate"),
            ("state-change-anomaly", "api-server-latency"),
            ("state-change-composite", "api-server-is-ill"),
            ("sns-alarm", "kfood-db-connections"),
            ("sns-math", "api-server-5xx-rate"),
            ("direct-alarm", "api-server-5xx"),
            ("direct-math", "api-server-5xx-rate"),
            ("direct-composite", "api-server-is-ill"),
            ("state-change-log", "errors-in-log"),
            ("contributor-alarm", "cpu-of-each-service"),
        ] {
            assert_eq!(sample(name), Ok(Reading::Work(Request::about(vec![alarm(about)]))), "{name}");
        }
        let muted = AlarmName { muted: true, ..alarm("api-server-5xx") };
        assert_eq!(sample("state-change-muted"), Ok(Reading::Work(Request::about(vec![muted]))));
        assert!(matches!(sample("sns-other").unwrap(), Reading::NoWork { .. }));
        let cleared = AlarmName { arn: None, ..alarm("api-server-5xx") };
        let expected = Request { scope: Scope::Alarms(vec![cleared]), command: Some(Command::Clear) };
        assert_eq!(sample("clear"), Ok(Reading::Work(expected)));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_the_word_at_fault() {
        for (payload, wrong) in [
            (json!({"fix": {}}), "there is no command \"fix\""),
            (json!({"clear": {}}), "\"clear\" lacks \"alarm\"; it takes {\"alarm\":\"NAME\"}"),
            (json!({"clear": {"alarm": "a", "x": 1}}), "\"clear\" knows no \"x\"; it takes {\"alarm\":\"NAME\"}"),
            (
                json!({"clear": {"alarm": "arn:aws:sns:x"}}),
                "\"clear\": \"arn:aws:sns:x\" is neither the name nor the ARN of an alarm",
            ),
            (json!({"alarmData": {}}), "an alarm action that names no alarm"),
            (
                json!({"source": "aws.cloudwatch", "detail-type": STATE_CHANGES[0], "detail": {}}),
                "a \"CloudWatch Alarm State Change\" event that names no alarm",
            ),
            (
                json!({"source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm Configuration Change", "detail": {}}),
                "an event \"CloudWatch Alarm Configuration Change\" of aws.cloudwatch is not for this function",
            ),
        ] {
            assert_eq!(runtime::event(payload).and_then(Request::read), Err(wrong.into()));
        }
    }
}
