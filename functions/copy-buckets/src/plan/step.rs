//! The steps of a copy, and what people read of them.

use jiff::Timestamp;
use reconcile::{Choice, MessageKind, Undo, writing_down};
use rules::bucket::Destination;
use rules::drill::{Drilled, Outcome};
use rules::keys;
use serde_json::{Value, json};

use super::world::{Bucket, Marker, RestoreMarker, RestoreState, Sample, State};

#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Begin(Begin),
    Record(Record),
    Delete(Delete),
    Restore(Restore),
    RecordRestore(RecordRestore),
    TakeSample(TakeSample),
    FinishDrill(FinishDrill),
    /// Removes the tag that says which restore is under way.
    ForgetRestore(Bucket),
}

/// Begins the copy of a night.
#[derive(Debug, Clone, PartialEq)]
pub struct Begin {
    pub folder: Place,
    pub class: Option<&'static str>,
    pub role: String,
    /// S3 answers the same token with the same job.
    pub token: String,
    /// As it is before there is a job.
    pub marker: Marker,
}

/// Writes down what became of a copy.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub folder: Place,
    pub marker: Marker,
}

/// Deletes a copy, its marker last.
#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    pub folder: Place,
    pub marker: Marker,
}

/// Lists the versions of a moment, in as many runs as it takes, and creates the job that copies them.
#[derive(Debug, Clone, PartialEq)]
pub struct Restore {
    pub folder: Place,
    /// Of the bucket.
    pub arn: String,
    pub role: String,
    pub marker: RestoreMarker,
}

/// Writes down what became of a restore.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordRestore {
    pub folder: Place,
    pub marker: RestoreMarker,
}

/// Chooses the objects that a drill compares, in as many runs as it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct TakeSample {
    pub folder: Place,
    pub marker: Marker,
    /// How far it has come.
    pub sample: Sample,
    /// How many objects are compared.
    pub size: usize,
    pub now: Timestamp,
}

/// Writes down how a drill ended.
#[derive(Debug, Clone, PartialEq)]
pub struct FinishDrill {
    /// Of the bucket.
    pub arn: String,
    /// The bucket.
    pub source: String,
    pub folder: Place,
    /// What the copy says from now on; none where it says so already and only people still have to be told.
    pub marker: Option<Marker>,
    pub drilled: Drilled,
}

impl FinishDrill {
    /// What is remembered once people were told.
    pub fn told(&self) -> Drilled {
        Drilled { untold: false, ..self.drilled.clone() }
    }
}

/// The folder of a copy, or of a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub region: String,
    pub to: Destination,
    /// The date, or the moment.
    pub name: String,
}

impl Place {
    /// As a key, with a slash at its end: `2026-11-2` must not mean `2026-11-21`.
    pub fn key(&self) -> String {
        format!("{}/{}/", self.to.prefix, self.name)
    }

    pub fn url(&self) -> String {
        format!("s3://{}/{}", self.to.bucket, self.key())
    }
}

impl reconcile::Step for Step {
    /// A deletion can be hundreds of calls.
    const AT_A_TIME: usize = 4;

