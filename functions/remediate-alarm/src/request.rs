//! Events and commands, reduced to the alarms to look at.
//!
//! CloudWatch says the same in three shapes: by EventBridge, through SNS, and by invoking the function itself. Of each
//! only the alarm's name is taken; what state it is in, and what it watches, is read anew.

use runtime::{BusEvent, Event, Notification};
use serde::Deserialize;
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
    /// At nothing: an event that is about no alarm, with what it is about and the reason.
    Nowhere {
        /// What the event is about.
        about: String,
        /// Why there is nothing to do.
        reason: &'static str,
    },
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
    const ACCEPTED: &'static str = "{} (look at every tagged alarm), {\"dry_run\":true}, {\"clear\":{\"alarm\":\"NAME\"}}, \
        EventBridge events \"CloudWatch Alarm State Change\", the same by SNS, and direct alarm actions";

    fn read(event: Event) -> Result<Self, String> {
        let alarms = |alarms| Request { place: Place::Alarms(alarms), forget: false };
        match event {
            Event::Sweep => Ok(Request { place: Place::Everywhere, forget: false }),
            Event::Command { name, argument } => command(&name, argument),
            Event::Bus(event) => bus_event(&event).map(|it| alarms(vec![it])),
            Event::Alarm(payload) => direct(&payload).map(|it| alarms(vec![it])),
            Event::Notifications(all) => Ok(notifications(&all)),
        }
    }
}

fn bus_event(event: &BusEvent) -> Result<AlarmName, String> {
    match (event.source.as_str(), event.detail_type.as_str()) {
        ("aws.cloudwatch", STATE_CHANGE) => {}
        (source, detail_type) => {
            return Err(format!("an event \"{detail_type}\" of {source} is not for this function"));
        }
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

/// A topic may carry more than alarms: what is no alarm is left alone.
fn notifications(all: &[Notification]) -> Request {
    let alarm = |it: &Notification| {
        let message: Value = serde_json::from_str(&it.message).ok()?;
        message.get("NewStateValue")?;
        named(text(&message, "AlarmName"), text(&message, "AlarmArn"), &message)
    };
    let alarms: Vec<AlarmName> = all.iter().filter_map(alarm).collect();
    let place = match all.first() {
        Some(it) if alarms.is_empty() => {
            Place::Nowhere { about: it.topic.clone(), reason: "the message is not from a CloudWatch alarm" }
        }
        _ => Place::Alarms(alarms),
    };
    Request { place, forget: false }
}

fn named(name: Option<String>, arn: Option<String>, about: &Value) -> Option<AlarmName> {
    let of_arn = || Some(arn.as_ref()?.split_once(":alarm:")?.1.to_owned());
    let name = name.or_else(of_arn)?;
    Some(AlarmName { name, arn, muted: !about["muteDetail"].is_null() })
}

fn text(value: &Value, field: &str) -> Option<String> {
    value.get(field)?.as_str().filter(|it| !it.is_empty()).map(str::to_owned)
}

/// What a command names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    alarm: String,
}

fn command(name: &str, argument: Value) -> Result<Request, String> {
    if name != "clear" {
        return Err(format!("there is no command \"{name}\""));
    }
    let Target { alarm } = serde_json::from_value(argument).map_err(|err| format!("\"{name}\": {err}"))?;
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

    fn sample(name: &str) -> Result<Request, String> {
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
            assert_eq!(sample(sweep).unwrap().place, Place::Everywhere, "{sweep}");
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
            let expected = Request { place: Place::Alarms(vec![alarm(about)]), forget: false };
            assert_eq!(sample(name), Ok(expected), "{name}");
        }
        let muted = AlarmName { muted: true, ..alarm("api-server-5xx") };
        assert_eq!(sample("state-change-muted").unwrap().place, Place::Alarms(vec![muted]));
        assert!(matches!(sample("sns-other").unwrap().place, Place::Nowhere { .. }));
        let cleared = AlarmName { arn: None, ..alarm("api-server-5xx") };
        assert_eq!(sample("clear"), Ok(Request { place: Place::Alarms(vec![cleared]), forget: true }));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_the_word_at_fault() {
        for (payload, wrong) in [
            (json!({"fix": {}}), "there is no command \"fix\""),
            (json!({"clear": {}}), "\"clear\": missing field `alarm`"),
            (json!({"clear": {"alarm": "a", "x": 1}}), "\"clear\": unknown field `x`, expected `alarm`"),
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
