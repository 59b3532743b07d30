//! Nights and days of services and databases, in the plan's own words.

use reconcile::Step as _;
use rules::database::Kind;
use rules::keys;
use rules::sleep::{Asleep, Suspended};

use super::model::*;
use crate::plan::{
    Call, CannotStop, Command, Events, LastEvent, Listed, Missing, Request, Scope, Until, World, plan,
    services_to_look_at,
};

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
    let undo = step.undo().unwrap().command_line("nightshift-scale-staging");
    assert!(undo.contains(&format!("'{{\"wake\":{{\"resource\":\"{}\"}}}}'", service_arn("api"))), "{undo}");
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
fn what_is_started_by_hand_at_night_stays_up_until_the_morning() {
    let mut shop = shop(vec![scaled("api", HOURS, 3, 2, 6)], vec![]);
    shop.run(&sweep(), &at("2026-11-20T20:00"));
    shop.service("api").desired = 1;
    // In the first quarter of an hour it looks like a run that died.
    shop.check("2026-11-20T20:10", &[
        "* api sleep: goes on falling asleep, which an earlier run left unfinished | 'mon-fri 08:00-20:00' wants it asleep; wakes Mon 2026-11-23 08:00 KST",
    ]);
    shop.check(
        "2026-11-20T22:00",
        &["* api remember: was started by hand (1 tasks), so it stays up until Mon 2026-11-23 08:00 KST | \
         nightshift-state:awake-until keeps it awake until Mon 2026-11-23 08:00 KST; sleeps Mon 2026-11-23 20:00 KST"],
    );
    shop.run(&sweep(), &at("2026-11-20T22:00"));
    assert_eq!(shop.service("api").desired, 1);
    shop.check("2026-11-20T22:05", &[
        "+ api: it was started by hand with 1 tasks; nightshift-state:awake-until keeps it awake until Mon 2026-11-23 08:00 KST; sleeps Mon 2026-11-23 20:00 KST",
    ]);
    shop.run(&sweep(), &at("2026-11-23T08:00"));
    let api = shop.service("api");
    assert_eq!((api.desired, api.target.unwrap().min), (3, 2));
    assert_eq!(api.tags.keys().filter(|it| it.starts_with(keys::MEMORY)).count(), 0);
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
    // Once a person has started it, it is no sleeper any more.
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
fn a_persons_hold_outranks_what_a_person_keeps_awake_which_outranks_a_budget_which_outranks_the_schedule() {
    let mut shop = shop(vec![service("api", HOURS, 2)], vec![]);
    shop.service("api").tags.insert(keys::AWAKE_UNTIL.into(), "2026-11-20T23:00".into());
    shop.check("2026-11-20T20:00", &[
        "+ api: it is awake with 2 tasks; nightshift:awake-until keeps it awake until Fri 2026-11-20 23:00 KST; sleeps Fri 2026-11-20 23:00 KST",
    ]);
    shop.service("api")
        .tags
        .insert(keys::HOLD_MEMORY.into(), "by=budget:Team_Monthly since=2026-11-20T03:00:00Z".into());
    shop.check("2026-11-20T12:00", &[
        "+ api: it is awake with 2 tasks; nightshift:awake-until keeps it awake until Fri 2026-11-20 23:00 KST; sleeps Fri 2026-11-20 23:00 KST",
    ]);
    let awake = shop.service("api").tags.remove(keys::AWAKE_UNTIL).unwrap();
    shop.check("2026-11-20T12:00", &[
        "* api sleep: goes to sleep (2 -> 0 tasks) | a hold by budget:Team_Monthly; sleeps until the hold is removed",
    ]);
    shop.run(&sweep(), &at("2026-11-20T12:00"));
    assert!(shop.service("api").tags[keys::ASLEEP].contains("by=hold"));
    // A person's reason is told before a function's.
    shop.service("api").tags.insert(keys::HOLD.into(), "closed for the summer".into());
    shop.service("api").tags.insert(keys::AWAKE_UNTIL.into(), awake);
    shop.check("2026-11-20T13:00", &[
        "+ api: it is asleep since Fri 2026-11-20 12:00 KST (it had 2 tasks); nightshift:hold: closed for the summer; sleeps until the hold is removed",
    ]);
    shop.service("api").tags.retain(|key, _| key != keys::HOLD && key != keys::HOLD_MEMORY);
    shop.run(&sweep(), &at("2026-11-20T14:00"));
    assert_eq!(shop.service("api").desired, 2);
}

#[test]
fn a_person_wakes_and_puts_to_sleep_by_command() {
    let mut shop = shop(vec![service("api", HOURS, 2)], vec![]);
    let api = service_arn("api");
    shop.run(&sweep(), &at("2026-11-20T20:00"));
    let wake = asking(&api, Command::Wake(Until::Time("23:00".parse().unwrap())));
    shop.run(&wake, &at("2026-11-20T21:00"));
    assert_eq!(shop.service("api").desired, 2);
    assert_eq!(shop.service("api").tags[keys::AWAKE_UNTIL_MEMORY], "2026-11-20T14:00:00Z by=person");
    shop.run_until_quiet(&at("2026-11-20T22:30"));
    assert_eq!(shop.service("api").desired, 2);
    shop.run_until_quiet(&at("2026-11-20T23:00"));
    assert_eq!((shop.service("api").desired, shop.service("api").tags.get(keys::AWAKE_UNTIL_MEMORY)), (0, None));
    // Until the next change of the schedule, which is the morning.
    shop.run(&asking(&api, Command::Wake(Until::NextChange)), &at("2026-11-20T23:30"));
    assert_eq!(shop.service("api").tags[keys::AWAKE_UNTIL_MEMORY], "2026-11-22T23:00:00Z by=person");
    // In the daytime it sleeps until the morning after.
    shop.run_until_quiet(&at("2026-11-23T12:00"));
    shop.run(&asking(&api, Command::Sleep), &at("2026-11-23T14:00"));
    assert!(shop.service("api").tags[keys::ASLEEP].contains("desired=2 by=person until=2026-11-23T11:00:00Z"));
    for now in ["2026-11-23T14:05", "2026-11-23T19:00", "2026-11-23T20:00", "2026-11-24T07:59"] {
        shop.run_until_quiet(&at(now));
        assert_eq!(shop.service("api").desired, 0, "{now}");
    }
    shop.run_until_quiet(&at("2026-11-24T08:00"));
    assert_eq!(shop.service("api").desired, 2);
}

#[test]
fn a_command_that_cannot_be_done_says_why() {
    let told = |schedule: &str, tag: (&str, &str), command: Command| {
        let mut shop = shop(vec![service("api", schedule, 0)], vec![]);
        shop.service("api").tags.insert(tag.0.into(), tag.1.into());
        let lines = shop.lines(&asking(&service_arn("api"), command), &at("2026-11-20T21:00"));
        lines.into_iter().find(|it| it.starts_with('!')).unwrap()
    };
    let plain = ("team", "web");
    let past = Command::Wake(Until::Moment("2026-11-20T20:00".parse().unwrap()));
    for (line, expected) in [
        (
            told(HOURS, (keys::HOLD, "x"), Command::Wake(Until::NextChange)),
            "! api held: the hold of a person outranks the command: remove the tag nightshift:hold first",
        ),
        (
            told("never", plain, Command::Wake(Until::NextChange)),
            "! api no-next-change: 'never' never changes: say until when",
        ),
        (told(HOURS, plain, past), "! api in-the-past: Fri 2026-11-20 20:00 KST is over"),
        (
            told(HOURS, (keys::AWAKE_UNTIL, "2026-11-20T23:00"), Command::Sleep),
            "! api kept-awake: the tag nightshift:awake-until keeps it awake",
        ),
    ] {
        assert!(line.starts_with(expected), "{line}");
    }
}

#[test]
fn a_boost_adds_to_the_size_within_the_limits_and_ends_by_itself() {
    let mut shop = shop(vec![scaled("api", "always", 3, 2, 4)], vec![]);
    let wish = "step=2 until=2026-11-20T05:00:00Z by=alarm:cpu";
    shop.service("api").tags.insert(keys::BOOST_MEMORY.into(), wish.into());
    shop.check("2026-11-20T12:00", &[
        "* api boost: gets more tasks (3 -> 4 tasks) until Fri 2026-11-20 14:00 KST, as alarm:cpu asks | 'always' wants it awake; no next change",
    ]);
    shop.run(&sweep(), &at("2026-11-20T12:00"));
    assert_eq!((shop.service("api").desired, shop.service("api").target.unwrap().min), (4, 4));
    shop.check(
        "2026-11-20T13:00",
        &["+ api: it has 4 tasks, 1 of them by a boost; 'always' wants it awake; no next change"],
    );
    shop.check(
        "2026-11-20T14:00",
        &[
            "* api end-boost: the boost is over (4 -> 3 tasks) | 'always' wants it awake; no next change",
            "* api remember: what is over is forgotten | 'always' wants it awake; no next change",
        ],
    );
    // A person's wish counts before a function's.
    shop.service("api").tags.insert(keys::BOOST.into(), "step=1 until=2026-11-20T18:00".into());
    shop.run_until_quiet(&at("2026-11-20T14:00"));
    assert_eq!(shop.service("api").desired, 4);
    shop.service("api").tags.remove(keys::BOOST);
    shop.run_until_quiet(&at("2026-11-20T15:00"));
    assert_eq!((shop.service("api").desired, shop.service("api").target.unwrap().min), (3, 2));
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
            "! api clamped: it had 5 tasks before it slept, and its scaling target allows 3 now: it got 3",
            "! api clamped: its scaling target had at least 4 tasks before it slept and has at most 3 now: it got 3",
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
fn a_database_is_stopped_with_a_snapshot_and_started_before_what_needs_it() {
    let mut shop = shop(vec![service("api", &format!("{HOURS} after=app-db"), 2)], vec![database("app-db", HOURS)]);
    shop.database("app-db").tags.insert(keys::BACKUP.into(), "daily=7 copy=us-west-2".into());
    let wakes = "'mon-fri 08:00-20:00' wants it asleep; wakes Mon 2026-11-23 08:00 KST";
    shop.check(
        "2026-11-20T20:00",
        &[
            &format!("* api sleep: goes to sleep (2 -> 0 tasks) | {wakes}"),
            &format!("+ app-db: it is stopped once the tasks of api have ended; {wakes}"),
        ],
    );
    shop.run(&sweep(), &at("2026-11-20T20:00"));
    shop.settle();
    let snapshot = "nightshift-app-db-2026-11-20-200500";
    let plan = shop.plan(&sweep(), &at("2026-11-20T20:05"));
    assert_eq!(plan.steps[0].step.headline(), format!("app-db: is stopped, with the snapshot {snapshot}"));
    let [
        Call::Remember(_, first),
        Call::Stop { snapshot: Some(id), .. },
        Call::TagSnapshot { arn, tags, .. },
        Call::Remember(_, last),
    ] = &plan.steps[0].step.calls[..]
    else {
        panic!("{plan:?}")
    };
    assert_eq!(*first, format!("since=2026-11-20T11:05:00Z snapshot={snapshot} by=schedule of=db-app-db"));
    assert_eq!((id.as_str(), last.as_str()), (snapshot, "since=2026-11-20T11:05:00Z by=schedule of=db-app-db"));
    assert_eq!(*arn, format!("arn:aws:rds:ap-northeast-2:123456789012:snapshot:{snapshot}"));
    let expected =
        [(keys::MADE_BY, "scale-staging"), (keys::DATABASE, "app-db"), (keys::RETAINED_BY, "daily=7"), ("team", "web")];
    assert_eq!(*tags, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    shop.run_until_quiet(&at("2026-11-20T20:05"));

    let morning = "'mon-fri 08:00-20:00' wants it awake; sleeps Mon 2026-11-23 20:00 KST";
    shop.check(
        "2026-11-23T08:00",
        &[
            &format!("* app-db wake: is started | {morning}"),
            &format!("+ api: it waits for the database app-db, which is stopped; {morning}"),
        ],
    );
    shop.run(&sweep(), &at("2026-11-23T08:00"));
    shop.check(
        "2026-11-23T08:05",
        &[
            &format!("+ api: it waits for the database app-db, which is starting; {morning}"),
            &format!("+ app-db: it is starting; {morning}"),
        ],
    );
    shop.settle();
    shop.check(
        "2026-11-23T08:10",
        &[
            &format!("* api wake: wakes (0 -> 2 tasks) | {morning}"),
            &format!("* app-db remember: is available again | {morning}"),
        ],
    );
}

#[test]
fn a_database_that_a_service_needs_is_up_with_it() {
    let mut shop = shop(vec![service("api", &format!("{HOURS} after=app-db"), 2)], vec![database("app-db", HOURS)]);
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    // The command names the service, and the database is started for it.
    let wake = asking(&service_arn("api"), Command::Wake(Until::NextChange));
    shop.run(&wake, &at("2026-11-21T10:00"));
    shop.settle();
    assert_eq!(shop.database("app-db").status, "available");
    shop.run_until_quiet(&at("2026-11-21T10:05"));
    assert_eq!(shop.service("api").desired, 2);
    shop.check("2026-11-21T12:00", &[
        "+ api: it is awake with 2 tasks; nightshift-state:awake-until keeps it awake until Mon 2026-11-23 08:00 KST; sleeps Mon 2026-11-23 20:00 KST",
        "+ app-db: it is available; api needs it; sleeps when that does",
    ]);
}

#[test]
fn after_seven_days_aws_starts_a_database_and_it_is_stopped_again_but_not_if_a_person_did() {
    let mut shop = shop(vec![], vec![database("app-db", "never")]);
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    shop.database("app-db").status = "starting".into();
    shop.started_by_aws.push(shop.databases[0].database.arn.clone());
    shop.check("2026-11-27T20:01", &["+ app-db: it is starting; 'never' wants it asleep; no next change"]);
    shop.settle();
    shop.check("2026-11-27T20:10", &[
        "* app-db sleep: AWS started it after seven days, so it is stopped again | 'never' wants it asleep; no next change",
    ]);
    shop.started_by_aws.clear();
    shop.check(
        "2026-11-27T20:10",
        &["* app-db remember: was started by hand, so it stays up until Sat 2026-11-28 20:10 KST | \
         nightshift-state:awake-until keeps it awake until Sat 2026-11-28 20:10 KST; sleeps Sat 2026-11-28 20:10 KST"],
    );
    // Nobody can tell: it is left alone.
    let mut world = shop.seen(&at("2026-11-27T20:10"));
    world.events.values_mut().for_each(|it| *it = Err("DescribeEvents app-db: AccessDenied: no".into()));
    let plan = plan(&world, &sweep(), &at("2026-11-27T20:10"));
    assert_eq!((plan.steps.len(), plan.problems[0].problem.as_str()), (0, "unreadable-events"));
}

#[test]
fn a_snapshot_that_was_never_taken_is_forgotten_once_nothing_can_take_it() {
    let mut shop = shop(vec![], vec![database("app-db", HOURS)]);
    shop.database("app-db").tags.insert(keys::BACKUP.into(), "days=30".into());
    // The run dies after the memory, before the stop; then a person stops the database.
    assert!(shop.run_killed_after(1, &sweep(), &at("2026-11-20T20:00")));
    shop.database("app-db").status = "stopping".into();
    let wakes = "'mon-fri 08:00-20:00' wants it asleep; wakes Mon 2026-11-23 08:00 KST";
    shop.check("2026-11-20T20:05", &[&format!("+ app-db: it is stopping; {wakes}")]);
    shop.settle();
    shop.check("2026-11-20T20:10", &[&format!(
        "* app-db remember: is stopped without a snapshot: nightshift-app-db-2026-11-20-200000 was never taken | {wakes}"
    )]);
    shop.run(&sweep(), &at("2026-11-20T20:10"));
    let asleep: Asleep = shop.database("app-db").tags[keys::ASLEEP].parse().unwrap();
    assert_eq!((asleep.snapshot, shop.snapshots.len()), (None, 0));
    // In the morning it is started all the same: it ran before the night.
    shop.run_until_quiet(&at("2026-11-23T08:00"));
    assert_eq!(shop.database("app-db").status, "available");
}

#[test]
fn what_cannot_be_stopped_is_told_and_left_alone() {
    let mut shop = shop(vec![], vec![database("app-db", HOURS)]);
    shop.databases[0].cannot_stop = Some(CannotStop { reason: "it is a read replica".into(), passes: false });
    shop.check("2026-11-20T20:00", &[
        "! app-db not-stoppable: AWS does not stop it, since it is a read replica: remove the tag nightshift:schedule",
    ]);
    shop.databases[0].cannot_stop = None;
    shop.database("app-db").tags.insert(keys::BACKUP.into(), "nightly".into());
    let told = shop.lines(&sweep(), &at("2026-11-20T20:00")).remove(0);
    assert!(told.starts_with("! app-db bad-tag: nightshift:backup: unknown word 'nightly'"), "{told}");
    shop.database("app-db").member_of = Some("app".into());
    let told = shop.lines(&sweep(), &at("2026-11-20T20:00")).remove(0);
    assert!(told.starts_with("! app-db member-instance: it is a member of the DB cluster app"), "{told}");
    shop.database("app-db").member_of = None;
    shop.database("app-db").engine = "docdb".into();
    let told = shop.lines(&sweep(), &at("2026-11-20T20:00")).remove(0);
    assert!(told.starts_with("! app-db other-engine: docdb databases are not put to sleep"), "{told}");
    // RDS takes no snapshot with the stop of a cluster.
    shop.database("app-db").tags.remove(keys::BACKUP);
    shop.database("app-db").engine = "aurora-postgresql".into();
    shop.database("app-db").kind = Kind::Cluster;
    shop.databases.push(cluster("app-db", HOURS)[1].clone());
    shop.run(&sweep(), &at("2026-11-20T20:00"));
    assert!(shop.snapshots.is_empty());
    assert_eq!(shop.database("app-db").status, "stopping");
}

#[test]
fn a_service_that_waits_in_vain_is_told() {
    let mut shop = shop(vec![service("api", &format!("{HOURS} after=app-db"), 2)], vec![]);
    shop.run(&sweep(), &at("2026-11-20T20:00"));
    let told = shop.lines(&sweep(), &at("2026-11-23T08:00"));
    assert_eq!(
        told[1],
        "! api no-such-database: after=app-db: there is no such DB instance or DB cluster, so it is not woken once it sleeps"
    );
    shop.databases.push(database("app-db", HOURS));
    shop.database("app-db").status = "stopped".into();
    let told = shop.lines(&sweep(), &at("2026-11-23T08:00"));
    assert!(told.contains(&"! api database-stopped: after=app-db: that database is stopped and nothing starts it, so the service is not woken".into()), "{told:?}");
}

#[test]
fn what_did_not_opt_in_is_left_alone_and_a_bad_tag_told() {
    let mut shop = shop(vec![service("api", "office", 2), service("bare", HOURS, 2)], vec![]);
    shop.service("bare").tags.clear();
    let told = shop.lines(&sweep(), &at("2026-11-20T20:00"));
    assert_eq!(told[0], "+ bare: it has no tag nightshift:schedule");
    assert!(told[1].starts_with("! api bad-tag: nightshift:schedule: unknown word 'office' in 'office'"), "{told:?}");
    let nobody = Request { scope: Scope::Resource("arn:aws:rds:r:1:db:gone".into()), command: None };
    assert!(
        shop.lines(&nobody, &at("2026-11-20T20:00")).contains(&"+ gone: there is no such service or database".into())
    );
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
    let close = |memory: &[(&str, &str)], now: &str| {
        services_to_look_at(listed(memory), &Scope::Everywhere, &[], &[], false, &at(now)).0.len()
    };
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
    let all = services_to_look_at(listed(&memory), &Scope::Everywhere, &[], &[], true, &at("2026-11-21T03:00")).0;
    assert_eq!(all.len(), 120);
}

#[test]
fn what_is_always_awake_sleeps_and_wakes_at_a_persons_word() {
    let mut shop = shop(vec![scaled("api", "always", 2, 1, 4)], vec![]);
    let api = service_arn("api");
    shop.run(&asking(&api, Command::Sleep), &at("2026-11-20T14:00"));
    shop.run_until_quiet(&at("2026-11-23T14:00"));
    assert_eq!(shop.service("api").desired, 0);
    shop.run(&asking(&api, Command::Wake(Until::NextChange)), &at("2026-11-24T14:00"));
    let api = shop.service("api");
    assert_eq!((api.desired, api.target.unwrap().min, api.tags.get(keys::ASLEEP)), (2, 1, None));
}

#[test]
fn a_hold_and_a_persons_word_count_at_night_where_only_the_waking_is_ours() {
    let schedule = format!("{HOURS} act=wake");
    let close = |tags_of: &[(&str, &str)], now: &str| {
        let listed = vec![Listed { arn: service_arn("api"), tags: tags(tags_of) }];
        services_to_look_at(listed, &Scope::Everywhere, &[], &[], false, &at(now)).0.len()
    };
    for hold in [(keys::HOLD, "closed"), (keys::HOLD_MEMORY, "by=budget:Team since=2026-11-20T00:00:00Z")] {
        for now in ["2026-11-20T12:00", "2026-11-20T23:00"] {
            assert_eq!(close(&[(keys::SCHEDULE, &schedule), hold], now), 1, "{hold:?} at {now}");
        }
    }
    assert_eq!(close(&[(keys::SCHEDULE, &schedule)], "2026-11-20T23:00"), 0);

    let mut shop = shop(vec![service("api", &schedule, 2)], vec![database("app-db", &schedule)]);
    let app_db = shop.databases[0].database.arn.clone();
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    assert_eq!((shop.service("api").desired, shop.database("app-db").status.as_str()), (2, "available"));
    shop.run(&asking(&service_arn("api"), Command::Sleep), &at("2026-11-20T22:00"));
    shop.run(&asking(&app_db, Command::Sleep), &at("2026-11-20T22:00"));
    shop.run_until_quiet(&at("2026-11-20T22:05"));
    assert_eq!((shop.service("api").desired, shop.database("app-db").status.as_str()), (0, "stopped"));
    shop.run_until_quiet(&at("2026-11-23T08:00"));
    assert_eq!((shop.service("api").desired, shop.database("app-db").status.as_str()), (2, "available"));
    // A command that died is finished by the next sweep.
    for killed_after in 1..3 {
        let mut broken = shop.clone();
        for arn in [&service_arn("api"), &app_db] {
            broken.run_killed_after(killed_after, &asking(arn, Command::Sleep), &at("2026-11-23T22:00"));
        }
        broken.run_until_quiet(&at("2026-11-23T22:05"));
        assert_eq!((broken.service("api").desired, broken.database("app-db").status.as_str()), (0, "stopped"));
    }
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
    // With act=sleep people wake it, but nobody can see that this one slept.
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
fn what_is_started_by_hand_with_fewer_tasks_sleeps_again_once_its_time_is_over() {
    let mut shop = shop(vec![scaled("api", "never", 3, 2, 6)], vec![]);
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    shop.service("api").desired = 1;
    shop.run_until_quiet(&at("2026-11-20T22:00"));
    assert_eq!(shop.service("api").desired, 1);
    // A deployment is waited for, and it sleeps after that all the same.
    shop.service("api").deploying_since = Some(at("2026-11-21T21:58").timestamp());
    shop.run_until_quiet(&at("2026-11-21T22:05"));
    assert_eq!(shop.service("api").desired, 1);
    shop.service("api").deploying_since = None;
    shop.check("2026-11-21T22:10", &[
        "* api sleep: goes to sleep again, since the time of what was started by hand is over | 'never' wants it asleep; no next change",
        "* api remember: what is over is forgotten | 'never' wants it asleep; no next change",
    ]);
    // A run that dies anywhere is finished.
    for killed_after in 0..4 {
        let mut broken = shop.clone();
        broken.run_killed_after(killed_after, &sweep(), &at("2026-11-21T22:10"));
        broken.run_until_quiet(&at("2026-11-21T22:15"));
        let api = broken.service("api");
        assert_eq!((api.desired, api.tags.get(keys::AWAKE_UNTIL_MEMORY)), (0, None), "{killed_after}");
        let asleep: Asleep = api.tags[keys::ASLEEP].parse().unwrap();
        assert_eq!((asleep.desired, asleep.limits.unwrap().min), (Some(3), 2));
        // Started by hand again, it stays up again.
        api.desired = 1;
        broken.run_until_quiet(&at("2026-11-22T12:00"));
        assert_eq!(broken.service("api").desired, 1);
    }
    // The same with a person's own tag, which stays.
    shop.run_until_quiet(&at("2026-11-21T22:10"));
    let service = shop.service("api");
    service.tags.insert(keys::AWAKE_UNTIL.into(), "2026-11-22T18:00".into());
    service.desired = 1;
    shop.run_until_quiet(&at("2026-11-22T12:00"));
    assert_eq!(shop.service("api").desired, 1);
    shop.run_until_quiet(&at("2026-11-22T18:00"));
    assert_eq!(shop.service("api").desired, 0);
}

#[test]
fn a_sleep_by_hold_is_undone_by_whose_hold_it_is() {
    let undo = |hold: &[(&str, &str)]| {
        let mut shop = shop(vec![service("api", HOURS, 2)], vec![database("app-db", HOURS)]);
        for (key, value) in hold {
            shop.service("api").tags.insert(key.to_string(), value.to_string());
            shop.database("app-db").tags.insert(key.to_string(), value.to_string());
        }
        let plan = shop.plan(&sweep(), &at("2026-11-20T12:00"));
        let undo = plan.steps.iter().map(|it| it.step.undo().map(|it| it.command_line("nightshift-scale-staging")));
        undo.collect::<Vec<_>>()
    };
    let (person, budget) = ((keys::HOLD, "x"), (keys::HOLD_MEMORY, "by=budget:Team since=2026-11-20T00:00:00Z"));
    let arns = (service_arn("api"), database("app-db", "").database.arn);
    assert_eq!(
        undo(&[person]),
        [
            Some(format!("aws ecs untag-resource --resource-arn {} --tag-keys nightshift:hold", arns.0)),
            Some(format!("aws rds remove-tags-from-resource --resource-name {} --tag-keys nightshift:hold", arns.1)),
        ]
    );
    assert_eq!((undo(&[budget]), undo(&[person, budget])), (vec![None, None], vec![None, None]));
}

#[test]
fn a_database_is_not_stopped_while_a_service_that_may_need_it_cannot_be_read() {
    let now = at("2026-11-20T20:00");
    let schedule = format!("{HOURS} after=app-db");
    let waits = |name: &str| {
        format!(
            "it is not stopped, since {name}, which may need it, cannot be read; \
             'mon-fri 08:00-20:00' wants it asleep; wakes Mon 2026-11-23 08:00 KST"
        )
    };
    let left_alone = |world: &World| {
        let plan = plan(world, &sweep(), &now);
        let of_database = plan.skipped.into_iter().find(|it| it.resource.ends_with(":app-db"));
        (plan.steps.len(), of_database.map(|it| it.reason))
    };
    let idle = shop(vec![], vec![database("app-db", HOURS)]).seen(&now);
    assert_eq!(left_alone(&idle), (1, None));
    let missing = |schedule: &str, refused: Option<&str>| {
        let tags = tags(&[(keys::SCHEDULE, schedule), (keys::ASLEEP, ASLEEP)]);
        let missing = Missing { arn: service_arn("api"), refused: refused.map(str::to_owned), tags };
        World { missing: vec![missing], ..idle.clone() }
    };
    assert_eq!(left_alone(&missing(&schedule, Some("AccessDenied"))), (0, Some(waits("api"))));
    assert_eq!(left_alone(&missing("office after=app-db", Some("AccessDenied"))), (0, Some(waits("api"))));
    assert_eq!(left_alone(&missing(HOURS, Some("AccessDenied"))).0, 1);
    assert_eq!(left_alone(&missing(&schedule, None)).0, 1);
    // What cannot be read by day keeps its database up, as if it had been read.
    let (_, reason) = left_alone(&missing("always after=app-db", Some("AccessDenied")));
    assert_eq!(reason.as_deref(), Some("it is available; api needs it; sleeps when that does"));
    // One whose tag is bad counts as long as it runs.
    for (running, steps, reason) in [(2, 0, Some(waits("web"))), (0, 1, None)] {
        let services = vec![service("web", "office after=app-db", running)];
        assert_eq!(left_alone(&World { services, ..idle.clone() }), (steps, reason));
    }
    // And it is looked at where only the database is asked about.
    let listed = vec![Listed { arn: service_arn("web"), tags: tags(&[(keys::SCHEDULE, "office after=app-db")]) }];
    let scope = Scope::Resource(idle.databases[0].database.arn.clone());
    assert_eq!(services_to_look_at(listed, &scope, &idle.databases, &[], false, &now).0, [service_arn("web")]);
}

#[test]
fn what_cannot_be_read_remembers_that_people_were_told() {
    let missing = |tags| Missing { arn: service_arn("api"), refused: Some("AccessDenied".into()), tags };
    let remembered = |tags| {
        let world = World { missing: vec![missing(tags)], ..World::default() };
        plan(&world, &sweep(), &at("2026-11-20T12:00")).remembered
    };
    let told = "unreadable 0123456789ab told=2026-11-20T02:00:00Z";
    let all = remembered(tags(&[(keys::SCHEDULE, HOURS), (keys::SLEEP_PROBLEM, told)]));
    assert_eq!(all.into_iter().collect::<Vec<_>>(), [(service_arn("api"), Some(told.to_owned()))]);
    // What did not opt in remembers nothing.
    assert!(remembered(tags(&[])).is_empty());
}

#[test]
fn a_database_that_was_never_stopped_was_not_started_by_a_person() {
    let mut shop = shop(vec![], vec![database("app-db", HOURS)]);
    assert!(shop.run_killed_after(1, &sweep(), &at("2026-11-20T20:00")));
    let lines = |last_event: Option<&str>, now: &str| {
        let mut world = shop.seen(&at(now));
        let event = last_event.map(|it| LastEvent { at: at(it).timestamp(), started_by_aws: false });
        world.events.values_mut().for_each(|it| *it = Ok(Events { last: event, newest: None }));
        let plan = plan(&world, &sweep(), &at(now));
        plan.steps.into_iter().map(|it| it.step.headline).collect::<Vec<_>>()
    };
    for never in [None, Some("2026-11-19T20:04")] {
        assert_eq!(lines(never, "2026-11-20T23:00"), ["is stopped, which no earlier run has done"], "{never:?}");
    }
    let by_hand = "was started by hand, so it stays up until Mon 2026-11-23 08:00 KST";
    assert_eq!(lines(Some("2026-11-20T20:04"), "2026-11-20T23:00"), [by_hand]);
    // After two weeks RDS tells nothing of that night any more.
    let by_hand = "was started by hand, so it stays up until Mon 2026-12-07 08:00 KST";
    assert_eq!(lines(None, "2026-12-05T23:00"), [by_hand]);
}

#[test]
fn a_sleeper_that_lost_its_schedule_is_told_and_left_alone() {
    let mut shop =
        shop(vec![scaled("api", HOURS, 3, 2, 6)], vec![database("app-db", HOURS), database("own-db", HOURS)]);
    // That one a person had stopped before.
    shop.database("own-db").status = "stopped".into();
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    let told = "left-behind 0123456789ab told=2026-11-21T02:00:00Z";
    shop.service("api").tags.insert(keys::SLEEP_PROBLEM.into(), told.into());
    shop.service("api").tags.remove(keys::SCHEDULE);
    shop.databases.iter_mut().for_each(|it| drop(it.database.tags.remove(keys::SCHEDULE)));
    let now = at("2026-11-21T12:30");
    let mut world = shop.seen(&now);
    let api = world.services.remove(0);
    world.left_behind = vec![Listed { arn: api.arn, tags: api.tags }];
    let plan_of = |world: &World, scope| plan(world, &Request { scope, command: None }, &now);
    let plan = plan_of(&world, Scope::Everywhere);
    let back = "and has lost its tag nightshift:schedule, so that nothing wakes it: put the tag back \
                (nightshift:schedule=always wakes it now), or restore it by hand and remove the tag nightshift-state:asleep";
    let messages: Vec<&str> = plan.problems.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            &format!(
                "it was put to sleep on Fri 2026-11-20 20:00 KST (it had 3 tasks, min 2 and max 6 of its scaling) {back}"
            ),
            &format!("it was put to sleep on Fri 2026-11-20 20:00 KST {back}"),
        ]
    );
    assert!(plan.problems.iter().all(|it| it.problem == "left-behind") && plan.steps.is_empty());
    // Each remembers that people were told.
    let remembered: Vec<Option<String>> = plan.remembered.into_values().collect();
    assert_eq!(remembered, [Some(told.to_owned()), None]);
    // Nobody is told of it by a question about something else, nor of a database that runs.
    assert_eq!(plan_of(&world, Scope::Resource(service_arn("web"))).problems, []);
    world.databases.iter_mut().for_each(|it| it.database.status = "available".into());
    assert_eq!(plan_of(&world, Scope::Everywhere).problems.len(), 1);
}
