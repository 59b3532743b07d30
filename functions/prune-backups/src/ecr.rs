//! Calls to ECR.

use std::collections::{BTreeMap, BTreeSet};

use aws::{Error, each};
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{ImageDetail, ImageFailureCode, ImageIdentifier, Tag};
use choose::kind::{INDEXES, Listing, kind};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use crate::plan::{DeleteImages, Image};

/// What BatchGetImage and BatchDeleteImage take at once.
const BATCH: usize = 100;

/// The tags of a repository.
pub async fn list_tags(ecr: &Client, arn: &str) -> Result<BTreeMap<String, String>, Error> {
    let answer = ecr.list_tags_for_resource().resource_arn(arn).send().await;
    let answer = answer.map_err(|err| Error::new("ListTagsForResource", arn, err))?;
    Ok(answer.tags().iter().map(|it| (it.key().to_owned(), it.value().to_owned())).collect())
}

/// All images of a repository, of an index with what it lists.
pub async fn list_images(ecr: &Client, repository: &str) -> Result<Vec<Image>, Error> {
    let mut pages = ecr.describe_images().repository_name(repository).max_results(1000).into_paginator().send();
    let mut images = Vec::new();
    let mut indexes = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|err| Error::new("DescribeImages", repository, err))?;
        for detail in page.image_details() {
            let Some(image) = image(detail) else { continue };
            if detail.image_manifest_media_type().is_some_and(|it| INDEXES.contains(&it)) {
                indexes.push(image.digest.clone());
            }
            images.push(image);
        }
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

fn image(detail: &ImageDetail) -> Option<Image> {
    let pushed_at = detail.image_pushed_at().and_then(|it| Timestamp::new(it.secs(), it.subsec_nanos() as i32).ok());
    Some(Image {
        digest: detail.image_digest()?.into(),
        tags: detail.image_tags().to_vec(),
        pushed_at,
        kind: kind(Listing {
            manifest: detail.image_manifest_media_type(),
            artifact: detail.artifact_media_type(),
            subject: detail.subject_manifest_digest(),
        }),
        children: Vec::new(),
        subject: detail.subject_manifest_digest().map(str::to_owned),
    })
}

/// What each of these indexes lists. One that vanished meanwhile lists nothing; one that cannot be read is an error.
async fn list_children(
    ecr: &Client,
    repository: &str,
    indexes: &[String],
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let call = ecr.batch_get_image().repository_name(repository).set_image_ids(Some(ids(indexes)));
    let call = call.set_accepted_media_types(Some(INDEXES.map(str::to_owned).to_vec()));
    let answer = call.send().await.map_err(|err| Error::new("BatchGetImage", repository, err))?;
    let mut children = BTreeMap::new();
    for image in answer.images() {
        let digest = image.image_id().and_then(|it| it.image_digest()).unwrap_or_default();
        let manifest: Option<Value> = image.image_manifest().and_then(|it| serde_json::from_str(it).ok());
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
    let gone: BTreeSet<&str> = answer
        .failures()
        .iter()
        .filter(|it| it.failure_code() == Some(&ImageFailureCode::ImageNotFound))
        .filter_map(|it| it.image_id()?.image_digest())
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
pub async fn delete_images(ecr: &Client, delete: &DeleteImages, until: Instant) -> Result<(), Error> {
    let repository = &delete.repository;
    let mut refused: Vec<(String, String)> = Vec::new();
    let mut failed = None;
    for batch in &delete.batches {
        if Instant::now() >= until {
            return Err(Error::not_now());
        }
        let call = ecr.batch_delete_image().repository_name(repository).set_image_ids(Some(ids(batch)));
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(err) => {
                failed.get_or_insert_with(|| Error::new("BatchDeleteImage", repository, err));
                continue;
            }
        };
        for failure in answer.failures() {
            let code = failure.failure_code().map_or("Unknown", ImageFailureCode::as_str);
            let digest = failure.image_id().and_then(|it| it.image_digest()).unwrap_or("an image");
            if code != ImageFailureCode::ImageNotFound.as_str() {
                let reason = failure.failure_reason().unwrap_or("no reason given");
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
pub async fn write_memory(ecr: &Client, arn: &str, key: &str, value: Option<&str>) -> Result<(), Error> {
    match value {
        Some(value) => {
            let tag = Tag::builder().key(key).value(value).build();
            let tag = tag.map_err(|err| Error::unexpected("TagResource", arn, err.to_string()))?;
            let answer = ecr.tag_resource().resource_arn(arn).tags(tag).send().await;
            answer.map(drop).map_err(|err| Error::new("TagResource", arn, err))
        }
        None => {
            let answer = ecr.untag_resource().resource_arn(arn).tag_keys(key).send().await;
            answer.map(drop).map_err(|err| Error::new("UntagResource", arn, err))
        }
    }
}

fn ids(digests: &[String]) -> Vec<ImageIdentifier> {
    digests.iter().map(|it| ImageIdentifier::builder().image_digest(it).build()).collect()
}
