//! The log: a line for each step, problem and run, JSON where Lambda's log format says so.

use std::collections::BTreeMap;

use reconcile::{Outcome, Report};
use tracing::{Level, error, info, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log of `function`, in the format and at the level that Lambda's logging configuration asks for in the
/// environment.
pub fn start(function: &str, variables: &BTreeMap<String, String>) {
    let value = |name: &str| variables.get(name).map(String::as_str);
    let level = value("AWS_LAMBDA_LOG_LEVEL").and_then(|it| it.parse().ok()).unwrap_or(Level::INFO);
    let log = tracing_subscriber::fmt().with_max_level(level).with_target(false).with_ansi(false);
    if value("AWS_LAMBDA_LOG_FORMAT").is_some_and(|it| it.eq_ignore_ascii_case("json")) {
        let log = log.json().flatten_event(true).with_current_span(false).with_span_list(false);
        log.finish().with(targets(function, level)).init();
    } else {
        log.without_time().finish().with(targets(function, level)).init();
    }
}

/// What is logged: everything of ours up to `level`, and of the crates of others never more than INFO. Below that the
/// SDK and its HTTP client print whole requests and answers, with the environment of task definitions in them.
fn targets(function: &str, level: Level) -> Targets {
    let ours = [&format!("{}::", function.replace('-', "_")), "runtime::", "aws::"];
    Targets::new().with_default(level.min(Level::INFO)).with_targets(ours.map(|it| (it.to_owned(), level)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_level_is_the_crates_of_others_never_print_more_than_info() {
        for (level, ours, theirs) in [
            (Level::TRACE, Level::TRACE, Level::INFO),
            (Level::DEBUG, Level::DEBUG, Level::INFO),
            (Level::INFO, Level::INFO, Level::INFO),
            (Level::ERROR, Level::ERROR, Level::ERROR),
        ] {
            let targets = targets("deploy-image", level);
            for (target, least) in [
                ("deploy_image::observe", ours),
                ("aws::pace", ours),
                ("runtime::run", ours),
                ("aws_smithy_runtime::client::http::body", theirs),
                ("aws_config::meta", theirs),
                ("aws_sdk_ecs::operation", theirs),
                ("hyper_util::client", theirs),
                ("rustls::conn", theirs),
                ("lambda_runtime::layers", theirs),
            ] {
                for it in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE] {
                    assert_eq!(targets.would_enable(target, &it), it <= least, "{target} {it} at {level}");
                }
            }
        }
    }
}
