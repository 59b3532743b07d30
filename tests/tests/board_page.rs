//! The board in a browser of this machine: what is served, what a button sends, and what is refused.

use std::sync::{Arc, Mutex};

use board::{Board, DryRun, Section, Theme, View};
use nightshift_tests::board_page::{Served, button, request};
use nightshift_tests::browser::look_at;
use serde_json::{Value, json};

const BOARD: &str = "<div class=\"ns\"><h3>Images</h3><p>v1.1.0 waits</p><a class=\"btn\">Approve</a><cwdb-action \
    action=\"call\" display=\"popup\" confirmation=\"Approve?\" \
    endpoint=\"arn:aws:lambda:r:1:function:shop-deploy-image\">{\"approve\":{\"service\":\"c/\\u003capi\"}}</cwdb-action></div>";

/// What was invoked: the function and its payload.
type Invoked = Arc<Mutex<Vec<(String, Value)>>>;

fn serve() -> (Served, Invoked) {
    let invoked = Invoked::default();
    let noted = invoked.clone();
    let served = Served::start("shop", move |function: &str, payload: &Value| {
        noted.lock().unwrap().push((function.to_owned(), payload.clone()));
        match function {
            "shop-report-operations" => Ok(json!(BOARD)),
            "shop-deploy-image" => Ok(json!("<p>v1.1.0 is approved</p>")),
            other => Err(format!("there is no <{other}>")),
        }
    });
    (served.expect("a port is free"), invoked)
}

/// A request with the headers that a browser adds.
fn ask(served: &Served, what: &str, origin: &str, body: &str) -> (u16, String) {
    let host = served.address().to_string();
    let headers = [("host", host.as_str()), ("origin", origin), ("content-type", "application/json")];
    request(served.address(), what, &headers, body).expect("an answer")
}

fn own(served: &Served) -> String {
    format!("http://{}", served.address())
}

#[test]
fn a_button_of_the_page_sends_its_command_to_its_function() {
    let (served, invoked) = serve();
    assert!(served.address().ip().is_loopback());
    let (status, page) = ask(&served, "GET /", &own(&served), "");
    assert!(status == 200 && page.contains(BOARD) && page.contains("'/press'"), "{status} {page}");
    let pressed = button(&page, "Approve").expect("a button").to_string();
    assert_eq!(ask(&served, "POST /press", &own(&served), &pressed), (200, "<p>v1.1.0 is approved</p>".into()));
    let command = json!({"approve": {"service": "c/<api"}, "widgetContext": {"theme": "light"}});
    let expected = [("shop-report-operations".into(), json!({"board": "all"})), ("shop-deploy-image".into(), command)];
    assert_eq!(*invoked.lock().unwrap(), expected);
}

#[test]
fn nothing_else_is_invoked_whoever_asks() {
    let (served, invoked) = serve();
    let press = |function: &str| {
        json!({"endpoint": format!("arn:aws:lambda:r:1:function:{function}"), "payload": {}}).to_string()
    };
    let own = own(&served);
    for (what, origin, body, status) in [
        ("GET /", "http://evil.example", String::new(), 403),
        ("POST /press", "http://evil.example", press("shop-deploy-image"), 403),
        ("POST /press", own.as_str(), press("payroll"), 400),
        ("POST /press", own.as_str(), "{".into(), 400),
        ("POST /press", own.as_str(), json!({"endpoint": "a:shop-deploy-image"}).to_string(), 400),
        ("GET /press", own.as_str(), String::new(), 404),
        ("DELETE /", own.as_str(), String::new(), 404),
    ] {
        assert_eq!(ask(&served, what, origin, &body).0, status, "{what} {origin} {body}");
    }
    let elsewhere = request(served.address(), "GET /", &[("host", "board.evil.example")], "").unwrap();
    assert_eq!(elsewhere.0, 403, "a name that leads to this machine");
    assert_eq!(*invoked.lock().unwrap(), []);
    let (status, said) = ask(&served, "POST /press", &own, &press("shop-scale-staging"));
    assert_eq!((status, said.as_str()), (400, "there is no &lt;shop-scale-staging>"));
}

#[test]
fn it_ends_with_its_handle() {
    let (served, _) = serve();
    let address = served.address();
    drop(served);
    assert!(request(address, "GET /", &[], "").is_err(), "nobody listens any more");
}

