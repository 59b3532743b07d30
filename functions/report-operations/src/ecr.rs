//! Calls to ECR, as JSON: what its scans have found in an image.

use aws::{Error, JsonApi};
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
