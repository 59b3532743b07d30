//! Days in the life of instances, in the plan's own words.

use reconcile::{MessageKind, Planned, Step as _};
use rules::database::{Backup, predeploy_id};
use rules::keys;

use super::model::*;
use crate::plan::world::{Answer, Outcome};
use crate::plan::{Command, Fact, Observation, Scope, Step};

#[track_caller]
fn check(said: Vec<String>, expected: &[&str]) {
    assert_eq!(said, expected);
}

fn by_name(image: &str) -> Command {
    Command::Deploy { image: image.into(), now: false }
}

#[test]
fn the_first_command_only_looks_and_a_newer_image_goes_out_after_it() {
    let mut shop = Shop::of(1, RULE);
    shop.push(2);
    check(shop.run(None), &["api on web-1: reading back what runs (it is not known yet what runs)"]);
    check(shop.run(None), &["- i-1: a look at what runs is under way (command 0a1b2c3d-4e5f-4678-9abc-f8f8095abb2e)"]);
    shop.work(|_| true);
    check(
        shop.run(None),
        &[
            "api on web-1: v1.1 runs (it was read back from the instance)",
            "api on web-1: deploying v1.2 (was v1.1) (v1.2 is the image that 'newest' selects in api)",
        ],
    );
    shop.work(|_| true);
    check(
        shop.run(None),
        &[
            "api on web-1: v1.2 is live (it was deployed in the place of v1.1 and is well; 4 s without an answer)",
            "- i-1: runs v1.2, the one that 'newest' selects in api",
        ],
    );
    check(shop.run(None), &["- i-1: runs v1.2, the one that 'newest' selects in api"]);
    let runs = shop.tag("i-1", keys::RUNS).unwrap();
    assert!(runs.contains(&digest(2).to_string()) && runs.contains("before=000000000001"), "{runs}");
}

#[test]
fn a_bad_image_is_rejected_with_its_downtime_and_what_runs_again() {
    let mut shop = Shop::known(1, RULE);
    shop.push(2);
    shop.bad.push(digest(2));
    shop.run(None);
    shop.work(|_| true);
    check(
        shop.run(None),
        &[
            "api on web-1: v1.2 failed, v1.1 runs again (no answer of http://localhost:3000/health for 90 s; v1.1 was \
             restored, 4 s without an answer)",
            "- i-1: what 'newest' selects is rejected; v1.1 stays",
        ],
    );
    check(shop.run(None), &["- i-1: what 'newest' selects is rejected; v1.1 stays"]);
    // The next one is deployed, and a person may have the rejected one tried again.
    shop.push(3);
    assert!(shop.run(None)[0].starts_with("api on web-1: deploying v1.3"));
    shop.work(|_| true);
    shop.run(None);
    let cleared = shop.run(Some(("web-1", Command::Clear { image: None })));
    assert_eq!(
        cleared[0],
        "api on web-1: v1.2 is no longer rejected (a person cleared v1.2: it is deployed again where the rule selects it)"
    );
}

#[test]
fn a_way_back_that_fails_is_told_until_a_person_has_looked() {
    let mut shop = Shop::known(1, RULE);
    shop.push(2);
    shop.run(None);
    shop.answer("i-1", answer(Outcome::Failed, Some(1), None));
    let said = shop.run(None);
    check(
        said,
        &[
            "api on web-1: v1.2 failed, and the way back failed too (its container ended with exit code 1; nothing runs now, 4 \
             s without an answer until then)",
            "! i-1 failed: a deployment failed and so did the way back: no container of api runs. Start it on the instance, \
             then have it read back",
            "- i-1: what 'newest' selects is rejected; nothing stays",
        ],
    );
    shop.runs.insert("i-1".into(), Some(digest(1)));
    shop.later(60);
    assert!(shop.run(None)[0].starts_with("! i-1 failed: "), "nobody has said that it is well again");
    check(
        shop.run(Some(("i-1", Command::Look))),
        &["api on web-1: reading back what runs (what runs has to be read back)"],
    );
    shop.work(|_| true);
    shop.run(None);
    check(shop.run(None), &["- i-1: what 'newest' selects is rejected; v1.1 stays"]);
}

