//! Calls to IAM, through its Query API.

use aws::Error;
use aws::query::{IAM, Query};
use aws_config::SdkConfig;

/// A client of the real network.
pub fn client(config: &SdkConfig) -> Query {
    Query::new(IAM, config)
}

/// Whether there is a role of this name.
pub async fn has_role(iam: &Query, name: &str) -> Result<bool, Error> {
    match iam.action("GetRole").field("RoleName", name).perform(name, None).await {
        Err(error) if error.code.starts_with("NoSuchEntity") => Ok(false),
        other => other.map(|_| true),
    }
}
