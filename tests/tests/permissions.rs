//! What each role may do and what not: calls, allowed and refused, judged by the template's own policies; and its
//! statements beside AWS's service authorization reference.
//!
//! Whoever grants something adds the call that needs it to `calls_of`: a grant that no call needs fails a test, and so
//! does a call that no grant lets through. What must be refused follows from each call by itself.

use std::collections::BTreeSet;
use std::fmt;

use nightshift_tests::calls::pascal_case;
use nightshift_tests::iam::{Policy, Request, Statement, overlaps};
use nightshift_tests::sources::{folders, read};
use nightshift_tests::stack::Stack;
use nightshift_tests::template::list;
use serde_json::Value;

/// Parameters on which grants depend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    Plain,
    /// Copies go to two regions, one of them with a key of another account.
    Copies,
    /// Only some roles may be handed to tasks.
    Roles,
    /// A bucket is copied to another one.
    Buckets,
    /// The same, and copies are compared.
    BucketDrills,
    /// Schedules with one role may be changed.
    Schedules,
}

const VARIANTS: [Variant; 6] =
    [Variant::Plain, Variant::Copies, Variant::Roles, Variant::Buckets, Variant::BucketDrills, Variant::Schedules];

const BUCKETS: [(&str, &str); 2] = [
    ("BackupBuckets", "arn:aws:s3:::kfood-uploads,arn:aws:s3:::kfood-logs"),
    ("BackupTargets", "arn:aws:s3:::kfood-backups,arn:aws:s3:::kfood-archive"),
];

impl Variant {
    fn stack(self) -> Stack {
        match self {
            Variant::Plain => Stack::with(&[]),
            Variant::Copies => {
                Stack::with(&[("CopyRegions", "us-west-2=arn:aws:kms:us-west-2:210987654321:key/there eu-west-1")])
            }
            Variant::Buckets => Stack::with(&BUCKETS),
            Variant::BucketDrills => Stack::with(&[BUCKETS[0], BUCKETS[1], ("DrillBuckets", "true")]),
            Variant::Schedules => Stack::with(&[("ScheduleRoles", "arn:aws:iam::123456789012:role/schedules-nightly")]),
            Variant::Roles => Stack::with(&[("TaskRoleArns", "arn:aws:iam::123456789012:role/tasks-*")]),
        }
    }

    fn policy(self, function: &str) -> Policy {
        Policy::of_role(&self.stack(), &format!("{}Role", pascal_case(function)))
    }
}

// -------------------------------------------------------------------------------- calls

/// A request that a function makes, and how it is held back.
#[derive(Clone)]
struct Call {
    request: Request,
    /// The tag that the resource has to carry.
    tag: Option<&'static str>,
    /// Tag keys are part of the request; only those of this kind.
    keys: Option<&'static str>,
    /// Condition keys that have to have this value.
    context: Vec<(&'static str, &'static str)>,
    /// Also in the regions of copies.
    elsewhere: bool,
    /// Only with these parameters.
    only: Option<Variant>,
}

/// A request on a resource here: `service` and what comes after the account in its ARN, or `*`.
fn call(action: &str, resource: &str) -> Call {
    Call {
        request: Request::new(action, &arn(action, resource)),
        tag: None,
        keys: None,
        context: Vec::new(),
        elsewhere: false,
        only: None,
    }
}

fn calls<const N: usize>(actions: [&str; N], resource: &str) -> Vec<Call> {
    actions.map(|it| call(it, resource)).to_vec()
}

/// An ARN of this account and region, for the service of the action. Budgets and roles are in no region.
fn arn(action: &str, resource: &str) -> String {
    if resource == "*" || resource.starts_with("arn:") {
        return resource.to_owned();
    }
    let service = action.split(':').next().expect("an action has a service");
    let region = if ["budgets", "iam"].contains(&service) { "" } else { "ap-northeast-2" };
    format!("arn:aws:{service}:{region}:123456789012:{resource}")
}

const MEMORY: &str = "nightshift-state:memory";

impl Call {
    fn tagged(mut self, tag: &'static str) -> Self {
        self.tag = Some(tag);
        self
    }

    fn remembers(mut self) -> Self {
        self.keys = Some(MEMORY);
        self
    }

    fn with(mut self, key: &'static str, value: &'static str) -> Self {
        self.context.push((key, value));
        self
    }

    fn elsewhere(mut self) -> Self {
        self.elsewhere = true;
        self
    }

    fn only(mut self, variant: Variant) -> Self {
        self.only = Some(variant);
        self
    }

    /// The request as the function makes it.
    fn granted(&self) -> Request {
        let request = self.tag.iter().fold(self.request.clone(), |it, tag| it.with(&tag_key(tag), "anything"));
        let request = self.keys.iter().fold(request, |it, key| it.with("aws:TagKeys", key));
        self.context.iter().fold(request, |it, (key, value)| it.with(key, value))
    }

    /// The same request with one thing wrong, each with what that is.
    fn wrong(&self) -> Vec<(String, Request)> {
        let mut wrong = Vec::new();
        let granted = self.granted();
        // The ARN of a bucket names no account, and no other bucket can have the same one.
        if granted.resource != "*" && !granted.resource.starts_with("arn:aws:s3:::") {
            let mut other = granted.clone();
            other.resource = match granted.resource.contains(":123456789012:") {
                true => granted.resource.replace(":123456789012:", ":111111111111:"),
                false => granted.resource.replace(":210987654321:", ":111111111111:"),
            };
            wrong.push(("of another account".to_owned(), other));
            if granted.resource.contains(":ap-northeast-2:") && !self.elsewhere {
                let mut other = granted.clone();
                other.resource = granted.resource.replace(":ap-northeast-2:", ":us-west-2:");
                wrong.push(("of another region".to_owned(), other));
            }
        }
        if let Some(tag) = self.tag {
            let mut untagged = granted.clone();
            untagged.context.remove(&tag_key(tag));
            wrong.push((format!("without the tag {tag}"), untagged.clone()));
            wrong.push(("with a tag of another name".to_owned(), untagged.with(&tag_key("nightshift:other"), "x")));
        }
        if let Some(key) = self.keys {
            let mut none = granted.clone();
            none.context.remove("aws:TagKeys");
            wrong.push(("with no tag key".to_owned(), none.clone()));
            wrong.push(("with a tag key of people".to_owned(), none.clone().with("aws:TagKeys", "nightshift:deploy")));
            wrong.push(("with a tag key of others".to_owned(), none.with("aws:TagKeys", "Owner")));
            wrong.push((format!("with {key} and a key of people"), granted.clone().with("aws:TagKeys", "Name")));
        }
        for (key, _) in &self.context {
            let mut without = granted.clone();
            without.context.remove(*key);
            wrong.push((format!("without {key}"), without.clone()));
            wrong.push((format!("with another {key}"), without.with(key, "other")));
        }
        wrong
    }
}

fn tag_key(tag: &str) -> String {
    format!("aws:ResourceTag/{tag}")
}

/// What Lambda and the runtime need for every function.
fn calls_of_all(function: &str) -> Vec<Call> {
    let log = format!("log-group:/aws/lambda/nightshift-{function}:log-stream:2026/11/28/[$LATEST]1");
    [
        calls(["logs:CreateLogStream", "logs:PutLogEvents"], &log),
        vec![call("sns:Publish", "nightshift-Topic"), call("sqs:SendMessage", "nightshift-FailureQueue")],
    ]
    .concat()
}

const SERVICE: &str = "service/truegul-production/api-server";
const OWN_SNAPSHOT: &str = "snapshot:nightshift-kfood-db-2026-11-28";
const OWN_CLUSTER_SNAPSHOT: &str = "cluster-snapshot:nightshift-shop-2026-11-28";

