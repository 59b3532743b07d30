//! `health=targets` through the Query API of the load balancers.

use serde_json::{Value, json};

use crate::aws::{Script, digest};
use crate::{deployment_event, push_event, shop, told};

fn group(name: &str) -> String {
    format!("arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:targetgroup/{name}/6d0e")
}

/// `api` behind the target group `blue`, whose targets are in these states, one after the other.
fn balanced(states: Vec<&'static str>) -> (Script, String) {
    let script = Script::new();
    let api = shop(&script, "newest health=targets");
    let mut aws = script.aws();
    aws.services.get_mut(&api).unwrap()["loadBalancers"] =
        json!([{"targetGroupArn": group("blue"), "containerName": "app", "containerPort": 80}]);
    aws.targets.insert(group("blue"), states);
    drop(aws);
    (script, api)
}

/// The deployment of v1.1.0 has completed.
fn completed(script: &Script, api: &str) {
    let mut aws = script.aws();
    aws.services.get_mut(api).unwrap()["deployments"][0]["rolloutState"] = json!("COMPLETED");
    let revision = |number| format!("arn:aws:ecs:ap-northeast-2:123456789012:task-definition/api:{number}");
    let past = [2, 1].map(|number| {
        json!({"status": "SUCCESSFUL", "createdAt": 1_795_000_200 + number * 1000, "taskDefinition": revision(number)})
    });
    aws.history.insert("api".into(), past.to_vec());
}

#[tokio::test(start_paused = true)]
async fn healthy_targets_before_and_after_make_an_image_live() {
    let (script, api) = balanced(vec!["healthy"]);
    script.invoke(push_event("api")).await.unwrap();
    completed(&script, &api);
    let report = script.invoke(deployment_event("shop/api")).await.unwrap();
    assert_eq!(told(&report)[0], "api record-success Done");
    assert_eq!((script.count("DescribeTargetHealth"), script.count("GET")), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn targets_that_are_unhealthy_in_two_looks_take_the_image_back() {
    let (script, api) = balanced(vec!["healthy", "unhealthy"]);
    script.invoke(push_event("api")).await.unwrap();
    completed(&script, &api);
    let report = script.invoke(deployment_event("shop/api")).await.unwrap();
    assert_eq!(told(&report), ["api reject Done", "api roll-back Done"]);
    let why = "v1.1.0 was deployed but failed its health check twice: 1 of 1 targets of the target group blue are unhealthy: \
               Target.Timeout";
    assert_eq!(report.actions[0].reason, why);
    assert_eq!(script.count("DescribeTargetHealth"), 3);
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_read_holds_an_image_and_rejects_none() {
    let (script, api) = balanced(vec!["healthy"]);
    script.fail("DescribeTargetHealth", "", 1, 403, "AccessDenied");
    let held = told(&script.invoke(push_event("api")).await.unwrap());
    let denied = format!(
        "api unreadable-health: whether it is well cannot be read: DescribeTargetHealth {}: AccessDenied",
        group("blue")
    );
    assert!(held[0].starts_with(&denied), "{held:?}");
    assert_eq!(script.count("UpdateService"), 0);

    script.invoke(push_event("api")).await.unwrap();
    completed(&script, &api);
    script.fail("DescribeTargetHealth", "", 9, 403, "AccessDenied");
    let held = told(&script.invoke(deployment_event("shop/api")).await.unwrap());
    assert!(held.iter().any(|it| it.starts_with(&denied)), "{held:?}");
    assert_eq!((script.count("UpdateService"), script.aws().tag(&api, "nightshift-state:rejected")), (1, None));
}

#[tokio::test(start_paused = true)]
async fn where_two_groups_alternate_the_one_of_the_revision_in_use_is_asked() {
    let (script, api) = balanced(vec!["unhealthy"]);
    {
        let mut aws = script.aws();
        aws.targets.insert(group("green"), vec!["healthy"]);
        let service = aws.services.get_mut(&api).unwrap();
        service["loadBalancers"][0]["advancedConfiguration"] = json!({"alternateTargetGroupArn": group("green")});
        let revision = "arn:aws:ecs:ap-northeast-2:123456789012:service-revision/shop/api/1";
        service["currentServiceRevisions"] = json!([{"arn": revision}]);
        let in_use = service["taskDefinition"].clone();
        aws.revisions.insert(
            revision.into(),
            json!({"serviceRevisionArn": revision, "taskDefinition": in_use,
                   "resolvedConfiguration": {"loadBalancers": [{"targetGroupArn": group("green")}]}}),
        );
    }
    script.invoke(push_event("api")).await.unwrap();
    let asked: Vec<Value> =
        script.sent("DescribeTargetHealth").into_iter().map(|it| it["TargetGroupArn"].clone()).collect();
    assert_eq!(asked, [json!(group("green"))]);
    let memory = &script.sent("RegisterTaskDefinition")[0]["tags"];
    let well = json!({"key": "nightshift-state:health", "value": "well"});
    assert!(memory.as_array().unwrap().contains(&well), "{memory} {}", digest(2));
}
