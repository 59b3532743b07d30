//! Looks at a service once more right before it is changed: between the decision and the change another run, a person or
//! Terraform may have deployed. One push under five tags makes five events, and five runs that decide the same.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Mutex;

use aws::Error;
use aws::ecs::{Cause, Missing, describe_services};
use reconcile::Plan;
use rules::ServiceName;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::ecs::Standing;
use crate::plan::{DeployVia, Step, Unchanged};
use crate::{Clients, codedeploy, ecs};

/// DescribeServices takes no more names than this, all of one cluster.
const SERVICES_PER_CALL: usize = 10;

/// The services that a plan changes, in the batches in which they are looked at, each when its first one is changed.
pub struct Recheck {
    batches: Vec<Batch>,
    batch_of: BTreeMap<ServiceName, usize>,
    /// The revisions that this run registers, by family.
    registered: Mutex<BTreeMap<String, Registered>>,
}

/// The revisions of a family that a run registers.
#[derive(Default)]
struct Registered {
    /// How many calls were begun.
    begun: u64,
    /// The numbers that came back.
    numbers: BTreeSet<u64>,
}

struct Batch {
    names: Vec<ServiceName>,
    standing: OnceCell<BTreeMap<ServiceName, Standing>>,
}

impl Recheck {
    /// For the deployments of `plan` that ECS carries out.
    pub fn of(plan: &Plan<Step>) -> Self {
        let changed = plan.steps.iter().filter_map(|it| match &it.step {
            Step::Deploy(it) => Some((&it.service, &it.via)),
            Step::RollBack(it) => Some((&it.service, &it.via)),
            _ => None,
        });
        let mut recheck = Recheck { batches: Vec::new(), batch_of: BTreeMap::new(), registered: Mutex::default() };
        for (service, _) in changed.filter(|(_, via)| matches!(via, DeployVia::UpdateService(_))) {
            let open = |it: &Batch| it.names.len() < SERVICES_PER_CALL && it.names[0].cluster == service.cluster;
            let batch = match recheck.batches.iter().rposition(open) {
                Some(batch) => batch,
                None => {
                    recheck.batches.push(Batch { names: Vec::new(), standing: OnceCell::new() });
                    recheck.batches.len() - 1
                }
            };
            recheck.batches[batch].names.push(service.clone());
            recheck.batch_of.insert(service.clone(), batch);
        }
        recheck
    }

    /// Registers a revision, after a look at the service.
    ///
    /// ECS has no call that registers only if nobody else has, so two runs in lockstep register one revision each. The
    /// numbers that ECS gives them are an order that both can see, and the earlier one is deployed.
    pub async fn register(
        &self,
        clients: &Clients,
        service: &ServiceName,
        via: &DeployVia,
        fields: &Value,
    ) -> Result<String, Error> {
        // Registering waits for its turn, and the service must not change while it does.
        clients.task_definitions.turn().await;
        self.ensure_unchanged(clients, service, via).await?;
        let family = fields.get("family").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Ok(mut registered) = self.registered.lock() {
            registered.entry(family.clone()).or_default().begun += 1;
        }
        let arn = ecs::register_task_definition(&clients.task_definitions, fields).await?;
        let (Some(number), DeployVia::UpdateService(seen)) = (number(&arn), via) else { return Ok(arn) };
        let own = self.registered.lock().map(|mut it| {
            let registered = it.entry(family).or_default();
            registered.numbers.insert(number);
            (registered.begun, registered.numbers.clone())
        });
        let (Ok((begun, own)), Some(next)) = (own, seen.next_revision) else { return Ok(arn) };
        if !(next..next + begun).contains(&number) {
            give_way(clients, &arn, next..number, &own, fields).await?;
            let standing = read(clients, std::slice::from_ref(service)).await?;
            compare(seen, standing.get(service))?;
        }
        Ok(arn)
    }

    /// That nothing was deployed since the decision; if something was, the next run decides anew.
    pub async fn ensure_unchanged(
        &self,
        clients: &Clients,
        service: &ServiceName,
        via: &DeployVia,
    ) -> Result<(), Error> {
        match via {
            DeployVia::CreateDeployment(how) => codedeploy::ensure_unchanged(&clients.codedeploy, how).await,
            DeployVia::UpdateService(seen) => {
                let Some(batch) = self.batch_of.get(service).and_then(|it| self.batches.get(*it)) else {
                    return Ok(());
                };
                let standing = batch.standing.get_or_try_init(|| read(clients, &batch.names)).await?;
                compare(seen, standing.get(service))
            }
        }
    }
}

/// The number of a revision in its family.
fn number(arn: &str) -> Option<u64> {
    arn.rsplit_once(':')?.1.parse().ok()
}

/// How many revisions between the expected one and the registered one are looked at.
const LOOKED_AT: usize = 20;

/// Leaves the deployment to another run that has registered the same revision before this one.
///
/// A family may serve several services, each of which gets a revision of the same content: the run that registered as
/// many of them first deploys.
async fn give_way(
    clients: &Clients,
    arn: &str,
    between: Range<u64>,
    own: &BTreeSet<u64>,
    fields: &Value,
) -> Result<(), Error> {
    let Some((family, _)) = arn.rsplit_once(':') else { return Ok(()) };
    let earlier = own.range(..between.end).count();
    let mut of_others = 0;
    for number in between.filter(|it| !own.contains(it)).take(LOOKED_AT) {
        let revision = ecs::describe_task_definition(&clients.task_definitions, &format!("{family}:{number}")).await?;
        of_others += usize::from(revision.next(&[], "", &[]) == *fields);
    }
    if of_others > earlier { Err(Error::not_now()) } else { Ok(()) }
}

async fn read(clients: &Clients, names: &[ServiceName]) -> Result<BTreeMap<ServiceName, Standing>, Error> {
    let services = describe_services(&clients.described, names.to_vec(), ecs::standing).await;
    if let Some(Missing { cause: Cause::Denied(error), service }) = services.missing.into_iter().next() {
        return Err(Error::unexpected("DescribeServices", &service.to_string(), error));
    }
    Ok(services.found.into_iter().map(|it| (it.service.clone(), it)).collect())
}

fn compare(seen: &Unchanged, standing: Option<&Standing>) -> Result<(), Error> {
    let same = |it: &Standing| it.task_definition == seen.task_definition && it.deployment == seen.deployment;
    if standing.is_some_and(same) { Ok(()) } else { Err(Error::not_now()) }
}
