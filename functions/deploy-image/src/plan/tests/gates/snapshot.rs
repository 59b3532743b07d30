//! `snapshot=`: no image goes out before the snapshot for it is there.

use std::collections::BTreeMap;

use rules::database::{Database, Kind, Snapshot, predeploy_id};
use rules::keys;

use crate::plan::tests::model::{Model, repository};
use crate::plan::tests::stories::words;
use crate::plan::*;
use reconcile::Step as _;

const RULE: &str = "newest snapshot=app-db";

fn database(tags: &[(&str, &str)], member_of: Option<&str>) -> Database {
    Database {
        kind: Kind::Instance,
        id: "app-db".into(),
        arn: "arn:aws:rds:ap-northeast-2:123456789012:db:app-db".into(),
        resource_id: None,
        status: "available".into(),
        engine: "postgres".into(),
        member_of: member_of.map(str::to_owned),
        restarts_at: None,
        tags: tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
    }
}

pub fn of(id: &str, status: &str) -> Snapshot {
    Snapshot {
        kind: Kind::Instance,
        id: id.into(),
        arn: format!("arn:aws:rds:ap-northeast-2:123456789012:snapshot:{id}"),
        database: "app-db".into(),
        database_resource_id: None,
        status: status.into(),
        progress: None,
        created_at: None,
        engine: "postgres".into(),
        encrypted: true,
        key: None,
        option_group: None,
        tags: BTreeMap::from([(keys::MADE_BY.into(), "snapshot-databases".into())]),
    }
}

fn shop(rule: &str) -> Model {
    let mut model = Model::new(rule);
    model.databases = vec![database(&[(keys::BACKUP, "days=30")], None)];
    model
}

fn run(model: &mut Model) -> Vec<String> {
    words(&model.run(&repository(), None, usize::MAX))
}

#[test]
fn a_snapshot_is_asked_for_and_the_image_goes_out_when_it_is_available() {
    let mut model = shop(RULE);
    let id = predeploy_id("app-db", &model.push("v1.1.0"));
    let asked = format!(
        "truegul-production/api-server: asking for a snapshot of app-db before v1.1.0 goes out: \
         v1.1.0 waits for {id}, which is not there yet"
    );
    // The request may be lost; the sweep asks again.
    for _ in 0..2 {
        assert_eq!(run(&mut model), [asked.as_str()]);
    }
    model.snapshots.push(of(&id, "creating"));
    assert_eq!(
        run(&mut model),
        [format!(
            "skip: v1.1.0 waits for the snapshot {id}, which is creating. It goes on when the snapshot is available"
        )]
    );
    model.snapshots[0].status = "available".into();
    model.settle();
    assert_eq!(model.running(), "v1.1.0");
}

#[test]
fn a_failed_snapshot_and_one_of_another_maker_hold() {
    let mut model = shop(RULE);
    let id = predeploy_id("app-db", &model.push("v1.1.0"));
    model.snapshots.push(of(&id, "failed"));
    let told = run(&mut model);
    assert!(
        told[0].starts_with(&format!(
            "snapshot-failed: v1.1.0 is not deployed: the snapshot of app-db failed. It is {id}: "
        ))
    );
    assert!(told[0].contains(r#"{"snapshot":{"database":"app-db","image":"sha256:"#), "{told:?}");
    model.snapshots[0].status = "available".into();
    model.snapshots[0].tags.clear();
    assert!(run(&mut model)[0].starts_with("snapshot-id-taken: v1.1.0 is not deployed"));
    assert_eq!(model.running(), "v1.0.0");
}

#[test]
fn a_database_that_cannot_be_snapshotted_is_told_with_the_fix() {
    let mut model = shop(RULE);
    model.push("v1.1.0");
    for (databases, expected) in [
        (vec![], "no-database: v1.1.0 is not deployed: there is no database app-db."),
        (vec![database(&[], None)], "no-backup-tag: v1.1.0 is not deployed: app-db lacks nightshift:backup."),
        (
            vec![database(&[(keys::BACKUP, "days=3")], Some("app"))],
            "member-instance: v1.1.0 is not deployed: app-db is in the DB cluster app.",
        ),
    ] {
        model.databases = databases;
        let told = run(&mut model);
        assert!(told.len() == 1 && told[0].starts_with(expected), "{told:?}");
    }
    let world = model.world(&repository());
    let fact = Fact::Snapshot { database: "app-db".into(), id: predeploy_id("app-db", &model.images[1].digest) };
    let world = crate::plan::World { facts: BTreeMap::from([(fact, Observation::Unavailable("no".into()))]), ..world };
    assert_eq!(
        words(&plan(&world, &repository(), None, &model.now()).plan),
        [
            "unreadable-snapshot: whether app-db has its snapshot cannot be read: no. Each run tries again, once an hour at least"
        ]
    );
}

#[test]
fn nothing_is_snapshotted_for_an_image_that_is_not_approved_and_nothing_migrated_before_the_snapshot() {
    let mut model = shop("newest approval=manual snapshot=app-db migrate=m");
    let digest = model.push("v1.1.0");
    assert!(run(&mut model)[0].starts_with("needs-approval: "));
    let approve = crate::plan::Command::Approve { image: "v1.1.0".into(), hook: None, now: false };
    let plan = model.run(&crate::plan::tests::model::service(), Some(&approve), usize::MAX);
    let steps: Vec<_> = plan.steps.iter().map(|it| it.step.action()).collect();
    assert_eq!(steps, ["approve", "ask-for-snapshot"]);
    model.snapshots.push(of(&predeploy_id("app-db", &digest), "available"));
    assert!(run(&mut model)[0].starts_with("unreadable-migration: "), "now the migration's turn has come");
}

#[test]
fn a_newer_image_gets_a_snapshot_of_its_own_and_the_older_one_never_goes_out() {
    let mut model = shop(RULE);
    // The model makes digests of names; these differ in what an id holds of them.
    let names = ["first-".to_owned() + &"a".repeat(26), "second".to_owned() + &"a".repeat(26)];
    let first = predeploy_id("app-db", &model.push(&names[0]));
    run(&mut model);
    let second = predeploy_id("app-db", &model.push(&names[1]));
    model.snapshots.push(of(&first, "available"));
    let told = run(&mut model);
    assert!(told[0].contains(&format!("{} waits for {second}, which is not there yet", names[1])), "{told:?}");
    model.snapshots.push(of(&second, "available"));
    model.settle();
    assert_eq!((model.running(), model.revisions.len()), (names[1].clone(), 2));
}

#[test]
fn a_sleeping_service_waits_with_its_snapshot() {
    let mut model = shop(RULE);
    model.service.tags.insert(keys::ASLEEP.into(), "since=2026-11-20T12:00:00Z desired=2 by=schedule".into());
    model.push("v1.1.0");
    let told = words(&model.run(&Scope::Everywhere, None, usize::MAX));
    assert_eq!(
        told,
        [
            "skip: v1.1.0 waits, since a snapshot of app-db comes before it, and the service sleeps. It goes on when it is awake, which it is not by its schedule"
        ]
    );
}
