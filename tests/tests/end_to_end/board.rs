//! The board as the console shows it, with IAM in force: what is drawn of the shop, and what its buttons do.

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

use crate::deploy_image::{truegul_with, wait_for, wait_for_message};

const FUNCTION: &str = "nightshift-report-operations";

/// What a widget of the dashboard sends.
fn widget(board: &str) -> Value {
    json!({"board": board, "widgetContext": {"theme": "dark", "params": {"board": board}, "forms": {"all": {}}}})
}

fn page(aws: &LocalAws, payload: &Value) -> Result<String> {
    let answer = aws.invoke(FUNCTION, payload)?;
    assert_eq!(answer.error, None, "{}", answer.payload);
    Ok(answer.payload.as_str().unwrap_or_else(|| panic!("{} is not a page", answer.payload)).to_owned())
}

/// The function and the command of a button, as the console reads them.
fn button(page: &str, label: &str) -> (String, Value) {
    let from = format!("<a class=\"btn\">{label}</a><cwdb-action ");
    let button = page.split_once(&from).unwrap_or_else(|| panic!("no button {label} in {page}")).1;
    let endpoint = button.split_once("endpoint=\"").unwrap().1.split_once('"').unwrap().0;
    let payload = button.split_once('>').unwrap().1.split_once("</cwdb-action>").unwrap().0;
    (endpoint.rsplit(':').next().unwrap().to_owned(), serde_json::from_str(payload).expect("JSON"))
}

#[test]
fn a_button_of_the_board_approves_the_image_that_waits() -> Result<()> {
    let aws = LocalAws::start(Options::default())?;
    truegul_with(&aws, "semver range=1.x approval=manual")?;
    let digest = aws.push_image("truegul-api-server", "v1.1.0", "api-server 1.1.0")?;
    wait_for_message(&aws, "[Nightshift] truegul-production/api-server: v1.1.0 waits for your approval (runs v1.0.0)")?;

    let shown = page(&aws, &widget("needs-you images"))?;
    for it in
        ["<div class=\"ns dark\">", "truegul-production/api-server", "next v1.1.0", "v1.1.0 waits for your approval"]
    {
        assert!(shown.contains(it), "{it} is not in {shown}");
    }
    let (function, mut payload) = button(&shown, "Approve");
    assert_eq!(function, "nightshift-deploy-image");
    // The console adds where the button stood.
    payload["widgetContext"] = json!({"theme": "dark"});
    let answer = aws.invoke(&function, &payload)?;
    let said = answer.payload.as_str().unwrap_or_default();
    assert!(said.starts_with("<p>") && said.contains("v1.1.0"), "{:?} {}", answer.error, answer.payload);
    wait_for(&aws, "api-server", &digest)?;
    Ok(())
}

#[test]
fn the_whole_board_and_each_report_are_read_with_the_role_of_the_function_and_change_nothing() -> Result<()> {
    let aws = LocalAws::start(Options::default())?;
    truegul_with(&aws, "semver range=1.x")?;
    aws.forget_calls()?;
    let shown = page(&aws, &json!({}))?;
    for heading in ["Tonight", "Images", "Backups", "Money", "Alarms", "Needs you"] {
        assert!(shown.contains(&format!("<h3>{heading}</h3>")), "{heading} is not in {shown}");
    }
    assert!(shown.contains("truegul-production/api-server"), "{shown}");
    for period in ["day", "week", "month"] {
        let answer = aws.invoke(FUNCTION, &json!({"report": period}))?;
        assert_eq!(answer.error, None, "{}", answer.payload);
    }
    for title in ["Daily report", "Weekly report", "Monthly report"] {
        let beginning = format!("[Nightshift] {title}, ");
        aws.wait_until(title, || {
            let sent = aws.messages()?;
            let mut subjects = sent.iter().filter_map(|it| it.subject.as_deref());
            Ok(subjects.any(|it| it.starts_with(&beginning)).then_some(()))
        })?;
    }
    let calls = aws.calls()?;
    let denied: Vec<_> = calls.iter().filter(|it| it.function.is_some() && it.status == 403).collect();
    assert!(denied.is_empty(), "{denied:?}");
    let reads = |it: &str| {
        ["BatchGet", "Describe", "Get", "List", "View", "Invoke", "Publish"].iter().any(|word| it.starts_with(word))
    };
    let changes: Vec<_> = calls.iter().filter(|it| it.function.is_some() && !reads(&it.action)).collect();
    assert!(changes.is_empty(), "{changes:?}");
    Ok(())
}
