//! Tables and laws of the choice.

mod kind;
mod select;
