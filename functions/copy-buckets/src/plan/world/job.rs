//! What is known of the jobs that copy, and what stands against one.

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
