//! The shop Table Order: one instance with docker compose and a small database, for 31 USD a month. Its script really
//! runs, with a docker that is played.

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

use crate::deploy_image::wait_for_message;
use crate::machines::{launch, state};

const DEPLOY: &str = "nightshift-deploy-compose";
const SLEEP: &str = "nightshift-scale-staging";
const REPOSITORY: &str = "table-order-api";
const RULE: &str = "semver repository=table-order-api path=/srv/app service=api \
                    health=http://localhost:3000/api/v1/health wait=5s";

/// The shop with v1.0.0, which a person has started, and which the function has read back.
fn shop() -> Result<(LocalAws, String)> {
    shop_with(RULE)
}

fn shop_with(rule: &str) -> Result<(LocalAws, String)> {
    let parameters = vec![("TimeZone".into(), "Asia/Seoul".into())];
    let aws = LocalAws::start(Options { parameters, ..Options::default() })?;
    let first = aws.push_image(REPOSITORY, "v1.0.0", "table-order 1.0.0")?;
    let image = aws.image_uri(REPOSITORY, &format!("@{first}"));
    let hours = "mon-sun 08:00-22:00";
    let shop = launch(&aws, &[("Name", "table-order"), ("nightshift:deploy", rule), ("nightshift:schedule", hours)])?;
    let database = [
        ("DBInstanceIdentifier", "table-order-db"),
        ("DBInstanceClass", "db.t3.micro"),
        ("Engine", "postgres"),
        ("AllocatedStorage", "20"),
        ("MasterUsername", "shop"),
        ("MasterUserPassword", "not-a-secret"),
        ("Tags.Tag.1.Key", "nightshift:schedule"),
        ("Tags.Tag.1.Value", hours),
        ("Tags.Tag.2.Key", "nightshift:budget"),
        ("Tags.Tag.2.Value", "sleep-at=100"),
    ];
    aws.rds("CreateDBInstance", &database)?;
    let compose = format!("services:\n  api:\n    image: {image}\n    ports:\n      - \"3000:3000\"\n");
    let machine = json!({
        "id": shop,
        "files": {"/srv/app/compose.yaml": compose},
        "runs": {"project": "/srv/app", "service": "api", "image": image, "ports": ["3000"]},
    });
    aws.control("POST", "machine", Some(machine))?;
    sweep(&aws)?;
    wait_for(&aws, "what runs to be read back", || {
        let answer = aws.ec2("DescribeInstances", &[("InstanceId.1", &shop)])?;
        Ok(answer.contains("nightshift-state:runs"))
    })?;
    Ok((aws, shop))
}

fn sweep(aws: &LocalAws) -> Result<Value> {
    let invocation = aws.invoke(DEPLOY, &json!({}))?;
    assert_eq!(invocation.error, None, "{}", invocation.payload);
    Ok(invocation.payload)
}

fn wait_for(aws: &LocalAws, what: &str, question: impl Fn() -> Result<bool>) -> Result<()> {
    aws.wait_until(what, || Ok(question()?.then_some(())))
}

/// Waits until the containers of the machine run exactly this image.
fn wait_for_image(aws: &LocalAws, machine: &str, digest: &str) -> Result<()> {
    let expected = json!({"runs": [aws.image_uri(REPOSITORY, &format!("@{digest}"))]});
    wait_for(aws, &format!("{expected}"), || {
        Ok(aws.control("POST", "machine", Some(json!({"id": machine})))? == expected)
    })
}

/// What the containers of the machine run.
fn running(aws: &LocalAws, machine: &str) -> Result<Value> {
    aws.control("POST", "machine", Some(json!({"id": machine})))
}

/// The commands of a message, each by what it is called there.
fn commands(body: &str) -> Vec<(String, Value)> {
    let lines = body.lines().zip(body.lines().skip(1));
    let command = |(label, line): (&str, &str)| {
        let payload: Value = serde_json::from_str(line.strip_prefix("printf %s '")?.split_once('\'')?.0).ok()?;
        Some((label.trim_end_matches(':').to_owned(), payload))
    };
    lines.filter_map(command).collect()
}

