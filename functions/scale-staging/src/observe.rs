//! Everything that the decision depends on: what the tag index and RDS list, and of that closely what can be due.

use std::collections::BTreeMap;

use aws::ecs::Cause;
use aws::rds::find_snapshot;
use aws::scheduler::group_of_arn;
use aws::{Error, each, tagging};
use rules::{ServiceName, keys};
use runtime::Run;

use crate::plan::{self, Backing, JobGroup, Listed, Missing, Scope, Service, Sleeper, World};
use crate::{Clients, autoscaling, ec2, ec2_autoscaling, ecs, rds, scheduler};

/// How many reads are under way at a time.
const READS: usize = 16;

pub async fn observe(clients: &Clients, scope: &Scope, run: &Run<'_>) -> Result<World, Error> {
    // Of whatever type: one call for the services and the groups of schedules.
    let index = tagging::carriers_with_tags(&clients.tagging, keys::SCHEDULE);
    let machines =
        async { tokio::try_join!(ec2::list_instances(&clients.ec2), ec2_autoscaling::list_groups(&clients.groups)) };
    let (index, databases, left_behind, machines) =
        tokio::join!(index, rds::list_sleepers(&clients.rds.query), left_behind(clients, scope, run), machines);
    let (index, databases, left_behind, (instances, groups)) = (index?, databases?, left_behind?, machines?);
    let (mut left_behind, jobs_left_behind) = left_behind;
    let job_groups = index.iter().filter_map(|(arn, tags)| {
        let name = group_of_arn(arn)?.to_owned();
        Some(JobGroup { arn: arn.clone(), name, tags: tags.clone(), jobs: None })
    });
    let job_groups = job_groups.collect();
    let index: tagging::Tagged = index.into_iter().filter(|(arn, _)| ServiceName::of_arn(arn).is_some()).collect();
    let (groups, sleeping): (Vec<Service>, Vec<Service>) =
        groups.into_iter().partition(|it| it.tags.contains_key(keys::SCHEDULE));
    left_behind.extend(sleeping);
    let listed = index.clone().into_iter().map(|(arn, tags)| Listed { arn, tags }).collect();
    let (calendar, notice) = (run.calendar().clone(), run.sleep_notice());
    let backing = Backing { databases: &databases, services: &groups, instances: &instances };
    let (close, listed) = plan::services_to_look_at(listed, scope, backing, &calendar, (run.dry_run, notice), &run.now);
    // The limits before the tags: another run remembers the limits before it lowers them. Read the other way round, lowered
    // limits could seem to be those of a service that is awake, and would be remembered in the place of its own.
    let (targets, snapshots) = tokio::join!(
        autoscaling::describe_targets(&clients.scaling, &close),
        pending_snapshots(clients, &databases, run),
    );
    let described = ecs::describe_services(&clients.ecs, &close).await;
    let (mut targets, mut services) = (targets?, described.found);
    let missing = described.missing.into_iter().map(|it| missing(it, &close, &index)).collect();
    for service in &mut services {
        if let Some(target) = targets.remove(&service.arn) {
            (service.target, service.scheduled_actions) = (Some(target.limits), target.scheduled_actions);
            service.target_arn = target.arn;
        }
    }
    let copies = copies(clients, &services, run).await;
    for service in &mut services {
        service.copy = copies.get(&service.arn).cloned();
    }
    services.extend(groups);
    let mut world = World {
        services,
        instances,
        job_groups,
        listed,
        missing,
        left_behind,
        jobs_left_behind,
        databases,
        snapshots,
        calendar,
        notice,
        ..World::default()
    };
    let in_question = plan::databases_in_question(&world, scope, &run.now);
    let events = each(in_question, READS, async |it| (it.arn.clone(), rds::events(&clients.rds.query, it).await));
    world.events = events.await.into_iter().map(|(arn, it)| (arn, it.map_err(|err| err.to_string()))).collect();
    let to_read: Vec<String> =
        plan::jobs_to_read(&world, scope, run.dry_run, &run.now).into_iter().map(|it| it.name.clone()).collect();
    for name in to_read {
        let jobs =
            scheduler::jobs_of(&clients.scheduler, &name, run.now.timestamp()).await.map_err(|err| err.to_string());
        world.job_groups.iter_mut().filter(|it| it.name == name).for_each(|it| it.jobs = Some(jobs.clone()));
    }
    Ok(world)
}

