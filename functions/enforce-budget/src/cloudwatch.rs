//! Calls to CloudWatch, through its Query API: its SDK crate is large, and one operation is needed of it.

use aws::Error;
use aws::query::{CLOUDWATCH, Element, Query, read};
use aws_config::SdkConfig;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::plan::spend::Wanted;

const A_DAY: u32 = 86_400;

/// A client of the real network.
pub fn client(config: &SdkConfig) -> Query {
    Query::new(CLOUDWATCH, config)
}

/// The sums of a source by day, if its turn comes before `until`. The answer has no pages: it holds 1,440 values, and
/// CloudWatch keeps those of 455 days.
pub async fn sums(cloudwatch: &Query, wanted: &Wanted, until: Instant) -> Result<Vec<(Timestamp, f64)>, Error> {
    let source = &wanted.source;
    let mut action = cloudwatch
        .action("GetMetricStatistics")
        .field("Namespace", &source.namespace)
        .field("MetricName", &source.metric)
        .field("Statistics.member.1", "Sum")
        .field("Period", A_DAY)
        .field("StartTime", wanted.from)
        .field("EndTime", wanted.until);
    for ((name, value), number) in source.dimensions.iter().zip(1..) {
        action = action.field(format!("Dimensions.member.{number}.Name"), name);
        action = action.field(format!("Dimensions.member.{number}.Value"), value);
    }
    let resource = source.title();
    let answer = action.perform(&resource, Some(until)).await?;
    let unexpected = |why: String| Error::unexpected("GetMetricStatistics", &resource, why);
    let (mut sums, mut unread) = (Vec::new(), None);
    read(&answer, |_, it| collect(it, &mut sums, &mut unread))
        .map_err(|why| unexpected(format!("the answer is not XML: {why}")))?;
    match unread {
        // One value that is left out would be spend that does not count.
        Some(text) => Err(unexpected(format!("the answer holds a value that cannot be read: {text}"))),
        None => Ok(sums),
    }
}

fn collect(element: &mut Element<'_, '_>, sums: &mut Vec<(Timestamp, f64)>, unread: &mut Option<String>) {
    element.each(|name, it| match name {
        "Datapoints" => it.each(|_, it| match sum(it) {
            Ok(sum) => sums.push(sum),
            Err(text) => *unread = Some(text),
        }),
        _ => collect(it, sums, unread),
    });
}

fn sum(point: &mut Element<'_, '_>) -> Result<(Timestamp, f64), String> {
    let (mut at, mut sum) = (String::new(), String::new());
    point.each(|name, it| match name {
        "Timestamp" => at = it.text(),
        "Sum" => sum = it.text(),
        _ => {}
    });
    let read = at.parse().ok().zip(sum.parse::<f64>().ok().filter(|it| it.is_finite()));
    read.ok_or(format!("'{sum}' at '{at}'"))
}
