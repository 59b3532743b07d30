//! The migration's task: how it is started, found again and read.

use serde_json::{Value, json};

use crate::aws::{Script, digest};
use crate::{push_event, shop, told};

const REGISTRY: &str = "123456789012.dkr.ecr.ap-northeast-2.amazonaws.com";

/// `api` with v1.1.0 pushed and a migration in a network of its own.
fn migrated_shop(rule: &str) -> (Script, String) {
    let script = Script::new();
    let api = shop(&script, rule);
    let fields = json!({"networkMode": "awsvpc", "containerDefinitions": [
        {"name": "migrate", "image": format!("{REGISTRY}/api:v1.0.0"), "essential": true},
        {"name": "log", "image": "fluent-bit:2", "essential": false}]});
    script.aws().add_revision("migrate", fields, json!([]));
    {
        let mut aws = script.aws();
        let service = aws.services.get_mut(&api).unwrap();
        service["launchType"] = json!("FARGATE");
        service["platformVersion"] = json!("LATEST");
        service["networkConfiguration"] = json!({"awsvpcConfiguration":
            {"subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}});
    }
    (script, api)
}

fn stopped_event() -> Value {
    json!({"version": "0", "source": "aws.ecs", "detail-type": "ECS Task State Change", "resources": [],
           "detail": {"lastStatus": "STOPPED", "startedBy": "ns-x", "taskArn": "arn:task",
                      "taskDefinitionArn": "arn:aws:ecs:ap-northeast-2:123456789012:task-definition/migrate:2"}})
}

/// The task stops, its containers with these exit codes.
fn stop(script: &Script, containers: Value) {
    for task in script.aws().tasks.values_mut() {
        task["desiredStatus"] = json!("STOPPED");
        task["lastStatus"] = json!("STOPPED");
        task["stopCode"] = json!("EssentialContainerExited");
        task["stoppedReason"] = json!("Essential container in task exited");
        task["stoppedAt"] = json!(1_795_010_000.5);
        task["containers"] = containers.clone();
    }
}

#[tokio::test]
async fn the_task_starts_where_and_how_the_services_own_tasks_do() {
    let (script, api) = migrated_shop("newest migrate=migrate");
    let report = script.invoke(push_event("api")).await.unwrap();
    assert_eq!(told(&report), ["api migrate Done"]);
    assert_eq!(report.actions[0].after["task"], "1");
    assert_eq!(report.actions[0].after["task_definition"], "migrate:2");
    let sent = &script.sent("RunTask")[0];
    let run = sent["startedBy"].as_str().unwrap();
    assert!(run.starts_with("ns-000000000000-") && run.len() <= 36, "{run}");
    let expected = json!({"cluster": "shop", "count": 1, "launchType": "FARGATE", "platformVersion": "LATEST",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"],
                                                         "assignPublicIp": "DISABLED"}},
        "startedBy": run, "clientToken": run, "taskDefinition": "arn:aws:ecs:ap-northeast-2:123456789012:task-definition/migrate:2"});
    assert_eq!(*sent, expected);
    let registered = &script.sent("RegisterTaskDefinition")[0];
    assert_eq!(registered["containerDefinitions"][0]["image"], format!("{REGISTRY}/api@{}", digest(2)));
    assert_eq!(registered["containerDefinitions"][1]["image"], "fluent-bit:2");

    let mark = script.aws().tag(&api, "nightshift-state:migrating").unwrap();
    let expected = format!(
        "{run} since=2026-11-20T18:10:00Z task=arn:aws:ecs:ap-northeast-2:123456789012:task/shop/1 family=migrate"
    );
    assert_eq!(mark, expected);

    // Again, and once more by the sweep: it runs, and nothing else happens.
    for payload in [push_event("api"), json!({})] {
        let report = script.invoke(payload).await.unwrap();
        assert_eq!(
            told(&report),
            [
                "api skipped: v1.1.0 waits for its migration: migrate is running (task 1). It goes on when the task has ended"
            ]
        );
    }
    stop(&script, json!([{"name": "migrate", "exitCode": 0}, {"name": "log", "exitCode": 137}]));
    let report = script.invoke(stopped_event()).await.unwrap();
    assert_eq!(told(&report), ["api record-migration Done", "api mark-migration Done", "api deploy Done"]);
    assert!(script.aws().tag(&api, "nightshift-state:migrating").is_none());
    assert!(script.aws().tag(&api, "nightshift-state:migrated").unwrap().starts_with(&format!("{run} at=")));
    assert_eq!((script.count("RunTask"), script.count("UpdateService")), (1, 1));
}

#[tokio::test]
async fn a_strategy_of_machines_is_kept_and_spot_is_not_and_no_network_is_named_where_there_is_none() {
    for (providers, launch_type, expected) in [
        (json!([{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]), json!("FARGATE"), Value::Null),
        (
            json!([{"capacityProvider": "machines", "weight": 1, "base": 0}]),
            Value::Null,
            json!([{"capacityProvider": "machines", "weight": 1, "base": 0}]),
        ),
    ] {
        let (script, api) = migrated_shop("newest migrate=migrate");
        {
            let mut aws = script.aws();
            let service = aws.services.get_mut(&api).unwrap();
            service["capacityProviderStrategy"] = providers;
            aws.task_definitions.last_mut().unwrap().1["taskDefinition"]["networkMode"] = json!("bridge");
        }
        script.invoke(push_event("api")).await.unwrap();
        let sent = &script.sent("RunTask")[0];
        assert_eq!((&sent["launchType"], &sent["capacityProviderStrategy"]), (&launch_type, &expected));
        assert_eq!(sent["networkConfiguration"], Value::Null);
    }
}

#[tokio::test]
async fn where_ecs_has_no_room_the_task_is_asked_for_again_with_another_token() {
    let (script, api) = migrated_shop("newest migrate=migrate");
    script.aws().no_capacity = true;
    let report: Value = serde_json::from_str(&script.invoke(push_event("api")).await.unwrap_err()).unwrap();
    let message = report["actions"][0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("no task was started: RESOURCE:CPU (no room)"), "{message}");
    assert!(script.aws().tag(&api, "nightshift-state:migrating").unwrap().ends_with(" start=refused"));
    assert_eq!(told(&script.invoke(json!({})).await.unwrap()), ["api migrate Done"]);
    let tokens: Vec<Value> = script.sent("RunTask").iter().map(|it| it["clientToken"].clone()).collect();
    assert!(tokens[0] != tokens[1] && tokens[1].as_str().unwrap().len() <= 64, "{tokens:?}");
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_cannot_be_written_is_told_and_the_task_found_again() {
    let (script, api) = migrated_shop("newest migrate=migrate");
    script.fail("TagResource", "migrating", 2, 400, "InvalidParameterException");
    let report: Value = serde_json::from_str(&script.invoke(push_event("api")).await.unwrap_err()).unwrap();
    assert_eq!(report["actions"][0]["error"]["code"], "InvalidParameterException");
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report)[0], "api mark-migration Done");
    assert_eq!(script.count("RunTask"), 1);
    assert!(script.aws().tag(&api, "nightshift-state:migrating").unwrap().contains("task="));
}

#[tokio::test]
async fn a_failed_migration_is_found_by_the_sweep_and_the_image_is_rejected() {
    let (script, api) = migrated_shop("newest migrate=migrate");
    script.invoke(push_event("api")).await.unwrap();
    stop(
        &script,
        json!([{"name": "migrate", "exitCode": 2, "reason": "OutOfMemoryError"}, {"name": "log", "exitCode": 0}]),
    );
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report)[0], "api reject Done");
    let reason = "the migration of v1.1.0 failed: migrate, container migrate exited with 2 (OutOfMemoryError): \
                  Essential container in task exited; task 1";
    assert_eq!(report.actions[0].reason, reason);
    assert!(script.aws().tag(&api, "nightshift-state:rejected").unwrap().contains(" by=migration"));
    script.invoke(push_event("api")).await.unwrap();
    assert_eq!((script.count("RunTask"), script.count("UpdateService")), (1, 0));
}

