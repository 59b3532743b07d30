//! `migrate=`: once for each image, whatever happens, and what it says decides.

use proptest::prelude::*;
use proptest::strategy::Strategy;
use rules::keys;
use serde_json::json;

use crate::plan::tests::model::{Model, REGISTRY, REPOSITORY, repository, service};
use crate::plan::tests::stories::words;
use crate::plan::*;
use reconcile::Step as _;

const FAMILY: &str = "truegul-production-migrate";
const RULE: &str = "newest migrate=truegul-production-migrate";

/// A service with a migration whose task writes a log and has a sidecar that is not essential.
fn shop(rule: &str) -> Model {
    let mut model = Model::new(rule);
    let image = format!("{REGISTRY}/{REPOSITORY}:v1.0.0");
    let log =
        json!({"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/migrate", "awslogs-stream-prefix": "run"}});
    model.add_migration(&json!({"family": FAMILY, "networkMode": "awsvpc", "containerDefinitions": [
        {"name": "migrate", "image": image, "command": ["migrate"], "logConfiguration": log},
        {"name": "log", "image": "public.ecr.aws/fluent-bit:2", "essential": false}]}));
    model
}

fn of_migration() -> Scope {
    Scope::Migration(FAMILY.into())
}

fn run(model: &mut Model, scope: &Scope) -> Vec<String> {
    words(&model.run(scope, None, usize::MAX))
}

#[test]
fn the_migration_runs_before_the_image_goes_out() {
    let mut model = shop(RULE);
    let digest = model.push("v1.1.0");
    assert_eq!(
        run(&mut model, &repository()),
        ["truegul-production/api-server: the migration for v1.1.0 begins: \
          v1.1.0 goes out after truegul-production-migrate:1"]
    );
    let migration = model.migrations.last().unwrap();
    let images: Vec<&str> = migration.images().map(|(_, image)| image).collect();
    assert_eq!(images, [format!("{REGISTRY}/{REPOSITORY}@{digest}"), "public.ecr.aws/fluent-bit:2".into()]);
    let waits = ["skip: v1.1.0 waits for its migration: truegul-production-migrate is running (task 1)"];
    assert_eq!(run(&mut model, &repository()), waits);
    assert_eq!(model.running(), "v1.0.0");
    model.stop_tasks(Some(0));
    let told = run(&mut model, &of_migration());
    assert_eq!(
        told,
        [
            "truegul-production/api-server: the migration for v1.1.0 has ended well: \
             every container of truegul-production-migrate that runs the image exited with 0",
            "truegul-production/api-server: no migration is running: its end is known",
            "truegul-production/api-server: deploying v1.1.0 (was v1.0.0): v1.1.0 is the image that 'newest' selects in truegul-api-server"
        ]
    );
    // ECS forgets; the service does not.
    model.tasks.clear();
    model.settle();
    assert_eq!((model.running().as_str(), model.tokens.len()), ("v1.1.0", 1));
}

#[test]
fn a_migration_that_fails_rejects_the_image_and_says_where_to_look() {
    let mut model = shop(RULE);
    model.push("v1.1.0");
    run(&mut model, &repository());
    model.stop_tasks(Some(3));
    let told = run(&mut model, &of_migration());
    assert_eq!(
        told,
        [
            "truegul-production/api-server: v1.1.0 is rejected, v1.0.0 stays: the migration of v1.1.0 failed: \
             truegul-production-migrate, container migrate exited with 3: Essential container in task exited; \
             log group /ecs/migrate, stream run/migrate/1",
            "truegul-production/api-server: no migration is running: it has failed",
            "skip: v1.1.0 is rejected; v1.0.0 stays"
        ]
    );
    model.settle();
    assert_eq!((model.running().as_str(), model.tokens.len()), ("v1.0.0", 1));
    assert!(model.service.tags[keys::REJECTED].contains("by=migration"));
}

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
    let expected = "migration-not-started: v1.1.0 is not deployed: the task of its migration does not start: \
                    truegul-production-migrate, TaskFailedToStart: CannotPullContainerError: not found. \
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
        assert!(told[0].starts_with("migration-unknown: v1.1.0 is not deployed: its migration"), "{told:?}");
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
        let expected = "migration-unknown: v1.1.0 is not deployed: its migration truegul-production-migrate was started at \
                        Sat 2026-11-21 03:";
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
fn a_migration_never_runs_on_spot() {
    let provider = |name: &str| Capacity { provider: name.into(), weight: 1, base: 0 };
    for (launch_type, capacity, expected) in [
        (None, vec!["FARGATE_SPOT"], (Some("FARGATE"), vec![])),
        (None, vec!["FARGATE", "FARGATE_SPOT"], (Some("FARGATE"), vec![])),
        (None, vec!["machines"], (None, vec!["machines"])),
        (Some("EC2"), vec![], (Some("EC2"), vec![])),
        // Without either the default strategy of the cluster would decide.
        (None, vec![], (Some("EC2"), vec![])),
    ] {
        let mut model = shop(RULE);
        model.service.launch.launch_type = launch_type.map(str::to_owned);
        model.service.launch.capacity = capacity.iter().map(|it| provider(it)).collect();
        model.push("v1.1.0");
        let plan = model.plan(&repository(), None);
        let Step::Migrate(migrate) = &plan.steps[0].step else { panic!("{plan:?}") };
        let providers: Vec<&str> = migrate.launch.capacity.iter().map(|it| it.provider.as_str()).collect();
        assert_eq!((migrate.launch.launch_type.as_deref(), providers), expected);
    }
}

