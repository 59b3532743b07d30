//! An image that waits for a person and for a migration, with IAM in force.

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

use crate::deploy_image::{CLUSTER, FUNCTION, run, tag, truegul_with, wait_for, wait_for_message, wait_for_tag};

const FAMILY: &str = "truegul-production-migrate";
const RULE: &str = "semver range=1.x approval=manual migrate=truegul-production-migrate";

/// TrueGul, whose API server has a migration and a person before every image.
fn shop() -> Result<LocalAws> {
    shop_with(RULE)
}

fn shop_with(rule: &str) -> Result<LocalAws> {
    let aws = LocalAws::start(Options::default())?;
    truegul_with(&aws, rule)?;
    let image = aws.image_uri("truegul-api-server", ":v1.0.0");
    let containers = json!([{"name": "migrate", "image": image, "command": ["migrate"], "essential": true}]);
    aws.ecs("RegisterTaskDefinition", json!({"family": FAMILY, "containerDefinitions": containers}))?;
    aws.forget_calls()?;
    Ok(aws)
}

fn approve(version: &str) -> Value {
    json!({"approve": {"service": "truegul-production/api-server", "image": version}})
}

fn count(aws: &LocalAws, action: &str) -> Result<usize> {
    let calls = aws.calls()?.into_iter().filter(|it| it.function.as_deref() == Some(FUNCTION));
    Ok(calls.filter(|it| it.action == action).count())
}

#[test]
fn an_approved_image_is_migrated_once_and_then_goes_out() -> Result<()> {
    let aws = shop()?;
    let digest = aws.push_image("truegul-api-server", "v1.1.0", "api-server 1.1.0")?;
    wait_for_message(&aws, "[Nightshift] truegul-production/api-server: v1.1.0 waits for your approval (runs v1.0.0)")?;
    let report = run(&aws, &approve("v1.1.0"))?;
    let actions: Vec<&Value> = report["actions"].as_array().unwrap().iter().map(|it| &it["action"]).collect();
    assert_eq!(actions, ["approve", "migrate"], "{report}");
    // The same answer again, and the sweep: the task runs, and there is nothing to do.
    for payload in [approve("v1.1.0"), json!({})] {
        let report = run(&aws, &payload)?;
        assert_eq!(report["actions"], json!([]), "{report}");
    }
    assert_eq!(aws.end_tasks(FAMILY, 0)?, 1);
    wait_for(&aws, "api-server", &digest)?;
    assert!(wait_for_tag(&aws, "api-server", "nightshift-state:migrated")?.starts_with("ns-"));
    wait_for_tag(&aws, "api-server", "nightshift-state:verdict")?;
    assert_eq!((count(&aws, "RunTask")?, count(&aws, "UpdateService")?), (1, 1));
    let refused: Vec<_> = aws.calls()?.into_iter().filter(|it| it.function.is_some() && it.status >= 400).collect();
    assert!(refused.is_empty(), "{refused:?}");
    Ok(())
}

#[test]
fn a_migration_that_fails_rejects_the_image_and_a_lost_event_is_found_by_the_sweep() -> Result<()> {
    let aws = shop()?;
    aws.push_image("truegul-api-server", "v1.1.0", "api-server 1.1.0")?;
    wait_for_message(&aws, "[Nightshift] truegul-production/api-server: v1.1.0 waits for your approval (runs v1.0.0)")?;
    run(&aws, &approve("v1.1.0"))?;
    assert_eq!(aws.end_tasks(FAMILY, 3)?, 1);
    let body = wait_for_message(&aws, "[Nightshift] truegul-production/api-server: v1.1.0 is rejected, v1.0.0 stays")?;
    assert!(body.contains("container migrate exited with 3"), "{body}");
    assert!(tag(&aws, "api-server", "nightshift-state:rejected")?.is_some_and(|it| it.contains("by=migration")));
    assert!(aws.images(CLUSTER, "api-server")?[0].ends_with(":v1.0.0"));
    // A newer one is asked about again; its migration ends while nobody listens.
    let digest = aws.push_image("truegul-api-server", "v1.1.1", "api-server 1.1.1")?;
    aws.wait_until("the newer image to be asked about", || {
        let asked =
            aws.messages()?.iter().any(|it| it.body.contains("v1.1.1") && it.body.contains("waits for your approval"));
        Ok(asked.then_some(()))
    })?;
    run(&aws, &approve("v1.1.1"))?;
    aws.end_tasks(FAMILY, 0)?;
    run(&aws, &json!({}))?;
    wait_for(&aws, "api-server", &digest)?;
    assert_eq!(count(&aws, "RunTask")?, 2);
    Ok(())
}

