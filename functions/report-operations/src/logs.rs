//! Calls to CloudWatch Logs, as JSON: which metric filters count errors.

use aws::{Error, JsonApi};
use serde_json::{Value, json};

use crate::plan::world::Filter;

/// The metric filters of the region that count errors.
pub async fn error_filters(logs: &JsonApi) -> Result<Vec<Filter>, Error> {
    let listed = logs.list("DescribeMetricFilters", "all", json!({"limit": 50}), "metricFilters").await?;
    Ok(listed.iter().filter_map(filter).collect())
}

fn filter(it: &Value) -> Option<Filter> {
    let text = |of: &Value, key: &str| of[key].as_str().unwrap_or_default().to_owned();
    let metric = it["metricTransformations"].as_array()?.first()?;
    // With dimensions there is a metric for each value of them, which the filter does not list.
    if metric["dimensions"].as_object().is_some_and(|it| !it.is_empty()) {
        return None;
    }
    let filter = Filter {
        group: text(it, "logGroupName"),
        namespace: text(metric, "metricNamespace"),
        metric: text(metric, "metricName"),
    };
    let named = format!("{} {} {}", text(it, "filterName"), text(it, "filterPattern"), filter.metric);
    named.to_ascii_lowercase().contains("error").then_some(filter)
}
