//! Worked examples: a day in the life of a service, each as the plan's own words.

mod failures;
mod going_back;

use reconcile::{Plan, Problem, Undo};
use rules::keys;
use serde_json::json;

use super::model::{Model, REPOSITORY, SERVICE, digest, repository, service};
use crate::plan::*;
use reconcile::Step as _;

/// The steps, skips and problems of a plan, a line each.
pub fn words(plan: &Plan<Step>) -> Vec<String> {
    testkit::told::keep("deploy-image", plan);
    let mut lines: Vec<String> =
        plan.steps.iter().map(|it| format!("{}: {}", reconcile::Step::headline(&it.step), it.reason)).collect();
    lines.extend(plan.skipped.iter().map(|it| format!("skip: {}", it.reason)));
    lines.extend(plan.problems.iter().map(|it| format!("{}: {}{}", it.problem, it.message, offered(it))));
    lines
}

/// What a person can decide about a problem, but for what is offered with every approval.
pub fn offered(problem: &Problem) -> String {
    let own = problem.choices.iter().filter(|_| problem.problem != "needs-approval");
    own.map(|it| format!(" [{}: {}]", it.label, command(&it.command))).collect()
}

fn command(command: &Undo) -> String {
    match command {
        Undo::Command(payload) | Undo::Sibling { payload, .. } => payload.to_string(),
        Undo::Shell(line) => line.to_string(),
    }
}

#[track_caller]
pub fn check(plan: &Plan<Step>, expected: &[&str]) {
    assert_eq!(words(plan), expected);
}

fn ask(model: &mut Model, ask: Command) -> Plan<Step> {
    model.run(&service(), Some(&ask), usize::MAX)
}

fn push_event(model: &mut Model) -> Plan<Step> {
    model.run(&repository(), None, usize::MAX)
}

fn deployment_event(model: &mut Model) -> Plan<Step> {
    model.run(&service(), None, usize::MAX)
}

#[test]
fn a_pushed_image_goes_out_and_is_told_to_be_live_once() {
    let mut model = Model::new("semver range=1.x");
    check(
        &push_event(&mut model),
        &["skip: runs v1.0.0, the one that 'semver range=1.x' selects in truegul-api-server"],
    );
    model.push("v1.1.0");
    check(
        &push_event(&mut model),
        &[
            "truegul-production/api-server: deploying v1.1.0 (was v1.0.0): v1.1.0 is the image that 'semver range=1.x' selects in truegul-api-server",
        ],
    );
    check(
        &push_event(&mut model),
        &["skip: v1.1.0, the one that 'semver range=1.x' selects in truegul-api-server, is rolling out"],
    );
    model.finish();
    check(
        &deployment_event(&mut model),
        &[
            "truegul-production/api-server: v1.1.0 is live: its deployment completed with 2 of 2 tasks",
            "skip: runs v1.1.0, the one that 'semver range=1.x' selects in truegul-api-server",
        ],
    );
    check(
        &deployment_event(&mut model),
        &["skip: runs v1.1.0, the one that 'semver range=1.x' selects in truegul-api-server"],
    );
    assert_eq!(model.revisions.len(), 2);
}

#[test]
fn an_approval_is_for_one_digest() {
    let mut model = Model::new("newest approval=manual");
    let first = model.push("v1.1.0");
    let plan = push_event(&mut model);
    assert_eq!((plan.steps.len(), plan.problems[0].problem.as_str()), (0, "needs-approval"));
    let about = json!({"service": "truegul-production/api-server", "image": first.to_string()});
    let choices: Vec<_> = plan.problems[0].choices.iter().map(|it| (it.label, it.command.clone())).collect();
    let expected = ["approve", "reject"].map(|it| Undo::Command(json!({it: about})));
    assert_eq!(choices, ["Approve", "Reject"].into_iter().zip(expected).collect::<Vec<_>>());
    let message = &plan.problems[0].message;
    assert!(message.starts_with("v1.1.0 waits for your approval (runs v1.0.0). "), "{message}");
    // The command that was pasted lets nothing else out, whatever the tag means by then.
    let mut pushed_again = model.clone();
    pushed_again.push("v1.1.0");
    ask(&mut pushed_again, Command::Approve { image: first.to_string(), hook: None, now: false });
    assert!(pushed_again.is_running(&first), "{pushed_again}");
    let approve = |image: &str| Command::Approve { image: image.into(), hook: None, now: false };
    check(
        &ask(&mut model, approve("v9")),
        &[
            "no-such-image: there is no image 'v9'; accepted: a tag of the repository truegul-api-server, or sha256:DIGEST",
        ],
    );
    // Pushed again, the tag is another image: what was approved is not.
    ask(&mut model, Command::Reject { image: first.to_string() });
    model.push("v1.2.0");
    let plan = ask(&mut model, approve("v1.2.0"));
    assert_eq!(plan.steps.len(), 2, "{:?}", words(&plan));
    model.push("v1.2.0");
    assert_eq!(push_event(&mut model).problems[0].problem, "needs-approval");
}

