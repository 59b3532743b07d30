mod laws;
mod model;
mod stories;
