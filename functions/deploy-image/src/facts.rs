//! Looks at what the gates ask for, and at nothing else: without a gate, or without an image before it, at nothing.

use std::collections::BTreeSet;

use aws::rds::{Rds, find_databases, find_snapshot};
use aws::{Error, each};
use rules::database::Kind;
use runtime::Run;
use tokio::time::Instant;

use crate::plan::{Ask, Backup, Fact, Health, Seen, World, wanted_facts};
use crate::request::Place;
use crate::{Clients, READS, describe_services, ecr, ecs, health, names};

/// How many addresses are asked at a time.
const CHECKS: usize = 64;

/// Adds to `world` what the gates have to know.
///
/// What one gate learns opens the next one or not, so they are asked again until none asks for more.
pub async fn look(clients: &Clients, ask: Option<&Ask>, run: &Run<'_>, world: &mut World) {
    loop {
        let wanted: BTreeSet<Fact> = wanted_facts(world, ask, &run.now);
        if wanted.is_empty() {
            return;
        }
        // A check of health mostly waits.
        let checks = wanted.iter().any(|it| matches!(it, Fact::Health { .. }));
        let at_a_time = if checks { CHECKS } else { READS };
        for (fact, seen) in each(wanted, at_a_time, async |fact| (fact.clone(), see(clients, run, &fact).await)).await {
            world.facts.insert(fact, seen);
        }
    }
}

async fn see(clients: &Clients, run: &Run<'_>, fact: &Fact) -> Seen {
    let seen = match fact {
        Fact::Scan { repository, digest } => ecr::list_scans(&clients.ecr, repository, digest).await.map(Seen::Scans),
        Fact::Tasks { cluster, family } => ecs::list_family(&clients.ecs, cluster, family).await.map(Seen::Tasks),
        Fact::TaskDefinition(name) => {
            ecs::describe_task_definition(&clients.ecs, name).await.map(|it| Seen::TaskDefinition(Box::new(it)))
        }
        Fact::Snapshot { database, id } => {
            backup(&clients.rds, database, id).await.map(|it| Seen::Backup(Box::new(it)))
        }
        Fact::Health { .. } if Instant::now() + health::LONGEST > run.last_start => Ok(Seen::Health(Health::Later)),
        Fact::Health { url, .. } => Ok(Seen::Health(clients.probe.check(url).await)),
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
