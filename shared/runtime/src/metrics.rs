//! The metrics of a run, in CloudWatch's embedded metric format: one JSON line on standard output.
//!
//! See "Specification: Embedded metric format" in the CloudWatch User Guide.

use std::time::Duration;

use jiff::Timestamp;
use reconcile::{Measure, Outcome, Report};
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

/// The metrics lines of what a run has measured: one for each resource, and one for all of them together.
pub fn measures(function: &str, report: &Report, ended: Timestamp) -> Vec<Value> {
    let line = |it: &Measure| {
        let dimensions: Vec<&str> = std::iter::once("Function").chain(it.of.as_ref().map(|_| it.kind)).collect();
        let mut line = json!({
            "_aws": {
                "Timestamp": ended.as_millisecond(),
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": [dimensions],
                    "Metrics": [{"Name": it.metric, "Unit": "None"}],
                }],
            },
            "Function": function,
        });
        if let Some(of) = &it.of {
            line[it.kind] = json!(of);
        }
        line[it.metric] = json!(it.value);
        line
    };
    report.measures.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measure_is_a_line_with_its_resource_as_a_dimension_and_one_for_all_without() {
        let mut report = Report::new("snapshot-databases", "2026-11-21T03:00:00+09:00[Asia/Seoul]".parse().unwrap());
        for of in [Some("app-db".to_owned()), None] {
            report.measures.push(Measure { metric: "BackupAgeHours", kind: "Database", of, value: 0.5 });
        }
        let lines = measures("snapshot-databases", &report, "2026-11-21T03:00:00Z".parse().unwrap());
        let seen = |line: &Value| {
            let dimensions = line["_aws"]["CloudWatchMetrics"][0]["Dimensions"].clone();
            (dimensions, line["Database"].clone(), line["BackupAgeHours"].clone())
        };
        assert_eq!(seen(&lines[0]), (json!([["Function", "Database"]]), json!("app-db"), json!(0.5)));
        assert_eq!(seen(&lines[1]), (json!([["Function"]]), Value::Null, json!(0.5)));
    }

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
