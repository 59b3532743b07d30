//! Reads of CloudWatch.

use aws::Error;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{AlarmType, Dimension, MetricAlarm, Statistic};
use jiff::{SignedDuration, Timestamp};

use crate::own_alarms::{Alarm, Metric};

/// S3 writes the size of a bucket once a day, some hours late.
const DAY: i32 = 86_400;

/// The metric alarms and composite alarms of the region.
pub async fn list_alarms(cloudwatch: &Client) -> Result<Vec<Alarm>, Error> {
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
        let metric = page.metric_alarms().iter().map(|it| (it.alarm_arn(), it.alarm_name(), watched(it)));
        let composite = page.composite_alarms().iter().map(|it| (it.alarm_arn(), it.alarm_name(), Vec::new()));
        alarms.extend(
            metric.chain(composite).filter_map(|(arn, name, metrics)| {
                Some(Alarm { arn: arn?.to_owned(), name: name?.to_owned(), metrics })
            }),
        );
    }
    Ok(alarms)
}

/// The metrics that an alarm watches: its own one, or those that it calculates with.
fn watched(alarm: &MetricAlarm) -> Vec<Metric> {
    let calculated = alarm.metrics().iter().filter_map(|it| it.metric_stat()?.metric());
    let calculated = calculated.map(|it| (it.namespace(), it.dimensions()));
    std::iter::once((alarm.namespace(), alarm.dimensions()))
        .chain(calculated)
        .filter_map(|(namespace, dimensions)| {
            let pairs = dimensions.iter().filter_map(|it| Some((it.name()?.to_owned(), it.value()?.to_owned())));
            Some(Metric { namespace: namespace?.to_owned(), dimensions: pairs.collect() })
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use testkit::scripted::{Answer, Call, Script, Tables};

    use super::*;

    /// A CloudWatch with two pages of alarms.
    struct Alarms;

    impl Tables for Alarms {
        fn answer(&mut self, call: &Call) -> Answer {
            let metric = |namespace: &str, dimension: &str, value: &str| -> Value {
                json!({"Namespace": namespace, "Dimensions": [{"Name": dimension, "Value": value}]})
            };
            Answer::Json(match call.text("NextToken") {
                "" => {
                    let mut slow = metric("AWS/ECS", "ServiceName", "api");
                    slow["AlarmName"] = json!("slow");
                    slow["AlarmArn"] = json!("arn:slow");
                    json!({"MetricAlarms": [slow], "CompositeAlarms": [], "NextToken": "2"})
                }
                _ => {
                    let errors = metric("AWS/ApplicationELB", "LoadBalancer", "app/shop/1");
                    let of = |id: &str, metric: &Value| json!({"Id": id, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}});
                    let ratio = json!({"Id": "ratio", "Expression": "errors / requests"});
                    let metrics = [ratio, of("errors", &errors), of("requests", &errors)];
                    json!({
                        "MetricAlarms": [{"AlarmName": "share", "AlarmArn": "arn:share", "Metrics": metrics}],
                        "CompositeAlarms": [{"AlarmName": "both", "AlarmArn": "arn:both"}],
                    })
                }
            })
        }
    }

    #[tokio::test]
    async fn alarms_say_what_they_watch() {
        let script = Script::new(Alarms);
        let alarms = list_alarms(&Client::new(&script.sdk())).await.unwrap();
        let watched = |it: &Alarm| -> Vec<String> {
            it.metrics.iter().map(|it| format!("{} {:?}", it.namespace, it.dimensions)).collect()
        };
        let seen: Vec<_> = alarms.iter().map(|it| (it.arn.as_str(), it.name.as_str(), watched(it))).collect();
        let balancer = r#"AWS/ApplicationELB {"LoadBalancer": "app/shop/1"}"#.to_owned();
        assert_eq!(
            seen,
            [
                ("arn:slow", "slow", vec![r#"AWS/ECS {"ServiceName": "api"}"#.to_owned()]),
                ("arn:share", "share", vec![balancer.clone(), balancer]),
                ("arn:both", "both", vec![]),
            ]
        );
        assert_eq!(script.count("DescribeAlarms"), 2);
    }
}
