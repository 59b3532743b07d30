//! The whole function from payload to page or message, with the real SDK on a scripted Lambda and CloudWatch.

use std::collections::BTreeMap;

use reconcile::Report;
use report_operations::{Clients, handle};
use serde_json::{Value, json};
use testkit::scripted::{Answer, Call, Script, TOPIC, Tables};

mod week;

/// The functions of a stack by what they answer, and what CloudWatch has.
struct Aws {
    /// By the name of the function: what is in its report besides its head.
    reports: BTreeMap<&'static str, Value>,
    /// Alarms in ALARM.
    firing: Vec<&'static str>,
    /// Of each query, by its id: a series for each name.
    measured: BTreeMap<&'static str, Vec<(&'static str, f64)>>,
}

const FUNCTIONS: [&str; 9] = [
    "copy-buckets",
    "deploy-compose",
    "deploy-image",
    "drill-restores",
    "enforce-budget",
    "prune-backups",
    "remediate-alarm",
    "scale-staging",
    "snapshot-databases",
];

/// 2026-11-30T12:00:00Z.
const NOON: i64 = 1_796_040_000;

impl Aws {
    fn shop() -> Self {
        let choices = json!([{"label": "Approve", "payload": {"approve": {"service": "codemate-cluster/codemate-backend", "image": "1a2b3c4"}},
            "command": "echo approve"}]);
        let waiting = json!({
            "facts": [{"resource": "arn:1", "fact": "image", "service": "codemate-cluster/codemate-backend", "running": "9f8e7d6", "next": "1a2b3c4"}],
            "problems": [{"resource": "arn:1", "problem": "approval", "message": "1a2b3c4 <b>waits</b>", "choices": choices}],
        });
        let budget = json!({"facts": [{"resource": "b", "fact": "budget", "name": "TrueGul-Monthly", "currency": "USD", "limit": "300",
            "actual": "318", "percent": 106, "from": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}]});
        let asleep = json!({"facts": [{"resource": "s", "fact": "sleep", "name": "truegul-staging/ml-server", "state": "held",
            "why": "a hold by budget:TrueGul-Monthly", "since": "2026-11-19T03:00:00Z", "tasks": 1, "awake": []}]});
        Aws {
            reports: [("deploy-image", waiting), ("enforce-budget", budget), ("scale-staging", asleep)].into(),
            firing: vec!["api-5xx"],
            measured: [("budget_spent", vec![("TrueGul-Monthly", 106.0)]), ("service_cpu", vec![("shop/api", 97.0)])]
                .into(),
        }
    }
}

