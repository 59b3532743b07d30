//! Which databases are backed up, and by which rule.

use reconcile::Trouble;
use rules::database::Database;
use rules::keys;
use rules::retention::BackupRule;

/// The databases that opted in, in the order of their ARNs.
pub fn tagged(databases: &[Database]) -> Vec<&Database> {
    let mut tagged: Vec<&Database> = databases.iter().filter(|it| it.tags.contains_key(keys::BACKUP)).collect();
    tagged.sort_by(|a, b| a.arn.cmp(&b.arn));
    tagged
}

/// The rule of a database that can be backed up, or what is wrong with it.
pub fn rule(database: &Database) -> Result<BackupRule, Trouble> {
    if let Some(cluster) = &database.member_of {
        let message = format!(
            "it is a member of the DB cluster {cluster}, which is snapshotted as a whole: move the tag {} to the cluster",
            keys::BACKUP
        );
        return Err(Trouble::new("member-instance", message));
    }
    if ["neptune", "docdb"].contains(&database.engine.as_str()) {
        let message = format!("{} databases are not backed up by this function: remove the tag", database.engine);
        return Err(Trouble::new("other-engine", message));
    }
    let tag = database.tags.get(keys::BACKUP).map(String::as_str).unwrap_or_default();
    tag.parse().map_err(|bad: rules::BadTag| Trouble::new("bad-tag", bad))
}
