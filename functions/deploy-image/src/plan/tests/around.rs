//! What goes wrong around a deployment: it hangs, the way back fails, a command comes twice, five runs decide the same.

use jiff::SignedDuration;
use reconcile::{MessageKind, Plan, Step as _, Undo};
use rules::keys;
use serde_json::{Value, json};

use super::model::{Model, digest, repository, service};
use super::stories::{offered, words};
use crate::plan::step::{MemoryChange, Remember};
use crate::plan::*;

fn look(model: &mut Model) -> Vec<String> {
    words(&model.run(&repository(), None, usize::MAX))
}

fn command(model: &mut Model, command: Command) -> Plan<Step> {
    model.run(&service(), Some(&command), usize::MAX)
}

fn roll_back(image: Option<&str>) -> Command {
    Command::RollBack { image: image.map(str::to_owned) }
}

/// A service that has had each of these versions live.
fn lived(versions: &[&str]) -> Model {
    let mut model = Model::new("newest");
    for version in versions {
        model.push(version);
        model.settle();
    }
    model
}

#[test]
fn a_deployment_that_hangs_is_told_whatever_breakers_and_alarms_are_set() {
    let breaker = Safety { gives_up: true, goes_back: true };
    let nothing = Safety { gives_up: false, goes_back: false };
    for (shifts, safety, bakes, silent, told) in [
        (false, nothing, 0, 29, 31),
        (false, breaker, 0, 59, 61),
        (true, nothing, 0, 59, 61),
        (true, breaker, 24 * 60, 24 * 60 + 59, 24 * 60 + 61),
    ] {
        let mut model = Model::new("newest");
        model.service.safety = safety;
        model.push("v1.1.0");
        look(&mut model);
        if shifts {
            model.service.strategy = Strategy::Shifting("BLUE_GREEN".into());
            model.service.deployments[0].state = RolloutState::Unsaid;
        }
        model.service.bakes = SignedDuration::from_mins(bakes);
        model.service.deployments[0].failed_tasks = 12;
        let event = |task: &str| Some(format!("(service api-server) was unable to place task {task}: no capacity."));
        model.service.newest_event = event("0123456789abcdef0123456789abcdef");
        let begun = model.minutes;
        model.minutes = begun + silent;
        assert!(model.plan(&service(), None).problems.is_empty(), "after {silent} minutes");
        model.minutes = begun + told;
        let problem = model.plan(&service(), None).problems.remove(0);
        assert_eq!(problem.problem, "stuck");
        let expected = "does not get ready; it began at Sat 2026-11-21 03:07 KST, and its tasks fail again and again (failedTasks 10 or more). \
                        ECS says: (service api-server) was unable to place task … no capacity. ";
        assert!(problem.message.contains(expected), "{}", problem.message);
        // The words stay, though ECS counts on and names another task: people are told once.
        model.service.deployments[0].failed_tasks = 40;
        model.service.newest_event = event("fedcba9876543210fedcba9876543210");
        model.minutes += 60;
        assert_eq!(model.plan(&service(), None).problems[0], problem);
    }
}

#[test]
fn a_restart_that_a_breaker_gives_up_without_going_back_says_nothing_against_the_image() {
    let mut model = lived(&["v1.1.0"]);
    model.service.safety = Safety { gives_up: true, goes_back: false };
    model.broken = true;
    model.restart();
    model.finish();
    assert_eq!(model.past.last().unwrap().end, RolloutEnd::Stopped);
    for place in [service(), repository(), Scope::Everywhere] {
        let plan = model.run(&place, None, usize::MAX);
        assert_eq!(plan.problems.first().map(|it| it.problem.as_str()), Some("restart-failed"), "{:?}", words(&plan));
        assert_eq!((plan.steps.len(), model.running().as_str()), (0, "v1.1.0"));
    }
}

