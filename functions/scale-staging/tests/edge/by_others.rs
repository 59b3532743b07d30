//! What others do meanwhile: CodeDeploy, scheduled actions, and ECS when tasks do not start.

use serde_json::json;

use super::{EVENING, HOURS, MORNING, told};
use crate::aws::{ASLEEP, SCHEDULE, Script};

#[tokio::test]
async fn a_deployment_of_codedeploy_is_waited_for_in_the_evening_and_in_the_morning() {
    let deploying = |script: &Script, api: &str, created: i64| {
        let set = |status: &str, at: i64| json!({"status": status, "stabilityStatus": "STABILIZING", "createdAt": at});
        let mut aws = script.aws();
        let service = aws.services.get_mut(api).unwrap();
        service["deployments"] = json!([]);
        service["deploymentController"] = json!({"type": "CODE_DEPLOY"});
        service["taskSets"] = json!([set("PRIMARY", 1_795_000_000), set("ACTIVE", created)]);
    };
    let script = Script::new();
    let api = script.serve("shop/api", HOURS, 2);
    // 19:58 on that Friday.
    deploying(&script, &api, 1_795_172_280);
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    assert_eq!((told(&report), script.sent("TagResource").len()), (vec![], 0));
    assert!(report.skipped[0].reason.starts_with("a deployment is in progress, which the next run looks at again"));

    let script = Script::new();
    let api = script.serve("shop/api", HOURS, 2);
    script.invoke(EVENING, json!({})).await.unwrap();
    // 07:58 on the Monday.
    deploying(&script, &api, 1_795_388_280);
    let report = script.invoke(MORNING, json!({})).await.unwrap();
    assert_eq!(told(&report), [""; 0]);
    assert_eq!(script.aws().services[&api]["desiredCount"], 0);
}

#[tokio::test]
async fn a_target_with_scheduled_actions_of_its_own_is_not_suspended() {
    let script = Script::new();
    script.serve("shop/api", HOURS, 2);
    script.scale("shop/api", 1, 4);
    let action = |name: &str, end: Option<i64>| {
        json!({"ScheduledActionName": name, "ScheduledActionARN": "arn:action", "ServiceNamespace": "ecs",
               "ResourceId": "service/shop/api", "ScalableDimension": "ecs:service:DesiredCount",
               "Schedule": "cron(0 8 * * ? *)", "CreationTime": 1_790_000_000, "EndTime": end})
    };
    script.aws().scheduled_actions = vec![action("over", Some(1_790_000_100)), action("up-at-8", None)];
    let report = script.invoke(EVENING, json!({})).await.unwrap();
    assert!(told(&report)[0].starts_with(
        "api scheduled-actions: its scaling target has a schedule of its own (the scheduled action up-at-8)"
    ));
    assert_eq!((script.sent("RegisterScalableTarget").len(), script.sent("UpdateService").len()), (0, 0));
    // Where only what has ended is left, it sleeps.
    script.aws().scheduled_actions.truncate(1);
    let report = script.invoke("2026-11-20T20:05", json!({})).await.unwrap();
    assert_eq!(told(&report), ["api sleep Done"]);
}

#[tokio::test]
async fn a_service_whose_tasks_do_not_start_is_told_with_the_words_of_ecs() {
    let script = Script::new();
    let api = script.serve("shop/api", HOURS, 2);
    script.invoke(EVENING, json!({})).await.unwrap();
    script.invoke(MORNING, json!({})).await.unwrap();
    {
        let mut aws = script.aws();
        let service = aws.services.get_mut(&api).unwrap();
        service["runningCount"] = json!(0);
        service["events"] = json!([{"id": "1", "createdAt": 1_795_389_000,
            "message": "(service api) was unable to place a task because no container instance met all of its requirements."}]);
    }
    let report = script.invoke("2026-11-23T08:20", json!({})).await.unwrap();
    let expected = "api not-up: it was woken with 2 tasks, and fewer run; ECS says: (service api) was unable to place a task \
                    because no container instance met all of its requirements.";
    assert_eq!(told(&report), [expected]);
    assert_eq!(script.sent("DescribeServices").len(), 3, "in between nothing is due");
}

#[tokio::test]
async fn a_memory_that_terraform_took_away_is_restored_from_the_scaling_target() {
    let script = Script::new();
    let api = script.serve("shop/api", HOURS, 3);
    script.scale("shop/api", 2, 6);
    script.invoke(EVENING, json!({})).await.unwrap();
    let memory = script.aws().tag(&api, ASLEEP).unwrap();
    // Within the hour it is looked at, and the copy made once.
    for minute in (15..75).step_by(5) {
        script.invoke(&format!("2026-11-20T{}:{:02}", 20 + minute / 60, minute % 60), json!({})).await.unwrap();
    }
    let copied = script.sent("TagResource").into_iter().filter(|it| it["Tags"] == json!({ASLEEP: memory}));
    assert_eq!(copied.count(), 1);
    script.aws().services.get_mut(&api).unwrap()["tags"] = json!([{"key": SCHEDULE, "value": HOURS}]);
    let report = script.invoke("2026-11-21T03:00", json!({})).await.unwrap();
    assert_eq!((told(&report), script.aws().tag(&api, ASLEEP)), (vec!["api remember Done".to_owned()], Some(memory)));
    script.invoke(MORNING, json!({})).await.unwrap();
    assert_eq!(script.aws().services[&api]["desiredCount"], 3);
    assert_eq!(script.aws().targets["service/shop/api"]["MinCapacity"], 2);
    // One that may not be read is told, and nothing is done.
    script.invoke("2026-11-23T20:00", json!({})).await.unwrap();
    script.aws().services.get_mut(&api).unwrap()["tags"] = json!([{"key": SCHEDULE, "value": HOURS}]);
    script.fail("ListTagsForResource", "", 1, 400, "AccessDeniedException");
    let report = script.invoke("2026-11-24T03:00", json!({})).await.unwrap();
    assert!(told(&report)[0].starts_with("api memory-lost: "), "{:?}", told(&report));
}
