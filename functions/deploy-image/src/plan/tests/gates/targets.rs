//! `health=targets`: which targets count, and what they say of an image.

use proptest::prelude::*;
use rules::keys;

use crate::plan::tests::model::{Model, repository, service};
use crate::plan::tests::stories::words;
use crate::plan::*;

const RULE: &str = "newest health=targets";

fn target(state: &str) -> Target {
    Target { state: state.into(), said: "Target.ResponseCodeMismatch, 503".into() }
}

#[test]
fn only_targets_with_traffic_count_and_one_that_is_unhealthy_outweighs_all() {
    let unhealthy = |count: &str| {
        Health::Unhealthy(format!(
            "{count} targets of the target group api are unhealthy: Target.ResponseCodeMismatch, 503"
        ))
    };
    let silent = |why: &str| Health::Unreachable(why.into());
    for (states, expected) in [
        (vec!["healthy", "healthy"], Health::Healthy),
        (vec!["healthy", "draining", "unused"], Health::Healthy),
        (vec!["healthy", "unhealthy"], unhealthy("1 of 2")),
        (vec!["unhealthy", "draining", "initial"], unhealthy("1 of 2")),
        (vec!["healthy", "unhealthy.draining"], unhealthy("1 of 2")),
        (vec!["healthy", "initial"], Health::Later),
        (vec![], silent("no target of the target group api gets traffic")),
        (vec!["unused", "unused"], silent("no target of the target group api gets traffic")),
        (
            vec!["healthy", "unavailable"],
            silent("a target of the target group api is unavailable: Target.ResponseCodeMismatch, 503"),
        ),
    ] {
        let targets = states.iter().map(|it| target(it)).collect();
        let arn = "arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:targetgroup/api/6d0e".to_owned();
        assert_eq!(judge_targets(&[(arn, targets)]), expected, "{states:?}");
    }
}

#[test]
fn where_two_groups_alternate_the_one_of_the_running_revision_counts() {
    let mut service = Model::new(RULE).service;
    service.target_groups = vec!["blue".into()];
    assert_eq!(target_groups(&service, None), Ok(vec!["blue".into()]));
    service.alternates = true;
    assert_eq!(target_groups(&service, Some(vec!["green".into()])), Ok(vec!["green".into()]));
    for unknown in [None, Some(vec![])] {
        assert!(matches!(target_groups(&service, unknown), Err(Health::Unreachable(_))));
    }
}

/// v1.1.0 has rolled out over healthy targets, and from then on they are so.
fn deployed(health: Health) -> Model {
    let mut model = Model::new(RULE);
    model.service.target_groups = vec!["arn:group/api/1".into()];
    model.push("v1.1.0");
    model.run(&repository(), None, usize::MAX);
    model.finish();
    model.health = health;
    model
}

#[test]
fn what_makes_healthy_targets_unhealthy_goes_back() {
    let mut model = deployed(Health::Unhealthy("2 of 2 targets of the target group api are unhealthy: 503".into()));
    let told = words(&model.run(&service(), None, usize::MAX));
    let why = "failed its health check twice: 2 of 2 targets of the target group api are unhealthy: 503";
    assert!(told[0].ends_with(why), "{told:?}");
    model.settle();
    assert_eq!(model.running(), "v1.0.0");
}

#[test]
fn a_service_without_a_target_group_is_told_and_an_approval_lets_the_image_out() {
    let mut model = Model::new(RULE);
    let digest = model.push("v1.1.0");
    let told = words(&model.run(&repository(), None, usize::MAX));
    assert!(told[0].starts_with("bad-tag: health=targets needs a load balancer"), "{told:?}");
    assert_eq!(model.running(), "v1.0.0");
    let approve = Command::Approve { image: digest.to_string(), hook: None, now: false };
    model.run(&service(), Some(&approve), usize::MAX);
    model.finish();
    assert_eq!(model.running(), "v1.1.0");
}

#[test]
fn a_sleeping_service_is_not_asked() {
    let mut model = Model::new(RULE);
    model.service.target_groups = vec!["arn:group/api/1".into()];
    model.service.desired = 0;
    model.health = Health::Unreachable("no target of the target group api gets traffic".into());
    model.push("v1.1.0");
    model.settle();
    assert_eq!(model.running(), "v1.1.0");
}

proptest! {
    /// Whatever targets say that is not "unhealthy", and whether they can be read or not: nothing is taken back for it.
    #[test]
    fn only_unhealthy_targets_take_an_image_back(
        states in prop::collection::vec(prop::sample::select(vec!["healthy", "initial", "draining", "unused", "unavailable", "new"]), 0..5),
    ) {
        let health = judge_targets(&[("arn:group/api/1".into(), states.iter().map(|it| target(it)).collect())]);
        let mut model = deployed(health);
        model.run(&service(), None, usize::MAX);
        prop_assert_eq!(model.running(), "v1.1.0");
        prop_assert!(!model.service.tags.contains_key(keys::REJECTED), "{}", model);
    }
}
