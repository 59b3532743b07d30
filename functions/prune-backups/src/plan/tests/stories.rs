//! Each guard, and what people read of it.

use rules::database::Kind;
use rules::keys;

use super::model::*;
use crate::plan::{Sharing, World};

const LOOK: &str =
    "; look first at the log of snapshot-databases for the last nights, then at the status of the database";

fn app(rule: &str, hours: &[i64]) -> World {
    world(vec![database("app", Some(rule))], hours.iter().map(|it| snapshot("app", *it)).collect())
}

#[test]
fn deletes_what_the_rule_no_longer_keeps_and_says_why_the_rest_stays() {
    check(
        &app("daily=2 weekly=2", &[3, 5, 27, 51, 200]),
        &[
            "- app-51h: not kept by daily=2 weekly=2",
            "- app-5h: not kept by daily=2 weekly=2",
            "+ app-200h: weekly 2026-W46",
            "+ app-27h: daily 2026-11-20",
            "+ app-3h: newest good snapshot of app, daily 2026-11-21, weekly 2026-W47",
        ],
    );
}

#[test]
fn the_newest_snapshot_that_a_drill_has_proven_stays_whatever_the_rule_says() {
    let mut world = app("days=1", &[3, 90, 200, 300]);
    for proven in [1, 2] {
        world.snapshots[proven].tags.insert(keys::PROVEN.into(), "2026-11-18T01:31:00Z check=app-drill".into());
    }
    check(
        &world,
        &[
            "- app-300h: not kept by days=1",
            "- app-200h: not kept by days=1",
            "+ app-90h: newest snapshot that a restore drill has proven",
            "+ app-3h: newest good snapshot of app, within 1 day",
        ],
    );
    // A newer one that is proven takes its place.
    world.snapshots[0].tags.insert(keys::PROVEN.into(), "2026-11-21T01:31:00Z".into());
    assert!(lines(&world).contains(&"- app-90h: not kept by days=1".to_owned()));
}

#[test]
fn a_snapshot_that_a_drill_is_restored_from_stays_until_the_drill_has_ended() {
    let mut world = app("days=1", &[3, 90]);
    let mut drill = database("nightshift-drill-app-1", None);
    drill.tags.insert(keys::DRILL_FROM.into(), format!("{} taken=2026-11-17T10:00:00Z", world.snapshots[1].id));
    world.databases.push(drill);
    check(&world, &["+ app-90h: a drill is restored from it", "+ app-3h: newest good snapshot of app, within 1 day"]);
    world.databases.pop();
    assert!(lines(&world).contains(&"- app-90h: not kept by days=1".to_owned()));
}

#[test]
fn touches_nothing_that_nightshift_did_not_make() {
    let mut world = app("days=1", &[3, 90, 91]);
    world.snapshots[1].tags.remove(keys::MADE_BY);
    world.snapshots[2].id = "before-the-migration".into();
    check(&world, &["+ app-3h: newest good snapshot of app, within 1 day"]);
}

#[test]
fn only_good_snapshots_count_and_a_failed_one_goes_a_day_later() {
    let mut world = app("daily=1", &[2, 3, 26, 50, 51]);
    for (index, status) in [(0, "failed"), (1, "creating"), (3, "failed"), (4, "available")] {
        world.snapshots[index].status = status.into();
    }
    check(
        &world,
        &[
            "- app-51h: not kept by daily=1",
            "- app-50h: it failed, so it is not a backup",
            "+ app-26h: newest good snapshot of app, daily 2026-11-20",
            "+ app-3h: it is creating",
            "+ app-2h: it failed less than a day ago",
        ],
    );
}

