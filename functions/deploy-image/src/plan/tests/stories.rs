//! Worked examples: a day in the life of a service, each as the plan's own words.

use reconcile::{Plan, Problem, Undo};
use rules::keys;
use serde_json::json;

use super::model::{Model, REPOSITORY, SERVICE, digest, repository, service};
use crate::plan::*;
use reconcile::Step as _;

/// The steps, skips and problems of a plan, a line each.
pub fn words(plan: &Plan<Step>) -> Vec<String> {
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
fn ecs_takes_a_bad_image_back_and_it_is_not_tried_again_nor_one_before_it() {
    let mut model = Model::new("newest");
    let bad = model.push("v1.2.0");
    model.bad.push(bad);
    push_event(&mut model);
    model.finish();
    check(
        &deployment_event(&mut model),
        &[
            "truegul-production/api-server: v1.2.0 is rejected, v1.0.0 stays: v1.2.0 did not stay: ECS took its deployment back: ECS deployment circuit breaker: tasks failed to start.",
            "skip: v1.2.0 is rejected; v1.0.0 stays",
        ],
    );
    model.finish();
    check(&push_event(&mut model), &["skip: v1.2.0 is rejected; v1.0.0 stays"]);
    model.push("v1.2.1");
    push_event(&mut model);
    assert_eq!(model.running(), "v1.2.1");
}

#[test]
fn a_failure_whose_event_was_lost_is_found_by_the_sweep() {
    let mut model = Model::new("newest");
    let bad = model.push("v1.1.0");
    model.bad.push(bad);
    push_event(&mut model);
    model.finish();
    model.finish();
    assert_eq!(model.service.deployments.len(), 1, "the failed deployment is no longer to be seen");
    for place in [Scope::Everywhere, repository()] {
        let plan = model.clone().run(&place, None, usize::MAX);
        assert_eq!(plan.steps.len(), 1, "{:?}", words(&plan));
        assert!(
            words(&plan)[0]
                .contains("v1.1.0 is rejected, v1.0.0 stays: v1.1.0 did not stay: ECS took its deployment back: ")
        );
    }
}

#[test]
fn without_ecs_going_back_the_function_does() {
    let mut model = Model::new("newest");
    model.service.safety = Safety { gives_up: true, goes_back: false };
    let bad = model.push("v1.1.0");
    model.bad.push(bad);
    push_event(&mut model);
    model.finish();
    let plan = deployment_event(&mut model);
    assert_eq!(
        words(&plan)[1],
        "truegul-production/api-server: going back to v1.0.0 from v1.1.0: v1.1.0 is rejected or failed; api-server:1 completed before it"
    );
    model.finish();
    check(&deployment_event(&mut model), &["skip: v1.1.0 is rejected; v1.0.0 stays"]);
    assert_eq!(model.running(), "v1.0.0");
}

/// v1.1.0, which was live, and whose restart has just failed.
fn failed_restart(safety: Safety) -> Model {
    let mut model = Model::new("newest");
    model.service.safety = safety;
    model.push("v1.1.0");
    model.settle();
    model.broken = true;
    model.restart();
    model.finish();
    model
}

#[test]
fn a_restart_that_fails_is_told_and_nothing_older_takes_its_place() {
    let told = "restart-failed: v1.1.0 was live, and when it was deployed once more at Sat 2026-11-21 03:10 KST its new tasks \
                failed: ECS deployment circuit breaker: tasks failed to start. The image is not rejected, and nothing is \
                deployed in its place. Look at the events of the service and at why its new tasks stopped: a secret or a \
                parameter, the database, a quota, the image itself in the registry";
    for goes_back in [true, false] {
        let mut model = failed_restart(Safety { gives_up: true, goes_back });
        let first = deployment_event(&mut model);
        assert_eq!((first.steps.len(), words(&first).last().unwrap().as_str()), (0, told), "{:?}", words(&first));
        // As long as people remember it, the sweep finds the same.
        model.service.tags.insert(keys::PROBLEM.into(), "restart-failed 0123 told=2026-11-20T18:10:00Z".into());
        model.settle();
        assert_eq!(model.plan(&Scope::Everywhere, None).problems, first.problems);
        assert_eq!(model.running(), "v1.1.0");
        // A day later it is history, unless it is still so.
        model.minutes += 24 * 60;
        let later = model.plan(&Scope::Everywhere, None).problems;
        assert_eq!(later, if goes_back { vec![] } else { first.problems });
        // The next image goes out, and so does a rollback that somebody wishes.
        let mut wished = model.clone();
        ask(&mut wished, Command::RollBack { image: None });
        wished.settle();
        assert_eq!(wished.running(), "v1.0.0");
        model.push("v1.2.0");
        model.settle();
        assert_eq!((model.running().as_str(), model.plan(&service(), None).problems), ("v1.2.0", vec![]));
    }
}

#[test]
fn a_restart_that_fails_is_known_by_the_verdict_where_ecs_has_forgotten_the_past() {
    for goes_back in [true, false] {
        let mut model = failed_restart(Safety { gives_up: true, goes_back });
        model.past.drain(..model.past.len() - 1);
        let plan = deployment_event(&mut model);
        assert_eq!((plan.steps.len(), plan.problems[0].problem.as_str()), (0, "restart-failed"), "{:?}", words(&plan));
        model.service.tags.remove(keys::VERDICT);
        let plan = deployment_event(&mut model);
        assert_eq!(plan.steps.first().map(|it| it.step.action()), Some("reject"), "nobody knows that it was ever live");
    }
}

#[test]
fn an_image_that_fails_when_it_comes_back_is_rejected_though_it_was_live_once() {
    let mut model = Model::new("newest");
    model.push("v1.1.0");
    model.settle();
    ask(&mut model, Command::RollBack { image: None });
    model.settle();
    model.broken = true;
    ask(&mut model, Command::Clear { image: None });
    for _ in 0..3 {
        model.finish();
    }
    model.minutes += 1;
    let plan = deployment_event(&mut model);
    assert_eq!(plan.steps.first().map(|it| it.step.action()), Some("reject"), "{:?}", words(&plan));
    assert_eq!(model.running(), "v1.0.0");
}

#[test]
fn a_deployment_that_nothing_ends_is_told_with_the_setting_that_is_missing() {
    let mut model = Model::new("newest");
    model.service.safety = Safety { gives_up: false, goes_back: false };
    let bad = model.push("v1.1.0");
    model.bad.push(bad);
    push_event(&mut model);
    model.finish();
    assert_eq!(deployment_event(&mut model).problems, []);
    model.minutes += 30;
    let plan = deployment_event(&mut model);
    let stuck = words(&plan).into_iter().find(|it| it.starts_with("stuck: ")).unwrap();
    assert!(stuck.starts_with("stuck: v1.1.0 is rolling out since Sat 2026-11-21 03:0"), "{stuck}");
    assert!(stuck.contains("deploymentCircuitBreaker {enable=true, rollback=true}"), "{stuck}");
    let later = Model { minutes: model.minutes + 60, ..model.clone() };
    assert_eq!(later.plan(&service(), None).problems, plan.problems, "told the same way, so told once");
}

#[test]
fn a_person_rolls_back_and_clears_again() {
    let mut model = Model::new("newest");
    model.push("v1.1.0");
    model.settle();
    assert_eq!(model.running(), "v1.1.0");
    let plan = ask(&mut model, Command::RollBack { image: None });
    assert_eq!(plan.steps.len(), 2, "{:?}", words(&plan));
    model.settle();
    assert_eq!(
        model.to_string(),
        "v1.0.0 Completed | rejected: v1.1.0 pushed=2026-11-20T18:05:00Z by=person tag=v1.1.0 | verdict: won v1.1.0 at=2026-11-20T18:08:00Z"
    );
    ask(&mut model, Command::Clear { image: None });
    model.settle();
    assert_eq!(model.running(), "v1.1.0");
    check(
        &ask(&mut model, Command::Clear { image: None }),
        &["skip: nothing is rejected", "skip: runs v1.1.0, the one that 'newest' selects in truegul-api-server"],
    );
}

#[test]
fn what_ecs_took_back_after_two_runs_overlapped_is_not_laid_at_a_persons_door() {
    let mut model = Model::new("newest");
    let bad = model.push("v1.2.0");
    model.bad.push(bad);
    let plans = [model.plan(&repository(), None), model.plan(&service(), None)];
    plans.iter().for_each(|it| model.carry_out(it, usize::MAX));
    model.finish();
    deployment_event(&mut model);
    assert!(model.to_string().contains("by=ecs"), "{model}");
}

#[test]
fn what_a_person_brought_back_by_hand_stands() {
    let mut model = Model::new("newest");
    for version in ["v1.1.0", "v1.2.0"] {
        model.push(version);
        model.settle();
    }
    let first = model.revisions[1].arn().to_owned();
    model.update_service(&first);
    model.settle();
    assert!(model.to_string().starts_with("v1.1.0 Completed | rejected: v1.2.0 "), "{model}");
    assert!(model.to_string().contains("by=hand"), "{model}");
}

#[test]
fn a_wish_of_another_function_is_fulfilled_once_and_dropped() {
    let mut model = Model::new("newest");
    let running = model.push("v1.1.0");
    model.settle();
    let wish = |digest: &rules::Digest| format!("{digest} by=alarm:5xx at=2026-11-20T18:30:00Z");
    model.service.tags.insert(keys::ROLLBACK.into(), wish(&running));
    let plan = model.run(&Scope::Everywhere, None, usize::MAX);
    let actions: Vec<_> = plan.steps.iter().map(|it| it.step.action()).collect();
    assert_eq!(actions, ["reject", "roll-back", "drop-request"]);
    model.settle();
    assert_eq!(model.running(), "v1.0.0");
    // A late wish about an image that no longer runs is only dropped.
    model.service.tags.insert(keys::ROLLBACK.into(), wish(&running));
    let plan = model.run(&Scope::Everywhere, None, usize::MAX);
    let actions: Vec<_> = plan.steps.iter().map(|it| it.step.action()).collect();
    assert_eq!(actions, ["drop-request"]);
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
    ask(&mut pushed_again, Command::Approve { image: first.to_string(), hook: None });
    assert!(pushed_again.is_running(&first), "{pushed_again}");
    let approve = |image: &str| Command::Approve { image: image.into(), hook: None };
    check(
        &ask(&mut model, approve("v9")),
        &[
            "no-such-image: there is no image 'v9' in the repository truegul-api-server; accepted: a tag of it, or sha256:DIGEST",
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
        &["skip: v1.2.0 is newer, but a deployment that shifts traffic is under way; after that"],
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
fn a_past_that_cannot_be_read_stops_nobody_who_wants_to_go_back() {
    let mut model = Model::new("newest");
    model.push("v1.1.0");
    model.settle();
    let mut world = model.world(&service());
    world.history.insert(SERVICE.into(), Err("AccessDeniedException".into()));
    let plan = plan(&world, &service(), Some(&Command::RollBack { image: None }), &model.now()).plan;
    let actions: Vec<_> = plan.steps.iter().map(|it| it.step.action()).collect();
    assert_eq!(actions, ["reject", "roll-back"]);
}

#[test]
fn there_is_no_way_back_to_an_image_that_is_gone() {
    let mut model = Model::new("newest");
    model.push("v1.1.0");
    model.settle();
    let first = digest("v1.0.0");
    model.images.retain(|it| it.digest != first);
    let plan = ask(&mut model, Command::RollBack { image: None });
    assert_eq!(plan.problems[0].problem, "no-way-back", "{:?}", words(&plan));
    assert!(plan.problems[0].message.contains("none of api-server:1 is active with an image that is still there"));
}

#[test]
fn there_is_no_way_back_to_an_image_that_cannot_be_pulled() {
    let mut model = Model::new("newest");
    model.push("v1.1.0");
    model.settle();
    model.images[0].archived = true;
    let plan = ask(&mut model, Command::RollBack { image: None });
    assert_eq!(plan.problems[0].problem, "no-way-back", "{:?}", words(&plan));
}

#[test]
fn there_is_no_way_back_where_one_container_of_several_could_not_pull_its_image() {
    let mut model = Model::new("newest container=app");
    let image = |digest: &rules::Digest| format!("{}/{REPOSITORY}@{digest}", super::model::REGISTRY);
    let (sidecar, app) = (model.push("sidecar-1"), model.push("v1.1.0"));
    let both = serde_json::json!({"family": "api-server", "containerDefinitions": [
        {"name": "app", "image": image(&app)}, {"name": "sidecar", "image": image(&sidecar)}]});
    let arn = model.register(&both);
    model.update_service(&arn);
    model.finish();
    model.push("v1.2.0");
    model.settle();
    let way_back =
        |model: &Model| model.clone().run(&service(), Some(&Command::RollBack { image: None }), usize::MAX).steps.len();
    assert_eq!((model.running().as_str(), way_back(&model)), ("v1.2.0", 2));
    model.images.retain(|it| it.digest != sidecar);
    model.images.retain(|it| !it.tags.contains(&"v1.0.0".into()));
    assert_eq!(way_back(&model), 1, "it is rejected, and stays");
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
fn what_cannot_be_decided_is_a_problem_that_says_how_to_mend_it() {
    let problem = |change: &dyn Fn(&mut Model, &mut World)| {
        let mut model = Model::new("newest");
        model.push("v1.1.0");
        let mut world = model.world(&repository());
        change(&mut model, &mut world);
        world.services = vec![model.service.clone()];
        let plan = plan(&world, &service(), None, &model.now()).plan;
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
