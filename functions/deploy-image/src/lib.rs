#![doc = include_str!("../README.md")]

mod apply;
mod codedeploy;
mod decide;
mod ecs;
mod elb;
pub mod health;
mod needs;
mod observe;
mod plan;
mod recheck;
mod request;
mod scheduler;

use aws::ecs::Ecs;
use aws::query::{Query, RDS};
use aws::{CODEDEPLOY, ECR, ECS, Error, JsonApi, Late, late};
use aws_config::SdkConfig;
use health::Probe;
use reconcile::Report;
use reconcile::memory::Note;
use request::Request;
use runtime::Run;

/// The clients of the services that this function calls.
pub struct Clients {
    codedeploy: JsonApi,
    balancers: Query,
    described: Ecs,
    ecr: JsonApi,
    ecs: JsonApi,
    lambda: aws::lambda::Lambda,
    memory: Late<aws_sdk_ecs::Client>,
    needs: needs::Clients,
    probe: Probe,
    rds: Query,
    scheduler: aws::scheduler::Scheduler,
    tagging: aws::tagging::Tagging,
    task_definitions: ecs::TaskDefinitions,
}

impl Clients {
    /// Clients of the real network.
    pub fn new(config: &SdkConfig) -> Self {
        Clients {
            balancers: elb::client(config),
            described: Ecs::retrying(config),
            codedeploy: JsonApi::new(CODEDEPLOY, config),
            ecr: JsonApi::new(ECR, config),
            ecs: JsonApi::new(ECS, config),
            lambda: aws::lambda::Lambda::new(config),
            memory: late(config, aws_sdk_ecs::Client::new),
            needs: needs::Clients::new(config),
            probe: Probe::default(),
            rds: Query::new(RDS, config),
            scheduler: aws::scheduler::Scheduler::new(config),
            tagging: aws::tagging::Tagging::new(config),
            task_definitions: ecs::TaskDefinitions::new(config),
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
    let recheck = recheck::Recheck::of(&plan);
    Ok(run.apply(plan, async |step| apply::apply(clients, run, &recheck, step).await, remember).await)
}
