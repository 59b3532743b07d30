//! What whoever invoked the function gets back.

use lambda_runtime::Diagnostic;
use reconcile::Report;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event::FORMAT;

/// The answer to one invocation.
pub enum Answer {
    /// The whole report, for programs.
    Json(Report),
    /// The same in sentences, for people: a command asks for it by `"format":"text"`.
    Text(Vec<String>),
}

impl Answer {
    /// The answer to `payload`.
    pub fn of(report: Report, payload_wants_text: bool) -> Self {
        if payload_wants_text { Answer::Text(report.sentences()) } else { Answer::Json(report) }
    }
}

/// Whether the answer to `payload` is read by a person.
pub fn wants_text(payload: &Value) -> bool {
    payload.get(FORMAT).and_then(Value::as_str) == Some("text")
}

/// The error that Lambda counts, with the report that it holds in sentences where a person reads it.
pub fn error(error: Diagnostic, wants_text: bool) -> Diagnostic {
    let report = serde_json::from_str::<Value>(&error.error_message).ok();
    match report.filter(|it| wants_text && it.is_object()) {
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
            Answer::Text(lines) => {
                let lines = serde_json::to_string_pretty(lines).and_then(RawValue::from_string);
                lines.map_err(serde::ser::Error::custom)?.serialize(serializer)
            }
        }
    }
}