/// Sends the command of a message that is called so; what the function did then.
fn pasted(aws: &LocalAws, body: &str, label: &str) -> Result<Vec<String>> {
    let named = commands(body).into_iter().find(|(it, _)| it == label);
    let (_, mut payload) = named.ok_or_else(|| testkit::Error::new(format!("no command {label:?} in\n{body}")))?;
    // A test reads the report, not the sentences.
    payload.as_object_mut().map(|it| it.remove("format"));
    let invocation = aws.invoke(DEPLOY, &payload)?;
    assert_eq!(invocation.error, None, "{}", invocation.payload);
    let actions = invocation.payload["actions"].as_array().cloned().unwrap_or_default();
    Ok(actions.iter().map(|it| it["action"].as_str().unwrap_or_default().to_owned()).collect())
}

/// Waits for a message whose body has all of these words.
fn wait_for_words(aws: &LocalAws, words: &[&str]) -> Result<()> {
    wait_for(aws, &format!("a message with {words:?}"), || {
        Ok(aws.messages()?.iter().any(|message| {
            words.iter().all(|it| {
                message.body.contains(it) || message.subject.as_deref().is_some_and(|subject| subject.contains(it))
            })
        }))
    })
}

fn sleep_at(aws: &LocalAws, now: &str) -> Result<()> {
    aws.set_clock(SLEEP, now)?;
    let invocation = aws.invoke(SLEEP, &json!({}))?;
    assert_eq!(invocation.error, None, "{}", invocation.payload);
    Ok(())
}

fn database(aws: &LocalAws) -> Result<String> {
    let answer = aws.rds("DescribeDBInstances", &[("DBInstanceIdentifier", "table-order-db")])?;
    Ok(LocalAws::element(&answer, "DBInstanceStatus")?.to_owned())
}

#[test]
fn a_pushed_image_runs_on_the_machine_and_a_bad_one_gives_way_to_it() -> Result<()> {
    let (aws, shop) = shop()?;
    let good = aws.push_image(REPOSITORY, "v1.1.0", "table-order 1.1.0")?;
    wait_for_image(&aws, &shop, &good)?;
    wait_for_words(&aws, &["v1.1.0", "is live", "2 s without an answer"])?;

    // The same image elsewhere, for its digest: the machine has to know how it behaves before it is pushed.
    let bad = aws.push_image("elsewhere", "v1.2.0", "table-order 1.2.0")?;
    let images = json!({"id": shop, "images": {bad: {"starts": "unhealthy"}}});
    aws.control("POST", "machine", Some(images))?;
    aws.push_image(REPOSITORY, "v1.2.0", "table-order 1.2.0")?;
    wait_for_words(&aws, &["v1.2.0 failed", "v1.1.0", "s without an answer"])?;
    wait_for_image(&aws, &shop, &good)?;
    let said = sweep(&aws)?.to_string();
    assert!(said.contains("rejected") && said.contains("v1.1.0 stays"), "{said}");

    let next = aws.push_image(REPOSITORY, "v1.3.0", "table-order 1.3.0")?;
    wait_for_image(&aws, &shop, &next)?;
    let refused: Vec<_> = aws.calls()?.into_iter().filter(|it| it.function.is_some() && it.status == 403).collect();
    assert!(refused.is_empty(), "{refused:?}");
    Ok(())
}

