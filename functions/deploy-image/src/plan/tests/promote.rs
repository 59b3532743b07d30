//! `promote`: what has been live on another service for long enough goes out, and nothing else.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::strategy::Strategy;
use reconcile::{Plan, Step as _};
use rules::{ServiceName, keys};

use super::model::{Model, digest, service};
use super::stories::words;
use crate::plan::*;

pub fn staging() -> ServiceName {
    ServiceName::parse("staging/api").unwrap()
}

/// A service with the rule, which promotes from staging/api, where v1.1.0 has just become live.
fn promoting(rule: &str) -> Model {
    let mut model = Model::new(rule);
    model.push("v1.1.0");
    model.add_staging();
    model.stage("v1.1.0", RolloutEnd::Successful);
    model
}

impl Model {
    /// A second service, staging/api, that has had no deployment yet.
    pub fn add_staging(&mut self) {
        let mut service = Model::new("newest").service;
        service.arn = "arn:aws:ecs:ap-northeast-2:123456789012:service/staging/api".into();
        service.name = staging();
        service.deployments[0].state = RolloutState::Completed;
        self.sources.insert(staging(), Origin { service, history: vec![], pinned: BTreeMap::new() });
    }

    fn staging(&mut self) -> &mut Origin {
        self.sources.get_mut(&staging()).unwrap()
    }

    /// For how many minutes an image was live on staging, asleep or awake, since anything was.
    pub fn minutes_live_on_staging(&self, image: &rules::Digest) -> i64 {
        let history = self.sources.get(&staging()).map_or(&[][..], |it| &it.history);
        let mut until = self.now().timestamp();
        let mut minutes = 0;
        for it in history.iter().filter(|it| it.end == RolloutEnd::Successful) {
            let began = it.began.unwrap();
            if it.pinned.values().any(|it| it == image) {
                minutes += until.duration_since(began).as_mins();
            }
            until = began;
        }
        minutes
    }

    /// A deployment of an image to staging ends so.
    pub fn stage(&mut self, image: &str, end: RolloutEnd) {
        self.stage_digest(digest(image), end);
    }

    /// The same, by its digest.
    pub fn stage_digest(&mut self, image: rules::Digest, end: RolloutEnd) {
        self.minutes += 1;
        let began = Some(self.now().timestamp());
        let pinned = BTreeMap::from([("app".to_owned(), image)]);
        let origin = self.staging();
        let rollout = Rollout {
            arn: None,
            expired: false,
            task_definition: format!("arn:task-definition/api:{}", origin.history.len()),
            end,
            reason: String::new(),
            pinned: pinned.clone(),
            began,
        };
        origin.history.insert(0, rollout);
        if end == RolloutEnd::Successful {
            origin.pinned = pinned;
        }
    }

    /// Hours in which the sweep comes every hour.
    fn hours(&mut self, hours: i64) -> Plan<Step> {
        let end = self.minutes + hours * 60;
        while self.minutes + 60 <= end {
            self.minutes += 60;
            let before = self.minutes;
            self.run(&Scope::Everywhere, None, usize::MAX);
            self.finish();
            // What takes time in the model takes none here.
            self.minutes = before;
        }
        self.plan(&Scope::Everywhere, None)
    }

    pub fn sleep(&mut self, asleep: bool) {
        let since = format!("since={} desired=2 by=schedule", self.now().timestamp());
        let service = &mut self.staging().service;
        (service.desired, service.running) = if asleep { (0, 0) } else { (2, 2) };
        match asleep {
            true => drop(service.tags.insert(keys::ASLEEP.into(), since)),
            false => drop(service.tags.remove(keys::ASLEEP)),
        }
    }
}

#[track_caller]
fn says(plan: &Plan<Step>, words_in_it: &str) {
    assert!(words(plan).iter().any(|it| it.contains(words_in_it)), "{words_in_it}: {:#?}", words(plan));
}

#[test]
fn an_image_goes_out_after_its_hours_on_the_other_service_and_people_see_how_many_are_left() {
    let mut model = promoting("promote from=staging/api soak=24h");
    let plan = model.hours(11);
    says(&plan, "skip: v1.1.0 soaks on staging/api: live for 10 of 24 hours awake; it is deployed Sun 2026-11-22");
    assert_eq!(model.running(), "v1.0.0");
    model.hours(15);
    assert_eq!(model.running(), "v1.1.0");
}

