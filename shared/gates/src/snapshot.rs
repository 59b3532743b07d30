//! `snapshot=DBID`: a snapshot of the database has been taken for this very image.
//!
//! `snapshot-databases` takes it, and tells people what stands in its way; here it is only asked for and waited for.

use reconcile::{Choice, Undo};
use rules::database::{Backup, Database, predeploy_id};
use rules::{Digest, keys};
use serde_json::{Value, json};

use crate::{Blocked, Candidate};

/// The step that asks `snapshot-databases` for the snapshot that comes before a new image.
#[derive(Debug, Clone, PartialEq)]
pub struct AskForSnapshot {
    /// What the image goes out to, as people call it.
    pub name: String,
    /// What is snapshotted.
    pub database: String,
    /// The new image.
    pub digest: Digest,
    /// Its human tag.
    pub image: String,
    /// What the snapshot will be called.
    pub id: String,
}

impl AskForSnapshot {
    /// What the step does, in words.
    pub fn headline(&self) -> String {
        format!("{}: asking for a snapshot of {} before {} goes out", self.name, self.database, self.image)
    }

    /// The command that `snapshot-databases` is sent.
    pub fn payload(&self) -> Value {
        json!({"snapshot": {"database": self.database, "image": self.digest.to_string()}})
    }
}

/// There is a snapshot of `database` for the image, which goes out to `name`; `own` is the function that asks, `take` makes
/// a step of the one that asks for it and its reason.
pub fn snapshot<F, A>(
    candidate: &Candidate<'_>,
    own: &'static str,
    name: String,
    database: &str,
    backup: &Backup,
    take: impl FnOnce(AskForSnapshot, String) -> A,
) -> Result<(), Blocked<F, A>> {
    let Candidate { image, tag, .. } = *candidate;
    let id = predeploy_id(database, &image.digest);
    let ask = || AskForSnapshot {
        name,
        database: database.into(),
        digest: image.digest.clone(),
        image: tag.into(),
        id: id.clone(),
    };
    match &backup.snapshot {
        None => {
            snapshottable(database, &backup.databases, tag)?;
            let why = format!("{tag} waits for {id}, which is not there yet");
            Err(Blocked::Requires(vec![take(ask(), why)]))
        }
        Some(it) if !it.is_ours() => Err(Blocked::NeedsPerson(
            "snapshot-id-taken",
            format!(
                "{tag} is not deployed: the id of its snapshot is taken. Nightshift did not make {id}: delete it, or copy it to another id"
            ),
        )),
        Some(it) if it.status == "available" => Ok(()),
        Some(it) if it.status == "failed" => {
            let message = format!(
                "{tag} is not deployed: the snapshot of {database} failed. It is {id}: see why in the events of RDS, then \
                 have it replaced"
            );
            let command = Undo::Sibling { own, function: "snapshot-databases", payload: ask().payload() };
            let choices = vec![Choice::new("Replace it", command)];
            Err(Blocked::Asks { kind: "snapshot-failed", message, choices })
        }
        Some(it) => {
            let why = format!("{tag} waits for the snapshot {id}, which is {}", it.status);
            Err(Blocked::pending(why, "the snapshot is available"))
        }
    }
}

/// There is such a database, and it has opted in to snapshots.
fn snapshottable<F, A>(name: &str, databases: &[Database], tag: &str) -> Result<(), Blocked<F, A>> {
    let whole = || databases.iter().filter(|it| it.member_of.is_none());
    if whole().any(|it| it.tags.contains_key(keys::BACKUP)) {
        return Ok(());
    }
    let hold = |kind, why: String| Err(Blocked::NeedsPerson(kind, format!("{tag} is not deployed: {why}")));
    if whole().next().is_some() {
        let why = format!(
            "{name} lacks {}. So no snapshot is taken of it for snapshot={name}: tag it, for example with days=30",
            keys::BACKUP
        );
        return hold("no-backup-tag", why);
    }
    match databases.iter().find_map(|it| it.member_of.as_ref()) {
        Some(cluster) => hold(
            "member-instance",
            format!("{name} is in the DB cluster {cluster}. That is snapshotted as a whole: write snapshot={cluster}"),
        ),
        None => hold("no-database", format!("there is no database {name}. Correct snapshot={name} in its tag")),
    }
}
