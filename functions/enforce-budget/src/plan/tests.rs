mod bad_input;
mod laws;
mod model;
mod stories;
