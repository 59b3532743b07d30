//! What is remembered of drills: on the drill database, on the original, on the snapshot.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::keys;
use crate::memory::written;
use crate::tag::{BadTag, Reader};

const MOMENT: &str = "2026-11-21T03:00:00Z";

/// `nightshift-state:drill` on a drill database: of what it is a restore, and for how long it may exist.
///
/// `of=kfood-db resource=db-ABCDEFGHIJKL begun=2026-12-01T01:00:00Z until=2026-12-01T07:00:00Z`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drill {
    /// The original.
    pub of: String,
    /// The `resource_id` of the original, which stays when that is renamed.
    pub resource: Option<String>,
    /// The region of the original, if the drill is in another one. Only the stack of that region takes the drill on, and
    /// deletes it.
    pub home: Option<String>,
    /// When it was restored.
    pub begun: Timestamp,
    /// Then it is deleted, whatever has become of it.
    pub until: Timestamp,
}

/// `nightshift-state:drill-from` on a drill database: what it was restored from. `SNAPSHOT taken=MOMENT`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The id of the snapshot, or [`Source::POINT_IN_TIME`].
    pub snapshot: String,
    /// When that was taken; of a point in time, that moment.
    pub taken: Timestamp,
}

impl Source {
    /// Stands for a snapshot where none was restored. No snapshot of Nightshift or RDS is called so.
    pub const POINT_IN_TIME: &str = "point-in-time";

    /// What people call the snapshot of this id.
    pub fn name(snapshot: &str) -> &str {
        if snapshot == Self::POINT_IN_TIME { "its latest point in time" } else { snapshot }
    }
}

/// `nightshift-state:drill-progress` on a drill database: how far its drill has come.
///
/// `up=2026-12-01T01:12:00Z task=0123abcd proven=2026-12-01T01:20:00Z`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// When it was first seen to take connections.
    pub up: Option<Timestamp>,
    /// The id of the task that checks it.
    pub task: Option<String>,
    /// When the check ended well.
    pub proven: Option<Timestamp>,
}

/// How a drill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was restored, and the check found it right.
    Proven,
    /// It was restored; no check was asked for.
    Restored,
    /// The same, but it took longer than it may.
    Late,
    /// It could not be restored, or the check found it wrong.
    Failed,
    /// A person ended it.
    Ended,
}

impl Outcome {
    const ALL: [(Outcome, &str); 5] = [
        (Outcome::Proven, "proven"),
        (Outcome::Restored, "restored"),
        (Outcome::Late, "late"),
        (Outcome::Failed, "failed"),
        (Outcome::Ended, "ended"),
    ];

    /// Whether the snapshot can be restored from.
    pub fn is_good(self) -> bool {
        matches!(self, Outcome::Proven | Outcome::Restored | Outcome::Late)
    }
}

impl FromStr for Outcome {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.iter().find(|(_, it)| *it == word).map(|(it, _)| *it).ok_or(())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(it, _)| it == self).map_or("", |(_, word)| word))
    }
}

/// `nightshift-state:drilled` on a database: how its last drill ended.
///
/// `proven at=2026-12-01T01:31:00Z begun=2026-12-01T01:00:00Z took=31m data=6h good=2026-12-01T01:31:00Z snapshot=ID`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drilled {
    /// How it ended.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
    /// When it had begun: which drill it was.
    pub begun: Timestamp,
    /// How many minutes it took until it was proven, if it was.
    pub took: Option<i64>,
    /// How many hours old the data was when the drill began.
    pub data: i64,
    /// When a drill last ended well.
    pub good: Option<Timestamp>,
    /// The snapshot.
    pub snapshot: String,
    /// People may not have been told: the run that ended it has not got that far.
    pub untold: bool,
}

/// `nightshift-state:proven` on a snapshot: that it was restored from, and what checked that.
///
/// `2026-12-01T01:31:00Z check=kfood-drill`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// When.
    pub at: Timestamp,
    /// The family of the check, if there was one.
    pub check: Option<String>,
}

/// A number with its unit, such as `31m`.
struct In<const UNIT: char>(i64);

impl<const UNIT: char> FromStr for In<UNIT> {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.strip_suffix(UNIT).and_then(|it| it.parse().ok()).map(In).ok_or(())
    }
}

impl FromStr for Drill {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::DRILL_MEMORY, value)?;
        let drill = Drill {
            of: tag.required("of", "DATABASE")?,
            resource: tag.option("resource").map(str::to_owned),
            home: tag.option("home").map(str::to_owned),
            begun: tag.required("begun", MOMENT)?,
            until: tag.required("until", MOMENT)?,
        };
        tag.finish().map(|()| drill)
    }
}

impl fmt::Display for Drill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of={}", self.of)?;
        self.resource.iter().try_for_each(|it| write!(f, " resource={it}"))?;
        self.home.iter().try_for_each(|it| write!(f, " home={it}"))?;
        write!(f, " begun={} until={}", written(self.begun), written(self.until))
    }
}

impl FromStr for Source {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::DRILL_FROM, value)?;
        let Some(snapshot) = tag.word() else { return Err(tag.bad("no snapshot", "SNAPSHOT")) };
        let source = Source { snapshot: snapshot.to_owned(), taken: tag.required("taken", MOMENT)? };
        tag.finish().map(|()| source)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} taken={}", self.snapshot, written(self.taken))
    }
}

impl FromStr for Progress {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::DRILL_PROGRESS, value)?;
        let progress = Progress {
            up: tag.parsed("up", MOMENT)?,
            task: tag.option("task").map(str::to_owned),
            proven: tag.parsed("proven", MOMENT)?,
        };
        tag.finish().map(|()| progress)
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.up.map(|it| format!("up={}", written(it))),
            self.task.as_ref().map(|it| format!("task={it}")),
            self.proven.map(|it| format!("proven={}", written(it))),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}

impl FromStr for Drilled {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::DRILLED, value)?;
        let words = Outcome::ALL.map(|(_, word)| word);
        let Some(word) = tag.word() else { return Err(tag.bad("no outcome", words.join(", "))) };
        let drilled = Drilled {
            outcome: word.parse().map_err(|()| tag.bad_word(word, &words))?,
            at: tag.required("at", MOMENT)?,
            begun: tag.required("begun", MOMENT)?,
            took: tag.parsed::<In<'m'>>("took", "31m")?.map(|it| it.0),
            data: tag.required::<In<'h'>>("data", "6h")?.0,
            good: tag.parsed("good", MOMENT)?,
            snapshot: tag.required("snapshot", "ID")?,
            untold: tag.option("told") == Some("no"),
        };
        tag.finish().map(|()| drilled)
    }
}

impl fmt::Display for Drilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at={} begun={}", self.outcome, written(self.at), written(self.begun))?;
        self.took.iter().try_for_each(|it| write!(f, " took={it}m"))?;
        write!(f, " data={}h", self.data)?;
        self.good.iter().try_for_each(|it| write!(f, " good={}", written(*it)))?;
        write!(f, " snapshot={}", self.snapshot)?;
        f.write_str(if self.untold { " told=no" } else { "" })
    }
}

impl FromStr for Proven {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::new(keys::PROVEN, value)?;
        let word = tag.word().ok_or_else(|| tag.bad("no moment", MOMENT))?;
        let at = word.parse().map_err(|_| tag.bad_word(word, &[MOMENT]))?;
        let proven = Proven { at, check: tag.option("check").map(str::to_owned) };
        tag.finish().map(|()| proven)
    }
}

impl fmt::Display for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", written(self.at))?;
        self.check.iter().try_for_each(|it| write!(f, " check={it}"))
    }
}
