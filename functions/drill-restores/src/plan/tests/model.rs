//! The K-Food shop with a database that is drilled, and an RDS that carries plans out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use reconcile::Plan;
use rules::database::{Database, Kind, Original, Snapshot, made_by, region_of};
use rules::drill::Calendar;
use rules::keys;
use rules::retention::Region;

use crate::plan::{CheckTarget, Container, Details, Scope, Settings, Step, Task, World, plan};

pub const RULE: &str = "monthly rto=1h rpo=24h check=kfood-drill service=kfood-cluster/kfood-backend";

/// Tuesday, the first weekday of December, when drills begin.
pub fn now() -> Zoned {
    "2026-12-01T10:00:00+09:00[Asia/Seoul]".parse().unwrap()
}

pub fn minutes_later(minutes: i64) -> Zoned {
    now().checked_add(minutes.minutes()).unwrap()
}

/// The region of the stack.
pub const HOME: &str = "ap-northeast-2";

/// The region that snapshots are copied to.
pub fn there() -> Region {
    "us-west-2".parse().unwrap()
}

pub fn arn(kind: Kind, id: &str) -> String {
    arn_in(HOME, kind, id)
}

pub fn arn_in(region: &str, kind: Kind, id: &str) -> String {
    let noun = if kind == Kind::Instance { "db" } else { "cluster" };
    format!("arn:aws:rds:{region}:123456789012:{noun}:{id}")
}

pub fn database(kind: Kind, id: &str, tags: &[(&str, &str)]) -> Database {
    Database {
        kind,
        id: id.into(),
        arn: arn(kind, id),
        resource_id: Some(format!("{}-{id}", if kind == Kind::Instance { "db" } else { "cluster" })),
        status: "available".into(),
        engine: if kind == Kind::Instance { "postgres" } else { "aurora-postgresql" }.into(),
        member_of: None,
        restarts_at: None,
        tags: tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
    }
}

pub fn member(id: &str, cluster: &str) -> Database {
    Database { member_of: Some(cluster.into()), ..database(Kind::Instance, id, &[]) }
}

pub fn snapshot(of: &Database, hours_ago: i64) -> Snapshot {
    let taken = now().timestamp() - SignedDuration::from_hours(hours_ago);
    let id = format!("nightshift-{}-{}", of.id, now().checked_sub(hours_ago.hours()).unwrap().date());
    Snapshot {
        kind: of.kind,
        arn: format!("arn:aws:rds:ap-northeast-2:123456789012:snapshot:{id}"),
        id: id.clone(),
        database: of.id.clone(),
        database_resource_id: of.resource_id.clone(),
        status: "available".into(),
        progress: Some(100),
        created_at: Some(taken),
        engine: of.engine.clone(),
        encrypted: true,
        key: None,
        option_group: None,
        tags: BTreeMap::from([(keys::MADE_BY.into(), made_by("snapshot-databases", &id, "ap-northeast-2"))]),
    }
}

/// The copy of a snapshot in the other region, as snapshot-databases makes it.
pub fn copy(of: &Snapshot) -> Snapshot {
    let id = of.copy_id();
    let original = Original { arn: &of.arn, database_resource_id: of.database_resource_id.as_deref() };
    let tags = [
        (keys::MADE_BY, made_by("snapshot-databases", &id, "us-west-2")),
        (keys::COPY_OF, original.to_string()),
        (keys::TAKEN, of.created_at.unwrap().to_string()),
    ];
    Snapshot {
        arn: format!("arn:aws:rds:us-west-2:123456789012:snapshot:{id}"),
        id,
        // RDS knows it by a database of the other region, and dates it by the copying.
        database_resource_id: None,
        created_at: Some(now().timestamp()),
        tags: tags.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        ..of.clone()
    }
}

pub fn details(created: Option<Timestamp>) -> Details {
    Details {
        created,
        class: Some("db.t3.medium".into()),
        settings: Settings { subnet_group: Some("kfood".into()), ..Settings::default() },
        endpoint: Some("host".into()),
        port: Some(5432),
        database_name: Some("kfood".into()),
        latest: Some(now().timestamp() - SignedDuration::from_mins(4)),
        ..Details::default()
    }
}

/// Databases that were there long ago, each with a snapshot of seven hours ago.
pub fn world(databases: Vec<Database>) -> World {
    let long_ago = Some("2025-01-01T00:00:00Z".parse().unwrap());
    let details = databases.iter().map(|it| (it.arn.clone(), details(long_ago))).collect();
    let snapshots = databases.iter().map(|it| snapshot(it, 7)).collect();
    let checks = databases.iter().map(|it| (it.arn.clone(), Ok(CheckTarget { containers: vec!["check".into()] })));
    World {
        home: HOME.into(),
        elsewhere: BTreeMap::from([(there(), Ok(()))]),
        details,
        snapshots: Some(snapshots),
        checks: checks.collect(),
        databases,
        tasks: BTreeMap::new(),
        said: BTreeMap::new(),
        calendar: Calendar { at: jiff::civil::time(10, 0, 0, 0), holidays: Default::default() },
        max_drills: 1,
    }
}

