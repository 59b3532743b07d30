//! A month of a budget, and each state that it and what is expendable can be in, in the words that people read.

mod figures;
mod problems;
mod spend;

use reconcile::Step as _;
use rules::budget::Money;
use rules::keys;

use super::model::*;
use crate::plan::scope::{Anomaly, Content, Kind, Notification};
use crate::plan::step::Step;
use crate::plan::to_remember;
use crate::plan::world::{Amount, TimeUnit, Unread, Whole, World};

const UNREADABLE_TAGS: &str = "! app-0 unreadable-tags: the tags of TrueGul Monthly cannot be read, so it is not known \
    whether it is enforced: ListTagsForResource x: AccessDeniedException: no";

/// AWS refuses to tell the tags of a budget, for now or for good.
fn no_tags(for_now: bool) -> Result<std::collections::BTreeMap<String, String>, Unread> {
    Err(Unread { for_now, why: "ListTagsForResource x: AccessDeniedException: no".into() })
}

/// The one line that says what `world` makes of its budget or its first service.
#[track_caller]
fn says_only(world: &World, expected: &str) {
    let lines = lines(&planned(world, &SWEEP, &now()));
    assert!(lines.iter().any(|it| it == expected), "{lines:#?}");
}

#[test]
fn a_month_in_which_staging_sleeps_from_the_24th_to_the_1st() {
    let mut world = world(9_000, &["sleep-at=100"]);
    let day = |world: World, day: &str, actual: i64, forecast: i64| {
        let mut world = world;
        (world.budgets[0].actual, world.budgets[0].forecast) = (usd(actual), usd(forecast));
        run(world, &SWEEP, &at(day))
    };
    let lines;
    (world, lines) = day(world, "2026-11-10T12:00:00", 9_000, 23_900);
    let quiet = [
        "+ TrueGul Monthly: 30 % of 300 USD are spent (90 USD), 79 % are forecast",
        "+ app-0: it sleeps at 100 %; 30 % of TrueGul Monthly are spent",
    ];
    assert_eq!(lines, quiet);
    let (mut world, lines) = day(world, "2026-11-15T12:00:00", 15_000, 35_400);
    let forecast = "* TrueGul Monthly: 118 % of 300 USD forecast: the forecast has passed 80 %, which only warns";
    assert_eq!(lines[0], forecast);
    let lines_of_20th;
    (world, lines_of_20th) = day(world, "2026-11-20T12:00:00", 24_010, 36_000);
    assert_eq!(lines_of_20th[0], "* TrueGul Monthly: 80 % of 300 USD spent: 80 % of the limit is passed");
    assert!(held(&world).is_empty());
    let (mut world, lines) = day(world, "2026-11-24T12:00:00", 30_472, 36_000);
    assert_eq!(
        lines,
        [
            "* TrueGul Monthly: 101 % of 300 USD spent: 100 % of the limit is passed; nothing sleeps before a second reading, \
             an hour later or more, or AWS's notification confirms it",
            "+ app-0: it sleeps at 100 %; 101 % of TrueGul Monthly are spent, seen once, so a second reading has to confirm it",
        ]
    );
    assert!(held(&world).is_empty());
    let lines;
    (world, lines) = day(world, "2026-11-24T18:00:00", 30_472, 36_000);
    assert_eq!(
        lines,
        [
            "* TrueGul Monthly remember: 101 % of 300 USD are spent (304.72 USD), 120 % are forecast",
            "* app-0 hold: 101 % of TrueGul Monthly are spent, and it sleeps at 100 %; back to its schedule on Tue 2026-12-01 09:00 KST at the latest",
        ]
    );
    let hold = "by=budget:TrueGul_Monthly since=2026-11-24T09:00:00Z";
    assert_eq!(world.resources[0].tags[keys::HOLD_MEMORY], hold);
    let after = memory(&world).unwrap().to_string();
    assert_eq!(after, "period=2026-11-01 limit=300 actual=101 told=101 forecast=118");
    // A credit: what is spent goes down, what sleeps stays.
    let lines;
    (world, lines) = day(world, "2026-11-27T12:00:00", 27_000, 29_000);
    let quiet = [
        "+ TrueGul Monthly: 90 % of 300 USD are spent (270 USD, 101 % at most), 96 % are forecast",
        "+ app-0: held by TrueGul_Monthly since Tue 2026-11-24 18:00 KST",
    ];
    assert_eq!(lines, quiet);
    // The 1st in UTC, as AWS reckons; it still shows the figures of November.
    let (world, lines) = day(world, "2026-12-01T09:17:00", 31_000, 32_000);
    assert_eq!(
        lines,
        [
            "* TrueGul Monthly remember: a new period has begun, and AWS may show the figures of the last one until 2026-12-02 00:00 UTC",
            "* app-0 release: a new period of TrueGul Monthly has begun",
        ]
    );
    assert!(held(&world).is_empty());
    let (world, lines) = day(world, "2026-12-02T09:17:00", 900, 30_000);
    assert_eq!(
        lines[0],
        "* TrueGul Monthly: 100 % of 300 USD forecast: the forecast has passed 80 %, which only warns"
    );
    assert_eq!(
        memory(&world).unwrap().to_string(),
        "period=2026-12-01 limit=300 actual=0 told=0 forecast=100 last=310"
    );
}

