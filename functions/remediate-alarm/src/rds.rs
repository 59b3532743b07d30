//! Calls to RDS: what a database is like, and a reboot.

use std::collections::BTreeMap;

use aws::Error;
use aws::rds::Rds;
use aws_sdk_rds::types as sdk;

use crate::plan::world::Database;

/// The DB instance of that id, or else the DB cluster; `None` if there is neither.
pub async fn describe_database(rds: &Rds, id: &str) -> Result<Option<Database>, Error> {
    match describe_instance(rds, id).await? {
        None => describe_cluster(rds, id).await,
        found => Ok(found),
    }
}

async fn describe_instance(rds: &Rds, id: &str) -> Result<Option<Database>, Error> {
    let answer = rds.call(None, async |client| {
        let call = client.describe_db_instances().db_instance_identifier(id);
        call.send().await.map_err(|err| Error::new("DescribeDBInstances", id, err))
    });
    match answer.await {
        Ok(answer) => Ok(answer.db_instances().iter().filter_map(instance).find(|it| it.id == id)),
        Err(error) if error.code.contains("NotFound") => Ok(None),
        Err(error) => Err(error),
    }
}

async fn describe_cluster(rds: &Rds, id: &str) -> Result<Option<Database>, Error> {
    let answer = rds.call(None, async |client| {
        let call = client.describe_db_clusters().db_cluster_identifier(id);
        call.send().await.map_err(|err| Error::new("DescribeDBClusters", id, err))
    });
    match answer.await {
        Ok(answer) => Ok(answer.db_clusters().iter().filter_map(cluster).find(|it| it.id == id)),
        Err(error) if error.code.contains("NotFound") => Ok(None),
        Err(error) => Err(error),
    }
}

fn instance(it: &sdk::DbInstance) -> Option<Database> {
    Some(Database {
        arn: it.db_instance_arn()?.into(),
        id: it.db_instance_identifier()?.into(),
        is_cluster: false,
        member_of: it.db_cluster_identifier().filter(|it| !it.is_empty()).map(str::to_owned),
        status: it.db_instance_status().unwrap_or_default().into(),
        multi_az: it.multi_az().unwrap_or_default(),
        tags: tags(it.tag_list()),
    })
}

fn cluster(it: &sdk::DbCluster) -> Option<Database> {
    Some(Database {
        arn: it.db_cluster_arn()?.into(),
        id: it.db_cluster_identifier()?.into(),
        is_cluster: true,
        member_of: None,
        status: it.status().unwrap_or_default().into(),
        multi_az: it.multi_az().unwrap_or_default(),
        tags: tags(it.tag_list()),
    })
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

fn tags(tags: &[sdk::Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|it| (it.key().unwrap_or_default().into(), it.value().unwrap_or_default().into())).collect()
}
