//! Deployments of ECS that shift traffic and pause: told, continued, taken back; never overtaken.

use jiff::SignedDuration;
use proptest::prelude::*;
use rules::keys;
use rules::rejections::{Rejection, Rejections};

use super::model::{Model, digest, repository, service};
use super::stories::words;
use crate::plan::Strategy;
use crate::plan::*;

const NAME: &str = "truegul-production/api-server";

impl Model {
    /// v1.1.0 was live by this function, and v1.2.0 is being deployed: its traffic shifts, and it pauses for a person.
    fn paused(rule: &str, stage: &str, traffic: f64) -> Self {
        let mut model = Model::new("newest");
        model.push("v1.1.0");
        model.settle();
        model.service.tags.insert(keys::DEPLOY.into(), rule.into());
        model.service.strategy = Strategy::Shifting("CANARY".into());
        model.service.pauses = true;
        model.push("v1.2.0");
        let digest = digest("v1.2.0");
        if rule.contains("approval=manual") {
            model.run(
                &service(),
                Some(&Command::Approve { image: digest.to_string(), hook: None, now: false }),
                usize::MAX,
            );
        }
        model.run(&repository(), None, usize::MAX);
        model.service.deployments[0].state = RolloutState::Unsaid;
        model.shift = Some(Shift {
            arn: model.past.last().unwrap().arn.clone().unwrap(),
            under_way: true,
            moved: None,
            stage: stage.into(),
            traffic: Some(traffic),
            pauses: vec![Pause {
                hook: "ecs-pause-1".into(),
                state: PauseState::Waits,
                until: "2026-11-21T18:10:00Z".parse().ok(),
                then_continues: false,
            }],
        });
        model
    }

    /// ECS takes the deployment under way back.
    pub fn stop_shift(&mut self) {
        self.minutes += 1;
        self.shift.as_mut().unwrap().under_way = false;
        let before = self.past.iter().rfind(|it| it.end == RolloutEnd::Successful).unwrap().task_definition.clone();
        let last = self.past.last_mut().unwrap();
        (last.end, last.reason) = (RolloutEnd::TakenBack, "Service deployment stopped by user.".into());
        self.service.task_definition = before.clone();
        let deployment = &mut self.service.deployments[0];
        (deployment.task_definition, deployment.state) = (before, RolloutState::Unsaid);
    }

    pub fn continue_shift(&mut self, hook: &str) {
        self.minutes += 1;
        let now = self.now().timestamp();
        let shift = self.shift.as_mut().unwrap();
        shift.moved = shift.moved.map(|_| now);
        for pause in &mut shift.pauses {
            assert!(pause.hook != hook || pause.state == PauseState::Waits, "answered twice");
            pause.state = if pause.hook == hook { PauseState::Over } else { pause.state };
        }
    }

    fn look(&mut self) -> Vec<String> {
        words(&self.run(&service(), None, usize::MAX))
    }

    fn command(&mut self, command: Command) -> Vec<String> {
        words(&self.run(&service(), Some(&command), usize::MAX))
    }
}

fn approve(hook: Option<&str>) -> Command {
    Command::Approve { image: digest("v1.2.0").to_string(), hook: hook.map(str::to_owned), now: false }
}

#[test]
fn a_pause_is_told_once_with_both_answers_bound_to_digest_and_hook() {
    let mut model = Model::paused("newest", "POST_TEST_TRAFFIC_SHIFT", 0.0);
    let said = model.look();
    let image = digest("v1.2.0");
    let expected = format!(
        "paused: v1.2.0 is paused (stage POST_TEST_TRAFFIC_SHIFT, 0 % of the traffic) until Sun 2026-11-22 03:10 KST; then ECS \
         goes back. It can go on, or back [Go on: {{\"approve\":{{\"service\":\"{NAME}\",\"image\":\"{image}\",\
         \"hook\":\"ecs-pause-1\"}}}}] [Go back: {{\"reject\":{{\"service\":\"{NAME}\",\"image\":\"{image}\"}}}}]"
    );
    assert!(said.contains(&expected), "{said:#?}");
    model.minutes += 120;
    let later = model.look();
    assert!(later.contains(&expected) && !later.iter().any(|it| it.starts_with("stuck")), "{later:?}");
}

