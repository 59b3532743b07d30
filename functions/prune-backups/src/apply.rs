//! Carries out one step, and remembers what people were told.

use aws::rds::{delete_snapshot, write_tag};
use aws::{Error, JsonApi};
use reconcile::memory::Note;
use rules::keys;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::ecr;
use crate::observe::Places;
use crate::plan::Step;

/// Carries out `step`; returns what only the doing could tell.
pub async fn apply(places: &Places<'_>, ecr: &JsonApi, step: &Step, until: Instant) -> Result<Value, Error> {
    match step {
        Step::DeleteSnapshot(it) => {
            let there = places.of(it.region.as_ref());
            let deleted = delete_snapshot(there, it.kind, &it.id, Some(until)).await;
            let existed = deleted?;
            Ok(if existed { Value::Null } else { json!({"found": "gone already"}) })
        }
        Step::DeleteImages(it) => ecr::delete_images(ecr, it, until).await.map(|()| Value::Null),
    }
}

/// Writes down on a resource what people were told of it.
pub async fn remember(places: &Places<'_>, ecr: &JsonApi, note: &Note) -> Result<(), Error> {
    let (arn, value) = (&note.resource, note.value.as_deref());
    match arn.split(':').nth(2) {
        Some("ecr") => ecr::write_memory(ecr, arn, keys::PRUNE_PROBLEM, value).await,
        _ => write_tag(places.of_arn(arn), arn, keys::PRUNE_PROBLEM, value, None).await,
    }
}
