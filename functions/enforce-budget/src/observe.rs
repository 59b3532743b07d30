//! Reads what the decision depends on: all budgets with their tags and what they count besides AWS, and what is
//! expendable or held.

use std::collections::{BTreeMap, BTreeSet};

use aws::ecs::{self, Cause};
use aws::rds::list_databases;
use aws::{Error, each, tagging};
use rules::ServiceName;
use rules::database::Database;
use rules::keys;
use runtime::Run;

use crate::machines::list_machines;
use crate::plan::Options;
use crate::plan::world::{Budget, Missing, Resource, Unread, Whole, World};
use crate::{Clients, cloudwatch};

/// How many reads are under way at a time.
const READS: usize = 8;

/// Everything that the decision depends on, read side by side.
pub async fn observe(clients: &Clients, options: Options<'_>, partition: &str, run: &Run<'_>) -> Result<World, Error> {
    if !options.scope.is_worth_a_look(options.own) {
        return Ok(World::default());
    }
    let budgets = list_budgets(clients, partition, &options.own.account, run);
    let machines = list_machines(&clients.machines);
    let (budgets, services, databases, machines) =
        tokio::join!(budgets, list_services(clients), list_databases(&clients.rds.query), machines);
    let (mut resources, missing) = services?;
    let concerned = |it: &Database| it.tags.contains_key(keys::BUDGET) || it.tags.contains_key(keys::HOLD_MEMORY);
    resources.extend(databases?.into_iter().filter(concerned).map(|it| Resource {
        arn: it.arn,
        name: it.id,
        member_of: it.member_of.map(Whole::Cluster),
        tags: it.tags,
    }));
    resources.extend(machines?);
    Ok(World { budgets: budgets?, resources, missing })
}

async fn list_budgets(clients: &Clients, partition: &str, account: &str, run: &Run<'_>) -> Result<Vec<Budget>, Error> {
    let listed = clients.budgets.list(partition, account).await?;
    let tagged = each(listed, READS, async |mut budget| {
        let tags = clients.budgets.tags(&budget.arn, run.last_start).await;
        budget.tags = tags.map_err(unread);
        budget
    });
    let mut budgets = tagged.await;
    let now = run.now.timestamp();
    let wanted = budgets.iter().flat_map(|it| it.wanted(now).into_iter().map(|wanted| (it.arn.clone(), wanted)));
    let read = each(wanted.collect::<Vec<_>>(), READS, async |(budget, wanted)| {
        let sums = cloudwatch::sums(&clients.cloudwatch, &wanted, run.last_start).await;
        (budget, wanted.key, sums.map_err(unread))
    });
    for (arn, key, sums) in read.await {
        let budget = budgets.iter_mut().find(|it| it.arn == arn);
        budget.into_iter().for_each(|it| drop(it.readings.insert(key.clone(), sums.clone())));
    }
    Ok(budgets)
}

fn unread(error: Error) -> Unread {
    Unread { for_now: error.is_throttled() || error.is_not_now(), why: error.to_string() }
}

/// The services that are expendable, and those that are held: one that has lost its tag meanwhile would be forgotten.
async fn list_services(clients: &Clients) -> Result<(Vec<Resource>, Vec<Missing>), Error> {
    let (expendable, held) = tokio::join!(
        tagging::resources(&clients.tagging, "ecs:service", keys::BUDGET),
        tagging::resources(&clients.tagging, "ecs:service", keys::HOLD_MEMORY)
    );
    let arns: BTreeSet<String> = expendable?.into_iter().chain(held?).collect();
    let named: BTreeMap<ServiceName, &String> =
        arns.iter().filter_map(|arn| Some((ServiceName::of_arn(arn)?, arn))).collect();
    let services = ecs::describe_services(&clients.ecs, named.keys().cloned(), resource).await;
    let missing = services.missing.into_iter().map(|it| Missing {
        resource: named.get(&it.service).map_or_else(|| it.service.to_string(), |arn| arn.to_string()),
        why: match it.cause {
            Cause::NotFound => None,
            Cause::Denied(why) => Some(why),
        },
    });
    // Whatever the index lists ends in the report.
    let unnamed = arns.iter().filter(|it| ServiceName::of_arn(it).is_none()).map(|arn| Missing {
        resource: arn.clone(),
        why: Some("its ARN names no cluster and no service, so it cannot be described".into()),
    });
    Ok((services.found, missing.chain(unnamed).collect()))
}

fn resource(it: &aws_sdk_ecs::types::Service) -> Option<Resource> {
    let arn = it.service_arn().filter(|_| it.status() == Some("ACTIVE"))?;
    let name = ServiceName::of_arn(arn)?;
    Some(Resource { arn: arn.into(), name: name.to_string(), member_of: None, tags: ecs::tags(it.tags()) })
}
