//! Reads what the decision depends on: first the alarms, then, step by step, what the plan lacks.

use std::collections::{BTreeMap, BTreeSet};

use aws::ecs::{Cause, describe_services};
use aws::{Error, each, tagging};
use jiff::Zoned;
use rules::keys;

use crate::plan::scope::{AlarmName, Options, Scope};
use crate::plan::world::{Alarm, ServiceName, Wanted, World};
use crate::plan::{self, OPT_IN};
use crate::{Clients, cloudwatch, ecs, rds};

/// How many reads are under way at a time.
const READS: usize = 8;

/// Reads everything that the decision depends on. An alarm that did not opt in costs two calls.
pub async fn observe(clients: &Clients, options: Options<'_>, now: &Zoned) -> Result<World, Error> {
    let mut world = match options.scope {
        Scope::Alarms(names) if names.is_empty() => return Ok(World::default()),
        Scope::Alarms(names) => named(clients, names).await?,
        // What cannot be read is a problem of that alarm, and the others are looked at.
        Scope::EveryAlarm => every_alarm(clients).await?,
    };
    let mut read = BTreeSet::new();
    // What was read shows what else is needed: composite alarms hold composite ones, and a service has a past.
    loop {
        let lacking: BTreeSet<Wanted> = plan::wanted(&world, options, now).difference(&read).cloned().collect();
        if lacking.is_empty() {
            return Ok(world);
        }
        look_up(clients, &lacking, &mut world).await?;
        read.extend(lacking);
    }
}

/// The alarms that events are about.
async fn named(clients: &Clients, names: &[AlarmName]) -> Result<World, Error> {
    let asked: BTreeSet<String> = names.iter().map(|it| it.name.clone()).collect();
    let (found, unread) = describe(clients, asked.into_iter().collect()).await;
    // Lambda repeats an event that failed, which is sooner than the next sweep.
    if let Some((_, error)) = unread.into_iter().next() {
        return Err(error);
    }
    let mut world = World::default();
    let is_shown = |it: &&AlarmName| found.iter().any(|alarm| alarm.name == it.name);
    for (name, arn) in names.iter().filter(|it| !is_shown(it)).filter_map(|it| Some((&it.name, it.arn.as_ref()?))) {
        // One of another account may not be read, and is not ours.
        if let Ok(Some(tags)) = cloudwatch::tags(&clients.cloudwatch, arn).await {
            add_not_shown(name, arn, Some(tags), &mut world);
        }
    }
    let meant = |alarm: &Alarm| names.iter().any(|it| it.name == alarm.name && it.is_about(&alarm.arn));
    let (meant, foreign): (Vec<Alarm>, Vec<Alarm>) = found.into_iter().partition(meant);
    let (alarms, error) = with_tags(clients, meant).await;
    if let Some(error) = error.filter(|_| alarms.iter().all(|it| it.unreadable.is_some())) {
        return Err(error);
    }
    world.alarms.extend(alarms);
    world.alarms.extend(foreign);
    Ok(world)
}

/// Every alarm that opted in; the tags of those that may need an answer are read again.
async fn every_alarm(clients: &Clients) -> Result<World, Error> {
    let (alarms, hidden, _) = tagged(clients).await?;
    let (open, quiet) = alarms.into_iter().partition(plan::is_of_interest);
    let mut world = World { alarms: quiet, ..World::default() };
    world.alarms.extend(with_tags(clients, open).await.0);
    let answers = each(hidden, READS, async |(name, arn)| {
        let tags = cloudwatch::tags(&clients.cloudwatch, &arn).await;
        (name, arn, tags)
    });
    for (name, arn, tags) in answers.await {
        match tags {
            Ok(tags) => add_not_shown(&name, &arn, tags, &mut world),
            Err(error) => world.alarms.push(Alarm::unread(&name, &arn, error.to_string())),
        }
    }
    Ok(world)
}

