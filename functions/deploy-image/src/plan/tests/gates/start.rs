//! What a task definition names has to be there before its tasks can start.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::Strategy;
use rules::keys;
use serde_json::{Value, json};

use crate::plan::preflight::{faults, needs};
use crate::plan::tests::model::{Model, REGISTRY, REPOSITORY, SERVICE, digest, repository, service};
use crate::plan::tests::stories::words;
use crate::plan::*;

const SECRET: &str = "arn:aws:secretsmanager:ap-northeast-2:123456789012:secret:api/db-AbCdEf";

/// A task definition with these containers and two roles.
fn definition(containers: Value) -> TaskDefinition {
    let fields = json!({"family": "api-server", "revision": 7, "status": "ACTIVE",
        "taskDefinitionArn": "arn:aws:ecs:ap-northeast-2:123456789012:task-definition/api-server:7",
        "executionRoleArn": "arn:aws:iam::123456789012:role/service-role/execution", "taskRoleArn": "tasks",
        "containerDefinitions": containers});
    TaskDefinition { fields: fields.as_object().unwrap().clone(), tags: BTreeMap::new() }
}

fn with_secret(from: &str) -> TaskDefinition {
    definition(json!([{"name": "app", "secrets": [{"name": "DB", "valueFrom": from}]}]))
}

fn with_logs(options: Value) -> TaskDefinition {
    definition(json!([{"name": "app", "logConfiguration": {"logDriver": "awslogs", "options": options}}]))
}

/// What is looked for besides the two roles.
fn beside_roles(definition: &TaskDefinition) -> Vec<Need> {
    let roles = [Need::Role("execution".into()), Need::Role("tasks".into())];
    let mut all = needs(definition, SERVICE);
    assert!(roles.iter().all(|it| all.remove(it)), "{all:?}");
    all.into_iter().collect()
}

#[test]
fn what_a_task_definition_names_is_looked_for_where_its_tasks_run() {
    let secret = || vec![Need::Secret(SECRET.into())];
    let parameters = |names: &[&str]| names.iter().map(|it| Need::Parameter((*it).into())).collect::<Vec<_>>();
    let arn = |path: &str| format!("arn:aws:ssm:ap-northeast-2:123456789012:parameter/{path}");
    for (from, expected) in [
        (SECRET.to_owned(), secret()),
        (format!("{SECRET}:password::"), secret()),
        (format!("{SECRET}:password:AWSPREVIOUS:"), secret()),
        (SECRET.replace("ap-northeast-2", "us-east-1"), vec![]),
        (SECRET.replace("123456789012", "999999999999"), vec![]),
        (arn("shop/db"), parameters(&["/shop/db"])),
        // The ARN does not say whether the name begins with a slash.
        (arn("db"), parameters(&["/db", "db"])),
        ("/shop/db".into(), parameters(&["/shop/db"])),
        ("db:3".into(), parameters(&["db"])),
        ("/aws/reference/secretsmanager/db".into(), vec![]),
        (arn("aws/service/x"), vec![]),
        ("arn:aws:something".into(), vec![]),
        (String::new(), vec![]),
    ] {
        assert_eq!(beside_roles(&with_secret(&from)), expected, "{from}");
    }
    let group = || vec![Need::LogGroup("/ecs/api".into())];
    for (options, expected) in [
        (json!({"awslogs-group": "/ecs/api", "awslogs-region": "ap-northeast-2"}), group()),
        (json!({"awslogs-group": "/ecs/api"}), group()),
        (json!({"awslogs-group": "/ecs/api", "awslogs-create-group": "true"}), vec![]),
        (json!({"awslogs-group": "/ecs/api", "awslogs-region": "us-east-1"}), vec![]),
        (json!({}), vec![]),
    ] {
        assert_eq!(beside_roles(&with_logs(options.clone())), expected, "{options}");
    }
    let others = definition(json!([{"name": "log", "logConfiguration": {"logDriver": "awsfirelens", "options": {},
        "secretOptions": [{"name": "key", "valueFrom": "splunk"}]}, "repositoryCredentials": {"credentialsParameter": SECRET}}]));
    assert_eq!(beside_roles(&others), [Need::Secret(SECRET.into()), Need::Parameter("splunk".into())]);
}