#[test]
fn hours_asleep_do_not_count_and_the_forecast_knows_the_schedule() {
    let mut model = promoting("promote from=staging/api soak=8h");
    // It is Saturday morning in Seoul.
    let schedule = "mon-fri 09:00-19:00 Asia/Seoul";
    model.staging().service.tags.insert(keys::SCHEDULE.into(), schedule.into());
    model.service.tags.insert(keys::DEPLOY_WINDOW.into(), "tue-thu 10:00-16:00 Asia/Seoul".into());
    model.sleep(true);
    says(&model.plan(&Scope::Everywhere, None), "has shown nothing yet");
    let verdict = format!("won {} at=2026-11-20T18:00:00Z", digest("v1.1.0"));
    model.staging().service.tags.insert(keys::VERDICT.into(), verdict);
    let plan = model.hours(30);
    says(&plan, "soaks on staging/api, which sleeps, so nothing is counted: live for 0 of 8 hours awake");
    says(&plan, "it is deployed Tue 2026-11-24 10:00 KST at the earliest");
    model.sleep(false);
    model.hours(7);
    model.sleep(true);
    model.hours(48);
    assert_eq!(model.running(), "v1.0.0");
    model.sleep(false);
    model.service.tags.remove(keys::DEPLOY_WINDOW);
    model.hours(4);
    assert_eq!(model.running(), "v1.1.0");
}

#[test]
fn what_goes_wrong_on_the_other_service_begins_the_soak_anew() {
    for (how, why) in [
        ("alarm", "counted anew, since the alarm api-5xx fired"),
        ("restart", "counted anew, since a restart of staging/api failed"),
        ("fallen", "counted anew, since the last deployment of staging/api failed"),
        ("back", "counted anew, since another image was live on staging/api in between"),
    ] {
        let mut model = promoting("promote from=staging/api soak=8h");
        model.push("v1.2.0");
        model.hours(7);
        let now = model.now().timestamp();
        match how {
            "alarm" => model.fired = vec![Fired { alarm: "api-5xx".into(), service: staging(), at: now }],
            "restart" => model.stage("v1.1.0", RolloutEnd::TakenBack),
            "fallen" => {
                let primary = &mut model.staging().service.deployments[0];
                (primary.state, primary.began) = (RolloutState::Failed, Some(now));
            }
            _ => {
                model.stage("v1.2.0", RolloutEnd::Successful);
                model.stage("v1.1.0", RolloutEnd::Successful);
            }
        }
        model.minutes += 30;
        says(&model.plan(&Scope::Everywhere, None), why);
        model.hours(5);
        assert_eq!(model.running(), "v1.0.0", "{how}");
        model.staging().service.deployments[0].state = RolloutState::Completed;
        model.hours(9);
        assert_eq!(model.running(), "v1.1.0", "{how}");
    }
}

#[test]
fn a_failed_deployment_of_a_newer_image_says_nothing_against_the_one_that_stays() {
    let mut model = promoting("promote from=staging/api soak=8h");
    model.push("v1.2.0");
    model.hours(5);
    model.stage("v1.2.0", RolloutEnd::TakenBack);
    model.fired = vec![Fired { alarm: "x".into(), service: "other/api".parse().unwrap(), at: model.now().timestamp() }];
    model.hours(5);
    assert_eq!(model.running(), "v1.1.0");
}

#[test]
fn an_image_that_has_soaked_goes_out_though_a_newer_one_soaks_by_now_unless_it_was_taken_back() {
    for taken_back in [false, true] {
        let mut model = promoting("promote from=staging/api soak=8h");
        model.service.tags.insert(keys::FREEZE.into(), "inventory".into());
        model.hours(10);
        match taken_back {
            false => {
                model.push("v1.2.0");
                model.stage("v1.2.0", RolloutEnd::Successful);
            }
            true => model.stage("v1.0.0", RolloutEnd::Successful),
        }
        model.hours(2);
        model.service.tags.remove(keys::FREEZE);
        model.hours(2);
        assert_eq!(model.running(), if taken_back { "v1.0.0" } else { "v1.1.0" });
    }
}