#[test]
fn a_way_back_that_fails_too_is_not_repeated_and_a_person_decides() {
    for safety in [Safety { gives_up: true, goes_back: true }, Safety { gives_up: true, goes_back: false }] {
        let mut model = lived(&["v1.1.0", "v1.2.0"]);
        model.service.safety = safety;
        model.bad.extend([digest("v1.0.0"), digest("v1.1.0")]);
        command(&mut model, roll_back(None));
        let mut deployments = 0;
        let mut told = Vec::new();
        for _ in 0..20 {
            model.finish();
            let plan = model.run(&service(), None, usize::MAX);
            deployments += plan.steps.iter().filter(|it| it.step.action() == "roll-back").count();
            told = plan.problems;
        }
        assert_eq!((deployments, told.len()), (0, 1), "{safety:?}: {model}");
        assert_eq!(told[0].problem, "way-back-failed");
        assert!(told[0].message.contains("the way back to v1.1.0 has failed: "), "{told:?}");
        assert!(offered(&told[0]).contains("{\"rollback\":{\"service\":\"truegul-production/api-server\",\"image\":"));
        // A newer image is the way out that takes nobody.
        model.push("v1.3.0");
        model.settle();
        assert_eq!(model.running(), "v1.3.0", "{safety:?}");
    }
}

#[test]
fn what_kept_codedeploy_from_deploying_is_told_and_the_image_tried_again() {
    for (code, rejected) in [
        ("IAM_ROLE_PERMISSIONS", false),
        ("THROTTLED", false),
        ("INTERNAL_ERROR", false),
        ("HEALTH_CONSTRAINTS", true),
        ("ALARM_ACTIVE", true),
        ("HOOK_EXECUTION_FAILURE", true),
    ] {
        let mut model = Model::by_code_deploy("newest");
        model.push("v1.1.0");
        look(&mut model);
        let ended = Some(model.now().timestamp());
        let last = model.blue_green.attempts.last_mut().unwrap();
        let failed =
            Attempt { status: Status::Failed, code: code.into(), reason: format!("{code}: x."), ended, ..last.clone() };
        *last = failed;
        let plan = model.run(&service(), None, usize::MAX);
        assert_eq!(model.service.tags.contains_key(keys::REJECTED), rejected, "{code}: {:?}", words(&plan));
        if rejected {
            continue;
        }
        let expected = format!(
            "deployment-failed: deployment d-1 of v1.1.0 by CodeDeploy failed, and not for what the image does: {code}: x. "
        );
        assert!(words(&plan)[0].starts_with(&expected) && plan.steps.is_empty(), "{:?}", words(&plan));
        model.minutes += 61;
        let plan = model.run(&Scope::Everywhere, None, usize::MAX);
        assert_eq!((plan.steps[0].step.action(), plan.problems.len()), ("deploy", 1), "{code}");
        model.settle();
        assert_eq!(model.running(), "v1.1.0");
    }
}

#[test]
fn a_rollback_whose_rejection_could_not_be_written_is_repeated_by_the_same_command() {
    let mut model = lived(&["v1.1.0", "v1.2.0"]);
    command(&mut model, roll_back(None));
    model.service.tags.remove(keys::REJECTED);
    let plan = command(&mut model, roll_back(None));
    assert_eq!(
        words(&plan)[0],
        "truegul-production/api-server: v1.2.0 is rejected, v1.1.0 stays: a person asked to roll back"
    );
    assert_eq!((plan.steps.len(), plan.problems.len()), (1, 0), "{:?}", words(&plan));
    model.settle();
    assert_eq!(model.running(), "v1.1.0");
}

#[test]
fn a_rejection_that_people_may_not_have_heard_of_is_told_by_the_next_run() {
    let mut model = lived(&["v1.1.0", "v1.2.0"]);
    // The run dies after its first call, which is the rejection.
    model.run(&service(), Some(&roll_back(None)), 1);
    assert!(model.service.tags[keys::REJECTED].contains(" told=no"), "{model}");
    let plan = model.run(&service(), None, usize::MAX);
    let told = words(&plan);
    assert!(
        told[0].starts_with("truegul-production/api-server: v1.2.0 is rejected: it was rejected by person, "),
        "{told:?}"
    );
    assert_eq!(plan.steps[0].step.tells(), Some(MessageKind::Failed));
    assert!(!model.service.tags[keys::REJECTED].contains("told="), "{model}");
    model.settle();
    assert!(model.plan(&service(), None).steps.is_empty());
}

/// ECS forgets the task within the hour: then only the note tells that the migration has run.
#[test]
fn nothing_is_done_without_the_note_that_a_migration_has_ended() {
    let model = lived(&["v1.1.0"]);
    let of = |it| Step::Remember(Remember::new(&model.service, it, "v1.1.0", "v1.0.0".into(), "x", None));
    assert!(!of(MemoryChange::Migrated).is_dispensable());
    assert!(of(MemoryChange::Reject).is_dispensable());
}

