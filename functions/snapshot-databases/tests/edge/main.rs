//! The whole function from payload to report, with the real SDK on a scripted RDS: pages, faults, odd states, lost answers.

#![recursion_limit = "256"]

mod nightly;
mod predeploy;

use reconcile::Report;
use serde_json::Value;
use snapshot_databases::{Clients, handle};
use testkit::scripted::{Rds, Script, TOPIC};

/// 03:00 in Seoul.
const NOW: &str = "2026-11-20T18:00:00Z";

/// Sends `payload` to the real function, whose SDK clients talk to the script.
async fn invoke(script: &Script<Rds>, payload: Value) -> Result<Report, String> {
    let variables = [
        ("NIGHTSHIFT_TIME_ZONE", "Asia/Seoul"),
        ("NIGHTSHIFT_TOPIC_ARN", TOPIC),
        ("NIGHTSHIFT_NOW", NOW),
        ("NIGHTSHIFT_COPY_REGIONS", "us-west-2"),
        ("AWS_LAMBDA_FUNCTION_NAME", "nightshift-snapshot-databases"),
    ];
    let sdk = script.sdk();
    let answer = runtime::invoke_once("snapshot-databases", &sdk, &variables, Clients::new, handle, payload);
    answer.await.map_err(|it| it.error_message)
}

/// Actions with their outcomes, then skips and problems, each with the resource's short name.
fn told(report: &Report) -> Vec<String> {
    let short = |it: &str| it.rsplit(':').next().unwrap().to_owned();
    let mut lines: Vec<String> =
        report.actions.iter().map(|it| format!("{} {} {:?}", short(&it.resource), it.action, it.outcome)).collect();
    lines.extend(report.skipped.iter().map(|it| format!("{} skipped: {}", short(&it.resource), it.reason)));
    lines.extend(report.problems.iter().map(|it| format!("{} {}: {}", short(&it.resource), it.problem, it.message)));
    lines
}