/// Everything whose tags tell of the last day, with its tags.
pub async fn remembering(clients: &Clients) -> Result<tagging::Tagged, Error> {
    let kinds = vec![
        ("ecs:service", keys::SCHEDULE),
        ("ecs:service", keys::VERDICT),
        ("rds:db", keys::SCHEDULE),
        ("rds:cluster", keys::SCHEDULE),
        ("rds:snapshot", keys::DATABASE),
        ("rds:cluster-snapshot", keys::DATABASE),
    ];
    let listed =
        each(kinds, READS, async |(kind, key)| tagging::resources_with_tags(&clients.tagging, kind, key).await);
    let machines =
        async { tokio::try_join!(ec2::list_instances(&clients.ec2), ec2_autoscaling::list_groups(&clients.groups)) };
    let (listed, machines) = tokio::join!(listed, machines);
    let listed: Result<Vec<tagging::Tagged>, Error> = listed.into_iter().collect();
    let (instances, groups) = machines?;
    let machines =
        instances.into_iter().map(|it| (it.arn, it.tags)).chain(groups.into_iter().map(|it| (it.arn, it.tags)));
    Ok(listed?.into_iter().flatten().chain(machines).collect())
}

/// What the scaling targets remember of their services, where that is in question.
async fn copies(
    clients: &Clients,
    services: &[Service],
    run: &Run<'_>,
) -> BTreeMap<String, Result<Option<String>, String>> {
    let read = each(plan::copies_in_question(services, run.calendar(), &run.now), READS, async |it| {
        let target = it.target_arn.as_deref().unwrap_or_default();
        let copy = autoscaling::tag(&clients.scaling, target, keys::ASLEEP).await;
        (it.arn.clone(), copy.map_err(|err| err.to_string()))
    });
    read.await.into_iter().collect()
}

/// A service that could not be described, by the ARN under which it was looked for.
fn missing(it: aws::ecs::Missing, close: &[String], index: &tagging::Tagged) -> Missing {
    let arn = close.iter().find(|arn| ServiceName::of_arn(arn).as_ref() == Some(&it.service)).cloned();
    let arn = arn.unwrap_or_else(|| it.service.to_string());
    let refused = match it.cause {
        Cause::NotFound => None,
        Cause::Denied(error) => Some(error),
    };
    Missing { refused, tags: index.get(&arn).cloned().unwrap_or_default(), arn }
}

/// Services and groups of schedules that may sleep and have lost the tag that opts in, where this run looks for them.
async fn left_behind(
    clients: &Clients,
    scope: &Scope,
    run: &Run<'_>,
) -> Result<(Vec<Service>, tagging::Tagged), Error> {
    if !plan::looks_for_those_left_behind(scope, run.dry_run, &run.now) {
        return Ok(Default::default());
    }
    let index = tagging::carriers_with_tags(&clients.tagging, keys::ASLEEP).await?;
    let mut index: tagging::Tagged = index.into_iter().filter(|(_, tags)| plan::is_left_behind(tags)).collect();
    let arns: Vec<String> = index.keys().filter(|it| ServiceName::of_arn(it).is_some()).cloned().collect();
    index.retain(|arn, _| group_of_arn(arn).is_some());
    Ok((ecs::describe_services(&clients.ecs, &arns).await.found, index))
}

/// What became of the snapshots that databases were to be stopped with.
async fn pending_snapshots(
    clients: &Clients,
    databases: &[Sleeper],
    run: &Run<'_>,
) -> BTreeMap<String, Result<Option<String>, String>> {
    let pending = plan::pending_snapshots(databases, run.calendar(), &run.now);
    let read = each(pending, READS, async |(database, id)| {
        let snapshot = find_snapshot(&clients.rds.query, database.kind, &id).await;
        (database.arn.clone(), snapshot.map(|it| it.map(|it| it.status)).map_err(|err| err.to_string()))
    });
    read.await.into_iter().collect()
}
