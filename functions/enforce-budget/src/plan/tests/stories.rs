//! A month of a budget, and each state that it and what is expendable can be in, in the words that people read.

use reconcile::Step as _;
use rules::budget::Money;
use rules::keys;

use super::model::*;
use crate::plan::{Amount, Step, TimeUnit, World, plan, told};
use crate::request::{Kind, Notice, Request, Said};

const SWEEP: Request = Request::Everything;

/// The one line that says what `world` makes of its budget or its first service.
#[track_caller]
fn says_only(world: &World, expected: &str) {
    let lines = lines(&plan(world, &SWEEP, &own(), &now()));
    assert!(lines.iter().any(|it| it == expected), "{lines:#?}");
}

#[test]
fn how_far_an_enforced_budget_has_come_is_measured() {
    let measured = |world: &World| -> Vec<(&str, Option<String>, f64)> {
        let measures = plan(world, &SWEEP, &own(), &now()).measures;
        measures.into_iter().map(|it| (it.metric, it.of, it.value)).collect()
    };
    let mut world = world(15_000, &[]);
    world.budgets[0].forecast = usd(35_400);
    let name = || Some("TrueGul Monthly".to_owned());
    let figures = [("BudgetSpentPercent", name(), 50.0), ("BudgetForecastPercent", name(), 118.0)];
    assert_eq!(measured(&world), figures);
    world.budgets[0].forecast = None;
    assert_eq!(measured(&world), figures[..1]);
    world.budgets[0].name = "트루글 월간".into();
    assert_eq!(measured(&world), [], "CloudWatch would drop it without a word");
    world.budgets[0].tags = Ok([].into());
    assert_eq!(measured(&world), [], "nobody enforces it");
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
            "* TrueGul Monthly: 101 % of 300 USD spent, 1 put to sleep: 100 % of the limit is passed",
            "* app-0 hold: 101 % of TrueGul Monthly are spent, and it sleeps at 100 %; back to its schedule on 2026-12-01 09:00 at the latest",
        ]
    );
    let hold = "by=budget:TrueGul_Monthly since=2026-11-24T03:00:00Z";
    assert_eq!(world.resources[0].tags[keys::HOLD_MEMORY], hold);
    let after = memory(&world).unwrap().to_string();
    assert_eq!(after, "period=2026-11-01 limit=300 actual=101 told=101 forecast=118");
    // A credit: what is spent goes down, what sleeps stays.
    let lines;
    (world, lines) = day(world, "2026-11-27T12:00:00", 27_000, 29_000);
    let quiet = [
        "+ TrueGul Monthly: 90 % of 300 USD are spent (270 USD, 101 % at most), 96 % are forecast",
        "+ app-0: held by TrueGul_Monthly since 2026-11-24 12:00",
    ];
    assert_eq!(lines, quiet);
    // The 1st in UTC, as AWS reckons; it still shows the figures of November.
    let (world, lines) = day(world, "2026-12-01T09:17:00", 31_000, 32_000);
    assert_eq!(
        lines,
        [
            "* app-0 release: a new period of TrueGul Monthly has begun",
            "+ TrueGul Monthly: a new period has begun, and AWS may show the figures of the last one until 2026-12-02 00:00 UTC",
        ]
    );
    assert!(held(&world).is_empty());
    let (world, lines) = day(world, "2026-12-02T09:17:00", 900, 30_000);
    assert_eq!(
        lines[0],
        "* TrueGul Monthly: 100 % of 300 USD forecast: the forecast has passed 80 %, which only warns"
    );
    assert_eq!(memory(&world).unwrap().to_string(), "period=2026-12-01 limit=300 actual=0 told=0 forecast=100");
}

#[test]
fn each_sleeps_at_its_own_percent_and_one_tagged_later_with_the_next_sweep() {
    let (mut world, _) = run(world(27_300, &["sleep-at=90", "sleep-at=100"]), &SWEEP, &now());
    assert_eq!(held(&world), ["app-0"]);
    assert_eq!(memory(&world).unwrap().actual, 91);
    world.resources.push(service("late", "sleep-at=90"));
    let (mut world, lines) = run(world, &SWEEP, &now());
    assert_eq!(held(&world), ["app-0", "late"]);
    assert_eq!(lines.iter().filter(|it| it.starts_with('*')).count(), 1, "{lines:?}");
    world.budgets[0].actual = usd(30_000);
    let (world, _) = run(world, &SWEEP, &now());
    assert_eq!(held(&world), ["app-0", "app-1", "late"]);
}