#[test]
fn a_failing_backup_job_deletes_nothing_and_is_told() {
    let mut world = app("daily=1", &[1, 73, 100, 200]);
    world.snapshots[0].status = "failed".into();
    let reason = "no snapshot is deleted: its newest good backup is of Wed 2026-11-18 05:30 KST, which is more than three days ago";
    let kept = |it: &str| format!("+ app-{it}: {reason}");
    let told = format!("! app backups-failing: {reason}{LOOK}");
    let mut expected: Vec<String> = ["200h", "100h", "73h", "1h"].map(kept).to_vec();
    expected.push(told);
    assert_eq!(lines(&world), expected);
    // Asleep it cannot have any newer ones.
    world.databases[0].status = "stopped".into();
    expected.pop();
    assert_eq!(lines(&world), expected);
    // One that just is young enough: exactly three days.
    check(
        &app("daily=1", &[72, 100]),
        &["- app-100h: not kept by daily=1", "+ app-72h: newest good snapshot of app, daily 2026-11-18"],
    );
}

#[test]
fn a_tag_that_is_gone_or_unreadable_keeps_everything() {
    let mut world = app("daily=1", &[1, 100]);
    world.databases[0].tags.clear();
    let gone = "app no longer has the tag nightshift:backup";
    check(&world, &[&format!("+ app-100h: {gone}"), &format!("+ app-1h: {gone}")]);
    world.databases[0].tags.insert(keys::BACKUP.into(), "dayly=1".into());
    let bad = "nightshift:backup: unknown option 'dayly' in 'dayly=1'; did you mean 'daily'? Accepted: last, days, daily, weekly, monthly, yearly, gone, copy";
    check(&world, &[&format!("+ app-100h: {bad}"), &format!("+ app-1h: {bad}"), &format!("! app bad-tag: {bad}")]);
}

#[test]
fn the_tag_keep_and_sharing_spare_a_snapshot() {
    let mut world = app("daily=1", &[1, 100, 101, 102]);
    world.snapshots[1].tags.insert(keys::KEEP.into(), "the audit of 2026".into());
    world.sharing.insert(world.snapshots[2].arn.clone(), Sharing::With(vec!["210987654321".into()]));
    world.sharing.insert(world.snapshots[3].arn.clone(), Sharing::With(Vec::new()));
    check(
        &world,
        &[
            "- app-102h: not kept by daily=1",
            "+ app-101h: it is shared with 210987654321",
            "+ app-100h: it has the tag nightshift:keep",
            "+ app-1h: newest good snapshot of app, daily 2026-11-21",
        ],
    );
}

#[test]
fn of_a_database_that_is_gone_the_rule_on_its_snapshots_holds_and_the_last_one_stays() {
    let mut world = app("daily=1", &[500, 1000]);
    world.databases.clear();
    let told = "! app-500h last-backups: nightshift-app-500h is the last backup of a database that is gone, and stays for ever: delete what is not needed, tag the rest nightshift:keep, and give databases that come and go the option gone=90d";
    check(&world, &["- app-1000h: not kept by days=1", "+ app-500h: newest good snapshot of app", told]);
    world.snapshots[0].tags.remove(keys::RETAINED_BY);
    let silent = "app is gone, and nightshift-app-500h does not say how long backups stay";
    check(&world, &[&format!("+ app-1000h: {silent}"), &format!("+ app-500h: {silent}"), told]);
    world.snapshots[0].tags.insert(keys::RETAINED_BY.into(), "for ever".into());
    let bad = "app is gone, and of nightshift-app-500h nightshift-state:backup: unknown word 'for' in 'for ever'; accepted: no word here, but the options last, days, daily, weekly, monthly, yearly, gone, copy";
    check(&world, &[&format!("+ app-1000h: {bad}"), &format!("+ app-500h: {bad}"), told]);
}

#[test]
fn a_new_database_of_an_old_name_does_not_age_the_backups_of_the_old_one() {
    let mut world = app("daily=1", &[1, 100]);
    let mut old = snapshot("app", 700);
    old.database_resource_id = Some("db-an-earlier-one".into());
    world.snapshots.push(old);
    check(
        &world,
        &[
            "- app-100h: not kept by daily=1",
            "+ app-1h: newest good snapshot of app, daily 2026-11-21",
            "+ app-700h: newest good snapshot of app",
            "! app-700h last-backups: nightshift-app-700h is the last backup of a database that is gone, and stays for ever: delete what is not needed, tag the rest nightshift:keep, and give databases that come and go the option gone=90d",
        ],
    );
    // Where AWS tells no resource id, the name is all there is.
    world.snapshots[2].database_resource_id = None;
    assert_eq!(lines(&world)[0], "- app-700h: not kept by daily=1");
}

