#![doc = include_str!("../README.md")]

mod cloudwatch;
mod ecs;
pub mod plan;
mod rds;
pub mod request;

use std::collections::{BTreeMap, BTreeSet};

use aws::rds::Rds;
use aws::{Error, each, tagging};
use aws_config::SdkConfig;
use reconcile::Report;
use rules::keys;
use runtime::Run;
use serde_json::{Value, json};
use tracing::warn;

use plan::{Act, Alarm, Asked, Deed, ServiceName, Step, Wanted, World};
use request::{AlarmName, Place, Request};

/// How many reads are under way at a time.
const READS: usize = 8;

/// Composite alarms may be made of composite ones; deeper than this nobody builds.
const GENERATIONS: usize = 5;

/// The clients of the services that this function calls.
pub struct Clients {
    cloudwatch: aws_sdk_cloudwatch::Client,
    ecs: aws_sdk_ecs::Client,
    lambda: aws_sdk_lambda::Client,
    rds: Rds,
    tagging: aws_sdk_resourcegroupstagging::Client,
}

impl Clients {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        Clients {
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            ecs: aws_sdk_ecs::Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
            rds: Rds::new(config, None),
            tagging: aws_sdk_resourcegroupstagging::Client::new(config),
        }
    }
}

/// One run: reads the alarms again that it was called for, decides, and begins the remedies.
pub async fn handle(clients: &Clients, request: Request, run: &Run<'_>) -> Result<Report, Error> {
    let world = observe(clients, &request.place, run).await?;
    let asked = Asked { max_remedies: run.max_remedies(), forget: request.forget };
    let plan = plan::plan(&world, asked, &run.now);
    let remember = async |note: &reconcile::memory::Note| {
        let value = note.value.as_deref();
        cloudwatch::remember(&clients.cloudwatch, &note.resource, keys::REMEDY_PROBLEM, value).await
    };
    Ok(run.apply(plan, async |step| apply(clients, step, run).await, remember).await)
}

// ---------------------------------------------------------------- observe

/// Everything that the decision depends on. An alarm that did not opt in costs two calls.
async fn observe(clients: &Clients, place: &Place, run: &Run<'_>) -> Result<World, Error> {
    let mut world = match place {
        Place::Alarms(names) => named(clients, names).await?,
        // What cannot be read is a problem of that alarm, and the others are looked at.
        Place::Everywhere => World { alarms: tagged(clients).await?.0, ..World::default() },
    };
    if *place == Place::Everywhere {
        let (open, quiet) = std::mem::take(&mut world.alarms).into_iter().partition(plan::is_of_interest);
        world.alarms = quiet;
        world.alarms.extend(with_tags(clients, open).await.0);
    }
    add_children(clients, &mut world).await;
    // Twice: what the past of a service has to tell is only asked once it is known which service it is.
    let mut read = BTreeSet::new();
    for _ in 0..2 {
        let wanted: BTreeSet<Wanted> = plan::wanted(&world, &run.now).difference(&read).cloned().collect();
        look_up(clients, &wanted, &mut world).await;
        read.extend(wanted);
    }
    // Only who is about to act needs to know how many others did, and then of every one of them.
    if *place != Place::Everywhere && !read.is_empty() {
        let own: BTreeSet<String> = world.alarms.iter().map(|it| it.arn.clone()).collect();
        let others = match tagged(clients).await? {
            (others, None) => others,
            (_, Some(error)) => return Err(error),
        };
        world.others = others.into_iter().filter(|it| !own.contains(&it.arn)).collect();
    }
    Ok(world)
}

/// The alarms that events are about, as far as they are of this account and region.
async fn named(clients: &Clients, names: &[AlarmName]) -> Result<World, Error> {
    let asked: BTreeSet<String> = names.iter().map(|it| it.name.clone()).collect();
    let (mut found, unread) = describe(clients, asked.into_iter().collect()).await;
    // Lambda repeats an event that failed, which is sooner than the next sweep.
    if let Some((_, error)) = unread.into_iter().next() {
        return Err(error);
    }
    let mut world = World::default();
    for it in names {
        let about = it.arn.clone().unwrap_or_else(|| it.name.clone());
        match found.iter().find(|alarm| alarm.name == it.name) {
            None => world.unseen.push((about, "there is no such alarm in this account and region".into())),
            Some(alarm) if it.arn.as_ref().is_some_and(|arn| *arn != alarm.arn) => {
                world.unseen.push((about, "it is an alarm of another account or region".into()));
                found.retain(|alarm| alarm.name != it.name);
            }
            Some(_) => world.muted.extend(it.muted.then(|| it.name.clone())),
        }
    }
    let (alarms, error) = with_tags(clients, found).await;
    match error {
        Some(error) if alarms.iter().all(|it| it.unreadable.is_some()) => Err(error),
        _ => Ok(World { alarms, ..world }),
    }
}

