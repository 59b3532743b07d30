//! The whole function from payload to report, with the real SDK on a scripted EC2, Systems Manager and ECR.

#![recursion_limit = "256"]

mod aws;

use deploy_compose::{Clients, handle};
use reconcile::Report;
use serde_json::{Value, json};
use testkit::scripted::{Script, TOPIC, told};

use aws::{Aws, DOCUMENT, digest};

const RULE: &str =
    "newest repository=team/api path=/srv/app service=api health=http://localhost:3000/health migrate=migrate wait=60s";

async fn invoke(script: &Script<Aws>, time: &str, payload: Value) -> Result<Report, String> {
    let now = format!("2026-11-21T{time}+09:00");
    let variables = [
        ("NIGHTSHIFT_TIME_ZONE", "Asia/Seoul"),
        ("NIGHTSHIFT_TOPIC_ARN", TOPIC),
        ("NIGHTSHIFT_COMPOSE_DOCUMENT", DOCUMENT),
        ("NIGHTSHIFT_NOW", now.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "nightshift-deploy-compose"),
    ];
    let sdk = script.sdk();
    let answer = runtime::invoke_once("deploy-compose", &sdk, &variables, Clients::new, handle, payload);
    answer.await.map_err(|it| it.error_message)
}

async fn run(script: &Script<Aws>, time: &str) -> Vec<String> {
    told(&invoke(script, time, json!({})).await.unwrap())
}

/// After the first look, of which people hear nothing.
async fn known() -> Script<Aws> {
    let script = Script::new(Aws::shop(RULE));
    assert_eq!(run(&script, "10:00:00").await, ["look Done"]);
    script.aws().end("running", Some(1));
    assert_eq!(run(&script, "10:01:00").await, ["record-image Done"]);
    assert_eq!(script.count("Publish"), 0);
    script
}

