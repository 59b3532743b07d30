//! Worked examples of the gates: what passes, what is held and with which words, and what is found again by the sweep.

mod health;
mod migrate;
mod scan;
pub mod snapshot;
mod start;
mod targets;
