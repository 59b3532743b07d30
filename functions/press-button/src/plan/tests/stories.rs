//! A message is sent, time passes, and a person presses one of its buttons.

use reconcile::{Action, Outcome};

use super::*;

fn approve(image: &str) -> Value {
    json!({"approve": {"service": "truegul-production/api-server", "image": image}})
}

fn reject(image: &str) -> Value {
    json!({"reject": {"service": "truegul-production/api-server", "image": image}})
}

/// The button of a message that a step was done, which offers this to take it back.
fn taken_back(function: &str, resource: &str, offer: Value, now: &Zoned) -> String {
    let name = offer.as_object().unwrap().keys().next().unwrap().clone();
    let action = Action {
        resource: resource.into(),
        action: "deploy",
        headline: "api-server: deploying v1.1.0".into(),
        tells: Some(MessageKind::Changed),
        is_in_daily_report: false,
        story: None,
        reason: String::new(),
        before: Value::Null,
        after: Value::Null,
        outcome: Outcome::Done,
        error: None,
        choices: Vec::new(),
        undo: Some("aws".into()),
        offer: Some(Undo::Command(offer)),
    };
    let report = Report { actions: vec![action], ..report(function, now, vec![], Value::Null) };
    buttons(&report)[name].as_str().unwrap().to_owned()
}

#[test]
fn approve_lets_the_image_of_its_message_out_and_no_other() {
    let now = at("2026-11-21T03:10");
    let waiting =
        |image: &str| report("deploy-image", &now, vec![asks(SERVICE, &[approve(image), reject(image)])], Value::Null);
    let first = buttons(&waiting("sha256:1"));
    let (yes, no) = (first["approve"].as_str().unwrap(), first["reject"].as_str().unwrap());
    let later = at("2026-11-24T09:00");
    assert_eq!(sent(yes, &waiting("sha256:1"), &later), Ok(approve("sha256:1")));
    assert_eq!(sent(no, &waiting("sha256:1"), &later), Ok(reject("sha256:1")));
    let over = "nothing was done, since that image does not wait any more, or it waits for something else; the newest message \
                about it counts";
    // A newer image waits; then none.
    assert_eq!(sent(yes, &waiting("sha256:2"), &later), Err(over.into()));
    assert_eq!(sent(yes, &report("deploy-image", &now, vec![], Value::Null), &later), Err(over.into()));
}

#[test]
fn roll_back_goes_back_only_from_the_image_of_its_message() {
    let now = at("2026-11-21T03:10");
    let rollback = json!({"rollback": {"service": "truegul-production/api-server", "image": "sha256:1"}});
    let value = taken_back("deploy-image", SERVICE, rollback.clone(), &now);
    let runs = |image: &str| report("deploy-image", &now, vec![], json!([super::image(image)]));
    assert_eq!(sent(&value, &runs("sha256:1"), &at("2026-12-01T03:10")), Ok(rollback));
    assert!(sent(&value, &runs("sha256:2"), &now).unwrap_err().contains("the service runs another image by now"));
}

#[test]
fn wake_works_as_long_as_the_sleep_of_its_message_lasts() {
    let asleep = |since: &str| {
        json!([{"resource": DATABASE, "fact": "sleep", "name": "codemate-dev-db", "database": true, "state": "asleep",
                "why": "its schedule", "since": since, "awake": []}])
    };
    let friday = at("2026-11-20T20:00");
    let value = taken_back("scale-staging", DATABASE, json!({"wake": {"resource": DATABASE}}), &friday);
    let woken = |until: &str| Ok(json!({"wake": {"resource": DATABASE, "until": until}}));
    // Asleep since Friday evening, in Seoul, and still on Sunday noon: until eight in the evening.
    let weekend = report("scale-staging", &friday, vec![], asleep("2026-11-20T11:00:00Z"));
    assert_eq!(sent(&value, &weekend, &at("2026-11-22T12:00")), woken("2026-11-22T11:00:00Z"));
    // In the evening it is four hours.
    assert_eq!(sent(&value, &weekend, &at("2026-11-20T19:30:40")), woken("2026-11-20T14:30:00Z"));
    // On Monday it was awake, and sleeps again.
    let monday = report("scale-staging", &friday, vec![], asleep("2026-11-23T11:00:00Z"));
    assert!(sent(&value, &monday, &at("2026-11-23T22:00")).unwrap_err().contains("it has been awake since"));
}

