#![doc = include_str!("../README.md")]

mod codedeploy;
mod ecr;
mod ecs;
mod facts;
pub mod health;
pub mod plan;
pub mod request;

use std::collections::BTreeSet;

use aws::rds::Rds;
use aws::{Error, Pace, each, tagging};
use aws_config::SdkConfig;
use jiff::Zoned;
use reconcile::Report;
use reconcile::memory::Note;
use rules::keys;
use runtime::Run;
use serde_json::{Value, json};

use health::Probe;
use plan::{Controller, Revision, ServiceName, Step, Way, World};
use request::{Place, Request};

/// How many reads are under way at a time; ECS allows 20 a second and a burst of 50 and more.
const READS: usize = 16;

/// The clients of the services that this function calls.
pub struct Clients {
    codedeploy: aws_sdk_codedeploy::Client,
    ecr: aws_sdk_ecr::Client,
    ecs: aws_sdk_ecs::Client,
    lambda: aws_sdk_lambda::Client,
    probe: Probe,
    rds: Rds,
    tagging: aws_sdk_resourcegroupstagging::Client,
    /// What ECS grants an account for registering task definitions.
    registrations: Pace,
}

impl Clients {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        Clients {
            codedeploy: aws_sdk_codedeploy::Client::new(config),
            ecr: aws_sdk_ecr::Client::new(config),
            ecs: aws_sdk_ecs::Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
            probe: Probe::default(),
            rds: Rds::new(config, None),
            tagging: aws_sdk_resourcegroupstagging::Client::new(config),
            registrations: Pace::new(20, 1),
        }
    }

    /// The same, but for what asks addresses whether all is well.
    pub fn with_probe(self, probe: Probe) -> Self {
        Clients { probe, ..self }
    }
}

/// One run: looks where the request says, decides, and brings about what was decided.
pub async fn handle(clients: &Clients, request: Request, run: &Run<'_>) -> Result<Report, Error> {
    let mut world = observe(clients, &request.place, &run.now).await?;
    facts::look(clients, request.ask.as_ref(), run, &mut world).await;
    let mut plan = plan::plan(&world, request.ask.as_ref(), &run.now);
    match &request.place {
        Place::Nowhere { about, reason } => plan.skip(about, reason),
        Place::DeploymentGroup { application, group } if world.services.is_empty() && world.unseen.is_empty() => {
            plan.skip(&format!("{application}/{group}"), "this deployment group of CodeDeploy deploys no ECS service");
        }
        _ => {}
    }
    let remember = async |note: &Note| {
        aws::ecs::write_tag(&clients.ecs, &note.resource, keys::PROBLEM, note.value.as_deref()).await
    };
    Ok(run.apply(plan, async |step| apply(clients, run, step).await, remember).await)
}

/// Everything that the decision depends on, read side by side: services, their task definitions, images, and where
/// the present leaves a question, the past.
async fn observe(clients: &Clients, place: &Place, now: &Zoned) -> Result<World, Error> {
    let mut services = describe_services(clients, &names(clients, place).await?).await;
    services.found.retain(|it| place.concerns(it));
    let mut world =
        World { services: services.found, whole: place.is_whole(), unseen: services.unseen, ..World::default() };
    // What has lost its tag since it was listed is not ours to read any further.
    let tagged = |it: &plan::Service| it.tags.contains_key(keys::DEPLOY);
    let families: BTreeSet<String> =
        world.services.iter().filter(|it| tagged(it)).map(|it| plan::family(&it.task_definition).to_owned()).collect();
    let newest =
        each(families, READS, async |family| (ecs::describe_task_definition(&clients.ecs, &family).await, family));
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
    let repositories: BTreeSet<String> = match place {
        Place::Repository(repository) => BTreeSet::from([repository.clone()]),
        _ => plan::repositories(&world),
    };
    let images = each(repositories, READS, async |it| (ecr::list_images(&clients.ecr, &it).await, it)).await;
    world.repositories = images.into_iter().map(|(images, it)| (it, images.map_err(|err| err.to_string()))).collect();
    look_back(clients, place, now, &mut world).await;
    Ok(world)
}

/// The services to look at.
async fn names(clients: &Clients, place: &Place) -> Result<Vec<ServiceName>, Error> {
    match place {
        Place::Nowhere { .. } => Ok(Vec::new()),
        Place::Service(name) => Ok(vec![name.clone()]),
        Place::DeploymentGroup { application, group } => {
            let names = std::slice::from_ref(group);
            let groups = codedeploy::describe_groups(&clients.codedeploy, application, names).await?;
            Ok(groups.into_iter().flat_map(|it| it.services).collect())
        }
        Place::Everywhere | Place::Repository(_) | Place::Migration(_) | Place::Snapshot(_) => {
            let arns = tagging::resources(&clients.tagging, "ecs:service", keys::DEPLOY).await?;
            Ok(arns.iter().filter_map(|arn| ServiceName::of_arn(arn)).collect())
        }
    }
}

