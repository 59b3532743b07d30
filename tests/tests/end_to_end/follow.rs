//! Nightly jobs that run what a service has proven: through the real functions, with IAM in force.

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

use crate::deploy_image::{CLUSTER, FUNCTION, run, tag, truegul_with, wait_for, wait_for_tag};
use crate::scale_staging;

const ROLE: &str = "arn:aws:iam::123456789012:role/schedules-nightly";
const GROUP: &str = "arn:aws:scheduler:ap-northeast-2:123456789012:schedule-group/jobs";
const VERDICT: &str = "nightshift-state:verdict";

/// A schedule as a person made it, which runs this task definition.
fn schedule(task_definition: &str, role: &str) -> Value {
    json!({
        "GroupName": "jobs", "Description": "Sums up the day", "State": "ENABLED", "ScheduleExpression": "cron(30 2 * * ? *)",
        "ScheduleExpressionTimezone": "Asia/Seoul", "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        "Target": {
            "Arn": format!("arn:aws:ecs:ap-northeast-2:123456789012:cluster/{CLUSTER}"), "RoleArn": role,
            "Input": "{\"containerOverrides\":[{\"name\":\"api-server\",\"command\":[\"sum-up\"]}]}",
            "RetryPolicy": {"MaximumRetryAttempts": 2},
            "EcsParameters": {"TaskDefinitionArn": task_definition, "TaskCount": 1, "LaunchType": "FARGATE"},
        },
    })
}

/// The service, whose group of schedules follows it: one job, and one whose role nobody named.
fn shop() -> Result<LocalAws> {
    let parameters = [("TimeZone", "Asia/Seoul"), ("ScheduleRoles", ROLE)];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let aws = LocalAws::start(Options { parameters, ..Options::default() })?;
    truegul_with(&aws, "semver range=1.x")?;
    let follow = json!([{"Key": "nightshift:deploy", "Value": format!("follow={CLUSTER}/api-server")}]);
    aws.scheduler("POST", "/schedule-groups/jobs", json!({"Tags": follow}))?;
    let first = in_use(&aws)?;
    aws.scheduler("POST", "/schedules/nightly", schedule(&first, ROLE))?;
    aws.scheduler("POST", "/schedules/foreign", schedule(&first, "arn:aws:iam::123456789012:role/foreign"))?;
    aws.forget_calls()?;
    Ok(aws)
}

fn in_use(aws: &LocalAws) -> Result<String> {
    Ok(aws.service(CLUSTER, "api-server")?["taskDefinition"].as_str().unwrap_or_default().to_owned())
}

/// A schedule as it is, without what AWS adds.
fn read(aws: &LocalAws, name: &str) -> Result<Value> {
    let mut schedule = aws.scheduler("GET", &format!("/schedules/{name}?groupName=jobs"), Value::Null)?;
    let fields = schedule.as_object_mut().unwrap();
    let of_aws = ["Arn", "Name", "CreationDate", "LastModificationDate", "ActionAfterCompletion"];
    fields.retain(|name, _| !of_aws.contains(&name.as_str()));
    Ok(schedule)
}

fn runs(aws: &LocalAws, name: &str) -> Result<String> {
    Ok(read(aws, name)?["Target"]["EcsParameters"]["TaskDefinitionArn"].as_str().unwrap_or_default().to_owned())
}

/// Waits until the nightly job runs what the service runs.
fn followed(aws: &LocalAws) -> Result<String> {
    aws.wait_until("the schedule to follow", || {
        let runs = runs(aws, "nightly")?;
        Ok((runs == in_use(aws)?).then_some(runs))
    })
}

fn updates(aws: &LocalAws) -> Result<usize> {
    Ok(aws.calls()?.iter().filter(|it| it.function.is_some() && it.action == "UpdateSchedule").count())
}

