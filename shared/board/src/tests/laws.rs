//! Whatever a name, a tag or a message holds.

use std::collections::BTreeMap;

use jiff::Zoned;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{Board, DryRun, Firing, Saved, Section, Theme, View, html};

const ALL: [Section; 6] =
    [Section::Tonight, Section::Images, Section::Backups, Section::Money, Section::Alarms, Section::NeedsYou];

fn now() -> Zoned {
    "2026-11-20T22:20:00+09:00[Asia/Seoul]".parse().unwrap()
}

fn report(function: &str, facts: Vec<Value>, text: &str) -> Value {
    json!({
        "function": function, "dry_run": true, "at": "2026-11-20T22:20:00+09:00[Asia/Seoul]",
        "actions": [{"resource": text, "action": text, "reason": text, "outcome": "planned"}],
        "skipped": [{"resource": format!("arn:{text}"), "reason": text}],
        "problems": [{"resource": "arn:0", "problem": text, "message": text, "choices": [
            {"label": text, "payload": {"approve": {"service": text, "image": text}}},
            {"label": text, "command": text},
        ]}],
        "facts": facts,
    })
}

/// A board on which each text is `text`, with `services` of everything.
fn board(text: &str, services: usize) -> Board {
    let at = "2026-11-20T11:00:00Z";
    let many = |fact: &dyn Fn(usize) -> Value| -> Vec<Value> { (0..services).map(fact).collect() };
    let named = |it: usize| format!("{text}{it}");
    let arn = |it: usize| format!("arn:{it}");
    let reports = [
        report(
            "scale-staging",
            many(&|it| {
                json!({"resource": arn(it), "fact": "sleep", "name": named(it), "state": "held",
            "why": text, "since": at, "tasks": 2, "awake": [["2026-11-20T23:00:00Z", "2026-11-21T11:00:00Z"]]})
            }),
            text,
        ),
        report(
            "deploy-image",
            many(&|it| {
                json!({"resource": arn(it), "fact": "image", "service": named(it), "running": text,
            "since": at, "deploying": true, "next": text, "rejected": [text, text]})
            }),
            text,
        ),
        report(
            "snapshot-databases",
            many(&|it| {
                json!({"resource": arn(it), "fact": "backup", "database": named(it), "rule": text,
            "age_hours": 3.0, "late": false, "copies": [text, at], "snapshots": [
                {"id": text, "at": at, "state": "good"}, {"id": text, "at": "2026-11-19T11:00:00Z", "state": "failed"}]})
            }),
            text,
        ),
        report(
            "drill-restores",
            many(&|it| {
                json!({"resource": arn(it), "fact": "drill", "database": named(it), "outcome": text,
            "at": at, "took_minutes": 31})
            }),
            text,
        ),
        report(
            "enforce-budget",
            many(&|it| {
                json!({"resource": arn(it), "fact": "budget", "name": named(it), "currency": text,
            "limit": text, "actual": text, "percent": 131, "from": at, "until": at, "held": [text], "held_since": at,
            "parts": [{"name": text, "actual": text}]})
            }),
            text,
        ),
        report(
            "remediate-alarm",
            many(&|it| {
                json!({"resource": arn(it), "fact": "alarm", "name": named(it), "firing": true,
            "since": at, "ladder": [text], "rung": 1, "left": true})
            }),
            text,
        ),
    ];
    let mut runs: BTreeMap<String, Result<DryRun, String>> =
        reports.iter().map(|it| (it["function"].as_str().unwrap().to_owned(), DryRun::read(it))).collect();
    runs.insert("prune-backups".into(), Err(text.into()));
    let firing = Firing { name: text.into(), arn: text.into(), since: None, reason: text.into() };
    Board {
        runs,
        firing: Some(Ok(vec![firing])),
        spent: Some(Err(text.into())),
        saved: Some(Ok(Saved { days: 7, task_hours: 10.0, database_hours: 2.0 })),
    }
}

fn page(text: &str, services: usize, theme: Theme) -> String {
    let now = now();
    let arn =
        |it: &&str| (it.to_string(), format!("arn:aws:lambda:ap-northeast-2:123456789012:function:nightshift-{it}"));
    let endpoints = Section::NeedsYou.functions().iter().map(arn).collect();
    html(&board(text, services), &View { now: &now, theme, sections: &ALL, endpoints })
}

/// The marks of the page without what stands between them.
fn marks(html: &str) -> String {
    let mut inside = false;
    let mut marks = String::new();
    for it in html.chars() {
        inside = inside || it == '<';
        if inside && !matches!(it, '"') || it == '>' {
            marks.push(it);
        }
        inside = inside && it != '>';
    }
    marks
}

/// The elements of the page, by name, in their order.
fn elements(html: &str) -> Vec<&str> {
    html.split('<').skip(1).map(|it| it.split([' ', '>']).next().unwrap_or_default()).collect()
}

proptest! {
    /// Nothing from outside becomes an element or ends an attribute: the page has the elements that it has with a plain
    /// name, as many quotes, and every text within it is one.
    #[test]
    fn nothing_from_outside_becomes_markup(text in "[a-z<>&\"'/= \\\\\u{1}\u{ac00}-\u{ac10}-]{1,40}") {
        let (plain, strange) = (page("plain", 2, Theme::Light), page(&text, 2, Theme::Light));
        prop_assert_eq!(elements(&strange), elements(&plain));
        let body = |html: &str| html.split_once("</style>").unwrap().1.to_owned();
        let quotes = |html: &str| {
            // JSON has quotes of its own, outside of any mark.
            marks(&body(html)).matches('\'').count()
        };
        prop_assert_eq!(quotes(&strange), quotes(&plain));
        for json in strange.split("</cwdb-action>").filter_map(|it| Some(it.rsplit_once("<cwdb-action ")?.1.split_once('>')?.1)) {
            prop_assert!(serde_json::from_str::<Value>(json).is_ok(), "{json}");
        }
    }

    /// A page never grows beyond what a widget shows, whatever the functions say.
    #[test]
    fn a_page_stays_small(text in "[a-z<\"\u{ac00}]{1,300}", services in 0..80usize) {
        prop_assert!(page(&text, services, Theme::Dark).len() <= 60_000);
    }
}

#[test]
fn a_page_holds_no_script_and_loads_nothing() {
    let page = page("<script>alert(1)</script><img src=x onerror=alert(1)>", 3, Theme::Either);
    for forbidden in ["<script", "<img", "<iframe", "<use", "src=\"", "href=", "url(", "@import"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn what_is_left_out_is_counted() {
    let page = page(&"x".repeat(80), 80, Theme::Light);
    assert!(page.contains("more of 8"), "{page}");
}

#[test]
fn what_is_not_the_report_of_a_dry_run_is_not_drawn() {
    let read = |report: Value| DryRun::read(&report);
    assert!(read(json!({"errorMessage": "Task timed out"})).is_err());
    assert!(read(json!({"function": "deploy-image", "dry_run": false})).is_err());
    // A fact of a later version is left out, and the others stand.
    let facts = json!([{"resource": "arn:1", "fact": "weather"}, {"resource": "arn:2", "fact": "drill", "database": "app", "new": 1}]);
    let run = read(json!({"function": "drill-restores", "dry_run": true, "facts": facts})).unwrap();
    assert_eq!(run.facts.len(), 1);
}