#[test]
fn an_approval_answers_one_pause_and_a_second_click_is_told_that_it_was_answered() {
    let mut model = Model::paused("newest", "PRODUCTION_TRAFFIC_SHIFT", 10.0);
    let said = model.command(approve(Some("ecs-pause-1")));
    let on = format!("{NAME}: v1.2.0 goes on after the pause (PRODUCTION_TRAFFIC_SHIFT): a person approved it");
    assert_eq!(said[0], on);
    assert!(!said.iter().any(|it| it.starts_with("paused")), "{said:?}");
    let again = model.command(approve(Some("ecs-pause-1")));
    assert_eq!(again[0], "skip: no deployment of v1.2.0 waits at ecs-pause-1: it was answered already, or is over");
    // The next step pauses at a hook of its own, and the first answer is not one for it.
    let next = Pause { hook: "ecs-pause-2".into(), state: PauseState::Waits, until: None, then_continues: true };
    model.shift.as_mut().unwrap().pauses.push(next);
    assert!(model.look().iter().any(|it| it.starts_with("paused: ") && it.contains("ecs-pause-2")));
    let late = model.command(approve(Some("ecs-pause-1")));
    assert!(late[0].starts_with("skip: no deployment of v1.2.0 waits at ecs-pause-1"), "{late:?}");
    assert!(!model.service.tags.contains_key(keys::APPROVED), "{model}");
}

#[test]
fn reject_rollback_and_an_alarm_take_a_shifting_deployment_back_in_one_call() {
    let image = digest("v1.2.0").to_string();
    for (how, traffic) in [("reject", 0.0), ("rollback", 50.0), ("alarm", 100.0)] {
        let mut model = Model::paused("newest", "PRODUCTION_TRAFFIC_SHIFT", traffic);
        let said = match how {
            "reject" => model.command(Command::Reject { image: image.clone() }),
            "rollback" => model.command(Command::RollBack { image: None }),
            _ => {
                let intent = format!("{image} by=alarm:api-5xx at=2026-11-20T18:20:00Z");
                model.service.tags.insert(keys::ROLLBACK.into(), intent);
                model.look()
            }
        };
        let stop = said.iter().find(|it| it.starts_with(&format!("{NAME}: stopping v1.2.0, ECS goes back: ")));
        assert!(stop.is_some_and(|it| it.contains("the tasks of before still run")), "{how}: {said:#?}");
        assert!(model.service.tags[keys::REJECTED].ends_with("tag=v1.2.0"), "{model}");
        assert_eq!(model.running(), "v1.1.0");
        let deployments = model.past.len();
        model.settle();
        assert_eq!((model.past.len(), model.running().as_str()), (deployments, "v1.1.0"), "nothing is deployed for it");
    }
}

#[test]
fn a_pause_that_ran_out_rejects_nothing_and_waits_for_an_approval() {
    for rule in ["newest", "newest approval=manual"] {
        let mut model = Model::paused(rule, "POST_TEST_TRAFFIC_SHIFT", 0.0);
        model.shift.as_mut().unwrap().pauses[0].state = PauseState::TimedOut;
        model.stop_shift();
        let said = model.look();
        assert!(
            said.iter().any(|it| it.starts_with("pause-expired: the deployment of v1.2.0 paused, nobody ")),
            "{said:#?}"
        );
        assert!(!model.service.tags.contains_key(keys::REJECTED), "{model}");
        let deployments = model.past.len();
        model.look();
        assert_eq!(model.past.len(), deployments);
        model.command(approve(None));
        assert_eq!((model.past.len(), model.running().as_str()), (deployments + 1, "v1.2.0"), "{rule}: {model}");
    }
}

