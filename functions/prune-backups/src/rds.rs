//! Calls to RDS that only this function makes.

use aws::Error;
use aws::rds::Rds;
use rules::database::Kind;
use tokio::time::Instant;

/// The attribute that holds the accounts which may restore a snapshot.
const RESTORE: &str = "restore";

/// The accounts that a snapshot is shared with; `all` stands for everybody.
pub async fn shared_with(rds: &Rds, kind: Kind, id: &str, until: Instant) -> Result<Vec<String>, Error> {
    rds.call(Some(until), async |client| match kind {
        Kind::Instance => {
            let answer = client.describe_db_snapshot_attributes().db_snapshot_identifier(id).send().await;
            let answer = answer.map_err(|err| Error::new("DescribeDBSnapshotAttributes", id, err))?;
            let attributes = answer.db_snapshot_attributes_result().map(|it| it.db_snapshot_attributes());
            let restore = attributes.unwrap_or_default().iter().find(|it| it.attribute_name() == Some(RESTORE));
            Ok(restore.map(|it| it.attribute_values().to_vec()).unwrap_or_default())
        }
        Kind::Cluster => {
            let answer = client.describe_db_cluster_snapshot_attributes().db_cluster_snapshot_identifier(id).send();
            let answer = answer.await.map_err(|err| Error::new("DescribeDBClusterSnapshotAttributes", id, err))?;
            let attributes =
                answer.db_cluster_snapshot_attributes_result().map(|it| it.db_cluster_snapshot_attributes());
            let restore = attributes.unwrap_or_default().iter().find(|it| it.attribute_name() == Some(RESTORE));
            Ok(restore.map(|it| it.attribute_values().to_vec()).unwrap_or_default())
        }
    })
    .await
}
