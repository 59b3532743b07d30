//! The check after a deployment, through a connector that answers from the script.

use serde_json::json;

use crate::aws::{Script, digest};
use crate::{deployment_event, push_event, shop, told};

const RULE: &str = "newest health=https://shop.example/health";

/// `api`, whose address answered so before v1.1.0 was deployed, which has rolled out.
async fn deployed(before: Vec<u16>) -> (Script, String) {
    let script = Script::new();
    let api = shop(&script, RULE);
    script.aws().health = before;
    script.invoke(push_event("api")).await.unwrap();
    script.aws().asked.clear();
    let mut aws = script.aws();
    aws.services.get_mut(&api).unwrap()["deployments"][0]["rolloutState"] = json!("COMPLETED");
    let revision = |number| format!("arn:aws:ecs:ap-northeast-2:123456789012:task-definition/api:{number}");
    aws.history.insert(
        "api".into(),
        vec![
            json!({"status": "SUCCESSFUL", "createdAt": 1_795_000_200, "taskDefinition": revision(1)}),
            json!({"status": "SUCCESSFUL", "createdAt": 1_795_009_000, "taskDefinition": revision(2)}),
        ],
    );
    drop(aws);
    (script, api)
}

#[tokio::test(start_paused = true)]
async fn one_good_answer_of_five_is_enough() {
    let (script, api) = deployed(vec![200]).await;
    script.aws().health = vec![503, 0, 302, 404, 204];
    let report = script.invoke(deployment_event("shop/api")).await.unwrap();
    assert_eq!(told(&report)[0], "api record-success Done");
    assert_eq!(script.sent("GET"), vec![json!("https://shop.example/health"); 5]);
    assert!(script.aws().tag(&api, "nightshift-state:verdict").unwrap().contains(&digest(2)));
    // It is remembered, so that the sweep asks no more.
    script.invoke(json!({})).await.unwrap();
    assert_eq!(script.count("GET"), 5);
}

#[tokio::test(start_paused = true)]
async fn ten_bad_answers_in_two_looks_roll_the_service_back() {
    for (last, said) in
        [(503, "503"), (301, "301, and redirects are not followed"), (0, "no answer: as the script says")]
    {
        for sweep in [false, true] {
            let (script, api) = deployed(vec![503, 200]).await;
            script.aws().health = vec![500, 500, 500, 500, 500, 500, 500, 500, 500, last];
            let event = if sweep { json!({}) } else { deployment_event("shop/api") };
            let report = script.invoke(event).await.unwrap();
            assert_eq!(told(&report), ["api reject Done", "api roll-back Done"]);
            let why = format!(
                "v1.1.0 was deployed but failed its health check twice: GET https://shop.example/health, asked 5 times over 30 seconds, last: {said}"
            );
            assert_eq!(report.actions[0].reason, why);
            assert!(script.aws().tag(&api, "nightshift-state:rejected").unwrap().contains(" by=health"));
            assert!(script.sent("UpdateService")[1]["taskDefinition"].as_str().unwrap().ends_with("/api:1"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_private_address_is_not_asked_and_rolls_nothing_back() {
    let (script, api) = deployed(vec![200]).await;
    script.aws().services.get_mut(&api).unwrap()["tags"][0]["value"] = json!("newest health=https://10.0.0.7/health");
    let held = told(&script.invoke(deployment_event("shop/api")).await.unwrap());
    assert!(
        held.iter().any(|it| it.starts_with("api health-refused: ") && it.contains("10.0.0.7 is not a public address")),
        "{held:?}"
    );
    assert_eq!((script.count("GET"), script.count("UpdateService")), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_bad_answer_is_looked_at_again_after_a_minute_and_only_if_all_tasks_still_run() {
    let (script, _) = deployed(vec![200]).await;
    script.aws().health = vec![503, 503, 503, 503, 503, 200];
    let begun = tokio::time::Instant::now();
    let report = script.invoke(deployment_event("shop/api")).await.unwrap();
    assert_eq!(told(&report)[0], "api record-success Done");
    assert_eq!(begun.elapsed(), std::time::Duration::from_secs(90));

    let (script, api) = deployed(vec![200]).await;
    script.aws().health = vec![503; 5];
    script.aws().changes_after_reading = Some(api.clone());
    let report = script.invoke(deployment_event("shop/api")).await.unwrap();
    assert!(told(&report)[0].contains("goes on when the next run has asked"), "{:?}", told(&report));
    assert_eq!(script.count("UpdateService"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_ill_before_is_deployed_and_not_judged() {
    let (script, api) = deployed(vec![503; 5]).await;
    let tags = script.sent("RegisterTaskDefinition")[0]["tags"].to_string();
    assert!(tags.contains(r#"{"key":"nightshift-state:health","value":"ill"}"#), "{tags}");
    let report = script.invoke(deployment_event("shop/api")).await.unwrap();
    assert_eq!(told(&report)[0], "api record-success Done");
    assert_eq!(script.count("GET"), 0);
    assert!(script.aws().tag(&api, "nightshift-state:rejected").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_private_address_holds_an_image_until_a_person_lets_it_out() {
    let script = Script::new();
    shop(&script, "newest health=https://10.0.0.7/health");
    let held = told(&script.invoke(push_event("api")).await.unwrap());
    assert!(held[0].starts_with("api health-refused: v1.1.0 is not deployed: "), "{held:?}");
    let approve = json!({"approve": {"service": "shop/api", "image": digest(2)}});
    let report = script.invoke(approve).await.unwrap();
    assert_eq!(told(&report)[..2], ["api approve Done", "api deploy Done"]);
    assert_eq!(script.count("GET"), 0);
}
