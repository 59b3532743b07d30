//! Nothing stops under a running task.

use jiff::ToSpan;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rules::keys;

use super::model::*;
use crate::plan::{Command, Service, plan};

const AFTER: &str = "mon-fri 08:00-20:00 after=db";

/// What a sweep that looks closely only where something can be due says of the database.
fn of_database(shop: &Shop, now: &str) -> String {
    let plan = plan(&shop.seen_by_sweep(&at(now)), &sweep(), &at(now));
    testkit::told::keep("scale-staging", &plan);
    let stops = plan.steps.iter().any(|it| it.step.is_stop());
    let reason = plan.skipped.into_iter().find(|it| it.resource.ends_with(":db")).map(|it| it.reason);
    let reason = reason.map(|it| it.split(';').next().unwrap_or_default().to_owned());
    if stops { "stopped".into() } else { reason.unwrap_or_default() }
}

#[test]
fn a_database_is_not_stopped_under_tasks_that_still_run() {
    let mut shop = shop(vec![service("api", AFTER, 2)], vec![database("db", HOURS)]);
    shop.run(&sweep(), &at("2026-11-19T20:00"));
    // Tasks with scale-in protection run on for hours.
    assert_eq!((shop.service("api").desired, shop.service("api").running), (0, 2));
    for minute in (5..300).step_by(5) {
        let now = at("2026-11-19T20:00").checked_add(minute.minutes()).unwrap();
        let now = now.strftime("%Y-%m-%dT%H:%M").to_string();
        assert_eq!(of_database(&shop, &now), "it is stopped once the tasks of api have ended", "{now}");
    }
    (shop.service("api").running, shop.service("api").pending) = (0, 1);
    assert_eq!(of_database(&shop, "2026-11-20T01:00"), "it is stopped once the tasks of api have ended");
    shop.service("api").pending = 0;
    assert_eq!(of_database(&shop, "2026-11-20T01:05"), "stopped");
}

#[test]
fn what_is_being_removed_and_what_stays_at_night_still_uses_it() {
    let mut shop = shop(vec![service("api", AFTER, 2)], vec![database("db", HOURS)]);
    (shop.service("api").status, shop.service("api").desired) = ("DRAINING".into(), 0);
    assert_eq!(of_database(&shop, "2026-11-19T20:00"), "it is stopped once the tasks of api have ended");
    let mut shop = super::model::shop(vec![service("api", &format!("{AFTER} off=1"), 2)], vec![database("db", HOURS)]);
    shop.run(&sweep(), &at("2026-11-19T20:00"));
    shop.settle();
    assert_eq!(shop.service("api").running, 1);
    assert_eq!(of_database(&shop, "2026-11-19T20:30"), "it is stopped once the tasks of api have ended");
}

#[test]
fn a_migration_keeps_its_database_up() {
    let mut shop = shop(vec![service("api", AFTER, 0)], vec![database("db", HOURS)]);
    let mark = "ns-0123456789ab since=2026-11-19T10:58:00Z task=arn:aws:ecs:r:1:task/shop/1 family=migrate";
    shop.service("api").tags.insert(keys::MIGRATING.into(), mark.into());
    let waits = "it is stopped once the migration of api has ended";
    assert_eq!(of_database(&shop, "2026-11-19T20:00"), waits);
    // The database that is snapshotted before it is meant as well, and a mark that cannot be read counts.
    let service = shop.service("api");
    service.tags.insert(keys::SCHEDULE.into(), HOURS.into());
    service.tags.insert(keys::DEPLOY.into(), "newest snapshot=DB migrate=migrate".into());
    service.tags.insert(keys::MIGRATING.into(), "soon".into());
    assert_eq!(of_database(&shop, "2026-11-19T20:00"), waits);
    // One that nobody has removed for a day does not.
    shop.service("api").tags.insert(keys::MIGRATING.into(), mark.into());
    assert_eq!(of_database(&shop, "2026-11-20T20:00"), "stopped");
}

