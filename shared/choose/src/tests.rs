//! Tables and laws of the choice.

mod bad_input;
mod kind;
mod laws;
mod people;
mod select;
