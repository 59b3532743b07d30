//! Calls to AWS that several functions make. Decides nothing.
//!
//! [`Error`] is what every failed call becomes, [`tagging`] finds what opted in, [`ecs`] writes the memory tags of a
//! service, [`each`] bounds how many calls are under way, [`Pace`] how many begin per second.

pub mod ecs;
mod error;
mod pace;
pub mod tagging;

pub use error::Error;
pub use pace::{Pace, each};