#[tokio::test(start_paused = true)]
async fn an_image_goes_out_as_parameters_of_the_document_to_one_instance() {
    let script = known().await;
    script.aws().push(2);
    assert_eq!(run(&script, "10:02:00").await, ["deploy Done"]);
    let sent = script.bodies("SendCommand").pop().unwrap();
    assert_eq!(sent["DocumentName"], DOCUMENT);
    assert_eq!((&sent["InstanceIds"], &sent["TimeoutSeconds"]), (&json!(["i-0abc"]), &json!(600)));
    let key = sent["Comment"].as_str().unwrap().to_owned();
    let image = format!("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/team/api@{}", digest(2));
    assert_eq!(
        sent["Parameters"],
        json!({
            "Mode": ["deploy"], "Path": ["/srv/app"], "Service": ["api"], "Image": [image],
            "Health": ["http://localhost:3000/health"], "Wait": ["60"], "Migrate": ["migrate"], "Key": [key],
        })
    );
    // What is sent was written down before.
    assert!(script.aws().tags["nightshift-state:command"].contains(&key));
    // While it is under way nothing else is sent.
    assert!(run(&script, "10:03:00").await.is_empty());
    assert_eq!(script.count("SendCommand"), 2);
    script.aws().end("deployed", Some(2));
    assert_eq!(run(&script, "10:04:00").await, ["record-success Done"]);
    assert!(script.aws().tags["nightshift-state:runs"].starts_with(&digest(2)));
    assert!(!script.aws().tags.contains_key("nightshift-state:command"));
    let message = script.sent("Publish")[0].text("Message").to_owned();
    assert!(message.contains("api on web-1: v1.2 is live") && message.contains("4 s without an answer"), "{message}");
    assert!(run(&script, "10:05:00").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_group_knows_of_an_image_before_it_is_sent_and_of_what_came_of_it() {
    let mut aws = Aws::shop(RULE);
    aws.tags.insert("aws:autoscaling:groupName".into(), "web".into());
    aws.group.insert("nightshift:deploy".into(), RULE.into());
    let script = Script::new(aws);
    run(&script, "10:00:00").await;
    script.aws().end("running", Some(1));
    script.aws().push(2);
    // Where a policy forbids it, that is told once, and nothing is sent.
    for time in ["10:00:20", "10:00:40"] {
        script.refuse("CreateOrUpdateTags", "nightshift-state:command", 1, 403, "AccessDenied");
        let said = run(&script, time).await;
        assert!(said.contains(&"deploy Deferred".to_owned()) && script.count("SendCommand") == 1, "{said:?}");
        assert_eq!(script.count("Publish"), 1, "{time}");
    }
    // Without it nothing is sent.
    script.refuse("CreateOrUpdateTags", "", 1, 400, "ScalingActivityInProgress");
    let said = run(&script, "10:01:00").await;
    assert!(said.contains(&"deploy Deferred".to_owned()) && script.count("SendCommand") == 1, "{said:?}");
    let said = run(&script, "10:02:00").await;
    assert!(said.contains(&"remember Done".to_owned()) && said.contains(&"deploy Done".to_owned()), "{said:?}");
    let command = script.aws().group["nightshift-state:command"].clone();
    assert!(command.starts_with(&format!("deploy {}", digest(2))) && command.ends_with(" on=i-0abc"), "{command}");
    script.aws().end("restored", Some(1));
    run(&script, "10:03:00").await;
    let group = script.aws().group.clone();
    assert!(
        !group.contains_key("nightshift-state:command") && group["nightshift-state:rejected"].contains("by=compose")
    );
    assert!(run(&script, "10:04:00").await.is_empty());
    // Replaced by one that knows nothing.
    script.aws().tags.retain(|key, _| !key.starts_with("nightshift-state:"));
    run(&script, "10:05:00").await;
    script.aws().end("running", Some(1));
    assert_eq!(run(&script, "10:06:00").await, ["record-image Done"]);
    assert!(run(&script, "10:07:00").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_command_whose_answer_is_lost_is_found_by_its_key_and_sent_once() {
    let script = known().await;
    script.aws().push(2);
    script.lose_answers("SendCommand", 1);
    invoke(&script, "10:02:00", json!({})).await.unwrap_err();
    assert_eq!(script.count("SendCommand"), 2, "the look and the deployment, each once");
    assert!(run(&script, "10:03:00").await.is_empty());
    assert_eq!(script.count("SendCommand"), 2);
    script.aws().end("deployed", Some(2));
    assert_eq!(run(&script, "10:04:00").await, ["record-success Done"]);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_refused_leaves_no_mark_and_is_tried_by_the_next_run() {
    let script = known().await;
    script.aws().push(2);
    script.refuse("SendCommand", "", 1, 400, "InvalidInstanceId");
    invoke(&script, "10:02:00", json!({})).await.unwrap_err();
    script.refuse("SendCommand", "", 1, 400, "ThrottlingException");
    assert_eq!(run(&script, "10:02:30").await, ["deploy Deferred"]);
    assert!(!script.aws().tags.contains_key("nightshift-state:command"));
    assert_eq!(run(&script, "10:03:00").await, ["deploy Done"]);
}

#[tokio::test(start_paused = true)]
async fn another_command_on_the_instance_is_waited_for() {
    let script = known().await;
    script.aws().push(2);
    script.aws().start("by-hand");
    assert_eq!(run(&script, "10:02:00").await, ["deploy Deferred"]);
    assert_eq!(script.count("SendCommand"), 1);
    // Once it has ended the next run sends its own.
    script.aws().end("running", Some(1));
    assert_eq!(run(&script, "10:03:00").await, ["deploy Done"]);
}

#[tokio::test(start_paused = true)]
async fn a_bad_image_is_told_with_the_way_to_clear_it_and_the_output_is_read_by_the_event() {
    let script = known().await;
    script.aws().push(2);
    run(&script, "10:02:00").await;
    script.aws().end("restored", Some(1));
    let event = json!({
        "version": "0", "id": "1", "account": "123456789012", "region": "ap-northeast-2", "time": "2026-11-21T01:03:00Z",
        "detail-type": "EC2 Command Invocation Status-change Notification", "source": "aws.ssm", "resources": [],
        "detail": {"command-id": "x", "document-name": DOCUMENT, "instance-id": "i-0abc", "status": "Failed"},
    });
    assert_eq!(told(&invoke(&script, "10:03:00", event).await.unwrap()), ["record-restored Done"]);
    let message = script.sent("Publish")[0].text("Message").to_owned();
    assert!(message.contains("v1.2 failed, v1.1 runs again") && message.contains("clear"), "{message}");
    // People were told, and that is remembered.
    let rejected = script.aws().tags["nightshift-state:rejected"].clone();
    assert!(rejected.contains("by=compose") && !rejected.contains("told=no"), "{rejected}");
    assert!(run(&script, "10:04:00").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_instance_out_of_reach_is_told_once_and_nothing_is_sent() {
    let script = known().await;
    script.aws().push(2);
    script.aws().online = false;
    let said = run(&script, "10:02:00").await;
    assert!(said.len() == 1 && said[0].starts_with("unreachable: v1.2 waits: Systems Manager has lost"), "{said:?}");
    run(&script, "10:20:00").await;
    assert_eq!((script.count("Publish"), script.count("SendCommand")), (1, 1));
    script.aws().online = true;
    assert_eq!(run(&script, "10:30:00").await, ["deploy Done"]);
    assert!(!script.aws().tags.contains_key("nightshift-state:compose-problem"));
}

#[tokio::test(start_paused = true)]
async fn pages_are_read_to_their_end_and_errors_are_problems_of_what_they_are_about() {
    let script = known().await;
    script.aws().paged = true;
    script.aws().push(2);
    script.refuse("DescribeImages", "", 9, 400, "RepositoryNotFoundException");
    let said = run(&script, "10:02:00").await;
    assert!(
        said.len() == 1
            && said[0]
                .starts_with("unreadable-repository: the images of team/api cannot be read: DescribeImages team/api"),
        "{said:?}"
    );
    let script = known().await;
    script.aws().push(2);
    script.aws().paged = true;
    assert_eq!(run(&script, "10:02:00").await, ["deploy Done"]);
    let script = known().await;
    script.aws().push(2);
    run(&script, "10:02:00").await;
    script.refuse("ListCommands", "", 9, 400, "AccessDeniedException");
    let said = run(&script, "10:03:00").await;
    assert!(
        said.len() == 1
            && said[0]
                .starts_with("unreadable-command: what became of its last command cannot be read: ListCommands i-0abc"),
        "{said:?}"
    );
}
