//! Starts the migration of an image: once for all services of that image, with the image in it, and never on Spot.

use rules::deploy::DeployRule;
use rules::keys;
use rules::memory::Migrated;
use rules::migrating::Migrating;
use serde_json::Value;

use super::state::{UNREADABLE, tasks};
use crate::plan::case::Case;
use crate::plan::gate::{Act, Blocked, Candidate, look, unavailable};
use crate::plan::step::{MemoryChange, Migrate, Revision, Step};
use crate::plan::world::{Fact, ImageName, Launch, Observation, Service, TaskDefinition, short_name};

/// Starts the migration, unless it is another one's turn or another service has seen to it.
pub fn start(candidate: Candidate<'_>, family: &str, run: String, after: Option<i64>) -> Result<Vec<Act>, Blocked> {
    let Candidate { case, image, tag, now, .. } = candidate;
    if let Some(other) = tasks(case, family)?.iter().find(|it| !it.has_stopped()) {
        let reason = format!("{tag} waits: {family} still runs for another image (task {})", other.id());
        return Err(Blocked::pending(reason, "that task has ended"));
    }
    if forgiven_none(candidate) {
        match of_another_service(case, family, &run)? {
            Elsewhere::Done => return Ok(vec![done_elsewhere(candidate, family, run)]),
            Elsewhere::Started(service) => return Err(unknown_end(tag, family, service)),
            Elsewhere::NotYet(_) | Elsewhere::Nobody => {}
        }
    }
    let definition = match look(case, Fact::TaskDefinition(family.into()))? {
        Observation::TaskDefinition(it) => it,
        other => return Err(unavailable(other, UNREADABLE, "how its migration stands")),
    };
    let ours = |image: &str| ImageName::parse(image).is_some_and(|it| it.repository() == case.image.repository());
    let containers: Vec<String> =
        definition.images().filter(|(_, image)| ours(image)).map(|(name, _)| name.to_owned()).collect();
    let next = definition.next(&containers, &case.image.pinned(&image.digest), &[(keys::IMAGE, tag)]);
    let as_it_is = containers.is_empty() || definition.next(&[], "", &[]) == next;
    let step = Migrate {
        service: case.service.name.clone(),
        arn: case.service.arn.clone(),
        digest: image.digest.clone(),
        family: family.into(),
        image: tag.into(),
        running: case.running_label(),
        revision: if as_it_is { Revision::Registered(definition.arn().into()) } else { Revision::Register(next) },
        in_vpc: definition.fields.get("networkMode").and_then(Value::as_str) == Some("awsvpc"),
        launch: on_demand(&case.service.launch, definition),
        // ECS answers the same to the same token, a refusal included.
        token: after.map_or(run.clone(), |it| format!("{run}-{it}")),
        run,
        at: now.timestamp(),
    };
    let uses = if containers.is_empty() { ", which does not use the repository and runs as it is" } else { "" };
    let why = format!("{tag} goes out after {}{uses}", short_name(definition.arn()));
    Err(Blocked::Requires(vec![(Step::Migrate(Box::new(step)), why)]))
}

/// Waits for the migration that another service of the cluster runs for this image.
pub fn follow(candidate: Candidate<'_>, family: &str, run: String) -> Result<Vec<Act>, Blocked> {
    let Candidate { case, tag, .. } = candidate;
    match of_another_service(case, family, &run)? {
        Elsewhere::Done => Ok(vec![done_elsewhere(candidate, family, run)]),
        Elsewhere::Started(service) => Err(unknown_end(tag, family, service)),
        Elsewhere::NotYet(service) => {
            let why = format!("{tag} waits for its migration {family}, which {service} starts");
            Err(Blocked::pending(why, "it has run and ended well"))
        }
        Elsewhere::Nobody => {
            let cluster = &case.service.name.cluster;
            let message = format!(
                "{tag} is not deployed: no other service runs its migration. after-migration= waits for one in the \
                 cluster {cluster} with migrate={family} in its tag {}",
                keys::DEPLOY
            );
            Err(Blocked::NeedsPerson("bad-migration", message))
        }
    }
}

fn done_elsewhere(candidate: Candidate<'_>, family: &str, run: String) -> Act {
    let value = Some(Migrated { run, at: candidate.now.timestamp() }.to_string());
    let why = format!("{family} has ended well for another service of this image");
    (candidate.note(MemoryChange::Migrated, keys::MIGRATED, value), why)
}

fn unknown_end(tag: &str, family: &str, service: &rules::ServiceName) -> Blocked {
    Blocked::pending(
        format!("{tag} waits: {family} was started in the name of {service}, and how it ended is not known yet"),
        format!("{service} knows it, with the sweep of the next hour at the latest"),
    )
}

/// Whether no person asked for another run: what another service knows of the first one counts then.
fn forgiven_none(Candidate { memory, image, .. }: Candidate<'_>) -> bool {
    memory.forgiven_at(&image.digest).is_none()
}

/// What another service remembers of the same run.
enum Elsewhere<'a> {
    Done,
    Started(&'a rules::ServiceName),
    /// It is the one that runs the migration.
    NotYet(&'a rules::ServiceName),
    /// No other service of the cluster names it.
    Nobody,
}

fn of_another_service<'a>(case: &'a Case<'a>, family: &str, run: &str) -> Result<Elsewhere<'a>, Blocked> {
    let services = match case.all_services() {
        Some(services) => services,
        None => match look(case, Fact::Services)? {
            Observation::Services(services) => services,
            other => return Err(unavailable(other, UNREADABLE, "how its migration stands")),
        },
    };
    let asks = |it: &&Service| {
        let rule = it.tags.get(keys::DEPLOY).and_then(|it| it.parse::<DeployRule>().ok());
        it.arn != case.service.arn && rule.is_some_and(|it| it.migrate.as_deref() == Some(family))
    };
    let (mut started, mut named) = (None, None);
    for other in services.iter().filter(asks) {
        let migrated = other.tags.get(keys::MIGRATED).and_then(|it| it.parse::<Migrated>().ok());
        if migrated.is_some_and(|it| it.run == run) {
            return Ok(Elsewhere::Done);
        }
        let migrating = other.tags.get(keys::MIGRATING).and_then(|it| it.parse::<Migrating>().ok());
        if migrating.is_some_and(|it| it.run == run && it.may_run()) {
            started = Some(Elsewhere::Started(&other.name));
        }
        if other.name.cluster == case.service.name.cluster {
            named = Some(Elsewhere::NotYet(&other.name));
        }
    }
    Ok(started.or(named).unwrap_or(Elsewhere::Nobody))
}

/// The way in which the service's tasks are started, but never on Spot: an interruption in the middle of a change of
/// the database leaves it half done.
fn on_demand(launch: &Launch, definition: &TaskDefinition) -> Launch {
    let mut launch = launch.clone();
    let fargate = launch.capacity.iter().any(|it| it.provider.starts_with("FARGATE"));
    launch.capacity.retain(|it| !it.provider.starts_with("FARGATE"));
    if fargate {
        // Beside the providers of Fargate a strategy may hold no others.
        (launch.launch_type, launch.capacity) = (Some("FARGATE".into()), Vec::new());
    } else if launch.launch_type.is_none() && launch.capacity.is_empty() {
        // Without either the cluster's default strategy would decide, which may well be Spot.
        let compatible = definition.fields.get("requiresCompatibilities").and_then(Value::as_array);
        let fargate = compatible.is_some_and(|it| it.iter().any(|it| it == "FARGATE"));
        launch.launch_type = Some(if fargate { "FARGATE" } else { "EC2" }.into());
    }
    launch
}
