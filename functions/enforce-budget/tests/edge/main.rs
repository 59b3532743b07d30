//! The whole function from payload to report, with the real SDK on scripted HTTP.

#![recursion_limit = "256"]

mod aws;

use reconcile::{Outcome, Report};
use serde_json::{Value, json};

use crate::aws::{BUDGET, BUDGET_TOPIC, SERVICE, Script, TOPIC};

const HOLD: &str = "nightshift-state:hold";
const WARNED: &str = "nightshift-state:warned";
const DATABASE: &str = "arn:aws:rds:ap-northeast-2:123456789012:db:staging-db";

/// What became of what: `api-server hold Done`, `app skipped: …`, `app bad-tag: …`.
fn told(report: &Report) -> Vec<String> {
    let name = |arn: &str| arn.rsplit(['/', ':']).next().unwrap().to_owned();
    let actions = report.actions.iter().map(|it| format!("{} {} {:?}", name(&it.resource), it.action, it.outcome));
    let skipped = report.skipped.iter().map(|it| format!("{} skipped: {}", name(&it.resource), it.reason));
    let problems = report.problems.iter().map(|it| format!("{} {}: {}", name(&it.resource), it.problem, it.message));
    actions.chain(skipped).chain(problems).collect()
}

/// A notification of AWS Budgets, or what looks like one.
fn notification(topic: &str, account: &str, name: &str, amount: &str) -> Value {
    let text = format!(
        "AWS Budget Notification November 24, 2026\nAWS Account {account}\n\nDear AWS Customer,\n\n\
         Budget Name: {name}\nBudget Type: Cost\nAlert Type: ACTUAL\nACTUAL Amount: {amount}\n"
    );
    json!({"Records": [{"EventVersion": "1.0", "EventSource": "aws:sns", "EventSubscriptionArn": format!("{topic}:1"),
        "Sns": {"Type": "Notification", "MessageId": "1", "Subject": "AWS Budgets", "Message": text, "TopicArn": topic,
                "Timestamp": "2026-11-24T02:41:32.111Z", "SignatureVersion": "1", "Signature": "", "SigningCertUrl": "https://sns",
                "UnsubscribeUrl": "https://sns", "MessageAttributes": {}}}]})
}

