//! Nights and weekends of services, in the plan's own words.

use reconcile::Step as _;
use rules::keys;
use rules::sleep::Suspended;

use super::model::*;
use crate::plan::{Call, Listed, Scope, services_to_look_at};

const ASLEEP: &str = "since=2026-11-20T11:00:00Z desired=3 min=2 max=6 by=schedule";

#[test]
fn a_weekend_of_a_service_that_scales() {
    let mut shop = shop(vec![scaled("api", HOURS, 3, 2, 6)], vec![]);
    shop.check(
        "2026-11-20T19:59",
        &["+ api: it is awake with 3 tasks; 'mon-fri 08:00-20:00' wants it awake; sleeps Fri 2026-11-20 20:00 KST"],
    );
    let evening = at("2026-11-20T20:00");
    let plan = shop.plan(&sweep(), &evening);
    let step = &plan.steps[0].step;
    assert_eq!(step.headline(), "api: goes to sleep (3 -> 0 tasks)");
    assert_eq!(plan.steps[0].reason, "'mon-fri 08:00-20:00' wants it asleep; wakes Mon 2026-11-23 08:00 KST");
    assert_eq!((step.before()["min"].as_i64(), step.after()["min"].as_i64()), (Some(2), Some(0)));
    let undo = step.undo().unwrap().command_line("nightshift-scale-staging", None);
    let wake = format!("printf %s '{{\"wake\":{{\"resource\":\"{}\"}},", service_arn("api"));
    assert!(undo.starts_with(&wake), "{undo}");
    // The memory first, then the limits, the count last.
    assert!(
        matches!(&step.calls[..], [Call::Remember(keys::ASLEEP, it), Call::Limits { min: 0, .. }, Call::Count { desired: 0, .. }] if *it == format!("{ASLEEP} of=2026-01-01T00:00:00Z"))
    );

    shop.run(&sweep(), &evening);
    shop.check("2026-11-21T03:00", &[
        "+ api: it is asleep since Fri 2026-11-20 20:00 KST (it had 3 tasks); 'mon-fri 08:00-20:00' wants it asleep; wakes Mon 2026-11-23 08:00 KST",
    ]);
    shop.check(
        "2026-11-23T08:00",
        &["* api wake: wakes (0 -> 3 tasks) | 'mon-fri 08:00-20:00' wants it awake; sleeps Mon 2026-11-23 20:00 KST"],
    );
    let calls = calls(&shop.plan(&sweep(), &at("2026-11-23T08:00")));
    assert!(
        matches!(
            &calls[..],
            [(_, Call::Count { desired: 3, .. }), (_, Call::Limits { min: 2, .. }), (_, Call::Forget(_))]
        ),
        "{calls:?}"
    );
}

#[test]
fn enforce_undoes_what_people_do_and_act_does_only_one_half() {
    let mut shop = shop(vec![service("api", &format!("{HOURS} enforce=true"), 2)], vec![]);
    shop.run(&sweep(), &at("2026-11-20T20:00"));
    shop.service("api").desired = 2;
    shop.run(&sweep(), &at("2026-11-20T23:00"));
    assert_eq!(shop.service("api").desired, 0);
    shop.run(&sweep(), &at("2026-11-23T08:00"));
    shop.service("api").desired = 0;
    shop.check("2026-11-23T12:00", &[
        "* api wake: wakes (0 -> 1 tasks; its previous size was not recorded) | 'mon-fri 08:00-20:00' wants it awake; sleeps Mon 2026-11-23 20:00 KST",
    ]);

    let mut shop = super::model::shop(vec![service("api", &format!("{HOURS} act=sleep"), 2)], vec![]);
    shop.run(&sweep(), &at("2026-11-20T20:00"));
    shop.check("2026-11-23T08:00", &[
        "+ api: it is asleep since Fri 2026-11-20 20:00 KST (it had 2 tasks), and act=sleep leaves the waking to people; \
         'mon-fri 08:00-20:00' wants it awake; sleeps Mon 2026-11-23 20:00 KST",
    ]);
    // Once a person has started it, it does not sleep any more.
    shop.service("api").desired = 1;
    shop.run(&sweep(), &at("2026-11-23T09:00"));
    assert_eq!((shop.service("api").desired, shop.service("api").tags.get(keys::ASLEEP)), (1, None));

    let shop = super::model::shop(vec![service("api", &format!("{HOURS} act=wake"), 0)], vec![]);
    shop.check("2026-11-23T08:05", &[
        "* api wake: wakes (0 -> 1 tasks; its previous size was not recorded) | 'mon-fri 08:00-20:00' wants it awake; sleeps Mon 2026-11-23 20:00 KST",
    ]);
    shop.check(
        "2026-11-23T09:00",
        &["+ api: it was set to 0 by hand; 'mon-fri 08:00-20:00' wants it awake; sleeps Mon 2026-11-23 20:00 KST"],
    );
}

