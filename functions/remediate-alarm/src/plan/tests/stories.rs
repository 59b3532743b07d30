//! Nights in the life of an alarm, in the plan's own words.

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
    assert!(end.ends_with(": over to you. Answers are 5xx. Look first at the log of the api."), "{end}");
    assert_eq!(answer_at(&world, 600), end, "told the same way, so told once");

    let mut world = described("restart");
    world.services[0].deploying = true;
    let refused = answer(&world);
    assert!(
        refused.ends_with(", then it is a person's. Answers are 5xx. Look first at the log of the api."),
        "{refused}"
    );
}

#[test]
fn the_recovery_says_how_long_it_took() {
    let mut world = fired("notify");
    check(&mut world, 0, &["* api-5xx notify: it fired at"]);
    ok(&mut world, 4);
    let plan = plan(&world, SWEEP, &at(4));
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
    let end = "! api-5xx still-in-alarm: it fired at Sat 2026-11-21 03:10 KST and is still in ALARM after rollback at \
               Sat 2026-11-21 03:25 KST, the last that its tag asks for: over to you";
    check(&mut world, 30, &[end]);
    check(&mut world, 600, &[end]);
    ok(&mut world, 601);
    check(
        &mut world,
        601,
        &["* api-5xx record-recovery: OK since Sat 2026-11-21 13:11 KST, after rollback at Sat 2026-11-21 03:25 KST"],
    );
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
fn a_target_that_sleeps_is_left_asleep() {
    for (tag, desired) in [(true, 2), (false, 0), (true, 0)] {
        let mut world = fired("restart");
        world.services[0].desired = desired;
        if tag {
            world.services[0].tags.insert(keys::ASLEEP.into(), "since=2026-11-20T20:00 desired=2 by=schedule".into());
        }
        check_refused(
            world,
            "asleep: it fired at Sat 2026-11-21 03:10 KST, and restart is refused: shop/api is asleep",
        );
    }
}

#[test]
fn a_restart_waits_for_a_deployment_to_end_and_is_told_once() {
    let mut world = fired("restart");
    world.services[0].deploying = true;
    let waits = "! api-5xx deploying: it fired at Sat 2026-11-21 03:10 KST, and restart waits: shop/api is being deployed; \
                 each sweep tries again until Sat 2026-11-21 04:10 KST, then it is a person's";
    for minutes in [0, 10, 50] {
        check(&mut world, minutes, &[waits]);
    }
    world.services[0].deploying = false;
    check(&mut world, 55, &["* api restart: it fired at Sat 2026-11-21 03:10 KST"]);
    // One that waits in vain is a person's in the end.
    let mut world = fired("restart");
    world.services[0].deploying = true;
    let late = "! api-5xx too-old: it fired at Sat 2026-11-21 03:10 KST, and restart is refused: no remedy could be started within an hour";
    check(&mut world, 61, &["* api-5xx leave-to-person: restart is refused: no remedy", late]);
    check(&mut world, 120, &["+ api-5xx: what fired at Sat 2026-11-21 03:10 KST was left to a person"]);
}

#[test]
fn more_tasks_and_a_rollback_need_not_wait_for_a_deployment_of_ecs() {
    let deploying = |rule: &str, controller: Option<&str>| {
        let mut world = fired(rule);
        world.services[0].deploying = true;
        world.services[0].controller = controller.map(str::to_owned);
        answer(&world)
    };
    assert!(deploying("rollback", None).starts_with("* api rollback: "));
    assert!(deploying("scale-out max=6", None).starts_with("* api scale-out: "));
    let by_others = deploying("scale-out max=6", Some("CODE_DEPLOY"));
    assert!(by_others.starts_with("! api-5xx deploying: "), "{by_others}");
}

#[test]
fn an_alarm_that_flaps_within_the_cooldown_gets_the_next_step_at_its_end() {
    let mut world = fired("restart then=rollback within=24h");
    check(&mut world, 0, &["* api restart: "]);
    world.services[0].deploying = false;
    ok(&mut world, 5);
    check(&mut world, 5, &["* api-5xx record-recovery: "]);
    fire(&mut world, 8);
    let waits = "+ api-5xx: it fired at Sat 2026-11-21 03:18 KST, and rollback waits: restart was started at Sat 2026-11-21 03:10 KST, and cooldown=15m; \
                 each sweep tries again until Sat 2026-11-21 04:25 KST, then it is a person's";
    check(&mut world, 8, &[waits]);
    check(&mut world, 14, &[waits]);
    check(
        &mut world,
        15,
        &["* api rollback: it fired again at Sat 2026-11-21 03:18 KST, after restart at Sat 2026-11-21 03:10 KST"],
    );
}

#[test]
fn a_ladder_whose_next_step_could_not_be_taken_in_time_is_a_persons() {
    let mut world = fired("restart then=reboot db=shop-db service=shop/api");
    check(&mut world, 0, &["* api restart: "]);
    world.databases[0].status = "modifying".into();
    check(
        &mut world,
        15,
        &["! api-5xx busy: it fired at Sat 2026-11-21 03:10 KST, and reboot waits: shop-db is modifying; each sweep"],
    );
    check(&mut world, 134, &["! api-5xx busy: "]);
    check(
        &mut world,
        135,
        &["! api-5xx still-in-alarm: it fired at Sat 2026-11-21 03:10 KST and is still in ALARM after restart at \
                              Sat 2026-11-21 03:10 KST, and the next step of its tag could not be taken in time: over to you"],
    );
    world.databases[0].status = "storage-full".into();
    check(
        &mut world,
        20,
        &[
            "* api-5xx leave-to-person: ",
            "! api-5xx broken: it fired at Sat 2026-11-21 03:10 KST, and reboot is refused: shop-db is storage-full",
        ],
    );
}

#[test]
fn within_the_cooldown_and_over_the_daily_limit_nothing_is_done() {
    let cooling = "restart rung=1 at=2026-11-20T18:00:00Z hour=1 day=2026-11-21 count=1 fired=2026-11-20T18:00:00Z";
    let mut world = remembered(fired("restart"), cooling);
    assert!(answer(&world).starts_with(
        "+ api-5xx: it fired at Sat 2026-11-21 03:10 KST, and restart waits: restart was started at Sat 2026-11-21 03:00 KST, and cooldown=15m"
    ));
    // With a shorter one it is time.
    world.alarms[0].tags.insert(keys::REMEDY.into(), "restart cooldown=10m".into());
    assert!(answer(&world).starts_with("* api restart: "));

    // Three remedies since midnight, the last one an hour ago; yesterday's do not count.
    let spent = "restart rung=1 at=2026-11-20T17:10:00Z hour=1 day=2026-11-21 count=3 fired=2026-11-20T17:00:00Z";
    let world = remembered(fired("restart"), spent);
    let told = lines(&world, SWEEP, &now());
    assert_eq!(
        told[1],
        "! api-5xx daily-limit: it fired at Sat 2026-11-21 03:10 KST, and restart is refused: limit=3 is reached on 2026-11-21"
    );
    let yesterday = spent.replace("day=2026-11-21", "day=2026-11-20");
    assert!(answer(&remembered(fired("restart"), &yesterday)).starts_with("* api restart: "));
    assert!(answer(&remembered(fired("restart limit=4"), spent)).starts_with("* api restart: "));
    // Telling a person is never too much.
    assert!(answer(&remembered(fired("notify"), spent)).starts_with("* api-5xx notify: "));
}

#[test]
fn what_nobody_answered_for_an_hour_is_not_answered_out_of_the_blue() {
    let mut world = fired("restart");
    world.alarms[0].since = Some(moment(-61));
    assert!(answer(&world).starts_with(
        "! api-5xx too-old: it fired at Sat 2026-11-21 02:09 KST, and restart is refused: no remedy could be started"
    ));
    world.alarms[0].since = Some(moment(-59));
    assert!(answer(&world).starts_with("* api restart: "));
}

#[test]
fn what_did_not_opt_in_is_a_problem_that_names_the_tag() {
    let without = |rule: &str, keys: &[&str]| {
        let mut world = fired(rule);
        world.services[0].tags.retain(|key, _| !keys.contains(&key.as_str()));
        world.databases[0].tags.retain(|key, _| !keys.contains(&key.as_str()));
        answer(&world)
    };
    let both = [keys::DEPLOY, keys::SCHEDULE, keys::BACKUP];
    for (rule, gone, expected) in [
        (
            "restart",
            &both[..],
            "! api-5xx not-opted-in: restart is for shop/api, which has no tag nightshift:deploy or nightshift:schedule: add it there, or change this tag",
        ),
        ("restart", &both[..1], "* api restart: "),
        (
            "rollback",
            &both[..1],
            "! api-5xx not-opted-in: rollback is for shop/api, which has no tag nightshift:deploy: add",
        ),
        (
            "scale-out max=6",
            &both[1..],
            "! api-5xx not-opted-in: scale-out is for shop/api, which has no tag nightshift:schedule: add",
        ),
        ("wake", &both[1..], "! api-5xx not-opted-in: wake is for shop/api, which has no tag nightshift:schedule: add"),
        (
            "reboot db=shop-db",
            &both[..],
            "! api-5xx not-opted-in: reboot is for shop-db, which has no tag nightshift:backup or nightshift:schedule: add",
        ),
        ("reboot db=shop-db", &both[2..], "* shop-db reboot: "),
    ] {
        let answer = without(rule, gone);
        assert!(answer.starts_with(expected), "{rule}: {answer}");
    }
}

#[test]
fn more_tasks_come_up_to_the_maximum_and_on_top_of_what_was_granted_before() {
    let world = fired("scale-out step=2 max=6");
    let boost = |world: &World| {
        plan(world, SWEEP, &now()).steps.first().map(|it| reconcile::Step::after(&it.step)["boost"].clone())
    };
    let requested =
        |step: u32| Some(serde_json::json!(format!("step={step} until=2026-11-20T19:10:00Z by=alarm:api-5xx")));
    assert_eq!(boost(&world), requested(2));
    let with = |desired: i32, key: &str, value: &str| {
        let mut world = world.clone();
        world.services[0].desired = desired;
        world.services[0].tags.insert(key.into(), value.into());
        world
    };
    let intent = "step=2 until=2026-11-20T18:30:00Z by=alarm:x";
    let granted = |desired: i32, to: i32| {
        let mut world = with(desired, keys::BOOST_MEMORY, intent);
        let boosted = format!("since=2026-11-20T18:00:00Z from=3 to={to}");
        world.services[0].tags.insert(keys::BOOSTED.into(), boosted);
        world
    };
    // One that is in force is counted in the five; there is room for one more.
    assert_eq!(boost(&granted(5, 5)), requested(3));
    assert_eq!(boost(&granted(3, 5)), requested(3), "its tasks are on their way");
    assert_eq!(boost(&granted(2, 5)), requested(3), "the scaling took some");
    check_refused(
        granted(6, 5),
        "at-max: it fired at Sat 2026-11-21 03:10 KST, and scale-out is refused: shop/api has 6 tasks, and",
    );
    assert_eq!(boost(&with(5, keys::BOOST_MEMORY, "step=2 until=2026-11-20T18:00:00Z by=alarm:x")), requested(1));
    // One that nobody has granted yet comes on top of the tasks that run.
    assert_eq!(boost(&with(3, keys::BOOST_MEMORY, intent)), requested(3));
    check_refused(
        with(4, keys::BOOST_MEMORY, intent),
        "at-max: it fired at Sat 2026-11-21 03:10 KST, and scale-out is refused: \
         shop/api has 4 tasks and 2 more requested already, and max=6",
    );
    assert!(answer(&with(2, keys::BOOSTED, "more")).starts_with("! api-5xx bad-tag: nightshift-state:boosted: "));
    check_refused(
        with(6, "team", "api"),
        "at-max: it fired at Sat 2026-11-21 03:10 KST, and scale-out is refused: shop/api has 6 tasks, and max=6",
    );
    check_refused(with(2, keys::BOOST, "step=1 until=2026-11-21T04:00"), "boosted: ");
    assert!(answer(&with(2, keys::BOOST_MEMORY, "more")).starts_with("! api-5xx bad-tag: nightshift-state:boost: "));
}

#[test]
fn only_what_went_live_lately_is_taken_back() {
    let story = |history: Vec<(u32, RolloutEnd, i64)>| {
        let mut world = fired("rollback within=30m");
        let history = history.into_iter().map(|(number, end, minutes)| rollout(revision("api", number), end, minutes));
        let arn = world.services[0].arn.clone();
        world.history.insert(arn, history.collect());
        answer(&world)
    };
    use RolloutEnd::*;
    let live = format!("sha256:{:064x}", 2);
    let mut world = fired("rollback");
    let intent = reconcile::Step::after(&plan(&world, SWEEP, &now()).steps[0].step)["request"].clone();
    assert_eq!(intent, format!("{live} by=alarm:api-5xx at=2026-11-20T18:10:00Z"));
    for (history, expected) in [
        (vec![(42, Successful, -29), (41, Successful, -3000)], "* api rollback: "),
        (vec![(42, Open, -5), (41, Successful, -3000)], "* api rollback: "),
        // It shifts its traffic for long, or bakes.
        (vec![(42, Open, -35), (41, Successful, -3000)], "* api rollback: "),
        (
            vec![(42, Successful, -31)],
            "! api-5xx not-deployed-lately: it fired at Sat 2026-11-21 03:10 KST, and rollback is refused: what shop/api runs is live since Sat 2026-11-21 02:39 KST, and within=30m",
        ),
        // A restart deploys the same again.
        (vec![(42, Successful, -5), (42, Successful, -3000)], "! api-5xx not-deployed-lately: "),
        // It came back from a bad one, and must not be taken back itself.
        (vec![(42, Successful, -5), (43, Successful, -20), (42, Successful, -3000)], "! api-5xx not-deployed-lately: "),
        (vec![(43, GoingBack, -5), (42, Successful, -20)], "! api-5xx going-back: "),
        (vec![(43, Ended, -5)], "! api-5xx no-deployment: "),
        (vec![], "! api-5xx no-deployment: "),
    ] {
        let answer = story(history.clone());
        assert!(answer.starts_with(expected), "{history:?}: {answer}");
    }
    world.services[0].tags.insert(keys::ROLLBACK.into(), "by=alarm:other at=2026-11-20T18:00:00Z".into());
    check_refused(world, "already-requested: ");
}

#[test]
fn an_instance_is_rebooted_and_a_cluster_never() {
    let with = |rule: &str, change: fn(&mut World)| {
        let mut world = fired(rule);
        change(&mut world);
        answer(&world)
    };
    for (rule, change, expected) in [
        ("reboot db=shop-db", (|_| ()) as fn(&mut World), "* shop-db reboot: "),
        ("reboot db=shop-db failover=true", |_| (), "* shop-db reboot: "),
        ("reboot db=shop-db failover=true", |it| it.databases[0].multi_az = false, "! api-5xx no-standby: "),
        ("reboot db=shop-db", |it| it.databases[0].is_cluster = true, "! api-5xx cluster: "),
        ("reboot db=shop-db", |it| it.databases[0].member_of = Some("c".into()), "! api-5xx cluster: "),
        ("reboot db=shop-db", |it| it.databases[0].status = "modifying".into(), "! api-5xx busy: "),
        ("reboot db=shop-db", |it| it.databases[0].status = "stopped".into(), "! api-5xx asleep: "),
    ] {
        let answer = with(rule, change);
        assert!(answer.starts_with(expected), "{rule}: {answer}");
    }
}

#[test]
fn what_sleeps_by_its_schedule_is_woken_for_two_hours() {
    let asleep = |world: &mut World| {
        world.services[0].desired = 0;
        world.services[0].tags.insert(keys::ASLEEP.into(), "since=2026-11-20T20:00 desired=2 by=schedule".into());
    };
    let mut world = fired("wake");
    asleep(&mut world);
    let planned = plan(&world, SWEEP, &now()).steps;
    assert_eq!(reconcile::Step::after(&planned[0].step)["awake_until"], "2026-11-20T20:10:00Z");
    for (tag, value) in [(keys::HOLD, "moving"), (keys::HOLD_MEMORY, "by=budget:x since=2026-11-20T18:00:00Z")] {
        let mut held = world.clone();
        held.services[0].tags.insert(tag.into(), value.into());
        check_refused(held, "held: ");
    }
    world.services[0].tags.remove(keys::ASLEEP);
    check_refused(world, "not-put-to-sleep: ");
    check_refused(fired("wake"), "awake: ");
}

#[test]
fn a_restart_is_not_for_a_service_that_others_deploy() {
    let mut world = fired("restart");
    world.services[0].controller = Some("CODE_DEPLOY".into());
    assert!(answer(&world).starts_with(
        "! api-5xx controller: shop/api is deployed by CODE_DEPLOY; ECS cannot force a new deployment of it. Use notify"
    ));
    world.services[0].status = "DRAINING".into();
    assert!(answer(&world).starts_with("! api-5xx not-active: shop/api is DRAINING"));
}

#[test]
fn tags_that_cannot_be_read_are_told_and_nothing_is_done() {
    assert!(answer(&fired("restrat")).starts_with("! api-5xx bad-tag: nightshift:remedy: unknown word 'restrat'"));
    let world = remembered(fired("restart"), "yesterday");
    assert!(answer(&world).starts_with("! api-5xx bad-memory: nightshift-state:remedied: unknown word 'yesterday'"));
    let mut world = fired("restart");
    world.alarms[0].tags.clear();
    check(&mut world, 0, &["+ api-5xx: it has no tag nightshift:remedy"]);
    let mut world = fired("restart");
    world.alarms[0].since = None;
    check(&mut world, 0, &["! api-5xx no-moment: "]);
}

#[test]
fn who_silences_an_alarm_is_not_disturbed() {
    let mut world = fired("restart");
    world.alarms[0].silenced = Some("its actions are disabled");
    check(&mut world, 0, &["+ api-5xx: its actions are disabled"]);
    let mut world = fired("restart");
    world.mute_rules.insert("api-5xx".into(), vec!["release-night".into()]);
    check(&mut world, 0, &["+ api-5xx: the mute rule release-night of CloudWatch is in force, so nothing is done now"]);
    // CloudWatch runs the actions of what is in ALARM when a mute ends, and so do we.
    world.mute_rules.insert("api-5xx".into(), Vec::new());
    check(&mut world, 10, &["* api restart: "]);
    let mut world = fired("restart");
    world.alarms[0].state = State::Unknown;
    check(&mut world, 0, &["+ api-5xx: it has too little data to tell"]);
}

#[test]
fn where_mute_rules_cannot_be_read_an_event_still_says_whether_its_alarm_is_muted() {
    let mut world = fired("restart");
    let denied = "ListAlarmMuteRules api-5xx: AccessDeniedException: no";
    world.unreadable.insert(Wanted::MuteRules("api-5xx".into()), denied.into());
    let event = |muted| Scope::Alarms(vec![AlarmName { name: "api-5xx".into(), arn: None, muted }]);
    let by = |scope: &Scope| lines(&world, Options { scope, ..SWEEP }, &now()).remove(0);
    assert_eq!(by(&event(true)), "+ api-5xx: a mute rule of CloudWatch is in force, so nothing is done now");
    assert!(by(&event(false)).starts_with("* api restart: "));
    assert_eq!(by(&Scope::EveryAlarm), format!("! api-5xx unreadable: {denied}"));
}

#[test]
fn an_alarm_without_room_for_a_tag_is_told_and_nothing_is_done() {
    let mut world = fired("restart");
    let tags = &mut world.alarms[0].tags;
    tags.extend((0..49).map(|it| (format!("team-{it}"), "x".to_owned())));
    check(
        &mut world,
        0,
        &["! api-5xx no-room: it has 50 tags, as many as AWS allows, so Nightshift could not remember restart"],
    );
    assert!(plan(&world, SWEEP, &now()).remembered.is_empty());
    world.alarms[0].tags.remove("team-0");
    check(&mut world, 0, &["* api restart: "]);
}

#[test]
fn a_deployment_of_codedeploy_that_has_not_ended_is_recent_and_an_ended_one_as_old_as_its_tasks() {
    let with = |made: &[i64]| {
        let mut world = fired("rollback within=30m");
        let service = &mut world.services[0];
        service.controller = Some("CODE_DEPLOY".into());
        service.task_sets =
            made.iter().enumerate().map(|(at, it)| TaskSet { primary: at == 0, made: Some(moment(*it)) }).collect();
        service.deploying = made.len() > 1;
        world.history.clear();
        let intent =
            plan(&world, SWEEP, &now()).steps.first().map(|it| reconcile::Step::after(&it.step)["request"].clone());
        (answer(&world), intent)
    };
    let (told, intent) = with(&[-3000, -120]);
    assert!(told.starts_with("* api rollback: "), "{told}");
    // Which image that is, deploy-image knows.
    assert_eq!(intent.unwrap(), "by=alarm:api-5xx at=2026-11-20T18:10:00Z");
    assert!(with(&[-20]).0.starts_with("* api rollback: "));
    assert!(with(&[-31]).0.starts_with("! api-5xx not-deployed-lately: "));
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

#[test]
fn the_undo_of_a_remedy_is_that_of_its_runbook() {
    let undo = |world: &World| {
        let undo = reconcile::Step::undo(&plan(world, SWEEP, &now()).steps[0].step);
        undo.map(|it| it.command_line("shop-remediate-alarm", None))
    };
    let arn = "arn:aws:ecs:ap-northeast-2:123456789012:service/shop/api";
    let mut world = fired("scale-out step=2 max=6");
    let untag = format!("aws ecs untag-resource --resource-arn {arn} --tag-keys nightshift-state:boost");
    assert_eq!(undo(&world), Some(untag));
    // What was in force before comes back.
    let before = "step=1 until=2026-11-20T18:30:00Z by=alarm:x";
    world.services[0].tags.insert(keys::BOOST_MEMORY.into(), before.into());
    let tags = format!("[{{\"key\":\"nightshift-state:boost\",\"value\":\"{before}\"}}]");
    let tag = format!("aws ecs tag-resource --resource-arn {arn} --tags '{tags}'");
    assert_eq!(undo(&world), Some(tag));
    let image = format!("sha256:{:064x}", 2);
    let clear = undo(&fired("rollback")).unwrap();
    let words = [
        "--function-name shop-deploy-image ",
        r#"{"clear":{"#,
        r#""service":"shop/api""#,
        &format!(r#""image":"{image}""#),
    ];
    assert!(words.iter().all(|it| clear.contains(it)), "{clear}");
    for rule in ["restart", "reboot db=shop-db", "notify"] {
        assert_eq!(undo(&fired(rule)), None, "{rule}");
    }
}
