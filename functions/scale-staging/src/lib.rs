#![doc = include_str!("../README.md")]

mod apply;
mod autoscaling;
mod ec2;
mod ec2_autoscaling;
mod ecs;
mod observe;
mod plan;
mod rds;
mod request;
mod scheduler;

use aws::Error;
use aws::ecs::Ecs;
use aws::lambda::Lambda;
use aws::rds::Rds;
use aws::scheduler::Scheduler;
use aws::tagging::Tagging;
use aws_config::SdkConfig;
use reconcile::Report;
use reconcile::memory::Note;
use runtime::Run;

use autoscaling::Scaling;
use ec2::Ec2;
use ec2_autoscaling::Groups;
use plan::Scope;

pub use plan::Request;

/// The clients of the services that this function calls.
pub struct Clients {
    ec2: Ec2,
    ecs: Ecs,
    groups: Groups,
    lambda: Lambda,
    rds: Rds,
    scaling: Scaling,
    scheduler: Scheduler,
    tagging: Tagging,
}

impl Clients {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        Clients {
            ec2: Ec2::new(config),
            ecs: Ecs::new(config),
            groups: Groups::new(config),
            lambda: Lambda::new(config),
            rds: Rds::new(config, None),
            scaling: Scaling::new(config),
            scheduler: Scheduler::new(config),
            tagging: Tagging::new(config),
        }
    }
}

/// One run: looks where the request says, decides what sleeps and what wakes, and makes it so.
pub async fn handle(clients: &Clients, request: Request, run: &Run<'_>) -> Result<Report, Error> {
    if request.scope == Scope::LastDay {
        let resources = observe::remembering(clients).await?;
        return Ok(run.answer(plan::last_day(&resources, &run.now)));
    }
    let world = observe::observe(clients, &request.scope, run).await?;
    let plan = plan::plan(&world, &request, &run.now);
    let remember = async |note: &Note| apply::write_note(clients, note, run).await;
    Ok(run.apply(plan, async |step| apply::apply(clients, step, run).await, remember).await)
}