#[tokio::test]
async fn every_page_of_tasks_is_read() {
    let (script, _) = migrated_shop("newest migrate=migrate");
    {
        let mut aws = script.aws();
        aws.page = 1;
        for number in 0..3 {
            let arn = format!("arn:aws:ecs:ap-northeast-2:123456789012:task/shop/other-{number}");
            let status = if number == 2 { "RUNNING" } else { "STOPPED" };
            let definition = "arn:aws:ecs:ap-northeast-2:123456789012:task-definition/migrate:1";
            aws.tasks.insert(
                arn.clone(),
                json!({"taskArn": arn, "taskDefinitionArn": definition, "desiredStatus": "STOPPED",
                                                 "lastStatus": status}),
            );
        }
    }
    let report = script.invoke(push_event("api")).await.unwrap();
    assert_eq!(
        told(&report),
        [
            "api skipped: v1.1.0 waits: migrate still runs for another image (task other-2). It goes on when that task has ended"
        ]
    );
    assert_eq!((script.count("ListTasks"), script.count("DescribeTasks")), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn what_ecs_refuses_is_told_and_nothing_goes_out() {
    let (script, _) = migrated_shop("newest migrate=migrate");
    script.fail("ListTasks", "", 99, 400, "AccessDeniedException");
    let held = told(&script.invoke(push_event("api")).await.unwrap());
    assert!(held[0].starts_with("api unreadable-migration: how its migration stands cannot be read: ListTasks shop/migrate: AccessDeniedException"), "{held:?}");

    let (script, _) = migrated_shop("newest migrate=nothing");
    let held = told(&script.invoke(push_event("api")).await.unwrap());
    assert!(
        held[0].starts_with("api unreadable-migration: how its migration stands cannot be read: DescribeTaskDefinition nothing: ClientException"),
        "{held:?}"
    );

    let (script, _) = migrated_shop("newest migrate=migrate");
    script.fail("RunTask", "", 1, 400, "ConflictException");
    let report = script.invoke(push_event("api")).await.unwrap();
    assert_eq!(report.actions[0].after["task"], "started by another run");

    let (script, _) = migrated_shop("newest migrate=migrate");
    script.fail("RunTask", "", 1, 400, "AccessDeniedException");
    let denied = told(&script.invoke(push_event("api")).await.unwrap());
    assert!(denied.iter().any(|it| it.starts_with("api denied: RunTask migrate: AccessDeniedException")), "{denied:?}");
    // The revision that was registered in vain is used by the next run.
    assert_eq!(told(&script.invoke(json!({})).await.unwrap()), ["api migrate Done"]);
    assert_eq!((script.count("RegisterTaskDefinition"), script.count("UpdateService")), (1, 0));
}

#[tokio::test]
async fn a_migration_shared_with_a_service_that_remembers_it_is_not_run_for_the_one_that_is_woken_alone() {
    let (script, api) = migrated_shop("newest migrate=migrate");
    let worker = script.serve("shop/worker", "newest migrate=migrate", ":v1.0.0");
    script.push("worker", "v1.0.0", 1, 1);
    script.push("worker", "v1.1.0", 2, 5);
    script.invoke(push_event("api")).await.unwrap();
    stop(&script, json!([{"name": "migrate", "exitCode": 0}]));
    script.invoke(push_event("api")).await.unwrap();
    assert!(script.aws().tag(&api, "nightshift-state:migrated").is_some());
    script.aws().tasks.clear();
    let report = script.invoke(json!({"resource": worker})).await.unwrap();
    assert_eq!(told(&report), ["worker record-migration Done", "worker deploy Done"]);
    assert_eq!(script.count("RunTask"), 1);
}