#[test]
fn a_fleet_is_deployed_one_after_the_other_and_stops_at_the_first_that_fails() {
    let mut shop = Shop::known(3, &format!("{RULE} migrate=migrate"));
    shop.push(2);
    check(
        shop.run(None),
        &[
            "api on web-1: deploying v1.2 (was v1.1) (v1.2 is the image that 'newest' selects in api)",
            "- i-2: v1.2 is newer, but it is the turn of web-1. It goes on when that is done",
            "- i-3: v1.2 is newer, but it is the turn of web-1. It goes on when that is done",
        ],
    );
    shop.work(|_| true);
    let said = shop.run(None);
    assert!(said[1].starts_with("api on web-2: deploying v1.2"), "{said:?}");
    shop.work(|_| true);
    shop.run(None);
    let migrated: Vec<bool> = shop.sent.iter().filter(|it| it.key.contains("00-")).map(|it| it.migrates).collect();
    assert_eq!(migrated, [true, false, false], "one database, one migration");
    shop.work(|_| true);
    shop.settle();
    assert!(shop.runs.values().all(|it| *it == Some(digest(2))));

    shop.push(3);
    shop.bad.push(digest(3));
    shop.settle();
    assert!(shop.runs.values().all(|it| *it == Some(digest(2))));
    assert!(shop.tag("i-1", keys::REJECTED).is_some() && shop.tag("i-2", keys::REJECTED).is_none());
    let tried = shop.sent.iter().filter(|it| it.intent.digest() == Some(&digest(3))).count();
    assert_eq!(tried, 1, "what failed on one goes out to no other");
}

#[test]
fn a_rollback_goes_back_on_the_whole_fleet_one_after_the_other() {
    let mut shop = Shop::known(2, RULE);
    shop.push(2);
    shop.settle();
    let said = shop.run(Some(("web-1", Command::RollBack { image: Some("v1.2".into()) })));
    check(
        said,
        &[
            "api on web-1: v1.2 is rejected (a person rejected it)",
            "api on web-2: v1.2 is rejected (a person rejected it)",
            "api on web-1: going back to v1.1 from v1.2 (v1.2 is rejected)",
            "- i-2: the way back to v1.1 waits until web-1 is done",
        ],
    );
    // Sent twice it does nothing more.
    let again = shop.run(Some(("web-1", Command::RollBack { image: Some("v1.2".into()) })));
    assert!(again.iter().all(|it| it.starts_with("- ")), "{again:?}");
    shop.settle();
    assert!(shop.runs.values().all(|it| *it == Some(digest(1))));
    let none = shop.run(Some(("web-1", Command::RollBack { image: None })));
    check(
        none,
        &[
            "refused: there is no way back: v1.2, which ran before, is rejected. Send \"deploy\" with an image that may run",
        ],
    );
}

#[test]
fn an_instance_that_is_off_asleep_or_out_of_reach_waits_with_the_reason() {
    let mut shop = Shop::known(1, RULE);
    shop.push(2);
    shop.instance("i-1").tags.insert(keys::ASLEEP.into(), "since=x".into());
    shop.instance("i-1").state = "stopped".into();
    check(shop.run(None), &["! i-1 asleep: v1.2 waits: the instance sleeps until its schedule wakes it"]);
    shop.instance("i-1").tags.insert(keys::HOLD_MEMORY.into(), "budget:shop at=2026-11-21T00:00:00Z".into());
    check(shop.run(None), &["! i-1 asleep: v1.2 waits: the instance sleeps until the hold on it ends"]);
    shop.instance("i-1").tags.remove(keys::HOLD_MEMORY);
    shop.instance("i-1").tags.remove(keys::ASLEEP);
    check(shop.run(None), &["! i-1 off: v1.2 waits: the instance is stopped. It goes out once it is started"]);
    let at = shop.now.timestamp();
    shop.instance("i-1").state = "running".into();
    shop.instance("i-1").launched_at = Some(at);
    shop.world.pings = Ok([].into());
    check(
        shop.run(None),
        &["- i-1: v1.2 waits: the instance was started just now. It goes on when Systems Manager knows it"],
    );
    shop.later(11);
    let told = "! i-1 unreachable: v1.2 waits: Systems Manager does not know it. The instance needs the SSM Agent, an instance \
                profile with AmazonSSMManagedInstanceCore and a route to Systems Manager";
    check(shop.run(None), &[told]);
    shop.world.pings = Ok([("i-1".to_owned(), "Online".to_owned())].into());
    // It was started: what runs is read back before anything goes out.
    let said = shop.run(None);
    check(said, &["api on web-1: reading back what runs (the instance was started since it was read back)"]);
    shop.settle();
    assert_eq!(shop.runs["i-1"], Some(digest(2)));
}

