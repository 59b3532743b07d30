//! The gates that an image passes before it goes out, in their order: scan, approval, snapshot, migration;
//! and the check that comes after, health.
//!
//! Each asks for what it has to know ([`Fact`]) only when an image stands before it, and says what it lacks to go on.
//! None of them waits: what it waits for comes back as an event, or with the sweep, and leads through the same gates.

mod fact;
mod health;
mod migrate;
mod scan;
mod snapshot;

pub use fact::{Fact, Seen};
pub use health::{Health, is_well};
pub use migrate::{Ended, STARTED_BY, Task, run_name};
pub use scan::{Finding, Grade, Scan, ScanState};
pub use snapshot::Backup;

use jiff::Zoned;

use super::case::{Case, Memory};
use super::select::Image;
use super::step::Step;

/// A step and the reason for it.
pub type Act = (Step, String);

/// Why an image does not go out now.
#[derive(Debug, PartialEq)]
pub enum Shut {
    /// It takes time, and then an event: the reason.
    Wait(String),
    /// It takes a person: the problem's kind and what is wrong.
    Hold(&'static str, String),
    /// It takes these steps, and then an event.
    Do(Vec<Act>),
    /// This is to be remembered, and then what is said here holds it all the same.
    Noted(Box<(Act, Shut)>),
    /// It is not to go out at all.
    Reject {
        /// Who rejects it, as the memory calls them.
        by: &'static str,
        /// What happened, in words.
        why: String,
    },
}

/// The image that stands before the gates.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// The service that it is for.
    pub case: &'a Case<'a>,
    /// What the service remembers, by what was decided so far.
    pub memory: &'a Memory,
    /// The image.
    pub image: &'a Image,
    /// What people call it.
    pub tag: &'a str,
    /// The moment for which is decided.
    pub now: &'a Zoned,
}

/// Whether the image may go out, and what is to be remembered first.
pub fn pass(candidate: Candidate<'_>) -> Result<Option<Act>, Shut> {
    match before_migration(candidate) {
        Ok(()) => migrate::pass(candidate),
        Err(shut) => Err(held(candidate, shut)),
    }
}

fn before_migration(candidate: Candidate<'_>) -> Result<(), Shut> {
    scan::pass(candidate)?;
    approval(candidate)?;
    awake(candidate)?;
    snapshot::pass(candidate)
}

/// What holds an image, whose migration may have been begun before that: how it ended is not to be forgotten.
pub fn held(candidate: Candidate<'_>, shut: Shut) -> Shut {
    match (shut, migrate::ended(candidate)) {
        (shut @ Shut::Reject { .. }, _) | (shut, Ok(None)) => shut,
        (shut, Ok(Some(note))) => Shut::Noted(Box::new((note, shut))),
        (_, Err(failed)) => failed,
    }
}

/// What has to do with databases waits until the service is awake: they sleep with it.
fn awake(Candidate { case, tag, .. }: Candidate<'_>) -> Result<(), Shut> {
    if !case.service.tags.contains_key(rules::keys::ASLEEP) {
        return Ok(());
    }
    let why = match (&case.rule.snapshot, &case.rule.migrate) {
        (Some(database), _) => format!("a snapshot of {database} comes before it"),
        (None, Some(family)) => format!("{family} has to run before it"),
        (None, None) => return Ok(()),
    };
    Err(Shut::Wait(format!("{tag} waits until the service is awake, since {why}")))
}

/// A person has said yes to this very image.
fn approval(Candidate { case, memory, image, tag, .. }: Candidate<'_>) -> Result<(), Shut> {
    let approved = memory.approved.as_ref().is_some_and(|it| it.digest == image.digest);
    if case.rule.approval.is_none() || approved {
        return Ok(());
    }
    let service = &case.service.name;
    // By its digest: a tag may be another image by the time that the command is sent, which nobody has seen.
    let message = format!(
        "{tag} waits for approval; {} runs. Send {{\"approve\":{{\"service\":\"{service}\",\"image\":\"{}\"}}}} \
         to this function to let that very image out, or the same with \"reject\"",
        case.running_label(),
        image.digest,
    );
    Err(Shut::Hold("needs-approval", message))
}

/// What a gate says where it does not see what it asked for: AWS's error is the problem `kind`.
fn unseen(seen: Option<&Seen>, kind: &'static str) -> Shut {
    match seen {
        Some(Seen::Refused(error)) => Shut::Hold(kind, error.clone()),
        _ => Shut::Wait("what the gates of a newer image ask for was not looked at; the next run does".into()),
    }
}
