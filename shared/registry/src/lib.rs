//! Reads repositories of images: what they hold, what indexes list, what scans found. Decides nothing.

mod ecr;

pub use ecr::{has_lifecycle_policy, list_images, list_indexes, list_scans};
