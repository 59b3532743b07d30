#![doc = include_str!("../README.md")]

mod apply;
mod ecr;
mod ecs;
mod kms;
mod observe;
mod plan;
mod rds;
mod request;

use aws::rds::Regions;
use aws::{Error, JsonApi, KMS};
use aws_config::SdkConfig;
use reconcile::Report;
use reconcile::memory::Note;
use runtime::Run;

use observe::{Places, Registry};
pub use request::Sweep;

/// The clients of the services that this function calls.
pub struct Clients {
    rds: Regions,
    registry: Registry,
    kms: JsonApi,
}

impl Clients {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        Clients { rds: Regions::new(config), registry: Registry::new(config), kms: JsonApi::new(KMS, config) }
    }
}

/// One run: looks at all databases and snapshots, repositories and images, decides, and deletes what no rule keeps.
pub async fn handle(clients: &Clients, _: Sweep, run: &Run<'_>) -> Result<Report, Error> {
    let places = Places {
        here: &clients.rds.here,
        kms: &clients.kms,
        elsewhere: clients.rds.elsewhere(run.copy_regions().keys()),
    };
    let world = observe::observe(&places, &clients.registry, clients.rds.region(), run).await?;
    let plan = plan::plan(&world, &run.now);
    // Thousands of snapshots are not needed any more while they are deleted.
    drop(world);
    let ecr = &clients.registry.ecr;
    let remember = async |note: &Note| apply::remember(&places, ecr, note).await;
    Ok(run.apply(plan, async |step| apply::apply(&places, ecr, step, run.last_start).await, remember).await)
}
