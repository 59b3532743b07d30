//! Calls to CloudWatch: alarms, and what they remember in their tags.

use std::collections::BTreeMap;

use aws::Error;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types as sdk;
use jiff::Timestamp;

use crate::plan::{Alarm, Metric, State, Watches};

/// DescribeAlarms takes no more names than this.
pub const NAMES_PER_CALL: usize = 100;

const DISABLED: &str = "its actions are disabled";

/// The alarms of these names, at most [`NAMES_PER_CALL`], without their tags. What does not exist is left out.
pub async fn describe_alarms(cloudwatch: &Client, names: &[String]) -> Result<Vec<Alarm>, Error> {
    let mut pages = cloudwatch
        .describe_alarms()
        .set_alarm_names(Some(names.to_vec()))
        // Left out, only metric alarms would come.
        .alarm_types(sdk::AlarmType::MetricAlarm)
        .alarm_types(sdk::AlarmType::CompositeAlarm)
        .max_records(100)
        .into_paginator()
        .send();
    let mut alarms = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|err| Error::new("DescribeAlarms", &names.join(" "), err))?;
        alarms.extend(page.metric_alarms().iter().filter_map(metric_alarm));
        alarms.extend(page.composite_alarms().iter().filter_map(composite_alarm));
    }
    Ok(alarms)
}

/// The tags of an alarm as they are now; `None` if it is gone.
pub async fn tags(cloudwatch: &Client, arn: &str) -> Result<Option<BTreeMap<String, String>>, Error> {
    match cloudwatch.list_tags_for_resource().resource_arn(arn).send().await {
        Ok(answer) => Ok(Some(answer.tags().iter().filter_map(tag).collect())),
        Err(err) if err.as_service_error().is_some_and(|it| it.is_resource_not_found_exception()) => Ok(None),
        Err(err) => Err(Error::new("ListTagsForResource", arn, err)),
    }
}

/// Writes the tag `key` of an alarm, or removes it where there is no value.
pub async fn remember(cloudwatch: &Client, arn: &str, key: &str, value: Option<&str>) -> Result<(), Error> {
    match value {
        Some(value) => {
            let tag = sdk::Tag::builder().key(key).value(value).build();
            let call = cloudwatch.tag_resource().resource_arn(arn).tags(tag);
            call.send().await.map(drop).map_err(|err| Error::new("TagResource", arn, err))
        }
        None => {
            let call = cloudwatch.untag_resource().resource_arn(arn).tag_keys(key);
            call.send().await.map(drop).map_err(|err| Error::new("UntagResource", arn, err))
        }
    }
}

fn metric_alarm(it: &sdk::MetricAlarm) -> Option<Alarm> {
    let metrics = match it.metrics() {
        [] => vec![Metric { account: None, dimensions: dimensions(it.dimensions()) }],
        // An expression has no dimensions of its own; the metrics that it is made of have.
        several => several.iter().filter_map(metric).collect(),
    };
    Some(Alarm {
        name: it.alarm_name()?.into(),
        arn: it.alarm_arn()?.into(),
        state: state(it.state_value()),
        since: it.state_transitioned_timestamp().or(it.state_updated_timestamp()).and_then(moment),
        reason: it.state_reason().unwrap_or_default().into(),
        description: it.alarm_description().unwrap_or_default().into(),
        watches: Watches::Metrics(metrics),
        silenced: (it.actions_enabled() == Some(false)).then_some(DISABLED),
        unreadable: None,
        tags: BTreeMap::new(),
    })
}

fn composite_alarm(it: &sdk::CompositeAlarm) -> Option<Alarm> {
    let silenced = match (it.actions_enabled(), it.actions_suppressed_by()) {
        (Some(false), _) => Some(DISABLED),
        (_, Some(_)) => Some("its actions are suppressed"),
        _ => None,
    };
    Some(Alarm {
        name: it.alarm_name()?.into(),
        arn: it.alarm_arn()?.into(),
        state: state(it.state_value()),
        since: it.state_transitioned_timestamp().or(it.state_updated_timestamp()).and_then(moment),
        reason: it.state_reason().unwrap_or_default().into(),
        description: it.alarm_description().unwrap_or_default().into(),
        watches: Watches::Alarms(it.alarm_rule().unwrap_or_default().into()),
        silenced,
        unreadable: None,
        tags: BTreeMap::new(),
    })
}

fn metric(it: &sdk::MetricDataQuery) -> Option<Metric> {
    let metric = it.metric_stat()?.metric()?;
    Some(Metric { account: it.account_id().map(str::to_owned), dimensions: dimensions(metric.dimensions()) })
}

fn dimensions(all: &[sdk::Dimension]) -> BTreeMap<String, String> {
    all.iter().filter_map(|it| Some((it.name()?.to_owned(), it.value()?.to_owned()))).collect()
}

fn state(value: Option<&sdk::StateValue>) -> State {
    match value {
        Some(sdk::StateValue::Ok) => State::Ok,
        Some(sdk::StateValue::Alarm) => State::Alarm,
        _ => State::Unknown,
    }
}

fn tag(it: &sdk::Tag) -> Option<(String, String)> {
    Some((it.key()?.to_owned(), it.value().unwrap_or_default().to_owned()))
}

fn moment(it: &DateTime) -> Option<Timestamp> {
    Timestamp::new(it.secs(), it.subsec_nanos() as i32).ok()
}
