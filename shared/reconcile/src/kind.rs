//! What a message asks of the people who get it.

use std::fmt;

/// What kind of news a message is; a subscription of the topic can filter by it.
///
/// Ordered from what a person has to act on to what can be read tomorrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageKind {
    /// Nothing goes on without a person: an approval, a problem that stays.
    NeedsYou,
    /// Something broke, and this was done about it.
    Failed,
    /// Production was changed as it should be.
    Changed,
    /// What happens every day: sleep and wake, nightly snapshots, deletions.
    Routine,
}

impl MessageKind {
    /// The value of the attribute `kind` of a message.
    pub fn as_str(self) -> &'static str {
        match self {
            MessageKind::NeedsYou => "needs-you",
            MessageKind::Failed => "failed",
            MessageKind::Changed => "changed",
            MessageKind::Routine => "routine",
        }
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What becomes of routine news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Routine {
    /// Each is a message.
    Each,
    /// One message a day tells them all.
    #[default]
    Daily,
    /// They are not told.
    None,
}

impl Routine {
    /// The values of the setting.
    pub const ALL: [(&'static str, Routine); 3] =
        [("each", Routine::Each), ("daily", Routine::Daily), ("none", Routine::None)];
}
