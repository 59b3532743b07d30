//! Reads what the decision depends on, side by side: services, their task definitions, images, and where the present
//! leaves a question, the past. What gates ask for is read only when one of them asks.

mod listed;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws::ecs::describe_services;
use aws::rds::find_backup;
use aws::{Error, each, tagging};
use jiff::Zoned;
use rules::deploy::HealthCheck;
use rules::keys;
use rules::remedied::Remedied;
use rules::remedy::RemedyRule;
use runtime::Run;
use tokio::time::{Instant, sleep};

use crate::plan::{
    self, Calendar, Cause, Controller, Fact, Fired, Health, Look, Missing, Observation, Origin, ScheduleGroup, Scope,
    Service, ServiceName, World, family, wants_history,
};
use crate::{Clients, codedeploy, ecs, elb, health, needs, scheduler};

pub use listed::tagged;

/// How many reads are under way at a time; ECS allows 20 a second and a burst of 50 and more.
const READS: usize = 16;

/// From a bad answer to the second look: a load balancer may not have found a new task healthy yet.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// How many addresses are asked at a time: a check of health mostly waits.
const CHECKS: usize = 64;

/// Everything but the facts of gates.
pub async fn world(clients: &Clients, scope: &Scope, run: &Run<'_>) -> Result<World, Error> {
    let listed = listed::list(clients, scope).await?;
    let (mut services, mut missing) = described(clients, listed.names).await;
    missing.extend(listed.unnamed);
    services.retain(|it| scope.concerns(it));
    let calendar = Calendar { stack: run.calendar().clone(), freeze: run.freeze() };
    let mut world = World { services, whole: scope.is_whole(), calendar, missing, ..World::default() };
    // A service that has lost its tag since it was listed is not read any further.
    let tagged = |it: &Service| it.tags.contains_key(keys::DEPLOY);
    let families: BTreeSet<String> =
        world.services.iter().filter(|it| tagged(it)).map(|it| family(&it.task_definition).to_owned()).collect();
    let newest = each(families, READS, async |family| {
        (ecs::describe_task_definition(&clients.task_definitions, &family).await, family)
    });
    for (answer, family) in newest.await {
        match answer {
            Ok(revision) => {
                world.newest_revision.insert(family, revision.arn().to_owned());
                world.task_definitions.insert(revision.arn().to_owned(), revision);
            }
            // A family without an active revision; the one in use is read by its own name below.
            Err(error) if error.code == "ClientException" => {}
            Err(error) => drop(world.unreadable.insert(family, error.to_string())),
        }
    }
    let in_use = world.services.iter().filter(|it| tagged(it)).map(|it| it.task_definition.clone()).collect();
    describe_revisions(clients, in_use, &mut world).await;
    let repositories = plan::repositories(&world, scope);
    let images = each(repositories, READS, async |it| (registry::list_images(&clients.ecr, &it).await, it)).await;
    world.repositories = images.into_iter().map(|(images, it)| (it, images.map_err(|err| err.to_string()))).collect();
    ask_what_is_pinned(clients, scope, &mut world).await;
    look_back(clients, scope, &run.now, &mut world).await;
    world.schedule_roles = run.schedule_roles().clone();
    world.groups = with_schedules(clients, listed.groups, &world.schedule_roles).await;
    // No function ever sees what carries a mistyped key. One of them asks for all, and only where a person reads the answer.
    if run.dry_run && *scope == Scope::Everywhere {
        world.unknown_tags = match clients.tagging.keys_in_use().await {
            Ok(all) => all.iter().filter_map(|it| keys::unknown(it)).map(Ok).collect(),
            Err(error) => vec![Err(error.to_string())],
        };
    }
    Ok(world)
}

/// Reads which images ECS pinned for services whose task definitions name a tag: what that means today is not what runs.
async fn ask_what_is_pinned(clients: &Clients, scope: &Scope, world: &mut World) {
    let asked: Vec<&Service> = world.services.iter().filter(|it| plan::wants_pinned(it, world, scope)).collect();
    let arns = asked.iter().flat_map(|it| it.revisions.iter().cloned());
    let told = ecs::describe_revisions(&clients.ecs, "service revisions", arns).await;
    let pinned = |service: &Service| match &told {
        Err(error) => Some(Err(error.to_string())),
        // While a deployment is under way there is the revision before it as well.
        Ok(told) => {
            let revisions = service.revisions.iter().filter_map(|it| told.get(it));
            revisions
                .into_iter()
                .find(|it| it.task_definition == service.task_definition)
                .map(|it| Ok(it.pinned.clone()))
        }
    };
    let pinned = asked.iter().filter_map(|it| Some((it.arn.clone(), pinned(it)?))).collect();
    world.pinned = pinned;
}

