#![doc = include_str!("../README.md")]

mod apply;
mod drill;
mod observe;
mod plan;
mod request;
mod restore;
mod s3;

use aws::Error;
use aws::rest::Rest;
use aws::tagging::Tagging;
use aws_config::SdkConfig;
use reconcile::Report;
use reconcile::memory::Note;
use rules::keys;
use runtime::Run;

pub use request::Request;

/// The services of AWS that copies of buckets need.
pub struct Clients {
    tagging: Tagging,
    s3: Rest,
}

impl Clients {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        Clients { tagging: Tagging::new(config), s3: Rest::new(config) }
    }
}

/// One run: looks at the tagged buckets and at their copies, begins what is due, records what has ended, deletes what is
/// no longer kept.
pub async fn handle(clients: &Clients, request: Request, run: &Run<'_>) -> Result<Report, Error> {
    let scope = request.0;
    let world = observe::observe(clients, &scope, run).await?;
    let plan = plan::plan(&world, &scope, &run.now);
    let account = run.account().map(|(_, account)| account).unwrap_or_default();
    let remember = async |note: &Note| {
        s3::remember(&clients.s3, account, &note.resource, keys::BUCKET_PROBLEM, note.value.as_deref()).await
    };
    Ok(run.apply(plan, async |step| apply::apply(clients, step, account, run.last_start).await, remember).await)
}