#[test]
fn a_command_that_changed_nothing_is_told_and_tried_again_each_hour() {
    let mut shop = Shop::known(1, RULE);
    shop.push(2);
    shop.run(None);
    let refused = Answer { why: "docker does not answer".into(), ..answer(Outcome::Refused, Some(1), Some(1)) };
    shop.answer("i-1", refused.clone());
    let told =
        "! i-1 refused: the deployment of v1.2 changed nothing: docker does not answer. It is tried again each hour";
    check(shop.run(None), &[told]);
    shop.later(59);
    check(shop.run(None), &[told]);
    shop.later(1);
    let said = shop.run(None);
    assert!(said[0].starts_with("api on web-1: deploying v1.2") && said[1] == told, "{said:?}");
    // Under way once more: what was told is not forgotten, and so not told anew.
    let busy = shop.decide(&Scope::Everywhere, None).plan;
    assert!(busy.remembered.is_empty() && busy.problems.is_empty());
    shop.answer("i-1", refused);
    check(shop.run(None), &[told]);
    // A person wants it now.
    let said = shop.run(Some(("i-1", by_name("v1.2"))));
    assert!(said.iter().any(|it| it.starts_with("api on web-1: deploying v1.2")), "{said:?}");
}

#[test]
fn a_migration_that_fails_rejects_the_image_and_nothing_was_stopped() {
    let mut shop = Shop::known(1, &format!("{RULE} migrate=migrate"));
    shop.push(2);
    shop.run(None);
    let why = "the migration 'migrate' failed: exit code 1".to_owned();
    let refused = Answer { migration_failed: true, why, ..answer(Outcome::Refused, Some(1), Some(1)) };
    shop.answer("i-1", refused);
    let said = shop.run(None);
    assert_eq!(
        said[0],
        "api on web-1: v1.2 is rejected, v1.1 stays (the migration 'migrate' failed: exit code 1, so v1.2 was not started)"
    );
    shop.settle();
    assert_eq!(shop.runs["i-1"], Some(digest(1)));
}

#[test]
fn a_command_that_ends_without_a_word_rejects_its_image_and_what_runs_is_read_back() {
    let mut shop = Shop::known(2, RULE);
    shop.push(2);
    shop.run(None);
    shop.work(|_| false);
    let said = shop.run(None);
    // The subject promises nothing that is not known.
    assert!(
        said[0].starts_with(
            "api on web-1: v1.2 is rejected, what runs is being read back (the deployment of v1.2 ended as Failed"
        ),
        "{said:?}"
    );
    assert!(said[1].starts_with("api on web-1: reading back what runs"), "{said:?}");
    assert!(!said.iter().any(|it| it.starts_with("api on web-2: deploying")), "{said:?}");
    // What the look finds is told, since people were told that it was not known.
    shop.work(|_| true);
    let found = shop.decide(&Scope::Everywhere, None).plan;
    let told = |it: &Planned<Step>| (it.step.headline(), it.step.tells());
    assert_eq!(told(&found.steps[0]), ("api on web-1: v1.2 runs".to_owned(), Some(MessageKind::Failed)));
    assert_eq!(found.names[&found.steps[0].resource], "api on web-1");
    shop.settle();
    // It had been deployed, so it is gone back from: nobody knows that it is well.
    assert!(shop.runs.values().all(|it| *it == Some(digest(1))));
}

