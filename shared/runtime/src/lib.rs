//! The Lambda around a function: clock, environment, clients, log, metrics and messages.
//!
//! The only crate that reads the clock or the environment. [`run`] is a function's whole `main`.

mod event;
mod log;
mod metrics;
mod run;
mod sdk;
mod settings;
mod sns;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn};
use reconcile::Report;
use serde_json::Value;
use tokio::time::Instant;

pub use event::{BusEvent, Event, Notification};
pub use lambda_runtime::{Diagnostic, Error};
pub use run::Run;

use event::Incoming;
use settings::{BadSetting, Settings};

/// The event in a payload, as [`run`] would hand it to a [`Request`]; the error says what is wrong with it.
pub fn event(payload: Value) -> Result<Event, String> {
    Incoming::read(payload).map(|it| it.event)
}

/// What a function can be asked: only where to look, or a command of its own, never what to change.
pub trait Request: Sized {
    /// Everything that the function accepts, for the error that refuses the rest.
    const ACCEPTED: &'static str;

    /// Reduces an event to a request; the error says what is wrong with it.
    fn read(event: Event) -> Result<Self, String>;
}

/// Runs a function for as long as Lambda feeds it events.
///
/// `function` is the name of its folder, `clients` makes its SDK clients once, `handle` is one run.
pub async fn run<C, R, H>(function: &'static str, clients: impl FnOnce(&SdkConfig) -> C, handle: H) -> Result<(), Error>
where
    R: Request,
    H: AsyncFn(&C, R, &Run<'_>) -> Result<Report, aws::Error>,
{
    let variables = environment();
    log::start(&variables);
    let complain =
        |error: &BadSetting| tracing::error!(function, reason = %error, "the environment cannot be understood");
    let settings = Settings::read(&variables).inspect_err(complain)?;
    let sdk = sdk::config(&variables).inspect_err(complain)?;
    let clients = clients(&sdk);
    let lambda = Lambda { function, settings, sns: aws_sdk_sns::Client::new(&sdk), told: Default::default() };
    let (lambda, clients, handle) = (&lambda, &clients, &handle);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let remaining = event.context.deadline().duration_since(wall_clock()).unwrap_or_default();
        // Boxed, since the futures of SDK calls otherwise nest deeper than the compiler follows.
        let invocation: Pin<Box<dyn Future<Output = _>>> = Box::pin(lambda.invoke(
            event.payload,
            remaining,
            async |request, run: &Run<'_>| handle(clients, request, run).await,
        ));
        invocation.await
    }))
    .await
}

