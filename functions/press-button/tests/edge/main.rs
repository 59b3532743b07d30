//! The whole function from payload to answer, with the real client on a scripted Lambda.

use press_button::{Clients, handle};
use reconcile::{Button, Report};
use serde_json::{Value, json};
use testkit::scripted::{Answer, Call, Script, TOPIC, Tables};

/// The function `deploy-image`, with an image that waits.
struct Aws {
    /// What it answers to anything but a dry run.
    answer: Value,
}

const SERVICE: &str = "arn:aws:ecs:ap-northeast-2:123456789012:service/truegul-production/api-server";

fn approve() -> Value {
    json!({"approve": {"service": "truegul-production/api-server", "image": "sha256:1a2b"}})
}

impl Tables for Aws {
    fn answer(&mut self, call: &Call) -> Answer {
        assert_eq!((call.operation.as_str(), call.text("function")), ("Invoke", "nightshift-deploy-image"));
        if call.body["payload"] != json!({"dry_run": true}) {
            return Answer::Json(self.answer.clone());
        }
        let choices = json!([{"label": "Approve", "payload": approve(), "command": "aws lambda invoke"}]);
        let problem =
            json!({"resource": SERVICE, "problem": "needs-approval", "message": "it waits", "choices": choices});
        Answer::Json(json!({"function": "deploy-image", "dry_run": true, "problems": [problem]}))
    }
}

fn script() -> Script<Aws> {
    Script::new(Aws { answer: json!(["Done: api-server: deploying v1.1.0"]) })
}

fn value() -> String {
    Button::value(&approve(), "2026-11-21".parse().unwrap()).unwrap().1
}

async fn invoke(script: &Script<Aws>, payload: Value) -> Report {
    let variables = [
        ("NIGHTSHIFT_TIME_ZONE", "Asia/Seoul"),
        ("NIGHTSHIFT_TOPIC_ARN", TOPIC),
        ("NIGHTSHIFT_NOW", "2026-11-24T09:00:00+09:00"),
        ("AWS_LAMBDA_FUNCTION_NAME", "nightshift-press-button"),
        ("AWS_REGION", "ap-northeast-2"),
    ];
    let sdk = script.sdk();
    runtime::invoke_once("press-button", &sdk, &variables, Clients::new, handle, payload).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_button_that_is_on_offer_is_sent_and_its_answer_is_read_in_the_chat() {
    let script = script();
    let report = invoke(&script, json!({"b": value()})).await;
    let said = [
        "Done: api-server: deploying v1.1.0",
        "Done: 'Approve' was sent to deploy-image for truegul-production/api-server \
        (a person pressed the button of a message in chat)",
    ];
    assert_eq!(report.sentences(), said);
    let mut sent = approve();
    sent["format"] = json!("text");
    let payloads: Vec<Value> = script.bodies("Invoke").iter().map(|it| it["payload"].clone()).collect();
    assert_eq!(payloads, [json!({"dry_run": true}), sent]);
    // The function that did it tells people.
    assert_eq!(script.count("Publish"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_button_that_is_over_and_a_dry_run_send_nothing() {
    let script = script();
    let report = invoke(&script, json!({"b": "approve-0123456789abcdef"})).await;
    assert_eq!(
        report.sentences(),
        [
            "Left alone: Approve: nothing was done, since that image does not wait any more, or it waits for something else; \
          the newest message about it counts"
        ]
    );
    let report = invoke(&script, json!({"b": value(), "dry_run": true})).await;
    assert!(report.sentences()[1].starts_with("Would be done: 'Approve' was sent to deploy-image"), "{report:?}");
    assert!(script.bodies("Invoke").iter().all(|it| it["payload"]["dry_run"] == true));
    assert_eq!(invoke(&script, json!({})).await.sentences(), ["Left alone: press-button: no button was pressed"]);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_not_a_buttons_is_refused_before_anything_is_asked() {
    let script = script();
    let report = invoke(&script, json!({"b": "$b"})).await;
    assert!(report.sentences()[0].starts_with("Refused: \"b\": \"$b\" is not the value of a button;"), "{report:?}");
    assert!(script.all_calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_function_that_may_not_be_invoked_fails_the_run_and_people_are_told() {
    let script = script();
    script.refuse("Invoke", "nightshift-deploy-image", 9, 403, "AccessDeniedException");
    let sdk = script.sdk();
    let variables = [("AWS_LAMBDA_FUNCTION_NAME", "nightshift-press-button"), ("AWS_REGION", "ap-northeast-2")];
    let payload = json!({"b": value()});
    let error =
        runtime::invoke_once("press-button", &sdk, &variables, Clients::new, handle, payload).await.unwrap_err();
    assert!(error.error_message.contains("AccessDeniedException"), "{error:?}");
}
