//! A restore to a moment: what its `_nightshift.json` says of it, and what a command asks for.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use rules::bucket::Destination;
use serde::{Deserialize, Serialize};

use super::job::{Job, Lost, Obstacle};

/// Who writes the marker of a restore: it must not be read as that of a copy, which is deleted after a while.
pub const RESTORED_BY: &str = "nightshift copy-buckets restore";

/// What a person asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    pub bucket: String,
    pub at: At,
    /// The folder of the restore lies in it.
    pub to: Destination,
}

/// A moment, as a person writes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum At {
    /// In the zone of the stack.
    Local(DateTime),
    Exact(Timestamp),
}

impl At {
    pub fn read(text: &str) -> Option<Self> {
        if !text.contains('T') {
            return None;
        }
        let exact = text.parse().ok().map(At::Exact);
        exact.or_else(|| text.parse().ok().map(At::Local))
    }

    /// None for a moment beyond the calendar.
    pub fn timestamp(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            At::Exact(it) => Some(it),
            At::Local(it) => it.to_zoned(zone.clone()).ok().map(|it| it.timestamp()),
        }
    }
}

/// The name of the folder of a restore: never that of a copy, which is a date and no more.
pub fn folder_name(at: Timestamp, now: &Zoned) -> String {
    at.to_zoned(now.time_zone().clone()).strftime("%Y-%m-%dT%H%M%S").to_string()
}

/// What is written into the folder of a restore.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestoreMarker {
    pub made_by: String,
    pub source: String,
    #[serde(default)]
    pub prefix: String,
    /// The objects are as they were at this moment.
    pub at: Timestamp,
    pub begun: Timestamp,
    pub state: RestoreState,
    /// A run lists versions until then, so that no other one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy_until: Option<Timestamp>,
    /// How far the list of versions has come, where it does not fit into one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing: Option<Listing>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Manifest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// People may not have been told how it ended: the run that saw it has not come so far.
    #[serde(default, skip_serializing_if = "is_false")]
    pub untold: bool,
}

fn is_false(it: &bool) -> bool {
    !it
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestoreState {
    Listing,
    Copying,
    Complete,
    Failed,
}

/// An upload of the list in parts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    pub upload: String,
    pub parts: Vec<Part>,
    /// The key and the version that are in the list already, or were left out of it.
    pub after: Option<(String, String)>,
    /// The key whose version has been picked: its older ones follow.
    pub decided: Option<String>,
    pub objects: u64,
}

/// What S3 has of a part. Where the bucket has Object Lock, no object is taken without a checksum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub etag: String,
    pub sha256: String,
}

/// The whole list, as a job reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub etag: String,
    pub objects: u64,
}

impl RestoreMarker {
    pub fn has_ended(&self) -> bool {
        matches!(self.state, RestoreState::Complete | RestoreState::Failed)
    }

    /// Reads a marker; none where it is not one of a restore.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|it: &RestoreMarker| it.made_by == RESTORED_BY)
    }
}

/// The folder that a command names.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    pub region: String,
    pub contents: Contents,
    pub obstacles: Vec<Obstacle>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Contents {
    Nothing,
    /// Something that is not a restore.
    Other,
    Restore(Box<RestoreMarker>),
}

/// A restore that a tag of the bucket says is under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Restoring {
    pub region: String,
    /// None where there is none.
    pub marker: Option<RestoreMarker>,
    /// Where it is being copied.
    pub job: Option<Result<Job, Lost>>,
}

/// The folder that the tag of a bucket names: `BUCKET/prefix/2026-11-20T030000`.
pub fn remembered(value: &str) -> Option<(Destination, String)> {
    let (to, name) = value.rsplit_once('/')?;
    name.contains('T').then_some(())?;
    Some((to.parse().ok()?, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_of_the_zone_of_the_stack_unless_it_says_another() {
        let zone = TimeZone::get("Asia/Seoul").unwrap();
        for (text, expected) in [
            ("2026-11-20T03:00", Some("2026-11-19T18:00:00Z")),
            ("2026-11-20T03:00:15", Some("2026-11-19T18:00:15Z")),
            ("2026-11-20T03:00Z", Some("2026-11-20T03:00:00Z")),
            ("2026-11-20T03:00+01:00", Some("2026-11-20T02:00:00Z")),
            ("2026-11-20", None),
            ("yesterdayT03:00", None),
            ("", None),
        ] {
            let moment = At::read(text).and_then(|it| it.timestamp(&zone)).map(|it| it.to_string());
            assert_eq!(moment.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_folder_of_a_restore_is_never_taken_for_a_copy() {
        let now = "2026-11-21T12:00:00+09:00[Asia/Seoul]".parse().unwrap();
        let name = folder_name("2026-11-19T18:00:00Z".parse().unwrap(), &now);
        assert_eq!(name, "2026-11-20T030000");
        assert_eq!(super::super::marker::date_of_copy(&name), None);
        let (to, folder) = remembered(&format!("kfood-restored/a/b/{name}")).unwrap();
        assert_eq!((to.to_string().as_str(), folder), ("kfood-restored/a/b", name));
        for other in ["", "x", "kfood-restored/2026-11-20", "kfood-restored/a/2026-11-20"] {
            assert_eq!(remembered(other), None, "{other}");
        }
    }
}
