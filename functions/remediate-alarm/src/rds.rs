//! Calls to RDS: what a database is like, and a reboot.

use aws::Error;
use aws::query::Element;
use aws::rds::{Rds, find_databases_with};
use aws_sdk_rds::types as sdk;
use rules::database::Kind;

use crate::plan::world::Database;

/// The DB instance and the DB cluster of that id, as far as there are such.
pub async fn find_databases(rds: &Rds, id: &str) -> Result<Vec<Database>, Error> {
    let found = find_databases_with(&rds.query, id, standby, standby).await?;
    let database = |(it, multi_az): (rules::database::Database, bool)| Database {
        arn: it.arn,
        id: it.id,
        is_cluster: it.kind == Kind::Cluster,
        member_of: it.member_of,
        status: it.status,
        multi_az,
        tags: it.tags,
    };
    Ok(found.into_iter().map(database).collect())
}

fn standby(name: &str, it: &mut Element<'_, '_>, multi_az: &mut bool) {
    if name == "MultiAZ" {
        *multi_az = it.parsed().unwrap_or_default();
    }
}

/// Restarts a DB instance; with `failover` its standby takes over.
pub async fn reboot(rds: &Rds, id: &str, failover: bool) -> Result<(), Error> {
    rds.call(None, async |client| {
        let call = client.reboot_db_instance().db_instance_identifier(id).set_force_failover(failover.then_some(true));
        call.send().await.map(drop).map_err(|err| Error::new("RebootDBInstance", id, err))
    })
    .await
}

/// Writes on a database what its owner is asked for.
pub async fn write_request(rds: &Rds, arn: &str, key: &str, value: &str) -> Result<(), Error> {
    rds.call(None, async |client| {
        let tag = sdk::Tag::builder().key(key).value(value).build();
        let call = client.add_tags_to_resource().resource_name(arn).tags(tag);
        call.send().await.map(drop).map_err(|err| Error::new("AddTagsToResource", arn, err))
    })
    .await
}
