//! Events and commands, reduced to the alarms to look at.
//!
//! CloudWatch says the same in three shapes: by EventBridge, through SNS, and by invoking the function itself. Of each
//! only the alarm's name is taken; what state it is in, and what it watches, is read anew.

use runtime::{Argument, BusEvent, Notification, Reading, no_such_command, not_for_us};
use serde_json::Value;

/// What a run of this function was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Where to look.
    pub place: Place,
    /// Whether a person wants what the alarm remembers to be forgotten.
    pub forget: bool,
}

/// Where to look.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// At every alarm that opted in.
    Everywhere,
    /// At these alarms.
    Alarms(Vec<AlarmName>),
}

/// An alarm as an event names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmName {
    /// Its name.
    pub name: String,
    /// Its ARN, which tells account and region.
    pub arn: Option<String>,
    /// Whether a mute rule of CloudWatch was in force.
    pub muted: bool,
}

const STATE_CHANGE: &str = "CloudWatch Alarm State Change";

impl runtime::Request for Request {
    const ACCEPTED: &'static [&'static str] = &[
        "{} (look at every tagged alarm)",
        "{\"dry_run\":true}",
        "{\"clear\":{\"alarm\":\"NAME\"}}",
        "EventBridge events \"CloudWatch Alarm State Change\"",
        "the same by SNS",
        "direct alarm actions",
    ];

    fn sweep() -> Self {
        Request { place: Place::Everywhere, forget: false }
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
        Request { place: Place::Alarms(alarms), forget: false }
    }
}

fn bus_event(event: &BusEvent) -> Result<AlarmName, String> {
    match (event.source.as_str(), event.detail_type.as_str()) {
        ("aws.cloudwatch", STATE_CHANGE) => {}
        _ => return Err(not_for_us(event)),
    }
    let arn = event.resources.first().cloned();
    named(text(&event.detail, "alarmName"), arn, &event.detail)
        .ok_or_else(|| format!("a \"{STATE_CHANGE}\" event that names no alarm"))
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
    Ok(Request { place: Place::Alarms(vec![alarm]), forget: true })
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
            let everywhere = Request { place: Place::Everywhere, forget: false };
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
        ] {
            assert_eq!(sample(name), Ok(Reading::Work(Request::about(vec![alarm(about)]))), "{name}");
        }
        let muted = AlarmName { muted: true, ..alarm("api-server-5xx") };
        assert_eq!(sample("state-change-muted"), Ok(Reading::Work(Request::about(vec![muted]))));
        assert!(matches!(sample("sns-other").unwrap(), Reading::NoWork { .. }));
        let cleared = AlarmName { arn: None, ..alarm("api-server-5xx") };
        let expected = Request { place: Place::Alarms(vec![cleared]), forget: true };
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
                json!({"source": "aws.cloudwatch", "detail-type": STATE_CHANGE, "detail": {}}),
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