#[test]
fn the_test_address_decides_at_the_pause_where_no_person_has_to() {
    let test = "test-health=https://test.shop.example/health";
    for (rule, stage, health, expected) in [
        ("newest", "POST_TEST_TRAFFIC_SHIFT", Health::Healthy, "goes on"),
        ("newest approval=at-hook", "POST_TEST_TRAFFIC_SHIFT", Health::Healthy, "asks"),
        ("newest", "POST_TEST_TRAFFIC_SHIFT", Health::Unhealthy("503".into()), "goes back"),
        ("newest approval=at-hook", "POST_TEST_TRAFFIC_SHIFT", Health::Unhealthy("503".into()), "goes back"),
        ("newest", "POST_TEST_TRAFFIC_SHIFT", Health::Unreachable("no such name".into()), "asks"),
        ("newest", "PRODUCTION_TRAFFIC_SHIFT", Health::Healthy, "asks"),
    ] {
        let mut model = Model::paused(&format!("{rule} {test}"), stage, 0.0);
        model.health = health;
        let said = model.look();
        let what = match said.iter().find_map(|it| {
            let kinds = [("goes on after", "goes on"), ("ECS goes back: ", "goes back"), ("paused: ", "asks")];
            kinds.into_iter().find(|(part, _)| it.contains(part)).map(|(_, what)| what)
        }) {
            Some(what) => what,
            None => panic!("{rule}: {said:#?}"),
        };
        assert_eq!(what, expected, "{rule}, {stage}: {said:#?}");
        assert_eq!(model.service.tags.contains_key(keys::REJECTED), expected == "goes back", "{rule}");
    }
}

#[test]
fn a_rolling_deployment_is_asked_about_where_its_tasks_run_and_has_no_test_traffic() {
    for (rule, note) in [
        ("newest approval=at-hook", ""),
        (
            "newest test-health=https://test.shop.example/health",
            "A rolling deployment has no test traffic, so test-health= is not asked. ",
        ),
    ] {
        let mut model = Model::paused(rule, "POST_SCALE_UP", 0.0);
        model.service.strategy = Strategy::Rolling;
        model.service.deployments[0].state = RolloutState::InProgress;
        model.shift.as_mut().unwrap().traffic = None;
        let said = model.look();
        let expected = format!(
            "paused: v1.2.0 is paused (stage POST_SCALE_UP) until Sun 2026-11-22 03:10 KST; then ECS goes back. {note}It can go on"
        );
        assert!(said.iter().any(|it| it.starts_with(&expected)), "{said:#?}");
        let mut rejecting = model.clone();
        let back = rejecting.command(Command::Reject { image: digest("v1.2.0").to_string() });
        let stop = format!(
            "{NAME}: stopping v1.2.0, ECS goes back: v1.2.0 is rejected; ECS starts those of before again (stage POST_SCALE_UP)"
        );
        assert!(back.contains(&stop), "{back:#?}");
        model.command(approve(Some("ecs-pause-1")));
        model.finish();
        let live = model.look();
        assert!(live.iter().any(|it| it.starts_with(&format!("{NAME}: v1.2.0 is live: "))), "{live:#?}");
    }
}

#[test]
fn what_asks_at_a_pause_needs_one() {
    for rule in ["newest approval=at-hook", "newest test-health=https://test.shop.example/"] {
        let mut model = Model::new(rule);
        model.push("v1.1.0");
        let said = model.look();
        assert!(said[0].starts_with("no-pause: v1.1.0 is not deployed: "), "{said:?}");
        model.service.pauses = true;
        assert!(model.look()[0].contains("deploying v1.1.0"));
    }
}

