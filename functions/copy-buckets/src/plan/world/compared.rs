//! An object of a drill, as it was found in the copy and in the source.

use std::collections::BTreeMap;

use super::sample::Chosen;

/// Of each object so much is read and compared byte by byte; of most of them that is all.
pub const START: u64 = 1 << 20;

/// What S3 says of an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object {
    pub size: u64,
    pub etag: String,
    /// Encrypted with a key of KMS: its ETag is not a digest of its contents.
    pub has_kms_key: bool,
    /// By algorithm, the checksums of the whole object that S3 has recorded.
    pub checksums: BTreeMap<String, String>,
}

/// An object in the source, or in the copy.
#[derive(Debug, Clone, PartialEq)]
pub enum Side {
    There(Object),
    Missing,
    /// S3 does not let it be read, with this code.
    Refused(String),
}

/// An object on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    pub chosen: Chosen,
    pub copy: Side,
    pub source: Side,
    /// Whether both begin with the same bytes; none where one of them is in an archive, from which nothing is read.
    pub same_start: Option<bool>,
}