#[test]
fn what_is_awake_is_kept_awake_on_the_day_of_the_message() {
    let awake = json!([{"resource": SERVICE, "fact": "sleep", "name": "truegul-staging/api-server", "state": "awake",
        "why": "its schedule", "awake": []}]);
    let now = at("2026-11-20T18:00");
    let value = taken_back("scale-staging", SERVICE, json!({"wake": {"resource": SERVICE}}), &now);
    let report = report("scale-staging", &now, vec![], awake);
    let kept = json!({"wake": {"resource": SERVICE, "until": "2026-11-20T11:00:00Z"}});
    assert_eq!(sent(&value, &report, &now), Ok(kept));
    assert!(sent(&value, &report, &at("2026-11-21T18:00")).is_err());
}

#[test]
fn release_works_within_the_period_of_the_budget_only() {
    let held = |from: &str, until: &str, held: Value| {
        json!([{"resource": "arn:aws:budgets::1:budget/m", "fact": "budget", "name": "서울 \"a\" Monthly", "currency": "USD",
            "limit": "300", "actual": "318", "percent": 106, "from": from, "until": until, "held": held}])
    };
    let now = at("2026-11-24T10:00");
    let release = json!({"release": {"budget": "서울 \"a\" Monthly"}});
    let value = taken_back("enforce-budget", SERVICE, release.clone(), &now);
    let november = ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z");
    let of = |facts: Value| report("enforce-budget", &now, vec![], facts);
    let holds = of(held(november.0, november.1, json!(["staging/api"])));
    assert_eq!(sent(&value, &holds, &at("2026-11-30T10:00")), Ok(release));
    let over = "the budget holds nothing any more, or its period is another one";
    assert!(sent(&value, &of(held(november.0, november.1, json!([]))), &now).unwrap_err().contains(over));
    let december = of(held("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", json!(["staging/api"])));
    assert!(sent(&value, &december, &at("2026-12-24T10:00")).unwrap_err().contains(over));
    // A report from before the period ended says nothing about the next one.
    assert!(sent(&value, &holds, &at("2026-12-02T10:00")).unwrap_err().contains(over));
}

#[test]
fn a_message_about_two_images_has_no_button_that_could_mean_either() {
    let now = at("2026-11-21T03:10");
    let both = asks(SERVICE, &[approve("sha256:1"), approve("sha256:2"), reject("sha256:2")]);
    let buttons = buttons(&report("deploy-image", &now, vec![both], Value::Null));
    assert_eq!(buttons.as_object().unwrap().keys().collect::<Vec<_>>(), ["reject"]);
}

#[test]
fn what_cannot_be_looked_up_is_answered_in_words() {
    let now = at("2026-11-21T03:10");
    let pressed = Pressed { button: Button::Approve, value: "approve-0123456789abcdef".into() };
    let said = |run: DryRun| plan(Some(&pressed), Some(&run), &now).skipped[0].reason.clone();
    let cut = DryRun { is_cut: true, ..DryRun::default() };
    assert!(said(cut).ends_with("send the command of the e-mail"));
    let refused = DryRun { refused: Some("the plan holds 600 changes".into()), ..DryRun::default() };
    assert!(said(refused).ends_with("refused to say what this button means: the plan holds 600 changes"));
    assert_eq!(plan(None, None, &now).skipped[0].reason, "no button was pressed");
}

#[test]
fn a_choice_of_another_function_is_not_the_buttons() {
    let now = at("2026-11-21T03:10");
    let sibling = Undo::Sibling { own: "deploy-image", function: "snapshot-databases", payload: approve("sha256:1") };
    let problem = Problem { choices: vec![Choice::new("Approve", sibling)], ..asks(SERVICE, &[]) };
    let report = report("deploy-image", &now, vec![problem], Value::Null);
    assert_eq!(buttons(&report), Value::Null);
    let (_, value) = Button::value(&approve("sha256:1"), now.date()).unwrap();
    assert!(sent(&value, &report, &now).is_err());
}
