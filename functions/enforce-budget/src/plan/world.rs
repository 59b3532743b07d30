//! What was observed, as plain data: budgets, and what is expendable.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rules::budget::Money;

/// Everything that the decision depends on.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// All budgets of the account.
    pub budgets: Vec<Budget>,
    /// What is tagged as expendable in the region, or is held.
    pub resources: Vec<Resource>,
    /// What AWS did not describe.
    pub missing: Vec<Missing>,
}

/// A resource that the tag index lists and AWS did not describe.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// Its ARN, or what else AWS calls it.
    pub resource: String,
    /// Why; `None` if it does not exist any more.
    pub why: Option<String>,
}

/// A budget of AWS Budgets.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    pub name: String,
    pub arn: String,
    /// What it is about: `COST`, `USAGE`, `RI_COVERAGE`.
    pub kind: String,
    pub unit: TimeUnit,
    /// When its first period starts.
    pub starts: Option<Timestamp>,
    /// When it ends for good.
    pub ends: Option<Timestamp>,
    pub limit: Option<Figure>,
    /// Limits of single periods, by their starts.
    pub planned: BTreeMap<Timestamp, Figure>,
    /// AWS sets the limit again from time to time.
    pub adjusts_itself: bool,
    /// What was spent in the period.
    pub actual: Option<Figure>,
    /// What AWS expects to be spent by its end.
    pub forecast: Option<Figure>,
    /// Why AWS says that its figures are out of date, if it does.
    pub unhealthy: Option<String>,
    pub tags: Result<BTreeMap<String, String>, Unread>,
    /// What was spent outside of AWS, by the key of the tag that names the source: sums by the beginnings of days.
    pub readings: BTreeMap<String, Result<Sums, Unread>>,
}

/// A figure of AWS, or the text that is not one.
pub type Figure = Result<Amount, String>;

/// What was counted, by the beginnings of days.
pub type Sums = Vec<(Timestamp, f64)>;

/// Why something of a budget is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Whether a later run may well read it: AWS had too many calls, or no time was left.
    pub for_now: bool,
    pub why: String,
}

/// How long a budget's periods are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeUnit {
    Daily,
    Monthly,
    Quarterly,
    Annually,
    /// From the start to the end of the budget.
    Custom,
    /// One that this version does not know.
    Unknown(String),
}

/// An amount with its currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount {
    pub money: Money,
    /// Such as `USD`.
    pub currency: String,
}

/// An ECS service, an Auto Scaling group, an EC2 instance or a database.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    pub arn: String,
    /// What people call it: `CLUSTER/SERVICE`, the name of a group, the identifier of a database, the Name of an instance or its id.
    pub name: String,
    pub member_of: Option<Whole>,
    pub tags: BTreeMap<String, String>,
}

/// What something is a part of, which sleeps as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whole {
    /// A DB cluster.
    Cluster(String),
    /// An Auto Scaling group, which would replace a stopped instance.
    Group(String),
}

impl Budget {
    /// The value of one of its tags.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.as_ref().ok()?.get(key).map(String::as_str)
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.money.rounded(), self.currency)
    }
}