#[test]
fn health_is_asked_while_it_can_be_undone_and_ill_goes_back_at_once() {
    for (ill, traffic) in [(false, 100.0), (true, 100.0), (true, 50.0)] {
        let mut model = Model::paused("newest health=https://shop.example/health", "BAKE_TIME", traffic);
        model.shift.as_mut().unwrap().pauses.clear();
        model.sick.extend(ill.then(|| digest("v1.2.0")));
        let said = model.look();
        let back = said.iter().any(|it| it.contains("stopping v1.2.0, ECS goes back"));
        assert_eq!(back, ill && traffic == 100.0, "{said:#?}");
        let told =
            said.iter().any(|it| it.starts_with(&format!("{NAME}: all traffic is on v1.2.0: the tasks of before")));
        assert_eq!(told, !ill, "{said:#?}");
    }
}

#[test]
fn all_traffic_is_told_once_with_the_end_of_the_instant_way_back_and_live_after_it() {
    let mut model = Model::paused("newest", "BAKE_TIME", 100.0);
    model.shift.as_mut().unwrap().pauses.clear();
    model.service.bakes = SignedDuration::from_mins(40);
    let said = model.look();
    let first = format!(
        "{NAME}: all traffic is on v1.2.0: the tasks of before still run, so it can go back at once, at least until Sat \
         2026-11-21 03:52 KST"
    );
    assert!(said.iter().any(|it| it.starts_with(&first)), "{said:#?}");
    model.minutes += 10;
    let again = model.look();
    assert!(again.iter().any(|it| it.starts_with("skip: all traffic is on v1.2.0; ")), "{again:#?}");
    assert!(!again.iter().any(|it| it.starts_with(NAME)), "{again:#?}");
    // What is not live yet counts as live nowhere.
    let tag = &model.service.tags[keys::VERDICT];
    assert!(tag.starts_with("shifted sha256:") && tag.parse::<rules::memory::Verdict>().is_err(), "{tag}");
    model.shift = None;
    model.past.last_mut().unwrap().end = RolloutEnd::Successful;
    model.service.deployments[0].state = RolloutState::Unsaid;
    let live = model.look();
    assert!(live.iter().any(|it| it.starts_with(&format!("{NAME}: v1.2.0 is live: "))), "{live:#?}");
    assert!(model.service.tags[keys::VERDICT].starts_with("won "), "{model}");
}

#[test]
fn an_early_success_is_live_only_when_all_new_tasks_run() {
    let mut model = Model::new("newest");
    model.service.early_success = true;
    model.push("v1.1.0");
    model.look();
    model.finish();
    model.service.deployments[0].running = 1;
    let said = model.look();
    let expected = "skip: ECS counts the deployment of v1.1.0 as complete (earlySuccessCriteria); it is live once all 2 of its \
                    tasks run; 1 do";
    assert!(said.contains(&expected.to_owned()) && !said.iter().any(|it| it.contains("is live: ")), "{said:#?}");
    model.service.deployments[0].running = 2;
    let said = model.look();
    assert!(said.iter().any(|it| it.starts_with(&format!("{NAME}: v1.1.0 is live: "))), "{said:#?}");
}

#[test]
fn a_stage_that_does_not_move_is_told_after_its_own_times_and_an_hour() {
    let mut model = Model::paused("newest", "POST_SCALE_UP", 0.0);
    model.service.bakes = SignedDuration::from_mins(40);
    let shift = model.shift.as_mut().unwrap();
    shift.pauses.clear();
    let began = model.service.deployments[0].began.unwrap();
    let stuck = |model: &mut Model, minutes: i64| {
        model.minutes = minutes;
        let said = model.look();
        said.into_iter().find(|it| it.starts_with("stuck: "))
    };
    let start = model.minutes;
    assert_eq!(stuck(&mut model, start + 90), None);
    let said = stuck(&mut model, start + 102).unwrap();
    assert!(said.contains("does not get ready at the stage POST_SCALE_UP; "), "{said}");
    // A pause of two days was answered, and the stage has moved since.
    model.shift.as_mut().unwrap().moved = Some(began + SignedDuration::from_hours(48));
    assert_eq!(stuck(&mut model, start + 48 * 60 + 90), None);
    assert!(stuck(&mut model, start + 48 * 60 + 110).is_some());
}

