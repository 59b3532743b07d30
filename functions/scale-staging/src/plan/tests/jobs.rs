//! Schedules of EventBridge Scheduler at night, in the plan's own words.

use proptest::collection::vec;
use proptest::prelude::*;
use reconcile::Step as _;
use rules::keys;
use serde_json::{Map, Value, json};

use super::model::*;
use crate::plan::{Call, Command, Job, JobGroup, Until, World, plan, switched, without_past_start};

fn job(name: &str) -> Job {
    Job { name: name.into(), enabled: true, marked: false, once: false, has_room: true, over: false }
}

fn jobs(tag: &str, jobs: &[&str]) -> JobGroup {
    JobGroup {
        arn: "arn:aws:scheduler:ap-northeast-2:123456789012:schedule-group/nightly".into(),
        name: "nightly".into(),
        tags: tags(&[(keys::SCHEDULE, tag)]),
        jobs: Some(Ok(jobs.iter().map(|it| job(it)).collect())),
    }
}

/// A database that sleeps at night, and two jobs that need it.
fn with_jobs(tag: &str) -> Shop {
    Shop { job_groups: vec![jobs(tag, &["orders", "report"])], ..shop(vec![], vec![database("app-db", HOURS)]) }
}

fn enabled(shop: &Shop) -> Vec<bool> {
    shop.job_groups[0].jobs.as_ref().unwrap().as_ref().unwrap().iter().map(|it| it.enabled).collect()
}

fn set(shop: &mut Shop, name: &str, change: impl Fn(&mut Job)) {
    let jobs = shop.job_groups[0].jobs.as_mut().unwrap().as_mut().unwrap();
    change(jobs.iter_mut().find(|it| it.name == name).unwrap());
}

/// The lines about the group.
fn told(shop: &Shop, now: &str) -> Vec<String> {
    let lines = shop.lines(&sweep(), &at(now));
    lines.into_iter().filter(|it| it[2..].starts_with("nightly ") || it[2..].starts_with("nightly:")).collect()
}

#[test]
fn a_night_of_jobs_that_need_a_database() {
    let mut shop = with_jobs("always after=app-db");
    assert_eq!(told(&shop, "2026-11-20T19:55"), ["+ nightly: its schedules run, and so does what they need"]);
    let evening = at("2026-11-20T20:00");
    assert_eq!(told(&shop, "2026-11-20T20:00"), ["* nightly sleep: 2 schedules are disabled | app-db is not up"]);
    // The group remembers before its schedules do, so that a run that dies is finished; they are not left for a later run
    // than the one that stops the database.
    let plan = shop.plan(&sweep(), &evening);
    let step = &plan.steps.iter().find(|it| it.resource.ends_with("/nightly")).unwrap().step;
    let names = vec!["orders".to_owned(), "report".to_owned()];
    assert_eq!(
        step.calls,
        [
            Call::Remember(keys::ASLEEP, "since=2026-11-20T11:00:00Z desired=0 by=schedule".into()),
            Call::Jobs { group: "nightly".into(), jobs: names, on: false }
        ]
    );
    assert_eq!((step.headline().as_str(), step.undo()), ("nightly: 2 schedules are disabled", None));
    shop.run_until_quiet(&evening);
    assert_eq!((enabled(&shop), shop.database("app-db").status.as_str()), (vec![false, false], "stopped"));
    assert_eq!(told(&shop, "2026-11-21T03:00"), ["+ nightly: its schedules are disabled; app-db is not up"]);

    // In the morning they wait until it serves.
    shop.run(&sweep(), &at("2026-11-23T08:00"));
    assert_eq!((enabled(&shop), shop.database("app-db").status.as_str()), (vec![false, false], "starting"));
    shop.settle();
    assert_eq!(
        told(&shop, "2026-11-23T08:05"),
        ["* nightly wake: 2 schedules are enabled again | what they need is up"]
    );
    shop.run_until_quiet(&at("2026-11-23T08:05"));
    assert_eq!((enabled(&shop), shop.job_groups[0].tags.contains_key(keys::ASLEEP)), (vec![true, true], false));
}

#[test]
fn jobs_keep_no_database_up_and_follow_it_when_a_person_wakes_it() {
    let mut shop = with_jobs("always after=app-db");
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    let wake = asking(&shop.databases[0].database.arn, Command::Wake(Until::NextChange));
    shop.run(&wake, &at("2026-11-20T21:00"));
    shop.run_until_quiet(&at("2026-11-20T21:05"));
    assert_eq!(enabled(&shop), [true, true]);
    // And the command that puts it to sleep disables them in the same run.
    let sleep = asking(&shop.databases[0].database.arn, Command::Sleep);
    shop.run(&sleep, &at("2026-11-20T22:00"));
    assert_eq!((enabled(&shop), shop.database("app-db").status.as_str()), (vec![false, false], "stopping"));
}

