//! What drills do, as stories, and what holds whatever happens.

mod laws;
mod model;
mod stories;
