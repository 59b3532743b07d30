//! What sleeps, what wakes, and what is left alone. Pure: no clock, no environment, no AWS.

mod ask;
mod database;
mod draft;
mod left_behind;
mod look;
mod service;
mod step;
mod wants;
mod world;

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Zoned};
use reconcile::Plan;
use rules::keys;

pub use ask::{Ask, Until};
pub use left_behind::is_left_behind;
pub use look::{database_in_question, looks_for_those_left_behind, pending_snapshot, services_to_look_at};
pub use step::{Call, Step, What};
pub use world::{LastEvent, Listed, Service, Sleeper, Unseen, World};

use crate::request::{Place, Request};
use service::Fate;
use wants::Wants;
use world::short_name;

/// So long after a change began, what is not as it should be was left so by a run that died; later, by a person.
const GRACE: SignedDuration = SignedDuration::from_mins(15);

/// What a person started stays up so long where the schedule never changes.
const STANDS_FOR: SignedDuration = SignedDuration::from_hours(24);

/// What to do about the services and databases of `world`.
pub fn plan(world: &World, request: &Request, now: &Zoned) -> Plan<Step> {
    let mut plan = Plan::remembering(keys::SLEEP_PROBLEM);
    for unseen in &world.unseen {
        match &unseen.refused {
            None => plan.skip(&unseen.arn, "it no longer exists"),
            Some(error) => {
                // Without the tag that opts in IAM lets nothing be remembered.
                if unseen.tags.contains_key(keys::SCHEDULE) {
                    plan.examined(&unseen.arn, &unseen.tags);
                }
                plan.problem(&unseen.arn, "unreadable", error);
            }
        }
    }
    let fates = decide_services(world, request, now, &mut plan);
    decide_databases(world, request, &fates, now, &mut plan);
    tell_what_did_not_opt_in(world, request, &mut plan);
    left_behind::tell(world, &request.place, now, &mut plan);
    // Databases are up first and down last.
    plan.steps.sort_by_key(|it| match it.step.calls.iter().find(|it| matches!(it, Call::Start | Call::Stop(_))) {
        Some(Call::Start) => 0,
        None => 1,
        Some(_) => 2,
    });
    plan
}

/// What becomes of each service, whether or not it is in question: databases depend on that.
fn decide_services(world: &World, request: &Request, now: &Zoned, plan: &mut Plan<Step>) -> Vec<(String, Fate)> {
    let mut services: Vec<&Service> = world.services.iter().collect();
    services.sort_by(|a, b| a.arn.cmp(&b.arn));
    let mut fates = Vec::new();
    for service in services {
        let in_question = request.place.holds(&service.arn);
        let mut unasked = Plan::new();
        let plan = if in_question { &mut *plan } else { &mut unasked };
        let wants = match Wants::read(&service.tags, now) {
            Ok(Some(wants)) => wants,
            Ok(None) => {
                plan.skip(&service.arn, format!("it has no tag {}", keys::SCHEDULE));
                continue;
            }
            Err(bad) => {
                plan.examined(&service.arn, &service.tags);
                plan.problem(&service.arn, "bad-tag", bad);
                let down = service.desired == 0 && service.running == 0;
                fates.push((short_name(&service.arn).to_owned(), Fate::unreadable(&service.tags, down)));
                continue;
            }
        };
        plan.examined(&service.arn, &service.tags);
        let ask = request.ask.as_ref().filter(|_| in_question);
        if let Some(fate) = service::decide(service, wants, ask, world, now, plan) {
            fates.push((short_name(&service.arn).to_owned(), fate));
        }
    }
    let mut refused: Vec<&Unseen> = world.unseen.iter().filter(|it| it.refused.is_some()).collect();
    refused.sort_by(|a, b| a.arn.cmp(&b.arn));
    for unseen in refused {
        let mut fate = Fate::unreadable(&unseen.tags, false);
        fate.awake = matches!(Wants::read(&unseen.tags, now), Ok(Some(it)) if it.verdict(now, &world.holidays).awake);
        fates.push((short_name(&unseen.arn).to_owned(), fate));
    }
    let mut listed: Vec<&Listed> = world.listed.iter().collect();
    listed.sort_by(|a, b| a.arn.cmp(&b.arn));
    for listed in listed {
        let Ok(Some(wants)) = Wants::read(&listed.tags, now) else { continue };
        let verdict = wants.verdict(now, &world.holidays);
        let awake = verdict.awake;
        if request.place.holds(&listed.arn) {
            plan.skip(&listed.arn, look::state(&wants, &verdict, now));
        }
        let down = wants.asleep.is_some();
        let fate = Fate { after: wants.schedule.after, awake, down, unreadable: false };
        fates.push((short_name(&listed.arn).to_owned(), fate));
    }
    fates
}

fn decide_databases(world: &World, request: &Request, fates: &[(String, Fate)], now: &Zoned, plan: &mut Plan<Step>) {
    let mut databases: Vec<&Sleeper> = world.databases.iter().collect();
    databases.sort_by(|a, b| a.database.arn.cmp(&b.database.arn));
    for sleeper in databases {
        let database = &sleeper.database;
        if !database.tags.contains_key(keys::SCHEDULE) || !is_in_question(sleeper, world, request, now) {
            continue;
        }
        plan.examined(&database.arn, &database.tags);
        let ask = request.ask.as_ref().filter(|_| request.place.holds(&database.arn));
        match Wants::read(&database.tags, now) {
            Ok(Some(wants)) => database::decide(sleeper, wants, ask, fates, world, now, plan),
            Ok(None) => {}
            Err(bad) => plan.problem(&database.arn, "bad-tag", bad),
        }
    }
}

/// Whether a database is what the request is about, or what the service needs that the request is about.
fn is_in_question(sleeper: &Sleeper, world: &World, request: &Request, now: &Zoned) -> bool {
    let needs = |service: &Service| {
        let wants = Wants::read(&service.tags, now).ok().flatten();
        wants.and_then(|it| it.schedule.after).is_some_and(|it| it == sleeper.database.id)
    };
    let asked = world.services.iter().filter(|it| request.place.holds(&it.arn));
    request.place.holds(&sleeper.database.arn) || asked.into_iter().any(needs)
}

/// Somebody asked for a certain resource that must not be touched.
fn tell_what_did_not_opt_in(world: &World, request: &Request, plan: &mut Plan<Step>) {
    let Place::Resource(arn) = &request.place else { return };
    let service = world.services.iter().any(|it| it.arn == *arn) || world.unseen.iter().any(|it| it.arn == *arn);
    let database = world.databases.iter().find(|it| it.database.arn == *arn);
    match database {
        None if service => {}
        None => plan.skip(arn, "there is no such service or database"),
        Some(it) if !it.database.tags.contains_key(keys::SCHEDULE) => {
            plan.skip(arn, format!("it has no tag {}", keys::SCHEDULE));
        }
        Some(_) => {}
    }
}
