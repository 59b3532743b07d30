//! Where a run looks, and what it was asked to do.

/// Where a run looks.
#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    /// Every drill that is due or under way.
    Everything,
    /// The same, and a drill of this database now.
    Drill(String),
    /// The same, and the drill of this database ends now.
    End(String),
}
