//! Events, commands and tags with mistakes in them: nothing panics, and nothing takes more than in proportion to them.

use fuzz::used;
use rules::keys;
use runtime::Request as _;

use super::model::*;
use crate::plan::{Folder, Marker, Scope, State, plan};
use crate::request::Request;

#[test]
fn events_and_commands() {
    fuzz::events("copy-buckets", |payload| used(runtime::event(payload).and_then(Request::read)));
}

#[test]
fn tags_of_buckets() {
    let samples = [
        (keys::BACKUP, RULE),
        (keys::DRILL, "monthly rpo=26h sample=100"),
        (
            keys::DRILLED,
            "proven at=2026-11-20T01:23:00Z begun=2026-11-20T01:08:00Z took=15m data=7h snapshot=2026-11-20",
        ),
        (keys::BACKUP, "daily=7 weekly=4 to=kfood-backups/uploads class=GLACIER_IR"),
        (keys::BUCKET_PROBLEM, "bad-tag 0123456789ab told=2026-11-20T11:00:00Z"),
    ];
    let folders: Vec<Folder> = (0..20).map(|it| folder(it, State::Complete)).collect();
    fuzz::tags(&samples, |tags| {
        let mut world = world(folders.clone());
        world.buckets[0].tags.clone_from(tags);
        used(plan(&world, &Scope::Everything, &night()));
    });
}

#[test]
fn markers_of_copies() {
    let sample = serde_json::to_value(marker(1, State::Complete)).unwrap();
    fuzz::values(&[sample], |it| {
        let mut world = world((0..5).map(|it| folder(it, State::Complete)).collect());
        world.folders()[2].marker = Marker::read(&it.to_string());
        used(plan(&world, &Scope::Everything, &night()));
    });
    let sample = "{\"is_whole\":true,\"chosen\":[{\"draw\":1,\"key\":\"a\",\"size\":1,\"etag\":\"e\"}]}";
    fuzz::texts(&[sample], |text| used(crate::plan::Sample::read(text)));
    fuzz::texts(&["{\"made_by\":\"nightshift copy-buckets\"}"], |text| used(Marker::read(text)));
}
