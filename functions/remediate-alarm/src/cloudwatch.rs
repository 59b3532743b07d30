//! Calls to CloudWatch: alarms, and what they remember in their tags.

use std::collections::BTreeMap;

use aws::{Error, moment};
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types as sdk;

use crate::plan::world::{Alarm, Contributor, Metric, State, Watches};

/// DescribeAlarms takes no more names than this.
pub const NAMES_PER_CALL: usize = 100;

const DISABLED: &str = "its actions are disabled";

/// How AWS, and what stands in for it, refuse an operation that they do not know.
const UNKNOWN_OPERATION: [&str; 3] = ["InvalidAction", "UnknownOperationException", "UnsupportedOperation"];

/// The alarms of these names, at most [`NAMES_PER_CALL`], without their tags. What does not exist is left out.
pub async fn describe_alarms(cloudwatch: &Client, names: &[String]) -> Result<Vec<Alarm>, Error> {
    let mut pages = cloudwatch
        .describe_alarms()
        .set_alarm_names(Some(names.to_vec()))
        // Left out, only metric alarms would come.
        .alarm_types(sdk::AlarmType::MetricAlarm)
        .alarm_types(sdk::AlarmType::CompositeAlarm)
        .alarm_types(sdk::AlarmType::LogAlarm)
        .max_records(100)
        .into_paginator()
        .send();
    let mut alarms = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|err| Error::new("DescribeAlarms", &names.join(" "), err))?;
        alarms.extend(page.metric_alarms().iter().filter_map(metric_alarm));
        alarms.extend(page.composite_alarms().iter().filter_map(composite_alarm));
        alarms.extend(page.log_alarms().iter().filter_map(log_alarm));
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
pub async fn write_tag(cloudwatch: &Client, arn: &str, key: &str, value: Option<&str>) -> Result<(), Error> {
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

/// What is in ALARM of an alarm that watches several things. The SDK has no paginator for it.
pub async fn contributors(cloudwatch: &Client, alarm: &str) -> Result<Vec<Contributor>, Error> {
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let call = cloudwatch.describe_alarm_contributors().alarm_name(alarm).set_next_token(token);
        let page = call.send().await.map_err(|err| Error::new("DescribeAlarmContributors", alarm, err))?;
        found.extend(page.alarm_contributors().iter().filter_map(contributor));
        token = page.next_token().filter(|it| !it.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(found);
        }
    }
}

/// The mute rules that are in force for an alarm now, by their names.
pub async fn mute_rules(cloudwatch: &Client, alarm: &str) -> Result<Vec<String>, Error> {
    let call = cloudwatch.list_alarm_mute_rules().alarm_name(alarm).statuses(sdk::AlarmMuteRuleStatus::Active);
    let mut pages = call.max_records(100).into_paginator().send();
    let mut rules = Vec::new();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => rules.extend(page.alarm_mute_rule_summaries().iter().map(mute_rule)),
            Err(err) => {
                let error = Error::new("ListAlarmMuteRules", alarm, err);
                // Where CloudWatch does not know mute rules yet, there are none.
                return if UNKNOWN_OPERATION.contains(&error.code.as_str()) { Ok(Vec::new()) } else { Err(error) };
            }
        }
    }
    Ok(rules)
}

fn mute_rule(it: &sdk::AlarmMuteRuleSummary) -> String {
    let arn = it.alarm_mute_rule_arn().unwrap_or_default();
    arn.split_once(":alarm-mute-rule:").map_or(arn, |(_, name)| name).to_owned()
}

/// The SDK has a type for each kind of alarm, with the same getters: what Nightshift reads of all.
macro_rules! alarm {
    ($it:expr, $watches:expr, $silenced:expr) => {
        Some(Alarm {
            name: $it.alarm_name()?.into(),
            arn: $it.alarm_arn()?.into(),
            state: state($it.state_value()),
            since: $it.state_transitioned_timestamp().or($it.state_updated_timestamp()).and_then(moment),
            reason: $it.state_reason().unwrap_or_default().into(),
            description: $it.alarm_description().unwrap_or_default().into(),
            watches: $watches,
            silenced: $silenced,
            unreadable: None,
            tags: BTreeMap::new(),
        })
    };
}

fn metric_alarm(it: &sdk::MetricAlarm) -> Option<Alarm> {
    let several = it.metrics();
    let watches = if it.evaluation_criteria().is_some() || several.iter().any(is_grouped) {
        Watches::Contributors
    } else if several.is_empty() {
        Watches::Metrics(vec![Metric { dimensions: dimensions(it.dimensions()), ..Metric::default() }])
    } else {
        // An expression has no dimensions of its own; the metrics that it is made of have.
        Watches::Metrics(several.iter().filter_map(metric).collect())
    };
    alarm!(it, watches, (it.actions_enabled() == Some(false)).then_some(DISABLED))
}

fn log_alarm(it: &sdk::LogAlarm) -> Option<Alarm> {
    // Its query can group the lines, and each group is one contributor.
    alarm!(it, Watches::Contributors, (it.actions_enabled() == Some(false)).then_some(DISABLED))
}

fn composite_alarm(it: &sdk::CompositeAlarm) -> Option<Alarm> {
    let silenced = match (it.actions_enabled(), it.actions_suppressed_by()) {
        (Some(false), _) => Some(DISABLED),
        (_, Some(_)) => Some("its actions are suppressed"),
        _ => None,
    };
    alarm!(it, Watches::Alarms(it.alarm_rule().unwrap_or_default().into()), silenced)
}

fn contributor(it: &sdk::AlarmContributor) -> Option<Contributor> {
    let attributes = it.contributor_attributes().into_iter().flatten();
    Some(Contributor {
        id: it.contributor_id()?.into(),
        since: it.state_transitioned_timestamp().and_then(moment),
        reason: it.state_reason().unwrap_or_default().into(),
        attributes: attributes.map(|(name, value)| (name.clone(), value.clone())).collect(),
    })
}

/// What a query of an expression names its metrics by: `None` for one that only reckons with other metrics.
fn query(it: &sdk::MetricDataQuery) -> Option<&str> {
    let text = it.expression().filter(|_| it.metric_stat().is_none())?.trim();
    // METRICS("part of an id") is the one function of metric math that quotes and names no metric by it.
    let quotes = text.matches(['"', '\'']).count() > 2 * text.matches("METRICS(").count();
    (is_select(text) || quotes).then_some(text)
}

fn is_select(text: &str) -> bool {
    text.get(..7).is_some_and(|it| it.eq_ignore_ascii_case("SELECT "))
}

/// Whether it is a query that yields a series for each value of something.
fn is_grouped(it: &sdk::MetricDataQuery) -> bool {
    query(it).is_some_and(|it| is_select(it) && it.to_ascii_uppercase().contains(" GROUP BY "))
}

fn metric(it: &sdk::MetricDataQuery) -> Option<Metric> {
    let account = it.account_id().map(str::to_owned);
    match (it.metric_stat().and_then(|it| it.metric()), query(it)) {
        (Some(metric), _) => Some(Metric { account, dimensions: dimensions(metric.dimensions()), query: None }),
        (None, Some(query)) => {
            Some(Metric { account, dimensions: BTreeMap::new(), query: Some(query.chars().take(100).collect()) })
        }
        (None, None) => None,
    }
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
