//! Copies that take hours, wait for each other, or fail.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan};
use rules::database::{Kind, Snapshot};
use rules::keys;

use super::model::*;
use crate::plan::{Event, Scope, Step, World, plan};

const COPY: &str = "nightshift-app-2026-11-21-ap-northeast-2";

fn copies(world: &World) -> &Vec<Snapshot> {
    world.copies[&region()].as_ref().unwrap()
}

/// The snapshot of that night as it is taken while `copy=` is in force.
fn copied(database: &str, days_ago: i64) -> Snapshot {
    let mut it = snapshot(database, days_ago);
    it.tags.insert(keys::RETAINED_BY.into(), "days=30 copy=us-west-2".into());
    it
}

fn lags(world: &World) -> Vec<(String, f64)> {
    let measures = plan(world, &Scope::Copies, &now()).measures.into_iter();
    measures.filter(|it| it.metric == "CopyAgeHours").map(|it| (it.of.unwrap(), it.value)).collect()
}

/// Thirty databases, and a region to which a copy takes four hours: only five are done in a night.
#[test]
fn every_database_gets_its_copies_though_few_fit_into_a_night() {
    let names: Vec<String> = (0..30).map(|it| format!("db{it:02}")).collect();
    let mut world = world(names.iter().map(|it| database(it, "days=30 copy=us-west-2")).collect(), vec![]);
    let mut begun: Vec<(String, Timestamp)> = Vec::new();
    let mut told = BTreeSet::new();
    for minute in (0..7i64).flat_map(|day| (0..180).step_by(15).map(move |minute| day * 24 * 60 + minute)) {
        let at = now().checked_add(minute.minutes()).unwrap();
        let done = |id: &str| {
            begun.iter().any(|(it, since)| it == id && at.timestamp().duration_since(*since).as_mins() >= 240)
        };
        for it in world.copies.get_mut(&region()).unwrap().as_mut().unwrap() {
            if done(&it.id) {
                it.status = "available".into();
            }
        }
        world.snapshots.iter_mut().for_each(|it| it.status = "available".into());
        let plan = plan(&world, &Scope::Everything, &at);
        testkit::told::keep("snapshot-databases", &plan);
        told.extend(plan.problems.iter().map(|it| it.problem.clone()));
        let new = plan.steps.iter().filter_map(|it| match &it.step {
            Step::CopySnapshot(it) => Some((it.id.clone(), at.timestamp())),
            Step::TakeSnapshot(_) => None,
        });
        begun.extend(new);
        world = applied(&plan, world, "creating", at.timestamp());
    }
    let copied: BTreeSet<&str> = copies(&world).iter().map(|it| it.database.as_str()).collect();
    assert_eq!(copied.len(), 30, "{copied:?}");
    assert_eq!(told.into_iter().collect::<Vec<_>>(), ["copy-late"]);
}

#[test]
fn the_one_that_has_waited_longest_comes_first_and_the_newest_of_each_before_older_ones() {
    let databases = ["a", "b", "c"].map(|it| database(it, "days=30 copy=us-west-2")).to_vec();
    let all = ["a", "b", "c"].iter().flat_map(|it| [copied(it, 0), copied(it, 1)]).collect();
    let mut world = world(databases, all);
    // `a` was copied a day ago, `b` two days ago, `c` never.
    world.copies.insert(region(), Ok(vec![copy(&copied("a", 1)), copy(&copied("b", 2))]));
    let order: Vec<String> = plan(&world, &Scope::Copies, &now())
        .steps
        .iter()
        .map(|it| it.resource.rsplit(':').next().unwrap().replace("nightshift-", ""))
        .collect();
    assert_eq!(order, ["c-2026-11-21", "b-2026-11-21", "a-2026-11-21", "c-2026-11-20", "b-2026-11-20"]);
}

#[test]
fn a_snapshot_that_waits_for_more_than_a_day_is_measured_and_told() {
    let mut world = world(vec![database("app", "days=30 copy=us-west-2")], vec![copied("app", 0), copied("app", 1)]);
    assert_eq!(lags(&world), [("app".into(), 24.0)]);
    assert!(!lines(&world, &Scope::Copies).iter().any(|it| it.starts_with('!')));
    world.snapshots.push(copied("app", 2));
    assert_eq!(lags(&world), [("app".into(), 48.0)]);
    assert_eq!(
        lines(&world, &Scope::Copies).last().unwrap(),
        "! app copy-late: its copy to us-west-2 is more than a day late; nightshift-app-2026-11-19, taken on Thu 2026-11-19 03:00 KST, has none: look at the copies that are under way there, and at failed runs of snapshot-databases"
    );
    // The newest is there: what was missed before does not matter any more.
    world.copies.insert(region(), Ok(vec![copy(&copied("app", 0))]));
    assert_eq!(lags(&world), [("app".into(), 0.0)]);
    // Who adds `copy=` today has not been waiting since the oldest snapshot.
    let world = super::model::world(
        vec![database("app", "days=30 copy=us-west-2")],
        vec![copied("app", 0), snapshot("app", 1), snapshot("app", 2)],
    );
    assert_eq!(lags(&world), [("app".into(), 0.0)]);
}

