//! The mark on an ECS service while a migration runs in its name.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::keys;
use crate::memory::written;
use crate::tag::{BadTag, LONGEST, Reader};

const REFUSED: &str = " start=refused";

/// `nightshift-state:migrating`: a migration has been started, and nothing is known of its end yet.
///
/// `ns-0123456789ab-0123456789abcdef since=2026-11-21T03:00:00Z task=arn:aws:ecs:… family=shop-migrate`
///
/// While it stands no database is stopped under the task. It is written when ECS has accepted the task and removed when
/// its end is known. ECS forgets a task an hour after it stopped, so the mark may outlive what ECS can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrating {
    /// What the run is called; the task's `startedBy`.
    pub run: String,
    /// When it was started.
    pub since: Timestamp,
    /// The task's ARN, if a tag has room for it.
    pub task: Option<String>,
    /// The family of its task definition, if a tag has room for it.
    pub family: Option<String>,
    /// How far its start is.
    pub start: Start,
}

/// How far the start of a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// ECS is being asked. A run that dies then does not know whether the task was started.
    Asked,
    /// ECS has accepted the task.
    Accepted,
    /// ECS started no task. That is remembered since ECS answers the same to the same client token.
    Refused,
}

impl Migrating {
    /// Whether a task of it may run.
    pub fn may_run(&self) -> bool {
        self.start != Start::Refused
    }
}

impl FromStr for Migrating {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::MIGRATING, value)?;
        let Some(run) = tag.word() else { return Err(tag.bad("no run", "ns-NAME")) };
        let migrating = Migrating {
            run: run.to_owned(),
            since: tag.required("since", "2026-11-21T03:00:00Z")?,
            task: tag.option("task").map(str::to_owned),
            family: tag.option("family").map(str::to_owned),
            start: match tag.option("start") {
                None => Start::Accepted,
                Some("asked") => Start::Asked,
                Some("refused") => Start::Refused,
                Some(other) => return Err(tag.bad_word(other, &["start=asked", "start=refused"])),
            },
        };
        tag.finish().map(|()| migrating)
    }
}

impl fmt::Display for Migrating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = format!("{} since={}", self.run, written(self.since));
        for (name, text) in [("task", &self.task), ("family", &self.family)] {
            if let Some(text) = text
                && value.len() + name.len() + text.len() + 2 + REFUSED.len() <= LONGEST
            {
                value += &format!(" {name}={text}");
            }
        }
        f.write_str(&value)?;
        match self.start {
            Start::Asked => f.write_str(" start=asked"),
            Start::Accepted => Ok(()),
            Start::Refused => f.write_str(REFUSED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migrating(cluster: usize, family: usize) -> Migrating {
        let task = format!("arn:aws:ecs:ap-northeast-2:123456789012:task/{}/{}", "c".repeat(cluster), "0".repeat(32));
        Migrating {
            run: "ns-0123456789ab-0123456789abcdef".into(),
            since: "2026-11-21T03:00:00Z".parse().unwrap(),
            task: Some(task),
            family: Some("f".repeat(family)),
            start: Start::Accepted,
        }
    }

    #[test]
    fn what_is_written_is_read_back_as_far_as_a_tag_has_room() {
        let short = migrating(20, 40);
        assert_eq!(short.to_string().parse(), Ok(short.clone()));
        for (start, may_run) in [(Start::Asked, true), (Start::Refused, false)] {
            let other = Migrating { start, ..short.clone() };
            assert_eq!(other.to_string().parse(), Ok(other.clone()));
            assert_eq!(other.may_run(), may_run);
        }
        let long_family = migrating(20, 255);
        let expected = Migrating { family: None, ..long_family.clone() };
        assert_eq!(long_family.to_string().parse(), Ok(expected));
        let long_cluster = migrating(255, 40);
        let expected = Migrating { task: None, ..long_cluster.clone() };
        assert_eq!(long_cluster.to_string().parse(), Ok(expected));
    }

    #[test]
    fn a_mark_that_was_changed_by_hand_is_refused_with_what_is_accepted() {
        let read = |value: &str| value.parse::<Migrating>().unwrap_err().to_string();
        assert_eq!(read(""), "nightshift-state:migrating: no run in ''; accepted: ns-NAME");
        assert!(read("ns-1").starts_with("nightshift-state:migrating: no option 'since' in 'ns-1'; accepted: since="));
    }
}