#[test]
fn a_run_that_dies_between_the_rejection_and_the_look_leaves_the_look_to_the_next_one() {
    let mut shop = Shop::known(1, RULE);
    shop.push(2);
    shop.run(None);
    shop.work(|_| false);
    let mut calls = 0;
    shop.run_while(&Scope::Everywhere, None, || {
        calls += 1;
        calls == 1
    });
    let rejected = shop.tag("i-1", keys::REJECTED);
    assert!(rejected.is_some_and(|it| it.contains("told=no")));
    let said = shop.run(None);
    // It is told once more, for the run that died may not have told it; what runs is not guessed.
    assert!(
        said[0].starts_with("api on web-1: v1.2 is rejected (its deployment did not say what runs; the run"),
        "{said:?}"
    );
    assert_eq!(said[1], "api on web-1: reading back what runs (what runs has to be read back)");
    shop.settle();
    assert_eq!(shop.runs["i-1"], Some(digest(1)));
}

#[test]
fn a_command_that_was_never_sent_is_given_up_once_nobody_can_send_it_any_more() {
    let mut shop = Shop::known(1, RULE);
    shop.push(2);
    let mut calls = 0;
    shop.run_while(&Scope::Everywhere, None, || {
        calls += 1;
        calls == 1
    });
    check(shop.run(None), &["- i-1: the deployment of v1.2 is being sent"]);
    shop.later(17);
    assert!(shop.run(None)[0].starts_with("api on web-1: deploying v1.2"));
}

#[test]
fn each_gate_is_passed_before_anything_is_sent() {
    let mut shop = Shop::known(2, &format!("{RULE} approval=manual scan=high snapshot=app-db"));
    shop.push(2);
    let scan = Fact::Scan { repository: "api".into(), digest: digest(2) };
    assert_eq!(shop.decide(&Scope::Everywhere, None).lacking, [scan.clone()].into());
    shop.observe(scan, Observation::Scans(vec![gates::Scan::of(gates::ScanState::Done)]));
    let asked =
        "waits for your approval (runs v1.1). Approved, sha256:000000000000 is deployed at once; rejected, it never is";
    check(
        shop.run(None),
        &[&format!("! i-1 needs-approval: v1.2 {asked}"), &format!("! i-2 needs-approval: v1.2 {asked}")],
    );
    let snapshot = Fact::Snapshot { database: "app-db".into(), id: predeploy_id("app-db", &digest(2)) };
    let approve = Command::Approve { image: "v1.2".into() };
    let decision = shop.decide(&Scope::Instance("web-2".into()), Some(&approve));
    assert_eq!(decision.lacking, [snapshot.clone()].into());
    let database = rules::database::Database {
        kind: rules::database::Kind::Instance,
        id: "app-db".into(),
        arn: "arn:db".into(),
        resource_id: None,
        status: "available".into(),
        engine: "postgres".into(),
        member_of: None,
        restarts_at: None,
        tags: [(keys::BACKUP.to_owned(), "days=30".to_owned())].into(),
    };
    let backup = Backup { snapshot: None, databases: vec![database] };
    shop.observe(snapshot, Observation::Backup(Box::new(backup)));
    let said = shop.run(Some(("web-2", approve)));
    assert_eq!(
        said[2],
        "api on web-1: asking for a snapshot of app-db before v1.2 goes out (v1.2 waits for nightshift-predeploy-app-db-000000000000, which is not there yet)"
    );
    // A person may deploy through no gate.
    let said = shop.run(Some(("web-2", Command::Deploy { image: "v1.2".into(), now: true })));
    assert!(said.iter().any(|it| it.starts_with("api on web-1: deploying v1.2")), "{said:?}");
}