#[test]
fn only_what_aws_says_is_wrong_is_a_fault() {
    let stages =
        |stages: &[&str]| Found::Secret { deleted: false, stages: stages.iter().map(|it| (*it).into()).collect() };
    let secret = "the secret api/db-AbCdEf";
    for (from, found, expected) in [
        ("", Found::Missing, Some("does not exist")),
        ("", Found::Secret { deleted: true, stages: BTreeSet::new() }, Some("is scheduled for deletion")),
        ("", stages(&["AWSCURRENT"]), None),
        ("", stages(&["AWSPENDING"]), Some("has no version AWSCURRENT")),
        // Nothing is said of its versions.
        ("", stages(&[]), None),
        (":key:AWSPREVIOUS:", stages(&["AWSCURRENT"]), Some("has no version AWSPREVIOUS")),
        (":key:AWSPREVIOUS:", stages(&["AWSCURRENT", "AWSPREVIOUS"]), None),
        // A version by its id may have no stage.
        (":key::0123", stages(&["AWSPENDING"]), None),
    ] {
        let told =
            faults(&with_secret(&format!("{SECRET}{from}")), SERVICE, &[(Need::Secret(SECRET.into()), found)].into());
        let expected: Vec<String> = expected.iter().map(|it| format!("{secret} {it} (DB of container app)")).collect();
        assert_eq!(told, expected, "{from}");
    }
    // One of the two names is enough.
    let by_arn = with_secret("arn:aws:ssm:ap-northeast-2:123456789012:parameter/db");
    let (plain, slash) = (Need::Parameter("db".into()), Need::Parameter("/db".into()));
    for (found, faulty) in [
        (vec![(&plain, Found::Missing), (&slash, Found::Missing)], true),
        (vec![(&plain, Found::Missing), (&slash, Found::There)], false),
        (vec![(&plain, Found::There), (&slash, Found::Missing)], false),
        (vec![(&plain, Found::Missing)], false),
        (vec![], false),
    ] {
        let found = found.into_iter().map(|(need, found)| (need.clone(), found)).collect();
        assert_eq!(!faults(&by_arn, SERVICE, &found).is_empty(), faulty, "{found:?}");
    }
}

/// A service of this rule whose task definition names a secret and a log group, with v1.1.0 pushed.
fn shop(rule: &str, found: &[(Need, Found)]) -> Model {
    let mut model = Model::new(rule);
    let arn =
        model.register(&json!({"family": "api-server", "executionRoleArn": "execution", "containerDefinitions": [
        {"name": "app", "image": format!("{REGISTRY}/{REPOSITORY}:v1.0.0"), "essential": true,
         "secrets": [{"name": "DB", "valueFrom": SECRET}],
         "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/api"}}}]}));
    model.update_service(&arn);
    model.finish();
    let needs = needs(model.revision(&arn), SERVICE);
    assert_eq!(needs.len(), 3);
    model.facts.insert(Fact::Needs(needs), Observation::Needs(found.iter().cloned().collect()));
    model.push("v1.1.0");
    model
}

fn missing() -> Vec<(Need, Found)> {
    vec![
        (Need::Role("execution".into()), Found::There),
        (Need::Secret(SECRET.into()), Found::Missing),
        (Need::LogGroup("/ecs/api".into()), Found::Missing),
    ]
}

const HELD: &str = "cannot-start: v1.1.0 is not deployed: none of its tasks could start. With the task definition \
                    api-server:2: the log group /ecs/api does not exist (logs of container app); the secret api/db-AbCdEf does \
                    not exist (DB of container app). It goes out with the next run after that is corrected, within an hour";

