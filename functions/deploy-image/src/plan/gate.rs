//! The gates that an image passes before it goes out, in their order: scan, approval, window, what its tasks need, snapshot, migration;
//! and the check that comes after, health.
//!
//! Each asks for what it has to know ([`super::world::Fact`]) only when an image stands before it, and says what it lacks to go on.
//! None of them waits: what it waits for comes back as an event, or with the sweep, and leads through the same gates.

mod answer;
mod health;
mod migrate;
mod shared;
mod start;

pub use answer::{Act, Blocked, Candidate, look, unavailable};
pub use health::{Before, after as health_after, test as test_health};
pub use migrate::{STARTED_BY, notes as migration_notes, run_name};

use super::world::Observation;

pub struct Passed {
    /// What to remember first.
    pub notes: Vec<Act>,
    /// How the service's address answers before the rollout, if the rule names one.
    pub health: Option<Before>,
}

pub fn pass(candidate: Candidate<'_>) -> Result<Passed, Blocked> {
    platform(candidate)?;
    shared::scan(candidate)?;
    shared::approval(candidate)?;
    awake(candidate)?;
    shared::window(candidate)?;
    // Late, so that it is read for what would go out now; and before anything is done for it.
    start::startable(candidate)?;
    let health = health::before(candidate)?;
    shared::snapshot(candidate)?;
    Ok(Passed { notes: migrate::pass(candidate)?, health })
}

/// The same for an image that a person wants out through no gate. How the address answers before is still asked: by that
/// the image is judged afterwards.
pub fn pass_at_once(candidate: Candidate<'_>) -> Result<Passed, Blocked> {
    platform(candidate)?;
    let health = match health::before(candidate) {
        Ok(health) => health,
        Err(lacks @ Blocked::Lacks(_)) => return Err(lacks),
        Err(_) => Some(Before::Unknown),
    };
    Ok(Passed { notes: Vec::new(), health })
}

/// What the image consists of is known, so that one for another processor was not even chosen.
fn platform(Candidate { case, image, .. }: Candidate<'_>) -> Result<(), Blocked> {
    let Some(fact) = case.wanted_indexes(image) else { return Ok(()) };
    match look(case, fact)? {
        Observation::Indexes(_) => Ok(()),
        other => Err(unavailable(other, "unreadable-image", "for which processors the image is built")),
    }
}

/// What has to do with databases waits until the service is awake: they sleep with it.
fn awake(Candidate { case, tag, now, .. }: Candidate<'_>) -> Result<(), Blocked> {
    if !case.service.tags.contains_key(rules::keys::ASLEEP) {
        return Ok(());
    }
    let why = match (&case.rule.snapshot, &case.rule.migrate) {
        (Some(database), _) => format!("a snapshot of {database} comes before it"),
        (None, Some(family)) => format!("{family} has to run before it"),
        (None, None) => return Ok(()),
    };
    Err(Blocked::pending(format!("{tag} waits, since {why}, and the service sleeps"), case.wakes(now)))
}
