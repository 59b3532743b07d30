//! Reads of CloudWatch.

use aws::Error;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::AlarmType;

/// The metric alarms and composite alarms of the region: ARN and name.
pub async fn list_alarms(cloudwatch: &Client) -> Result<Vec<(String, String)>, Error> {
    let mut pages = cloudwatch
        .describe_alarms()
        .alarm_types(AlarmType::MetricAlarm)
        .alarm_types(AlarmType::CompositeAlarm)
        .max_records(100)
        .into_paginator()
        .send();
    let mut alarms = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|err| Error::new("DescribeAlarms", "all", err))?;
        let metric = page.metric_alarms().iter().map(|it| (it.alarm_arn(), it.alarm_name()));
        let composite = page.composite_alarms().iter().map(|it| (it.alarm_arn(), it.alarm_name()));
        alarms.extend(metric.chain(composite).filter_map(|(arn, name)| Some((arn?.to_owned(), name?.to_owned()))));
    }
    Ok(alarms)
}
