//! A service that CodeDeploy deploys, `kfood-cluster/kfood-backend`, from payload to report.

use serde_json::{Value, json};

use crate::aws::{Script, digest};
use crate::{push_event, told};

const TASK_DEFINITION: &str = "arn:aws:ecs:ap-northeast-2:123456789012:task-definition/kfood-backend";
const FIRST: &str = "version: 0.0\nResources:\n  - TargetService:\n      Properties:\n        TaskDefinition: \
                     arn:aws:ecs:ap-northeast-2:123456789012:task-definition/kfood-backend:1\nHooks:\n  - AfterAllowTestTraffic: smoke\n";

/// The shop with `c0ffee1` live by deployment d-1, and `c0ffee2` pushed.
fn shop(script: &Script) -> String {
    script.push("kfood-backend", "c0ffee1", 1, 1);
    script.push("kfood-backend", "c0ffee2", 2, 5);
    let arn = script.serve("kfood-cluster/kfood-backend", "newest", ":c0ffee1");
    let mut aws = script.aws();
    aws.codedeploy.add_group("kfood", "kfood-backend", "kfood-cluster/kfood-backend");
    aws.codedeploy.add_deployment("Succeeded", FIRST);
    let service = aws.services.get_mut(&arn).unwrap();
    service["deploymentController"] = json!({"type": "CODE_DEPLOY"});
    service["deployments"] = json!([]);
    service["taskSets"] = json!([task_set("PRIMARY", 1, "d-1")]);
    drop(aws);
    arn
}

