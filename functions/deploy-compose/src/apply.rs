//! Carries out one step; decides nothing.

use aws::Error;
use rules::keys;
use runtime::Run;
use serde_json::{Value, json};

use crate::plan::{Send, Step};
use crate::{Clients, ec2, ssm};

/// After these it is not known whether a command was sent.
const UNKNOWN: [&str; 6] =
    ["InternalFailure", "InternalServerError", "NoAnswer", "ServiceUnavailable", "Timeout", "UnreadableAnswer"];

/// Carries out one step; returns what only the doing could tell.
pub async fn apply(clients: &Clients, run: &Run<'_>, step: &Step) -> Result<Value, Error> {
    match step {
        Step::Record(it) => {
            let tags: Vec<_> = it.tags.iter().map(|(key, value)| (*key, value.as_deref())).collect();
            ec2::write_tags(&clients.ec2, &it.id, &tags, run.last_start).await?;
            Ok(Value::Null)
        }
        Step::RecordGroup(it) => {
            let tags: Vec<_> = it.tags.iter().map(|(key, value)| (*key, value.as_deref())).collect();
            ec2::write_tags_of_group(&clients.ec2, &it.group, &tags, run.last_start).await?;
            Ok(Value::Null)
        }
        Step::AskForSnapshot(it) => {
            let (function, payload) = ("snapshot-databases", it.payload().to_string());
            aws::lambda::wake_sibling(&clients.lambda, function, run.sibling(function), &payload).await?;
            Ok(Value::Null)
        }
        Step::Send(it) => send(clients, run, it).await,
    }
}

/// Writes down what is sent, looks whether nobody else does the same, and sends it.
///
/// A run that dies after the first of these leaves a command that was never sent: the next runs look for it, and give it
/// up once no run that could still send it lives.
async fn send(clients: &Clients, run: &Run<'_>, send: &Send) -> Result<Value, Error> {
    let missing = || Error::unexpected("SendCommand", &send.id, "NIGHTSHIFT_COMPOSE_DOCUMENT names no document");
    let document = run.compose_document().ok_or_else(missing)?;
    let (ec2, until) = (&clients.ec2, run.last_start);
    let seen = ec2::read_again(ec2, &send.id, until).await?.filter(|it| it.state == "running");
    let Some(instance) = seen else { return Err(Error::not_now()) };
    if !send.expects.contains(&instance.tags.get(keys::COMMAND).cloned()) {
        return Err(Error::not_now());
    }
    let order = send.order.to_string();
    ec2::write_tags(ec2, &send.id, &[(keys::COMMAND, Some(&order))], until).await?;
    // Another run may have written at the same moment. A tag may be seen only seconds after it was written: then what is
    // seen is what was there before.
    let again = ec2::read_again(ec2, &send.id, until).await?;
    let seen = again.and_then(|it| it.tags.get(keys::COMMAND).cloned());
    if seen.as_ref() != Some(&order) && !send.expects.contains(&seen) {
        return Err(Error::not_now());
    }
    match ssm::send(&clients.ssm, &clients.sending, document, send).await {
        Ok(Some(id)) => Ok(json!({"command": id})),
        Ok(None) => {
            // Nothing was sent: what is left would be waited for until nobody can send it any more.
            ec2::write_tags(ec2, &send.id, &[(keys::COMMAND, None)], until).await?;
            Err(Error::not_now())
        }
        Err(error) => {
            // Without an answer it is not known whether it was sent.
            if !UNKNOWN.contains(&error.code.as_str()) {
                ec2::write_tags(ec2, &send.id, &[(keys::COMMAND, None)], until).await?;
            }
            Err(if error.is_throttled() { Error::not_now() } else { error })
        }
    }
}
