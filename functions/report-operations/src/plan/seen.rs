//! What was read for a report, as plain data.

use board::Board;
use jiff::Timestamp;

use super::history::Deployed;
use super::next::Stack;
use super::price::Prices;
use super::usage::Usage;
use super::world::{Database, Findings, Image, Lifecycle, Pending};

/// What was read of something, or why it could not be; `None` where the report does not tell it.
pub type Read<T> = Option<Result<T, String>>;

/// An image, and what its last scan found; `None` where it was never scanned.
pub type Scanned = (Image, Result<Option<Findings>, String>);

/// What a report is made of.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The dry runs, and the alarms that fire.
    pub board: Board,
    /// What CloudWatch measured in the time.
    pub usage: Result<Usage, String>,
    /// What happened as it does every day, where the report tells that.
    pub routine: Read<Vec<String>>,
    /// How many errors each log had, as far as metric filters count them.
    pub errors: Read<Vec<(String, f64)>>,
    pub weekly: Weekly,
    /// What the hours that slept are priced with.
    pub prices: Read<Prices>,
    /// How many percent of requests the shop wants to be answered without an error of the server.
    pub slo: Option<f64>,
    /// The time: from, until.
    pub window: (Timestamp, Timestamp),
    pub stack: Stack,
}

/// What only the report of a week tells; the databases are read for prices as well.
#[derive(Debug, Clone, Default)]
pub struct Weekly {
    /// What CloudWatch measured in two weeks, for the sizes of services and databases.
    pub sizes: Read<Usage>,
    pub databases: Read<Vec<Database>>,
    pub pending: Read<Vec<Pending>>,
    pub lifecycles: Read<Vec<Lifecycle>>,
    /// Of each image that runs what its last scan found.
    pub findings: Option<Vec<Scanned>>,
    pub deployed: Option<Deployed>,
}
