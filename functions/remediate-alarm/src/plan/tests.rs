//! The plan, played against a shop.

mod bad_input;
mod laws;
mod model;
mod stories;
mod targets;

pub use model::alarm;