/// Each request that the code of a function leads to.
fn calls_of(function: &str) -> Vec<Call> {
    let all = |it: Vec<Call>, change: fn(Call) -> Call| it.into_iter().map(change).collect::<Vec<_>>();
    let own = match function {
        "deploy-image" => vec![
            calls(["tag:GetResources", "tag:GetTagKeys", "ecs:DescribeTaskDefinition", "ecs:ListTasks"], "*"),
            calls(["elasticloadbalancing:DescribeTargetHealth"], "*"),
            calls(["ecs:DescribeServices", "ecs:ListServiceDeployments", "ecs:DescribeServiceRevisions"], SERVICE),
            calls(["ecs:DescribeServiceRevisions"], "service-revision/truegul-production/api-server/1"),
            calls(["ecs:DescribeServiceDeployments"], SERVICE),
            calls(
                ["ecs:DescribeServiceDeployments", "ecs:ContinueServiceDeployment", "ecs:StopServiceDeployment"],
                "service-deployment/truegul-production/api-server/1",
            ),
            calls(
                ["ecr:BatchGetImage", "ecr:DescribeImages", "ecr:DescribeImageScanFindings", "ecr:GetLifecyclePolicy"],
                "repository/truegul-api-server",
            ),
            calls(["inspector2:ListCoverage", "inspector2:ListFindings"], "*"),
            calls(["ecs:RegisterTaskDefinition", "ecs:RunTask"], "task-definition/api-server:42"),
            calls(
                [
                    "rds:DescribeDBClusterSnapshots",
                    "rds:DescribeDBClusters",
                    "rds:DescribeDBInstances",
                    "rds:DescribeDBSnapshots",
                ],
                "*",
            ),
            calls(["lambda:InvokeFunction"], "function:nightshift-snapshot-databases"),
            calls(["ecs:DescribeTasks"], "task/truegul-production/0123456789abcdef"),
            vec![
                call("ecs:TagResource", "task-definition/api-server:42")
                    .with("ecs:CreateAction", "RegisterTaskDefinition"),
                call("iam:PassRole", "role/tasks-api-server").with("iam:PassedToService", "ecs-tasks.amazonaws.com"),
                call("iam:PassRole", "role/anything")
                    .with("iam:PassedToService", "ecs-tasks.amazonaws.com")
                    .only(Variant::Plain),
                call("ecs:UpdateService", SERVICE).tagged("nightshift:deploy"),
                call("ecs:ContinueServiceDeployment", SERVICE).tagged("nightshift:deploy"),
                call("ecs:StopServiceDeployment", SERVICE).tagged("nightshift:deploy"),
                call("ecs:TagResource", SERVICE).tagged("nightshift:deploy").remembers(),
                call("ecs:UntagResource", SERVICE).tagged("nightshift:deploy").remembers(),
            ],
            calls(["iam:GetRole"], "role/tasks-api-server"),
            calls(["secretsmanager:DescribeSecret"], "secret:api/db-AbCdEf"),
            calls(["logs:DescribeLogGroups", "ssm:DescribeParameters"], "*"),
            vec![
                call("scheduler:TagResource", "schedule-group/jobs").tagged("nightshift:deploy").remembers(),
                call("scheduler:UntagResource", "schedule-group/jobs").tagged("nightshift:deploy").remembers(),
                call("scheduler:ListSchedules", "*").only(Variant::Schedules),
                call("scheduler:GetSchedule", "schedule/jobs/nightly").only(Variant::Schedules),
                call("scheduler:UpdateSchedule", "schedule/jobs/nightly").only(Variant::Schedules),
                call("iam:PassRole", "role/schedules-nightly")
                    .with("iam:PassedToService", "scheduler.amazonaws.com")
                    .only(Variant::Schedules),
            ],
            calls(["codedeploy:ListApplications", "codedeploy:StopDeployment"], "*"),
            calls(
                [
                    "codedeploy:GetApplicationRevision",
                    "codedeploy:ListDeploymentGroups",
                    "codedeploy:RegisterApplicationRevision",
                ],
                "application:shop",
            ),
            calls(
                [
                    "codedeploy:BatchGetDeploymentGroups",
                    "codedeploy:BatchGetDeployments",
                    "codedeploy:CreateDeployment",
                    "codedeploy:ListDeployments",
                ],
                "deploymentgroup:shop/api",
            ),
            calls(["codedeploy:GetDeploymentConfig"], "deploymentconfig:CodeDeployDefault.ECSAllAtOnce"),
        ]
        .concat(),
        "snapshot-databases" => {
            let here = "arn:aws:kms:ap-northeast-2:123456789012:key/here";
            let there = "arn:aws:kms:us-west-2:210987654321:key/there";
            let use_key = [
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ];
            let through_rds = |it: Call| it.with("kms:ViaService", "rds.us-west-2.amazonaws.com").only(Variant::Copies);
            let copies = |it: Call| it.elsewhere().only(Variant::Copies);
            [
                calls(
                    [
                        "rds:DescribeAccountAttributes",
                        "rds:DescribeDBClusterSnapshots",
                        "rds:DescribeDBClusters",
                        "rds:DescribeDBInstances",
                        "rds:DescribeDBSnapshots",
                        "rds:DescribeEvents",
                    ],
                    "*",
                ),
                vec![
                    call("rds:CreateDBSnapshot", "db:kfood-db").tagged("nightshift:backup"),
                    call("rds:CreateDBSnapshot", OWN_SNAPSHOT),
                    call("rds:CreateDBClusterSnapshot", "cluster:shop").tagged("nightshift:backup"),
                    call("rds:CreateDBClusterSnapshot", OWN_CLUSTER_SNAPSHOT),
                    call("rds:AddTagsToResource", OWN_SNAPSHOT).elsewhere(),
                    call("rds:AddTagsToResource", OWN_CLUSTER_SNAPSHOT).elsewhere(),
                    call("rds:RemoveTagsFromResource", OWN_SNAPSHOT).tagged("nightshift-state:made-by").remembers(),
                    call("rds:RemoveTagsFromResource", OWN_CLUSTER_SNAPSHOT)
                        .tagged("nightshift-state:made-by")
                        .remembers(),
                    call("rds:DeleteDBSnapshot", OWN_SNAPSHOT).tagged("nightshift-state:made-by").elsewhere(),
                    call("rds:DeleteDBClusterSnapshot", OWN_CLUSTER_SNAPSHOT)
                        .tagged("nightshift-state:made-by")
                        .elsewhere(),
                    call("rds:AddTagsToResource", "db:kfood-db").tagged("nightshift:backup").remembers(),
                    call("rds:AddTagsToResource", "cluster:shop").tagged("nightshift:backup").remembers(),
                    call("rds:RemoveTagsFromResource", "db:kfood-db").tagged("nightshift:backup").remembers(),
                    call("rds:RemoveTagsFromResource", "cluster:shop").tagged("nightshift:backup").remembers(),
                ],
                all(calls(["rds:CopyDBSnapshot"], OWN_SNAPSHOT), copies),
                all(calls(["rds:CopyDBClusterSnapshot"], OWN_CLUSTER_SNAPSHOT), copies),
                all(calls(use_key, here), through_rds),
                all(calls(use_key, there), through_rds),
                [here, there]
                    .map(|it| through_rds(call("kms:CreateGrant", it)).with("kms:GrantIsForAWSResource", "true"))
                    .to_vec(),
            ]
            .concat()
        }
        "drill-restores" => {
            let drill = |it: Call| it.with("aws:RequestTag/nightshift-state:drill", "of=kfood-db");
            // As for copies: what is allowed through RDS is the same in every region.
            let key = |it: Call| it.with("kms:ViaService", "rds.us-west-2.amazonaws.com");
            let there = "arn:aws:kms:us-west-2:210987654321:key/there";
            let groups = ["og:default:postgres-16", "subgrp:kfood"];
            let of_instance = [&groups[..], &["pg:kfood"]].concat();
            let of_cluster = [&groups[..], &["cluster-pg:shop"]].concat();
            let to_latest = ["rds:RestoreDBInstanceToPointInTime", "rds:RestoreDBClusterToPointInTime"];
            [
                calls(
                    [
                        "ecs:DescribeTaskDefinition",
                        "rds:DescribeDBClusterSnapshots",
                        "rds:DescribeDBClusters",
                        "rds:DescribeDBInstances",
                        "rds:DescribeDBSnapshots",
                    ],
                    "*",
                ),
                vec![
                    drill(call("rds:RestoreDBInstanceFromDBSnapshot", DRILL)).elsewhere(),
                    drill(call("rds:RestoreDBClusterFromSnapshot", CLUSTER_DRILL)).elsewhere(),
                    drill(call(to_latest[0], DRILL)).elsewhere(),
                    drill(call(to_latest[1], CLUSTER_DRILL)).elsewhere(),
                    call(to_latest[0], "db:kfood-db").tagged("nightshift:drill"),
                    call(to_latest[1], "cluster:shop").tagged("nightshift:drill"),
                    call("rds:RestoreDBInstanceFromDBSnapshot", OWN_SNAPSHOT).elsewhere(),
                    call("rds:RestoreDBInstanceFromDBSnapshot", "snapshot:rds:kfood-db-2026-12-01-17-05"),
                    call("rds:RestoreDBClusterFromSnapshot", OWN_CLUSTER_SNAPSHOT).elsewhere(),
                    call("rds:RestoreDBClusterFromSnapshot", "cluster-snapshot:rds:shop-2026-12-01-17-05"),
                    drill(call("rds:CreateDBInstance", DRILL)).elsewhere(),
                    drill(call("rds:CreateDBInstance", CLUSTER_DRILL)).elsewhere(),
                    drill(call("rds:AddTagsToResource", DRILL)).elsewhere(),
                    drill(call("rds:AddTagsToResource", CLUSTER_DRILL)).elsewhere(),
                    call("rds:AddTagsToResource", DRILL).tagged("nightshift-state:drill").remembers().elsewhere(),
                    call("rds:AddTagsToResource", CLUSTER_DRILL)
                        .tagged("nightshift-state:drill")
                        .remembers()
                        .elsewhere(),
                    call("rds:AddTagsToResource", OWN_SNAPSHOT)
                        .tagged("nightshift-state:made-by")
                        .remembers()
                        .elsewhere(),
                    call("rds:AddTagsToResource", OWN_CLUSTER_SNAPSHOT)
                        .tagged("nightshift-state:made-by")
                        .remembers()
                        .elsewhere(),
                    call("rds:AddTagsToResource", "db:kfood-db").tagged("nightshift:drill").remembers(),
                    call("rds:AddTagsToResource", "cluster:shop").tagged("nightshift:drill").remembers(),
                    call("rds:RemoveTagsFromResource", "db:kfood-db").tagged("nightshift:drill").remembers(),
                    call("rds:RemoveTagsFromResource", "cluster:shop").tagged("nightshift:drill").remembers(),
                    call("rds:DeleteDBInstance", DRILL)
                        .tagged("nightshift-state:drill")
                        .with("aws:ResourceTag/nightshift-state:made-by", "drill-restores nightshift-drill-x")
                        .elsewhere(),
                    call("rds:DeleteDBCluster", CLUSTER_DRILL)
                        .tagged("nightshift-state:drill")
                        .with("aws:ResourceTag/nightshift-state:made-by", "drill-restores nightshift-drill-x")
                        .elsewhere(),
                    call("rds:DeleteDBCluster", "cluster-snapshot:nightshift-drill-shop-2026-12-01").elsewhere(),
                ],
                of_instance.iter().map(|it| call("rds:RestoreDBInstanceFromDBSnapshot", it).elsewhere()).collect(),
                of_instance.iter().map(|it| call(to_latest[0], it).elsewhere()).collect(),
                of_cluster.iter().map(|it| call(to_latest[1], it).elsewhere()).collect(),
                of_cluster.iter().map(|it| call("rds:RestoreDBClusterFromSnapshot", it).elsewhere()).collect(),
                vec![
                    call("ecs:DescribeServices", SERVICE).elsewhere(),
                    call("ecs:RunTask", "task-definition/api-server:42").elsewhere(),
                    call("ecs:DescribeTasks", "task/truegul-production/0123456789abcdef").elsewhere(),
                    call("logs:GetLogEvents", "log-group:/ecs/kfood:log-stream:drill/check/0123abcd").elsewhere(),
                ],
                vec![
                    call("iam:PassRole", "role/tasks-api-server")
                        .with("iam:PassedToService", "ecs-tasks.amazonaws.com"),
                    call("iam:PassRole", "role/anything")
                        .with("iam:PassedToService", "ecs-tasks.amazonaws.com")
                        .only(Variant::Plain),
                ],
                all(calls(["kms:Decrypt", "kms:DescribeKey"], "arn:aws:kms:ap-northeast-2:123456789012:key/here"), key),
                vec![
                    key(call("kms:CreateGrant", "arn:aws:kms:ap-northeast-2:123456789012:key/here"))
                        .with("kms:GrantIsForAWSResource", "true"),
                    key(call("kms:Decrypt", there)).only(Variant::Copies),
                    key(call("kms:DescribeKey", there)).only(Variant::Copies),
                    key(call("kms:CreateGrant", there)).with("kms:GrantIsForAWSResource", "true").only(Variant::Copies),
                ],
            ]
            .concat()
        }
        "prune-backups" => [
            calls(
                [
                    "autoscaling:DescribeAutoScalingGroups",
                    "ecs:DescribeTaskDefinition",
                    "ecs:ListClusters",
                    "ecs:ListServices",
                    "ecs:ListTasks",
                    "rds:DescribeDBClusterSnapshots",
                    "rds:DescribeDBClusters",
                    "rds:DescribeDBInstances",
                    "rds:DescribeDBSnapshots",
                    "tag:GetResources",
                ],
                "*",
            ),
            calls(["ecs:DescribeServices", "ecs:DescribeServiceDeployments", "ecs:DescribeServiceRevisions"], SERVICE),
            calls(["ecs:DescribeServiceDeployments"], "service-deployment/truegul-production/api-server/1"),
            calls(["ecs:DescribeServiceRevisions"], "service-revision/truegul-production/api-server/1"),
            calls(["ecs:DescribeTasks"], "task/truegul-production/0123456789abcdef"),
            calls(
                ["ecr:BatchGetImage", "ecr:DescribeImages", "ecr:ListTagsForResource"],
                "repository/truegul-api-server",
            ),
            vec![
                call("ecr:BatchDeleteImage", "repository/truegul-api-server").tagged("nightshift:keep-images"),
                call("ecr:TagResource", "repository/truegul-api-server").tagged("nightshift:keep-images").remembers(),
                call("ecr:UntagResource", "repository/truegul-api-server").tagged("nightshift:keep-images").remembers(),
                call("kms:DescribeKey", "arn:aws:kms:ap-northeast-2:123456789012:key/here"),
                call("rds:DescribeDBSnapshotAttributes", OWN_SNAPSHOT).elsewhere(),
                call("rds:DescribeDBClusterSnapshotAttributes", OWN_CLUSTER_SNAPSHOT).elsewhere(),
                call("rds:DeleteDBSnapshot", OWN_SNAPSHOT).tagged("nightshift-state:made-by").elsewhere(),
                call("rds:DeleteDBClusterSnapshot", OWN_CLUSTER_SNAPSHOT)
                    .tagged("nightshift-state:made-by")
                    .elsewhere(),
                call("rds:AddTagsToResource", OWN_SNAPSHOT).tagged("nightshift-state:made-by").remembers().elsewhere(),
                call("rds:AddTagsToResource", OWN_CLUSTER_SNAPSHOT)
                    .tagged("nightshift-state:made-by")
                    .remembers()
                    .elsewhere(),
                call("rds:RemoveTagsFromResource", OWN_SNAPSHOT)
                    .tagged("nightshift-state:made-by")
                    .remembers()
                    .elsewhere(),
                call("rds:RemoveTagsFromResource", OWN_CLUSTER_SNAPSHOT)
                    .tagged("nightshift-state:made-by")
                    .remembers()
                    .elsewhere(),
                call("rds:AddTagsToResource", "db:kfood-db").tagged("nightshift:backup").remembers(),
                call("rds:AddTagsToResource", "cluster:shop").tagged("nightshift:backup").remembers(),
                call("rds:RemoveTagsFromResource", "db:kfood-db").tagged("nightshift:backup").remembers(),
                call("rds:RemoveTagsFromResource", "cluster:shop").tagged("nightshift:backup").remembers(),
            ],
        ]
        .concat(),
        "enforce-budget" => [
            calls(
                [
                    "autoscaling:DescribeAutoScalingGroups",
                    "cloudwatch:GetMetricStatistics",
                    "ec2:DescribeInstances",
                    "tag:GetResources",
                    "rds:DescribeDBClusters",
                    "rds:DescribeDBInstances",
                ],
                "*",
            ),
            calls(["budgets:ListTagsForResource", "budgets:ViewBudget"], "budget/monthly"),
            calls(["ecs:DescribeServices"], SERVICE),
            calls(["lambda:InvokeFunction"], "function:nightshift-scale-staging"),
            vec![
                call("budgets:TagResource", "budget/monthly").tagged("nightshift:budget").remembers(),
                call("budgets:UntagResource", "budget/monthly").tagged("nightshift:budget").remembers(),
                call("ecs:TagResource", SERVICE).tagged("nightshift:budget").remembers(),
                call("ecs:UntagResource", SERVICE).tagged("nightshift:budget").remembers(),
                call("rds:AddTagsToResource", "db:kfood-db").tagged("nightshift:budget").remembers(),
                call("rds:AddTagsToResource", "cluster:shop").tagged("nightshift:budget").remembers(),
                call("rds:RemoveTagsFromResource", "db:kfood-db").tagged("nightshift:budget").remembers(),
                call("rds:RemoveTagsFromResource", "cluster:shop").tagged("nightshift:budget").remembers(),
                call("ec2:CreateTags", INSTANCE).tagged("nightshift:budget").remembers(),
                call("ec2:DeleteTags", INSTANCE).tagged("nightshift:budget").remembers(),
                call("autoscaling:CreateOrUpdateTags", GROUP).tagged("nightshift:budget").remembers(),
                call("autoscaling:DeleteTags", GROUP).tagged("nightshift:budget").remembers(),
            ],
        ]
        .concat(),
        "deploy-compose" => [
            calls(
                [
                    "autoscaling:DescribeAutoScalingGroups",
                    "ec2:DescribeInstances",
                    "inspector2:ListCoverage",
                    "inspector2:ListFindings",
                    "rds:DescribeDBClusterSnapshots",
                    "rds:DescribeDBClusters",
                    "rds:DescribeDBInstances",
                    "rds:DescribeDBSnapshots",
                    "ssm:DescribeInstanceInformation",
                    "ssm:GetCommandInvocation",
                    "ssm:ListCommands",
                ],
                "*",
            ),
            calls(
                ["ecr:BatchGetImage", "ecr:DescribeImages", "ecr:DescribeImageScanFindings"],
                "repository/truegul-api-server",
            ),
            calls(["lambda:InvokeFunction"], "function:nightshift-snapshot-databases"),
            vec![
                call("ssm:SendCommand", "document/ComposeDocument"),
                call("ssm:SendCommand", "arn:aws:ec2:ap-northeast-2:123456789012:instance/i-0abc")
                    .tagged("nightshift:deploy"),
                call("ec2:CreateTags", INSTANCE).tagged("nightshift:deploy").remembers(),
                call("ec2:DeleteTags", INSTANCE).tagged("nightshift:deploy").remembers(),
                call("autoscaling:CreateOrUpdateTags", GROUP).tagged("nightshift:deploy").remembers(),
                call("autoscaling:DeleteTags", GROUP).tagged("nightshift:deploy").remembers(),
            ],
        ]
        .concat(),
        "press-button" => [
            calls(["lambda:InvokeFunction"], "function:nightshift-deploy-image"),
            calls(["lambda:InvokeFunction"], "function:nightshift-enforce-budget"),
            calls(["lambda:InvokeFunction"], "function:nightshift-scale-staging"),
        ]
        .concat(),
        "report-operations" => [
            calls(
                [
                    "cloudwatch:DescribeAlarms",
                    "cloudwatch:GetMetricData",
                    "ecs:DescribeTaskDefinition",
                    "inspector2:ListCoverage",
                    "inspector2:ListFindings",
                    "logs:DescribeMetricFilters",
                    "pricing:GetProducts",
                    "rds:DescribeDBInstances",
                    "rds:DescribeDBMajorEngineVersions",
                    "rds:DescribePendingMaintenanceActions",
                ],
                "*",
            ),
            calls(["ecs:DescribeServices", "ecs:ListServiceDeployments", "ecs:DescribeServiceRevisions"], SERVICE),
            calls(["ecs:DescribeServiceRevisions"], "service-revision/truegul-production/api-server/1"),
            calls(["ecr:DescribeImages", "ecr:DescribeImageScanFindings"], "repository/truegul-api-server"),
            calls(["lambda:InvokeFunction"], "function:nightshift-copy-buckets"),
            calls(["lambda:InvokeFunction"], "function:nightshift-deploy-compose"),
            calls(["lambda:InvokeFunction"], "function:nightshift-deploy-image"),
            calls(["lambda:InvokeFunction"], "function:nightshift-drill-restores"),
            calls(["lambda:InvokeFunction"], "function:nightshift-enforce-budget"),
            calls(["lambda:InvokeFunction"], "function:nightshift-prune-backups"),
            calls(["lambda:InvokeFunction"], "function:nightshift-remediate-alarm"),
            calls(["lambda:InvokeFunction"], "function:nightshift-scale-staging"),
            calls(["lambda:InvokeFunction"], "function:nightshift-snapshot-databases"),
        ]
        .concat(),
        "remediate-alarm" => [
            calls(
                [
                    "cloudwatch:DescribeAlarmContributors",
                    "cloudwatch:DescribeAlarms",
                    "ecs:DescribeTaskDefinition",
                    "rds:DescribeDBClusters",
                    "rds:DescribeDBInstances",
                    "tag:GetResources",
                ],
                "*",
            ),
            calls(["cloudwatch:ListTagsForResource"], "alarm:api-5xx"),
            calls(["cloudwatch:ListAlarmMuteRules"], "alarm-mute-rule:release-night"),
            calls(["ecs:DescribeServices", "ecs:ListServiceDeployments", "ecs:DescribeServiceRevisions"], SERVICE),
            calls(["ecs:DescribeServiceRevisions"], "service-revision/truegul-production/api-server/1"),
            calls(["lambda:InvokeFunction"], "function:nightshift-deploy-image"),
            calls(["lambda:InvokeFunction"], "function:nightshift-scale-staging"),
            vec![
                call("cloudwatch:TagResource", "alarm:api-5xx").tagged("nightshift:remedy").remembers(),
                call("cloudwatch:UntagResource", "alarm:api-5xx").tagged("nightshift:remedy").remembers(),
                call("ecs:UpdateService", SERVICE).tagged("nightshift:deploy"),
                call("ecs:UpdateService", SERVICE).tagged("nightshift:schedule"),
                call("ecs:TagResource", SERVICE).tagged("nightshift:deploy").remembers(),
                call("ecs:TagResource", SERVICE).tagged("nightshift:schedule").remembers(),
                call("rds:RebootDBInstance", "db:kfood-db").tagged("nightshift:backup"),
                call("rds:RebootDBInstance", "db:kfood-db").tagged("nightshift:schedule"),
                call("rds:AddTagsToResource", "db:kfood-db").tagged("nightshift:schedule").remembers(),
                call("rds:AddTagsToResource", "cluster:shop").tagged("nightshift:schedule").remembers(),
            ],
        ]
        .concat(),
        "scale-staging" => {
            let told = |it: Call| Call { keys: Some("nightshift-state:sleep-problem"), ..it };
            [
                calls(
                    [
                        "application-autoscaling:DescribeScalableTargets",
                        "application-autoscaling:DescribeScheduledActions",
                        "autoscaling:DescribeAutoScalingGroups",
                        "autoscaling:DescribeScheduledActions",
                        "ec2:DescribeInstances",
                        "rds:DescribeDBClusterSnapshots",
                        "rds:DescribeDBClusters",
                        "rds:DescribeDBInstances",
                        "rds:DescribeDBSnapshots",
                        "rds:DescribeEvents",
                        "tag:GetResources",
                    ],
                    "*",
                ),
                calls(["lambda:InvokeFunction"], "function:nightshift-snapshot-databases"),
                calls(["ecs:DescribeServices"], SERVICE),
                vec![
                    call("ecs:UpdateService", SERVICE).tagged("nightshift:schedule"),
                    call("ecs:UpdateService", "service/other/untagged").with("aws:ViaAWSService", "true"),
                    call("application-autoscaling:ListTagsForResource", "scalable-target/0ec5"),
                    Call {
                        keys: Some("nightshift-state:asleep"),
                        ..call("application-autoscaling:TagResource", "scalable-target/0ec5")
                    },
                    call("application-autoscaling:RegisterScalableTarget", "scalable-target/0ec5")
                        .with("application-autoscaling:scalable-dimension", "ecs:service:DesiredCount")
                        .with("application-autoscaling:service-namespace", "ecs"),
                    call("ecs:TagResource", SERVICE).tagged("nightshift:schedule").remembers(),
                    call("ecs:UntagResource", SERVICE).tagged("nightshift:schedule").remembers(),
                    call("rds:StartDBInstance", "db:kfood-db").tagged("nightshift:schedule"),
                    call("rds:StartDBCluster", "cluster:shop").tagged("nightshift:schedule"),
                    call("rds:StopDBInstance", "db:kfood-db").tagged("nightshift:schedule"),
                    call("rds:StopDBCluster", "cluster:shop").tagged("nightshift:schedule"),
                    call("rds:CreateDBSnapshot", "db:kfood-db").tagged("nightshift:schedule"),
                    call("rds:CreateDBSnapshot", OWN_SNAPSHOT),
                    call("rds:StopDBInstance", OWN_SNAPSHOT),
                    call("rds:AddTagsToResource", OWN_SNAPSHOT),
                    call("rds:RemoveTagsFromResource", OWN_SNAPSHOT),
                    call("rds:AddTagsToResource", "db:kfood-db").tagged("nightshift:schedule").remembers(),
                    call("rds:AddTagsToResource", "cluster:shop").tagged("nightshift:schedule").remembers(),
                    call("rds:RemoveTagsFromResource", "db:kfood-db").tagged("nightshift:schedule").remembers(),
                    call("rds:RemoveTagsFromResource", "cluster:shop").tagged("nightshift:schedule").remembers(),
                    call("ec2:StartInstances", INSTANCE).tagged("nightshift:schedule"),
                    call("ec2:StopInstances", INSTANCE).tagged("nightshift:schedule"),
                    call("ec2:CreateTags", INSTANCE).tagged("nightshift:schedule").remembers(),
                    call("ec2:DeleteTags", INSTANCE).tagged("nightshift:schedule").remembers(),
                    call("autoscaling:UpdateAutoScalingGroup", GROUP).tagged("nightshift:schedule"),
                    call("autoscaling:SuspendProcesses", GROUP).tagged("nightshift:schedule"),
                    call("autoscaling:ResumeProcesses", GROUP).tagged("nightshift:schedule"),
                    call("autoscaling:CreateOrUpdateTags", GROUP).tagged("nightshift:schedule").remembers(),
                    call("autoscaling:DeleteTags", GROUP).tagged("nightshift:schedule").remembers(),
                    call("scheduler:ListSchedules", "*"),
                    call("scheduler:GetSchedule", "schedule/jobs/nightly"),
                    call("scheduler:TagResource", "schedule-group/nightly").tagged("nightshift:schedule").remembers(),
                    call("scheduler:UntagResource", "schedule-group/nightly").tagged("nightshift:schedule").remembers(),
                    call("scheduler:UpdateSchedule", "schedule/jobs/nightly").only(Variant::Schedules),
                    call("iam:PassRole", "role/schedules-nightly")
                        .with("iam:PassedToService", "scheduler.amazonaws.com")
                        .only(Variant::Schedules),
                    told(call("ec2:CreateTags", INSTANCE).tagged("nightshift-state:asleep")),
                    told(call("autoscaling:CreateOrUpdateTags", GROUP).tagged("nightshift-state:asleep")),
                    told(call("scheduler:TagResource", "schedule-group/nightly").tagged("nightshift-state:asleep")),
                    told(call("ecs:TagResource", SERVICE).tagged("nightshift-state:asleep")),
                    told(call("rds:AddTagsToResource", "db:kfood-db").tagged("nightshift-state:asleep")),
                    told(call("rds:AddTagsToResource", "cluster:shop").tagged("nightshift-state:asleep")),
                ],
            ]
            .concat()
        }
        "copy-buckets" => {
            let copy = "uploads/2026-11-21";
            let in_each = |actions: &[&str], end: &str| -> Vec<Call> {
                let targets = ["kfood-backups", "kfood-archive"].map(|it| format!("arn:aws:s3:::{it}{end}"));
                let each = actions.iter().flat_map(|action| targets.iter().map(|it| call(action, it)));
                each.collect()
            };
            let sources = ["arn:aws:s3:::kfood-uploads", "arn:aws:s3:::kfood-logs"];
            let of_sources = sources.iter().flat_map(|it| {
                let remembers = ["s3:TagResource", "s3:UntagResource"].map(|action| call(action, it).remembers());
                let reads = [
                    "s3:GetBucketRequestPayment",
                    "s3:GetBucketVersioning",
                    "s3:GetLifecycleConfiguration",
                    "s3:ListBucketVersions",
                ];
                [reads.map(|action| call(action, it)).to_vec(), remembers.to_vec()].concat()
            });
            let in_stack = [
                of_sources.collect(),
                in_each(&["s3:GetBucketPolicyStatus", "s3:ListBucket"], ""),
                in_each(&["s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"], ""),
                in_each(&["s3:GetObject", "s3:PutObject"], &format!("/{copy}/_nightshift.json")),
                in_each(&["s3:PutObject"], "/restored/2026-11-20T030000/_nightshift-manifest.csv"),
                in_each(&["s3:GetObject"], &format!("/{copy}/_nightshift-report/job-1/results/1.csv")),
                in_each(&["s3:DeleteObject"], &format!("/{copy}/uploads/a.jpg")),
                vec![
                    call("s3:CreateJob", "*").with("s3:RequestJobOperation", "S3PutObjectCopy"),
                    // A job lives in the region of the bucket that it writes to.
                    call("s3:DescribeJob", "arn:aws:s3:us-west-2:123456789012:job/1"),
                    call("iam:PassRole", "arn:aws:iam::123456789012:role/nightshift-CopyJobRole")
                        .with("iam:PassedToService", "batchoperations.s3.amazonaws.com"),
                ],
            ];
            let originals = sources.iter().flat_map(|it| {
                let objects =
                    ["s3:GetObject", "s3:GetObjectVersion"].map(|action| call(action, &format!("{it}/a.jpg")));
                [objects.to_vec(), vec![call("s3:ListBucket", it)]].concat()
            });
            let decrypt = call("kms:Decrypt", "arn:aws:kms:us-west-2:123456789012:key/1");
            let in_drills = [
                originals.collect(),
                in_each(&["s3:GetObject"], &format!("/{copy}/uploads/a.jpg")),
                vec![decrypt.with("kms:ViaService", "s3.us-west-2.amazonaws.com")],
            ];
            [
                calls(["tag:GetResources"], "*"),
                all(in_stack.concat(), |it| it.only(Variant::Buckets)),
                all(in_drills.concat(), |it| it.only(Variant::BucketDrills)),
            ]
            .concat()
        }
        other => panic!("the calls of {other} are not in this table: add them"),
    };
    [calls_of_all(function), own].concat()
}

