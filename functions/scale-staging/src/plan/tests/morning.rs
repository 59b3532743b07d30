//! Mornings: what a service waits for, and whether what was woken comes up.

use jiff::ToSpan;
use rules::keys;

use super::model::*;
use crate::plan::{Command, Listed, Message, Until};

const AFTER: &str = "mon-fri 08:00-20:00 after=db";

/// Asleep since Thursday evening.
fn night() -> Shop {
    let mut shop = shop(vec![service("api", AFTER, 2)], vec![database("db", HOURS)]);
    shop.run_until_quiet(&at("2026-11-19T20:00"));
    assert_eq!((shop.service("api").desired, shop.database("db").status.as_str()), (0, "stopped"));
    shop
}

fn told(lines: &[String]) -> Vec<&str> {
    lines.iter().filter(|it| it.starts_with('!')).map(String::as_str).collect()
}

#[test]
fn a_service_is_woken_while_its_database_serves_though_not_called_available() {
    for status in ["storage-optimization", "backing-up", "configuring-enhanced-monitoring", "storage-initialization"] {
        let mut shop = night();
        shop.run(&sweep(), &at("2026-11-20T08:00"));
        shop.database("db").status = status.into();
        let lines = shop.lines(&sweep(), &at("2026-11-20T08:05"));
        assert!(lines.iter().any(|it| it.starts_with("* api wake")), "{status}: {lines:#?}");
        assert!(lines.iter().any(|it| it.starts_with(&format!("* db remember: is {status} again"))), "{lines:#?}");
    }
}

#[test]
fn a_database_that_does_not_come_up_is_told() {
    for (status, when, problem) in [
        ("incompatible-network", "08:05", "! db database-broken: it is incompatible-network"),
        ("inaccessible-encryption-credentials-recoverable", "08:05", "! db database-broken: it is inaccessible"),
        ("failed", "08:05", "! db database-broken: it is failed"),
        ("starting", "08:30", "! db not-up: it was started and does not serve after half an hour: it is starting"),
        ("rebooting", "08:30", "! db not-up: it was started and does not serve after half an hour: it is rebooting"),
    ] {
        let mut shop = night();
        shop.run(&sweep(), &at("2026-11-20T08:00"));
        shop.database("db").status = status.into();
        shop.said = Some("DB instance put into incompatible-network.".into());
        let now = at(&format!("2026-11-20T{when}"));
        let lines = shop.lines(&sweep(), &now);
        let lines = told(&lines);
        assert!(
            lines[0].starts_with(problem)
                && lines[0].ends_with("; RDS says: DB instance put into incompatible-network")
        );
        // It reads the same five minutes later, and what is remembered stays.
        shop.run(&sweep(), &now);
        assert_eq!(told(&shop.lines(&sweep(), &now.checked_add(5.minutes()).unwrap())), lines);
        assert!(shop.database("db").tags.contains_key(keys::ASLEEP));
        // Five minutes earlier what passes is not told.
        if when == "08:30" {
            assert_eq!(told(&shop.lines(&sweep(), &at("2026-11-20T08:25"))), [""; 0]);
        }
    }
}

#[test]
fn a_start_that_comes_to_nothing_is_told_once_and_tried_again_every_half_hour() {
    let mut shop = night();
    let (mut starts, mut messages) = (Vec::new(), std::collections::BTreeSet::new());
    for minute in (0..120).step_by(5) {
        let now = at("2026-11-20T08:00").checked_add(minute.minutes()).unwrap();
        let plan = shop.plan(&sweep(), &now);
        let start = plan.steps.iter().find(|it| it.step.is_start());
        starts.extend(start.map(|it| (minute, reconcile::Step::tells(&it.step).is_none())));
        messages.extend(plan.problems.iter().map(|it| it.message.clone()));
        shop.run(&sweep(), &now);
        shop.database("db").status = "stopped".into();
    }
    // People hear of the first start, then of the problem.
    assert_eq!(starts, [(0, false), (30, true), (60, true), (90, true)]);
    assert_eq!(
        messages.into_iter().collect::<Vec<_>>(),
        ["it was started and is stopped again; it is tried again every half hour"]
    );
    // A person need not wait for that.
    let wake = asking(&shop.databases[0].database.arn.clone(), Command::Wake(Until::NextChange));
    assert!(shop.lines(&wake, &at("2026-11-20T10:00")).iter().any(|it| it.starts_with("* db wake: is started")));
}

#[test]
fn a_run_that_died_after_the_start_is_made_up_for() {
    let mut shop = night();
    // Start, then the memory of it.
    assert!(shop.run_killed_after(1, &sweep(), &at("2026-11-20T08:00")));
    assert_eq!(shop.database("db").status, "starting");
    shop.run(&sweep(), &at("2026-11-20T08:05"));
    let lines = shop.lines(&sweep(), &at("2026-11-20T08:35"));
    assert!(told(&lines)[0].starts_with("! db not-up: "), "{lines:#?}");
}

