//! Where a run looks, and what it was asked to do.

use jiff::Timestamp;
use rules::Digest;

/// Where a run looks.
#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    /// Every database: is there a snapshot of tonight, and its copy?
    Everything,
    /// The copies only, at whatever time of the day.
    Copies,
    /// One database, of which a snapshot is asked for.
    One(Command),
}

/// Asks for a snapshot of one database.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The DB instance or DB cluster.
    pub database: String,
    /// What the snapshot is for.
    pub occasion: Occasion,
}

/// What a snapshot is asked for, which names it: a doubled command is one snapshot.
#[derive(Debug, Clone, PartialEq)]
pub enum Occasion {
    /// This image is about to be deployed.
    Deployment(Digest),
    /// The database is about to be stopped, for a sleep that began at this moment.
    Sleep(Timestamp),
}
