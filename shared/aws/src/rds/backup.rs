//! What there is of the snapshot before a deployment.

use rules::database::{Backup, Kind};

use super::{find_databases, find_snapshot};
use crate::Error;
use crate::query::Query;

/// The snapshot, whether it is one of a DB instance or of a DB cluster; if there is none, what it could be taken of.
pub async fn find_backup(rds: &Query, database: &str, id: &str) -> Result<Backup, Error> {
    for kind in [Kind::Instance, Kind::Cluster] {
        let snapshot = find_snapshot(rds, kind, id).await?;
        if snapshot.is_some() {
            return Ok(Backup { snapshot, databases: Vec::new() });
        }
    }
    Ok(Backup { snapshot: None, databases: find_databases(rds, database).await? })
}