fn task_set(status: &str, revision: u32, deployment: &str) -> Value {
    json!({"id": "ecs-svc/1", "status": status, "taskDefinition": format!("{TASK_DEFINITION}:{revision}"),
           "startedBy": "CODE_DEPLOY", "externalId": deployment, "createdAt": 1_795_000_200, "platformVersion": "1.4.0",
           "loadBalancers": [{"targetGroupArn": "arn:tg", "containerName": "app", "containerPort": 3000}],
           "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}},
           "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]})
}

/// The shop in which deployment d-2 of `c0ffee2` has come as far as `status` says.
fn deployed(script: &Script, status: &str) -> String {
    let arn = shop(script);
    let mut aws = script.aws();
    let fields = json!({"containerDefinitions": [{"name": "app", "essential": true,
        "image": format!("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/kfood-backend@{}", digest(2))}]});
    let tags = json!([{"key": "nightshift-state:image", "value": "c0ffee2"}, {"key": "nightshift-state:previous", "value": "kfood-backend:1"}]);
    aws.add_revision("kfood-backend", fields, tags);
    aws.codedeploy.add_deployment(status, &FIRST.replace("kfood-backend:1", "kfood-backend:2"));
    if status == "Succeeded" {
        aws.services.get_mut(&arn).unwrap()["taskSets"] = json!([task_set("PRIMARY", 2, "d-2")]);
    }
    drop(aws);
    arn
}

fn event(state: &str) -> Value {
    json!({"version": "0", "source": "aws.codedeploy", "detail-type": "CodeDeploy Deployment State-change Notification",
           "resources": [], "detail": {"application": "kfood", "deploymentGroup": "kfood-backend", "deploymentId": "d-2", "state": state}})
}

fn rollback() -> Value {
    json!({"rollback": {"service": "kfood-cluster/kfood-backend"}})
}

fn content(script: &Script) -> String {
    script.sent("CreateDeployment")[0]["revision"]["appSpecContent"]["content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_push_becomes_a_deployment_like_the_one_before() {
    let script = Script::new();
    shop(&script);
    let report = script.invoke(push_event("kfood-backend")).await.unwrap();
    assert_eq!(told(&report), ["kfood-backend deploy Done"]);
    assert_eq!(report.actions[0].after["deployment"], "d-2");
    assert_eq!(content(&script), FIRST.replace("kfood-backend:1", "kfood-backend:2"), "hooks and all");
    let sent = &script.sent("CreateDeployment")[0];
    assert_eq!((&sent["applicationName"], &sent["deploymentGroupName"]), (&json!("kfood"), &json!("kfood-backend")));
    assert_eq!(sent["description"], format!("Nightshift deploys c0ffee2: {TASK_DEFINITION}:2"));
    assert_eq!(sent["autoRollbackConfiguration"], Value::Null, "the group's own setting counts");
    assert_eq!((script.count("UpdateService"), script.count("ListApplications")), (0, 0));
}

#[tokio::test]
async fn a_doubled_event_and_a_sweep_start_no_second_deployment() {
    let script = Script::new();
    shop(&script);
    for payload in [push_event("kfood-backend"), push_event("kfood-backend"), json!({}), event("READY")] {
        let report = script.invoke(payload).await.unwrap();
        assert_eq!(report.problems, []);
    }
    assert_eq!((script.count("CreateDeployment"), script.count("RegisterTaskDefinition")), (1, 1));
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(
        told(&report),
        [
            "kfood-backend skipped: c0ffee2, the one that 'newest' selects in kfood-backend, is rolling out: deployment d-2 of CodeDeploy (Created)"
        ]
    );
}

#[tokio::test]
async fn whoever_comes_second_leaves_it_to_the_next_run() {
    let script = Script::new();
    shop(&script);
    // Another deployment begins between the look and the act.
    script.fail("CreateDeployment", "", 1, 400, "DeploymentLimitExceededException");
    let report = script.invoke(push_event("kfood-backend")).await.unwrap();
    assert_eq!(told(&report), ["kfood-backend deploy Deferred"]);
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report), ["kfood-backend deploy Done"]);
    assert_eq!(script.count("RegisterTaskDefinition"), 1, "what was registered is used");
}

#[tokio::test]
async fn a_deployment_that_came_and_went_since_the_look_makes_the_decision_void() {
    let script = Script::new();
    shop(&script);
    script.aws().codedeploy.surprise = true;
    let report = script.invoke(push_event("kfood-backend")).await.unwrap();
    assert_eq!(told(&report), ["kfood-backend deploy Deferred"]);
    assert_eq!(script.count("CreateDeployment") + script.count("RegisterTaskDefinition"), 0);
    let report = script.invoke(push_event("kfood-backend")).await.unwrap();
    assert_eq!(told(&report), ["kfood-backend deploy Done"]);
}

#[tokio::test]
async fn two_runs_at_once_begin_one_deployment() {
    let script = Script::new();
    shop(&script);
    let (one, other) = tokio::join!(script.invoke(push_event("kfood-backend")), script.invoke(json!({})));
    let outcomes = [told(&one.unwrap()), told(&other.unwrap())].concat();
    assert!(outcomes.contains(&"kfood-backend deploy Done".to_owned()), "{outcomes:?}");
    assert_eq!(script.aws().codedeploy.deployments.len(), 2, "{outcomes:?}");
    let report = script.invoke(json!({})).await.unwrap();
    assert!(told(&report)[0].contains("is rolling out"), "{:?}", told(&report));
}

#[tokio::test]
async fn every_status_is_told_from_the_deployment_itself() {
    for status in ["Created", "Queued", "InProgress", "Baking", "Ready", "Pondering"] {
        let script = Script::new();
        deployed(&script, status);
        let report = script.invoke(event("START")).await.unwrap();
        assert!(
            told(&report)[0].ends_with(&format!("is rolling out: deployment d-2 of CodeDeploy ({status})")),
            "{:?}",
            told(&report)
        );
        script.push("kfood-backend", "c0ffee3", 3, 9);
        let report = script.invoke(push_event("kfood-backend")).await.unwrap();
        assert_eq!(
            told(&report)[0],
            format!(
                "kfood-backend skipped: c0ffee3 is newer, but deployment d-2 of CodeDeploy ({status}) is under way. It goes on when that has ended"
            )
        );
        let waits: Vec<_> = report.problems.iter().map(|it| it.problem.as_str()).collect();
        assert_eq!(waits, if status == "Ready" { vec!["waits-for-traffic"] } else { vec![] }, "{status}");
        assert_eq!(script.count("CreateDeployment"), 0, "{status}");
    }
    for (status, code, expected, by) in [
        (
            "Failed",
            "HEALTH_CONSTRAINTS",
            "its deployment by CodeDeploy failed: HEALTH_CONSTRAINTS: in words",
            "codedeploy",
        ),
        ("Stopped", "ALARM_ACTIVE", "its deployment by CodeDeploy failed: ALARM_ACTIVE: in words", "codedeploy"),
        ("Stopped", "MANUAL_STOP", "its deployment by CodeDeploy was stopped: MANUAL_STOP: in words", "hand"),
    ] {
        // The event, or where it was lost the sweep.
        for payload in [event("FAILURE"), json!({})] {
            let script = Script::new();
            let arn = deployed(&script, status);
            script.aws().codedeploy.deployments[1]["errorInformation"] = json!({"code": code, "message": "in words"});
            let report = script.invoke(payload).await.unwrap();
            assert_eq!(told(&report)[0], "kfood-backend reject Done", "{status} {code}");
            assert!(report.actions[0].reason.ends_with(expected), "{}", report.actions[0].reason);
            let rejected = script.aws().tag(&arn, "nightshift-state:rejected").unwrap();
            assert!(rejected.contains(&format!("by={by} tag=c0ffee2")), "{rejected}");
            script.invoke(push_event("kfood-backend")).await.unwrap();
            assert_eq!(script.count("CreateDeployment"), 0, "tried again");
        }
    }
}

#[tokio::test]
async fn what_succeeded_is_live_and_told_once() {
    for payload in [event("SUCCESS"), json!({})] {
        let script = Script::new();
        let arn = deployed(&script, "Succeeded");
        let report = script.invoke(payload.clone()).await.unwrap();
        assert_eq!(told(&report)[0], "kfood-backend record-success Done");
        assert!(script.aws().tag(&arn, "nightshift-state:verdict").unwrap().contains(&digest(2)));
        let report = script.invoke(payload).await.unwrap();
        assert_eq!(
            told(&report),
            ["kfood-backend skipped: runs c0ffee2, the one that 'newest' selects in kfood-backend"]
        );
    }
}

#[tokio::test]
async fn a_quiet_service_asks_nothing_of_codedeploy() {
    let script = Script::new();
    deployed(&script, "Succeeded");
    script.invoke(json!({})).await.unwrap();
    let before = script.counts();
    script.invoke(json!({})).await.unwrap();
    for operation in ["BatchGetDeployments", "BatchGetDeploymentGroups", "ListDeployments", "GetApplicationRevision"] {
        assert_eq!(script.counts().get(operation), before.get(operation), "{operation}");
    }
}

#[tokio::test]
async fn a_service_that_codedeploy_never_deployed_is_found_among_all_groups_page_by_page() {
    let script = Script::new();
    let arn = shop(&script);
    {
        let mut aws = script.aws();
        aws.codedeploy.page = 1;
        aws.codedeploy.deployments.clear();
        aws.codedeploy.add_group("lambda", "other", "kfood-cluster/other");
        aws.codedeploy.add_group("kfood", "kfood-backend-dev", "kfood-dev/kfood-backend");
        aws.codedeploy.groups.rotate_left(1);
        let first = &mut aws.services.get_mut(&arn).unwrap()["taskSets"][0];
        first.as_object_mut().unwrap().remove("externalId");
    }
    let report = script.invoke(push_event("kfood-backend")).await.unwrap();
    assert_eq!(told(&report), ["kfood-backend deploy Done"]);
    assert_eq!(script.sent("CreateDeployment")[0]["deploymentGroupName"], "kfood-backend");
    let spec: Value = serde_json::from_str(&content(&script)).unwrap();
    assert_eq!(
        spec["Resources"][0]["TargetService"]["Properties"],
        json!({"TaskDefinition": format!("{TASK_DEFINITION}:2"), "PlatformVersion": "1.4.0",
               "LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": 3000},
               "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": ["subnet-1"], "SecurityGroups": ["sg-1"], "AssignPublicIp": "DISABLED"}},
               "CapacityProviderStrategy": [{"CapacityProvider": "FARGATE_SPOT", "Base": 0, "Weight": 1}]})
    );
    assert!(script.count("ListApplications") > 1 && script.count("ListDeploymentGroups") > 2, "{:?}", script.counts());
}

