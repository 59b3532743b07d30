//! What the plan does, as laws and as stories.

mod bad_input;
mod drills;
mod laws;
mod model;
mod restores;
mod stories;
mod versions;
