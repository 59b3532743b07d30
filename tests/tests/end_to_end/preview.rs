//! `cargo preview` with a person's keys: the policy that it prints is enough, and IAM refuses the rest.

use std::process::{Command, Output};

use serde_json::json;
use testkit::{LocalAws, Options, Result};

const NOW: &str = "2026-11-23T15:00:00+09:00";

/// A person who may do what `policy` allows; access key and secret key.
fn person(aws: &LocalAws, name: &str, policy: &str) -> Result<(String, String)> {
    aws.iam("CreateUser", &[("UserName", name)])?;
    aws.iam("PutUserPolicy", &[("UserName", name), ("PolicyName", "preview"), ("PolicyDocument", policy)])?;
    let key = aws.iam("CreateAccessKey", &[("UserName", name)])?;
    let part = |name| LocalAws::element(&key, name).map(str::to_owned);
    Ok((part("AccessKeyId")?, part("SecretAccessKey")?))
}

fn preview(aws: &LocalAws, (key, secret): &(String, String), options: &[&str]) -> Result<Output> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("config");
    std::fs::write(
        &config,
        format!(
            "[profile shop]\nregion = {}\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n",
            LocalAws::REGION
        ),
    )?;
    // Nothing of this machine: the profile alone says who looks.
    let mut preview = Command::new(aws.program("preview")?);
    preview.env_clear().env("AWS_CONFIG_FILE", &config).env("AWS_SHARED_CREDENTIALS_FILE", folder.path().join("none"));
    preview.env("AWS_ENDPOINT_URL", aws.endpoint()).env("AWS_EC2_METADATA_DISABLED", "true");
    Ok(preview.args(["--profile", "shop"]).args(options).output()?)
}

#[test]
fn a_preview_with_the_policy_that_it_prints_shows_the_night_and_changes_nothing() -> Result<()> {
    let aws = LocalAws::start(Options { deploy: false, ..Options::default() })?;
    let v1 = aws.push_image("api", "v1.0.0", "v1")?;
    let image = aws.image_uri("api", &format!("@{v1}"));
    aws.start_service("shop", "api", &image, &[("nightshift:deploy", "semver"), ("nightshift:shedule", "always")])?;
    aws.start_service("shop", "web", &aws.image_uri("api", ":v1.0.0"), &[])?;
    aws.push_image("api", "v1.1.0", "v2")?;
    for (id, backup) in [("orders", Some("daily=7")), ("customers", None)] {
        let mut create = vec![
            ("DBInstanceIdentifier", id),
            ("Engine", "postgres"),
            ("DBInstanceClass", "db.t4g.micro"),
            ("AllocatedStorage", "20"),
            ("MasterUsername", "shop"),
            ("MasterUserPassword", "secret-enough"),
        ];
        if let Some(rule) = backup {
            create.extend([("Tags.Tag.1.Key", "nightshift:backup"), ("Tags.Tag.1.Value", rule)]);
        }
        aws.rds("CreateDBInstance", &create)?;
    }
    aws.cloudwatch(
        "PutMetricAlarm",
        json!({
            "AlarmName": "slow & <old>", "Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average",
            "Period": 60, "EvaluationPeriods": 1, "Threshold": 80.0, "ComparisonOperator": "GreaterThanThreshold",
        }),
    )?;
    // Those of a stack that is there already.
    for (name, namespace, dimension, value) in [
        ("own-1", "AWS/Lambda", "FunctionName", "ops-deploy-image"),
        ("own-2", "AWS/Lambda", "FunctionName", "ops-scale-staging"),
        ("own-3", "AWS/SQS", "QueueName", "ops-FailureQueue-1A2B3C4D5E6F"),
        ("own-4", "Nightshift", "Function", "snapshot-databases"),
    ] {
        aws.cloudwatch(
            "PutMetricAlarm",
            json!({
                "AlarmName": name, "Namespace": namespace, "MetricName": "Errors", "Statistic": "Sum", "Period": 300,
                "Dimensions": [{"Name": dimension, "Value": value}], "EvaluationPeriods": 1, "Threshold": 1.0,
                "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            }),
        )?;
    }

    let printed = Command::new(aws.program("preview")?).arg("--policy").output()?;
    let policy = String::from_utf8_lossy(&printed.stdout).into_owned();
    let reader = person(&aws, "reader", &policy)?;
    let page = tempfile::tempdir()?;
    let page = page.path().join("page.html");
    aws.forget_calls()?;
    let output = preview(&aws, &reader, &["--time-zone", "Asia/Seoul", "--html", &page.display().to_string()])?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for expected in [
        "== deploy-image",
        "api: deploying v1.1.0",
        "nightshift-orders-",
        "PROBLEM  nightshift:shedule: no function knows this tag (on api); did you mean 'nightshift:schedule'?",
        "shop/web: nightshift:deploy = semver range=1.x",
        "customers: nightshift:backup = daily=7 weekly=4",
        "api: nightshift:keep-images = count=30",
        "slow & <old>: nightshift:remedy = notify",
    ] {
        assert!(text.contains(expected), "'{expected}' is not in\n{text}");
    }
    assert!(!text.contains("AccessDenied") && !text.contains("could not"), "{text}");
    assert!(!text.contains("own-"), "a remedy is suggested for an alarm of Nightshift:\n{text}");
    nightshift_tests::browser::look_at(&page);
    let html = std::fs::read_to_string(&page)?;
    assert!(html.contains("slow &amp; &lt;old&gt;") && html.contains("api: deploying v1.1.0"), "{html}");

    // Whatever it called only read, and was allowed.
    for call in aws.calls()? {
        assert_ne!(call.status, 403, "{call:?}");
        let reads = ["BatchGet", "Describe", "Get", "List", "View"].iter().any(|it| call.action.starts_with(it));
        assert!(reads, "{call:?}");
    }

    // One read that is denied is a line; the rest is there.
    let narrower = policy.replace("\"cloudwatch:DescribeAlarms\",", "").replace("\"ecr:DescribeRepositories\",", "");
    assert_ne!(narrower, policy);
    let output = preview(&aws, &person(&aws, "narrow", &narrower)?, &["--at", NOW])?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    for expected in [
        "PROBLEM  alarms could not be read: DescribeAlarms all: AccessDenied",
        "PROBLEM  repositories could not be read: DescribeRepositories all: AccessDenied",
        "api: deploying v1.1.0",
        "customers: nightshift:backup",
    ] {
        assert!(text.contains(expected), "'{expected}' is not in\n{text}");
    }
    Ok(())
}
