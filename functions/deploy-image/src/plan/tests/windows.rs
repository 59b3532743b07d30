//! When deployments may begin: windows, freezes, holidays; and what never waits for any of them.

use jiff::civil::date;
use proptest::prelude::*;
use rules::days_off::DayOff;
use rules::keys;

use super::model::{Model, repository, service};
use super::stories::{check, words};
use crate::plan::*;

/// What keeps deployments from beginning. It is Saturday morning in Seoul.
fn close(model: &mut Model, how: usize) {
    let (key, value) = match how {
        0 => (keys::FREEZE, "inventory until Monday"),
        1 => (keys::DEPLOY_WINDOW, "mon-thu 10:00-16:00 Asia/Seoul"),
        2 => (keys::DEPLOY_WINDOW, "never"),
        3 => (keys::DEPLOY_WINDOW, "mon-thu"),
        _ => return model.calendar.freeze = "2026-11-20/2026-11-30".parse().ok(),
    };
    model.service.tags.insert(key.into(), value.into());
}

fn open(model: &mut Model) {
    model.service.tags.retain(|key, _| key != keys::FREEZE && key != keys::DEPLOY_WINDOW);
    model.calendar = Calendar::default();
}

fn look(model: &mut Model) -> reconcile::Plan<Step> {
    model.run(&repository(), None, usize::MAX)
}

#[test]
fn outside_of_its_window_an_image_waits_and_people_are_told_when_it_goes() {
    let mut model = Model::new("newest");
    close(&mut model, 1);
    model.push("v1.1.0");
    let waits = "outside-window: v1.1.0 waits: nightshift:deploy-window is 'mon-thu 10:00-16:00 Asia/Seoul'. It is deployed \
                 with the first run after Mon 2026-11-23 10:00 KST; v1.0.0 runs until then";
    check(&look(&mut model), &[waits]);
    model.minutes += 24 * 60;
    let plan = look(&mut model);
    check(&plan, &[waits]);
    assert!(plan.problems[0].monthly, "people are told once and not every day");
    // A holiday, a weekend and a freeze are held together.
    model.calendar.stack.holidays = [DayOff::from(date(2026, 11, 23))].into_iter().collect();
    assert!(words(&look(&mut model))[0].contains("after Tue 2026-11-24 10:00 KST"));
    model.calendar.freeze = "2026-11-24T12:00/2026-11-27".parse().ok();
    assert!(words(&look(&mut model))[0].contains("after Tue 2026-11-24 10:00 KST"));
    model.calendar.freeze = "2026-11-22/2026-11-24".parse().ok();
    let frozen = words(&look(&mut model)).remove(0);
    assert!(frozen.starts_with("frozen: v1.1.0 waits: the stack's parameter Freeze holds. "), "{frozen}");
    assert!(frozen.contains("after Wed 2026-11-25 10:00 KST"), "{frozen}");
    // It is Wednesday.
    model.minutes += 3 * 24 * 60 + 8 * 60;
    model.settle();
    assert_eq!(model.running(), "v1.1.0");
}

#[test]
fn a_frozen_service_says_why_and_until_when() {
    for (reason, said) in [("inventory until Monday", "inventory until Monday"), (" ", "it gives no reason")] {
        let mut model = Model::new("newest");
        model.push("v1.1.0");
        model.service.tags.insert(keys::FREEZE.into(), reason.into());
        let expected = format!(
            "frozen: v1.1.0 waits: nightshift:freeze is on the service ({said}). v1.0.0 runs until the tag is removed"
        );
        check(&look(&mut model), &[&expected]);
        model.service.tags.remove(keys::FREEZE);
        model.settle();
        assert_eq!(model.running(), "v1.1.0");
    }
}

#[test]
fn a_window_that_cannot_be_read_is_told_at_once_and_holds_deployments_only() {
    let mut model = Model::new("newest");
    model.push("v1.1.0");
    model.settle();
    close(&mut model, 3);
    let told = words(&look(&mut model)).remove(0);
    assert!(told.starts_with("bad-tag: nightshift:deploy-window: no time after 'mon-thu' in 'mon-thu'; "), "{told}");
    let plan = model.run(&service(), Some(&Command::RollBack { image: None }), usize::MAX);
    assert!(plan.steps.iter().any(|it| matches!(it.step, Step::RollBack(_))), "{:?}", words(&plan));
}

#[test]
fn an_image_is_approved_before_its_window_opens() {
    let mut model = Model::new("newest approval=manual");
    close(&mut model, 1);
    model.push("v1.1.0");
    assert_eq!(look(&mut model).problems[0].problem, "needs-approval");
    let plan =
        model.run(&service(), Some(&Command::Approve { image: "v1.1.0".into(), hook: None, now: false }), usize::MAX);
    assert_eq!((plan.steps.len(), plan.problems[0].problem.as_str()), (1, "outside-window"), "{:?}", words(&plan));
    model.minutes += 3 * 24 * 60 + 8 * 60;
    model.settle();
    assert_eq!(model.running(), "v1.1.0");
}

fn begins(step: &Step) -> bool {
    matches!(step, Step::Deploy(_) | Step::Migrate(_) | Step::AskForSnapshot(_))
}

fn goes_back(step: &Step) -> bool {
    matches!(step, Step::RollBack(_) | Step::Stop(_))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_goes_out_while_it_is_closed_and_no_way_back_waits(
        code_deploy in any::<bool>(), gives_up in any::<bool>(), backs in any::<bool>(), how in 0..5usize,
        happenings in prop::collection::vec((0..7u8, any::<bool>()), 1..20)
    ) {
        let mut model = if code_deploy { Model::by_code_deploy("newest") } else { Model::new("newest") };
        model.service.safety = Safety { gives_up, goes_back: gives_up && backs };
        let mut number = 0;
        for (what, flag) in happenings {
            let mut command = None;
            match what {
                0 | 1 => {
                    number += 1;
                    let digest = model.push(&format!("v1.{number}.0"));
                    model.bad.extend(flag.then_some(digest));
                }
                2 | 3 => model.finish(),
                4 => command = Some(Command::RollBack { image: None }),
                5 => command = Some(Command::Reject { image: format!("v1.{number}.0") }),
                _ => model.restart(),
            }
            let scope = if flag || command.is_some() { service() } else { repository() };
            let mut closed = model.clone();
            close(&mut closed, how);
            let (without, within) = (closed.plan(&scope, command.as_ref()), model.plan(&scope, command.as_ref()));
            prop_assert!(!without.steps.iter().any(|it| begins(&it.step)), "{:?}", words(&without));
            for back in within.steps.iter().filter(|it| goes_back(&it.step)) {
                prop_assert!(without.steps.iter().any(|it| it.step == back.step), "{:?} waits: {:?}", back, words(&without));
            }
            // Half of the time it is closed in earnest.
            if flag {
                close(&mut model, how);
            }
            model.run(&scope, command.as_ref(), usize::MAX);
            open(&mut model);
        }
        model.settle();
    }
}
