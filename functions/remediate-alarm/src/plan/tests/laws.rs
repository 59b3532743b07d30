//! What holds whatever happens, however often and whenever the function runs.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, Zoned};
use proptest::collection::vec;
use proptest::prelude::*;
use rules::intent::Boost;
use rules::keys;
use rules::remedy::RemedyRule;
use rules::sleep::Boosted;

use super::model::*;
use crate::plan::plan;
use crate::plan::scope::Options;
use crate::plan::step::{RemedyAction, StartRemedy, Step};
use crate::plan::world::{Alarm, Rollout, RolloutEnd, Service, State, World};

const MOST: u32 = 4;
const LIMITED: Options<'static> = Options { max_remedies: MOST, ..SWEEP };

const RULES: [&str; 8] = [
    "restart",
    "restart then=rollback then=notify cooldown=5m",
    "scale-out step=2 max=5 limit=2",
    "rollback within=2h limit=1",
    "reboot db=shop-db cooldown=30m",
    "wake",
    "notify then=restart",
    "restrat",
];

/// What can happen between two runs.
#[derive(Debug, Clone)]
enum Event {
    Fire(usize),
    Recover(usize),
    Pass(i64),
    Deploy(usize),
    Settle,
    Sleep(usize),
    Untag(usize),
    Tag(usize),
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..6usize).prop_map(Event::Fire),
        3 => (0..6usize).prop_map(Event::Recover),
        6 => (1..40i64).prop_map(Event::Pass),
        1 => (200..900i64).prop_map(Event::Pass),
        1 => (0..2usize).prop_map(Event::Deploy),
        4 => Just(Event::Settle),
        1 => (0..2usize).prop_map(Event::Sleep),
        1 => (0..2usize).prop_map(Event::Untag),
        1 => (0..2usize).prop_map(Event::Tag),
    ]
}

fn shop(rules: &[usize]) -> World {
    let alarms = rules.iter().enumerate().map(|(index, rule)| {
        let mut it = alarm(&format!("alarm-{index}"), RULES[*rule]);
        it.state = State::Ok;
        if index % 2 == 1 {
            it.tags.insert(keys::REMEDY.into(), format!("{} service=shop/web", RULES[*rule]));
        }
        it
    });
    world(alarms.collect())
}

fn happen(event: &Event, world: &mut World, now: &mut Zoned) {
    match *event {
        Event::Pass(minutes) => *now = now.checked_add(SignedDuration::from_mins(minutes)).unwrap(),
        Event::Fire(index) => change(world, index, State::Alarm, now),
        Event::Recover(index) => change(world, index, State::Ok, now),
        Event::Deploy(index) => world.services[index].deploying = true,
        Event::Settle => settle(world, now.timestamp()),
        Event::Sleep(index) => {
            world.services[index].desired = 0;
            world.services[index].tags.insert(keys::ASLEEP.into(), "by=schedule".into());
        }
        Event::Untag(index) => drop(world.services[index].tags.remove(keys::DEPLOY)),
        Event::Tag(index) => drop(world.services[index].tags.insert(keys::DEPLOY.into(), "newest".into())),
    }
}

fn change(world: &mut World, index: usize, state: State, now: &Zoned) {
    let count = world.alarms.len();
    let it = &mut world.alarms[index % count];
    if it.state != state {
        (it.state, it.since) = (state, Some(now.timestamp()));
    }
}

/// Deployments end, requests are granted.
fn settle(world: &mut World, now: Timestamp) {
    for it in &mut world.services {
        it.deploying = false;
        if it.tags.remove(keys::ROLLBACK).is_some() {
            let back = format!("{}0", it.task_definition);
            let done = Rollout { task_definition: back.clone(), end: RolloutEnd::Successful, at: Some(now) };
            world.history.entry(it.arn.clone()).or_default().insert(0, done);
            it.task_definition = back;
        }
        grant_boost(it, now);
    }
    world.databases[0].status = "available".into();
}

