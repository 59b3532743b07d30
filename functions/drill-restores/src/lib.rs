#![doc = include_str!("../README.md")]

mod apply;
mod ecs;
mod logs;
mod observe;
mod plan;
mod rds;
mod regions;
mod request;

use aws::Error;
use aws::rds::write_tag;
use reconcile::Report;
use reconcile::memory::Note;
use rules::keys;
use runtime::Run;

pub use regions::Clients;
pub use request::Request;

/// One run: looks at the databases that are drilled and at their drills, and takes each of them a step further.
pub async fn handle(clients: &Clients, request: Request, run: &Run<'_>) -> Result<Report, Error> {
    let scope = request.0;
    let regions = clients.with(run.copy_regions().keys());
    let world = observe::observe(&regions, &scope, run).await?;
    let plan = plan::plan(&world, &scope, &run.now);
    let remember = async |note: &Note| {
        let rds = &regions.of(&note.resource)?.rds;
        write_tag(rds, &note.resource, keys::DRILL_PROBLEM, note.value.as_deref(), None).await
    };
    Ok(run.apply(plan, async |step| apply::apply(&regions, step, run.last_start).await, remember).await)
}
