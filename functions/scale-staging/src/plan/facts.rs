//! When each service and database is awake within the next day, for the board.

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::Plan;
use rules::ServiceName;
use rules::facts::{Fact, Sleep, SleepState};
use rules::keys;
use rules::schedule::StackCalendar;

use super::command::Scope;
use super::needs::databases_named;
use super::step::Step;
use super::wants::{Source, Verdict, Wants};
use super::windows::up_for_maintenance;
use super::world::{Sleeper, World, named, short_name};

const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// How often something changes within a day before the rest is left out: a schedule of hours has 24 windows.
const MOST_CHANGES: usize = 50;

/// From, until.
type Span = (Timestamp, Timestamp);

/// Notes a fact of everything that has a schedule, where all of it was looked at.
pub fn note(world: &World, scope: &Scope, now: &Zoned, plan: &mut Plan<Step>) {
    if *scope != Scope::Everywhere {
        return;
    }
    let described = world.services.iter().map(|it| (&it.arn, &it.tags, Some(it.desired)));
    let listed = world.listed.iter().map(|it| (&it.arn, &it.tags, None));
    let mut needs: Vec<(Vec<String>, Vec<Span>)> = Vec::new();
    for (arn, tags, desired) in described.chain(listed) {
        let Ok(Some(wants)) = Wants::read(tags, now, &world.calendar) else { continue };
        let awake = spans(&wants, &world.calendar, now);
        needs.push((databases_named(tags), awake.clone()));
        let name = ServiceName::of_arn(arn).map_or_else(|| short_name(arn).to_owned(), |it| it.to_string());
        let tasks = wants.asleep.as_ref().map_or(desired, |it| it.desired);
        plan.fact(arn, Fact::Sleep(Sleep { tasks, awake, ..sleep(name, &wants, world, now) }));
    }
    for sleeper in &world.databases {
        let database = &sleeper.database;
        let Ok(Some(mut wants)) = Wants::read(&database.tags, now, &world.calendar) else { continue };
        if !database.tags.contains_key(keys::SCHEDULE) || database.unfit_for(keys::SCHEDULE, "is stopped").is_some() {
            continue;
        }
        wants.keep_up_for_maintenance(up_for_maintenance(sleeper, &world.databases, now));
        let mut awake = spans(&wants, &world.calendar, now);
        // What it is needed for outranks its schedule, and nothing else does.
        if wants.verdict(now, &world.calendar).source == Source::Schedule {
            let of_services = needs.iter().filter(|(names, _)| names.iter().any(|it| means(it, sleeper, world)));
            awake.extend(of_services.flat_map(|(_, spans)| spans));
        }
        let fact = Sleep { database: true, awake: joined(awake), ..sleep(database.id.clone(), &wants, world, now) };
        plan.fact(&database.arn, Fact::Sleep(fact));
    }
    plan.facts.sort_by(|a, b| a.resource.cmp(&b.resource));
}

fn sleep(name: String, wants: &Wants, world: &World, now: &Zoned) -> Sleep {
    let Verdict { source, why, awake, .. } = wants.verdict(now, &world.calendar);
    let state = match (&wants.asleep, source) {
        (None, _) => SleepState::Awake,
        (Some(_), Source::Hold) if !awake => SleepState::Held,
        (Some(_), _) => SleepState::Asleep,
    };
    let since = wants.asleep.as_ref().map(|it| it.since);
    Sleep { name, database: false, state, why, since, tasks: None, awake: Vec::new() }
}

fn means(name: &str, sleeper: &Sleeper, world: &World) -> bool {
    named(&world.databases, name).iter().any(|it| it.database.arn == sleeper.database.arn)
}

/// When it should be awake within the next day, as its tags are now.
fn spans(wants: &Wants, calendar: &StackCalendar, now: &Zoned) -> Vec<Span> {
    let (mut at, end) = (now.timestamp(), now.timestamp() + A_DAY);
    let mut awake = Vec::new();
    for _ in 0..MOST_CHANGES {
        let verdict = wants.verdict(&at.to_zoned(now.time_zone().clone()), calendar);
        let until = verdict.until.filter(|it| *it > at).map_or(end, |it| it.min(end));
        if verdict.awake {
            awake.push((at, until));
        }
        at = until;
        if at >= end {
            break;
        }
    }
    joined(awake)
}

/// Spans that touch or overlap become one.
fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort();
    let mut joined: Vec<Span> = Vec::new();
    for (from, until) in spans {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => joined.push((from, until)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Zoned {
        text.parse().unwrap()
    }

    fn wants(tags: &[(&str, &str)], now: &Zoned) -> Wants {
        let tags: BTreeMap<String, String> =
            tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        Wants::read(&tags, now, &StackCalendar::default()).unwrap().unwrap()
    }

    #[track_caller]
    fn check(tags: &[(&str, &str)], expected: &[(&str, &str)]) {
        let now = at("2026-11-20T22:00:00+09:00[Asia/Seoul]");
        let local = |it: Timestamp| it.to_zoned(now.time_zone().clone()).strftime("%a %H:%M").to_string();
        let found: Vec<(String, String)> = spans(&wants(tags, &now), &StackCalendar::default(), &now)
            .into_iter()
            .map(|(from, until)| (local(from), local(until)))
            .collect();
        let expected: Vec<(String, String)> =
            expected.iter().map(|(from, until)| (from.to_string(), until.to_string())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_next_day_is_that_of_the_tags() {
        check(&[(keys::SCHEDULE, "mon-sat 08:00-20:00")], &[("Sat 08:00", "Sat 20:00")]);
        check(&[(keys::SCHEDULE, "mon-fri 08:00-20:00")], &[]);
        check(&[(keys::SCHEDULE, "always")], &[("Fri 22:00", "Sat 22:00")]);
        check(&[(keys::SCHEDULE, "always"), (keys::HOLD, "no money")], &[]);
        check(
            &[(keys::SCHEDULE, "sat 08:00-12:00"), (keys::AWAKE_UNTIL, "2026-11-20T23:30")],
            &[("Fri 22:00", "Fri 23:30"), ("Sat 08:00", "Sat 12:00")],
        );
    }

    proptest! {
        /// Joined spans lie apart, in order, and cover exactly what the spans covered.
        #[test]
        fn joined_spans_cover_the_same(spans in proptest::collection::vec((0..2_000i64, 1..300i64), 0..12), probe in 0..2_400i64) {
            let moment = |it: i64| Timestamp::from_second(it).unwrap();
            let spans: Vec<Span> = spans.into_iter().map(|(from, length)| (moment(from), moment(from + length))).collect();
            let joined = joined(spans.clone());
            prop_assert!(joined.windows(2).all(|it| it[0].1 < it[1].0));
            let covers = |spans: &[Span]| spans.iter().any(|(from, until)| *from <= moment(probe) && moment(probe) < *until);
            prop_assert_eq!(covers(&joined), covers(&spans));
        }
    }
}
