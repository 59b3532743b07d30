//! Databases, their snapshots, and the memory tags on both.
//!
//! What only reads goes by the Query protocol ([`Rds::query`]), what changes something by the SDK's typed client, which is
//! made when it is first used: most runs find nothing to change. A call that RDS throttles is made again at a slower
//! [`Pace`](crate::Pace), which both share.

mod backup;
mod read;
mod regions;
mod shapes;

use aws_config::SdkConfig;
use aws_sdk_rds::Client;
use aws_sdk_rds::config::Builder;
use aws_sdk_rds::operation::delete_db_cluster_snapshot::DeleteDBClusterSnapshotError;
use aws_sdk_rds::operation::delete_db_snapshot::DeleteDBSnapshotError;
use aws_sdk_rds::types as sdk;
use rules::database::Kind;
use tokio::time::Instant;

use crate::query::{Query, RDS};
use crate::{Error, Late, LeaveThrottling, in_region, late};

pub use backup::find_backup;
pub use read::{
    find_databases, find_databases_with, find_snapshot, list_automated_snapshots, list_databases, list_databases_with,
    list_rds_events, list_snapshots, read_entries,
};
pub use regions::{Elsewhere, Regions};
pub use shapes::{Field, created, writer_of_members};

/// The type of the snapshots that people and Nightshift take.
const MANUAL: &str = "manual";

/// The type of the snapshots that RDS takes by itself.
const AUTOMATED: &str = "automated";

/// RDS in one region, at the pace that it allows there.
pub struct Rds {
    /// For the calls that only read.
    pub query: Query,
    client: Late<Client>,
}

impl Rds {
    /// RDS in the region of `config`, or in another one.
    pub fn new(config: &SdkConfig, region: Option<&str>) -> Self {
        let there = region.map(|it| in_region(config, it));
        let config = there.as_ref().unwrap_or(config);
        let client = |it: &SdkConfig| Client::from_conf(Builder::from(it).retry_classifier(LeaveThrottling).build());
        Rds { query: Query::new(RDS, config), client: late(config, client) }
    }

    /// Makes a call that changes something at the pace that RDS allows, unless its turn comes later than `until`.
    pub async fn call<T>(
        &self,
        until: Option<Instant>,
        call: impl AsyncFn(&Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.query.pace.call(until, async || call(&self.client).await).await
    }
}

/// Deletes a manual snapshot; `false` if it no longer existed, which is not an error.
pub async fn delete_snapshot(rds: &Rds, kind: Kind, id: &str, until: Option<Instant>) -> Result<bool, Error> {
    let answer = rds.call(until, async |client| match kind {
        Kind::Instance => match client.delete_db_snapshot().db_snapshot_identifier(id).send().await {
            Ok(_) => Ok(true),
            Err(err) if err.as_service_error().is_some_and(DeleteDBSnapshotError::is_db_snapshot_not_found_fault) => {
                Ok(false)
            }
            Err(err) => Err(Error::new("DeleteDBSnapshot", id, err)),
        },
        Kind::Cluster => {
            let gone = DeleteDBClusterSnapshotError::is_db_cluster_snapshot_not_found_fault;
            match client.delete_db_cluster_snapshot().db_cluster_snapshot_identifier(id).send().await {
                Ok(_) => Ok(true),
                Err(err) if err.as_service_error().is_some_and(gone) => Ok(false),
                Err(err) => Err(Error::new("DeleteDBClusterSnapshot", id, err)),
            }
        }
    });
    answer.await.map_err(Error::told_if_busy)
}

/// Writes the tag `key` of a database or a snapshot, or removes it where there is no value, unless its turn comes later
/// than `until`.
pub async fn write_tag(
    rds: &Rds,
    arn: &str,
    key: &str,
    value: Option<&str>,
    until: Option<Instant>,
) -> Result<(), Error> {
    rds.call(until, async |client| match value {
        Some(value) => {
            let tag = sdk::Tag::builder().key(key).value(value).build();
            let call = client.add_tags_to_resource().resource_name(arn).tags(tag);
            call.send().await.map(drop).map_err(|err| Error::new("AddTagsToResource", arn, err))
        }
        None => {
            let call = client.remove_tags_from_resource().resource_name(arn).tag_keys(key);
            call.send().await.map(drop).map_err(|err| Error::new("RemoveTagsFromResource", arn, err))
        }
    })
    .await
}

#[cfg(test)]
mod tests;
