//! What the scans of an image found, of basic and of enhanced scanning.

use aws::{Error, JsonApi};
use gates::{Finding, Grade, Scan, ScanState};
use rules::Digest;
use serde_json::{Value, json};

use super::{items, of};

/// The forms in which a registry keeps the list of a multi-platform image, and those of a single one.
const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// The scans of an image: one, or of a multi-platform image one for each platform.
///
/// ECR scans the images of a list and not the list, so only where there is no scan the list is read.
pub async fn list_scans(ecr: &JsonApi, repository: &str, digest: &Digest) -> Result<Vec<Scan>, Error> {
    let scan = describe_scan(ecr, repository, digest.clone()).await?;
    if !matches!(scan.state, ScanState::Missing | ScanState::Unsupported(_)) {
        return Ok(vec![scan]);
    }
    let platforms = list_platforms(ecr, repository, digest).await?;
    if platforms.is_empty() {
        return Ok(vec![scan]);
    }
    let scans = aws::each(platforms, 4, async |it| describe_scan(ecr, repository, it).await).await;
    scans.into_iter().collect()
}

async fn describe_scan(ecr: &JsonApi, repository: &str, digest: Digest) -> Result<Scan, Error> {
    let name = format!("{repository}@{digest}");
    let mut body = of(repository);
    body["imageId"] = json!({"imageDigest": digest.to_string()});
    body["maxResults"] = 1000.into();
    let mut scan = Scan::of(ScanState::Missing);
    let mut first = true;
    loop {
        let page = match ecr.call("DescribeImageScanFindings", &name, body.clone()).await {
            Ok(page) => Value::Object(page),
            Err(error) if error.code == "ScanNotFoundException" => return Ok(scan),
            Err(error) => return Err(error),
        };
        if first {
            scan.state = state(&page["imageScanStatus"]);
            first = false;
        }
        let found = &page["imageScanFindings"];
        scan.findings.extend(items(found, "findings").filter_map(basic));
        scan.findings.extend(items(found, "enhancedFindings").filter_map(enhanced));
        scan.critical = scan.critical.max(count(found, "CRITICAL"));
        scan.high = scan.high.max(count(found, "HIGH"));
        match page["nextToken"].as_str().filter(|it| !it.is_empty()) {
            Some(next) => body["nextToken"] = next.into(),
            None => return Ok(scan),
        }
    }
}

/// How many findings of a severity there are. A finding that a person suppressed in Inspector does not count.
fn count(found: &Value, severity: &str) -> u64 {
    let counted = found["findingSeverityCounts"][severity].as_u64().unwrap_or_default();
    let suppressed = items(found, "enhancedFindings").filter(|it| it["severity"] == severity && !is_active(it));
    counted.saturating_sub(suppressed.count() as u64)
}

fn state(status: &Value) -> ScanState {
    let reason = status["description"].as_str().unwrap_or("no reason given");
    match status["status"].as_str() {
        // Enhanced scanning never completes: new findings come as they become known.
        Some("COMPLETE" | "ACTIVE") => ScanState::Done,
        Some("IN_PROGRESS" | "PENDING") => ScanState::Pending,
        Some("UNSUPPORTED_IMAGE") => ScanState::Unsupported(reason.into()),
        Some(other) => ScanState::Unavailable(format!("{other}: {reason}")),
        None => ScanState::Unavailable("no status".into()),
    }
}

fn grade(severity: Option<&str>) -> Option<Grade> {
    match severity {
        Some("CRITICAL") => Some(Grade::Critical),
        Some("HIGH") => Some(Grade::High),
        _ => None,
    }
}

fn basic(it: &Value) -> Option<Finding> {
    let attribute = |key: &str| items(it, "attributes").find(|it| it["key"] == key)?["value"].as_str();
    let score = ["CVSS4_SCORE", "CVSS3_SCORE", "CVSS2_SCORE"].iter().find_map(|it| attribute(it)?.parse().ok());
    Some(Finding {
        name: it["name"].as_str().unwrap_or("a finding without a name").into(),
        package: attribute("package_name").map(str::to_owned),
        grade: grade(it["severity"].as_str())?,
        score: score.unwrap_or_default(),
    })
}

fn enhanced(it: &Value) -> Option<Finding> {
    let details = &it["packageVulnerabilityDetails"];
    let package = details["vulnerablePackages"][0]["name"].as_str();
    let grade = grade(it["severity"].as_str()).filter(|_| is_active(it))?;
    let name = details["vulnerabilityId"].as_str().or(it["title"].as_str()).unwrap_or("a finding without a name");
    let score = it["score"].as_f64().unwrap_or_default();
    Some(Finding { name: name.into(), package: package.map(str::to_owned), grade, score })
}

/// Whether a finding still stands: neither closed nor suppressed by a rule in Inspector.
fn is_active(it: &Value) -> bool {
    it["status"].as_str().is_none_or(|it| it == "ACTIVE")
}

/// The images of a multi-platform image; none if it is a single one. Attestations, of an unknown platform, do not count.
async fn list_platforms(ecr: &JsonApi, repository: &str, digest: &Digest) -> Result<Vec<Digest>, Error> {
    let name = format!("{repository}@{digest}");
    let mut body = of(repository);
    body["imageIds"] = json!([{"imageDigest": digest.to_string()}]);
    body["acceptedMediaTypes"] = MANIFESTS.into();
    let answer = Value::Object(ecr.call("BatchGetImage", &name, body).await?);
    let Some(manifest) = answer["images"][0]["imageManifest"].as_str() else {
        let reason = answer["failures"][0]["failureReason"].as_str().unwrap_or("no reason given");
        return Err(Error::unexpected("BatchGetImage", &name, format!("no manifest: {reason}")));
    };
    let manifest: Value =
        serde_json::from_str(manifest).map_err(|err| Error::unexpected("BatchGetImage", &name, err.to_string()))?;
    let entries = manifest.get("manifests").and_then(Value::as_array);
    let known = |it: &&Value| it.pointer("/platform/os").and_then(Value::as_str) != Some("unknown");
    let digest = |it: &Value| it.get("digest").and_then(Value::as_str)?.parse().ok();
    Ok(entries.into_iter().flatten().filter(known).filter_map(digest).collect())
}

#[cfg(test)]
mod bad_input {
    use super::*;

    #[test]
    fn findings() {
        let sample = json!({
            "findingSeverityCounts": {"HIGH": 3, "CRITICAL": 1},
            "status": {"status": "ACTIVE", "description": "x"}, "severity": "HIGH", "score": 9.8, "title": "t", "name": "n",
            "attributes": [{"key": "CVSS3_SCORE", "value": "9.8"}, {"key": "package_name", "value": "openssl"}],
            "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-1", "vulnerablePackages": [{"name": "openssl"}]},
            "enhancedFindings": [{"severity": "HIGH", "status": "SUPPRESSED"}],
        });
        fuzz::values(&[sample], |it| fuzz::used((count(it, "HIGH"), state(&it["status"]), basic(it), enhanced(it))));
    }
}
