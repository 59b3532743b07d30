//! Calls to RDS that only this function makes.

use aws::Error;
use aws::query::{Query, read_result};
use rules::database::Kind;
use tokio::time::Instant;

/// The attribute that holds the accounts which may restore a snapshot.
const RESTORE: &str = "restore";

/// The accounts that a snapshot is shared with; `all` stands for everybody.
pub async fn shared_with(rds: &Query, kind: Kind, id: &str, until: Instant) -> Result<Vec<String>, Error> {
    let (operation, action) = match kind {
        Kind::Instance => {
            let action = rds.action("DescribeDBSnapshotAttributes").field("DBSnapshotIdentifier", id);
            ("DescribeDBSnapshotAttributes", action)
        }
        Kind::Cluster => {
            let action = rds.action("DescribeDBClusterSnapshotAttributes").field("DBClusterSnapshotIdentifier", id);
            ("DescribeDBClusterSnapshotAttributes", action)
        }
    };
    let answer = action.perform(id, Some(until)).await?;
    let mut accounts = Vec::new();
    // In the result there is one more, named after the kind, and in that the list.
    read_result(operation, id, &answer, |_, it| {
        it.each(|_, it| {
            it.each(|_, it| {
                let (mut name, mut values) = (String::new(), Vec::new());
                it.each(|field, it| match field {
                    "AttributeName" => name = it.text(),
                    "AttributeValues" => it.each(|_, it| values.push(it.text())),
                    _ => {}
                });
                if name == RESTORE {
                    accounts.append(&mut values);
                }
            });
        });
    })?;
    Ok(accounts)
}