#[test]
fn a_name_is_compared_as_rds_does_and_a_member_means_its_cluster() {
    for name in ["DB", "db", "db-1", "Db-1"] {
        let schedule = format!("{HOURS} after={name}");
        let mut shop = shop(vec![service("api", &schedule, 2)], cluster("db", HOURS).to_vec());
        assert_eq!(of_database(&shop, "2026-11-19T20:00"), "it is stopped once the tasks of api have ended", "{name}");
        // By day the cluster is up as long as the service is.
        let always = service("api", &format!("always after={name}"), 2);
        *shop.service("api") = always;
        assert_eq!(of_database(&shop, "2026-11-19T23:00"), "it is available", "{name}");
    }
}

#[test]
fn each_of_several_databases_is_waited_for_and_kept_up() {
    let schedule = format!("{HOURS} after=db+cache-db");
    let mut shop = shop(vec![service("api", &schedule, 2)], vec![database("db", HOURS), database("cache-db", HOURS)]);
    shop.run(&sweep(), &at("2026-11-19T20:00"));
    assert!(shop.databases.iter().all(|it| it.database.status == "available"), "tasks still run");
    shop.settle();
    shop.run_until_quiet(&at("2026-11-19T20:05"));
    assert!(shop.databases.iter().all(|it| it.database.status == "stopped"));
    shop.run(&sweep(), &at("2026-11-20T08:00"));
    shop.database("db").status = "available".into();
    let lines = shop.lines(&sweep(), &at("2026-11-20T08:05"));
    let waits = "+ api: it waits for the database cache-db, which is starting; ";
    assert!(lines.iter().any(|it| it.starts_with(waits)), "{lines:#?}");
    shop.settle();
    shop.run(&sweep(), &at("2026-11-20T08:10"));
    assert_eq!(shop.service("api").desired, 2);
}

#[test]
fn a_name_that_no_database_has_is_told_by_day_and_in_the_dry_run() {
    let mut shop = shop(vec![service("api", &format!("{HOURS} after=db+cache"), 2)], vec![database("db", HOURS)]);
    let problem = "after=cache: there is no such database, so it is not woken once it sleeps";
    // By day the service is only listed.
    let world = shop.seen_by_sweep(&at("2026-11-20T12:00"));
    assert_eq!((world.services.len(), world.listed.len()), (0, 1));
    for world in [world, shop.seen(&at("2026-11-20T12:00"))] {
        let plan = plan(&world, &sweep(), &at("2026-11-20T12:00"));
        testkit::told::keep("scale-staging", &plan);
        assert_eq!(plan.problems.iter().map(|it| it.message.as_str()).collect::<Vec<_>>(), [problem]);
        assert_eq!(plan.remembered.get(&service_arn("api")), Some(&None), "it remembers that people were told");
    }
    shop.database("db").id = "cache".into();
    assert!(shop.lines(&sweep(), &at("2026-11-20T12:00")).iter().any(|it| it.contains("after=db: there is no such")));
}

#[test]
fn a_person_who_stops_a_database_in_use_is_heard_once_it_is_free() {
    let mut shop = shop(vec![service("api", AFTER, 2)], vec![database("db", HOURS)]);
    let (db, api) = (shop.databases[0].database.arn.clone(), service_arn("api"));
    let lines = shop.lines(&asking(&db, Command::Sleep), &at("2026-11-20T12:00"));
    assert!(
        lines
            .iter()
            .any(|it| it.starts_with("* db remember: it is stopped once the tasks of api have ended, as a person"))
            || lines.iter().any(|it| it.starts_with("* db")),
        "{lines:#?}"
    );
    shop.run(&asking(&db, Command::Sleep), &at("2026-11-20T12:00"));
    shop.run(&asking(&api, Command::Sleep), &at("2026-11-20T12:00"));
    assert_eq!(shop.database("db").status, "available");
    shop.settle();
    shop.run_until_quiet(&at("2026-11-20T12:05"));
    assert_eq!(shop.database("db").status, "stopped");
}

