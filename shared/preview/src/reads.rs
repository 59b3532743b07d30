//! The calls that a preview may make: what the functions read, and what it reads itself.

use serde_json::{Value, json};

/// The services by their IAM prefix, each with the operations that only read. `tests/tests/template.rs` compares them
/// with the reads that the functions are granted.
pub const READS: [(&str, &[&str]); 19] = [
    ("application-autoscaling", &["DescribeScalableTargets", "DescribeScheduledActions", "ListTagsForResource"]),
    ("autoscaling", &["DescribeAutoScalingGroups", "DescribeScheduledActions"]),
    ("budgets", &["DescribeBudget", "DescribeBudgets", "ListTagsForResource"]),
    (
        "cloudwatch",
        &[
            "DescribeAlarmContributors",
            "DescribeAlarms",
            "GetMetricStatistics",
            "ListAlarmMuteRules",
            "ListTagsForResource",
        ],
    ),
    (
        "codedeploy",
        &[
            "BatchGetDeploymentGroups",
            "BatchGetDeployments",
            "GetApplicationRevision",
            "ListApplications",
            "ListDeploymentGroups",
            "ListDeployments",
        ],
    ),
    ("ec2", &["DescribeInstances"]),
    (
        "ecr",
        &[
            "BatchGetImage",
            "DescribeImageScanFindings",
            "DescribeImages",
            "DescribeRepositories",
            "GetLifecyclePolicy",
            "ListTagsForResource",
        ],
    ),
    (
        "ecs",
        &[
            "DescribeServiceDeployments",
            "DescribeServiceRevisions",
            "DescribeServices",
            "DescribeTaskDefinition",
            "DescribeTasks",
            "ListClusters",
            "ListServiceDeployments",
            "ListServices",
            "ListTasks",
        ],
    ),
    ("elasticloadbalancing", &["DescribeTargetHealth"]),
    ("iam", &["GetRole"]),
    // With enhanced scanning ECR reads these by the right of the caller.
    ("inspector2", &["ListCoverage", "ListFindings"]),
    ("kms", &["DescribeKey"]),
    ("logs", &["DescribeLogGroups", "GetLogEvents"]),
    (
        "rds",
        &[
            "DescribeAccountAttributes",
            "DescribeDBClusterSnapshotAttributes",
            "DescribeDBClusterSnapshots",
            "DescribeDBClusters",
            "DescribeDBInstances",
            "DescribeDBSnapshotAttributes",
            "DescribeDBSnapshots",
            "DescribeEvents",
        ],
    ),
    (
        "s3",
        &[
            "DescribeJob",
            "GetBucketLifecycleConfiguration",
            "GetBucketPolicyStatus",
            "GetBucketRequestPayment",
            "GetBucketVersioning",
            "GetObject",
            "HeadBucket",
            "ListBuckets",
            "ListObjectsV2",
        ],
    ),
    ("scheduler", &["GetSchedule", "ListSchedules"]),
    ("secretsmanager", &["DescribeSecret"]),
    ("ssm", &["DescribeInstanceInformation", "DescribeParameters", "GetCommandInvocation", "ListCommands"]),
    ("tag", &["GetResources", "GetTagKeys"]),
];

/// Whether an operation of that name only reads.
pub fn is_read(operation: &str) -> bool {
    READS.iter().any(|(_, operations)| operations.contains(&operation))
}

/// The IAM actions of all of them, in order.
pub fn actions() -> Vec<String> {
    let mut actions: Vec<String> = READS
        .iter()
        .flat_map(|(service, operations)| operations.iter().map(move |it| format!("{service}:{it}")))
        .map(|it| match OTHERWISE_NAMED.iter().find(|(operation, _)| *operation == it) {
            Some((_, action)) => (*action).to_owned(),
            None => it,
        })
        .collect();
    actions.sort();
    actions.dedup();
    actions
}

/// The operations whose IAM action has another name.
const OTHERWISE_NAMED: [(&str, &str); 6] = [
    ("budgets:DescribeBudget", "budgets:ViewBudget"),
    ("budgets:DescribeBudgets", "budgets:ViewBudget"),
    ("s3:GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
    ("s3:HeadBucket", "s3:ListBucket"),
    ("s3:ListBuckets", "s3:ListAllMyBuckets"),
    ("s3:ListObjectsV2", "s3:ListBucket"),
];

/// Of objects only those that say what a copy of a bucket is.
const MARKERS: &str = "arn:aws:s3:::*/_nightshift*";

/// The policy that a person needs for a preview.
pub fn policy() -> String {
    let (objects, others): (Vec<String>, Vec<String>) = actions().into_iter().partition(|it| it == "s3:GetObject");
    let policy: Value = json!({
        "Version": "2012-10-17",
        "Statement": [
            { "Sid": "NightshiftPreview", "Effect": "Allow", "Action": others, "Resource": "*" },
            { "Sid": "NightshiftMarkers", "Effect": "Allow", "Action": objects, "Resource": MARKERS },
        ],
    });
    format!("{policy:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_reads_and_does_nothing_else() {
        let policy: Value = serde_json::from_str(&policy()).unwrap();
        let actions = policy["Statement"][0]["Action"].as_array().unwrap();
        for action in actions {
            let (_, operation) = action.as_str().unwrap().split_once(':').unwrap();
            let reads = ["BatchGet", "Describe", "Get", "List", "View"].iter().any(|it| operation.starts_with(it));
            assert!(reads, "{action}");
        }
        assert!(!actions.contains(&"s3:GetObject".into()), "no object of a person is read");
        assert!(actions.contains(&"budgets:ViewBudget".into()) && actions.contains(&"tag:GetTagKeys".into()));
        assert!(is_read("DescribeServices") && !is_read("UpdateService") && !is_read("Invoke"));
    }
}