#[tokio::test]
async fn a_spent_budget_is_told_and_holds_what_is_expendable_and_wakes_its_owner() {
    let script = Script::new("304.72");
    script.tag(DATABASE, "nightshift:budget", "sleep-at=100");
    script.tag(DATABASE, "nightshift:schedule", "mon-fri 08:00-20:00");
    script.tag("arn:aws:rds:ap-northeast-2:123456789012:db:production-db", "team", "food");
    let report = script.invoke(notification(BUDGET_TOPIC, "123456789012", "TrueGul Monthly", "$304.72")).await.unwrap();
    let expected = ["TrueGul Monthly warn Done", "api-server hold Done", "staging-db hold Done"];
    assert_eq!(told(&report), expected);
    for held in [SERVICE, DATABASE] {
        let hold = "by=budget:TrueGul_Monthly since=2026-11-24T03:00:00Z";
        assert_eq!(script.tag_of(held, HOLD).as_deref(), Some(hold));
    }
    let warned = "period=2026-11-01 limit=300 actual=101 told=101 forecast=0";
    assert_eq!(script.tag_of(BUDGET, WARNED).as_deref(), Some(warned));
    let mut woken = script.bodies("Invoke");
    woken.sort_by_key(|it| it.to_string());
    let wake =
        |arn: &str| json!({"function": "nightshift-scale-staging", "type": "Event", "payload": {"resource": arn}});
    assert_eq!(woken, [wake(SERVICE), wake(DATABASE)]);
    let message = &script.bodies("Publish")[0];
    assert_eq!(message["Subject"], "[Nightshift] TrueGul Monthly: 101 % of 300 USD spent, 2 put to sleep (+2 more)");
    let text = message["Message"].as_str().unwrap();
    assert!(text.contains("release") && text.contains("look first at https://console.aws.amazon.com"), "{text}");

    // The same again, and a sweep: nothing but looking.
    script.forget_calls();
    script.invoke(notification(BUDGET_TOPIC, "123456789012", "TrueGul Monthly", "$304.72")).await.unwrap();
    script.invoke(json!({})).await.unwrap();
    assert_eq!(script.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn instances_and_groups_are_held_by_their_own_tags_and_what_is_gone_is_left_out() {
    let script = Script::seen("304.72");
    let instance = |id: &str| format!("arn:aws:ec2:ap-northeast-2:123456789012:instance/{id}");
    let group = |name: &str| {
        format!("arn:aws:autoscaling:ap-northeast-2:123456789012:autoScalingGroup:1:autoScalingGroupName/{name}")
    };
    let machines = [instance("i-1"), instance("i-2"), instance("i-gone"), group("api"), group("gone"), group("web")];
    for arn in &machines {
        script.tag(arn, "nightshift:budget", "sleep-at=100");
        script.tag(arn, "nightshift:schedule", "always");
    }
    script.tag(&machines[0], "Name", "shop");
    // Its group is expendable too, and hands its tag on.
    script.tag(&machines[1], "aws:autoscaling:groupName", "web");
    script.tag(&instance("i-other"), "Name", "no business of ours");
    let report = script.invoke(json!({})).await.unwrap();
    let member = "i-2 skipped: it belongs to the Auto Scaling group web, which sleeps as a whole";
    let mut told = told(&report);
    told.sort();
    let expected = [
        "TrueGul Monthly warn Done",
        "api hold Done",
        "api-server hold Done",
        "i-1 hold Done",
        member,
        "web hold Done",
    ];
    assert_eq!(told, expected);
    for (arn, held) in machines.iter().zip([true, false, false, true, false, true]) {
        assert_eq!(script.tag_of(arn, HOLD).is_some(), held, "{arn}");
    }
    assert_eq!(script.bodies("Invoke").len(), 4);

    // What was held and has lost its tag is told on the budget, and not touched: IAM would not allow it.
    script.aws().tags.get_mut(&machines[0]).unwrap().remove("nightshift:budget");
    script.invoke(json!({"release": {"budget": "TrueGul Monthly"}})).await.unwrap();
    assert!(script.tag_of(&machines[0], HOLD).is_some());
    assert_eq!((script.tag_of(&machines[3], HOLD), script.tag_of(&machines[5], HOLD)), (None, None));
    assert_eq!((script.count("CreateTags"), script.count("CreateOrUpdateTags")), (1, 2));
    assert!(
        script
            .bodies("Publish")
            .iter()
            .any(|it| it["Message"].as_str().unwrap().contains("shop stays asleep: it has lost its tag"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_group_that_changes_its_size_is_held_by_the_next_run() {
    let script = Script::seen("304.72");
    let web = "arn:aws:autoscaling:ap-northeast-2:123456789012:autoScalingGroup:1:autoScalingGroupName/web";
    script.tag(web, "nightshift:budget", "sleep-at=100");
    script.tag(web, "nightshift:schedule", "always");
    script.fail("CreateOrUpdateTags", "web", 1, "ResourceContention");
    let report = script.invoke(json!({})).await.unwrap();
    assert!(told(&report).contains(&"web hold Deferred".to_owned()), "{:?}", told(&report));
    script.invoke(json!({})).await.unwrap();
    assert!(script.tag_of(web, HOLD).is_some());
}

/// The budget counts answers of a model's API besides the bill of AWS.
fn with_answers(script: &Script, sums: &[(&str, &str)]) {
    script.tag(
        BUDGET,
        "nightshift:spend-LLM",
        "metric=TrueGul/LLM/Answers price=0.004 limit=100 dim=Model:small dim=Env:prod",
    );
    script.aws().sums = sums.iter().map(|(at, sum)| (at.to_string(), sum.to_string())).collect();
}

#[tokio::test]
async fn a_source_outside_of_aws_is_summed_from_the_beginning_of_the_period_and_counts() {
    let script = Script::seen("187");
    with_answers(
        &script,
        &[("2026-10-31T00:00:00Z", "9000"), ("2026-11-01T00:00:00Z", "1.0E4"), ("2026-11-18T00:00:00Z", "22750.0")],
    );
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report), ["TrueGul Monthly warn Done", "api-server hold Done"]);
    let asked = script.bodies("GetMetricStatistics").remove(0);
    for (field, value) in [
        ("Namespace", "TrueGul/LLM"),
        ("MetricName", "Answers"),
        ("Statistics.member.1", "Sum"),
        ("Period", "86400"),
        ("StartTime", "2026-10-01T00:00:00Z"),
        ("EndTime", "2026-11-24T03:00:00Z"),
        ("Dimensions.member.1.Name", "Model"),
        ("Dimensions.member.1.Value", "small"),
        ("Dimensions.member.2.Name", "Env"),
        ("Dimensions.member.2.Value", "prod"),
    ] {
        assert_eq!(asked[field], value, "{field}");
    }
    let message = script.bodies("Publish")[0]["Message"].to_string();
    assert!(message.contains("318 USD, 106 % (AWS 187 of 200, LLM 131 of 100)"), "{message}");
}

#[tokio::test]
async fn a_source_that_cannot_be_read_is_told_once_and_the_rest_is_judged() {
    for (fault, problem) in [
        ("AccessDenied", "TrueGul Monthly unreadable-spend: nightshift:spend-LLM: GetMetricStatistics"),
        ("InternalFailure", "TrueGul Monthly unreadable-spend: nightshift:spend-LLM: GetMetricStatistics"),
    ] {
        let script = Script::seen("187");
        with_answers(&script, &[("2026-11-18T00:00:00Z", "32750")]);
        script.fail("GetMetricStatistics", "", 99, fault);
        let report = script.invoke(json!({})).await.unwrap();
        assert!(told(&report).iter().any(|it| it.starts_with(problem)), "{:?}", told(&report));
        assert_eq!((script.tag_of(SERVICE, HOLD), script.count("Publish")), (None, 1));
        script.forget_calls();
        script.invoke(json!({})).await.unwrap();
        assert_eq!(script.count("Publish"), 0, "{fault}");
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_read_makes_its_source_unknown() {
    let script = Script::seen("187");
    with_answers(&script, &[("2026-11-18T00:00:00Z", "32750"), ("2026-11-19T00:00:00Z", "many")]);
    let report = script.invoke(json!({})).await.unwrap();
    let expected = "holds a value that cannot be read: 'many' at '2026-11-19T00:00:00Z'";
    assert!(told(&report).iter().any(|it| it.contains(expected)), "{:?}", told(&report));
    assert_eq!(script.tag_of(SERVICE, HOLD), None);
}

#[tokio::test]
async fn a_figure_that_only_one_reading_has_shown_is_told_and_holds_nothing() {
    let script = Script::new("304.72");
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report)[0], "TrueGul Monthly warn Done");
    assert_eq!((script.tag_of(SERVICE, HOLD), script.count("Invoke"), script.count("Publish")), (None, 0, 1));
    let warned = "period=2026-11-01 limit=300 actual=0 told=101 forecast=0 seen=101 at=2026-11-24T03:00:00Z";
    assert_eq!(script.tag_of(BUDGET, WARNED).as_deref(), Some(warned));
    // A second one within the hour says nothing more, AWS's own notification does.
    script.forget_calls();
    script.invoke(json!({})).await.unwrap();
    assert_eq!(script.writes(), Vec::<String>::new());
    let notified = notification(BUDGET_TOPIC, "123456789012", "TrueGul Monthly", "$304.72");
    assert_eq!(
        told(&script.invoke(notified).await.unwrap()),
        ["TrueGul Monthly remember Done", "api-server hold Done"]
    );
}

#[tokio::test]
async fn what_is_remembered_is_written_before_anything_is_held_and_what_was_told_after_it_was() {
    let script = Script::seen("304.72");
    script.invoke(json!({})).await.unwrap();
    assert_eq!(script.writes(), ["TagResource", "TagResource", "Invoke", "Publish", "TagResource"]);
    let tagged: Vec<String> = script.bodies("TagResource").iter().map(|it| it.to_string()).collect();
    assert!(tagged[0].contains("actual=101 told=0") && tagged[1].contains("by=budget:"), "{tagged:?}");
    assert!(tagged[2].contains("actual=101 told=101"), "{tagged:?}");
}

/// AWS sends a notification for each threshold, and each starts a run.
#[tokio::test]
async fn a_run_that_another_one_has_overtaken_neither_tells_the_same_nor_forgets_a_release() {
    for memory in [
        "period=2026-11-01 limit=300 actual=101 told=101 forecast=0",
        "period=2026-11-01 limit=300 actual=101 told=101 forecast=0 released=2026-11-24T02:59:59Z",
    ] {
        let script = Script::seen("304.72");
        script.aws().overtaken = Some(memory);
        let report = script.invoke(json!({})).await.unwrap();
        let outcomes: Vec<Outcome> = report.actions.iter().map(|it| it.outcome).collect();
        assert_eq!((outcomes, script.writes()), (vec![Outcome::Deferred; 2], Vec::<String>::new()));
        assert_eq!(script.tag_of(BUDGET, WARNED).as_deref(), Some(memory));
        // The next run decides by what is remembered now.
        script.invoke(json!({})).await.unwrap();
        assert_eq!(
            (script.count("Publish"), script.tag_of(SERVICE, HOLD).is_some()),
            match memory.contains("released") {
                true => (0, false),
                false => (1, true),
            }
        );
    }
}

#[tokio::test]
async fn without_a_memory_nothing_is_held() {
    let script = Script::seen("304.72");
    script.fail("TagResource", WARNED, 9, "AccessDeniedException");
    let report = script.invoke(json!({})).await.unwrap();
    let outcomes: Vec<Outcome> = report.actions.iter().map(|it| it.outcome).collect();
    assert_eq!(outcomes, [Outcome::Deferred, Outcome::Deferred]);
    assert_eq!(report.problems[0].problem, "denied", "{:?}", told(&report));
    assert_eq!((script.tag_of(SERVICE, HOLD), script.count("Invoke")), (None, 0));
    let subject = script.bodies("Publish")[0]["Subject"].to_string();
    assert!(subject.contains("[Nightshift] TrueGul Monthly: TagResource arn:aws:budgets:"), "{subject}");
}

#[tokio::test]
async fn what_did_not_get_through_is_told_by_the_next_run_and_held_only_once() {
    let script = Script::seen("304.72");
    script.fail("Publish", "", 9, "NotFound");
    let error = script.invoke(json!({})).await.unwrap_err();
    assert!(error.contains("\"notification_error\":\"Publish "), "{error}");
    let warned = "period=2026-11-01 limit=300 actual=101 told=0 forecast=0";
    assert_eq!(script.tag_of(BUDGET, WARNED).as_deref(), Some(warned));
    script.end_faults();
    // A credit meanwhile: what sleeps stays asleep.
    script.spent("10");
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report)[0], "TrueGul Monthly warn Done");
    assert!(told(&report)[1].starts_with("api-server skipped: held by TrueGul_Monthly"), "{:?}", told(&report));
    let after = warned.replace("told=0", "told=101");
    assert_eq!(script.tag_of(BUDGET, WARNED).unwrap(), after);
}

#[tokio::test]
async fn told_but_not_remembered_is_an_error_since_it_will_be_told_again() {
    let script = Script::new("250");
    script.fail("TagResource", "told=83", 9, "AccessDeniedException");
    let error = script.invoke(json!({})).await.unwrap_err();
    assert!(error.contains("people were told, and will be told again"), "{error}");
}

#[tokio::test]
async fn an_owner_that_cannot_be_woken_finds_the_hold_by_itself() {
    let script = Script::seen("304.72");
    script.fail("Invoke", "", 9, "ResourceNotFoundException");
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report)[1], "api-server hold Done");
    let woken = report.actions[1].after["scale_staging"].as_str().unwrap();
    assert!(woken.starts_with("not woken, so its next sweep does it (Invoke nightshift-scale-staging: "), "{woken}");
}

