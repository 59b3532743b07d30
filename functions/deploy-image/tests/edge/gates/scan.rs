//! Basic and enhanced scans, pages of findings, multi-platform images, and what ECR refuses.

use serde_json::{Value, json};

use crate::aws::{Script, digest};
use crate::{push_event, shop, told};

fn basic(status: &str, counts: Value, findings: &[(&str, &str)]) -> Value {
    let finding = |(name, severity): &(&str, &str)| {
        json!({"name": name, "severity": severity, "attributes": [
            {"key": "package_name", "value": "openssl"}, {"key": "CVSS2_SCORE", "value": "7.5"}]})
    };
    json!({"imageScanStatus": {"status": status, "description": "as the script says"},
           "imageScanFindings": {"findingSeverityCounts": counts, "findings": findings.iter().map(finding).collect::<Vec<_>>()}})
}

fn enhanced(counts: Value, findings: &[(&str, &str, &str)]) -> Value {
    let finding = |(name, severity, status): &(&str, &str, &str)| {
        json!({"severity": severity, "status": status, "score": 9.8, "title": format!("{name} - zlib"),
               "packageVulnerabilityDetails": {"vulnerabilityId": name, "vulnerablePackages": [{"name": "zlib"}]}})
    };
    json!({"imageScanStatus": {"status": "ACTIVE"},
           "imageScanFindings": {"findingSeverityCounts": counts, "enhancedFindings": findings.iter().map(finding).collect::<Vec<_>>()}})
}

/// What is told of a push whose image has these scans.
async fn told_of(rule: &str, pages: Vec<Value>) -> String {
    let script = Script::new();
    shop(&script, rule);
    script.aws().scans.insert(digest(2), pages);
    told(&script.invoke(push_event("api")).await.unwrap()).join(" | ")
}

#[tokio::test]
async fn every_page_of_a_basic_scan_counts() {
    let clean = || basic("COMPLETE", json!({"MEDIUM": 9}), &[("CVE-2026-1", "MEDIUM")]);
    assert_eq!(told_of("newest scan=high", vec![clean()]).await, "api deploy Done");
    let second = basic("COMPLETE", json!({"MEDIUM": 9, "CRITICAL": 1}), &[("CVE-2026-2", "CRITICAL")]);
    let held = told_of("newest scan=critical", vec![clean(), second]).await;
    assert!(held.contains("its scan found 1 CRITICAL, worst CVE-2026-2 (openssl); v1.0.0 stays"), "{held}");
}

#[tokio::test]
async fn an_enhanced_scan_is_active_and_what_a_person_suppressed_does_not_count() {
    let page = enhanced(json!({"CRITICAL": 1}), &[("CVE-2026-3", "CRITICAL", "SUPPRESSED")]);
    assert_eq!(told_of("newest scan=high", vec![page]).await, "api deploy Done");
    let page = enhanced(
        json!({"CRITICAL": 2, "HIGH": 4}),
        &[
            ("CVE-2026-3", "CRITICAL", "SUPPRESSED"),
            ("CVE-2026-4", "CRITICAL", "ACTIVE"),
            ("CVE-2026-5", "UNTRIAGED", "ACTIVE"),
        ],
    );
    let held = told_of("newest scan=critical", vec![page]).await;
    assert!(held.contains("its scan found 1 CRITICAL, worst CVE-2026-4 (zlib)"), "{held}");
}

#[tokio::test]
async fn a_status_that_is_no_end_lets_nothing_out() {
    for (status, expected) in [
        ("IN_PROGRESS", "api scan-pending"),
        ("PENDING", "api scan-pending"),
        ("FAILED", "api no-findings: v1.1.0 is not deployed: its scan has no result (FAILED: as the script says)"),
        ("SCAN_ELIGIBILITY_EXPIRED", "api no-findings"),
        ("NEXT_YEARS_STATUS", "api no-findings"),
        ("UNSUPPORTED_IMAGE", "api unsupported-scan"),
    ] {
        let held = told_of("newest scan=critical", vec![basic(status, json!({}), &[])]).await;
        assert!(held.starts_with(expected), "{held}");
    }
}

#[tokio::test]
async fn of_a_multi_platform_image_the_platforms_are_scanned() {
    let script = Script::new();
    shop(&script, "newest scan=critical");
    let platform =
        |number: u32, os: &str| json!({"digest": digest(number), "platform": {"os": os, "architecture": "arm64"}});
    let index = json!({"mediaType": "application/vnd.oci.image.index.v1+json",
                       "manifests": [platform(21, "linux"), platform(22, "linux"), platform(23, "unknown")]});
    script.aws().manifests.insert(digest(2), index);
    script.aws().scans.insert(digest(21), vec![basic("COMPLETE", json!({}), &[])]);
    let held = told(&script.invoke(push_event("api")).await.unwrap());
    assert!(held[0].starts_with("api not-scanned: v1.1.0 is not deployed: it was never scanned."), "{held:?}");
    script.aws().scans.insert(digest(22), vec![basic("COMPLETE", json!({}), &[])]);
    assert_eq!(told(&script.invoke(push_event("api")).await.unwrap()), ["api deploy Done"]);
    let accepted = &script.sent("BatchGetImage")[0]["acceptedMediaTypes"];
    assert!(accepted.as_array().unwrap().iter().any(|it| it == "application/vnd.oci.image.index.v1+json"));
}

#[tokio::test]
async fn a_scan_is_read_once_and_only_of_an_image_that_would_go_out() {
    let script = Script::new();
    shop(&script, "newest scan=critical");
    script.serve("shop/worker", "newest scan=high", ":v1.0.0");
    script.push("worker", "v1.0.0", 1, 1);
    script.aws().scans.insert(digest(2), vec![basic("COMPLETE", json!({}), &[])]);
    script.invoke(json!({})).await.unwrap();
    assert_eq!((script.count("DescribeImageScanFindings"), script.count("BatchGetImage")), (1, 0));
    script.invoke(json!({})).await.unwrap();
    assert_eq!(script.count("DescribeImageScanFindings"), 1, "it runs already");
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_may_not_be_read_holds_and_names_the_action() {
    let script = Script::new();
    shop(&script, "newest scan=critical");
    script.fail("DescribeImageScanFindings", "", 99, 400, "AccessDeniedException");
    let held = told(&script.invoke(push_event("api")).await.unwrap());
    assert!(
        held[0].starts_with(
            "api unreadable-scan: the scan of v1.1.0 cannot be read: DescribeImageScanFindings api@sha256:"
        ),
        "{held:?}"
    );
    assert!(held[0].contains(": AccessDeniedException: refused by the script. Each run tries again"), "{held:?}");
}

#[tokio::test]
async fn another_function_may_wake_it_for_one_service() {
    let script = Script::new();
    let api = shop(&script, "newest");
    script.push("web", "v1.0.0", 1, 1);
    script.push("web", "v1.1.0", 2, 5);
    script.serve("shop/web", "newest", ":v1.0.0");
    let report = script.invoke(json!({"resource": api})).await.unwrap();
    assert_eq!(told(&report), ["api deploy Done"]);
    assert_eq!(script.count("GetResources"), 0);
}