const INSTANCE: &str = "instance/i-0abc";
const GROUP: &str = "autoScalingGroup:0123:autoScalingGroupName/web";

/// What a drill restores.
const DRILL: &str = "db:nightshift-drill-kfood-db-2026-12-01";
const CLUSTER_DRILL: &str = "cluster:nightshift-drill-shop-2026-12-01";

/// What no function may do, on resources that carry every tag of Nightshift.
const NEVER: [(&str, &str); 66] = [
    ("application-autoscaling:DeregisterScalableTarget", "scalable-target/0ec5"),
    ("budgets:ModifyBudget", "budget/monthly"),
    ("cloudwatch:DeleteAlarms", "alarm:api-5xx"),
    ("cloudwatch:PutMetricAlarm", "alarm:api-5xx"),
    ("cloudwatch:SetAlarmState", "alarm:api-5xx"),
    ("codedeploy:DeleteApplication", "application:shop"),
    ("autoscaling:DeleteAutoScalingGroup", GROUP),
    ("autoscaling:TerminateInstanceInAutoScalingGroup", GROUP),
    ("ec2:ModifyInstanceAttribute", INSTANCE),
    ("ec2:RunInstances", INSTANCE),
    ("ec2:TerminateInstances", "instance/i-1"),
    ("ecr:DeleteRepository", "repository/truegul-api-server"),
    ("ecr:PutImage", "repository/truegul-api-server"),
    ("ecr:SetRepositoryPolicy", "repository/truegul-api-server"),
    ("ecs:CreateService", SERVICE),
    ("ecs:DeleteCluster", "cluster/truegul-production"),
    ("ecs:DeleteService", SERVICE),
    ("ecs:DeregisterTaskDefinition", "*"),
    ("ecs:ExecuteCommand", "task/truegul-production/0123456789abcdef"),
    ("ecs:StopTask", "task/truegul-production/0123456789abcdef"),
    ("ecs:TagResource", "cluster/truegul-production"),
    ("iam:AttachRolePolicy", "role/nightshift"),
    ("iam:CreateRole", "role/nightshift"),
    ("iam:PassRole", "role/tasks-api-server"),
    ("iam:PutRolePolicy", "role/nightshift"),
    ("kms:CreateGrant", "key/here"),
    ("kms:Decrypt", "key/here"),
    ("kms:ScheduleKeyDeletion", "key/here"),
    ("lambda:InvokeFunction", "function:checkout"),
    ("lambda:UpdateFunctionCode", "function:nightshift-scale-staging"),
    ("logs:DeleteLogGroup", "log-group:/aws/lambda/nightshift-scale-staging:*"),
    ("logs:PutLogEvents", "log-group:/aws/lambda/checkout:log-stream:1"),
    ("rds:DeleteDBCluster", "cluster:shop"),
    ("rds:DeleteDBInstance", "db:kfood-db"),
    ("rds:DeleteDBSnapshot", "snapshot:before-the-move"),
    ("rds:DeleteDBClusterSnapshot", "cluster-snapshot:before-the-move"),
    ("rds:ModifyDBInstance", "db:kfood-db"),
    ("rds:ModifyDBSnapshotAttribute", OWN_SNAPSHOT),
    ("rds:CreateDBInstance", "db:orders"),
    ("rds:DeleteDBInstance", "db:nightshift-drills"),
    ("rds:ModifyDBInstance", DRILL),
    ("rds:RestoreDBClusterFromSnapshot", "cluster:shop"),
    ("rds:RestoreDBInstanceFromDBSnapshot", "db:orders"),
    ("rds:RestoreDBInstanceFromDBSnapshot", "snapshot:before-the-move"),
    ("rds:StartExportTask", OWN_SNAPSHOT),
    ("rds:StopDBInstance", "snapshot:before-the-move"),
    ("s3:DeleteBucket", "arn:aws:s3:::kfood-backups"),
    ("s3:DeleteObject", "arn:aws:s3:::kfood-backups/uploads/by-hand/a.jpg"),
    ("s3:DeleteObject", "arn:aws:s3:::kfood-uploads/uploads/2026-11-21/a.jpg"),
    ("s3:DeleteObjectVersion", "arn:aws:s3:::kfood-backups/uploads/2026-11-21/a.jpg"),
    ("s3:GetObject", "arn:aws:s3:::shop/orders.csv"),
    ("s3:GetObjectAcl", "arn:aws:s3:::kfood-uploads/a"),
    ("s3:GetObjectTagging", "arn:aws:s3:::kfood-uploads/a"),
    ("s3:GetObjectVersionAcl", "arn:aws:s3:::kfood-uploads/a"),
    ("s3:GetObjectVersionTagging", "arn:aws:s3:::kfood-uploads/a"),
    ("s3:PutInventoryConfiguration", "arn:aws:s3:::kfood-uploads"),
    ("s3:PutObjectAcl", "arn:aws:s3:::kfood-backups/uploads/2026-11-21/a.jpg"),
    ("s3:PutObjectTagging", "arn:aws:s3:::kfood-backups/uploads/2026-11-21/a.jpg"),
    ("s3:PutBucketTagging", "arn:aws:s3:::kfood-uploads"),
    ("s3:PutObject", "arn:aws:s3:::kfood-backups/uploads/2026-11-21/a.jpg"),
    ("secretsmanager:GetSecretValue", "secret:db-password"),
    ("sns:Publish", "nightshift-BudgetTopic"),
    ("sns:Subscribe", "nightshift-Topic"),
    ("sqs:ReceiveMessage", "nightshift-FailureQueue"),
    ("sts:AssumeRole", "arn:aws:iam::123456789012:role/admin"),
    ("tag:TagResources", "*"),
];