#[test]
fn what_a_person_disabled_or_enabled_stands() {
    let mut shop = with_jobs("always after=app-db");
    set(&mut shop, "report", |it| it.enabled = false);
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    // At night a person enables one all the same.
    set(&mut shop, "orders", |it| it.enabled = true);
    assert_eq!(
        told(&shop, "2026-11-21T03:00"),
        ["+ nightly: its schedules are disabled, but orders; app-db is not up"]
    );
    shop.run_until_quiet(&at("2026-11-21T03:00"));
    assert_eq!(enabled(&shop), [true, false]);
    shop.run_until_quiet(&at("2026-11-23T08:00"));
    // What was disabled by hand stays so, and the next night is as any other.
    assert_eq!(enabled(&shop), [true, false]);
    shop.run_until_quiet(&at("2026-11-23T20:00"));
    assert_eq!(enabled(&shop), [false, false]);
}

#[test]
fn what_another_tool_sets_back_at_night_is_disabled_again_and_a_lost_memory_is_found() {
    let mut shop = with_jobs("always after=app-db");
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    // `terraform apply` writes its own state and description.
    set(&mut shop, "orders", |it| (it.enabled, it.marked) = (true, false));
    shop.run_until_quiet(&at("2026-11-21T03:00"));
    assert_eq!(enabled(&shop), [false, false]);
    // And takes away tags that it does not know: the schedules themselves say what was disabled.
    shop.job_groups[0].tags.remove(keys::ASLEEP);
    shop.run_until_quiet(&at("2026-11-23T08:00"));
    assert_eq!(enabled(&shop), [true, true]);
}

#[test]
fn a_schedule_whose_description_was_written_anew_at_night_is_told_and_does_not_stay_disabled_in_silence() {
    let mut shop = with_jobs("always after=app-db");
    set(&mut shop, "report", |it| it.enabled = false);
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    // `terraform apply` that ignores the state, and not the description.
    set(&mut shop, "orders", |it| it.marked = false);
    shop.run(&sweep(), &at("2026-11-23T08:00"));
    shop.settle();
    let message = "! nightly lost-mark: more of its schedules are disabled than before the night, and nothing in their \
                   description says that Nightshift disabled them (orders, report): something wrote the description anew, \
                   such as terraform apply. Enable those that are to run, and have Terraform ignore state and description; \
                   if they are to stay disabled, remove the tag nightshift-state:asleep of the group";
    for now in ["2026-11-23T08:05", "2026-11-23T10:00"] {
        assert_eq!(told(&shop, now), [message]);
        shop.run_until_quiet(&at(now));
    }
    assert_eq!(enabled(&shop), [false, false]);
    // A night later it is still known.
    shop.run_until_quiet(&at("2026-11-23T20:00"));
    shop.run_until_quiet(&at("2026-11-24T08:00"));
    assert_eq!(told(&shop, "2026-11-24T08:10"), [message]);
    set(&mut shop, "orders", |it| it.enabled = true);
    shop.run_until_quiet(&at("2026-11-24T08:15"));
    assert_eq!((enabled(&shop), shop.job_groups[0].tags.contains_key(keys::ASLEEP)), (vec![true, false], false));
}

#[test]
fn what_runs_once_or_has_no_room_for_the_mark_stays_enabled() {
    let mut shop = with_jobs("always after=app-db");
    set(&mut shop, "orders", |it| it.once = true);
    set(&mut shop, "report", |it| it.has_room = false);
    let lines = told(&shop, "2026-11-20T20:00");
    assert_eq!(
        lines,
        [
            "! nightly long-description: report stays enabled, since its description has no room for the 26 characters that \
          say who disabled it: make it shorter"
        ]
    );
}

#[test]
fn its_own_hours_and_holds_count_as_those_of_everything_else() {
    let mut shop = with_jobs("mon-fri 10:00-18:00 after=app-db");
    shop.run_until_quiet(&at("2026-11-20T18:00"));
    assert_eq!((enabled(&shop), shop.database("app-db").status.as_str()), (vec![false, false], "available"));
    shop.run_until_quiet(&at("2026-11-23T10:00"));
    assert_eq!(enabled(&shop), [true, true]);
    shop.job_groups[0].tags.insert(keys::HOLD.into(), "the import is broken".into());
    shop.run_until_quiet(&at("2026-11-23T11:00"));
    assert_eq!(enabled(&shop), [false, false]);
    shop.job_groups[0].tags.remove(keys::HOLD);
    shop.run_until_quiet(&at("2026-11-23T12:00"));
    assert_eq!(enabled(&shop), [true, true]);
}

