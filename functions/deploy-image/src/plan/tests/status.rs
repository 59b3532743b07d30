//! Where an image stands, in the word that pipelines go by.

use proptest::prelude::*;
use rules::keys;

use super::model::{Model, repository, service};
use super::stories::words;
use crate::plan::*;

#[track_caller]
fn check(model: &Model, image: &str, expected: &str) {
    let plan = model.plan(&service(), Some(&Command::Status { image: image.into() }));
    assert!(plan.steps.is_empty() && plan.problems.is_empty() && plan.remembered.is_empty(), "{plan:?}");
    assert_eq!(words(&plan), [format!("skip: {expected}")]);
}

#[test]
fn an_image_is_followed_from_its_push_to_its_verdict() {
    let mut model = Model::new("newest");
    model.push("v1.1.0");
    check(&model, "v1.1.0", "waiting: v1.1.0 is deployed by the next run");
    model.run(&repository(), None, usize::MAX);
    check(&model, "v1.1.0", "rolling-out: v1.1.0 is rolling out");
    model.finish();
    check(&model, "v1.1.0", "live: v1.1.0 is live");
    model.settle();
    check(&model, "v1.1.0", "live: v1.1.0 is live since Sat 2026-11-21 03:08 KST");
    check(&model, "v1.0.0", "superseded: v1.1.0 runs, which is newer than v1.0.0");
    model.push("v1.2.0");
    check(&model, "v1.1.0", "live: v1.1.0 is live since Sat 2026-11-21 03:08 KST");
    model.service.tags.insert(keys::FREEZE.into(), "inventory".into());
    check(
        &model,
        "v1.2.0",
        "waiting: frozen: v1.2.0 waits until nightshift:freeze is removed. It is on the service: inventory. v1.1.0 runs until then",
    );
    model.push("v1.3.0");
    check(&model, "v1.2.0", "superseded: v1.3.0 is deployed next, and not v1.2.0; v1.1.0 runs");
}

#[test]
fn a_failed_image_is_rejected_and_says_why_before_and_after_that_is_remembered() {
    let mut model = Model::new("newest");
    let bad = model.push("v1.1.0");
    model.bad.push(bad.clone());
    model.run(&repository(), None, usize::MAX);
    model.finish();
    model.finish();
    let why = "ECS took its deployment back: ECS deployment circuit breaker: tasks failed to start.";
    check(&model, "v1.1.0", &format!("rejected: v1.1.0 did not stay: {why}"));
    model.settle();
    check(&model, "v1.1.0", "rejected: v1.1.0 is rejected by ecs; v1.0.0 runs");
    check(&model, &bad.to_string(), "rejected: v1.1.0 is rejected by ecs; v1.0.0 runs");
}

#[test]
fn what_a_person_has_to_decide_and_what_the_rule_does_not_select_is_said() {
    let mut model = Model::new("semver range=1.x approval=manual");
    model.push("v1.1.0");
    model.push("nightly");
    let plan = model.plan(&service(), Some(&Command::Status { image: "v1.1.0".into() }));
    assert!(words(&plan)[0].starts_with("skip: waiting: needs-approval: v1.1.0 waits for your approval"), "{plan:?}");
    check(
        &model,
        "nightly",
        "not-selected: 'semver range=1.x' does not select nightly in truegul-api-server; v1.0.0 runs",
    );
    let mut asleep = Model::new("newest");
    asleep.push("v1.1.0");
    (asleep.service.desired, asleep.service.running) = (0, 0);
    asleep.service.tags.insert(keys::ASLEEP.into(), "since=2026-11-20T11:00:00Z desired=2 by=schedule".into());
    asleep.run(&repository(), None, usize::MAX);
    asleep.finish();
    check(&asleep, "v1.1.0", "unproven: v1.1.0 is deployed to a service without tasks, so none of it has run");
    asleep.service.tags.insert(keys::DEPLOY.into(), "newst".into());
    let plan = asleep.plan(&service(), Some(&Command::Status { image: "v1.1.0".into() }));
    assert!(words(&plan)[0].starts_with("skip: waiting: bad-tag: nightshift:deploy: unknown word"), "{plan:?}");
}

#[test]
fn what_is_not_there_is_refused_with_what_is_accepted() {
    let model = Model::new("newest");
    let plan = model.plan(&service(), Some(&Command::Status { image: "v9".into() }));
    let expected = "there is no image 'v9'; accepted: a tag of the repository truegul-api-server, or sha256:DIGEST";
    assert_eq!(plan.refused.as_deref(), Some(expected));
    let mut untagged = model;
    untagged.service.tags.clear();
    let plan = untagged.plan(&service(), Some(&Command::Status { image: "v1.0.0".into() }));
    assert!(plan.refused.unwrap().contains("it has no nightshift:deploy tag"));
}

proptest! {
    #[test]
    fn whatever_has_happened_a_status_is_one_word_and_changes_nothing(
        what in prop::collection::vec((0..6u8, any::<bool>()), 0..12), asked in 0..4usize
    ) {
        let mut model = Model::new("newest");
        for (number, (what, bad)) in what.into_iter().enumerate() {
            match what {
                0 => { let digest = model.push(&format!("v1.{number}.1")); model.bad.extend(bad.then_some(digest)) }
                1 => drop(model.run(&repository(), None, usize::MAX)),
                2 => drop(model.run(&Scope::Everywhere, None, usize::MAX)),
                3 => drop(model.run(&service(), Some(&Command::RollBack { image: None }), usize::MAX)),
                _ => model.finish(),
            }
        }
        let image = model.images[asked % model.images.len()].digest.to_string();
        let plan = model.plan(&service(), Some(&Command::Status { image }));
        prop_assert!(plan.steps.is_empty() && plan.problems.is_empty() && plan.refused.is_none());
        let words = words(&plan);
        let known = ["live", "unproven", "rolling-out", "waiting", "rejected", "superseded", "not-selected"];
        let word = words[0].trim_start_matches("skip: ").split(": ").next().unwrap().to_owned();
        prop_assert!(words.len() == 1 && known.contains(&word.as_str()), "{words:?}");
        prop_assert!(words[0].len() > word.len() + 9, "it has a reason: {words:?}");
    }
}
