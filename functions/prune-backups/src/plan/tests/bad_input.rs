//! Events, commands and tags with mistakes in them: nothing panics, and nothing takes more than in proportion to them.

use fuzz::used;
use rules::keys;
use runtime::Request as _;

use super::model::*;
use crate::plan::images::Named;
use crate::request::Sweep;

#[test]
fn events_and_commands() {
    fuzz::events("prune-backups", |payload| used(runtime::event(payload).and_then(Sweep::read)));
}

#[test]
fn tags_of_databases_and_of_snapshots() {
    let samples = [
        (keys::BACKUP, "daily=2 weekly=4 gone=90d copy=us-west-2"),
        (keys::RETAINED_BY, "days=30 last=3"),
        (keys::MADE_BY, "snapshot-databases nightshift-kfood-db-24h ap-northeast-2"),
        (keys::DATABASE, "kfood-db"),
        (keys::COPY_OF, "arn:aws:rds:ap-northeast-2:123456789012:snapshot:nightshift-kfood-db-24h db-kfood-db"),
        (keys::TAKEN, "2026-11-19T18:00:00Z"),
        (keys::PROVEN, "2026-11-19T18:00:00Z check=kfood-drill"),
        (keys::KEEP, "forever"),
        (keys::IMAGE, "sha256:1a2b3c4d"),
    ];
    fuzz::tags(&samples, |tags| {
        let mut snapshots: Vec<_> = (1..8).map(|it| snapshot("kfood-db", it * 24)).collect();
        snapshots.iter_mut().step_by(2).for_each(|it| it.tags.clone_from(tags));
        let mut database = database("kfood-db", Some("daily=2"));
        database.tags.extend(tags.clone());
        used(crate::plan::plan(&world(vec![database], snapshots.clone()), &now()));
        used(crate::plan::plan(&world(vec![], snapshots), &now()));
    });
}

#[test]
fn names_of_images() {
    let samples = ["123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/team/api:v1@sha256:1a", "localhost:5000/api:v1"];
    fuzz::texts(&samples, |text| used(Named::read(text).is("api", "sha256:1a", &["v1".to_owned()])));
}