#[test]
fn what_a_person_did_on_the_instance_is_read_back_within_a_day() {
    let mut shop = Shop::known(1, RULE);
    shop.push(2);
    shop.settle();
    shop.runs.insert("i-1".into(), None);
    shop.later(60 * 25);
    check(shop.run(None), &["api on web-1: reading back what runs (it was read back more than a day ago)"]);
    shop.work(|_| true);
    let said = shop.run(None);
    check(
        said,
        &[
            "api on web-1: nothing runs (it was read back from the instance)",
            "! i-1 not-running: no container of api runs; v1.2 ran last. Start it on the instance, or deploy it",
            "- i-1: runs v1.2, the one that 'newest' selects in api",
        ],
    );
    let said = shop.run(Some(("web-1", by_name("v1.2"))));
    assert!(said.iter().any(|it| it.starts_with("api on web-1: deploying v1.2 (was nothing)")), "{said:?}");
}

#[test]
fn what_cannot_be_understood_is_told_for_each_instance_and_named() {
    let mut shop = Shop::known(1, "newest path=/srv/app service=api");
    assert!(shop.run(None)[0].starts_with("! i-1 bad-tag: nightshift:deploy: no option 'repository'"));
    let mut shop = Shop::known(1, RULE);
    shop.instance("i-1").tags.insert(keys::DEPLOY_2.into(), RULE.into());
    assert!(shop.run(None)[0].starts_with("! i-1 bad-tag: an instance has one tag nightshift:deploy"));
    shop.instance("i-1").tags.remove(keys::DEPLOY_2);
    shop.instance("i-1").tags.insert(keys::RUNS.into(), "v1".into());
    assert!(shop.run(None)[0].starts_with("! i-1 bad-memory: nightshift-state:runs: unknown word 'v1'"));
    let command = Command::Look;
    check(
        shop.run(Some(("web-9", command))),
        &["refused: no instance 'web-9' carries the tag nightshift:deploy; accepted: the id or the Name of one"],
    );
}

#[test]
fn a_status_says_what_runs_and_changes_nothing() {
    let mut shop = Shop::known(1, RULE);
    shop.push(2);
    let said = shop.run(Some(("web-1", Command::Status)));
    check(said, &["- i-1: v1.1 runs, as it was read back Sat 2026-11-21 10:00 KST"]);
}

/// The first problem of the next run.
#[track_caller]
fn problem(shop: &mut Shop, expected: &str) {
    let said = shop.run(None);
    assert!(said.iter().any(|it| it.starts_with(&format!("! i-1 {expected}"))), "{expected}: {said:?}");
}

#[test]
fn what_the_registry_or_systems_manager_does_not_tell_is_a_problem_of_the_instance() {
    let mut shop = Shop::known(1, RULE);
    shop.push(2);
    shop.world.repositories.insert("api".into(), Err("DescribeImages api: AccessDeniedException: no".into()));
    problem(
        &mut shop,
        "unreadable-repository: the images of api cannot be read: DescribeImages api: AccessDeniedException: no",
    );
    let mut shop = Shop::known(1, &format!("{RULE} scan=high"));
    shop.push(2);
    let scan = Fact::Scan { repository: "api".into(), digest: digest(2) };
    shop.observe(scan, Observation::Unavailable("DescribeImageScanFindings api: AccessDeniedException: no".into()));
    problem(&mut shop, "unreadable-scan: the scan of v1.2 cannot be read: DescribeImageScanFindings");
    let mut shop = Shop::known(1, &format!("{RULE} snapshot=app-db"));
    shop.push(2);
    let snapshot = Fact::Snapshot { database: "app-db".into(), id: predeploy_id("app-db", &digest(2)) };
    shop.observe(snapshot, Observation::Unavailable("DescribeDBSnapshots app-db: AccessDenied: no".into()));
    problem(&mut shop, "unreadable-snapshot: whether app-db has its snapshot cannot be read: DescribeDBSnapshots");
    let mut shop = Shop::known(1, RULE);
    shop.push(2);
    shop.run(None);
    shop.unreadable = Some("ListCommands i-1: AccessDeniedException: no".into());
    problem(&mut shop, "unreadable-command: what became of its last command cannot be read: ListCommands i-1");
}

