//! Laws of the page, whatever the functions report, and what a page of two shops shows.

mod bad_input;
mod colours;
mod facts;
mod laws;
mod shops;