#[test]
fn what_makes_no_sense_on_a_group_is_told_and_changes_nothing() {
    for (tag, expected) in [
        ("always after=ap-db", "no-such-database: after=ap-db: there is no such database, so its schedules"),
        ("always after=asg:web", "no-such-machine: after=asg:web: there is nothing of that name with the tag"),
        ("never off=1", "bad-tag: nightshift:schedule: off=, act= and enforce= are not for groups of schedules"),
        ("never enforce=true", "bad-tag: nightshift:schedule: off=, act= and enforce= are not for groups of schedules"),
        ("never hibernate=true", "bad-tag: nightshift:schedule: hibernate=true is for EC2 instances"),
        ("nightly", "bad-tag: "),
    ] {
        let lines = told(&with_jobs(tag), "2026-11-20T20:00");
        assert!(lines.len() == 1 && lines[0].starts_with(&format!("! nightly {expected}")), "{tag}: {lines:?}");
    }
    let mut shop = with_jobs("never");
    shop.job_groups[0].jobs = Some(Err("GetSchedule nightly/orders: AccessDeniedException".into()));
    assert!(told(&shop, "2026-11-20T20:00")[0].starts_with("! nightly unreadable: its schedules cannot be read"));
}

#[test]
fn jobs_follow_instances_and_groups_as_well() {
    let mut shop = Shop {
        instances: vec![instance("i-1", HOURS)],
        job_groups: vec![jobs("always after=ec2:i-1+asg:web", &["orders"])],
        ..shop(vec![group("web", "always", 2, 1, 4)], vec![])
    };
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    assert_eq!(enabled(&shop), [false]);
    shop.run_until_quiet(&at("2026-11-23T08:00"));
    assert_eq!(enabled(&shop), [true]);
}

/// `2025-11-28T04:53:20Z`.
fn moment() -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_764_305_600).unwrap()
}

fn schedule(fields: &Value) -> Map<String, Value> {
    let mut schedule = json!({"Name": "orders", "State": "ENABLED", "ScheduleExpression": "cron(0 3 * * ? *)"});
    schedule.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    schedule.as_object().unwrap().clone()
}

#[test]
fn a_schedule_is_written_back_as_it_was_but_for_its_state_and_the_mark() {
    let target = json!({"Arn": "arn:cluster", "RoleArn": "arn:role", "Younger": {"kept": [1]}});
    let before = schedule(&json!({"Description": "the orders", "Target": target, "StartDate": 1_764_300_000.25}));
    let off = switched(&before, false, moment()).unwrap();
    assert_eq!(
        (&off["State"], &off["Description"]),
        (&json!("DISABLED"), &json!("[nightshift-state:asleep] the orders"))
    );
    assert_eq!((&off["Target"], &off["StartDate"]), (&target, &json!(1_764_300_000.25)));
    // Twice is once, and the way back ends where it began.
    assert_eq!(switched(&off, false, moment()), None);
    assert_eq!(switched(&off, true, moment()), Some(before.clone()));
    assert_eq!(switched(&before, true, moment()), None);
    // One that a person disabled meanwhile is left alone, in both directions.
    let by_hand = schedule(&json!({"State": "DISABLED"}));
    assert_eq!((switched(&by_hand, false, moment()), switched(&by_hand, true, moment())), (None, None));
    let once = schedule(&json!({"ScheduleExpression": "at(2026-11-21T03:00:00)"}));
    assert_eq!(switched(&once, false, moment()), None);
}

#[test]
fn a_schedule_that_is_over_is_left_alone_and_a_beginning_that_is_over_can_be_left_out() {
    let ends = |at: f64| schedule(&json!({"EndDate": at, "StartDate": 1_764_305_599.5}));
    assert_eq!(switched(&ends(1_764_305_599.0), false, moment()), None);
    let off = switched(&ends(1_764_305_600.0), false, moment()).unwrap();
    // What ends while it is disabled is still given back, as far as AWS allows.
    let later = moment() + jiff::SignedDuration::from_hours(1);
    let on = switched(&off, true, later).unwrap();
    assert_eq!(on, ends(1_764_305_600.0));
    let expected = schedule(&json!({"EndDate": 1_764_305_600.0}));
    assert_eq!(without_past_start(&on, later), Some(expected.clone()));
    assert_eq!(without_past_start(&expected, later), None);
    let begins = schedule(&json!({"StartDate": 1_764_305_600.0}));
    assert_eq!(without_past_start(&begins, moment()), None);
    let mut shop = with_jobs("always after=app-db");
    set(&mut shop, "orders", |it| (it.over, it.has_room) = (true, false));
    assert_eq!(told(&shop, "2026-11-20T20:00"), ["* nightly sleep: 1 schedule is disabled | app-db is not up"]);
}

