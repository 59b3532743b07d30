//! Worked examples.

use jiff::{ToSpan, Zoned};

use super::model::*;
use crate::plan::{Folder, Job, Lost, Marker, Obstacle, Scope, State, World, plan};

#[track_caller]
fn check(world: &World, expected: &[&str]) {
    assert_eq!(lines(world, &Scope::Everything, &night()), expected);
}

fn at(time: &str) -> Zoned {
    format!("2026-11-21T{time}:00+09:00[Asia/Seoul]").parse().unwrap()
}

fn copying(job: Result<Job, Lost>) -> World {
    let mut world = world(vec![folder(1, State::Complete), folder(0, State::Copying)]);
    world.jobs.insert("job-0".into(), job);
    world
}

#[test]
fn a_bucket_is_copied_once_a_night_and_later_on_that_day_if_the_night_was_missed() {
    let yesterday = || world(vec![folder(1, State::Complete)]);
    check(&yesterday(), &["* begin 2026-11-21: there is no copy of 2026-11-21"]);
    let evening = lines(&yesterday(), &Scope::Everything, &at("23:45"));
    assert_eq!(evening, ["* begin 2026-11-21: there is no copy of 2026-11-21"]);
    let before = lines(&yesterday(), &Scope::Everything, &at("02:45"));
    assert_eq!(before, ["+ its newest copy is of Fri 2026-11-20 03:00 KST; there are 1"]);
    check(&world(vec![folder(0, State::Complete)]), &["+ its newest copy is of Sat 2026-11-21 03:00 KST; there are 1"]);
}

#[test]
fn a_job_is_followed_until_it_has_ended_and_only_a_whole_copy_is_good() {
    check(&copying(Ok(job("Active", 400, 1))), &["+ its job is Active: 401 of 1000 objects"]);
    check(&copying(Ok(job("Complete", 1000, 0))), &["* record 2026-11-21 Complete: every object was copied"]);
    let failures = vec!["uploads/big.mp4: EntityTooLarge (400)".to_owned()];
    check(
        &copying(Ok(Job { failures, ..job("Complete", 999, 1) })),
        &[
            "* record 2026-11-21 Failed: its job has ended",
            "! copy-failed: the copy to s3://kfood-backups/uploads/2026-11-21/ is not good, and does not count: 1 of 1000 \
             objects were not copied: uploads/big.mp4: EntityTooLarge (400). A job copies no object above 5 GB, and none with \
             a key of the customer (SSE-C): leave it out by prefix=. The next one is made in the coming night",
        ],
    );
    check(
        &copying(Ok(Job { reasons: vec!["X: no right".into()], ..job("Failed", 0, 0) })),
        &[
            "* record 2026-11-21 Failed: its job has ended",
            "! copy-failed: the copy to s3://kfood-backups/uploads/2026-11-21/ is not good, and does not count: 1000 of \
             1000 objects were not copied: its job is Failed; X: no right. The next one is made in the coming night",
        ],
    );
    // An empty bucket must not become the newest good copy of a full one.
    let empty = lines(&copying(Ok(Job { total: 0, ..job("Complete", 0, 0) })), &Scope::Everything, &night());
    assert!(empty[0].starts_with("* record 2026-11-21 Failed") && empty[1].contains("there was nothing to copy"));
    check(&copying(Err(Lost::Gone)), &["+ S3 does not know its job yet"]);
    let gone = lines(&copying(Err(Lost::Gone)), &Scope::Everything, &at("04:00"));
    assert!(gone[1].contains("S3 does not know its job job-0 any more"), "{gone:?}");
    let denied = lines(&copying(Err(Lost::Unreadable("AccessDenied".into()))), &Scope::Everything, &night());
    assert_eq!(denied[1..], ["! unreadable: the job job-0 that copies it cannot be read: AccessDenied"]);
    let paused = lines(&copying(Ok(job("Paused", 1, 0))), &Scope::Everything, &night());
    assert_eq!(
        paused[1],
        "! job-stopped: the job that copies it is Paused: resume or cancel it; it is job-0 of S3 Batch Operations"
    );
}

#[test]
fn a_run_that_died_before_the_job_was_noted_begins_it_again_under_the_same_token() {
    let world = world(vec![folder(1, State::Complete), folder(0, State::Starting)]);
    check(&world, &["* begin 2026-11-21: its job is not known"]);
    let tokens = |world: &World| -> Vec<String> {
        let steps = plan(world, &Scope::Everything, &night()).steps.into_iter();
        steps.filter_map(|it| if let crate::plan::Step::Begin(it) = it.step { Some(it.token) } else { None }).collect()
    };
    let fresh = super::model::world(vec![folder(1, State::Complete)]);
    assert_eq!(tokens(&world), tokens(&fresh));
    let late = lines(&world, &Scope::Everything, &night().checked_add(1.day()).unwrap());
    assert_eq!(late[0], "* record 2026-11-21 Failed: its job has ended");
    assert_eq!(late.iter().filter(|it| it.starts_with("* begin 2026-11-22")).count(), 1);
}

