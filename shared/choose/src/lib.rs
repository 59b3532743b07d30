//! Which image of a repository is the one to deploy: what in a registry is an image at all, which of them a rule selects,
//! and what becomes of that by rejections, approvals and what runs.
//!
//! Pure: no SDK, no clock, no environment. Nothing here knows how an image is deployed, nor to what.

mod candidate;
mod choice;
mod image;
pub mod kind;
mod left_out;
mod select;
#[cfg(test)]
mod tests;

pub use choice::{Choice, Running, Selection};
pub use image::Image;