#[tokio::test]
async fn no_group_two_groups_a_refusal_or_an_app_spec_elsewhere_are_problems_with_the_fix() {
    let problem = async |change: &dyn Fn(&Script)| {
        let script = Script::new();
        shop(&script);
        change(&script);
        let report = script.invoke(push_event("kfood-backend")).await.unwrap();
        assert_eq!(script.count("CreateDeployment") + script.count("RegisterTaskDefinition"), 0);
        let [told] = told(&report).try_into().unwrap();
        told
    };
    let gone = problem(&|script| script.aws().codedeploy.groups.clear()).await;
    assert!(gone.contains("code-deploy: its deployments are CodeDeploy's, but no deployment group"), "{gone}");
    let twice =
        problem(&|script| script.aws().codedeploy.add_group("kfood", "kfood-backend", "kfood-cluster/kfood-backend"))
            .await;
    assert!(twice.contains("deployment groups kfood/kfood-backend and kfood/kfood-backend both deploy it"), "{twice}");
    let s3 = problem(&|script| {
        let place = json!({"revisionType": "S3", "s3Location": {"bucket": "kfood", "key": "appspec.yaml"}});
        script.aws().codedeploy.deployments[0]["revision"] = place;
    });
    let s3 = s3.await;
    assert!(s3.contains("AppSpec of its deployment d-1 is in s3://kfood/appspec.yaml"), "{s3}");
    for operation in ["ListDeployments", "GetApplicationRevision"] {
        let denied = problem(&|script| script.fail(operation, "", 99, 400, "AccessDeniedException")).await;
        assert!(
            denied.contains(&format!("code-deploy: {operation} ")) && denied.contains("AccessDeniedException"),
            "{denied}"
        );
    }
    let denied = problem(&|script| {
        script.fail("BatchGetDeploymentGroups", "", 99, 400, "AccessDeniedException");
    });
    let denied = denied.await;
    assert!(denied.contains("code-deploy: BatchGetDeploymentGroups kfood: AccessDeniedException"), "{denied}");
}

