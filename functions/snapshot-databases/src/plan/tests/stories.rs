//! Each state that a database, its snapshot and its copy can be in, and what people read of it.

use jiff::ToSpan;
use reconcile::Step as _;
use rules::database::{Kind, Snapshot};
use rules::keys;

use super::model::*;
use crate::plan::{Command, Occasion, Scope, SnapshotCount, Step, plan};

#[test]
fn takes_one_snapshot_a_night() {
    let mut world = world(vec![database("app", "days=30")], vec![snapshot("app", 1)]);
    check(&world, &["* take nightshift-app-2026-11-21: there is no nightshift-app-2026-11-21 yet"]);
    for status in ["available", "creating", "deleting"] {
        world.snapshots = vec![snapshot("app", 0)];
        world.snapshots[0].status = status.into();
        check(&world, &[&format!("+ app: nightshift-app-2026-11-21 is {status}")]);
    }
    world.databases[0].tags.clear();
    check(&world, &[]);
}

#[test]
fn a_failed_snapshot_is_replaced_and_never_counts() {
    let mut world = world(vec![database("app", "days=30")], vec![snapshot("app", 0), snapshot("app", 1)]);
    world.snapshots[0].status = "failed".into();
    check(
        &world,
        &[
            "* take nightshift-app-2026-11-21: nightshift-app-2026-11-21 failed",
            "! app snapshot-failing: nightshift-app-2026-11-21 failed; RDS's events tell more; it is taken again once an hour",
        ],
    );
    let steps = plan(&world, &Scope::Everything, &now()).steps;
    assert!(matches!(&steps[0].step, Step::TakeSnapshot(it) if it.replaces));
    assert_eq!(ages(&world), [(Some("app".into()), 24.0), (None, 24.0)]);
}

#[test]
fn the_databases_tags_come_along_without_those_that_are_orders() {
    let mut world = world(vec![database("app", "weekly=4 daily=7 copy=us-west-2")], vec![]);
    world.databases[0].tags.extend([
        ("aws:cloudformation:stack-name".into(), "shop".into()),
        (keys::SNAPSHOT_PROBLEM.into(), "failed".into()),
    ]);
    let steps = plan(&world, &Scope::Everything, &now()).steps;
    let Step::TakeSnapshot(take) = &steps[0].step else { panic!("{steps:?}") };
    let tags: Vec<(&str, &str)> = take.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        tags,
        [
            (keys::MADE_BY, "snapshot-databases nightshift-app-2026-11-21 ap-northeast-2"),
            (keys::DATABASE, "app"),
            (keys::RETAINED_BY, "daily=7 weekly=4 copy=us-west-2"),
            ("team", "food"),
        ]
    );
}

#[test]
fn what_cannot_be_snapshotted_now_waits_and_what_is_broken_is_told() {
    let mut world = world(vec![database("app", "days=30")], vec![]);
    world.created.insert(arn("db", "app"), now().timestamp() - 1i64.hours());
    for status in ["backing-up", "modifying", "starting", "something-new"] {
        world.databases[0].status = status.into();
        let reason = format!("+ app: it is {status} and cannot be snapshotted now; the next run tries again");
        check(&world, &[&reason]);
    }
    for status in ["failed", "storage-full", "incompatible-network", "inaccessible-encryption-credentials"] {
        world.databases[0].status = status.into();
        let told = format!("! app not-snapshottable: it is {status}: AWS takes no snapshot of it until that is fixed");
        check(&world, &[&told]);
    }
    world.databases[0].status = "storage-optimization".into();
    assert!(lines(&world, &Scope::Everything)[0].starts_with("* take"));
    world.databases[0].kind = Kind::Cluster;
    assert!(lines(&world, &Scope::Everything)[0].starts_with("+ app: it is storage-optimization"));
}

