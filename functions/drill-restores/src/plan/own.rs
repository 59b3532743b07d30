//! Which databases are drills of ours: the only ones that are ever deleted.
//!
//! All of it must hold: the name begins as those of drills do; the tag `nightshift-state:made-by` names this function,
//! this very name and region; there is a tag `nightshift-state:drill`, of a database of the stack's region and of the same
//! kind; no tag of a person makes it a database that Nightshift works for; and it was created after the drill had begun. What a person made of a drill, such as a restore
//! or a clone with all of its tags, has another name, so it is the person's.

use jiff::{SignedDuration, Timestamp};
use rules::database::{Database, Kind, made_by, region_of};
use rules::drill::{Drill, MAKER, PREFIX};
use rules::keys;

/// The clocks of Lambda and of RDS may differ by as much.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);

/// What the tags of a drill say of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Own {
    /// A drill.
    Drill(Drill),
    /// One of ours whose memory a person has changed, so that it cannot be read.
    Unreadable,
}

/// What `database` is, if it is a drill of the stack of the region `home`. `created` is missing while AWS is still creating
/// it.
///
/// One that cannot be read any more belongs to every stack that sees it: each deletes it after a day.
pub fn own(database: &Database, created: Option<Timestamp>, home: &str) -> Option<Own> {
    let region = region_of(&database.arn)?;
    let named = database.tags.get(keys::MADE_BY) == Some(&made_by(MAKER, &database.id, region));
    let serves_people = database.tags.keys().any(|it| it.starts_with(keys::PEOPLE));
    if !database.id.starts_with(PREFIX) || !named || serves_people {
        return None;
    }
    match database.tags.get(keys::DRILL_MEMORY)?.parse::<Drill>() {
        Ok(drill) => {
            let elsewhere = drill.home.as_deref().unwrap_or(region) != home;
            let was_there = created.is_some_and(|it| it < drill.begun - CLOCKS_DIFFER);
            (!was_there
                && !elsewhere
                && is_of_its_kind(database, &drill)
                && !drill.of.eq_ignore_ascii_case(&database.id))
            .then_some(Own::Drill(drill))
        }
        Err(_) => Some(Own::Unreadable),
    }
}

/// A cluster may be called like a drill of an instance that runs, and the other way round, with all of its tags. What was
/// restored says of which kind it is: RDS calls the resources of instances `db-…`, those of clusters `cluster-…`.
fn is_of_its_kind(database: &Database, drill: &Drill) -> bool {
    let stands_alone = database.kind == Kind::Instance && database.member_of.is_none();
    let other = if stands_alone { "cluster-" } else { "db-" };
    !drill.resource.as_deref().unwrap_or_default().starts_with(other)
}
