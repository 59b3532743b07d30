//! Calls to ECR.

use std::collections::{BTreeMap, BTreeSet};

use aws::{Error, JsonApi, each, seconds};
use choose::kind::{INDEXES, Listing, kind};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::plan::{DeleteImages, Image};

/// What BatchGetImage and BatchDeleteImage take at once.
const BATCH: usize = 100;

/// What ECR says of an image that is gone.
const NOT_FOUND: &str = "ImageNotFound";

/// The tags of a repository.
pub async fn list_tags(ecr: &JsonApi, arn: &str) -> Result<BTreeMap<String, String>, Error> {
    let answer = Value::Object(ecr.call("ListTagsForResource", arn, json!({"resourceArn": arn})).await?);
    let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
    Ok(items(&answer, "tags").map(|it| (text(it, "Key"), text(it, "Value"))).collect())
}

/// The items of a list; none where it is not there.
fn items<'a>(it: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    it[name].as_array().into_iter().flatten()
}

/// All images of a repository, of an index with what it lists.
pub async fn list_images(ecr: &JsonApi, repository: &str) -> Result<Vec<Image>, Error> {
    let body = json!({"repositoryName": repository, "maxResults": 1000});
    let mut images = Vec::new();
    let mut indexes = Vec::new();
    for detail in ecr.list("DescribeImages", repository, body, "imageDetails").await? {
        let Some(image) = image(&detail) else { continue };
        if detail["imageManifestMediaType"].as_str().is_some_and(|it| INDEXES.contains(&it)) {
            indexes.push(image.digest.clone());
        }
        images.push(image);
    }
    let batches: Vec<&[String]> = indexes.chunks(BATCH).collect();
    let listed = each(batches, 4, async |batch| list_children(ecr, repository, batch).await).await;
    let listed: Vec<BTreeMap<String, Vec<String>>> = listed.into_iter().collect::<Result<_, _>>()?;
    let mut children: BTreeMap<String, Vec<String>> = listed.into_iter().flatten().collect();
    for image in &mut images {
        image.children = children.remove(&image.digest).unwrap_or_default();
    }
    Ok(images)
}

fn image(detail: &Value) -> Option<Image> {
    let text = |name: &str| detail[name].as_str();
    Some(Image {
        digest: text("imageDigest")?.into(),
        tags: items(detail, "imageTags").filter_map(Value::as_str).map(str::to_owned).collect(),
        pushed_at: seconds(&detail["imagePushedAt"]),
        kind: kind(Listing {
            manifest: text("imageManifestMediaType"),
            artifact: text("artifactMediaType"),
            subject: text("subjectManifestDigest"),
        }),
        children: Vec::new(),
        subject: text("subjectManifestDigest").map(str::to_owned),
    })
}

/// What each of these indexes lists. One that vanished meanwhile lists nothing; one that cannot be read is an error.
async fn list_children(
    ecr: &JsonApi,
    repository: &str,
    indexes: &[String],
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let body = json!({"repositoryName": repository, "imageIds": ids(indexes), "acceptedMediaTypes": INDEXES});
    let answer = Value::Object(ecr.call("BatchGetImage", repository, body).await?);
    let mut children = BTreeMap::new();
    for image in items(&answer, "images") {
        let digest = image["imageId"]["imageDigest"].as_str().unwrap_or_default();
        let manifest: Option<Value> = image["imageManifest"].as_str().and_then(|it| serde_json::from_str(it).ok());
        let listed = manifest.as_ref().and_then(|it| it.get("manifests")).and_then(Value::as_array);
        let Some(listed) = listed else {
            return Err(Error::unexpected(
                "BatchGetImage",
                repository,
                format!("the index {digest} lists no manifests"),
            ));
        };
        let digests = listed.iter().filter_map(|it| it.get("digest")?.as_str().map(str::to_owned));
        children.insert(digest.to_owned(), digests.collect());
    }
    let gone: BTreeSet<&str> = items(&answer, "failures")
        .filter(|it| it["failureCode"] == NOT_FOUND)
        .filter_map(|it| it["imageId"]["imageDigest"].as_str())
        .collect();
    match indexes.iter().find(|it| !children.contains_key(*it) && !gone.contains(it.as_str())) {
        None => Ok(children),
        Some(unread) => {
            Err(Error::unexpected("BatchGetImage", repository, format!("the index {unread} cannot be read")))
        }
    }
}

/// Deletes images, batch after batch; those that are gone already count as deleted.
///
/// What ECR does not delete stops no other, nor does a batch that it refuses; it is an error in the end.
pub async fn delete_images(ecr: &JsonApi, delete: &DeleteImages, until: Instant) -> Result<(), Error> {
    let repository = &delete.repository;
    let mut refused: Vec<(String, String)> = Vec::new();
    let mut failed = None;
    for batch in &delete.batches {
        if Instant::now() >= until {
            return Err(Error::not_now());
        }
        let body = json!({"repositoryName": repository, "imageIds": ids(batch)});
        let answer = match ecr.call("BatchDeleteImage", repository, body).await {
            Ok(answer) => Value::Object(answer),
            Err(error) => {
                failed.get_or_insert(error);
                continue;
            }
        };
        for failure in items(&answer, "failures") {
            let code = failure["failureCode"].as_str().unwrap_or("Unknown");
            let digest = failure["imageId"]["imageDigest"].as_str().unwrap_or("an image");
            if code != NOT_FOUND {
                let reason = failure["failureReason"].as_str().unwrap_or("no reason given");
                refused.push((code.to_owned(), format!("{digest}: {code}: {reason}")));
            }
        }
    }
    let Some((code, _)) = refused.first().cloned() else { return failed.map_or(Ok(()), Err) };
    let shown: Vec<&str> = refused.iter().take(5).map(|(_, it)| it.as_str()).collect();
    let message = format!("{} images were not deleted; {}", refused.len(), shown.join("; "));
    Err(Error { code, ..Error::unexpected("BatchDeleteImage", repository, message) })
}

/// Writes the tag `key` of a repository, or removes it where there is no value.
pub async fn write_memory(ecr: &JsonApi, arn: &str, key: &str, value: Option<&str>) -> Result<(), Error> {
    match value {
        Some(value) => {
            let body = json!({"resourceArn": arn, "tags": [{"Key": key, "Value": value}]});
            ecr.call("TagResource", arn, body).await.map(drop)
        }
        None => ecr.call("UntagResource", arn, json!({"resourceArn": arn, "tagKeys": [key]})).await.map(drop),
    }
}

fn ids(digests: &[String]) -> Value {
    digests.iter().map(|it| json!({"imageDigest": it})).collect()
}
