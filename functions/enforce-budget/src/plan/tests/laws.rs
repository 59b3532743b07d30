//! What holds whatever the figures are, and however often and in whatever order the function hears of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rules::keys;

use super::model::*;
use crate::plan::scope::Kind;
use crate::plan::step::Step;
use crate::plan::world::World;

fn rules() -> impl Strategy<Value = &'static str> {
    select(vec![
        "sleep-at=100",
        "sleep-at=100 budget=TrueGul_Monthly",
        "sleep-at=90",
        "sleep-at=120",
        "sleep-at=100 budget=Other",
        "sleep=100",
    ])
}

/// Tags of a service besides its rule: a person's hold, another function's, an old one of a budget, no schedule, no rule;
/// or that it is an instance, a group, or an instance of a group that is expendable too, or of another one.
fn oddities() -> impl Strategy<Value = u8> {
    prop_oneof![6 => Just(0u8), 1 => 1..8u8, 2 => 8..12u8]
}

fn worlds() -> impl Strategy<Value = World> {
    (0..50_000i64, 0..50_000i64, vec((rules(), oddities()), 0..6), any::<bool>()).prop_map(
        |(cents, other, services, tagged)| {
            let rules: Vec<&str> = services.iter().map(|(rule, _)| *rule).collect();
            let mut world = world(cents, &rules);
            world.budgets.push(budget("Other", other));
            if !tagged {
                world.budgets[1].tags = Ok(BTreeMap::new());
            }
            for (index, (resource, (rule, oddity))) in world.resources.iter_mut().zip(services).enumerate() {
                let id = format!("app-{index}");
                match oddity {
                    8 => *resource = instance(&id, rule, None),
                    9 => *resource = group(&id, rule),
                    10 => *resource = instance(&id, rule, Some("app-0")),
                    11 => *resource = instance(&id, rule, Some("elsewhere")),
                    _ => {}
                }
                let mut tag = |key: &str, value: &str| drop(resource.tags.insert(key.into(), value.into()));
                match oddity {
                    1 => tag(keys::HOLD, "until the audit is over"),
                    2 => tag(keys::HOLD_MEMORY, "by=alarm:cpu since=2026-10-01T00:00:00Z"),
                    3 => tag(keys::HOLD_MEMORY, "by=budget:TrueGul_Monthly since=2026-10-01T00:00:00Z"),
                    4 => tag(keys::HOLD_MEMORY, "by=budget:Gone since=2026-11-20T00:00:00Z"),
                    5 => tag(keys::HOLD_MEMORY, "yes"),
                    6 => drop(resource.tags.remove(keys::SCHEDULE)),
                    7 => drop(resource.tags.remove(keys::BUDGET)),
                    _ => {}
                }
            }
            world
        },
    )
}

fn requests() -> impl Strategy<Value = Wake> {
    prop_oneof![
        2 => Just(SWEEP),
        1 => (0..60_000i64).prop_map(|it| says(Kind::Actual, NAME, it)),
        1 => (0..60_000i64).prop_map(|it| says(Kind::Forecast, NAME, it)),
        1 => Just(says(Kind::Actual, "nobody's", 1_000_000)),
    ]
}

/// The percent in `80 % and 100 % of the limit are passed; …`.
fn steps_in(reason: &str) -> Vec<u32> {
    let passed = reason.split("; ").find_map(|it| it.split_once(" of the limit ")).map_or("", |(passed, _)| passed);
    passed.split_whitespace().filter_map(|it| it.parse().ok()).collect()
}