#[test]
fn a_rule_that_selects_nothing_that_is_known_to_be_newer_is_told() {
    let mut shop = Shop::known(1, RULE);
    shop.world.repositories.insert("api".into(), Ok(Vec::new()));
    problem(&mut shop, "no-image: the repository api holds no tagged image");
    let mut shop = Shop::known(1, &RULE.replace("newest", "semver range=2.x"));
    problem(&mut shop, "no-image: its rule selects no image; 'semver range=2.x' is for api, which has the tags v1.1");
    let mut shop = Shop::of(1, RULE);
    shop.runs.insert("i-1".into(), Some(digest(99)));
    shop.run(None);
    shop.work(|_| true);
    problem(&mut shop, "unknown-age: cannot tell whether v1.1 is newer: ");
}

#[test]
fn a_rejected_image_without_a_way_back_stays_until_a_person_names_one() {
    let mut shop = Shop::known(1, RULE);
    shop.run(Some(("web-1", Command::Reject { image: "v1.1".into() })));
    problem(&mut shop, "no-way-back: v1.1 is rejected, and there is no way back: no image is known that ran before");
}

#[test]
fn a_command_that_does_not_reach_its_instance_is_told_and_tried_again() {
    let mut shop = Shop::known(1, RULE);
    shop.push(2);
    shop.run(None);
    shop.undelivered("i-1");
    problem(&mut shop, "no-answer: the deployment of v1.2 gave no answer; it ended as Delivery Timed Out");
    shop.later(61);
    assert!(shop.run(None)[0].starts_with("api on web-1: deploying v1.2"));
}

#[test]
fn a_look_that_was_written_down_and_never_sent_is_repeated() {
    let mut shop = Shop::known(1, RULE);
    shop.push(2);
    shop.run(None);
    shop.work(|_| false);
    // The run writes down the rejection and what it is about to send, and ends.
    let mut lives = [true, true].into_iter();
    shop.run_while(&Scope::Everywhere, None, || lives.next().unwrap_or(false));
    check(shop.run(None), &["- i-1: a look at what runs is being sent"]);
    shop.later(17);
    let said = shop.run(None);
    assert!(said.iter().any(|it| it.contains("reading back what runs (what runs has to be read back)")), "{said:?}");
}

/// A shop in which neither the deployment of v1.2 nor the look at what runs said a word.
fn silent() -> Shop {
    let mut shop = Shop::known(1, RULE);
    shop.push(2);
    shop.run(None);
    shop.work(|_| false);
    shop.run(None);
    shop.work(|_| false);
    shop
}

#[test]
fn a_look_that_said_nothing_is_not_forgotten_for_what_a_person_wants_meanwhile() {
    let mut shop = silent();
    assert!(shop.run(None)[0].starts_with("! i-1 no-answer: a look at what runs"));
    let said = shop.run(Some(("web-1", by_name("v1.1"))));
    assert_eq!(
        said.last().unwrap(),
        "api on web-1: reading back what runs (what runs has to be read back)",
        "{said:#?}"
    );
}

#[test]
fn a_look_that_said_nothing_is_repeated_after_an_hour() {
    let mut shop = silent();
    let said = shop.run(None);
    assert!(said.iter().any(|it| it.contains("did not say what runs, so it is tried again")), "{said:?}");
    shop.later(61);
    let said = shop.run(None);
    assert!(said.iter().any(|it| it.contains("reading back what runs (what runs has to be read back)")), "{said:?}");
}

#[test]
fn a_way_back_that_says_nothing_does_not_make_the_only_good_image_a_bad_one() {
    let mut shop = Shop::known(1, RULE);
    shop.push(2);
    shop.settle();
    shop.run(Some(("web-1", Command::RollBack { image: None })));
    // The machine is stopped in the middle of it.
    shop.work(|_| false);
    shop.runs.insert("i-1".into(), Some(digest(2)));
    let said = shop.run(None);
    assert!(said[1].starts_with("! i-1 no-answer: the way back to v1.1 ended as Failed"), "{said:?}");
    assert!(said[0].starts_with("api on web-1: reading back what runs (what runs has to be read back)"), "{said:?}");
    shop.work(|_| true);
    let said = shop.run(None);
    assert!(said.iter().any(|it| it.starts_with("api on web-1: going back to v1.1 from v1.2")), "{said:?}");
    shop.settle();
    assert_eq!(shop.runs["i-1"], Some(digest(1)));
    assert!(!shop.tag("i-1", keys::REJECTED).unwrap().contains("000000000001"));
}