#[tokio::test]
async fn every_page_of_budgets_is_read_at_the_one_endpoint_that_there_is() {
    let script = Script::new("10");
    script.aws().page = 2;
    for number in 0..4 {
        script.add_budget(&format!("Team {number}"), "10");
    }
    script.tag("arn:aws:budgets::123456789012:budget/Team 3", "nightshift:budget", "enforce warn-at=90");
    let report = script.invoke(json!({})).await.unwrap();
    let tagged = report.skipped.iter().filter(|it| it.reason.contains(" are spent")).count();
    assert_eq!((script.count("DescribeBudgets"), script.count("ListTagsForResource"), tagged), (3, 5, 3));
    let calls = script.all_calls();
    for call in calls.iter().filter(|it| ["DescribeBudgets", "ListTagsForResource"].contains(&it.operation.as_str())) {
        assert_eq!((call.host.as_str(), call.signed_for.as_str()), ("budgets.amazonaws.com", "us-east-1"));
    }
    for call in calls.iter().filter(|it| it.operation == "DescribeServices") {
        assert_eq!(call.signed_for, "ap-northeast-2");
    }
}

#[tokio::test]
async fn budgets_that_may_not_be_read_stop_the_run_and_nothing_is_touched() {
    let script = Script::new("304.72");
    script.fail("DescribeBudgets", "", 9, "AccessDeniedException");
    let error = script.invoke(json!({})).await.unwrap_err();
    assert_eq!(error, "DescribeBudgets all: AccessDeniedException: refused by the script");
    assert_eq!(script.writes(), ["Publish"]);
    let subject = script.bodies("Publish")[0]["Subject"].clone();
    let begins = "[Nightshift] enforce-budget: nothing was done: DescribeBudgets all: AccessDeniedException";
    assert!(subject.as_str().is_some_and(|it| it.starts_with(begins)), "{subject}");
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out() {
    let script = Script::seen("304.72");
    for operation in ["DescribeBudgets", "ListTagsForResource", "TagResource", "DescribeServices", "Invoke"] {
        script.fail(operation, "", 2, "ThrottlingException");
    }
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report), ["TrueGul Monthly warn Done", "api-server hold Done"]);
}

