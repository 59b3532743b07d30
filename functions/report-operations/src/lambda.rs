//! The dry runs of the other functions of the stack.

use aws::Error;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use serde_json::{Value, json};

/// What `function` answers to `command`, of which nothing is carried out.
pub async fn dry_run(lambda: &Client, function: &str, mut command: Value) -> Result<Value, Error> {
    // The right to invoke a function is one to have it act: that nothing acts stands here, and nowhere else is a
    // function invoked.
    command["dry_run"] = json!(true);
    let call = lambda.invoke().function_name(function).payload(Blob::new(command.to_string()));
    let answer = call.send().await.map_err(|err| Error::new("Invoke", function, err))?;
    let payload = answer.payload().map(Blob::as_ref).unwrap_or_default();
    let report: Value = serde_json::from_slice(payload).unwrap_or_default();
    match answer.function_error() {
        None => Ok(report),
        Some(kind) => {
            let why = report["errorMessage"].as_str().unwrap_or(kind);
            Err(Error::unexpected("Invoke", function, why))
        }
    }
}
