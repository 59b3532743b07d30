//! Deployment groups of CodeDeploy: whose they are, how a service moves by them, and by which AppSpec it is deployed.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::plan::motion::{self, Motion};
use crate::plan::*;

fn group(name: &str, service: &str) -> Group {
    let services = vec![ServiceName::parse(service).unwrap()];
    Group {
        application: "kfood".into(),
        name: name.into(),
        services,
        goes_back: true,
        waits: jiff::SignedDuration::ZERO,
    }
}

fn attempt(id: &str, status: Status) -> Attempt {
    Attempt {
        id: id.into(),
        task_definition: Some(format!("td/{id}")),
        status,
        said: String::new(),
        code: "HEALTH_CONSTRAINTS".into(),
        reason: String::new(),
        undoes: false,
        began: None,
        ended: None,
        app_spec: Source::Unread,
    }
}

fn told(attempts: Vec<Attempt>) -> CodeDeploy {
    CodeDeploy {
        group: group("backend", "kfood-cluster/kfood-backend"),
        attempts,
        known: vec![],
        since: Timestamp::MIN,
    }
}

/// A service whose traffic goes to the tasks of deployment `d-1`.
fn service(properties: Value) -> Service {
    let primary = TaskSet {
        id: "ecs-svc/1".into(),
        primary: true,
        task_definition: "td/d-1".into(),
        deployment: Some("d-1".into()),
        began: None,
        properties,
    };
    Service {
        arn: "arn".into(),
        name: ServiceName::parse("kfood-cluster/kfood-backend").unwrap(),
        status: "ACTIVE".into(),
        controller: Controller::CodeDeploy,
        strategy: Strategy::Shifting("CODE_DEPLOY".into()),
        safety: Safety { gives_up: true, goes_back: true },
        launch: Launch::default(),
        desired: 2,
        running: 2,
        deployments: vec![],
        bakes: jiff::SignedDuration::ZERO,
        pauses: false,
        early_success: false,
        newest_event: None,
        task_definition: "td/d-1".into(),
        task_sets: vec![primary],
        target_groups: vec![],
        alternates: false,
        revisions: vec![],
        tags: Default::default(),
    }
}

#[test]
fn a_service_has_one_deployment_group_or_a_problem() {
    let of = |groups: &[Group]| {
        let found = group_of(&ServiceName::parse("kfood-cluster/kfood-backend").unwrap(), groups);
        found.map(|it| it.to_string()).map_err(|it| it.split(';').next().unwrap().to_owned())
    };
    let (ours, other) = (group("backend", "kfood-cluster/kfood-backend"), group("staging", "kfood-dev/kfood-backend"));
    assert_eq!(of(&[other.clone(), ours.clone()]), Ok("kfood/backend".into()));
    assert!(of(&[other]).unwrap_err().ends_with("no deployment group of this account and region names it"));
    let twin = group("backend-2", "kfood-cluster/kfood-backend");
    assert!(
        of(&[ours, twin])
            .unwrap_err()
            .starts_with("the CodeDeploy deployment groups kfood/backend and kfood/backend-2")
    );
}

#[test]
fn what_undoes_a_deployment_is_no_rollout_of_its_own() {
    let undo = Attempt { undoes: true, ..attempt("d-3", Status::Succeeded) };
    let unknown = Attempt { task_definition: None, ..attempt("d-4", Status::Succeeded) };
    let told = told(vec![unknown, undo, attempt("d-2", Status::Failed), attempt("d-1", Status::Succeeded)]);
    let ends: Vec<_> = told.rollouts().into_iter().map(|it| (it.task_definition, it.end)).collect();
    assert_eq!(ends, [("td/d-2".into(), RolloutEnd::TakenBack), ("td/d-1".into(), RolloutEnd::Successful)]);
}

#[test]
fn every_status_is_a_motion() {
    let undo = Attempt { undoes: true, ..attempt("d-3", Status::Open) };
    let gone_back = Attempt { undoes: true, ..attempt("d-3", Status::Succeeded) };
    for (attempts, expected) in [
        (vec![], Motion::Still),
        (vec![attempt("d-2", Status::Open), attempt("d-1", Status::Succeeded)], Motion::Forward(None)),
        (vec![undo, attempt("d-2", Status::Failed)], Motion::Back),
        (vec![gone_back, attempt("d-2", Status::Failed)], Motion::Still),
        (vec![attempt("d-2", Status::Failed), attempt("d-1", Status::Succeeded)], Motion::Still),
        (vec![attempt("d-2", Status::Stopped)], Motion::Still),
        (vec![attempt("d-1", Status::Succeeded)], Motion::Still),
        // It failed after the traffic had gone to its tasks.
        (vec![attempt("d-1", Status::Failed)], Motion::Fallen(None)),
        (vec![attempt("d-1", Status::Stopped)], Motion::Fallen(None)),
    ] {
        assert_eq!(motion::of_code_deploy(&told(attempts.clone()), &service(Value::Null)), expected, "{attempts:?}");
    }
}

#[test]
fn the_app_spec_is_that_of_the_deployment_that_has_the_traffic() {
    let arn = |number: u8| format!("arn:aws:ecs:ap-northeast-2:123456789012:task-definition/kfood-backend:{number}");
    let with = |source: Source| Attempt { app_spec: source, ..attempt("d-1", Status::Succeeded) };
    let next = |attempts: Vec<Attempt>, properties: Value| {
        deployer::create_deployment(&told(attempts), &service(properties)).map(|it| it.app_spec.naming(&arn(2)))
    };
    let text = |note: &str| Source::Text(format!("{note}\nTaskDefinition: {}\n", arn(1)));
    let newer = Attempt { app_spec: text("newer"), ..attempt("d-2", Status::Failed) };
    assert_eq!(next(vec![newer, with(text("hooks"))], Value::Null), Ok(format!("hooks\nTaskDefinition: {}\n", arn(2))));
    let balanced = json!({"LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": 3000}});
    assert!(next(vec![], balanced.clone()).unwrap().contains(&arn(2)));
    for (attempts, properties, wrong) in [
        (
            vec![with(Source::Elsewhere("s3://b/k".into()))],
            balanced.clone(),
            "the AppSpec of its deployment d-1 is in s3://b/k",
        ),
        (
            vec![with(Source::Text("TaskDefinition: x".into()))],
            balanced,
            "the AppSpec of its deployment d-1 does not name",
        ),
        (vec![], Value::Null, "it has no task set with a load balancer"),
    ] {
        let problem = next(attempts, properties).unwrap_err();
        assert!(problem.starts_with(wrong) && problem.ends_with("and it is the model from then on"), "{problem}");
    }
}
