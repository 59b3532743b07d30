//! What holds whatever there is, whatever happens, and wherever a run dies.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use rules::database::{Kind, made_by};
use rules::drill::{MAKER, PREFIX};
use rules::keys;

use super::model::*;
use crate::plan::{Scope, Step, World, plan};

/// What can happen to an account with drills.
#[derive(Debug, Clone)]
enum Happens {
    /// A run, of which only some steps are done.
    Run(Scope, u8),
    /// A database gets another status.
    Status(usize, &'static str),
    /// A database gets a tag, perhaps that of another.
    Tag(usize, &'static str, String),
    /// A database loses a tag.
    Untag(usize, &'static str),
    /// A person creates a database, perhaps called like a drill, with the tags of another one.
    Create(String, bool, usize, bool),
    /// The check has ended.
    Check(usize, Option<i32>),
    /// That many minutes pass.
    Time(i64),
}

const KEYS: [&str; 8] = [
    keys::DRILL,
    keys::DRILL_MEMORY,
    keys::DRILL_FROM,
    keys::DRILL_PROGRESS,
    keys::DRILLED,
    keys::MADE_BY,
    keys::BACKUP,
    "team",
];

fn scopes() -> impl Strategy<Value = Scope> {
    let name = prop_oneof![Just("kfood-db".to_owned()), Just("shop".into()), Just(format!("{PREFIX}x"))];
    prop_oneof![
        4 => Just(Scope::Everything),
        1 => name.clone().prop_map(Scope::Drill),
        1 => name.prop_map(Scope::End),
    ]
}

fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(RULE.to_owned()),
        Just("weekly".into()),
        Just("weekly keep=18h from=latest".into()),
        Just("weekly region=us-west-2".into()),
        Just("monthly keep=2h check=kfood-drill service=kfood-cluster/kfood-backend".into()),
        Just("x".into()),
        Just("of=kfood-db begun=2026-12-01T01:00:00Z until=2026-12-01T07:00:00Z".into()),
        Just("of=kfood-db home=eu-west-1 begun=2026-12-01T01:00:00Z until=2026-12-01T07:00:00Z".into()),
        Just(made_by(MAKER, &format!("{PREFIX}kfood-db-2026-12-01"), "ap-northeast-2")),
        Just(made_by(MAKER, &format!("{PREFIX}kfood-db-ap-northeast-2-2026-12-01"), "us-west-2")),
        Just("nightshift-kfood-db-2026-12-01 taken=2026-11-30T18:00:00Z".into()),
    ]
}

fn happenings() -> impl Strategy<Value = Happens> {
    let statuses = prop_oneof![
        5 => Just("available"),
        1 => Just("creating"),
        1 => Just("deleting"),
        1 => Just("stopped"),
        1 => Just("incompatible-restore"),
    ];
    let names = prop_oneof![
        Just(format!("{PREFIX}x")),
        Just(format!("{PREFIX}kfood-db-2026-12-02")),
        Just("orders".to_owned()),
    ];
    prop_oneof![
        8 => (scopes(), any::<u8>()).prop_map(|(scope, done)| Happens::Run(scope, done)),
        4 => (0..9usize, statuses).prop_map(|(at, it)| Happens::Status(at, it)),
        2 => (0..9usize, prop::sample::select(&KEYS[..]), values()).prop_map(|(at, key, it)| Happens::Tag(at, key, it)),
        1 => (0..9usize, prop::sample::select(&KEYS[..])).prop_map(|(at, key)| Happens::Untag(at, key)),
        1 => (names, any::<bool>(), 0..9usize, any::<bool>())
            .prop_map(|(name, cluster, like, there)| Happens::Create(name, cluster, like, there)),
        2 => (0..9usize, prop::option::of(0..2i32)).prop_map(|(at, code)| Happens::Check(at, code)),
        3 => prop_oneof![Just(5i64), Just(60), Just(400), Just(1440)].prop_map(Happens::Time),
    ]
}

fn start() -> World {
    let shop = database(Kind::Cluster, "shop", &[(keys::DRILL, "weekly class=db.t4g.medium")]);
    let mut all = kfood().databases;
    all.extend([shop, member("shop-1", "shop"), database(Kind::Instance, "untagged", &[])]);
    let mut world = World { max_drills: 2, ..world(all) };
    let copies: Vec<_> = world.snapshots.iter().flatten().map(copy).collect();
    world.snapshots.as_mut().unwrap().extend(copies);
    world
}

/// Lets all of it happen; returns the ARNs of what was deleted though the function had not made it.
fn after(happenings: Vec<Happens>) -> (World, i64, BTreeSet<String>) {
    let (mut world, mut minutes) = (start(), 0);
    // What people have, drills included that they took over by giving their name to a database of their own.
    let mut of_people: BTreeSet<String> = world.databases.iter().map(|it| it.arn.clone()).collect();
    let mut lost = BTreeSet::new();
    for it in happenings {
        let at = minutes_later(minutes);
        let count = world.databases.len();
        match it {
            Happens::Run(scope, done) => {
                let plan = plan(&world, &scope, &at);
                let deleted = apply(&plan, &mut world, &at, |it| done & (1 << (it % 8)) != 0);
                lost.extend(deleted.into_iter().filter(|it| of_people.contains(it)));
            }
            Happens::Status(index, status) => world.databases[index % count].status = status.into(),
            Happens::Tag(index, key, value) => drop(world.databases[index % count].tags.insert(key.into(), value)),
            Happens::Untag(index, key) => drop(world.databases[index % count].tags.remove(key)),
            Happens::Create(name, cluster, like, there) => {
                let kind = if cluster { Kind::Cluster } else { Kind::Instance };
                let arn = arn_in(if there { "us-west-2" } else { HOME }, kind, &name);
                if world.databases.iter().any(|it| it.arn == arn) {
                    continue;
                }
                let tags = world.databases[like % count].tags.clone();
                let created = rules::database::Database { arn, ..database(kind, &name, &[]) };
                of_people.insert(created.arn.clone());
                world.details.insert(created.arn.clone(), details(Some(at.timestamp())));
                world.databases.push(rules::database::Database { tags, ..created });
            }
            Happens::Check(index, code) => {
                let arn = world.databases[index % count].arn.clone();
                world.tasks.insert(arn, Ok(Some(stopped(code, &at))));
            }
            Happens::Time(passed) => minutes += passed,
        }
    }
    (world, minutes, lost)
}

proptest! {
    #[test]
    fn nothing_is_deleted_that_it_did_not_make(happenings in vec(happenings(), 0..60)) {
        let (_, _, lost) = after(happenings);
        prop_assert!(lost.is_empty(), "{:?}", lost);
    }

    /// Wherever a run dies and whatever people change, a day of ordinary runs later no drill is left.
    #[test]
    fn no_drill_outlives_a_day(happenings in vec(happenings(), 0..40)) {
        let (mut world, minutes, _) = after(happenings);
        let made = |world: &World| -> Vec<String> {
            let own = |it: &&rules::database::Database| world.own(it).is_some();
            world.databases.iter().filter(own).map(|it| it.arn.clone()).collect()
        };
        let left = made(&world);
        for hours in [25, 26, 27] {
            let at = minutes_later(minutes + hours * 60);
            // RDS has carried out by then what was being deleted. An instance that is left of a cluster that is gone is
            // looked at by itself from then on; RDS deletes no cluster before its instances, but the law holds without.
            world.databases.retain(|it| it.status != "deleting");
            let plan = plan(&world, &Scope::Everything, &at);
            apply(&plan, &mut world, &at, |_| true);
        }
        let still: Vec<&rules::database::Database> =
            world.databases.iter().filter(|it| left.contains(&it.arn) && world.own(it).is_some()).collect();
        // A cluster to which a person has added an instance stays, and is told.
        let told = |it: &rules::database::Database| {
            world.databases.iter().any(|member| member.is_member_of(it) && world.own(member).is_none())
        };
        prop_assert!(still.iter().all(|it| told(it)), "{:?}", still);
    }

    #[test]
    fn never_more_drills_run_than_the_stack_allows(happenings in vec(happenings(), 0..40)) {
        let (mut world, minutes, _) = after(happenings);
        let at = minutes_later(minutes);
        let before = world.drills(&at).0.len();
        let plan = plan(&world, &Scope::Everything, &at);
        apply(&plan, &mut world, &at, |_| true);
        prop_assert!(world.drills(&at).0.len() <= before.max(2));
    }

    #[test]
    fn every_tag_that_is_written_fits_and_no_restored_database_opts_in(happenings in vec(happenings(), 0..30)) {
        let (world, minutes, _) = after(happenings);
        for planned in plan(&world, &Scope::Everything, &minutes_later(minutes)).steps {
            let tags = match planned.step {
                Step::Restore(it) => it.tags,
                Step::AddMember(it) => it.tags,
                Step::Finish(it) => vec![(keys::DRILLED.into(), it.drilled.to_string())],
                Step::Note(it) => vec![(keys::DRILL_PROGRESS.into(), it.progress.to_string())],
                _ => continue,
            };
            prop_assert!(tags.len() < 50 && tags.iter().all(|(_, it)| it.len() <= 256));
            prop_assert!(tags.iter().all(|(key, _)| !key.starts_with(keys::PEOPLE)));
        }
    }

    #[test]
    fn the_order_of_a_listing_is_indifferent(happenings in vec(happenings(), 0..30)) {
        let (world, minutes, _) = after(happenings);
        let mut turned = world.clone();
        turned.databases.reverse();
        turned.snapshots.iter_mut().for_each(|it| it.reverse());
        let at = minutes_later(minutes);
        prop_assert_eq!(plan(&turned, &Scope::Everything, &at).steps, plan(&world, &Scope::Everything, &at).steps);
    }
}