#[test]
fn a_cluster_is_up_once_its_writer_is() {
    let mut shop = shop(vec![service("api", AFTER, 2)], cluster("db", HOURS).to_vec());
    shop.databases[0].writer = Some("db-1".into());
    shop.run_until_quiet(&at("2026-11-19T20:00"));
    shop.run(&sweep(), &at("2026-11-20T08:00"));
    (shop.databases[0].database.status, shop.databases[1].database.status) = ("available".into(), "starting".into());
    let lines = shop.lines(&sweep(), &at("2026-11-20T08:05"));
    let waits = "+ api: it waits for the database db, which is available, but its DB instance db-1 is starting; ";
    assert!(lines.iter().any(|it| it.starts_with(waits)), "{lines:#?}");
    assert!(!lines.iter().any(|it| it.starts_with("* db remember")), "it is remembered until it serves: {lines:#?}");
    shop.databases[1].database.status = "available".into();
    let lines = shop.lines(&sweep(), &at("2026-11-20T08:10"));
    assert!(lines[0].starts_with("* api wake"), "{lines:#?}");
}

#[test]
fn a_woken_service_without_its_tasks_is_told_with_what_ecs_says() {
    let mut shop = shop(vec![service("api", HOURS, 3), service("web", HOURS, 2)], vec![]);
    shop.run_until_quiet(&at("2026-11-19T20:00"));
    shop.run(&sweep(), &at("2026-11-20T08:00"));
    shop.service("web").running = 2;
    let message = |minute: &str, text: &str| Message { at: at(minute).timestamp(), text: text.into() };
    shop.service("api").messages = vec![
        message("2026-11-20T08:12", "(service api) has started 3 tasks: (task 0123456789abcdef0123456789abcdef)."),
        message("2026-11-20T08:11", "(service api) was unable to place a task. Reason: CannotPullContainerError."),
    ];
    let told_at = |shop: &Shop, now: &str| {
        let world = shop.seen_by_sweep(&at(now));
        let plan = crate::plan::plan(&world, &sweep(), &at(now));
        testkit::told::keep("scale-staging", &plan);
        let problems = plan.problems.iter().map(|it| format!("{}: {}", it.problem, it.message));
        problems.collect::<Vec<_>>()
    };
    assert_eq!(told_at(&shop, "2026-11-20T08:15"), [""; 0]);
    let problem = "not-up: it was woken with 3 tasks, and fewer run; ECS says: (service api) was unable to place a task. \
                   Reason: CannotPullContainerError.";
    for now in ["2026-11-20T08:20", "2026-11-20T08:35"] {
        assert_eq!(told_at(&shop, now), [problem]);
    }
    // As long as people were told it is looked at, until all run.
    shop.service("api").tags.insert(keys::SLEEP_PROBLEM.into(), "not-up 0123456789ab told=2026-11-20T00:00:00Z".into());
    assert_eq!(told_at(&shop, "2026-11-20T12:00"), [problem]);
    shop.service("api").running = 3;
    assert_eq!(told_at(&shop, "2026-11-20T12:05"), [""; 0]);
}

#[test]
fn what_is_woken_at_another_time_is_looked_at_as_long() {
    let mut shop = shop(vec![service("api", HOURS, 2)], vec![]);
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    let api = service_arn("api");
    shop.run(&asking(&api, Command::Wake(Until::NextChange)), &at("2026-11-21T10:00"));
    assert_eq!(shop.service("api").tags[keys::WOKEN], "since=2026-11-21T01:00:00Z");
    let close = |shop: &Shop, now: &str| {
        let listed = shop.services.iter().map(|it| Listed { arn: it.arn.clone(), tags: it.tags.clone() }).collect();
        looked_at(listed, now)
    };
    assert_eq!(close(&shop, "2026-11-21T10:25"), 1);
    assert!(
        told(&shop.lines(&sweep(), &at("2026-11-21T10:25")))[0].starts_with("! api not-up: it was woken with 2 tasks")
    );
    shop.service("api").running = 2;
    shop.run(&sweep(), &at("2026-11-21T10:30"));
    assert_eq!((close(&shop, "2026-11-21T10:35"), shop.service("api").tags.get(keys::WOKEN)), (0, None));
}

#[test]
fn a_morning_as_it_should_be_costs_no_further_tag() {
    let mut shop = shop(vec![service("api", HOURS, 2)], vec![]);
    shop.run_until_quiet(&at("2026-11-19T20:00"));
    shop.run(&sweep(), &at("2026-11-20T08:00"));
    assert!(!shop.service("api").tags.keys().any(|it| it.starts_with(keys::MEMORY)));
}

#[test]
fn a_database_without_the_tag_that_stays_down_is_told_on_the_service() {
    let mut shop = night();
    shop.database("db").tags.clear();
    for (status, now, problem) in [
        ("stopped", "08:00", "! api database-stopped: after=db: that database is stopped and nothing starts it"),
        ("failed", "08:00", "! api database-broken: after=db: that database is failed, so the service is not woken"),
        ("starting", "08:30", "! api database-not-up: after=db: that database is still starting, so the service"),
    ] {
        shop.database("db").status = status.into();
        let lines = shop.lines(&sweep(), &at(&format!("2026-11-20T{now}")));
        assert!(told(&lines)[0].starts_with(problem), "{lines:#?}");
    }
}