#[test]
fn a_stopped_database_is_skipped_and_one_without_a_backup_is_told() {
    let mut world = world(vec![database("app", "days=30")], vec![snapshot("app", 3)]);
    world.databases[0].status = "stopped".into();
    world.databases[0].tags.insert(keys::ASLEEP.into(), "since=2026-11-18T11:00:00Z by=schedule".into());
    check(
        &world,
        &[
            "+ app: it is stopped, so it does not change and cannot be snapshotted; its newest backup is of Wed 2026-11-18 03:00 KST",
        ],
    );
    assert_eq!(ages(&world), [(Some("app".into()), 0.0), (None, 0.0)]);
    // Stopped by hand, two days after the last backup: AWS will start it on the 27th.
    world.databases[0].tags.remove(keys::ASLEEP);
    world.databases[0].restarts_at = Some("2026-11-27T01:00:00Z".parse().unwrap());
    check(
        &world,
        &[
            "! app stopped-without-backup: it was stopped without a snapshot: start it for a night. It was stopped on Fri 2026-11-20 10:00 KST, and its newest backup is of Wed 2026-11-18 03:00 KST",
        ],
    );
    assert_eq!(ages(&world), [(Some("app".into()), 72.0), (None, 72.0)]);
    world.snapshots.clear();
    check(
        &world,
        &[
            "! app never-backed-up: it is stopped and has no backup: a stopped database cannot be snapshotted, so start it for a night",
        ],
    );
}

#[test]
fn a_tag_in_the_wrong_place_or_unreadable_is_told_with_the_remedy() {
    let mut world = world(vec![database("app-1", "days=30")], vec![]);
    world.databases[0].member_of = Some("app".into());
    check(
        &world,
        &[
            "! app-1 member-instance: it is a member of the DB cluster app, which is snapshotted as a whole: move the tag nightshift:backup to the cluster",
        ],
    );
    world.databases[0] = database("app", "nightly");
    check(
        &world,
        &[
            "! app bad-tag: nightshift:backup: unknown word 'nightly' in 'nightly'; accepted: no word here, but the options last, days, daily, weekly, monthly, yearly, gone, copy",
        ],
    );
    world.databases[0] = database("app", "days=30");
    world.databases[0].engine = "docdb".into();
    check(&world, &["! app other-engine: docdb databases are not supported: remove the tag nightshift:backup"]);
}

#[test]
fn a_cluster_is_snapshotted_as_a_cluster() {
    let mut world = world(vec![database("app", "days=30")], vec![snapshot("app", 0)]);
    world.databases[0].kind = Kind::Cluster;
    // The snapshot of an instance of the same name is another thing.
    check(&world, &["* take nightshift-app-2026-11-21: there is no nightshift-app-2026-11-21 yet"]);
    // A command that deletes a backup is in no message.
    let steps = plan(&world, &Scope::Everything, &now()).steps;
    assert_eq!(steps[0].step.undo(), None);
}

#[test]
fn a_snapshot_is_copied_once_it_is_available_and_keeps_its_tags_and_its_age() {
    let mut world =
        world(vec![database("app", "days=30 copy=us-west-2")], vec![snapshot("app", 0), snapshot("app", 4)]);
    world.snapshots[0].status = "creating".into();
    check(&world, &["+ app: nightshift-app-2026-11-21 is creating"]);
    world.snapshots[0].status = "available".into();
    let copied = "* copy nightshift-app-2026-11-21-ap-northeast-2 to us-west-2: it has no copy in us-west-2";
    check(&world, &[copied, "+ app: nightshift-app-2026-11-21 is available"]);
    assert_eq!(lines(&world, &Scope::Copies), [copied]);
    let steps = plan(&world, &Scope::Copies, &now()).steps;
    let Step::CopySnapshot(copy) = &steps[0].step else { panic!("{steps:?}") };
    assert_eq!(copy.key.as_deref(), Some(KEY));
    assert!(copy.tags.contains(&(keys::TAKEN.into(), "2026-11-20T18:00:00Z".into())));
    assert!(copy.tags.contains(&(keys::RETAINED_BY.into(), "days=30".into())));
    let original = format!("{} db-app", world.snapshots[0].arn);
    assert!(copy.tags.contains(&(keys::COPY_OF.into(), original)));
    // Unencrypted it stays unencrypted.
    world.snapshots[0].encrypted = false;
    world.snapshots[0].option_group = Some("audit".into());
    let steps = plan(&world, &Scope::Copies, &now()).steps;
    let Step::CopySnapshot(copy) = &steps[0].step else { panic!("{steps:?}") };
    assert_eq!((copy.key.as_deref(), copy.option_group.as_deref()), (None, Some("audit")));
}