#[test]
fn a_migration_that_was_started_for_another_service_is_not_started_again() {
    let mut api = shop(RULE);
    api.push("v1.1.0");
    run(&mut api, &repository());
    let mut worker = shop(RULE);
    worker.push("v1.1.0");
    let mut other = api.service.clone();
    other.arn = other.arn.replace("api-server", "worker");
    worker.others = vec![other];
    let told = run(&mut worker, &service());
    assert_eq!(
        told,
        ["skip: v1.1.0 waits: truegul-production-migrate was started in the name of truegul-production/api-server, \
          and how it ended is not known yet"]
    );
    assert_eq!(worker.tokens.len(), 0);
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

#[test]
fn what_a_person_clears_is_migrated_again() {
    let mut model = shop(RULE);
    model.push("v1.1.0");
    run(&mut model, &repository());
    model.stop_tasks(Some(1));
    model.settle();
    model.run(&service(), Some(&Command::Clear { image: None }), usize::MAX);
    assert_eq!(model.tokens.len(), 2, "{:?}", model.tokens);
    model.stop_tasks(Some(0));
    model.settle();
    assert_eq!(model.running(), "v1.1.0");
}

#[test]
fn an_approval_forgives_no_failure_even_one_that_seems_older() {
    let mut model = shop("newest approval=manual migrate=truegul-production-migrate");
    model.push("v1.1.0");
    model.run(&service(), Some(&Command::Approve { image: "v1.1.0".into(), hook: None }), usize::MAX);
    assert_eq!(model.tokens.len(), 1, "{:?}", model.tokens);
    model.stop_tasks(Some(1));
    // Memory counts in seconds, and the clock of ECS is not ours.
    model.tasks[0].stopped_at = Some("2020-01-01T00:00:00Z".parse().unwrap());
    let told = run(&mut model, &of_migration());
    assert!(told[0].starts_with("truegul-production/api-server: v1.1.0 is rejected, v1.0.0 stays"), "{told:?}");
    model.settle();
    assert_eq!((model.running().as_str(), model.tokens.len()), ("v1.0.0", 1));
}

#[test]
fn a_push_during_a_migration_waits_for_its_end_and_is_migrated_itself() {
    let mut model = shop(RULE);
    model.push("v1.1.0");
    run(&mut model, &repository());
    model.push("v1.2.0");
    assert_eq!(
        run(&mut model, &repository()),
        ["skip: v1.2.0 waits: truegul-production-migrate still runs for another image (task 1)"]
    );
    // The first fails: nobody asks any more, and the second one's own run decides.
    model.stop_tasks(Some(1));
    run(&mut model, &of_migration());
    model.stop_tasks(Some(0));
    run(&mut model, &of_migration());
    model.settle();
    assert_eq!((model.running().as_str(), model.tokens.len()), ("v1.2.0", 2));
    assert_eq!(model.revisions.len(), 2, "v1.1.0 never went out");
}

#[test]
fn an_approval_lets_out_the_image_that_it_names_though_a_newer_one_is_there() {
    let mut model = shop("newest approval=manual migrate=truegul-production-migrate");
    model.push("v1.1.0");
    assert_eq!(model.run(&repository(), None, usize::MAX).problems[0].problem, "needs-approval");
    model.push("v1.2.0");
    let approve = |image: &str| Command::Approve { image: image.into(), hook: None };
    let steps = |plan: &reconcile::Plan<Step>| plan.steps.iter().map(|it| it.step.action()).collect::<Vec<_>>();
    let other = model.clone().run(&service(), Some(&approve("v1.1.0")), usize::MAX);
    assert_eq!((steps(&other), words(&other)[1].contains("v1.1.0")), (vec!["approve", "migrate"], true));
    let plan = model.run(&service(), Some(&approve("v1.2.0")), usize::MAX);
    assert_eq!(steps(&plan), ["approve", "migrate"]);
    assert!(words(&plan)[1].contains("v1.2.0"), "{:?}", words(&plan));
}

#[test]
fn two_services_that_share_a_migration_share_its_one_run() {
    let mut api = shop(RULE);
    api.push("v1.1.0");
    api.settle_with(|it| it.stop_tasks(Some(0)));
    assert_eq!(api.running(), "v1.1.0");
    // The other service comes to it hours later, when ECS has forgotten the task.
    let mut worker = shop(RULE);
    worker.push("v1.1.0");
    let mut other = api.service.clone();
    other.arn = other.arn.replace("api-server", "worker");
    worker.others = vec![other];
    let mut alone = worker.clone();
    let told = run(&mut alone, &service());
    assert!(told[0].starts_with("truegul-production/api-server: the migration for v1.1.0 has ended well"), "{told:?}");
    assert_eq!(alone.tokens.len(), 0);
    // One that asks for another migration says nothing.
    worker.others[0].tags.insert(keys::DEPLOY.into(), "newest migrate=other".into());
    run(&mut worker, &service());
    assert_eq!(worker.tokens.len(), 1);
}

#[test]
fn a_migration_without_the_repository_runs_as_it_is() {
    let mut model = Model::new(RULE);
    model
        .add_migration(&json!({"family": FAMILY, "containerDefinitions": [{"name": "migrate", "image": "flyway:10"}]}));
    model.push("v1.1.0");
    let told = run(&mut model, &repository());
    assert!(told[0].ends_with(", which does not use the repository and runs as it is"), "{told:?}");
    assert_eq!((model.migrations.len(), model.tokens.len()), (1, 1));
    model.stop_tasks(Some(0));
    model.settle();
    assert_eq!(model.running(), "v1.1.0");
}

#[test]
fn a_sleeping_service_is_migrated_once_it_is_awake() {
    let mut model = shop(RULE);
    model.service.tags.insert(keys::ASLEEP.into(), "since=2026-11-20T12:00:00Z desired=2 by=schedule".into());
    model.push("v1.1.0");
    let waits =
        ["skip: v1.1.0 waits until the service is awake, since truegul-production-migrate has to run before it"];
    assert_eq!(run(&mut model, &Scope::Everywhere), waits);
    model.service.tags.remove(keys::ASLEEP);
    model.settle_with(|it| it.stop_tasks(Some(0)));
    assert_eq!(model.running(), "v1.1.0");
}

/// v1.1.0, whose migration has begun, and which then waits for something else.
fn begun_and_held(hold: fn(&mut Model)) -> Model {
    let mut model = shop(RULE);
    model.push("v1.1.0");
    run(&mut model, &repository());
    hold(&mut model);
    model
}

fn sleeps(model: &mut Model) {
    model.service.tags.insert(keys::ASLEEP.into(), "since=2026-11-20T12:00:00Z desired=2 by=schedule".into());
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
        (sleeps as fn(&mut Model), "skip: v1.1.0 waits until the service is awake, since "),
        (asks, "needs-approval: v1.1.0 waits for your approval (runs v1.0.0). "),
        (is_shifting, "skip: v1.1.0 is newer, but a deployment that shifts traffic is under way; after that"),
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

#[test]
fn what_cannot_be_migrated_is_told_with_the_fix() {
    let mut model = shop("newest migrate=api-server");
    model.push("v1.1.0");
    let told = run(&mut model, &repository());
    assert!(
        told[0].starts_with("bad-migration: migrate=api-server names the service's own task definition"),
        "{told:?}"
    );
    model.service.tags.insert(keys::DEPLOY.into(), "newest migrate=nothing".into());
    let told = run(&mut model, &repository());
    assert_eq!(told, ["unreadable-migration: DescribeTaskDefinition nothing: ClientException: no such family"]);
}

#[test]
fn the_name_of_a_run_fits_and_differs_with_each_of_its_parts() {
    let digest = |name| crate::plan::tests::model::digest(name);
    let name = run_name("c", "f", &digest("v1"));
    assert!(name.starts_with("ns-000000000000-") && name.len() == 32, "{name}");
    assert!(name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-'));
    let others =
        [run_name("c2", "f", &digest("v1")), run_name("c", "f2", &digest("v1")), run_name("c", "f", &digest("v2"))];
    assert!(others.iter().all(|it| *it != name));
}

/// Something that happens around migrations.
#[derive(Debug, Clone)]
enum Happening {
    Push(u8),
    Run(u8),
    Dying(usize),
    Ecs,
    Stop(bool),
    Interrupt,
    NeverStart,
    NoCapacity,
    Forget,
    Sleep(bool),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        2 => (1..6u8).prop_map(Happening::Push),
        4 => (0..4u8).prop_map(Happening::Run),
        1 => (0..5usize).prop_map(Happening::Dying),
        2 => Just(Happening::Ecs),
        2 => any::<bool>().prop_map(Happening::Stop),
        1 => Just(Happening::Interrupt),
        1 => Just(Happening::NeverStart),
        1 => Just(Happening::NoCapacity),
        1 => Just(Happening::Forget),
        1 => any::<bool>().prop_map(Happening::Sleep),
    ];
    prop::collection::vec(one, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever happens in whatever order: no image goes out without its migration, none migrates beside another, and
    /// none that was seen to end runs twice.
    #[test]
    fn every_image_that_goes_out_was_migrated_once(happenings in happenings()) {
        let mut model = shop(RULE);
        let (mut ended_well, mut started, mut never_started): (Vec<String>, Vec<String>, Vec<String>) = Default::default();
        for happening in &happenings {
            let (brought, known, tasks) = (model.running(), model.tokens.len(), model.tasks.len());
            match happening {
                Happening::Push(number) => drop(model.push(&format!("v1.{number}.0"))),
                Happening::Run(from) => {
                    let places = [repository(), Scope::Everywhere, of_migration(), service()];
                    model.run(&places[*from as usize], None, usize::MAX);
                }
                Happening::Dying(calls) => drop(model.run(&Scope::Everywhere, None, *calls)),
                Happening::Ecs => model.finish(),
                Happening::Sleep(true) => sleeps(&mut model),
                Happening::Sleep(false) => drop(model.service.tags.remove(keys::ASLEEP)),
                Happening::Stop(well) => {
                    let running = model.tasks.iter().filter(|it| it.status != "STOPPED").map(|it| it.started_by.clone());
                    ended_well.extend(running.filter(|_| *well));
                    model.stop_tasks(Some(i32::from(!well)));
                }
                Happening::Interrupt => model.end_tasks("SpotInterruption", "Your Spot Task was interrupted.", Some(137)),
                Happening::NeverStart => {
                    let running = model.tasks.iter().filter(|it| it.status != "STOPPED").map(|it| it.started_by.clone());
                    never_started.extend(running);
                    model.stop_tasks(None);
                }
                Happening::NoCapacity => model.no_capacity = true,
                // Whether a run has looked within the hour or not.
                Happening::Forget => model.forget_tasks(),
            }
            started.extend(model.tasks.iter().skip(tasks).map(|it| it.started_by.clone()));
            prop_assert!(model.tasks.iter().filter(|it| it.status != "STOPPED").count() <= 1, "two at once: {}", model);
            prop_assert!(model.tokens.len() <= known + 1);
            if model.running() != brought {
                let image = model.images.iter().find(|it| model.is_running(&it.digest)).unwrap();
                let run = run_name("truegul-production", FAMILY, &image.digest);
                prop_assert!(ended_well.contains(&run), "{} went out unmigrated: {}", model.running(), model);
            }
        }
        // Of each run one task at most came to run, however it ended and whoever saw that.
        for run in &started {
            let count = |runs: &[String]| runs.iter().filter(|it| *it == run).count();
            prop_assert!(count(&started) <= count(&never_started) + 1, "{run} ran twice: {}", model);
        }
        model.service.tags.remove(keys::ASLEEP);
        model.settle_with(|it| it.stop_tasks(Some(0)));
    }

    #[test]
    fn runs_that_overlap_start_one_task(late_first in any::<bool>()) {
        let mut model = shop(RULE);
        model.push("v1.1.0");
        let early = model.plan(&repository(), None);
        let late = model.plan(&Scope::Everywhere, None);
        for plan in if late_first { [late, early] } else { [early, late] } {
            model.carry_out(&plan, usize::MAX);
        }
        prop_assert_eq!(model.tasks.len(), 1);
        model.settle_with(|it| it.stop_tasks(Some(0)));
        prop_assert_eq!(model.running(), "v1.1.0");
    }
}
