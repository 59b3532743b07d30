#![doc = include_str!("../README.md")]

mod apply;
mod codedeploy;
mod ecr;
mod ecs;
pub mod health;
mod observe;
mod plan;
mod recheck;
mod request;

use aws::ecs::Ecs;
use aws::rds::Rds;
use aws::{Error, Pace};
use aws_config::SdkConfig;
use reconcile::Report;
use reconcile::memory::Note;
use runtime::Run;

use health::Probe;
use recheck::Recheck;
use request::Request;

/// The clients of the services that this function calls.
pub struct Clients {
    codedeploy: aws_sdk_codedeploy::Client,
    described: Ecs,
    ecr: aws_sdk_ecr::Client,
    ecs: aws_sdk_ecs::Client,
    lambda: aws_sdk_lambda::Client,
    probe: Probe,
    rds: Rds,
    tagging: aws_sdk_resourcegroupstagging::Client,
    /// ECS registers 20 task definitions at once and then one a second, for the whole account.
    registrations: Pace,
}

impl Clients {
    /// Clients of the real network.
    pub fn new(config: &SdkConfig) -> Self {
        let ecs = aws_sdk_ecs::Client::new(config);
        Clients {
            described: Ecs::of(ecs.clone()),
            codedeploy: aws_sdk_codedeploy::Client::new(config),
            ecr: aws_sdk_ecr::Client::new(config),
            ecs,
            lambda: aws_sdk_lambda::Client::new(config),
            probe: Probe::default(),
            rds: Rds::new(config, None),
            tagging: aws_sdk_resourcegroupstagging::Client::new(config),
            registrations: Pace::new(20, 1),
        }
    }

    /// With another way to ask addresses.
    pub fn with_probe(self, probe: Probe) -> Self {
        Clients { probe, ..self }
    }
}

/// One run: looks where the request says, decides, and carries out what was decided.
pub async fn handle(clients: &Clients, request: Request, run: &Run<'_>) -> Result<Report, Error> {
    let Request { scope, command } = request;
    let mut world = observe::world(clients, &scope, run).await?;
    let mut decision = plan::plan(&world, &scope, command.as_ref(), &run.now);
    // What one gate learns opens the next one, so it is decided again until no gate lacks anything.
    while !decision.lacking.is_empty() {
        observe::facts(clients, run, decision.lacking, &mut world).await;
        decision = plan::plan(&world, &scope, command.as_ref(), &run.now);
    }
    let remember = async |note: &Note| apply::remember(clients, note).await;
    let recheck = Recheck::of(&decision.plan);
    Ok(run.apply(decision.plan, async |step| apply::apply(clients, run, &recheck, step).await, remember).await)
}
