//! Calls to ECR.

mod index;
mod scan;

use aws::Error;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{ImageDetail, ImageStatus};
use jiff::Timestamp;
use rules::deploy::RepositoryName;

use crate::plan::Image;

pub use index::list_indexes;
pub use scan::list_scans;

/// The images of a repository, untagged ones too: a running image may have lost its tag to a newer one.
pub async fn list_images(ecr: &Client, repository: &str) -> Result<Vec<Image>, Error> {
    let (account, name) = registry_and_name(repository);
    let call = ecr.describe_images().set_registry_id(account).repository_name(name);
    let mut pages = call.max_results(1000).into_paginator().send();
    let mut images = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|err| Error::new("DescribeImages", repository, err))?;
        images.extend(page.image_details().iter().filter_map(image));
    }
    Ok(images)
}

pub async fn has_lifecycle_policy(ecr: &Client, repository: &str) -> Result<bool, Error> {
    let (account, name) = registry_and_name(repository);
    let answer = ecr.get_lifecycle_policy().set_registry_id(account).repository_name(name).send().await;
    match answer {
        Ok(_) => Ok(true),
        Err(err) if err.as_service_error().is_some_and(|it| it.is_lifecycle_policy_not_found_exception()) => Ok(false),
        Err(err) => Err(Error::new("GetLifecyclePolicy", repository, err)),
    }
}

/// The account, where it is not the caller's own, and the name of `ACCOUNT/NAME` or `NAME`.
fn registry_and_name(repository: &str) -> (Option<String>, String) {
    match repository.parse::<RepositoryName>() {
        Ok(RepositoryName { account, name }) => (account, name),
        Err(()) => (None, repository.to_owned()),
    }
}

/// An entry without digest or push time is none that could be deployed.
fn image(detail: &ImageDetail) -> Option<Image> {
    let pushed_at = detail.image_pushed_at()?;
    Some(Image {
        digest: detail.image_digest()?.parse().ok()?,
        tags: detail.image_tags().to_vec(),
        pushed_at: Timestamp::new(pushed_at.secs(), pushed_at.subsec_nanos() as i32).ok()?,
        media_type: detail.image_manifest_media_type().map(str::to_owned),
        artifact_media_type: detail.artifact_media_type().map(str::to_owned),
        subject: detail.subject_manifest_digest().map(str::to_owned),
        archived: detail.image_status().is_some_and(|it| *it != ImageStatus::Active),
    })
}