/// The index lists for hours what was deleted; what still has tags is there, but is not shown.
fn add_not_shown(name: &str, arn: &str, tags: Option<BTreeMap<String, String>>, world: &mut World) {
    match tags {
        None => world.gone.push(arn.into()),
        Some(tags) if tags.contains_key(keys::REMEDY) => world.alarms.push(Alarm::not_shown(name, arn, tags)),
        Some(_) => {}
    }
}

/// Names and ARNs that the index lists, of alarms that were not described.
type Hidden = Vec<(String, String)>;

/// Every alarm that opted in, with the tags that the index knows; those that are not described; and why some could not
/// be read.
async fn tagged(clients: &Clients) -> Result<(Vec<Alarm>, Hidden, Option<Error>), Error> {
    let mut index = tagging::resources_with_tags(&clients.tagging, "cloudwatch:alarm", keys::REMEDY).await?;
    let name = |arn: &String| Some((arn.split_once(":alarm:")?.1.to_owned(), arn.clone()));
    let arns: BTreeMap<String, String> = index.keys().filter_map(name).collect();
    let (described, unread) = describe(clients, arns.keys().cloned().collect()).await;
    let error = unread.first().map(|(_, error)| error.clone());
    if let Some(error) = error.clone().filter(|_| described.is_empty()) {
        return Err(error);
    }
    let unread =
        unread.into_iter().filter_map(|(name, error)| Some(Alarm::unread(&name, arns.get(&name)?, error.to_string())));
    let known = |it: Alarm| Some(Alarm { tags: index.remove(&it.arn)?, ..it });
    let alarms: Vec<Alarm> = described.into_iter().chain(unread).filter_map(known).collect();
    let hidden = arns.into_iter().filter(|(_, arn)| index.contains_key(arn)).collect();
    Ok((alarms, hidden, error))
}

/// The alarms of these names, and the names of those that could not be read.
async fn describe(clients: &Clients, names: Vec<String>) -> (Vec<Alarm>, Vec<(String, Error)>) {
    let batches = names.chunks(cloudwatch::NAMES_PER_CALL);
    let answers =
        each(batches, READS, async |it| (it, cloudwatch::describe_alarms(&clients.cloudwatch, it).await)).await;
    let (mut alarms, mut unread) = (Vec::new(), Vec::new());
    for (names, answer) in answers {
        match answer {
            Ok(found) => alarms.extend(found),
            // The text names this alarm alone: which others were in the same call differs from one run to the next.
            Err(error) => {
                unread.extend(
                    names.iter().map(|it| (it.clone(), Error { resource: it.as_str().into(), ..error.clone() })),
                );
            }
        }
    }
    (alarms, unread)
}

/// The same alarms with their tags as they are now, and why some could not be read; one that is gone is left out.
async fn with_tags(clients: &Clients, alarms: Vec<Alarm>) -> (Vec<Alarm>, Option<Error>) {
    let answers = each(alarms, READS, async |it| (cloudwatch::tags(&clients.cloudwatch, &it.arn).await, it)).await;
    let (mut alarms, mut first) = (Vec::new(), None);
    for (answer, it) in answers {
        match answer {
            Ok(tags) => alarms.extend(tags.map(|tags| Alarm { tags, ..it })),
            Err(error) => {
                alarms.push(Alarm { unreadable: Some(error.to_string()), ..it });
                first.get_or_insert(error);
            }
        }
    }
    (alarms, first)
}

