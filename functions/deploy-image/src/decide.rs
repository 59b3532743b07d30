//! Observes and plans until no gate lacks anything.

use aws::Error;
use reconcile::Plan;
use rules::ServiceName;
use runtime::Run;

use crate::plan::{self, MemoryChange, Scope, Step};
use crate::request::Request;
use crate::{Clients, observe};

/// What to do, after everything that the decision takes was observed.
///
/// Services that promote from one whose image is found live are looked at in the same run: `soak=0h` is an order of
/// services, and an hour between two of them would be long. A look at all services sees them as
/// they are before it, so there the next event or sweep leads on.
pub async fn decide(clients: &Clients, request: &Request, run: &Run<'_>) -> Result<Plan<Step>, Error> {
    let mut plan = look(clients, request, run).await?;
    if request.scope.is_whole() {
        return Ok(plan);
    }
    if let Some(request) = followers(clients, live(&plan)).await? {
        let more = look(clients, &request, run).await?;
        plan.extend(more);
    }
    Ok(plan)
}

async fn look(clients: &Clients, request: &Request, run: &Run<'_>) -> Result<Plan<Step>, Error> {
    let Request { scope, command } = request;
    let mut world = observe::world(clients, scope, run).await?;
    let mut decision = plan::plan(&world, scope, command.as_ref(), &run.now);
    // What one gate learns opens the next one, so it is decided again until no gate lacks anything.
    while !decision.lacking.is_empty() {
        observe::facts(clients, run, decision.lacking, &mut world).await;
        decision = plan::plan(&world, scope, command.as_ref(), &run.now);
    }
    Ok(decision.plan)
}

/// The services whose image the plan finds live.
fn live(plan: &Plan<Step>) -> Vec<ServiceName> {
    let found = |step: &Step| match step {
        Step::Remember(it) if it.change == MemoryChange::Live => Some(it.service.clone()),
        _ => None,
    };
    plan.steps.iter().filter_map(|it| found(&it.step)).collect()
}

/// A look at the services that promote from these, and at the schedules that follow them; the sweep looks at all anyway.
async fn followers(clients: &Clients, live: Vec<ServiceName>) -> Result<Option<Request>, Error> {
    if live.is_empty() {
        return Ok(None);
    }
    let tagged = observe::tagged(clients).await?;
    let follows = tagged.services.values().any(|tags| plan::promotes_from(tags, &live));
    let scheduled = tagged.groups.iter().filter_map(plan::followed).flatten().any(|it| live.contains(&it));
    Ok((follows || scheduled).then_some(Request { scope: Scope::Followers(live), command: None }))
}