/// The schedules of those groups that follow a service.
async fn with_schedules(
    clients: &Clients,
    mut groups: Vec<ScheduleGroup>,
    roles: &BTreeSet<String>,
) -> Vec<ScheduleGroup> {
    for group in groups.iter_mut().filter(|it| !roles.is_empty() && plan::followed(it).is_some_and(|it| it.is_ok())) {
        let schedules = scheduler::schedules_on_ecs(&clients.scheduler, &group.name).await;
        group.schedules = Some(schedules.map_err(|err| err.to_string()));
    }
    groups
}

/// Services by the order of their ARNs, and which could not be described.
async fn described(clients: &Clients, names: Vec<ServiceName>) -> (Vec<Service>, Vec<Missing>) {
    let mut services = describe_services(&clients.described, names, ecs::service).await;
    services.found.sort_by(|a, b| a.arn.cmp(&b.arn));
    let missing = services.missing.into_iter().map(|it| Missing {
        resource: it.service.to_string(),
        cause: match it.cause {
            aws::ecs::Cause::NotFound => Cause::NotFound,
            aws::ecs::Cause::Denied(error) => Cause::Denied(error),
        },
    });
    (services.found, missing.collect())
}

/// Adds the revisions `arns` to `world`, as far as it lacks them, or why they cannot be read.
async fn describe_revisions(clients: &Clients, arns: BTreeSet<String>, world: &mut World) {
    let missing: Vec<String> = arns.into_iter().filter(|it| !world.task_definitions.contains_key(it)).collect();
    let answers =
        each(missing, READS, async |arn| (ecs::describe_task_definition(&clients.task_definitions, &arn).await, arn));
    for (answer, arn) in answers.await {
        match answer {
            Ok(revision) => drop(world.task_definitions.insert(arn, revision)),
            Err(error) => drop(world.unreadable.insert(arn, error.to_string())),
        }
    }
}

/// Reads the past of the services whose present leaves a question.
async fn look_back(clients: &Clients, scope: &Scope, now: &Zoned, world: &mut World) {
    let asked = world.services.iter().filter(|it| wants_history(it, world, scope));
    let (by_code_deploy, by_ecs): (Vec<_>, Vec<_>) = asked.partition(|it| it.controller == Controller::CodeDeploy);
    let told = codedeploy::tell(&clients.codedeploy, &by_code_deploy, now.timestamp() - plan::LOOK_BACK).await;
    let asked: Vec<(String, ServiceName)> = by_ecs.iter().map(|it| (it.arn.clone(), it.name.clone())).collect();
    let answers = each(asked, READS, async |(arn, name)| (ecs::list_rollouts(&clients.ecs, &name).await, arn)).await;
    world.history = answers.into_iter().map(|(past, arn)| (arn, past.map_err(|err| err.to_string()))).collect();
    world.learn(told);
    let asked = plan::wanted_shifts(world);
    let mut told = ecs::describe_deployments(&clients.ecs, asked.values().flatten().cloned().collect()).await;
    for (service, deployments) in asked {
        for deployment in deployments {
            if let Some(told) = told.remove(&deployment) {
                world.learn_shift(&service, &deployment, told);
            }
        }
    }
    // Each revision remembers the one before it, so the way back is found step by step.
    let mut read: BTreeSet<String> = BTreeSet::new();
    loop {
        let wanted: BTreeSet<String> = world.services.iter().flat_map(|it| plan::wanted_revisions(it, world)).collect();
        let wanted: BTreeSet<String> = wanted.difference(&read).cloned().collect();
        if wanted.is_empty() {
            break;
        }
        read.extend(wanted.iter().cloned());
        describe_revisions(clients, wanted, world).await;
    }
}

/// Adds to `world` the facts that the decision lacks.
pub async fn facts(clients: &Clients, run: &Run<'_>, lacking: BTreeSet<Fact>, world: &mut World) {
    let checks = lacking.iter().any(|it| matches!(it, Fact::Health { .. }));
    let at_a_time = if checks { CHECKS } else { READS };
    let answers = each(lacking, at_a_time, async |fact| (observe(clients, run, world, &fact).await, fact)).await;
    world.facts.extend(answers.into_iter().map(|(observation, fact)| (fact, observation)));
}

async fn observe(clients: &Clients, run: &Run<'_>, world: &World, fact: &Fact) -> Observation {
    let observation = match fact {
        Fact::Scan { repository, digest } => {
            registry::list_scans(&clients.ecr, repository, digest).await.map(Observation::Scans)
        }
        Fact::Tasks { cluster, family } => {
            ecs::list_family(&clients.ecs, cluster, family).await.map(Observation::Tasks)
        }
        Fact::TaskDefinition(name) => ecs::describe_task_definition(&clients.task_definitions, name)
            .await
            .map(|it| Observation::TaskDefinition(Box::new(it))),
        Fact::Snapshot { database, id } => {
            find_backup(&clients.rds, database, id).await.map(|it| Observation::Backup(Box::new(it)))
        }
        Fact::Health { service, check, look } => {
            health(clients, run, world, service, check, *look).await.map(Observation::Health)
        }
        Fact::Indexes { repository, digests } => {
            registry::list_indexes(&clients.ecr, repository, digests).await.map(Observation::Indexes)
        }
        Fact::Needs(needs) => Ok(Observation::Needs(needs::look_for(&clients.needs, needs).await)),
        Fact::Lifecycle(repository) => {
            registry::has_lifecycle_policy(&clients.ecr, repository).await.map(Observation::Lifecycle)
        }
        Fact::Origin(name) => source(clients, name).await.map(|it| Observation::Origin(it.map(Box::new))),
        Fact::Fired => fired(clients).await.map(Observation::Fired),
        Fact::Services => match listed::list(clients, &Scope::Everywhere).await {
            Ok(listed) => Ok(Observation::Services(described(clients, listed.names).await.0)),
            Err(error) => Err(error),
        },
    };
    observation.unwrap_or_else(|error| Observation::Unavailable(error.to_string()))
}