/// Reads what the plan lacks. What cannot be read is noted, and hides nothing else.
async fn look_up(clients: &Clients, lacking: &BTreeSet<Wanted>, world: &mut World) -> Result<(), Error> {
    let children = lacking.iter().filter_map(|it| if let Wanted::Child(name) = it { Some(name.clone()) } else { None });
    let children: Vec<String> = children.collect();
    let (found, unread) = describe(clients, children.clone()).await;
    world.children.extend(children.into_iter().map(|name| {
        let child = found.iter().find(|it| it.name == name).cloned();
        (name, child)
    }));
    for (name, error) in unread {
        world.unreadable.insert(Wanted::Child(name), error.to_string());
    }
    let services: Vec<ServiceName> = lacking
        .iter()
        .filter_map(|it| if let Wanted::Service(name) = it { Some(name.clone()) } else { None })
        .collect();
    for (name, why) in add_services(clients, services, world).await {
        world.unreadable.insert(Wanted::Service(name), why);
    }
    for it in lacking {
        let outcome = match it {
            Wanted::Child(_) | Wanted::Service(_) => continue,
            Wanted::Contributors(name) => cloudwatch::contributors(&clients.cloudwatch, name)
                .await
                .map(|found| drop(world.contributors.insert(name.clone(), found)))
                .map_err(|err| err.to_string()),
            Wanted::MuteRules(name) => cloudwatch::mute_rules(&clients.cloudwatch, name)
                .await
                .map(|found| drop(world.mute_rules.insert(name.clone(), found)))
                .map_err(|err| err.to_string()),
            // Without them the limit of the account is unknown, and Lambda repeats an event that failed.
            Wanted::OtherAlarms => {
                add_others(clients, world).await?;
                Ok(())
            }
            Wanted::ServicesThatOptedIn => add_services_that_opted_in(clients, world).await,
            Wanted::Database(id) => {
                let found = rds::find_databases(&clients.rds, id).await;
                found.map(|found| world.databases.extend(found)).map_err(|err| err.to_string())
            }
            Wanted::History(arn) => add_history(clients, arn, world).await.map_err(|err| err.to_string()),
        };
        if let Err(why) = outcome {
            world.unreadable.insert(it.clone(), why);
        }
    }
    Ok(())
}

async fn add_others(clients: &Clients, world: &mut World) -> Result<(), Error> {
    let own: BTreeSet<&String> = world.alarms.iter().map(|it| &it.arn).collect();
    let others = match tagged(clients).await? {
        (others, _, None) => others,
        (.., Some(error)) => return Err(error),
    };
    world.others = others.into_iter().filter(|it| !own.contains(&it.arn)).collect();
    Ok(())
}

/// Adds services, and returns why some of them could not be read.
async fn add_services(
    clients: &Clients,
    names: impl IntoIterator<Item = ServiceName>,
    world: &mut World,
) -> Vec<(ServiceName, String)> {
    let answer = describe_services(&clients.ecs, names, ecs::service).await;
    for service in answer.found {
        world.services.retain(|it| it.arn != service.arn);
        world.services.push(service);
    }
    let denied = answer.missing.into_iter().filter_map(|it| match it.cause {
        Cause::NotFound => None,
        Cause::Denied(why) => Some((it.service, why)),
    });
    denied.collect()
}

/// The error is why one of them could not be read: it may be the one that is looked for.
async fn add_services_that_opted_in(clients: &Clients, world: &mut World) -> Result<(), String> {
    let listed = each(OPT_IN, READS, async |key| tagging::resources(&clients.tagging, "ecs:service", key).await).await;
    let mut arns = BTreeSet::new();
    for all in listed {
        arns.extend(all.map_err(|err| err.to_string())?);
    }
    let denied = add_services(clients, arns.iter().filter_map(|it| ServiceName::of_arn(it)), world).await;
    denied.into_iter().next().map_or(Ok(()), |(_, why)| Err(why))
}

async fn add_history(clients: &Clients, arn: &str, world: &mut World) -> Result<(), Error> {
    let Some(service) = world.services.iter().find(|it| it.arn == arn) else { return Ok(()) };
    let (history, images) = tokio::join!(
        async {
            // CodeDeploy's deployments are not among those of ECS; the task sets tell of them.
            if service.task_sets.is_empty() {
                ecs::list_rollouts(&clients.ecs, &service.name).await
            } else {
                Ok(Vec::new())
            }
        },
        ecs::images(&clients.ecs, &service.task_definition),
    );
    world.images.insert(service.task_definition.clone(), images?);
    world.history.insert(arn.into(), history?);
    Ok(())
}