#[test]
fn a_newer_image_does_not_overtake_a_pause() {
    for shifting in [true, false] {
        let mut model = Model::paused("newest", "POST_SCALE_UP", 0.0);
        if !shifting {
            model.service.strategy = Strategy::Rolling;
            model.service.deployments[0].state = RolloutState::InProgress;
        }
        model.push("v1.3.0");
        let said = model.look();
        let what = if shifting { "shifts traffic" } else { "pauses" };
        let expected = format!("skip: v1.3.0 is newer, but a deployment that {what} (stage POST_SCALE_UP, ");
        assert!(said.iter().any(|it| it.starts_with(&expected)), "{said:#?}");
        assert_eq!(model.running(), "v1.2.0");
    }
}

#[test]
fn a_newer_image_supersedes_a_deployment_that_waits_for_nobody() {
    for (stage, traffic) in [("PRODUCTION_TRAFFIC_SHIFT", 10.0), ("BAKE_TIME", 100.0)] {
        let mut model = Model::paused("newest", stage, traffic);
        model.shift.as_mut().unwrap().pauses.clear();
        model.push("v1.3.0");
        let said = model.look();
        let deploys = said.iter().find(|it| it.starts_with(&format!("{NAME}: deploying v1.3.0 (was v1.2.0): ")));
        assert!(
            deploys.is_some_and(|it| it.contains("; v1.2.0, which is still rolling out, is superseded")),
            "{said:#?}"
        );
        assert_eq!(model.running(), "v1.3.0");
        assert!(!model.service.tags.contains_key(keys::REJECTED), "{model}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_shifting_deployment_is_stopped_or_continued_and_never_deployed_over(
        rule in prop::sample::select(vec!["newest", "newest approval=at-hook", "newest approval=manual",
            "newest test-health=https://t.example/", "newest health=https://x.example/"]),
        stage in prop::sample::select(vec!["SCALE_UP", "POST_TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", ""]),
        traffic in prop::sample::select(vec![0.0, 5.0, 100.0]), rolling in any::<bool>(), waits in any::<bool>(),
        ill in any::<bool>(), newer in any::<bool>(), command in 0..6usize, minutes in 0..3000i64
    ) {
        let mut model = Model::paused(rule, stage, traffic);
        if rolling {
            model.service.strategy = Strategy::Rolling;
            model.service.deployments[0].state = RolloutState::InProgress;
        }
        if !waits {
            model.shift.as_mut().unwrap().pauses[0].state = PauseState::Over;
        }
        model.health = if ill { Health::Unhealthy("503".into()) } else { Health::Healthy };
        if newer {
            model.push("v1.3.0");
        }
        model.minutes += minutes;
        let image = digest("v1.2.0").to_string();
        let command = match command {
            0 => Some(approve(None)),
            1 => Some(approve(Some("ecs-pause-1"))),
            2 => Some(approve(Some("ecs-pause-0"))),
            3 => Some(Command::Reject { image }),
            4 => Some(Command::RollBack { image: Some(image) }),
            _ => None,
        };
        let plan = model.plan(&service(), command.as_ref());
        let back = matches!(command, Some(Command::Reject { .. } | Command::RollBack { .. }));
        let mut changes = 0;
        for it in &plan.steps {
            match &it.step {
                Step::Stop(it) => {
                    changes += 1;
                    prop_assert!(back || ill, "nobody asked for it: {:?}", it);
                }
                Step::Continue(it) => {
                    changes += 1;
                    prop_assert!(waits && it.hook == "ecs-pause-1" && !back, "{:?}", it);
                }
                Step::RollBack(it) => prop_assert!(false, "{:?} beside a deployment under way", it),
                // Only a deployment that waits for nobody gives way to a newer image.
                Step::Deploy(it) => prop_assert!(!waits && newer && it.to == "v1.3.0", "{:?}", it),
                _ => {}
            }
        }
        prop_assert!(changes <= 1, "{:?}", words(&plan));
        prop_assert!(!back || changes == 1, "a way back waits: {:?}", words(&plan));
    }
}

/// Deployments pause for a person, v1.0.0 runs, and v1.1.0 is pushed.
fn asking(shifting: bool) -> Model {
    let mut model = Model::new("newest");
    model.ask_people(shifting);
    model.push("v1.1.0");
    model.run(&repository(), None, usize::MAX);
    model.finish();
    model
}

fn answer(model: &mut Model, image: &str) {
    let hook = model.pause().map(|it| it.hook.clone());
    model.command(Command::Approve { image: image.into(), hook, now: false });
}

#[test]
fn a_way_back_goes_on_at_its_pause_without_a_person() {
    for shifting in [false, true] {
        let mut model = asking(shifting);
        answer(&mut model, "v1.1.0");
        model.settle();
        assert_eq!((model.running().as_str(), model.pause()), ("v1.1.0", None));
        // The deployment is over, so the way back is a new one, and pauses like any.
        model.command(Command::Reject { image: "v1.1.0".into() });
        model.finish();
        assert!(model.pause().is_some());
        let said = model.look();
        let on = "it takes the place of v1.1.0, which is rejected, and no way back waits";
        assert!(said.iter().any(|it| it.contains("v1.0.0 goes on after the pause (") && it.ends_with(on)), "{said:#?}");
        model.settle();
        assert_eq!((model.running().as_str(), model.pause()), ("v1.0.0", None));
    }
}

#[test]
fn an_image_that_nobody_answered_for_is_not_rejected_once_a_newer_one_was_tried() {
    for shifting in [false, true] {
        let mut model = asking(shifting);
        model.minutes += 130;
        model.finish();
        let said = model.look();
        assert!(said.iter().any(|it| it.starts_with("pause-expired: the deployment of v1.1.0 paused")), "{said:#?}");
        model.push("v1.2.0");
        model.run(&repository(), None, usize::MAX);
        model.finish();
        model.command(Command::Reject { image: "v1.2.0".into() });
        model.look();
        model.settle();
        assert_eq!(model.running(), "v1.0.0");
        assert_eq!(model.service.tags[keys::REJECTED].matches("by=ecs").count(), 0, "{model}");
        let rejected: rules::rejections::Rejections = model.service.tags[keys::REJECTED].parse().unwrap();
        assert!(rejected.covers(&digest("v1.2.0")) && !rejected.covers(&digest("v1.1.0")), "{model}");
    }
}

/// An image that does not start is taken back by ECS, a good one is pushed, and a person restarts what ran before.
#[test]
fn a_push_during_a_restart_after_a_failure_goes_out_once_the_restart_has_ended() {
    for shifting in [false, true] {
        let mut model = Model::new("newest");
        model.ask_people(shifting);
        let bad = model.push("v1.1.0");
        model.bad.push(bad);
        model.look();
        model.finish();
        model.push("v1.2.0");
        model.restart();
        model.finish();
        let said = model.look();
        assert!(said.iter().any(|it| it.contains("v1.0.0 goes on after the pause (")), "{said:#?}");
        let waits = "skip: v1.2.0 is newer, but its deployment may pause for a person, and the service leaves v1.1.0 first. It \
                     goes on when the way back has ended";
        assert!(said.contains(&waits.to_owned()), "{said:#?}");
        let again = model.plan(&Scope::Everywhere, None);
        assert!(again.steps.is_empty() && words(&again).contains(&waits.to_owned()), "{:#?}", words(&again));
        for _ in 0..2 {
            model.finish();
        }
        let deploys = model.look();
        assert!(deploys.iter().any(|it| it.contains("deploying v1.2.0 (was v1.0.0): ")), "{deploys:#?}");
        assert!(model.plan(&Scope::Everywhere, None).steps.is_empty());
    }
}

#[test]
fn a_newer_image_that_pauses_neither_replaces_a_way_back_nor_overtakes_one() {
    for (shifting, pushed_before) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut model = asking(shifting);
        answer(&mut model, "v1.1.0");
        model.settle();
        // An alarm takes back what is live.
        let intent = format!("{} by=alarm:api-5xx at=2026-11-20T18:20:00Z", digest("v1.1.0"));
        if pushed_before {
            model.push("v1.2.0");
            let mut rejected = Rejections::default();
            let (pushed_at, tag) = (model.images[1].pushed_at, Some("v1.1.0".into()));
            rejected.add(Rejection { digest: digest("v1.1.0"), pushed_at, tag, by: "alarm".into() }, |_| true);
            let rejected = rejected.value().unwrap();
            model.service.tags.insert(keys::REJECTED.into(), rejected);
        } else {
            model.service.tags.insert(keys::ROLLBACK.into(), intent);
        }
        let back = model.look();
        assert!(back.iter().any(|it| it.starts_with(&format!("{NAME}: going back to v1.0.0"))), "{back:#?}");
        let said = "v1.2.0 is newer, but its deployment may pause for a person, and the service leaves v1.1.0 first";
        assert_eq!(back.iter().any(|it| it.contains(said)), pushed_before, "{back:#?}");
        if !pushed_before {
            model.push("v1.2.0");
        }
        // Before the pause of the way back, at it and after it.
        for at in ["before", "at", "after"] {
            let plan = model.run(&repository(), None, usize::MAX);
            assert!(words(&plan).iter().any(|it| it.contains(said)), "{at}: {:#?}", words(&plan));
            assert_eq!(model.running(), "v1.0.0", "{at}");
            if at == "before" {
                model.finish();
            }
        }
        // What hangs is not waited for, and a person need not wait at all.
        let mut hangs = model.clone();
        hangs.minutes += 61;
        hangs.look();
        assert_eq!(hangs.running(), "v1.2.0");
        let mut asked = model.clone();
        asked.command(Command::Deploy { image: "v1.2.0".into(), now: true });
        assert_eq!(asked.running(), "v1.2.0");
        model.finish();
        model.finish();
        model.run(&Scope::Everywhere, None, usize::MAX);
        assert_eq!(model.running(), "v1.2.0", "{model}");
    }
}