#[test]
fn a_copy_that_turns_out_to_be_good_after_two_nights_is_not_told_as_overdue() {
    let mut world = world(vec![folder(3, State::Complete), folder(1, State::Copying)]);
    world.jobs.insert("job-1".into(), Ok(job("Complete", 1000, 0)));
    check(
        &world,
        &[
            "* record 2026-11-20 Complete: every object was copied",
            "* begin 2026-11-21: there is no copy of 2026-11-21",
        ],
    );
}

#[test]
fn while_the_job_of_the_last_night_runs_no_other_is_begun() {
    let mut world = world(vec![folder(1, State::Copying)]);
    world.jobs.insert("job-1".into(), Ok(job("Active", 10, 0)));
    check(&world, &["+ its job is Active: 10 of 1000 objects"]);
}

#[test]
fn what_the_rule_no_longer_keeps_is_deleted_and_a_failed_copy_once_a_newer_one_is_good() {
    let folders = vec![folder(31, State::Complete), folder(30, State::Failed), folder(29, State::Complete)];
    let mut world = world([folders, vec![folder(2, State::Failed), folder(0, State::Complete)]].concat());
    check(
        &world,
        &[
            "* delete 2026-10-21: not kept by days=30",
            "* delete 2026-10-22: it is not good, and a newer one is",
            "* delete 2026-11-19: it is not good, and a newer one is",
        ],
    );
    world.folders().retain(|it| it.date < night().date());
    let left = lines(&world, &Scope::Everything, &night());
    assert!(left.iter().all(|it| !it.starts_with("* delete")), "{left:?}");
    assert!(left.iter().any(|it| it.contains("none is deleted until copies are good again")), "{left:?}");
    assert!(left.iter().any(|it| it.starts_with("! overdue: two nights were missed")), "{left:?}");
}

#[test]
fn a_deletion_that_has_begun_is_finished() {
    let world = world(vec![folder(40, State::Deleting), folder(0, State::Complete)]);
    check(&world, &["* delete 2026-10-12: its deletion has begun"]);
}

#[test]
fn a_folder_without_our_marker_is_never_written_to() {
    let other = Marker { source: "kfood-logs".into(), ..marker(0, State::Complete) };
    for taken in [None, Some(other)] {
        let mut world = world(vec![folder(1, State::Complete)]);
        world.folders().push(Folder { date: night().date(), marker: taken });
        check(
            &world,
            &[
                "+ its newest copy is of Fri 2026-11-20 03:00 KST; there are 1",
                "! folder-taken: the folder of tonight's copy is taken. s3://kfood-backups/uploads/2026-11-21/ has no marker \
                 of a copy of this bucket, so it is left alone: move it, or name another folder in to=",
            ],
        );
    }
}

#[test]
fn an_hour_after_the_last_look_of_a_day_is_not_one_without_copies() {
    let mut world = world(vec![]);
    world.setup.at = jiff::civil::time(23, 58, 0, 0);
    let look = |time: &str| lines(&world, &Scope::Everything, &at(time));
    assert_eq!(look("23:53"), ["* begin 2026-11-21: there is no copy of 2026-11-21"]);
    assert!(look("23:38").iter().all(|it| !it.starts_with('*')));
}

#[test]
fn a_person_may_ask_for_a_copy_at_any_time_but_not_for_two_good_ones_a_night() {
    let ask = |world: &World, time: &str| lines(world, &Scope::Copy(UPLOADS.into()), &at(time));
    assert_eq!(ask(&world(vec![]), "01:00"), ["* begin 2026-11-21: a person asks for it"]);
    let failed = world(vec![folder(1, State::Complete), folder(0, State::Failed)]);
    assert_eq!(ask(&failed, "09:00"), ["* begin 2026-11-21: a person asks for it"]);
    let begun = plan(&failed, &Scope::Copy(UPLOADS.into()), &at("09:00")).steps.remove(0).step;
    assert!(matches!(begun, crate::plan::Step::Begin(it) if it.marker.attempt == 2 && it.token.ends_with(" 2")));
    for (world, why) in [
        (world(vec![folder(0, State::Complete)]), "the copy of 2026-11-21 is complete"),
        (copying(Ok(job("Active", 0, 0))), "the copy of 2026-11-21 is under way"),
    ] {
        assert_eq!(ask(&world, "09:00"), [format!("refused: {why}")]);
    }
    let unknown = lines(&world(vec![]), &Scope::Copy("other".into()), &night());
    assert_eq!(unknown, ["refused: no bucket other with the tag nightshift:backup is in this region"]);
}