    fn action(&self) -> &'static str {
        match self {
            Step::Begin(_) => "begin-copy",
            Step::Record(_) => "record-copy",
            Step::Delete(_) => "delete-copy",
            Step::Restore(_) => "begin-restore",
            Step::RecordRestore(_) => "record-restore",
            Step::ForgetRestore(_) => "forget-restore",
            Step::TakeSample(_) => "take-sample",
            Step::FinishDrill(_) => "finish-drill",
        }
    }

    fn headline(&self) -> String {
        match self {
            Step::Begin(Begin { folder, marker, .. }) => format!("{}: copying to {}", marker.source, folder.url()),
            Step::Record(Record { folder, marker }) => match marker.state {
                State::Complete => {
                    format!("{}: {} objects copied to {}", marker.source, marker.objects.unwrap_or(0), folder.url())
                }
                _ => format!("{}: the copy to {} FAILED", marker.source, folder.url()),
            },
            Step::Delete(Delete { folder, marker }) => format!("{}: deleting the copy {}", marker.source, folder.url()),
            Step::Restore(Restore { folder, marker, .. }) => {
                format!("{}: restoring to {}", marker.source, folder.url())
            }
            Step::RecordRestore(RecordRestore { folder, marker }) => match marker.state {
                RestoreState::Complete => {
                    format!("{}: {} objects restored to {}", marker.source, marker.objects.unwrap_or(0), folder.url())
                }
                _ => format!("{}: the restore to {} FAILED", marker.source, folder.url()),
            },
            Step::ForgetRestore(bucket) => format!("{}: no restore is under way", bucket.name),
            Step::TakeSample(TakeSample { folder, marker, .. }) => {
                format!("{}: drill: choosing objects of {}", marker.source, folder.url())
            }
            Step::FinishDrill(FinishDrill { folder, source, drilled, .. }) => match drilled.outcome.is_good() {
                true => format!("{source}: the copy {} is proven", folder.url()),
                false => format!("{source}: the drill of the copy {} FAILED", folder.url()),
            },
        }
    }

    fn attempt(&self) -> String {
        match self {
            Step::Record(_) | Step::RecordRestore(_) | Step::FinishDrill(_) => writing_down(&self.headline()),
            _ => self.headline(),
        }
    }

    fn before(&self) -> Value {
        match self {
            Step::Delete(it) => json!({"objects": it.marker.objects}),
            _ => Value::Null,
        }
    }

    fn after(&self) -> Value {
        match self {
            Step::Begin(it) => json!({"copy": it.folder.url(), "source": it.marker.source}),
            Step::Record(it) => json!({"objects": it.marker.objects, "failed": it.marker.failed}),
            Step::Delete(it) => json!({"deleted": it.folder.url()}),
            Step::Restore(it) => json!({"restore": it.folder.url(), "source": it.marker.source, "at": it.marker.at}),
            Step::RecordRestore(it) => {
                json!({"objects": it.marker.objects, "failed": it.marker.failed})
            }
            Step::ForgetRestore(_) => Value::Null,
            Step::TakeSample(it) => json!({"drill": it.folder.url()}),
            Step::FinishDrill(it) => json!({keys::DRILLED: it.told().to_string()}),
        }
    }

    fn undo(&self) -> Option<Undo> {
        None
    }

    fn choices(&self) -> Vec<Choice> {
        match self {
            Step::FinishDrill(it) if !it.drilled.outcome.is_good() => {
                let command = json!({"drill": {"bucket": it.source}});
                vec![Choice::new("Drill again", Undo::Command(command))]
            }
            _ => Vec::new(),
        }
    }

    /// A run may die between what it writes down and its message: until this is written, a later run tells it.
    fn once_told(&self) -> Option<Self> {
        match self {
            Step::FinishDrill(it) => {
                Some(Step::FinishDrill(FinishDrill { marker: None, drilled: it.told(), ..it.clone() }))
            }
            Step::RecordRestore(it) => {
                let marker = RestoreMarker { untold: false, ..it.marker.clone() };
                Some(Step::RecordRestore(RecordRestore { marker, ..it.clone() }))
            }
            _ => None,
        }
    }

    /// Each night's copy is routine; that one failed is told as a problem of the bucket.
    fn tells(&self) -> Option<MessageKind> {
        match self {
            Step::Record(it) if it.marker.state == State::Complete => Some(MessageKind::Routine),
            Step::Delete(_) => Some(MessageKind::Routine),
            Step::RecordRestore(it) if it.marker.state == RestoreState::Complete => Some(MessageKind::Changed),
            Step::RecordRestore(_) => Some(MessageKind::Failed),
            Step::FinishDrill(it) if it.drilled.outcome == Outcome::Failed => Some(MessageKind::Failed),
            // It is rare, and the daily report does not tell it.
            Step::FinishDrill(_) => Some(MessageKind::Changed),
            _ => None,
        }
    }
}
