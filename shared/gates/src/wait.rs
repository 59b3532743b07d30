//! A wait that no person has to end.

use std::fmt;

/// Why something waits, and what ends that: no gate can name the one without the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// What is so now.
    pub why: String,
    /// What ends it, as in "it goes on when …".
    pub until: String,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. It goes on when {}", self.why, self.until)
    }
}