#[test]
fn a_newer_image_replaces_a_rejected_one_at_once_where_no_deployment_pauses() {
    let mut model = Model::new("newest");
    model.push("v1.1.0");
    model.settle();
    model.command(Command::Reject { image: "v1.1.0".into() });
    model.push("v1.2.0");
    model.run(&repository(), None, usize::MAX);
    assert_eq!(model.running(), "v1.2.0");
}

#[test]
fn every_run_sees_a_way_back_that_pauses() {
    for shifting in [false, true] {
        let mut model = asking(shifting);
        answer(&mut model, "v1.1.0");
        model.settle();
        model.command(Command::Reject { image: "v1.1.0".into() });
        model.finish();
        for scope in [repository(), service(), Scope::Everywhere] {
            let said = words(&model.plan(&scope, None));
            let on = said.iter().any(|it| it.contains("v1.0.0 goes on after the pause ("));
            assert!(on, "{shifting}, {scope:?}: {said:#?}");
        }
    }
}

#[test]
fn a_pause_that_was_just_answered_is_not_said_to_wait_for_a_person() {
    let mut model = Model::paused("newest", "POST_SCALE_UP", 0.0);
    model.push("v1.3.0");
    let said = model.command(approve(None));
    let expected = "skip: v1.3.0 is newer, but a deployment that shifts traffic (stage POST_SCALE_UP, 0 % of the traffic) is under \
                    way. It goes on when that has ended";
    assert!(said.contains(&expected.to_owned()), "{said:#?}");
}