async fn describe_services(clients: &Clients, names: &[ServiceName]) -> ecs::Services {
    let mut services = ecs::Services::default();
    let answers = each(ecs::batches(names), READS, async |batch| ecs::describe_services(&clients.ecs, &batch).await);
    for answer in answers.await {
        services.extend(answer);
    }
    services.found.sort_by(|a, b| a.arn.cmp(&b.arn));
    services
}

/// Adds the revisions `arns` to `world`, as far as it lacks them, or why they cannot be read.
async fn describe_revisions(clients: &Clients, arns: BTreeSet<String>, world: &mut World) {
    let missing: Vec<String> = arns.into_iter().filter(|it| !world.task_definitions.contains_key(it)).collect();
    let answers = each(missing, READS, async |arn| (ecs::describe_task_definition(&clients.ecs, &arn).await, arn));
    for (answer, arn) in answers.await {
        match answer {
            Ok(revision) => drop(world.task_definitions.insert(arn, revision)),
            Err(error) => drop(world.unreadable.insert(arn, error.to_string())),
        }
    }
}

/// Reads the past of the services whose present leaves a question.
async fn look_back(clients: &Clients, place: &Place, now: &Zoned, world: &mut World) {
    let asked = world.services.iter().filter(|it| plan::wants_history(it, world, place));
    let (by_code_deploy, by_ecs): (Vec<_>, Vec<_>) = asked.partition(|it| it.controller == Controller::CodeDeploy);
    let told = codedeploy::tell(&clients.codedeploy, &by_code_deploy, now.timestamp() - plan::LOOK_BACK).await;
    let asked: Vec<(String, ServiceName)> = by_ecs.iter().map(|it| (it.arn.clone(), it.name.clone())).collect();
    let answers = each(asked, READS, async |(arn, name)| (ecs::list_rollouts(&clients.ecs, &name).await, arn)).await;
    world.history = answers.into_iter().map(|(past, arn)| (arn, past.map_err(|err| err.to_string()))).collect();
    world.learn(told);
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

/// Carries out one step; returns what only the doing could tell.
async fn apply(clients: &Clients, run: &Run<'_>, step: &Step) -> Result<Value, Error> {
    match step {
        Step::Deploy(deploy) => {
            still_so(clients, &deploy.way).await?;
            let revision = registered(clients, &deploy.revision).await?;
            let mut after = bring(clients, &deploy.service, &deploy.way, &revision, &deploy.to).await?;
            after["task_definition"] = plan::short_name(&revision).into();
            Ok(after)
        }
        Step::RollBack(back) => {
            still_so(clients, &back.way).await?;
            bring(clients, &back.service, &back.way, &back.to_revision, &back.to).await
        }
        Step::Stop(stop) => {
            codedeploy::stop_deployment(&clients.codedeploy, stop).await?;
            Ok(Value::Null)
        }
        Step::Migrate(migrate) => {
            let revision = registered(clients, &migrate.revision).await?;
            ecs::run_task(&clients.ecs, migrate, &revision).await
        }
        Step::AskForSnapshot(ask) => {
            let missing =
                || Error::unexpected("Invoke", "snapshot-databases", "outside of a stack nobody is there to ask");
            let function = run.sibling("snapshot-databases").ok_or_else(missing)?;
            let wish = json!({"snapshot": {"database": ask.database, "image": ask.digest.to_string()}});
            aws::lambda::wake(&clients.lambda, &function, &wish.to_string()).await?;
            Ok(Value::Null)
        }
        Step::Remember(memory) => {
            aws::ecs::write_tag(&clients.ecs, &memory.arn, memory.key, memory.value.as_deref()).await?;
            Ok(Value::Null)
        }
    }
}

/// With CodeDeploy: that no deployment has begun which the decision did not know of.
async fn still_so(clients: &Clients, way: &Way) -> Result<(), Error> {
    match way {
        Way::UpdateService => Ok(()),
        Way::CreateDeployment(how) => codedeploy::nothing_new(&clients.codedeploy, how).await,
    }
}

/// The ARN of a revision, which is registered first if need be.
async fn registered(clients: &Clients, revision: &Revision) -> Result<String, Error> {
    match revision {
        Revision::Registered(arn) => Ok(arn.clone()),
        Revision::Register(fields) => ecs::register_task_definition(&clients.ecs, &clients.registrations, fields).await,
    }
}

/// Begins the deployment of a revision, and returns what only the doing could tell.
async fn bring(
    clients: &Clients,
    service: &ServiceName,
    way: &Way,
    revision: &str,
    image: &str,
) -> Result<Value, Error> {
    match way {
        Way::UpdateService => {
            ecs::update_service(&clients.ecs, service, revision).await?;
            Ok(json!({}))
        }
        Way::CreateDeployment(how) => {
            let id = codedeploy::create_deployment(&clients.codedeploy, how, revision, image).await?;
            Ok(json!({"deployment": id}))
        }
    }
}
