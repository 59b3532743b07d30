//! Calls to Systems Manager: which instances it reaches, the command of the stack's own document, and what came of it.

use std::collections::BTreeMap;

use aws::{Error, JsonApi};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::plan::{Invocation, Send, answer_of};

/// How many instances one question names, of at most 100.
const BATCH: usize = 50;

/// For how long a command waits for its instance, in seconds: only what was reachable just now is sent one.
const DELIVERED_WITHIN: i64 = 600;

/// The clocks of Lambda and of Systems Manager may differ.
const CLOCKS: SignedDuration = SignedDuration::from_mins(10);

/// What Systems Manager says of these instances, such as `Online`; nothing of those whose agent never spoke to it.
pub async fn list_pings(ssm: &JsonApi, ids: &[String]) -> Result<BTreeMap<String, String>, Error> {
    let mut pings = BTreeMap::new();
    for ids in ids.chunks(BATCH) {
        let body = json!({"Filters": [{"Key": "InstanceIds", "Values": ids}], "MaxResults": BATCH});
        let told = ssm.list("DescribeInstanceInformation", "instances", body, "InstanceInformationList").await?;
        let ping = |it: &Value| Some((it["InstanceId"].as_str()?.to_owned(), it["PingStatus"].as_str()?.to_owned()));
        pings.extend(told.iter().filter_map(ping));
    }
    Ok(pings)
}

/// The commands of the document that were sent to an instance since then.
async fn list_sent(ssm: &JsonApi, id: &str, document: Option<&str>, since: Timestamp) -> Result<Vec<Value>, Error> {
    // Whole seconds in UTC are the form that the reference shows.
    let since = (since - CLOCKS).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut filters = vec![json!({"key": "InvokedAfter", "value": since})];
    filters.extend(document.map(|it| json!({"key": "DocumentName", "value": it})));
    let body = json!({"InstanceId": id, "Filters": filters, "MaxResults": 50});
    ssm.list("ListCommands", id, body, "Commands").await
}

/// The command with this key, if it was sent, and how it stands.
pub async fn find_command(
    ssm: &JsonApi,
    id: &str,
    document: Option<&str>,
    key: &str,
    since: Timestamp,
) -> Result<Option<Invocation>, Error> {
    let sent = list_sent(ssm, id, document, since).await?;
    let Some(command) = sent.iter().find(|it| it["Comment"] == key).and_then(|it| it["CommandId"].as_str()) else {
        return Ok(None);
    };
    let body = json!({"CommandId": command, "InstanceId": id});
    let told = match ssm.call("GetCommandInvocation", command, body).await {
        Ok(told) => Value::Object(told),
        // Right after it was sent, the two calls do not agree yet.
        Err(error) if error.code == "InvocationDoesNotExist" => json!({"Status": "Pending"}),
        Err(error) => return Err(error),
    };
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    Ok(Some(Invocation {
        command: command.into(),
        status: text("Status"),
        details: text("StatusDetails"),
        ended_at: text("ExecutionEndDateTime").parse().ok(),
        answer: answer_of(told["StandardOutputContent"].as_str().unwrap_or_default()),
    }))
}

/// Sends the command, unless it was sent already; `None` where another command is under way on the instance.
///
/// Systems Manager knows no token that would make two requests one: so it is looked for first, and `once` does not repeat
/// a request that had no answer.
pub async fn send(ssm: &JsonApi, once: &JsonApi, document: &str, send: &Send) -> Result<Option<String>, Error> {
    let key = &send.order.key;
    for sent in list_sent(ssm, &send.id, Some(document), send.order.at - SignedDuration::from_hours(3)).await? {
        if sent["Comment"] == *key {
            return Ok(Some(sent["CommandId"].as_str().unwrap_or_default().to_owned()));
        }
        if matches!(sent["Status"].as_str(), Some("Pending" | "InProgress" | "Cancelling" | "Delayed")) {
            return Ok(None);
        }
    }
    let parameters: BTreeMap<&str, [&str; 1]> = send.parameters.iter().map(|(key, it)| (*key, [it.as_str()])).collect();
    let body = json!({
        "DocumentName": document,
        "InstanceIds": [send.id],
        "Parameters": parameters,
        "Comment": key,
        "TimeoutSeconds": DELIVERED_WITHIN,
    });
    let answer = once.call("SendCommand", &send.id, body).await?;
    Ok(Some(answer.get("Command").and_then(|it| it["CommandId"].as_str()).unwrap_or_default().to_owned()))
}
