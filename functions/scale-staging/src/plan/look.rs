//! What has to be looked at closely: the tag index and RDS's listing tell that of most things nothing can be due.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Zoned};

use rules::ServiceName;
use rules::database::Database;
use rules::schedule::{Act, StackCalendar};

use super::command::Scope;
use super::copy;
use super::database::needs_events;
use super::needs::databases_named;
use super::notice;
use super::times::GRACE;
use super::wants::{Source, Verdict, Wants};
use super::windows::up_for_maintenance;
use super::woken::{should_be_up, woken_at};
use super::world::{Backing, Listed, Service, Sleeper, World};

/// The number of parts into which sleeping services are divided, of which each run looks at one: what a person started by hand is
/// found within the hour.
const ROUNDS: u64 = 12;

/// Which of the tagged services have to be described, and which need not.
///
/// With `all` (a dry run) every one is. People are told of a sleep that they may not expect `notice` before it.
pub fn services_to_look_at(
    listed: Vec<Listed>,
    scope: &Scope,
    backing: Backing<'_>,
    calendar: &StackCalendar,
    (all, notice): (bool, Option<SignedDuration>),
    now: &Zoned,
) -> (Vec<String>, Vec<Listed>) {
    let read: Vec<(Listed, Option<Wants>)> = listed
        .into_iter()
        .map(|it| {
            let wants = Wants::read(&it.tags, now, calendar).ok().flatten();
            (it, wants)
        })
        .collect();
    let may_stop = what_may_stop(&read, scope, backing, calendar, now);
    let is_for = |it: &Listed, in_question: &[&str]| {
        let meant = databases_named(&it.tags);
        meant.iter().flat_map(|name| backing.arns(name)).any(|it| in_question.contains(&it))
    };
    let machines =
        backing.instances.iter().map(|it| it.arn.as_str()).chain(backing.services.iter().map(|it| it.arn.as_str()));
    let asked: Vec<&str> =
        backing.databases.iter().map(|it| it.database.arn.as_str()).chain(machines).filter(|it| scope.is(it)).collect();
    let (mut close, mut rest): (Vec<String>, Vec<Listed>) = (Vec::new(), Vec::new());
    for (it, wants) in read {
        let arn = it.arn.clone();
        let look = match scope {
            Scope::Everywhere => all || wants.as_ref().is_none_or(|it| may_be_due(&arn, it, calendar, notice, now)),
            Scope::Resource(_) => scope.is(&it.arn) || is_for(&it, &asked),
            Scope::LastDay => false,
        };
        if look || is_for(&it, &may_stop) { close.push(it.arn) } else { rest.push(it) }
    }
    // The index may not know yet what is asked about by name.
    if let Scope::Resource(arn) = scope
        && ServiceName::of_arn(arn).is_some()
        && !close.contains(arn)
    {
        close.push(arn.clone());
    }
    (close, rest)
}

/// The databases, instances and groups that this run may stop, whose services all have to be described before: tags do
/// not tell whether tasks still run, and a task with scale-in protection does for hours.
fn what_may_stop<'a>(
    listed: &[(Listed, Option<Wants>)],
    scope: &Scope,
    backing: Backing<'a>,
    calendar: &StackCalendar,
    now: &Zoned,
) -> Vec<&'a str> {
    let may_stop = |arn: &str, wants: &Wants| {
        let verdict = wants.verdict(now, calendar);
        // By its schedule it is not stopped as long as the tags of a service say that it is needed.
        let needed = || verdict.source == Source::Schedule && is_needed(arn, listed, backing, calendar, now);
        scope.holds(arn) && !verdict.awake && !needed()
    };
    let databases = backing.databases.iter().filter(|it| {
        let Ok(Some(mut wants)) = Wants::read(&it.database.tags, now, calendar) else { return false };
        wants.keep_up_for_maintenance(up_for_maintenance(it, backing.databases, now));
        it.database.status == "available" && may_stop(&it.database.arn, &wants)
    });
    let runs = |arn: &str, tags| matches!(Wants::read(tags, now, calendar), Ok(Some(wants)) if may_stop(arn, &wants));
    let instances = backing.instances.iter().filter(|it| it.state == "running" && runs(&it.arn, &it.tags));
    let groups = backing.services.iter().filter(|it| it.is_group() && it.desired > 0 && runs(&it.arn, &it.tags));
    let machines = instances.map(|it| it.arn.as_str()).chain(groups.map(|it| it.arn.as_str()));
    databases.map(|it| it.database.arn.as_str()).chain(machines).collect()
}