#[test]
fn what_the_other_service_rejected_never_goes_out() {
    let mut model = promoting("promote from=staging/api soak=1h");
    model.service.tags.insert(keys::FREEZE.into(), "inventory".into());
    model.hours(3);
    let mut rejected = rules::rejections::Rejections::default();
    let rejection = rules::rejections::Rejection {
        digest: digest("v1.1.0"),
        pushed_at: model.now().timestamp(),
        tag: None,
        by: "person".into(),
    };
    rejected.add(rejection, |_| true);
    model.staging().service.tags.insert(keys::REJECTED.into(), rejected.value().unwrap());
    model.service.tags.remove(keys::FREEZE);
    model.hours(3);
    assert_eq!(model.running(), "v1.0.0");
}

#[test]
fn a_soak_of_nothing_is_an_order_of_services() {
    let mut model = promoting("promote from=staging/api soak=0h");
    model.staging().service.deployments[0].state = RolloutState::InProgress;
    let plan = model.plan(&service(), None);
    says(&plan, "skip: staging/api, which it promotes from, has a deployment under way");
    assert!(plan.steps.is_empty());
    model.staging().service.deployments[0].state = RolloutState::Completed;
    model.run(&Scope::Followers(vec![staging()]), None, usize::MAX);
    assert_eq!(model.running(), "v1.1.0");
    assert!(!model.service.tags.contains_key(keys::SOAK), "there is nothing to count");
}

#[test]
fn an_approval_waits_for_the_soak_and_one_with_now_does_not() {
    for now in [false, true] {
        let mut model = promoting("promote from=staging/api soak=8h approval=manual");
        model.hours(1);
        let approve = Command::Approve { image: "v1.1.0".into(), hook: None, now };
        model.run(&service(), Some(&approve), usize::MAX);
        assert_eq!(model.running(), if now { "v1.1.0" } else { "v1.0.0" });
        model.hours(10);
        assert_eq!(model.running(), "v1.1.0");
    }
    let mut model = promoting("promote from=staging/api soak=8h approval=manual");
    let plan = model.hours(10);
    says(&plan, "needs-approval: v1.1.0 waits for your approval");
    let mut model = promoting("promote from=staging/api soak=8h");
    model.run(&service(), Some(&Command::Deploy { image: "v1.1.0".into(), now: false }), usize::MAX);
    assert_eq!(model.running(), "v1.1.0", "a person named the image, so the rule does not choose");
}

#[test]
fn a_source_that_is_missing_foreign_or_in_a_circle_is_a_problem_with_its_name() {
    let mut model = promoting("promote from=staging/apo soak=8h");
    says(&model.plan(&service(), None), "no-such-source: there is no service staging/apo, which it promotes from");
    model = promoting("promote from=truegul-production/api-server soak=8h");
    says(&model.plan(&service(), None), "promotion-circle: each of these promotes from the next one");
    model = promoting("promote from=staging/api soak=8h");
    let back = "promote from=truegul-production/api-server soak=0h";
    model.staging().service.tags.insert(keys::DEPLOY.into(), back.into());
    says(&model.plan(&service(), None), "truegul-production/api-server, staging/api, truegul-production/api-server");
    model = promoting("promote from=staging/api soak=8h");
    model.staging().pinned = BTreeMap::from([("app".into(), digest("other"))]);
    says(&model.plan(&service(), None), "foreign-source: nothing to promote from staging/api: it runs no image of");
    assert_eq!(model.running(), "v1.0.0");
}

#[test]
fn a_chain_hands_an_image_on_from_service_to_service() {
    let mut model = promoting("promote from=canary/api soak=2h");
    let canary: ServiceName = "canary/api".parse().unwrap();
    let mut middle = model.sources[&staging()].clone();
    middle.service.name = canary.clone();
    middle.service.tags.insert(keys::DEPLOY.into(), "promote from=staging/api soak=8h".into());
    model.sources.insert(canary, middle);
    model.hours(4);
    assert_eq!(model.running(), "v1.1.0");
}

#[test]
fn the_count_is_forgotten_with_the_rule_and_is_never_a_message() {
    let mut model = promoting("promote from=staging/api soak=8h");
    let plan = model.run(&Scope::Everywhere, None, usize::MAX);
    assert!(plan.steps.iter().all(|it| it.step.tells().is_none()), "{:?}", words(&plan));
    assert!(model.service.tags[keys::SOAK].len() <= 256);
    model.service.tags.insert(keys::DEPLOY.into(), "newest".into());
    model.settle();
    assert!(!model.service.tags.contains_key(keys::SOAK));
}

