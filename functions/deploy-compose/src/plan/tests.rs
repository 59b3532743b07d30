//! What becomes of instances, as stories, and what holds whatever happens.

mod bad_input;
mod groups;
mod joins;
mod laws;
mod model;
mod stories;