#[test]
fn a_group_that_lost_its_tag_in_its_sleep_is_told() {
    let mut shop = with_jobs("always after=app-db");
    shop.run_until_quiet(&at("2026-11-20T20:00"));
    let now = at("2026-11-21T12:30");
    let mut world: World = shop.seen(&now);
    let mut group = world.job_groups.remove(0);
    group.tags.remove(keys::SCHEDULE);
    world.jobs_left_behind = [(group.arn.clone(), group.tags)].into();
    let plan = plan(&world, &sweep(), &now);
    let [problem] = &plan.problems[..] else { panic!("{:?}", plan.problems) };
    assert_eq!((problem.problem.as_str(), problem.resource.as_str()), ("left-behind", group.arn.as_str()));
    assert!(
        problem.message.starts_with("nothing wakes it: it has lost its tag nightshift:schedule; it was put to sleep on Fri 2026-11-20 20:00 KST. "),
        "{problem:?}"
    );
    assert!(plan.remembered.contains_key(&group.arn), "people are told once");
}

proptest! {
    #[test]
    fn off_and_on_again_changes_nothing_whatever_its_description(text in ".{0,60}|.{480,512}", state in any::<bool>()) {
        let mut before = schedule(&json!({"State": if state { "ENABLED" } else { "DISABLED" }}));
        if !text.is_empty() {
            before.insert("Description".into(), text.into());
        }
        if let Some(off) = switched(&before, false, moment()) {
            prop_assert!(state && off["Description"].as_str().unwrap().chars().count() <= 512);
            prop_assert_eq!(switched(&off, true, moment()), Some(before));
        }
    }

    #[test]
    fn a_run_that_dies_between_schedules_is_finished_and_the_morning_is_as_the_evening_was(
        states in vec((any::<bool>(), any::<bool>()), 1..6), done in 0..6usize, killed in 0..4usize
    ) {
        let mut shop = with_jobs("always after=app-db");
        let all = states.iter().enumerate().map(|(index, (enabled, once))| {
            Job { enabled: *enabled, once: *once, ..job(&format!("job-{index}")) }
        });
        shop.job_groups[0].jobs = Some(Ok(all.collect()));
        let evening = enabled(&shop);
        for begin in ["2026-11-20T20:00", "2026-11-23T08:00"] {
            shop.run_killed_after(killed, &sweep(), &at(begin));
            // Of the schedules of one call some were reached.
            let on = begin.contains("23");
            let jobs = shop.job_groups[0].jobs.as_mut().unwrap().as_mut().unwrap();
            for job in jobs.iter_mut().take(if killed > 1 { done } else { 0 }) {
                switch(job, on);
            }
            shop.settle();
            shop.run_until_quiet(&at(begin).checked_add(jiff::ToSpan::minutes(5)).unwrap());
            let asleep = states.iter().map(|(enabled, once)| *enabled && *once).collect::<Vec<_>>();
            prop_assert_eq!(enabled(&shop), if on { evening.clone() } else { asleep });
        }
        prop_assert!(!shop.job_groups[0].tags.contains_key(keys::ASLEEP));
    }

    /// Whatever Terraform writes at night: by day each schedule runs that ran before, or people are told that it does not.
    #[test]
    fn whatever_is_written_at_night_no_schedule_stays_disabled_in_silence(
        states in vec(any::<bool>(), 1..5), nights in vec(vec((0..5usize, 0..4u8, any::<bool>()), 0..4), 1..4)
    ) {
        let mut shop = with_jobs("always after=app-db");
        let all = states.iter().enumerate().map(|(index, enabled)| Job { enabled: *enabled, ..job(&format!("job-{index}")) });
        shop.job_groups[0].jobs = Some(Ok(all.collect()));
        for (day, night) in nights.iter().enumerate() {
            let time = |days: usize, hour: &str| at(&format!("2026-11-{}T{hour}", 16 + day + days));
            shop.run_until_quiet(&time(0, "20:00"));
            for (which, event, runs) in night {
                set(&mut shop, &format!("job-{}", which % states.len()), |it| match event {
                    // The state alone is ignored; all of it is written; a person enables it for the night; nothing.
                    0 => it.marked = false,
                    1 if it.marked => (it.enabled, it.marked) = (true, false),
                    2 => it.enabled |= it.marked,
                    _ => {}
                });
                if *runs {
                    shop.run_until_quiet(&time(0, "23:00"));
                }
            }
            shop.run(&sweep(), &time(1, "08:00"));
            shop.settle();
            shop.run_until_quiet(&time(1, "08:05"));
            let is_told = told(&shop, &format!("2026-11-{}T08:10", 17 + day)).iter().any(|it| it.contains("lost-mark"));
            for (enabled, before) in enabled(&shop).iter().zip(&states) {
                prop_assert!(*enabled || !before || is_told, "{:?} after the night {day}", shop.job_groups[0]);
                prop_assert!(!*enabled || *before, "a person had disabled it: {:?}", shop.job_groups[0]);
            }
        }
    }
}
