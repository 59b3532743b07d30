//! What goes wrong around a deployment: memory without room, a history in pages, a deployment that hangs, runs at once.

use serde_json::{Value, json};

use crate::aws::{Script, digest};
use crate::{deployment_event, push_event, shop, told};

#[tokio::test(start_paused = true)]
async fn a_service_without_room_for_a_tag_is_deployed_all_the_same_and_that_is_told() {
    let script = Script::new();
    let api = shop(&script, "newest");
    script.invoke(push_event("api")).await.unwrap();
    assert_eq!(script.count("UpdateService"), 1);
    script.aws().services.get_mut(&api).unwrap()["deployments"][0]["rolloutState"] = json!("COMPLETED");
    script.push("api", "v1.2.0", 3, 9);
    script.fail("TagResource", "", 999, 400, "InvalidParameterException");
    let report: Value = serde_json::from_str(&script.invoke(push_event("api")).await.unwrap_err()).unwrap();
    let outcomes: Vec<(&str, &str)> = report["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["action"].as_str().unwrap(), it["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(outcomes, [("record-success", "failed"), ("deploy", "done")]);
    assert_eq!(report["actions"][0]["error"]["code"], "InvalidParameterException");
    assert_eq!(script.count("UpdateService"), 2);
}

/// `api` at v1.0.0, to which ECS went back from v1.1.0 long ago.
fn gone_back(script: &Script, earlier: usize) {
    shop(script, "newest");
    let mut aws = script.aws();
    let pinned = format!("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/api@{}", digest(2));
    let tags = json!([{"key": "nightshift-state:image", "value": "v1.1.0"}, {"key": "nightshift-state:previous", "value": "api:1"}]);
    let tried = aws.add_revision(
        "api",
        json!({"containerDefinitions": [{"name": "app", "image": pinned, "essential": true}]}),
        tags,
    );
    let first = tried.replace(":2", ":1").replace("ap-northeast-1", "ap-northeast-2");
    let mut past: Vec<Value> = (0..earlier)
        .map(|it| json!({"status": "SUCCESSFUL", "createdAt": 1_794_000_000 + it, "taskDefinition": first}))
        .collect();
    past.push(json!({"status": "ROLLBACK_SUCCESSFUL", "createdAt": 1_795_001_000, "taskDefinition": tried}));
    aws.history.insert("api".into(), past);
}

#[tokio::test]
async fn the_history_is_read_to_its_end_and_the_order_of_pages_says_nothing() {
    for (earlier, page, empty_page) in [(1, 100, true), (45, 10, false), (45, 10, true)] {
        let script = Script::new();
        gone_back(&script, earlier);
        (script.aws().page, script.aws().empty_page) = (page, empty_page);
        let report = script.invoke(deployment_event("shop/api")).await.unwrap();
        assert_eq!(told(&report)[0], "api reject Done", "{earlier} before it, {page} on a page");
        assert_eq!(script.count("UpdateService"), 0);
    }
}

#[tokio::test]
async fn a_deployment_that_hangs_is_told_whatever_alarms_are_set() {
    for configuration in [json!({"alarms": {"alarmNames": ["api-5xx"], "enable": true, "rollback": true}}), json!({})] {
        let script = Script::new();
        let api = shop(&script, "newest");
        script.aws().services.get_mut(&api).unwrap()["deploymentConfiguration"] = configuration;
        script.invoke(push_event("api")).await.unwrap();
        script.aws().services.get_mut(&api).unwrap()["deployments"][0]["createdAt"] = json!(1_795_009_000);
        script.aws().services.get_mut(&api).unwrap()["events"] =
            json!([{"id": "e", "createdAt": 1_795_100_000, "message": "(service api) was unable to place a task."}]);
        let report = script.invoke(json!({})).await.unwrap();
        assert_eq!(report.problems[0].problem, "stuck");
        assert!(
            report.problems[0].message.contains("ECS says: (service api) was unable to place a task."),
            "{report:?}"
        );
    }
}

#[tokio::test]
async fn five_runs_at_once_make_one_deployment() {
    let script = Script::new();
    shop(&script, "newest");
    let run = || script.invoke(push_event("api"));
    let (a, b, c, d, e) = tokio::join!(run(), run(), run(), run(), run());
    for report in [a, b, c, d, e] {
        assert!(report.is_ok(), "{report:?}");
    }
    assert_eq!(script.count("UpdateService"), 1);
    let report = script.invoke(json!({})).await.unwrap();
    assert!(told(&report)[0].contains("is rolling out"), "{:?}", told(&report));
    assert_eq!(script.count("UpdateService"), 1);
}

#[tokio::test]
async fn runs_in_lockstep_at_every_call_make_one_deployment_of_each_service() {
    for (services, runs) in [(1, 2), (1, 3), (2, 2), (3, 2)] {
        let script = Script::new();
        let api = shop(&script, "newest");
        let revision = script.aws().services[&api]["taskDefinition"].as_str().unwrap().to_owned();
        // Services of one family: their revisions have the same content.
        (1..services).for_each(|it| drop(script.aws().add_service(&format!("shop/api-{it}"), "newest", &revision)));
        let run = || script.invoke_in_lockstep(push_event("api"));
        let reports = match runs {
            2 => <[_; 2]>::from(tokio::join!(run(), run())).to_vec(),
            _ => <[_; 3]>::from(tokio::join!(run(), run(), run())).to_vec(),
        };
        for report in reports {
            assert!(report.is_ok(), "{report:?}");
        }
        // Nothing that ECS offers keeps a run from registering what another one registers in the same moment.
        assert_eq!(script.count("RegisterTaskDefinition"), services * runs);
        assert_eq!(script.count("UpdateService"), services, "{services} services, {runs} runs");
        script.invoke(json!({})).await.unwrap();
        assert_eq!(script.count("UpdateService"), services, "the revision that is left over is not deployed");
        // Nor is it used for the next image.
        script.aws().services.values_mut().for_each(|it| it["deployments"][0]["rolloutState"] = json!("COMPLETED"));
        script.push("api", "v1.2.0", 3, 9);
        let report = script.invoke(push_event("api")).await.unwrap();
        assert!(report.actions.iter().any(|it| it.action == "deploy" && it.after["digest"] == digest(3)), "{report:?}");
        assert_eq!(script.count("UpdateService"), 2 * services);
    }
}

#[tokio::test]
async fn what_another_deployed_since_the_decision_is_not_deployed_over() {
    let script = Script::new();
    let api = shop(&script, "newest");
    // Another run deploys between the decision and the change: the first reading is the decision's.
    script.aws().changes_after_reading = Some(api.clone());
    let report = script.invoke(push_event("api")).await.unwrap();
    assert_eq!(told(&report), ["api deploy Deferred"]);
    assert_eq!((script.count("RegisterTaskDefinition"), script.count("UpdateService")), (0, 0));
}

#[tokio::test]
async fn whatever_the_tag_index_lists_ends_in_the_report() {
    let script = Script::new();
    let api = shop(&script, "newest");
    {
        let mut aws = script.aws();
        let short = "arn:aws:ecs:ap-northeast-2:123456789012:service/old".to_owned();
        aws.services.insert(short, json!({}));
        // An EXTERNAL service before its first task set has neither a task definition nor a deployment.
        let mut external = aws.services[&api].clone();
        external["serviceArn"] = json!(api.replace("shop/api", "shop/external"));
        external["deploymentController"] = json!({"type": "EXTERNAL"});
        external.as_object_mut().unwrap().retain(|key, _| key != "taskDefinition" && key != "deployments");
        aws.services.insert(api.replace("shop/api", "shop/external"), external.clone());
        let mut express = aws.services[&api].clone();
        express["serviceArn"] = json!(api.replace("shop/api", "shop/express"));
        express["resourceManagementType"] = json!("ECS");
        aws.services.insert(api.replace("shop/api", "shop/express"), express);
        // ECS tells of one that it deploys itself no more than that.
        external["serviceArn"] = json!(api.replace("shop/api", "shop/bare"));
        external["deploymentController"] = json!({"type": "ECS"});
        aws.services.insert(api.replace("shop/api", "shop/bare"), external);
    }
    let told = told(&script.invoke(json!({})).await.unwrap());
    for expected in [
        "api deploy Done",
        "old unreadable: the service cannot be read: its ARN names no cluster",
        "external external-controller: ",
        "express express-service: ",
        "bare no-task-definition: ",
    ] {
        assert!(told.iter().any(|it| it.starts_with(expected)), "{expected}: {told:?}");
    }
}

#[tokio::test]
async fn a_status_is_answered_and_neither_changes_nor_remembers_nor_tells_anything() {
    let script = Script::new();
    let api = shop(&script, "newest approval=manual");
    let tags = script.aws().services[&api]["tags"].clone();
    let status = |image: &str| json!({"status": {"service": "shop/api", "image": image}});
    let report = script.invoke(status("v1.1.0")).await.unwrap();
    let said = &report.skipped[0].reason;
    assert!(said.starts_with("waiting: needs-approval: v1.1.0 waits for your approval"), "{said}");
    assert_eq!((report.actions.len(), report.problems.len(), report.skipped.len()), (0, 0, 1));
    assert_eq!(told(&script.invoke(status(&digest(1))).await.unwrap()), ["api skipped: live: v1.0.0 is live"]);
    let refused = script.invoke(json!({"status": {"service": "shop/web", "image": "v1"}})).await.unwrap();
    assert_eq!(refused.refusal(), Some("there is no service shop/web"));
    for operation in ["TagResource", "UntagResource", "UpdateService", "RegisterTaskDefinition", "Publish"] {
        assert_eq!(script.count(operation), 0, "{operation}");
    }
    assert_eq!(script.aws().services[&api]["tags"], tags);
}
