//! Calls to KMS.

use aws::JsonApi;
use serde_json::{Value, json};

/// Whether AWS made the key and manages it, as the default key of RDS. Where KMS does not say so, it does not count as one.
pub async fn is_managed_by_aws(kms: &JsonApi, key: &str) -> bool {
    let answer = kms.call("DescribeKey", key, json!({"KeyId": key})).await;
    answer.is_ok_and(|it| Value::Object(it)["KeyMetadata"]["KeyManager"] == "AWS")
}
