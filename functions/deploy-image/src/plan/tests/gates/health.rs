//! `health=`: one check after the rollout decides whether the image stays.

use rules::keys;

use crate::plan::tests::model::{Model, repository, service};
use crate::plan::tests::stories::words;
use crate::plan::*;
use reconcile::Step as _;

const RULE: &str = "newest health=https://truegul.example/health";

/// A service whose v1.1.0 has rolled out, and whose address answers so.
fn brought(health: Health) -> Model {
    let mut model = Model::new(RULE);
    model.push("v1.1.0");
    model.run(&repository(), None, usize::MAX);
    model.finish();
    model.health = health;
    model
}

fn sick() -> Health {
    Health::Unhealthy("GET https://truegul.example/health, asked 5 times over 30 seconds, last: 503".into())
}

#[test]
fn an_image_is_live_when_the_address_answers_well() {
    let mut model = brought(Health::Healthy);
    let told = words(&model.run(&service(), None, usize::MAX));
    assert_eq!(told[0], "truegul-production/api-server: v1.1.0 is live: its deployment completed with 2 of 2 tasks");
    // It is remembered: nobody asks again, whatever the address says by now.
    model.health = sick();
    for place in [service(), repository(), Scope::Everywhere] {
        let told = words(&model.run(&place, None, usize::MAX));
        assert_eq!(told, ["skip: runs v1.1.0, the one that 'newest' selects in truegul-api-server"]);
    }
}

#[test]
fn an_image_that_is_not_well_is_rejected_and_goes_back_whatever_led_here() {
    for place in [service(), repository(), Scope::Everywhere] {
        let mut model = brought(sick());
        let told = words(&model.run(&place, None, usize::MAX));
        assert_eq!(
            told,
            [
                "truegul-production/api-server: v1.1.0 is rejected: v1.1.0 was brought, but is not well: \
                 GET https://truegul.example/health, asked 5 times over 30 seconds, last: 503",
                "truegul-production/api-server: going back to v1.0.0 from v1.1.0: v1.1.0 is rejected or failed; api-server:1 completed before it"
            ]
        );
        model.settle();
        assert_eq!(model.running(), "v1.0.0");
        assert!(model.service.tags[keys::REJECTED].contains("by=health"));
    }
}

#[test]
fn nobody_asks_before_the_rollout_has_ended_nor_of_a_service_without_tasks_nor_of_what_a_person_brought() {
    let mut model = Model::new(RULE);
    model.health = sick();
    let current = ["skip: runs v1.0.0, the one that 'newest' selects in truegul-api-server"];
    assert_eq!(words(&model.run(&service(), None, usize::MAX)), current);
    model.push("v1.1.0");
    model.run(&repository(), None, usize::MAX);
    let rolling = ["skip: v1.1.0, the one that 'newest' selects in truegul-api-server, is rolling out"];
    assert_eq!(words(&model.run(&service(), None, usize::MAX)), rolling);
    (model.service.desired, model.service.running) = (0, 0);
    model.finish();
    assert!(model.run(&service(), None, usize::MAX).steps.is_empty());
    // Awake, it is asked.
    (model.service.desired, model.service.running) = (2, 2);
    assert_eq!(model.run(&Scope::Everywhere, None, usize::MAX).steps.len(), 2);
}

#[test]
fn an_address_that_may_not_be_asked_is_no_verdict() {
    let mut model =
        brought(Health::Refused("truegul.example resolves to 10.0.0.7, which is not a public address".into()));
    let plan = model.run(&service(), None, usize::MAX);
    assert_eq!((plan.steps.len(), plan.problems[0].problem.as_str()), (0, "health-refused"));
    assert!(plan.problems[0].message.contains("truegul.example resolves to 10.0.0.7"), "{:?}", plan.problems);
    let mut later = brought(Health::Later);
    assert!(words(&later.run(&service(), None, usize::MAX))[0].contains("there was no time left to check"));
    later.health = Health::Healthy;
    later.settle();
    assert!(later.service.tags.contains_key(keys::VERDICT));
}

#[test]
fn two_sick_images_in_a_row_end_at_the_last_one_that_was_well() {
    let mut model = brought(Health::Healthy);
    model.settle();
    model.health = sick();
    model.service.safety = Safety { gives_up: true, goes_back: false };
    for version in ["v1.2.0", "v1.3.0"] {
        model.push(version);
        model.settle();
        assert_eq!(model.running(), "v1.1.0", "{version}");
    }
}

#[test]
fn a_newer_image_takes_the_place_of_a_sick_one_without_a_way_back() {
    let mut model = brought(sick());
    model.push("v1.2.0");
    let plan = model.run(&service(), None, usize::MAX);
    let steps: Vec<_> = plan.steps.iter().map(|it| it.step.action()).collect();
    assert_eq!(steps, ["reject", "deploy"]);
}
