//! Calls to CloudWatch: which alarms fire, and what was measured.

use std::collections::BTreeMap;

use aws::{Error, moment};
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types as sdk;
use aws_smithy_types::DateTime;
use board::Firing;
use jiff::Timestamp;

use crate::plan::usage::{Query, Series, Usage};
use crate::plan::world::Filter;

/// How many pages are read of what fires or was measured: nobody reads a longer list.
const MOST_PAGES: usize = 10;

/// The alarms of the account and region that are in ALARM, those that only watch other alarms included.
pub async fn firing(cloudwatch: &Client) -> Result<Vec<Firing>, Error> {
    let mut pages = cloudwatch
        .describe_alarms()
        .state_value(sdk::StateValue::Alarm)
        // Left out, only metric alarms would come.
        .alarm_types(sdk::AlarmType::MetricAlarm)
        .alarm_types(sdk::AlarmType::CompositeAlarm)
        .alarm_types(sdk::AlarmType::LogAlarm)
        .max_records(100)
        .into_paginator()
        .send();
    let mut firing = Vec::new();
    for _ in 0..MOST_PAGES {
        let Some(page) = pages.next().await else { break };
        let page = page.map_err(|err| Error::new("DescribeAlarms", "all in ALARM", err))?;
        let mut add = |name: Option<&str>, arn: Option<&str>, since: Option<&DateTime>, reason: Option<&str>| {
            firing.push(Firing {
                name: name.unwrap_or_default().into(),
                arn: arn.unwrap_or_default().into(),
                since: since.and_then(moment),
                reason: reason.unwrap_or_default().into(),
            });
        };
        for it in page.metric_alarms() {
            add(it.alarm_name(), it.alarm_arn(), it.state_transitioned_timestamp(), it.state_reason());
        }
        for it in page.composite_alarms() {
            add(it.alarm_name(), it.alarm_arn(), it.state_transitioned_timestamp(), it.state_reason());
        }
        for it in page.log_alarms() {
            add(it.alarm_name(), it.alarm_arn(), it.state_transitioned_timestamp(), it.state_reason());
        }
    }
    Ok(firing)
}

/// What these queries find between two moments: by query, a series for each resource.
pub async fn measured(
    cloudwatch: &Client,
    queries: &[Query],
    (from, until): (Timestamp, Timestamp),
) -> Result<Usage, Error> {
    let query =
        |it: &Query| sdk::MetricDataQuery::builder().id(it.id()).expression(it.expression()).label(it.label()).build();
    let mut pages = cloudwatch
        .get_metric_data()
        .set_metric_data_queries(Some(queries.iter().map(query).collect()))
        .start_time(DateTime::from_secs(from.as_second()))
        .end_time(DateTime::from_secs(until.as_second()))
        .into_paginator()
        .send();
    let mut usage = Usage::default();
    for _ in 0..MOST_PAGES {
        let Some(page) = pages.next().await else { break };
        let page = page.map_err(|err| Error::new("GetMetricData", "Nightshift's queries", err))?;
        for result in page.metric_data_results() {
            let Some(query) = queries.iter().find(|it| Some(it.id()) == result.id()) else { continue };
            // A search that finds nothing answers with one result that has no value, and whose label is not a name.
            if result.values().is_empty() {
                continue;
            }
            let points = result.timestamps().iter().filter_map(moment).zip(result.values().iter().copied());
            let all: &mut BTreeMap<String, Series> = usage.0.entry(*query).or_default();
            all.entry(result.label().unwrap_or_default().to_owned()).or_default().extend(points);
        }
    }
    usage.0.values_mut().flat_map(BTreeMap::values_mut).for_each(|it| it.sort_by_key(|it| it.0));
    Ok(usage)
}

/// How often the metric of each filter was counted between two moments, by the log group.
pub async fn counted(
    cloudwatch: &Client,
    filters: &[Filter],
    (from, until): (Timestamp, Timestamp),
) -> Result<Vec<(String, f64)>, Error> {
    let query = |(index, it): (usize, &Filter)| {
        let metric = sdk::Metric::builder().namespace(&it.namespace).metric_name(&it.metric).build();
        let stat = sdk::MetricStat::builder().metric(metric).stat("Sum").period(3600).build();
        sdk::MetricDataQuery::builder().id(format!("filter_{index}")).metric_stat(stat).build()
    };
    let mut pages = cloudwatch
        .get_metric_data()
        .set_metric_data_queries(Some(filters.iter().enumerate().map(query).collect()))
        .start_time(DateTime::from_secs(from.as_second()))
        .end_time(DateTime::from_secs(until.as_second()))
        .into_paginator()
        .send();
    let mut counts: BTreeMap<&str, f64> = filters.iter().map(|it| (it.group.as_str(), 0.0)).collect();
    for _ in 0..MOST_PAGES {
        let Some(page) = pages.next().await else { break };
        let page = page.map_err(|err| Error::new("GetMetricData", "metric filters", err))?;
        for result in page.metric_data_results() {
            let index = result.id().and_then(|it| it.strip_prefix("filter_")?.parse::<usize>().ok());
            let Some(filter) = index.and_then(|it| filters.get(it)) else { continue };
            *counts.entry(&filter.group).or_default() += result.values().iter().sum::<f64>();
        }
    }
    Ok(counts.into_iter().map(|(group, count)| (group.to_owned(), count)).collect())
}