impl Tables for Aws {
    fn answer(&mut self, call: &Call) -> Answer {
        match call.operation.as_str() {
            "Invoke" => {
                let name = call.text("function").trim_start_matches("nightshift-").to_owned();
                assert!(FUNCTIONS.contains(&name.as_str()), "{name} is not a function of the stack");
                let mut report =
                    json!({"function": name, "dry_run": true, "actions": [], "skipped": [], "problems": []});
                if call.body["payload"].get("report").is_some() {
                    report["skipped"] = json!([{"resource": name, "reason": "Asleep (1): truegul-staging/ml-server"}]);
                    return Answer::Json(report);
                }
                if let Some(more) = self.reports.get(name.as_str()) {
                    more.as_object().unwrap().iter().for_each(|(key, value)| report[key] = value.clone());
                }
                Answer::Json(report)
            }
            "DescribeAlarms" => {
                let alarm = |it: &&str| json!({"AlarmName": it, "AlarmArn": format!("arn:alarm:{it}"), "StateReason": "over 10"});
                Answer::Json(json!({"MetricAlarms": self.firing.iter().map(alarm).collect::<Vec<_>>()}))
            }
            "GetMetricData" if call.body["MetricDataQueries"][0]["MetricStat"].is_object() => {
                let query = &call.body["MetricDataQueries"][0];
                let metric = &query["MetricStat"]["Metric"];
                assert_eq!((&metric["Namespace"], &metric["MetricName"]), (&json!("Shop"), &json!("ApiErrors")));
                let result = json!({"Id": query["Id"], "Label": "ApiErrors", "Timestamps": [{"at": NOON}, {"at": NOON + 3600}],
                    "Values": [7.0, 5.0], "StatusCode": "Complete"});
                Answer::Json(json!({"MetricDataResults": [result]}))
            }
            "GetMetricData" => {
                let queries = call.body["MetricDataQueries"].as_array().unwrap();
                let of = |query: &Value| self.measured.get(query["Id"].as_str().unwrap()).cloned().unwrap_or_default();
                let results = queries.iter().flat_map(|query| {
                    let series = of(query).into_iter();
                    let id = query["Id"].clone();
                    // A search that finds nothing.
                    let nothing = json!({"Id": id, "Label": query["Label"], "Timestamps": [], "Values": [], "StatusCode": "Complete"});
                    let found: Vec<Value> = series.map(|(name, value)| {
                        json!({"Id": id, "Label": name, "Timestamps": [{"at": NOON}], "Values": [value], "StatusCode": "Complete"})
                    }).collect();
                    if found.is_empty() { vec![nothing] } else { found }
                });
                Answer::Json(json!({"MetricDataResults": results.collect::<Vec<_>>()}))
            }
            _ => week::answer(call),
        }
    }
}

async fn invoke(script: &Script<Aws>, payload: Value) -> Report {
    invoke_with(script, payload, &[]).await
}

async fn invoke_with(script: &Script<Aws>, payload: Value, more: &[(&str, &str)]) -> Report {
    let mut variables = vec![
        ("NIGHTSHIFT_TIME_ZONE", "Asia/Seoul"),
        ("NIGHTSHIFT_TOPIC_ARN", TOPIC),
        ("NIGHTSHIFT_NOW", "2026-11-30T22:20:00+09:00"),
        ("AWS_LAMBDA_FUNCTION_NAME", "nightshift-report-operations"),
        ("AWS_REGION", "ap-northeast-2"),
    ];
    variables.extend(more);
    let sdk = script.sdk();
    runtime::invoke_once("report-operations", &sdk, &variables, Clients::new, handle, payload).await.unwrap()
}

async fn page(script: &Script<Aws>, payload: Value) -> String {
    invoke(script, payload).await.page.expect("a page")
}

fn widget(board: &str, theme: &str) -> Value {
    json!({"board": board, "widgetContext": {"theme": theme, "params": {"board": board}}})
}

#[tokio::test(start_paused = true)]
async fn a_widget_shows_what_waits_with_its_button_and_asks_for_nothing_but_dry_runs() {
    let script = Script::new(Aws::shop());
    let shown = page(&script, widget("images", "dark")).await;
    assert!(shown.starts_with("<div class=\"ns dark\">"), "{shown}");
    assert!(shown.contains("1a2b3c4 &lt;b&gt;waits&lt;/b&gt;"), "{shown}");
    let endpoint = "endpoint=\"arn:aws:lambda:ap-northeast-2:123456789012:function:nightshift-deploy-image\"";
    assert!(shown.contains(endpoint) && shown.contains("{\"approve\":{\"service\":"), "{shown}");
    // Two functions were asked, and nothing else was read.
    assert_eq!(script.counts(), [("Invoke".to_owned(), 2)].into());

    script.forget_calls();
    let whole = page(&script, json!({})).await;
    assert!(whole.contains("<h3>Tonight</h3>") && whole.contains("<h3>Needs you</h3>"), "{whole}");
    let mut asked: Vec<String> = script.sent("Invoke").iter().map(|it| it.text("function").to_owned()).collect();
    asked.sort();
    assert_eq!(asked, FUNCTIONS.map(|it| format!("nightshift-{it}")));
    assert!(script.bodies("Invoke").iter().all(|it| it["payload"] == json!({"dry_run": true})));
    assert_eq!((script.count("GetMetricData"), script.count("DescribeAlarms"), script.count("Publish")), (1, 1, 0));
}

