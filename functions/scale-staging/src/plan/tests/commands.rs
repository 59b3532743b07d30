//! What people ask by tags and commands, and who outranks whom.

use reconcile::Step as _;
use rules::keys;

use super::model::*;
use crate::plan::{Command, Listed, Until};

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
        looked_at(listed, now)
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
fn a_sleep_by_hold_is_undone_by_whose_hold_it_is() {
    let undo = |hold: &[(&str, &str)]| {
        let mut shop = shop(vec![service("api", HOURS, 2)], vec![database("app-db", HOURS)]);
        for (key, value) in hold {
            shop.service("api").tags.insert(key.to_string(), value.to_string());
            shop.database("app-db").tags.insert(key.to_string(), value.to_string());
        }
        let plan = shop.plan(&sweep(), &at("2026-11-20T12:00"));
        let undo =
            plan.steps.iter().map(|it| it.step.undo().map(|it| it.command_line("nightshift-scale-staging", None)));
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
fn a_command_to_stop_what_slept_before_and_is_used_is_remembered() {
    let mut shop = shop(vec![service("api", "mon-fri 08:00-20:00 after=db", 1)], vec![database("db", "always")]);
    let asleep = "since=2026-11-19T11:00:00Z by=schedule".to_owned();
    shop.database("db").tags.insert(keys::ASLEEP.into(), asleep);
    let arn = shop.database("db").arn.clone();
    shop.run(&asking(&arn, Command::Sleep), &at("2026-11-20T12:00"));
    assert!(shop.database("db").tags[keys::ASLEEP].starts_with("since=2026-11-20T03:00:00Z by=person"));
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    assert_eq!(shop.database("db").status, "stopped");
}