#[test]
fn a_raised_limit_releases_and_begins_anew_and_a_lowered_one_only_adds() {
    let (mut world, _) = run(world(30_472, &["sleep-at=100"]), &SWEEP, &now());
    assert_eq!(held(&world), ["app-0"]);
    let later = at("2026-11-25T12:00:00");
    world.budgets[0].limit = usd(40_000);
    let (mut raised, lines) = run(world.clone(), &SWEEP, &later);
    assert_eq!(
        lines[0],
        "* TrueGul Monthly: limit raised to 400 USD, 76 % spent: the limit was 300, and is reckoned anew from now on"
    );
    assert_eq!(lines[1], "* app-0 release: the limit of TrueGul Monthly was raised");
    raised.budgets[0].actual = usd(33_000);
    let (raised, lines) = run(raised, &SWEEP, &at("2026-11-26T12:00:00"));
    assert_eq!(lines[0], "* TrueGul Monthly: 82 % of 400 USD spent: 80 % of the limit is passed");
    assert!(held(&raised).is_empty());
    // Raised, but not far enough: it sleeps on.
    world.budgets[0].limit = usd(30_100);
    let (mut world, lines) = run(world, &SWEEP, &later);
    assert!(lines.contains(&"+ app-0: held by TrueGul_Monthly since 2026-11-24 12:00".into()), "{lines:?}");
    world.budgets[0].limit = usd(10_000);
    let (world, lines) = run(world, &SWEEP, &later);
    assert_eq!(lines[0], "+ TrueGul Monthly: 304 % of 100 USD are spent (304.72 USD), there is no forecast yet");
    assert_eq!(held(&world), ["app-0"]);
}

#[test]
fn a_limit_that_aws_moves_by_itself_releases_nothing() {
    let mut world = world(30_472, &["sleep-at=100"]);
    world.budgets[0].adjusts_itself = true;
    let (mut world, _) = run(world, &SWEEP, &now());
    world.budgets[0].limit = usd(40_000);
    let (world, lines) = run(world, &SWEEP, &at("2026-11-25T12:00:00"));
    assert!(lines.iter().all(|it| it.starts_with('+')), "{lines:?}");
    assert_eq!(held(&world), ["app-0"]);
}

#[test]
fn a_person_releases_and_nothing_is_held_again_in_that_period() {
    let (world, _) = run(world(30_472, &["sleep-at=100"]), &SWEEP, &now());
    let later = at("2026-11-24T18:00:00");
    for name in ["TrueGul Monthly", "TrueGul_Monthly"] {
        let (world, lines) = run(world.clone(), &Request::Release(name.into()), &later);
        let released = "* TrueGul Monthly: holds nothing any more until 2026-12-01: \
                        a person asked for it; nothing is put to sleep for this budget before 2026-12-01 09:00";
        assert_eq!(lines[0], released);
        assert_eq!(lines[1], "* app-0 release: a person released what TrueGul Monthly holds on 2026-11-24 18:00");
        let (mut world, lines) = run(world, &Request::Release(name.into()), &later);
        assert!(lines.contains(&"+ TrueGul Monthly: what it held was released on 2026-11-24 18:00 already".into()));
        world.budgets[0].actual = usd(45_000);
        let (world, lines) = run(world, &SWEEP, &at("2026-11-25T12:00:00"));
        assert!(held(&world).is_empty(), "{lines:?}");
        let (mut world, lines) = run(world, &SWEEP, &at("2026-12-02T12:00:00"));
        assert_eq!(held(&world), ["app-0"], "{lines:?}");
        world.budgets[0].limit = usd(50_000);
        let (world, _) = run(world, &SWEEP, &at("2026-12-03T12:00:00"));
        assert!(held(&world).is_empty());
    }
    let steps = plan(&world, &Request::Release(NAME.into()), &own(), &later).steps;
    let undo = "aws budgets untag-resource --resource-arn 'arn:aws:budgets::123456789012:budget/TrueGul Monthly' \
                --resource-tag-keys nightshift-state:warned";
    assert_eq!(steps[0].step.undo().unwrap().command_line("x"), undo);
}

