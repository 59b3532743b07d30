//! Calls to ECR.

mod index;
mod scan;

use aws::{Error, JsonApi, seconds};
use choose::Image;
use rules::deploy::RepositoryName;
use serde_json::{Value, json};

pub use index::list_indexes;
pub use scan::list_scans;

/// The images of a repository, untagged ones too: a running image may have lost its tag to a newer one.
pub async fn list_images(ecr: &JsonApi, repository: &str) -> Result<Vec<Image>, Error> {
    let mut body = of(repository);
    body["maxResults"] = 1000.into();
    let details = ecr.list("DescribeImages", repository, body, "imageDetails").await?;
    Ok(details.iter().filter_map(image).collect())
}

/// Whether a lifecycle policy of the repository deletes images.
pub async fn has_lifecycle_policy(ecr: &JsonApi, repository: &str) -> Result<bool, Error> {
    match ecr.call("GetLifecyclePolicy", repository, of(repository)).await {
        Ok(_) => Ok(true),
        Err(error) if error.code == "LifecyclePolicyNotFoundException" => Ok(false),
        Err(error) => Err(error),
    }
}

/// The fields of a request about `ACCOUNT/NAME`, or `NAME` where the account is the caller's own.
fn of(repository: &str) -> Value {
    match repository.parse::<RepositoryName>() {
        Ok(RepositoryName { account: Some(account), name }) => json!({"registryId": account, "repositoryName": name}),
        Ok(RepositoryName { account: None, name }) => json!({"repositoryName": name}),
        Err(()) => json!({"repositoryName": repository}),
    }
}

/// The items of a list; none where it is not there.
fn items<'a>(it: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    it[name].as_array().into_iter().flatten()
}

/// An entry without digest or push time is none that could be deployed.
fn image(detail: &Value) -> Option<Image> {
    let text = |name: &str| detail[name].as_str().map(str::to_owned);
    Some(Image {
        digest: detail["imageDigest"].as_str()?.parse().ok()?,
        tags: items(detail, "imageTags").filter_map(Value::as_str).map(str::to_owned).collect(),
        pushed_at: seconds(&detail["imagePushedAt"])?,
        media_type: text("imageManifestMediaType"),
        artifact_media_type: text("artifactMediaType"),
        subject: text("subjectManifestDigest"),
        archived: detail["imageStatus"].as_str().is_some_and(|it| it != "ACTIVE"),
    })
}
