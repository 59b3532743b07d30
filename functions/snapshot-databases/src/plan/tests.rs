mod copies;
mod laws;
mod model;
mod nights;
mod stories;
