//! Calls to AWS that several functions make. Decides nothing.
//!
//! [`Error`] is what every failed call becomes, [`tagging`] finds what opted in, [`ecs`] writes the memory tags of a
//! service, [`rds`] those of a database, which it also finds with its snapshots, [`lambda`] wakes another function,
//! [`each`] bounds how many calls are under way, [`Pace`] how many begin per second.

pub mod ecs;
mod error;
pub mod lambda;
mod pace;
pub mod rds;
pub mod tagging;

pub use error::{Error, ErrorKind};
pub use pace::{LeaveThrottling, Pace, each};
