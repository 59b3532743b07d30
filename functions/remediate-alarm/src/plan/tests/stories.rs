//! Nights in the life of an alarm, in the plan's own words.

mod blocked;
mod remedies;

use rules::keys;

use super::model::*;
use crate::plan::plan;
use crate::plan::scope::{AlarmName, Command, Options, Scope};
use crate::plan::world::{RolloutEnd, State, TaskSet, Wanted, World};

fn ok(world: &mut World, minutes: i64) {
    world.alarms[0].state = State::Ok;
    world.alarms[0].since = Some(moment(minutes));
}

fn fire(world: &mut World, minutes: i64) {
    world.alarms[0].state = State::Alarm;
    world.alarms[0].since = Some(moment(minutes));
}

/// What stands in the way: the answer is a refusal, it is told, and that firing is a person's from then on.
#[track_caller]
fn check_refused(mut world: World, expected: &str) {
    let told = lines(&world, SWEEP, &now());
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].starts_with("* api-5xx leave-to-person: "), "{told:#?}");
    assert!(told[1].starts_with(&format!("! api-5xx {expected}")), "{told:#?}");
    super::model::apply(&plan(&world, SWEEP, &now()), &mut world);
    check(&mut world, 0, &["+ api-5xx: what fired at Sat 2026-11-21 03:10 KST was left to a person"]);
    check(&mut world, 50, &["+ api-5xx: what fired at Sat 2026-11-21 03:10 KST was left to a person"]);
    ok(&mut world, 51);
    check(&mut world, 51, &["* api-5xx record-recovery: OK since Sat 2026-11-21 04:01 KST, without a remedy"]);
}

fn remembered(mut world: World, memory: &str) -> World {
    world.alarms[0].tags.insert(keys::REMEDIED.into(), memory.into());
    world
}

#[test]
fn a_restart_that_helps_is_told_twice_and_a_doubled_event_not_at_all() {
    let mut world = fired("restart");
    check(
        &mut world,
        0,
        &[
            "* api restart: it fired at Sat 2026-11-21 03:10 KST (12 datapoints were greater than the threshold (10.0)); restart is \
         step 1 of 1 of its tag. Look first at the events of the service and at why its old tasks stopped",
        ],
    );
    check(
        &mut world,
        0,
        &[
            "+ api-5xx: what fired at Sat 2026-11-21 03:10 KST was answered by restart at Sat 2026-11-21 03:10 KST; cooldown=15m",
        ],
    );
    ok(&mut world, 4);
    check(
        &mut world,
        4,
        &["* api-5xx record-recovery: OK since Sat 2026-11-21 03:14 KST, after restart at Sat 2026-11-21 03:10 KST"],
    );
    check(&mut world, 5, &["+ api-5xx: it is OK"]);
}

#[test]
fn what_the_alarm_says_of_itself_reaches_whoever_is_told_of_it() {
    let described = |rule: &str| {
        let mut world = fired(rule);
        world.alarms[0].description = "Answers are 5xx.\nLook first at the log of the api.".into();
        world
    };
    let mut world = described("restart");
    let told = answer(&world);
    let advice = "restart is step 1 of 1 of its tag. Answers are 5xx. Look first at the log of the api.";
    assert!(told.ends_with(advice), "{told}");
    check(&mut world, 0, &["* api restart: "]);
    let end = answer_at(&world, 15);
    assert!(end.ends_with(", and needs you. Answers are 5xx. Look first at the log of the api."), "{end}");
    assert_eq!(answer_at(&world, 600), end, "told the same way, so told once");

    let mut world = described("restart");
    world.services[0].deploying = true;
    let refused = answer(&world);
    assert!(
        refused.ends_with("; after that it needs you. Answers are 5xx. Look first at the log of the api."),
        "{refused}"
    );
}

#[test]
fn the_recovery_says_how_long_it_took() {
    let mut world = fired("notify");
    check(&mut world, 0, &["* api-5xx notify: it fired at"]);
    ok(&mut world, 4);
    let plan = plan(&world, SWEEP, &at(4));
    testkit::told::keep("remediate-alarm", &plan);
    assert_eq!(reconcile::Step::headline(&plan.steps[0].step), "api-5xx: recovered after 4 minutes");
}

