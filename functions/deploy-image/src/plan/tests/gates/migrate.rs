//! `migrate=`: once for each image, whatever happens, and what it says decides.

mod endings;
mod follows;
mod laws;

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
    let waits = [
        "skip: v1.1.0 waits for its migration: truegul-production-migrate is running (task 1). It goes on when the task has ended",
    ];
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
            "skip: v1.1.0 is rejected; v1.0.0 stays until a newer image is pushed"
        ]
    );
    model.settle();
    assert_eq!((model.running().as_str(), model.tokens.len()), ("v1.0.0", 1));
    assert!(model.service.tags[keys::REJECTED].contains("by=migration"));
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
          and how it ended is not known yet. It goes on when truegul-production/api-server knows it, with the sweep of the next \
          hour at the latest"]
    );
    assert_eq!(worker.tokens.len(), 0);
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
    model.run(&service(), Some(&Command::Approve { image: "v1.1.0".into(), hook: None, now: false }), usize::MAX);
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
        [
            "skip: v1.2.0 waits: truegul-production-migrate still runs for another image (task 1). It goes on when that task has ended"
        ]
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
    let approve = |image: &str| Command::Approve { image: image.into(), hook: None, now: false };
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
    let waits = [
        "skip: v1.1.0 waits, since truegul-production-migrate has to run before it, and the service sleeps. It goes on when it is awake, which it is not by its schedule",
    ];
    assert_eq!(run(&mut model, &Scope::Everywhere), waits);
    model.service.tags.remove(keys::ASLEEP);
    model.settle_with(|it| it.stop_tasks(Some(0)));
    assert_eq!(model.running(), "v1.1.0");
}

fn sleeps(model: &mut Model) {
    model.service.tags.insert(keys::ASLEEP.into(), "since=2026-11-20T12:00:00Z desired=2 by=schedule".into());
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
    assert_eq!(
        told,
        [
            "unreadable-migration: how its migration stands cannot be read: DescribeTaskDefinition nothing: ClientException: no such family. Each run tries again, once an hour at least"
        ]
    );
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