#[test]
fn clusters_and_instances_of_one_name_are_two_databases() {
    let mut world = app("daily=1", &[1, 100]);
    let mut cluster = snapshot("app", 100);
    cluster.kind = Kind::Cluster;
    cluster.arn = cluster.arn.replace(":snapshot:", ":cluster-snapshot:");
    world.snapshots.push(cluster);
    check(
        &world,
        &[
            "- app-100h: not kept by daily=1",
            "+ app-1h: newest good snapshot of app, daily 2026-11-21",
            "+ app-100h: newest good snapshot of app",
            "! app-100h last-backups: nightshift-app-100h is the last backup of a database that is gone, and stays for ever: delete what is not needed, tag the rest nightshift:keep, and give databases that come and go the option gone=90d",
        ],
    );
}

#[test]
fn a_copy_is_judged_by_when_the_original_was_taken_and_never_goes_before_it() {
    let mut world = app("daily=2 copy=us-west-2", &[1, 25, 100]);
    world.snapshots[2].tags.insert(keys::KEEP.into(), String::new());
    let mut copies: Vec<_> = world.snapshots.iter().map(copy).collect();
    copies[2].tags.remove(keys::KEEP);
    copies.push(copy(&snapshot("app", 200)));
    world.copies.insert(region(), Ok(copies));
    check(
        &world,
        &[
            "- app-200h-ap-northeast-2: not kept by daily=2",
            "+ app-100h: it has the tag nightshift:keep",
            "+ app-25h: daily 2026-11-20",
            "+ app-1h: newest good snapshot of app, daily 2026-11-21",
            "+ app-100h-ap-northeast-2: its original is kept",
            "+ app-25h-ap-northeast-2: daily 2026-11-20",
            "+ app-1h-ap-northeast-2: newest good snapshot of app, daily 2026-11-21",
        ],
    );
}