#[test]
fn a_rollback_that_is_sent_twice_goes_back_once() {
    let mut model = lived(&["v1.1.0", "v1.2.0"]);
    command(&mut model, roll_back(Some("v1.2.0")));
    for named in ["v1.2.0".to_owned(), digest("v1.2.0").to_string()] {
        let plan = command(&mut model, roll_back(Some(&named)));
        let expected = ["skip: v1.1.0 runs and not v1.2.0, so there is nothing to roll back"];
        assert_eq!(words(&plan)[..1], expected, "{named}");
        assert!(plan.steps.is_empty());
    }
    // Without an image, while the first one is under way.
    let plan = command(&mut model, roll_back(None));
    assert_eq!((plan.steps.len(), plan.problems[0].problem.as_str()), (0, "already-going-back"), "{:?}", words(&plan));
    let further =
        json!({"rollback": {"service": "truegul-production/api-server", "image": digest("v1.1.0").to_string()}});
    assert_eq!(plan.problems[0].choices[0].command, Undo::Command(further));
    model.settle();
    assert_eq!(model.running(), "v1.1.0");
    // It has ended, and a person who wants to go on back does.
    command(&mut model, roll_back(Some("v1.1.0")));
    model.settle();
    assert_eq!(model.running(), "v1.0.0");
}

#[test]
fn five_runs_that_decided_the_same_register_one_revision_and_make_one_deployment() {
    let mut model = Model::new("newest");
    model.push("v1.1.0");
    let plans: Vec<_> = (0..5).map(|_| model.plan(&repository(), None)).collect();
    let before = (model.revisions.len(), model.past.len());
    plans.iter().for_each(|it| model.carry_out(it, usize::MAX));
    assert_eq!((model.revisions.len() - before.0, model.past.len() - before.1), (1, 1));
}

#[test]
fn a_service_that_is_shown_as_it_was_before_its_last_deployment_says_nothing_against_that() {
    let mut model = lived(&["v1.1.0"]);
    let stale = model.service.clone();
    model.push("v1.2.0");
    model.settle();
    let fresh = std::mem::replace(&mut model.service, stale);
    for place in [service(), repository(), Scope::Everywhere] {
        let plan = model.plan(&place, None);
        assert!(plan.steps.iter().all(|it| it.step.action() != "reject"), "{:?}", words(&plan));
        let mut after = model.clone();
        after.service = fresh.clone();
        after.carry_out(&plan, usize::MAX);
        assert_eq!(after.running(), "v1.2.0", "what was decided of the past is not done: {:?}", words(&plan));
    }
}

#[test]
fn an_alarms_rollback_is_told_as_the_alarms() {
    let mut model = lived(&["v1.1.0"]);
    let request = format!("{} by=alarm:api-5xx at=2026-11-20T18:20:00Z", digest("v1.1.0"));
    model.service.tags.insert(keys::ROLLBACK.into(), request);
    let told = words(&model.run(&service(), None, usize::MAX));
    assert_eq!(
        told[1],
        "truegul-production/api-server: going back to v1.0.0 from v1.1.0: alarm:api-5xx asked to roll back; \
         api-server:1 completed before it"
    );
}

/// The way back was begun, and the rejection could not be written: the request still stands on the service.
#[test]
fn an_image_that_an_alarm_took_back_is_not_deployed_again_although_its_rejection_was_lost() {
    let request = |version: &str| format!("{} by=alarm:api-5xx at=2026-11-20T18:20:00Z", digest(version));
    let mut model = lived(&["v1.1.0"]);
    model.service.tags.insert(keys::ROLLBACK.into(), request("v1.1.0"));
    model.run(&service(), None, usize::MAX);
    model.settle();
    assert_eq!(model.running(), "v1.0.0");
    model.service.tags.remove(keys::REJECTED);
    model.service.tags.insert(keys::ROLLBACK.into(), request("v1.1.0"));
    let told = words(&model.run(&service(), None, usize::MAX));
    assert!(told[0].contains("v1.1.0 is rejected") && told[0].contains("alarm:api-5xx asked to roll back"), "{told:?}");
    model.settle();
    assert_eq!(model.running(), "v1.0.0");
    // For an image that a newer one has replaced the request has become pointless.
    let mut newer = lived(&["v1.1.0", "v1.2.0"]);
    newer.service.tags.insert(keys::ROLLBACK.into(), request("v1.1.0"));
    let told = words(&newer.run(&service(), None, usize::MAX));
    assert!(told.iter().all(|it| !it.contains("rejected") && !it.contains("going back")), "{told:?}");
}