#[test]
fn a_look_that_a_person_asks_for_does_not_wait_for_the_hour_and_a_corrected_tag_does_not_either() {
    let wrong = RULE.replace("service=api", "service=apo");
    let mut shop = Shop::of(1, &wrong);
    shop.run(None);
    let refused = Answer { why: "no such service: apo".into(), ..answer(Outcome::Refused, None, None) };
    shop.answer("i-1", refused.clone());
    let told = "! i-1 refused: a look at what runs changed nothing: no such service: apo. It is tried again each hour";
    check(shop.run(None), &[told]);
    let said = shop.run(Some(("web-1", Command::Look)));
    check(said, &["apo on web-1: reading back what runs (it is not known yet what runs)"]);
    shop.answer("i-1", refused);
    shop.run(None);
    shop.instance("i-1").tags.insert(keys::DEPLOY.into(), RULE.into());
    shop.runs.insert("i-1".into(), Some(digest(1)));
    check(shop.run(None), &["api on web-1: reading back what runs (it is not known yet what runs)"]);
    // A command that nobody can read about may be under way: no second one is sent.
    shop.unreadable = Some("ListCommands i-1: AccessDeniedException: no".into());
    let said = shop.run(Some(("web-1", Command::Look)));
    check(
        said,
        &[
            "! i-1 unreadable-command: what became of its last command cannot be read: ListCommands i-1: AccessDeniedException: no",
        ],
    );
}

#[test]
fn what_is_remembered_of_one_service_is_not_taken_for_another() {
    let mut shop = Shop::known(1, RULE);
    shop.push(2);
    shop.run(None);
    // The tag is changed while the other service is deployed.
    shop.instance("i-1").tags.insert(keys::DEPLOY.into(), RULE.replace("service=api", "service=client"));
    assert!(shop.run(None)[0].starts_with("- i-1: the deployment of v1.2 is under way"));
    shop.work(|_| true);
    shop.runs.insert("i-1".into(), Some(digest(1)));
    check(shop.run(None), &["client on web-1: reading back what runs (what runs has to be read back)"]);
    shop.settle();
    assert_eq!(shop.runs["i-1"], Some(digest(2)), "it runs the newest one too");
    shop.instance("i-1").tags.insert(keys::DEPLOY.into(), RULE.into());
    check(shop.run(None), &["api on web-1: reading back what runs (its tag names another service since)"]);
    shop.runs.insert("i-1".into(), Some(digest(1)));
    shop.work(|_| true);
    shop.run(None);
    let runs = shop.tag("i-1", keys::RUNS).unwrap();
    assert!(runs.contains(&digest(1).to_string()) && !runs.contains("before="), "{runs}");
}

#[test]
fn an_answer_that_comes_a_moment_after_the_end_rejects_no_image() {
    let mut shop = Shop::known(1, RULE);
    shop.push(2);
    shop.run(None);
    let at = shop.now.timestamp();
    shop.work(|_| false);
    let ended = |shop: &mut Shop, at| shop.sent.last_mut().unwrap().ended.as_mut().unwrap().ended_at = Some(at);
    ended(&mut shop, at);
    let said = shop.run(None);
    assert!(
        said[0].starts_with("- i-1: the deployment of v1.2 has ended, and its answer is read by the next run"),
        "{said:?}"
    );
    // It has come.
    let mut answered = shop.clone();
    answered.sent.last_mut().unwrap().ended.as_mut().unwrap().answer =
        Some(answer(Outcome::Deployed, Some(1), Some(2)));
    assert!(answered.run(None)[0].starts_with("api on web-1: v1.2 is live"));
    // It does not come.
    shop.later(3);
    assert!(shop.run(None)[0].starts_with("api on web-1: v1.2 is rejected, what runs is being read back"));
}
