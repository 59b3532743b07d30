//! What woke the function: every shape that Lambda is handed, told apart.
//!
//! AWS's events are read leniently (fields come and go), commands of people strictly.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use aws_lambda_events::event::sns::SnsEvent;
use serde_json::{Map, Value};

/// The key of a command that says what its answer looks like.
pub const FORMAT: &str = "format";

/// The key by which a custom widget of CloudWatch says where it is shown; a button of one sends it with its command.
pub const WIDGET: &str = "widgetContext";

/// What woke the function, and whether it may only plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// What happened.
    pub event: Event,
    /// The command said `"dry_run": true`.
    pub dry_run: bool,
    /// It is shown in a custom widget of CloudWatch, with a dark theme or not.
    pub widget: Option<Widget>,
}

/// Where an answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Widget {
    /// The console's theme is the dark one.
    pub dark: bool,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Run now and look everywhere: `{}`, or a schedule.
    Sweep,
    /// A command object, such as `{"approve": {…}}`.
    Command {
        /// The object's key.
        name: String,
        /// The object's value.
        argument: Value,
    },
    /// An event of an AWS service, by EventBridge.
    Bus(BusEvent),
    /// SNS notifications; in practice one.
    Notifications(Vec<Notification>),
    /// A CloudWatch alarm that invoked the function directly: the whole payload.
    Alarm(Value),
}

/// An event by EventBridge, as far as it concerns us.
#[derive(Debug, Clone, PartialEq)]
pub struct BusEvent {
    /// Such as `aws.ecr`.
    pub source: String,
    /// Such as `ECR Image Action`.
    pub detail_type: String,
    /// ARNs; often empty.
    pub resources: Vec<String>,
    /// What the service says of it.
    pub detail: Value,
}

/// One SNS notification.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// The ARN of the topic that it came through.
    pub topic: String,
    /// The subject, if there was one.
    pub subject: Option<String>,
    /// The body: text, or JSON in a string.
    pub message: String,
}

/// What is wrong with a payload that has none of the shapes.
#[derive(Debug, Clone, PartialEq)]
pub enum Misread {
    /// It is a person's: AWS sends nothing like it.
    Command(String),
    /// It is an event that cannot be read.
    Event(String),
}

impl Incoming {
    /// Tells the shapes apart.
    pub fn read(payload: Value) -> Result<Self, Misread> {
        let Value::Object(fields) = payload else {
            return Err(Misread::Command(format!("the payload is {}, not an object", kind(&payload))));
        };
        let event = if fields.contains_key("detail-type") {
            bus_event(fields).map_err(Misread::Event)?
        } else if fields.contains_key("Records") {
            notifications(fields).map_err(Misread::Event)?
        } else if fields.contains_key("alarmData") {
            Event::Alarm(Value::Object(fields))
        } else {
            return command(fields).map_err(Misread::Command);
        };
        Ok(Incoming { event, dry_run: false, widget: None })
    }
}

fn bus_event(fields: Map<String, Value>) -> Result<Event, String> {
    let event: EventBridgeEvent<Value> = serde_json::from_value(Value::Object(fields))
        .map_err(|err| format!("an EventBridge event that cannot be read: {err}"))?;
    // A schedule without an input of its own: the event says nothing but that it is time.
    if matches!(event.source.as_str(), "aws.scheduler" | "aws.events") && event.detail_type == "Scheduled Event" {
        return Ok(Event::Sweep);
    }
    Ok(Event::Bus(BusEvent {
        source: event.source,
        detail_type: event.detail_type,
        resources: event.resources.unwrap_or_default(),
        detail: event.detail,
    }))
}

fn notifications(fields: Map<String, Value>) -> Result<Event, String> {
    let event: SnsEvent = serde_json::from_value(Value::Object(fields))
        .map_err(|err| format!("records that are not SNS notifications: {err}"))?;
    let notification = |record: aws_lambda_events::event::sns::SnsRecord| Notification {
        topic: record.sns.topic_arn,
        subject: record.sns.subject,
        message: record.sns.message,
    };
    Ok(Event::Notifications(event.records.into_iter().map(notification).collect()))
}

