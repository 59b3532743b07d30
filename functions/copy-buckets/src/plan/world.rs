//! What was observed, as plain data.

mod marker;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Time};

pub use marker::{MADE_BY, Marker, NAME, REPORT, State};

/// What a run is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    Everything,
    /// A person asks for a copy of this bucket now.
    Copy(String),
}

/// Everything that the decision depends on.
#[derive(Debug, Clone)]
pub struct World {
    pub buckets: Vec<Bucket>,
    pub setup: Setup,
    /// By the name of a bucket that is copied, what lies in its destination.
    pub destinations: BTreeMap<String, Result<Destination, String>>,
    /// By id, the jobs that are under way.
    pub jobs: BTreeMap<String, Result<Job, Lost>>,
    /// By the name of a bucket that has to be copied now, why it cannot be.
    pub obstacles: BTreeMap<String, Vec<Obstacle>>,
}

/// What the stack allows, as ARNs.
#[derive(Debug, Clone)]
pub struct Setup {
    pub sources: BTreeSet<String>,
    pub targets: BTreeSet<String>,
    pub role: Option<String>,
    pub at: Time,
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
}

#[derive(Debug, Clone, PartialEq)]
pub struct Folder {
    pub date: Date,
    /// None where there is none that can be read.
    pub marker: Option<Marker>,
}

/// A job of S3 Batch Operations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Job {
    pub status: String,
    pub total: u64,
    pub succeeded: u64,
    pub failed: u64,
    /// Why it failed as a whole.
    pub reasons: Vec<String>,
    /// The first objects that were not copied, each with the reason, from its report.
    pub failures: Vec<String>,
}

/// Why nothing is known of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Lost {
    /// S3 does not know it any more.
    Gone,
    Unreadable(String),
}

/// Why a bucket is not copied.
#[derive(Debug, Clone, PartialEq)]
pub enum Obstacle {
    RequesterPays,
    /// The destination can be read by anybody.
    PublicTarget,
    Unreadable(String),
}
