//! A day in the life of a service that CodeDeploy deploys, in the plan's own words.

use rules::keys;

use super::model::{Model, repository, service};
use super::stories::{check, words};
use crate::plan::*;
use reconcile::Step as _;

fn push_event(model: &mut Model) -> reconcile::Plan<Step> {
    model.run(&repository(), None, usize::MAX)
}

fn event(model: &mut Model) -> reconcile::Plan<Step> {
    model.run(&service(), None, usize::MAX)
}

fn ask(model: &mut Model, ask: Command) -> reconcile::Plan<Step> {
    model.run(&service(), Some(&ask), usize::MAX)
}

fn approve(model: &mut Model, image: &str) {
    ask(model, Command::Approve { image: image.into(), hook: None, now: false });
}

/// The model with v1.1.0 pushed and its deployment as far as that many moves of CodeDeploy take it.
fn deployed(moves: usize) -> Model {
    let mut model = Model::by_code_deploy("newest");
    model.push("v1.1.0");
    push_event(&mut model);
    (0..moves).for_each(|_| model.finish());
    model
}

#[test]
fn an_image_is_live_when_its_deployment_succeeded_and_not_when_it_has_the_traffic() {
    let mut model = Model::by_code_deploy("newest");
    model.push("v1.1.0");
    check(
        &push_event(&mut model),
        &[
            "truegul-production/api-server: deploying v1.1.0 (was v1.0.0): v1.1.0 is the image that 'newest' selects in truegul-api-server",
        ],
    );
    let rolling = |said: &str| {
        format!(
            "skip: v1.1.0, the one that 'newest' selects in truegul-api-server, is rolling out: deployment d-1 of CodeDeploy ({said})"
        )
    };
    check(&event(&mut model), &[&rolling("Created")]);
    for _ in ["the new tasks are there", "and have the traffic"] {
        model.finish();
        check(&event(&mut model), &[&rolling("InProgress")]);
        check(&push_event(&mut model), &[&rolling("InProgress")]);
    }
    model.finish();
    check(
        &event(&mut model),
        &[
            "truegul-production/api-server: v1.1.0 is live: its deployment completed with 2 of 2 tasks",
            "skip: runs v1.1.0, the one that 'newest' selects in truegul-api-server",
        ],
    );
    assert_eq!(model.blue_green.attempts.len(), 1);
}

#[test]
fn a_newer_image_waits_for_the_end_of_a_deployment() {
    let mut model = deployed(1);
    model.push("v1.2.0");
    check(
        &push_event(&mut model),
        &[
            "skip: v1.2.0 is newer, but deployment d-1 of CodeDeploy (InProgress) is under way. It goes on when that has ended",
        ],
    );
    model.settle();
    assert_eq!(model.running(), "v1.2.0");
}

#[test]
fn a_rollback_stops_what_is_under_way_however_far_it_is() {
    for moves in 0..3 {
        let mut model = deployed(moves);
        let plan = ask(&mut model, Command::RollBack { image: None });
        assert_eq!(
            words(&plan)[..2],
            [
                "truegul-production/api-server: v1.1.0 is rejected: a person asked to roll back".to_owned(),
                format!(
                    "truegul-production/api-server: stopping v1.1.0, CodeDeploy goes back: a person asked to roll back; d-1 ({}) is under way",
                    if moves == 0 { "Created" } else { "InProgress" }
                ),
            ]
        );
        assert_eq!(model.running(), "v1.0.0");
        check(&event(&mut model), &["skip: v1.1.0 is rejected; v1.0.0 stays until a newer image is pushed"]);
        assert_eq!(model.blue_green.attempts.len(), 1);
    }
}

#[test]
fn the_image_that_a_person_rejects_while_it_rolls_out_is_stopped() {
    let mut model = deployed(1);
    let plan = ask(&mut model, Command::Reject { image: "v1.1.0".into() });
    let actions: Vec<_> = plan.steps.iter().map(|it| it.step.action()).collect();
    assert_eq!(actions, ["reject", "stop"]);
}

#[test]
fn a_rollback_from_what_is_live_is_a_deployment_and_clearing_deploys_it_again() {
    let mut model = deployed(3);
    let plan = ask(&mut model, Command::RollBack { image: None });
    let actions: Vec<_> = plan.steps.iter().map(|it| it.step.action()).collect();
    assert_eq!(actions, ["reject", "roll-back"]);
    model.settle();
    assert_eq!(model.running(), "v1.0.0");
    ask(&mut model, Command::Clear { image: None });
    model.settle();
    assert_eq!((model.running().as_str(), model.blue_green.attempts.len()), ("v1.1.0", 3));
}