#[test]
fn the_progress_of_a_copy_is_read_and_a_failed_one_replaced() {
    let mut world = world(vec![database("app", "days=30 copy=us-west-2")], vec![snapshot("app", 0)]);
    let tonight = "+ app: nightshift-app-2026-11-21 is available";
    let mut copy = copy(&snapshot("app", 0));
    (copy.status, copy.progress) = ("creating".into(), Some(40));
    world.copies.insert(region(), Ok(vec![copy.clone()]));
    check(&world, &[tonight, "+ nightshift-app-2026-11-21: its copy in us-west-2 is creating, 40 %"]);
    copy.status = "failed".into();
    world.copies.insert(region(), Ok(vec![copy]));
    check(
        &world,
        &[
            "* copy nightshift-app-2026-11-21-ap-northeast-2 to us-west-2: its copy failed",
            tonight,
            "! app copy-failing: copy=us-west-2: nightshift-app-2026-11-21-ap-northeast-2 failed; RDS's events tell more; it is copied again once an hour",
        ],
    );
}

/// The other region has a stack of its own, with a database of the same name, and each copies to the other.
#[test]
fn a_region_that_copies_here_too_is_no_concern_of_this_one() {
    let elsewhere = |days| {
        let mut it = snapshot("app", days);
        it.arn = it.arn.replace("ap-northeast-2", "us-west-2");
        it.database_resource_id = Some("db-there".into());
        it
    };
    let mut inbound = copy(&elsewhere(0));
    // Whatever AWS says of its database.
    inbound.database_resource_id = Some("db-app".into());
    let mut world = world(vec![database("app", "days=30 copy=us-west-2")], vec![snapshot("app", 4), inbound]);
    world.copies.insert(region(), Ok(vec![elsewhere(0)]));
    // What came from there is not a backup of the night here, and what was taken there is not a copy of it.
    check(&world, &["* take nightshift-app-2026-11-21: there is no nightshift-app-2026-11-21 yet"]);
    world.databases[0].tags.insert(keys::SNAPSHOT_PROBLEM.into(), "failed 1a2b told=2026-11-20T18:00:00Z".into());
    assert_eq!(ages(&world)[0], (Some("app".into()), 96.0));
    world.snapshots.push(snapshot("app", 0));
    assert_eq!(
        lines(&world, &Scope::Copies),
        ["* copy nightshift-app-2026-11-21-ap-northeast-2 to us-west-2: it has no copy in us-west-2"]
    );
}

#[test]
fn what_has_the_name_of_a_copy_and_is_not_one_is_told() {
    let mut world = world(vec![database("app", "days=30 copy=us-west-2")], vec![snapshot("app", 0)]);
    let mut other = copy(&snapshot("app", 0));
    other.tags.remove(keys::COPY_OF);
    world.copies.insert(region(), Ok(vec![other]));
    assert_eq!(
        lines(&world, &Scope::Copies),
        [
            "! app id-taken: copy=us-west-2: the id of the copy is taken. nightshift-app-2026-11-21-ap-northeast-2 exists there and is not a copy of nightshift-app-2026-11-21: copy it to another id, then delete it"
        ]
    );
}

