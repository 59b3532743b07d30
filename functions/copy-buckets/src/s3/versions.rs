//! Old versions of objects: whether a bucket keeps them, and which there are.

use aws::Error;
use aws::query::read;
use aws::rest::{Bucket, Rest, unencoded};

use crate::plan::{LifecycleRule, Version, Versioning};

/// From these no job can copy.
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// What a bucket does with old versions.
pub async fn versioning(s3: &Rest, bucket: &Bucket) -> Result<Versioning, Error> {
    let get = s3.action("GetBucketVersioning").bucket("GET", bucket, "").field("versioning", "");
    let answer = get.call().await?;
    let mut status = None;
    let visited = read(&answer, |name, it| {
        if name == "Status" {
            status = Some(it.text());
        }
    });
    visited.map_err(|err| Error::unexpected("GetBucketVersioning", &bucket.name, err))?;
    Ok(Versioning { status, rules: lifecycle(s3, bucket).await? })
}

async fn lifecycle(s3: &Rest, bucket: &Bucket) -> Result<Vec<LifecycleRule>, Error> {
    let get = s3.action("GetBucketLifecycleConfiguration").bucket("GET", bucket, "").field("lifecycle", "");
    let answer = match get.call().await {
        Ok(answer) => answer,
        Err(error) if error.code == "NoSuchLifecycleConfiguration" => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut rules = Vec::new();
    let visited = read(&answer, |name, it| {
        if name == "Rule" {
            let mut rule = LifecycleRule::default();
            it.each(|name, it| read_rule(&mut rule, name, it));
            rules.push(rule);
        }
    });
    visited.map_err(|err| Error::unexpected("GetBucketLifecycleConfiguration", &bucket.name, err))?;
    Ok(rules)
}

fn read_rule(rule: &mut LifecycleRule, name: &str, it: &mut aws::query::Element<'_, '_>) {
    match name {
        "ID" => rule.id = it.text(),
        "Status" => rule.is_enabled = it.text() == "Enabled",
        // Without a filter in old configurations, in one in new ones, below `And` where there are several conditions.
        "Prefix" => rule.prefix = it.text(),
        "Filter" | "And" => it.each(|name, it| read_rule(rule, name, it)),
        "Tag" => rule.is_filtered = true,
        "ObjectSizeGreaterThan" | "ObjectSizeLessThan" => rule.is_filtered |= it.text() != "0",
        "NoncurrentVersionExpiration" => it.each(|name, it| {
            if name == "NoncurrentDays" {
                rule.deletes_after = it.text().parse().ok();
            }
        }),
        "NoncurrentVersionTransition" => {
            let (mut after, mut class) = (None, String::new());
            it.each(|name, it| match name {
                "NoncurrentDays" => after = it.text().parse::<u32>().ok(),
                "StorageClass" => class = it.text(),
                _ => {}
            });
            if ARCHIVES.contains(&class.as_str()) {
                rule.archives_after = [rule.archives_after, Some(after.unwrap_or(0))].into_iter().flatten().min();
            }
        }
        "Transition" => {
            // A rule may name a date in place of days.
            let (mut after, mut class) = (0, String::new());
            it.each(|name, it| match name {
                "Days" => after = it.text().parse().unwrap_or(0),
                "StorageClass" => class = it.text(),
                _ => {}
            });
            if ARCHIVES.contains(&class.as_str()) {
                rule.archives_current_after = Some(rule.archives_current_after.map_or(after, |it| it.min(after)));
            }
        }
        _ => {}
    }
}

/// A page of versions, key by key, the newest of each first.
pub struct Page {
    pub versions: Vec<Version>,
    /// The key and version to go on after; none after the last page.
    pub next: Option<(String, String)>,
}

/// The versions of objects whose keys begin so, a thousand at most, after a key and version.
pub async fn versions(
    s3: &Rest,
    bucket: &Bucket,
    prefix: &str,
    after: Option<&(String, String)>,
) -> Result<Page, Error> {
    let list = s3.action("ListObjectVersions").bucket("GET", bucket, "").field("versions", "");
    let mut list = list.field("prefix", prefix).field("encoding-type", "url");
    if let Some((key, version)) = after {
        list = list.field("key-marker", key).field("version-id-marker", version);
    }
    let answer = list.call().await?;
    let unexpected = |err: String| Error::unexpected("ListObjectVersions", &bucket.name, err);
    let (mut found, mut wrong) = (Vec::new(), None);
    let (mut is_truncated, mut key, mut version) = (false, String::new(), String::new());
    let visited = read(&answer, |name, it| match name {
        "IsTruncated" => is_truncated = it.text() == "true",
        "NextKeyMarker" => key = unencoded(&it.text()),
        "NextVersionIdMarker" => version = it.text(),
        "Version" | "DeleteMarker" => {
            let (mut key, mut id, mut at) = (String::new(), String::new(), String::new());
            let (mut size, mut etag) = (0, String::new());
            it.each(|name, it| match name {
                "Key" => key = unencoded(&it.text()),
                "VersionId" => id = it.text(),
                "LastModified" => at = it.text(),
                "Size" => size = it.text().parse().unwrap_or(0),
                "ETag" => etag = it.text().trim_matches('"').to_owned(),
                _ => {}
            });
            match at.parse() {
                Ok(at) => found.push(Version { key, id, at, is_deletion: name == "DeleteMarker", size, etag }),
                Err(_) => wrong = Some(format!("'{at}' is not a moment")),
            }
        }
        _ => {}
    });
    visited.map_err(unexpected)?;
    match wrong {
        Some(wrong) => Err(unexpected(wrong)),
        None => Ok(Page { versions: found, next: is_truncated.then_some((key, version)) }),
    }
}