#[test]
fn an_instance_and_a_group_are_held_and_released_as_a_service_is() {
    let mut world = world(30_472, &[]);
    world.resources = vec![
        instance("i-1", "sleep-at=100", None),
        group("web", "sleep-at=100"),
        // A group hands its tags on: its instance sleeps with it.
        instance("i-2", "sleep-at=100", Some("web")),
        instance("i-3", "sleep-at=200", None),
    ];
    let (mut world, lines) = run_twice(world, &SWEEP, &now());
    let why = "101 % of TrueGul Monthly are spent, and it sleeps at 100 %; back to its schedule on Tue 2026-12-01 09:00 KST at the latest";
    for line in [
        &format!("* web hold: {why}"),
        &format!("* i-1 hold: {why}"),
        "+ i-2: it belongs to the Auto Scaling group web, which sleeps as a whole",
        "+ i-3: it sleeps at 200 %; 101 % of TrueGul Monthly are spent",
    ] {
        assert!(lines.iter().any(|it| it.starts_with(line)), "{line} is missing in {lines:#?}");
    }
    assert_eq!(held(&world), ["shop", "web"]);
    // A person keeps the instance awake, which outranks the budget; the group stays until the period ends.
    world.resources[0].tags.insert(keys::AWAKE_UNTIL.into(), "2026-11-25T20:00".into());
    let (mut world, _) = run(world, &SWEEP, &now());
    assert_eq!(held(&world), ["web"]);
    world.budgets[0].actual = usd(0);
    let (world, _) = run(world, &SWEEP, &at("2026-12-02T12:00:00"));
    assert!(held(&world).is_empty());
}

#[test]
fn each_sleeps_at_its_own_percent_and_one_tagged_later_with_the_next_sweep() {
    let (mut world, _) = run_twice(world(27_300, &["sleep-at=90", "sleep-at=100"]), &SWEEP, &now());
    assert_eq!(held(&world), ["app-0"]);
    assert_eq!(memory(&world).unwrap().actual, 91);
    world.resources.push(service("late", "sleep-at=90"));
    let (mut world, lines) = run(world, &SWEEP, &now());
    assert_eq!(held(&world), ["app-0", "late"]);
    assert_eq!(lines.iter().filter(|it| it.starts_with('*')).count(), 1, "{lines:?}");
    world.budgets[0].actual = usd(30_000);
    let (world, _) = run(world, &SWEEP, &now());
    let (world, _) = run(world, &SWEEP, &at("2026-11-24T18:00:00"));
    assert_eq!(held(&world), ["app-0", "app-1", "late"]);
}