/// What happens on staging, or to the service.
#[derive(Debug, Clone)]
enum Event {
    Hours(i64),
    Push,
    Stage(usize, RolloutEnd),
    Sleep(bool),
    Alarm,
    Freeze(bool),
    Rollback,
}

fn event() -> impl Strategy<Value = Event> {
    use Event::*;
    let end = prop::sample::select(vec![RolloutEnd::Successful, RolloutEnd::Successful, RolloutEnd::TakenBack]);
    prop_oneof![
        4 => (1..6i64).prop_map(Hours),
        2 => Just(Push),
        3 => (0..4usize, end).prop_map(|(back, end)| Stage(back, end)),
        1 => any::<bool>().prop_map(Sleep),
        1 => Just(Alarm),
        1 => any::<bool>().prop_map(Freeze),
        1 => Just(Rollback),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// The truth is kept beside: for how many hours each image was live on staging, awake and undisturbed.
    #[test]
    fn nothing_goes_out_that_did_not_soak_nor_an_older_image_and_each_plan_is_done_once(
        soak in 0..7i64, events in prop::collection::vec(event(), 1..25)
    ) {
        let mut model = promoting(&format!("promote from=staging/api soak={soak}h"));
        let mut pushed = vec!["v1.0.0".to_owned(), "v1.1.0".to_owned()];
        let mut longest: BTreeMap<String, i64> = BTreeMap::new();
        let (mut live, mut awake, mut hours) = ("v1.1.0".to_owned(), true, 0);
        for event in events {
            match event {
                Event::Hours(_) => {}
                Event::Push => {
                    let tag = format!("v1.{}.0", pushed.len());
                    model.push(&tag);
                    pushed.push(tag);
                }
                Event::Stage(back, end) => {
                    let image = pushed[pushed.len().saturating_sub(1 + back)].clone();
                    model.stage(&image, end);
                    if end == RolloutEnd::Successful && image != live || end == RolloutEnd::TakenBack && image == live {
                        hours = 0;
                    }
                    if end == RolloutEnd::Successful { live = image }
                }
                Event::Sleep(asleep) => { model.sleep(asleep); awake = !asleep }
                Event::Alarm => {
                    model.minutes += 1;
                    model.fired = vec![Fired { alarm: "x".into(), service: staging(), at: model.now().timestamp() }];
                    hours = 0;
                }
                Event::Freeze(true) => drop(model.service.tags.insert(keys::FREEZE.into(), "x".into())),
                Event::Freeze(false) => drop(model.service.tags.remove(keys::FREEZE)),
                Event::Rollback => drop(model.run(&service(), Some(&Command::RollBack { image: None }), usize::MAX)),
            }
            let many = if let Event::Hours(many) = event { many } else { 1 };
            for _ in 0..many {
                model.minutes += 60;
                hours += i64::from(awake);
                let most = longest.entry(live.clone()).or_default();
                *most = (*most).max(hours);
                let before = model.running_pushed_at();
                let plan = model.run(&Scope::Everywhere, None, usize::MAX);
                for it in &plan.steps {
                    if let Step::Deploy(it) = &it.step {
                        prop_assert!(longest.get(&it.to).copied().unwrap_or_default() >= soak, "{} after {longest:?}", it.to);
                        let image = model.images.iter().find(|image| image.digest == it.digest).unwrap();
                        prop_assert!(Some(image.pushed_at) >= before, "{} is older", it.to);
                        prop_assert!(!model.service.tags.contains_key(keys::FREEZE));
                    }
                }
                let again = model.plan(&Scope::Everywhere, None);
                prop_assert_eq!(again.steps, vec![]);
                model.finish();
                model.run(&service(), None, usize::MAX);
            }
        }
    }
}

#[test]
fn the_count_goes_on_where_a_sweep_is_lost_and_stands_still_where_many_are() {
    let mut model = promoting("promote from=staging/api soak=8h");
    model.run(&Scope::Everywhere, None, usize::MAX);
    for (minutes, counted) in [(120, "2 of 8"), (300, "2 of 8"), (60, "3 of 8")] {
        model.minutes += minutes;
        let plan = model.run(&Scope::Everywhere, None, usize::MAX);
        model.minutes -= plan.steps.len() as i64;
        says(&plan, &format!("live for {counted} hours awake"));
    }
    assert!(
        model.now().timestamp().duration_since("2026-11-20T18:00:00Z".parse().unwrap()) > SignedDuration::from_hours(7)
    );
}
