//! Finds the resources that opted in by a tag (Resource Groups Tagging API).
//!
//! The index behind it is eventually consistent: what it lists must be confirmed by a describe call,
//! and it may still list what is gone or has lost its tag.

use std::collections::BTreeMap;

use aws_sdk_resourcegroupstagging::Client;
use aws_sdk_resourcegroupstagging::operation::get_resources::GetResourcesError;
use aws_sdk_resourcegroupstagging::types::TagFilter;

use crate::Error;

/// The tags of resources, by their ARNs.
pub type Tagged = BTreeMap<String, BTreeMap<String, String>>;

/// How often a listing is begun anew when its paging token expires.
const TRIES: usize = 3;

/// The ARNs of all resources of `resource_type` (such as `ecs:service`) that carry the tag `key`, in order.
pub async fn resources(tagging: &Client, resource_type: &str, key: &str) -> Result<Vec<String>, Error> {
    Ok(resources_with_tags(tagging, resource_type, key).await?.into_keys().collect())
}

/// The same resources with their tags, as the index knows them.
pub async fn resources_with_tags(tagging: &Client, resource_type: &str, key: &str) -> Result<Tagged, Error> {
    let mut tries = 1;
    loop {
        match listing(tagging, resource_type, key).await {
            Err(error) if tries < TRIES && error.code == "PaginationTokenExpiredException" => tries += 1,
            other => return other,
        }
    }
}

async fn listing(tagging: &Client, resource_type: &str, key: &str) -> Result<Tagged, Error> {
    let mut pages = tagging
        .get_resources()
        .resource_type_filters(resource_type)
        .tag_filters(TagFilter::builder().key(key).build())
        .resources_per_page(100)
        .into_paginator()
        .send();
    let mut found = Tagged::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|err| Error::new::<GetResourcesError, _>("GetResources", key, err))?;
        for resource in page.resource_tag_mapping_list() {
            let tags: BTreeMap<String, String> =
                resource.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
            // What once had the tag may still be listed, with the tag gone.
            if tags.contains_key(key) {
                found.extend(resource.resource_arn().map(|arn| (arn.to_owned(), tags)));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use aws_sdk_resourcegroupstagging::operation::get_resources::GetResourcesOutput;
    use aws_sdk_resourcegroupstagging::types::error::PaginationTokenExpiredException;
    use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, Tag};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    use super::*;

    const KEY: &str = "nightshift:deploy";

    fn page(arns: &[&str], key: &str, token: &str) -> GetResourcesOutput {
        let tagged = |arn: &&str| {
            let tag = Tag::builder().key(key).value("newest").build().unwrap();
            ResourceTagMapping::builder().resource_arn(*arn).tags(tag).build()
        };
        GetResourcesOutput::builder()
            .set_resource_tag_mapping_list(Some(arns.iter().map(tagged).collect()))
            .pagination_token(token)
            .build()
    }

    #[tokio::test]
    async fn follows_every_page_a_short_one_too_and_drops_what_lost_its_tag() {
        let first = mock!(Client::get_resources)
            .match_requests(|it| {
                it.pagination_token().is_none()
                    && it.resource_type_filters() == ["ecs:service"]
                    && it.tag_filters()[0].key() == Some(KEY)
            })
            .then_output(|| page(&["c", "a"], KEY, "more"));
        let second = mock!(Client::get_resources)
            .match_requests(|it| it.pagination_token() == Some("more"))
            .then_output(|| page(&[], KEY, "last"));
        let third = mock!(Client::get_resources)
            .match_requests(|it| it.pagination_token() == Some("last"))
            .then_output(|| page(&["b", "a"], KEY, ""));
        let client = mock_client!(aws_sdk_resourcegroupstagging, RuleMode::MatchAny, [&first, &second, &third]);
        assert_eq!(resources(&client, "ecs:service", KEY).await.unwrap(), ["a", "b", "c"]);
        assert_eq!((first.num_calls(), second.num_calls(), third.num_calls()), (1, 1, 1));

        let stale = mock!(Client::get_resources).then_output(|| page(&["a"], "something-else", ""));
        let client = mock_client!(aws_sdk_resourcegroupstagging, RuleMode::MatchAny, [&stale]);
        assert!(resources(&client, "ecs:service", KEY).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn begins_anew_when_the_token_expires_and_gives_up_in_the_end() {
        let expired = || {
            let meta =
                aws_smithy_types::error::ErrorMetadata::builder().code("PaginationTokenExpiredException").build();
            GetResourcesError::PaginationTokenExpiredException(
                PaginationTokenExpiredException::builder().meta(meta).build(),
            )
        };
        let rule = mock!(Client::get_resources).sequence().error(expired).output(|| page(&["a"], KEY, "")).build();
        let client = mock_client!(aws_sdk_resourcegroupstagging, RuleMode::Sequential, [&rule]);
        assert_eq!(resources(&client, "ecs:service", KEY).await.unwrap(), ["a"]);

        let rule = mock!(Client::get_resources).then_error(expired);
        let client = mock_client!(aws_sdk_resourcegroupstagging, RuleMode::MatchAny, [&rule]);
        let error = resources(&client, "ecs:service", KEY).await.unwrap_err();
        assert_eq!((error.code.as_str(), rule.num_calls()), ("PaginationTokenExpiredException", TRIES));
    }
}
