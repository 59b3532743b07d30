//! What holds whatever there is, however often and whenever the function runs.

use std::collections::BTreeSet;

use jiff::ToSpan;
use proptest::collection::vec;
use proptest::prelude::*;
use rules::database::{Kind, Snapshot};
use rules::keys;

use super::model::*;
use crate::plan::{Scope, Step, World, plan};

fn rules() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![
        3 => Just(Some("days=30 copy=us-west-2")),
        2 => Just(Some("daily=7")),
        1 => Just(Some("nightly")),
        1 => Just(None),
    ]
}

fn statuses() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just("available"), 1 => Just("failed"), 1 => Just("creating"), 1 => Just("deleting")]
}

fn snapshots() -> impl Strategy<Value = Vec<Snapshot>> {
    vec((0..6usize, 0..6i64, statuses(), 0..9u8), 0..25).prop_map(|all| {
        let mut seen = BTreeSet::new();
        let fresh = all.into_iter().filter(|(database, days, ..)| seen.insert((*database, *days)));
        let one = |(database, days, status, oddity): (usize, i64, &str, u8)| {
            let mut it = snapshot(&format!("app-{database}"), days);
            it.status = status.into();
            match oddity {
                0 => drop(it.tags.remove(keys::MADE_BY)),
                1 => it.kind = Kind::Cluster,
                2 => it.encrypted = false,
                _ => {}
            }
            it
        };
        fresh.map(one).collect()
    })
}

fn worlds() -> impl Strategy<Value = World> {
    let states = prop_oneof![6 => Just("available"), 1 => Just("stopped"), 1 => Just("modifying"), 1 => Just("failed")];
    (vec((rules(), states, any::<bool>()), 0..6), snapshots(), snapshots()).prop_map(|(databases, here, there)| {
        let databases = databases.into_iter().enumerate().map(|(index, (rule, status, cluster))| {
            let mut it = database(&format!("app-{index}"), rule.unwrap_or_default());
            if rule.is_none() {
                it.tags.clear();
            }
            if cluster {
                it.kind = Kind::Cluster;
                it.engine = "aurora-postgresql".into();
            }
            it.status = status.into();
            it
        });
        let mut world = world(databases.collect(), here);
        // Half of what is there are copies, the rest is of databases there.
        let there = there.into_iter().enumerate();
        world.copies.insert(region(), Ok(there.map(|(at, it)| if at % 2 == 0 { copy(&it) } else { it }).collect()));
        world
    })
}

/// Runs until nothing is planned any more, and returns how many runs had something to do.
fn settle(mut world: World) -> (World, usize) {
    for runs in 0..20 {
        let plan = plan(&world, &Scope::Everything, &now());
        if plan.steps.is_empty() {
            return (world, runs);
        }
        world = finished(applied(&plan, world, "creating", now().timestamp()));
    }
    panic!("it never settles: {world:?}");
}

proptest! {
    #[test]
    fn a_run_that_follows_another_at_once_has_nothing_to_do_but_the_copies_that_waited(world in worlds()) {
        let first = plan(&world, &Scope::Everything, &now());
        // What was begun is still on its way: `applied` insists that no id is used twice.
        let second = plan(&applied(&first, world, "creating", now().timestamp()), &Scope::Everything, &now());
        prop_assert_eq!(second.steps, []);
    }

    #[test]
    fn it_settles_with_one_snapshot_of_the_night_for_every_database_that_can_have_one(world in worlds()) {
        let (world, _) = settle(world);
        for database in &world.databases {
            let readable = database.tags.get(keys::BACKUP).is_some_and(|it| it != "nightly");
            let mine = |it: &&Snapshot| {
                database.owns(it) && it.is_ours() && it.id.starts_with(&format!("nightshift-{}-2026-11-21", database.id))
            };
            if readable && database.status == "available" {
                prop_assert_eq!(world.snapshots.iter().filter(mine).count(), 1);
                prop_assert!(world.snapshots.iter().any(|it| mine(&it) && it.status != "failed"));
            }
        }
    }

    #[test]
    fn what_did_not_opt_in_is_untouched(world in worlds()) {
        for planned in plan(&world, &Scope::Everything, &now()).steps {
            let name = match &planned.step {
                Step::TakeSnapshot(it) => &it.database,
                Step::CopySnapshot(it) => &it.database,
            };
            let database = world.databases.iter().find(|it| it.id == *name).unwrap();
            prop_assert!(database.tags.contains_key(keys::BACKUP));
        }
    }

    #[test]
    fn no_good_snapshot_is_ever_replaced(world in worlds()) {
        for planned in plan(&world, &Scope::Everything, &now()).steps {
            let (place, kind, id, replaces) = match &planned.step {
                Step::TakeSnapshot(it) => (&world.snapshots, it.kind, &it.id, it.replaces),
                Step::CopySnapshot(it) => (world.copies[&it.region].as_ref().unwrap(), it.kind, &it.id, it.replaces),
            };
            let existing = place.iter().find(|it| it.kind == kind && it.id == *id);
            prop_assert_eq!(existing.map(|it| it.status.as_str()), replaces.then_some("failed"));
        }
    }

    #[test]
    fn never_more_than_five_copies_are_under_way(world in worlds()) {
        let moving = |world: &World| {
            let there = world.copies[&region()].as_ref().unwrap().iter();
            there.filter(|it| it.is_copy() && it.status == "creating").count()
        };
        let before = moving(&world);
        let plan = plan(&world, &Scope::Everything, &now());
        let after = moving(&applied(&plan, world, "creating", now().timestamp()));
        prop_assert!(after <= before.max(5));
    }

    #[test]
    fn the_order_of_a_listing_is_indifferent(world in worlds(), by in 0..25usize) {
        let mut turned = world.clone();
        turned.databases.reverse();
        let by = by.min(turned.snapshots.len());
        turned.snapshots.rotate_left(by);
        prop_assert_eq!(
            plan(&turned, &Scope::Everything, &now()),
            plan(&world, &Scope::Everything, &now())
        );
    }

    #[test]
    fn the_night_has_one_date_until_midnight_whenever_the_run_is(world in worlds(), minutes in 0..1200i64) {
        let later = now().checked_add(minutes.minutes()).unwrap();
        let (world, _) = settle(world);
        let steps = plan(&world, &Scope::Everything, &later).steps;
        prop_assert!(steps.iter().all(|it| !matches!(it.step, Step::TakeSnapshot(_))));
    }
}