#[test]
fn a_sleeping_service_gets_its_image_and_stays_asleep() {
    let mut model = Model::new("newest");
    (model.service.desired, model.service.running) = (0, 0);
    model.service.tags.insert(keys::ASLEEP.into(), "since=2026-11-20T12:00:00Z desired=2 by=schedule".into());
    model.push("v1.1.0");
    let plan = push_event(&mut model);
    assert!(words(&plan)[0].ends_with("; the service is asleep and stays so"), "{:?}", words(&plan));
    model.finish();
    check(
        &deployment_event(&mut model),
        &["skip: it is asleep and runs v1.1.0, the one that 'newest' selects in truegul-api-server"],
    );
    assert_eq!(
        (model.service.desired, model.service.tags.contains_key(keys::VERDICT)),
        (0, false),
        "nothing is proven"
    );
}

#[test]
fn a_newer_image_supersedes_a_rolling_deployment_and_waits_for_a_shifting_one() {
    let mut rolling = Model::new("newest");
    rolling.push("v1.1.0");
    push_event(&mut rolling);
    rolling.push("v1.2.0");
    let plan = push_event(&mut rolling);
    assert!(words(&plan)[0].ends_with("; v1.1.0, which is still rolling out, is superseded"), "{:?}", words(&plan));
    let Step::Deploy(deploy) = &plan.steps[0].step else { panic!() };
    let Revision::Register(fields) = &deploy.revision else { panic!() };
    let previous = fields["tags"].as_array().unwrap().iter().find(|it| it["key"] == keys::PREVIOUS).unwrap();
    assert_eq!(previous["value"], "api-server:1", "the last that was live, not the one that never was");

    let mut shifting = Model::new("newest");
    shifting.service.strategy = Strategy::Shifting("BLUE_GREEN".into());
    shifting.push("v1.1.0");
    push_event(&mut shifting);
    shifting.service.deployments[0].state = RolloutState::Unsaid;
    shifting.push("v1.2.0");
    check(
        &push_event(&mut shifting),
        &["skip: v1.2.0 is newer, but a deployment that shifts traffic is under way. It goes on when that has ended"],
    );
}

#[test]
fn a_moving_tag_is_followed_though_the_revision_names_the_tag_itself() {
    let mut model = Model::new("tag name=v1.0.0");
    check(
        &push_event(&mut model),
        &["skip: runs v1.0.0, the one that 'tag name=v1.0.0' selects in truegul-api-server"],
    );
    model.push("v1.0.0");
    let plan = push_event(&mut model);
    assert_eq!(plan.steps.len(), 1, "ECS resolved the tag when the deployment began: {:?}", words(&plan));
}

#[test]
fn an_image_that_is_deleted_while_it_rolls_out_is_lost() {
    let mut model = Model::new("newest");
    let gone = model.push("v1.1.0");
    push_event(&mut model);
    model.images.retain(|it| it.digest != gone);
    let plan = deployment_event(&mut model);
    assert!(
        words(&plan)[0].contains("was deleted from truegul-api-server while it was rolling out"),
        "{:?}",
        words(&plan)
    );
    assert_eq!(model.running(), "v1.0.0");
}

#[test]
fn several_containers_of_one_repository_go_together_and_of_several_need_a_name() {
    let mut model = Model::new("newest");
    let image = |name: &str| format!("{}/{name}", super::model::REGISTRY);
    let containers = |second: &str| {
        serde_json::json!({"family": "api-server", "containerDefinitions": [
        {"name": "app", "image": image("truegul-api-server:v1.0.0")}, {"name": "worker", "image": image(second)}]})
    };
    let arn = model.register(&containers("truegul-api-server:v1.0.0"));
    model.update_service(&arn);
    model.finish();
    model.push("v1.1.0");
    push_event(&mut model);
    let images: Vec<String> = model.revisions.last().unwrap().images().map(|(_, image)| image.to_owned()).collect();
    assert_eq!(images[0], images[1]);
    assert!(images[0].contains("@sha256:"));

    let arn = model.register(&containers("truegul-ml-server:v1.0.0"));
    model.update_service(&arn);
    model.finish();
    let plan = push_event(&mut model);
    assert!(words(&plan)[0].starts_with("no-container: its containers use several repositories: app (truegul-api-server:v1.0.0), worker (truegul-ml-server:v1.0.0); add container=NAME"));
    model.service.tags.insert(keys::DEPLOY.into(), "newest container=app".into());
    assert_eq!(push_event(&mut model).problems, []);
}

