//! What a run creates, and how it is taken away again.
//!
//! Every name is fixed, so a run that was killed can be cleaned up by another one, and a run can see that nothing is left.

use std::process::Command;

use nightshift_tests::sources::root;
use serde_json::{Value, json};

use crate::aws::{Aws, Fault, Result, text};

/// The name of everything.
pub const NAME: &str = "nightshift-verify";

/// Runs without any registry of the account.
const IMAGE: &str = "public.ecr.aws/docker/library/busybox:stable";

pub struct Resource {
    pub name: &'static str,
    /// What it is, and what it costs, for people.
    pub what: &'static str,
    pub make: fn(&Aws) -> Result<()>,
    /// Answers whether it is gone. Is called until it is, and may fail meanwhile.
    pub take_away: fn(&Aws) -> Result<bool>,
}

/// In the order in which they are made. They are taken away from the last to the first.
pub const RESOURCES: [Resource; 7] = [
    Resource {
        name: "stack",
        what: "the stack nightshift-verify from template.yaml, without its budget: its metrics and alarms, under 0.10 USD an hour",
        make: make_stack,
        take_away: take_away_stack,
    },
    Resource {
        name: "repository",
        what: "an empty ECR repository: free",
        make: make_repository,
        take_away: take_away_repository,
    },
    Resource {
        name: "alarm",
        what: "a CloudWatch alarm: 0.10 USD a month",
        make: make_alarm,
        take_away: take_away_alarm,
    },
    Resource {
        name: "budget",
        what: "a budget of 1,000,000 USD that is never reached: free for the first two of an account",
        make: make_budget,
        take_away: take_away_budget,
    },
    Resource {
        name: "snapshots",
        what: "a snapshot of the database below, for some minutes: under 0.01 USD",
        // The stop of the database takes it.
        make: |_| Ok(()),
        take_away: take_away_snapshots,
    },
    Resource {
        name: "database",
        what: "an RDS instance db.t4g.micro for PostgreSQL with 20 GB, not public: about 0.02 USD an hour",
        make: make_database,
        take_away: take_away_database,
    },
    Resource {
        name: "service",
        what: "an ECS cluster with one Fargate task of 0.25 vCPU in the default VPC, and its scaling target: about 0.02 USD an hour",
        make: make_service,
        take_away: take_away_service,
    },
];

// -------------------------------------------------------------------------------- stack

/// On this machine it is there already.
fn make_stack(aws: &Aws) -> Result<()> {
    if aws.is_local() {
        return Ok(());
    }
    sam(&["build"])?;
    let stack = ["--stack-name", aws.stack(), "--region", &aws.region];
    let quietly = ["--no-confirm-changeset", "--no-fail-on-empty-changeset"];
    sam(&[["deploy"].as_slice(), &stack, &quietly, &["--parameter-overrides", "BudgetAmount=0"]].concat())
}

fn take_away_stack(aws: &Aws) -> Result<bool> {
    if !aws.is_local() {
        sam(&["delete", "--no-prompts", "--stack-name", aws.stack(), "--region", &aws.region])?;
    }
    Ok(true)
}

fn sam(arguments: &[&str]) -> Result<()> {
    let status = Command::new("sam").args(arguments).current_dir(root()).status();
    let status = status.map_err(|err| Fault::new(format!("the SAM CLI cannot be run: {err}")))?;
    if status.success() { Ok(()) } else { Err(Fault::new(format!("sam {} failed", arguments[0]))) }
}

// -------------------------------------------------------------------------------- repository, alarm, budget

fn make_repository(aws: &Aws) -> Result<()> {
    let tags = json!([{"Key": "nightshift:keep-images", "Value": "count=10"}]);
    aws.call("ecr", "create_repository", json!({"repositoryName": NAME, "tags": tags})).map(drop)
}

fn take_away_repository(aws: &Aws) -> Result<bool> {
    aws.call("ecr", "delete_repository", json!({"repositoryName": NAME, "force": true})).map(|_| true)
}

fn make_alarm(aws: &Aws) -> Result<()> {
    let alarm = json!({
        "AlarmName": NAME, "AlarmDescription": "Tries what Nightshift believes about AWS.",
        "Namespace": NAME, "MetricName": "nothing", "Statistic": "Maximum", "Period": 60, "EvaluationPeriods": 1,
        "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "ignore",
        "Tags": [{"Key": "nightshift:remedy", "Value": "notify"}],
    });
    aws.call("cloudwatch", "put_metric_alarm", alarm).map(drop)
}

/// Deleting an alarm that does not exist is not an error of CloudWatch's.
fn take_away_alarm(aws: &Aws) -> Result<bool> {
    aws.call("cloudwatch", "delete_alarms", json!({"AlarmNames": [NAME]})).map(|_| true)
}

fn make_budget(aws: &Aws) -> Result<()> {
    let budget = json!({
        "AccountId": aws.account,
        "Budget": {"BudgetName": NAME, "BudgetType": "COST", "TimeUnit": "MONTHLY",
                   "BudgetLimit": {"Amount": "1000000", "Unit": "USD"}},
        "ResourceTags": [{"Key": "nightshift:budget", "Value": "enforce"}],
    });
    aws.call("budgets", "create_budget", budget).map(drop)
}

fn take_away_budget(aws: &Aws) -> Result<bool> {
    aws.call("budgets", "delete_budget", json!({"AccountId": aws.account, "BudgetName": NAME})).map(|_| true)
}

