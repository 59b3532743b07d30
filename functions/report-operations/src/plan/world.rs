//! What is read besides the dry runs, as plain data.

use jiff::Timestamp;

/// A DB instance.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Database {
    pub name: String,
    /// `db.t4g.medium`.
    pub class: String,
    /// `postgres`.
    pub engine: String,
    /// `16.4`.
    pub version: String,
    pub license: String,
    pub multi_az: bool,
    /// Of a member its cluster.
    pub cluster: Option<String>,
}

/// What AWS will do to a database.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pending {
    pub arn: String,
    /// `system-update`.
    pub action: String,
    pub description: String,
    /// When it is done whatever the maintenance window is.
    pub forced: Option<Timestamp>,
    /// In which window after this it is done.
    pub automatic: Option<Timestamp>,
    /// When it is done, with what people chose.
    pub current: Option<Timestamp>,
}

/// Until when AWS supports a major version.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lifecycle {
    pub engine: String,
    /// `16`, `8.0`.
    pub major: String,
    pub standard: Option<Timestamp>,
    /// Support that costs extra, after the standard one.
    pub extended: Option<Timestamp>,
}

/// An image that a service runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    pub repository: String,
    pub digest: String,
    /// `CLUSTER/SERVICE`, and what people call the image.
    pub service: String,
    pub label: String,
}

/// One deployment of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// When it began.
    pub at: Timestamp,
    pub ended: Option<Timestamp>,
    pub end: Ended,
    /// The images of its containers that come from ECR, as `REGISTRY/REPOSITORY` and digest; empty where they are not known.
    pub images: Vec<(String, String)>,
}

/// How a deployment has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Well,
    /// ECS went back to what ran before.
    TakenBack,
    /// By a newer deployment, by a person, or by ECS where it was not told to go back.
    Stopped,
    NotYet,
}

/// How many findings an image has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Findings {
    pub critical: u64,
    pub high: u64,
}

/// A metric filter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Filter {
    /// The log group.
    pub group: String,
    pub namespace: String,
    pub metric: String,
}

impl Lifecycle {
    /// Whether the version of a database is one of this major version: `16.4` of `16`, and `8.0.mysql_aurora.3.08` of
    /// `8.0`.
    pub fn is_of(&self, database: &Database) -> bool {
        let rest = database.version.strip_prefix(&self.major);
        self.engine == database.engine && rest.is_some_and(|it| it.is_empty() || it.starts_with('.'))
    }
}
