//! What holds whatever there is.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use rules::database::{Kind, Snapshot};
use rules::keys;

use super::model::*;
use crate::plan::{World, plan};

fn rules() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![
        Just(Some("days=3")),
        Just(Some("daily=2 weekly=2 copy=us-west-2")),
        Just(Some("monthly=3 yearly=1")),
        Just(Some("dayly=3")),
        Just(None),
    ]
}

fn snapshots() -> impl Strategy<Value = Vec<Snapshot>> {
    let status = prop_oneof![6 => Just("available"), 1 => Just("failed"), 1 => Just("creating"), 1 => Just("deleting")];
    let one = (0..3usize, prop_oneof![0..80i64, 0..9000i64], status, 0..20u8, 0..2u8);
    vec(one, 0..40).prop_map(|all| {
        let mut seen = BTreeSet::new();
        let fresh = all.into_iter().filter(|(database, hours, ..)| seen.insert((*database, *hours)));
        fresh
            .map(|(database, hours, status, oddity, identified)| {
                let mut it = snapshot(["app", "shop", "gone"][database], hours);
                it.status = status.into();
                match oddity {
                    0 => drop(it.tags.remove(keys::MADE_BY)),
                    1 => it.id = format!("nightshift-by-hand-{hours}"),
                    2 => drop(it.tags.insert(keys::KEEP.into(), String::new())),
                    3 => it.created_at = None,
                    4 => drop(it.tags.remove(keys::RETAINED_BY)),
                    5 => it.kind = Kind::Cluster,
                    _ => {}
                }
                if identified == 0 {
                    it.database_resource_id = None;
                }
                it
            })
            .collect()
    })
}

fn worlds() -> impl Strategy<Value = World> {
    (rules(), rules(), any::<bool>(), snapshots(), snapshots()).prop_map(|(one, two, asleep, here, there)| {
        let mut app = database("app", one);
        if asleep {
            app.status = "stopped".into();
        }
        let mut world = world(vec![app, database("shop", two)], here);
        world.copies.insert(region(), Ok(there.iter().map(copy).collect()));
        world
    })
}

fn all(world: &World) -> impl Iterator<Item = &Snapshot> {
    world.snapshots.iter().chain(world.copies.values().flatten().flatten())
}

/// The newest good snapshot of each database that has one, by region and database.
fn newest_good(world: &World) -> Vec<String> {
    let mut newest = Vec::new();
    for place in [&world.snapshots, world.copies[&region()].as_ref().unwrap()] {
        for database in ["app", "shop", "gone"] {
            for kind in [Kind::Instance, Kind::Cluster] {
                let good = place.iter().filter(|it| it.is_ours() && it.is_good());
                let good = good.filter(|it| it.database == database && it.kind == kind);
                newest.extend(good.max_by_key(|it| (it.taken_at(), it.id.clone())).map(|it| it.arn.clone()));
            }
        }
    }
    newest
}

proptest! {
    #[test]
    fn once_applied_there_is_nothing_left_to_do(world in worlds()) {
        let rest = applied(&plan(&world, &now()), world);
        prop_assert_eq!(plan(&rest, &now()).steps, []);
    }

    #[test]
    fn the_newest_good_backup_of_each_database_stays(world in worlds()) {
        let plan = plan(&world, &now());
        for arn in newest_good(&world) {
            prop_assert!(plan.steps.iter().all(|it| it.resource != arn), "{arn} would go");
        }
    }

    #[test]
    fn the_newest_proven_backup_of_a_database_stays(world in worlds(), proven in vec(any::<bool>(), 40)) {
        let mut world = world;
        for (snapshot, proven) in world.snapshots.iter_mut().zip(proven) {
            if proven {
                snapshot.tags.insert(keys::PROVEN.into(), "2026-11-18T01:31:00Z".into());
            }
        }
        let plan = plan(&world, &now());
        for database in &world.databases {
            let proven = world.snapshots.iter().filter(|it| it.is_ours() && it.is_good() && !it.is_copy());
            let proven = proven.filter(|it| it.tags.contains_key(keys::PROVEN) && database.owns(it));
            if let Some(newest) = proven.max_by_key(|it| (it.taken_at(), it.id.clone())) {
                prop_assert!(plan.steps.iter().all(|it| it.resource != newest.arn), "{} would go", newest.id);
            }
        }
    }

    #[test]
    fn only_what_nightshift_made_and_nobody_keeps_is_deleted(world in worlds()) {
        let plan = plan(&world, &now());
        for planned in &plan.steps {
            let it = all(&world).find(|it| it.arn == planned.resource).unwrap();
            prop_assert!(it.id.starts_with("nightshift-") && it.tags.contains_key(keys::MADE_BY));
            prop_assert!(!it.tags.contains_key(keys::KEEP));
            prop_assert!(it.status == "available" || it.status == "failed");
        }
    }

    #[test]
    fn every_snapshot_of_ours_is_deleted_or_kept_for_a_reason(world in worlds()) {
        let plan = plan(&world, &now());
        let told: Vec<&str> =
            plan.steps.iter().map(|it| it.resource.as_str()).chain(plan.skipped.iter().map(|it| it.resource.as_str())).collect();
        let ours: BTreeSet<&str> = all(&world).filter(|it| it.is_ours()).map(|it| it.arn.as_str()).collect();
        prop_assert_eq!(told.len(), ours.len());
        prop_assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), ours);
    }

    #[test]
    fn the_order_of_a_listing_is_indifferent(world in worlds(), by in 0..40usize) {
        let mut turned = world.clone();
        turned.databases.reverse();
        let by = by.min(turned.snapshots.len());
        turned.snapshots.rotate_left(by);
        turned.copies.get_mut(&region()).unwrap().as_mut().unwrap().reverse();
        prop_assert_eq!(plan(&turned, &now()), plan(&world, &now()));
    }

    #[test]
    fn a_backup_more_never_deletes_another_database_s(world in worlds(), hours in 0..60i64) {
        let deleted = |world: &World| -> BTreeSet<String> {
            plan(world, &now()).steps.into_iter().map(|it| it.resource).filter(|it| !it.contains("-app-")).collect()
        };
        let mut more = world.clone();
        more.snapshots.push(snapshot("app", hours));
        prop_assert_eq!(deleted(&world), deleted(&more));
    }
}
