//! What the indexes of a repository list: the images of a multi-platform image, or the layers of a build cache.

use std::collections::{BTreeMap, BTreeSet};

use aws::Error;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{ImageFailureCode, ImageIdentifier};
use choose::kind::{Entry, INDEXES, Index};
use rules::Digest;
use serde_json::Value;

/// What these indexes list; one that vanished meanwhile is left out. BatchGetImage takes a hundred.
pub async fn list_indexes(
    ecr: &Client,
    repository: &str,
    digests: &BTreeSet<Digest>,
) -> Result<BTreeMap<Digest, Index>, Error> {
    let (account, name) = super::registry_and_name(repository);
    let ids = digests.iter().map(|it| ImageIdentifier::builder().image_digest(it.to_string()).build()).collect();
    let answer = ecr
        .batch_get_image()
        .set_registry_id(account)
        .repository_name(name)
        .set_image_ids(Some(ids))
        .set_accepted_media_types(Some(INDEXES.map(str::to_owned).to_vec()))
        .send()
        .await
        .map_err(|err| Error::new("BatchGetImage", repository, err))?;
    let unread = answer.failures().iter().find(|it| it.failure_code() != Some(&ImageFailureCode::ImageNotFound));
    if let Some(failure) = unread {
        let code = failure.failure_code().map_or("Unknown", ImageFailureCode::as_str);
        let reason = failure.failure_reason().unwrap_or("no reason given");
        return Err(Error::unexpected("BatchGetImage", repository, format!("{code}: {reason}")));
    }
    let index = |it: &aws_sdk_ecr::types::Image| {
        let digest = it.image_id()?.image_digest()?.parse().ok()?;
        Some((digest, read(it.image_manifest()?)?))
    };
    Ok(answer.images().iter().filter_map(index).collect())
}

/// A manifest that lists nothing says nothing against an image.
fn read(manifest: &str) -> Option<Index> {
    let manifest: Value = serde_json::from_str(manifest).ok()?;
    let entries = manifest.get("manifests").and_then(Value::as_array);
    Some(Index::of(entries.into_iter().flatten().map(|it| {
        let text = |at: &str| it.pointer(at).and_then(Value::as_str);
        Entry {
            media_type: text("/mediaType"),
            digest: text("/digest"),
            os: text("/platform/os"),
            processor: text("/platform/architecture"),
        }
    })))
}
