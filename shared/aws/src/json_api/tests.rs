use std::collections::BTreeMap;

use serde_json::json;
use testkit::scripted::{self, Answer, Script, Tables};

use super::*;

/// The pages of ListApplications, by token.
#[derive(Default)]
struct Aws(BTreeMap<&'static str, Value>);

impl Tables for Aws {
    fn answer(&mut self, call: &scripted::Call) -> Answer {
        match call.operation.as_str() {
            "ListApplications" => Answer::Json(self.0[call.text("nextToken")].clone()),
            "StopDeployment" => Answer::Refused("DeploymentAlreadyCompletedException"),
            "CreateDeployment" => Answer::Body("{\"deploymentId\": ".into()),
            "TagResource" => Answer::Body(String::new()),
            other => panic!("the script knows no {other}"),
        }
    }
}

fn script() -> Script<Aws> {
    let first = json!({"applications": ["a", "b"], "nextToken": "1"});
    let empty = json!({"applications": [], "nextToken": "2"});
    let last = json!({"applications": ["c"], "nextToken": ""});
    Script::new(Aws(BTreeMap::from([("", first), ("1", empty), ("2", last)])))
}

async fn list(script: &Script<Aws>) -> Result<Vec<Value>, Error> {
    JsonApi::new(CODEDEPLOY, &script.sdk()).list("ListApplications", "codedeploy", json!({}), "applications").await
}

#[tokio::test]
async fn a_list_is_read_to_its_end_in_the_region_and_under_the_name_of_the_service() {
    let script = script();
    assert_eq!(list(&script).await.unwrap(), ["a", "b", "c"]);
    let calls = script.all_calls();
    let asked: Vec<&str> = calls.iter().map(|it| it.text("nextToken")).collect();
    assert_eq!(asked, ["", "1", "2"]);
    assert_eq!(calls[0].host, "codedeploy.ap-northeast-2.amazonaws.com");
    assert_eq!(calls[0].signed_for, "ap-northeast-2");
}

#[tokio::test]
async fn what_is_throttled_or_breaks_is_tried_again() {
    for (status, code) in [(400, "ThrottlingException"), (500, "InternalFailure"), (503, "ServiceUnavailable")] {
        let script = script();
        script.refuse("ListApplications", "", 1, status, code);
        assert_eq!(list(&script).await.unwrap().len(), 3, "{code}");
        assert_eq!(script.count("ListApplications"), 4, "{code}");
    }
}

#[tokio::test]
async fn a_refusal_keeps_its_code_its_words_and_its_id() {
    let script = script();
    let api = JsonApi::new(CODEDEPLOY, &script.sdk());
    let error = api.call("StopDeployment", "d-1", json!({"deploymentId": "d-1"})).await.unwrap_err();
    assert_eq!(error.to_string(), "StopDeployment d-1: DeploymentAlreadyCompletedException: refused by the script");
    assert_eq!(error.request_id.as_deref(), Some("req-1"));
    assert_eq!(script.count("StopDeployment"), 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_and_an_empty_one_has_no_fields() {
    let script = script();
    let api = JsonApi::new(CODEDEPLOY, &script.sdk());
    let error = api.call("CreateDeployment", "api", json!({})).await.unwrap_err();
    assert_eq!(error.code, "UnreadableAnswer");
    assert!(api.call("TagResource", "api", json!({})).await.unwrap().is_empty());
}
