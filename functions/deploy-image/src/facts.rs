//! Looks at what the gates ask for, and at nothing else: without a gate, or without an image before it, at nothing.

use std::collections::BTreeSet;

use aws::each;
use runtime::Run;

use crate::plan::{Ask, Fact, Seen, World, wanted_facts};
use crate::{Clients, READS, ecr};

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
    };
    seen.unwrap_or_else(|error| Seen::Refused(error.cause()))
}