fn with_every_tag(request: Request) -> Request {
    let tags = ["deploy", "schedule", "backup", "budget", "remedy", "keep-images", "drill"]
        .map(|it| format!("nightshift:{it}"));
    let memory = ["made-by", "asleep", "drill"].map(|it| format!("nightshift-state:{it}"));
    tags.iter().chain(&memory).fold(request, |it, tag| it.with(&tag_key(tag), "x"))
}

// -------------------------------------------------------------------------------- the table

/// A request of a function, and whether it has to be allowed.
struct Row {
    function: String,
    variant: Variant,
    what: String,
    request: Request,
    allowed: bool,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { function, variant, what, request, allowed } = self;
        let must = if *allowed { "must be allowed" } else { "must be refused" };
        let Request { action, resource, context } = request;
        write!(f, "{function} ({variant:?}): {action} on {resource} {what} {must}; keys of the request: {context:?}")
    }
}

/// Every row of a function: its calls, each with one thing wrong, the calls of the others, and what is never allowed.
fn rows(function: &str, variant: Variant) -> Vec<Row> {
    let row = |what: String, request, allowed| Row { function: function.to_owned(), variant, what, request, allowed };
    let holds = |it: &Call| {
        let is_part = |it: Variant| match it {
            Variant::Plain => variant != Variant::Roles,
            Variant::Buckets => variant == Variant::BucketDrills,
            Variant::Copies | Variant::Roles | Variant::BucketDrills | Variant::Schedules => false,
        };
        it.only.is_none_or(|it| it == variant || is_part(it))
    };
    let own = calls_of(function);
    let allowed: Vec<_> = own.iter().filter(|it| holds(it)).map(Call::granted).collect();
    let mut rows = Vec::new();
    for call in &own {
        rows.push(row(String::new(), call.granted(), holds(call)));
        for (what, request) in call.wrong() {
            rows.push(row(what, request, false));
        }
        if call.elsewhere {
            let mut there = call.granted();
            there.resource = there.resource.replace(":ap-northeast-2:", ":us-west-2:");
            rows.push(row("in a region of copies".to_owned(), there, variant == Variant::Copies));
        }
    }
    for other in folders("functions").into_iter().filter(|it| it != function) {
        for call in calls_of(&other).iter().map(Call::granted) {
            let covers = |own: &Request| {
                let given = |(key, values): (&String, &Vec<String>)| call.context.get(key) == Some(values);
                own.action == call.action && own.resource == call.resource && own.context.iter().all(given)
            };
            let expected = allowed.iter().any(covers);
            rows.push(row(format!("as {other} does"), call, expected));
        }
    }
    for (action, resource) in NEVER {
        let request = with_every_tag(Request::new(action, &arn(action, resource)));
        rows.push(row("that no function needs".to_owned(), request, false));
    }
    rows
}

