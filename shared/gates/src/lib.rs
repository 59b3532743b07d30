//! The gates that an image passes before it goes out, wherever it goes: a person, its scan, the time of day, a snapshot.
//!
//! Pure: a gate gets what was observed and answers whether the image may go on, or what blocks it. What only ECS needs,
//! as its migrations, its hooks and the health of a service, stays with the function that deploys there.

mod approval;
mod scan;
mod snapshot;
mod wait;
mod window;

pub use approval::approval;
pub use scan::{Finding, Grade, Scan, ScanState, scan};
pub use snapshot::{AskForSnapshot, snapshot};
pub use wait::Wait;
pub use window::{Calendar, frozen, opens, window, window_of, within_a_day};

use choose::Image;
use jiff::Zoned;
use reconcile::Choice;

/// Why an image does not go out now. `F` is what a function can look at, `A` a step with the reason for it.
#[derive(Debug, PartialEq)]
pub enum Blocked<F, A> {
    /// This has to be observed first.
    Lacks(F),
    /// It takes time, and then an event.
    Pending(Wait),
    /// It takes a person: the problem's kind and what is wrong.
    NeedsPerson(&'static str, String),
    /// The same, with what that person can decide.
    Asks {
        /// The problem's kind.
        kind: &'static str,
        /// What is wrong.
        message: String,
        /// What the person can decide.
        choices: Vec<Choice>,
    },
    /// It takes time that people have set apart, mostly days: the problem's kind and until when.
    Scheduled(&'static str, String),
    /// It takes these steps, and then an event.
    Requires(Vec<A>),
    /// It must not go out at all.
    Reject {
        /// Who rejects it, as the memory calls them.
        by: &'static str,
        /// Why, in words.
        why: String,
    },
}

impl<F, A> Blocked<F, A> {
    /// It takes time: why, and what ends that, as in "it goes on when …".
    pub fn pending(why: impl Into<String>, until: impl Into<String>) -> Self {
        Blocked::Pending(Wait { why: why.into(), until: until.into() })
    }
}

/// The image that stands before the gates.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// What carries the tags, as people call it: `service`, `instance`.
    pub on: &'static str,
    /// How people know what runs there now.
    pub running: &'a str,
    /// `NAME`, or `ACCOUNT/NAME` in the registry of another account.
    pub repository: &'a str,
    /// The image.
    pub image: &'a Image,
    /// The tag by which it was selected.
    pub tag: &'a str,
    /// The moment of the run, in the zone of the stack.
    pub now: &'a Zoned,
}
