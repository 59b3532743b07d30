//! Whole invocations, from payload to answer.

use std::cell::RefCell;
use std::collections::BTreeSet;

use aws_sdk_sns::operation::publish::{PublishError, PublishOutput};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use reconcile::memory::Note;
use reconcile::{MessageKind, Outcome, Plan, Step, Undo};
use serde_json::json;

use super::*;

const TOPIC: &str = "arn:aws:sns:ap-northeast-2:123456789012:nightshift";

/// Where to look, or a greeting.
struct Look;

impl Request for Look {
    const ACCEPTED: &'static [&'static str] = &["{}", "{\"greet\":\"NAME\"}"];

    fn sweep() -> Self {
        Look
    }

    fn command(name: &str, _: Value) -> Result<Reading<Self>, String> {
        match name {
            "greet" => Ok(Reading::Work(Look)),
            _ => Err(no_such_command(name)),
        }
    }

    fn bus(event: &BusEvent) -> Result<Reading<Self>, String> {
        match event.source.as_str() {
            "aws.moon" => Ok(Reading::no_work("moon", "it is too far")),
            _ => Err(not_for_us(event)),
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
    fn tells(&self) -> Option<MessageKind> {
        Some(MessageKind::Changed)
    }
    fn once_told(&self) -> Option<Self> {
        Some(Greet)
    }
}

fn published() -> Rule {
    mock!(aws_sdk_sns::Client::publish)
        .match_requests(|it| {
            let attributes = it.message_attributes().map(|it| it.keys().map(String::as_str).collect::<BTreeSet<_>>());
            it.topic_arn() == Some(TOPIC)
                && it.message_structure() == Some("json")
                && attributes == Some(BTreeSet::from(["function", "kind", "resource"]))
        })
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
    let lambda = Lambda { function: "greet-world", settings, sns: aws::ready(client), told: Default::default() };
    let (notes, greeted) = (RefCell::new(0), RefCell::new(Vec::new()));
    let answer = lambda
        .invoke(payload, Duration::from_secs(60), async |_: Look, run: &Run<'_>| {
            let mut plan = Plan::remembering("problem");
            plan.act("world", Greet, "it is morning");
            plan.problem("moon", "too-far", "there is no road to it");
            plan.examined("moon", &BTreeMap::new());
            let call = |code: &str| aws::Error::unexpected("Greet", "world", code);
            Ok(run
                .apply(
                    plan,
                    async |_| {
                        // What is written once people were told comes after the messages.
                        greeted.borrow_mut().push(sns.num_calls());
                        greets.map(|()| Value::Null).map_err(call)
                    },
                    async |_| {
                        *notes.borrow_mut() += 1;
                        Ok(())
                    },
                )
                .await)
        })
        .await;
    let told = answer.as_ref().is_ok_and(|it| it.count(Outcome::Done) == 1 && it.notification_error.is_none());
    let expected = match answer.as_ref().is_ok_and(|it| it.dry_run || it.refused.is_some()) {
        true => vec![],
        false if told => vec![0, sns.num_calls()],
        false => vec![0],
    };
    assert!(greeted.borrow().is_empty() || *greeted.borrow() == expected, "{greeted:?}, not {expected:?}");
    (answer, sns.num_calls(), notes.into_inner())
}

#[tokio::test]
async fn a_run_that_did_something_tells_people_once_and_remembers_the_problem() {
    let (answer, messages, notes) = invoke(json!({}), Ok(()), published()).await;
    let report = answer.unwrap();
    assert_eq!(report.at.to_string(), "2026-11-21T03:10:00+09:00[Asia/Seoul]");
    // What was done and what needs a person are two kinds of news.
    assert_eq!((report.count(Outcome::Done), messages, notes), (1, 2, 1));
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
    assert_eq!(messages, 2);
}

#[tokio::test(start_paused = true)]
async fn what_aws_does_not_answer_in_time_is_given_up_and_people_hear_of_it() {
    let sns = published();
    let client = mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&sns]);
    let settings = Settings { topic: Some(TOPIC.into()), ..Settings::default() };
    let lambda = Lambda { function: "greet-world", settings, sns: aws::ready(client), told: Default::default() };
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
    assert!(report["notification_error"].as_str().unwrap().starts_with("Publish arn:aws:sns:"), "{report}");
    assert_eq!(report["actions"][0]["outcome"], "done");
    assert_eq!((messages, notes), (1, 0));
}

#[tokio::test]
async fn a_command_that_is_refused_is_an_answer_with_the_accepted_forms_and_no_error() {
    for (payload, why) in [
        (json!({"great": "x"}), "there is no command \"great\""),
        (json!({"greet": 1, "wave": 2}), "two commands at once, \"greet\" and \"wave\""),
        (json!({"dry_run": "yes"}), "\"dry_run\" is \"yes\", neither true nor false"),
        (json!([1]), "the payload is a list, not an object"),
    ] {
        let (answer, messages, notes) = invoke(payload, Err("must not be called"), published()).await;
        let answer = serde_json::to_value(answer.unwrap()).unwrap();
        assert_eq!(answer["refused"], why);
        assert_eq!(answer["accepted"], json!(["{}", "{\"greet\":\"NAME\"}"]));
        assert_eq!((messages, notes), (0, 0));
    }
}

