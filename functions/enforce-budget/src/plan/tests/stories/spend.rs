//! A budget that is more than the bill of AWS: what its sources come to counts, and what is not known of them does not.

use jiff::ToSpan;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const KEY: &str = "nightshift:spend-LLM";
const LLM: &str = "metric=TrueGul/LLM/Answers price=0.004 limit=100";

/// The shop with a source that was asked for an answer that many times on each of these days.
fn shop(aws_cents: i64, days: &[(&str, f64)]) -> World {
    let mut world = world(aws_cents, &["sleep-at=100"]);
    source(&mut world, KEY, LLM, Ok(days));
    world
}

fn source(world: &mut World, key: &str, value: &str, days: Result<&[(&str, f64)], bool>) {
    let budget = &mut world.budgets[0];
    budget.tags.as_mut().unwrap().insert(key.into(), value.into());
    let moment = |day: &str| instant(&format!("{day}T00:00:00Z"));
    let denied = "GetMetricStatistics TrueGul/LLM: AccessDenied: no";
    let sums = days
        .map(|days| days.iter().map(|(day, count)| (moment(day), *count)).collect())
        .map_err(|for_now| Unread { for_now, why: denied.into() });
    budget.readings.insert(key.into(), sums);
}

#[test]
fn a_month_over_its_limit_by_both_parts_together_sleeps_from_the_19th() {
    let world = shop(18_450, &[("2026-11-02", 10_000.0), ("2026-11-18", 19_125.0)]);
    let (world, first) = run(world, &SWEEP, &at("2026-11-19T12:00:00"));
    assert_eq!(
        first[0],
        "* TrueGul Monthly: 100 % of 300 USD spent: 80 % and 100 % of the limit are passed (AWS 184.50 of 200, LLM \
         116.50 of 100); nothing sleeps before a second reading, an hour later or more, or AWS's notification confirms it"
    );
    let (mut world, second) = run(world, &SWEEP, &at("2026-11-19T18:00:00"));
    assert_eq!(
        second,
        [
            "* TrueGul Monthly remember: 100 % of 300 USD are spent (301 USD; AWS 184.50 of 200, LLM 116.50 of 100), \
             there is no forecast yet",
            "* app-0 hold: 100 % of TrueGul Monthly are spent (AWS 184.50 of 200, LLM 116.50 of 100), and it sleeps at \
             100 %; back to its schedule on Tue 2026-12-01 09:00 KST at the latest",
        ]
    );
    world.budgets[0].actual = usd(18_700);
    source(&mut world, KEY, LLM, Ok(&[("2026-11-02", 10_000.0), ("2026-11-18", 22_750.0)]));
    let plan = planned(&world, &SWEEP, &now());
    assert_eq!(
        lines(&plan),
        [
            "+ TrueGul Monthly: 106 % of 300 USD are spent (318 USD; AWS 187 of 200, LLM 131 of 100), there is no forecast yet",
            "+ app-0: held by TrueGul_Monthly since Thu 2026-11-19 18:00 KST",
        ]
    );
    let fact = &plan.facts[0].fact;
    assert_eq!(
        (&fact["actual"], &fact["percent"], &fact["held"]),
        (&json!("318"), &json!(106), &json!(["staging/app-0"]))
    );
    let parts =
        json!([{"name": "AWS", "actual": "187", "limit": "200"}, {"name": "LLM", "actual": "131", "limit": "100"}]);
    assert_eq!(fact["parts"], parts);
    assert_eq!(plan.measures[0].value, 106.0);
    // December begins with nothing, whatever November came to.
    let (world, after) = run(world, &SWEEP, &at("2026-12-01T09:17:00"));
    assert_eq!(after[1], "* app-0 release: a new period of TrueGul Monthly has begun");
    assert!(held(&world).is_empty());
}