#[test]
fn a_migration_that_does_not_start_is_tried_again_and_one_that_ended_well_never() -> Result<()> {
    let aws = shop_with("semver range=1.x migrate=truegul-production-migrate")?;
    // Here tasks end within the second in which they were refused, and tokens are told apart by seconds.
    aws.set_clock(FUNCTION, "2026-11-20T20:00:00+09:00")?;
    let sweep_until = |what: &str, running: usize| {
        aws.wait_until(what, || {
            aws.invoke(FUNCTION, &json!({}))?;
            let tasks =
                aws.ecs("ListTasks", json!({"cluster": CLUSTER, "family": FAMILY, "desiredStatus": "RUNNING"}))?;
            Ok((tasks["taskArns"].as_array().map_or(0, Vec::len) == running).then_some(()))
        })
    };
    // RunTask answers 200 and starts nothing, and would answer the same token so again.
    aws.tasks_fail_to_start(&["RESOURCE:ENI"])?;
    let digest = aws.push_image("truegul-api-server", "v1.1.0", "api-server 1.1.0")?;
    aws.wait_until("RunTask to be refused", || Ok((count(&aws, "RunTask")? == 1).then_some(())))?;
    sweep_until("the migration to be tried again", 1)?;
    let reason = "Timeout waiting for network interface provisioning to complete.";
    assert_eq!(aws.end_tasks_before_they_begin(FAMILY, reason)?, 1);
    sweep_until("the migration to be tried once more", 1)?;
    assert_eq!(tag(&aws, "api-server", "nightshift-state:rejected")?, None);
    assert!(aws.images(CLUSTER, "api-server")?[0].ends_with(":v1.0.0"));
    assert_eq!(aws.end_tasks(FAMILY, 0)?, 1);
    wait_for(&aws, "api-server", &digest)?;
    wait_for_tag(&aws, "api-server", "nightshift-state:migrated")?;
    wait_for_tag(&aws, "api-server", "nightshift-state:verdict")?;
    // An hour later ECS knows neither the task nor the token.
    let tried = count(&aws, "RunTask")?;
    aws.forget_tasks(FAMILY)?;
    run(&aws, &json!({}))?;
    assert_eq!(count(&aws, "RunTask")?, tried);
    assert_eq!(tag(&aws, "api-server", "nightshift-state:rejected")?, None);
    Ok(())
}

#[test]
fn an_image_whose_tasks_could_not_start_is_held_until_what_they_need_is_there() -> Result<()> {
    let aws = LocalAws::start(Options::default())?;
    truegul_with(&aws, "semver range=1.x")?;
    let secret =
        aws.secrets("CreateSecret", json!({"Name": "shop/db", "SecretString": "not-a-secret"}))?["ARN"].clone();
    aws.secrets("DeleteSecret", json!({"SecretId": secret}))?;
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]})
    .to_string();
    let create_role = || aws.iam("CreateRole", &[("RoleName", "execution"), ("AssumeRolePolicyDocument", &trust)]);
    create_role()?;
    let definition = aws.ecs(
        "RegisterTaskDefinition",
        json!({
            "family": "api-server", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "512", "memory": "1024",
            "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
            "containerDefinitions": [{
                "name": "api-server", "image": aws.image_uri("truegul-api-server", ":v1.0.0"), "essential": true,
                "secrets": [{"name": "DB", "valueFrom": secret}, {"name": "KEY", "valueFrom": "/shop/key"}],
                "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/api-server"}},
            }],
        }),
    )?["taskDefinition"]["taskDefinitionArn"]
        .clone();
    aws.ecs("UpdateService", json!({"cluster": CLUSTER, "service": "api-server", "taskDefinition": definition}))?;
    aws.wait_until("the service to be steady", || {
        let service = aws.service(CLUSTER, "api-server")?;
        let done = service["taskDefinition"] == definition && service["deployments"][0]["rolloutState"] == "COMPLETED";
        Ok(done.then_some(()))
    })?;
    aws.iam("DeleteRole", &[("RoleName", "execution")])?;
    aws.forget_calls()?;
    let digest = aws.push_image("truegul-api-server", "v1.1.0", "api-server 1.1.0")?;
    let held = |report: &Value| report["problems"][0]["message"].as_str().unwrap_or_default().to_owned();
    let said = held(&run(&aws, &json!({"dry_run": true}))?);
    for missing in
        ["the role execution", "is scheduled for deletion", "the parameter /shop/key", "the log group /ecs/api-server"]
    {
        assert!(said.contains(missing), "{missing}: {said}");
    }
    assert!(aws.images(CLUSTER, "api-server")?[0].ends_with(":v1.0.0"));
    create_role()?;
    aws.secrets("RestoreSecret", json!({"SecretId": secret}))?;
    aws.logs("CreateLogGroup", json!({"logGroupName": "/ecs/api-server"}))?;
    let said = held(&run(&aws, &json!({}))?);
    assert!(said.contains("the parameter /shop/key") && !said.contains(';'), "{said}");
    aws.ssm("PutParameter", json!({"Name": "/shop/key", "Value": "x", "Type": "String"}))?;
    run(&aws, &json!({}))?;
    wait_for(&aws, "api-server", &digest)?;
    let refused: Vec<_> = aws.calls()?.into_iter().filter(|it| it.function.is_some() && it.status == 403).collect();
    assert!(refused.is_empty(), "{refused:?}");
    Ok(())
}
