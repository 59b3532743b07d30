//! What tasks cannot start without, and what AWS says of it.

use std::collections::BTreeSet;

/// Something that a task definition names and that has to be there before a task can start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A role, by its name.
    Role(String),
    /// A secret of Secrets Manager, by its ARN.
    Secret(String),
    /// A parameter of Systems Manager, by its name.
    Parameter(String),
    /// A group of CloudWatch Logs, by its name.
    LogGroup(String),
}

/// What AWS says of a [`Need`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    There,
    Missing,
    Secret {
        /// It will be deleted, and gives no value any more.
        deleted: bool,
        /// The stages that its versions have; none where AWS does not tell.
        stages: BTreeSet<String>,
    },
}
