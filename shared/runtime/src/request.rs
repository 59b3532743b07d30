//! What a function can be asked: where to look, or a command of its own, never what to change.

use serde_json::{Map, Value};

use crate::event::{BusEvent, Event, Notification};

/// What an event or a command comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading<R> {
    /// Something to do or to look at.
    Work(R),
    /// An event that asks for no work. It is reported as a skip.
    NoWork {
        /// The resource that the event is about.
        about: String,
        /// Why there is nothing to do.
        reason: String,
    },
}

/// What a function can be asked: only where to look, or a command of its own, never what to change.
///
/// A function implements the kinds of events that it knows; what it leaves out is refused.
///
/// ```
/// use runtime::{Argument, Reading, Request};
/// use serde_json::{Value, json};
///
/// #[derive(Debug, PartialEq)]
/// enum Look {
///     Everywhere,
///     At(String),
/// }
///
/// impl Request for Look {
///     const ACCEPTED: &'static [&'static str] = &["{} (look everywhere)", r#"{"look":{"service":"CLUSTER/SERVICE"}}"#];
///
///     fn sweep() -> Self {
///         Look::Everywhere
///     }
///
///     fn command(name: &str, argument: Value) -> Result<Reading<Self>, String> {
///         match name {
///             "look" => {
///                 let mut argument = Argument::read(name, argument, r#"{"service":"CLUSTER/SERVICE"}"#)?;
///                 let service = argument.text("service")?;
///                 argument.end()?;
///                 Ok(Reading::Work(Look::At(service)))
///             }
///             _ => Err(runtime::no_such_command(name)),
///         }
///     }
/// }
///
/// let read = |payload| Look::read(runtime::event(payload).unwrap());
/// assert_eq!(read(json!({"look": {"service": "shop/api"}})), Ok(Reading::Work(Look::At("shop/api".into()))));
/// assert_eq!(
///     read(json!({"look": "shop/api"})).unwrap_err(),
///     r#""look" takes {"service":"CLUSTER/SERVICE"}, not "shop/api""#
/// );
/// ```
pub trait Request: Sized {
    /// Everything that the function accepts, for the answer that refuses the rest.
    const ACCEPTED: &'static [&'static str];

    /// Look everywhere: `{}`, or a schedule.
    fn sweep() -> Self;

    /// A command of a person or of another function; the error says what is wrong with it.
    fn command(name: &str, argument: Value) -> Result<Reading<Self>, String> {
        let _ = argument;
        Err(no_such_command(name))
    }

    /// An event by EventBridge.
    fn bus(event: &BusEvent) -> Result<Reading<Self>, String> {
        Err(not_for_us(event))
    }

    /// SNS notifications.
    fn notifications(all: Vec<Notification>) -> Result<Reading<Self>, String> {
        let _ = all;
        Err("an SNS notification is not for this function".into())
    }

    /// A CloudWatch alarm that invokes the function itself.
    fn alarm(payload: &Value) -> Result<Reading<Self>, String> {
        let _ = payload;
        Err("a CloudWatch alarm is not for this function".into())
    }

    /// Reduces an event to a request; the error says what is wrong with it.
    fn read(event: Event) -> Result<Reading<Self>, String> {
        match event {
            Event::Sweep => Ok(Reading::Work(Self::sweep())),
            Event::Command { name, argument } => Self::command(&name, argument),
            Event::Bus(event) => Self::bus(&event),
            Event::Notifications(all) => Self::notifications(all),
            Event::Alarm(payload) => Self::alarm(&payload),
        }
    }
}

impl<R> Reading<R> {
    /// An event about `about` that asks for no work.
    pub fn no_work(about: impl Into<String>, reason: impl Into<String>) -> Self {
        Reading::NoWork { about: about.into(), reason: reason.into() }
    }

    /// The same reading of what `make` makes of the work.
    pub fn map<T>(self, make: impl FnOnce(R) -> T) -> Reading<T> {
        match self {
            Reading::Work(it) => Reading::Work(make(it)),
            Reading::NoWork { about, reason } => Reading::NoWork { about, reason },
        }
    }
}

