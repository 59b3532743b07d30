//! Calls to CloudWatch Logs.

use aws::{Error, JsonApi};
use serde_json::json;

/// Whether there is a log group of this name.
pub async fn has_log_group(logs: &JsonApi, name: &str) -> Result<bool, Error> {
    let body = json!({"logGroupNamePrefix": name});
    let groups = logs.list("DescribeLogGroups", name, body, "logGroups").await?;
    Ok(groups.iter().any(|it| it["logGroupName"] == name))
}
