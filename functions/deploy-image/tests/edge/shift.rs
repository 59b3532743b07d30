//! A deployment of ECS that shifts traffic and pauses, from the event of its hook to the call that answers it.

use serde_json::{Value, json};

use crate::aws::{Script, digest};
use crate::{shop, told};

const DEPLOYMENT: &str = "arn:aws:ecs:ap-northeast-2:123456789012:service-deployment/shop/api/abcDEF";

fn hook_event(name: &str) -> Value {
    json!({"version": "0", "source": "aws.ecs", "detail-type": "ECS Hook State Change", "resources": [DEPLOYMENT],
           "detail": {"eventName": name, "hookId": "ecs-pause-1", "hookType": "PAUSE", "serviceDeploymentArn": DEPLOYMENT,
                      "serviceArn": "arn:aws:ecs:ap-northeast-2:123456789012:service/shop/api"}})
}

/// `api` at v1.1.0, whose deployment waits after the shift of the test traffic, with v1.0.0 before it.
fn paused(script: &Script, rule: &str) -> String {
    let api = shop(script, rule);
    let mut aws = script.aws();
    let first = aws.services[&api]["taskDefinition"].clone();
    let fields = json!({"containerDefinitions": [{"name": "app", "essential": true,
        "image": format!("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/api@{}", digest(2))}]});
    let tags = json!([{"key": "nightshift-state:image", "value": "v1.1.0"}, {"key": "nightshift-state:previous", "value": "api:1"}]);
    let second = aws.add_revision("api", fields, tags);
    let service = aws.services.get_mut(&api).unwrap();
    service["taskDefinition"] = json!(second);
    service["deploymentConfiguration"] = json!({"strategy": "CANARY", "bakeTimeInMinutes": 30,
        "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 10},
        "lifecycleHooks": [{"lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}]});
    service["deployments"] =
        json!([{"id": "ecs-svc/2", "status": "PRIMARY", "taskDefinition": second, "createdAt": 1_795_197_000}]);
    aws.history.insert("api".into(), vec![
        json!({"status": "SUCCESSFUL", "createdAt": 1_795_000_200, "taskDefinition": first}),
        json!({"status": "IN_PROGRESS", "createdAt": 1_795_197_000, "taskDefinition": second, "serviceDeploymentArn": DEPLOYMENT}),
    ]);
    aws.shifts.insert(
        DEPLOYMENT.into(),
        json!({"serviceDeploymentArn": DEPLOYMENT, "status": "IN_PROGRESS",
        "lifecycleStage": "POST_TEST_TRAFFIC_SHIFT", "targetServiceRevision": {"arn": "arn:revision/api/1",
        "requestedTestTrafficWeight": 100.0, "requestedProductionTrafficWeight": 0.0},
        "lifecycleHookDetails": [{"hookId": "ecs-pause-1", "targetType": "PAUSE", "status": "AWAITING_ACTION",
                                  "expiresAt": 1_795_284_600, "timeoutAction": "ROLLBACK"}]}),
    );
    drop(aws);
    api
}

#[tokio::test]
async fn a_hook_that_waits_is_told_and_the_printed_approval_lets_it_go_on() {
    let script = Script::new();
    paused(&script, "newest");
    let report = script.invoke(hook_event("HOOK_AWAITING_ACTION")).await.unwrap();
    let problem = report.problems.iter().find(|it| it.problem == "paused").unwrap();
    let message = &problem.message;
    assert!(
        message.starts_with("v1.1.0 is paused (stage POST_TEST_TRAFFIC_SHIFT, 0 % of the traffic) until "),
        "{message}"
    );
    let printed = problem.choices[0].line();
    let approve: Value = serde_json::from_str(printed.split('\'').nth(1).unwrap()).unwrap();
    let report = script.invoke(approve.clone()).await.unwrap();
    assert_eq!(told(&report)[0], "api continue Done");
    let sent = &script.sent("ContinueServiceDeployment")[0];
    let expected = json!({"serviceDeploymentArn": DEPLOYMENT, "hookId": "ecs-pause-1", "action": "CONTINUE"});
    assert_eq!(sent, &expected);
    // Pasted twice it is an answer, and no error of AWS.
    let report = script.invoke(approve).await.unwrap();
    assert!(told(&report)[0].contains("it was answered already, or is over"), "{:?}", told(&report));
    assert_eq!((script.count("ContinueServiceDeployment"), script.count("UpdateService")), (1, 0));
}

#[tokio::test]
async fn a_rolling_deployment_that_pauses_is_told_continued_and_taken_back_as_well() {
    for (command, call) in [("approve", "ContinueServiceDeployment"), ("reject", "StopServiceDeployment")] {
        let script = Script::new();
        let api = paused(&script, "newest approval=at-hook");
        {
            let mut aws = script.aws();
            let service = aws.services.get_mut(&api).unwrap();
            service["deploymentConfiguration"] = json!({"lifecycleHooks": [{"lifecycleStages": ["POST_SCALE_UP"]}]});
            service["deployments"][0]["rolloutState"] = json!("IN_PROGRESS");
            let shift = aws.shifts.get_mut(DEPLOYMENT).unwrap();
            shift["lifecycleStage"] = json!("POST_SCALE_UP");
            shift["targetServiceRevision"] = json!({"arn": "arn:revision/api/1", "requestedTaskCount": 2});
        }
        let report = script.invoke(hook_event("HOOK_AWAITING_ACTION")).await.unwrap();
        let problem = report.problems.iter().find(|it| it.problem == "paused").unwrap();
        assert!(problem.message.starts_with("v1.1.0 is paused (stage POST_SCALE_UP) until "), "{problem:?}");
        script.invoke(json!({command: {"service": "shop/api", "image": "v1.1.0"}})).await.unwrap();
        assert_eq!((script.count(call), script.count("UpdateService")), (1, 0), "{command}");
    }
}

#[tokio::test]
async fn two_clicks_at_once_are_one_answer() {
    let script = Script::new();
    paused(&script, "newest");
    let approve = || {
        script.invoke_in_lockstep(json!({"approve": {"service": "shop/api", "image": "v1.1.0", "hook": "ecs-pause-1"}}))
    };
    let (first, second) = tokio::join!(approve(), approve());
    let mut outcomes = [told(&first.unwrap())[0].clone(), told(&second.unwrap())[0].clone()];
    outcomes.sort();
    assert_eq!(outcomes, ["api continue Deferred", "api continue Done"]);
}

#[tokio::test]
async fn a_reject_takes_the_deployment_back_by_one_call_and_touches_no_setting() {
    let script = Script::new();
    paused(&script, "newest");
    let report = script.invoke(json!({"reject": {"service": "shop/api", "image": "v1.1.0"}})).await.unwrap();
    assert_eq!(told(&report)[..2], ["api reject Done", "api stop Done"]);
    assert_eq!(
        script.sent("StopServiceDeployment"),
        [json!({"serviceDeploymentArn": DEPLOYMENT, "stopType": "ROLLBACK"})]
    );
    assert_eq!((script.count("UpdateService"), script.count("RegisterTaskDefinition")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_ill_in_the_bake_takes_the_deployment_back_while_both_fleets_run() {
    for (health, stopped) in [(vec![503; 10], 1), (vec![200], 0)] {
        let script = Script::new();
        let api = paused(&script, "newest health=https://shop.example/health");
        {
            let mut aws = script.aws();
            aws.health = health;
            let second = aws.services[&api]["taskDefinition"].as_str().unwrap().to_owned();
            let tags =
                aws.task_definitions.iter_mut().find(|(arn, _)| *arn == second).unwrap().1["tags"].as_array_mut();
            tags.unwrap().push(json!({"key": "nightshift-state:health", "value": "well"}));
            let before = aws.history["api"][0]["taskDefinition"].clone();
            let deployments = aws.services.get_mut(&api).unwrap()["deployments"].as_array_mut().unwrap();
            deployments.push(json!({"id": "ecs-svc/1", "status": "ACTIVE", "taskDefinition": before}));
            let shift = aws.shifts.get_mut(DEPLOYMENT).unwrap();
            shift["lifecycleStage"] = json!("BAKE_TIME");
            shift["targetServiceRevision"]["requestedProductionTrafficWeight"] = json!(100.0);
            shift["lifecycleHookDetails"][0]["status"] = json!("SUCCEEDED");
        }
        let report = script.invoke(json!({})).await.unwrap();
        assert_eq!(script.count("StopServiceDeployment"), stopped, "{:?}", told(&report));
        let rejected = script.aws().tag(&api, "nightshift-state:rejected");
        assert_eq!(rejected.is_some_and(|it| it.contains(" by=health")), stopped == 1);
        assert_eq!(script.count("UpdateService"), 0);
    }
}

#[tokio::test]
async fn what_ecs_does_not_let_supersede_is_told_once_and_fails_no_run() {
    let script = Script::new();
    let api = paused(&script, "newest");
    script.aws().shifts.get_mut(DEPLOYMENT).unwrap()["lifecycleHookDetails"][0]["status"] = json!("SUCCEEDED");
    script.push("api", "v1.2.0", 3, 9);
    script.fail("UpdateService", "", 1, 400, "UnsupportedFeatureException");
    let report = script.invoke(json!({})).await.unwrap();
    let problem = report.problems.iter().find(|it| it.problem == "not-superseded").unwrap();
    let says = "ECS does not replace the deployment under way, so the newer image waits for its end";
    assert!(problem.message.contains(says), "{problem:?}");
    assert!(told(&report).contains(&"api deploy Deferred".to_owned()), "{:?}", told(&report));
    // The next run uses the revision that was registered for it.
    let report = script.invoke(json!({})).await.unwrap();
    assert!(told(&report).contains(&"api deploy Done".to_owned()), "{:?}", told(&report));
    assert_eq!((script.count("RegisterTaskDefinition"), script.count("UpdateService")), (1, 2));
    assert_eq!(script.aws().tag(&api, "nightshift-state:rejected"), None);
}

/// The pause of the deployment under way times out, and ECS takes the deployment back.
fn nobody_answers(script: &Script, api: &str) {
    let mut aws = script.aws();
    let first = aws.history["api"][0]["taskDefinition"].clone();
    aws.services.get_mut(api).unwrap()["taskDefinition"] = first.clone();
    aws.services.get_mut(api).unwrap()["deployments"][0]["taskDefinition"] = first;
    aws.history.get_mut("api").unwrap()[1]["status"] = json!("ROLLBACK_SUCCESSFUL");
    let shift = aws.shifts.get_mut(DEPLOYMENT).unwrap();
    shift["status"] = json!("ROLLBACK_SUCCESSFUL");
    shift["lifecycleHookDetails"][0]["status"] = json!("TIMED_OUT");
}

#[tokio::test]
async fn a_pause_that_timed_out_is_told_and_rejects_nothing() {
    let script = Script::new();
    let api = paused(&script, "newest");
    nobody_answers(&script, &api);
    let report = script.invoke(hook_event("HOOK_TIMED_OUT")).await.unwrap();
    assert!(told(&report).iter().any(|it| it.starts_with("api pause-expired: ")), "{:?}", told(&report));
    assert_eq!(script.aws().tag(&api, "nightshift-state:rejected"), None);
    let report = script.invoke(json!({"approve": {"service": "shop/api", "image": "v1.1.0"}})).await.unwrap();
    assert_eq!(told(&report)[..2], ["api approve Done", "api deploy Done"]);
}

#[tokio::test]
async fn a_pause_that_timed_out_rejects_nothing_after_a_later_deployment_either() {
    let script = Script::new();
    let api = paused(&script, "newest");
    nobody_answers(&script, &api);
    {
        let mut aws = script.aws();
        let past = aws.history.get_mut("api").unwrap();
        let first = past[0]["taskDefinition"].clone();
        past.push(json!({"status": "SUCCESSFUL", "createdAt": 1_795_200_000, "taskDefinition": first,
                         "serviceDeploymentArn": format!("{DEPLOYMENT}2")}));
    }
    let report = script.invoke(hook_event("HOOK_TIMED_OUT")).await.unwrap();
    assert_eq!(script.sent("DescribeServiceDeployments")[0], json!({"serviceDeploymentArns": [DEPLOYMENT]}));
    assert_eq!(script.aws().tag(&api, "nightshift-state:rejected"), None, "{:?}", told(&report));
}

#[tokio::test]
async fn a_deployment_that_may_not_be_read_is_waited_for() {
    let script = Script::new();
    paused(&script, "newest");
    script.fail("DescribeServiceDeployments", "", 9, 400, "AccessDeniedException");
    let report = script.invoke(hook_event("HOOK_AWAITING_ACTION")).await.unwrap();
    assert!(report.problems.iter().any(|it| it.problem == "unreadable-deployment"), "{:?}", told(&report));
    assert!(
        told(&report).iter().any(|it| it.contains("v1.1.0") && it.contains("is rolling out")),
        "{:?}",
        told(&report)
    );
}
