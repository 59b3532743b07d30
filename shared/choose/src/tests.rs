//! Tables and laws of the choice.

mod kind;
mod laws;
mod people;
mod select;
