//! Single objects: how they begin, and what S3 says of them.

use std::collections::BTreeMap;

use aws::Error;
use aws::rest::{Action, Bucket, Rest};

use super::is_missing;
use crate::plan::Object;

/// The headers in which S3 answers checksums, each with the name of the algorithm.
const CHECKSUMS: [(&str, &str); 5] = [
    ("x-amz-checksum-crc64nvme", "CRC64NVME"),
    ("x-amz-checksum-crc32", "CRC32"),
    ("x-amz-checksum-crc32c", "CRC32C"),
    ("x-amz-checksum-sha1", "SHA1"),
    ("x-amz-checksum-sha256", "SHA256"),
];

/// The beginning of an object.
pub enum Start {
    /// What S3 says of it, and its first bytes.
    Read(Object, Vec<u8>),
    /// It has to be restored before it can be read.
    Archived,
    Missing,
    /// With this code.
    Refused(String),
}

/// The first bytes of an object, or of a version of it.
pub async fn start(s3: &Rest, bucket: &Bucket, key: &str, version: Option<&str>, at_most: u64) -> Result<Start, Error> {
    let get = of_version(s3.action("GetObject").bucket("GET", bucket, key), version);
    let get = get.about(&format!("{}/{key}", bucket.name)).header("range", format!("bytes=0-{}", at_most - 1));
    match get.contents().await {
        Ok((headers, bytes)) => Ok(Start::Read(object(&headers, bytes.len() as u64), bytes)),
        Err(error) if is_missing(&error) => Ok(Start::Missing),
        Err(error) if error.code == "InvalidObjectState" => Ok(Start::Archived),
        // Of an empty object there is not even a first byte.
        Err(error) if error.code == "InvalidRange" => match head(s3, bucket, key, version).await? {
            Some(object) => Ok(Start::Read(object, Vec::new())),
            None => Ok(Start::Missing),
        },
        Err(error) if error.code == "AccessDenied" || error.code.starts_with("KMS") => Ok(Start::Refused(error.code)),
        Err(error) => Err(error),
    }
}

/// What S3 says of an object, or of a version of it; none where there is none.
pub async fn head(s3: &Rest, bucket: &Bucket, key: &str, version: Option<&str>) -> Result<Option<Object>, Error> {
    let head = of_version(s3.action("HeadObject").bucket("HEAD", bucket, key), version);
    let head = head.about(&format!("{}/{key}", bucket.name)).header("x-amz-checksum-mode", "ENABLED");
    match head.contents().await {
        Ok((headers, _)) => Ok(Some(object(&headers, 0))),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn of_version<'a>(action: Action<'a>, version: Option<&str>) -> Action<'a> {
    match version {
        Some(version) => action.field("versionId", version),
        None => action,
    }
}

fn object(headers: &BTreeMap<String, String>, read: u64) -> Object {
    let header = |name: &str| headers.get(name).map(String::as_str);
    // Of a range the length is that of the range: `bytes 0-1048575/5242880`.
    let whole = header("content-range").and_then(|it| it.rsplit_once('/')?.1.parse().ok());
    let length = header("content-length").and_then(|it| it.parse().ok());
    // A checksum of parts, which depends on how an object was uploaded, ends with the number of them.
    let of_parts = header("x-amz-checksum-type") == Some("COMPOSITE");
    let checksums = CHECKSUMS.iter().filter_map(|(header_name, name)| {
        let value = header(header_name).filter(|it| !of_parts && !it.contains('-'))?;
        Some(((*name).to_owned(), value.to_owned()))
    });
    Object {
        size: whole.or(length).unwrap_or(read),
        etag: header("etag").unwrap_or_default().trim_matches('"').to_owned(),
        has_kms_key: header("x-amz-server-side-encryption").is_some_and(|it| it.starts_with("aws:kms")),
        checksums: checksums.collect(),
    }
}
