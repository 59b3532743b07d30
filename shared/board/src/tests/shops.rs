//! What the page says of a shop.

use std::collections::BTreeMap;

use jiff::Zoned;
use jiff::civil::date;
use serde_json::{Value, json};

use crate::{Board, DryRun, Firing, Saved, Section, Theme, View, html};

/// Draws one part of what these functions report.
#[track_caller]
fn check(section: Section, reports: &[Value], contained: &[&str]) -> String {
    check_board(section, Board { runs: runs(reports), ..Board::default() }, contained)
}

#[track_caller]
fn check_board(section: Section, board: Board, contained: &[&str]) -> String {
    let now: Zoned = "2026-11-30T22:20:00+09:00[Asia/Seoul]".parse().unwrap();
    let arn =
        |it: &&str| (it.to_string(), format!("arn:aws:lambda:ap-northeast-2:123456789012:function:nightshift-{it}"));
    let endpoints = Section::NeedsYou.functions().iter().map(arn).collect();
    let page = html(&board, &View { now: &now, theme: Theme::Light, sections: &[section], endpoints });
    for it in contained {
        assert!(page.contains(it), "{it} is not in {page}");
    }
    page
}

fn runs(reports: &[Value]) -> BTreeMap<String, Result<DryRun, String>> {
    reports.iter().map(|it| (it["function"].as_str().unwrap().to_owned(), DryRun::read(it))).collect()
}

fn report(function: &str, more: Value) -> Value {
    let mut report = json!({"function": function, "dry_run": true});
    for (key, value) in more.as_object().unwrap() {
        report[key] = value.clone();
    }
    report
}

#[test]
fn the_day_of_a_service_is_a_bar_from_this_hour_on() {
    let fact = json!({"resource": "arn:1", "fact": "sleep", "name": "dev/api", "state": "asleep",
        "why": "'mon-fri 08:00-20:00' wants it asleep", "since": "2026-11-30T11:00:00Z", "tasks": 2,
        "awake": [["2026-11-30T23:00:00Z", "2026-12-01T11:00:00Z"]]});
    // 22:00 is the left edge; 08:00 is ten hours and 20:00 twenty-two hours from there.
    check(
        Section::Tonight,
        &[report("scale-staging", json!({"facts": [fact]}))],
        &[
            "<b>dev/api</b>",
            "asleep since Mon 2026-11-30 20:00 KST",
            "<rect class=\"on\" x=\"600\" width=\"720\"",
            "awake Tue 08:00 to Tue 20:00",
            "class=\"now\" x=\"20\"",
        ],
    );
}

#[test]
fn what_is_planned_stands_below_the_bars() {
    let act = |name: &str| json!({"resource": format!("arn:aws:rds:r:1:db:{name}"), "action": "take-snapshot", "reason": "x"});
    let actions: Vec<Value> = (0..8).map(|it| act(&format!("db{it}"))).collect();
    check(
        Section::Tonight,
        &[report("snapshot-databases", json!({"actions": actions}))],
        &["<b>snapshot-databases</b> would take-snapshot (8): db0, db1, db2, db3, db4, db5 and 2 more"],
    );
}

#[test]
fn an_image_that_waits_has_its_buttons_and_a_question() {
    let payload = json!({"approve": {"service": "codemate-cluster/codemate-backend", "image": "1a2b3c4"}});
    let report = report(
        "deploy-image",
        json!({
            "facts": [{"resource": "arn:1", "fact": "image", "service": "codemate-cluster/codemate-backend", "running": "9f8e7d6",
                       "since": "2026-11-27T05:00:00Z", "next": "1a2b3c4", "rejected": ["0000000"]}],
            "problems": [{"resource": "arn:1", "problem": "approval", "message": "1a2b3c4 waits for a person",
                          "choices": [{"label": "Approve", "payload": payload}]}],
        }),
    );
    let endpoint = "endpoint=\"arn:aws:lambda:ap-northeast-2:123456789012:function:nightshift-deploy-image\"";
    check(
        Section::Images,
        &[report],
        &[
            "9f8e7d6<span class=\"dim\"> since Fri 2026-11-27 14:00 KST</span>",
            "next 1a2b3c4",
            "rejected: 0000000",
            "1a2b3c4 waits for a person",
            &format!(
                "<a class=\"btn\">Approve</a><cwdb-action action=\"call\" display=\"popup\" \
             confirmation=\"Approve 1a2b3c4 for codemate-cluster/codemate-backend?\" {endpoint}>{payload}</cwdb-action>"
            ),
            "{\"rollback\":{\"service\":\"codemate-cluster/codemate-backend\",\"image\":\"9f8e7d6\"}}",
        ],
    );
}

