#![doc = include_str!("../README.md")]

mod budgets;
mod ecs;
pub mod plan;
pub mod request;

use std::collections::BTreeMap;

use aws::rds::{Rds, list_databases, write_memory};
use aws::{Error, each, lambda, tagging};
use aws_config::SdkConfig;
use reconcile::memory::Note;
use reconcile::{Outcome, Report};
use rules::database::Database;
use rules::keys;
use runtime::Run;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use plan::{Own, Resource, Step, Unseen, World};
use request::Request;

/// How many reads are under way at a time.
const READS: usize = 8;

/// The clients of the services that this function calls.
pub struct Clients {
    budgets: aws_sdk_budgets::Client,
    ecs: aws_sdk_ecs::Client,
    lambda: aws_sdk_lambda::Client,
    rds: Rds,
    tagging: aws_sdk_resourcegroupstagging::Client,
}

impl Clients {
    /// The clients that `config` describes.
    pub fn new(config: &SdkConfig) -> Self {
        Clients {
            // Budgets has one endpoint for all regions, which the SDK knows and signs for.
            budgets: aws_sdk_budgets::Client::new(config),
            ecs: aws_sdk_ecs::Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
            rds: Rds::new(config, None),
            tagging: aws_sdk_resourcegroupstagging::Client::new(config),
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
    let world = match &request {
        Request::Heard(notices) if !notices.iter().any(|it| plan::is_ours(it, &own)) => World::default(),
        _ => observe(clients, partition, account).await?,
    };
    let plan = plan::plan(&world, &request, &own, &run.now);
    let told = plan::told(&plan);
    let ledger = Ledger { budgets: &clients.budgets, written: Mutex::default() };
    let scale_staging = run.sibling("scale-staging");
    let apply = async |step: &Step| apply(clients, &ledger, scale_staging.as_deref(), step).await;
    let remember =
        async |note: &Note| write_tag(clients, &note.resource, keys::BUDGET_PROBLEM, note.value.as_deref()).await;
    let mut report = run.apply(plan, apply, remember).await;
    if report.notification_error.is_none() {
        remember_told(clients, &told, &mut report).await;
    }
    Ok(report)
}

/// Everything that the decision depends on, read side by side.
async fn observe(clients: &Clients, partition: &str, account: &str) -> Result<World, Error> {
    let (budgets, services, databases) =
        tokio::join!(list_budgets(clients, partition, account), list_services(clients), list_databases(&clients.rds));
    let (mut resources, unseen) = services?;
    let concerned = |it: &Database| it.tags.contains_key(keys::BUDGET) || it.tags.contains_key(keys::HOLD_MEMORY);
    resources.extend(databases?.into_iter().filter(concerned).map(|it| Resource {
        arn: it.arn,
        name: it.id,
        member_of: it.member_of,
        tags: it.tags,
    }));
    Ok(World { budgets: budgets?, resources, unseen })
}

async fn list_budgets(clients: &Clients, partition: &str, account: &str) -> Result<Vec<plan::Budget>, Error> {
    let listed = budgets::list_budgets(&clients.budgets, partition, account).await?;
    let tagged = each(listed, READS, async |mut budget| {
        budget.tags = budgets::tags(&clients.budgets, &budget.arn).await.map_err(|err| err.cause());
        budget
    });
    Ok(tagged.await)
}

/// The services that are expendable, and those that are held: one that has lost its tag meanwhile would be forgotten.
async fn list_services(clients: &Clients) -> Result<(Vec<Resource>, Vec<Unseen>), Error> {
    let (expendable, held) = tokio::join!(
        tagging::resources(&clients.tagging, "ecs:service", keys::BUDGET),
        tagging::resources(&clients.tagging, "ecs:service", keys::HOLD_MEMORY)
    );
    let mut arns = expendable?;
    arns.extend(held?);
    arns.sort();
    arns.dedup();
    let (mut found, mut unseen) = (Vec::new(), Vec::new());
    for answer in each(ecs::batches(&arns), READS, async |it| ecs::describe_services(&clients.ecs, &it).await).await {
        found.extend(answer.found);
        unseen.extend(answer.unseen);
    }
    Ok((found, unseen))
}

/// Carries out one step; returns what only the doing could tell.
async fn apply(
    clients: &Clients,
    ledger: &Ledger<'_>,
    scale_staging: Option<&str>,
    step: &Step,
) -> Result<Value, Error> {
    if let Some(note) = step.first() {
        ledger.write(note).await?;
    }
    let (resource, hold) = match step {
        Step::Tell(_) => return Ok(Value::Null),
        Step::Hold(it) => (&it.resource, Some(it.hold.as_str())),
        Step::Release(it) => (&it.resource, None),
    };
    write_tag(clients, resource, keys::HOLD_MEMORY, hold).await?;
    let payload = json!({"resource": resource}).to_string();
    let woken = match scale_staging {
        Some(function) => lambda::wake(&clients.lambda, function, &payload).await.map_err(|err| err.cause()),
        None => Err("this function has no siblings here".into()),
    };
    // The wish stands on the resource, where the sweep of scale-staging finds it.
    Ok(match woken {
        Ok(()) => json!({"scale_staging": "woken"}),
        Err(why) => json!({"scale_staging": format!("not woken, so its next sweep does it ({why})")}),
    })
}

/// Writes on each budget once what must be remembered before anything is held or released for it.
struct Ledger<'a> {
    budgets: &'a aws_sdk_budgets::Client,
    written: Mutex<BTreeMap<String, Result<(), Error>>>,
}

impl Ledger<'_> {
    async fn write(&self, note: &plan::Note) -> Result<(), Error> {
        // Whoever comes later waits, since the first may fail.
        let mut written = self.written.lock().await;
        if let Some(result) = written.get(&note.budget) {
            return result.clone();
        }
        let result = budgets::write_tag(self.budgets, &note.budget, keys::WARNED, Some(&note.memory)).await;
        written.insert(note.budget.clone(), result.clone());
        result
    }
}

/// Remembers that people were told; dying before this tells twice, never not at all.
async fn remember_told(clients: &Clients, told: &BTreeMap<String, String>, report: &mut Report) {
    let done = report.actions.iter().filter(|it| it.outcome == Outcome::Done);
    let done: Vec<_> = done.filter_map(|it| told.get_key_value(&it.resource)).collect();
    for (budget, memory) in done {
        if let Err(error) = budgets::write_tag(&clients.budgets, budget, keys::WARNED, Some(memory)).await {
            report.notification_error =
                Some(format!("people were told, and will be told again, since that is not remembered: {error}"));
        }
    }
}

/// Writes a memory tag of whatever this function remembers something on, or removes it.
async fn write_tag(clients: &Clients, arn: &str, key: &str, value: Option<&str>) -> Result<(), Error> {
    match arn.split(':').nth(2) {
        Some("budgets") => budgets::write_tag(&clients.budgets, arn, key, value).await,
        Some("ecs") => aws::ecs::write_tag(&clients.ecs, arn, key, value).await,
        _ => write_memory(&clients.rds, arn, key, value).await,
    }
}