#[tokio::test]
async fn a_refused_deployment_is_a_failed_step_and_a_denied_one_a_problem() {
    let script = Script::new();
    shop(&script);
    script.fail("CreateDeployment", "", 1, 400, "InvalidRevisionException");
    let error = script.invoke(push_event("kfood-backend")).await.unwrap_err();
    assert!(error.contains("CreateDeployment kfood/kfood-backend: InvalidRevisionException"), "{error}");
    script.fail("CreateDeployment", "", 1, 400, "AccessDeniedException");
    let report = script.invoke(push_event("kfood-backend")).await.unwrap();
    let denied = "kfood-backend denied: CreateDeployment kfood/kfood-backend: AccessDeniedException";
    assert!(told(&report).iter().any(|it| it.starts_with(denied)), "{:?}", told(&report));
}

#[tokio::test]
async fn a_rollback_stops_what_is_under_way_and_codedeploy_goes_back() {
    let script = Script::new();
    let arn = deployed(&script, "InProgress");
    script.aws().services.get_mut(&arn).unwrap()["taskSets"] =
        json!([task_set("ACTIVE", 1, "d-1"), task_set("PRIMARY", 2, "d-2")]);
    let report = script.invoke(rollback()).await.unwrap();
    assert_eq!(told(&report), ["kfood-backend reject Done", "kfood-backend stop Done"]);
    assert_eq!(script.sent("StopDeployment"), [json!({"deploymentId": "d-2", "autoRollbackEnabled": true})]);
    // Until CodeDeploy is back, the tasks of what was stopped have the traffic.
    let mut undo = script.aws().codedeploy.deployments[0].clone();
    undo["deploymentId"] = json!("d-3");
    (undo["status"], undo["creator"], undo["createTime"]) =
        (json!("InProgress"), json!("codeDeployRollback"), json!(1_795_197_000));
    script.aws().codedeploy.deployments.push(undo);
    let report = script.invoke(rollback()).await.unwrap();
    assert_eq!(
        told(&report),
        [
            "kfood-backend skipped: c0ffee2 must be replaced; CodeDeploy is undoing a deployment, and nothing else can begin meanwhile. It goes on when that has ended"
        ]
    );
    script.aws().codedeploy.deployments[2]["status"] = json!("Succeeded");
    script.aws().services.get_mut(&arn).unwrap()["taskSets"] = json!([task_set("PRIMARY", 1, "d-1")]);
    let report = script.invoke(event("STOP")).await.unwrap();
    assert_eq!(
        told(&report),
        ["kfood-backend skipped: c0ffee2 is rejected; c0ffee1 stays until a newer image is pushed"]
    );
    assert_eq!(script.count("CreateDeployment"), 0);
}

#[tokio::test]
async fn a_rollback_of_what_is_live_is_a_deployment_of_what_was_before() {
    let script = Script::new();
    deployed(&script, "Succeeded");
    let report = script.invoke(rollback()).await.unwrap();
    assert_eq!(told(&report), ["kfood-backend reject Done", "kfood-backend roll-back Done"]);
    assert_eq!(content(&script), FIRST);
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(script.count("CreateDeployment"), 1, "{:?}", told(&report));
}