#[test]
fn limits_that_are_narrower_in_the_morning_are_kept_to_and_told() {
    let mut shop = shop(vec![scaled("api", HOURS, 5, 4, 6)], vec![]);
    shop.run(&sweep(), &at("2026-11-20T20:00"));
    shop.service("api").target.as_mut().unwrap().max = 3;
    shop.check(
        "2026-11-23T08:00",
        &[
            "* api wake: wakes (0 -> 3 tasks) | 'mon-fri 08:00-20:00' wants it awake; sleeps Mon 2026-11-23 20:00 KST",
            "! api clamped: it got 3 tasks instead of 5 as before it slept: its scaling target allows no more now",
            "! api clamped: its minimum is 3 tasks instead of 4 as before it slept: its scaling target allows no more now",
        ],
    );
    shop.run(&sweep(), &at("2026-11-23T08:00"));
    assert_eq!((shop.service("api").desired, shop.service("api").target.unwrap().min), (3, 3));
}

#[test]
fn a_deployment_is_waited_for_but_not_for_ever() {
    let mut shop = shop(vec![service("api", HOURS, 2)], vec![]);
    shop.service("api").deploying_since = Some(at("2026-11-20T19:58").timestamp());
    shop.check("2026-11-20T20:00", &[
        "+ api: a deployment is in progress, which the next run looks at again; 'mon-fri 08:00-20:00' wants it asleep; wakes Mon 2026-11-23 08:00 KST",
    ]);
    shop.run(&sweep(), &at("2026-11-20T21:00"));
    assert_eq!(shop.service("api").desired, 0);
}

#[test]
fn what_is_down_to_its_size_at_night_does_not_scale_until_the_morning() {
    let mut shop =
        shop(vec![scaled("api", &format!("{HOURS} off=1"), 1, 1, 4), scaled("idle", HOURS, 0, 0, 4)], vec![]);
    let evening = shop.clone();
    let wakes = "'mon-fri 08:00-20:00' wants it asleep; wakes Mon 2026-11-23 08:00 KST";
    shop.check(
        "2026-11-20T20:00",
        &[
            &format!("* api remember: is at 1 already and stays so, without scaling | {wakes}"),
            &format!("* idle remember: is at 0 already and stays so, without scaling | {wakes}"),
        ],
    );
    // A run that dies after the memory is finished.
    let mut broken = shop.clone();
    assert!(broken.run_killed_after(1, &sweep(), &at("2026-11-20T20:00")));
    for shop in [&mut shop, &mut broken] {
        shop.run_until_quiet(&at("2026-11-20T20:05"));
        for name in ["api", "idle"] {
            assert_eq!(shop.service(name).target.unwrap().suspended, Suspended::ALL, "{name}");
        }
        assert_eq!((shop.service("api").desired, shop.service("idle").desired), (1, 0));
        shop.run_until_quiet(&at("2026-11-23T08:00"));
        assert_eq!(*shop, evening);
    }
    // With act=sleep people wake it, but it does not show that this one slept.
    let mut shop = super::model::shop(vec![scaled("api", &format!("{HOURS} off=1 act=sleep"), 1, 1, 4)], vec![]);
    let evening = shop.clone();
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    shop.run_until_quiet(&at("2026-11-23T08:00"));
    assert_eq!(shop, evening);
    // Where the limits would start tasks, they are left alone.
    let mut shop = super::model::shop(vec![scaled("api", HOURS, 0, 2, 4)], vec![]);
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    assert_eq!((shop.service("api").desired, shop.service("api").target.unwrap().min), (0, 2));
}

