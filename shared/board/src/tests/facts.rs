//! Every kind of fact that a function reports is drawn.

use rules::facts::Fact;
use serde_json::{Value, json};

use crate::{Board, DryRun, Section, Theme, View, html};

/// A fact of each kind, by the function that reports it, with the part of the board that draws it and what it says there.
fn of_each_kind() -> Vec<(&'static str, Value, Section, &'static str)> {
    let at = "2026-11-30T11:00:00Z";
    let span = json!([["2026-11-30T23:00:00Z", "2026-12-01T01:00:00Z"]]);
    let fact = |more: Value| {
        let mut fact = json!({"resource": "arn:aws:x:r:1:it"});
        more.as_object().unwrap().iter().for_each(|(key, value)| fact[key] = value.clone());
        fact
    };
    let sleep = |state: &str| {
        fact(
            json!({"fact": "sleep", "name": "dev/api", "state": state, "why": "it is night", "since": at, "awake": span}),
        )
    };
    let image = |more: Value| {
        let mut image = fact(json!({"fact": "image", "service": "shop/api", "running": "v1"}));
        more.as_object().unwrap().iter().for_each(|(key, value)| image[key] = value.clone());
        image
    };
    let backup = |more: Value| {
        let mut backup = fact(json!({"fact": "backup", "database": "menu", "rule": "days=7", "age_hours": 3.0,
            "snapshots": [{"id": "menu-1", "at": at, "state": "good"}]}));
        more.as_object().unwrap().iter().for_each(|(key, value)| backup[key] = value.clone());
        backup
    };
    let drill = fact(json!({"fact": "drill", "database": "menu", "outcome": "proven", "took_minutes": 31}));
    let budget = fact(json!({"fact": "budget", "name": "Team", "currency": "USD", "limit": "300", "actual": "318",
        "percent": 106, "from": at, "until": at}));
    let alarm =
        fact(json!({"fact": "alarm", "name": "api-5xx", "firing": true, "ladder": ["restart", "notify"], "rung": 1}));
    vec![
        ("scale-staging", sleep("asleep"), Section::Tonight, "asleep since"),
        ("scale-staging", sleep("held"), Section::Tonight, "held since"),
        ("deploy-image", image(json!({"next": "v2"})), Section::Images, "next v2"),
        ("deploy-image", image(json!({"windows": span})), Section::Tonight, "may be deployed Tue 08:00 to Tue 10:00"),
        (
            "deploy-image",
            image(json!({"windows": [], "frozen": "inventory"})),
            Section::Tonight,
            "frozen</span> inventory",
        ),
        ("snapshot-databases", backup(json!({})), Section::Backups, "newest backup 3 h old"),
        ("copy-buckets", backup(json!({})), Section::Backups, "newest copy 3 h old"),
        ("copy-buckets", backup(json!({"continuous": true})), Section::Backups, "every moment can be restored"),
        ("drill-restores", drill, Section::Backups, "restored in 31 min"),
        ("enforce-budget", budget, Section::Money, "318 of 300 USD"),
        ("remediate-alarm", alarm, Section::Alarms, "<b>restart</b>"),
    ]
}

/// The kinds that are drawn. A new kind does not compile until it is here, and then fails until a sample of it is drawn.
fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::Sleep(_) => "sleep",
        Fact::Image(_) => "image",
        Fact::Backup(_) => "backup",
        Fact::Drill(_) => "drill",
        Fact::Budget(_) => "budget",
        Fact::Alarm(_) => "alarm",
    }
}

const KINDS: [&str; 6] = ["alarm", "backup", "budget", "drill", "image", "sleep"];

#[test]
fn every_kind_of_fact_is_drawn_in_a_part_that_asks_the_function_which_reports_it() {
    let now = "2026-11-30T22:20:00+09:00[Asia/Seoul]".parse().unwrap();
    let mut kinds: Vec<&str> = Vec::new();
    for (function, fact, section, says) in of_each_kind() {
        assert!(section.functions().contains(&function), "{section:?} does not ask {function}");
        let mut board = Board::default();
        // A drill is drawn beside the backups of its database.
        let database = json!({"resource": "arn:aws:x:r:1:it", "fact": "backup", "database": "menu", "rule": "days=7", "snapshots": []});
        for (function, facts) in [("snapshot-databases", json!([database])), (function, json!([fact]))] {
            let run = DryRun::read(&json!({"function": function, "dry_run": true, "facts": facts})).unwrap();
            board.runs.insert(function.into(), Ok(run));
        }
        kinds.extend(board.facts(function).map(|(_, it)| kind(it)));
        let view = View { now: &now, theme: Theme::Light, sections: &[section], endpoints: Default::default() };
        let page = html(&board, &view);
        assert!(page.contains(says), "{says} is not in {page}");
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds, KINDS);
}
