mod bad_input;
mod gone;
mod images;
mod laws;
mod model;
mod stories;
