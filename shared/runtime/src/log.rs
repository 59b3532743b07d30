//! The log: a line for each step, problem and run, JSON where Lambda's log format says so.

use std::collections::BTreeMap;

use reconcile::{Outcome, Report};
use tracing::{Level, debug, error, info, warn};
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
///
/// What was left alone is counted there, and spelt out at DEBUG only: most runs find nothing to do, and a line for each
/// of a hundred services costs more CPU than the rest of such a run. In a dry run a person wants to read them.
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
        let (resource, reason) = (&it.resource, &it.reason);
        match report.dry_run {
            true => info!(function, resource, action = "none", reason, outcome = "skipped"),
            false => debug!(function, resource, action = "none", reason, outcome = "skipped"),
        }
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
    use std::io;
    use std::sync::{Arc, Mutex};

    use reconcile::Skipped;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_run_with_nothing_to_do_is_one_line_and_its_details_are_at_debug() {
        for (level, dry_run, expected) in
            [(Level::INFO, false, 1), (Level::DEBUG, false, 101), (Level::INFO, true, 101)]
        {
            let written = Lines::default();
            let sink = written.clone();
            let log = tracing_subscriber::fmt().with_max_level(level).with_ansi(false);
            let log = log.with_writer(move || sink.clone()).finish();
            let skipped = |it: usize| Skipped { resource: format!("api-{it}"), reason: "it is awake".into() };
            let at = "2026-11-21T03:10:00+09:00[Asia/Seoul]".parse().unwrap();
            let skipped = (0..100).map(skipped).collect();
            let it = Report { dry_run, skipped, ..Report::new("scale-staging", at) };
            tracing::subscriber::with_default(log, || report(&it));
            let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
            assert_eq!(text.lines().count(), expected, "{text}");
            assert!(text.lines().last().unwrap().contains("skipped=100"), "{text}");
        }
    }

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
