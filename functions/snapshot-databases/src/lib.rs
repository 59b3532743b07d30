#![doc = include_str!("../README.md")]

mod apply;
mod observe;
mod plan;
mod rds;
mod request;

use aws::Error;
use aws::rds::{Regions, write_tag};
use aws_config::SdkConfig;
use reconcile::Report;
use reconcile::memory::Note;
use rules::keys;
use runtime::Run;

use plan::Scope;
pub use request::Request;

/// RDS, here and in the regions that are copied to.
pub struct Clients(Regions);

impl Clients {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        Clients(Regions::new(config))
    }
}

/// One run: looks at the databases and their snapshots, decides, and takes and copies what is missing.
pub async fn handle(clients: &Clients, request: Request, run: &Run<'_>) -> Result<Report, Error> {
    let (regions, scope) = (&clients.0, request.0);
    let (world, elsewhere) = observe::observe(regions, &scope, run).await?;
    let plan = plan::plan(&world, &scope, &run.now);
    // Each kind of run remembers its own problems, so that neither clears the other's.
    let key = match scope {
        Scope::One(_) => keys::PREDEPLOY_PROBLEM,
        Scope::Everything | Scope::Copies => keys::SNAPSHOT_PROBLEM,
    };
    // A snapshot that is copied remembers here, where its original is.
    let remember = async |note: &Note| write_tag(&regions.here, &note.resource, key, note.value.as_deref(), None).await;
    Ok(run.apply(plan, async |step| apply::apply(regions, &elsewhere, step, run.last_start).await, remember).await)
}
