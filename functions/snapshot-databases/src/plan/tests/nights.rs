//! Nights that do not go as usual: switchovers, failures, sleepers, and the quota.

use jiff::ToSpan;
use reconcile::Step as _;
use rules::database::Kind;
use rules::keys;

use super::model::*;
use crate::plan::{Command, Event, Occasion, Scope, Step, World, plan, quota_matters, wanted_events};

const TONIGHT: &str = "nightshift-app-2026-11-21";

/// A database that took over the name of `app` today, and the one that had it.
fn switched() -> World {
    let mut blue = database("app-old1", "days=30");
    blue.resource_id = Some("db-app".into());
    let mut green = database("app", "days=30");
    green.resource_id = Some("db-green".into());
    world(vec![green, blue], vec![snapshot("app", 0)])
}

#[test]
fn a_database_that_took_over_the_name_today_is_backed_up_today() {
    let mut world = switched();
    let expected = [
        "* take nightshift-app-2026-11-21-6d8cc93c: there is no nightshift-app-2026-11-21-6d8cc93c yet",
        // The snapshot that it had under its old name is its own.
        "+ app-old1: nightshift-app-2026-11-21 is available",
        "! app-old1 switched-over: app took its place in a blue/green deployment, and it is backed up still: remove its tag nightshift:backup, or delete it; its snapshots stay as the rule on them says",
    ];
    check(&world, &expected);
    let plan = plan(&world, &Scope::Everything, &now());
    testkit::told::keep("snapshot-databases", &plan);
    world = applied(&plan, world, "available", now().timestamp());
    check(&world, &["+ app: nightshift-app-2026-11-21-6d8cc93c is available", expected[1], expected[2]]);
    // Even if the other one's snapshot is deleted meanwhile.
    world.snapshots.retain(|it| it.id != TONIGHT);
    assert_eq!(lines(&world, &Scope::Everything)[1], "+ app: nightshift-app-2026-11-21-6d8cc93c is available");
}

#[test]
fn an_id_that_a_person_took_does_not_cost_the_backup_of_the_night() {
    let mut world = world(vec![database("app", "days=30")], vec![snapshot("app", 0)]);
    world.snapshots[0].tags.remove(keys::MADE_BY);
    let lines = |world: &World| lines(world, &Scope::Everything);
    assert!(lines(&world)[0].starts_with("* take nightshift-app-2026-11-21-"), "{:?}", lines(&world));
    // Without a resource id there is no other name.
    world.databases[0].resource_id = None;
    assert_eq!(
        lines(&world),
        [
            "! app id-taken: nightshift-app-2026-11-21 exists, but Nightshift did not make it: copy it to another name, then delete it"
        ]
    );
}

#[test]
fn one_that_has_a_name_like_those_of_a_switchover_is_none_where_the_other_is_not_there() {
    let world = world(vec![database("app-old1", "days=30"), database("web-older", "days=30")], vec![]);
    assert!(!lines(&world, &Scope::Everything).iter().any(|it| it.starts_with('!')));
}

#[test]
fn a_failing_snapshot_is_taken_again_once_an_hour_and_told_once() {
    let begun = now().timestamp();
    let mut world = world(vec![database("app", "days=30")], vec![snapshot("app", 1)]);
    let mut told = Vec::new();
    let mut attempts = Vec::new();
    for minutes in (0..180i64).step_by(15) {
        let at = now().checked_add(minutes.minutes()).unwrap();
        // What was begun has failed by the next run.
        for it in world.snapshots.iter_mut().filter(|it| it.status == "creating") {
            it.status = "failed".into();
            let event = Event { at: begun, message: "Storage is full".into() };
            world.events.insert(it.arn.clone(), Ok(vec![event]));
        }
        let plan = plan(&world, &Scope::Everything, &at);
        testkit::told::keep("snapshot-databases", &plan);
        assert_eq!(plan.problems.len(), usize::from(minutes > 0), "{minutes}: {:?}", plan.problems);
        told.extend(plan.problems.iter().map(|it| it.message.clone()));
        for planned in &plan.steps {
            attempts.push((minutes, planned.step.tells().is_none()));
        }
        world = applied(&plan, world, "creating", at.timestamp());
    }
    assert_eq!(attempts, [(0, false), (15, true), (75, true), (135, true)]);
    told.dedup();
    assert_eq!(told, [format!("{TONIGHT} failed; RDS says \"Storage is full\"; it is taken again once an hour")]);
}