#[test]
fn a_raised_limit_releases_and_begins_anew_and_a_lowered_one_only_adds() {
    let (mut world, _) = run_twice(world(30_472, &["sleep-at=100"]), &SWEEP, &now());
    assert_eq!(held(&world), ["app-0"]);
    let later = at("2026-11-25T12:00:00");
    world.budgets[0].limit = usd(40_000);
    let (mut raised, lines) = run(world.clone(), &SWEEP, &later);
    assert_eq!(
        lines[0],
        "* TrueGul Monthly: limit raised to 400 USD, 76 % spent: the limit was 300, and what is spent counts from now on"
    );
    assert_eq!(lines[1], "* app-0 release: the limit of TrueGul Monthly was raised");
    raised.budgets[0].actual = usd(33_000);
    let (raised, lines) = run(raised, &SWEEP, &at("2026-11-26T12:00:00"));
    assert_eq!(lines[0], "* TrueGul Monthly: 82 % of 400 USD spent: 80 % of the limit is passed");
    assert!(held(&raised).is_empty());
    // Raised, but not far enough: it sleeps on.
    world.budgets[0].limit = usd(30_100);
    let (mut world, lines) = run(world, &SWEEP, &later);
    assert!(lines.contains(&"+ app-0: held by TrueGul_Monthly since Tue 2026-11-24 12:00 KST".into()), "{lines:?}");
    world.budgets[0].limit = usd(10_000);
    let (world, lines) = run(world, &SWEEP, &later);
    assert_eq!(lines[0], "+ TrueGul Monthly: 304 % of 100 USD are spent (304.72 USD), there is no forecast yet");
    assert_eq!(held(&world), ["app-0"]);
}

#[test]
fn a_limit_that_aws_moves_by_itself_releases_nothing() {
    let mut world = world(30_472, &["sleep-at=100"]);
    world.budgets[0].adjusts_itself = true;
    let (mut world, _) = run_twice(world, &SWEEP, &now());
    world.budgets[0].limit = usd(40_000);
    let (world, lines) = run(world, &SWEEP, &at("2026-11-25T12:00:00"));
    assert!(lines.iter().all(|it| it.starts_with('+')), "{lines:?}");
    assert_eq!(held(&world), ["app-0"]);
}

#[test]
fn a_person_releases_and_nothing_is_held_again_in_that_period() {
    let (world, _) = run_twice(world(30_472, &["sleep-at=100"]), &SWEEP, &now());
    let later = at("2026-11-24T18:00:00");
    for name in ["TrueGul Monthly", "TrueGul_Monthly"] {
        let (world, lines) = run(world.clone(), &Wake::Release(name), &later);
        let released = "* TrueGul Monthly: holds nothing any more until 2026-12-01: \
                        a person asked for it; nothing is put to sleep for this budget before Tue 2026-12-01 09:00 KST";
        assert_eq!(lines[0], released);
        assert_eq!(
            lines[1],
            "* app-0 release: a person released what TrueGul Monthly holds on Tue 2026-11-24 18:00 KST"
        );
        let (mut world, lines) = run(world, &Wake::Release(name), &later);
        assert!(
            lines.contains(&"+ TrueGul Monthly: what it held was released on Tue 2026-11-24 18:00 KST already".into())
        );
        world.budgets[0].actual = usd(45_000);
        let (world, lines) = run(world, &SWEEP, &at("2026-11-25T12:00:00"));
        assert!(held(&world).is_empty(), "{lines:?}");
        let mut world = world;
        world.budgets[0].actual = usd(46_000);
        let (mut world, lines) = run_twice(world, &SWEEP, &at("2026-12-02T12:00:00"));
        assert_eq!(held(&world), ["app-0"], "{lines:?}");
        world.budgets[0].limit = usd(50_000);
        let (world, _) = run(world, &SWEEP, &at("2026-12-03T12:00:00"));
        assert!(held(&world).is_empty());
    }
    let steps = planned(&world, &Wake::Release(NAME), &later).steps;
    let undo = "aws budgets untag-resource --resource-arn 'arn:aws:budgets::123456789012:budget/TrueGul Monthly' \
                --resource-tag-keys nightshift-state:warned";
    assert_eq!(steps[0].step.undo().unwrap().command_line("x", None), undo);
}

