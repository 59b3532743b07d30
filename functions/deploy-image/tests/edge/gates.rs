//! What the gates read and do, on scripted HTTP.

mod health;
mod migrate;
mod scan;
mod snapshot;
mod start;
mod targets;