#[test]
fn a_calendar_shows_what_is_kept_failed_and_proven() {
    let backups = report(
        "snapshot-databases",
        json!({"facts": [{"resource": "arn:1", "fact": "backup", "database": "kfood-db",
        "rule": "days=30", "age_hours": 19.3, "copies": ["us-west-2", "2026-11-29T18:03:00Z"], "snapshots": [
            {"id": "nightshift-kfood-db-2026-11-28", "at": "2026-11-27T18:03:00Z", "state": "good"},
            {"id": "nightshift-kfood-db-2026-11-29", "at": "2026-11-28T18:03:00Z", "state": "failed"},
            {"id": "nightshift-kfood-db-2026-11-30", "at": "2026-11-29T18:03:00Z", "state": "good", "proven": true}]}]}),
    );
    let drill = report(
        "drill-restores",
        json!({"facts": [{"resource": "arn:1", "fact": "drill", "database": "kfood-db",
        "outcome": "proven", "at": "2026-11-30T02:00:00Z", "took_minutes": 31, "data_hours": 8}]}),
    );
    let arn = "arn:aws:rds:ap-northeast-2:123456789012:snapshot:nightshift-kfood-db-2026-11-28";
    let prune =
        report("prune-backups", json!({"actions": [{"resource": arn, "action": "delete-snapshot", "reason": "x"}]}));
    check(
        Section::Backups,
        &[backups, drill, prune],
        &[
            "newest backup 19 h old",
            "copied to us-west-2 up to Mon 2026-11-30 03:03 KST",
            "drill proven Mon 2026-11-30 11:00 KST,",
            "restored in 31 min, data 8 h old</span>",
            "1 kept of five weeks, 1 proven, 1 to be deleted, 1 failed",
            // The 30th is the cell at the right.
            "<path class=\"proof\" d=\"M340 0h8v10h-8z\"/>",
            "<path class=\"ko\" d=\"M330 0h8v10h-8z\"/>",
            "<path class=\"off\" d=\"M320 0h8v10h-8z\"/>",
        ],
    );
}

#[test]
fn a_bucket_has_its_calendar_beside_the_database_of_its_name() {
    let copy = |day: u32, state: &str| {
        let at = format!("2026-11-{day:02}T18:03:00Z");
        json!({"id": format!("s3://kfood-backups/uploads/2026-11-{:02}/", day + 1), "at": at, "state": state})
    };
    let arn = "arn:aws:s3:::kfood";
    let copies = json!([copy(26, "good"), copy(27, "good"), copy(28, "failed"), copy(29, "pending")]);
    let bucket = json!({"resource": arn, "fact": "backup", "database": "kfood", "rule": "days=30 to=kfood-backups/uploads",
        "age_hours": 43.3, "snapshots": copies});
    let tried = json!({"resource": arn, "fact": "drill", "database": "kfood", "outcome": "proven", "took_minutes": 12});
    let versions = json!({"resource": "arn:aws:s3:::menus", "fact": "backup", "database": "menus", "continuous": true,
        "rule": "days=30 mode=versions", "age_hours": 0.0, "snapshots": []});
    let database = json!({"resource": "arn:aws:rds:r:1:db:kfood", "fact": "backup", "database": "kfood", "rule": "days=7",
        "age_hours": 3.0, "snapshots": []});
    let page = check(
        Section::Backups,
        &[
            report(
                "copy-buckets",
                json!({"facts": [bucket, tried, versions],
                    "actions": [{"resource": arn, "action": "delete-copy", "reason": "not kept"}]}),
            ),
            report("snapshot-databases", json!({"facts": [database]})),
        ],
        &[
            "<b>kfood</b> <span class=\"dim\">bucket</span> <span class=\"bad\">newest copy 43 h old</span>; \
             <span class=\"good\">drill proven, restored in 12 min</span>",
            "1 kept of five weeks, 1 to be deleted, 1 failed, 1 being made",
            "<b>menus</b> <span class=\"dim\">bucket</span> <span class=\"good\">every moment can be restored</span><br>\
             <span class=\"dim\">kept by days=30 mode=versions</span></div>",
            // The drill of the bucket is not one of the database.
            "<b>kfood</b> <span class=\"good\">newest backup 3 h old</span><br>",
        ],
    );
    // What is late stands first.
    assert!(page.find("newest copy 43 h old") < page.find("newest backup 3 h old"), "{page}");
}

