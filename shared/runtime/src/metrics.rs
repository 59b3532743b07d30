//! The metrics of a run, in CloudWatch's embedded metric format: one JSON line on standard output.
//!
//! See "Specification: Embedded metric format" in the CloudWatch User Guide.

use std::time::Duration;

use jiff::Timestamp;
use reconcile::{Outcome, Report};
use serde_json::{Value, json};

/// The namespace in CloudWatch.
const NAMESPACE: &str = "Nightshift";

/// The metrics line of a run that took `duration` and ended at `ended`; `report` is missing where the run failed whole.
pub fn line(function: &str, report: Option<&Report>, duration: Duration, ended: Timestamp) -> Value {
    let count = |outcome| report.map_or(0, |it| it.count(outcome));
    let failed_run = report.is_none_or(Report::failed);
    let counts =
        ["Runs", "FailedRuns", "ActionsDone", "ActionsFailed", "ActionsDeferred", "ActionsPlanned", "Problems"];
    let mut metrics: Vec<Value> = counts.iter().map(|name| json!({"Name": name, "Unit": "Count"})).collect();
    metrics.push(json!({"Name": "Duration", "Unit": "Milliseconds"}));
    json!({
        "_aws": {
            "Timestamp": ended.as_millisecond(),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [["Function"]], "Metrics": metrics}],
        },
        "Function": function,
        "Runs": 1,
        "FailedRuns": u8::from(failed_run),
        "ActionsDone": count(Outcome::Done),
        "ActionsFailed": count(Outcome::Failed),
        "ActionsDeferred": count(Outcome::Deferred),
        "ActionsPlanned": count(Outcome::Planned),
        "Problems": report.map_or(0, |it| it.problems.len()),
        "Duration": duration.as_millis() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_that_is_declared_has_a_number_and_every_dimension_a_string() {
        let line = line("deploy-image", None, Duration::from_millis(12), "2026-11-21T03:00:00Z".parse().unwrap());
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(line[metric["Name"].as_str().unwrap()].is_u64(), "{metric}");
        }
        for dimension in directive["Dimensions"][0].as_array().unwrap() {
            assert!(line[dimension.as_str().unwrap()].is_string(), "{dimension}");
        }
        assert_eq!(line["_aws"]["Timestamp"], 1795230000000u64);
        assert_eq!((&line["FailedRuns"], &line["Duration"]), (&json!(1), &json!(12)));
    }
}
