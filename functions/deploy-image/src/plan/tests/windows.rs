//! When deployments may begin: windows, freezes, holidays; and what never waits for any of them.

use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rules::days_off::DayOff;
use rules::{facts, keys};

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
    let waits = "outside-window: v1.1.0 waits until Mon 2026-11-23 10:00 KST: nightshift:deploy-window is \
                 'mon-thu 10:00-16:00 Asia/Seoul'. It is deployed with the first run after that; v1.0.0 runs until then";
    check(&look(&mut model), &[waits]);
    model.minutes += 24 * 60;
    let plan = look(&mut model);
    check(&plan, &[waits]);
    assert!(plan.problems[0].monthly, "people are told once and not every day");
    // A holiday, a weekend and a freeze are held together.
    model.calendar.stack.holidays = [DayOff::from(date(2026, 11, 23))].into_iter().collect();
    assert!(words(&look(&mut model))[0].contains("waits until Tue 2026-11-24 10:00 KST: "));
    model.calendar.freeze = "2026-11-24T12:00/2026-11-27".parse().ok();
    assert!(words(&look(&mut model))[0].contains("waits until Tue 2026-11-24 10:00 KST: "));
    model.calendar.freeze = "2026-11-22/2026-11-24".parse().ok();
    let frozen = words(&look(&mut model)).remove(0);
    assert!(
        frozen.starts_with("frozen: v1.1.0 waits until Wed 2026-11-25 10:00 KST: the stack's parameter Freeze holds. "),
        "{frozen}"
    );
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
            "frozen: v1.1.0 waits until nightshift:freeze is removed. It is on the service: {said}. v1.0.0 runs until then"
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

/// When deployments may begin within a day of Saturday morning, and which freeze holds.
#[track_caller]
fn check_windows(tags: &[(&str, &str)], freeze: Option<&str>, expected: Option<&[(&str, &str)]>, frozen: Option<&str>) {
    let mut model = Model::new("newest");
    model.calendar.freeze = freeze.map(|it| it.parse().unwrap());
    tags.iter().for_each(|(key, value)| drop(model.service.tags.insert(key.to_string(), value.to_string())));
    let now = model.now();
    let plan = model.plan(&repository(), None);
    let Ok(facts::Fact::Image(image)) = serde_json::from_value(plan.facts[0].fact.clone()) else {
        panic!("{:?} is not the fact of an image", plan.facts)
    };
    let clock = |it: Timestamp| it.to_zoned(now.time_zone().clone()).strftime("%a %H:%M").to_string();
    let found = image.windows.as_ref().map(|all| all.iter().map(|it| (clock(it.0), clock(it.1))).collect::<Vec<_>>());
    let words = |it: &(&str, &str)| (it.0.to_owned(), it.1.to_owned());
    assert_eq!(found, expected.map(|it| it.iter().map(words).collect()), "{tags:?} {freeze:?} at {now}");
    assert_eq!(image.frozen.as_deref(), frozen);
}

#[test]
fn the_board_is_told_when_a_deployment_may_begin_within_a_day_and_which_freeze_holds() {
    let window = |it| [(keys::DEPLOY_WINDOW, it)];
    let (sat, sun) = (Model::new("newest").now(), Model::new("newest").now() + SignedDuration::from_hours(24));
    let (sat, sun) = (sat.strftime("%a %H:%M").to_string(), sun.strftime("%a %H:%M").to_string());
    check_windows(&[], None, None, None);
    check_windows(&window("mon-thu 10:00-16:00 Asia/Seoul"), None, Some(&[]), None);
    check_windows(&window("mon-sat 10:00-16:00 Asia/Seoul"), None, Some(&[("Sat 10:00", "Sat 16:00")]), None);
    check_windows(&window("always"), None, Some(&[(&sat, &sun)]), None);
    check_windows(&window("mon-thurs"), None, Some(&[]), None);
    // A freeze cuts off what is open, from either side; one that is over or far away limits nothing.
    let noon = "2026-11-21T12:00/2026-11-21T14:00";
    check_windows(&[], Some(noon), Some(&[(&sat, "Sat 12:00"), ("Sat 14:00", &sun)]), None);
    check_windows(
        &window("sat 10:00-13:00 Asia/Seoul"),
        Some("2026-11-21/2026-11-22"),
        Some(&[]),
        Some("the stack's parameter Freeze holds until Mon 2026-11-23 00:00 KST"),
    );
    check_windows(&[], Some("2026-10-01/2026-10-02"), None, None);
    check_windows(&[], Some("2026-12-20/2027-01-03"), None, None);
    let frozen = Some("nightshift:freeze: inventory until Monday");
    check_windows(&[(keys::FREEZE, "inventory until Monday")], None, Some(&[]), frozen);
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
