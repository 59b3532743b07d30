//! Which service or database an alarm is about.

use super::model::*;
use crate::plan::world::{Alarm, Contributor, Metric, ServiceName, State, Wanted, Watches, World};

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
        check_answer(&world(vec![on("restart", metrics)]), "* api restart: it fired at Sat 2026-11-21 03:10 KST");
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
    let query = Metric { query: Some("SELECT MAX(x) FROM y".into()), ..Metric::default() };
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
        ("restart", vec![foreign.clone()], "! x no-target: what it watches belongs to the account 210987654321: say"),
        // Half of it is ours, and nobody knows which half is ill.
        (
            "restart",
            vec![foreign, api.clone()],
            "! x ambiguous-target: what it watches belongs to the account 210987654321, so it is not sure what it is about: say",
        ),
        (
            "restart",
            vec![query, api.clone()],
            "! x ambiguous-target: it watches the query SELECT MAX(x) FROM y, which names its target in its text, so it is not sure",
        ),
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
        children: children.into_iter().map(|it| (it.name.clone(), Some(it))).collect(),
        ..world(vec![parent(rule)])
    };
    let rule = r#"(ALARM("a") OR ALARM("b")) AND NOT ALARM("quiet")"#;
    let quiet = || child("quiet", "web", State::Ok);
    let one = with(rule, vec![child("a", "api", State::Alarm), child("b", "web", State::Ok), quiet()]);
    check_answer(&one, "* api restart: ");
    let both = with(rule, vec![child("a", "api", State::Alarm), child("b", "web", State::Alarm), quiet()]);
    check_answer(&both, "! ill ambiguous-target: restart could be for shop/api, shop/web: ");
    // One in ALARM that does not make the rule true is not its cause.
    let branch = "(ALARM(a) AND ALARM(c)) OR ALARM(b)";
    let third = child("c", "api", State::Ok);
    let branches = vec![child("a", "api", State::Alarm), child("b", "web", State::Alarm), third];
    check_answer(&with(branch, branches), "* web restart: ");
    let mut none = with(rule, vec![]);
    let names = ["a", "b", "quiet"].map(|it| (it.to_owned(), None));
    none.children.extend(names);
    check_answer(&none, "! ill no-target: the rule of ill names a, which does not exist: say");
    // One of composites, that even holds itself.
    let nested = Alarm { watches: Watches::Alarms("ALARM(a) OR ALARM(inner)".into()), ..alarm("inner", "") };
    check_answer(&with("ALARM(inner)", vec![nested, child("a", "api", State::Alarm)]), "* api restart: ");
}

#[test]
fn a_rule_is_acted_upon_whole_or_not_at_all() {
    let child = |name: &str, service: &str, state| {
        let watches = Watches::Metrics(vec![metric(&[("ClusterName", "shop"), ("ServiceName", service)])]);
        (name.to_owned(), Some(Alarm { watches, state, ..alarm(name, "") }))
    };
    let told = |rule: &str, tag: &str| {
        let ill = Alarm { watches: Watches::Alarms(rule.into()), ..alarm("ill", tag) };
        let mut world = world(vec![ill]);
        world.children.extend([
            child("a", "api", State::Alarm),
            child("b", "api", State::Alarm),
            child("c", "web", State::Ok),
            ("gone".into(), None),
        ]);
        answer(&world)
    };
    for rule in [
        "AT_LEAST(2, ALARM, (a, b, c))",
        "AT_LEAST(50%, NOT OK, (a, \"b\", c))",
        "NOT (OK(a) OR INSUFFICIENT_DATA(c)) AND TRUE",
        "NOT AT_LEAST(3, OK, (a, b, c))",
    ] {
        let told = told(rule, "restart");
        assert!(told.starts_with("* api restart: "), "{rule}: {told}");
    }
    for (rule, expected) in [
        ("ALARM(a) XOR ALARM(b)", "! ill no-target: the rule of ill is not understood at 'XOR ALARM(b)': say"),
        ("AT_LEAST(2, ALARM, (ALARM(a), b))", "! ill no-target: the rule of ill is not understood at '(a), b))': say"),
        ("ALARM(a) AND OK(gone)", "! ill no-target: the rule of ill names gone, which does not exist: say"),
        ("ALARM(a) AND ALARM(c)", "! ill no-target: the rule of ill is not true any more by its alarms: say"),
        (
            "ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:a)",
            "! ill no-target: the rule of ill names a of arn:aws:cloudwatch:us-east-1:123456789012: say",
        ),
    ] {
        let answer = told(rule, "restart");
        assert!(answer.starts_with(expected), "{rule}: {answer}");
        // Where the tag names the target, the rule need not.
        assert!(told(rule, "restart service=shop/api").starts_with("* api restart: "), "{rule}");
    }
}

