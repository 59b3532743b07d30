//! A look ahead: of each image that waits, the dry run says what for and until when, and `status` says the same.

use proptest::prelude::*;
use rules::keys;
use serde_json::json;

use super::model::{Model, REGISTRY, REPOSITORY, SERVICE, digest, service};
use super::stories::words;
use crate::plan::gate::Blocked;
use crate::plan::*;

/// The page that shows all of it to people.
const PAGE: &str = include_str!("../../../../../docs/look-ahead.md");

/// A service with this rule, and v1.1.0 pushed.
fn pushed(rule: &str) -> Model {
    let mut model = Model::new(rule);
    model.push("v1.1.0");
    model
}

fn tagged(rule: &str, key: &str, value: &str) -> Model {
    let mut model = pushed(rule);
    model.service.tags.insert(key.into(), value.into());
    model
}

fn scanned(state: ScanState) -> Model {
    let mut model = pushed("newest scan=high");
    model.scan(&digest("v1.1.0"), Scan::of(state));
    model
}

fn migrating() -> Model {
    let mut model = Model::new("newest migrate=api-migrate");
    let image = format!("{REGISTRY}/{REPOSITORY}:v1.0.0");
    model.add_migration(
        &json!({"family": "api-migrate", "containerDefinitions": [{"name": "migrate", "image": image}]}),
    );
    model.push("v1.1.0");
    model
}

fn asleep(mut model: Model) -> Model {
    model.service.tags.insert(keys::ASLEEP.into(), "since=2026-11-20T11:00:00Z desired=2 by=schedule".into());
    model.service.tags.insert(keys::SCHEDULE.into(), "mon-fri 08:00-20:00".into());
    (model.service.desired, model.service.running) = (0, 0);
    model
}

fn soaking() -> Model {
    let mut model = pushed("promote from=staging/api soak=24h");
    model.add_staging();
    model.stage("v1.1.0", RolloutEnd::Successful);
    model
}

/// v1.1.0 is being deployed, and v1.2.0 pushed.
fn under_way(change: impl FnOnce(&mut Model)) -> Model {
    let mut model = pushed("newest");
    model.run(&service(), None, usize::MAX);
    change(&mut model);
    model.push("v1.2.0");
    model
}

fn shifting() -> Model {
    under_way(|model| {
        model.service.strategy = crate::plan::Strategy::Shifting("CANARY".into());
        model.service.bakes = jiff::SignedDuration::from_mins(30);
        model.service.deployments[0].state = RolloutState::Unsaid;
        let pause = Pause {
            hook: "ecs-pause-1".into(),
            state: PauseState::Waits,
            until: "2026-11-21T18:10:00Z".parse().ok(),
            then_continues: false,
        };
        model.shift = Some(Shift {
            arn: model.past.last().unwrap().arn.clone().unwrap(),
            under_way: true,
            moved: None,
            stage: "POST_TEST_TRAFFIC_SHIFT".into(),
            traffic: Some(0.0),
            pauses: vec![pause],
        });
    })
}

fn lacks_a_secret() -> Model {
    let mut model = Model::new("newest");
    let secret = "arn:aws:secretsmanager:ap-northeast-2:123456789012:secret:db-AbCdEf";
    let arn = model.register(&json!({"family": "api-server", "containerDefinitions": [
        {"name": "app", "image": format!("{REGISTRY}/{REPOSITORY}:v1.0.0"), "secrets": [{"name": "DB", "valueFrom": secret}]}]}));
    model.update_service(&arn);
    model.finish();
    let need = Need::Secret(secret.into());
    let found = Observation::Needs([(need.clone(), Found::Missing)].into());
    model.facts.insert(Fact::Needs([need].into()), found);
    model.push("v1.1.0");
    model
}

fn rejected() -> Model {
    let mut model = pushed("newest");
    model.run(&service(), Some(&Command::Reject { image: "v1.1.0".into() }), usize::MAX);
    model
}