/// CodeMate on a Monday morning, with a name, a reason and a message in Korean.
fn codemate(theme: Theme) -> String {
    let span = |from: &str, until: &str| json!([[format!("2026-11-23T{from}:00Z"), format!("2026-11-23T{until}:00Z")]]);
    let approval = json!([{"label": "Approve", "payload": {"approve": {"service": "codemate-cluster/codemate-backend", "image": "c0ffee2"}}}]);
    let snapshot = |day: u32, state: &str| json!({"id": format!("s{day}"), "at": format!("2026-11-{day:02}T18:00:00Z"), "state": state, "proven": day == 20});
    let snapshots: Vec<Value> = (5..23).map(|day| snapshot(day, if day == 18 { "failed" } else { "good" })).collect();
    let reports = [
        json!({"function": "deploy-image", "facts": [
            {"resource": "arn:aws:ecs:r:1:service/codemate-cluster/codemate-backend", "fact": "image", "service": "codemate-cluster/codemate-backend", "running": "c0ffee1",
             "since": "2026-11-20T05:00:00Z", "next": "c0ffee2", "windows": span("01:15", "07:00")},
            {"resource": "arn:aws:ecs:r:1:service/codemate-cluster/codemate-frontend", "fact": "image", "service": "codemate-cluster/codemate-frontend", "running": "c0ffee1",
             "since": "2026-11-20T05:00:00Z", "windows": [], "frozen": "nightshift:freeze: \u{c7ac}\u{ace0} \u{c870}\u{c0ac}"}],
            "problems": [{"resource": "arn:aws:ecs:r:1:service/codemate-cluster/codemate-backend", "problem": "needs-approval", "choices": approval,
                "message": "c0ffee2 waits for your approval (runs c0ffee1): \u{c2b9}\u{c778} \u{d544}\u{c694}"}]}),
        json!({"function": "scale-staging", "facts": [
            {"resource": "arn:aws:ecs:r:1:service/codemate-dev/codemate-backend", "fact": "sleep", "name": "codemate-dev/codemate-backend",
             "state": "awake", "why": "'mon-fri 08:00-20:00'", "tasks": 2, "awake": span("01:15", "11:00")},
            {"resource": "arn:aws:rds:r:1:db:x", "fact": "sleep", "name": "\u{c2dd}\u{b2f9}-db", "state": "held", "database": true,
             "why": "a hold by budget:CodeMate", "since": "2026-11-19T03:00:00Z", "awake": []}]}),
        json!({"function": "snapshot-databases", "facts": [{"resource": "arn:d", "fact": "backup", "database": "codemate-db",
            "rule": "days=7", "age_hours": 7.2, "snapshots": snapshots}]}),
        json!({"function": "copy-buckets", "facts": [{"resource": "arn:aws:s3:::codemate-uploads", "fact": "backup", "continuous": true,
            "database": "codemate-uploads", "rule": "days=30 mode=versions", "age_hours": 0.0, "snapshots": []}]}),
        json!({"function": "enforce-budget", "facts": [{"resource": "arn:m", "fact": "budget", "name": "CodeMate", "currency": "USD",
            "limit": "675", "actual": "521.40", "percent": 77, "forecast": "680", "from": "2026-11-01T00:00:00Z",
            "until": "2026-12-01T00:00:00Z", "parts": [{"name": "AWS", "actual": "500"}, {"name": "LLM", "actual": "21.4"}]}]}),
        json!({"function": "remediate-alarm", "facts": [{"resource": "arn:a", "fact": "alarm", "name": "frontend-cpu", "firing": true,
            "since": "2026-11-23T01:00:00Z", "ladder": ["scale-out", "notify"], "rung": 1}]}),
    ];
    let run = |mut report: Value| {
        report["dry_run"] = json!(true);
        (report["function"].as_str().unwrap().to_owned(), DryRun::read(&report))
    };
    let days = (1..24).map(|day| (jiff::civil::date(2026, 11, day), f64::from(day as i32) * 3.3)).collect();
    let board = Board {
        runs: reports.map(run).into(),
        firing: Some(Ok(Vec::new())),
        spent: Some(Ok([("CodeMate".to_owned(), days)].into())),
        saved: Some(Ok(board::Saved { days: 7, task_hours: 216.0, database_hours: 84.0 })),
    };
    let now = "2026-11-23T10:15:00+09:00[Asia/Seoul]".parse().unwrap();
    let arn = |it: &&str| (it.to_string(), format!("arn:aws:lambda:r:1:function:shop-{it}"));
    let endpoints = Section::NeedsYou.functions().iter().map(arn).collect();
    let sections = Section::ALL.map(|(_, it)| it);
    board::html(&board, &View { now: &now, theme, sections: &sections, endpoints })
}

/// Everything is drawn, nothing is cut off or covered, and each text has its contrast, in each theme, on a desk and on a phone.
#[test]
fn the_board_of_a_shop_fits_a_window_on_a_desk_and_one_of_a_phone_in_each_theme() {
    for (name, theme) in [("light", Theme::Light), ("dark", Theme::Dark), ("either", Theme::Either)] {
        let drawn = codemate(theme);
        assert!(drawn.contains("\u{c2dd}\u{b2f9}-db") && !drawn.contains("could not be read"), "{drawn}");
        let served = Served::start("shop", move |_: &str, _: &Value| Ok(json!(drawn))).expect("a port is free");
        let (_, page) = ask(&served, "GET /", &own(&served), "");
        let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("board-{name}.html"));
        std::fs::write(&file, page).unwrap();
        look_at(&file);
    }
}