#[test]
fn while_it_is_taken_again_nothing_told_is_forgotten() {
    let mut world = world(vec![database("app", "days=30")], vec![snapshot("app", 1), snapshot("app", 0)]);
    let arn = arn("db", "app");
    let examined = |world: &World| plan(world, &Scope::Everything, &now()).remembered.contains_key(&arn);
    world.snapshots[1].status = "creating".into();
    assert!(examined(&world), "a first attempt");
    world.snapshots[1].tags.insert(keys::ATTEMPT.into(), "2".into());
    assert!(!examined(&world), "a second one");
    world.snapshots[1].status = "available".into();
    assert!(examined(&world), "it is there");
}

#[test]
fn a_database_that_never_got_a_backup_is_told_and_shows_in_the_metric() {
    let mut world = world(vec![database("app", "days=30")], vec![]);
    world.databases[0].status = "storage-config-upgrade".into();
    let told = "! app never-backed-up: it has no backup: it is storage-config-upgrade. In that state AWS takes no snapshot; the next run tries again. If it stays storage-config-upgrade, look at its events in RDS";
    check(&world, &[told]);
    assert_eq!(ages(&world).last().unwrap().1, 50.0);
    world.created.insert(arn("db", "app"), now().timestamp() - 100i64.hours());
    check(&world, &[told]);
    assert_eq!(ages(&world).last().unwrap().1, 100.0);
    // One that was created last evening has not had its night yet.
    world.created.insert(arn("db", "app"), now().timestamp() - 7i64.hours());
    assert!(lines(&world, &Scope::Everything)[0].starts_with("+ app"));
    assert_eq!(ages(&world).last().unwrap().1, 7.0);
}

#[test]
fn the_age_of_a_backup_does_not_count_the_time_asleep() {
    let mut world = world(vec![database("app", "days=30")], vec![snapshot("app", 3)]);
    // Asleep since the evening after that backup, and woken at 02:50: a backup begins now.
    assert_eq!(ages(&world).last().unwrap().1, 0.0);
    // What was tried in vain counts, as long as that is remembered.
    world.databases[0].tags.insert(keys::SNAPSHOT_PROBLEM.into(), "failed 1a2b told=2026-11-20T18:00:00Z".into());
    assert_eq!(ages(&world).last().unwrap().1, 72.0);
    // Waking it is busy for a while; RDS's events say for how long it slept.
    world.databases[0].tags.remove(keys::SNAPSHOT_PROBLEM);
    world.databases[0].status = "backing-up".into();
    assert_eq!(ages(&world).last().unwrap().1, 72.0);
    let wanted: Vec<String> = wanted_events(&world, &now()).0.into_iter().map(|it| it.id).collect();
    assert_eq!(wanted, ["app"]);
    let event =
        |hours_ago: i64, message: &str| Event { at: now().timestamp() - hours_ago.hours(), message: message.into() };
    let events =
        vec![event(1, "DB instance started"), event(50, "DB instance stopped"), event(100, "DB instance started")];
    world.events.insert(arn("db", "app"), Ok(events));
    assert_eq!(ages(&world).last().unwrap().1, 23.0);
}

#[test]
fn the_quota_is_told_before_it_is_reached_and_never_run_against() {
    let mut world = world(vec![database("app", "days=2"), database("web", "days=2")], vec![snapshot("web", 1)]);
    let lines = |world: &World| lines(world, &Scope::Everything);
    world.manual.insert(Kind::Instance, 89);
    assert_eq!(lines(&world).len(), 2);
    world.manual.insert(Kind::Instance, 99);
    let near = "! app snapshot-quota-near: the snapshot quota is more than 90 % used. It allows 100 manual DB instance snapshots in the region: raise the quota \"Manual DB instance snapshots\" in Service Quotas, or shorten the rules";
    assert_eq!(lines(&world).last().unwrap(), near);
    // One fits: it is that of the database that has none at all.
    world.quotas.insert(Kind::Instance, 100);
    assert_eq!(
        lines(&world),
        [
            "* take nightshift-app-2026-11-21: there is no nightshift-app-2026-11-21 yet",
            "+ web: there is no nightshift-web-2026-11-21 yet, and the quota allows no further snapshot",
            near
        ]
    );
    world.manual.insert(Kind::Instance, 100);
    world.snapshots.extend((2..5).map(|it| snapshot("web", it)));
    let full = "! app snapshot-quota: no further backup: the snapshot quota is used up. It allows 100 manual DB instance snapshots in the region; 3 of them are kept by no rule any more: invoke prune-backups, then this function";
    assert_eq!(lines(&world).last().unwrap(), full);
    assert!(plan(&world, &Scope::Everything, &now()).steps.is_empty());
    // It was raised.
    world.quotas.insert(Kind::Instance, 300);
    assert_eq!(lines(&world).len(), 2);
    world.quotas.clear();
    world.manual.insert(Kind::Instance, 200);
    assert_eq!(lines(&world).len(), 2);
}

