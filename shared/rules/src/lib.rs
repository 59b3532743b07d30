//! What people ask for, in types: the tag grammar, the rules it expresses, and the memory of what was decided.
//!
//! Pure: no SDK, no clock, no environment. What is written here twice would mean two things one day, so every tag name
//! stands once, in [`keys`], and every tag is read by one grammar, [`tag`].

pub mod address;
#[cfg(test)]
mod bad_input;
pub mod bucket;
pub mod budget;
pub mod calendar;
pub mod compose;
pub mod database;
pub mod days_off;
pub mod deploy;
mod digest;
pub mod drill;
pub mod facts;
pub mod follow;
pub mod image;
pub mod intent;
pub mod keys;
mod length;
pub mod memory;
pub mod migrating;
pub mod partition;
pub mod rejections;
pub mod remedied;
pub mod remedy;
pub mod retention;
pub mod schedule;
mod selector;
pub mod service;
pub mod sleep;
pub mod soak;
pub mod spend;
pub mod tag;
pub mod version;
pub mod zone;

pub use digest::{BadDigest, Digest, ShortDigest};
pub use service::ServiceName;
pub use tag::BadTag;
