#![doc = include_str!("../README.md")]

mod apply;
mod ecs;
mod logs;
mod observe;
mod plan;
mod rds;
mod request;

use aws::ecs::Ecs;
use aws::rds::{Rds, write_tag};
use aws::{Error, JsonApi, LOGS};
use aws_config::SdkConfig;
use reconcile::Report;
use reconcile::memory::Note;
use rules::keys;
use runtime::Run;

pub use request::Request;

/// The services of AWS that a drill needs.
pub struct Clients {
    rds: Rds,
    ecs: Ecs,
    logs: JsonApi,
}

impl Clients {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        Clients {
            rds: Rds::new(config, None),
            ecs: Ecs::of(aws_sdk_ecs::Client::new(config)),
            logs: JsonApi::new(LOGS, config),
        }
    }
}

/// One run: looks at the databases that are drilled and at their drills, and takes each of them a step further.
pub async fn handle(clients: &Clients, request: Request, run: &Run<'_>) -> Result<Report, Error> {
    let scope = request.0;
    let world = observe::observe(clients, &scope, run).await?;
    let plan = plan::plan(&world, &scope, &run.now);
    let remember = async |note: &Note| {
        write_tag(&clients.rds, &note.resource, keys::DRILL_PROBLEM, note.value.as_deref(), None).await
    };
    Ok(run.apply(plan, async |step| apply::apply(clients, step, run.last_start).await, remember).await)
}