#[test]
fn a_hold_says_how_it_is_undone() {
    let world = world(30_472, &["sleep-at=100"]);
    let steps = plan(&world, &SWEEP, &own(), &now()).steps;
    let undo = steps[1].step.undo().unwrap().command_line("nightshift-enforce-budget");
    assert!(undo.contains("--payload '{\"release\":{\"budget\":\"TrueGul Monthly\"}}'"), "{undo}");
}

#[test]
fn a_release_of_what_holds_nothing_is_answered() {
    let mut world = world(30_472, &["sleep-at=100"]);
    let answer = |world: &World, name: &str| {
        let lines = lines(&plan(world, &Request::Release(name.into()), &own(), &now()));
        lines.into_iter().find(|it| it.starts_with('!')).unwrap()
    };
    let unknown = "! Monthly no-such-budget: there is no budget 'Monthly'; enforced are: TrueGul Monthly";
    assert_eq!(answer(&world, "Monthly"), unknown);
    world.budgets[0].tags = Ok(Default::default());
    assert_eq!(
        answer(&world, NAME),
        "! TrueGul Monthly not-enforced: it holds nothing: it has no tag nightshift:budget"
    );
    world.budgets[0].tags = Err("AccessDenied".into());
    let stuck = "! TrueGul Monthly not-releasable: nothing of it can be released before this is mended: \
                 its tags cannot be read: AccessDenied";
    let all = lines(&plan(&world, &Request::Release(NAME.into()), &own(), &now()));
    assert!(all.contains(&stuck.to_owned()), "{all:#?}");
}

#[test]
fn a_run_that_died_before_it_told_tells_again_and_holds_on() {
    let world = world(30_472, &["sleep-at=100"]);
    let first = plan(&world, &SWEEP, &own(), &now());
    let mut world = applied_in_part(&first, world, |_| true, false);
    assert_eq!(memory(&world).unwrap().to_string(), "period=2026-11-01 limit=300 actual=101 told=0 forecast=0");
    world.budgets[0].actual = usd(10);
    let (world, lines) = run(world, &SWEEP, &now());
    assert_eq!(lines[0], "* TrueGul Monthly: 101 % of 300 USD spent: 80 % and 100 % of the limit are passed");
    assert_eq!(held(&world), ["app-0"]);
    assert_eq!(told(&first).len(), 1);
}

#[test]
fn what_cannot_be_reckoned_with_holds_nothing_and_says_why() {
    let spent = || world(30_472, &["sleep-at=100"]);
    let mut all = vec![spent(); 9];
    all[0].budgets[0].kind = "USAGE".into();
    all[1].budgets[0].kind = "RI_COVERAGE".into();
    all[2].budgets[0].limit = None;
    all[3].budgets[0].limit = usd(0);
    all[4].budgets[0].limit = Some(Amount { money: Money::cents(40_000_000), currency: "KRW".into() });
    all[5].budgets[0].tags = Err("ListTagsForResource x: AccessDeniedException: no".into());
    all[6].budgets[0].tags.as_mut().unwrap().insert(keys::BUDGET.into(), "enforced".into());
    all[7].budgets[0].unhealthy = Some("billing_view_no_access".into());
    all[8].budgets[0].tags.as_mut().unwrap().insert(keys::WARNED.into(), "yes".into());
    for (world, message) in all.iter().zip([
        "not-enforceable: it is a usage budget, and only cost budgets are enforced: remove its tag",
        "not-enforceable: it is a ri coverage budget, and only cost budgets are enforced: remove its tag",
        "no-limit: it has no limit, so nothing can be reckoned: give it one",
        "no-limit: its limit is 0 USD, of which there are no percent: raise it",
        "mixed-currencies: its limit is in KRW, its figures are in USD: set the limit anew",
        "unreadable-tags: its tags cannot be read: ListTagsForResource x: AccessDeniedException: no",
        "bad-tag: nightshift:budget: unknown word 'enforced' in 'enforced'; did you mean 'enforce'? accepted: enforce",
        "outdated-figures: AWS says that its figures are out of date: billing_view_no_access",
        "unreadable-memory: nightshift-state:warned: no option 'period' in 'yes'; accepted: period=2026-11-01; \
         remove the tag, and what has been told in this period is told again",
    ]) {
        says_only(world, &format!("! TrueGul Monthly {message}"));
        assert_eq!(plan(world, &SWEEP, &own(), &now()).steps, [], "{message}");
    }
}

