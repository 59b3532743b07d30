//! What a dry run says of a resource in figures, for programs that draw it: a sentence is for people and is not parsed.
//!
//! The function that knows a fact writes it into its report, and `report-operations` and the board read it. A reader
//! leaves out what it does not know: the functions of a stack are not replaced at one moment.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One fact about one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum Fact {
    /// Of a service or database with a schedule, by `scale-staging`.
    Sleep(Sleep),
    /// Of a service whose image is deployed, by `deploy-image`.
    Image(Image),
    /// Of a database that is backed up, by `snapshot-databases`, and of a bucket, by `copy-buckets`.
    Backup(Backup),
    /// Of a database whose restore is tried, by `drill-restores`.
    Drill(Drill),
    /// Of an enforced budget, by `enforce-budget`.
    Budget(Budget),
    /// Of an alarm with a remedy, by `remediate-alarm`.
    Alarm(Alarm),
}

/// Whether something sleeps, and when it is awake within the next day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sleep {
    /// `CLUSTER/SERVICE`, or the identifier of a database.
    pub name: String,
    /// Whether it is a database.
    #[serde(default)]
    pub database: bool,
    /// What it is now.
    pub state: SleepState,
    /// Why.
    pub why: String,
    /// Since when it sleeps, if it does.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// How many tasks it has, or had before it slept; of a database nothing.
    #[serde(default)]
    pub tasks: Option<i32>,
    /// When it is awake within the next 24 hours: from, until.
    pub awake: Vec<(Timestamp, Timestamp)>,
}

/// What something with a schedule is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SleepState {
    /// It runs.
    Awake,
    /// It sleeps by its schedule, or since a person put it to sleep.
    Asleep,
    /// It sleeps until a hold is removed.
    Held,
}

/// Which image a service runs, and which one waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// `CLUSTER/SERVICE`.
    pub service: String,
    /// What people call the image that runs.
    pub running: String,
    /// The same image by its digest, where that is known.
    #[serde(default)]
    pub digest: Option<String>,
    /// Since when it is live, or being deployed.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// When it was pushed, if its repository still has it.
    #[serde(default)]
    pub pushed: Option<Timestamp>,
    /// The repository that its rule selects from, `NAME` or `ACCOUNT/NAME`.
    #[serde(default)]
    pub repository: Option<String>,
    /// Whether its deployment is still under way.
    #[serde(default)]
    pub deploying: bool,
    /// The image that the rule selects and that does not run yet.
    #[serde(default)]
    pub next: Option<String>,
    /// The images that are rejected.
    #[serde(default)]
    pub rejected: Vec<String>,
    /// When a deployment may begin within the next 24 hours, where a window or a freeze limits that: from, until.
    #[serde(default)]
    pub windows: Option<Vec<(Timestamp, Timestamp)>>,
    /// Why none may begin now, whatever its window is.
    #[serde(default)]
    pub frozen: Option<String>,
}

/// The backups of a database or bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backup {
    /// Its identifier, or the name of the bucket.
    pub database: String,
    /// Whether every moment of the time that its rule names can be restored, so that there is no single copy to show.
    #[serde(default)]
    pub continuous: bool,
    /// Its rule, as its tag spells it.
    pub rule: String,
    /// How many hours old the newest backup is; 0 of what sleeps and does not change.
    #[serde(default)]
    pub age_hours: Option<f64>,
    /// Whether two nights were missed.
    #[serde(default)]
    pub late: bool,
    /// The snapshots or copies that Nightshift took of it within five weeks, the oldest first.
    pub snapshots: Vec<Snapshot>,
    /// The region that they are copied to, and when the newest one was taken that has a good copy there.
    #[serde(default)]
    pub copies: Option<(String, Option<Timestamp>)>,
}

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its identifier.
    pub id: String,
    /// When it was taken, or begun.
    pub at: Timestamp,
    /// What became of it.
    pub state: SnapshotState,
    /// Whether a drill restored from it.
    #[serde(default)]
    pub proven: bool,
}

/// What became of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotState {
    /// It can be restored from.
    Good,
    /// It failed.
    Failed,
    /// AWS is at work on it.
    Pending,
}

/// The last drill of a database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drill {
    /// The identifier of the database.
    pub database: String,
    /// How it ended, as the tag on the database spells it.
    #[serde(default)]
    pub outcome: Option<String>,
    /// When.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// How many minutes it took until the restored database was found right: the recovery time.
    #[serde(default)]
    pub took_minutes: Option<i64>,
    /// How many hours old the data was: the recovery point.
    #[serde(default)]
    pub data_hours: Option<i64>,
    /// When a drill last ended well.
    #[serde(default)]
    pub good: Option<Timestamp>,
}

/// The figures of a budget. Amounts are decimal numbers in a text, as AWS writes them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Its name.
    pub name: String,
    /// Such as `USD`.
    pub currency: String,
    /// The limit of the period.
    pub limit: String,
    /// What was spent in the period, with all its parts.
    pub actual: String,
    /// The same in percent.
    pub percent: u32,
    /// What is expected to be spent by its end.
    #[serde(default)]
    pub forecast: Option<String>,
    /// The first moment of the period.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// Since when something sleeps for it.
    #[serde(default)]
    pub held_since: Option<Timestamp>,
    /// What sleeps for it.
    #[serde(default)]
    pub held: Vec<String>,
    /// What it is made of, where that is more than the bill of AWS.
    #[serde(default)]
    pub parts: Vec<Part>,
}

/// A part of what was spent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// `AWS`, or the name of a source outside of it.
    pub name: String,
    /// What was spent; `None` where that could not be read.
    #[serde(default)]
    pub actual: Option<String>,
    /// Its share of the limit, where it has one.
    #[serde(default)]
    pub limit: Option<String>,
}

/// An alarm, and what was done about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Its name, and where it watches several things, which of them.
    pub name: String,
    /// Whether it is in ALARM.
    pub firing: bool,
    /// Since when it is in its state.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// The remedies of its tag, in their order.
    pub ladder: Vec<String>,
    /// Where it stands on that ladder, from 1.
    #[serde(default)]
    pub rung: Option<u32>,
    /// When the last remedy was begun.
    #[serde(default)]
    pub remedied: Option<Timestamp>,
    /// Whether what fired was left to a person.
    #[serde(default)]
    pub left: bool,
}