#[test]
fn what_cannot_be_decided_is_a_problem_that_says_how_to_fix_it() {
    let problem = |change: &dyn Fn(&mut Model, &mut World)| {
        let mut model = Model::new("newest");
        model.push("v1.1.0");
        let mut world = model.world(&repository());
        change(&mut model, &mut world);
        world.services = vec![model.service.clone()];
        let plan = plan(&world, &service(), None, &model.now()).plan;
        testkit::told::keep("deploy-image", &plan);
        assert!(plan.steps.is_empty(), "{:?}", words(&plan));
        assert_eq!(plan.problems.len(), 1);
        plan.problems[0].problem.clone()
    };
    let tag = |value: &'static str| {
        move |model: &mut Model, _: &mut World| drop(model.service.tags.insert(keys::DEPLOY.into(), value.into()))
    };
    assert_eq!(problem(&tag("newst")), "bad-tag");
    assert_eq!(problem(&tag("newest container=web")), "no-container");
    assert_eq!(problem(&tag("newest prefix=main-")), "no-image");
    assert_eq!(problem(&|model, _| model.service.controller = Controller::External), "external-controller");
    assert_eq!(problem(&|model, _| model.service.controller = Controller::Express), "express-service");
    assert_eq!(
        problem(&|model, _| model.service.controller = Controller::CodeDeploy),
        "code-deploy",
        "it was not asked"
    );
    assert_eq!(
        problem(&|model, world| {
            model.service.controller = Controller::CodeDeploy;
            world.learn([(SERVICE.into(), Err("no deployment group names it".into()))].into());
        }),
        "code-deploy"
    );
    assert_eq!(
        problem(&|model, _| model.service.controller = Controller::Unknown("NEXT".into())),
        "unknown-controller"
    );
    assert_eq!(problem(&|model, _| drop(model.service.tags.insert(keys::REJECTED.into(), "v1".into()))), "bad-memory");
    assert_eq!(
        problem(&|_, world| drop(
            world.repositories.insert(REPOSITORY.into(), Err("RepositoryNotFoundException".into()))
        )),
        "unreadable-repository"
    );
    assert_eq!(
        problem(&|_, world| drop(world.unreadable.insert("api-server".into(), "Throttling".into()))),
        "unreadable-task-definition"
    );
    assert_eq!(
        problem(&|_, world| drop(world.history.insert(SERVICE.into(), Err("AccessDenied".into())))),
        "unreadable-history"
    );
    assert_eq!(problem(&|_, world| drop(world.repositories.insert(REPOSITORY.into(), Ok(vec![])))), "no-image");
}

#[test]
fn what_is_none_of_this_runs_business_is_left_alone_with_a_reason() {
    let mut model = Model::new("newest");
    model.push("v1.1.0");
    let elsewhere = Scope::Repository("other".into());
    let mut world = model.world(&repository());
    world.repositories.clear();
    let plan = plan(&world, &service(), None, &model.now()).plan;
    testkit::told::keep("deploy-image", &plan);
    check(&plan, &["skip: it uses the repository truegul-api-server"]);
    assert!(plan.remembered.is_empty(), "what was not examined cannot be found free of problems");
    assert!(!wants_history(&model.service, &world, &elsewhere));

    model.service.tags.clear();
    check(&model.plan(&service(), None), &["skip: it has no nightshift:deploy tag"]);
    let plan = model.plan(&service(), Some(&Command::RollBack { image: None }));
    check(&plan, &["not-ours: it has no nightshift:deploy tag"]);
}

#[test]
fn a_push_to_a_healthy_service_asks_for_no_history() {
    let mut model = Model::new("newest");
    for tag in ["v1.1.0", "v1.2.0"] {
        model.settle();
        model.push(tag);
        assert!(model.world(&repository()).history.is_empty());
    }
}