#[test]
fn what_aws_shows_of_the_last_month_does_not_count_with_the_sources_of_the_new_one() {
    let (mut world, _) = run(shop(18_700, &[("2026-11-18", 32_750.0)]), &SWEEP, &at("2026-12-01T12:00:00"));
    assert_eq!(memory(&world).unwrap().last, Some(Money::cents(18_700)));
    source(&mut world, KEY, LLM, Ok(&[("2026-11-18", 32_750.0), ("2026-12-01", 20_000.0)]));
    let second = lines(&planned(&world, &SWEEP, &at("2026-12-02T12:00:00")));
    assert_eq!(
        second[0],
        "+ TrueGul Monthly: 187 USD is to the cent what AWS showed at the turn of the period, so it counts once it shows another figure"
    );
    world.budgets[0].actual = usd(900);
    let plan = planned(&world, &SWEEP, &at("2026-12-03T12:00:00"));
    assert!(
        lines(&plan)[0].contains("29 % of 300 USD are spent (89 USD; AWS 9 of 200, LLM 80 of 100)"),
        "{:?}",
        lines(&plan)
    );
}

#[test]
fn a_source_that_cannot_be_read_is_told_and_holds_and_releases_nothing() {
    let told =
        "! TrueGul Monthly unreadable-spend: nightshift:spend-LLM: GetMetricStatistics TrueGul/LLM: AccessDenied: no";
    let mut unread = world(18_700, &["sleep-at=100"]);
    source(&mut unread, KEY, LLM, Err(false));
    says_only(&unread, told);
    says_only(
        &unread,
        "+ TrueGul Monthly: 62 % of 300 USD are spent (187 USD; AWS 187 of 200, LLM unknown of 100), there is no forecast yet",
    );
    assert!(held(&run_twice(unread, &SWEEP, &now()).0).is_empty());
    // AWS alone is above the limit: that holds, with or without the source.
    let mut above = world(30_472, &["sleep-at=100"]);
    source(&mut above, KEY, LLM, Err(false));
    assert_eq!(held(&run_twice(above, &SWEEP, &now()).0), ["app-0"]);
    // What sleeps by both sleeps on while one is not known, also where the limit is raised a little.
    let (mut sleeping, _) = run_twice(shop(18_700, &[("2026-11-18", 32_750.0)]), &SWEEP, &now());
    source(&mut sleeping, KEY, LLM, Err(false));
    let later = at("2026-11-25T12:00:00");
    assert_eq!(held(&run(sleeping.clone(), &SWEEP, &later).0), ["app-0"]);
    sleeping.budgets[0].limit = usd(31_000);
    assert_eq!(held(&run(sleeping, &SWEEP, &later).0), ["app-0"]);
    // What passes by itself is not told.
    let mut busy = world(18_700, &["sleep-at=100"]);
    source(&mut busy, KEY, LLM, Err(true));
    assert_eq!(planned(&busy, &SWEEP, &now()).problems, []);
}

#[test]
fn a_reading_that_lacks_a_source_is_not_a_second_one_and_does_not_undo_the_first() {
    let seen = shop(18_700, &[("2026-11-18", 32_750.0)]);
    let (mut world, _) = run(seen, &SWEEP, &at("2026-11-24T06:00:00"));
    source(&mut world, KEY, LLM, Err(false));
    let (mut world, _) = run(world, &SWEEP, &at("2026-11-24T12:00:00"));
    assert_eq!((held(&world).len(), memory(&world).unwrap().seen.unwrap().percent), (0, 106));
    source(&mut world, KEY, LLM, Ok(&[("2026-11-18", 32_750.0)]));
    assert_eq!(held(&run(world, &SWEEP, &at("2026-11-24T18:00:00")).0), ["app-0"]);
}

#[test]
fn a_notification_of_aws_confirms_aws_alone() {
    let world = shop(18_700, &[("2026-11-18", 32_750.0)]);
    let (world, _) = run(world, &says(Kind::Actual, NAME, 18_700), &now());
    assert!(held(&world).is_empty(), "the source was read once");
}

