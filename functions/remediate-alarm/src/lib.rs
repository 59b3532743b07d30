#![doc = include_str!("../README.md")]

mod apply;
mod cloudwatch;
mod ecs;
mod observe;
mod plan;
mod rds;
mod request;

use aws::ecs::Ecs;
use aws::lambda::Lambda;
use aws::rds::Rds;
use aws::tagging::Tagging;
use aws::{Error, Late, late};
use aws_config::SdkConfig;
use reconcile::Report;
use reconcile::memory::Note;
use rules::keys;
use runtime::Run;

use plan::scope::Options;
use plan::step::Step;
use request::Request;

/// The clients of the services that this function calls.
pub struct Clients {
    cloudwatch: Late<aws_sdk_cloudwatch::Client>,
    ecs: Ecs,
    lambda: Lambda,
    rds: Rds,
    tagging: Tagging,
}

impl Clients {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        Clients {
            cloudwatch: late(config, aws_sdk_cloudwatch::Client::new),
            ecs: Ecs::new(config),
            lambda: Lambda::new(config),
            rds: Rds::new(config, None),
            tagging: Tagging::new(config),
        }
    }
}

/// One run: reads the alarms again that it was called for, decides, and starts the remedies.
pub async fn handle(clients: &Clients, request: Request, run: &Run<'_>) -> Result<Report, Error> {
    let options = Options { scope: &request.scope, command: request.command, max_remedies: run.max_remedies() };
    let world = observe::observe(clients, options, &run.now).await?;
    let plan = plan::plan(&world, options, &run.now);
    let remember = async |note: &Note| {
        let value = note.value.as_deref();
        cloudwatch::write_tag(&clients.cloudwatch, &note.resource, keys::REMEDY_PROBLEM, value).await
    };
    Ok(run.apply(plan, async |step: &Step| apply::apply(clients, step, run).await, remember).await)
}
