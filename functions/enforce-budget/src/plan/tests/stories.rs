//! A month of a budget, and each state that it and what is expendable can be in, in the words that people read.

use reconcile::Step as _;
use rules::budget::Money;
use rules::keys;

use super::model::*;
use crate::plan::scope::{Content, Kind, Notification};
use crate::plan::step::Step;
use crate::plan::to_remember;
use crate::plan::world::{Amount, NoTags, TimeUnit, World};

const UNREADABLE_TAGS: &str = "! app-0 unreadable-tags: the tags of TrueGul Monthly cannot be read, so it is not known \
    whether it is enforced: ListTagsForResource x: AccessDeniedException: no";

/// AWS refuses to tell the tags of a budget, for now or for good.
fn no_tags(for_now: bool) -> Result<std::collections::BTreeMap<String, String>, NoTags> {
    Err(NoTags { for_now, why: "ListTagsForResource x: AccessDeniedException: no".into() })
}

/// The one line that says what `world` makes of its budget or its first service.
#[track_caller]
fn says_only(world: &World, expected: &str) {
    let lines = lines(&planned(world, &SWEEP, &now()));
    assert!(lines.iter().any(|it| it == expected), "{lines:#?}");
}

#[test]
fn how_far_an_enforced_budget_has_come_is_measured() {
    let measured = |world: &World| -> Vec<(&str, Option<String>, f64)> {
        let measures = planned(world, &SWEEP, &now()).measures;
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
fn what_cannot_be_reckoned_with_holds_nothing_and_says_why() {
    let spent = || world(30_472, &["sleep-at=100"]);
    let mut all = vec![spent(); 9];
    all[0].budgets[0].kind = "USAGE".into();
    all[1].budgets[0].kind = "RI_COVERAGE".into();
    all[2].budgets[0].limit = None;
    all[3].budgets[0].limit = usd(0);
    all[4].budgets[0].limit = Some(Ok(Amount { money: Money::cents(40_000_000), currency: "KRW".into() }));
    all[5].budgets[0].actual = Some(Err("a lot".into()));
    all[6].budgets[0].tags.as_mut().unwrap().insert(keys::BUDGET.into(), "enforced".into());
    all[7].budgets[0].unhealthy = Some("billing_view_no_access".into());
    all[8].budgets[0].tags.as_mut().unwrap().insert(keys::WARNED.into(), "yes".into());
    for (world, message) in all.iter().zip([
        "not-enforceable: it is a usage budget, and only cost budgets are enforced: remove its tag",
        "not-enforceable: it is a ri coverage budget, and only cost budgets are enforced: remove its tag",
        "no-limit: it has no limit, so nothing can be reckoned: give it one",
        "no-limit: its limit is 0 USD, of which there are no percent: raise it",
        "mixed-currencies: its limit is in KRW, its figures are in USD: set the limit again",
        "unreadable-figure: AWS says 'a lot' of what was spent, which is not an amount that this version can read, so nothing is decided by it",
        "bad-tag: nightshift:budget: unknown word 'enforced' in 'enforced'; did you mean 'enforce'? accepted: enforce",
        "outdated-figures: AWS says that its figures are out of date: billing_view_no_access",
        "unreadable-memory: nightshift-state:warned: no option 'period' in 'yes'; accepted: period=2026-11-01; \
         remove the tag, and what has been told in this period is told again",
    ]) {
        says_only(world, &format!("! TrueGul Monthly {message}"));
        assert_eq!(planned(world, &SWEEP, &now()).steps, [], "{message}");
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
        let plan = planned(&world, &SWEEP, &at(now));
        let Some(Step::Tell(tell)) = plan.steps.first().map(|it| &it.step) else { return lines(&plan).remove(0) };
        tell.after["period"].as_str().unwrap().to_owned()
    };
    for (unit, now, expected) in [
        (
            TimeUnit::Daily,
            "2026-11-24T23:00:00",
            "! TrueGul Monthly not-enforceable: it is a daily budget, and AWS's figures of a day come 8 to 24 hours late, when the day is over: \
             enforce a monthly one, and remove the tag of this one",
        ),
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
    assert_eq!(planned(&world, &SWEEP, &now()).steps, []);
    // One that is not enforced is in nobody's way.
    world.budgets[1].tags = Ok(Default::default());
    assert_eq!(planned(&world, &says(Kind::Actual, NAME, 30_472), &now()).steps.len(), 2);
}

#[test]
fn what_lacks_a_schedule_is_told_before_the_money_is_spent() {
    for cents in [0, 30_472] {
        let mut world = world(cents, &["sleep-at=100"]);
        world.resources[0].tags.remove(keys::SCHEDULE);
        let lines = lines(&planned(&world, &SWEEP, &now()));
        let told = "! app-0 no-schedule: no budget can put it to sleep without the tag nightshift:schedule; \
                    give it one, such as nightshift:schedule=always, which leaves it awake otherwise";
        assert_eq!(lines.last().unwrap(), told);
        assert!(!lines.iter().any(|it| it.contains(" hold: ")), "{lines:?}");
    }
    // What is held is released all the same.
    let (mut world, _) = run_twice(world(30_472, &["sleep-at=100"]), &SWEEP, &now());
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
        "! TrueGul Monthly left-behind: staging/app-0 is held by budget:TrueGul_Monthly, but has no tag nightshift:budget any more, so that it is not this function's to release: put the tag back, or remove the tag nightshift-state:hold",
    );
    let plan = planned(&world, &SWEEP, &now());
    let problem = plan.problems.iter().find(|it| it.problem == "left-behind").unwrap();
    assert!(plan.remembered.contains_key(&problem.resource), "else it is told at every sweep");
    // Without its budget nothing can remember that, and it is told all the same.
    world.budgets.clear();
    let lines = lines(&planned(&world, &SWEEP, &now()));
    assert!(lines[0].starts_with("! app-0 left-behind: staging/app-0 is held by"), "{lines:#?}");
}

#[test]
fn a_notification_is_believed_nothing_and_what_is_odd_about_it_is_told() {
    let mut world = world(9_000, &["sleep-at=100"]);
    let told = |world: &World, wake: Wake| {
        let plan = planned(world, &wake, &now());
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
    let notice = |change: &dyn Fn(&mut Notification)| {
        let Wake::Notified(mut it) = says(Kind::Actual, NAME, 99_900) else { panic!("a notification") };
        change(&mut it);
        told(&world, Wake::Notified(it)).remove(0)
    };
    let topic = notice(&|it| it.topic = "arn:aws:sns:ap-northeast-2:123456789012:other".into());
    assert!(topic.contains(" foreign-topic: a notification 'AWS Budgets' came through this topic"), "{topic}");
    let account = notice(&|it| {
        let Content::Budget { account, .. } = &mut it.content else { return };
        *account = Some("210987654321".into());
    });
    let expected = " foreign-account: a notification speaks of the budget 'TrueGul Monthly' of account 210987654321, not 123456789012";
    assert!(account.contains(expected), "{account}");
    let unclear = notice(&|it| it.content = Content::Unclear("Hello".into()));
    assert!(unclear.contains(" unclear-notification: "), "{unclear}");
    world.budgets[0].tags = Ok(Default::default());
    let untagged = told(&world, says(Kind::Actual, NAME, 9_000));
    let how = "aws budgets tag-resource --resource-arn 'arn:aws:budgets::123456789012:budget/TrueGul Monthly' --resource-tags Key=nightshift:budget,Value=enforce";
    assert!(untagged[0].contains("not-enforced"), "{untagged:?}");
    let plan = planned(&world, &says(Kind::Actual, NAME, 9_000), &now());
    assert_eq!(plan.problems[0].choices[0].line(), how);
}

#[test]
fn what_aws_would_not_tell_about_is_told_and_what_is_gone_is_not() {
    let mut world = world(0, &[]);
    for why in [None, Some("DescribeServices x: AccessDenied: no".to_owned())] {
        world.missing.push(crate::plan::world::Missing { resource: "arn:x/app".into(), why });
    }
    says_only(&world, "+ app: it no longer exists");
    says_only(&world, "! app unreadable: DescribeServices x: AccessDenied: no");
}

#[test]
fn one_late_figure_does_not_cost_a_month_of_sleep() {
    let (world, _) = run_twice(world(31_000, &["sleep-at=100"]), &SWEEP, &at("2026-11-28T12:00:00"));
    assert_eq!(held(&world).len(), 1);
    let (world, _) = run(world, &SWEEP, &at("2026-12-01T12:17:00"));
    assert!(held(&world).is_empty());
    // The figure of November to the cent, in two readings more than a day after its end, and in a notification.
    let mut world = world;
    for wake in [SWEEP, SWEEP, says(Kind::Actual, NAME, 31_000)] {
        let (after, lines) = run(world, &wake, &at("2026-12-02T12:17:00"));
        let waits = "+ TrueGul Monthly: 310 USD is to the cent what AWS showed at the turn of the period, so it counts once it shows another figure";
        assert_eq!(lines[0], waits);
        assert!(held(&after).is_empty());
        world = after;
    }
    // Another one that is wrong, and that AWS corrects.
    world.budgets[0].actual = usd(31_050);
    let (mut world, lines) = run(world, &SWEEP, &at("2026-12-02T15:17:00"));
    assert!(lines[0].starts_with("* TrueGul Monthly: 103 % of 300 USD spent: "), "{lines:?}");
    world.budgets[0].actual = usd(900);
    let (mut world, _) = run(world, &SWEEP, &at("2026-12-02T21:17:00"));
    assert!(held(&world).is_empty() && memory(&world).unwrap().seen.is_none());
    // It grows again, and is confirmed.
    world.budgets[0].actual = usd(30_100);
    let (world, _) = run(world, &SWEEP, &at("2026-12-20T09:17:00"));
    let (world, _) = run(world, &SWEEP, &at("2026-12-20T09:59:00"));
    assert!(held(&world).is_empty(), "not an hour apart");
    let (world, _) = run(world, &SWEEP, &at("2026-12-20T15:17:00"));
    assert_eq!(held(&world).len(), 1);
}

#[test]
fn a_notification_of_aws_and_a_reading_are_two_witnesses() {
    let spent = world(30_472, &["sleep-at=100"]);
    let held_after = |wake: Wake| held(&run(spent.clone(), &wake, &now()).0).len();
    assert_eq!(held_after(says(Kind::Actual, NAME, 30_472)), 1);
    // Both have to say so, of this budget, of what is spent.
    for wake in [
        SWEEP,
        says(Kind::Actual, NAME, 29_900),
        says(Kind::Forecast, NAME, 30_472),
        says(Kind::Actual, "Other", 30_472),
    ] {
        assert_eq!(held_after(wake.clone()), 0, "{wake:?}");
    }
    let low = run(world(29_900, &["sleep-at=100"]), &says(Kind::Actual, NAME, 30_472), &now()).0;
    assert!(held(&low).is_empty());
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
fn what_fixed_costs_use_up_in_the_first_days_is_told_as_such() {
    let mut world = world(30_100, &["sleep-at=100"]);
    let (told, held) = {
        let (after, told) = run(world.clone(), &SWEEP, &at("2026-11-02T12:00:00"));
        world = after;
        (told[0].clone(), run(world.clone(), &SWEEP, &at("2026-11-02T18:00:00")).1)
    };
    let why = "in the first days of its period";
    assert!(told.contains(why) && held.iter().any(|it| it.contains("hold: ") && it.contains(why)), "{told} {held:#?}");
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

#[test]
fn what_is_not_known_of_a_budget_is_told_by_what_depends_on_it_and_only_if_it_lasts() {
    let mut world = world(30_472, &["sleep-at=100"]);
    world.budgets[0].tags = no_tags(true);
    assert_eq!(planned(&world, &SWEEP, &now()).problems, [], "a later run reads them");
    world.budgets[0].tags = no_tags(false);
    world.budgets.push(budget("Other", 0));
    world.budgets[1].tags = no_tags(false);
    let told = planned(&world, &SWEEP, &now());
    assert_eq!(told.problems.len(), 1);
    assert!(told.problems[0].message.starts_with("the tags of Other and of 1 more budgets cannot be read"), "{told:?}");
    assert!(told.remembered.contains_key(&told.problems[0].resource), "else it is told at every sweep");
    // Where an enforced budget is known, and nothing names another one, nothing depends on it.
    world.budgets[0].tags = Ok([(keys::BUDGET.to_owned(), "enforce".to_owned())].into());
    assert_eq!(planned(&world, &SWEEP, &now()).problems, []);
    world.resources.clear();
    world.budgets[0].tags = no_tags(false);
    assert_eq!(planned(&world, &SWEEP, &now()).problems[0].resource, "budgets");
}

#[test]
fn a_forecast_that_cannot_be_read_is_told_and_what_is_spent_counts_all_the_same() {
    let mut world = world(30_472, &["sleep-at=100"]);
    world.budgets[0].forecast = Some(Err("unknown".into()));
    let (world, lines) = run_twice(world, &SWEEP, &now());
    assert_eq!(held(&world), ["app-0"]);
    assert!(
        lines
            .iter()
            .any(|it| it.starts_with("! TrueGul Monthly unreadable-figure: AWS says 'unknown' of its forecast"))
    );
}