/// As `scale-staging` does it.
fn grant_boost(service: &mut Service, now: Timestamp) {
    let boosted = service.tags.remove(keys::BOOSTED).map(|it| it.parse::<Boosted>().unwrap());
    if service.desired == 0 {
        return;
    }
    let from = boosted.map_or(service.desired, |it| it.from);
    let more = boost_requested(service, now);
    service.desired = from + more as i32;
    if more > 0 {
        let boosted = Boosted { since: now, from, to: service.desired, min: None };
        service.tags.insert(keys::BOOSTED.into(), boosted.to_string());
    }
}

/// How many tasks more are requested for now.
fn boost_requested(service: &Service, now: Timestamp) -> u32 {
    let intent = service.tags.get(keys::BOOST_MEMORY).map(|it| Boost::read(keys::BOOST_MEMORY, it).unwrap());
    intent.filter(|it| it.until.instant(&jiff::tz::TimeZone::UTC) > now).map_or(0, |it| it.step)
}

/// A remedy that was begun, and the world before it.
struct Begun {
    act: StartRemedy,
    resource: String,
    at: Zoned,
    before: World,
}

/// Plays `events` with a run, or two, after each of them, and returns what was begun.
fn play(rules: &[usize], events: &[Event]) -> Vec<Begun> {
    let (mut world, mut now, mut begun) = (shop(rules), now(), Vec::new());
    for event in events {
        happen(event, &mut world, &mut now);
        let plan = plan(&world, LIMITED, &now);
        for planned in &plan.steps {
            if let Step::Start(act) = &planned.step {
                begun.push(Begun {
                    act: act.clone(),
                    resource: planned.resource.clone(),
                    at: now.clone(),
                    before: world.clone(),
                });
            }
        }
        apply(&plan, &mut world);
        // What another alarm of the same run came before is done by a later one.
        if plan.problems.iter().all(|it| it.problem != "busy") {
            assert_eq!(crate::plan::plan(&world, LIMITED, &now).steps, [], "after {event:?} it does not converge");
        }
    }
    begun
}

fn rule(world: &World, name: &str) -> RemedyRule {
    let it = world.alarms.iter().find(|it| it.name == name).unwrap();
    it.tags[keys::REMEDY].parse().unwrap()
}

fn changes(begun: &[Begun]) -> impl Iterator<Item = &Begun> {
    begun.iter().filter(|it| it.act.action != RemedyAction::Notify)
}

fn stories() -> impl Strategy<Value = (Vec<usize>, Vec<Event>)> {
    (vec(0..RULES.len(), 1..6), vec(events(), 1..40))
}