#[tokio::test]
async fn a_command_that_the_plan_refuses_changes_nothing_and_tells_nobody() {
    let sns = published();
    let client = mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&sns]);
    let settings = Settings { topic: Some(TOPIC.into()), ..Settings::default() };
    let lambda = Lambda { function: "greet-world", settings, sns: aws::ready(client), told: Default::default() };
    let refusing = async |_: Look, run: &Run<'_>| {
        let mut plan = Plan::new();
        plan.act("world", Greet, "it is morning");
        plan.problem("moon", "too-far", "there is no road to it");
        plan.refuse("there is no world \"mars\"");
        let call = async |_: &Greet| panic!("nothing has to be done");
        Ok(run.apply(plan, call, async |_| panic!("nothing has to be remembered")).await)
    };
    let report = lambda.invoke(json!({"greet": "mars"}), Duration::from_secs(60), refusing).await.unwrap();
    assert_eq!((report.refusal(), report.accepted), (Some("there is no world \"mars\""), Look::ACCEPTED));
    assert_eq!((report.actions.len(), sns.num_calls()), (0, 0));
}

#[tokio::test]
async fn an_event_that_is_not_for_the_function_is_an_error_and_one_without_work_a_skip() {
    let event = |source: &str| json!({"source": source, "detail-type": "x", "detail": {}, "resources": []});
    let (answer, messages, _) = invoke(event("aws.sun"), Err("must not be called"), published()).await;
    let error = answer.unwrap_err();
    assert_eq!((error.error_type.as_str(), messages), ("Nightshift.Refused", 0));
    let expected = "greet-world cannot do this: an event \"x\" of aws.sun is not for this function. Accepted: {}, ";
    assert!(error.error_message.starts_with(expected), "{}", error.error_message);
    let (answer, messages, _) = invoke(event("aws.moon"), Err("must not be called"), published()).await;
    let report = answer.unwrap();
    let skipped: Vec<_> = report.skipped.iter().map(|it| (it.resource.as_str(), it.reason.as_str())).collect();
    assert_eq!((skipped, messages), (vec![("moon", "it is too far")], 0));
}

#[tokio::test]
async fn a_run_that_failed_whole_tells_people_why() {
    let sns = published();
    let client = mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&sns]);
    let settings = Settings { topic: Some(TOPIC.into()), ..Settings::default() };
    let lambda = Lambda { function: "greet-world", settings, sns: aws::ready(client), told: Default::default() };
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
    let lambda = Lambda { function: "greet-world", settings, sns: aws::ready(client), told: Default::default() };
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
        let lambda = Lambda { function: "greet-world", settings, sns: aws::ready(client), told: Default::default() };
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
        let lambda = Lambda { function: "greet-world", settings, sns: aws::ready(client), told: Default::default() };
        let asked = async |_: Look, run: &Run<'_>| {
            assert_eq!(run.sibling("wave").as_deref(), sibling, "{own:?}");
            Ok(Report::new("greet-world", run.now.clone()))
        };
        lambda.invoke(json!({}), Duration::from_secs(60), asked).await.unwrap();
    }
}

#[test]
fn a_deadline_that_is_over_does_not_take_all_time_from_a_run() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    assert_eq!(remaining(at(1_090), now), Duration::from_secs(90));
    assert_eq!((remaining(at(1_000), now), remaining(at(0), now)), (TIMEOUT, TIMEOUT));
}

/// A dry run outside of Lambda tells nobody, not even that it failed.
#[tokio::test]
async fn a_preview_plans_and_sends_nothing() {
    let sdk = SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new("ap-northeast-2"))
        .build();
    let variables = [("NIGHTSHIFT_TOPIC_ARN", TOPIC), ("NIGHTSHIFT_NOW", "2026-11-21T03:10:00+09:00")];
    let handle = async |(): &(), _: Look, run: &Run<'_>| {
        let mut plan = Plan::new();
        plan.act("moon", Greet, "it is there");
        let nothing = async |_: &Note| -> Result<(), aws::Error> { panic!("nothing is remembered") };
        let never = async |_: &Greet| -> Result<Value, aws::Error> { panic!("nothing is done") };
        Ok(run.apply(plan, never, nothing).await)
    };
    let report = dry_run("greeter", &sdk, &variables, |_| (), handle).await.unwrap();
    assert_eq!((report.dry_run, report.actions[0].outcome), (true, Outcome::Planned));
    assert_eq!(report.at.timestamp().to_string(), "2026-11-20T18:10:00Z");

    let fails = async |(): &(), _: Look, _: &Run<'_>| Err(aws::Error::unexpected("ListMoons", "all", "denied"));
    let why = dry_run("greeter", &sdk, &variables, |_| (), fails).await.unwrap_err();
    assert_eq!(why, "ListMoons all: UnexpectedAnswer: denied");
    let wrong = dry_run("greeter", &sdk, &[("NIGHTSHIFT_HOLIDAYS", "soon")], |_| (), fails).await.unwrap_err();
    assert!(wrong.starts_with("NIGHTSHIFT_HOLIDAYS: 'soon' is not a date"), "{wrong}");
}

#[test]
#[cfg(target_os = "linux")]
fn names_are_looked_up_by_two_threads_at_most_however_many_there_are() {
    use hyper_util::client::legacy::connect::dns::GaiResolver;
    use std::fs;
    use tower_service::Service;

    let executor = executor().unwrap();
    executor.block_on(async {
        let lookups = (0..20).map(|_| tokio::spawn(GaiResolver::new().call("localhost".parse().unwrap())));
        for lookup in lookups.collect::<Vec<_>>() {
            assert!(lookup.await.unwrap().unwrap().next().is_some());
        }
    });
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let names = threads.map(|it| fs::read_to_string(it.unwrap().path().join("comm")).unwrap_or_default());
    // One alone, where it was quicker than the next lookup was asked for.
    let threads = names.filter(|it| it.trim_end() == "names").count();
    assert!((1..=2).contains(&threads), "{threads}");
}
