//! One database that is drilled, and one drill that is under way, with what their tags say.

use jiff::{SignedDuration, Timestamp, Zoned};
use rules::BadTag;
use rules::database::{Database, Kind, State, region_of};
use rules::drill::{Drill, DrillRule, Drilled, PREFIX, Progress, Source};
use rules::keys;

use super::own::{Own, own};
use super::world::{Details, World};

/// A database with the tag `nightshift:drill`.
pub struct Original<'a> {
    pub database: &'a Database,
    pub rule: Result<DrillRule, BadTag>,
    /// How its last drill ended; what a person has made unreadable counts as none.
    pub drilled: Option<Drilled>,
}

/// A drill that is under way.
pub struct Case<'a> {
    /// The instance that was restored, or the cluster.
    pub database: &'a Database,
    pub drill: Drill,
    /// What it was restored from.
    pub source: Option<Source>,
    pub progress: Progress,
    /// The database that it is a drill of, if that still has the tag.
    pub original: Option<Original<'a>>,
    /// Of a cluster: its instances, whoever created them.
    pub members: Vec<&'a Database>,
    pub world: &'a World,
    pub now: &'a Zoned,
}

/// One of ours that says nothing readable of itself.
pub struct Stray<'a> {
    pub database: &'a Database,
    pub created: Option<Timestamp>,
}

impl World {
    pub fn details(&self, database: &Database) -> Option<&Details> {
        self.details.get(&database.arn)
    }

    fn created(&self, database: &Database) -> Option<Timestamp> {
        self.details(database).and_then(|it| it.created)
    }

    /// What a database is, if it is one of ours.
    pub fn own(&self, database: &Database) -> Option<Own> {
        own(database, self.created(database), &self.home)
    }

    /// The databases of the stack's own region: only those are drilled.
    pub fn at_home(&self) -> impl Iterator<Item = &Database> {
        self.databases.iter().filter(|it| region_of(&it.arn) == Some(self.home.as_str()))
    }

    /// The databases that opted in, in the order of their ARNs.
    pub fn originals(&self) -> Vec<Original<'_>> {
        let tagged = self.at_home().filter(|it| it.tags.contains_key(keys::DRILL));
        let mut all: Vec<Original<'_>> = tagged.map(Original::read).collect();
        all.sort_by(|a, b| a.database.arn.cmp(&b.database.arn));
        all
    }

    /// The drills that are under way, and those of ours whose memory cannot be read.
    pub fn drills<'a>(&'a self, now: &'a Zoned) -> (Vec<Case<'a>>, Vec<Stray<'a>>) {
        let (mut cases, mut strays) = (Vec::new(), Vec::new());
        let mut sorted: Vec<&Database> = self.databases.iter().collect();
        sorted.sort_by(|a, b| a.arn.cmp(&b.arn));
        for database in &sorted {
            // An instance of a drill's cluster is looked at with its cluster.
            let mut clusters = sorted.iter().filter(|it| database.is_member_of(it));
            if clusters.any(|it| matches!(self.own(it), Some(Own::Drill(_)))) {
                continue;
            }
            match self.own(database) {
                None => {}
                Some(Own::Unreadable) => strays.push(Stray { database, created: self.created(database) }),
                Some(Own::Drill(drill)) => {
                    let read = |key: &str| database.tags.get(key).map(String::as_str);
                    cases.push(Case {
                        database,
                        source: read(keys::DRILL_FROM).and_then(|it| it.parse().ok()),
                        progress: read(keys::DRILL_PROGRESS).and_then(|it| it.parse().ok()).unwrap_or_default(),
                        original: self.original_of(&drill, database.kind),
                        members: sorted.iter().filter(|it| it.is_member_of(database)).copied().collect(),
                        drill,
                        world: self,
                        now,
                    });
                }
            }
        }
        (cases, strays)
    }

    /// An original that was renamed since is found by what does not change.
    fn original_of(&self, drill: &Drill, kind: Kind) -> Option<Original<'_>> {
        let same = |it: &&Database| match (&drill.resource, &it.resource_id) {
            (Some(drilled), Some(its)) => drilled == its,
            _ => it.id.eq_ignore_ascii_case(&drill.of),
        };
        let mut tagged = self.at_home().filter(|it| it.kind == kind && it.tags.contains_key(keys::DRILL));
        tagged.find(same).map(Original::read)
    }
}

impl<'a> Original<'a> {
    fn read(database: &'a Database) -> Self {
        let tag = |key: &str| database.tags.get(key).map(String::as_str);
        Original {
            database,
            rule: tag(keys::DRILL).unwrap_or_default().parse(),
            drilled: tag(keys::DRILLED).and_then(|it| it.parse().ok()),
        }
    }
}

impl Case<'_> {
    /// What people call the original.
    pub fn of(&self) -> &str {
        self.original.as_ref().map_or(&self.drill.of, |it| &it.database.id)
    }

    /// Whether it is a drill of this original.
    pub fn is_of(&self, original: &Original<'_>) -> bool {
        self.original.as_ref().is_some_and(|it| it.database.arn == original.database.arn)
    }

    /// The region that it runs in.
    pub fn region(&self) -> &str {
        region_of(&self.database.arn).unwrap_or(&self.world.home)
    }

    pub fn is_deleting(&self) -> bool {
        self.database.status == "deleting"
    }

    /// How it ended has been written down: only the deletion is left.
    pub fn is_finished(&self) -> bool {
        let drilled = self.original.as_ref().and_then(|it| it.drilled.as_ref());
        drilled.is_some_and(|it| it.begun.as_second() == self.drill.begun.as_second())
    }

    /// Its state, together with that of its instance where it is a cluster.
    pub fn state(&self) -> (State, String) {
        let writer = self.details().and_then(|it| it.writer.as_deref());
        let condition = self.database.condition(writer, self.members.iter().copied());
        (condition.state, condition.words)
    }

    pub fn details(&self) -> Option<&Details> {
        self.world.details(self.database)
    }

    /// Whether part of its data is still in S3. Aurora is complete when it is available.
    pub fn is_loading(&self) -> bool {
        self.details().is_some_and(|it| it.loading)
    }

    /// How long after it had begun `moment` is.
    pub fn after(&self, moment: Timestamp) -> SignedDuration {
        moment.duration_since(self.drill.begun).max(SignedDuration::ZERO)
    }
}

/// Whether a database is called as drills are. What is called so and is not ours is left alone.
pub fn is_called_like_a_drill(database: &Database) -> bool {
    database.id.starts_with(PREFIX)
}

/// Minutes, rounded.
pub fn minutes(time: SignedDuration) -> i64 {
    (time.as_secs() + 30).div_euclid(60)
}

/// Hours, rounded.
pub fn hours(time: SignedDuration) -> i64 {
    (time.as_secs() + 1800).div_euclid(3600)
}