#[test]
fn a_tag_that_counts_nothing_says_why() {
    let mut misspelt = shop(9_000, &[]);
    says_only(
        &misspelt,
        "! TrueGul Monthly no-values: nightshift:spend-LLM finds no value in CloudWatch. There is none of TrueGul/LLM, metric Answers, \
         without dimensions in this period and the month before it: correct the tag, or remove it",
    );
    source(&mut misspelt, KEY, "metric=TrueGul/LLM/Answers prize=0.004", Ok(&[]));
    says_only(
        &misspelt,
        "! TrueGul Monthly bad-tag: nightshift:spend-LLM: unknown option 'prize' in 'metric=TrueGul/LLM/Answers prize=0.004'; \
         did you mean 'price'? Accepted: metric, price, limit, dim",
    );
    source(&mut misspelt, "nightshift:spend-", LLM, Ok(&[]));
    says_only(
        &misspelt,
        "! TrueGul Monthly bad-tag: nightshift:spend-: no name behind it; accepted: a key such as nightshift:spend-LLM",
    );
    let mut idle = shop(9_000, &[("2026-10-30", 32_750.0)]);
    says_only(
        &idle,
        "+ TrueGul Monthly: 30 % of 300 USD are spent (90 USD; AWS 90 of 200, LLM 0 of 100), there is no forecast yet",
    );
    idle.budgets[0].tags.as_mut().unwrap().remove(keys::BUDGET);
    says_only(&idle, "+ TrueGul Monthly: it has no tag nightshift:budget, so that nightshift:spend-… counts nothing");
    assert_eq!(idle.budgets[0].wanted(now().timestamp()), [], "nothing is read for a budget that is not enforced");
}

#[test]
fn a_period_that_is_longer_than_cloudwatch_remembers_is_not_counted_in_part() {
    let mut world = shop(9_000, &[("2026-11-18", 1.0)]);
    let budget = &mut world.budgets[0];
    (budget.unit, budget.starts) = (TimeUnit::Custom, Some(instant("2025-01-01T00:00:00Z")));
    says_only(
        &world,
        "! TrueGul Monthly unreadable-spend: nightshift:spend-LLM: CloudWatch keeps values for 455 days, and the period \
         of the budget began before: give the budget a shorter one",
    );
}

#[test]
fn the_forecast_is_that_of_aws_and_each_source_at_its_rate_so_far() {
    let mut world = shop(9_000, &[("2026-11-10", 15_000.0)]);
    world.budgets[0].forecast = usd(18_000);
    // 60 USD in half of the month.
    let (_, lines) = run(world, &SWEEP, &at("2026-11-16T09:00:00"));
    assert_eq!(
        lines[0],
        "* TrueGul Monthly: 100 % of 300 USD forecast: the forecast has passed 80 %, which only warns"
    );
}

proptest! {
    #[test]
    fn an_unknown_source_never_holds_what_the_known_ones_do_not(
        aws in 0..60_000i64, llm in 0..60_000i64, mail in proptest::option::of(0..60_000i64), readings in 1..4usize
    ) {
        let mut world = world(aws, &["sleep-at=100"]);
        let count = [("2026-11-18", llm as f64)];
        source(&mut world, KEY, "metric=A/B price=0.01", Ok(&count));
        let mails = mail.map(|it| [("2026-11-18", it as f64)]);
        source(&mut world, "nightshift:spend-mail", "metric=A/C price=0.01", mails.as_ref().map(|it| &it[..]).ok_or(false));
        let mut moment = now();
        for _ in 0..readings {
            world = run(world, &SWEEP, &moment).0;
            moment = moment.checked_add(2.hours()).unwrap();
        }
        let known = aws + llm + mail.unwrap_or(0);
        prop_assert_eq!(held(&world).len(), usize::from(known >= 30_000 && readings > 1));
        // One that cannot be read from now on releases nothing, and only what is still known holds more.
        let before = !held(&world).is_empty();
        source(&mut world, KEY, "metric=A/B price=0.01", Err(false));
        world = run(world, &SWEEP, &moment).0;
        prop_assert_eq!(!held(&world).is_empty(), before || aws + mail.unwrap_or(0) >= 30_000);
    }
}
