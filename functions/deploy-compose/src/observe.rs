//! Reads what the decision depends on: instances, what was sent to them, images; what gates ask for only when one asks.

use std::collections::{BTreeMap, BTreeSet};

use aws::rds::find_backup;
use aws::{Error, each};
use gates::Calendar;
use reconcile::Plan;
use runtime::Run;

use crate::plan::{self, Fact, Observation, Step, World};
use crate::request::Request;
use crate::{Clients, ec2, ssm};

/// How many reads are under way at a time.
const READS: usize = 8;

/// What to do, after everything that the decision takes was observed.
pub async fn decided(clients: &Clients, request: &Request, run: &Run<'_>) -> Result<Plan<Step>, Error> {
    let Request { scope, command } = request;
    let mut world = world(clients, request, run).await?;
    let mut decision = plan::plan(&world, scope, command.as_ref(), &run.now);
    // What one gate learns opens the next one, so it is decided again until no gate lacks anything.
    while !decision.lacking.is_empty() {
        facts(clients, decision.lacking, &mut world).await;
        decision = plan::plan(&world, scope, command.as_ref(), &run.now);
    }
    Ok(decision.plan)
}

async fn world(clients: &Clients, request: &Request, run: &Run<'_>) -> Result<World, Error> {
    let calendar = Calendar { stack: run.calendar().clone(), freeze: run.freeze() };
    let instances = ec2::list_tagged(&clients.ec2).await?;
    let mut world = World { instances, calendar, region: clients.ec2.region.clone(), ..World::default() };
    let wanted = plan::wanted(&world, &request.scope);
    let pings = ssm::list_pings(&clients.ssm, &wanted.instances);
    let images = each(wanted.repositories, READS, async |it| (registry::list_images(&clients.ecr, &it).await, it));
    let sent = each(wanted.orders, READS, async |(id, order)| {
        (ssm::find_command(&clients.ssm, &id, run.compose_document(), &order.key, order.at).await, id)
    });
    let groups = async {
        match wanted.groups {
            true => ec2::list_groups_of_fleets(&clients.ec2).await,
            false => Ok(Vec::new()),
        }
    };
    let (pings, images, sent, groups) = tokio::join!(pings, images, sent, groups);
    world.groups = groups.map_err(|err| err.to_string());
    world.pings = pings.map_err(|err| err.to_string());
    world.repositories = by_name(images);
    world.invocations = by_name(sent);
    Ok(world)
}

fn by_name<T>(answers: Vec<(Result<T, Error>, String)>) -> BTreeMap<String, Result<T, String>> {
    answers.into_iter().map(|(answer, name)| (name, answer.map_err(|err| err.to_string()))).collect()
}

/// Adds to `world` the facts that the decision lacks.
async fn facts(clients: &Clients, lacking: BTreeSet<Fact>, world: &mut World) {
    let answers = each(lacking, READS, async |fact| {
        let seen = match &fact {
            Fact::Scan { repository, digest } => {
                registry::list_scans(&clients.ecr, repository, digest).await.map(Observation::Scans)
            }
            Fact::Snapshot { database, id } => {
                find_backup(&clients.rds, database, id).await.map(|it| Observation::Backup(Box::new(it)))
            }
        };
        (fact, seen.unwrap_or_else(|error| Observation::Unavailable(error.to_string())))
    });
    world.facts.extend(answers.await);
}