#[test]
fn a_hold_says_how_it_is_undone() {
    let world = world(30_472, &["sleep-at=100"]);
    let steps = planned(&world, &says(Kind::Actual, NAME, 30_472), &now()).steps;
    let undo = steps[1].step.undo().unwrap().command_line("nightshift-enforce-budget", None);
    assert!(undo.starts_with("printf %s '{\"release\":{\"budget\":\"TrueGul Monthly\"},"), "{undo}");
}

#[test]
fn a_release_of_what_holds_nothing_is_answered() {
    let mut world = world(30_472, &["sleep-at=100"]);
    let answer = |world: &World, name: &'static str| planned(world, &Wake::Release(name), &now()).refused.unwrap();
    let unknown = "there is no budget 'Monthly'; enforced are: TrueGul Monthly";
    assert_eq!(answer(&world, "Monthly"), unknown);
    world.budgets[0].tags = Ok(Default::default());
    assert_eq!(answer(&world, NAME), "'TrueGul Monthly' holds nothing: it has no tag nightshift:budget");
    world.budgets[0].tags = no_tags(false);
    let stuck = "nothing of 'TrueGul Monthly' can be released before this is fixed: \
                 its tags cannot be read: ListTagsForResource x: AccessDeniedException: no";
    assert_eq!(answer(&world, NAME), stuck);
}

#[test]
fn a_run_that_died_before_it_told_tells_again_and_holds_on() {
    let world = world(30_472, &["sleep-at=100"]);
    let notified = says(Kind::Actual, NAME, 30_472);
    let first = planned(&world, &notified, &now());
    let mut world = applied_in_part(&first, world, |_| true, false);
    let memory = memory(&world).unwrap().to_string();
    assert_eq!(memory, "period=2026-11-01 limit=300 actual=101 told=0 forecast=0");
    world.budgets[0].actual = usd(10);
    let (world, lines) = run(world, &SWEEP, &now());
    assert_eq!(lines[0], "* TrueGul Monthly: 101 % of 300 USD spent: 80 % and 100 % of the limit are passed");
    assert_eq!(held(&world), ["app-0"]);
    assert_eq!(to_remember(&first).len(), 1);
}

#[test]
fn a_hold_whose_reason_is_gone_is_released() {
    let held_world = || run_twice(world(30_472, &["sleep-at=100"]), &SWEEP, &now()).0;
    let release = |world: World| run(world, &SWEEP, &now()).1.into_iter().find(|it| it.starts_with("* app-0")).unwrap();
    let mut world = held_world();
    world.budgets.clear();
    assert_eq!(release(world), "* app-0 release: there is no budget TrueGul_Monthly any more");
    let mut world = held_world();
    world.budgets[0].tags = Ok(Default::default());
    let off = "* app-0 release: TrueGul Monthly is not enforced: it has no tag nightshift:budget";
    assert_eq!(release(world), off);
    let mut world = held_world();
    world.resources[0].tags.insert(keys::BUDGET.into(), "sleep-at=120".into());
    let more = "* app-0 release: 101 % of TrueGul Monthly are spent, and its tag nightshift:budget says more";
    assert_eq!(release(world), more);
    let mut world = held_world();
    world.resources[0].tags.insert(keys::BUDGET.into(), "sleep-at=100 budget=Other".into());
    assert_eq!(release(world), "* app-0 release: its tag nightshift:budget is about another budget");
    // One that cannot be judged keeps what it holds.
    let mut world = held_world();
    world.budgets[0].tags = no_tags(false);
    says_only(&world, UNREADABLE_TAGS);
    assert_eq!(planned(&world, &SWEEP, &now()).steps, []);
}

