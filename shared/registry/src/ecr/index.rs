//! What the indexes of a repository list: the images of a multi-platform image, or the layers of a build cache.

use std::collections::{BTreeMap, BTreeSet};

use aws::{Error, JsonApi};
use choose::kind::{Entry, INDEXES, Index};
use rules::Digest;
use serde_json::{Value, json};

use super::{items, of};

/// What these indexes list; one that vanished meanwhile is left out. BatchGetImage takes a hundred.
pub async fn list_indexes(
    ecr: &JsonApi,
    repository: &str,
    digests: &BTreeSet<Digest>,
) -> Result<BTreeMap<Digest, Index>, Error> {
    let mut body = of(repository);
    body["imageIds"] = digests.iter().map(|it| json!({"imageDigest": it.to_string()})).collect();
    body["acceptedMediaTypes"] = INDEXES.into();
    let answer = Value::Object(ecr.call("BatchGetImage", repository, body).await?);
    let unread = items(&answer, "failures").find(|it| it["failureCode"] != "ImageNotFound");
    if let Some(failure) = unread {
        let code = failure["failureCode"].as_str().unwrap_or("Unknown");
        let reason = failure["failureReason"].as_str().unwrap_or("no reason given");
        return Err(Error::unexpected("BatchGetImage", repository, format!("{code}: {reason}")));
    }
    let index = |it: &Value| {
        let digest = it["imageId"]["imageDigest"].as_str()?.parse().ok()?;
        Some((digest, read(it["imageManifest"].as_str()?)?))
    };
    Ok(items(&answer, "images").filter_map(index).collect())
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

#[cfg(test)]
mod bad_input {
    #[test]
    fn manifests() {
        let sample = json_sample().to_string();
        fuzz::texts(&[&sample], |text| fuzz::used(super::read(text)));
        fuzz::values(&[json_sample()], |it| fuzz::used(super::read(&it.to_string())));
    }

    fn json_sample() -> serde_json::Value {
        serde_json::json!({"manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": "sha256:1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d",
            "platform": {"os": "linux", "architecture": "arm64"}}]})
    }
}
