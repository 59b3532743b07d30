//! Why a remedy is not started.

use reconcile::Trouble;
use rules::BadTag;

#[derive(Debug)]
pub enum Blocked {
    /// It may be started later: the sweep tries again until the firing is too old.
    NotNow {
        kind: &'static str,
        reason: String,
        /// Whether people are told that it waits, or know it already.
        told: bool,
    },
    /// This firing is not answered by a remedy; a person has to look.
    Refused { kind: &'static str, reason: String },
    /// Something has to be fixed; once it is, the alarm is answered.
    Problem(Trouble),
}

impl Blocked {
    pub fn refused(kind: &'static str, reason: String) -> Self {
        Blocked::Refused { kind, reason }
    }

    pub fn problem(kind: &'static str, message: String) -> Self {
        Blocked::Problem(Trouble::new(kind, message))
    }

    pub fn bad_tag(bad: BadTag) -> Self {
        Self::problem("bad-tag", bad.to_string())
    }
}
