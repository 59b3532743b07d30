//! What people and their tools change by hand, told from runs that died.

use rules::keys;
use rules::sleep::Asleep;

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

#[test]
fn what_is_started_by_hand_at_night_stays_up_until_the_morning() {
    let mut shop = shop(vec![scaled("api", HOURS, 3, 2, 6)], vec![]);
    shop.run(&sweep(), &at("2026-11-20T20:00"));
    shop.service("api").desired = 1;
    // In the first quarter of an hour it looks like a run that died.
    shop.check("2026-11-20T20:10", &[
        "* api sleep: goes on falling asleep, which an earlier run left unfinished | 'mon-fri 08:00-20:00' wants it asleep; wakes Mon 2026-11-23 08:00 KST",
    ]);
    shop.check(
        "2026-11-20T22:00",
        &["* api remember: was started by hand (1 tasks), so it stays up until Mon 2026-11-23 08:00 KST | \
         nightshift-state:awake-until keeps it awake until Mon 2026-11-23 08:00 KST; sleeps Mon 2026-11-23 20:00 KST"],
    );
    shop.run(&sweep(), &at("2026-11-20T22:00"));
    assert_eq!(shop.service("api").desired, 1);
    shop.check("2026-11-20T22:05", &[
        "+ api: it was started by hand with 1 tasks; nightshift-state:awake-until keeps it awake until Mon 2026-11-23 08:00 KST; sleeps Mon 2026-11-23 20:00 KST",
    ]);
    shop.run(&sweep(), &at("2026-11-23T08:00"));
    let api = shop.service("api");
    assert_eq!((api.desired, api.target.unwrap().min), (3, 2));
    assert_eq!(api.tags.keys().filter(|it| it.starts_with(keys::MEMORY)).count(), 0);
}

#[test]
fn what_is_started_by_hand_with_fewer_tasks_sleeps_again_once_its_time_is_over() {
    let mut shop = shop(vec![scaled("api", "never", 3, 2, 6)], vec![]);
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    shop.service("api").desired = 1;
    shop.run_until_quiet(&at("2026-11-20T22:00"));
    assert_eq!(shop.service("api").desired, 1);
    // A deployment is waited for, and it sleeps after that all the same.
    shop.service("api").deploying_since = Some(at("2026-11-21T21:58").timestamp());
    shop.run_until_quiet(&at("2026-11-21T22:05"));
    assert_eq!(shop.service("api").desired, 1);
    shop.service("api").deploying_since = None;
    shop.check("2026-11-21T22:10", &[
        "* api sleep: goes to sleep again, since the time of what was started by hand is over | 'never' wants it asleep; no next change",
        "* api remember: what is over is forgotten | 'never' wants it asleep; no next change",
    ]);
    // A run that dies anywhere is finished.
    for killed_after in 0..4 {
        let mut broken = shop.clone();
        broken.run_killed_after(killed_after, &sweep(), &at("2026-11-21T22:10"));
        broken.run_until_quiet(&at("2026-11-21T22:15"));
        let api = broken.service("api");
        assert_eq!((api.desired, api.tags.get(keys::AWAKE_UNTIL_MEMORY)), (0, None), "{killed_after}");
        let asleep: Asleep = api.tags[keys::ASLEEP].parse().unwrap();
        assert_eq!((asleep.desired, asleep.limits.unwrap().min), (Some(3), 2));
        // Started by hand again, it stays up again.
        api.desired = 1;
        broken.run_until_quiet(&at("2026-11-22T12:00"));
        assert_eq!(broken.service("api").desired, 1);
    }
    // The same with a person's own tag, which stays.
    shop.run_until_quiet(&at("2026-11-21T22:10"));
    let service = shop.service("api");
    service.tags.insert(keys::AWAKE_UNTIL.into(), "2026-11-22T18:00".into());
    service.desired = 1;
    shop.run_until_quiet(&at("2026-11-22T12:00"));
    assert_eq!(shop.service("api").desired, 1);
    shop.run_until_quiet(&at("2026-11-22T18:00"));
    assert_eq!(shop.service("api").desired, 0);
}
