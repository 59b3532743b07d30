#![doc = include_str!("../README.md")]

mod apply;
mod ec2;
mod observe;
mod plan;
mod request;
mod ssm;

use aws::query::{Query, RDS};
use aws::{ECR, Error, JsonApi, SSM};
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use reconcile::Report;
use reconcile::memory::Note;
use runtime::Run;

pub use request::Request;

/// The clients of the services that this function calls.
pub struct Clients {
    ec2: ec2::Ec2,
    ecr: JsonApi,
    lambda: aws::lambda::Lambda,
    rds: Query,
    /// Makes each call once: a command that is sent twice runs twice.
    sending: JsonApi,
    ssm: JsonApi,
}

impl Clients {
    /// Clients of the real network.
    pub fn new(config: &SdkConfig) -> Self {
        Clients {
            ec2: ec2::Ec2::new(config),
            ecr: JsonApi::new(ECR, config),
            lambda: aws::lambda::Lambda::new(config),
            rds: Query::new(RDS, config),
            sending: JsonApi::new(SSM, &config.to_builder().retry_config(RetryConfig::disabled()).build()),
            ssm: JsonApi::new(SSM, config),
        }
    }
}

/// One run: looks where the request says, decides, and carries out what was decided.
pub async fn handle(clients: &Clients, request: Request, run: &Run<'_>) -> Result<Report, Error> {
    let plan = observe::decided(clients, &request, run).await?;
    let remember = async |note: &Note| ec2::remember(&clients.ec2, note, run.last_start).await;
    Ok(run.apply(plan, async |step| apply::apply(clients, run, step).await, remember).await)
}
