//! An entry of a repository.

use jiff::Timestamp;
use rules::Digest;

use crate::kind::{Kind, Listing, kind};

/// An image in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its digest; of a multi-platform image that of the index.
    pub digest: Digest,
    /// Its tags; most often none for the parts of a multi-platform image.
    pub tags: Vec<String>,
    /// When it was pushed. Another tag for an image that is there already leaves this as it was.
    pub pushed_at: Timestamp,
    /// The media type of its manifest, if the registry says so: only that tells an index.
    pub media_type: Option<String>,
    /// What kind of artifact it is, if the registry says so.
    pub artifact_media_type: Option<String>,
    /// The digest that it is attached to, as a signature is.
    pub subject: Option<String>,
    /// It cannot be pulled now.
    pub archived: bool,
}

impl Image {
    /// What it is, as far as the registry's listing tells.
    pub fn kind(&self) -> Kind {
        kind(Listing {
            manifest: self.media_type.as_deref(),
            artifact: self.artifact_media_type.as_deref(),
            subject: self.subject.as_deref(),
        })
    }

    /// Whether containers can be started from it now.
    pub fn is_deployable(&self) -> bool {
        !self.archived && matches!(self.kind(), Kind::Single | Kind::Index)
    }
}

/// What people would call an image of several tags: rather a name of its own than the one that moves.
pub(crate) fn best_name<'a>(tags: impl Iterator<Item = &'a String>) -> Option<String> {
    tags.min_by_key(|it| (*it == "latest", *it)).cloned()
}