/// Every alarm that opted in, with the tags that the index knows, and why some could not be read.
async fn tagged(clients: &Clients) -> Result<(Vec<Alarm>, Option<Error>), Error> {
    let mut index = tagging::resources_with_tags(&clients.tagging, "cloudwatch:alarm", keys::REMEDY).await?;
    let name = |arn: &String| Some((arn.split_once(":alarm:")?.1.to_owned(), arn.clone()));
    let arns: BTreeMap<String, String> = index.keys().filter_map(name).collect();
    let (described, unread) = describe(clients, arns.keys().cloned().collect()).await;
    let error = unread.first().map(|(_, error)| error.clone());
    if let Some(error) = error.clone().filter(|_| described.is_empty()) {
        return Err(error);
    }
    let unread =
        unread.into_iter().filter_map(|(name, error)| Some(Alarm::unread(&name, arns.get(&name)?, error.cause())));
    let known = |it: Alarm| Some(Alarm { tags: index.remove(&it.arn)?, ..it });
    Ok((described.into_iter().chain(unread).filter_map(known).collect(), error))
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
            // Who else was asked about in the same call is none of its business, and may be others the next time.
            Err(error) => {
                unread.extend(names.iter().map(|it| (it.clone(), Error { resource: it.clone(), ..error.clone() })));
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
                alarms.push(Alarm { unreadable: Some(error.cause()), ..it });
                first.get_or_insert(error);
            }
        }
    }
    (alarms, first)
}

/// Adds the alarms that composite ones are made of.
async fn add_children(clients: &Clients, world: &mut World) {
    let opted_in = |it: &&Alarm| it.tags.contains_key(keys::REMEDY) && it.state == plan::State::Alarm;
    let mut parents: Vec<Alarm> = world.alarms.iter().filter(opted_in).cloned().collect();
    for _ in 0..GENERATIONS {
        let names: BTreeSet<String> = parents.iter().flat_map(Alarm::children).collect();
        let fresh: Vec<String> = names.into_iter().filter(|it| !world.children.contains_key(it)).collect();
        if fresh.is_empty() {
            break;
        }
        let (found, unread) = describe(clients, fresh).await;
        world.children.extend(unread.into_iter().map(|(name, error)| {
            let child = Alarm::unread(&name, "", error.cause());
            (name, child)
        }));
        parents = found;
        world.children.extend(parents.iter().map(|it| (it.name.clone(), it.clone())));
    }
}

/// Reads services, databases and the past. What cannot be read is noted, and hides nothing else.
async fn look_up(clients: &Clients, wanted: &BTreeSet<Wanted>, world: &mut World) {
    for it in wanted {
        let outcome = match it {
            Wanted::Service(name) => add_services(clients, vec![name.clone()], world).await,
            Wanted::ServicesThatOptedIn => add_services_that_opted_in(clients, world).await,
            Wanted::Database(id) => {
                rds::describe_database(&clients.rds, id).await.map(|found| world.databases.extend(found))
            }
            Wanted::History(arn) => add_history(clients, arn, world).await,
        };
        if let Err(error) = outcome {
            world.unreadable.insert(it.clone(), error.cause());
        }
    }
}

async fn add_services(clients: &Clients, names: Vec<ServiceName>, world: &mut World) -> Result<(), Error> {
    let batches = ecs::batches(names);
    let answers = each(batches, READS, async |it| ecs::describe_services(&clients.ecs, &it).await).await;
    for answer in answers {
        for service in answer? {
            world.services.retain(|it| it.arn != service.arn);
            world.services.push(service);
        }
    }
    Ok(())
}