impl Row {
    fn is_wrong(&self, policy: &Policy) -> bool {
        policy.allows(&self.request) != self.allowed
    }
}

#[test]
fn every_call_is_allowed_and_nothing_else() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for function in folders("functions") {
        for variant in VARIANTS {
            let rows = rows(&function, variant);
            let policy = variant.policy(&function);
            wrong.extend(rows.iter().filter(|it| it.is_wrong(&policy)).map(Row::to_string));
            count += if variant == Variant::Plain { rows.len() } else { 0 };
        }
    }
    println!("{count} rows with default parameters");
    assert!(count >= 300, "the table has shrunk to {count} rows");
    assert_none(wrong);
}

/// A call is one request for each of its resources, and for what it does besides.
#[test]
fn a_call_needs_all_of_its_resources() {
    let tagged = |action, resource, tag| call(action, resource).tagged(tag).granted();
    let plain = |action, resource| call(action, resource).granted();
    let stop = |snapshot| {
        vec![
            tagged("rds:StopDBInstance", "db:kfood-db", "nightshift:schedule"),
            plain("rds:StopDBInstance", snapshot),
            tagged("rds:CreateDBSnapshot", "db:kfood-db", "nightshift:schedule"),
            plain("rds:CreateDBSnapshot", snapshot),
            plain("rds:AddTagsToResource", snapshot),
        ]
    };
    let create = |snapshot, tag| {
        vec![
            tagged("rds:CreateDBSnapshot", "db:kfood-db", tag),
            plain("rds:CreateDBSnapshot", snapshot),
            plain("rds:AddTagsToResource", snapshot),
        ]
    };
    let there = "arn:aws:rds:us-west-2:123456789012:snapshot:nightshift-kfood-db-2026-11-28";
    let copy = || {
        vec![
            plain("rds:CopyDBSnapshot", OWN_SNAPSHOT),
            plain("rds:CopyDBSnapshot", there),
            plain("rds:AddTagsToResource", there),
        ]
    };
    let by_hand = "snapshot:by-hand";
    for (function, variant, requests, expected) in [
        ("scale-staging", Variant::Plain, stop(OWN_SNAPSHOT), true),
        ("scale-staging", Variant::Plain, stop(by_hand), false),
        ("snapshot-databases", Variant::Plain, create(OWN_SNAPSHOT, "nightshift:backup"), true),
        ("snapshot-databases", Variant::Plain, create(OWN_SNAPSHOT, "nightshift:schedule"), false),
        ("snapshot-databases", Variant::Plain, create(by_hand, "nightshift:backup"), false),
        ("snapshot-databases", Variant::Copies, copy(), true),
        ("snapshot-databases", Variant::Plain, copy(), false),
        ("prune-backups", Variant::Copies, copy(), false),
    ] {
        let policy = variant.policy(function);
        let allowed = requests.iter().all(|it| policy.allows(it));
        assert_eq!(allowed, expected, "{function} ({variant:?}): {requests:?}");
    }
}