#[test]
fn a_month_that_is_over_its_budget_says_both_parts_and_what_sleeps() {
    let fact = json!({"resource": "arn:1", "fact": "budget", "name": "TrueGul-Monthly", "currency": "USD", "limit": "300",
        "actual": "318", "percent": 106, "forecast": "320.5", "from": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z",
        "held_since": "2026-11-19T03:00:00Z", "held": ["truegul-staging/ml-server"],
        "parts": [{"name": "AWS", "actual": "187", "limit": "200"}, {"name": "LLM", "actual": "131", "limit": "100"},
                  {"name": "mail"}]});
    let board = Board {
        runs: runs(&[report("enforce-budget", json!({"facts": [fact]}))]),
        spent: Some(Ok(
            [("TrueGul-Monthly".into(), vec![(date(2026, 11, 29), 50.0), (date(2026, 11, 30), 100.0)])].into()
        )),
        saved: Some(Ok(Saved { days: 7, task_hours: 216.0, database_hours: 84.0 })),
        ..Board::default()
    };
    check_board(
        Section::Money,
        board,
        &[
            "<span class=\"bad\">318 of 300 USD (106 %)</span>, 320.50 forecast",
            "asleep for it since Thu 2026-11-19 12:00 KST: truegul-staging/ml-server",
            "<td>AWS</td><td>187 of 200</td>",
            "<td>LLM</td><td>131 of 100</td>",
            "<td>mail</td><td>unknown</td>",
            "d=\"M0 20v-10.0h8v10.0zM10 20v-20.0h8v20.0z\"",
            "216 hours of tasks and 84 hours of databases",
        ],
    );
}

#[test]
fn an_alarm_shows_its_ladder_and_one_without_a_remedy_says_so() {
    let facts = json!([
        {"resource": "arn:1", "fact": "alarm", "name": "api-5xx", "firing": true, "since": "2026-11-30T12:00:00Z",
         "ladder": ["restart", "rollback", "notify"], "rung": 1, "remedied": "2026-11-30T12:01:00Z"},
        {"resource": "arn:2", "fact": "alarm", "name": "cpu", "firing": false, "ladder": ["notify"]},
    ]);
    let skipped = json!([{"resource": "arn:1", "reason": "cooldown=15m"}]);
    let alarm =
        |arn: &str, name: &str| Firing { name: name.into(), arn: arn.into(), since: None, reason: "over 80".into() };
    let board = Board {
        runs: runs(&[report("remediate-alarm", json!({"facts": facts, "skipped": skipped}))]),
        firing: Some(Ok(vec![alarm("arn:1", "api-5xx"), alarm("arn:3", "disk")])),
        ..Board::default()
    };
    let page = check_board(
        Section::Alarms,
        board,
        &[
            "since Mon 2026-11-30 21:00 KST: <b>restart</b> \u{2192} rollback \u{2192} notify, last one Mon 2026-11-30 21:01 KST",
            "cooldown=15m",
            "<b class=\"bad\">disk</b>: no remedy<br><span class=\"dim\">over 80</span>",
            "1 alarm with a remedy does not fire.",
        ],
    );
    assert_eq!(page.matches("api-5xx").count(), 1);
}

