//! A service that promotes from another one: what is read of that, and what follows in the same run.

use serde_json::{Value, json};

use crate::aws::{Script, digest};
use crate::told;

const STAGING: &str = "arn:aws:ecs:ap-northeast-2:123456789012:service/staging/api";

fn completed() -> Value {
    json!({"version": "0", "source": "aws.ecs", "detail-type": "ECS Deployment State Change", "resources": [STAGING],
           "detail": {"eventType": "INFO", "eventName": "SERVICE_DEPLOYMENT_COMPLETED", "deploymentId": "ecs-svc/1"}})
}

/// `staging/api` runs v1.1.0, which this function deployed, and `production/api` still v1.0.0.
fn staged(script: &Script, rule: &str) -> String {
    script.push("api", "v1.0.0", 1, 1);
    script.push("api", "v1.1.0", 2, 5);
    let production = script.serve("production/api", rule, ":v1.0.0");
    {
        let mut aws = script.aws();
        let image = format!("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/api@{}", digest(2));
        let fields = json!({"containerDefinitions": [{"name": "app", "essential": true, "image": image}]});
        let tags = json!([{"key": "nightshift-state:image", "value": "v1.1.0"}]);
        let revision = aws.add_revision("staging-api", fields, tags);
        let staging = aws.add_service("staging/api", "newest", &revision);
        let pinned = json!({"serviceRevisionArn": "arn:revision/of/staging", "taskDefinition": revision,
            "containerImages": [{"containerName": "app", "imageDigest": digest(2)}]});
        aws.revisions.insert("arn:revision/of/staging".into(), pinned);
        let service = aws.services.get_mut(&staging).unwrap();
        service["currentServiceRevisions"] = json!([{"arn": "arn:revision/of/staging"}]);
    }
    production
}

#[tokio::test]
async fn what_follows_a_service_gets_its_image_in_the_run_that_finds_it_live() {
    let script = Script::new();
    staged(&script, "promote from=staging/api soak=0h");
    let report = script.invoke(completed()).await.unwrap();
    let done: Vec<String> = told(&report).into_iter().filter(|it| it.ends_with("Done")).collect();
    assert_eq!(done, ["api record-success Done", "api deploy Done"], "{:#?}", told(&report));
    let deployed = &report.actions[1];
    assert!(deployed.resource.ends_with("service/production/api"), "{}", deployed.resource);
    assert_eq!(deployed.after["digest"], digest(2));
    let of_rules =
        script.sent("GetResources").into_iter().filter(|it| it["TagFilters"] == json!([{"Key": "nightshift:deploy"}]));
    assert_eq!(of_rules.count(), 2, "once for whether anything follows, and once for what");
}

#[tokio::test]
async fn a_run_that_finds_nothing_live_looks_for_no_followers() {
    let script = Script::new();
    staged(&script, "promote from=staging/api soak=0h");
    script.invoke(completed()).await.unwrap();
    let before = script.count("GetResources");
    script.invoke(completed()).await.unwrap();
    assert_eq!(script.count("GetResources"), before);
}

#[tokio::test]
async fn a_soak_is_counted_in_a_tag_and_an_alarm_that_names_the_service_begins_it_anew() {
    let script = Script::new();
    let production = staged(&script, "promote from=staging/api soak=24h");
    let alarm = |fired: &str| {
        json!({"ResourceTagMappingList": [{"ResourceARN": "arn:aws:cloudwatch:ap-northeast-2:123456789012:alarm:api-5xx",
            "Tags": [{"Key": "nightshift:remedy", "Value": "restart service=staging/api"},
                     {"Key": "nightshift-state:remedied", "Value": format!("left fired={fired}")}]}], "PaginationToken": ""})
    };
    script.aws().alarms = alarm("2020-11-20T18:00:00Z");
    let report = script.invoke(json!({})).await.unwrap();
    let skipped = "api skipped: v1.1.0 soaks on staging/api: live for 0 of 24 hours awake; it is deployed ";
    assert!(told(&report).iter().any(|it| it.starts_with(skipped)), "{:#?}", told(&report));
    let count = script.aws().tag(&production, "nightshift-state:soak").unwrap();
    assert!(count.starts_with(&format!("{} of=", digest(2))) && count.contains(" minutes=0 at="), "{count}");
    assert_eq!(script.count("UpdateService"), 0);

    // Found later to have gone into ALARM after the count began.
    let earlier = count.split(" since=").next().unwrap().to_owned();
    let value = format!("{earlier} since=2026-01-01T00:00:00Z minutes=700");
    {
        let mut aws = script.aws();
        aws.alarms = alarm("2026-01-02T00:00:00Z");
        let tags = aws.services.get_mut(&production).unwrap()["tags"].as_array_mut().unwrap();
        tags.iter_mut().filter(|it| it["key"] == "nightshift-state:soak").for_each(|it| it["value"] = json!(value));
    }
    let report = script.invoke(json!({"resource": production})).await.unwrap();
    let counted = report.actions.iter().find(|it| it.action == "count-soak").unwrap();
    assert_eq!(counted.reason, "counted anew, since the alarm api-5xx fired");
}
