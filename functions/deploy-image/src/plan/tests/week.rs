//! How many messages a week of deployments is, where nothing goes wrong.

use reconcile::Routine;
use rules::keys;
use testkit::told::sent;

use super::model::{Model, service};
use crate::plan::command::Command;

/// What is sent of ten deployments, two on each working day, to a service with these tags besides its rule.
fn ten_deployments(tags: &[(&str, &str)], routine: Routine) -> Vec<String> {
    let mut model = Model::new("semver range=1.x");
    model.service.tags.extend(tags.iter().map(|(key, value)| (key.to_string(), value.to_string())));
    let mut told = Vec::new();
    for minor in 1..=10 {
        model.push(&format!("v1.{minor}.0"));
        // The push, the end of its deployment, and sweeps.
        for _ in 0..4 {
            let plan = model.run(&service(), None, usize::MAX);
            told.extend(sent("deploy-image", &plan, routine));
            model.finish();
        }
        model.minutes += 12 * 60;
    }
    assert_eq!(model.running(), "v1.10.0");
    told
}

#[test]
fn ten_deployments_of_staging_are_told_in_the_daily_reports_alone() {
    let staging = [(keys::SCHEDULE, "mon-fri 08:00-20:00")];
    for routine in [Routine::Daily, Routine::None] {
        assert_eq!(ten_deployments(&staging, routine), Vec::<String>::new());
    }
    assert_eq!(ten_deployments(&staging, Routine::Each).len(), 20, "begun and live");
}

#[test]
fn ten_deployments_of_production_are_told_in_the_daily_reports_and_at_once_without_them() {
    for (routine, count) in [(Routine::Daily, 0), (Routine::None, 10), (Routine::Each, 20)] {
        let told = ten_deployments(&[], routine);
        assert_eq!(told.len(), count, "{told:#?}");
        let live: Vec<_> = told.iter().filter(|it| it.ends_with(" is live")).collect();
        assert_eq!(live.len(), count.min(10), "{told:#?}");
        if let [first, ..] = live[..] {
            assert_eq!(first, "changed [Nightshift] truegul-production/api-server: v1.1.0 is live");
        }
    }
}

#[test]
fn whoever_approved_an_image_is_told_that_it_is_live() {
    let mut model = Model::new("semver range=1.x approval=manual");
    model.push("v1.1.0");
    let mut told = Vec::new();
    for approves in [false, true, false, false] {
        let command = approves.then(|| Command::Approve { image: "v1.1.0".into(), hook: None, now: false });
        let plan = model.run(&service(), command.as_ref(), usize::MAX);
        told.extend(sent("deploy-image", &plan, Routine::Daily));
        model.finish();
    }
    assert_eq!(model.running(), "v1.1.0");
    let expected = [
        "needs-you [Nightshift] truegul-production/api-server: v1.1.0 waits for your approval (runs v1.0.0)",
        "changed [Nightshift] truegul-production/api-server: v1.1.0 is live",
    ];
    assert_eq!(told, expected);
}
