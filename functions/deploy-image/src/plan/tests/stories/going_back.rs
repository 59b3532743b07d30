//! Back to what ran before: by a person, by another function, by hand, and where that is not possible.

use super::*;

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
fn what_a_person_restored_by_hand_stands() {
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
fn a_request_of_another_function_is_fulfilled_once_and_dropped() {
    let mut model = Model::new("newest");
    let running = model.push("v1.1.0");
    model.settle();
    let request = |digest: &rules::Digest| format!("{digest} by=alarm:5xx at=2026-11-20T18:30:00Z");
    model.service.tags.insert(keys::ROLLBACK.into(), request(&running));
    let plan = model.run(&Scope::Everywhere, None, usize::MAX);
    let actions: Vec<_> = plan.steps.iter().map(|it| it.step.action()).collect();
    assert_eq!(actions, ["reject", "roll-back", "drop-request"]);
    model.settle();
    assert_eq!(model.running(), "v1.0.0");
    // A late request about an image that no longer runs is only dropped.
    model.service.tags.insert(keys::ROLLBACK.into(), request(&running));
    let plan = model.run(&Scope::Everywhere, None, usize::MAX);
    let actions: Vec<_> = plan.steps.iter().map(|it| it.step.action()).collect();
    assert_eq!(actions, ["drop-request"]);
}

#[test]
fn a_past_that_cannot_be_read_stops_nobody_who_wants_to_go_back() {
    let mut model = Model::new("newest");
    model.push("v1.1.0");
    model.settle();
    let mut world = model.world(&service());
    world.history.insert(SERVICE.into(), Err("AccessDeniedException".into()));
    let plan = plan(&world, &service(), Some(&Command::RollBack { image: None }), &model.now()).plan;
    testkit::told::keep("deploy-image", &plan);
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
    let image = |digest: &rules::Digest| format!("{}/{REPOSITORY}@{digest}", crate::plan::tests::model::REGISTRY);
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
