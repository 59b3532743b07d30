//! Which service or database an alarm is about.

use super::model::*;
use crate::plan::{Alarm, Metric, State, Watches, World};

fn on(rule: &str, metrics: Vec<Metric>) -> Alarm {
    Alarm { watches: Watches::Metrics(metrics), ..alarm("x", rule) }
}

#[track_caller]
fn check_answer(world: &World, expected: &str) {
    let answer = answer(world);
    assert!(answer.starts_with(expected), "{answer}");
}

const GROUP: (&str, &str) = ("TargetGroup", "targetgroup/api/6d0ecf831eec9f09");
const BALANCER: (&str, &str) = ("LoadBalancer", "app/shop/50dc6c495c0c9188");

#[test]
fn dimensions_tell_it_those_of_an_expression_and_of_an_anomaly_detector_too() {
    let api = || metric(&[("ClusterName", "shop"), ("ServiceName", "api")]);
    let behind = || metric(&[GROUP, BALANCER]);
    for metrics in
        [vec![api()], vec![behind()], vec![behind(), behind()], vec![Metric::default(), api()], vec![api(), behind()]]
    {
        check_answer(&world(vec![on("restart", metrics)]), "* api restart: it fired at 2026-11-21 03:10:00");
    }
    let database = || vec![metric(&[("DBInstanceIdentifier", "shop-db")])];
    check_answer(&world(vec![on("reboot", database())]), "* shop-db reboot: ");
}

#[test]
fn the_tag_decides_where_the_metric_does_not() {
    let web = metric(&[("ClusterName", "shop"), ("ServiceName", "web")]);
    for (rule, metrics) in [
        ("restart service=shop/api", vec![metric(&[BALANCER])]),
        ("restart service=shop/api", vec![web.clone()]),
        ("restart then=reboot service=shop/api db=shop-db", vec![]),
    ] {
        check_answer(&world(vec![on(rule, metrics)]), "* api restart: ");
    }
    check_answer(&world(vec![on("reboot db=shop-db", vec![web])]), "* shop-db reboot: ");
}

#[test]
fn what_cannot_be_told_is_told_with_the_option_that_says_it() {
    let api = metric(&[("ClusterName", "shop"), ("ServiceName", "api")]);
    let web = metric(&[("ClusterName", "shop"), ("ServiceName", "web")]);
    let foreign = Metric { account: Some("210987654321".into()), ..api.clone() };
    let other = metric(&[("TargetGroup", "targetgroup/other/1"), BALANCER]);
    for (rule, metrics, expected) in [
        (
            "restart",
            vec![api.clone(), web],
            "! x ambiguous-target: restart could be for shop/api, shop/web: say in the tag nightshift:remedy which one is meant, by service=CLUSTER/SERVICE",
        ),
        (
            "restart",
            vec![metric(&[("FunctionName", "f")])],
            "! x no-target: what it watches names nothing that restart could be for: say in the tag nightshift:remedy which one is meant, by service=CLUSTER/SERVICE",
        ),
        (
            "restart",
            vec![metric(&[BALANCER])],
            "! x no-target: it watches the load balancer app/shop/50dc6c495c0c9188 as a whole, and no target group: say",
        ),
        (
            "restart",
            vec![other],
            "! x no-target: no service with the tag nightshift:deploy or nightshift:schedule is behind targetgroup/other/1: say",
        ),
        ("restart", vec![foreign], "! x no-target: what it watches belongs to the account 210987654321: say"),
        (
            "reboot",
            vec![api.clone()],
            "! x no-target: what it watches names nothing that reboot could be for: say in the tag nightshift:remedy which one is meant, by db=DBID",
        ),
        (
            "wake",
            vec![api, metric(&[("DBInstanceIdentifier", "shop-db")])],
            "! x ambiguous-target: wake could be for shop/api, shop-db: say",
        ),
        ("restart service=shop/gone", vec![], "! x no-such-target: there is no ECS service shop/gone"),
        ("reboot db=gone", vec![], "! x no-such-target: there is no DB instance or DB cluster gone"),
    ] {
        check_answer(&world(vec![on(rule, metrics)]), expected);
    }
}

#[test]
fn a_composite_alarm_is_about_what_its_children_in_alarm_are_about() {
    let child = |name: &str, service: &str, state| Alarm {
        watches: Watches::Metrics(vec![metric(&[("ClusterName", "shop"), ("ServiceName", service)])]),
        state,
        ..alarm(name, "")
    };
    let parent = |rule: &str| Alarm { watches: Watches::Alarms(rule.into()), ..alarm("ill", "restart") };
    let with = |rule: &str, children: Vec<Alarm>| World {
        children: children.into_iter().map(|it| (it.name.clone(), it)).collect(),
        ..world(vec![parent(rule)])
    };
    let rule = r#"(ALARM("a") OR ALARM("b")) AND NOT ALARM("quiet")"#;
    let quiet = || child("quiet", "web", State::Ok);
    let one = with(rule, vec![child("a", "api", State::Alarm), child("b", "web", State::Ok), quiet()]);
    check_answer(&one, "* api restart: ");
    let both = with(rule, vec![child("a", "api", State::Alarm), child("b", "web", State::Alarm), quiet()]);
    check_answer(&both, "! ill ambiguous-target: ");
    let none = with(rule, vec![]);
    check_answer(&none, "! ill no-target: ");
    // One of composites, that even holds itself.
    let nested = Alarm { watches: Watches::Alarms("ALARM(a) OR ALARM(inner)".into()), ..alarm("inner", "") };
    check_answer(&with("ALARM(inner)", vec![nested, child("a", "api", State::Alarm)]), "* api restart: ");
}

#[test]
fn what_could_not_be_read_is_told_and_nothing_is_done() {
    use crate::plan::{ServiceName, Wanted};
    let mut world = fired("restart");
    world.services.clear();
    let name = ServiceName { cluster: "shop".into(), name: "api".into() };
    world.unreadable.insert(Wanted::Service(name), "DescribeServices shop: AccessDeniedException: no".into());
    check_answer(&world, "! api-5xx unreadable: DescribeServices shop: AccessDeniedException: no");
}