#[test]
fn each_command_of_a_message_does_what_it_says_and_nothing_once_that_is_no_longer_so() -> Result<()> {
    let (aws, shop) = shop_with(&format!("{RULE} approval=manual"))?;
    let first = running(&aws, &shop)?;
    let told = |subject: &str| wait_for_message(&aws, &format!("[Nightshift] api on table-order: {subject}"));
    let next = aws.push_image(REPOSITORY, "v1.1.0", "table-order 1.1.0")?;
    let asked = told("v1.1.0 waits for your approval (runs v1.0.0)")?;
    let undo = "If that is wrong";
    let nothing: [&str; 0] = [];

    assert_eq!(pasted(&aws, &asked, "Reject")?, ["reject"]);
    let rejected = told("v1.1.0 is rejected, v1.0.0 stays")?;
    assert_eq!(pasted(&aws, &asked, "Reject")?, nothing, "pasted twice");
    assert_eq!(pasted(&aws, &rejected, undo)?, ["clear"]);
    assert_eq!(pasted(&aws, &rejected, undo)?, nothing, "pasted twice");
    assert_eq!(running(&aws, &shop)?, first, "nobody has approved it");

    assert_eq!(pasted(&aws, &asked, "Approve")?, ["approve", "deploy"]);
    let live = told("v1.1.0 is live")?;
    wait_for_image(&aws, &shop, &next)?;
    assert_eq!(pasted(&aws, &asked, "Approve")?, nothing, "pasted twice");

    assert_eq!(pasted(&aws, &live, undo)?, ["reject", "roll-back"]);
    wait_for(&aws, "v1.0.0 to run again", || Ok(running(&aws, &shop)? == first))?;
    let back = told("going back to v1.0.0 from v1.1.0 (+1 more)")?;
    assert_eq!(commands(&back).len(), 1, "the rejection and the way back share one command\n{back}");
    told("v1.0.0 is live")?;
    assert_eq!(pasted(&aws, &live, undo)?, nothing, "pasted twice");
    assert_eq!(pasted(&aws, &back, undo)?, ["clear"]);
    assert_eq!(pasted(&aws, &back, undo)?, nothing, "pasted twice");

    // Once another image runs, a command about the one before it moves nothing.
    let third = aws.push_image(REPOSITORY, "v1.2.0", "table-order 1.2.0")?;
    let asked = told("v1.2.0 waits for your approval (runs v1.0.0)")?;
    assert_eq!(pasted(&aws, &asked, "Approve")?, ["approve", "deploy"]);
    told("v1.2.0 is live")?;
    wait_for_image(&aws, &shop, &third)?;
    assert_eq!(pasted(&aws, &live, undo)?, nothing, "another image runs");
    Ok(())
}

#[test]
fn an_image_of_the_night_waits_for_the_machine_and_goes_out_in_the_morning() -> Result<()> {
    let (aws, shop) = shop()?;
    sleep_at(&aws, "2026-11-20T22:00:00+09:00")?;
    assert_eq!(state(&aws, &shop)?, ("stopped".into(), true));
    wait_for(&aws, "the database to be stopped", || Ok(database(&aws)? == "stopped"))?;

    let pushed = aws.push_image(REPOSITORY, "v1.1.0", "table-order 1.1.0")?;
    wait_for_words(&aws, &["v1.1.0 waits: the instance sleeps until its schedule wakes it"])?;

    // In the morning the machine is started, then read, and then it gets the image of the night.
    sleep_at(&aws, "2026-11-21T08:00:00+09:00")?;
    wait_for(&aws, "the machine and its database to be up", || {
        Ok(state(&aws, &shop)?.0 == "running" && database(&aws)? == "available")
    })?;
    sleep_at(&aws, "2026-11-21T08:05:00+09:00")?;
    assert_eq!(state(&aws, &shop)?, ("running".into(), false));
    sweep(&aws)?;
    wait_for_image(&aws, &shop, &pushed)?;
    wait_for(&aws, "the deployment to be remembered", || {
        let answer = aws.ec2("DescribeInstances", &[("InstanceId.1", &shop)])?;
        Ok(!answer.contains("nightshift-state:command") && answer.contains(&format!("{pushed} at=")))
    })?;
    let refused: Vec<_> = aws.calls()?.into_iter().filter(|it| it.function.is_some() && it.status == 403).collect();
    assert!(refused.is_empty(), "{refused:?}");
    Ok(())
}
