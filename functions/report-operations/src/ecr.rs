//! Calls to ECR, as JSON: what its scans have found in an image, and when images were pushed.

use std::collections::BTreeMap;

use aws::{Error, JsonApi, each};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::plan::world::{Findings, Image};

/// How many findings of each severity the last scan of an image has; `None` where it was not scanned.
pub async fn findings(ecr: &JsonApi, image: &Image) -> Result<Option<Findings>, Error> {
    let Image { repository, digest, .. } = image;
    // The counts come with the first page, which holds one finding.
    let asked = json!({"repositoryName": repository, "imageId": {"imageDigest": digest}, "maxResults": 1});
    match ecr.call("DescribeImageScanFindings", repository, asked).await {
        Ok(answer) => {
            let counts = &answer.get("imageScanFindings").unwrap_or(&Value::Null)["findingSeverityCounts"];
            // A severity that nothing has is not listed.
            let count = |severity: &str| counts[severity].as_u64().unwrap_or(0);
            Ok(Some(Findings { critical: count("CRITICAL"), high: count("HIGH") }))
        }
        Err(error) if error.code == "ScanNotFoundException" || error.code == "ImageNotFoundException" => Ok(None),
        Err(error) => Err(error),
    }
}

/// When these images of a repository were pushed, by digest. An image that is gone has no moment.
pub async fn pushed(ecr: &JsonApi, repository: &str, digests: &[String]) -> Result<BTreeMap<String, Timestamp>, Error> {
    match described(ecr, repository, digests).await {
        // One that is gone fails the whole call.
        Err(error) if error.code == "ImageNotFoundException" && digests.len() > 1 => {
            let one_by_one = each(digests.to_vec(), 4, async |it| described(ecr, repository, &[it]).await);
            let mut pushed = BTreeMap::new();
            for answer in one_by_one.await {
                match answer {
                    Err(error) if error.code == "ImageNotFoundException" => {}
                    answer => pushed.extend(answer?),
                }
            }
            Ok(pushed)
        }
        Err(error) if error.code == "ImageNotFoundException" => Ok(BTreeMap::new()),
        answer => answer,
    }
}

async fn described(ecr: &JsonApi, repository: &str, digests: &[String]) -> Result<BTreeMap<String, Timestamp>, Error> {
    let ids: Vec<Value> = digests.iter().map(|it| json!({"imageDigest": it})).collect();
    let answer = ecr.call("DescribeImages", repository, json!({"repositoryName": repository, "imageIds": ids})).await?;
    let image = |it: &Value| {
        let at = Timestamp::from_millisecond((it["imagePushedAt"].as_f64()? * 1000.0) as i64).ok()?;
        Some((it["imageDigest"].as_str()?.to_owned(), at))
    };
    Ok(answer.get("imageDetails").and_then(Value::as_array).into_iter().flatten().filter_map(image).collect())
}
