//! The log: a line for each step, problem and run, JSON where Lambda's log format says so.

use std::collections::BTreeMap;

use reconcile::{Outcome, Report};
use tracing::{Level, error, info, warn};

/// Starts the log, in the format and at the level that Lambda's logging configuration asks for in the environment.
pub fn start(variables: &BTreeMap<String, String>) {
    let value = |name: &str| variables.get(name).map(String::as_str);
    let level = value("AWS_LAMBDA_LOG_LEVEL").and_then(|it| it.parse().ok()).unwrap_or(Level::INFO);
    let log = tracing_subscriber::fmt().with_max_level(level).with_target(false).with_ansi(false);
    if value("AWS_LAMBDA_LOG_FORMAT").is_some_and(|it| it.eq_ignore_ascii_case("json")) {
        log.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    } else {
        log.without_time().init();
    }
}

/// Writes `report`: a line for each step and problem, then one for the run.
pub fn report(report: &Report) {
    let function = report.function.as_str();
    for it in &report.actions {
        let outcome = outcome(it.outcome);
        let failure = it.error.as_ref().map(|it| it.message.as_str());
        let request_id = it.error.as_ref().and_then(|it| it.request_id.as_deref());
        match it.outcome {
            Outcome::Failed => {
                let (resource, action, reason) = (&it.resource, it.action, &it.reason);
                error!(function, resource, action, reason, outcome, failure, request_id)
            }
            _ => info!(function, resource = it.resource, action = it.action, reason = it.reason, outcome),
        }
    }
    for it in &report.problems {
        warn!(function, resource = it.resource, problem = it.problem, reason = it.message);
    }
    for it in &report.skipped {
        info!(function, resource = it.resource, action = "none", reason = it.reason, outcome = "skipped");
    }
    info!(
        function,
        dry_run = report.dry_run,
        planned = report.count(Outcome::Planned),
        done = report.count(Outcome::Done),
        failed = report.count(Outcome::Failed),
        deferred = report.count(Outcome::Deferred),
        problems = report.problems.len(),
        skipped = report.skipped.len(),
        refused = report.refusal(),
        "run finished"
    );
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Planned => "planned",
        Outcome::Done => "done",
        Outcome::Failed => "failed",
        Outcome::Deferred => "deferred",
    }
}