#[test]
fn a_copy_that_a_drill_in_its_region_may_be_restored_from_stays_for_its_time() {
    let mut world = app("last=1 copy=us-west-2", &[1]);
    let copies = [1, 25, 71, 73].map(|it| copy(&snapshot("app", it)));
    world.copies.insert(region(), Ok(copies.to_vec()));
    let spared = |world: &World| {
        let lines = lines(world);
        let spared = lines.iter().filter(|it| it.ends_with("a drill there may be restored from it"));
        spared.map(|it| it[2..].split('-').nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(spared(&world), Vec::<String>::new());
    for (tag, expected) in [
        ("monthly region=us-west-2", vec!["71h", "25h"]),
        ("monthly region=eu-west-1", vec![]),
        ("monthly", vec![]),
        ("whenever", vec!["71h", "25h"]),
    ] {
        world.databases[0].tags.insert(keys::DRILL.into(), tag.into());
        assert_eq!(spared(&world), expected, "{tag}");
    }
}

#[test]
fn what_is_being_copied_stays_until_the_copy_is_there() {
    let mut world = app("daily=1 copy=us-west-2", &[1, 100]);
    let mut under_way = copy(&world.snapshots[1]);
    under_way.status = "creating".into();
    world.copies.insert(region(), Ok(vec![under_way, copy(&world.snapshots[0])]));
    assert!(lines(&world).contains(&"+ app-100h: it is being copied to us-west-2".into()));
    assert!(lines(&world).contains(&"+ app-100h-ap-northeast-2: it is creating".into()));
}

#[test]
fn what_may_be_on_its_way_to_a_region_that_cannot_be_read_stays() {
    let mut world = app("daily=1 copy=us-west-2", &[1, 100, 200]);
    world.copies.insert(region(), Err("DescribeDBSnapshots all: AccessDenied: no".into()));
    let spared = "+ app-100h: it may be on its way to us-west-2, which cannot be read";
    assert_eq!(lines(&world)[..2], ["- app-200h: not kept by daily=1".to_owned(), spared.to_owned()]);
}

/// The other region has a stack of its own, with databases that this one does not see, and each copies to the other.
#[test]
fn what_another_region_made_is_its_own_to_judge() {
    let elsewhere = |hours| {
        let mut it = snapshot("theirs", hours);
        it.arn = it.arn.replace("ap-northeast-2", "us-west-2");
        it
    };
    let mut world = app("daily=1 copy=us-west-2", &[1]);
    world.copies.insert(region(), Ok(vec![elsewhere(1), elsewhere(100), copy(&world.snapshots[0])]));
    world.snapshots.extend([copy(&elsewhere(1)), copy(&elsewhere(100))]);
    let theirs = "it is a copy, which the stack of the region that it comes from looks after";
    check(
        &world,
        &[
            &format!("+ theirs-1h-us-west-2: {theirs}"),
            &format!("+ theirs-100h-us-west-2: {theirs}"),
            "+ app-1h: newest good snapshot of app, daily 2026-11-21",
            "+ app-1h-ap-northeast-2: newest good snapshot of app, daily 2026-11-21",
        ],
    );
}

#[test]
fn sharing_that_cannot_be_asked_for_is_told() {
    let mut world = app("daily=1", &[1, 100]);
    let error = "DescribeDBSnapshotAttributes x: AccessDenied: no";
    world.sharing.insert(world.snapshots[1].arn.clone(), Sharing::Unreadable(error.into()));
    let stays = format!("it cannot be told whether it is shared: {error}");
    let told = "! sharing of snapshots unreadable-sharing: it cannot be told which snapshots are shared with other accounts, so those stay: DescribeDBSnapshotAttributes x: AccessDenied: no; fix that, or deploy the stack with KeepShared=false if you share none";
    assert_eq!(lines(&world).last().unwrap(), told);
    assert!(lines(&world).contains(&format!("+ app-100h: {stays}")));
}

#[test]
fn copying_that_fails_is_told_and_a_region_that_cannot_be_read_is_left_alone() {
    let mut world = app("daily=1 copy=us-west-2", &[1]);
    world.copies.insert(region(), Ok(vec![copy(&snapshot("app", 100)), copy(&snapshot("app", 200))]));
    let reason = "no snapshot is deleted: its newest good backup in us-west-2 is of Tue 2026-11-17 02:30 KST, which is more than three days ago";
    let look =
        "; look first at the log of snapshot-databases for copies that failed, then at the KMS key of that region";
    assert_eq!(lines(&world).last(), Some(&format!("! app backups-failing: {reason}{look}")));
    // Nothing is copied there any more, so nothing is wrong: the copies age away but for the last.
    world.databases[0] = database("app", Some("daily=1"));
    check(
        &world,
        &[
            "- app-200h-ap-northeast-2: not kept by daily=1",
            "+ app-1h: newest good snapshot of app, daily 2026-11-21",
            "+ app-100h-ap-northeast-2: newest good snapshot of app, daily 2026-11-17",
        ],
    );
    world.copies.insert(region(), Err("DescribeDBSnapshots all: AccessDenied: no".into()));
    let told = "! copies in us-west-2 unreadable-region: the snapshots there cannot be read: DescribeDBSnapshots all: AccessDenied: no";
    assert_eq!(lines(&world).last().unwrap(), told);
}

#[test]
fn a_database_without_any_backup_has_nothing_to_prune() {
    check(&app("daily=1", &[]), &[]);
    let mut world = app("daily=1", &[30]);
    world.snapshots[0].status = "failed".into();
    check(&world, &["+ app-30h: app has no good backup"]);
}