#[test]
fn a_function_that_cannot_be_asked_hides_no_other() {
    let problem = json!({"resource": "arn:aws:rds:r:1:db:식당-db", "problem": "bad-tag", "message": "알 수 없는 단어"});
    let mut runs = runs(&[report("snapshot-databases", json!({"problems": [problem]}))]);
    runs.insert("deploy-image".into(), Err("Invoke: AccessDeniedException: not allowed".into()));
    check_board(
        Section::NeedsYou,
        Board { runs, ..Board::default() },
        &[
            "<b class=\"bad\">deploy-image</b> could not be read: Invoke: AccessDeniedException",
            "<b>식당-db</b>",
            "알 수 없는 단어",
        ],
    );
}

#[test]
fn machines_are_told_from_services_and_databases() {
    let sleep = |arn: &str, name: &str, database: bool, tasks: Option<i32>| {
        json!({"resource": arn, "fact": "sleep", "name": name,
        "state": "awake", "why": "x", "database": database, "tasks": tasks, "awake": []})
    };
    let facts = json!([
        sleep("arn:aws:ec2:r:1:instance/i-1", "i-1", true, None),
        sleep("arn:aws:autoscaling:r:1:autoScalingGroup:u:autoScalingGroupName/web", "web", false, Some(3)),
        sleep("arn:aws:rds:r:1:db:app", "app", true, None),
        sleep("arn:aws:ecs:r:1:service/c/api", "c/api", false, Some(2)),
    ]);
    check(
        Section::Tonight,
        &[report("scale-staging", json!({"facts": facts}))],
        &[
            "<b>i-1</b> <span class=\"dim\">EC2 instance</span>",
            "<b>web</b> <span class=\"dim\">Auto Scaling group, 3 instances</span>",
            "<b>app</b> <span class=\"dim\">database</span>",
            "<b>c/api</b> <span class=\"dim\">service, 2 tasks</span>",
        ],
    );
}

#[test]
fn schedules_of_jobs_are_drawn_with_what_is_said_of_them() {
    let group = |name: &str| format!("arn:aws:scheduler:ap-northeast-2:123456789012:schedule-group/{name}");
    let skipped = json!([
        {"resource": group("nightly"), "reason": "its schedules are disabled; dev-db is not up"},
        {"resource": group("reports"), "reason": "it is left alone"},
        {"resource": "arn:aws:ecs:r:1:service/dev/api", "reason": "it is day"},
    ]);
    let actions = json!([{"resource": group("reports"), "action": "sleep", "reason": "2 schedules are disabled"}]);
    let page = check(
        Section::Tonight,
        &[report("scale-staging", json!({"skipped": skipped, "actions": actions}))],
        &[
            "<b>nightly</b> <span class=\"dim\">schedules of jobs: its schedules are disabled; dev-db is not up</span>",
            "<b>reports</b> <span class=\"dim\">schedules of jobs: 2 schedules are disabled</span>",
        ],
    );
    assert!(!page.contains("it is left alone") && !page.contains("it is day"), "{page}");
}

#[test]
fn instances_with_compose_projects_stand_beside_the_services() {
    let arn = |id: &str| format!("arn:aws:ec2:ap-northeast-2:123456789012:instance/{id}");
    let problem = json!({"resource": arn("i-1"), "problem": "needs-approval", "message": "v2 waits for your approval"});
    let skipped = json!([{"resource": arn("i-1"), "reason": "v1 runs"}, {"resource": arn("i-2"), "reason": "v2 runs"},
        {"resource": "tag keys", "reason": "x"}]);
    let page = check(
        Section::Images,
        &[report(
            "deploy-compose",
            json!({"problems": [problem], "skipped": skipped, "names": {arn("i-1"): "api on web-1"}}),
        )],
        &[
            "<b>api on web-1</b> <span class=\"dim\">EC2 instance: v2 waits for your approval</span>",
            "<b>i-2</b> <span class=\"dim\">EC2 instance: v2 runs</span>",
        ],
    );
    assert_eq!(page.matches("class=\"row\"").count(), 2, "{page}");
}

#[test]
fn an_empty_part_says_so() {
    for (section, nothing) in [
        (Section::Tonight, "Nothing has a schedule"),
        (Section::Images, "No service has a rule"),
        (Section::Backups, "No database and no bucket has a rule"),
        (Section::Money, "No budget is enforced"),
        (Section::Alarms, "No alarm is in ALARM"),
        (Section::NeedsYou, "Nothing needs you."),
    ] {
        check(section, &[], &[nothing]);
    }
}
