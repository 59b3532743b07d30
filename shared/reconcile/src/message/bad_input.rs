//! Names and texts of AWS and of people, with mistakes in them, on their way into messages and commands.

use std::collections::{BTreeMap, BTreeSet};

use fuzz::used;
use jiff::Zoned;
use serde_json::json;

use super::{headline, link, safe, text, *};
use crate::report::{Action, Failure, Hint, Outcome, Problem};
use crate::{CommandLine, memory};

const ARNS: [&str; 5] = [
    "arn:aws:ecs:ap-northeast-2:123456789012:service/shop/api",
    "arn:aws:rds:ap-northeast-2:123456789012:cluster-snapshot:nightshift-kfood-db-2026-11-26",
    "arn:aws:cloudwatch:ap-northeast-2:123456789012:alarm:api 5xx",
    "arn:aws:s3:::kfood-uploads",
    "https://console.aws.amazon.com/ and http://else.example <!channel>",
];

fn now() -> Zoned {
    "2026-11-21T03:10:00+09:00[Asia/Seoul]".parse().unwrap()
}

#[test]
fn names_and_texts() {
    fuzz::texts(&ARNS, |it| {
        used((safe::one_line(it).len(), safe::fact(it), safe::chat(it), safe::subject(it, it, it, it)));
        used((headline::rest(it).len(), text::cut(it, 100).len(), text::cut(it, 0).len()));
        used(CommandLine::invocation(it, &json!({"approve": {"service": it}})).to_string());
    });
}

/// All that a function tells is of this text.
fn report(it: &str) -> Report {
    Report {
        actions: vec![Action {
            resource: it.into(),
            action: "set",
            headline: it.into(),
            tells: None,
            is_in_daily_report: false,
            story: None,
            reason: it.into(),
            before: json!({"tag": it}),
            after: json!({"tag": it}),
            outcome: Outcome::Failed,
            error: Some(Failure { code: it.into(), message: it.into(), request_id: Some(it.into()) }),
            choices: Vec::new(),
            undo: None,
            offer: None,
        }],
        problems: vec![Problem {
            resource: it.into(),
            problem: "bad-tag".into(),
            message: it.into(),
            kind: MessageKind::NeedsYou,
            story: Some(it.into()),
            choices: Vec::new(),
            monthly: false,
        }],
        hints: BTreeMap::from([(
            it.to_owned(),
            BTreeSet::from([Hint::LogGroup(it.into()), Hint::Runbook(it.into()), Hint::Related(it.into())]),
        )]),
        ..Report::new("test", now())
    }
}

#[test]
fn messages_of_a_report() {
    let (console, region) = (Some("console.aws.amazon.com"), Some("ap-northeast-2"));
    let site = Site { invoke_as: "nightshift-test", region, console, routine: Default::default(), runbooks: None };
    fuzz::texts(&ARNS, |it| {
        let report = report(it);
        let remembered = BTreeMap::from([(it.to_owned(), Some(it.to_owned()))]);
        let news = memory::news(&report, &remembered, &now());
        let messages = messages(&report, &news, &site);
        assert!(!messages.is_empty(), "a failure is told");
        let taken = |it: &Message| {
            it.subject.len() <= SUBJECT_LENGTH && it.subject.bytes().all(|it| (b' '..=b'~').contains(&it))
        };
        assert!(messages.iter().all(taken), "SNS takes its subject");
        used(digest(&report, it, &[it.to_owned()], &site));
        used(link::links(&link::About::function(&report), MessageKind::Failed, &site));
    });
}
