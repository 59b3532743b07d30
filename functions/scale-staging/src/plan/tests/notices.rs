//! What is told before a sleep that people may not expect, and that nothing else is.

use jiff::{SignedDuration, ToSpan};
use proptest::prelude::*;
use reconcile::{MessageKind, Step as _, Undo};
use rules::keys;
use serde_json::json;

use super::model::*;
use crate::plan::Step;

/// The shop tells a quarter of an hour before.
fn telling(shop: Shop) -> Shop {
    Shop { notice: Some(SignedDuration::from_mins(15)), ..shop }
}

fn notices(shop: &Shop, now: &jiff::Zoned) -> Vec<Step> {
    let world = shop.seen_by_sweep(now);
    let plan = crate::plan::plan(&world, &sweep(), now);
    testkit::told::keep("scale-staging", &plan);
    plan.steps.into_iter().map(|it| it.step).filter(|it| it.awake_until.is_some()).collect()
}

#[test]
fn the_first_sleep_is_told_a_quarter_of_an_hour_before_with_the_command_against_it() {
    let schedule = "mon-fri 08:00-20:00 after=app-db";
    let mut shop = telling(shop(vec![service("api", schedule, 2)], vec![database("app-db", HOURS)]));
    assert!(notices(&shop, &at("2026-11-20T19:40")).is_empty());
    let told = notices(&shop, &at("2026-11-20T19:45"));
    // The database is needed, so that it says nothing of its own.
    let [notice] = &told[..] else { panic!("{told:?}") };
    assert_eq!(
        notice.headline(),
        "api: goes to sleep in 15 min, at Fri 2026-11-20 20:00 KST, and app-db after it where nothing else needs that: it is \
         the first time that this is told"
    );
    assert_eq!(notice.tells(), Some(MessageKind::NeedsYou));
    let command = json!({"wake": {"resource": service_arn("api"), "until": "2026-11-20T22:00"}});
    assert_eq!(notice.undo(), Some(Undo::Command(command)));
    shop.run(&sweep(), &at("2026-11-20T19:45"));
    assert!(notices(&shop, &at("2026-11-20T19:50")).is_empty(), "once is enough");
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    shop.run_until_quiet(&at("2026-11-23T08:00"));
    assert!(notices(&shop, &at("2026-11-23T19:50")).is_empty(), "from now on it is the usual rhythm");
}

#[test]
fn the_end_of_what_is_kept_awake_or_boosted_is_told_and_told_again_where_it_moves() {
    let told_before = ("nightshift-state:noticed", "2026-11-19T11:00:00Z");
    let mut shop = telling(shop(vec![service("api", HOURS, 2), service("web", HOURS, 2)], vec![]));
    for name in ["api", "web"] {
        shop.service(name).tags.extend(tags(&[told_before]));
    }
    shop.service("api").tags.insert(keys::AWAKE_UNTIL.into(), "2026-11-20T23:00".into());
    shop.service("web").tags.insert(keys::BOOST.into(), "step=1 until=2026-11-20T22:00".into());
    let headlines = |shop: &Shop, now: &str| -> Vec<String> {
        notices(shop, &at(now)).iter().map(|it| it.headline.clone()).collect()
    };
    assert_eq!(
        headlines(&shop, "2026-11-20T19:50"),
        [
            "goes to sleep in 10 min, at Fri 2026-11-20 20:00 KST: its boost by nightshift:boost lasts until Fri 2026-11-20 \
             22:00 KST, and ends with that"
        ]
    );
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    let until_then = "goes to sleep in 15 min, at Fri 2026-11-20 23:00 KST: it is kept awake until then only";
    assert_eq!(headlines(&shop, "2026-11-20T22:45"), [until_then]);
    shop.run(&sweep(), &at("2026-11-20T22:45"));
    assert!(headlines(&shop, "2026-11-20T22:50").is_empty());
    // A person moves the end, so that the new one is told too.
    shop.service("api").tags.insert(keys::AWAKE_UNTIL.into(), "2026-11-20T23:30".into());
    assert!(headlines(&shop, "2026-11-20T22:55").is_empty());
    assert_eq!(headlines(&shop, "2026-11-20T23:20").len(), 1);
}

#[test]
fn machines_and_databases_that_nothing_needs_are_told_as_well() {
    let mut shop = telling(shop(vec![group("web", HOURS, 2, 1, 4)], vec![database("app-db", HOURS)]));
    shop.instances = vec![instance("i-1", HOURS)];
    assert_eq!(notices(&shop, &at("2026-11-20T19:50")).len(), 3);
    // What is down already, what a hold keeps down and what people look after in the evening is not about to sleep.
    shop.service("web").tags.insert(keys::HOLD.into(), "closed".into());
    shop.database("app-db").status = "stopped".into();
    shop.instances[0].tags.insert(keys::SCHEDULE.into(), format!("{HOURS} act=wake"));
    assert!(notices(&shop, &at("2026-11-20T19:50")).is_empty());
}

#[test]
fn without_the_parameter_nothing_is_told() {
    let shop = shop(vec![service("api", HOURS, 2)], vec![database("app-db", HOURS)]);
    assert!(notices(&shop, &at("2026-11-20T19:50")).is_empty());
}

proptest! {
    /// Whenever a person keeps it awake in a night: at most one notice for each moment, each before the sleep and within the
    /// time of the parameter, and no sleep but the usual one without.
    #[test]
    fn every_unusual_sleep_is_told_once_before_it(
        asked in proptest::collection::vec(0..72i64, 0..4), minutes in 10..60i64
    ) {
        let mut shop = telling(shop(vec![service("api", HOURS, 2)], vec![]));
        shop.notice = Some(SignedDuration::from_mins(minutes));
        shop.service("api").tags.insert(keys::NOTICED.into(), "2026-11-19T11:00:00Z".into());
        let begin = at("2026-11-20T19:30");
        let mut told: Vec<jiff::Timestamp> = Vec::new();
        for tick in 0..96i64 {
            let now = begin.checked_add((5 * tick).minutes()).unwrap();
            if asked.contains(&tick) {
                let until = now.checked_add(97.minutes()).unwrap().strftime("%Y-%m-%dT%H:%M").to_string();
                shop.service("api").tags.insert(keys::AWAKE_UNTIL.into(), until);
            }
            let was = shop.service("api").desired;
            let plan = crate::plan::plan(&shop.seen_by_sweep(&now), &sweep(), &now);
            for step in plan.steps.iter().filter(|it| it.step.awake_until.is_some()) {
                let crate::plan::Call::Remember(_, moment) = &step.step.calls[0] else { panic!("{step:?}") };
                let sleeps: jiff::Timestamp = moment.parse().unwrap();
                let left = sleeps.duration_since(now.timestamp());
                prop_assert!(left > SignedDuration::ZERO && left <= SignedDuration::from_mins(minutes));
                prop_assert!(!told.contains(&sleeps), "{} was told before", sleeps);
                told.push(sleeps);
            }
            calls(&plan).iter().for_each(|(arn, call)| shop.make(arn, call, now.timestamp()));
            shop.settle();
            let just = |it: &jiff::Timestamp| now.timestamp().duration_since(*it) < SignedDuration::from_mins(5);
            let usual = now.hour() == 20 && now.minute() < 5;
            if was > 0 && shop.service("api").desired == 0 && !usual {
                prop_assert!(told.last().is_some_and(just), "at {} of {:?}", now, told);
            }
        }
    }
}
