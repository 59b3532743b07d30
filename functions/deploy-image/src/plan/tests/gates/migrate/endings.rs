//! How a migration ends, is interrupted or forgotten, and what is remembered of that.

use super::*;

#[test]
fn a_task_that_never_started_is_tried_again_and_after_three_times_once_an_hour() {
    let mut model = shop(RULE);
    model.push("v1.1.0");
    for tries in 1..=3 {
        run(&mut model, &of_migration());
        assert_eq!(model.tokens.len(), tries);
        model.stop_tasks(None);
    }
    let told = run(&mut model, &of_migration());
    assert!(told[0].contains("no migration is running"), "{told:?}");
    let expected = "migration-not-started: v1.1.0 is not deployed: its migration does not start. \
                    truegul-production-migrate: TaskFailedToStart: CannotPullContainerError: not found. \
                    It is tried again every hour";
    assert_eq!(told[1], expected);
    assert_eq!(run(&mut model, &of_migration()), [expected]);
    model.forget_tasks();
    run(&mut model, &Scope::Everywhere);
    assert_eq!(model.tokens.len(), 4);
    model.stop_tasks(Some(0));
    model.settle();
    assert_eq!(model.running(), "v1.1.0");
    assert!(!model.service.tags.contains_key(keys::REJECTED) && !model.service.tags.contains_key(keys::MIGRATING));
}

#[test]
fn a_start_that_ecs_refused_is_made_again_with_another_token() {
    let mut model = shop(RULE);
    model.push("v1.1.0");
    model.no_capacity = true;
    run(&mut model, &repository());
    assert!(model.tokens.is_empty());
    assert!(model.service.tags[keys::MIGRATING].ends_with(" start=refused"), "{model}");
    model.settle_with(|it| it.stop_tasks(Some(0)));
    assert_eq!((model.running().as_str(), model.tokens.len()), ("v1.1.0", 1));
}

#[test]
fn only_the_container_that_runs_the_image_is_judged() {
    for essential in [true, false] {
        let mut model = Model::new(RULE);
        model.add_migration(&json!({"family": FAMILY, "containerDefinitions": [
            {"name": "migrate", "image": format!("{REGISTRY}/{REPOSITORY}:v1.0.0"), "essential": essential},
            {"name": "log", "image": "public.ecr.aws/aws-for-fluent-bit:stable", "essential": true}]}));
        model.push("v1.1.0");
        run(&mut model, &repository());
        // ECS ends the other one with 137 then.
        model.stop_tasks(Some(0));
        model.settle();
        assert_eq!(model.running(), "v1.1.0", "essential {essential}");
    }
}

#[test]
fn an_interruption_is_told_and_runs_again_only_when_a_person_says_so() {
    type Interruption = (&'static str, &'static str, fn(&mut Model));
    let interruptions: [Interruption; 3] = [
        ("SpotInterruption", "SpotInterruption: Your Spot Task was interrupted.", |_| {}),
        ("UserInitiated", "UserInitiated: Your Spot Task was interrupted.", |_| {}),
        (
            "EssentialContainerExited",
            "EssentialContainerExited: container log exited with 1, and ECS stopped the rest",
            |it| {
                it.migrations.iter_mut().for_each(|it| it.fields["containerDefinitions"][1]["essential"] = json!(true));
                it.tasks[0].containers[1].exit_code = Some(1);
            },
        ),
    ];
    for (stop_code, expected, also) in interruptions {
        let mut model = shop(RULE);
        model.push("v1.1.0");
        run(&mut model, &repository());
        model.end_tasks(stop_code, "Your Spot Task was interrupted.", Some(137));
        also(&mut model);
        let told = run(&mut model, &of_migration());
        assert!(
            told[0].starts_with("migration-interrupted: v1.1.0 is not deployed: its migration was interrupted"),
            "{told:?}"
        );
        assert!(told[0].contains(expected), "{told:?}");
        // Nor when ECS has forgotten it.
        model.forget_tasks();
        let told = run(&mut model, &Scope::Everywhere);
        assert!(told[0].starts_with("migration-unknown: v1.1.0 is not deployed: its migration's end"), "{told:?}");
        assert_eq!((model.running().as_str(), model.tokens.len()), ("v1.0.0", 1));
        // The command of the message runs it again, however often it is sent.
        let image =
            told[0].split("{\"clear\":{\"service\":\"truegul-production/api-server\",\"image\":\"").nth(1).unwrap();
        let clear = Command::Clear { image: Some(image.split('"').next().unwrap().into()) };
        for _ in 0..2 {
            model.run(&service(), Some(&clear), usize::MAX);
        }
        assert_eq!(model.tokens.len(), 2, "{model}");
        model.stop_tasks(Some(0));
        model.settle();
        assert_eq!((model.running().as_str(), model.tokens.len()), ("v1.1.0", 2));
    }
}

