//! `health=`: what answered well before the rollout and does not after it takes the image back, and nothing else does.

use proptest::prelude::*;
use reconcile::Step as _;
use rules::keys;

use crate::plan::tests::model::{Model, digest, repository, service};
use crate::plan::tests::stories::{offered, words};
use crate::plan::*;

const RULE: &str = "newest health=https://truegul.example/health";

/// A service whose v1.1.0 has rolled out, and whose address answers so from then on.
fn deployed(health: Health) -> Model {
    let mut model = Model::new(RULE);
    model.push("v1.1.0");
    model.run(&repository(), None, usize::MAX);
    model.finish();
    model.health = health;
    model
}

fn unhealthy() -> Health {
    Health::Unhealthy("GET https://truegul.example/health, asked 5 times over 30 seconds, last: 503".into())
}

#[test]
fn an_image_is_live_when_the_address_answers_well() {
    let mut model = deployed(Health::Healthy);
    let told = words(&model.run(&service(), None, usize::MAX));
    assert_eq!(told[0], "truegul-production/api-server: v1.1.0 is live: its deployment completed with 2 of 2 tasks");
    // It is remembered: nobody asks again, whatever the address says by now.
    model.health = unhealthy();
    for place in [service(), repository(), Scope::Everywhere] {
        let told = words(&model.run(&place, None, usize::MAX));
        assert_eq!(told, ["skip: runs v1.1.0, the one that 'newest' selects in truegul-api-server"]);
    }
}

#[test]
fn an_image_that_is_not_well_is_rejected_and_goes_back_whatever_led_here() {
    for health in [unhealthy(), Health::Closed("connection refused".into())] {
        for place in [service(), repository(), Scope::Everywhere] {
            let mut model = deployed(health.clone());
            let told = words(&model.run(&place, None, usize::MAX));
            assert!(
                told[0].starts_with(
                    "truegul-production/api-server: v1.1.0 is rejected: v1.1.0 was deployed but failed its health check twice: "
                ),
                "{told:?}"
            );
            assert_eq!(
                told[1],
                "truegul-production/api-server: going back to v1.0.0 from v1.1.0: v1.1.0 is rejected or failed; api-server:1 completed before it"
            );
            model.settle();
            assert_eq!(model.running(), "v1.0.0");
            assert!(model.service.tags[keys::REJECTED].contains("by=health"));
        }
    }
}

#[test]
fn an_address_that_is_ill_already_holds_nothing_and_takes_nothing_back() {
    let mut model = Model::new(RULE);
    model.health = unhealthy();
    for version in ["v1.1.0", "v1.2.0", "v1.3.0"] {
        model.push(version);
        let told = words(&model.run(&repository(), None, usize::MAX));
        assert!(
            told[0].contains("; its health is not judged, since what runs is ill already: GET https://"),
            "{told:?}"
        );
        model.finish();
        let told = words(&model.run(&service(), None, usize::MAX));
        let live = format!(
            "truegul-production/api-server: {version} is live: its deployment completed with 2 of 2 tasks; \
             https://truegul.example/health did not answer well before it, and that says nothing about it"
        );
        assert_eq!(told[0], live);
        assert_eq!(model.running(), version);
    }
}

#[test]
fn an_address_that_cannot_be_asked_holds_and_a_person_may_let_the_image_out() {
    for health in [
        Health::Unreachable("no such name".into()),
        Health::Closed("connection refused".into()),
        Health::Refused("truegul.example resolves to 10.0.0.7, which is not a public address".into()),
    ] {
        let mut model = Model::new(RULE);
        model.health = health;
        let image = model.push("v1.1.0").to_string();
        let plan = model.run(&repository(), None, usize::MAX);
        assert_eq!((plan.steps.len(), plan.problems[0].problem.as_str()), (0, "health-refused"));
        let expected = "v1.1.0 is not deployed: health= cannot be checked. https://truegul.example/health: ";
        assert!(plan.problems[0].message.starts_with(expected), "{plan:?}");
        assert!(offered(&plan.problems[0]).contains(&format!("\"image\":\"{image}\"}}}}")), "{plan:?}");
        model.run(&service(), Some(&Command::Approve { image, hook: None, now: false }), usize::MAX);
        model.settle();
        assert_eq!(model.running(), "v1.1.0");
        assert!(model.service.tags.contains_key(keys::VERDICT));
    }
}