#[test]
fn what_is_no_fault_is_left_alone_with_a_reason() {
    let mut world = world(-4_000, &["sleep-at=100"]);
    says_only(&world, "+ TrueGul Monthly: 0 % of 300 USD are spent (-40 USD), there is no forecast yet");
    world.budgets[0].actual = None;
    says_only(&world, "+ TrueGul Monthly: AWS has no figures for it yet");
    says_only(&world, "+ app-0: it sleeps at 100 %; no figure counts now");
    world.budgets[0].starts = Some(instant("2027-01-01T00:00:00Z"));
    says_only(&world, "+ TrueGul Monthly: it begins on 2027-01-01");
    world.budgets[0].starts = None;
    world.budgets[0].ends = Some(instant("2026-11-24T00:00:00Z"));
    says_only(&world, "+ TrueGul Monthly: it ended on 2026-11-24");
    world.budgets[0].tags = Ok(Default::default());
    says_only(&world, "+ TrueGul Monthly: it has no tag nightshift:budget");
}

#[test]
fn a_planned_limit_counts_for_its_own_month() {
    let mut world = world(30_472, &["sleep-at=100"]);
    let planned = |start: &str, cents| (instant(start), usd(cents).unwrap());
    world.budgets[0].limit = None;
    world.budgets[0].planned = [
        planned("2026-10-01T00:00:00Z", 10_000),
        planned("2026-11-01T00:00:00Z", 60_000),
        planned("2026-12-01T00:00:00Z", 20_000),
    ]
    .into();
    says_only(&world, "+ TrueGul Monthly: 50 % of 600 USD are spent (304.72 USD), there is no forecast yet");
}

#[test]
fn the_period_is_that_of_aws_in_utc() {
    let period = |unit: TimeUnit, starts: Option<&str>, ends: Option<&str>, now: &str| {
        let mut world = world(30_472, &[]);
        let budget = &mut world.budgets[0];
        (budget.unit, budget.starts, budget.ends) = (unit, starts.map(instant), ends.map(instant));
        let plan = plan(&world, &SWEEP, &own(), &at(now));
        let Some(Step::Tell(tell)) = plan.steps.first().map(|it| &it.step) else { return lines(&plan).remove(0) };
        tell.after["period"].as_str().unwrap().to_owned()
    };
    for (unit, now, expected) in [
        (TimeUnit::Daily, "2026-11-24T23:00:00", "2026-11-24 to 2026-11-25 (UTC)"),
        (TimeUnit::Monthly, "2026-11-24T12:00:00", "2026-11-01 to 2026-12-01 (UTC)"),
        // Not yet December where AWS reckons.
        (TimeUnit::Monthly, "2026-12-01T08:59:00", "2026-11-01 to 2026-12-01 (UTC)"),
        (TimeUnit::Quarterly, "2026-11-24T12:00:00", "2026-10-01 to 2027-01-01 (UTC)"),
        (TimeUnit::Annually, "2026-11-24T12:00:00", "2026-01-01 to 2027-01-01 (UTC)"),
        (
            TimeUnit::Custom,
            "2026-11-24T12:00:00",
            "! TrueGul Monthly unclear-period: it has a period of its own, but AWS tells no start or no end of it",
        ),
        (
            TimeUnit::Unknown("HOURLY".into()),
            "2026-11-24T12:00:00",
            "! TrueGul Monthly unclear-period: its period is HOURLY, which this version does not know: remove its tag",
        ),
        (
            TimeUnit::Daily,
            "2026-11-24T20:59:00",
            "+ TrueGul Monthly: a new period has begun, and AWS may show the figures of the last one until 2026-11-24 12:00 UTC",
        ),
    ] {
        assert_eq!(period(unit, None, None, now), expected, "{now}");
    }
    let custom = (Some("2026-11-10T00:00:00Z"), Some("2027-02-10T00:00:00Z"));
    let whole = "2026-11-10 to 2027-02-10 (UTC)";
    assert_eq!(period(TimeUnit::Custom, custom.0, custom.1, "2026-11-11T01:00:00"), whole);
    // Its first period has none before it, whose figures could be shown.
    let first = "2026-11-24 to 2026-12-01 (UTC)";
    assert_eq!(period(TimeUnit::Monthly, Some("2026-11-24T00:00:00Z"), None, "2026-11-24T10:00:00"), first);
}

