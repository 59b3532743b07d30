//! What the scans of an image found, of basic and of enhanced scanning.

use aws::Error;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::ProvideErrorMetadata;
use aws_sdk_ecr::types as sdk;
use aws_sdk_ecr::types::{FindingSeverity, ImageIdentifier, ScanStatus};
use rules::Digest;
use serde_json::Value;

use crate::plan::{Finding, Grade, Scan, ScanState};

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
pub async fn list_scans(ecr: &Client, repository: &str, digest: &Digest) -> Result<Vec<Scan>, Error> {
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

async fn describe_scan(ecr: &Client, repository: &str, digest: Digest) -> Result<Scan, Error> {
    let name = format!("{repository}@{digest}");
    let image = ImageIdentifier::builder().image_digest(digest.to_string()).build();
    let (account, repository) = super::registry_and_name(repository);
    let call = ecr.describe_image_scan_findings().set_registry_id(account).repository_name(repository);
    let call = call.image_id(image).max_results(1000);
    let mut pages = call.into_paginator().send();
    let mut scan = Scan::of(ScanState::Missing);
    let mut first = true;
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(err) if err.code() == Some("ScanNotFoundException") => return Ok(scan),
            Err(err) => return Err(Error::new("DescribeImageScanFindings", &name, err)),
        };
        if first {
            scan.state = state(page.image_scan_status());
            first = false;
        }
        let Some(found) = page.image_scan_findings() else { continue };
        scan.findings.extend(found.findings().iter().filter_map(basic));
        scan.findings.extend(found.enhanced_findings().iter().filter_map(enhanced));
        let counted = |severity| count(found, &severity);
        scan.critical = scan.critical.max(counted(FindingSeverity::Critical));
        scan.high = scan.high.max(counted(FindingSeverity::High));
    }
    Ok(scan)
}

/// How many findings of a severity there are. A finding that a person suppressed in Inspector does not count.
fn count(found: &sdk::ImageScanFindings, severity: &FindingSeverity) -> u64 {
    let counted = found.finding_severity_counts().and_then(|it| it.get(severity)).copied().unwrap_or_default();
    let suppressed = |it: &&sdk::EnhancedImageScanFinding| it.severity() == Some(severity.as_str()) && !is_active(it);
    let suppressed = found.enhanced_findings().iter().filter(suppressed).count() as u64;
    u64::try_from(counted).unwrap_or_default().saturating_sub(suppressed)
}

fn state(status: Option<&sdk::ImageScanStatus>) -> ScanState {
    let reason = status.and_then(|it| it.description()).unwrap_or("no reason given");
    match status.and_then(|it| it.status()) {
        // Enhanced scanning never completes: new findings come as they become known.
        Some(ScanStatus::Complete | ScanStatus::Active) => ScanState::Done,
        Some(ScanStatus::InProgress | ScanStatus::Pending) => ScanState::Pending,
        Some(ScanStatus::UnsupportedImage) => ScanState::Unsupported(reason.into()),
        Some(other) => ScanState::Unavailable(format!("{}: {reason}", other.as_str())),
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

fn basic(it: &sdk::ImageScanFinding) -> Option<Finding> {
    let attribute = |key: &str| it.attributes().iter().find(|it| it.key() == key).and_then(|it| it.value());
    let score = ["CVSS4_SCORE", "CVSS3_SCORE", "CVSS2_SCORE"].iter().find_map(|it| attribute(it)?.parse().ok());
    Some(Finding {
        name: it.name().unwrap_or("a finding without a name").into(),
        package: attribute("package_name").map(str::to_owned),
        grade: grade(it.severity().map(FindingSeverity::as_str))?,
        score: score.unwrap_or_default(),
    })
}

fn enhanced(it: &sdk::EnhancedImageScanFinding) -> Option<Finding> {
    let details = it.package_vulnerability_details();
    let package = details.and_then(|it| it.vulnerable_packages().first()).and_then(|it| it.name());
    let grade = grade(it.severity()).filter(|_| is_active(it))?;
    let name = details.and_then(|it| it.vulnerability_id()).or(it.title()).unwrap_or("a finding without a name");
    Some(Finding { name: name.into(), package: package.map(str::to_owned), grade, score: it.score() })
}

/// Whether a finding still stands: neither closed nor suppressed by a rule in Inspector.
fn is_active(it: &sdk::EnhancedImageScanFinding) -> bool {
    it.status().is_none_or(|it| it == "ACTIVE")
}

/// The images of a multi-platform image; none if it is a single one. Attestations, of an unknown platform, do not count.
async fn list_platforms(ecr: &Client, repository: &str, digest: &Digest) -> Result<Vec<Digest>, Error> {
    let name = format!("{repository}@{digest}");
    let image = ImageIdentifier::builder().image_digest(digest.to_string()).build();
    let (account, repository) = super::registry_and_name(repository);
    let answer = ecr
        .batch_get_image()
        .set_registry_id(account)
        .repository_name(repository)
        .image_ids(image)
        .set_accepted_media_types(Some(MANIFESTS.map(str::to_owned).to_vec()))
        .send()
        .await
        .map_err(|err| Error::new("BatchGetImage", &name, err))?;
    let Some(manifest) = answer.images().first().and_then(|it| it.image_manifest()) else {
        let reason = answer.failures().first().and_then(|it| it.failure_reason()).unwrap_or("no reason given");
        return Err(Error::unexpected("BatchGetImage", &name, format!("no manifest: {reason}")));
    };
    let manifest: Value =
        serde_json::from_str(manifest).map_err(|err| Error::unexpected("BatchGetImage", &name, err.to_string()))?;
    let entries = manifest.get("manifests").and_then(Value::as_array);
    let known = |it: &&Value| it.pointer("/platform/os").and_then(Value::as_str) != Some("unknown");
    let digest = |it: &Value| it.get("digest").and_then(Value::as_str)?.parse().ok();
    Ok(entries.into_iter().flatten().filter(known).filter_map(digest).collect())
}
