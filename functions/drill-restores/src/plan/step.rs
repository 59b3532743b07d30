//! The steps of a drill, and what people read of them.

use reconcile::{MessageKind, Undo, writing_down};
use rules::database::Kind;
use rules::drill::{Drill, Drilled, Outcome, Progress, Source};
use rules::retention::Region;
use rules::{ServiceName, keys};
use serde_json::{Value, json};

use super::world::Settings;

#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Restore(Restore),
    AddMember(AddMember),
    Note(Note),
    RunCheck(RunCheck),
    Prove(Prove),
    Finish(Finish),
    Delete(Delete),
}

/// What is restored.
#[derive(Debug, Clone, PartialEq)]
pub enum Backup {
    /// The snapshot of this id.
    Snapshot(String),
    /// The latest point in time of the original.
    PointInTime,
}

impl Backup {
    /// As it is remembered on the restored database.
    pub fn id(&self) -> &str {
        match self {
            Backup::Snapshot(id) => id,
            Backup::PointInTime => Source::POINT_IN_TIME,
        }
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        Source::name(self.id())
    }
}

/// Restores a backup as a new database.
#[derive(Debug, Clone, PartialEq)]
pub struct Restore {
    pub kind: Kind,
    pub of: String,
    pub id: String,
    pub backup: Backup,
    /// Where it is not the region of the stack.
    pub region: Option<Region>,
    pub settings: Settings,
    /// Of a cluster it is the class of its instance, which is created later.
    pub class: Option<String>,
    pub tags: Vec<(String, String)>,
}

/// Creates the one instance of a restored cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct AddMember {
    pub cluster: String,
    pub arn: String,
    pub engine: String,
    pub class: String,
    pub tags: Vec<(String, String)>,
}

/// Writes down how far a drill has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    pub of: String,
    pub arn: String,
    pub progress: Progress,
}

/// Runs the check, and writes down which task it is.
#[derive(Debug, Clone, PartialEq)]
pub struct RunCheck {
    pub of: String,
    /// The drill database.
    pub id: String,
    pub arn: String,
    pub family: String,
    pub service: ServiceName,
    pub containers: Vec<String>,
    /// What each container is told.
    pub environment: Vec<(&'static str, String)>,
    /// ECS answers the same token with the same task: a run that died in between starts no second one.
    pub token: String,
    /// What is known of the drill so far.
    pub progress: Progress,
}

/// Writes on a snapshot that it was restored from.
#[derive(Debug, Clone, PartialEq)]
pub struct Prove {
    pub arn: String,
    pub id: String,
    pub value: String,
}

/// Writes on the original how its drill ended, and tells people.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    pub arn: String,
    pub headline: String,
    pub drilled: Drilled,
    /// The drill is over time: it is deleted even if this cannot be written.
    pub over: bool,
    /// The restored database stays for people to look at it, and this original's command ends that.
    pub kept: Option<String>,
}

impl Finish {
    /// What is remembered once people know how it ended.
    fn told(&self) -> Drilled {
        Drilled { untold: false, ..self.drilled.clone() }
    }
}

/// Deletes a drill database, or the instance of one, without a final snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    pub kind: Kind,
    pub id: String,
    pub arn: String,
    /// What it must still say of itself; none where that cannot be read.
    pub drill: Option<Drill>,
    /// The ARN of what has to be done with before it.
    pub after: Option<String>,
}

impl reconcile::Step for Step {
    fn action(&self) -> &'static str {
        match self {
            Step::Restore(_) => "restore",
            Step::AddMember(_) => "add-instance",
            Step::Note(_) => "note-progress",
            Step::RunCheck(_) => "run-check",
            Step::Prove(_) => "mark-proven",
            Step::Finish(_) => "finish-drill",
            Step::Delete(_) => "delete-drill-database",
        }
    }

    fn headline(&self) -> String {
        match self {
            Step::Restore(it) => {
                let place = it.region.as_ref().map(|it| format!(" in {it}")).unwrap_or_default();
                format!("{}: restore drill: restoring {} as {}{place}", it.of, it.backup.name(), it.id)
            }
            Step::AddMember(it) => format!("{}: creating its instance", it.cluster),
            Step::Note(it) => format!("{}: noting how far its drill has come", it.of),
            Step::RunCheck(it) => format!("{}: checking {} with {}", it.of, it.id, it.family),
            Step::Prove(it) => format!("{}: noting that it was restored", it.id),
            Step::Finish(it) => it.headline.clone(),
            Step::Delete(it) => format!("{}: deleting this {} of a drill", it.id, it.kind),
        }
    }

    fn attempt(&self) -> String {
        match self {
            Step::Finish(_) => writing_down(&self.headline()),
            _ => self.headline(),
        }
    }

    fn before(&self) -> Value {
        Value::Null
    }

    fn after(&self) -> Value {
        match self {
            Step::Restore(it) => json!({"database": it.id, "snapshot": it.backup.id()}),
            Step::AddMember(it) => json!({"instance": it.cluster, "class": it.class}),
            Step::Note(it) => json!({"progress": it.progress.to_string()}),
            Step::RunCheck(it) => json!({"check": it.family, "service": it.service.to_string()}),
            Step::Prove(it) => json!({keys::DRILL_MEMORY: it.value}),
            Step::Finish(it) => json!({keys::DRILLED: it.told().to_string()}),
            Step::Delete(it) => json!({"deleted": it.id}),
        }
    }

    fn undo(&self) -> Option<Undo> {
        match self {
            Step::Restore(it) => Some(Undo::Command(json!({"end": {"database": it.of}}))),
            Step::Finish(it) => it.kept.as_ref().map(|it| Undo::Command(json!({"end": {"database": it}}))),
            _ => None,
        }
    }

    fn needs(&self) -> Option<&str> {
        match self {
            Step::Delete(it) => it.after.as_deref(),
            _ => None,
        }
    }

    fn once_told(&self) -> Option<Self> {
        match self {
            Step::Finish(it) => Some(Step::Finish(Finish { drilled: it.told(), ..it.clone() })),
            _ => None,
        }
    }

    /// A drill must not be restored again and again since its end cannot be written down, but it must not stay either.
    fn is_dispensable(&self) -> bool {
        match self {
            Step::Prove(_) => true,
            Step::Finish(it) => it.over,
            _ => false,
        }
    }

    /// People hear when a drill begins and how it ended; what lies between is in the log.
    fn tells(&self) -> Option<MessageKind> {
        match self {
            Step::Restore(_) => Some(MessageKind::Routine),
            Step::Finish(it) if matches!(it.drilled.outcome, Outcome::Failed | Outcome::Late) => {
                Some(MessageKind::Failed)
            }
            // It is rare, and the daily report does not tell it.
            Step::Finish(_) => Some(MessageKind::Changed),
            _ => None,
        }
    }
}
