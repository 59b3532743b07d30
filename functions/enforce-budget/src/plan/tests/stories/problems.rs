//! What is wrong with a budget or with what is expendable, and with which words people learn of it.

use super::*;

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
        "not-enforceable: a usage budget cannot be enforced, only a cost budget: remove its tag",
        "not-enforceable: a ri coverage budget cannot be enforced, only a cost budget: remove its tag",
        "no-limit: it has no limit, so nothing can be reckoned: give it one",
        "no-limit: its limit is 0 USD, of which there are no percent: raise it",
        "mixed-currencies: its limit is in KRW, its figures are in USD: set the limit again",
        "unreadable-figure: AWS says 'a lot' of what was spent, which is not an amount that this version can read, so nothing is decided by it",
        "bad-tag: nightshift:budget: unknown word 'enforced' in 'enforced'; did you mean 'enforce'? Accepted: enforce",
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
fn names_that_are_the_same_in_tags_are_told_and_neither_budget_acts() {
    let mut world = world(30_472, &["sleep-at=100"]);
    world.budgets.push(budget("TrueGul_Monthly", 30_472));
    let told = "in tags it and 'TrueGul_Monthly' are both called TrueGul_Monthly: rename one";
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
        let told = "! app-0 no-schedule: no budget can put it to sleep: it lacks nightshift:schedule; \
                    give it that tag, such as nightshift:schedule=always, which leaves it awake otherwise";
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
    world.resources[0].member_of = Some(Whole::Cluster("kfood".into()));
    says_only(
        &world,
        "! app-0 member-instance: it is a member of the DB cluster kfood, which sleeps as a whole: move the tag nightshift:budget to the cluster",
    );
    world.resources[0] = instance("i-1", "sleep-at=100", Some("web"));
    says_only(
        &world,
        "! i-1 group-member: it belongs to the Auto Scaling group web, which would replace a stopped instance: put the tag nightshift:budget on the group instead",
    );
    // A group hands its tags on to its instances: these are not told.
    world.resources.push(group("web", "sleep-at=100"));
    says_only(&world, "+ i-1: it belongs to the Auto Scaling group web, which sleeps as a whole");
    world.resources.truncate(1);
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
fn what_aws_would_not_tell_about_is_told_and_what_is_gone_is_not() {
    let mut world = world(0, &[]);
    for why in [None, Some("DescribeServices x: AccessDenied: no".to_owned())] {
        world.missing.push(crate::plan::world::Missing { resource: "arn:x/app".into(), why });
    }
    says_only(&world, "+ app: it no longer exists");
    says_only(&world, "! app unreadable: it cannot be read: DescribeServices x: AccessDenied: no");
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
fn an_anomaly_is_told_by_what_costs_more_and_puts_nothing_to_sleep() {
    let anomaly = Anomaly {
        account: Some("123456789012".into()),
        what: "AWS CloudTrail".into(),
        summary: "12.09 spent instead of 0.27 since 2026-11-05. It comes from AWS CloudTrail, EU-InsightsEvents".into(),
        link: "https://console.aws.amazon.com/cost-management/home#/anomaly-detection/monitors/1a2b".into(),
    };
    let notification = Notification { topic: TOPIC.into(), subject: String::new(), content: Content::Anomaly(anomaly) };
    let plan = planned(&world(0, &["sleep-at=100"]), &Wake::Notified(notification), &now());
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    let told = lines(&plan).into_iter().find(|it| it.contains(" cost-anomaly: ")).unwrap();
    let expected = "! AWS CloudTrail cost-anomaly: 12.09 spent instead of 0.27 since 2026-11-05. It comes from AWS \
                    CloudTrail, EU-InsightsEvents, in account 123456789012. Nothing was done, for an anomaly never puts \
                    anything to sleep. Look first at https://console.aws.amazon.com/cost-management/home#";
    assert!(told.starts_with(expected), "{told}");
}
