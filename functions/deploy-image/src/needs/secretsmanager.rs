//! Calls to Secrets Manager.

use aws::{Error, JsonApi};
use serde_json::{Value, json};

use crate::plan::Found;

/// What is said of a secret; its value is not read.
pub async fn describe_secret(secrets: &JsonApi, arn: &str) -> Result<Found, Error> {
    let secret = match secrets.call("DescribeSecret", arn, json!({"SecretId": arn})).await {
        Err(error) if error.code == "ResourceNotFoundException" => return Ok(Found::Missing),
        other => other?,
    };
    let versions = secret.get("VersionIdsToStages").and_then(Value::as_object);
    let stages = versions.into_iter().flat_map(|it| it.values()).filter_map(Value::as_array).flatten();
    Ok(Found::Secret {
        deleted: secret.get("DeletedDate").is_some_and(|it| !it.is_null()),
        stages: stages.filter_map(|it| Some(it.as_str()?.to_owned())).collect(),
    })
}