#[tokio::test]
async fn a_budget_whose_tags_may_not_be_read_is_told_and_changes_nothing() {
    let script = Script::new("304.72");
    script.fail("ListTagsForResource", "", 9, "AccessDeniedException");
    let report = script.invoke(json!({})).await.unwrap();
    let denied = "api-server unreadable-tags: the tags of TrueGul Monthly cannot be read, so it is not known whether it is enforced: \
                  ListTagsForResource arn:aws:budgets::123456789012:budget/TrueGul Monthly: AccessDeniedException: refused by the script";
    assert_eq!(told(&report).last().unwrap(), denied);
    assert_eq!(script.tag_of(SERVICE, HOLD), None);
    // It is remembered by what depends on it, so that it is told once.
    script.invoke(json!({})).await.unwrap();
    assert_eq!(script.count("Publish"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_tags_of_two_hundred_budgets_are_read_at_the_pace_that_aws_allows() {
    let script = Script::seen("304.72");
    for number in 0..200 {
        script.add_budget(&format!("Team {number:03}"), "10");
    }
    script.fail("ListTagsForResource", "", 60, "ThrottlingException");
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!((report.count(Outcome::Done), report.problems.len()), (2, 0), "{:?}", told(&report));
    // Each of them once, what was refused again, and the one budget once more before something is remembered on it.
    assert_eq!(script.count("ListTagsForResource"), 201 + 60 + 1);
    // Where AWS refuses on and on, what did not opt in is not told as a problem, and what is held stays held.
    script.fail("ListTagsForResource", "Team 00", 100_000, "ThrottlingException");
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(report.problems, []);
    let why = "Team 007 skipped: its tags cannot be read: ";
    assert!(told(&report).iter().any(|it| it.starts_with(why)), "{:?}", told(&report));
    assert!(script.tag_of(SERVICE, HOLD).is_some());
}

#[tokio::test]
async fn odd_budgets_are_left_alone_and_hide_no_other() {
    let script = Script::seen("304.72");
    {
        let mut aws = script.aws();
        let odd = |name: &str, change: &dyn Fn(&mut Value)| {
            let mut budget = aws.budgets[0].clone();
            budget["BudgetName"] = json!(name);
            change(&mut budget);
            budget
        };
        let planned =
            json!({"1790812800": {"Amount": "100", "Unit": "USD"}, "1793491200": {"Amount": "1000", "Unit": "USD"}});
        let more = vec![
            odd("A usage", &|it| it["BudgetType"] = json!("USAGE")),
            odd("B unlimited", &|it| drop(it.as_object_mut().unwrap().remove("BudgetLimit"))),
            odd("C zero", &|it| it["BudgetLimit"]["Amount"] = json!("0")),
            odd("D won", &|it| it["BudgetLimit"]["Unit"] = json!("KRW")),
            odd("E new", &|it| drop(it.as_object_mut().unwrap().remove("CalculatedSpend"))),
            odd("F credit", &|it| it["CalculatedSpend"]["ActualSpend"]["Amount"] = json!("-12.5")),
            odd("G planned", &|it| it["PlannedBudgetLimits"] = planned.clone()),
            odd("H unhealthy", &|it| {
                it["HealthStatus"] = json!({"Status": "UNHEALTHY", "StatusReason": "BILLING_VIEW_NO_ACCESS"})
            }),
            odd("I strange", &|it| it["CalculatedSpend"]["ActualSpend"]["Amount"] = json!("a lot")),
            odd("K large", &|it| it["CalculatedSpend"]["ActualSpend"]["Amount"] = json!("1.5E+2")),
            odd("L daily", &|it| it["TimeUnit"] = json!("DAILY")),
            odd("J savings", &|it| it["BudgetType"] = json!("SAVINGS_PLANS_UTILIZATION")),
        ];
        aws.budgets.extend(more);
        let names: Vec<String> = aws.budgets.iter().map(|it| it["BudgetName"].as_str().unwrap().to_owned()).collect();
        for name in names {
            let tags = aws.tags.entry(format!("arn:aws:budgets::123456789012:budget/{name}")).or_default();
            tags.insert("nightshift:budget".into(), "enforce".into());
        }
    }
    let report = script.invoke(json!({})).await.unwrap();
    let expected = [
        "TrueGul Monthly warn Done",
        "api-server hold Done",
        "E new skipped: AWS has no figures for it yet",
        "F credit skipped: 0 % of 300 USD are spent (-12.50 USD), there is no forecast yet",
        "G planned skipped: 30 % of 1000 USD are spent (304.72 USD), there is no forecast yet",
        "K large skipped: 50 % of 300 USD are spent (150 USD), there is no forecast yet",
        "A usage not-enforceable: a usage budget cannot be enforced, only a cost budget: remove its tag",
        "B unlimited no-limit: it has no limit, so nothing can be reckoned: give it one",
        "C zero no-limit: its limit is 0 USD, of which there are no percent: raise it",
        "D won mixed-currencies: its limit is in KRW, its figures are in USD: set the limit again",
        "H unhealthy outdated-figures: AWS says that its figures are out of date: billing_view_no_access",
        "I strange unreadable-figure: AWS says 'a lot' of what was spent, which is not an amount that this version can read, so nothing is decided by it",
        "J savings not-enforceable: a savings plans utilization budget cannot be enforced, only a cost budget: remove its tag",
        "L daily not-enforceable: a daily budget cannot be enforced; AWS's figures of a day come 8 to 24 hours late, when the day is over: \
         enforce a monthly one, and remove the tag of this one",
    ];
    assert_eq!(told(&report), expected);
    // Told once: each remembers it.
    assert_eq!(script.count("Publish"), 2);
    script.invoke(json!({})).await.unwrap();
    assert_eq!(script.count("Publish"), 2);
    let memory =
        script.tag_of("arn:aws:budgets::123456789012:budget/C zero", "nightshift-state:budget-problem").unwrap();
    assert!(memory.starts_with("no-limit "), "{memory}");
}

#[tokio::test]
async fn a_notification_that_is_not_ours_is_told_without_a_look() {
    let other = "arn:aws:sns:ap-northeast-2:123456789012:somewhere";
    for (payload, problem) in [
        (notification(other, "123456789012", "TrueGul Monthly", "$999.00"), "somewhere foreign-topic: "),
        (notification(BUDGET_TOPIC, "210987654321", "TrueGul Monthly", "$999.00"), "budgets foreign-account: "),
    ] {
        let script = Script::new("304.72");
        let report = script.invoke(payload).await.unwrap();
        assert!(told(&report)[0].starts_with(problem), "{:?}", told(&report));
        let calls: Vec<String> = script.all_calls().into_iter().map(|it| it.operation).collect();
        assert_eq!(calls, ["Publish"]);
    }
}

#[tokio::test]
async fn a_forged_notification_puts_nothing_to_sleep_and_is_told_once() {
    let script = Script::new("10");
    for _ in 0..3 {
        let forged = notification(BUDGET_TOPIC, "123456789012", "TrueGul Monthly", "$999.00");
        let report = script.invoke(forged).await.unwrap();
        assert!(told(&report).last().unwrap().starts_with("TrueGul Monthly unconfirmed: "), "{:?}", told(&report));
    }
    assert_eq!((script.tag_of(SERVICE, HOLD), script.count("Invoke"), script.count("Publish")), (None, 0, 1));
    let report = script.invoke(notification(BUDGET_TOPIC, "123456789012", "Nobody's", "$1.00")).await.unwrap();
    assert!(told(&report).last().unwrap().starts_with("budgets no-such-budget: "), "{:?}", told(&report));
    script.aws().tags.remove(BUDGET);
    let report = script.invoke(notification(BUDGET_TOPIC, "123456789012", "TrueGul Monthly", "$10.00")).await.unwrap();
    assert!(told(&report).iter().any(|it| it.starts_with("TrueGul Monthly not-enforced: ")), "{:?}", told(&report));
    // What has no tag holds no memory either.
    assert_eq!(script.aws().tags.get(BUDGET), None);
}

#[tokio::test]
async fn an_anomaly_is_told_and_nothing_is_looked_at() {
    let script = Script::new("304.72");
    let path = format!("{}/../../events/enforce-budget/cost-anomaly.json", env!("CARGO_MANIFEST_DIR"));
    let sample: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let topic = sample["Records"][0]["Sns"]["TopicArn"].as_str().unwrap().to_owned();
    let topics = [("NIGHTSHIFT_BUDGET_TOPIC_ARN", topic.as_str()), ("NIGHTSHIFT_TOPIC_ARN", TOPIC)];
    let report = script.invoke_with(sample, &topics).await.unwrap();
    assert_eq!(script.writes(), ["Publish"]);
    assert_eq!(script.all_calls().len(), 1);
    let subject = script.bodies("Publish")[0]["Subject"].clone();
    assert_eq!(subject, "[Nightshift] AWS CloudTrail: 12.09 spent instead of 0.27 since 2026-11-05");
    let message = &report.problems[0].message;
    assert!(message.contains(". Nothing was done") && message.contains(". Look first at https://"), "{message}");
}

#[tokio::test]
async fn a_person_releases_and_a_dry_run_only_shows_it() {
    let script = Script::seen("304.72");
    script.invoke(json!({})).await.unwrap();
    script.forget_calls();
    let report = script.invoke(json!({"release": {"budget": "TrueGul Monthly"}, "dry_run": true})).await.unwrap();
    assert_eq!(told(&report), ["TrueGul Monthly release Planned", "api-server release Planned"]);
    assert_eq!(script.writes(), Vec::<String>::new());
    let report = script.invoke(json!({"release": {"budget": "TrueGul Monthly"}})).await.unwrap();
    assert_eq!(report.count(Outcome::Done), 2);
    assert_eq!((script.tag_of(SERVICE, HOLD), script.count("Invoke")), (None, 1));
    script.spent("450");
    script.invoke(json!({})).await.unwrap();
    assert_eq!(script.tag_of(SERVICE, HOLD), None);
}

#[tokio::test]
async fn the_account_is_known_from_a_topic_or_nothing_is_done() {
    let script = Script::seen("304.72");
    let report = script.invoke_with(json!({}), &[("NIGHTSHIFT_TOPIC_ARN", TOPIC)]).await.unwrap();
    assert_eq!(report.count(Outcome::Done), 2);
    script.forget_calls();
    let error = script.invoke_with(json!({}), &[]).await.unwrap_err();
    assert!(
        error.contains("neither NIGHTSHIFT_BUDGET_TOPIC_ARN nor NIGHTSHIFT_TOPIC_ARN says whose budgets"),
        "{error}"
    );
    assert_eq!(script.all_calls().len(), 0);
}

#[tokio::test]
async fn one_that_cannot_be_tagged_stops_no_other() {
    let script = Script::seen("304.72");
    for name in ["a", "b"] {
        let arn = format!("arn:aws:ecs:ap-northeast-2:123456789012:service/staging/{name}");
        script.tag(&arn, "nightshift:budget", "sleep-at=100");
        script.tag(&arn, "nightshift:schedule", "always");
    }
    script.fail("TagResource", "staging/a\"", 1, "AccessDeniedException");
    let report = script.invoke(json!({})).await.unwrap();
    let outcomes: Vec<Outcome> = report.actions.iter().map(|it| it.outcome).collect();
    assert_eq!(outcomes, [Outcome::Done, Outcome::Deferred, Outcome::Done, Outcome::Done]);
    let denied =
        "a denied: TagResource arn:aws:ecs:ap-northeast-2:123456789012:service/staging/a: AccessDeniedException";
    assert!(told(&report).iter().any(|it| it.starts_with(denied)), "{:?}", told(&report));
    let report = script.invoke(json!({})).await.unwrap();
    assert_eq!(told(&report)[0], "a hold Done");
    assert_eq!(report.count(Outcome::Done), 1);
}

#[tokio::test]
async fn a_thousand_services_are_read_ten_at_a_time() {
    let script = Script::new("10");
    for number in 0..1000 {
        let arn = format!("arn:aws:ecs:ap-northeast-2:123456789012:service/staging/app-{number}");
        script.tag(&arn, "nightshift:budget", "sleep-at=100");
        script.tag(&arn, "nightshift:schedule", "always");
    }
    script.invoke(json!({})).await.unwrap();
    assert_eq!(script.count("DescribeServices"), 101);
    script.spent("301");
    script.tag(BUDGET, WARNED, aws::SEEN);
    let refused: Value = serde_json::from_str(&script.invoke(json!({})).await.unwrap_err()).unwrap();
    assert!(refused["refused"].as_str().unwrap().contains("the plan holds 1002 changes"), "{refused}");
}
