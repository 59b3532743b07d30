//! Events, commands, tags and answers with mistakes in them: nothing panics, nor takes more than in proportion to them.

use fuzz::used;
use rules::keys;
use runtime::Request as _;

use super::model::*;
use crate::plan::{Scope, answer_of, plan};
use crate::request::Request;

#[test]
fn events_and_commands() {
    fuzz::events("deploy-compose", |payload| used(runtime::event(payload).and_then(Request::read)));
}

#[test]
fn answers_of_the_script() {
    let line = format!(
        "{{\"nightshift\":1,\"outcome\":\"deployed\",\"before\":\"{}\",\"running\":\"{}\",\"downtime\":4,\"migrated\":\"\",\"why\":\"x\"}}",
        digest(1),
        digest(2)
    );
    fuzz::texts(&[&line, &format!("noise\n{line}\n")], |text| used(answer_of(text)));
}

#[test]
fn tags_of_instances() {
    let moment = "2026-11-21T00:00:00Z";
    let (runs, order) = (
        format!("{} at={moment} of=1a2b3c4d tag=v1.1", digest(1)),
        format!("deploy {} key=ns-1 at={moment} of=1a2b3c4d", digest(2)),
    );
    let samples = [
        (keys::DEPLOY, RULE),
        (keys::DEPLOY_WINDOW, "mon-thu 10:00-16:00"),
        (keys::RUNS, runs.as_str()),
        (keys::COMMAND, order.as_str()),
        (keys::REJECTED, "1a2b3c4d5e6f pushed=2026-11-21T03:00:00Z"),
        (keys::ASLEEP, "x"),
    ];
    let mut shop = Shop::known(2, RULE);
    shop.push(2);
    fuzz::tags(&samples, |tags| {
        let mut world = shop.world.clone();
        world.instances[0].tags.clone_from(tags);
        world.instances[1].tags.extend(tags.clone());
        used(plan(&world, &Scope::Everywhere, None, &shop.now).plan);
    });
}