#[test]
fn nothing_is_said_to_stay_where_another_image_is_deployed_in_the_same_run() {
    let mut model = Model::new("newest");
    let bad = model.push("v1.2.0");
    model.bad.push(bad);
    look(&mut model);
    model.finish();
    model.finish();
    model.push("v1.2.1");
    let told = look(&mut model);
    assert!(told[0].starts_with("truegul-production/api-server: v1.2.0 is rejected: v1.2.0 did not stay"), "{told:?}");
    assert!(told[1].starts_with("truegul-production/api-server: deploying v1.2.1 (was v1.0.0)"), "{told:?}");
}

/// The command that takes a step back, as it is printed.
fn undo(plan: &Plan<Step>, action: &str) -> Option<Command> {
    let step = &plan.steps.iter().find(|it| it.step.action() == action)?.step;
    let Some(Undo::Command(it)) = step.undo() else { return None };
    let (name, argument) = it.as_object().unwrap().iter().next().unwrap();
    let image = argument["image"].as_str().unwrap().to_owned();
    assert_eq!(argument["service"], Value::from("truegul-production/api-server"));
    Some(match name.as_str() {
        "rollback" => Command::RollBack { image: Some(image) },
        "clear" => Command::Clear { image: Some(image) },
        "reject" => Command::Reject { image },
        other => panic!("{other}"),
    })
}

#[test]
fn an_undo_restores_what_was_before() {
    // A deployment.
    let mut model = lived(&["v1.1.0"]);
    model.push("v1.2.0");
    let plan = model.run(&repository(), None, usize::MAX);
    let back = undo(&plan, "deploy").unwrap();
    model.settle();
    command(&mut model, back);
    model.settle();
    assert_eq!(model.running(), "v1.1.0");
    // That it is live.
    let mut model = lived(&["v1.1.0"]);
    model.push("v1.2.0");
    look(&mut model);
    model.finish();
    let plan = model.run(&service(), None, usize::MAX);
    command(&mut model, undo(&plan, "record-success").unwrap());
    model.settle();
    assert_eq!(model.running(), "v1.1.0");
    // A way back.
    let mut model = lived(&["v1.1.0"]);
    let plan = command(&mut model, roll_back(None));
    let forth = undo(&plan, "roll-back").unwrap();
    model.settle();
    assert_eq!(model.running(), "v1.0.0");
    command(&mut model, forth);
    model.settle();
    assert_eq!(model.running(), "v1.1.0");
    assert!(!model.service.tags.contains_key(keys::REJECTED), "{model}");
}

#[test]
fn after_a_way_back_that_is_live_no_command_is_offered_that_goes_back_further() {
    let mut model = lived(&["v1.1.0", "v1.2.0"]);
    command(&mut model, roll_back(None));
    model.finish();
    let plan = model.run(&service(), None, usize::MAX);
    assert!(words(&plan)[0].contains("v1.1.0 is live"), "{:?}", words(&plan));
    assert_eq!(undo(&plan, "record-success"), None);
}

#[test]
fn an_undo_that_is_pasted_late_or_twice_does_nothing() {
    let mut model = lived(&["v1.1.0"]);
    model.push("v1.2.0");
    let plan = model.run(&repository(), None, usize::MAX);
    let back = undo(&plan, "deploy").unwrap();
    model.settle();
    // A newer one is live by now.
    model.push("v1.3.0");
    model.settle();
    assert!(command(&mut model, back.clone()).steps.is_empty());
    assert_eq!(model.running(), "v1.3.0");
    // What is not rejected is not forgiven, and nothing else is in its place.
    let plan = command(&mut model, roll_back(None));
    model.settle();
    let forth = undo(&plan, "roll-back").unwrap();
    let other = Command::Clear { image: Some(digest("v1.1.0").to_string()) };
    assert!(command(&mut model, other).steps.is_empty());
    command(&mut model, forth.clone());
    model.settle();
    assert_eq!(model.running(), "v1.3.0");
    assert!(command(&mut model, forth).steps.is_empty());
}
