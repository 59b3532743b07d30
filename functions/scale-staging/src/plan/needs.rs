//! Which databases a service needs, and whether tasks of it still use them: nothing stops under a running task.

use std::collections::BTreeMap;

use jiff::{Timestamp, Zoned};
use rules::keys;

use super::times::MIGRATES_WITHIN;
use super::world::Backing;

/// What a service needs of its databases.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// What people call the service.
    pub service: String,
    /// The databases, instances and groups that it names, as they were written.
    pub databases: Vec<String>,
    /// It is, or should be, awake.
    pub awake: bool,
    pub used: Used,
}

/// Whether its databases are used, however it should be.
#[derive(Debug, Clone, PartialEq)]
pub enum Used {
    No,
    /// Tasks of it run, or are about to.
    ByTasks,
    /// A migration of it runs, as a task of its own.
    ByMigration,
    /// It is an instance that runs.
    ByInstance,
    /// It, or what its tags say, cannot be read.
    Unknown,
    /// By its tags it sleeps, and this run has not looked at it.
    Unseen,
}

impl Need {
    /// Whether it needs the database, the instance or the group of this ARN.
    pub fn is_for(&self, arn: &str, backing: Backing<'_>) -> bool {
        self.databases.iter().any(|it| backing.arns(it).contains(&arn))
    }
}

/// Why a database is not stopped, by the services that need it: whoever wants it asleep, not under a running task.
pub fn still_used(needs: &[&Need]) -> Option<String> {
    let users = needs.iter().filter(|it| it.used != Used::No);
    // What cannot be read is told before what can.
    let user = users.clone().find(|it| it.used == Used::Unknown).or(users.clone().next())?;
    let name = &user.service;
    Some(match user.used {
        Used::Unknown => format!("it is not stopped, since {name}, which may need it, cannot be read"),
        Used::ByMigration => format!("it is stopped once the migration of {name} has ended"),
        Used::ByInstance => format!("it is stopped once {name} has stopped"),
        Used::Unseen => format!("it is not stopped before a run has looked at {name}"),
        Used::ByTasks | Used::No => format!("it is stopped once the tasks of {name} have ended"),
    })
}

/// The databases that the tags of a service name, as far as that can be told where another word of a tag is bad.
///
/// A migration also runs in the database that `deploy-image` snapshots before it.
pub fn databases_named(tags: &BTreeMap<String, String>) -> Vec<String> {
    let option = |key: &str, name: &str| {
        let words = tags.get(key).into_iter().flat_map(|it| it.split_whitespace());
        words.filter_map(|it| it.strip_prefix(name)?.strip_prefix('=')).next().unwrap_or_default()
    };
    let mut named: Vec<String> = option(keys::SCHEDULE, "after").split('+').map(str::to_owned).collect();
    if tags.contains_key(keys::MIGRATING) {
        named.push(option(keys::DEPLOY, "snapshot").to_owned());
    }
    named.retain(|it| !it.is_empty());
    named
}

/// Whether a migration of this service runs, by the mark that `deploy-image` leaves meanwhile.
pub fn is_migrating(tags: &BTreeMap<String, String>, now: &Zoned) -> bool {
    let Some(mark) = tags.get(keys::MIGRATING) else { return false };
    let since = mark.split(' ').find_map(|it| it.strip_prefix("since=")?.parse::<Timestamp>().ok());
    // A mark without a moment that can be read says at least that there is one.
    since.is_none_or(|it| now.timestamp().duration_since(it) < MIGRATES_WITHIN)
}
