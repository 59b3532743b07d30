//! What was observed, as plain data.

mod compared;
mod job;
mod lifecycle;
mod marker;
mod restore;
mod sample;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Time};
use rules::drill::Calendar;
use rules::keys;

pub use compared::{Compared, Object, START, Side};
pub use job::{Job, Lost, Obstacle};
pub use lifecycle::{LifecycleRule, Versioning};
pub use marker::{MADE_BY, Marker, NAME, REPORT, State, date_of_copy};
pub use restore::{
    At, Contents, Listing, Manifest, Part, RESTORED_BY, RestoreMarker, RestoreState, Restoring, Site, Wanted,
    folder_name, remembered,
};
pub use sample::{Chosen, Current, SAMPLE, Sample};

/// What a run is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    Everything,
    /// A person asks for a copy of this bucket now.
    Copy(String),
    /// A person asks for a drill of this bucket now.
    Drill(String),
    /// A person wants the objects of a moment.
    Restore(Wanted),
}

/// Everything that the decision depends on.
#[derive(Debug, Clone)]
pub struct World {
    pub buckets: Vec<Bucket>,
    /// Those that have the tag of drills, and not that of backups.
    pub only_drilled: Vec<Bucket>,
    pub setup: Setup,
    /// By the name of a bucket that is copied, what lies in its destination.
    pub destinations: BTreeMap<String, Result<Destination, String>>,
    /// By id, the jobs that are under way.
    pub jobs: BTreeMap<String, Result<Job, Lost>>,
    /// By the name of a bucket that has to be copied now, why it cannot be.
    pub obstacles: BTreeMap<String, Vec<Obstacle>>,
    /// By the name of a bucket that is about old versions, what becomes of them.
    pub versioning: BTreeMap<String, Result<Versioning, String>>,
    /// By the name of a bucket whose tag names one, its restore.
    pub restores: BTreeMap<String, Result<Restoring, String>>,
    /// By the name of a bucket whose drill is under way, how far it has come.
    pub drills: BTreeMap<String, Result<Drilling, String>>,
    /// The folder of the restore that a person asks for.
    pub site: Option<Result<Site, String>>,
}

impl World {
    /// The bucket that a command names.
    pub fn bucket(&self, name: &str) -> Result<&Bucket, String> {
        let bucket = self.buckets.iter().find(|it| it.name == name);
        bucket.ok_or_else(|| format!("no bucket {name} with the tag {} is in this region", keys::BACKUP))
    }
}

/// What the stack allows, as ARNs.
#[derive(Debug, Clone)]
pub struct Setup {
    pub sources: BTreeSet<String>,
    pub targets: BTreeSet<String>,
    pub role: Option<String>,
    pub at: Time,
    /// Whether objects may be read.
    pub may_read: bool,
    pub drills: Calendar,
}

/// A drill that is under way.
#[derive(Debug, Clone, PartialEq)]
pub enum Drilling {
    /// Not all objects were looked at.
    Listing(Sample),
    Compared(Sample, Vec<Compared>),
}

/// A bucket that carries the tag.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    pub arn: String,
    pub name: String,
    pub tags: BTreeMap<String, String>,
}

/// Where the copies of a bucket lie.
#[derive(Debug, Clone, PartialEq)]
pub struct Destination {
    /// Of the bucket that holds them.
    pub region: String,
    /// The folders that are called after a date, in order.
    pub folders: Vec<Folder>,
    /// What becomes of old versions there, as far as that can be read.
    pub versioning: Option<Versioning>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Folder {
    pub date: Date,
    /// None where there is none that can be read.
    pub marker: Option<Marker>,
}