pub fn kfood() -> World {
    world(vec![database(Kind::Instance, "kfood-db", &[(keys::DRILL, RULE), ("team", "food")])])
}

pub fn of<'a>(world: &'a mut World, id: &str) -> &'a mut Database {
    world.databases.iter_mut().find(|it| it.id == id).unwrap()
}

/// A task that has stopped with this exit code.
pub fn stopped(exit_code: Option<i32>, at: &Zoned) -> Task {
    let container = Container { name: "check".into(), exit_code, reason: String::new() };
    Task { stopped: true, stopped_at: Some(at.timestamp()), reason: String::new(), containers: vec![container] }
}

/// AWS carries out what `keep` lets through, at the moment of `at`, and returns the ARNs of what was deleted.
pub fn apply(plan: &Plan<Step>, world: &mut World, at: &Zoned, keep: impl Fn(usize) -> bool) -> BTreeSet<String> {
    let mut deleted = BTreeSet::new();
    for (index, planned) in plan.steps.iter().enumerate() {
        if !keep(index) {
            continue;
        }
        let tag = |world: &mut World, arn: &str, key: &str, value: String| {
            if let Some(it) = world.databases.iter_mut().find(|it| it.arn == arn) {
                it.tags.insert(key.into(), value);
            }
        };
        match &planned.step {
            Step::Restore(it) => {
                let region = it.region.as_ref().map_or(HOME, |it| it.name());
                let arn = arn_in(region, it.kind, &it.id);
                assert!(!world.databases.iter().any(|other| other.arn == arn), "{arn} is there already");
                let tags: Vec<(&str, &str)> =
                    it.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
                let restored = Database { arn, status: "creating".into(), ..database(it.kind, &it.id, &tags) };
                world.details.insert(restored.arn.clone(), details(Some(at.timestamp())));
                world.databases.push(restored);
            }
            Step::AddMember(it) => {
                let tags: Vec<(&str, &str)> =
                    it.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
                let region = region_of(&it.arn).unwrap();
                let added = Database {
                    arn: arn_in(region, Kind::Instance, &it.cluster),
                    member_of: Some(it.cluster.clone()),
                    status: "creating".into(),
                    ..database(Kind::Instance, &it.cluster, &tags)
                };
                world.details.insert(added.arn.clone(), details(Some(at.timestamp())));
                world.databases.push(added);
            }
            Step::Note(it) => tag(world, &it.arn, keys::DRILL_PROGRESS, it.progress.to_string()),
            Step::RunCheck(it) => {
                let progress = rules::drill::Progress { task: Some("0123".into()), ..it.progress.clone() };
                tag(world, &it.arn, keys::DRILL_PROGRESS, progress.to_string());
            }
            Step::Prove(it) => {
                let snapshots = world.snapshots.iter_mut().flatten();
                for snapshot in snapshots.filter(|other| other.arn == it.arn) {
                    snapshot.tags.insert(keys::PROVEN.into(), it.value.clone());
                }
            }
            Step::Finish(it) => tag(world, &it.arn, keys::DRILLED, it.drilled.to_string()),
            Step::Delete(it) => {
                deleted.insert(it.arn.clone());
                world.databases.retain(|other| other.arn != it.arn);
            }
        }
    }
    deleted
}

/// People were told of all steps of `plan`, and what follows of that is written.
pub fn tell(plan: &Plan<Step>, world: &mut World) {
    for step in plan.steps.iter().filter_map(|it| reconcile::Step::once_told(&it.step)) {
        let Step::Finish(it) = step else { panic!("{step:?}") };
        let of = world.databases.iter_mut().find(|other| other.arn == it.arn).unwrap();
        of.tags.insert(keys::DRILLED.into(), it.drilled.to_string());
    }
}

/// What is done (as `* ACTION HEADLINE`), left alone (as `+ NAME: reason`) and wrong (as `! NAME KIND: message`).
pub fn lines(world: &World, scope: &Scope, now: &Zoned) -> Vec<String> {
    let plan = plan(world, scope, now);
    testkit::told::keep("drill-restores", &plan);
    let name = |arn: &str| arn.rsplit(':').next().unwrap().to_owned();
    let act = |step: &Step| match step {
        Step::Delete(it) => format!("delete {} {}", it.kind, it.id),
        Step::Note(it) => format!("note {}", it.progress),
        other => reconcile::Step::headline(other),
    };
    let refused = plan.refused.iter().map(|it| format!("refused: {it}"));
    let done = plan.steps.iter().map(|it| format!("* {}", act(&it.step)));
    let left = plan.skipped.iter().map(|it| format!("+ {}: {}", name(&it.resource), it.reason));
    let wrong = plan.problems.iter().map(|it| format!("! {} {}: {}", name(&it.resource), it.problem, it.message));
    refused.chain(done).chain(left).chain(wrong).collect()
}

#[track_caller]
pub fn check(world: &World, now: &Zoned, expected: &[&str]) {
    assert_eq!(lines(world, &Scope::Everything, now), expected);
}