/// Each reason for which an image waits, what the page calls it, and which image that is.
fn reasons() -> Vec<(&'static str, &'static str, Model)> {
    let mut migration = migrating();
    migration.run(&service(), None, usize::MAX);
    let mut snapshot = pushed("newest snapshot=app-db");
    let id = rules::database::predeploy_id("app-db", &digest("v1.1.0"));
    snapshot.snapshots.push(super::gates::snapshot::of(&id, "creating"));
    let mut frozen = pushed("newest");
    frozen.calendar.freeze = Some("2026-11-20/2026-11-23".parse().unwrap());
    let mut sleeping_source = soaking();
    sleeping_source.run(&service(), None, usize::MAX);
    sleeping_source.sleep(true);
    let mut frozen_after_soak = soaking();
    frozen_after_soak.service.tags.insert(keys::FREEZE.into(), "inventory".into());
    let going_back = under_way(|model| {
        model.bad.push(digest("v1.1.0"));
        model.finish();
    });
    let mut sick = pushed("newest health=https://shop.example/health");
    sick.health = Health::Later;
    let mut code_deploy = Model::by_code_deploy("newest");
    code_deploy.push("v1.1.0");
    let mut other_first = code_deploy.clone();
    other_first.run(&service(), None, usize::MAX);
    other_first.push("v1.2.0");
    (code_deploy.service.desired, code_deploy.service.running) = (0, 0);
    vec![
        ("approval", "v1.1.0", pushed("newest approval=manual")),
        ("approval at a pause that the service lacks", "v1.1.0", pushed("newest approval=at-hook")),
        ("scan", "v1.1.0", scanned(ScanState::Pending)),
        ("scan that has not begun", "v1.1.0", scanned(ScanState::Missing)),
        ("window", "v1.1.0", tagged("newest", keys::DEPLOY_WINDOW, "mon-thu 10:00-16:00 Asia/Seoul")),
        ("window that never opens", "v1.1.0", tagged("newest", keys::DEPLOY_WINDOW, "never")),
        ("freeze of the service", "v1.1.0", tagged("newest", keys::FREEZE, "inventory")),
        ("freeze of the stack", "v1.1.0", frozen),
        ("soak", "v1.1.0", soaking()),
        ("soak on a service that sleeps by hand", "v1.1.0", sleeping_source),
        ("soak, and then a freeze", "v1.1.0", frozen_after_soak),
        ("what its tasks need", "v1.1.0", lacks_a_secret()),
        ("health before the deployment", "v1.1.0", sick),
        ("snapshot", "v1.1.0", snapshot),
        ("migration", "v1.1.0", migration),
        ("sleep, where a migration comes first", "v1.1.0", asleep(migrating())),
        ("deployment that waits for a person", "v1.2.0", shifting()),
        ("way back of ECS", "v1.2.0", going_back),
        ("deployment of CodeDeploy", "v1.2.0", other_first),
        ("sleep, where CodeDeploy deploys", "v1.1.0", code_deploy),
        ("rejection", "v1.1.0", rejected()),
    ]
}

/// What the dry run says of the image, and nothing that it does besides.
fn ahead(model: &Model, image: &str) -> String {
    let lines = words(&model.plan(&Scope::Everywhere, None));
    // What is done besides, as counting its soak, is not why it waits.
    let about = |it: &&String| it.contains(image) && !it.starts_with("truegul-production/api-server: ");
    let line = lines.iter().find(about).unwrap_or_else(|| panic!("nothing about {image}: {lines:#?}"));
    line.trim_start_matches("skip: ").to_owned()
}

/// What an answer names that ends a wait: an event, a moment, a person's command or the next run.
const ENDS: [&str; 11] = [
    "It goes on when ",
    "it is deployed ",
    "It is deployed with the first run after ",
    "until the tag is changed",
    "until the tag is removed",
    "waits until nightshift:freeze is removed",
    "waits for your approval",
    "by its schedule",
    "It goes out with the next run",
    "stays until a newer image is pushed",
    "add one, or use approval=manual",
];

#[test]
fn each_reason_names_what_ends_it_and_the_page_shows_it() {
    let mut lacking = Vec::new();
    for (name, image, model) in reasons() {
        let said = ahead(&model, image);
        assert!(ENDS.iter().any(|it| said.contains(it)) || said.contains("nothing tells"), "{name}: {said}");
        let line = format!("{name}\n    {said}\n");
        if !PAGE.contains(&line) {
            lacking.push(line);
        }
    }
    assert!(lacking.is_empty(), "docs/look-ahead.md lacks\n{}", lacking.join(""));
}

#[test]
fn a_status_says_the_same_as_the_dry_run() {
    for (name, image, model) in reasons() {
        let said = ahead(&model, image);
        let status = words(&model.plan(&service(), Some(&Command::Status { image: image.into() })));
        let [status] = &status[..] else { panic!("{name}: {status:?}") };
        let word = status.trim_start_matches("skip: ").split(": ").next().unwrap();
        match word {
            "waiting" => assert_eq!(status.trim_start_matches("skip: waiting: "), said, "{name}"),
            "rejected" => assert_eq!(name, "rejection"),
            other => panic!("{name}: {other}"),
        }
    }
}

/// What ends it. Whoever adds a way to be blocked says so here, and adds it to the reasons.
fn ends(blocked: &Blocked) -> &'static str {
    match blocked {
        Blocked::Lacks(_) => "this run",
        Blocked::Pending(_) => "It goes on when",
        Blocked::NeedsPerson(..) | Blocked::Asks { .. } => "a person",
        Blocked::Scheduled(..) => "until then",
        Blocked::Requires(_) => "its steps",
        Blocked::Reject { .. } => "never",
    }
}

#[test]
fn what_only_takes_time_cannot_be_said_without_its_end() {
    let wait = Blocked::pending("v1.1.0 waits", "that has ended");
    assert_eq!(ends(&wait), "It goes on when");
    let Blocked::Pending(wait) = wait else { unreachable!("it was made as one") };
    assert_eq!(wait.to_string(), "v1.1.0 waits. It goes on when that has ended");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever two reasons there are at once, the one that is told names its end.
    #[test]
    fn of_two_reasons_the_first_is_told_with_its_end(which in 0..21usize, window in any::<bool>(), freeze in any::<bool>()) {
        let (name, image, mut model) = reasons().swap_remove(which);
        if window {
            model.service.tags.insert(keys::DEPLOY_WINDOW.into(), "mon-thu 10:00-16:00 Asia/Seoul".into());
        }
        if freeze {
            model.service.tags.insert(keys::FREEZE.into(), "inventory".into());
        }
        let said = ahead(&model, image);
        prop_assert!(ENDS.iter().any(|it| said.contains(it)) || said.contains("nothing tells"), "{name}: {said}");
        prop_assert!(model.plan(&Scope::Everywhere, None).steps.iter().all(|it| it.resource == SERVICE));
    }
}
