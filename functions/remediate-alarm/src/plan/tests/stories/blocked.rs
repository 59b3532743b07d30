//! What keeps a remedy from being done now, or at all, and who learns of it.

use super::*;

#[test]
fn a_target_that_sleeps_is_left_asleep() {
    for (tag, desired) in [(true, 2), (false, 0), (true, 0)] {
        let mut world = fired("restart");
        world.services[0].desired = desired;
        if tag {
            world.services[0].tags.insert(keys::ASLEEP.into(), "since=2026-11-20T20:00 desired=2 by=schedule".into());
        }
        check_refused(world, "asleep: restart is refused: shop/api is asleep");
    }
}

#[test]
fn a_restart_waits_for_a_deployment_to_end_and_is_told_once() {
    let mut world = fired("restart");
    world.services[0].deploying = true;
    let waits = "! api-5xx deploying: restart waits: shop/api is being deployed; it fired at Sat 2026-11-21 03:10 KST. \
                 Each sweep tries again until Sat 2026-11-21 04:10 KST; after that it needs you";
    for minutes in [0, 10, 50] {
        check(&mut world, minutes, &[waits]);
    }
    world.services[0].deploying = false;
    check(&mut world, 55, &["* api restart: it fired at Sat 2026-11-21 03:10 KST"]);
    // One that waits in vain is a person's in the end.
    let mut world = fired("restart");
    world.services[0].deploying = true;
    let late = "! api-5xx too-old: restart is refused: no remedy could be started within an hour";
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
    let waits = "+ api-5xx: rollback waits: restart was started at Sat 2026-11-21 03:10 KST, and cooldown=15m; it fired at Sat 2026-11-21 03:18 KST. \
                 Each sweep tries again until Sat 2026-11-21 04:25 KST; after that it needs you";
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
        &["! api-5xx busy: reboot waits: shop-db is modifying; it fired at Sat 2026-11-21 03:10 KST. Each sweep"],
    );
    check(&mut world, 134, &["! api-5xx busy: "]);
    check(
        &mut world,
        135,
        &["! api-5xx still-in-alarm: it is still in ALARM after restart at \
                              Sat 2026-11-21 03:10 KST; the next step of its tag could not be taken in time; it fired"],
    );
    world.databases[0].status = "storage-full".into();
    check(
        &mut world,
        20,
        &["* api-5xx leave-to-person: ", "! api-5xx broken: reboot is refused: shop-db is storage-full"],
    );
}

#[test]
fn within_the_cooldown_and_over_the_daily_limit_nothing_is_done() {
    let cooling = "restart rung=1 at=2026-11-20T18:00:00Z hour=1 day=2026-11-21 count=1 fired=2026-11-20T18:00:00Z";
    let mut world = remembered(fired("restart"), cooling);
    assert!(
        answer(&world)
            .starts_with("+ api-5xx: restart waits: restart was started at Sat 2026-11-21 03:00 KST, and cooldown=15m")
    );
    // With a shorter one it is time.
    world.alarms[0].tags.insert(keys::REMEDY.into(), "restart cooldown=10m".into());
    assert!(answer(&world).starts_with("* api restart: "));

    // Three remedies since midnight, the last one an hour ago; yesterday's do not count.
    let spent = "restart rung=1 at=2026-11-20T17:10:00Z hour=1 day=2026-11-21 count=3 fired=2026-11-20T17:00:00Z";
    let world = remembered(fired("restart"), spent);
    let told = lines(&world, SWEEP, &now());
    assert_eq!(
        told[1],
        "! api-5xx daily-limit: restart is refused: limit=3 is reached on 2026-11-21; it fired at Sat 2026-11-21 03:10 KST, and needs you"
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
    assert!(answer(&world).starts_with("! api-5xx too-old: restart is refused: no remedy could be started"));
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
            "! api-5xx not-opted-in: restart is not allowed: shop/api has no tag nightshift:deploy or nightshift:schedule; add it there, or change this tag",
        ),
        ("restart", &both[..1], "* api restart: "),
        (
            "rollback",
            &both[..1],
            "! api-5xx not-opted-in: rollback is not allowed: shop/api has no tag nightshift:deploy; add",
        ),
        (
            "scale-out max=6",
            &both[1..],
            "! api-5xx not-opted-in: scale-out is not allowed: shop/api has no tag nightshift:schedule; add",
        ),
        (
            "wake",
            &both[1..],
            "! api-5xx not-opted-in: wake is not allowed: shop/api has no tag nightshift:schedule; add",
        ),
        (
            "reboot db=shop-db",
            &both[..],
            "! api-5xx not-opted-in: reboot is not allowed: shop-db has no tag nightshift:backup or nightshift:schedule; add",
        ),
        ("reboot db=shop-db", &both[2..], "* shop-db reboot: "),
    ] {
        let answer = without(rule, gone);
        assert!(answer.starts_with(expected), "{rule}: {answer}");
    }
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
    assert_eq!(by(&Scope::EveryAlarm), format!("! api-5xx unreadable: whether it is muted cannot be read: {denied}"));
}

#[test]
fn an_alarm_without_room_for_a_tag_is_told_and_nothing_is_done() {
    let mut world = fired("restart");
    let tags = &mut world.alarms[0].tags;
    tags.extend((0..49).map(|it| (format!("team-{it}"), "x".to_owned())));
    check(&mut world, 0, &["! api-5xx no-room: restart is not started: the alarm has 50 tags. AWS allows no more"]);
    assert!(plan(&world, SWEEP, &now()).remembered.is_empty());
    world.alarms[0].tags.remove("team-0");
    check(&mut world, 0, &["* api restart: "]);
}