#[test]
fn no_more_than_five_copies_are_under_way() {
    let databases: Vec<_> = (0..7).map(|it| database(&format!("app-{it}"), "days=30 copy=us-west-2")).collect();
    let snapshots = (0..7).map(|it| snapshot(&format!("app-{it}"), 0)).collect();
    let mut world = world(databases, snapshots);
    let mut moving = copy(&snapshot("other", 1));
    moving.status = "copying".into();
    // One that is taken there of a database there is not a copy.
    let taken = Snapshot { status: "creating".into(), ..snapshot("there", 0) };
    world.copies.insert(region(), Ok(vec![moving, taken]));
    let lines = lines(&world, &Scope::Copies);
    assert_eq!(lines.iter().filter(|it| it.starts_with("* copy")).count(), 4);
    let waits = "+ nightshift-app-6-2026-11-21: 5 copies to us-west-2 are under way; a later run copies it";
    assert_eq!(lines.last().unwrap(), waits);
}

#[test]
fn what_prevents_a_copy_is_told_with_the_remedy() {
    let mut world = world(vec![database("app", "days=30 copy=us-west-2")], vec![snapshot("app", 0)]);
    let last = |world: &_| lines(world, &Scope::Copies).pop().unwrap();
    world.copy_keys.insert(region(), None);
    assert_eq!(
        last(&world),
        "! app no-copy-key: copy=us-west-2: a copy needs a KMS key of that region; the snapshots are encrypted: give it in the stack's parameter CopyRegions, as us-west-2=arn:aws:kms:us-west-2:…"
    );
    world.copies.insert(region(), Err("DescribeDBSnapshots all: AccessDenied: no".into()));
    assert_eq!(
        last(&world),
        "! app unreadable-region: copy=us-west-2: the copies there cannot be read: DescribeDBSnapshots all: AccessDenied: no"
    );
    world.copy_keys.clear();
    assert_eq!(
        last(&world),
        "! app no-copy-region: copy=us-west-2: the stack may not copy there; add us-west-2 to its parameter CopyRegions"
    );
    let mut world = super::model::world(vec![database("app", "days=30 copy=us-west-2")], vec![snapshot("app", 0)]);
    world.databases[0].kind = Kind::Cluster;
    world.snapshots[0].kind = Kind::Cluster;
    assert_eq!(
        last(&world),
        "! app cannot-copy: copy=us-west-2: AWS does not copy snapshots of Multi-AZ DB clusters; remove the option"
    );
}

#[test]
fn at_the_quota_people_are_told_how_many_could_go() {
    let mut world = world(vec![database("app", "days=2")], (1..6).map(|it| snapshot("app", it)).collect());
    world.manual.insert(Kind::Instance, 100);
    let steps = plan(&world, &Scope::Everything, &now()).steps;
    let Step::TakeSnapshot(take) = &steps[0].step else { panic!("{steps:?}") };
    assert_eq!(take.count, Some(SnapshotCount { manual: 100, prunable: 4 }));
}

#[test]
fn the_age_of_the_newest_backup_is_measured_and_that_of_the_worst() {
    let mut world = world(
        vec![database("app", "days=30"), database("shop", "days=30"), database("fresh", "days=30")],
        vec![snapshot("app", 1), snapshot("shop", 2), snapshot("shop", 1)],
    );
    world.snapshots[2].status = "failed".into();
    // One that has just been tagged has no age yet.
    let shop = (Some("shop".to_owned()), 48.0);
    assert_eq!(ages(&world), [(Some("app".into()), 24.0), shop, (None, 48.0)]);
    // Nothing but failures: since the first of them.
    world.snapshots.remove(1);
    assert_eq!(ages(&world)[1], (Some("shop".into()), 24.0));
    world.databases.clear();
    assert_eq!(ages(&world), [(None, 0.0)]);
}

