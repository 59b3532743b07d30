//! What a report says, and what savings may never be.

use std::collections::BTreeMap;

use board::{Board, DryRun, Firing};
use jiff::{SignedDuration, Timestamp, Zoned};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::next::Stack;
use super::scope::Period;
use super::usage::{Query, Usage};
use super::{Seen, Weekly, lines};

mod deployed;
mod laws;
mod more;

fn now() -> Zoned {
    "2026-12-01T09:00:00+09:00[Asia/Seoul]".parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn runs(reports: &[(&str, Value)]) -> BTreeMap<String, Result<DryRun, String>> {
    let read = |(function, more): &(&str, Value)| {
        let mut report = json!({"function": function, "dry_run": true});
        more.as_object().unwrap().iter().for_each(|(key, value)| report[key] = value.clone());
        (function.to_string(), DryRun::read(&report))
    };
    reports.iter().map(read).collect()
}

/// The values of one query about one resource, by moment.
type Samples<'a> = (Query, &'a str, &'a [(&'a str, f64)]);

fn usage(all: &[Samples<'_>]) -> Usage {
    let mut usage = Usage::default();
    for (query, name, points) in all {
        let points = points.iter().map(|(moment, value)| (at(moment), *value)).collect();
        usage.0.entry(*query).or_default().insert(name.to_string(), points);
    }
    usage
}

fn seen(period: Period, reports: &[(&str, Value)]) -> Seen {
    let board = Board { runs: runs(reports), firing: Some(Ok(Vec::new())), ..Board::default() };
    Seen {
        board,
        usage: Ok(Usage::default()),
        routine: None,
        errors: None,
        weekly: Weekly::default(),
        prices: None,
        slo: None,
        window: period.window(&now()),
        stack: Stack {
            region: "ap-northeast-2".into(),
            console: Some("console.aws.amazon.com"),
            prefix: "nightshift-".into(),
        },
    }
}

#[track_caller]
fn check(seen: &Seen, period: Period, expected: &[&str]) {
    let told = lines(seen, period, &now());
    testkit::told::keep_report("report-operations", period.title(), &told);
    let without_next: Vec<&str> = told.iter().map(|it| without_next(it)).collect();
    assert_eq!(without_next, expected);
}

/// A line without the page or the command that `laws.rs` and `next.rs` look at.
fn without_next(line: &str) -> &str {
    let end = ["; see https://", "; run aws "].iter().filter_map(|it| line.find(it)).min();
    &line[..end.filter(|_| line.starts_with("[!]")).unwrap_or(line.len())]
}

#[test]
fn a_quiet_day_is_one_line() {
    check(&seen(Period::Day, &[]), Period::Day, &["As it should be: no problem, no alarm in ALARM"]);
}

#[test]
fn what_needs_a_person_stands_first_with_its_command() {
    let choices = json!([{"label": "Approve", "payload": {"approve": {}}, "command": "aws lambda invoke …"}]);
    let problem = json!({"resource": "arn:aws:ecs:r:1:service/shop/api", "problem": "approval",
        "message": "v1.1.0 waits for your approval", "choices": choices});
    let plan = json!([{"resource": "arn:aws:rds:r:1:db:app", "action": "take-snapshot", "reason": "x"}]);
    let mut day = seen(
        Period::Day,
        &[("deploy-image", json!({"problems": [problem]})), ("snapshot-databases", json!({"actions": plan}))],
    );
    day.board.runs.insert("prune-backups".into(), Err("Invoke: AccessDeniedException: no".into()));
    let firing = Firing {
        name: "api-5xx".into(),
        arn: "arn".into(),
        since: Some(at("2026-11-30T12:00:00Z")),
        reason: "over".into(),
    };
    day.board.firing = Some(Ok(vec![firing]));
    day.routine = Some(Ok(vec!["Asleep (1): dev".into()]));
    check(
        &day,
        Period::Day,
        &[
            "[!] prune-backups could not be asked: Invoke: AccessDeniedException: no",
            "[!] shop/api: v1.1.0 waits for your approval (deploy-image); Approve: aws lambda invoke …",
            "[!] alarm api-5xx is in ALARM since Mon 2026-11-30 21:00 KST: over",
            "Asleep (1): dev",
            "Next run of snapshot-databases: 1 changes, of app",
        ],
    );
}

#[test]
fn a_day_tells_which_images_went_live_in_it() {
    let image = |name: &str, more: Value| {
        let mut image = json!({"resource": name, "fact": "image", "service": name, "running": "v1.1.0"});
        more.as_object().unwrap().iter().for_each(|(key, value)| image[key] = value.clone());
        image
    };
    let images = json!([
        image("shop/api", json!({"since": "2026-11-30T05:00:00Z"})),
        image("shop/web", json!({"since": "2026-11-28T05:00:00Z"})),
        image("shop/worker", json!({"since": "2026-11-30T05:00:00Z", "deploying": true})),
        image("shop/cron", json!({})),
    ]);
    check(
        &seen(Period::Day, &[("deploy-image", json!({"facts": images}))]),
        Period::Day,
        &[
            "Went live in this day (1): shop/api (v1.1.0, Mon 2026-11-30 14:00 KST)",
            "As it should be: no problem, no alarm in ALARM",
        ],
    );
}

#[test]
fn what_is_out_of_bounds_is_red_and_the_rest_is_counted() {
    let mut day = seen(Period::Day, &[]);
    day.usage = Ok(usage(&[
        (Query::ServiceCpu, "shop/api", &[("2026-11-30T12:00:00Z", 97.0), ("2026-11-30T13:00:00Z", 20.0)]),
        (Query::ServiceMemory, "shop/api", &[("2026-11-30T12:00:00Z", 50.0)]),
        (Query::DatabaseStorage, "app", &[("2026-11-30T12:00:00Z", 1_073_741_824.0)]),
        (Query::DatabaseConnections, "app", &[("2026-11-30T12:00:00Z", 41.0)]),
        (Query::CertificateDays, "arn:cert", &[("2026-11-30T12:00:00Z", 12.0)]),
        (Query::Requests, "app/shop/1", &[("2026-11-30T12:00:00Z", 2000.0)]),
        (Query::TargetErrors, "app/shop/1", &[("2026-11-30T12:00:00Z", 30.0)]),
    ]));
    check(
        &day,
        Period::Day,
        &[
            "[!] shop/api: CPU was at 97 % at most: give it more, or scale it out",
            "[!] app: 1.0 GiB of storage are left: raise its storage, or let RDS do so",
            "[!] certificate arn:cert ends in 12 days: ACM says why it is not renewed",
            "[!] 30 of 2000 requests ended in a 5xx, availability 98.500 %: look at the alarms and logs of the services",
            "Most connections: app 41",
            "As it should be: no problem, no alarm in ALARM, 1 readings of CPU and memory below 90 %",
        ],
    );
}

#[test]
fn a_week_tells_each_database_and_what_went_live() {
    let backup = |name: &str, age: f64| {
        json!({"resource": name, "fact": "backup", "database": name, "rule": "days=30",
        "age_hours": age, "snapshots": [], "copies": ["us-west-2", "2026-11-30T18:00:00Z"]})
    };
    let drill = json!({"resource": "kfood-db", "fact": "drill", "database": "kfood-db", "outcome": "proven",
        "at": "2026-11-03T02:00:00Z", "took_minutes": 31, "data_hours": 8});
    let image = json!({"resource": "1", "fact": "image", "service": "kfood-cluster/kfood-backend", "running": "1a2b3c4",
        "since": "2026-11-27T05:00:00Z", "pushed": "2026-11-27T04:46:00Z"});
    let mut week = seen(
        Period::Week,
        &[
            ("snapshot-databases", json!({"facts": [backup("kfood-db", 6.0), backup("old-db", 60.0)]})),
            ("drill-restores", json!({"facts": [drill]})),
            ("deploy-image", json!({"facts": [image]})),
        ],
    );
    week.usage = Ok(usage(&[
        (Query::ServiceCpu, "kfood-cluster/kfood-backend", &[("2026-11-30T12:00:00Z", 12.0)]),
        (Query::ServiceMemory, "kfood-cluster/kfood-backend", &[("2026-11-30T12:00:00Z", 15.0)]),
    ]));
    week.weekly.sizes = Some(Ok(usage(&[
        (Query::ServiceCpu, "kfood-cluster/kfood-backend", &[("2026-11-20T12:00:00Z", 12.0)]),
        (Query::ServiceMemory, "kfood-cluster/kfood-backend", &[("2026-11-20T12:00:00Z", 15.0)]),
        // Busy within the two weeks, or without its memory known.
        (Query::ServiceCpu, "kfood-cluster/worker", &[("2026-11-20T12:00:00Z", 60.0), ("2026-11-30T12:00:00Z", 2.0)]),
        (Query::ServiceMemory, "kfood-cluster/worker", &[("2026-11-20T12:00:00Z", 10.0)]),
        (Query::ServiceCpu, "kfood-cluster/cron", &[("2026-11-20T12:00:00Z", 2.0)]),
        (Query::DatabaseCpu, "kfood-db", &[("2026-11-20T12:00:00Z", 9.0)]),
    ])));
    check(
        &week,
        Period::Week,
        &[
            "[!] old-db: newest backup 60 h old, copied to us-west-2 up to Tue 2026-12-01 03:00 KST",
            "kfood-db: newest backup 6 h old, copied to us-west-2 up to Tue 2026-12-01 03:00 KST, last drill proven on \
             Tue 2026-11-03 11:00 KST, RTO 31 min, RPO 8 h",
            "Went live in this week (1): kfood-cluster/kfood-backend (1a2b3c4, Fri 2026-11-27 14:00 KST)",
            "Never above 20 % in two weeks, so a smaller size may do: kfood-cluster/kfood-backend (CPU 12 %, memory 15 %), \
             kfood-db (CPU 9 %; look at its memory as well)",
            "As it should be: no problem, no alarm in ALARM, 2 readings of CPU and memory below 90 %, backups of 1 \
             databases, 1 services run the image of their rule",
        ],
    );
}

#[test]
fn a_month_tells_budget_against_actual_with_its_parts() {
    let budget = json!({"resource": "b", "fact": "budget", "name": "TrueGul-Monthly", "currency": "USD", "limit": "300",
        "actual": "12.5", "percent": 4, "from": "2026-12-01T00:00:00Z", "until": "2027-01-01T00:00:00Z",
        "parts": [{"name": "AWS", "actual": "8.1", "limit": "200"}, {"name": "LLM", "actual": "4.4", "limit": "100"}]});
    let mut month = seen(Period::Month, &[("enforce-budget", json!({"facts": [budget]}))]);
    month.usage = Ok(usage(&[(
        Query::BudgetSpent,
        "TrueGul-Monthly",
        &[("2026-11-19T00:00:00Z", 101.0), ("2026-11-30T00:00:00Z", 106.0)],
    )]));
    assert_eq!(month.window, (at("2026-10-31T15:00:00Z"), at("2026-11-30T15:00:00Z")));
    check(
        &month,
        Period::Month,
        &[
            "[!] TrueGul-Monthly: last month about 318 of 300 USD (106 %)",
            "TrueGul-Monthly now: 12.50 of 300 USD (4 %)",
            "  AWS: 8.10 of 200 USD",
            "  LLM: 4.40 of 100 USD",
            "As it should be: no problem, no alarm in ALARM",
        ],
    );
}

fn sleeper(since: Option<Timestamp>, tasks: i32) -> Board {
    let fact = json!({"resource": "1", "fact": "sleep", "name": "dev/api", "state": "asleep", "why": "x", "since": since,
        "tasks": tasks, "awake": []});
    Board { runs: runs(&[("scale-staging", json!({"facts": [fact]}))]), ..Board::default() }
}

#[test]
fn what_slept_since_before_counts_though_it_left_no_sample() {
    let window = Period::Week.window(&now());
    let asleep = |since| Usage::default().saved(&sleeper(since, 2), window).task_hours;
    assert_eq!(asleep(Some(at("2026-11-01T00:00:00Z"))), 7.0 * 24.0 * 2.0);
    assert_eq!(asleep(Some(at("2026-11-30T12:00:00Z"))), 12.0 * 2.0);
    // It may not have been there at all.
    assert_eq!(asleep(None), 0.0);
}

#[test]
fn what_machines_slept_is_not_counted_as_hours_of_tasks_or_databases() {
    let window = Period::Week.window(&now());
    let machine = |arn: &str, database: bool| {
        json!({"resource": arn, "fact": "sleep", "name": "m", "state": "asleep",
        "why": "x", "since": "2026-11-01T00:00:00Z", "tasks": 3, "database": database, "awake": []})
    };
    let facts =
        json!({"facts": [machine("arn:aws:ec2:r:1:instance/i-1", true), machine("arn:aws:autoscaling:r:1:x", false)]});
    let board = Board { runs: runs(&[("scale-staging", facts)]), ..Board::default() };
    assert_eq!(Usage::default().slept(&board, window), []);
}

proptest! {
    /// No hour with a sample counts, none counts before it is known to have been there, and more hours than there are
    /// never do.
    #[test]
    fn savings_are_never_more_than_what_did_not_run(ran in proptest::collection::btree_set(0..48i64, 0..49), tasks in -1..5i32) {
        let from = at("2026-11-29T00:00:00Z");
        let until = from + SignedDuration::from_hours(48);
        let points = ran.iter().map(|hour| (from + SignedDuration::from_hours(*hour), 60.0)).collect();
        let mut usage = Usage::default();
        usage.0.entry(Query::ServiceSamples).or_default().insert("dev/api".into(), points);
        let saved = usage.saved(&sleeper(None, tasks), (from, until)).task_hours;
        let first = ran.iter().next();
        let expected = first.map_or(0, |first| (*first..48).filter(|it| !ran.contains(it)).count());
        prop_assert_eq!(saved, expected as f64 * f64::from(tasks.max(0)));
    }
}
