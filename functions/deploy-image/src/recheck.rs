//! Looks at a service once more right before it is changed: between the decision and the change another run, a person or
//! Terraform may have deployed. One push under five tags makes five events, and five runs that decide the same.

use std::collections::BTreeMap;
use std::sync::Mutex;

use aws::Error;
use aws::ecs::{Cause, Missing, describe_services};
use reconcile::Plan;
use rules::ServiceName;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::ecs::Standing;
use crate::plan::{DeployVia, Step, Unchanged, short_name};
use crate::{Clients, codedeploy, ecs};

/// DescribeServices takes no more names than this, all of one cluster.
const SERVICES_PER_CALL: usize = 10;

/// The services that a plan changes, in the batches in which they are looked at, each when its first one is changed.
pub struct Recheck {
    batches: Vec<Batch>,
    batch_of: BTreeMap<ServiceName, usize>,
    /// How many revisions of each family this run registers.
    registered: Mutex<BTreeMap<String, u64>>,
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

    /// Registers a revision, after a look at the service; and looks once more where another run has registered one of
    /// the family in the same moment.
    pub async fn register(
        &self,
        clients: &Clients,
        service: &ServiceName,
        via: &DeployVia,
        fields: &Value,
    ) -> Result<String, Error> {
        // Registering waits for its turn, and the service must not change while it does.
        clients.registrations.turn().await;
        self.ensure_unchanged(clients, service, via).await?;
        let family = fields.get("family").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Ok(mut registered) = self.registered.lock() {
            *registered.entry(family).or_default() += 1;
        }
        let arn = ecs::register_task_definition(&clients.ecs, fields).await?;
        if let DeployVia::UpdateService(seen) = via
            && !self.is_own(&arn, seen)
        {
            let standing = read(clients, std::slice::from_ref(service)).await?;
            compare(seen, standing.get(service))?;
        }
        Ok(arn)
    }

    /// Whether the number of a revision is one that this run's own registrations lead to.
    fn is_own(&self, arn: &str, seen: &Unchanged) -> bool {
        let (Some((family, number)), Some(next)) = (numbered(arn), seen.next_revision) else { return false };
        let own = self.registered.lock().ok().and_then(|it| it.get(&family).copied()).unwrap_or_default();
        (next..next + own).contains(&number)
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

/// The family and the number of a revision.
fn numbered(arn: &str) -> Option<(String, u64)> {
    let (family, number) = short_name(arn).rsplit_once(':')?;
    Some((family.to_owned(), number.parse().ok()?))
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
