//! What the README says of running the stack: it is paused at once, without a deployment, and goes on as if nothing was.

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

#[test]
fn a_paused_stack_changes_nothing_until_it_goes_on() -> Result<()> {
    let aws = LocalAws::start(Options::default())?;
    let function = aws.output("DeployImageFunctionName")?.to_owned();
    let path = format!("/2017-10-31/functions/{function}/concurrency");
    aws.lambda("PUT", &path, json!({"ReservedConcurrentExecutions": 0}))?;
    let refused = aws.invoke(&function, &json!({})).expect_err("a paused function does not run").to_string();
    assert!(refused.contains("429"), "{refused}");

    // Neither do events start it.
    let v1 = aws.push_image("api", "v1.0.0", "v1")?;
    let image = aws.image_uri("api", &format!("@{v1}"));
    aws.start_service("shop", "api", &image, &[("nightshift:deploy", "semver")])?;
    aws.push_image("api", "v1.1.0", "v2")?;
    let deployed = |aws: &LocalAws| -> Result<Value> { Ok(aws.service("shop", "api")?["taskDefinition"].clone()) };
    let before = deployed(&aws)?;
    let ran: Vec<_> = aws.calls()?.into_iter().filter(|it| it.function.as_deref() == Some(&function)).collect();
    assert!(ran.is_empty(), "{ran:?}");

    aws.lambda("DELETE", &path, Value::Null)?;
    aws.invoke(&function, &json!({}))?;
    assert_ne!(deployed(&aws)?, before);
    Ok(())
}
