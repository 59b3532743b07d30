//! The remedies one by one, and how each is undone.

use super::*;

#[test]
fn more_tasks_come_up_to_the_maximum_and_on_top_of_what_was_granted_before() {
    let world = fired("scale-out step=2 max=6");
    let boost = |world: &World| {
        plan(world, SWEEP, &now()).steps.first().map(|it| reconcile::Step::after(&it.step)[keys::BOOST_MEMORY].clone())
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
    check_refused(granted(6, 5), "at-max: scale-out is refused: shop/api has 6 tasks, and");
    assert_eq!(boost(&with(5, keys::BOOST_MEMORY, "step=2 until=2026-11-20T18:00:00Z by=alarm:x")), requested(1));
    // One that nobody has granted yet comes on top of the tasks that run.
    assert_eq!(boost(&with(3, keys::BOOST_MEMORY, intent)), requested(3));
    check_refused(
        with(4, keys::BOOST_MEMORY, intent),
        "at-max: scale-out is refused: \
         shop/api has 4 tasks and 2 more requested already, and max=6",
    );
    assert!(answer(&with(2, keys::BOOSTED, "more")).starts_with("! api-5xx bad-tag: nightshift-state:boosted: "));
    check_refused(with(6, "team", "api"), "at-max: scale-out is refused: shop/api has 6 tasks, and max=6");
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
    let intent = reconcile::Step::after(&plan(&world, SWEEP, &now()).steps[0].step)[keys::ROLLBACK].clone();
    assert_eq!(intent, format!("{live} by=alarm:api-5xx at=2026-11-20T18:10:00Z"));
    for (history, expected) in [
        (vec![(42, Successful, -29), (41, Successful, -3000)], "* api rollback: "),
        (vec![(42, Open, -5), (41, Successful, -3000)], "* api rollback: "),
        // It shifts its traffic for long, or bakes.
        (vec![(42, Open, -35), (41, Successful, -3000)], "* api rollback: "),
        (
            vec![(42, Successful, -31)],
            "! api-5xx not-deployed-lately: rollback is refused: what shop/api runs is live since Sat 2026-11-21 02:39 KST, and within=30m",
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
    assert_eq!(reconcile::Step::after(&planned[0].step)[keys::AWAKE_UNTIL_MEMORY], "2026-11-20T20:10:00Z");
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
fn a_deployment_of_codedeploy_that_has_not_ended_is_recent_and_an_ended_one_as_old_as_its_tasks() {
    let with = |made: &[i64]| {
        let mut world = fired("rollback within=30m");
        let service = &mut world.services[0];
        service.controller = Some("CODE_DEPLOY".into());
        service.task_sets =
            made.iter().enumerate().map(|(at, it)| TaskSet { primary: at == 0, made: Some(moment(*it)) }).collect();
        service.deploying = made.len() > 1;
        world.history.clear();
        let intent = plan(&world, SWEEP, &now())
            .steps
            .first()
            .map(|it| reconcile::Step::after(&it.step)[keys::ROLLBACK].clone());
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