#[test]
fn another_budget_that_is_spent_takes_over() {
    let mut both = world(30_472, &["sleep-at=100"]);
    both.budgets.push(budget("Year", 30_472));
    both.budgets[1].unit = TimeUnit::Annually;
    let (world, _) = run_twice(both, &SWEEP, &now());
    assert!(world.resources[0].tags[keys::HOLD_MEMORY].starts_with("by=budget:TrueGul_Monthly "));
    let (world, lines) = run(world, &SWEEP, &at("2026-12-01T10:00:00"));
    assert_eq!(
        lines[1],
        "* app-0 hold: 101 % of Year are spent, and it sleeps at 100 %; back to its schedule on Fri 2027-01-01 09:00 KST at the latest"
    );
    assert_eq!(world.resources[0].tags[keys::HOLD_MEMORY], "by=budget:Year since=2026-12-01T01:00:00Z");
}

#[test]
fn a_hold_that_was_left_behind_is_told_on_its_budget_which_remembers_that() {
    let (mut world, _) = run_twice(world(30_472, &["sleep-at=100"]), &SWEEP, &now());
    world.resources[0].tags.remove(keys::BUDGET);
    says_only(
        &world,
        "! TrueGul Monthly left-behind: staging/app-0 stays asleep: it has lost its tag nightshift:budget; budget:TrueGul_Monthly holds it, and without that tag nothing releases it: put the tag back, or remove the tag nightshift-state:hold",
    );
    let plan = planned(&world, &SWEEP, &now());
    let problem = plan.problems.iter().find(|it| it.problem == "left-behind").unwrap();
    assert!(plan.remembered.contains_key(&problem.resource), "else it is told at every sweep");
    // Without its budget nothing can remember that, and it is told all the same.
    world.budgets.clear();
    let lines = lines(&planned(&world, &SWEEP, &now()));
    assert!(lines[0].starts_with("! app-0 left-behind: staging/app-0 stays asleep: "), "{lines:#?}");
}

#[test]
fn a_limit_that_is_lowered_and_raised_again_frees_what_was_held() {
    let (mut world, _) = run(world(15_000, &["sleep-at=100"]), &SWEEP, &now());
    world.budgets[0].limit = usd(3_000);
    let (mut world, _) = run_twice(world, &SWEEP, &at("2026-11-24T18:00:00"));
    assert_eq!(held(&world).len(), 1);
    world.budgets[0].limit = usd(30_000);
    let (world, lines) = run(world, &SWEEP, &at("2026-11-25T00:00:00"));
    assert!(held(&world).is_empty(), "{lines:#?}");
    assert!(
        lines[0].starts_with("* TrueGul Monthly: limit raised to 300 USD, 50 % spent: the limit was 30, "),
        "{lines:#?}"
    );
}

#[test]
fn what_a_person_keeps_awake_is_not_held_before_that_is_over() {
    let mut kept = world(30_472, &["sleep-at=100"]);
    kept.resources[0].tags.insert(keys::AWAKE_UNTIL.into(), "2026-11-24T20:00".into());
    let (kept, lines) = run_twice(kept, &SWEEP, &now());
    assert_eq!(
        lines[1],
        "+ app-0: 101 % of TrueGul Monthly are spent, but a person keeps it awake until Tue 2026-11-24 20:00 KST"
    );
    let (mut held_now, _) = run(kept, &SWEEP, &at("2026-11-24T20:00:00"));
    assert_eq!(held(&held_now), ["app-0"]);
    // A person's word ends a hold as well.
    held_now.resources[0].tags.insert(keys::AWAKE_UNTIL.into(), "2026-11-25T20:00".into());
    let (free, lines) = run(held_now, &SWEEP, &at("2026-11-24T21:00:00"));
    assert!(
        lines.contains(&"* app-0 release: a person keeps it awake until Wed 2026-11-25 20:00 KST".into()),
        "{lines:#?}"
    );
    assert!(held(&free).is_empty());
}
