//! Invokes other functions of the stack.

use aws_config::SdkConfig;
use serde_json::{Value, json};

use crate::Error;
use crate::json_api::{JsonApi, LAMBDA, Route};
use crate::presign::encoded;

/// Lambda in the region of the function.
pub struct Lambda(JsonApi);

/// What a function answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// Its answer, or what it says of its failure.
    pub answer: Value,
    /// It failed, and how Lambda calls that.
    pub error: Option<String>,
}

impl Lambda {
    /// With the region, the credentials and the limits of `config`.
    pub fn new(config: &SdkConfig) -> Self {
        Lambda(JsonApi::new(LAMBDA, config))
    }

    async fn call_function(&self, function: &str, kind: &str, payload: &str) -> Result<Answered, Error> {
        let path = format!("/2015-03-31/functions/{}/invocations", encoded(function));
        let route = Route { method: "POST", path };
        let headers =
            vec![("content-type", "application/octet-stream".to_owned()), ("x-amz-invocation-type", kind.to_owned())];
        let answered = self.0.send("Invoke", function, route, headers, payload.into()).await?;
        let error = answered.header("x-amz-function-error").map(str::to_owned);
        Ok(Answered { answer: answered.json, error })
    }
}

/// Invokes `function` with `payload` (JSON) and does not wait for what it does, so that a request written for it need not
/// wait for its next sweep.
///
/// A wake-up that fails loses nothing: the owner's sweep finds the request.
pub async fn wake(lambda: &Lambda, function: &str, payload: &str) -> Result<(), Error> {
    lambda.call_function(function, "Event", payload).await.map(drop)
}

/// Wakes `function` of the own stack, which is called `deployed` in AWS; without a name there it is an error.
pub async fn wake_sibling(
    lambda: &Lambda,
    function: &str,
    deployed: Option<String>,
    payload: &str,
) -> Result<(), Error> {
    let missing = || Error::unexpected("Invoke", function, "it is not deployed beside this function");
    wake(lambda, &deployed.ok_or_else(missing)?, payload).await
}

/// Invokes `function` with `payload` (JSON) and waits for its answer.
pub async fn ask(lambda: &Lambda, function: &str, payload: &str) -> Result<Answered, Error> {
    lambda.call_function(function, "RequestResponse", payload).await
}

/// What `function` answers to `command`, of which nothing is carried out.
///
/// The right to invoke a function is one to have it act: that nothing acts stands here.
pub async fn ask_for_dry_run(lambda: &Lambda, function: &str, mut command: Value) -> Result<Value, Error> {
    command["dry_run"] = json!(true);
    let answered = ask(lambda, function, &command.to_string()).await?;
    match &answered.error {
        None => Ok(answered.answer),
        Some(kind) => Err(Error::unexpected("Invoke", function, answered.why(kind))),
    }
}

impl Answered {
    /// What the function says of its failure; `kind` where it says nothing.
    pub fn why<'a>(&'a self, kind: &'a str) -> &'a str {
        self.answer["errorMessage"].as_str().unwrap_or(kind)
    }
}

#[cfg(test)]
mod tests {
    use testkit::scripted::{self, Script, Tables};

    use super::*;

    /// A Lambda whose functions answer `{"done": 1}`.
    struct Functions;

    impl Tables for Functions {
        fn answer(&mut self, call: &scripted::Call) -> scripted::Answer {
            match call.text("type") {
                "Event" => scripted::Answer::Body(String::new()),
                _ => scripted::Answer::Json(json!({"done": 1})),
            }
        }
    }

    #[tokio::test]
    async fn a_wake_up_goes_out_without_waiting_for_its_outcome_and_a_question_has_an_answer() {
        let script = Script::new(Functions);
        let lambda = Lambda::new(&script.sdk());
        wake(&lambda, "shop-scale-staging", r#"{"resource":"arn:x"}"#).await.unwrap();
        let answer = ask(&lambda, "shop-scale-staging", r#"{"dry_run":true}"#).await.unwrap();
        assert_eq!(answer, Answered { answer: json!({"done": 1}), error: None });
        let sent = [
            json!({"function": "shop-scale-staging", "type": "Event", "payload": {"resource": "arn:x"}}),
            json!({"function": "shop-scale-staging", "type": "RequestResponse", "payload": {"dry_run": true}}),
        ];
        assert_eq!(script.bodies("Invoke"), sent);
    }

    #[tokio::test]
    async fn a_function_that_does_not_exist_is_an_error_of_lambda() {
        let script = Script::new(Functions);
        script.refuse("Invoke", "", 1, 404, "ResourceNotFoundException");
        let error = wake(&Lambda::new(&script.sdk()), "shop-x", "{}").await.unwrap_err();
        assert_eq!(error.to_string(), "Invoke shop-x: ResourceNotFoundException: refused by the script");
    }

    #[tokio::test]
    async fn a_function_of_the_stack_is_woken_by_its_name_in_aws_and_missed_without_one() {
        let script = Script::new(Functions);
        let lambda = Lambda::new(&script.sdk());
        wake_sibling(&lambda, "snapshot-databases", Some("ops-snapshot-databases".into()), "{}").await.unwrap();
        let sent = json!({"function": "ops-snapshot-databases", "type": "Event", "payload": {}});
        assert_eq!(script.bodies("Invoke"), [sent]);
        let error = wake_sibling(&lambda, "snapshot-databases", None, "{}").await.unwrap_err().to_string();
        assert!(
            error.contains("snapshot-databases") && error.ends_with("it is not deployed beside this function"),
            "{error}"
        );
        assert_eq!(script.count("Invoke"), 1);
    }
}