#[test]
fn each_thing_that_one_alarm_watches_gets_its_own_answer() {
    let contributor = |id: &str, service: &str, minutes| Contributor {
        id: id.into(),
        since: Some(moment(minutes)),
        reason: "2 of 2 datapoints".into(),
        attributes: tags(&[("ClusterName", "shop"), ("ServiceName", service)]),
    };
    let several = Alarm { watches: Watches::Contributors, ..alarm("cpu", "restart then=notify") };
    let mut world = world(vec![several]);
    world.contributors.insert("cpu".into(), vec![contributor("6d44", "api", 0)]);
    check(
        &mut world,
        0,
        &["* api restart: it fired at Sat 2026-11-21 03:10 KST (2 of 2 datapoints); restart is step 1 of 2"],
    );
    // Another one fires while the alarm stays in ALARM, within the cooldown of the first.
    world.contributors.insert("cpu".into(), vec![contributor("6d44", "api", 0), contributor("77aa", "web", 5)]);
    let answered = "+ cpu: what fired at Sat 2026-11-21 03:10 KST was answered by restart";
    check(&mut world, 5, &["* web restart: it fired at Sat 2026-11-21 03:15 KST", answered]);
    // The first has recovered, the second has not.
    world.contributors.insert("cpu".into(), vec![contributor("77aa", "web", 5)]);
    check(
        &mut world,
        20,
        &[
            "* cpu notify: it fired at Sat 2026-11-21 03:15 KST and is still in ALARM after restart at Sat 2026-11-21 03:15 KST",
            "* cpu record-recovery: OK since Sat 2026-11-21 03:30 KST, after restart at Sat 2026-11-21 03:10 KST",
        ],
    );
    world.contributors.insert("cpu".into(), Vec::new());
    world.alarms[0].state = State::Ok;
    check(&mut world, 25, &["* cpu record-recovery: ", "+ cpu: it is OK"]);
    // A day later nothing depends on what was done, and the tags are removed.
    check(&mut world, 24 * 60, &["* cpu expire: it has no effect any more", "* cpu expire: "]);
    assert_eq!(world.alarms[0].tags.len(), 1);
    // Where the tag names the target, or only a person is told, the alarm is answered as a whole.
    for rule in ["restart service=shop/api", "notify"] {
        let whole = Alarm { watches: Watches::Contributors, ..alarm("cpu", rule) };
        check_answer(&super::model::world(vec![whole]), "* ");
    }
}

#[test]
fn what_is_behind_a_query_is_told_where_it_names_nothing() {
    let log = |contributors: Option<Vec<Contributor>>| {
        let mut world = world(vec![Alarm { watches: Watches::Contributors, ..alarm("errors", "restart") }]);
        match contributors {
            Some(all) => drop(world.contributors.insert("errors".into(), all)),
            None => drop(world.unreadable.insert(Wanted::Contributors("errors".into()), "AccessDenied".into())),
        }
        world
    };
    let host = Contributor { id: "1".into(), since: None, reason: String::new(), attributes: tags(&[("host", "a")]) };
    check_answer(&log(Some(vec![host])), "! errors no-target: what it watches names nothing that restart could be for");
    check_answer(&log(Some(vec![])), "+ errors: it has too little data to tell");
    check_answer(&log(None), "! errors unreadable: which of its series fire cannot be read: AccessDenied");
}

#[test]
fn what_could_not_be_read_is_told_and_nothing_is_done() {
    let mut world = fired("restart");
    world.services.clear();
    let name = ServiceName { cluster: "shop".into(), name: "api".into() };
    world.unreadable.insert(Wanted::Service(name), "DescribeServices shop: AccessDeniedException: no".into());
    check_answer(
        &world,
        "! api-5xx unreadable: what it watches cannot be read: DescribeServices shop: AccessDeniedException: no",
    );
}
