//! `scan=`: pending is not a pass, and what cannot be scanned is said with the fix.

use rules::Digest;

use crate::plan::tests::model::{Model, repository};
use crate::plan::tests::stories::words;
use crate::plan::*;

fn finding(name: &str, grade: Grade, score: f64) -> Finding {
    Finding { name: name.into(), package: Some("openssl".into()), grade, score }
}

fn found(critical: u64, high: u64, findings: &[Finding]) -> Scan {
    Scan { critical, high, findings: findings.to_vec(), ..Scan::of(ScanState::Done) }
}

fn pushed(rule: &str) -> (Model, Digest) {
    let mut model = Model::new(rule);
    let digest = model.push("v1.1.0");
    (model, digest)
}

/// What one run says of `scan`.
#[track_caller]
fn check(level: &str, scan: Scan, age: i64, expected: &str) {
    let (mut model, digest) = pushed(&format!("newest scan={level}"));
    model.scan(&digest, scan);
    model.minutes += age;
    let words = words(&model.plan(&Scope::Everywhere, None));
    assert_eq!(words.len(), 1, "{words:?}");
    assert!(words[0].starts_with(expected), "{} is not\n{expected}", words[0]);
}

const DEPLOYS: &str = "truegul-production/api-server: deploying v1.1.0 (was v1.0.0)";

#[test]
fn an_image_without_bad_findings_goes_out() {
    let high = [finding("CVE-2026-1", Grade::High, 8.1)];
    check("critical", found(0, 0, &[]), 0, DEPLOYS);
    check("critical", found(0, 1, &high), 0, DEPLOYS);
    check("high", found(0, 0, &[]), 0, DEPLOYS);
}

#[test]
fn findings_hold_an_image_back_and_the_worst_five_are_named() {
    let mut findings: Vec<Finding> =
        (1..=7).map(|it| finding(&format!("CVE-2026-{it}"), Grade::High, f64::from(it))).collect();
    findings.push(finding("CVE-2026-9", Grade::Critical, 9.1));
    let scan = found(1, 7, &findings);
    check(
        "high",
        scan.clone(),
        0,
        "scan-findings: v1.1.0 (sha256:000000000000) is held back: its scan found 1 CRITICAL and 7 HIGH, worst CVE-2026-9 (openssl), \
         CVE-2026-7 (openssl), CVE-2026-6 (openssl), CVE-2026-5 (openssl), CVE-2026-4 (openssl); v1.0.0 stays. ",
    );
    check(
        "critical",
        scan,
        0,
        "scan-findings: v1.1.0 (sha256:000000000000) is held back: its scan found 1 CRITICAL, worst CVE-2026-9 (openssl); v1.0.0 stays. ",
    );
    // A count without a list, and a list without a count, hold it back as well.
    check(
        "high",
        found(0, 2, &[]),
        0,
        "scan-findings: v1.1.0 (sha256:000000000000) is held back: its scan found 2 HIGH; v1.0.0",
    );
    check("high", found(0, 0, &findings[..1]), 0, "scan-findings: ");
}

#[test]
fn a_scan_that_has_not_ended_is_waited_for_and_told_when_it_takes_too_long() {
    check("high", Scan::of(ScanState::Pending), 30, "skip: v1.1.0 is being scanned");
    check("high", Scan::of(ScanState::Pending), 61, "scan-pending: v1.1.0 is not deployed");
    check("high", Scan::of(ScanState::Missing), 5, "skip: the scan of v1.1.0 has not begun");
    check(
        "high",
        Scan::of(ScanState::Missing),
        11,
        "not-scanned: v1.1.0 is not deployed: it was never scanned. Switch on scan on push for truegul-api-server",
    );
}

#[test]
fn an_image_of_which_no_scan_tells_is_not_let_out() {
    check(
        "critical",
        Scan::of(ScanState::Unsupported("os".into())),
        0,
        "unsupported-scan: v1.1.0 is not deployed: the registry cannot scan it (os)",
    );
    check(
        "critical",
        Scan::of(ScanState::Unavailable("LIMIT_EXCEEDED: x".into())),
        0,
        "no-findings: v1.1.0 is not deployed: its scan has no result (LIMIT_EXCEEDED: x)",
    );
    let (model, digest) = pushed("newest scan=high");
    let mut world = model.world(&repository());
    world.facts.insert(
        Fact::Scan { repository: "truegul-api-server".into(), digest },
        Observation::Unavailable("DescribeImageScanFindings x: AccessDeniedException: no".into()),
    );
    let plan = plan(&world, &repository(), None, &model.now()).plan;
    testkit::told::keep("deploy-image", &plan);
    assert_eq!(
        words(&plan),
        [
            "unreadable-scan: the scan of v1.1.0 cannot be read: DescribeImageScanFindings x: AccessDeniedException: no. Each run tries again, once an hour at least"
        ]
    );
}

#[test]
fn every_platform_of_an_image_counts() {
    let (mut model, digest) = pushed("newest scan=critical");
    let clean = found(0, 0, &[]);
    let bad = found(1, 0, &[finding("CVE-2026-1", Grade::Critical, 9.0)]);
    let scans = |scans: &[&Scan]| Observation::Scans(scans.iter().map(|it| (*it).clone()).collect());
    let fact = Fact::Scan { repository: "truegul-api-server".into(), digest };
    let mut kind = |seen: Observation| {
        model.facts.insert(fact.clone(), seen);
        let plan = model.plan(&repository(), None);
        plan.problems.first().map_or(plan.steps.len().to_string(), |it| it.message.clone())
    };
    assert_eq!(kind(scans(&[&clean, &clean])), "1");
    assert!(kind(scans(&[&clean, &bad])).contains("its scan found 1 CRITICAL, worst CVE-2026-1"));
    assert!(kind(scans(&[&bad, &bad])).contains("its scan found 1 CRITICAL, worst CVE-2026-1 (openssl);"));
    assert_eq!(kind(scans(&[&clean, &Scan::of(ScanState::Pending)])), "0");
}

#[test]
fn a_new_scan_or_a_newer_image_opens_the_gate_and_a_lost_event_is_found_by_the_sweep() {
    let (mut model, digest) = pushed("newest scan=critical");
    let bad = found(1, 0, &[finding("CVE-2026-1", Grade::Critical, 9.0)]);
    model.scan(&digest, Scan::of(ScanState::Pending));
    assert!(model.run(&repository(), None, usize::MAX).steps.is_empty());
    model.scan(&digest, bad);
    assert_eq!(model.run(&repository(), None, usize::MAX).problems[0].problem, "scan-findings");
    let mut fixed = model.clone();
    fixed.scan(&digest, found(0, 0, &[]));
    fixed.settle();
    assert_eq!(fixed.running(), "v1.1.0");
    let newer = model.push("v1.2.0");
    model.scan(&newer, found(0, 0, &[]));
    model.settle();
    assert_eq!(model.running(), "v1.2.0");
}

#[test]
fn an_image_that_the_scan_holds_is_not_put_before_a_person() {
    let (mut model, digest) = pushed("newest scan=critical approval=manual");
    let asked = |model: &Model| model.plan(&repository(), None).problems.first().map(|it| it.problem.clone());
    model.scan(&digest, Scan::of(ScanState::Pending));
    assert_eq!(asked(&model), None);
    model.scan(&digest, found(0, 0, &[]));
    assert_eq!(asked(&model).as_deref(), Some("needs-approval"));
}
