//! Databases and snapshots to plan with, and an AWS that carries the plan out.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan, Zoned};
use reconcile::Plan;
use rules::database::{Database, Kind, Original, Snapshot, made_by};
use rules::keys;
use rules::retention::Region;

use crate::plan::{DeleteSnapshot, Step, Usage, World, plan};

const ACCOUNT: &str = "ap-northeast-2:123456789012";

pub fn now() -> Zoned {
    "2026-11-21T06:30:00+09:00[Asia/Seoul]".parse().unwrap()
}

pub fn region() -> Region {
    "us-west-2".parse().unwrap()
}

pub fn database(id: &str, rule: Option<&str>) -> Database {
    Database {
        kind: Kind::Instance,
        id: id.into(),
        arn: format!("arn:aws:rds:{ACCOUNT}:db:{id}"),
        resource_id: Some(format!("db-{id}")),
        status: "available".into(),
        engine: "postgres".into(),
        member_of: None,
        restarts_at: None,
        tags: rule.iter().map(|it| (keys::BACKUP.into(), it.to_string())).collect(),
    }
}

/// A good snapshot that Nightshift took `hours_ago`.
pub fn snapshot(database: &str, hours_ago: i64) -> Snapshot {
    let taken: Timestamp = now().timestamp() - hours_ago.hours();
    let id = format!("nightshift-{database}-{hours_ago}h");
    Snapshot {
        kind: Kind::Instance,
        arn: format!("arn:aws:rds:{ACCOUNT}:snapshot:{id}"),
        id: id.clone(),
        database: database.into(),
        database_resource_id: Some(format!("db-{database}")),
        status: "available".into(),
        progress: Some(100),
        created_at: Some(taken),
        engine: "postgres".into(),
        encrypted: true,
        key: None,
        option_group: None,
        tags: BTreeMap::from([
            (keys::MADE_BY.into(), made_by("snapshot-databases", &id, "ap-northeast-2")),
            (keys::DATABASE.into(), database.into()),
            (keys::RETAINED_BY.into(), "days=1".into()),
        ]),
    }
}

/// The same snapshot as a copy in another region, made just now.
pub fn copy(of: &Snapshot) -> Snapshot {
    let mut copy = of.clone();
    copy.id = of.copy_id();
    copy.arn = of.arn.replace("ap-northeast-2", region().name()).replace(&of.id, &copy.id);
    copy.tags.insert(keys::MADE_BY.into(), made_by("snapshot-databases", &copy.id, region().name()));
    let original = Original { arn: &of.arn, database_resource_id: of.database_resource_id.as_deref() };
    copy.tags.insert(keys::COPY_OF.into(), original.to_string());
    // Whether AWS tells the same of a copy is not promised.
    copy.database_resource_id = of.database_resource_id.as_ref().map(|_| "db-copy".into());
    copy.tags.extend(of.taken_at().map(|it| (keys::TAKEN.into(), it.to_string())));
    copy.created_at = of.created_at.map(|_| now().timestamp());
    copy
}

pub fn world(databases: Vec<Database>, snapshots: Vec<Snapshot>) -> World {
    World {
        region: "ap-northeast-2".into(),
        databases,
        snapshots,
        copies: BTreeMap::new(),
        sharing: BTreeMap::new(),
        repositories: Ok(Vec::new()),
        usage: Ok(Usage::default()),
    }
}

/// Deletes what `plan` says.
pub fn applied(plan: &Plan<Step>, mut world: World) -> World {
    for planned in &plan.steps {
        let Step::DeleteSnapshot(DeleteSnapshot { region, .. }) = &planned.step else {
            panic!("there are no repositories: {planned:?}")
        };
        let snapshots = match region {
            None => &mut world.snapshots,
            Some(region) => world.copies.get_mut(region).unwrap().as_mut().unwrap(),
        };
        let before = snapshots.len();
        snapshots.retain(|it| it.arn != planned.resource);
        assert_eq!(snapshots.len() + 1, before, "{} is there once", planned.resource);
    }
    world
}

/// What is deleted (as `- ID: reason`), kept (as `+ ID: reason`) and wrong (as `! NAME KIND: message`).
pub fn lines(world: &World) -> Vec<String> {
    let plan = plan(world, &now());
    testkit::told::keep("prune-backups", &plan);
    let name = |arn: &str| arn.rsplit(':').next().unwrap().replace("nightshift-", "");
    let deleted = plan.steps.iter().map(|it| format!("- {}: {}", name(&it.resource), it.reason));
    let kept = plan.skipped.iter().map(|it| format!("+ {}: {}", name(&it.resource), it.reason));
    let wrong = plan.problems.iter().map(|it| format!("! {} {}: {}", name(&it.resource), it.problem, it.message));
    deleted.chain(kept).chain(wrong).collect()
}

#[track_caller]
pub fn check(world: &World, expected: &[&str]) {
    assert_eq!(lines(world), expected);
}
