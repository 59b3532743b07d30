//! Events, commands and tags with mistakes in them: nothing panics, and nothing takes more than in proportion to them.

use fuzz::used;
use rules::database::Kind;
use rules::keys;
use runtime::Request as _;

use super::model::*;
use crate::plan::{Scope, plan};
use crate::request::Request;

#[test]
fn events_and_commands() {
    fuzz::events("drill-restores", |payload| used(runtime::event(payload).and_then(Request::read)));
}

#[test]
fn tags_of_databases_and_of_drills() {
    let samples = [
        (keys::DRILL, RULE),
        (keys::DRILL, "weekly rto=30m keep=2h class=db.t4g.micro from=latest"),
        (keys::DRILLED, "proven at=2026-11-27T01:33:00Z begun=2026-11-27T01:03:00Z took=30m data=9h snapshot=a"),
        (keys::DRILL_MEMORY, "of=kfood-db resource=db-kfood-db begun=2026-12-01T00:03:00Z until=2026-12-01T18:03:00Z"),
        (keys::DRILL_FROM, "nightshift-kfood-db-2026-11-30 taken=2026-11-30T18:00:00Z"),
        (keys::DRILL_PROGRESS, "up=2026-12-01T00:43:00Z task=0123456789abcdef proven=2026-12-01T00:53:00Z"),
        (keys::MADE_BY, "drill-restores nightshift-drill-kfood-db-2026-12-01 ap-northeast-2"),
    ];
    let id = "nightshift-drill-kfood-db-2026-12-01";
    fuzz::tags(&samples, |tags| {
        let mut world = world(vec![database(Kind::Instance, "kfood-db", &[]), database(Kind::Instance, id, &[])]);
        of(&mut world, "kfood-db").tags.clone_from(tags);
        of(&mut world, id).tags.clone_from(tags);
        for snapshot in world.snapshots.iter_mut().flatten() {
            snapshot.tags.extend(tags.clone());
        }
        used(plan(&world, &Scope::Everything, &now()));
        used(plan(&world, &Scope::Everything, &minutes_later(45)));
    });
}
