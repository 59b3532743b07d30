//! Schedules of EventBridge Scheduler at night: what is read, what is sent, and what AWS refuses.

use serde_json::json;

use super::{EVENING, HOURS, MORNING, told};
use crate::aws::{ASLEEP, SCHEDULE, Script};

const TAG: &str = "always after=app-db";

fn with_jobs(count: usize) -> Script {
    let script = Script::new();
    script.store("app-db", "available", "", &[(SCHEDULE, HOURS)]);
    for index in 0..count {
        script.job("nightly", TAG, &format!("job-{index:03}"), "ENABLED");
    }
    script.job("nightly", TAG, "by-hand", "DISABLED");
    script
}

#[tokio::test(start_paused = true)]
async fn jobs_are_disabled_with_their_database_and_written_back_whole() {
    let script = with_jobs(2);
    let noon = script.invoke("2026-11-20T12:00", json!({})).await.unwrap();
    assert_eq!(told(&noon), [""; 0]);
    // By day nothing of them is read.
    assert!(script.sent("GetSchedule").is_empty() && script.sent("ListSchedules").is_empty());
    let before = script.aws().jobs.clone();
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    assert_eq!(told(&report), ["nightly sleep Done", "app-db sleep Done"]);
    {
        let aws = script.aws();
        // The number is that of those that were disabled by hand before.
        assert_eq!(aws.job_groups["nightly"][ASLEEP], "since=2026-11-20T11:00:00Z desired=1 by=schedule");
        let job = &aws.jobs["nightly/job-000"];
        assert_eq!(
            (&job["State"], &job["Description"]),
            (&json!("DISABLED"), &json!("[nightshift-state:asleep] the job-000"))
        );
        assert_eq!(aws.jobs["nightly/by-hand"], before["nightly/by-hand"]);
    }
    assert_eq!(script.sent("UpdateSchedule").len(), 2);
    script.counts();
    assert_eq!(told(&script.invoke("2026-11-20T20:05", json!({})).await.unwrap()), [""; 0]);

    script.invoke(MORNING, json!({})).await.unwrap();
    script.aws().instances.get_mut("app-db").unwrap().status = "available".into();
    script.invoke("2026-11-23T08:05", json!({})).await.unwrap();
    let aws = script.aws();
    assert_eq!(aws.jobs, before);
    assert!(!aws.job_groups["nightly"].contains_key(ASLEEP));
}

#[tokio::test(start_paused = true)]
async fn without_their_roles_one_refusal_is_told_once_and_the_database_sleeps_all_the_same() {
    let script = with_jobs(9);
    script.fail("UpdateSchedule", "", 99, 403, "AccessDeniedException");
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    let problem = report.problems.iter().find(|it| it.problem == "no-schedule-roles").unwrap();
    assert!(problem.message.contains("UpdateSchedule nightly/job-000: AccessDeniedException"), "{problem:?}");
    assert!(problem.message.ends_with("in the parameter ScheduleRoles"), "{problem:?}");
    // Where the first is denied the others are not tried.
    assert_eq!((script.sent("UpdateSchedule").len(), script.sent("Publish").len()), (1, 1));
    assert_ne!(script.aws().instances["app-db"].status, "available");
    script.counts();
    script.invoke("2026-11-20T20:05", json!({})).await.unwrap();
    assert_eq!(script.sent("Publish").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_with_a_role_that_is_denied_or_that_aws_refuses_stops_no_other() {
    let script = with_jobs(4);
    script.aws().jobs.get_mut("nightly/job-000").unwrap()["Target"]["RoleArn"] = json!("arn:other");
    script.fail("UpdateSchedule", "job-000", 9, 403, "AccessDeniedException");
    script.fail("UpdateSchedule", "job-001", 9, 400, "ValidationException");
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    let states: Vec<String> =
        (0..4).map(|it| script.aws().jobs[&format!("nightly/job-{it:03}")]["State"].to_string()).collect();
    assert_eq!(states, [r#""ENABLED""#, r#""ENABLED""#, r#""DISABLED""#, r#""DISABLED""#]);
    assert!(report.problems.iter().any(|it| it.problem == "no-schedule-roles"), "{:?}", report.problems);
    assert_eq!(script.sent("Publish").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_beginning_that_came_in_the_night_keeps_no_schedule_disabled() {
    let script = with_jobs(1);
    // Saturday at noon.
    script.aws().jobs.get_mut("nightly/job-000").unwrap()["StartDate"] = json!(1_795_230_000.0);
    script.invoke(EVENING, json!({})).await.unwrap();
    assert_eq!(script.aws().jobs["nightly/job-000"]["State"], "DISABLED");
    script.invoke(MORNING, json!({})).await.unwrap();
    script.aws().instances.get_mut("app-db").unwrap().status = "available".into();
    script.fail("UpdateSchedule", "job-000", 1, 400, "ValidationException");
    let report = script.invoke("2026-11-23T08:05", json!({})).await.unwrap();
    assert!(told(&report).contains(&"nightly wake Done".to_owned()), "{:?}", told(&report));
    let aws = script.aws();
    let job = &aws.jobs["nightly/job-000"];
    assert_eq!(
        (&job["State"], job.get("StartDate"), &job["Description"]),
        (&json!("ENABLED"), None, &json!("the job-000"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_group_that_lost_its_tag_is_told_within_the_hour_and_once() {
    let script = with_jobs(1);
    script.invoke(EVENING, json!({})).await.unwrap();
    script.aws().job_groups.get_mut("nightly").unwrap().remove(SCHEDULE);
    script.counts();
    for now in ["2026-11-21T12:30", "2026-11-21T13:30"] {
        let report = script.invoke(now, json!({})).await.unwrap();
        assert!(told(&report)[0].starts_with("nightly left-behind: nothing wakes it: it has lost its tag nightshift:schedule; it was put to sleep on Fri"), "{:?}", told(&report));
    }
    assert_eq!(script.sent("Publish").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_dies_between_two_schedules_is_finished_by_the_next() {
    let script = with_jobs(3);
    // Another update of it is under way.
    script.fail("UpdateSchedule", "job-001", 1, 409, "ConflictException");
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    assert_eq!(told(&report), ["nightly sleep Deferred", "app-db sleep Done"]);
    let disabled = |script: &Script| script.aws().jobs.values().filter(|it| it["State"] == "DISABLED").count();
    assert_eq!(disabled(&script), 3);
    script.invoke("2026-11-20T20:05", json!({})).await.unwrap();
    assert_eq!(disabled(&script), 4);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_jobs_are_switched_in_one_run() {
    let script = with_jobs(1_000);
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    assert_eq!(told(&report), ["nightly sleep Done", "app-db sleep Done"]);
    assert!(script.aws().jobs.values().all(|it| it["State"] == "DISABLED"));
}