#[test]
fn a_snapshot_that_takes_hours_is_not_a_missing_backup() {
    let mut world = world(vec![database("app", "days=30")], vec![snapshot("app", 1), snapshot("app", 0)]);
    world.snapshots[1].status = "creating".into();
    // AWS may not say when it was begun.
    for begun in [Some(now().timestamp()), None] {
        world.snapshots[1].created_at = begun;
        assert_eq!(ages(&world)[0], (Some("app".into()), 0.0));
    }
    // One that has been at it since yesterday does not count any more.
    world.snapshots[1].created_at = Some(now().timestamp() - 21i64.hours());
    assert_eq!(ages(&world)[0], (Some("app".into()), 24.0));
}

#[test]
fn a_database_that_is_busy_night_after_night_is_told() {
    let mut world = world(vec![database("app", "days=30")], vec![snapshot("app", 2)]);
    world.databases[0].status = "modifying".into();
    let waits = "+ app: it is modifying and cannot be snapshotted now; the next run tries again";
    check(&world, &[waits]);
    world.snapshots[0] = snapshot("app", 3);
    let told = "! app no-backup: it cannot be backed up while it is modifying; its newest backup is of Wed 2026-11-18 03:00 KST: look at the database, and at its events in RDS";
    check(&world, &[told]);
    // Ready, and AWS refuses it nevertheless: that is not left to the next run either.
    world.databases[0].status = "available".into();
    let steps = plan(&world, &Scope::Everything, &now()).steps;
    assert!(matches!(&steps[0].step, Step::TakeSnapshot(take) if take.overdue), "{steps:?}");
    // A new one is given time.
    world.databases[0].status = "creating".into();
    world.snapshots.clear();
    check(&world, &["+ app: it is creating and cannot be snapshotted now; the next run tries again"]);
}

fn asked(database: &str) -> Scope {
    let image = format!("sha256:{:064x}", 7).parse().unwrap();
    Scope::One(Command { database: database.into(), occasion: Occasion::Deployment(image) })
}

const BEFORE: &str = "nightshift-predeploy-app-000000000000";

#[test]
fn before_a_deployment_one_snapshot_is_taken_and_tagged_as_the_nightly_ones_are() {
    let mut world = world(vec![database("app", "weekly=4 daily=7")], vec![]);
    let steps = plan(&world, &asked("app"), &now()).steps;
    let Step::TakeSnapshot(before) = &steps[0].step else { panic!("{steps:?}") };
    let nightly = plan(&world, &Scope::Everything, &now()).steps;
    let Step::TakeSnapshot(nightly) = &nightly[0].step else { panic!("{nightly:?}") };
    assert_eq!((before.id.as_str(), &before.tags[1..], before.count), (BEFORE, &nightly.tags[1..], None));
    assert_eq!(before.tags[0].1, format!("snapshot-databases {BEFORE} ap-northeast-2"));
    assert_eq!(lines(&world, &asked("app")), [format!("* take {BEFORE}: it is asked for before a deployment")]);

    // Once it is there, or on its way, that is all that was asked for.
    world.snapshots = vec![snapshot("app", 0)];
    world.snapshots[0].id = BEFORE.into();
    world.snapshots[0].tags.insert(keys::MADE_BY.into(), "snapshot-databases".into());
    for status in ["available", "creating"] {
        world.snapshots[0].status = status.into();
        assert_eq!(lines(&world, &asked("app")), [format!("+ app: {BEFORE} is {status}")]);
    }
    world.snapshots[0].status = "failed".into();
    assert_eq!(lines(&world, &asked("app")), [format!("* take {BEFORE}: {BEFORE} failed")]);
    let steps = plan(&world, &asked("app"), &now()).steps;
    assert!(matches!(&steps[0].step, Step::TakeSnapshot(it) if it.replaces));
    world.snapshots[0].status = "deleting".into();
    let told = format!("! app not-now: {BEFORE} is deleting: ask again when it is gone");
    assert_eq!(lines(&world, &asked("app")), [told]);
    world.snapshots[0].tags.clear();
    assert!(
        lines(&world, &asked("app"))[0].starts_with(&format!("! app id-taken: {BEFORE} exists, but Nightshift did"))
    );
}

