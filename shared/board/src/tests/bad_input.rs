//! Answers to dry runs with mistakes in them: functions of a stack are not replaced at one moment.

use std::collections::BTreeMap;

use fuzz::used;
use serde_json::json;

use crate::{Board, DryRun, Section, Theme, View, html};

#[test]
fn answers_to_dry_runs() {
    let at = "2026-11-20T11:00:00Z";
    let facts = json!([
        {"resource": "arn:1", "fact": "sleep", "name": "dev/api", "state": "asleep", "why": "it is night", "since": at,
         "tasks": 2, "awake": [["2026-11-30T23:00:00Z", "2026-12-01T11:00:00Z"]]},
        {"resource": "arn:1", "fact": "image", "service": "dev/api", "running": "v1", "since": at, "deploying": true,
         "next": "v2", "rejected": ["v0"]},
        {"resource": "arn:2", "fact": "backup", "database": "db", "rule": "days=30", "age_hours": 3.0, "late": false,
         "copies": [at], "snapshots": [{"id": "a", "at": at, "state": "good"}]},
        {"resource": "arn:2", "fact": "drill", "database": "db", "outcome": "proven", "at": at, "took_minutes": 31},
        {"resource": "arn:3", "fact": "budget", "name": "Team", "limit": "300", "actual": "304.72", "currency": "USD",
         "parts": [{"name": "dev/api", "held": true}]},
        {"resource": "arn:4", "fact": "alarm", "name": "api-5xx", "remedies": ["restart"]},
    ]);
    let sample = json!({"function": "scale-staging", "dry_run": true, "facts": facts,
        "actions": [{"resource": "arn:1", "action": "sleep", "reason": "it is night", "outcome": "planned"}],
        "skipped": [{"resource": "arn:2", "reason": "it is night"}],
        "problems": [{"resource": "arn:1", "problem": "bad-tag", "message": "x", "choices": [
            {"label": "Approve", "payload": {"approve": {"service": "a/b", "image": "v1"}}, "command": "aws"}]}]});
    let now = "2026-11-30T22:20:00+09:00[Asia/Seoul]".parse().unwrap();
    let sections = Section::ALL.map(|(_, it)| it);
    fuzz::values(&[sample], |it| {
        let read = DryRun::read(it);
        let names = ["scale-staging", "deploy-image", "snapshot-databases", "drill-restores", "enforce-budget"];
        let runs = names.map(|name| (name.to_owned(), read.clone())).into_iter().collect();
        let board = Board { runs, ..Board::default() };
        let view = View { now: &now, theme: Theme::Light, sections: &sections, endpoints: BTreeMap::new() };
        used(html(&board, &view));
    });
}
