//! Events, commands and tags with mistakes in them: nothing panics, and nothing takes more than in proportion to them.

use fuzz::used;
use rules::keys;
use runtime::Request as _;

use super::model::*;
use crate::plan::world::{State, Watches};
use crate::plan::{composite, plan};
use crate::request::Request;

#[test]
fn events_and_commands() {
    fuzz::events("remediate-alarm", |payload| used(runtime::event(payload).and_then(Request::read)));
}

#[test]
fn tags_of_alarms_and_of_services() {
    let samples = [
        (keys::REMEDY, "restart then=rollback then=notify within=20m cooldown=10m limit=3 service=shop/api"),
        (keys::REMEDY, "scale-out max=6 step=2 then=restart"),
        (keys::REMEDY, "wake then=reboot db=shop-db failover=true"),
        (keys::REMEDIED, "restart rung=1 at=2026-11-20T18:05:00Z hour=1 day=2 count=3 fired=2026-11-20T18:05:00Z"),
        (keys::REMEDIED, "left fired=2026-11-20T18:05:00Z since=2026-11-20T18:00:00Z"),
        (keys::BOOST_MEMORY, "step=2 until=2026-11-21T14:00:00Z by=alarm:api-5xx"),
        (keys::HOLD, "closed"),
    ];
    fuzz::tags(&samples, |tags| {
        let mut world = fired("notify");
        world.alarms[0].tags.clone_from(tags);
        world.services[0].tags.extend(tags.clone());
        world.databases[0].tags.extend(tags.clone());
        used(plan(&world, SWEEP, &now()));
    });
}

/// What CloudWatch tells of an alarm is text as well, and is told on.
#[test]
fn what_alarms_say_and_watch() {
    fuzz::texts(&["api-5xx", "arn:aws:cloudwatch:ap-northeast-2:123456789012:alarm:api-5xx"], |text| {
        let mut world = fired("restart then=notify");
        let alarm = &mut world.alarms[0];
        (alarm.name, alarm.reason, alarm.description) = (text.into(), text.into(), text.into());
        alarm.watches = Watches::Metrics(vec![metric(&[("ClusterName", text), ("ServiceName", "api"), (text, text)])]);
        used(plan(&world, SWEEP, &now()));
    });
}

#[test]
fn rules_of_composite_alarms() {
    let samples = [
        r#"(ALARM("a \"5xx\"") OR ALARM(arn:aws:cloudwatch:r:1:alarm:b)) AND NOT INSUFFICIENT_DATA(c)"#,
        "AT_LEAST(60%, NOT OK, (a, b, c)) AND TRUE",
        "NOT AT_LEAST(2, ALARM, (a, b)) OR (FALSE)",
    ];
    fuzz::texts(&samples, |text| {
        if let Ok(rule) = composite::Rule::read(text) {
            rule.references();
            used(rule.causes(&|_| State::Alarm).map(|it| it.len()));
            used(rule.causes(&|_| State::Ok).map(|it| it.len()));
        }
    });
}

/// CloudWatch takes 10,240 characters.
#[test]
fn a_composite_rule_of_ten_thousand_brackets_is_read_or_refused() {
    for (open, close) in [("(", ")"), ("NOT ", ""), ("NOT(", ")")] {
        let depth = 10_240 / (open.len() + close.len()) - 10;
        let rule = format!("{}ALARM(a){}", open.repeat(depth), close.repeat(depth));
        let read = composite::Rule::read(&rule);
        assert!(read.is_ok() || read.is_err_and(|it| it.contains("brackets")), "{open}");
    }
}
