//! `_nightshift.json` in the folder of a copy: of what it is a copy, and what became of it. What has none is not ours.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// What is written into the folder of a copy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Marker {
    /// Who wrote it; what says anything else is not a copy of ours.
    pub made_by: String,
    /// The bucket.
    pub source: String,
    /// Only objects whose keys begin so were copied.
    #[serde(default)]
    pub prefix: String,
    /// When the copy was begun.
    pub moment: Timestamp,
    /// Counted from 1: a person can ask for another one in the same night.
    pub attempt: u32,
    pub state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// How many objects were copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<u64>,
    /// How many were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    /// Why it is not a good copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// When it was seen that its job had ended: what was written into the bucket until then may be in the copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Since when its drill is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drilling: Option<Timestamp>,
    /// When a drill last found it right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Written before its job is created, so that a folder without a marker is never one of ours.
    Starting,
    Copying,
    Complete,
    Failed,
    /// Written before the first object is deleted: what is left of it is not a copy any more.
    Deleting,
}

pub const MADE_BY: &str = "nightshift copy-buckets";

/// The name of the marker in its folder.
pub const NAME: &str = "_nightshift.json";

/// The folder of a copy's folder into which S3 writes which objects were not copied.
pub const REPORT: &str = "_nightshift-report";

/// The date that a folder is called after; none where it is called anything more, such as that of a restore.
pub fn date_of_copy(name: &str) -> Option<Date> {
    name.parse().ok().filter(|it: &Date| it.to_string() == name)
}

impl Marker {
    /// Reads a marker; none where it is not one of ours.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|it: &Marker| it.made_by == MADE_BY)
    }

    pub fn is_under_way(&self) -> bool {
        matches!(self.state, State::Starting | State::Copying)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_as_it_was_written_and_what_is_none_is_not_ours() {
        let marker = Marker {
            made_by: MADE_BY.into(),
            source: "kfood-uploads".into(),
            prefix: "uploads/".into(),
            moment: "2026-11-20T18:00:00Z".parse().unwrap(),
            attempt: 1,
            state: State::Complete,
            job: Some("0123".into()),
            objects: Some(1000),
            failed: Some(0),
            problems: Vec::new(),
            ended: "2026-11-20T18:20:00Z".parse().ok(),
            drilling: None,
            proven: "2026-11-23T01:20:00Z".parse().ok(),
        };
        let text = serde_json::to_string(&marker).unwrap();
        assert_eq!(Marker::read(&text), Some(marker));
        for other in ["", "{}", "[]", &text.replace("nightshift copy", "other copy"), &text.replace("complete", "done")]
        {
            assert_eq!(Marker::read(other), None, "{other}");
        }
    }
}