/// Takes each piece of each statement away: an action, a resource, a condition. Each must be missed by some row, or it
/// grants what no call needs, or holds back nothing.
#[test]
fn every_piece_of_every_grant_is_needed_by_a_call() {
    let mut wrong = Vec::new();
    for function in folders("functions") {
        let mut missed = BTreeSet::new();
        let mut pieces = BTreeSet::new();
        for variant in VARIANTS {
            let rows = rows(&function, variant);
            let policy = variant.policy(&function);
            for (at, statement) in policy.statements.iter().enumerate() {
                // No other row can tell.
                let about = |it: &&Row| statement.actions.contains(&it.request.action);
                let rows: Vec<_> = rows.iter().filter(about).collect();
                for (piece, without) in pieces_of(&policy, at, statement) {
                    if !missed.contains(&piece) && rows.iter().any(|it| it.is_wrong(&without)) {
                        missed.insert(piece.clone());
                    }
                    pieces.insert(piece);
                }
            }
        }
        let unused = pieces.difference(&missed);
        wrong.extend(unused.map(|it| format!("{function}, {it}: no call of the table needs it")));
    }
    assert_none(wrong);
}

/// The pieces of a statement, each with the policy that lacks it.
fn pieces_of(policy: &Policy, at: usize, statement: &Statement) -> Vec<(String, Policy)> {
    let changed = |change: &dyn Fn(&mut Statement)| {
        let mut policy = policy.clone();
        change(&mut policy.statements[at]);
        policy
    };
    let sid = &statement.sid;
    let mut pieces = Vec::new();
    for (index, it) in statement.actions.iter().enumerate() {
        pieces.push((format!("{sid}: {it}"), changed(&|it| drop(it.actions.remove(index)))));
    }
    for (index, it) in statement.resources.iter().enumerate() {
        pieces.push((format!("{sid}: {it}"), changed(&|it| drop(it.resources.remove(index)))));
    }
    for (index, it) in statement.conditions.iter().enumerate() {
        pieces.push((format!("{sid}: {} {}", it.operator, it.key), changed(&|it| drop(it.conditions.remove(index)))));
    }
    pieces
}

