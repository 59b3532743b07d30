//! What was read for a report, as plain data.

use board::Board;
use jiff::Timestamp;

use super::usage::Usage;

/// What a report is made of.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The dry runs, and the alarms that fire.
    pub board: Board,
    /// What CloudWatch measured in the time.
    pub usage: Result<Usage, String>,
    /// What happened as it does every day, where the report tells that.
    pub routine: Option<Result<Vec<String>, String>>,
    /// The time: from, until.
    pub window: (Timestamp, Timestamp),
}
