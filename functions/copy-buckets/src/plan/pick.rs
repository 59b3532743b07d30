//! Which version of each object was the current one at a moment.

use jiff::Timestamp;

/// A version of an object, or the mark that it was deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub key: String,
    pub id: String,
    pub at: Timestamp,
    pub is_deletion: bool,
    pub size: u64,
    pub etag: String,
}

/// Goes through versions as S3 lists them: key by key, the newest of each first, over any number of pages.
#[derive(Debug, Clone)]
pub struct Picker {
    at: Timestamp,
    /// The key whose version has been found.
    decided: Option<String>,
}

impl Picker {
    pub fn new(at: Timestamp, decided: Option<String>) -> Self {
        Picker { at, decided }
    }

    /// Whether `version` was the current one, and an object.
    pub fn takes(&mut self, version: &Version) -> bool {
        if version.at > self.at || self.decided.as_deref() == Some(version.key.as_str()) {
            return false;
        }
        self.decided = Some(version.key.clone());
        !version.is_deletion
    }

    pub fn decided(&self) -> Option<String> {
        self.decided.clone()
    }
}
