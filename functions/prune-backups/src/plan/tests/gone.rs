//! Databases that are gone, and snapshots that people made of ours.

use reconcile::Plan;
use rules::keys;

use super::model::*;
use crate::plan::{Step, World, plan};

fn gone(rule: &str, databases: usize, hours: impl Fn(usize) -> Vec<i64>) -> World {
    let snapshots = (0..databases).flat_map(|it| hours(it).into_iter().map(move |hours| (it, hours)));
    let mut world = world(vec![], snapshots.map(|(it, hours)| snapshot(&format!("pr-{it}"), hours)).collect());
    for it in &mut world.snapshots {
        it.tags.insert(keys::RETAINED_BY.into(), rule.into());
    }
    world
}

fn kept(world: &World) -> usize {
    lines(world).iter().filter(|it| it.starts_with('+')).count()
}

fn monthly(plan: &Plan<Step>) -> Vec<(&str, bool)> {
    plan.problems.iter().map(|it| (it.problem.as_str(), it.monthly)).collect()
}

#[test]
fn the_snapshots_of_a_database_that_has_been_gone_for_two_years_go_but_for_the_last() {
    let two_years = 2 * 365 * 24;
    let world = gone("daily=7 weekly=4 monthly=12", 1, |_| (0..400).map(|it| two_years + it * 24).collect());
    assert_eq!(kept(&world), 1);
    // Just gone it keeps what it kept.
    let world = gone("daily=7 weekly=4 monthly=12", 1, |_| (0..400).map(|it| 3 + it * 24).collect());
    assert!(kept(&world) > 15);
}

#[test]
fn where_the_rule_says_so_the_last_one_goes_too_unless_it_is_kept_by_hand() {
    let mut world = gone("days=7 gone=30d", 2, |it| vec![(29 + 2 * it as i64) * 24]);
    assert_eq!(
        lines(&world),
        [
            "- pr-1-744h: pr-1 is gone for longer than days=7 gone=30d keeps its last one",
            "+ pr-0-696h: newest good snapshot of pr-0"
        ]
    );
    world.snapshots[1].tags.insert(keys::KEEP.into(), "the audit".into());
    assert_eq!(kept(&world), 2);
    // As long as the database is there, `gone=` ends nothing.
    world.databases.push(database("pr-1", Some("days=7 gone=30d")));
    world.databases[0].status = "stopped".into();
    world.snapshots[1].tags.remove(keys::KEEP);
    assert_eq!(kept(&world), 2);
}

#[test]
fn last_snapshots_that_stay_for_ever_are_told_once_a_month() {
    let mut world = gone("days=7", 120, |it| vec![2000 + it as i64]);
    let told = plan(&world, &now());
    testkit::told::keep("prune-backups", &told);
    assert_eq!((kept(&world), monthly(&told)), (120, vec![("last-backups", true)]));
    let oldest = "arn:aws:rds:ap-northeast-2:123456789012:snapshot:nightshift-pr-119-2119h";
    assert_eq!(told.problems[0].resource, oldest);
    assert!(
        told.problems[0].message.starts_with("at least 120 snapshots of deleted databases stay for ever, such as "),
        "{told:?}"
    );
    assert!(told.remembered.contains_key(oldest));
    // One more does not change what is said, and so is not told at once.
    world.snapshots.push(snapshot("pr-120", 1000));
    assert_eq!(plan(&world, &now()).problems, told.problems);
    // What a person keeps on purpose, or a rule ends, is not told of.
    for it in &mut world.snapshots {
        it.tags.insert(keys::RETAINED_BY.into(), "days=7 gone=900d".into());
    }
    assert_eq!(monthly(&plan(&world, &now())), []);
    for it in &mut world.snapshots {
        it.tags.insert(keys::RETAINED_BY.into(), "days=7".into());
        it.tags.insert(keys::KEEP.into(), String::new());
    }
    assert_eq!(monthly(&plan(&world, &now())), []);
}

#[test]
fn a_copy_that_a_person_made_with_its_tags_is_not_deleted() {
    let mut by_hand = snapshot("app", 50);
    by_hand.id = "nightshift-app-before-the-big-migration".into();
    by_hand.arn = by_hand.arn.replace("nightshift-app-50h", &by_hand.id);
    let world = world(vec![database("app", Some("daily=2"))], vec![snapshot("app", 3), snapshot("app", 27), by_hand]);
    assert!(!lines(&world).iter().any(|it| it.contains("app-before-the-big-migration")), "{:#?}", lines(&world));
}
