//! Instances and clusters.

use std::fmt;

/// What a database is, and so by which calls it is snapshotted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A DB instance that stands alone.
    Instance,
    /// A DB cluster: Aurora, or Multi-AZ with readable standbys.
    Cluster,
}

impl Kind {
    /// The most letters that RDS takes for the id of a snapshot.
    pub fn longest_id(self) -> usize {
        match self {
            Kind::Instance => 255,
            Kind::Cluster => 63,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Instance => "DB instance",
            Kind::Cluster => "DB cluster",
        })
    }
}
