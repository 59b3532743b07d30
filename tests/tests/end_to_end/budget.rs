//! A month of a budget: what is expendable is held when it is spent, and free when the next month begins.

use std::thread;

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

const FUNCTION: &str = "nightshift-enforce-budget";
const OWNER: &str = "nightshift-scale-staging";
/// How many tasks [`LocalAws::start_service`] starts.
pub const TASKS: u64 = 2;
const CLUSTER: &str = "truegul-staging";
const BUDGET: &str = "TrueGul Monthly";
const BUDGET_ARN: &str = "arn:aws:budgets::123456789012:budget/TrueGul Monthly";
const HOLD: &str = "nightshift-state:hold";

/// A shop with an enforced budget of 300 USD, a service that is expendable and one that is not.
pub fn start() -> Result<LocalAws> {
    let aws =
        LocalAws::start(Options { parameters: vec![("TimeZone".into(), "Asia/Seoul".into())], ..Options::default() })?;
    aws.ecs("CreateCluster", json!({"clusterName": CLUSTER}))?;
    aws.push_image("truegul", "v1.0.0", "truegul")?;
    let image = aws.image_uri("truegul", ":v1.0.0");
    let tags = [("nightshift:budget", "sleep-at=100"), ("nightshift:schedule", "always")];
    aws.start_service(CLUSTER, "api-server", &image, &tags)?;
    aws.start_service(CLUSTER, "demo", &image, &[])?;
    aws.budgets(
        "CreateBudget",
        json!({
            "AccountId": LocalAws::ACCOUNT,
            "Budget": {"BudgetName": BUDGET, "BudgetType": "COST", "TimeUnit": "MONTHLY",
                       "BudgetLimit": {"Amount": "300", "Unit": "USD"},
                       "TimePeriod": {"Start": 1_767_225_600, "End": 3_706_473_600_u64}},
            "ResourceTags": [{"Key": "nightshift:budget", "Value": "enforce"}],
        }),
    )?;
    at(&aws, "2026-11-24T12:00:00+09:00")?;
    aws.forget_calls()?;
    Ok(aws)
}

/// Fixes the clock of the budget's function and of the one that it wakes.
fn at(aws: &LocalAws, now: &str) -> Result<()> {
    [FUNCTION, OWNER].into_iter().try_for_each(|it| aws.set_environment(it, &[("NIGHTSHIFT_NOW", now)]))
}

/// Waits until a service has that many tasks: `scale-staging` was woken and has acted.
pub fn wait_for_tasks(aws: &LocalAws, service: &str, tasks: u64) -> Result<()> {
    aws.wait_until(&format!("{service} to have {tasks} tasks"), || {
        Ok((aws.service(CLUSTER, service)?["desiredCount"] == tasks).then_some(()))
    })
}

fn wait_for_message(aws: &LocalAws, subject: &str) -> Result<()> {
    aws.wait_until(&format!("the message '{subject}'"), || {
        Ok(aws
            .messages()?
            .iter()
            .any(|it| it.subject.as_deref().is_some_and(|it| it.starts_with(subject)))
            .then_some(()))
    })
}

/// Spends that amount of the budget, and AWS Budgets notifies.
pub fn spend(aws: &LocalAws, amount: &str) -> Result<()> {
    aws.change_budget(BUDGET, amount, None)?;
    notify(aws, &format!("${amount}"))
}

/// Publishes what AWS Budgets would.
fn notify(aws: &LocalAws, amount: &str) -> Result<()> {
    let text = format!(
        "AWS Budget Notification November 24, 2026\nAWS Account {}\n\nDear AWS Customer,\n\nBudget Name: {BUDGET}\n\
         Budget Type: Cost\nBudgeted Amount: $300.00\nAlert Type: ACTUAL\nAlert Threshold: > $300.00\nACTUAL Amount: {amount}\n",
        LocalAws::ACCOUNT
    );
    let topic = aws.output("BudgetTopicArn")?;
    let subject = "AWS Budgets: TrueGul Monthly has exceeded your alert threshold";
    aws.sns("Publish", &[("TopicArn", topic), ("Subject", subject), ("Message", &text)]).map(drop)
}

fn run(aws: &LocalAws, payload: Value) -> Result<Value> {
    let invocation = aws.invoke(FUNCTION, &payload)?;
    assert_eq!(invocation.error, None, "{}", invocation.payload);
    Ok(invocation.payload)
}

fn tag(aws: &LocalAws, service: &str, key: &str) -> Result<Option<String>> {
    let tags = aws.service(CLUSTER, service)?["tags"].clone();
    let found = tags.as_array().into_iter().flatten().find(|it| it["key"] == key);
    Ok(found.and_then(|it| it["value"].as_str()).map(str::to_owned))
}

fn warned(aws: &LocalAws) -> Result<Option<String>> {
    let tags = aws.budgets("ListTagsForResource", json!({"ResourceARN": BUDGET_ARN}))?["ResourceTags"].clone();
    let found = tags.as_array().into_iter().flatten().find(|it| it["Key"] == "nightshift-state:warned").cloned();
    Ok(found.and_then(|it| it["Value"].as_str().map(str::to_owned)))
}

