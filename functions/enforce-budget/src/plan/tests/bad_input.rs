//! Events, commands and tags with mistakes in them: nothing panics, and nothing takes more than in proportion to them.

use fuzz::used;
use rules::keys;
use runtime::Request as _;

use super::model::*;
use crate::plan::scope::{Content, Notification};
use crate::request::Request;

#[test]
fn events_and_commands() {
    fuzz::events("enforce-budget", |payload| used(runtime::event(payload).and_then(Request::read)));
}

#[test]
fn tags_of_budgets_and_of_what_is_expendable() {
    let of_budgets = [
        (keys::BUDGET, "enforce"),
        (keys::BUDGET, "warn"),
        (keys::WARNED, "period=2026-11-01 limit=300 actual=101 told=100 forecast=118 raised=2026-11-24T03:20:00Z"),
        (keys::WARNED, "period=2026-10-01 limit=300 actual=99 told=90 seen=101 at=2026-11-24T03:20:00Z last=99.99"),
    ];
    fuzz::tags(&of_budgets, |tags| {
        let mut world = world(30_472, &["sleep-at=100", "sleep-at=80"]);
        world.budgets[0].tags = Ok(tags.clone());
        used(planned(&world, &SWEEP, &now()));
    });
    let of_services = [
        (keys::BUDGET, "sleep-at=100"),
        (keys::BUDGET, "sleep-at=100 budget=TrueGul"),
        (keys::SCHEDULE, "mon-fri 08:00-20:00"),
        (keys::HOLD_MEMORY, "by=budget:TrueGul_Monthly since=2026-11-20T00:00:00Z"),
        (keys::HOLD, "closed"),
    ];
    fuzz::tags(&of_services, |tags| {
        let mut world = world(30_472, &["sleep-at=100"]);
        world.resources[0].tags.clone_from(tags);
        used(planned(&world, &SWEEP, &now()));
    });
}

#[test]
fn mails_of_budgets_and_anomalies() {
    let samples = fuzz::texts_of_events("Message");
    let samples: Vec<&str> = samples.iter().map(String::as_str).collect();
    fuzz::texts(&samples, |text| {
        let content = Content::read(text);
        let notification = Notification { topic: TOPIC.into(), subject: text.into(), content };
        used(planned(&world(30_472, &["sleep-at=100"]), &Wake::Notified(notification), &now()));
    });
}
