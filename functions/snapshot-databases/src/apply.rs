//! Carries out one step.

use aws::Error;
use aws::rds::{Elsewhere, Regions, delete_snapshot};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::plan::Step;
use crate::rds;

/// Carries out `step`; returns what only the doing could tell.
pub async fn apply(regions: &Regions, elsewhere: &Elsewhere, step: &Step, until: Instant) -> Result<Value, Error> {
    let here = &regions.here;
    let status = match step {
        Step::TakeSnapshot(it) => {
            if it.replaces {
                delete_snapshot(here, it.kind, &it.id, Some(until)).await?;
            }
            rds::take_snapshot(here, it, until).await?
        }
        Step::CopySnapshot(it) => {
            let there = elsewhere.get(&it.region).unwrap_or(here);
            if it.replaces {
                delete_snapshot(there, it.kind, &it.id, Some(until)).await?;
            }
            let url = rds::signed_copy(regions, it).await?;
            rds::copy_snapshot(there, it, url, until).await?
        }
    };
    Ok(json!({"status": status}))
}
