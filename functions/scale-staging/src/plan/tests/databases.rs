//! Nights of databases, with and without the services that need them.

use reconcile::Step as _;
use rules::database::Kind;
use rules::keys;
use rules::sleep::Asleep;

use super::model::*;
use crate::plan::{
    Call, CannotStop, Command, Events, LastEvent, Listed, Missing, Scope, Until, World, plan, services_to_look_at,
};

const ASLEEP: &str = "since=2026-11-20T11:00:00Z desired=3 min=2 max=6 by=schedule";

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
    let expected = [
        (keys::MADE_BY, "scale-staging nightshift-app-db-2026-11-20-200500 ap-northeast-2"),
        (keys::DATABASE, "app-db"),
        (keys::RETAINED_BY, "daily=7 copy=us-west-2"),
        ("team", "web"),
    ];
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
    testkit::told::keep("scale-staging", &plan);
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
    // Where RDS does not say, nothing is forgotten.
    let mut world = shop.seen(&at("2026-11-20T20:10"));
    world.snapshots.values_mut().for_each(|it| *it = Err("DescribeDBSnapshots: AccessDenied: no".into()));
    let unread = plan(&world, &sweep(), &at("2026-11-20T20:10"));
    testkit::told::keep("scale-staging", &unread);
    assert_eq!((unread.steps.len(), unread.problems[0].problem.as_str()), (0, "unreadable-snapshot"));
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
    assert!(told.starts_with("! app-db other-engine: docdb databases are not supported"), "{told}");
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
        "! api no-such-database: after=app-db: there is no such database, so it is not woken once it sleeps"
    );
    shop.databases.push(database("app-db", HOURS));
    shop.database("app-db").status = "stopped".into();
    let told = shop.lines(&sweep(), &at("2026-11-23T08:00"));
    assert!(told.contains(&"! api database-stopped: after=app-db: that database is stopped and nothing starts it, so the service is not woken".into()), "{told:?}");
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
        testkit::told::keep("scale-staging", &plan);
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
    assert_eq!(
        services_to_look_at(listed, &scope, idle.backing(), &Default::default(), (false, None), &now).0,
        [service_arn("web")]
    );
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
        testkit::told::keep("scale-staging", &plan);
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
