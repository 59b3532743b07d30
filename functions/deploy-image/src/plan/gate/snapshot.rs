//! `snapshot=DBID`: a snapshot of the database has been taken for this very image.
//!
//! `snapshot-databases` takes it, and tells people what stands in its way; here it is only asked for and waited for.

use rules::database::{Database, Snapshot, predeploy_id};
use rules::keys;

use super::{Candidate, Fact, Seen, Shut, unseen};
use crate::plan::step::{AskForSnapshot, Step};

/// What there is of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Backup {
    /// The snapshot, if there is one of its id.
    pub snapshot: Option<Snapshot>,
    /// If not, what there is of that name: DB instance, DB cluster, both or nothing.
    pub databases: Vec<Database>,
}

/// The snapshot is there.
pub fn pass(candidate: Candidate<'_>) -> Result<(), Shut> {
    let Candidate { case, image, tag, .. } = candidate;
    let Some(database) = &case.rule.snapshot else { return Ok(()) };
    let id = predeploy_id(database, &image.digest);
    let backup = match case.look(Fact::Snapshot { database: database.clone(), id: id.clone() }) {
        Some(Seen::Backup(backup)) => backup,
        other => return Err(unseen(other, "unreadable-snapshot")),
    };
    match &backup.snapshot {
        None => {
            snapshottable(database, &backup.databases, tag)?;
            let step = AskForSnapshot {
                service: case.service.name.clone(),
                database: database.clone(),
                digest: image.digest.clone(),
                image: tag.into(),
                id: id.clone(),
            };
            Err(Shut::Do(vec![(Step::AskForSnapshot(step), format!("{tag} waits for {id}, which is not there yet"))]))
        }
        Some(it) if !it.is_ours() => Err(Shut::Hold(
            "snapshot-id-taken",
            format!(
                "{tag} is not deployed: there is a snapshot {id} that Nightshift did not make; delete it, or copy it to another name"
            ),
        )),
        Some(it) if it.status == "available" => Ok(()),
        Some(it) if it.status == "failed" => Err(Shut::Hold(
            "snapshot-failed",
            format!(
                "{tag} is not deployed: the snapshot {id} of {database} failed. See why in the events of RDS; then send \
                 {{\"snapshot\":{{\"database\":\"{database}\",\"image\":\"{}\"}}}} to snapshot-databases, which replaces it",
                image.digest
            ),
        )),
        Some(it) => Err(Shut::Wait(format!("{tag} waits for the snapshot {id}, which is {}", it.status))),
    }
}

/// There is such a database, and it has opted in to snapshots.
fn snapshottable(name: &str, databases: &[Database], tag: &str) -> Result<(), Shut> {
    let whole = || databases.iter().filter(|it| it.member_of.is_none());
    if whole().any(|it| it.tags.contains_key(keys::BACKUP)) {
        return Ok(());
    }
    let hold = |kind, why: String| Err(Shut::Hold(kind, format!("{tag} is not deployed: snapshot={name}, {why}")));
    if whole().next().is_some() {
        let why = format!(
            "but {name} has no tag {}, and so no snapshot of it is taken; tag it, for example with days=30",
            keys::BACKUP
        );
        return hold("no-backup-tag", why);
    }
    match databases.iter().find_map(|it| it.member_of.as_ref()) {
        Some(cluster) => hold(
            "member-instance",
            format!("but {name} belongs to the DB cluster {cluster}, which is snapshotted as a whole; name that"),
        ),
        None => {
            hold("no-database", "but there is no DB instance and no DB cluster of this name; correct the tag".into())
        }
    }
}
