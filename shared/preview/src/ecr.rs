//! Reads of ECR.

use aws::{Error, JsonApi};
use serde_json::{Value, json};

/// The repositories of the region: ARN and name.
pub async fn list_repositories(ecr: &JsonApi) -> Result<Vec<(String, String)>, Error> {
    let all = ecr.list("DescribeRepositories", "all", json!({"maxResults": 1000}), "repositories").await?;
    let named = |it: &Value| Some((it["repositoryArn"].as_str()?.into(), it["repositoryName"].as_str()?.into()));
    Ok(all.iter().filter_map(named).collect())
}