proptest! {
    #[test]
    fn a_run_that_follows_another_at_once_has_nothing_to_do(world in worlds(), first in requests(), second in requests()) {
        let (world, _) = run(world, &first, &now());
        // What a notification says can be the second witness of what was read before.
        let (world, _) = run(world, &second, &now());
        prop_assert_eq!(planned(&world, &second, &now()).steps, []);
    }

    #[test]
    fn every_step_is_told_once_in_a_period_whatever_the_figures_and_messages_do(
        world in worlds(), days in vec((0..50_000i64, 0..50_000i64, requests()), 1..20)
    ) {
        let mut world = world;
        let mut told = BTreeSet::new();
        let (mut forecasts, mut held) = (0, BTreeMap::<String, u32>::new());
        for (hour, (actual, forecast, request)) in days.into_iter().enumerate() {
            (world.budgets[0].actual, world.budgets[0].forecast) = (usd(actual), usd(forecast));
            let now = now().checked_add((hour as i64).hours()).unwrap();
            let plan = planned(&world, &request, &now);
            for planned in &plan.steps {
                match &planned.step {
                    Step::Tell(_) if planned.resource == world.budgets[0].arn => {
                        for step in steps_in(&planned.reason) {
                            prop_assert!(told.insert(step), "{step} % told twice");
                        }
                        forecasts += u32::from(planned.reason.contains("the forecast has passed"));
                    }
                    Step::Hold(it) if it.before.is_none() => *held.entry(it.resource.clone()).or_default() += 1,
                    // Only what was held before this period, or by nobody that there is, is released.
                    Step::Release(it) => prop_assert!(!held.contains_key(&it.resource), "{planned:?}"),
                    _ => {}
                }
            }
            world = applied(&plan, world);
        }
        prop_assert!(forecasts <= 1);
        prop_assert!(held.values().all(|it| *it == 1), "{held:?}");
    }

    #[test]
    fn what_did_not_opt_in_is_untouched_and_so_is_every_hold_of_others(world in worlds(), request in requests()) {
        let (after, _) = run(world.clone(), &request, &now());
        for (before, after) in world.resources.iter().zip(&after.resources) {
            let others = |it: &BTreeMap<String, String>| {
                let mut others = it.clone();
                let ours = it.get(keys::HOLD_MEMORY).is_none_or(|it| it.starts_with("by=budget:"));
                if ours && it.contains_key(keys::BUDGET) {
                    others.remove(keys::HOLD_MEMORY);
                }
                others
            };
            prop_assert_eq!(others(&before.tags), others(&after.tags));
        }
        let untagged = world.budgets.iter().zip(&after.budgets).filter(|(it, _)| it.tag(keys::BUDGET).is_none());
        for (before, after) in untagged {
            prop_assert_eq!(before, after);
        }
    }

    #[test]
    fn nothing_is_held_below_its_percent_or_without_a_schedule(world in worlds(), request in requests()) {
        for planned in planned(&world, &request, &now()).steps {
            let Step::Hold(hold) = planned.step else { continue };
            let resource = world.resources.iter().find(|it| it.arn == hold.resource).unwrap();
            let budget = world.budgets.iter().find(|it| it.name == hold.budget).unwrap();
            let rule: rules::budget::Expendable = resource.tags[keys::BUDGET].parse().unwrap();
            let spent = money(&budget.actual).percent_of(money(&budget.limit)).unwrap();
            prop_assert!(spent >= rule.sleep_at && resource.tags.contains_key(keys::SCHEDULE));
            // What sleeps as a whole is held as a whole.
            prop_assert!(resource.member_of.is_none(), "{resource:?}");
            prop_assert!(budget.tag(keys::BUDGET).is_some());
        }
    }

    #[test]
    fn a_figure_that_was_seen_once_holds_nothing(world in worlds(), minutes in vec(0..60i64, 0..4), cents in 0..90_000i64) {
        let mut world = world;
        world.budgets.iter_mut().for_each(|it| it.actual = usd(cents));
        let mut minutes = minutes;
        minutes.sort();
        for minute in minutes {
            let plan = planned(&world, &SWEEP, &now().checked_add(minute.minutes()).unwrap());
            let holds = plan.steps.iter().filter(|it| matches!(&it.step, Step::Hold(it) if it.before.is_none())).count();
            prop_assert_eq!(holds, 0);
            world = applied(&plan, world);
        }
    }

    #[test]
    fn a_run_that_dies_is_finished_by_the_next_and_nothing_flaps(
        world in worlds(), done in vec(any::<bool>(), 20), told in any::<bool>(), later in 0..50_000i64
    ) {
        let (world, _) = run(world, &SWEEP, &now().checked_sub(1.hour()).unwrap());
        let plan = planned(&world, &SWEEP, &now());
        let whole = applied(&plan, world.clone());
        let mut part = applied_in_part(&plan, world, |it| done[it % done.len()], told);
        let (finished, _) = run(part.clone(), &SWEEP, &now());
        prop_assert_eq!(held(&finished), held(&whole));
        // Whatever was held by then stays, should the figures be lower.
        part.budgets[0].actual = usd(later);
        let (after, _) = run(part, &SWEEP, &now());
        let carried_out = |index: usize| is_done(&plan, index, |it| done[it % done.len()]);
        for (_, planned) in plan.steps.iter().enumerate().filter(|(index, _)| carried_out(*index)) {
            if let Step::Hold(hold) = &planned.step {
                let name = hold.name.trim_start_matches("staging/");
                prop_assert!(held(&after).contains(&name), "{name} was released");
            }
        }
    }

    #[test]
    fn a_new_period_releases_all_that_was_held(world in worlds(), hours in 0..24i64, cents in 0..50_000i64) {
        let (mut world, _) = run_twice(world, &SWEEP, &now());
        // AWS still shows whatever it does.
        world.budgets[0].actual = usd(cents);
        let then = at("2026-12-01T09:00:00").checked_add(hours.hours()).unwrap();
        let (after, _) = run(world, &SWEEP, &then);
        let stuck = |name: &str| {
            let resource = after.resources.iter().find(|it| it.name.ends_with(name)).unwrap();
            let unreadable = resource.tags.get(keys::BUDGET).is_none_or(|it| it == "sleep=100");
            unreadable || resource.tags[keys::HOLD_MEMORY].contains("budget:Gone")
        };
        prop_assert!(held(&after).into_iter().all(stuck), "{:?}", held(&after));
    }

    #[test]
    fn what_a_person_releases_stays_free_for_the_rest_of_the_period(
        world in worlds(), figures in vec(0..90_000i64, 1..6), request in requests()
    ) {
        let (world, _) = run_twice(world, &SWEEP, &now());
        let release = Wake::Release(NAME);
        let (mut world, _) = run(world, &release, &now());
        let of_others = |world: &World| world.budgets[1].tag(keys::BUDGET).is_some();
        for (hour, cents) in figures.into_iter().enumerate() {
            world.budgets[0].actual = usd(cents);
            let then = now().checked_add((hour as i64 * 6).hours()).unwrap();
            let plan = planned(&world, &request, &then);
            for planned in &plan.steps {
                if let Step::Hold(it) = &planned.step {
                    prop_assert!(of_others(&world) && it.budget == "Other", "{planned:?}");
                }
            }
            world = applied(&plan, world);
            let tags = world.resources.iter().filter(|it| it.tags.get(keys::BUDGET).is_some_and(|it| it != "sleep=100"));
            for hold in tags.filter_map(|it| it.tags.get(keys::HOLD_MEMORY)) {
                prop_assert!(!hold.contains("TrueGul"), "{hold}");
            }
        }
    }

    #[test]
    fn the_order_of_a_listing_is_indifferent(world in worlds(), request in requests(), by in 0..6usize) {
        let mut turned = world.clone();
        turned.budgets.reverse();
        let by = by.min(turned.resources.len());
        turned.resources.rotate_left(by);
        prop_assert_eq!(planned(&turned, &request, &now()), planned(&world, &request, &now()));
    }
}