/// Fifty services, each with an image that waits and with a schedule, and a budget that holds them.
fn fifty() -> Script<Aws> {
    let script = Script::new(Aws::shop());
    let arn = |it: usize| format!("arn:aws:ecs:ap-northeast-2:123456789012:service/codemate-cluster/service-{it}");
    let name = |it: usize| format!("codemate-cluster/service-{it}");
    let facts = |fact: &dyn Fn(usize) -> Value| (0..50).map(fact).collect::<Vec<_>>();
    let images = facts(&|it| {
        json!({"resource": arn(it), "fact": "image", "service": name(it), "running": "9f8e7d6", "next": "1a2b3c4",
            "since": "2026-11-27T05:00:00Z", "windows": [["2026-11-30T14:00:00Z", "2026-11-30T18:00:00Z"]]})
    });
    let choices =
        |it: usize| json!([{"label": "Approve", "payload": {"approve": {"service": name(it), "image": "1a2b3c4"}}}]);
    let problems = facts(&|it| {
        json!({"resource": arn(it), "problem": "approval", "message": "1a2b3c4 waits for your approval (runs 9f8e7d6)",
            "choices": choices(it)})
    });
    let sleeps = facts(&|it| {
        json!({"resource": arn(it), "fact": "sleep", "name": name(it), "state": "awake", "why": "'mon-fri 08:00-20:00'",
            "tasks": 2, "awake": [["2026-11-30T23:00:00Z", "2026-12-01T11:00:00Z"]]})
    });
    let reports =
        [("deploy-image", json!({"facts": images, "problems": problems})), ("scale-staging", json!({"facts": sleeps}))];
    script.aws().reports.extend(reports);
    script
}

/// What takes the time of a first answer is the number of calls: it does not grow with the services, all but the two of
/// CloudWatch are made at once, and the page stays as small as CloudWatch shows at once.
#[tokio::test(start_paused = true)]
async fn a_board_of_fifty_services_takes_as_many_calls_as_one_of_a_single_service() {
    let (one, many) = (Script::new(Aws::shop()), fifty());
    let small = page(&one, json!({})).await;
    let large = page(&many, json!({})).await;
    assert_eq!(many.counts(), one.counts());
    assert_eq!(many.counts().values().sum::<usize>(), FUNCTIONS.len() + 2);
    assert!(small.len() < 20_000 && large.len() <= 60_000, "{} and {} bytes", small.len(), large.len());
    assert!(large.contains("service-0") && large.contains("the dry runs have them all"), "{large}");
    assert_eq!(large.matches("<h3>").count(), 6);
}

