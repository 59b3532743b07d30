//! Carries out one step of the plan.

use std::collections::BTreeMap;

use aws::{Error, lambda, memory};
use reconcile::Report;
use rules::keys;
use runtime::Run;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::plan::{
    self,
    step::{MemoryNote, Step},
};
use crate::{Clients, machines};

/// Carries out one step; returns what only the doing could tell.
pub async fn apply(clients: &Clients, step: &Step, run: &Run<'_>) -> Result<Value, Error> {
    let (resource, hold) = match step {
        Step::Tell(it) => return remember(clients, &it.note, run).await,
        Step::Remember(note) => return remember(clients, note, run).await,
        Step::Hold(it) => (&it.resource, Some(it.hold.as_str())),
        Step::Release(it) => (&it.resource, None),
    };
    write_tag(clients, resource, keys::HOLD_MEMORY, hold, run.last_start).await?;
    let payload = json!({"resource": resource}).to_string();
    let woken = match run.sibling("scale-staging") {
        Some(function) => lambda::wake(&clients.lambda, &function, &payload).await.map_err(|err| err.to_string()),
        None => Err("this function has no siblings here".into()),
    };
    // The hold stands on the resource, where the sweep of scale-staging finds it.
    Ok(match woken {
        Ok(()) => json!({"scale_staging": "woken"}),
        Err(why) => json!({"scale_staging": format!("not woken, so its next sweep does it ({why})")}),
    })
}

/// Writes a note, unless another run has written one since this one looked: AWS sends a notification for each threshold,
/// often in the same second, and each starts a run. The later one would tell the same again, or forget a release.
async fn remember(clients: &Clients, note: &MemoryNote, run: &Run<'_>) -> Result<Value, Error> {
    let tags = clients.budgets.tags(&note.budget, run.last_start).await?;
    if tags.get(keys::WARNED) != note.before.as_ref() {
        return Err(Error::not_now());
    }
    clients.budgets.write_tag(&note.budget, keys::WARNED, Some(&note.memory)).await?;
    Ok(Value::Null)
}

/// Remembers that people were told; dying before this tells twice, never not at all.
pub async fn remember_told(clients: &Clients, notes: &BTreeMap<String, String>, report: &mut Report) {
    for (budget, memory) in plan::told(notes, report) {
        if let Err(error) = clients.budgets.write_tag(budget, keys::WARNED, Some(memory)).await {
            report.notification_error =
                Some(format!("people were told, and will be told again, since that is not remembered: {error}"));
        }
    }
}

/// Writes a memory tag of whatever this function remembers something on, or removes it.
pub async fn write_tag(
    clients: &Clients,
    arn: &str,
    key: &str,
    value: Option<&str>,
    until: Instant,
) -> Result<(), Error> {
    match arn.split(':').nth(2) {
        Some("budgets") => clients.budgets.write_tag(arn, key, value).await,
        Some("ec2" | "autoscaling") => machines::write_tag_of(&clients.machines, arn, key, value, until).await,
        _ => memory::write(&clients.ecs, &clients.rds, arn, key, value, None).await,
    }
}