fn is_needed(
    arn: &str,
    listed: &[(Listed, Option<Wants>)],
    backing: Backing<'_>,
    calendar: &StackCalendar,
    now: &Zoned,
) -> bool {
    listed.iter().any(|(_, wants)| {
        let Some(wants) = wants.as_ref().filter(|it| !it.schedule.after.is_empty()) else { return false };
        let mut meant = wants.schedule.after.iter().flat_map(|it| backing.arns(it));
        meant.any(|it| it == arn) && wants.verdict(now, calendar).awake
    })
}

/// Whether anything can be due for a service with these tags.
fn may_be_due(arn: &str, wants: &Wants, calendar: &StackCalendar, notice: Option<SignedDuration>, now: &Zoned) -> bool {
    let at = now.timestamp();
    let fresh = |moment| at.duration_since(moment) < GRACE;
    let verdict = wants.verdict(now, calendar);
    let boost = wants.boosted.is_some() || wants.boost(at).is_some();
    let woken = wants.woken.is_some();
    if notice::due(wants, &verdict, notice, now, calendar).is_some() {
        return true;
    }
    if wants.was_told() || wants.schedule.enforce || boost || woken || !wants.over(at).is_empty() {
        return true;
    }
    match &wants.asleep {
        // With act=wake people have the nights to themselves, but for a hold.
        None if !verdict.awake => wants.schedule.act != Act::Wake || verdict.source != Source::Schedule,
        None => {
            let begins = wants.schedule.act == Act::Wake && verdict.since.is_some_and(fresh);
            begins || woken_at(wants, &verdict, now).is_some_and(|it| should_be_up(it, now))
        }
        Some(asleep) => verdict.awake || fresh(asleep.since) || turn(arn) == round(now),
    }
}

/// Whether this run asks the tag index for services that sleep and have lost their schedule: once an hour is enough.
pub fn looks_for_those_left_behind(scope: &Scope, all: bool, now: &Zoned) -> bool {
    *scope == Scope::Everywhere && (all || round(now) == ROUNDS / 2)
}

fn turn(arn: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    arn.hash(&mut hasher);
    hasher.finish() % ROUNDS
}

fn round(now: &Zoned) -> u64 {
    now.minute().unsigned_abs() as u64 * ROUNDS / 60
}

/// The services whose scaling target has to be asked for the copy of their memory.
pub fn copies_in_question<'a>(services: &'a [Service], calendar: &StackCalendar, now: &Zoned) -> Vec<&'a Service> {
    let in_question = |it: &&Service| {
        let Some(mut wants) = Wants::read(&it.tags, now, calendar).ok().flatten() else { return false };
        wants.leave_out_memory_of_another(it.own_id().as_deref(), it.created_at);
        it.target_arn.is_some() && copy::is_in_question(it, &wants, now)
    };
    services.iter().filter(in_question).collect()
}

/// The databases that RDS's events have to be read of.
pub fn databases_in_question<'a>(world: &'a World, scope: &Scope, now: &Zoned) -> Vec<&'a Database> {
    let in_question = |it: &&Sleeper| {
        let Some(mut wants) = Wants::read(&it.database.tags, now, &world.calendar).ok().flatten() else { return false };
        wants.leave_out_memory_of_another(it.database.resource_id.as_deref(), it.created_at);
        wants.keep_up_for_maintenance(up_for_maintenance(it, &world.databases, now));
        (scope.holds(&it.database.arn) || is_named_by_one_in(&it.database.arn, world, scope))
            && needs_events(it, &wants, now, world)
    };
    world.databases.iter().filter(in_question).map(|it| &it.database).collect()
}

/// Whether something is needed by a service that the request is about.
pub fn is_named_by_one_in(arn: &str, world: &World, scope: &Scope) -> bool {
    let asked = world.services.iter().filter(|it| scope.holds(&it.arn));
    asked.flat_map(|it| databases_named(&it.tags)).any(|name| world.backing().arns(&name).contains(&arn))
}

/// The databases whose snapshot is still to be tagged, with its id.
pub fn pending_snapshots<'a>(
    databases: &'a [Sleeper],
    calendar: &StackCalendar,
    now: &Zoned,
) -> Vec<(&'a Database, String)> {
    let pending = |it: &'a Sleeper| {
        let mut wants = Wants::read(&it.database.tags, now, calendar).ok().flatten()?;
        wants.leave_out_memory_of_another(it.database.resource_id.as_deref(), it.created_at);
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