#[test]
fn what_is_bad_is_rejected_whoever_puts_the_service_back() {
    for (goes_back, late, deployments) in [(true, false, 2), (true, true, 2), (false, false, 1), (false, true, 2)] {
        let mut model = Model::by_code_deploy("newest");
        (model.blue_green.goes_back, model.blue_green.late) = (goes_back, late);
        let bad = model.push("v1.1.0");
        model.bad.push(bad);
        push_event(&mut model);
        model.settle();
        assert_eq!(model.running(), "v1.0.0");
        let rejected = &model.service.tags[keys::REJECTED];
        assert!(rejected.ends_with(" by=codedeploy tag=v1.1.0"), "{rejected}");
        assert_eq!(model.blue_green.attempts.len(), deployments, "goes back: {goes_back}, late: {late}");
    }
}

#[test]
fn what_a_person_stopped_is_not_begun_again() {
    let mut model = deployed(1);
    model.stop_deployment();
    let plan = event(&mut model);
    assert!(words(&plan)[0].ends_with("its deployment by CodeDeploy was stopped: MANUAL_STOP"), "{:?}", words(&plan));
    model.settle();
    assert_eq!((model.running().as_str(), model.blue_green.attempts.len()), ("v1.0.0", 1));
}

#[test]
fn a_sleeping_service_is_left_alone_until_it_is_awake() {
    let mut model = Model::by_code_deploy("newest");
    (model.service.desired, model.service.running) = (0, 0);
    model.push("v1.1.0");
    let asleep = "it has no tasks, and CodeDeploy would give the traffic to an image that was never seen running. It goes on when it has tasks again";
    check(&push_event(&mut model), &[&format!("skip: v1.1.0 is newer; {asleep}")]);
    (model.service.desired, model.service.running) = (2, 2);
    model.settle();
    assert_eq!(model.running(), "v1.1.0");
    (model.service.desired, model.service.running) = (0, 0);
    let plan = ask(&mut model, Command::RollBack { image: None });
    assert_eq!(words(&plan)[1], format!("skip: v1.1.0 must be replaced; {asleep}"));
    (model.service.desired, model.service.running) = (2, 2);
    model.settle();
    assert_eq!(model.running(), "v1.0.0");
}

#[test]
fn what_another_tool_deploys_is_not_stopped_for_what_runs() {
    let mut model = deployed(3);
    model.settle();
    model.create_deployment("of another", false);
    model.blue_green.attempts.last_mut().unwrap().task_definition = None;
    let plan = ask(&mut model, Command::RollBack { image: None });
    assert_eq!(
        words(&plan).last().unwrap(),
        "code-deploy: v1.1.0 must be replaced, but CodeDeploy is deploying something else (d-2) that a person started; stop that first, or wait for its end"
    );
}

#[test]
fn while_codedeploy_undoes_a_deployment_a_person_has_to_wait_and_a_request_waits_by_itself() {
    let mut model = deployed(3);
    model.settle();
    let (live, bad) = (model.images[1].digest.clone(), model.push("v1.2.0"));
    model.bad.push(bad);
    push_event(&mut model);
    model.finish();
    model.finish();
    event(&mut model);
    assert!(model.told().under_way().unwrap().undoes);
    check(
        &ask(&mut model, Command::RollBack { image: None }),
        &[
            "truegul-production/api-server: v1.1.0 is rejected: a person asked to roll back",
            "skip: v1.1.0 must be replaced; CodeDeploy is undoing a deployment, and nothing else can begin meanwhile. It goes on when that has ended",
        ],
    );
    model.service.tags.insert(keys::ROLLBACK.into(), format!("{live} by=alarm:5xx at=2026-11-20T18:30:00Z"));
    let plan = event(&mut model);
    check(
        &plan,
        &[
            "skip: v1.1.0 must be replaced; CodeDeploy is undoing a deployment, and nothing else can begin meanwhile. It goes on when that has ended",
        ],
    );
    model.settle();
    assert_eq!((model.running().as_str(), model.service.tags.get(keys::ROLLBACK)), ("v1.0.0", None));
}

