mod bad_input;
mod copies;
mod laws;
mod model;
mod nights;
mod owned;
mod stories;