/// It is not read then, so nothing may depend on it. The least that AWS grants is 100.
#[test]
fn a_quota_that_cannot_matter_changes_nothing() {
    let lines = |world: &World| lines(world, &Scope::Everything);
    let (mut unread, mut read) = (0, 0);
    for count in 1..12 {
        for manual in 0..=120 {
            let databases = (0..count).map(|it| database(&format!("app-{it}"), "days=2")).collect();
            let mut world = world(databases, Vec::new());
            world.manual.insert(Kind::Instance, manual);
            if quota_matters(&world.manual, &world.databases) {
                read += 1;
                continue;
            }
            unread += 1;
            let without = lines(&world);
            for quota in [100, 300] {
                world.quotas.insert(Kind::Instance, quota);
                assert_eq!(lines(&world), without, "{count} databases, {manual} snapshots, quota {quota}");
            }
        }
    }
    assert!(unread > 100 && read > 100, "{unread} {read}");
}

#[test]
fn before_a_sleep_a_snapshot_is_taken_whose_name_tells_the_evening() {
    let mut shop = database("shop", "days=30 copy=us-west-2");
    (shop.kind, shop.engine) = (Kind::Cluster, "aurora-postgresql".into());
    let mut world = world(vec![shop], vec![]);
    let scope = |moment: &str| {
        Scope::One(Command { database: "shop".into(), occasion: Occasion::Sleep(moment.parse().unwrap()) })
    };
    let evening = scope("2026-11-20T11:00:00Z");
    let id = "nightshift-shop-2026-11-20-200000";
    assert_eq!(lines(&world, &evening), [format!("* take {id}: it is asked for before a sleep")]);
    let plan = plan(&world, &evening, &now());
    testkit::told::keep("snapshot-databases", &plan);
    assert!(plan.remembered.is_empty(), "what the nights are told of stays as it is");
    world = applied(&plan, world, "creating", now().timestamp());
    assert_eq!(lines(&world, &evening), [format!("+ shop: {id} is creating")]);
    world.snapshots[0].status = "failed".into();
    assert_eq!(lines(&world, &evening), [format!("* take {id}: {id} failed")]);
    // Another sleep of the same day has another snapshot.
    assert!(lines(&world, &scope("2026-11-20T03:00:00Z"))[0].starts_with("* take nightshift-shop-2026-11-20-120000"));
    for status in ["stopping", "modifying"] {
        world.databases[0].status = status.into();
        let waits = format!("+ shop: it is {status} and cannot be snapshotted now; scale-staging asks again");
        assert_eq!(lines(&world, &evening), [waits]);
    }
    world.databases[0].status = "inaccessible-encryption-credentials".into();
    assert!(lines(&world, &evening)[0].starts_with("! shop not-snapshottable: "));
    // It counts as the newest backup of what then sleeps.
    (world.snapshots[0].status, world.snapshots[0].engine) = ("available".into(), "aurora-postgresql".into());
    world.databases[0].status = "stopped".into();
    world.databases[0].tags.insert(keys::ASLEEP.into(), "since=2026-11-20T11:00:00Z by=schedule".into());
    assert_eq!(ages(&world).last().unwrap().1, 0.0);
    let Step::CopySnapshot(copy) = &crate::plan::plan(&world, &Scope::Copies, &now()).steps[0].step else { panic!() };
    assert!(copy.tags.contains(&(keys::RETAINED_BY.into(), "days=30 copy=us-west-2".into())));
}
