//! Looks at what the gates ask for, and at nothing else: without a gate, or without an image before it, at nothing.

use std::collections::BTreeSet;

use aws::rds::{Rds, find_databases, find_snapshot};
use aws::{Error, each};
use rules::database::Kind;
use runtime::Run;

use crate::plan::{Ask, Backup, Fact, Seen, World, wanted_facts};
use crate::request::Place;
use crate::{Clients, READS, describe_services, ecr, ecs, names};

/// Adds to `world` what the gates have to know.
///
/// What one gate learns opens the next one or not, so they are asked again until none asks for more.
pub async fn look(clients: &Clients, ask: Option<&Ask>, run: &Run<'_>, world: &mut World) {
    loop {
        let wanted: BTreeSet<Fact> = wanted_facts(world, ask, &run.now);
        if wanted.is_empty() {
            return;
        }
        for (fact, seen) in each(wanted, READS, async |fact| (fact.clone(), see(clients, &fact).await)).await {
            world.facts.insert(fact, seen);
        }
    }
}

async fn see(clients: &Clients, fact: &Fact) -> Seen {
    let seen = match fact {
        Fact::Scan { repository, digest } => ecr::list_scans(&clients.ecr, repository, digest).await.map(Seen::Scans),
        Fact::Tasks { cluster, family } => ecs::list_family(&clients.ecs, cluster, family).await.map(Seen::Tasks),
        Fact::TaskDefinition(name) => {
            ecs::describe_task_definition(&clients.ecs, name).await.map(|it| Seen::TaskDefinition(Box::new(it)))
        }
        Fact::Snapshot { database, id } => backup(&clients.rds, database, id).await.map(Seen::Backup),
        Fact::Services => match names(clients, &Place::Everywhere).await {
            Ok(names) => Ok(Seen::Services(describe_services(clients, &names).await.found)),
            Err(error) => Err(error),
        },
    };
    seen.unwrap_or_else(|error| Seen::Refused(error.cause()))
}

/// The snapshot, whether it is one of a DB instance or of a DB cluster; if there is none, what it could be taken of.
async fn backup(rds: &Rds, database: &str, id: &str) -> Result<Backup, Error> {
    for kind in [Kind::Instance, Kind::Cluster] {
        let snapshot = find_snapshot(rds, kind, id).await?;
        if snapshot.is_some() {
            return Ok(Backup { snapshot, databases: Vec::new() });
        }
    }
    Ok(Backup { snapshot: None, databases: find_databases(rds, database).await? })
}