#[tokio::test]
async fn a_rollback_without_an_image_to_go_back_to_is_a_problem() {
    let script = Script::new();
    deployed(&script, "Succeeded");
    script.aws().images.get_mut("kfood-backend").unwrap()[0].remove(0);
    let report = script.invoke(rollback()).await.unwrap();
    assert!(told(&report).iter().any(|it| it.starts_with("kfood-backend no-way-back: ")), "{:?}", told(&report));
    assert_eq!(script.count("CreateDeployment"), 0);
}

#[tokio::test]
async fn what_failed_with_the_traffic_is_left_to_codedeploy_and_then_replaced() {
    let script = Script::new();
    let arn = deployed(&script, "Succeeded");
    {
        let mut aws = script.aws();
        aws.codedeploy.deployments[1]["status"] = json!("Failed");
        aws.codedeploy.deployments[1]["errorInformation"] =
            json!({"code": "HEALTH_CONSTRAINTS", "message": "unhealthy"});
        // The run is at 18:10, so this is ten minutes ago.
        aws.codedeploy.deployments[1]["completeTime"] = json!(1_795_197_600);
        drop(aws);
    }
    let report = script.invoke(event("FAILURE")).await.unwrap();
    assert_eq!(told(&report)[1], "kfood-backend skipped: c0ffee2 failed, and CodeDeploy goes back by itself");
    assert!(script.aws().tag(&arn, "nightshift-state:rejected").unwrap().contains("by=codedeploy"));
    // It does not.
    script.aws().codedeploy.deployments[1]["completeTime"] = json!(1_795_190_000);
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report), ["kfood-backend roll-back Done"]);
    assert_eq!(content(&script), FIRST);
}

#[tokio::test]
async fn a_sleeping_service_waits_for_its_image_until_it_is_awake() {
    let script = Script::new();
    let arn = shop(&script);
    script.aws().services.get_mut(&arn).unwrap()["desiredCount"] = json!(0);
    let report = script.invoke(push_event("kfood-backend")).await.unwrap();
    assert_eq!(
        told(&report),
        [
            "kfood-backend skipped: c0ffee2 is newer; it has no tasks, and CodeDeploy would give the traffic to an image that was never seen running. It goes on when it has tasks again"
        ]
    );
    script.aws().services.get_mut(&arn).unwrap()["desiredCount"] = json!(2);
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report), ["kfood-backend deploy Done"]);
}

#[tokio::test]
async fn an_event_of_a_group_that_is_gone_or_of_a_service_that_did_not_opt_in_is_no_work() {
    let script = Script::new();
    let arn = shop(&script);
    script.aws().services.get_mut(&arn).unwrap()["tags"] = json!([]);
    let report = script.invoke(event("SUCCESS")).await.unwrap();
    assert_eq!(told(&report), ["kfood-backend skipped: it has no nightshift:deploy tag"]);
    script.aws().codedeploy.groups.clear();
    let report = script.invoke(event("SUCCESS")).await.unwrap();
    assert_eq!(told(&report), ["kfood-backend skipped: this deployment group of CodeDeploy deploys no ECS service"]);
    assert_eq!(script.counts().keys().filter(|it| it.starts_with("Create")).count(), 0);
}

#[tokio::test]
async fn a_long_past_is_read_in_batches() {
    let script = Script::new();
    let arn = shop(&script);
    {
        let mut aws = script.aws();
        aws.codedeploy.page = 10;
        for _ in 0..39 {
            aws.codedeploy.add_deployment("Succeeded", FIRST);
        }
        aws.services.get_mut(&arn).unwrap()["taskSets"] = json!([task_set("PRIMARY", 1, "d-40")]);
        for it in &mut aws.codedeploy.deployments {
            it["description"] = json!(format!("Nightshift deploys c0ffee1: {TASK_DEFINITION}:1"));
        }
    }
    let report = script.invoke(push_event("kfood-backend")).await.unwrap();
    assert_eq!(told(&report), ["kfood-backend deploy Done"]);
    let counts = script.counts();
    // One batch for the group, two for its past; four pages to decide and four to be sure before acting.
    assert_eq!((counts["BatchGetDeployments"], counts["ListDeployments"], counts["GetApplicationRevision"]), (3, 8, 1));
}
