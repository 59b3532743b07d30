//! What has to be looked at closely: the tag index and RDS's listing tell that of most things nothing can be due.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Zoned;
use jiff::civil::Date;
use rules::database::Database;
use rules::schedule::Act;

use super::wants::{Source, Verdict, Wants, database_needed};
use super::world::{Listed, Sleeper, World};
use super::{GRACE, database};
use crate::request::Place;

/// Into so many parts sleeping services are divided, of which each run looks at one: what a person started by hand is
/// found within the hour.
const ROUNDS: u64 = 12;

/// Which of the tagged services have to be described, and which need not.
///
/// With `all` (a dry run) every one is.
pub fn services_to_look_at(
    listed: Vec<Listed>,
    place: &Place,
    databases: &[Sleeper],
    holidays: &[Date],
    all: bool,
    now: &Zoned,
) -> (Vec<String>, Vec<Listed>) {
    let asked = databases.iter().find(|it| place.is(&it.database.arn)).map(|it| it.database.id.as_str());
    let mut close: Vec<String> = Vec::new();
    let mut rest = Vec::new();
    for it in listed {
        let wants = Wants::read(&it.tags, now).ok().flatten();
        let needs = asked.is_some() && database_needed(&it.tags) == asked;
        let look = match place {
            Place::Everywhere => all || wants.as_ref().is_none_or(|wants| may_be_due(&it.arn, wants, holidays, now)),
            _ => place.is(&it.arn) || needs,
        };
        if look { close.push(it.arn) } else { rest.push(it) }
    }
    // The index may not know yet what somebody asks about by name.
    if let Place::Resource(arn) = place
        && rules::ServiceName::of_arn(arn).is_some()
        && !close.contains(arn)
    {
        close.push(arn.clone());
    }
    (close, rest)
}

/// Whether anything can be due for a service with these tags.
fn may_be_due(arn: &str, wants: &Wants, holidays: &[Date], now: &Zoned) -> bool {
    let at = now.timestamp();
    let fresh = |moment| at.duration_since(moment) < GRACE;
    let verdict = wants.verdict(now, holidays);
    let boost = wants.boosted.is_some() || wants.boost(at).is_some();
    if wants.failed || wants.told || wants.schedule.enforce || boost || !wants.over(at).is_empty() {
        return true;
    }
    match &wants.asleep {
        // With act=wake people have the nights to themselves, but for a hold.
        None if !verdict.awake => wants.schedule.act != Act::Wake || verdict.source != Source::Schedule,
        None => wants.schedule.act == Act::Wake && verdict.since.is_some_and(fresh),
        Some(asleep) => verdict.awake || fresh(asleep.since) || turn(arn) == round(now),
    }
}

/// Whether this run asks the tag index for services that sleep and have lost their schedule: once an hour is enough.
pub fn looks_for_those_left_behind(place: &Place, all: bool, now: &Zoned) -> bool {
    *place == Place::Everywhere && (all || round(now) == ROUNDS / 2)
}

fn turn(arn: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    arn.hash(&mut hasher);
    hasher.finish() % ROUNDS
}

fn round(now: &Zoned) -> u64 {
    now.minute().unsigned_abs() as u64 * ROUNDS / 60
}

/// The databases that RDS's events have to be read of, since only they tell who started it.
pub fn database_in_question<'a>(world: &'a World, place: &Place, now: &Zoned) -> Vec<&'a Database> {
    let in_question = |it: &&Sleeper| {
        let wants = Wants::read(&it.database.tags, now).ok().flatten();
        place.holds(&it.database.arn)
            && wants.is_some_and(|wants| database::wants_to_know_who_started_it(it, &wants, now, world))
    };
    world.databases.iter().filter(in_question).map(|it| &it.database).collect()
}

/// The databases whose snapshot is still to be tagged, with its id.
pub fn pending_snapshot<'a>(databases: &'a [Sleeper], now: &Zoned) -> Vec<(&'a Database, String)> {
    let pending = |it: &'a Sleeper| {
        let wants = Wants::read(&it.database.tags, now).ok().flatten()?;
        Some((&it.database, wants.asleep?.snapshot?))
    };
    databases.iter().filter_map(pending).collect()
}

/// What is known of a service that was not looked at.
pub fn state(wants: &Wants, verdict: &Verdict, now: &Zoned) -> String {
    let state = match &wants.asleep {
        Some(asleep) => format!("it is asleep since {}", wants.local(asleep.since, now)),
        None => "it is awake".into(),
    };
    format!("{state}; {}; {}", verdict.why, wants.next(verdict, now))
}
