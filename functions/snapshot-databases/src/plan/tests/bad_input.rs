//! Events, commands and tags with mistakes in them: nothing panics, and nothing takes more than in proportion to them.

use fuzz::used;
use rules::keys;
use runtime::Request as _;

use super::model::*;
use crate::plan::{Scope, plan};
use crate::request::Request;

#[test]
fn events_and_commands() {
    fuzz::events("snapshot-databases", |payload| used(runtime::event(payload).and_then(Request::read)));
}

#[test]
fn tags_of_databases_and_of_snapshots() {
    let samples = [
        (keys::BACKUP, "days=30 daily=7 weekly=4 copy=us-west-2"),
        (keys::BACKUP, "last=3 gone=90d"),
        (keys::SCHEDULE, "mon-fri 08:00-20:00"),
        (keys::ASLEEP, "since=2026-11-20T11:00:00Z snapshot=nightshift-kfood-db-2026-11-20-200000 by=schedule"),
        (keys::MADE_BY, "snapshot-databases nightshift-kfood-db-2026-11-20 ap-northeast-2"),
        (keys::DATABASE, "kfood-db"),
        (keys::COPY_OF, "arn:aws:rds:ap-northeast-2:123456789012:snapshot:nightshift-kfood-db-2026-11-20 db-kfood-db"),
        (keys::TAKEN, "2026-11-19T18:00:00Z"),
        (keys::ATTEMPT, "2"),
        (keys::RETAINED_BY, "days=30"),
    ];
    fuzz::tags(&samples, |tags| {
        let mut snapshots: Vec<_> = (0..5).map(|it| snapshot("kfood-db", it)).collect();
        snapshots.iter_mut().step_by(2).for_each(|it| it.tags.clone_from(tags));
        let copies = snapshots.iter().map(copy).collect();
        let mut database = database("kfood-db", "days=30");
        database.tags.extend(tags.clone());
        let mut world = world(vec![database], snapshots);
        world.copies.insert(region(), Ok(copies));
        used(plan(&world, &Scope::Everything, &now()));
        used(plan(&world, &Scope::Copies, &now()));
    });
}
