//! The whole function from payload to report, with the real SDK on a scripted AWS: pages, faults, odd states, lost answers.

#![recursion_limit = "256"]

mod aws;
mod images;
mod snapshots;

use aws::Aws;
use prune_backups::{Clients, handle};
use reconcile::Report;
use serde_json::{Value, json};
use testkit::scripted::{Script, TOPIC};

/// 06:30 in Seoul.
const NOW: &str = "2026-11-20T21:30:00Z";

/// Runs the real function, whose SDK clients talk to the script.
async fn invoke(script: &Script<Aws>) -> Result<Report, String> {
    invoke_with(script, json!({}), &[]).await
}

async fn invoke_with(script: &Script<Aws>, payload: Value, more: &[(&str, &str)]) -> Result<Report, String> {
    let variables = [
        ("NIGHTSHIFT_TIME_ZONE", "Asia/Seoul"),
        ("NIGHTSHIFT_TOPIC_ARN", TOPIC),
        ("NIGHTSHIFT_NOW", NOW),
        ("AWS_LAMBDA_FUNCTION_NAME", "nightshift-prune-backups"),
    ];
    let (sdk, variables) = (script.sdk(), [&variables, more].concat());
    let answer = runtime::invoke_once("prune-backups", &sdk, &variables, Clients::new, handle, payload);
    answer.await.map_err(|it| it.error_message)
}

/// Actions with their outcomes, then problems, each with the resource's short name.
fn told(report: &Report) -> Vec<String> {
    let short = |it: &str| it.rsplit([':', '/']).next().unwrap().to_owned();
    let mut lines: Vec<String> =
        report.actions.iter().map(|it| format!("{} {} {:?}", short(&it.resource), it.action, it.outcome)).collect();
    lines.extend(report.problems.iter().map(|it| format!("{} {}: {}", short(&it.resource), it.problem, it.message)));
    lines
}