/// The service that another one promotes from, with its past.
async fn source(clients: &Clients, name: &ServiceName) -> Result<Option<Origin>, Error> {
    let (mut found, missing) = described(clients, vec![name.clone()]).await;
    let Some(service) = found.pop() else {
        return match missing.into_iter().next().map(|it| it.cause) {
            Some(Cause::Denied(error)) => Err(Error::unexpected("DescribeServices", &name.to_string(), &error)),
            _ => Ok(None),
        };
    };
    let history = match service.controller {
        Controller::CodeDeploy => Vec::new(),
        _ => ecs::list_rollouts(&clients.ecs, name).await?,
    };
    let told = ecs::describe_revisions(&clients.ecs, &name.to_string(), service.revisions.iter().cloned()).await?;
    let in_use = told.into_values().find(|it| it.task_definition == service.task_definition);
    let pinned = in_use.map(|it| it.pinned).unwrap_or_default();
    Ok(Some(Origin { service, history, pinned }))
}

/// When alarms that name their service in the remedy went into ALARM last, as remediate-alarm remembers it on them.
async fn fired(clients: &Clients) -> Result<Vec<Fired>, Error> {
    let tagged = tagging::resources_with_tags(&clients.tagging, "cloudwatch:alarm", keys::REMEDY).await?;
    let fired = |(arn, tags): (String, BTreeMap<String, String>)| {
        let service = tags.get(keys::REMEDY)?.parse::<RemedyRule>().ok()?.service?;
        let remedied = tags.get(keys::REMEDIED)?.parse::<Remedied>().ok()?;
        Some(Fired { alarm: arn.rsplit(':').next()?.to_owned(), service, at: remedied.fired })
    };
    Ok(tagged.into_iter().filter_map(fired).collect())
}

async fn health(
    clients: &Clients,
    run: &Run<'_>,
    world: &World,
    service: &str,
    check: &HealthCheck,
    look: Look,
) -> Result<Health, Error> {
    let pause = if look == Look::Again { LOOK_AGAIN } else { Duration::ZERO };
    if Instant::now() + pause + health::LONGEST > run.last_start {
        return Ok(Health::Later);
    }
    sleep(pause).await;
    if look == Look::Again {
        let standing = describe_services(&clients.described, ServiceName::of_arn(service), ecs::standing).await;
        // During the bake the deployment is under way, and all traffic is on the tasks that are judged.
        let bakes = matches!(world.shifts.get(service), Some(Ok(it)) if it.under_way && it.traffic == Some(100.0));
        let judged = world.services.iter().find(|it| it.arn == service).map(|it| it.task_definition.as_str());
        let same = |it: &ecs::Standing| bakes && judged == Some(it.task_definition.as_str()) || !it.deploying;
        if !standing.found.iter().any(|it| it.all_run && same(it)) {
            return Ok(Health::Later);
        }
    }
    match check {
        HealthCheck::Url(url) => Ok(clients.probe.check(url).await),
        HealthCheck::Targets => match world.services.iter().find(|it| it.arn == service) {
            Some(service) => targets(clients, service).await,
            None => Ok(Health::Later),
        },
    }
}

/// What the target groups of the revision in use say.
async fn targets(clients: &Clients, service: &Service) -> Result<Health, Error> {
    let of_revision = match service.alternates {
        true => {
            let told = ecs::describe_revisions(&clients.ecs, &service.arn, service.revisions.iter().cloned()).await?;
            let in_use = told.into_values().find(|it| it.task_definition == service.task_definition);
            in_use.map(|it| it.target_groups)
        }
        false => None,
    };
    let groups = match plan::target_groups(service, of_revision) {
        Ok(groups) => groups,
        Err(unknown) => return Ok(unknown),
    };
    let answers =
        each(groups, READS, async |group| Ok((elb::describe_target_health(&clients.balancers, &group).await?, group)));
    let told: Result<Vec<_>, Error> = answers.await.into_iter().collect();
    Ok(plan::judge_targets(&told?.into_iter().map(|(targets, group)| (group, targets)).collect::<Vec<_>>()))
}