fn deploy(aws: &LocalAws, version: &str) -> Result<String> {
    let digest = aws.push_image("truegul-api-server", version, &format!("api-server {version}"))?;
    wait_for(aws, "api-server", &digest)?;
    aws.wait_until("its verdict", || Ok(tag(aws, "api-server", VERDICT)?.filter(|it| it.contains(&digest))))?;
    Ok(digest)
}

#[test]
fn a_job_runs_what_its_service_has_proven_by_day_and_by_night() -> Result<()> {
    let aws = shop()?;
    let first = in_use(&aws)?;
    deploy(&aws, "v1.1.0")?;
    let second = followed(&aws)?;
    assert_ne!(first, second);
    // Nothing else of it has changed; what runs with a role that nobody named is told and left alone.
    assert_eq!(read(&aws, "nightly")?, schedule(&second, ROLE));
    assert_eq!(read(&aws, "foreign")?, schedule(&first, "arn:aws:iam::123456789012:role/foreign"));
    let tags = aws.scheduler("GET", &format!("/tags/{GROUP}"), Value::Null)?;
    let report = run(&aws, &json!({}))?;
    assert!(report["problems"].to_string().contains("follow-role"), "{report}\n{tags}");
    let before = updates(&aws)?;
    run(&aws, &json!({}))?;
    assert_eq!(updates(&aws)?, before, "once it follows there is nothing to do");
    // Terraform writes the revision of its code back, with another expression.
    let mut terraform = schedule(&first, ROLE);
    terraform["ScheduleExpression"] = json!("cron(45 2 * * ? *)");
    aws.scheduler("PUT", "/schedules/nightly", terraform.clone())?;
    run(&aws, &json!({}))?;
    terraform["Target"]["EcsParameters"]["TaskDefinitionArn"] = json!(second);
    assert_eq!(read(&aws, "nightly")?, terraform);
    // At night scale-staging disables the schedules of the group, which also carries its tag.
    let hours = json!({"Tags": [{"Key": "nightshift:schedule", "Value": "mon-fri 08:00-20:00"}]});
    aws.scheduler("POST", &format!("/tags/{GROUP}"), hours)?;
    scale_staging::run(&aws, "2026-11-20T21:00:00+09:00", json!({}))?;
    assert_eq!(read(&aws, "nightly")?["State"], "DISABLED");
    deploy(&aws, "v1.2.0")?;
    let third = followed(&aws)?;
    assert_eq!(read(&aws, "nightly")?["State"], "DISABLED", "a new revision wakes no job");
    scale_staging::run(&aws, "2026-11-23T09:00:00+09:00", json!({}))?;
    terraform["Target"]["EcsParameters"]["TaskDefinitionArn"] = json!(third);
    assert_eq!(read(&aws, "nightly")?, terraform, "enabled, with the revision of the night");
    // The service goes back, and its job with it.
    run(&aws, &json!({"rollback": {"service": format!("{CLUSTER}/api-server")}}))?;
    aws.wait_until("the job to go back", || Ok((runs(&aws, "nightly")? == second).then_some(())))?;
    assert_eq!(in_use(&aws)?, second);
    wait_for_tag(&aws, "api-server", "nightshift-state:rejected")?;
    let of_functions = aws.calls()?.into_iter().filter(|it| it.function.is_some());
    // scale-staging leaves it to IAM which roles it may hand on, and is refused that of the foreign job.
    let of_job = |it: &str| it == scale_staging::FUNCTION;
    let refused: Vec<_> = of_functions.filter(|it| it.status >= 400).collect();
    let expected = |it: &testkit::Call| it.action == "UpdateSchedule" && it.function.as_deref().is_some_and(of_job);
    assert!(refused.iter().all(expected), "{refused:?}");
    let writers = aws.calls()?.into_iter().filter(|it| it.action == "UpdateSchedule").filter_map(|it| it.function);
    assert!(writers.clone().any(|it| it == FUNCTION) && writers.clone().any(|it| it == scale_staging::FUNCTION));
    Ok(())
}
