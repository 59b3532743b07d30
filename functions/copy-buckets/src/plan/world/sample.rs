//! `_nightshift-drill.json` in the folder of a copy that is being drilled: which objects are compared.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The name of the file.
pub const SAMPLE: &str = "_nightshift-drill.json";

/// Which objects of a bucket a drill compares, and how far the look for them has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The key and the version after which the list goes on; none before its first page and after its last one.
    #[serde(default)]
    pub after: Option<(String, String)>,
    /// Every version was looked at.
    #[serde(default)]
    pub is_whole: bool,
    /// The key whose versions were looked at last: more of them may follow.
    #[serde(default)]
    pub current: Option<Current>,
    /// How many objects there were that can be compared.
    #[serde(default)]
    pub objects: u64,
    /// How many were changed while the copy was made, so that either version may be in it.
    #[serde(default)]
    pub changed: u64,
    /// Those that are compared, in the order of their draws.
    #[serde(default)]
    pub chosen: Vec<Chosen>,
}

/// An object that is compared, as it was when the copy was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Chosen {
    /// By chance: those with the lowest are chosen.
    pub draw: u64,
    pub key: String,
    /// None where the bucket keeps no versions.
    #[serde(default)]
    pub version: Option<String>,
    pub size: u64,
    pub etag: String,
}

/// A key in the middle of its versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Current {
    pub key: String,
    /// When the oldest of the versions that are newer than the copy was written.
    pub later: Option<Timestamp>,
    /// The version of the copy was found.
    pub is_decided: bool,
}

impl Sample {
    /// Reads the file; none where it was changed by hand.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}