#[test]
fn names_that_are_the_same_in_tags_are_told_and_neither_budget_acts() {
    let mut world = world(30_472, &["sleep-at=100"]);
    world.budgets.push(budget("TrueGul_Monthly", 30_472));
    let told = "'TrueGul Monthly' and 'TrueGul_Monthly' are both TrueGul_Monthly in tags: rename one";
    says_only(&world, &format!("! TrueGul Monthly same-tag-name: {told}"));
    assert_eq!(plan(&world, &SWEEP, &own(), &now()).steps, []);
    // One that is not enforced is in nobody's way.
    world.budgets[1].tags = Ok(Default::default());
    assert_eq!(plan(&world, &SWEEP, &own(), &now()).steps.len(), 2);
}

#[test]
fn what_lacks_a_schedule_is_told_before_the_money_is_spent() {
    for cents in [0, 30_472] {
        let mut world = world(cents, &["sleep-at=100"]);
        world.resources[0].tags.remove(keys::SCHEDULE);
        let lines = lines(&plan(&world, &SWEEP, &own(), &now()));
        let told = "! app-0 no-schedule: no budget can put it to sleep without the tag nightshift:schedule; \
                    give it one, such as nightshift:schedule=always, which leaves it awake otherwise";
        assert_eq!(lines.last().unwrap(), told);
        assert!(!lines.iter().any(|it| it.contains(" hold: ")), "{lines:?}");
    }
    // What is held is released all the same.
    let (mut world, _) = run(world(30_472, &["sleep-at=100"]), &SWEEP, &now());
    world.resources[0].tags.remove(keys::SCHEDULE);
    let (world, _) = run(world, &SWEEP, &at("2026-12-01T10:00:00"));
    assert!(held(&world).is_empty());
}

#[test]
fn what_is_wrong_with_what_is_expendable_is_told_with_the_remedy() {
    let mut world = world(0, &["sleep-at=100 budget=Monthly"]);
    says_only(
        &world,
        "! app-0 no-such-budget: no enforced budget is called Monthly in tags; there is: TrueGul_Monthly",
    );
    world.resources[0] = service("app-0", "sleep-at=100");
    world.resources[0].member_of = Some("kfood".into());
    says_only(
        &world,
        "! app-0 member-instance: it is a member of the DB cluster kfood, which sleeps as a whole: move the tag nightshift:budget to the cluster",
    );
    world.resources[0] = service("app-0", "sleep-at=100");
    world.resources[0].tags.insert(keys::HOLD_MEMORY.into(), "yes".into());
    says_only(
        &world,
        "! app-0 unreadable-hold: nightshift-state:hold: no option 'by' in 'yes'; accepted: by=budget:NAME; remove the tag, and it is decided anew",
    );
    world.resources[0] = service("app-0", "sleep-at=100");
    world.resources[0].tags.insert(keys::HOLD_MEMORY.into(), "by=alarm:cpu since=2026-11-20T00:00:00Z".into());
    says_only(&world, "+ app-0: it is held by alarm:cpu already");
    world.resources[0] = service("app-0", "sleep-at=100");
    world.budgets.clear();
    says_only(
        &world,
        "! app-0 no-budget: no budget of the account is enforced: tag one with nightshift:budget=enforce",
    );
}

#[test]
fn a_hold_whose_reason_is_gone_is_released() {
    let held_world = || run(world(30_472, &["sleep-at=100"]), &SWEEP, &now()).0;
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
    world.budgets[0].tags = Err("no".into());
    says_only(&world, "! TrueGul Monthly unreadable-tags: its tags cannot be read: no");
    assert_eq!(plan(&world, &SWEEP, &own(), &now()).steps, []);
}

#[test]
fn another_budget_that_is_spent_takes_over() {
    let mut both = world(30_472, &["sleep-at=100"]);
    both.budgets.push(budget("Year", 30_472));
    both.budgets[1].unit = TimeUnit::Annually;
    let (world, _) = run(both, &SWEEP, &now());
    assert!(world.resources[0].tags[keys::HOLD_MEMORY].starts_with("by=budget:TrueGul_Monthly "));
    let (world, lines) = run(world, &SWEEP, &at("2026-12-01T10:00:00"));
    assert_eq!(
        lines[0],
        "* app-0 hold: 101 % of Year are spent, and it sleeps at 100 %; back to its schedule on 2027-01-01 09:00 at the latest"
    );
    assert_eq!(world.resources[0].tags[keys::HOLD_MEMORY], "by=budget:Year since=2026-12-01T01:00:00Z");
}

