//! Reads of CloudWatch.

use aws::Error;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{AlarmType, Dimension, Statistic};
use jiff::{SignedDuration, Timestamp};

/// S3 writes the size of a bucket once a day, some hours late.
const DAY: i32 = 86_400;

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

/// How many bytes of the class STANDARD a bucket holds, as S3 has measured last; none where it is empty or new.
pub async fn bucket_size(cloudwatch: &Client, bucket: &str, now: Timestamp) -> Result<Option<f64>, Error> {
    let from = now - SignedDuration::from_hours(72);
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    let measured = cloudwatch
        .get_metric_statistics()
        .namespace("AWS/S3")
        .metric_name("BucketSizeBytes")
        .dimensions(dimension("BucketName", bucket))
        .dimensions(dimension("StorageType", "StandardStorage"))
        .statistics(Statistic::Average)
        .period(DAY)
        .start_time(DateTime::from_secs(from.as_second()))
        .end_time(DateTime::from_secs(now.as_second()));
    let answer = measured.send().await.map_err(|err| Error::new("GetMetricStatistics", bucket, err))?;
    let newest = answer.datapoints().iter().max_by_key(|it| it.timestamp().map(DateTime::secs));
    Ok(newest.and_then(|it| it.average()))
}
