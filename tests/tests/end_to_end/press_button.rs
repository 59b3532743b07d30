//! A person presses the buttons of real messages, with IAM in force: through the function of the buttons to the one that
//! offered them.

use serde_json::{Value, json};
use testkit::{LocalAws, Message, Options, Result};

use crate::deploy_image::{CLUSTER, truegul_with, wait_for};
use crate::{budget, scale_staging};

const FUNCTION: &str = "nightshift-press-button";

/// The first message whose subject begins so and that comes after those that were there before.
fn message(aws: &LocalAws, subject: &str) -> Result<Message> {
    let subject = format!("[Nightshift] {subject}");
    aws.wait_until(&format!("the message '{subject}'"), || {
        let found =
            aws.messages()?.into_iter().find(|it| it.subject.as_deref().is_some_and(|it| it.starts_with(&subject)));
        Ok(found)
    })
}

/// What the button of that name sends, as the chat reads it from the message.
fn button(aws: &LocalAws, subject: &str, name: &str) -> Result<Value> {
    let card: Value = serde_json::from_str(&message(aws, subject)?.forms["https"])?;
    assert_eq!(card["metadata"]["enableCustomActions"], true, "{card}");
    let value = &card["metadata"]["additionalContext"][name];
    assert!(value.is_string(), "no button {name} in {card}");
    Ok(json!({"b": value}))
}

/// The sentences that the person reads in the chat.
fn press(aws: &LocalAws, button: &Value) -> Result<String> {
    let answer = aws.invoke(FUNCTION, button)?;
    assert_eq!(answer.error, None, "{}", answer.payload);
    let lines = answer.payload.as_array().into_iter().flatten().filter_map(Value::as_str);
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_button_lets_the_image_of_its_message_out_and_back_and_an_older_one_does_nothing() -> Result<()> {
    let aws = LocalAws::start(Options::default())?;
    truegul_with(&aws, "semver range=1.x approval=manual")?;
    aws.push_image("truegul-api-server", "v1.1.0", "api-server 1.1.0")?;
    let older = button(&aws, "truegul-production/api-server: v1.1.0 waits for your approval", "approve")?;
    let digest = aws.push_image("truegul-api-server", "v1.2.0", "api-server 1.2.0")?;
    let newer = button(&aws, "truegul-production/api-server: v1.2.0 waits for your approval", "approve")?;
    let said = press(&aws, &older)?;
    assert!(said.contains("nothing was done, since that image does not wait any more"), "{said}");
    assert!(aws.images(CLUSTER, "api-server")?[0].ends_with(":v1.0.0"));
    let said = press(&aws, &newer)?;
    assert!(said.contains("v1.2.0 is approved") && said.contains("'Approve' was sent to deploy-image"), "{said}");
    wait_for(&aws, "api-server", &digest)?;
    // Twice is once.
    let said = press(&aws, &newer)?;
    assert!(said.contains("nothing was done"), "{said}");
    let back = button(&aws, "truegul-production/api-server: v1.2.0 is live", "rollback")?;
    let said = press(&aws, &back)?;
    assert!(said.contains("going back to v1.0.0 from v1.2.0"), "{said}");
    aws.wait_until("v1.0.0 to run again", || {
        Ok(aws.images(CLUSTER, "api-server")?[0].ends_with(":v1.0.0").then_some(()))
    })?;
    let said = press(&aws, &back)?;
    assert!(said.contains("nothing was done, since the service runs another image by now"), "{said}");
    let calls = aws.calls()?;
    let denied: Vec<_> = calls.iter().filter(|it| it.function.is_some() && it.status == 403).collect();
    assert!(denied.is_empty(), "{denied:?}");
    Ok(())
}

#[test]
fn a_button_releases_what_a_budget_holds() -> Result<()> {
    let aws = budget::start()?;
    budget::spend(&aws, "310.50")?;
    budget::wait_for_tasks(&aws, "api-server", 0)?;
    aws.set_clock(FUNCTION, "2026-11-24T13:00:00+09:00")?;
    let release = button(&aws, "TrueGul Monthly: ", "release")?;
    let said = press(&aws, &release)?;
    assert!(said.contains("released, back to its schedule"), "{said}");
    budget::wait_for_tasks(&aws, "api-server", budget::TASKS)
}

#[test]
fn a_button_wakes_what_sleeps_until_the_evening() -> Result<()> {
    let aws = scale_staging::start()?;
    scale_staging::run(&aws, scale_staging::EVENING, json!({}))?;
    let wake = button(&aws, "codemate-dev/codemate-backend: ", "wake")?;
    // Saturday noon: the sleep of the message still lasts.
    let noon = "2026-11-21T12:00:00+09:00";
    [FUNCTION, scale_staging::FUNCTION].into_iter().try_for_each(|it| aws.set_clock(it, noon))?;
    let said = press(&aws, &wake)?;
    assert!(said.contains("2026-11-21 20:00"), "{said}");
    Ok(())
}