#[test]
fn a_hold_that_was_left_behind_is_told_on_its_budget_which_remembers_that() {
    let (mut world, _) = run(world(30_472, &["sleep-at=100"]), &SWEEP, &now());
    world.resources[0].tags.remove(keys::BUDGET);
    says_only(
        &world,
        "! TrueGul Monthly left-behind: staging/app-0 is held by budget:TrueGul_Monthly, but has no tag nightshift:budget any more, so that it is not this function's to release: put the tag back, or remove the tag nightshift-state:hold",
    );
    let plan = plan(&world, &SWEEP, &own(), &now());
    let problem = plan.problems.iter().find(|it| it.problem == "left-behind").unwrap();
    assert!(plan.remembered.contains_key(&problem.resource), "else it is told at every sweep");
    // Without its budget nothing can remember that, and it is told all the same.
    world.budgets.clear();
    let lines = lines(&crate::plan::plan(&world, &SWEEP, &own(), &now()));
    assert!(lines[0].starts_with("! app-0 left-behind: staging/app-0 is held by"), "{lines:#?}");
}

#[test]
fn a_notification_is_believed_nothing_and_what_is_odd_about_it_is_told() {
    let mut world = world(9_000, &["sleep-at=100"]);
    let told = |world: &World, request: Request| {
        let plan = plan(world, &request, &own(), &now());
        assert_eq!(plan.steps, []);
        lines(&plan).into_iter().filter(|it| it.starts_with('!')).collect::<Vec<_>>()
    };
    assert_eq!(told(&world, says(Kind::Actual, NAME, 9_000)), Vec::<String>::new());
    let forged = "! TrueGul Monthly unconfirmed: a notification says 999 spent, AWS Budgets says 90 USD, and that counts; \
                  it is forged, or the figures went down";
    assert_eq!(told(&world, says(Kind::Actual, NAME, 99_900)), [forged]);
    let forecast = told(&world, says(Kind::Forecast, NAME, 99_900));
    assert!(forecast[0].contains("says 999 forecast, AWS Budgets says no figure"), "{forecast:?}");
    let unknown = told(&world, says(Kind::Actual, "Nobody's", 99_900));
    assert!(
        unknown[0].contains("no-such-budget: a notification speaks of the budget 'Nobody's', which does not exist")
    );
    let notice = |change: &dyn Fn(&mut Notice)| {
        let Request::Heard(mut notices) = says(Kind::Actual, NAME, 99_900) else { panic!("a notice") };
        change(&mut notices[0]);
        told(&world, Request::Heard(notices)).remove(0)
    };
    let topic = notice(&|it| it.topic = "arn:aws:sns:ap-northeast-2:123456789012:other".into());
    assert!(topic.contains(" foreign-topic: a notification 'AWS Budgets' came through this topic"), "{topic}");
    let account = notice(&|it| {
        let Said::Budget { account, .. } = &mut it.said else { return };
        *account = Some("210987654321".into());
    });
    let expected = " foreign-account: a notification speaks of the budget 'TrueGul Monthly' of account 210987654321, not 123456789012";
    assert!(account.contains(expected), "{account}");
    let unclear = notice(&|it| it.said = Said::Unclear("Hello".into()));
    assert!(unclear.contains(" unclear-notification: "), "{unclear}");
    world.budgets[0].tags = Ok(Default::default());
    let untagged = told(&world, says(Kind::Actual, NAME, 9_000));
    let how = "aws budgets tag-resource --resource-arn 'arn:aws:budgets::123456789012:budget/TrueGul Monthly' --resource-tags Key=nightshift:budget,Value=enforce";
    assert!(untagged[0].contains("not-enforced") && untagged[0].contains(how), "{untagged:?}");
}

#[test]
fn what_aws_would_not_tell_about_is_told_and_what_is_gone_is_not() {
    let mut world = world(0, &[]);
    for why in [None, Some("DescribeServices x: AccessDenied: no".to_owned())] {
        world.unseen.push(crate::plan::Unseen { resource: "arn:x/app".into(), why });
    }
    says_only(&world, "+ app: it no longer exists");
    says_only(&world, "! app unreadable: DescribeServices x: AccessDenied: no");
}
