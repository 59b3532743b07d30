//! The shape of every run: a plan, what became of it, and what people are told about it.
//!
//! Names no AWS service, reads no clock and no environment.
//! [`Plan`] is what a function decides, [`carry_out()`] does it, [`Report`] says what came of it,
//! [`message`] and [`memory`] decide who is told, and what is remembered of that.

mod button;
mod carry_out;
mod fit;
mod kind;
pub mod memory;
pub mod message;
mod plan;
mod report;
mod sentences;
mod shell;
mod undo;
mod when;

pub use button::Button;
pub use carry_out::{Conduct, carry_out};
pub use kind::{MessageKind, Routine};
pub use plan::{Plan, Planned, Step, writing_down};
pub use report::{
    Action, Fact, Failure, Hint, LeftOut, Measure, Outcome, Problem, Refused, Report, Skipped, Trouble, Undone,
};
pub use shell::CommandLine;
pub use undo::{Choice, Undo};
pub use when::when;
