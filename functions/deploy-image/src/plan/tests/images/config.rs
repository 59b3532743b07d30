//! Revisions that Terraform, CDK or a person registers beside this function.

use super::*;

#[test]
fn a_configuration_that_something_else_deploys_gets_the_image_and_rejects_nothing() {
    let mut model = Model::new("newest");
    model.push("v1.1.0");
    model.settle();
    model.minutes += 3 * 24 * 60;
    let arn = foreign(&mut model, "v1.0.0");
    model.update_service(&arn);
    model.settle();
    assert_eq!(model.running(), "v1.1.0", "{model}");
    assert!(has_new_environment(&model) && !model.service.tags.contains_key(keys::REJECTED), "{model}");
}

#[test]
fn a_revision_that_is_not_in_use_is_told_for_a_day_with_both_ways_out() {
    let mut model = Model::new("newest");
    model.push("v1.1.0");
    model.settle();
    foreign(&mut model, "v1.0.0");
    model.push("v1.2.0");
    let plan = model.run(&repository(), None, usize::MAX);
    assert_eq!(plan.problems[0].problem, "newer-revision", "{:?}", words(&plan));
    let message = &plan.problems[0].message;
    assert!(
        message.starts_with("api-server:3 is registered, but not in use; it is newer than what runs. "),
        "{message}"
    );
    let once = " [Deploy it once: aws ecs update-service --cluster truegul-production --service api-server \
                --task-definition api-server:3]";
    assert!(message.contains("config=newest") && offered(&plan.problems[0]) == once, "{message}");
    assert!(!has_new_environment(&model));
    let mut later = Model::new("newest");
    foreign(&mut later, "v1.0.0");
    later.minutes += 25 * 60;
    assert_eq!(
        push_event(&mut later),
        [
            "skip: api-server:2 is newer than what runs and is not in use",
            "skip: runs v1.0.0, the one that 'newest' selects in truegul-api-server"
        ]
    );
}

#[test]
fn with_config_newest_a_new_configuration_goes_out_with_a_new_image_or_with_the_one_that_runs() {
    for with_image in [true, false] {
        let mut model = Model::new("newest config=newest");
        model.push("v1.1.0");
        model.settle();
        foreign(&mut model, "v1.0.0");
        if with_image {
            model.push("v1.2.0");
        }
        let said = push_event(&mut model);
        assert!(said[0].contains("with the configuration of api-server:3"), "{said:?}");
        model.settle();
        assert_eq!(model.running(), if with_image { "v1.2.0" } else { "v1.1.0" }, "{model}");
        assert!(has_new_environment(&model), "{model}");
        assert_eq!(model.revisions.len(), 4, "one more for each deployment");
    }
}

#[test]
fn a_new_configuration_passes_the_gates_as_an_image_does() {
    let mut model = Model::new("newest config=newest approval=manual");
    foreign(&mut model, "v1.0.0");
    let plan = model.run(&Scope::Everywhere, None, usize::MAX);
    assert_eq!((plan.steps.len(), plan.problems[0].problem.as_str()), (0, "needs-approval"), "{:?}", words(&plan));
    ask(&mut model, Command::Approve { image: "v1.0.0".into(), hook: None, now: false });
    model.settle();
    assert!(has_new_environment(&model), "{model}");
}

#[test]
fn a_configuration_that_fails_is_told_and_not_tried_again() {
    let mut model = Model::new("newest config=newest");
    model.push("v1.1.0");
    model.settle();
    foreign(&mut model, "v1.0.0");
    model.broken = true;
    push_event(&mut model);
    for _ in 0..4 {
        model.finish();
    }
    let before = model.past.len();
    for scope in [service(), repository(), Scope::Everywhere] {
        let plan = model.run(&scope, None, usize::MAX);
        assert!(plan.steps.is_empty(), "{scope:?}: {:?}", words(&plan));
    }
    let told = model.plan(&service(), None).problems;
    assert!(told.iter().any(|it| it.problem == "config-failed"), "{told:?}");
    assert_eq!((model.past.len(), model.running().as_str()), (before, "v1.1.0"));
    assert!(!model.service.tags.contains_key(keys::REJECTED), "{model}");
}
