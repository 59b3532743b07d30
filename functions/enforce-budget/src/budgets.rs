//! Calls to AWS Budgets.

use std::collections::BTreeMap;

use aws::Error;
use aws_sdk_budgets::Client;
use aws_sdk_budgets::operation::describe_budgets::DescribeBudgetsError;
use aws_sdk_budgets::primitives::DateTime;
use aws_sdk_budgets::types as sdk;
use jiff::Timestamp;

use crate::plan::{Amount, Budget, TimeUnit};

/// The most budgets that AWS puts into one page.
const PAGE: i32 = 1000;

/// All budgets of the account, without their tags.
pub async fn list_budgets(budgets: &Client, partition: &str, account: &str) -> Result<Vec<Budget>, Error> {
    let mut pages = budgets.describe_budgets().account_id(account).max_results(PAGE).into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|err| Error::new::<DescribeBudgetsError, _>("DescribeBudgets", "all", err))?;
        let arn = |name: &str| format!("arn:{partition}:budgets::{account}:budget/{name}");
        all.extend(page.budgets().iter().map(|it| budget(it, arn(it.budget_name()))));
    }
    Ok(all)
}

/// The tags of a budget.
pub async fn tags(budgets: &Client, arn: &str) -> Result<BTreeMap<String, String>, Error> {
    let answer = budgets.list_tags_for_resource().resource_arn(arn).send().await;
    let answer = answer.map_err(|err| Error::new("ListTagsForResource", arn, err))?;
    Ok(answer.resource_tags().iter().map(|it| (it.key().into(), it.value().into())).collect())
}

/// Writes the tag `key` of a budget, or removes it where there is no value.
pub async fn write_tag(budgets: &Client, arn: &str, key: &str, value: Option<&str>) -> Result<(), Error> {
    match value {
        Some(value) => {
            let tag = sdk::ResourceTag::builder().key(key).value(value).build();
            let tag = tag.map_err(|err| Error::unexpected("TagResource", arn, err.to_string()))?;
            let call = budgets.tag_resource().resource_arn(arn).resource_tags(tag);
            call.send().await.map(drop).map_err(|err| Error::new("TagResource", arn, err))
        }
        None => {
            let call = budgets.untag_resource().resource_arn(arn).resource_tag_keys(key);
            call.send().await.map(drop).map_err(|err| Error::new("UntagResource", arn, err))
        }
    }
}

fn budget(it: &sdk::Budget, arn: String) -> Budget {
    let period = it.time_period();
    let spend = it.calculated_spend();
    let planned = it.planned_budget_limits().into_iter().flatten();
    let planned = planned.filter_map(|(start, limit)| Some((second(start)?, amount(limit)?)));
    let healthy = it.health_status().and_then(|it| it.status()).is_none_or(|it| *it == sdk::HealthStatusValue::Healthy);
    let reason = || it.health_status().and_then(|it| it.status_reason()).map(|it| it.as_str().to_lowercase());
    Budget {
        name: it.budget_name().into(),
        arn,
        kind: it.budget_type().as_str().into(),
        unit: match it.time_unit() {
            sdk::TimeUnit::Daily => TimeUnit::Daily,
            sdk::TimeUnit::Monthly => TimeUnit::Monthly,
            sdk::TimeUnit::Quarterly => TimeUnit::Quarterly,
            sdk::TimeUnit::Annually => TimeUnit::Annually,
            sdk::TimeUnit::Custom => TimeUnit::Custom,
            other => TimeUnit::Unknown(other.as_str().into()),
        },
        starts: period.and_then(|it| it.start()).and_then(moment),
        ends: period.and_then(|it| it.end()).and_then(moment),
        limit: it.budget_limit().and_then(amount),
        planned: planned.collect(),
        adjusts_itself: it.auto_adjust_data().is_some(),
        actual: spend.and_then(|it| it.actual_spend()).and_then(amount),
        forecast: spend.and_then(|it| it.forecasted_spend()).and_then(amount),
        unhealthy: (!healthy).then(|| reason().unwrap_or_else(|| "no reason given".into())),
        tags: Ok(BTreeMap::new()),
    }
}

/// An amount that cannot be read counts as none.
fn amount(it: &sdk::Spend) -> Option<Amount> {
    Some(Amount { money: it.amount().parse().ok()?, currency: it.unit().into() })
}

/// The start of a planned limit, which AWS spells as seconds since 1970.
fn second(text: &str) -> Option<Timestamp> {
    Timestamp::from_second(text.parse::<f64>().ok()? as i64).ok()
}

fn moment(it: &DateTime) -> Option<Timestamp> {
    Timestamp::from_second(it.secs()).ok()
}