proptest! {
    #[test]
    fn never_more_than_the_limit_a_day_nor_within_the_cooldown((rules, events) in stories()) {
        let begun = play(&rules, &events);
        let mut days: BTreeMap<(&str, jiff::civil::Date), u32> = BTreeMap::new();
        let mut last: BTreeMap<&str, Timestamp> = BTreeMap::new();
        for it in changes(&begun) {
            let rule = rule(&it.before, &it.act.alarm);
            let count = days.entry((&it.act.alarm, it.at.date())).or_default();
            *count += 1;
            prop_assert!(*count <= rule.limit, "{} a day", count);
            if let Some(before) = last.insert(&it.act.alarm, it.at.timestamp()) {
                prop_assert!(it.at.timestamp().duration_since(before) >= rule.cooldown);
            }
        }
    }

    #[test]
    fn never_on_what_sleeps_is_deployed_or_did_not_opt_in((rules, events) in stories()) {
        for it in changes(&play(&rules, &events)) {
            if let Some(service) = it.before.services.iter().find(|one| one.arn == it.resource) {
                let wake = matches!(it.act.action, RemedyAction::Wake { .. });
                let rollback = matches!(it.act.action, RemedyAction::Rollback { .. });
                prop_assert_eq!(service.desired == 0, wake);
                let scale_out = matches!(it.act.action, RemedyAction::ScaleOut { .. });
                prop_assert!(!service.deploying || rollback || scale_out);
                prop_assert!(!rollback || service.tags.contains_key(keys::DEPLOY));
                prop_assert!(service.tags.contains_key(keys::DEPLOY) || service.tags.contains_key(keys::SCHEDULE));
            } else {
                prop_assert_eq!(&it.before.databases[0].status, "available");
            }
        }
    }

    #[test]
    fn each_step_answers_a_firing_once((rules, events) in stories()) {
        let mut seen = BTreeSet::new();
        for it in play(&rules, &events) {
            let alarm = it.before.alarms.iter().find(|one| one.name == it.act.alarm).unwrap();
            prop_assert_eq!(alarm.state, State::Alarm);
            let rung = it.act.memory.last.as_ref().unwrap().rung;
            prop_assert!(seen.insert((it.act.alarm.clone(), it.act.memory.fired, rung)), "{} twice", it.act.alarm);
        }
    }

    #[test]
    fn the_account_has_no_more_remedies_an_hour_than_it_allows((rules, events) in stories()) {
        let begun = play(&rules, &events);
        let moments: Vec<Timestamp> = changes(&begun).map(|it| it.at.timestamp()).collect();
        for (index, moment) in moments.iter().enumerate() {
            let within = moments[index..].iter().filter(|it| it.duration_since(*moment) < SignedDuration::from_hours(1));
            prop_assert!(within.count() as u32 <= MOST);
        }
    }

    #[test]
    fn a_service_never_has_more_tasks_requested_than_its_maximum((rules, events) in stories()) {
        for it in changes(&play(&rules, &events)) {
            if let RemedyAction::ScaleOut { boost, desired, .. } = &it.act.action {
                let max = rule(&it.before, &it.act.alarm).max;
                let service = it.before.services.iter().find(|one| one.arn == it.resource).unwrap();
                let boosted = service.tags.get(keys::BOOSTED).map(|it| it.parse::<Boosted>().unwrap());
                let granted = Service { desired: boosted.map_or(*desired, |it| it.from), ..service.clone() };
                prop_assert!(boost.step > boost_requested(service, it.at.timestamp()));
                prop_assert!(granted.desired as u32 + boost.step <= max, "{granted:?} {boost:?}");
            }
        }
    }

    #[test]
    fn the_order_of_a_listing_is_indifferent((rules, events) in stories(), by in 0..6usize) {
        let (mut world, mut now) = (shop(&rules), now());
        events.iter().for_each(|it| happen(it, &mut world, &mut now));
        let mut turned = world.clone();
        let count = turned.alarms.len();
        turned.alarms.rotate_left(by % count);
        turned.services.reverse();
        prop_assert_eq!(plan(&turned, LIMITED, &now), plan(&world, LIMITED, &now));
    }

    #[test]
    fn every_alarm_is_accounted_for_and_what_is_not_tagged_untouched((rules, events) in stories(), bare in 0..6usize) {
        let (mut world, mut now) = (shop(&rules), now());
        events.iter().for_each(|it| happen(it, &mut world, &mut now));
        let count = world.alarms.len();
        world.alarms[bare % count].tags.remove(keys::REMEDY);
        let plan = plan(&world, LIMITED, &now);
        for Alarm { arn, name, tags, .. } in &world.alarms {
            let acted = plan.steps.iter().filter(|it| match &it.step {
                Step::Start(act) => act.alarm == *name,
                Step::Remember(note) => note.alarm == *name,
            }).count();
            let said = plan.skipped.iter().map(|it| &it.resource).chain(plan.problems.iter().map(|it| &it.resource));
            prop_assert!(acted + said.filter(|it| *it == arn).count() >= 1, "{name} is not in the plan");
            prop_assert!(acted == 0 || tags.contains_key(keys::REMEDY));
        }
    }
}