#[test]
fn what_is_missing_holds_the_image_before_anything_is_registered_or_migrated() {
    for rule in ["newest", "newest snapshot=app-db", "newest migrate=truegul-production-migrate"] {
        let model = shop(rule, &missing());
        assert_eq!(words(&model.plan(&repository(), None)), [HELD], "{rule}");
    }
    let mut model = shop("newest", &missing());
    let fact = model.facts.keys().find(|it| matches!(it, Fact::Needs(_))).unwrap().clone();
    model.facts.insert(fact, Observation::Needs(BTreeMap::new()));
    model.settle();
    assert_eq!(model.running(), "v1.1.0", "what could not be read says nothing");
}

#[test]
fn a_person_who_says_now_is_not_held_and_one_who_approves_is() {
    let mut model = shop("newest approval=manual", &missing());
    let approve = Command::Approve { image: "v1.1.0".into(), hook: None, now: false };
    let told = words(&model.plan(&service(), Some(&approve)));
    assert!(told.contains(&HELD.to_owned()), "{told:#?}");
    let deploy = Command::Deploy { image: "v1.1.0".into(), now: true };
    model.run(&service(), Some(&deploy), usize::MAX);
    assert_eq!(model.running(), "v1.1.0");
}

#[test]
fn what_waits_for_something_else_is_not_looked_into() {
    let mut model = shop("newest approval=manual", &[]);
    model.facts.clear();
    let world = model.world(&repository());
    assert!(plan(&world, &repository(), None, &model.now()).lacking.is_empty(), "it waits for a person");
    model.service.tags.insert(keys::DEPLOY.into(), "newest".into());
    let world = model.world(&repository());
    let lacking = plan(&world, &repository(), None, &model.now()).lacking;
    assert!(matches!(lacking.first(), Some(Fact::Needs(_))), "{lacking:?}");
    model.push("v1.0.0");
    model.service.tags.insert(keys::FREEZE.into(), "inventory".into());
    let world = model.world(&repository());
    assert!(plan(&world, &repository(), None, &model.now()).lacking.is_empty(), "it is frozen");
}

fn found() -> impl Strategy<Value = Option<Found>> {
    prop_oneof![
        Just(None),
        Just(Some(Found::There)),
        Just(Some(Found::Missing)),
        any::<(bool, bool)>().prop_map(|(deleted, current)| {
            let stage = if current { "AWSCURRENT" } else { "AWSPENDING" };
            Some(Found::Secret { deleted, stages: [stage.to_owned()].into() })
        }),
    ]
}

proptest! {
    #[test]
    fn no_way_back_ever_waits_for_what_is_missing(role in found(), secret in found(), group in found(), rejects in any::<bool>()) {
        let named = [
            (Need::Role("execution".into()), role),
            (Need::Secret(SECRET.into()), secret),
            (Need::LogGroup("/ecs/api".into()), group),
        ];
        let found: Vec<_> = named.into_iter().filter_map(|(need, found)| Some((need, found?))).collect();
        let mut model = shop("newest", &found);
        let holds = !faults(model.revisions.last().unwrap(), SERVICE, &found.iter().cloned().collect()).is_empty();
        model.run(&repository(), None, usize::MAX);
        prop_assert_eq!(model.running() == "v1.0.0", holds);
        // It went out while all was well, and then something was deleted.
        let everything = model.facts.keys().find(|it| matches!(it, Fact::Needs(_))).unwrap().clone();
        model.facts.insert(everything.clone(), Observation::Needs(BTreeMap::new()));
        model.settle();
        prop_assert_eq!(model.running(), "v1.1.0");
        model.facts.insert(everything, Observation::Needs(missing().into_iter().collect()));
        let command = match rejects {
            true => Command::Reject { image: digest("v1.1.0").to_string() },
            false => Command::RollBack { image: None },
        };
        model.run(&service(), Some(&command), usize::MAX);
        prop_assert_eq!(model.running(), "v1.0.0");
    }
}
