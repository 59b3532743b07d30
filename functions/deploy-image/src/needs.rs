//! Looks for what tasks cannot start without, side by side.

mod iam;
mod logs;
mod secretsmanager;
mod ssm;

use std::collections::{BTreeMap, BTreeSet};

use aws::query::Query;
use aws::{Error, JsonApi, LOGS, SECRETS_MANAGER, SSM, each};
use aws_config::SdkConfig;

use crate::plan::{Found, Need};

/// How many are looked for at a time.
const READS: usize = 8;

/// The clients that only this takes.
pub struct Clients {
    iam: Query,
    logs: JsonApi,
    secrets: JsonApi,
    ssm: JsonApi,
}

impl Clients {
    pub fn new(config: &SdkConfig) -> Self {
        Clients {
            iam: iam::client(config),
            logs: JsonApi::new(LOGS, config),
            secrets: JsonApi::new(SECRETS_MANAGER, config),
            ssm: JsonApi::new(SSM, config),
        }
    }
}

/// What AWS says of `needs`. What it does not tell, or may not be asked, is left out: that says nothing of an image.
pub async fn look_for(clients: &Clients, needs: &BTreeSet<Need>) -> BTreeMap<Need, Found> {
    let (parameters, others): (Vec<Need>, Vec<Need>) =
        needs.iter().cloned().partition(|it| matches!(it, Need::Parameter(_)));
    let answers = each(others, READS, async |need| (one(clients, &need).await, need)).await;
    let mut found = BTreeMap::new();
    for (answer, need) in answers {
        match answer {
            Ok(it) => drop(found.insert(need, it)),
            Err(error) => tracing::debug!(error = %error, "not looked for"),
        }
    }
    let names: Vec<String> = parameters
        .iter()
        .filter_map(|it| match it {
            Need::Parameter(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        return found;
    }
    match ssm::known_parameters(&clients.ssm, &names).await {
        Ok(known) => found.extend(names.into_iter().map(|it| {
            let state = if known.contains(&it) { Found::There } else { Found::Missing };
            (Need::Parameter(it), state)
        })),
        Err(error) => tracing::debug!(error = %error, "not looked for"),
    }
    found
}

async fn one(clients: &Clients, need: &Need) -> Result<Found, Error> {
    let there = |it: bool| if it { Found::There } else { Found::Missing };
    match need {
        Need::Role(name) => iam::has_role(&clients.iam, name).await.map(there),
        Need::LogGroup(name) => logs::has_log_group(&clients.logs, name).await.map(there),
        Need::Secret(arn) => secretsmanager::describe_secret(&clients.secrets, arn).await,
        // Asked for all together.
        Need::Parameter(_) => Ok(Found::There),
    }
}
