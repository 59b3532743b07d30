//! A group of schedules that follows a service: what is read, what is written back, and what another writer keeps.

use serde_json::{Value, json};

use crate::aws::{Script, digest};
use crate::{deployment_event, told};

const ROLE: &str = "arn:aws:iam::123456789012:role/nightly";
const GROUP: &str = "arn:aws:scheduler:ap-northeast-2:123456789012:schedule-group/jobs";

fn revision(number: u32) -> String {
    format!("arn:aws:ecs:ap-northeast-2:123456789012:task-definition/api:{number}")
}

/// The whole of a schedule as GetSchedule answers it, a field that is younger than this version included.
fn nightly(runs: &str) -> Value {
    json!({
        "Arn": "arn:aws:scheduler:ap-northeast-2:123456789012:schedule/jobs/nightly", "GroupName": "jobs", "Name": "nightly",
        "State": "DISABLED", "ScheduleExpression": "cron(0 3 * * ? *)", "ScheduleExpressionTimezone": "Asia/Seoul",
        "FlexibleTimeWindow": {"Mode": "OFF"}, "StartDate": 1_795_000_000.5, "CreationDate": 1_795_000_000.5,
        "LastModificationDate": 1_795_000_000.5, "Younger": {"than": "this"},
        "Target": {"Arn": "arn:aws:ecs:ap-northeast-2:123456789012:cluster/shop", "RoleArn": ROLE, "Input": "{}",
                   "EcsParameters": {"TaskDefinitionArn": runs, "TaskCount": 1, "LaunchType": "FARGATE"}},
    })
}

/// `shop/api` runs v1.1.0 as api:2, which this function deployed, and the group `jobs` follows it with api:1.
fn shop(script: &Script, verdict: bool) -> String {
    script.push("api", "v1.0.0", 1, 1);
    script.push("api", "v1.1.0", 2, 5);
    let api = script.serve("shop/api", "newest", ":v1.0.0");
    let mut aws = script.aws();
    let image = format!("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/api@{}", digest(2));
    let fields = json!({"containerDefinitions": [{"name": "app", "essential": true, "image": image}]});
    let tags = json!([{"key": "nightshift-state:image", "value": "v1.1.0"}]);
    let second = aws.add_revision("api", fields, tags);
    let pinned = json!({"serviceRevisionArn": "arn:revision/of/api", "taskDefinition": second,
        "containerImages": [{"containerName": "app", "imageDigest": digest(2)}]});
    aws.revisions.insert("arn:revision/of/api".into(), pinned);
    let service = aws.services.get_mut(&api).unwrap();
    service["taskDefinition"] = json!(second);
    service["deployments"][0]["taskDefinition"] = json!(second);
    service["currentServiceRevisions"] = json!([{"arn": "arn:revision/of/api"}]);
    if verdict {
        let won = format!("won {} at=2026-11-20T18:00:00Z", digest(2));
        service["tags"].as_array_mut().unwrap().push(json!({"key": "nightshift-state:verdict", "value": won}));
    }
    aws.groups = json!({"ResourceTagMappingList": [
        {"ResourceARN": GROUP, "Tags": [{"Key": "nightshift:deploy", "Value": "follow=shop/api"}]}], "PaginationToken": ""});
    aws.schedules.insert("nightly".into(), nightly(&revision(1)));
    // Another target than a task of ECS is not touched.
    let mut queue = nightly(&revision(1));
    queue["Name"] = json!("queue");
    queue["Target"] = json!({"Arn": "arn:aws:sqs:ap-northeast-2:123456789012:jobs", "RoleArn": ROLE});
    aws.schedules.insert("queue".into(), queue);
    aws.schedule_roles = ROLE.into();
    api
}

#[tokio::test]
async fn a_schedule_gets_the_revision_and_keeps_everything_else() {
    let script = Script::new();
    shop(&script, true);
    let report = script.invoke(json!({})).await.unwrap();
    assert!(told(&report).contains(&"jobs follow Done".to_owned()), "{:#?}", told(&report));
    let mut expected = nightly(&revision(2));
    let fields = expected.as_object_mut().unwrap();
    ["Arn", "CreationDate", "LastModificationDate"].iter().for_each(|it| drop(fields.remove(*it)));
    assert_eq!(script.sent("UpdateSchedule"), [expected]);
    // The next sweep finds it done.
    let report = script.invoke(json!({})).await.unwrap();
    let done = "jobs skipped: jobs/nightly runs api:2, which shop/api has proven";
    assert!(told(&report).contains(&done.to_owned()), "{:#?}", told(&report));
    assert_eq!(script.count("UpdateSchedule"), 1);
}

#[tokio::test]
async fn the_run_that_finds_the_image_live_moves_the_schedules() {
    let script = Script::new();
    shop(&script, false);
    let report = script.invoke(deployment_event("shop/api")).await.unwrap();
    let done: Vec<String> = told(&report).into_iter().filter(|it| it.ends_with("Done")).collect();
    assert_eq!(done, ["api record-success Done", "jobs follow Done"], "{:#?}", told(&report));
}

#[tokio::test]
async fn what_another_changed_since_the_decision_is_left_to_the_next_run() {
    let script = Script::new();
    shop(&script, true);
    // Terraform moves it to a revision of its own between the decision and the change.
    script.aws().schedule_changes_after_reading = Some(nightly(&revision(7)));
    let report = script.invoke(json!({})).await.unwrap();
    assert!(told(&report).contains(&"jobs follow Deferred".to_owned()), "{:#?}", told(&report));
    assert_eq!(script.count("UpdateSchedule"), 0);
}

#[tokio::test]
async fn without_a_role_nothing_of_it_is_read_and_it_is_told_once() {
    let script = Script::new();
    shop(&script, true);
    script.aws().schedule_roles.clear();
    let report = script.invoke(json!({})).await.unwrap();
    assert!(told(&report).iter().any(|it| it.starts_with("jobs follow-off: ")), "{:#?}", told(&report));
    assert_eq!((script.count("ListSchedules"), script.count("GetSchedule")), (0, 0));
    let noted = script.sent("TagResource").into_iter().find(|it| it["Tags"][0]["Key"] == "nightshift-state:problem");
    assert_eq!(noted.unwrap()["Name"], GROUP);
}

#[tokio::test]
async fn a_refusal_of_scheduler_is_told_and_fails_no_run() {
    for (code, kind) in [("ValidationException", "follow-refused"), ("AccessDeniedException", "denied")] {
        let script = Script::new();
        shop(&script, true);
        script.fail("UpdateSchedule", "", 1, 400, code);
        let report = script.invoke(json!({})).await.unwrap();
        assert!(told(&report).iter().any(|it| it.starts_with(&format!("jobs {kind}: "))), "{:#?}", told(&report));
    }
}
