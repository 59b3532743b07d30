//! Memory tags on ECS services.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::Tag;

use crate::Error;

/// Writes the tag `key` of the service `arn`, or removes it where there is no value.
pub async fn write_tag(ecs: &Client, arn: &str, key: &str, value: Option<&str>) -> Result<(), Error> {
    match value {
        Some(value) => {
            let tag = Tag::builder().key(key).value(value).build();
            ecs.tag_resource()
                .resource_arn(arn)
                .tags(tag)
                .send()
                .await
                .map_err(|err| Error::new("TagResource", arn, err))?;
        }
        None => {
            let call = ecs.untag_resource().resource_arn(arn).tag_keys(key);
            call.send().await.map_err(|err| Error::new("UntagResource", arn, err))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::operation::tag_resource::TagResourceError;
    use aws_sdk_ecs::operation::untag_resource::UntagResourceOutput;
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    #[tokio::test]
    async fn a_refused_write_names_code_and_resource_and_keeps_the_request_id_beside_them() {
        let denied = mock!(Client::tag_resource)
            .match_requests(|it| it.tags()[0].key() == Some("nightshift-state:problem"))
            .then_error(|| {
                let meta = ErrorMetadata::builder()
                    .code("AccessDeniedException")
                    .message("not authorized")
                    .custom("aws_request_id", "1a2b");
                TagResourceError::generic(meta.build())
            });
        let client = mock_client!(aws_sdk_ecs, RuleMode::MatchAny, [&denied]);
        let error = write_tag(&client, "arn:x", "nightshift-state:problem", Some("y")).await.unwrap_err();
        assert!(error.is_denied());
        assert_eq!(error.to_string(), "TagResource arn:x: AccessDeniedException: not authorized");
        assert_eq!(error.request_id.as_deref(), Some("1a2b"));
    }

    #[tokio::test]
    async fn no_value_removes_the_tag() {
        let removed = mock!(Client::untag_resource)
            .match_requests(|it| it.resource_arn() == Some("arn:x") && it.tag_keys() == ["k"])
            .then_output(|| UntagResourceOutput::builder().build());
        let client = mock_client!(aws_sdk_ecs, RuleMode::MatchAny, [&removed]);
        write_tag(&client, "arn:x", "k", None).await.unwrap();
        assert_eq!(removed.num_calls(), 1);
    }
}