#[test]
fn what_only_a_service_that_goes_seems_to_need_waits_until_the_others_were_looked_at() {
    let mut shop =
        shop(vec![service("api", AFTER, 0), service("old", "always after=db", 0)], vec![database("db", HOURS)]);
    for name in ["api", "old"] {
        let asleep = "since=2026-11-16T11:00:00Z desired=2 by=schedule";
        shop.service(name).tags.insert(keys::ASLEEP.into(), asleep.into());
    }
    shop.service("api").tags.insert(keys::MIGRATING.into(), "ns-1 since=2026-11-20T10:00:00Z".into());
    shop.service("old").status = "DRAINING".into();
    assert_eq!(of_database(&shop, "2026-11-20T20:00"), "it is not stopped before a run has looked at api");
    // Once that one is gone, the other is looked at.
    shop.services.retain(|it| it.arn.ends_with("/api"));
    assert_eq!(of_database(&shop, "2026-11-20T20:05"), "it is stopped once the migration of api has ended");
}

fn services() -> impl Strategy<Value = Vec<Service>> {
    let schedules = select(&[
        AFTER,
        "always after=DB",
        "never after=other+db",
        "mon-fri 08:00-20:00 off=1 after=db-1",
        "office after=db",
    ]);
    let one = (schedules, 0..3i32, 0..3i32, 0..2i32, any::<bool>(), any::<bool>(), any::<bool>());
    vec(one, 1..4).prop_map(|all| {
        let all = all.into_iter().enumerate();
        let built = all.map(|(index, (schedule, desired, running, pending, asleep, migrating, draining))| {
            let mut it = service(&format!("service-{index}"), schedule, desired);
            (it.running, it.pending) = (running, pending);
            if asleep {
                it.tags.insert(keys::ASLEEP.into(), "since=2026-11-16T11:00:00Z desired=2 by=schedule".into());
            }
            if migrating {
                it.tags.insert(keys::MIGRATING.into(), "ns-1 since=2026-11-20T10:00:00Z".into());
            }
            if draining {
                it.status = "DRAINING".into();
            }
            it
        });
        built.collect()
    })
}

proptest! {
    #[test]
    fn nothing_stops_under_a_running_task(
        services in services(), is_cluster in any::<bool>(), schedule in select(&[HOURS, "never", "always"]),
        memory in select(&["", "since=2026-11-20T10:50:00Z by=schedule", "since=2026-11-16T11:00:00Z by=person"]),
        hold in any::<bool>(), command in any::<bool>(), now in select(&["2026-11-20T20:00", "2026-11-20T23:00", "2026-11-23T12:00"])
    ) {
        let databases = if is_cluster { cluster("db", schedule).to_vec() } else { vec![database("db", schedule), database("db-1", "always")] };
        let mut shop = shop(services, databases);
        if !memory.is_empty() {
            shop.database("db").tags.insert(keys::ASLEEP.into(), memory.into());
        }
        if hold {
            shop.database("db").tags.insert(keys::HOLD.into(), "closed".into());
        }
        let now = at(now);
        let asked = asking(&shop.databases[0].database.arn.clone(), Command::Sleep);
        let request = if command { asked } else { sweep() };
        // What a sweep sees, with only that described which it looks at closely.
        let world = if command { shop.seen(&now) } else { shop.seen_by_sweep(&now) };
        let stops = plan(&world, &request, &now).steps.iter().any(|it| it.step.is_stop());
        // A mark that nobody has removed for three days has lost its migration.
        let migrates = now < at("2026-11-21T00:00");
        let uses = |it: &Service| {
            let named: &[&str] = if is_cluster { &["after=db", "after=DB", "after=other+db", "after=db-1"] } else { &["after=db", "after=DB", "after=other+db"] };
            let names = it.tags[keys::SCHEDULE].split(' ').any(|word| named.contains(&word));
            let runs = it.desired + it.running + it.pending > 0 || migrates && it.tags.contains_key(keys::MIGRATING);
            names && runs
        };
        if let Some(user) = shop.services.iter().find(|it| uses(it)) {
            prop_assert!(!stops, "{:#?} uses it", user);
        }
    }
}