/// One invocation outside of Lambda: the whole function from payload to report, in an environment of `variables`.
///
/// For tests, which bring an `sdk` that answers from a script.
pub async fn invoke_once<C, R, H>(
    function: &'static str,
    sdk: &SdkConfig,
    variables: &[(&str, &str)],
    clients: impl FnOnce(&SdkConfig) -> C,
    handle: H,
    payload: Value,
) -> Result<Report, Diagnostic>
where
    R: Request,
    H: AsyncFn(&C, R, &Run<'_>) -> Result<Report, aws::Error>,
{
    let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let settings = Settings::read(&variables).map_err(|error| diagnostic("Refused", error.to_string()))?;
    let lambda = Lambda { function, settings, sns: aws_sdk_sns::Client::new(sdk), told: Default::default() };
    let clients = clients(sdk);
    let handle = async |request, run: &Run<'_>| handle(&clients, request, run).await;
    // Boxed, as in `run`.
    let invocation: Pin<Box<dyn Future<Output = _>>> =
        Box::pin(lambda.invoke(payload, Duration::from_secs(300), handle));
    invocation.await
}

/// What stays from one invocation to the next.
struct Lambda {
    function: &'static str,
    settings: Settings,
    sns: aws_sdk_sns::Client,
    told: run::Told,
}

impl Lambda {
    async fn invoke<R: Request>(
        &self,
        payload: Value,
        remaining: Duration,
        handle: impl AsyncFn(R, &Run<'_>) -> Result<Report, aws::Error>,
    ) -> Result<Report, Diagnostic> {
        let begun = Instant::now();
        let outcome = self.answer(payload, begun, remaining, handle).await;
        let report = match &outcome {
            Ok(report) => Some(report),
            Err(refused) => {
                tracing::error!(function = self.function, reason = refused.error_message, "run failed");
                None
            }
        };
        report.inspect(|it| log::report(it));
        let ended = Timestamp::try_from(wall_clock()).unwrap_or_default();
        let measures = report.map(|it| metrics::measures(self.function, it, ended)).unwrap_or_default();
        let run = metrics::line(self.function, report, begun.elapsed(), ended);
        measures.iter().chain([&run]).for_each(|line| println!("{line}"));
        match outcome {
            // Lambda counts only an error as one, so a run that left something failed must end as one.
            Ok(report) if report.failed() => {
                Err(diagnostic("RunFailed", serde_json::to_string(&report).unwrap_or_default()))
            }
            other => other,
        }
    }

    async fn answer<R: Request>(
        &self,
        payload: Value,
        begun: Instant,
        remaining: Duration,
        handle: impl AsyncFn(R, &Run<'_>) -> Result<Report, aws::Error>,
    ) -> Result<Report, Diagnostic> {
        let refused = |wrong: String| {
            diagnostic("Refused", format!("{} cannot do this: {wrong}. Accepted: {}", self.function, R::ACCEPTED))
        };
        let incoming = Incoming::read(payload).map_err(refused)?;
        let request = R::read(incoming.event).map_err(refused)?;
        let (last_start, give_up) = run::deadlines(begun, remaining);
        let run = Run {
            now: self.now(),
            dry_run: incoming.dry_run || self.settings.dry_run,
            last_start,
            give_up,
            function: self.function,
            told: &self.told,
            settings: &self.settings,
            sns: &self.sns,
        };
        match handle(request, &run).await {
            Ok(report) => Ok(report),
            Err(error) => {
                run.tell_failure(&error).await;
                Err(diagnostic("CallFailed", error.to_string()))
            }
        }
    }

    fn now(&self) -> jiff::Zoned {
        let wall = || Timestamp::try_from(wall_clock()).unwrap_or_default();
        self.settings.now.unwrap_or_else(wall).to_zoned(self.settings.time_zone.clone())
    }
}

fn diagnostic(kind: &str, message: String) -> Diagnostic {
    Diagnostic { error_type: format!("Nightshift.{kind}"), error_message: message }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn environment() -> BTreeMap<String, String> {
    // What is not Unicode is none of ours.
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use aws_sdk_sns::operation::publish::{PublishError, PublishOutput};
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use reconcile::{Outcome, Plan, Step, Undo};
    use serde_json::json;

    use super::*;

    const TOPIC: &str = "arn:aws:sns:ap-northeast-2:123456789012:nightshift";

    /// Where to look, or a greeting.
    struct Look;

    impl Request for Look {
        const ACCEPTED: &'static str = "{}, {\"greet\":\"NAME\"}";

        fn read(event: Event) -> Result<Self, String> {
            match event {
                Event::Sweep => Ok(Look),
                Event::Command { name, .. } if name == "greet" => Ok(Look),
                _ => Err("it is no greeting".into()),
            }
        }
    }

    struct Greet;

    impl Step for Greet {
        fn action(&self) -> &'static str {
            "greet"
        }
        fn headline(&self) -> String {
            "world: greeted".into()
        }
        fn before(&self) -> Value {
            Value::Null
        }
        fn after(&self) -> Value {
            Value::Null
        }
        fn undo(&self) -> Option<Undo> {
            None
        }
    }

    fn published() -> Rule {
        mock!(aws_sdk_sns::Client::publish)
            .match_requests(|it| it.topic_arn() == Some(TOPIC) && it.message_structure() == Some("json"))
            .then_output(|| PublishOutput::builder().build())
    }

    fn refused() -> Rule {
        mock!(aws_sdk_sns::Client::publish).then_error(|| PublishError::unhandled("no such topic"))
    }

    /// Sends `payload` to a function that greets the world and finds a problem, with a topic that behaves as `sns` says.
    ///
    /// Returns the answer, how many messages were tried and which notes were written.
    async fn invoke(payload: Value, greets: Result<(), &str>, sns: Rule) -> (Result<Report, Diagnostic>, usize, usize) {
        let client = mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&sns]);
        let settings = Settings {
            time_zone: jiff::tz::TimeZone::get("Asia/Seoul").unwrap(),
            topic: Some(TOPIC.into()),
            now: Some("2026-11-21T03:10:00+09:00".parse().unwrap()),
            ..Settings::default()
        };
        let lambda = Lambda { function: "greet-world", settings, sns: client, told: Default::default() };
        let notes = RefCell::new(0);
        let answer = lambda
            .invoke(payload, Duration::from_secs(60), async |_: Look, run: &Run<'_>| {
                let mut plan = Plan::new();
                plan.act("world", Greet, "it is morning");
                plan.problem("moon", "too-far", "there is no road to it");
                plan.examined("moon", None);
                let call = |code: &str| aws::Error::unexpected("Greet", "world", code);
                Ok(run
                    .apply(
                        plan,
                        async |_| greets.map(|()| Value::Null).map_err(call),
                        async |_| {
                            *notes.borrow_mut() += 1;
                            Ok(())
                        },
                    )
                    .await)
            })
            .await;
        (answer, sns.num_calls(), notes.into_inner())
    }

    #[tokio::test]
    async fn a_run_that_did_something_tells_people_once_and_remembers_the_problem() {
        let (answer, messages, notes) = invoke(json!({}), Ok(()), published()).await;
        let report = answer.unwrap();
        assert_eq!(report.at.to_string(), "2026-11-21T03:10:00+09:00[Asia/Seoul]");
        assert_eq!((report.count(Outcome::Done), messages, notes), (1, 1, 1));
    }

    #[tokio::test]
    async fn a_dry_run_changes_tells_and_remembers_nothing() {
        let (answer, messages, notes) = invoke(json!({"dry_run": true}), Err("must not be called"), published()).await;
        assert_eq!((answer.unwrap().count(Outcome::Planned), messages, notes), (1, 0, 0));
    }

    #[tokio::test]
    async fn a_run_that_left_something_failed_returns_its_report_as_the_error() {
        let (answer, messages, _) = invoke(json!({}), Err("the world is asleep"), published()).await;
        let error = answer.unwrap_err();
        let report: Value = serde_json::from_str(&error.error_message).unwrap();
        assert_eq!(error.error_type, "Nightshift.RunFailed");
        assert_eq!(report["actions"][0]["outcome"], "failed");
        assert_eq!(report["actions"][0]["error"]["code"], "UnexpectedAnswer");
        assert_eq!(messages, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_aws_does_not_answer_in_time_is_given_up_and_people_hear_of_it() {
        let sns = published();
        let client = mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&sns]);
        let settings = Settings { topic: Some(TOPIC.into()), ..Settings::default() };
        let lambda = Lambda { function: "greet-world", settings, sns: client, told: Default::default() };
        let begun = Instant::now();
        let answer = lambda
            .invoke(json!({}), Duration::from_secs(60), async |_: Look, run: &Run<'_>| {
                let mut plan = Plan::new();
                plan.act("world", Greet, "it is morning");
                Ok(run.apply(plan, async |_| std::future::pending().await, async |_| Ok(())).await)
            })
            .await;
        let report: Value = serde_json::from_str(&answer.unwrap_err().error_message).unwrap();
        assert_eq!(report["actions"][0]["error"]["code"], "NoAnswer");
        assert_eq!((begun.elapsed().as_secs(), sns.num_calls()), (54, 1));
    }

    #[tokio::test]
    async fn a_message_that_did_not_get_through_is_an_error_and_nothing_counts_as_told() {
        let (answer, messages, notes) = invoke(json!({}), Ok(()), refused()).await;
        let report: Value = serde_json::from_str(&answer.unwrap_err().error_message).unwrap();
        assert!(report["untold"].as_str().unwrap().starts_with("Publish arn:aws:sns:"), "{report}");
        assert_eq!(report["actions"][0]["outcome"], "done");
        assert_eq!((messages, notes), (1, 0));
    }

    #[tokio::test]
    async fn what_is_not_accepted_is_refused_with_what_is() {
        for (payload, wrong) in [
            (
                json!({"great": "x"}),
                "greet-world cannot do this: it is no greeting. Accepted: {}, {\"greet\":\"NAME\"}",
            ),
            (json!([1]), "greet-world cannot do this: the payload is a list, not an object. Accepted: "),
        ] {
            let (answer, messages, _) = invoke(payload, Ok(()), published()).await;
            let error = answer.unwrap_err();
            assert_eq!((error.error_type.as_str(), messages), ("Nightshift.Refused", 0));
            assert!(error.error_message.starts_with(wrong), "{}", error.error_message);
        }
    }

    #[tokio::test]
    async fn a_run_that_failed_whole_tells_people_why() {
        let sns = published();
        let client = mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&sns]);
        let settings = Settings { topic: Some(TOPIC.into()), ..Settings::default() };
        let lambda = Lambda { function: "greet-world", settings, sns: client, told: Default::default() };
        let failing = async |_: Look, _: &Run<'_>| Err(aws::Error::unexpected("GetResources", "x", "no"));
        let error = lambda.invoke(json!({}), Duration::from_secs(60), failing).await.unwrap_err();
        assert_eq!(error.error_message, "GetResources x: UnexpectedAnswer: no");
        assert_eq!(sns.num_calls(), 1);
        // The next tick fails alike, and is an error, but no news.
        lambda.invoke(json!({}), Duration::from_secs(60), failing).await.unwrap_err();
        assert_eq!(sns.num_calls(), 1);
        // Another cause is, and so is the same after a run that did not fail.
        let otherwise = async |_: Look, _: &Run<'_>| Err(aws::Error::unexpected("GetResources", "x", "denied"));
        lambda.invoke(json!({}), Duration::from_secs(60), otherwise).await.unwrap_err();
        assert_eq!(sns.num_calls(), 2);
        let idle = async |_: Look, run: &Run<'_>| {
            Ok(run.apply(Plan::<Greet>::new(), async |_| Ok(Value::Null), async |_| Ok(())).await)
        };
        lambda.invoke(json!({}), Duration::from_secs(60), idle).await.unwrap();
        lambda.invoke(json!({}), Duration::from_secs(60), otherwise).await.unwrap_err();
        assert_eq!(sns.num_calls(), 3);
    }

    #[tokio::test]
    async fn a_plan_that_is_refused_tick_after_tick_is_told_once_and_what_holds_no_tag_is_not_repeated() {
        let sns = published();
        let client = mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&sns]);
        let settings = Settings { topic: Some(TOPIC.into()), max_changes: 0, ..Settings::default() };
        let lambda = Lambda { function: "greet-world", settings, sns: client, told: Default::default() };
        for _ in 0..3 {
            let greet = async |_: Look, run: &Run<'_>| {
                let mut plan = Plan::new();
                plan.act("world", Greet, "it is morning");
                plan.problem("all moons", "too-far", "there is no road to them");
                Ok(run.apply(plan, async |_| Ok(Value::Null), async |_| Ok(())).await)
            };
            lambda.invoke(json!({}), Duration::from_secs(60), greet).await.unwrap_err();
        }
        assert_eq!(sns.num_calls(), 1);
    }

    #[tokio::test]
    async fn the_account_is_that_of_the_stacks_topics() {
        let sns = published();
        for (budgets, messages, account) in [
            (Some("arn:aws-cn:sns:cn-north-1:210987654321:budgets"), Some(TOPIC), Some(("aws-cn", "210987654321"))),
            (None, Some(TOPIC), Some(("aws", "123456789012"))),
            (None, Some("arn:aws:sns:"), None),
            (None, None, None),
        ] {
            let client = mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&sns]);
            let (budget_topic, topic) = (budgets.map(str::to_owned), messages.map(str::to_owned));
            let settings = Settings { budget_topic, topic, ..Settings::default() };
            let lambda = Lambda { function: "greet-world", settings, sns: client, told: Default::default() };
            let asked = async |_: Look, run: &Run<'_>| {
                assert_eq!((run.budget_topic(), run.account()), (budgets, account));
                Ok(Report::new("greet-world", run.now.clone()))
            };
            lambda.invoke(json!({}), Duration::from_secs(60), asked).await.unwrap();
        }
    }

    #[tokio::test]
    async fn another_function_of_the_stack_is_called_as_this_one_is() {
        let sns = published();
        for (own, sibling) in [
            (Some("shop-greet-world"), Some("shop-wave")),
            (Some("greet-world"), None),
            (Some("other"), None),
            (None, None),
        ] {
            let client = mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&sns]);
            let settings = Settings { function_name: own.map(str::to_owned), ..Settings::default() };
            let lambda = Lambda { function: "greet-world", settings, sns: client, told: Default::default() };
            let asked = async |_: Look, run: &Run<'_>| {
                assert_eq!(run.sibling("wave").as_deref(), sibling, "{own:?}");
                Ok(Report::new("greet-world", run.now.clone()))
            };
            lambda.invoke(json!({}), Duration::from_secs(60), asked).await.unwrap();
        }
    }
}