#[tokio::test(start_paused = true)]
async fn money_is_drawn_by_day_and_with_what_sleeps() {
    let script = Script::new(Aws::shop());
    let shown = page(&script, widget("money", "light")).await;
    for it in [
        "318 of 300 USD (106 %)",
        "percent spent, by day",
        // A task that has been asleep for the whole week.
        "168 hours of tasks and 0 hours of databases",
    ] {
        assert!(shown.contains(it), "{it} is not in {shown}");
    }
    let query = &script.bodies("GetMetricData")[0]["MetricDataQueries"][0];
    assert_eq!(
        query["Expression"],
        "SEARCH('{AWS/ECS,ClusterName,ServiceName} MetricName=\"CPUUtilization\"', 'SampleCount', 3600)"
    );
    assert_eq!(query["Label"], "${PROP('Dim.ClusterName')}/${PROP('Dim.ServiceName')}");
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_is_said_where_it_is_missing_and_hides_nothing_else() {
    let script = Script::new(Aws::shop());
    script.refuse("Invoke", "nightshift-scale-staging", 9, 403, "AccessDeniedException");
    script.refuse("GetMetricData", "", 9, 403, "AccessDeniedException");
    script.refuse("DescribeAlarms", "", 9, 403, "AccessDeniedException");
    let shown = page(&script, json!({})).await;
    for it in [
        "<b class=\"bad\">scale-staging</b> could not be read: Invoke nightshift-scale-staging: AccessDeniedException",
        "<b class=\"bad\">The alarms without a remedy</b> could not be read",
        "<b class=\"bad\">What sleeping saves</b> could not be read",
        "318 of 300 USD",
        "next 1a2b3c4",
    ] {
        assert!(shown.contains(it), "{it} is not in {shown}");
    }
    // Without figures there is no availability to hold against an objective, and so no line about it.
    let report = invoke_with(&script, json!({"report": "day"}), &[("NIGHTSHIFT_SLO", "99.9")]).await;
    assert!(!report.failed());
    let message = script.sent("Publish")[0].text("Message").to_owned();
    for it in [
        "scale-staging could not be asked",
        "the alarms could not be read",
        "what CloudWatch measured could not be read",
    ] {
        assert!(message.contains(it), "{it} is not in {message}");
    }
    assert!(!message.contains("availability"), "{message}");
    assert!(
        message.contains("run aws logs tail --region ap-northeast-2 /aws/lambda/nightshift-scale-staging"),
        "{message}"
    );
}

/// However much is to be told, and whatever cannot be read.
#[tokio::test(start_paused = true)]
async fn each_report_is_one_message() {
    for denied in [false, true] {
        for period in ["day", "week", "month"] {
            let script = fifty();
            if denied {
                ["Invoke", "GetMetricData", "DescribeAlarms", "DescribeDBInstances", "ListServiceDeployments"]
                    .iter()
                    .for_each(|it| script.refuse(it, "", 999, 403, "AccessDeniedException"));
            }
            let report = invoke(&script, json!({"report": period})).await;
            assert!(!report.failed(), "{period}");
            assert_eq!(script.count("Publish"), 1, "{period}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_day_is_one_message_with_what_needs_a_person_first() {
    let script = Script::new(Aws::shop());
    let report = invoke(&script, json!({"report": "day"})).await;
    assert_eq!(report.page, None);
    let message = &script.sent("Publish")[0];
    assert_eq!((script.count("Publish"), message.text("Subject")), (1, "[Nightshift] Daily report, Mon 2026-11-30"));
    let text = message.text("Message");
    assert!(text.starts_with("{\"default\":\"[!] 1: 1a2b3c4 "), "{text}");
    assert!(text.contains("(deploy-image); Approve: echo approve"), "{text}");
    for it in [
        "alarm api-5xx is in ALARM: over 10",
        "shop/api: CPU was at 97 % at most",
        "Asleep (1): truegul-staging/ml-server",
    ] {
        assert!(text.contains(it), "{it} is not in {text}");
    }
    assert!(!text.contains("PROP"), "what was not found is not told: {text}");
    assert!(script.bodies("Invoke").iter().all(|it| it["payload"]["dry_run"] == true));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_of_a_report_sends_nothing_and_answers_with_its_lines() {
    let script = Script::new(Aws::shop());
    let report = invoke(&script, json!({"report": "month", "dry_run": true})).await;
    assert_eq!(script.count("Publish"), 0);
    assert!(report.skipped.iter().any(|it| it.reason == "TrueGul-Monthly now: 318 of 300 USD (106 %)"), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn the_console_is_told_which_parameters_there_are() {
    let script = Script::new(Aws::shop());
    let text = page(&script, json!({"describe": true, "widgetContext": {"theme": "light"}})).await;
    assert!(text.contains("```yaml\nboard: needs-you\n```"), "{text}");
    assert!(script.all_calls().is_empty());
}
