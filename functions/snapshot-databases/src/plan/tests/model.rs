//! An account with databases, snapshots and a second region, and an AWS that carries plans out.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan, Zoned};
use reconcile::Plan;
use rules::database::{Database, Kind, Original, Snapshot, made_by};
use rules::keys;
use rules::retention::Region;

use crate::plan::{CopySnapshot, Scope, Step, TakeSnapshot, World, plan};

pub const KEY: &str = "arn:aws:kms:us-west-2:123456789012:key/1";

pub fn now() -> Zoned {
    "2026-11-21T03:00:00+09:00[Asia/Seoul]".parse().unwrap()
}

pub fn region() -> Region {
    "us-west-2".parse().unwrap()
}

pub fn arn(kind: &str, id: &str) -> String {
    format!("arn:aws:rds:ap-northeast-2:123456789012:{kind}:{id}")
}

pub fn database(id: &str, rule: &str) -> Database {
    Database {
        kind: Kind::Instance,
        id: id.into(),
        arn: arn("db", id),
        resource_id: Some(format!("db-{id}")),
        status: "available".into(),
        engine: "postgres".into(),
        member_of: None,
        restarts_at: None,
        tags: BTreeMap::from([(keys::BACKUP.into(), rule.into()), ("team".into(), "food".into())]),
    }
}

/// The snapshot that Nightshift took of `database` some days ago at 03:00.
pub fn snapshot(database: &str, days_ago: i64) -> Snapshot {
    let taken = now().checked_sub(days_ago.days()).unwrap();
    let id = format!("nightshift-{database}-{}", taken.date());
    Snapshot {
        kind: Kind::Instance,
        arn: arn("snapshot", &id),
        id: id.clone(),
        database: database.into(),
        database_resource_id: Some(format!("db-{database}")),
        status: "available".into(),
        progress: Some(100),
        created_at: Some(taken.timestamp()),
        engine: "postgres".into(),
        encrypted: true,
        key: None,
        option_group: None,
        tags: BTreeMap::from([
            (keys::MADE_BY.into(), made_by("snapshot-databases", &id, "ap-northeast-2")),
            (keys::DATABASE.into(), database.into()),
            (keys::RETAINED_BY.into(), "days=30".into()),
        ]),
    }
}

/// The copy of a snapshot in another region.
pub fn copy(of: &Snapshot) -> Snapshot {
    let mut copy = of.clone();
    copy.id = of.copy_id();
    let original = Original { arn: &of.arn, database_resource_id: of.database_resource_id.as_deref() };
    copy.tags.insert(keys::COPY_OF.into(), original.to_string());
    copy.tags.extend(of.taken_at().map(|it| (keys::TAKEN.into(), it.to_string())));
    copy.arn = of.arn.replace("ap-northeast-2", region().name()).replace(&of.id, &copy.id);
    copy.tags.insert(keys::MADE_BY.into(), made_by("snapshot-databases", &copy.id, region().name()));
    copy
}

pub fn world(databases: Vec<Database>, snapshots: Vec<Snapshot>) -> World {
    World {
        databases,
        snapshots,
        copies: BTreeMap::from([(region(), Ok(Vec::new()))]),
        copy_keys: BTreeMap::from([(region(), Some(KEY.into()))]),
        ..World::default()
    }
}

/// AWS begins the snapshots and copies of `plan`; `status` is what becomes of them.
pub fn applied(plan: &Plan<Step>, mut world: World, status: &str, at: Timestamp) -> World {
    for planned in &plan.steps {
        let (place, region, kind, id, database, tags, replaces) = match &planned.step {
            Step::TakeSnapshot(TakeSnapshot { kind, id, database, tags, replaces, .. }) => {
                (&mut world.snapshots, "ap-northeast-2", kind, id, database, tags, replaces)
            }
            Step::CopySnapshot(CopySnapshot { kind, id, database, tags, replaces, region, .. }) => {
                let copies = world.copies.get_mut(region).unwrap().as_mut().unwrap();
                (copies, region.name(), kind, id, database, tags, replaces)
            }
        };
        if *replaces {
            place.retain(|it| it.kind != *kind || it.id != *id);
        }
        assert!(!place.iter().any(|it| it.kind == *kind && it.id == *id), "{id} is there already");
        let of = world.databases.iter().find(|it| it.kind == *kind && it.id == *database);
        let resource_id = of.and_then(|it| it.resource_id.clone());
        place.push(Snapshot {
            kind: *kind,
            id: id.clone(),
            arn: arn("snapshot", id).replacen("ap-northeast-2", region, 1),
            database_resource_id: resource_id.or_else(|| Some(format!("db-{database}"))),
            created_at: Some(at),
            status: status.into(),
            tags: tags.iter().cloned().collect(),
            ..snapshot(database, 0)
        });
    }
    world
}

/// Every snapshot and copy that was being made is there.
pub fn finished(mut world: World) -> World {
    let copies = world.copies.values_mut().filter_map(|it| it.as_mut().ok());
    for it in world.snapshots.iter_mut().chain(copies.flatten()).filter(|it| it.status == "creating") {
        it.status = "available".into();
    }
    world
}

/// What is done (as `* NAME ACTION ID: reason`), left alone (as `+ NAME: reason`) and wrong (as `! NAME KIND: message`).
pub fn lines(world: &World, scope: &Scope) -> Vec<String> {
    lines_at(world, scope, &now())
}

pub fn lines_at(world: &World, scope: &Scope, now: &Zoned) -> Vec<String> {
    let plan = plan(world, scope, now);
    testkit::told::keep("snapshot-databases", &plan);
    let name = |arn: &str| arn.rsplit(':').next().unwrap().to_owned();
    let act = |step: &Step| match step {
        Step::TakeSnapshot(it) => format!("take {}", it.id),
        Step::CopySnapshot(it) => format!("copy {} to {}", it.id, it.region),
    };
    let done = plan.steps.iter().map(|it| format!("* {}: {}", act(&it.step), it.reason));
    let left = plan.skipped.iter().map(|it| format!("+ {}: {}", name(&it.resource), it.reason));
    let wrong = plan.problems.iter().map(|it| format!("! {} {}: {}", name(&it.resource), it.problem, it.message));
    done.chain(left).chain(wrong).collect()
}

#[track_caller]
pub fn check(world: &World, expected: &[&str]) {
    assert_eq!(lines(world, &Scope::Everything), expected);
}

/// The ages in the metrics, the last one that of all databases.
pub fn ages(world: &World) -> Vec<(Option<String>, f64)> {
    let measures = plan(world, &Scope::Everything, &now()).measures.into_iter();
    measures.filter(|it| it.metric == "BackupAgeHours").map(|it| (it.of, it.value)).collect()
}
