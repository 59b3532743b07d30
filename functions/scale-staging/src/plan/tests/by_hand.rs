//! What people and their tools change by hand, told from runs that died.

use rules::keys;

use super::model::*;
use crate::plan::Command;

#[test]
fn a_service_that_is_started_two_minutes_after_its_sleep_stays_up() {
    let mut shop = shop(vec![service("api", HOURS, 3)], vec![]);
    shop.run(&sweep(), &at("2026-11-20T20:00"));
    shop.settle();
    let api = shop.service("api");
    (api.desired, api.updated_at) = (3, Some(at("2026-11-20T20:02").timestamp()));
    let lines = shop.lines(&sweep(), &at("2026-11-20T20:05"));
    let stays = "* api remember: was started by hand (3 tasks), so it stays up until Mon 2026-11-23 08:00 KST";
    assert!(lines[0].starts_with(stays), "{lines:#?}");
    // A run that died before it set the count has left the deployment as it was.
    let mut broken = super::model::shop(vec![service("api", HOURS, 3)], vec![]);
    assert!(broken.run_killed_after(1, &sweep(), &at("2026-11-20T20:00")));
    broken.run_until_quiet(&at("2026-11-20T20:05"));
    assert_eq!(broken.service("api").desired, 0);
    // Where a deployment was under way then, its end is a change too, and nobody's start.
    let mut broken = super::model::shop(vec![service("api", HOURS, 3)], vec![]);
    assert!(broken.run_killed_after(1, &sweep(), &at("2026-11-20T20:00")));
    let api = broken.service("api");
    api.deployed_at = Some(at("2026-11-20T19:58").timestamp());
    api.updated_at = Some(at("2026-11-20T20:03").timestamp());
    broken.run_until_quiet(&at("2026-11-20T20:05"));
    assert_eq!(broken.service("api").desired, 0);
}

#[test]
fn a_database_that_is_started_minutes_after_its_sleep_stays_up() {
    let mut shop = shop(vec![], vec![database("db", HOURS)]);
    shop.run(&sweep(), &at("2026-11-20T20:00"));
    shop.settle();
    // RDS says that it was stopped at 20:05.
    shop.database("db").status = "available".into();
    let lines = shop.lines(&sweep(), &at("2026-11-20T20:10"));
    assert!(lines[0].starts_with("* db remember: was started by hand, so it stays up until"), "{lines:#?}");
    // A run that died before the stop has stopped nothing.
    let mut broken = super::model::shop(vec![], vec![database("db", HOURS)]);
    assert!(broken.run_killed_after(1, &sweep(), &at("2026-11-20T20:00")));
    let lines = broken.lines(&sweep(), &at("2026-11-20T20:05"));
    assert!(lines[0].starts_with("* db sleep: is stopped, which no earlier run has done"), "{lines:#?}");
}

#[test]
fn a_terraform_apply_that_raises_the_least_number_of_tasks_is_named_as_that() {
    let mut shop = shop(vec![scaled("api", HOURS, 3, 2, 6)], vec![]);
    shop.run_until_quiet(&at("2026-11-19T20:00"));
    let api = shop.service("api");
    api.target.as_mut().unwrap().min = 2;
    api.desired = 2;
    let lines = shop.lines(&sweep(), &at("2026-11-19T23:00"));
    let named = "* api remember: the least number of tasks of its scaling target was set to 2, as terraform apply does, \
                 which started them, so it stays up until Fri 2026-11-20 08:00 KST";
    assert!(lines[0].starts_with(named), "{lines:#?}");
}

#[test]
fn enforce_with_act_sleep_never_starts_what_a_person_stopped() {
    let schedule = format!("{HOURS} act=sleep enforce=true");
    let mut shop = shop(vec![service("api", &schedule, 0)], vec![database("db", &schedule)]);
    shop.database("db").status = "stopped".into();
    for now in ["2026-11-20T12:00", "2026-11-20T20:00", "2026-11-23T08:00", "2026-11-23T12:00"] {
        shop.run_until_quiet(&at(now));
        assert_eq!((shop.service("api").desired, shop.database("db").status.as_str()), (0, "stopped"), "{now}");
    }
}

#[test]
fn a_persons_command_outranks_the_hold_of_a_budget_and_an_alarms_does_not() {
    let held = |memory: &str| {
        let mut shop = shop(vec![service("api", HOURS, 2)], vec![]);
        let tags = &mut shop.service("api").tags;
        tags.insert(keys::HOLD_MEMORY.into(), "by=budget:Team since=2026-11-20T00:00:00Z".into());
        if !memory.is_empty() {
            tags.insert(keys::AWAKE_UNTIL_MEMORY.into(), memory.into());
        }
        shop.run_until_quiet(&at("2026-11-20T12:00"));
        shop
    };
    assert_eq!(held("2026-11-20T14:00:00Z").service("api").desired, 0);
    assert_eq!(held("2026-11-20T14:00:00Z by=person").service("api").desired, 2);
    let mut shop = held("");
    let wake = asking(&service_arn("api"), Command::Wake(crate::plan::Until::Time("15:00".parse().unwrap())));
    shop.run(&wake, &at("2026-11-20T13:00"));
    assert_eq!(shop.service("api").desired, 2);
    shop.run_until_quiet(&at("2026-11-20T15:00"));
    assert_eq!(shop.service("api").desired, 0);
}