#[test]
fn what_prevents_a_snapshot_before_a_deployment_is_told_with_the_remedy() {
    let told = |world: &_| lines(world, &asked("app")).pop().unwrap();
    let mut world = world(vec![], vec![]);
    assert_eq!(
        told(&world),
        "! app no-such-database: there is no DB instance and no DB cluster of this name in the region: name one that is there"
    );
    world.databases = vec![database("app", "days=30")];
    for (status, expected) in [
        ("stopped", "asleep: it is stopped, and AWS takes no snapshot of a stopped database: start it, then ask again"),
        ("modifying", "not-now: it is modifying and cannot be snapshotted now: ask again when it is available"),
        ("storage-full", "not-snapshottable: it is storage-full: AWS takes no snapshot of it until that is fixed"),
    ] {
        world.databases[0].status = status.into();
        assert_eq!(told(&world), format!("! app {expected}"));
    }
    world.databases[0].tags.insert(keys::BACKUP.into(), "dayly=1".into());
    assert!(told(&world).starts_with("! app bad-tag: nightshift:backup: unknown option 'dayly'"));
    world.databases[0].tags.remove(keys::BACKUP);
    assert_eq!(
        told(&world),
        "! app not-opted-in: it has no tag nightshift:backup; without it no snapshot of it may be taken: tag it, for example with days=30"
    );
    world.databases[0].member_of = Some("shop".into());
    let member = "! app member-instance: it is a member of the DB cluster shop, which is snapshotted as a whole: name shop, with the tag nightshift:backup on it";
    assert_eq!(told(&world), member);
    world.databases[0].tags.insert(keys::BACKUP.into(), "days=1".into());
    assert_eq!(told(&world), member);
}

#[test]
fn of_an_instance_and_a_cluster_of_one_name_the_one_that_opted_in_is_meant() {
    let mut cluster = database("app", "days=30");
    cluster.kind = Kind::Cluster;
    let mut instance = database("app", "days=30");
    let mut world = world(vec![instance.clone(), cluster], vec![]);
    assert!(
        lines(&world, &asked("app"))[0]
            .starts_with("! app two-databases: a DB instance and a DB cluster have this name; both")
    );
    instance.tags.clear();
    world.databases[0] = instance;
    let steps = plan(&world, &asked("app"), &now()).steps;
    assert!(matches!(&steps[0].step, Step::TakeSnapshot(it) if it.kind == Kind::Cluster));
}

#[test]
fn what_could_go_is_counted_of_each_kind_over_all_databases_that_opted_in() {
    let mut shop = database("shop", "daily=1");
    shop.kind = Kind::Cluster;
    let bare = database("bare", "");
    let mut world = world(vec![database("app", "days=2"), database("web", "daily=2"), shop, bare], vec![]);
    world.databases[3].tags.clear();
    for name in ["app", "web", "shop", "bare"] {
        world.snapshots.extend((1..6).map(|it| snapshot(name, it)));
    }
    for it in world.snapshots.iter_mut().filter(|it| it.database == "shop") {
        it.kind = Kind::Cluster;
    }
    // Neither a failed one nor a person's could go by the rule.
    world.snapshots[4].status = "failed".into();
    world.snapshots[9].tags.clear();
    world.manual = [(Kind::Instance, 70), (Kind::Cluster, 20)].into();
    let steps = plan(&world, &Scope::Everything, &now()).steps;
    let counts = steps.iter().map(|it| match &it.step {
        Step::TakeSnapshot(it) => (it.database.as_str(), it.count.unwrap()),
        Step::CopySnapshot(it) => panic!("{it:?}"),
    });
    let instances = SnapshotCount { manual: 70, prunable: 5 };
    let clusters = SnapshotCount { manual: 20, prunable: 4 };
    assert_eq!(counts.collect::<Vec<_>>(), [("app", instances), ("shop", clusters), ("web", instances)]);
}