/// What refuses a command that a function does not know.
pub fn no_such_command(name: &str) -> String {
    format!("there is no command \"{name}\"")
}

/// What refuses an event that a function does not know.
pub fn not_for_us(event: &BusEvent) -> String {
    format!("an event \"{}\" of {} is not for this function", event.detail_type, event.source)
}

/// The argument of a command: an object with the fields that the command knows.
///
/// Read by hand and not by serde, so that what refuses it speaks of the command and not of the types behind it.
pub struct Argument {
    command: String,
    form: &'static str,
    fields: Map<String, Value>,
}

impl Argument {
    /// The argument of `command`, which is written like `form`, such as `{"service":"CLUSTER/SERVICE"}`.
    pub fn read(command: &str, argument: Value, form: &'static str) -> Result<Self, String> {
        match argument {
            Value::Object(fields) => Ok(Argument { command: command.into(), form, fields }),
            other => Err(format!("\"{command}\" takes {form}, not {other}")),
        }
    }

    /// The text of a field that must be there.
    pub fn text(&mut self, field: &str) -> Result<String, String> {
        self.optional_text(field)?
            .ok_or_else(|| format!("\"{}\" lacks \"{field}\"; it takes {}", self.command, self.form))
    }

    /// The text of a field that may be left out.
    pub fn optional_text(&mut self, field: &str) -> Result<Option<String>, String> {
        match self.fields.shift_remove(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(format!(
                "\"{}\": \"{field}\" is {other}, not a text in quotes; it takes {}",
                self.command, self.form
            )),
        }
    }

    /// Whether a field that may be left out is `true`.
    pub fn flag(&mut self, field: &str) -> Result<bool, String> {
        match self.fields.shift_remove(field) {
            None => Ok(false),
            Some(Value::Bool(set)) => Ok(set),
            Some(other) => {
                Err(format!("\"{}\": \"{field}\" is {other}, not true or false; it takes {}", self.command, self.form))
            }
        }
    }

    /// Refuses fields that nothing has asked for: a misspelt one would otherwise be ignored.
    pub fn end(self) -> Result<(), String> {
        match self.fields.keys().next() {
            None => Ok(()),
            Some(unknown) => Err(format!("\"{}\" knows no \"{unknown}\"; it takes {}", self.command, self.form)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(argument: Value, expected: Result<(&str, Option<&str>), &str>) {
        let read = || {
            let mut it = Argument::read("approve", argument, r#"{"service":"S","image":"I"}"#)?;
            let fields = (it.text("service")?, it.optional_text("image")?);
            it.end().map(|()| fields)
        };
        let expected = expected.map(|(a, b)| (a.to_owned(), b.map(str::to_owned))).map_err(str::to_owned);
        assert_eq!(read(), expected);
    }

    #[test]
    fn an_argument_is_refused_in_the_words_of_the_command() {
        const FORM: &str = r#"{"service":"S","image":"I"}"#;
        check(json!({"service": "a/b"}), Ok(("a/b", None)));
        check(json!({"service": "a/b", "image": "v1"}), Ok(("a/b", Some("v1"))));
        check(json!("a/b"), Err(&format!("\"approve\" takes {FORM}, not \"a/b\"")));
        check(json!({}), Err(&format!("\"approve\" lacks \"service\"; it takes {FORM}")));
        check(
            json!({"service": 1}),
            Err(&format!("\"approve\": \"service\" is 1, not a text in quotes; it takes {FORM}")),
        );
        let flag = |argument: Value| Argument::read("deploy", argument, FORM).and_then(|mut it| it.flag("now"));
        assert_eq!(
            (flag(json!({"now": true})), flag(json!({"now": false})), flag(json!({}))),
            (Ok(true), Ok(false), Ok(false))
        );
        let wrong = format!("\"deploy\": \"now\" is \"yes\", not true or false; it takes {FORM}");
        assert_eq!(flag(json!({"now": "yes"})), Err(wrong));
        check(json!({"service": "a", "force": true}), Err(&format!("\"approve\" knows no \"force\"; it takes {FORM}")));
    }
}