/// The other half: each action that some role has, added to each role on everything and without a condition. (An action
/// that no code calls is found by the comparison of grants with calls in `template.rs`.)
#[test]
fn an_added_grant_is_found() {
    let reference = reference();
    let actions: Vec<&String> = reference["actions"].as_object().expect("actions").keys().collect();
    for function in folders("functions") {
        let rows = rows(&function, Variant::Plain);
        let policy = Variant::Plain.policy(&function);
        let on_everything = |action: &str| {
            policy
                .statements
                .iter()
                .any(|it| it.conditions.is_empty() && it.resources == ["*"] && it.actions.iter().any(|it| it == action))
        };
        for action in actions.iter().filter(|it| !on_everything(it)) {
            let mut wider = policy.clone();
            wider.statements.push(Statement {
                sid: "Added".to_owned(),
                allows: true,
                actions: vec![action.to_string()],
                resources: vec!["*".to_owned()],
                conditions: Vec::new(),
            });
            let noticed = rows.iter().filter(|it| it.request.action == **action).any(|it| it.is_wrong(&wider));
            assert!(noticed, "{function}: {action} on everything goes unnoticed");
        }
    }
}

// -------------------------------------------------------------------------------- the policies of topics and queues

#[test]
fn the_failure_queue_takes_what_is_sent_to_it_over_encrypted_connections_only() {
    let stack = Stack::with(&[]);
    let document = &stack.made("AWS::SQS::QueuePolicy")["FailureQueuePolicy"]["PolicyDocument"];
    let queue = "arn:aws:sqs:ap-northeast-2:123456789012:nightshift-FailureQueue";
    let by = |principal: &str| {
        let statements = list(&document["Statement"]).into_iter();
        let own = statements.filter(|it| it["Principal"] == "*" || it["Principal"]["Service"] == principal);
        Policy::of_document(&stack, &serde_json::json!({ "Statement": own.collect::<Vec<_>>() }))
    };
    let rule = "arn:aws:events:ap-northeast-2:123456789012:rule/nightshift-DeployImageFunctionImagePushed";
    let topic = "nightshift-BudgetTopic";
    for (principal, source, expected) in [
        ("events.amazonaws.com", rule.to_owned(), true),
        ("events.amazonaws.com", rule.replace("123456789012", "111111111111"), false),
        ("sns.amazonaws.com", arn("sns:Publish", topic), true),
        ("sns.amazonaws.com", arn("sns:Publish", "nightshift-Topic"), false),
        ("lambda.amazonaws.com", rule.to_owned(), false),
    ] {
        let policy = by(principal);
        let request = Request::new("sqs:SendMessage", queue).with("aws:SourceArn", &source);
        assert_eq!(policy.allows(&request), expected, "{principal} for {source}");
        let plain = request.with("aws:SecureTransport", "false");
        assert!(!policy.allows(&plain), "{principal} over a connection that is not encrypted");
    }
    let deny = by("*").statements;
    assert_eq!(deny.len(), 1);
    assert_eq!(deny[0].actions, ["sqs:*"], "reading needs an encrypted connection as well");
}

