//! The plan, played against a shop.

mod laws;
mod model;
mod stories;
mod targets;

pub use model::alarm;
