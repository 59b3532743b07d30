//! Calls to CloudWatch Logs.

use aws::{Error, JsonApi};
use serde_json::{Value, json};

/// How many lines are read: the last ones may be empty.
const LINES: usize = 10;

/// The last line of a stream that says something.
pub async fn last_line(logs: &JsonApi, group: &str, stream: &str) -> Result<Option<String>, Error> {
    let body = json!({"logGroupName": group, "logStreamName": stream, "limit": LINES, "startFromHead": false});
    let answer = Value::Object(logs.call("GetLogEvents", group, body).await?);
    let lines = answer["events"].as_array().into_iter().flatten().filter_map(|it| it["message"].as_str());
    let said = lines.map(str::trim).rfind(|it| !it.is_empty());
    Ok(said.map(str::to_owned))
}
