#![doc = include_str!("../README.md")]

mod apply;
mod codedeploy;
mod decide;
mod ecs;
mod elb;
pub mod health;
mod observe;
mod plan;
mod recheck;
mod request;

use aws::ecs::Ecs;
use aws::query::Query;
use aws::rds::Rds;
use aws::tagging::Tagging;
use aws::{CODEDEPLOY, ECR, Error, JsonApi};
use aws_config::SdkConfig;
use reconcile::Report;
use reconcile::memory::Note;
use runtime::Run;

use ecs::TaskDefinitions;
use health::Probe;
use recheck::Recheck;
use request::Request;

/// The clients of the services that this function calls.
pub struct Clients {
    codedeploy: JsonApi,
    balancers: Query,
    described: Ecs,
    ecr: JsonApi,
    ecs: aws_sdk_ecs::Client,
    lambda: aws::lambda::Lambda,
    probe: Probe,
    rds: Rds,
    tagging: Tagging,
    task_definitions: TaskDefinitions,
}

impl Clients {
    /// Clients of the real network.
    pub fn new(config: &SdkConfig) -> Self {
        let ecs = aws_sdk_ecs::Client::new(config);
        Clients {
            balancers: elb::client(config),
            described: Ecs::of(ecs.clone()),
            codedeploy: JsonApi::new(CODEDEPLOY, config),
            ecr: JsonApi::new(ECR, config),
            ecs,
            lambda: aws::lambda::Lambda::new(config),
            probe: Probe::default(),
            rds: Rds::new(config, None),
            tagging: Tagging::new(config),
            task_definitions: TaskDefinitions::new(config),
        }
    }

    /// With another way to ask addresses.
    pub fn with_probe(self, probe: Probe) -> Self {
        Clients { probe, ..self }
    }
}

/// One run: looks where the request says, decides, and carries out what was decided.
pub async fn handle(clients: &Clients, request: Request, run: &Run<'_>) -> Result<Report, Error> {
    let plan = decide::decide(clients, &request, run).await?;
    let remember = async |note: &Note| apply::remember(clients, note).await;
    let recheck = Recheck::of(&plan);
    Ok(run.apply(plan, async |step| apply::apply(clients, run, &recheck, step).await, remember).await)
}
