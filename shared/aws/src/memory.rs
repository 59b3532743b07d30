//! Memory tags on ECS services, databases and snapshots: the ARN says which service holds the tag.

use tokio::time::Instant;

use crate::Error;
use crate::ecs::{self, Ecs};
use crate::rds::{Rds, write_tag};

/// Writes the tag `key` of `arn`, or removes it where there is no value, unless its turn comes later than `until`.
pub async fn write(
    ecs: &Ecs,
    rds: &Rds,
    arn: &str,
    key: &str,
    value: Option<&str>,
    until: Option<Instant>,
) -> Result<(), Error> {
    match arn.split(':').nth(2) {
        Some("ecs") => ecs.call(until, async |client| ecs::write_tag(client, arn, key, value).await).await,
        Some("rds") => write_tag(rds, arn, key, value, until).await,
        _ => Err(Error::unexpected("TagResource", arn, "only ECS services and RDS resources hold this memory")),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::operation::tag_resource::TagResourceOutput;
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use testkit::scripted::{Rds as Tables, Script};

    use super::*;

    #[tokio::test]
    async fn the_arn_says_which_service_is_called() {
        let tagged = mock!(aws_sdk_ecs::Client::tag_resource)
            .match_requests(|it| it.resource_arn() == Some("arn:aws:ecs:r:1:service/shop/api"))
            .then_output(|| TagResourceOutput::builder().build());
        let mut tables = Tables::default();
        let database = tables.serve("app", &[("k", "v")]).arn();
        let script = Script::new(tables);
        let ecs = Ecs::of(mock_client!(aws_sdk_ecs, RuleMode::MatchAny, [&tagged]));
        let rds = Rds::new(&script.sdk(), None);
        write(&ecs, &rds, "arn:aws:ecs:r:1:service/shop/api", "k", Some("v"), None).await.unwrap();
        write(&ecs, &rds, &database, "k", None, None).await.unwrap();
        assert_eq!((tagged.num_calls(), script.count("RemoveTagsFromResource")), (1, 1));
        assert!(script.aws().database("app").tags.is_empty());
        let elsewhere = write(&ecs, &rds, "arn:aws:s3:::bucket", "k", None, None).await.unwrap_err();
        assert!(elsewhere.to_string().starts_with("TagResource arn:aws:s3:::bucket: "), "{elsewhere}");
    }
}
