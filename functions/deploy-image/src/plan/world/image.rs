//! An image in a repository.

use jiff::Timestamp;
use rules::Digest;

/// An image in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its digest; of a multi-platform image that of the index.
    pub digest: Digest,
    /// Its tags; none for the parts of a multi-platform image.
    pub tags: Vec<String>,
    /// When it was pushed.
    pub pushed_at: Timestamp,
    /// What kind of artifact it is, if the registry says so.
    pub artifact_media_type: Option<String>,
    /// The digest that it is attached to, as a signature is.
    pub subject: Option<String>,
    /// It cannot be pulled now.
    pub archived: bool,
}
