//! What the gates read and do, on scripted HTTP.

mod migrate;
mod scan;
mod snapshot;
