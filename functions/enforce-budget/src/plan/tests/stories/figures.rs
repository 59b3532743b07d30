//! Which figure counts, of which period, and by how many witnesses.

use super::*;

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
            "! TrueGul Monthly not-enforceable: a daily budget cannot be enforced; AWS's figures of a day come 8 to 24 hours late, when the day is over: \
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
    let expected = " foreign-account: a notification is about account 210987654321; its budget is 'TrueGul Monthly', and this account is 123456789012";
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