async fn add_services_that_opted_in(clients: &Clients, world: &mut World) -> Result<(), Error> {
    let (deployed, scheduled) = tokio::join!(
        tagging::resources(&clients.tagging, "ecs:service", keys::DEPLOY),
        tagging::resources(&clients.tagging, "ecs:service", keys::SCHEDULE),
    );
    let arns: BTreeSet<String> = deployed?.into_iter().chain(scheduled?).collect();
    add_services(clients, arns.iter().filter_map(|it| ServiceName::of_arn(it)).collect(), world).await
}

async fn add_history(clients: &Clients, arn: &str, world: &mut World) -> Result<(), Error> {
    let Some(service) = world.services.iter().find(|it| it.arn == arn) else { return Ok(()) };
    let (history, images) = tokio::join!(
        ecs::list_rollouts(&clients.ecs, &service.name),
        ecs::images(&clients.ecs, &service.task_definition),
    );
    world.images.insert(service.task_definition.clone(), images?);
    world.history.insert(arn.into(), history?);
    Ok(())
}

// ---------------------------------------------------------------- apply

/// Carries out one step; returns what only the doing could tell.
async fn apply(clients: &Clients, step: &Step, run: &Run<'_>) -> Result<Value, Error> {
    match step {
        Step::Act(act) => begin(clients, act, run).await,
        Step::Note(note) => {
            let value = note.memory.as_ref().map(ToString::to_string);
            cloudwatch::remember(&clients.cloudwatch, &note.arn, keys::REMEDIED, value.as_deref()).await?;
            Ok(Value::Null)
        }
    }
}

/// Begins a remedy, after the alarm remembers it: a run that dies in between has done too little, never twice.
async fn begin(clients: &Clients, act: &Act, run: &Run<'_>) -> Result<Value, Error> {
    // EventBridge, SNS and a direct action come within a moment: whoever reads the memory of another run leaves it to that.
    let tags: BTreeMap<_, _> = cloudwatch::tags(&clients.cloudwatch, &act.alarm_arn).await?.unwrap_or_default();
    if tags.get(keys::REMEDIED) != act.before.as_ref() {
        return Err(Error::not_now());
    }
    let memory = act.memory.to_string();
    cloudwatch::remember(&clients.cloudwatch, &act.alarm_arn, keys::REMEDIED, Some(&memory)).await?;
    match &act.remedy {
        Deed::Notify => Ok(Value::Null),
        Deed::Restart(service) => ecs::restart(&clients.ecs, service).await.map(|()| Value::Null),
        Deed::Reboot { id, failover } => rds::reboot(&clients.rds, id, *failover).await.map(|()| Value::Null),
        Deed::ScaleOut { arn, boost, .. } => {
            ecs::wish(&clients.ecs, arn, keys::BOOST_MEMORY, &boost.to_string()).await?;
            Ok(wake(clients, run, "scale-staging", json!({"resource": arn})).await)
        }
        Deed::Rollback { arn, wish, .. } => {
            ecs::wish(&clients.ecs, arn, keys::ROLLBACK, &wish.to_string()).await?;
            Ok(wake(clients, run, "deploy-image", json!({"resource": arn})).await)
        }
        Deed::Wake { arn, until, .. } => {
            let until = until.0.to_string();
            if arn.contains(":ecs:") {
                ecs::wish(&clients.ecs, arn, keys::AWAKE_UNTIL_MEMORY, &until).await?;
            } else {
                rds::wish(&clients.rds, arn, keys::AWAKE_UNTIL_MEMORY, &until).await?;
            }
            // Without a moment the command would mean "until the next change", and overwrite the wish.
            let payload = json!({"wake": {"resource": arn, "until": until}});
            Ok(wake(clients, run, "scale-staging", payload).await)
        }
    }
}

/// Wakes the owner of a wish. One that cannot be woken finds the wish with its next sweep.
async fn wake(clients: &Clients, run: &Run<'_>, owner: &str, payload: Value) -> Value {
    let Some(function) = run.sibling(owner) else { return json!({"owner": format!("the next sweep of {owner}")}) };
    match aws::lambda::wake(&clients.lambda, &function, &payload.to_string()).await {
        Ok(()) => json!({"owner": function}),
        Err(error) => {
            warn!(function, reason = %error, "not woken; its next sweep finds the wish");
            json!({"owner": format!("the next sweep of {owner}")})
        }
    }
}
