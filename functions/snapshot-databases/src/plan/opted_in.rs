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
    if let Some((kind, message)) = database.unfit_for(keys::BACKUP, "is snapshotted") {
        return Err(Trouble::new(kind, message));
    }
    let tag = database.tags.get(keys::BACKUP).map(String::as_str).unwrap_or_default();
    tag.parse().map_err(|bad: rules::BadTag| Trouble::new("bad-tag", bad))
}