// -------------------------------------------------------------------------------- database

fn make_database(aws: &Aws) -> Result<()> {
    let database = json!({
        "DBInstanceIdentifier": NAME, "DBInstanceClass": "db.t4g.micro", "Engine": "postgres", "AllocatedStorage": 20,
        "MasterUsername": "verify", "MasterUserPassword": password(), "PubliclyAccessible": false,
        "BackupRetentionPeriod": 0, "StorageEncrypted": true,
        "Tags": [{"Key": "nightshift:backup", "Value": "days=1"}],
    });
    aws.call("rds", "create_db_instance", database).map(drop)
}

/// Nobody ever logs in; it only must not be known. The addresses of a process are random.
fn password() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}{:016x}", RandomState::new().hash_one(1), RandomState::new().hash_one(2))
}

pub fn database_status(aws: &Aws) -> Result<String> {
    let answer = aws.call("rds", "describe_db_instances", json!({"DBInstanceIdentifier": NAME}))?;
    Ok(text(&answer["DBInstances"][0]["DBInstanceStatus"]).unwrap_or_default())
}

/// Gone when RDS does not know it any more: deleting is refused until it is stopped, and takes minutes.
fn take_away_database(aws: &Aws) -> Result<bool> {
    let delete = json!({"DBInstanceIdentifier": NAME, "SkipFinalSnapshot": true, "DeleteAutomatedBackups": true});
    aws.call("rds", "delete_db_instance", delete).map(|_| false)
}

pub fn snapshots(aws: &Aws) -> Result<Vec<String>> {
    let ours = json!({"DBInstanceIdentifier": NAME, "SnapshotType": "manual"});
    let answer = aws.call("rds", "describe_db_snapshots", ours)?;
    let all = answer["DBSnapshots"].as_array().into_iter().flatten();
    Ok(all.filter_map(|it| text(&it["DBSnapshotIdentifier"])).filter(|it| it.contains(NAME)).collect())
}

fn take_away_snapshots(aws: &Aws) -> Result<bool> {
    let left = snapshots(aws)?;
    for snapshot in &left {
        aws.call("rds", "delete_db_snapshot", json!({"DBSnapshotIdentifier": snapshot}))?;
    }
    Ok(left.is_empty())
}

// -------------------------------------------------------------------------------- service

pub fn register_task_definition(aws: &Aws) -> Result<Value> {
    let definition = json!({
        "family": NAME, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": [{"name": "sleep", "image": IMAGE, "command": ["sleep", "86400"], "essential": true}],
    });
    Ok(aws.call("ecs", "register_task_definition", definition)?["taskDefinition"].clone())
}

fn make_service(aws: &Aws) -> Result<()> {
    let filter = json!({"Filters": [{"Name": "default-for-az", "Values": ["true"]}]});
    let subnets = aws.call("ec2", "describe_subnets", filter)?;
    let subnets: Vec<_> =
        subnets["Subnets"].as_array().into_iter().flatten().filter_map(|it| text(&it["SubnetId"])).take(1).collect();
    if subnets.is_empty() {
        return Err(Fault::new("the region has no default VPC"));
    }
    aws.call("ecs", "create_cluster", json!({"clusterName": NAME}))?;
    let definition = register_task_definition(aws)?["taskDefinitionArn"].clone();
    let service = json!({
        "cluster": NAME, "serviceName": NAME, "taskDefinition": definition, "desiredCount": 1, "launchType": "FARGATE",
        // Without a public address it could not pull the image.
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}},
        "tags": [{"key": "nightshift:deploy", "value": "newest"}],
    });
    aws.call("ecs", "create_service", service)?;
    let target = json!({
        "ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount",
        "ResourceId": format!("service/{NAME}/{NAME}"), "MinCapacity": 1, "MaxCapacity": 2,
    });
    aws.call("application-autoscaling", "register_scalable_target", target)?;
    aws.wait_until("the service to be steady", || Ok((service_is_steady(aws)?).then_some(())))
}

pub fn service(aws: &Aws) -> Result<Value> {
    let answer = aws.call("ecs", "describe_services", json!({"cluster": NAME, "services": [NAME]}))?;
    Ok(answer["services"][0].clone())
}

pub fn service_is_steady(aws: &Aws) -> Result<bool> {
    let service = service(aws)?;
    let deployments = service["deployments"].as_array().map_or(0, Vec::len);
    Ok(deployments == 1 && service["deployments"][0]["rolloutState"] == "COMPLETED")
}

fn take_away_service(aws: &Aws) -> Result<bool> {
    let gone = |it: Result<Value>| match it {
        Err(fault) if fault.is_gone() => Ok(()),
        other => other.map(drop),
    };
    let target = json!({"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount",
                        "ResourceId": format!("service/{NAME}/{NAME}")});
    gone(aws.call("application-autoscaling", "deregister_scalable_target", target))?;
    gone(aws.call("ecs", "delete_service", json!({"cluster": NAME, "service": NAME, "force": true})))?;
    let revisions = aws.call("ecs", "list_task_definitions", json!({"familyPrefix": NAME}))?;
    for revision in revisions["taskDefinitionArns"].as_array().into_iter().flatten() {
        gone(aws.call("ecs", "deregister_task_definition", json!({"taskDefinition": revision})))?;
    }
    gone(aws.call("ecs", "delete_cluster", json!({"cluster": NAME})))?;
    Ok(true)
}
