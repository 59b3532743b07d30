//! Calls to S3: what lies where, and the jobs of Batch Operations that copy. Decides nothing.

mod job;
pub mod object;
pub mod upload;
pub mod versions;

use aws::Error;
use aws::query::read as read_xml;
use aws::rest::{Bucket, Rest, escaped, unencoded};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::plan::{NAME, Place};

pub use job::{Copying, Objects, create_job, describe_job};

/// As much of a report as names the first objects.
const START_OF_REPORT: &str = "bytes=0-65535";

/// Whether what was asked for does not exist.
pub fn is_missing(error: &Error) -> bool {
    ["NoSuchKey", "NoSuchVersion", "NotFound", "NotFoundException", "NoSuchJob", "NoSuchJobException"]
        .contains(&error.code.as_str())
}

/// The bucket of a copy or a restore.
pub fn bucket(folder: &Place) -> Bucket {
    Bucket { region: folder.region.clone(), name: folder.to.bucket.clone() }
}

/// The key of its marker.
pub fn marker_key(folder: &Place) -> String {
    format!("{}{NAME}", folder.key())
}

/// The region of a bucket.
pub async fn region(s3: &Rest, bucket: &str) -> Result<String, Error> {
    let here = Bucket { region: s3.home().to_owned(), name: bucket.to_owned() };
    let region = s3.action("HeadBucket").bucket("HEAD", &here, "").region().await?;
    Ok(region.unwrap_or(here.region))
}

/// The folders in a folder, each with a slash at its end.
pub async fn folders(s3: &Rest, bucket: &Bucket, folder: &str) -> Result<Vec<String>, Error> {
    let (mut folders, mut token): (Vec<String>, Option<String>) = Default::default();
    loop {
        let mut list = s3.action("ListObjectsV2").bucket("GET", bucket, "").field("list-type", "2");
        list = list.field("prefix", folder).field("delimiter", "/").field("encoding-type", "url");
        if let Some(token) = &token {
            list = list.field("continuation-token", token);
        }
        let page = list.call().await?;
        token = None;
        let visited = read_xml(&page, |name, it| match name {
            "CommonPrefixes" => it.each(|_, it| folders.push(unencoded(&it.text()))),
            "NextContinuationToken" => token = Some(it.text()).filter(|it| !it.is_empty()),
            _ => {}
        });
        visited.map_err(|err| Error::unexpected("ListObjectsV2", &bucket.name, err))?;
        if token.is_none() {
            return Ok(folders);
        }
    }
}

/// The first keys that begin so, a thousand at most.
pub async fn first_keys(s3: &Rest, bucket: &Bucket, prefix: &str) -> Result<Vec<String>, Error> {
    let list = s3.action("ListObjectsV2").bucket("GET", bucket, "").field("list-type", "2");
    let page = list.field("prefix", prefix).field("encoding-type", "url").call().await?;
    let mut keys = Vec::new();
    let visited = read_xml(&page, |name, it| {
        if name == "Contents" {
            it.each(|name, it| {
                if name == "Key" {
                    keys.push(unencoded(&it.text()));
                }
            });
        }
    });
    visited.map_err(|err| Error::unexpected("ListObjectsV2", &bucket.name, err))?;
    Ok(keys)
}