#[test]
fn what_says_nothing_about_the_image_afterwards_is_told_and_is_no_verdict() {
    for health in
        [Health::Unreachable("no such name".into()), Health::Refused("10.0.0.7 is not a public address".into())]
    {
        let mut model = deployed(health);
        let plan = model.run(&service(), None, usize::MAX);
        assert_eq!((plan.steps.len(), plan.problems[0].problem.as_str()), (0, "health-refused"));
        assert!(
            plan.problems[0].message.starts_with("v1.1.0 was deployed, but its health cannot be checked"),
            "{plan:?}"
        );
        model.health = Health::Healthy;
        model.settle();
        assert!(model.service.tags.contains_key(keys::VERDICT));
    }
    let mut later = deployed(Health::Later);
    assert!(words(&later.run(&service(), None, usize::MAX))[0].contains("its health is not known yet"));
    later.health = Health::Healthy;
    later.settle();
    assert!(later.service.tags.contains_key(keys::VERDICT));
}

#[test]
fn nobody_asks_before_the_rollout_has_ended_nor_while_tasks_are_missing_nor_of_what_a_person_deployed() {
    let mut model = Model::new(RULE);
    let current = ["skip: runs v1.0.0, the one that 'newest' selects in truegul-api-server"];
    assert_eq!(words(&model.run(&service(), None, usize::MAX)), current);
    model.push("v1.1.0");
    model.run(&repository(), None, usize::MAX);
    model.health = unhealthy();
    let rolling = ["skip: v1.1.0, the one that 'newest' selects in truegul-api-server, is rolling out"];
    assert_eq!(words(&model.run(&service(), None, usize::MAX)), rolling);
    model.finish();
    model.service.running = 1;
    let told = words(&model.run(&Scope::Everywhere, None, usize::MAX));
    assert_eq!(
        told[0],
        "skip: v1.1.0 was deployed, and its health is not known yet: 1 of 2 tasks run. It goes on when all of them run"
    );
    model.service.running = 2;
    assert_eq!(model.run(&Scope::Everywhere, None, usize::MAX).steps.len(), 2);
}

#[test]
fn an_image_that_came_while_the_service_slept_is_not_judged_while_it_wakes() {
    let mut model = Model::new(RULE);
    (model.service.desired, model.service.running) = (0, 0);
    model.push("v1.1.0");
    model.run(&repository(), None, usize::MAX);
    model.finish();
    model.health = unhealthy();
    for running in [1, 2] {
        (model.service.desired, model.service.running) = (2, running);
        model.run(&Scope::Everywhere, None, usize::MAX);
    }
    model.settle();
    assert_eq!(model.running(), "v1.1.0");
    assert!(!model.service.tags.contains_key(keys::REJECTED), "{model}");
}

#[test]
fn two_sick_images_in_a_row_end_at_the_last_one_that_was_well() {
    let mut model = deployed(Health::Healthy);
    model.settle();
    model.service.safety = Safety { gives_up: true, goes_back: false };
    model.sick.extend([digest("v1.2.0"), digest("v1.3.0")]);
    for version in ["v1.2.0", "v1.3.0"] {
        model.push(version);
        model.settle();
        assert_eq!(model.running(), "v1.1.0", "{version}");
    }
}

#[test]
fn a_newer_image_takes_the_place_of_a_sick_one_without_a_way_back() {
    let mut model = deployed(unhealthy());
    model.push("v1.2.0");
    let plan = model.run(&service(), None, usize::MAX);
    let steps: Vec<_> = plan.steps.iter().map(|it| it.step.action()).collect();
    assert_eq!(steps, ["reject", "deploy"]);
}

proptest! {
    /// Whatever an address answers and whenever: only what was well before is taken back for it.
    #[test]
    fn what_was_not_well_before_is_never_taken_back(answers in prop::collection::vec(0..5usize, 2..12)) {
        let kinds = [
            Health::Healthy, unhealthy(), Health::Closed("x".into()), Health::Unreachable("x".into()), Health::Later,
        ];
        let mut model = Model::new(RULE);
        for (number, pair) in answers.chunks(2).enumerate() {
            let [before, after] = pair else { continue };
            model.push(&format!("v1.{}.0", number + 1));
            model.health = kinds[*before].clone();
            model.run(&repository(), None, usize::MAX);
            model.finish();
            model.health = kinds[*after].clone();
            let plan = model.run(&service(), None, usize::MAX);
            for planned in plan.steps.iter().filter(|it| it.step.action() == "reject") {
                let Step::Remember(it) = &planned.step else { continue };
                let pinned = format!("@{}", it.digest.as_ref().unwrap());
                let mut revisions = model.revisions.iter();
                let revision = revisions.find(|it| it.images().next().unwrap().1.ends_with(&pinned)).unwrap();
                prop_assert_eq!(revision.tags[keys::HEALTH].as_str(), "well", "{}", model);
                prop_assert!([1, 2].contains(after), "{} then {}: {}", before, after, model);
            }
        }
    }
}