#[test]
fn a_failing_copy_is_told_with_what_rds_says_and_made_again_once_an_hour() {
    let mut world = world(vec![database("app", "days=30 copy=us-west-2")], vec![copied("app", 0)]);
    let mut failed = copy(&copied("app", 0));
    failed.status = "failed".into();
    let event = Event { at: now().timestamp(), message: "The key is disabled".into() };
    world.events.insert(failed.arn.clone(), Ok(vec![event]));
    world.copies.insert(region(), Ok(vec![failed]));
    let told = format!(
        "! app copy-failing: copy=us-west-2: {COPY} failed; RDS says \"The key is disabled\"; it is copied again once an hour"
    );
    let at = |world: &World, time: &str| {
        lines_at(world, &Scope::Copies, &format!("2026-11-21T{time}:00+09:00[Asia/Seoul]").parse().unwrap())
    };
    let again = format!("* copy {COPY} to us-west-2: its copy failed");
    assert_eq!(at(&world, "04:20"), [again.clone(), told.clone()]);
    let plan = plan(&world, &Scope::Copies, &now());
    testkit::told::keep("snapshot-databases", &plan);
    world = applied(&plan, world, "failed", now().timestamp());
    assert_eq!(at(&world, "04:20"), std::slice::from_ref(&told));
    assert_eq!(at(&world, "05:05"), [again, told]);
    // As long as it is made again, what was told is not forgotten.
    world.copies.get_mut(&region()).unwrap().as_mut().unwrap()[0].status = "creating".into();
    let plan = crate::plan::plan(&world, &Scope::Copies, &now());
    testkit::told::keep("snapshot-databases", &plan);
    assert!(!plan.remembered.contains_key(&arn("db", "app")));
}

#[test]
fn a_full_region_is_told_and_not_run_against() {
    let mut world = world(vec![database("app", "days=30 copy=us-west-2")], vec![copied("app", 0)]);
    world.full.insert((region(), Kind::Instance), 100);
    assert_eq!(
        lines(&world, &Scope::Copies),
        [
            "! app copy-quota: no copy to us-west-2: the quota there is used up. It allows 100 manual DB instance snapshots: shorten the rules, or raise the quota \"Manual DB instance snapshots\" there in Service Quotas"
        ]
    );
}

#[test]
fn by_day_the_nights_problems_are_looked_at_but_no_snapshot_is_taken() {
    let mut world = world(
        vec![database("app", "days=30 copy=us-west-2"), database("busy", "days=30")],
        vec![copied("app", 1), snapshot("busy", 3)],
    );
    world.databases[1].status = "modifying".into();
    let told = |scope| plan(&world, scope, &now()).problems.into_iter().map(|it| it.problem).collect::<Vec<_>>();
    assert_eq!((told(&Scope::Copies), told(&Scope::Everything)), (vec!["no-backup".into()], vec!["no-backup".into()]));
    let by_day = plan(&world, &Scope::Copies, &now());
    testkit::told::keep("snapshot-databases", &by_day);
    assert!(by_day.steps.iter().all(|it| matches!(it.step, Step::CopySnapshot(_))));
    assert_eq!(by_day.remembered, plan(&world, &Scope::Everything, &now()).remembered);
}

#[test]
fn only_govcloud_needs_a_url_that_is_signed_for_the_region_of_an_encrypted_original() {
    let signed_for = |partition: &str, encrypted: bool, kind: Kind| {
        let mut database = database("app", "days=30 copy=us-west-2");
        (database.kind, database.engine) = (kind, "aurora-mysql".into());
        let mut source = Snapshot { encrypted, kind, engine: "aurora-mysql".into(), ..copied("app", 0) };
        source.arn = source.arn.replace("arn:aws:", &format!("arn:{partition}:"));
        let steps = plan(&world(vec![database], vec![source]), &Scope::Copies, &now()).steps;
        let Step::CopySnapshot(copy) = &steps[0].step else { panic!("{steps:?}") };
        copy.signed_for.clone()
    };
    for kind in [Kind::Instance, Kind::Cluster] {
        assert_eq!(signed_for("aws-us-gov", true, kind).as_deref(), Some("ap-northeast-2"));
        assert_eq!(signed_for("aws-us-gov", false, kind), None);
        assert_eq!(signed_for("aws", true, kind), None);
        assert_eq!(signed_for("aws-cn", true, kind), None);
    }
}
