#![doc = include_str!("../README.md")]

mod apply;
mod budgets;
mod cloudwatch;
mod machines;
mod observe;
mod plan;
mod request;

use aws::Error;
use aws::ecs::Ecs;
use aws::lambda::Lambda;
use aws::query::Query;
use aws::rds::Rds;
use aws::tagging::Tagging;
use aws_config::SdkConfig;
use reconcile::Report;
use reconcile::memory::Note;
use rules::keys;
use runtime::Run;

use budgets::Budgets;
use machines::Machines;
use plan::Options;
use plan::scope::Own;
use plan::step::Step;
use request::Request;

/// The clients of the services that this function calls.
pub struct Clients {
    budgets: Budgets,
    cloudwatch: Query,
    ecs: Ecs,
    lambda: Lambda,
    machines: Machines,
    rds: Rds,
    tagging: Tagging,
}

impl Clients {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        Clients {
            budgets: Budgets::new(config),
            cloudwatch: cloudwatch::client(config),
            ecs: Ecs::new(config),
            lambda: Lambda::new(config),
            machines: Machines::new(config),
            rds: Rds::new(config, None),
            tagging: Tagging::new(config),
        }
    }
}

/// One run: reads all budgets and all that is expendable, decides, tells people, and wakes `scale-staging`.
pub async fn handle(clients: &Clients, request: Request, run: &Run<'_>) -> Result<Report, Error> {
    let (partition, account) = run.account().ok_or_else(|| {
        let message = "neither NIGHTSHIFT_BUDGET_TOPIC_ARN nor NIGHTSHIFT_TOPIC_ARN says whose budgets are meant";
        Error::unexpected("DescribeBudgets", "all", message)
    })?;
    let own = Own { account: account.into(), topic: run.budget_topic().map(str::to_owned) };
    let options = Options { scope: &request.scope, command: request.command.as_ref(), own: &own };
    let world = observe::observe(clients, options, partition, run).await?;
    let plan = plan::plan(&world, options, &run.now);
    let notes = plan::to_remember(&plan);
    let apply = async |step: &Step| apply::apply(clients, step, run).await;
    let remember = async |note: &Note| {
        apply::write_tag(clients, &note.resource, keys::BUDGET_PROBLEM, note.value.as_deref(), run.last_start).await
    };
    let mut report = run.apply(plan, apply, remember).await;
    apply::remember_told(clients, &notes, &mut report).await;
    Ok(report)
}
