//! What gates have to know, and what was seen of it.

use rules::Digest;

use super::scan::Scan;

/// Something that a gate has to know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// What the scan of an image found.
    Scan {
        /// The image's repository.
        repository: String,
        /// The image.
        digest: Digest,
    },
}

/// What was seen of a [`Fact`].
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// The scans of an image: one, or of a multi-platform image one for each platform.
    Scans(Vec<Scan>),
    /// It could not be seen; the error in words.
    Refused(String),
}
