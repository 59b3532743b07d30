//! The board in a browser of this machine: what is served, what a button sends, and what is refused.

use std::sync::{Arc, Mutex};

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

#[test]
fn the_page_fits_a_window_on_a_desk_and_one_of_a_phone() {
    let (served, _) = serve();
    let (_, page) = ask(&served, "GET /", &own(&served), "");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("board.html");
    std::fs::write(&file, page).unwrap();
    look_at(&file);
}
