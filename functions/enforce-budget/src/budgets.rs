//! Calls to AWS Budgets, at the pace that it allows: its limits are not published, and the tags of each budget are a
//! call of their own.

use std::collections::BTreeMap;

use aws::{Error, Late, LeaveThrottling, Pace, late, moment};
use aws_config::SdkConfig;
use aws_sdk_budgets::Client;
use aws_sdk_budgets::config::Builder;
use aws_sdk_budgets::operation::describe_budgets::DescribeBudgetsError;
use aws_sdk_budgets::types as sdk;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::plan::world::{Amount, Budget, Figure, TimeUnit};

/// The most budgets that AWS puts into one page.
const PAGE: i32 = 1000;

/// The client, and the pace that all its calls share.
pub struct Budgets {
    client: Late<Client>,
    pace: Pace,
}

impl Budgets {
    /// Budgets has one endpoint for all regions, which the SDK knows and signs for.
    pub fn new(config: &SdkConfig) -> Self {
        let client =
            |config: &SdkConfig| Client::from_conf(Builder::from(config).retry_classifier(LeaveThrottling).build());
        Budgets { client: late(config, client), pace: Pace::learned() }
    }

    /// All budgets of the account, without their tags.
    pub async fn list(&self, partition: &str, account: &str) -> Result<Vec<Budget>, Error> {
        let (mut all, mut token) = (Vec::new(), None::<String>);
        loop {
            let page = self.pace.call(None, async || {
                let call = self.client.describe_budgets().account_id(account).max_results(PAGE);
                let answer = call.set_next_token(token.clone()).send().await;
                answer.map_err(|err| Error::new::<DescribeBudgetsError, _>("DescribeBudgets", "all", err))
            });
            let page = page.await?;
            let arn = |name: &str| format!("arn:{partition}:budgets::{account}:budget/{name}");
            all.extend(page.budgets().iter().map(|it| budget(it, arn(it.budget_name()))));
            token = page.next_token().filter(|it| !it.is_empty()).map(str::to_owned);
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    /// The tags of a budget, if its turn comes before `until`.
    pub async fn tags(&self, arn: &str, until: Instant) -> Result<BTreeMap<String, String>, Error> {
        let answer = self.pace.call(Some(until), async || {
            let answer = self.client.list_tags_for_resource().resource_arn(arn).send().await;
            answer.map_err(|err| Error::new("ListTagsForResource", arn, err))
        });
        Ok(answer.await?.resource_tags().iter().map(|it| (it.key().into(), it.value().into())).collect())
    }

    /// Writes the tag `key` of a budget, or removes it where there is no value.
    pub async fn write_tag(&self, arn: &str, key: &str, value: Option<&str>) -> Result<(), Error> {
        self.pace.call(None, async || self.write_once(arn, key, value).await).await
    }

    async fn write_once(&self, arn: &str, key: &str, value: Option<&str>) -> Result<(), Error> {
        match value {
            Some(value) => {
                let tag = sdk::ResourceTag::builder().key(key).value(value).build();
                let tag = tag.map_err(|err| Error::unexpected("TagResource", arn, err.to_string()))?;
                let call = self.client.tag_resource().resource_arn(arn).resource_tags(tag);
                call.send().await.map(drop).map_err(|err| Error::new("TagResource", arn, err))
            }
            None => {
                let call = self.client.untag_resource().resource_arn(arn).resource_tag_keys(key);
                call.send().await.map(drop).map_err(|err| Error::new("UntagResource", arn, err))
            }
        }
    }
}

fn budget(it: &sdk::Budget, arn: String) -> Budget {
    let period = it.time_period();
    let spend = it.calculated_spend();
    let planned = it.planned_budget_limits().into_iter().flatten();
    let planned = planned.filter_map(|(start, limit)| Some((second(start)?, figure(limit))));
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
        limit: it.budget_limit().map(figure),
        planned: planned.collect(),
        adjusts_itself: it.auto_adjust_data().is_some(),
        actual: spend.and_then(|it| it.actual_spend()).map(figure),
        forecast: spend.and_then(|it| it.forecasted_spend()).map(figure),
        unhealthy: (!healthy).then(|| reason().unwrap_or_else(|| "no reason given".into())),
        tags: Ok(BTreeMap::new()),
        readings: BTreeMap::new(),
    }
}

/// An amount, or what AWS says in its stead.
fn figure(it: &sdk::Spend) -> Figure {
    let money = it.amount().parse().map_err(|_| it.amount().to_owned())?;
    Ok(Amount { money, currency: it.unit().into() })
}

/// The start of a planned limit, which AWS spells as seconds since 1970.
fn second(text: &str) -> Option<Timestamp> {
    Timestamp::from_second(text.parse::<f64>().ok()? as i64).ok()
}