#[test]
fn only_what_can_be_due_is_looked_at() {
    let listed = |memory: &[(&str, &str)]| {
        let service = |index: usize| {
            let mut tags = tags(&[(keys::SCHEDULE, HOURS)]);
            tags.extend(memory.iter().map(|(key, value)| (key.to_string(), value.to_string())));
            Listed { arn: service_arn(&format!("service-{index}")), tags }
        };
        (0..120).map(service).collect::<Vec<_>>()
    };
    let close = |memory: &[(&str, &str)], now: &str| looked_at(listed(memory), now);
    let memory = [(keys::ASLEEP, ASLEEP)];
    assert_eq!((close(&[], "2026-11-20T12:00"), close(&[], "2026-11-20T20:00")), (0, 120));
    // All of them just after, and in the morning; in between each once an hour.
    assert_eq!((close(&memory, "2026-11-20T20:10"), close(&memory, "2026-11-23T08:00")), (120, 120));
    let hour = (0..12).map(|it| close(&memory, &format!("2026-11-21T03:{:02}", it * 5)));
    assert_eq!(hour.clone().sum::<usize>(), 120);
    assert!(hour.max().unwrap() <= 25);
    for more in [
        (keys::SCHEDULE, "office"),
        (keys::SLEEP_PROBLEM, "failed 0 told=x"),
        (keys::BOOST, "step=1 until=2026-11-21T12:00"),
        (keys::AWAKE_UNTIL_MEMORY, "2026-11-20T12:00:00Z"),
    ] {
        assert_eq!(close(&[memory[0], more], "2026-11-21T03:00"), 120, "{more:?}");
    }
    // A dry run tells of everything.
    let all = services_to_look_at(
        listed(&memory),
        &Scope::Everywhere,
        nothing().backing(),
        &Default::default(),
        (true, None),
        &at("2026-11-21T03:00"),
    )
    .0;
    assert_eq!(all.len(), 120);
}

#[test]
fn an_express_mode_service_is_told_and_left_alone_unless_it_sleeps_already() {
    let mut express = service("api", HOURS, 2);
    express.is_express = true;
    let mut shop = shop(vec![express], vec![]);
    for now in ["2026-11-20T12:00", "2026-11-20T20:00"] {
        let lines = shop.lines(&sweep(), &at(now));
        let told = "! api express-service: an Express Mode service cannot sleep";
        assert!(lines.len() == 1 && lines[0].starts_with(told), "{lines:#?}");
    }
    shop.services[0].is_express = false;
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    shop.services[0].is_express = true;
    shop.run_until_quiet(&at("2026-11-23T08:00"));
    assert_eq!(shop.service("api").desired, 2);
}

#[test]
fn a_tag_may_name_a_schedule_of_the_stack() {
    let mut shop = shop(vec![service("api", "office off=1 skip=2026-11-23", 3)], vec![database("app-db", "office")]);
    shop.calendar.schedules = "office=mon-fri 08:00-20:00; demo=mon-fri 13:00-15:00".parse().unwrap();
    shop.check("2026-11-20T20:00", &[
        "* api sleep: goes to sleep (3 -> 1 tasks) | 'office skip=2026-11-23 (mon-fri 08:00-20:00)' wants it asleep; \
         wakes Tue 2026-11-24 08:00 KST",
        "* app-db sleep: is stopped | 'office (mon-fri 08:00-20:00)' wants it asleep; wakes Mon 2026-11-23 08:00 KST",
    ]);
    shop.run(&sweep(), &at("2026-11-20T20:00"));
    // The stack no longer knows the name: nothing is done about what sleeps, and people are told.
    shop.calendar.schedules = "work=mon-fri 08:00-20:00".parse().unwrap();
    let unknown = shop.lines(&sweep(), &at("2026-11-23T08:00"));
    assert!(unknown.iter().all(|it| it.starts_with('!') && it.contains("unknown word 'office'")), "{unknown:?}");
    assert!(unknown[0].ends_with("or a schedule of the stack: work"), "{unknown:?}");
}