fn command(mut fields: Map<String, Value>) -> Result<Incoming, String> {
    let widget = fields.remove(WIDGET).map(|it| Widget { dark: it["theme"] == "dark" });
    let dry_run = match fields.remove("dry_run") {
        None => false,
        Some(Value::Bool(dry_run)) => dry_run,
        Some(other) => return Err(format!("\"dry_run\" is {other}, neither true nor false")),
    };
    // What the answer looks like is the business of whoever sends it: see `Answer`.
    match fields.remove(FORMAT).as_ref().map(Value::as_str) {
        None | Some(Some("text" | "json")) => {}
        Some(other) => {
            return Err(format!("\"{FORMAT}\" is {}, neither \"text\" nor \"json\"", other.unwrap_or("not a text")));
        }
    }
    let mut fields = fields.into_iter();
    let event = match (fields.next(), fields.next()) {
        (None, _) => Event::Sweep,
        (Some((name, argument)), None) => Event::Command { name, argument },
        (Some((one, _)), Some((two, _))) => return Err(format!("two commands at once, \"{one}\" and \"{two}\"")),
    };
    Ok(Incoming { event, dry_run, widget })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(payload: Value, expected: Result<(Event, bool), &str>) {
        let expected = expected.map(|(event, dry_run)| Incoming { event, dry_run, widget: None });
        assert_eq!(Incoming::read(payload), expected.map_err(|it| Misread::Command(it.into())));
    }

    #[test]
    fn an_empty_object_and_every_kind_of_schedule_is_a_sweep() {
        check(json!({}), Ok((Event::Sweep, false)));
        check(json!({"dry_run": true}), Ok((Event::Sweep, true)));
        check(json!({"dry_run": false}), Ok((Event::Sweep, false)));
        let scheduled = |source: &str, detail: Value| {
            json!({"version": "0", "id": "53dc", "detail-type": "Scheduled Event", "source": source, "account": "123456789012",
                   "time": "2026-11-21T03:00:00Z", "region": "ap-northeast-2", "resources": [], "detail": detail})
        };
        check(scheduled("aws.events", json!({})), Ok((Event::Sweep, false)));
        check(scheduled("aws.scheduler", json!("{}")), Ok((Event::Sweep, false)));
    }

    #[test]
    fn a_command_is_an_object_with_one_key() {
        let approve = Event::Command { name: "approve".into(), argument: json!({"service": "a/b"}) };
        check(json!({"approve": {"service": "a/b"}, "dry_run": true}), Ok((approve, true)));
        check(json!({"approve": 1, "clear": 2}), Err("two commands at once, \"approve\" and \"clear\""));
        check(json!({"dry_run": "yes"}), Err("\"dry_run\" is \"yes\", neither true nor false"));
        check(json!([]), Err("the payload is a list, not an object"));
        check(json!("{}"), Err("the payload is a string, not an object"));
    }

    #[test]
    fn what_a_widget_says_of_itself_is_no_second_command() {
        let context = |theme: &str| json!({"theme": theme, "width": 588, "params": {"board": "images"}});
        let read = |payload: Value| Incoming::read(payload).map(|it| (it.event, it.widget.map(|it| it.dark)));
        let images = Event::Command { name: "board".into(), argument: json!("images") };
        let payload = |theme| json!({"board": "images", "widgetContext": context(theme)});
        assert_eq!(read(payload("dark")), Ok((images.clone(), Some(true))));
        assert_eq!(read(payload("light")), Ok((images.clone(), Some(false))));
        assert_eq!(read(json!({"widgetContext": context("light")})), Ok((Event::Sweep, Some(false))));
        assert_eq!(read(json!({"board": "images"})), Ok((images, None)));
    }

    #[test]
    fn a_bus_event_keeps_what_concerns_us_whatever_else_is_there_or_missing() {
        let bus = |resources: &[&str]| {
            Event::Bus(BusEvent {
                source: "aws.ecr".into(),
                detail_type: "ECR Image Action".into(),
                resources: resources.iter().map(|it| it.to_string()).collect(),
                detail: json!({"result": "SUCCESS"}),
            })
        };
        let small = json!({"detail-type": "ECR Image Action", "source": "aws.ecr", "detail": {"result": "SUCCESS"}});
        check(small.clone(), Ok((bus(&[]), false)));
        let mut large = small;
        large["resources"] = json!(["arn:a"]);
        large["new-field-of-next-year"] = json!(1);
        check(large, Ok((bus(&["arn:a"]), false)));
        let Err(Misread::Event(wrong)) = Incoming::read(json!({"detail-type": "x"})) else {
            panic!("it is not an event")
        };
        assert!(wrong.starts_with("an EventBridge event that cannot be read"), "{wrong}");
    }

    #[test]
    fn an_sns_notification_is_unwrapped_with_and_without_a_subject() {
        for subject in [Some("Greetings"), None] {
            let payload = json!({"Records": [{"EventVersion": "1.0", "EventSource": "aws:sns",
                "EventSubscriptionArn": "arn:aws:sns:ap-northeast-2:123456789012:topic:228c",
                "Sns": {"Type": "Notification", "MessageId": "82833b5c", "Subject": subject, "Message": "text",
                        "TopicArn": "arn:aws:sns:ap-northeast-2:123456789012:topic", "Timestamp": "2026-11-21T18:02:32.111Z",
                        "SignatureVersion": "1", "Signature": "", "SigningCertUrl": "https://sns", "UnsubscribeUrl": "https://sns",
                        "MessageAttributes": {}}}]});
            let notification = Notification {
                topic: "arn:aws:sns:ap-northeast-2:123456789012:topic".into(),
                subject: subject.map(str::to_owned),
                message: "text".into(),
            };
            check(payload, Ok((Event::Notifications(vec![notification]), false)));
        }
        let read = Incoming::read(json!({"Records": [{"eventSource": "aws:sqs"}]}));
        let Err(Misread::Event(error)) = read else { panic!("it is not a notification") };
        assert!(error.starts_with("records that are not SNS notifications"), "{error}");
    }

    #[test]
    fn a_direct_alarm_keeps_its_whole_payload() {
        let payload = json!({"source": "aws.cloudwatch", "alarmArn": "arn:x", "alarmData": {"alarmName": "demo"}});
        check(payload.clone(), Ok((Event::Alarm(payload), false)));
    }
}
