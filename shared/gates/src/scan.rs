//! `scan=critical|high`: the scan of the image has found nothing as bad as that.

use choose::Image;
use jiff::SignedDuration;
use reconcile::{Choice, CommandLine, Undo, when};
use rules::deploy::Severity;

use crate::{Blocked, Candidate};

/// After this time a scan on push has long begun: if there is none, there will be none.
const BEGUN: SignedDuration = SignedDuration::from_mins(10);

/// After this time a scan that has not ended is told to people.
const ENDED: SignedDuration = SignedDuration::from_hours(1);

const NAMED: usize = 5;

/// What the scan of an image, or of one platform of it, has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// How far it is.
    pub state: ScanState,
    /// How many findings are `CRITICAL`, as the registry counts them.
    pub critical: u64,
    /// How many are `HIGH`.
    pub high: u64,
    /// The findings of these two grades.
    pub findings: Vec<Finding>,
}

/// How far a scan is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanState {
    /// It has ended, or goes on for ever with findings so far: enhanced scanning.
    Done,
    /// It has begun.
    Pending,
    /// There is none.
    Missing,
    /// The registry cannot scan such an image: its reason.
    Unsupported(String),
    /// There are no findings to be had: status and reason.
    Unavailable(String),
}

/// A weakness that a scan has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// `CVE-2026-1234`.
    pub name: String,
    /// The package that has it, if the scan tells.
    pub package: Option<String>,
    /// How bad it is.
    pub grade: Grade,
    /// How bad it is within that, from 0 to 10.
    pub score: f64,
}

/// How bad a finding is; less bad ones hold nothing back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// The worst.
    Critical,
    /// The next.
    High,
}

impl Scan {
    /// A scan without findings.
    pub fn of(state: ScanState) -> Self {
        Scan { state, critical: 0, high: 0, findings: Vec::new() }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        self.package.iter().try_for_each(|it| write!(f, " ({it})"))
    }
}

/// Nothing was found that holds the image back, and that is known.
pub fn scan<F, A>(candidate: &Candidate<'_>, level: Severity, scans: &[Scan]) -> Result<(), Blocked<F, A>> {
    let Candidate { running, repository, image, tag, .. } = *candidate;
    for scan in scans {
        ended(candidate, &scan.state)?;
    }
    let found = found(scans, level);
    if found.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{tag} ({}) is held back: its scan found {found}; {} stays. A newer image or a better scan lets it go on",
        image.digest.short(),
        running,
    );
    let look = scan_command("describe-image-scan-findings", repository, image);
    Err(Blocked::Asks { kind: "scan-findings", message, choices: vec![Choice::new("Look at all findings", look)] })
}

fn scan_command(operation: &str, repository: &str, image: &Image) -> Undo {
    let id = format!("imageDigest={}", image.digest);
    Undo::Shell(CommandLine::of(["aws", "ecr", operation, "--repository-name", repository, "--image-id", &id]))
}

/// The scan has come to an end, and the registry tells what it found.
fn ended<F, A>(candidate: &Candidate<'_>, state: &ScanState) -> Result<(), Blocked<F, A>> {
    let Candidate { repository, image, tag, now, .. } = *candidate;
    let age = now.timestamp().duration_since(image.pushed_at);
    let told = |after| when(image.pushed_at + after, now);
    let scan_it = || vec![Choice::new("Scan it", scan_command("start-image-scan", repository, image))];
    match state {
        ScanState::Done => Ok(()),
        ScanState::Pending if age < ENDED => Err(Blocked::pending(
            format!("{tag} is being scanned"),
            format!("the scan has ended; if it has not by {}, you are told", told(ENDED)),
        )),
        ScanState::Missing if age < BEGUN => Err(Blocked::pending(
            format!("the scan of {tag} has not begun"),
            format!("it has ended; if none has begun by {}, you are told", told(BEGUN)),
        )),
        ScanState::Pending => Err(Blocked::NeedsPerson(
            "scan-pending",
            format!(
                "{tag} is not deployed: its scan does not end. It was pushed more than an hour ago: look at the scan in the console of ECR"
            ),
        )),
        ScanState::Missing => Err(Blocked::Asks {
            kind: "not-scanned",
            message: format!(
                "{tag} is not deployed: it was never scanned. Switch on scan on push for {repository} in the settings of \
                 the registry, and with basic scanning have this image scanned"
            ),
            choices: scan_it(),
        }),
        ScanState::Unsupported(reason) => Err(Blocked::NeedsPerson(
            "unsupported-scan",
            format!(
                "{tag} is not deployed: the registry cannot scan it ({reason}). \
                 Build it on a base image that the scan knows, or remove scan= from the tag"
            ),
        )),
        ScanState::Unavailable(reason) => Err(Blocked::Asks {
            kind: "no-findings",
            message: format!(
                "{tag} is not deployed: its scan has no result ({reason}). With basic scanning, scan it again"
            ),
            choices: scan_it(),
        }),
    }
}

/// What holds the image back, in words: counts, and the worst by name; empty if nothing does.
///
/// Counts and list come from one answer. Where they differ the larger number counts.
fn found(scans: &[Scan], level: Severity) -> String {
    let mut findings: Vec<&Finding> = Vec::new();
    // The platforms of an image mostly share their weaknesses.
    for finding in scans.iter().flat_map(|it| &it.findings) {
        if !findings.iter().any(|it| it.name == finding.name && it.package == finding.package) {
            findings.push(finding);
        }
    }
    let grades: &[Grade] = match level {
        Severity::Critical => &[Grade::Critical],
        Severity::High => &[Grade::Critical, Grade::High],
    };
    let counted = |grade: Grade| {
        let said = scans.iter().map(|it| if grade == Grade::Critical { it.critical } else { it.high }).max();
        let listed = findings.iter().filter(|it| it.grade == grade).count() as u64;
        said.unwrap_or_default().max(listed)
    };
    let name = |grade| if grade == Grade::Critical { "CRITICAL" } else { "HIGH" };
    let counts = grades.iter().map(|it| (counted(*it), name(*it))).filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, name)| format!("{count} {name}")).collect();
    findings.retain(|it| grades.contains(&it.grade));
    findings.sort_by(|a, b| a.grade.cmp(&b.grade).then(b.score.total_cmp(&a.score)).then(a.name.cmp(&b.name)));
    let worst: Vec<String> = findings.iter().take(NAMED).map(|it| it.to_string()).collect();
    match (counts.is_empty(), worst.is_empty()) {
        (true, _) => String::new(),
        (false, true) => counts.join(" and "),
        (false, false) => format!("{}, worst {}", counts.join(" and "), worst.join(", ")),
    }
}