#[test]
fn a_migration_whose_end_nobody_saw_is_a_problem_and_not_a_second_run() {
    for forgotten in [1, 24] {
        let mut model = shop(RULE);
        model.push("v1.1.0");
        run(&mut model, &repository());
        model.stop_tasks(Some(0));
        for _ in 0..forgotten {
            model.forget_tasks();
        }
        let told = run(&mut model, &Scope::Everywhere);
        let expected = "migration-unknown: v1.1.0 is not deployed: its migration's end is unknown. ECS no longer tells \
                        it of truegul-production-migrate, which was started at Sat 2026-11-21 03:";
        assert!(told.len() == 1 && told[0].starts_with(expected), "{told:?}");
        assert_eq!(model.tokens.len(), 1);
        // The command in the message says that it ended well.
        let value = told[0].split("\"value\":\"").nth(1).unwrap().split('"').next().unwrap();
        model.service.tags.insert(keys::MIGRATED.into(), value.into());
        model.settle();
        assert_eq!((model.running().as_str(), model.tokens.len()), ("v1.1.0", 1));
        assert!(!model.service.tags.contains_key(keys::MIGRATING), "{model}");
    }
}

#[test]
fn a_task_whose_run_died_before_it_left_the_mark_is_marked_by_the_next() {
    let mut model = shop(RULE);
    model.push("v1.1.0");
    model.run(&repository(), None, 3);
    assert_eq!((model.tokens.len(), model.service.tags[keys::MIGRATING].ends_with(" start=asked")), (1, true));
    let told = run(&mut model, &Scope::Everywhere);
    assert!(told[0].starts_with("truegul-production/api-server: the migration for v1.1.0 is running"), "{told:?}");
    let mark = &model.service.tags[keys::MIGRATING];
    assert!(mark.contains("task=arn:aws:ecs:") && mark.contains(" family=truegul-production-migrate"), "{mark}");
    model.stop_tasks(Some(0));
    model.forget_tasks();
    assert!(run(&mut model, &Scope::Everywhere)[0].starts_with("migration-unknown: "));
}

#[test]
fn a_run_that_died_while_it_asked_leaves_the_rest_to_the_next_one_or_to_a_person() {
    for (calls, minutes, expected) in [
        // It died before it asked.
        (2, 10, "truegul-production/api-server: the migration for v1.1.0 begins"),
        (2, 120, "migration-unknown: "),
        // It died after ECS had started the task, which has stopped since and is forgotten.
        (3, 120, "migration-unknown: "),
    ] {
        let mut model = shop(RULE);
        model.push("v1.1.0");
        model.run(&repository(), None, calls);
        model.stop_tasks(Some(1));
        model.minutes += minutes;
        if minutes > 60 {
            model.tasks.clear();
        }
        let told = run(&mut model, &Scope::Everywhere);
        assert!(told[0].starts_with(expected), "after {calls} calls and {minutes} minutes: {told:?}");
    }
}

#[test]
fn the_mark_of_a_migration_that_no_image_waits_for_goes_when_its_task_has_stopped() {
    let mut model = shop(RULE);
    let pushed = model.push("v1.1.0");
    run(&mut model, &repository());
    model.images.retain(|it| it.digest != pushed);
    assert!(run(&mut model, &Scope::Everywhere)[0].starts_with("skip: runs v1.0.0"));
    assert!(model.service.tags.contains_key(keys::MIGRATING));
    model.stop_tasks(Some(0));
    run(&mut model, &of_migration());
    assert!(!model.service.tags.contains_key(keys::MIGRATING));
}

/// v1.1.0, whose migration has begun, and which then waits for something else.
fn begun_and_held(hold: fn(&mut Model)) -> Model {
    let mut model = shop(RULE);
    model.push("v1.1.0");
    run(&mut model, &repository());
    hold(&mut model);
    model
}

fn asks(model: &mut Model) {
    let rule = "newest approval=manual migrate=truegul-production-migrate";
    model.service.tags.insert(keys::DEPLOY.into(), rule.into());
}

fn is_shifting(model: &mut Model) {
    model.service.strategy = crate::plan::Strategy::Shifting("BLUE_GREEN".into());
    model.restart();
}

#[test]
fn how_a_migration_ended_is_remembered_whatever_else_the_image_waits_for() {
    let waits = [
        (sleeps as fn(&mut Model), "skip: v1.1.0 waits, since "),
        (asks, "needs-approval: v1.1.0 waits for your approval (runs v1.0.0). "),
        (
            is_shifting,
            "skip: v1.1.0 is newer, but a deployment that shifts traffic is under way. It goes on when that has ended",
        ),
    ];
    for (hold, expected) in waits {
        let mut model = begun_and_held(hold);
        let told = run(&mut model, &of_migration());
        assert!(told.len() == 1 && told[0].starts_with(expected), "{told:?}");
        model.stop_tasks(Some(0));
        let told = run(&mut model, &of_migration());
        assert!(told[0].contains("the migration for v1.1.0 has ended well"), "{told:?}");
        assert!(told.len() == 3 && told[2].starts_with(expected), "{told:?}");
        // ECS forgets before the image may go on.
        model.forget_tasks();
        let told = run(&mut model, &Scope::Everywhere);
        assert!(told[0].starts_with(expected), "{told:?}");
        model.service.tags.remove(keys::ASLEEP);
        model.service.tags.insert(keys::DEPLOY.into(), RULE.into());
        model.settle();
        assert_eq!((model.running().as_str(), model.tokens.len()), ("v1.1.0", 1));

        let mut model = begun_and_held(hold);
        model.stop_tasks(Some(3));
        let told = run(&mut model, &of_migration());
        assert!(told[0].contains("the migration of v1.1.0 failed: "), "{told:?}");
        assert!(model.service.tags[keys::REJECTED].contains("by=migration"));
    }
}
