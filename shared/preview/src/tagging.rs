//! Reads of the Resource Groups Tagging API: which tag keys there are, and what carries one.

use aws::Error;
use aws_sdk_resourcegroupstagging::Client;
use aws_sdk_resourcegroupstagging::types::TagFilter;

/// All tag keys of the region.
pub async fn keys(tagging: &Client) -> Result<Vec<String>, Error> {
    let mut pages = tagging.get_tag_keys().into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|err| Error::new("GetTagKeys", "all", err))?;
        keys.extend_from_slice(page.tag_keys());
    }
    Ok(keys)
}

/// The ARNs of all that carries the tag `key`, of whatever type.
pub async fn carriers(tagging: &Client, key: &str) -> Result<Vec<String>, Error> {
    let filter = TagFilter::builder().key(key).build();
    let mut pages = tagging.get_resources().tag_filters(filter).resources_per_page(100).into_paginator().send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|err| Error::new("GetResources", key, err))?;
        // What once had the tag may still be listed, with the tag gone.
        let listed = page.resource_tag_mapping_list().iter();
        let carrying = listed.filter(|it| it.tags().iter().any(|tag| tag.key() == key));
        arns.extend(carrying.filter_map(|it| it.resource_arn().map(str::to_owned)));
    }
    Ok(arns)
}
