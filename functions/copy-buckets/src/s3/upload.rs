//! Writes a long object in parts.

use aws::Error;
use aws::query::read;
use aws::rest::{Bucket, Rest};

use super::digest;
use crate::plan::Part;

/// Begins an upload in parts; returns its id.
pub async fn begin(s3: &Rest, bucket: &Bucket, key: &str) -> Result<String, Error> {
    let create = s3.action("CreateMultipartUpload").bucket("POST", bucket, key).field("uploads", "");
    let create = create.header("content-type", "text/csv").header("x-amz-checksum-algorithm", "SHA256");
    let answer = create.call().await?;
    text_of(&answer, "UploadId").ok_or_else(|| Error::unexpected("CreateMultipartUpload", key, "it names no upload"))
}

/// Writes a part, counted from 1. All but the last one need 5 MiB.
pub async fn part(
    s3: &Rest,
    bucket: &Bucket,
    key: &str,
    upload: &str,
    number: usize,
    text: String,
) -> Result<Part, Error> {
    let sha256 = digest(&text);
    let put = s3.action("UploadPart").bucket("PUT", bucket, key);
    let put = put.field("partNumber", &number.to_string()).field("uploadId", upload);
    let etag = put.header("x-amz-checksum-sha256", sha256.clone()).body(text).etag().await?;
    Ok(Part { etag, sha256 })
}

/// Makes one object of the parts; returns its ETag.
pub async fn complete(s3: &Rest, bucket: &Bucket, key: &str, upload: &str, parts: &[Part]) -> Result<String, Error> {
    let each = parts.iter().enumerate().map(|(index, Part { etag, sha256 })| {
        let etag = aws::rest::escaped(etag);
        let number = index + 1;
        format!(
            "<Part><ChecksumSHA256>{sha256}</ChecksumSHA256><ETag>{etag}</ETag><PartNumber>{number}</PartNumber></Part>"
        )
    });
    let body = format!(
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</CompleteMultipartUpload>",
        each.collect::<String>()
    );
    let complete = s3.action("CompleteMultipartUpload").bucket("POST", bucket, key).field("uploadId", upload);
    let answer = complete.header("content-type", "application/xml").body(body).call().await?;
    // S3 answers 200 before it has put the parts together, so that an error can stand in the body.
    text_of(&answer, "ETag").ok_or_else(|| Error::unexpected("CompleteMultipartUpload", key, answer))
}

/// Writes an object as a whole; returns its ETag.
pub async fn whole(s3: &Rest, bucket: &Bucket, key: &str, text: String) -> Result<String, Error> {
    let put = s3.action("PutObject").bucket("PUT", bucket, key).about(&format!("{}/{key}", bucket.name));
    put.header("content-type", "text/csv").header("x-amz-checksum-sha256", digest(&text)).body(text).etag().await
}

fn text_of(answer: &str, wanted: &str) -> Option<String> {
    let mut found = None;
    let visited = read(answer, |name, it| {
        if name == wanted {
            found = Some(it.text());
        }
    });
    visited.ok().and(found)
}
