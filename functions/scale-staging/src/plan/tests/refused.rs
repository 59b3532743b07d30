//! What AWS refuses: for a while, for good, and how often that is told and tried.

use rules::keys;

use super::model::*;
use crate::plan::{Call, CannotStop, Command, Refusal, ScheduledAction};

const SAID: &str = "StopDBCluster shop: InvalidDBClusterStateFault: it is in a blue/green deployment";

#[test]
fn a_refused_stop_is_told_the_same_way_for_an_hour_and_then_tried_again() {
    let mut shop = shop(vec![], cluster("shop", HOURS).to_vec());
    let plan = shop.plan(&sweep(), &at("2026-11-20T20:00"));
    let refused = plan.steps[0].step.if_refused.clone().unwrap();
    assert_eq!((refused.kind, refused.forget), (Refusal::Stop, vec![keys::ASLEEP]));
    // What `apply` leaves of it.
    shop.database("shop").tags.insert(keys::REFUSED.into(), format!("since=2026-11-20T11:00:00Z {SAID}"));
    for now in ["2026-11-20T20:05", "2026-11-20T20:55"] {
        let told = Refusal::Stop.trouble(SAID);
        shop.check(now, &[&format!("! shop {}: {}", told.kind, told.message)]);
    }
    let lines = shop.lines(&sweep(), &at("2026-11-20T21:00"));
    assert!(lines[0].starts_with("* shop sleep: is stopped"), "{lines:#?}");
    // A person does not wait.
    let arn = shop.databases[0].database.arn.clone();
    let lines = shop.lines(&asking(&arn, Command::Sleep), &at("2026-11-20T20:05"));
    assert!(lines.iter().any(|it| it.starts_with("* shop sleep: is stopped")), "{lines:#?}");
    // Once it is stopped nothing is left of the refusal.
    shop.run_until_quiet(&at("2026-11-20T21:00"));
    let cluster = shop.database("shop");
    assert_eq!((cluster.status.as_str(), cluster.tags.get(keys::REFUSED)), ("stopped", None));
}

#[test]
fn a_snapshot_quota_that_is_used_up_is_told_with_the_way_out() {
    let mut shop = shop(vec![], vec![database("db", HOURS)]);
    let said = "StopDBInstance db: SnapshotQuotaExceeded: Cannot create more than 100 manual snapshots";
    shop.database("db").tags.insert(keys::REFUSED.into(), format!("since=2026-11-20T11:00:00Z {said}"));
    let told = shop.lines(&sweep(), &at("2026-11-20T20:05"));
    assert!(told[0].starts_with("! db snapshot-quota: it is not stopped, since the snapshot "), "{told:?}");
    assert!(told[0].contains("Delete manual snapshots that are not needed, or have the quota raised"), "{told:?}");
}

#[test]
fn a_refused_start_is_told_and_tried_again_every_hour() {
    let mut shop = shop(vec![], vec![database("db", HOURS)]);
    shop.run_until_quiet(&at("2026-11-19T20:00"));
    let said = "StartDBInstance db: InsufficientDBInstanceCapacity: no capacity";
    shop.database("db").tags.insert(keys::REFUSED.into(), format!("since=2026-11-19T23:00:00Z {said}"));
    let told = Refusal::Start.trouble(said);
    shop.check("2026-11-20T08:05", &[&format!("! db {}: {}", told.kind, told.message)]);
    shop.run_until_quiet(&at("2026-11-20T09:00"));
    let db = shop.database("db");
    assert_eq!((db.status.as_str(), db.tags.get(keys::REFUSED)), ("available", None));
}

#[test]
fn a_blue_green_deployment_is_not_a_reason_to_take_the_tag_off() {
    let mut shop = shop(vec![], vec![database("db", HOURS)]);
    let reason = "a blue/green deployment of it is under way".to_owned();
    shop.databases[0].cannot_stop = Some(CannotStop { reason, passes: true });
    shop.check("2026-11-20T20:00", &[
        "! db not-stoppable: AWS does not stop it now, since a blue/green deployment of it is under way; it is stopped \
         once that is over",
    ]);
}

#[test]
fn a_database_whose_state_forbids_the_stop_all_night_is_told() {
    let mut shop = shop(vec![], vec![database("db", HOURS)]);
    for status in ["storage-optimization", "modifying"] {
        shop.database("db").status = status.into();
        let told =
            |now: &str| shop.lines(&sweep(), &at(now)).into_iter().filter(|it| it.starts_with('!')).collect::<Vec<_>>();
        assert_eq!(told("2026-11-20T20:30"), [""; 0]);
        let expected = format!("! db not-stoppable: it is {status}, in which RDS does not stop a database");
        assert!(told("2026-11-20T21:00")[0].starts_with(&expected), "{:?}", told("2026-11-20T21:00"));
        assert_eq!(told("2026-11-20T21:00"), told("2026-11-21T03:00"), "it reads the same all night");
    }
    shop.database("db").status = "stopped".into();
    assert!(!shop.lines(&sweep(), &at("2026-11-21T03:00")).iter().any(|it| it.starts_with('!')));
}

#[test]
fn a_target_that_scales_by_its_own_schedule_is_left_alone_and_told() {
    let mut shop = shop(vec![scaled("api", HOURS, 3, 2, 6)], vec![]);
    let asleep = {
        let mut it = shop.clone();
        it.run_until_quiet(&at("2026-11-19T20:00"));
        it
    };
    let action =
        |name: &str, ends: Option<&str>| ScheduledAction { name: name.into(), ends: ends.map(|it| at(it).timestamp()) };
    let actions = vec![action("over", Some("2026-11-01T00:00")), action("down-at-20", None), action("up-at-8", None)];
    shop.service("api").scheduled_actions = actions;
    let lines = shop.lines(&sweep(), &at("2026-11-19T20:00"));
    assert_eq!(shop.run(&sweep(), &at("2026-11-19T20:00")), 0);
    assert!(lines[0].starts_with("+ api: it scales by scheduled actions of its own; "), "{lines:#?}");
    let expected =
        "! api scheduled-actions: its scaling target has a schedule of its own (the scheduled action down-at-20)";
    assert!(lines[1].starts_with(expected), "{lines:#?}");
    // One that sleeps already is woken, whoever has scheduled what since.
    let mut shop = asleep;
    shop.service("api").scheduled_actions = vec![action("up-at-8", None)];
    shop.run_until_quiet(&at("2026-11-20T08:00"));
    assert_eq!((shop.service("api").desired, shop.service("api").target.unwrap().min), (3, 2));
}

#[test]
fn a_stop_whose_snapshot_was_taken_goes_on_without_one() {
    let mut shop = shop(vec![], vec![database("db", HOURS)]);
    let memory = "since=2026-11-20T11:00:00Z snapshot=nightshift-db-2026-11-20-200000 by=schedule of=db-db";
    shop.database("db").tags.insert(keys::ASLEEP.into(), memory.into());
    shop.database("db").tags.insert(keys::BACKUP.into(), "days=30".into());
    shop.snapshots.insert("nightshift-db-2026-11-20-200000".into(), Default::default());
    let plan = shop.plan(&sweep(), &at("2026-11-20T20:05"));
    let stops = plan.steps.iter().flat_map(|it| &it.step.calls);
    let stops: Vec<&Call> = stops.filter(|it| matches!(it, Call::Stop { .. })).collect();
    assert!(matches!(stops[..], [Call::Stop { snapshot: None, .. }]), "{stops:?}");
}