/// S3 copies with a role of its own, so that the function cannot read what it has copied.
#[test]
fn jobs_that_copy_read_the_named_buckets_and_write_dated_folders_of_the_named_targets() {
    let policy = Policy::of_role(&Variant::Buckets.stack(), "CopyJobRole");
    for (action, resource, expected) in [
        ("s3:GetObject", "arn:aws:s3:::kfood-uploads/uploads/a.jpg", true),
        ("s3:GetObjectTagging", "arn:aws:s3:::kfood-logs/a", true),
        ("s3:ListBucket", "arn:aws:s3:::kfood-uploads", true),
        ("s3:GetObject", "arn:aws:s3:::kfood-backups/uploads/2026-11-21/a.jpg", false),
        ("s3:GetObject", "arn:aws:s3:::shop/orders.csv", false),
        ("s3:GetObjectVersion", "arn:aws:s3:::kfood-uploads/uploads/a.jpg", true),
        ("s3:GetObject", "arn:aws:s3:::kfood-backups/restored/2026-11-20T030000/_nightshift-manifest.csv", true),
        ("s3:PutObject", "arn:aws:s3:::kfood-backups/restored/2026-11-20T030000/uploads/a.jpg", true),
        ("s3:PutObject", "arn:aws:s3:::kfood-backups/uploads/2026-11-21/uploads/a.jpg", true),
        ("s3:PutObject", "arn:aws:s3:::kfood-archive/x/y/2026-11-21/_nightshift-report/job-1/manifest.json", true),
        ("s3:PutObject", "arn:aws:s3:::kfood-backups/uploads/by-hand/a.jpg", false),
        ("s3:PutObject", "arn:aws:s3:::kfood-uploads/uploads/2026-11-21/a.jpg", false),
        ("s3:DeleteObject", "arn:aws:s3:::kfood-backups/uploads/2026-11-21/uploads/a.jpg", false),
        ("s3:DeleteObject", "arn:aws:s3:::kfood-uploads/uploads/a.jpg", false),
        ("kms:Decrypt", "arn:aws:kms:ap-northeast-2:123456789012:key/1", false),
    ] {
        assert_eq!(policy.allows(&Request::new(action, resource)), expected, "{action} {resource}");
    }
    let key = Request::new("kms:Decrypt", "arn:aws:kms:us-west-2:123456789012:key/1");
    assert!(policy.allows(&key.with("kms:ViaService", "s3.us-west-2.amazonaws.com")));
}

// -------------------------------------------------------------------------------- beside AWS's own reference

/// Keys that IAM fills in for every request. Those about tags are not among them: an action has to know them.
const GLOBAL: [&str; 4] = ["aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn", "aws:ViaAWSService"];

const RENEW: &str = "if AWS has it, renew tests/iam/actions.json with `python3 tests/iam/renew.py`";

/// Actions that AWS's SDK knows and its reference does not, each with the reason why they are granted nevertheless.
const UNLISTED: [(&str, &str); 1] = [(
    "cloudwatch:DescribeAlarmContributors",
    "the operation is in CloudWatch's API reference; where it is refused, such an alarm is told as unreadable",
)];

fn reference() -> Value {
    serde_json::from_str(&read("tests/iam/actions.json")).expect("JSON")
}

/// Checks each statement of each role, with all of them made.
fn check_statements(problems: impl Fn(&Value, &Policy, &Statement) -> Vec<String>) {
    let reference = reference();
    let mut wrong = Vec::new();
    for function in folders("functions") {
        for variant in VARIANTS {
            let policy = variant.policy(&function);
            for statement in &policy.statements {
                let found = problems(&reference, &policy, statement).into_iter();
                wrong.extend(found.map(|it| format!("{function} ({variant:?}), {}: {it}", statement.sid)));
            }
        }
    }
    assert_none(wrong);
}

/// The resource types that an action takes, by name, each with the pattern of its ARNs and whether it is required.
fn types<'a>(reference: &'a Value, action: &str) -> Vec<(&'a str, String, bool)> {
    let service = action.split(':').next().expect("a service");
    let types = reference["actions"][action]["resources"].as_object().into_iter().flatten();
    types
        .map(|(name, need)| {
            let arn = reference["resource types"][format!("{service}:{name}")]["arn"].as_str().expect("an ARN");
            (name.as_str(), as_pattern(arn), need == "required")
        })
        .collect()
}

/// `arn:${Partition}:…` as a pattern.
fn as_pattern(text: &str) -> String {
    let mut pieces = text.split("${");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |all, it| all + "*" + it.split_once('}').expect("it is closed").1)
}

#[test]
fn every_action_exists() {
    check_statements(|reference, _, statement| {
        let listed = |it: &&String| UNLISTED.iter().all(|(action, _)| action != it);
        let unknown = statement.actions.iter().filter(listed).filter(|it| reference["actions"][it.as_str()].is_null());
        unknown.map(|it| format!("the reference has no action {it}; {RENEW}")).collect()
    });
}

#[test]
fn every_action_takes_the_resources_that_it_is_granted_on() {
    check_statements(|reference, policy, statement| {
        let mut wrong = Vec::new();
        for action in &statement.actions {
            let types = types(reference, action);
            let on = |resource: &String| types.iter().any(|(_, arn, _)| overlaps(resource, arn));
            let everything = statement.resources == ["*"];
            if types.is_empty() && !everything {
                wrong.push(format!("{action} takes no resource, so that only * grants it"));
            } else if !types.is_empty() && !statement.resources.iter().any(on) {
                wrong.push(format!("{action} takes none of {:?}", statement.resources));
            }
            let granted = policy.statements.iter().filter(|it| it.actions.contains(action));
            let granted: Vec<_> = granted.flat_map(|it| &it.resources).collect();
            for (name, arn, _) in types.iter().filter(|(.., required)| *required) {
                if !granted.iter().any(|it| overlaps(it, arn)) {
                    wrong.push(format!("{action} needs a grant on {name} too: {arn}"));
                }
            }
        }
        let taken = |resource: &&String| {
            statement.actions.iter().flat_map(|it| types(reference, it)).any(|(_, arn, _)| overlaps(resource, &arn))
        };
        let idle = statement.resources.iter().filter(|it| *it != "*" && !taken(it));
        wrong.extend(idle.map(|it| format!("no action of the statement takes {it}")));
        wrong
    });
}

#[test]
fn every_action_knows_the_keys_that_its_conditions_ask_for() {
    check_statements(|reference, _, statement| {
        let mut wrong = Vec::new();
        for action in &statement.actions {
            let service = action.split(':').next().expect("a service");
            let of_action = list(&reference["actions"][action.as_str()]["keys"]);
            let met = types(reference, action).into_iter();
            let met = met.filter(|(_, arn, _)| statement.resources.iter().any(|it| overlaps(it, arn)));
            let of_types =
                met.flat_map(|(name, ..)| list(&reference["resource types"][format!("{service}:{name}")]["keys"]));
            let known: Vec<_> = of_action.into_iter().chain(of_types).map(|it| it.as_str().expect("a key")).collect();
            for condition in &statement.conditions {
                let key = &condition.key;
                if !GLOBAL.contains(&key.as_str()) && !known.iter().any(|it| overlaps(key, &as_pattern(it))) {
                    wrong.push(format!("{action} does not know the key {key}, so that the condition never holds"));
                }
            }
        }
        wrong
    });
}

#[test]
fn what_an_action_depends_on_is_granted() {
    check_statements(|reference, policy, statement| {
        let needs = statement.actions.iter().flat_map(|it| list(&reference["actions"][it.as_str()]["needs"]));
        let granted = |action: &str| policy.statements.iter().any(|it| it.actions.iter().any(|it| it == action));
        let needs = needs.map(|it| it.as_str().expect("an action"));
        needs.filter(|it| !granted(it)).map(|it| format!("it needs {it} as well")).collect()
    });
}

#[track_caller]
fn assert_none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
