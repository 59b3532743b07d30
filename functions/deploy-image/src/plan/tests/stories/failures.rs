//! Deployments that fail, and by whom they are taken back.

use super::*;

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
            "skip: v1.2.0 is rejected; v1.0.0 stays until a newer image is pushed",
        ],
    );
    model.finish();
    check(&push_event(&mut model), &["skip: v1.2.0 is rejected; v1.0.0 stays until a newer image is pushed"]);
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
    check(&deployment_event(&mut model), &["skip: v1.1.0 is rejected; v1.0.0 stays until a newer image is pushed"]);
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
    let told = "restart-failed: new tasks of v1.1.0 failed, though it was live: ECS deployment circuit breaker: tasks failed to \
                start. It was deployed once more at Sat 2026-11-21 03:10 KST. The image is not rejected, and nothing is \
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
        // The next image goes out, and so does a rollback that a person asks for.
        let mut going_back = model.clone();
        ask(&mut going_back, Command::RollBack { image: None });
        going_back.settle();
        assert_eq!(going_back.running(), "v1.0.0");
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
    assert!(
        stuck.starts_with("stuck: the deployment of v1.1.0 does not get ready; it began at Sat 2026-11-21 03:0"),
        "{stuck}"
    );
    assert!(stuck.contains("deploymentCircuitBreaker {enable=true, rollback=true}"), "{stuck}");
    let later = Model { minutes: model.minutes + 60, ..model.clone() };
    assert_eq!(later.plan(&service(), None).problems, plan.problems, "told the same way, so told once");
}