/// What the function has changed or sent.
fn writes(aws: &LocalAws) -> Result<Vec<String>> {
    let own = aws.calls()?.into_iter().filter(|it| it.function.as_deref() == Some(FUNCTION));
    let read = |action: &str| ["Get", "Describe", "List", "View", "Assume"].iter().any(|it| action.starts_with(it));
    Ok(own.filter(|it| !read(&it.action)).map(|it| format!("{}:{}", it.service, it.action)).collect())
}

/// What a report says was done.
fn done(report: &Value) -> Vec<String> {
    let actions = report["actions"].as_array().into_iter().flatten().filter(|it| it["outcome"] == "done");
    let name = |arn: &Value| arn.as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
    actions.map(|it| format!("{} {}", it["action"].as_str().unwrap_or_default(), name(&it["resource"]))).collect()
}

#[test]
fn a_notification_wakes_it_and_only_what_is_expendable_is_held() -> Result<()> {
    let aws = start()?;
    aws.change_budget(BUDGET, "304.72", None)?;
    notify(&aws, "$304.72")?;
    let hold = aws.wait_until("the hold", || tag(&aws, "api-server", HOLD))?;
    assert_eq!(hold, "by=budget:TrueGul_Monthly since=2026-11-24T03:00:00Z");
    wait_for_message(&aws, "[Nightshift] TrueGul Monthly: 101 % of 300 USD spent, 1 put to sleep (+1 more)")?;
    aws.wait_until("what was told to be remembered", || Ok(warned(&aws)?.filter(|it| it.contains("told=101"))))?;
    wait_for_tasks(&aws, "api-server", 0)?;
    assert_eq!((tag(&aws, "demo", HOLD)?, &aws.service(CLUSTER, "demo")?["desiredCount"]), (None, &json!(TASKS)));
    let expected =
        ["budgets:TagResource", "ecs:TagResource", "lambda:InvokeFunction", "sns:Publish", "budgets:TagResource"];
    assert_eq!(writes(&aws)?, expected);

    // The same message again and two sweeps, one of them with lower figures: nothing but looking.
    aws.forget_calls()?;
    notify(&aws, "$304.72")?;
    assert_eq!(done(&run(&aws, json!({}))?), Vec::<String>::new());
    aws.change_budget(BUDGET, "299.00", None)?;
    assert_eq!(done(&run(&aws, json!({}))?), Vec::<String>::new());
    assert_eq!(writes(&aws)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_month_ends_and_a_person_releases() -> Result<()> {
    let aws = start()?;
    aws.change_budget(BUDGET, "150", Some("354"))?;
    assert_eq!(done(&run(&aws, json!({}))?), ["warn TrueGul Monthly"]);
    aws.change_budget(BUDGET, "304.72", Some("354"))?;
    assert_eq!(done(&run(&aws, json!({}))?), ["warn TrueGul Monthly"]);
    // A figure that one reading has shown holds nothing; the second one comes six hours later.
    assert_eq!(tag(&aws, "api-server", HOLD)?, None);
    at(&aws, "2026-11-24T18:00:00+09:00")?;
    assert_eq!(done(&run(&aws, json!({}))?), ["remember TrueGul Monthly", "hold api-server"]);
    wait_for_tasks(&aws, "api-server", 0)?;
    at(&aws, "2026-12-01T09:17:00+09:00")?;
    assert_eq!(done(&run(&aws, json!({}))?), ["remember TrueGul Monthly", "release api-server"]);
    assert_eq!(tag(&aws, "api-server", HOLD)?, None);
    wait_for_tasks(&aws, "api-server", TASKS)?;

    // The figure of November counts for nothing in December, however long AWS shows it.
    at(&aws, "2026-12-20T06:00:00+09:00")?;
    assert_eq!(done(&run(&aws, json!({}))?), Vec::<String>::new());
    aws.change_budget(BUDGET, "310", Some("354"))?;
    assert_eq!(done(&run(&aws, json!({}))?), ["warn TrueGul Monthly"]);
    at(&aws, "2026-12-20T12:00:00+09:00")?;
    assert_eq!(done(&run(&aws, json!({}))?), ["remember TrueGul Monthly", "hold api-server"]);
    wait_for_tasks(&aws, "api-server", 0)?;
    let release = json!({"release": {"budget": BUDGET}});
    assert_eq!(done(&run(&aws, release)?), ["release TrueGul Monthly", "release api-server"]);
    wait_for_tasks(&aws, "api-server", TASKS)?;
    aws.change_budget(BUDGET, "500", Some("600"))?;
    run(&aws, json!({}))?;
    assert_eq!(tag(&aws, "api-server", HOLD)?, None);
    Ok(())
}

/// What the app reports of each answer of the model that it paid for.
fn answers(aws: &LocalAws, day: &str, count: f64) -> Result<()> {
    let at = format!("{day}T03:00:00Z").parse::<jiff::Timestamp>().expect("a moment").as_second();
    let datum = json!({"MetricName": "Answers", "Dimensions": [{"Name": "Model", "Value": "small"}], "Timestamp": at,
        "Value": count, "Unit": "Count"});
    aws.cloudwatch("PutMetricData", json!({"Namespace": "TrueGul/LLM", "MetricData": [datum]})).map(drop)
}

#[test]
fn a_month_of_aws_and_llm_is_over_since_the_19th_and_staging_sleeps_since_then() -> Result<()> {
    let aws = start()?;
    let source = json!([{"Key": "nightshift:spend-LLM",
        "Value": "metric=TrueGul/LLM/Answers price=0.004 limit=100 dim=Model:small"}]);
    aws.budgets("TagResource", json!({"ResourceARN": BUDGET_ARN, "ResourceTags": source}))?;
    // Neither part is above the limit by itself, at any time of the month.
    answers(&aws, "2026-10-30", 90_000.0)?;
    answers(&aws, "2026-11-05", 20_000.0)?;
    answers(&aws, "2026-11-18", 9_300.0)?;
    aws.change_budget(BUDGET, "183.10", None)?;
    at(&aws, "2026-11-19T06:00:00+09:00")?;
    assert_eq!(done(&run(&aws, json!({}))?), ["warn TrueGul Monthly"]);
    at(&aws, "2026-11-19T12:00:00+09:00")?;
    assert_eq!(done(&run(&aws, json!({}))?), ["remember TrueGul Monthly", "hold api-server"]);
    wait_for_tasks(&aws, "api-server", 0)?;

    answers(&aws, "2026-11-23", 3_450.0)?;
    aws.change_budget(BUDGET, "187", None)?;
    at(&aws, "2026-11-24T12:00:00+09:00")?;
    let report = run(&aws, json!({"dry_run": true}))?;
    let budget = report["facts"].as_array().into_iter().flatten().find(|it| it["name"] == BUDGET);
    let fact = budget.unwrap_or_else(|| panic!("no budget in {report}"));
    assert_eq!((&fact["actual"], &fact["limit"], &fact["percent"]), (&json!("318"), &json!("300"), &json!(106)));
    let parts = [
        json!({"name": "AWS", "actual": "187", "limit": "200"}),
        json!({"name": "LLM", "actual": "131", "limit": "100"}),
    ];
    assert_eq!(fact["parts"], json!(parts));
    assert_eq!(fact["held_since"], "2026-11-19T03:00:00Z");

    // Board and report show the same.
    let reporter = "nightshift-report-operations";
    aws.set_environment(reporter, &[("NIGHTSHIFT_NOW", "2026-11-24T12:00:00+09:00")])?;
    let board = aws.invoke(reporter, &json!({"board": "money"}))?.payload.to_string();
    for it in ["318 of 300 USD (106 %)", "<td>AWS</td><td>187 of 200</td>", "<td>LLM</td><td>131 of 100</td>"] {
        assert!(board.contains(it), "{it} is not in {board}");
    }
    assert!(board.contains("asleep for it since Thu 2026-11-19 12:00 KST: truegul-staging/api-server"), "{board}");
    let month = aws.invoke(reporter, &json!({"report": "month", "dry_run": true}))?.payload.to_string();
    for it in ["TrueGul Monthly now: 318 of 300 USD (106 %)", "AWS: 187 of 200 USD", "LLM: 131 of 100 USD"] {
        assert!(month.contains(it), "{it} is not in {month}");
    }
    Ok(())
}

#[test]
fn a_forged_notification_puts_nothing_to_sleep_and_is_told() -> Result<()> {
    let aws = start()?;
    notify(&aws, "$9,999.00")?;
    wait_for_message(&aws, "[Nightshift] TrueGul Monthly: ")?;
    assert_eq!(tag(&aws, "api-server", HOLD)?, None);
    Ok(())
}

#[test]
fn iam_refuses_to_hold_what_has_lost_its_tag() -> Result<()> {
    let aws = start()?;
    aws.change_budget(BUDGET, "304.72", None)?;
    run(&aws, json!({}))?;
    at(&aws, "2026-11-24T18:00:00+09:00")?;
    aws.forget_calls()?;
    // The tag goes after the function has seen it and before it acts.
    let slow = json!([{"service": "budgets", "action": "TagResource", "times": 1, "delay_seconds": 2}]);
    aws.control("POST", "faults", Some(slow))?;
    let function = thread::scope(|scope| {
        let running = scope.spawn(|| aws.invoke(FUNCTION, &json!({})));
        aws.wait_until("the function to have read the service", || {
            let own = aws.calls()?.into_iter().filter(|it| it.function.is_some());
            Ok(own.map(|it| it.action).find(|it| it == "DescribeServices"))
        })?;
        let arn = aws.service(CLUSTER, "api-server")?["serviceArn"].clone();
        aws.ecs("UntagResource", json!({"resourceArn": arn, "tagKeys": ["nightshift:budget"]}))?;
        running.join().expect("the invocation does not panic")
    })?;
    let told = function.payload.to_string();
    assert!(told.contains("TagResource arn:aws:ecs:") && told.contains("AccessDenied"), "{told}");
    assert!(told.contains("\"problem\":\"denied\""), "{told}");
    assert_eq!(tag(&aws, "api-server", HOLD)?, None);
    Ok(())
}