#[test]
fn a_deployment_that_is_ready_waits_for_a_person_who_gives_it_its_traffic() {
    let model = deployed(1);
    let mut world = model.world(&service());
    let told = world.code_deploy.get_mut(super::model::SERVICE).unwrap().as_mut().unwrap();
    told.attempts.iter_mut().find(|it| it.status == Status::Open).unwrap().said = "Ready".into();
    let lines = words(&plan(&world, &service(), None, &model.now()).plan);
    let waits =
        lines.iter().find(|it| it.starts_with("waits-for-traffic: the new tasks of v1.1.0 run and wait")).unwrap();
    assert!(waits.contains("[Let them have it: aws deploy continue-deployment --deployment-id d-1 "), "{waits}");
    assert!(waits.contains(r#"[Go back: {"rollback":{"#), "{waits}");
}

#[test]
fn an_approved_older_image_that_fails_is_tried_once() {
    for (rule, goes_back, late) in [
        ("newest", false, false),
        ("semver", false, false),
        ("semver", false, true),
        ("semver", true, false),
        ("semver", true, true),
        ("semver approval=manual", false, false),
        ("tag name=v1.3.0", false, false),
    ] {
        let mut model = Model::by_code_deploy(rule);
        (model.blue_green.goes_back, model.blue_green.late) = (goes_back, late);
        // By version it is the older one, and by push as well.
        let older = model.push("v1.2.0");
        model.bad.push(older);
        model.push("v1.3.0");
        approve(&mut model, "v1.3.0");
        model.settle();
        assert_eq!(model.running(), "v1.3.0", "{rule}");
        approve(&mut model, "v1.2.0");
        model.settle();
        assert_eq!(model.running(), "v1.3.0", "{rule}");
        let rejected = &model.service.tags[keys::REJECTED];
        assert!(rejected.ends_with(" by=codedeploy tag=v1.2.0"), "{rule}: {rejected}");
        let attempts = model.blue_green.attempts.iter().filter(|it| !it.undoes).count();
        // Where it has the traffic when it fails, and CodeDeploy leaves it there, the way back is a deployment too.
        let expected = if late && !goes_back { 3 } else { 2 };
        assert_eq!(attempts, expected, "{rule}, goes back: {goes_back}, late: {late}");
    }
}

#[test]
fn an_approved_older_image_that_was_pushed_later_and_fails_is_tried_once() {
    let mut model = Model::by_code_deploy("semver");
    model.blue_green.goes_back = false;
    model.push("v1.3.0");
    let older = model.push("v1.2.0");
    model.bad.push(older);
    push_event(&mut model);
    model.settle();
    approve(&mut model, "v1.2.0");
    model.finish();
    model.finish();
    let plan = event(&mut model);
    check(
        &plan,
        &[
            "truegul-production/api-server: v1.2.0 is rejected, v1.3.0 stays: v1.2.0 did not stay: its deployment by CodeDeploy failed: HEALTH_CONSTRAINTS",
            "skip: runs v1.3.0, the one that 'semver' selects in truegul-api-server",
        ],
    );
    model.settle();
    assert_eq!((model.running().as_str(), model.blue_green.attempts.len()), ("v1.3.0", 2));
}

#[test]
fn an_approved_older_image_that_a_person_stopped_is_not_begun_again() {
    for (rule, rejected) in [("newest", false), ("semver", false), ("newest", true), ("semver", true)] {
        let mut model = Model::by_code_deploy(rule);
        model.push("v1.2.0");
        let newest = model.push("v1.3.0");
        // A rejection says that the older image was passed over, but not once a person let it out.
        if rejected {
            model.bad.push(newest);
        }
        push_event(&mut model);
        model.settle();
        let (runs, before) = (model.running(), model.blue_green.attempts.len());
        assert_eq!(runs, if rejected { "v1.0.0" } else { "v1.3.0" });
        approve(&mut model, "v1.2.0");
        model.finish();
        model.stop_deployment();
        model.settle();
        assert_eq!((model.running(), model.blue_green.attempts.len()), (runs, before + 1), "{rule}, {rejected}");
    }
}

#[test]
fn what_runs_by_its_tag_is_known_to_be_rejected_by_the_first_run_whatever_else_was_pushed() {
    let mut model = Model::by_code_deploy("semver");
    let first = model.service.task_definition.clone();
    ask(&mut model, Command::RollBack { image: None });
    model.push("v1.1.0");
    push_event(&mut model);
    model.stop_deployment();
    // The tag names another image from now on.
    model.push("v1.0.0");
    model.deploy(&first);
    let plan = model.run(&Scope::Everywhere, None, usize::MAX);
    let actions: Vec<_> = plan.steps.iter().map(|it| it.step.action()).collect();
    assert_eq!(actions, ["reject", "stop"], "{:?}", words(&plan));
}

#[test]
fn a_way_back_to_a_tag_that_moved_deploys_what_it_names_now() {
    let mut model = Model::by_code_deploy("newest");
    (model.blue_green.goes_back, model.blue_green.late) = (false, true);
    model.push("v1.0.0");
    let bad = model.push("v1.1.0");
    model.bad.push(bad);
    ask(&mut model, Command::RollBack { image: None });
    model.settle();
    assert_eq!((model.running().as_str(), model.blue_green.attempts.len()), ("v1.0.0", 2), "{model}");
}

#[test]
fn what_a_person_approved_while_what_runs_by_its_tag_was_restarted_goes_out_and_not_the_newest() {
    let mut model = Model::by_code_deploy("semver");
    model.restart();
    model.push("v1.1.0");
    model.push("v1.0.0");
    approve(&mut model, "v1.0.0");
    model.stop_deployment();
    check(
        &model.run(&Scope::Everywhere, None, usize::MAX),
        &[
            "truegul-production/api-server: deploying v1.0.0 (was v1.0.0): v1.0.0 is the image that 'semver' selects in truegul-api-server",
        ],
    );
}