#[test]
fn what_cannot_be_copied_is_told_with_what_to_do() {
    let told = |change: &dyn Fn(&mut World)| {
        let mut world = world(vec![]);
        change(&mut world);
        let lines = lines(&world, &Scope::Everything, &night());
        assert!(lines.iter().all(|it| !it.starts_with('*')), "{lines:?}");
        lines.into_iter().find(|it| it.starts_with('!')).unwrap_or_default()
    };
    let rule = |rule: &'static str| move |world: &mut World| world.buckets[0] = bucket(UPLOADS, rule);
    let obstacle =
        |it: Obstacle| move |world: &mut World| drop(world.obstacles.insert(UPLOADS.into(), vec![it.clone()]));
    for (told, expected) in [
        (told(&rule("days=30")), "! bad-tag: nightshift:backup: no option 'to'"),
        (
            told(&rule("days=30 to=other-bucket/x")),
            "! not-allowed: arn:aws:s3:::other-bucket is not in the parameter BackupTargets",
        ),
        (
            told(&|world| world.setup.sources.clear()),
            "! not-allowed: arn:aws:s3:::kfood-uploads is not in the parameter BackupBuckets",
        ),
        (told(&|world| world.setup.role = None), "! not-allowed: the stack has no role for copies"),
        (told(&rule("days=30 to=kfood-uploads/backups")), "! inside-itself: the copies would lie among the objects"),
        (
            told(&|world| world.buckets.push(bucket("kfood-logs", "days=3 to=kfood-backups/uploads/logs"))),
            "! same-destination: kfood-logs is copied there too",
        ),
        (told(&obstacle(Obstacle::RequesterPays)), "! requester-pays: "),
        (told(&obstacle(Obstacle::PublicTarget)), "! public-target: the policy of kfood-backups lets anybody in"),
        (
            told(&|world| drop(world.destinations.insert(UPLOADS.into(), Err("HeadBucket: AccessDenied".into())))),
            "! unreadable: s3://kfood-backups/uploads cannot be read: HeadBucket: AccessDenied",
        ),
    ] {
        assert!(told.starts_with(expected), "{told} should begin with {expected}");
    }
    // The copies lie apart from what is copied.
    let apart = || {
        let mut world = world(vec![]);
        world.buckets[0] = bucket(UPLOADS, "days=30 to=kfood-uploads/backups prefix=uploads/");
        world
    };
    check(&apart(), &["* begin 2026-11-21: there is no copy of 2026-11-21"]);
}

#[test]
fn the_age_of_the_newest_good_copy_is_measured() {
    let ages = |folders| -> Vec<(Option<String>, f64)> {
        let measures = plan(&world(folders), &Scope::Everything, &night()).measures.into_iter();
        measures.map(|it| (it.of, it.value)).collect()
    };
    let named = Some(UPLOADS.to_owned());
    assert_eq!(ages(vec![folder(2, State::Complete), folder(1, State::Failed)]), [(named.clone(), 48.0), (None, 48.0)]);
    assert_eq!(ages(vec![folder(1, State::Failed)]), [(named, 24.0), (None, 24.0)]);
    assert_eq!(ages(vec![]), [(None, 0.0)]);
}

#[test]
fn what_to_do_about_the_codes_in_a_report_is_told_with_them() {
    let told = |code: &str| {
        let failures = vec![format!("uploads/a.jpg: {code} (403)")];
        lines(&copying(Ok(Job { failures, ..job("Complete", 999, 1) })), &Scope::Everything, &night()).remove(1)
    };
    for (code, hint) in [
        ("AccessDenied", "a KMS key, or the policy of a bucket, that does not let the role CopyJobRole in"),
        ("InvalidObjectState", "an object in an archive class: restore it first, or leave it out by prefix="),
        ("InvalidRequest", "A job copies no object above 5 GB"),
    ] {
        assert!(told(code).contains(hint), "{}", told(code));
    }
    assert!(told("InternalError").ends_with("InternalError (403). The next one is made in the coming night"));
}

#[test]
fn the_board_is_given_each_copy_with_what_became_of_it() {
    let folders = vec![
        folder(40, State::Complete),
        folder(2, State::Failed),
        folder(1, State::Complete),
        folder(0, State::Copying),
    ];
    let facts = plan(&world(folders), &Scope::Everything, &night()).facts;
    let fact = &facts[0].fact;
    assert_eq!((fact["database"].as_str(), fact["rule"].as_str()), (Some(UPLOADS), Some(RULE)), "{fact}");
    let states: Vec<_> = fact["snapshots"].as_array().unwrap().iter().map(|it| it["state"].clone()).collect();
    assert_eq!(states, ["failed", "good", "pending"]);
    assert_eq!((fact["age_hours"].as_f64(), fact["late"].as_bool()), (Some(24.0), Some(false)));
}