#[test]
fn what_fires_again_within_the_window_gets_the_next_remedy_and_later_the_first_one() {
    let mut world = fired("restart then=rollback then=notify within=24h");
    check(&mut world, 0, &["* api restart: it fired at Sat 2026-11-21 03:10 KST"]);
    world.services[0].deploying = false;
    ok(&mut world, 5);
    check(&mut world, 5, &["* api-5xx record-recovery: "]);
    fire(&mut world, 20);
    check(
        &mut world,
        20,
        &["* api rollback: it fired again at Sat 2026-11-21 03:30 KST, after restart at Sat 2026-11-21 03:10 KST ("],
    );
    ok(&mut world, 25);
    check(&mut world, 25, &["* api-5xx record-recovery: "]);
    fire(&mut world, 60);
    check(&mut world, 60, &["* api-5xx notify: it fired again at Sat 2026-11-21 04:10 KST, after rollback at"]);
    ok(&mut world, 65);
    check(&mut world, 65, &["* api-5xx record-recovery: "]);
    // Fifteen minutes of cooldown and two hours after the last step, the story is another one.
    fire(&mut world, 60 + 15 + 120);
    check(&mut world, 60 + 15 + 120, &["* api restart: it fired at Sat 2026-11-21 06:25 KST"]);
}

#[test]
fn what_stays_in_alarm_climbs_the_ladder_and_is_a_persons_in_the_end() {
    let mut world = fired("restart then=rollback within=24h");
    check(&mut world, 0, &["* api restart: "]);
    world.services[0].deploying = false;
    check(&mut world, 14, &["+ api-5xx: what fired at Sat 2026-11-21 03:10 KST was answered by restart at"]);
    check(
        &mut world,
        15,
        &[
            "* api rollback: it fired at Sat 2026-11-21 03:10 KST and is still in ALARM after restart at Sat 2026-11-21 03:10 KST",
        ],
    );
    check(&mut world, 29, &["+ api-5xx: what fired at Sat 2026-11-21 03:10 KST was answered by rollback at"]);
    let end = "! api-5xx still-in-alarm: it is still in ALARM after rollback at \
               Sat 2026-11-21 03:25 KST; that was the last step of its tag; it fired at Sat 2026-11-21 03:10 KST, and needs you";
    check(&mut world, 30, &[end]);
    check(&mut world, 600, &[end]);
    ok(&mut world, 601);
    check(
        &mut world,
        601,
        &["* api-5xx record-recovery: OK since Sat 2026-11-21 13:11 KST, after rollback at Sat 2026-11-21 03:25 KST"],
    );
}

#[test]
fn what_is_forgotten_begins_anew() {
    let mut world = fired("restart");
    check(&mut world, 0, &["* api restart: "]);
    world.services[0].deploying = false;
    let forget = Options { command: Some(Command::Clear), ..SWEEP };
    assert_eq!(lines(&world, forget, &at(1)), ["* api-5xx forget: a person asked for it"]);
    apply(&plan(&world, forget, &at(1)), &mut world);
    assert_eq!(lines(&world, forget, &at(1)), ["+ api-5xx: it remembers nothing"]);
    check(&mut world, 1, &["* api restart: it fired at Sat 2026-11-21 03:10 KST"]);
    // One that does not exist is an answer to whoever asked for it.
    let scope = Scope::Alarms(vec![AlarmName { name: "api-4xx".into(), arn: None, muted: false }]);
    let refused = plan(&world, Options { scope: &scope, ..forget }, &at(1));
    testkit::told::keep("remediate-alarm", &refused);
    assert_eq!(refused.refused.as_deref(), Some("there is no alarm 'api-4xx' in this account and region"));
    // Even one that cannot be read.
    let world = remembered(world, "yesterday");
    assert_eq!(lines(&world, forget, &at(2)), ["* api-5xx forget: a person asked for it"]);
}

#[test]
fn in_a_storm_the_first_ones_are_answered_and_the_others_handed_over() {
    let storm: Vec<_> = (0..5)
        .map(|number| {
            let mut it = alarm(&format!("storm-{number}"), "restart");
            it.since = Some(moment(0) + jiff::SignedDuration::from_secs(number));
            it
        })
        .collect();
    let asked = Options { max_remedies: 2, ..SWEEP };
    // Each run sees one alarm anew and the others as the index knows them, which is without any memory yet.
    let mut answered = Vec::new();
    for mine in 0..5 {
        let mut world = world(vec![storm[mine].clone()]);
        world.others = storm.iter().filter(|it| it.name != storm[mine].name).cloned().collect();
        answered.push(plan(&world, asked, &at(1)).problems.first().map(|it| it.problem.clone()));
    }
    let too_many = Some("too-many".to_owned());
    assert_eq!(answered, [None, None, too_many.clone(), too_many.clone(), too_many]);
    // In one run they come to the same, but that two of them mean the same service.
    let lines = lines(&world(storm), asked, &at(1));
    assert!(lines[0].starts_with("* api restart: "), "{lines:#?}");
    assert!(lines[1].starts_with("! storm-1 busy: "), "{lines:#?}");
    assert!(lines[2].starts_with("! storm-2 busy: "), "{lines:#?}");
}
