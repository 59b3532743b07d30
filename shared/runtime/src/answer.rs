//! What whoever invoked the function gets back.

use lambda_runtime::Diagnostic;
use reconcile::{Button, Report};
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event::{FORMAT, WIDGET};

/// The answer to one invocation.
#[expect(clippy::large_enum_variant, reason = "there is one for each run")]
pub enum Answer {
    /// The whole report, for programs.
    Json(Report),
    /// The same in sentences, for people: a command asks for it by `"format":"text"`.
    Text(Vec<String>),
    /// A page, which a custom widget of CloudWatch shows as it is.
    Page(String),
}

/// How whoever sends a payload reads its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A program.
    Program,
    /// A person in a chat or at a shell.
    Person,
    /// A person who pressed a button in a widget.
    Widget,
}

impl Answer {
    /// The answer for `reader`.
    pub fn of(mut report: Report, reader: Reader) -> Self {
        match (report.page.take(), reader) {
            (Some(page), _) => Answer::Page(page),
            (None, Reader::Program) => Answer::Json(report),
            (None, Reader::Person) => Answer::Text(report.sentences()),
            (None, Reader::Widget) => Answer::Page(paragraphs(&report.sentences())),
        }
    }
}

/// Sentences as a page. Whatever a name holds, it is text there.
fn paragraphs(sentences: &[String]) -> String {
    let escaped = |it: &String| it.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    sentences.iter().map(|it| format!("<p>{}</p>", escaped(it))).collect()
}

/// Who reads the answer to `payload`.
pub fn reader(payload: &Value) -> Reader {
    match payload.get(FORMAT).and_then(Value::as_str) {
        _ if payload.get(WIDGET).is_some() => Reader::Widget,
        Some("text") => Reader::Person,
        None if payload.get(Button::COMMAND).is_some() => Reader::Person,
        _ => Reader::Program,
    }
}

/// The error that Lambda counts, with the report that it holds in sentences where a person reads it.
pub fn error(error: Diagnostic, reader: Reader) -> Diagnostic {
    let report = serde_json::from_str::<Value>(&error.error_message).ok();
    match report.filter(|it| reader != Reader::Program && it.is_object()) {
        Some(report) => Diagnostic { error_message: failures(&report).join("; "), ..error },
        None => error,
    }
}

/// What failed, of a report that is an error.
fn failures(report: &Value) -> Vec<String> {
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let actions = report["actions"].as_array().into_iter().flatten();
    let failed = actions.filter(|it| it["outcome"] == "failed").map(|it| text(&it["error"]["message"]));
    let whole = [&report["refused"], &report["notification_error"]].into_iter().map(text);
    failed.chain(whole).filter(|it| !it.is_empty()).collect()
}

impl Serialize for Answer {
    /// A text is a list with one sentence on each line: Lambda hands on nothing but JSON, and a line break within a JSON
    /// text would be shown as `\\n`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Answer::Json(report) => report.serialize(serializer),
            Answer::Page(page) => page.serialize(serializer),
            Answer::Text(lines) => {
                let lines = serde_json::to_string_pretty(lines).and_then(RawValue::from_string);
                lines.map_err(serde::ser::Error::custom)?.serialize(serializer)
            }
        }
    }
}
