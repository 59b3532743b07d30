//! Finds the resources that opted in by a tag (Resource Groups Tagging API).
//!
//! The index behind it is eventually consistent: what it lists must be confirmed by a describe call,
//! and it may still list what is gone or has lost its tag.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use serde_json::{Value, json};

use crate::json_api::TAGGING;
use crate::{Error, JsonApi};

/// The tags of resources, by their ARNs.
pub type Tagged = BTreeMap<String, BTreeMap<String, String>>;

/// How often a listing is begun anew when its paging token expires.
const TRIES: usize = 3;

/// The index of all tags of the region.
#[derive(Debug, Clone)]
pub struct Tagging(JsonApi);

impl Tagging {
    /// The index of the region of `config`.
    pub fn new(config: &SdkConfig) -> Self {
        Tagging(JsonApi::new(TAGGING, config))
    }

    /// Each tag key that some resource of the region has.
    ///
    /// # Errors
    ///
    /// A page that AWS does not give.
    pub async fn keys_in_use(&self) -> Result<Vec<String>, Error> {
        let keys = self.0.list("GetTagKeys", "all", json!({}), "TagKeys").await?;
        Ok(keys.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect())
    }

    /// What carries the tag `key`, of this type (such as `ecs:service`) or of any.
    async fn index_of(&self, resource_type: Option<&str>, key: &str) -> Result<Tagged, Error> {
        let mut asked = json!({"TagFilters": [{"Key": key}], "ResourcesPerPage": 100});
        if let Some(wanted) = resource_type {
            asked["ResourceTypeFilters"] = json!([wanted]);
        }
        let listed = self.0.list("GetResources", key, asked, "ResourceTagMappingList").await?;
        let tagged = listed.iter().filter_map(|it| Some((it["ResourceARN"].as_str()?.to_owned(), tags(it))));
        // What once had the tag may still be listed, with the tag gone.
        Ok(tagged.filter(|(_, tags)| tags.contains_key(key)).collect())
    }
}

fn tags(resource: &Value) -> BTreeMap<String, String> {
    let tags = resource["Tags"].as_array().into_iter().flatten();
    let pair = |it: &Value| Some((it["Key"].as_str()?.to_owned(), it["Value"].as_str().unwrap_or_default().to_owned()));
    tags.filter_map(pair).collect()
}

/// The ARNs of all resources of `resource_type` (such as `ecs:service`) that carry the tag `key`, in order.
pub async fn resources(tagging: &Tagging, resource_type: &str, key: &str) -> Result<Vec<String>, Error> {
    Ok(resources_with_tags(tagging, resource_type, key).await?.into_keys().collect())
}

/// The same resources with their tags, as the index knows them.
pub async fn resources_with_tags(tagging: &Tagging, resource_type: &str, key: &str) -> Result<Tagged, Error> {
    carriers_of(tagging, Some(resource_type), key).await
}

/// The ARNs of all that carries the tag `key`, of whatever type, in order.
pub async fn carriers(tagging: &Tagging, key: &str) -> Result<Vec<String>, Error> {
    Ok(carriers_of(tagging, None, key).await?.into_keys().collect())
}

/// The same with their tags, as the index knows them.
pub async fn carriers_with_tags(tagging: &Tagging, key: &str) -> Result<Tagged, Error> {
    carriers_of(tagging, None, key).await
}

async fn carriers_of(tagging: &Tagging, resource_type: Option<&str>, key: &str) -> Result<Tagged, Error> {
    let mut tries = 1;
    loop {
        match tagging.index_of(resource_type, key).await {
            Err(error) if tries < TRIES && error.code == "PaginationTokenExpiredException" => tries += 1,
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests;