/// The text of an object; none where there is no such object.
pub async fn read(s3: &Rest, bucket: &Bucket, key: &str) -> Result<Option<String>, Error> {
    let get = s3.action("GetObject").bucket("GET", bucket, key).about(&format!("{}/{key}", bucket.name));
    match get.call().await {
        Ok(text) => Ok(Some(text)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes an object.
pub async fn put(s3: &Rest, bucket: &Bucket, key: &str, text: String) -> Result<(), Error> {
    let put = s3.action("PutObject").bucket("PUT", bucket, key).about(&format!("{}/{key}", bucket.name));
    let put = put.header("content-type", "application/json").header("x-amz-checksum-sha256", digest(&text));
    put.body(text).call().await.map(drop)
}

/// Writes the marker of a copy or of a restore.
pub async fn mark(s3: &Rest, folder: &Place, marker: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(marker).unwrap_or_default();
    put(s3, &bucket(folder), &marker_key(folder), text).await
}

/// Deletes objects, a thousand at most; one that is gone already counts as deleted.
pub async fn delete(s3: &Rest, bucket: &Bucket, keys: &[String]) -> Result<(), Error> {
    let objects: String = keys.iter().map(|it| format!("<Object><Key>{}</Key></Object>", escaped(it))).collect();
    let body =
        format!("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>{objects}</Delete>");
    let delete = s3.action("DeleteObjects").bucket("POST", bucket, "").field("delete", "");
    let delete = delete.header("content-type", "application/xml").header("x-amz-checksum-sha256", digest(&body));
    let answer = delete.body(body).call().await?;
    // S3 answers 200 although single objects stay.
    let mut refused: Vec<(String, String, String)> = Vec::new();
    let visited = read_xml(&answer, |name, it| {
        if name == "Error" {
            let (mut key, mut code, mut message) = Default::default();
            it.each(|name, it| match name {
                "Key" => key = it.text(),
                "Code" => code = it.text(),
                "Message" => message = it.text(),
                _ => {}
            });
            refused.push((key, code, message));
        }
    });
    visited.map_err(|err| Error::unexpected("DeleteObjects", &bucket.name, err))?;
    match refused.into_iter().next() {
        None => Ok(()),
        Some((key, code, message)) => {
            Err(Error { code, ..Error::unexpected("DeleteObjects", &format!("{}/{key}", bucket.name), message) })
        }
    }
}

/// Whether who reads from a bucket pays for it.
pub async fn requester_pays(s3: &Rest, bucket: &Bucket) -> Result<bool, Error> {
    let get = s3.action("GetBucketRequestPayment").bucket("GET", bucket, "").field("requestPayment", "");
    Ok(get.call().await?.contains("<Payer>Requester</Payer>"))
}

/// Whether the policy of a bucket lets anybody in.
pub async fn is_public(s3: &Rest, bucket: &Bucket) -> Result<bool, Error> {
    let get = s3.action("GetBucketPolicyStatus").bucket("GET", bucket, "").field("policyStatus", "");
    match get.call().await {
        Ok(answer) => Ok(answer.to_ascii_lowercase().contains("<ispublic>true</ispublic>")),
        Err(error) if error.code == "NoSuchBucketPolicy" => Ok(false),
        Err(error) => Err(error),
    }
}

/// The first objects that a report names, each with the reason: `uploads/a.jpg: AccessDenied (403)`.
pub async fn failures(s3: &Rest, bucket: &Bucket, report: &str, at_most: usize) -> Result<Vec<String>, Error> {
    let keys = first_keys(s3, bucket, report).await?;
    let Some(key) = keys.iter().find(|it| it.ends_with(".csv")) else { return Ok(Vec::new()) };
    let get = s3.action("GetObject").bucket("GET", bucket, key).about(&format!("{}/{key}", bucket.name));
    let text = get.header("range", START_OF_REPORT).call().await?;
    // Bucket, key, version, status of the task, code, HTTP status, message; keys are encoded, so no comma is in them.
    let line = |line: &str| {
        let fields: Vec<&str> = line.split(',').map(|it| it.trim().trim_matches('"')).collect();
        let [_, key, _, status, code, http, ..] = fields[..] else { return None };
        let code = if code.is_empty() { status } else { code };
        Some(format!("{}: {code} ({http})", unencoded(key)))
    };
    Ok(text.lines().filter_map(line).take(at_most).collect())
}

/// Writes the tag `key` of a bucket of this region, or removes it where there is no value. The other tags stay: S3's
/// older call for the tags of a bucket replaces them all.
pub async fn remember(s3: &Rest, account: &str, arn: &str, key: &str, value: Option<&str>) -> Result<(), Error> {
    let path = format!("/v20180820/tags/{}", arn.replace(':', "%3A"));
    let call = match value {
        Some(value) => {
            let tags = format!("<Tag><Key>{}</Key><Value>{}</Value></Tag>", escaped(key), escaped(value));
            let body =
                format!("<TagResourceRequest xmlns=\"{}\"><Tags>{tags}</Tags></TagResourceRequest>", job::NAMESPACE);
            s3.action("TagResource").control("POST", s3.home(), account, &path).body(body)
        }
        None => s3.action("UntagResource").control("DELETE", s3.home(), account, &path).field("tagKeys", key),
    };
    call.about(arn).call().await.map(drop)
}

fn digest(text: &str) -> String {
    base64_simd::STANDARD.encode_to_string(Sha256::digest(text.as_bytes()))
}
