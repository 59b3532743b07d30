//! What `template.yaml` grants is what the code needs, and what wakes the functions is what they read.

use std::collections::{BTreeMap, BTreeSet};

use nightshift_tests::calls::{self, pascal_case};
use nightshift_tests::iam::{Policy, Request};
use nightshift_tests::sources::{Kind, files, folders, read, shipped};
use nightshift_tests::stack::Stack;
use nightshift_tests::template::{Template, list};
use serde_json::{Value, json};

/// The table itself: a dependency on the preview would compile every function before these tests begin.
#[path = "../../shared/preview/src/reads.rs"]
#[allow(dead_code, reason = "these tests compare the actions only")]
mod reads;

/// What a call needs besides the action of its own name.
const NEEDED_BESIDES: [(&str, &str, &str); 23] = [
    ("ecr:DescribeImageScanFindings", "inspector2:ListCoverage", SCANNED_BY_INSPECTOR),
    ("ecr:DescribeImageScanFindings", "inspector2:ListFindings", SCANNED_BY_INSPECTOR),
    ("codedeploy:CreateDeployment", "codedeploy:GetDeploymentConfig", "it reads how the group shifts traffic"),
    (
        "codedeploy:CreateDeployment",
        "codedeploy:RegisterApplicationRevision",
        "it registers the AppSpec that comes with it",
    ),
    ("ecs:RegisterTaskDefinition", "iam:PassRole", "the revision names a task role and an execution role"),
    ("ecs:RegisterTaskDefinition", "ecs:TagResource", "the revision is registered with its tags"),
    ("ecs:RunTask", "iam:PassRole", "the revision that is run names a task role and an execution role"),
    ("rds:RestoreDBInstanceFromDBSnapshot", "kms:CreateGrant", RESTORED_BY_RDS),
    ("rds:RestoreDBInstanceFromDBSnapshot", "kms:Decrypt", RESTORED_BY_RDS),
    ("rds:RestoreDBInstanceFromDBSnapshot", "kms:DescribeKey", RESTORED_BY_RDS),
    ("rds:CopyDBSnapshot", "kms:CreateGrant", COPIED_BY_RDS),
    ("rds:CopyDBSnapshot", "kms:Decrypt", COPIED_BY_RDS),
    ("rds:CopyDBSnapshot", "kms:DescribeKey", COPIED_BY_RDS),
    ("rds:CopyDBSnapshot", "kms:Encrypt", COPIED_BY_RDS),
    ("rds:CopyDBSnapshot", "kms:GenerateDataKey", COPIED_BY_RDS),
    ("rds:CopyDBSnapshot", "kms:GenerateDataKeyWithoutPlaintext", COPIED_BY_RDS),
    ("rds:CopyDBSnapshot", "kms:ReEncryptFrom", COPIED_BY_RDS),
    ("rds:CopyDBSnapshot", "kms:ReEncryptTo", COPIED_BY_RDS),
    ("rds:StopDBInstance", "rds:CreateDBSnapshot", "a stop takes a snapshot with it"),
    ("scheduler:UpdateSchedule", "iam:PassRole", "the role of the target is handed on with every change"),
    ("s3:CreateJob", "iam:PassRole", "a job is given the role that it copies with"),
    ("s3:GetObject", "kms:Decrypt", "S3 decrypts an object by the right of the caller"),
    ("s3:GetObject", "s3:GetObjectVersion", "an old version has an action of its own, and the same call"),
];

const SCANNED_BY_INSPECTOR: &str = "with enhanced scanning ECR asks Inspector by the right of the caller";

const COPIED_BY_RDS: &str = "RDS copies an encrypted snapshot by the right of the caller";

const RESTORED_BY_RDS: &str = "RDS restores an encrypted snapshot by the right of the caller";

/// Calls of shared code that a function never comes to, since it asks for one kind of thing only.
const NEVER_MADE: [(&str, &str, &str); 0] = [];

/// What every function needs without a call in its code: Lambda does this with the role of the function.
const NEEDED_BY_LAMBDA: [(&str, &str); 3] = [
    ("logs:CreateLogStream", "Lambda writes the log"),
    ("logs:PutLogEvents", "Lambda writes the log"),
    ("sqs:SendMessage", "Lambda sends failed runs to the failure queue"),
];

const LISTS_ALL: &str = "a listing without an identifier is authorised against everything";

/// Actions for which IAM knows no resource, so that only `*` grants them.
const WITHOUT_RESOURCE: [(&str, &str); 37] = [
    ("autoscaling:DescribeAutoScalingGroups", "the service authorization reference lists no resource for it"),
    ("autoscaling:DescribeScheduledActions", "the service authorization reference lists no resource for it"),
    ("ec2:DescribeInstances", "the service authorization reference lists no resource for it"),
    ("application-autoscaling:DescribeScalableTargets", "the service authorization reference lists no resource for it"),
    (
        "application-autoscaling:DescribeScheduledActions",
        "the service authorization reference lists no resource for it",
    ),
    ("rds:DescribeAccountAttributes", "a quota is not a resource"),
    ("rds:DescribeEvents", "an event is not a resource"),
    ("cloudwatch:DescribeAlarms", "a narrower grant leaves composite alarms out"),
    ("cloudwatch:GetMetricData", "the service authorization reference lists no resource for it"),
    ("logs:DescribeLogGroups", "the service authorization reference lists no resource for it"),
    ("logs:DescribeMetricFilters", LISTS_ALL),
    ("pricing:GetProducts", "the price list is not a resource"),
    ("cloudwatch:GetMetricStatistics", "its one resource is a dataset, which metrics of services and apps are not in"),
    ("cloudwatch:DescribeAlarmContributors", "the service authorization reference does not list it yet"),
    (
        "elasticloadbalancing:DescribeTargetHealth",
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html",
    ),
    ("inspector2:ListCoverage", "ECR asks Inspector of all images"),
    ("inspector2:ListFindings", "ECR asks Inspector of all images"),
    ("codedeploy:ListApplications", LISTS_ALL),
    ("codedeploy:StopDeployment", "the service authorization reference lists no resource for it"),
    ("ssm:DescribeParameters", "the service authorization reference lists no resource for it"),
    ("ssm:DescribeInstanceInformation", "the service authorization reference lists no resource for it"),
    ("ssm:GetCommandInvocation", "the service authorization reference lists no resource for it"),
    ("ssm:ListCommands", "the service authorization reference lists no resource for it"),
    ("s3:CreateJob", "the service authorization reference lists no resource for it"),
    ("scheduler:ListSchedules", "the service authorization reference lists no resource for it"),
    ("tag:GetResources", "searches all resources of a region"),
    ("tag:GetTagKeys", "lists the keys of all resources of a region"),
    ("ecs:DescribeTaskDefinition", "the service authorization reference lists no resource for it"),
    ("ecs:ListClusters", "the service authorization reference lists no resource for it"),
    ("ecs:ListServices", "it knows a condition on the cluster only, and all clusters are meant"),
    ("ecs:ListTasks", "it knows a condition on the cluster only, and all clusters are meant"),
    ("rds:DescribeDBMajorEngineVersions", "a version of an engine is not a resource"),
    ("rds:DescribePendingMaintenanceActions", LISTS_ALL),
    ("rds:DescribeDBInstances", LISTS_ALL),
    ("rds:DescribeDBClusters", LISTS_ALL),
    ("rds:DescribeDBSnapshots", LISTS_ALL),
    ("rds:DescribeDBClusterSnapshots", LISTS_ALL),
];

// -------------------------------------------------------------------------------- grants and needs

#[test]
fn every_action_granted_is_used_and_every_call_is_granted() {
    let template = Template::read();
    let mut wrong = Vec::new();
    for function in folders("functions") {
        let needed = needs(&function);
        let granted = grants(&template, &role_of(&template, &function));
        let lower = |it: &String| it.to_lowercase();
        let (needed_lower, granted_lower): (BTreeSet<_>, BTreeSet<_>) =
            (needed.keys().map(lower).collect(), granted.iter().map(lower).collect());
        for (action, why) in needed.iter().filter(|(it, _)| !granted_lower.contains(&lower(it))) {
            wrong.push(format!("{function} lacks {action}: {why}"));
        }
        for action in granted.iter().filter(|it| !needed_lower.contains(&lower(it))) {
            wrong.push(format!("{function} is granted {action}, which no code of it calls"));
        }
    }
    assert_none(wrong);
}

/// Reads that belong to a change, so that a dry run does not make them.
const READS_OF_CHANGES: [&str; 3] = ["codedeploy:GetDeploymentConfig", "s3:GetObjectVersion", "s3:ListBucketVersions"];

#[test]
fn the_policy_of_a_preview_is_what_the_functions_and_the_preview_itself_read() {
    let template = Template::read();
    let reads = |action: &String| {
        let operation = action.split(':').nth(1).unwrap_or_default();
        ["BatchGet", "Describe", "Get", "List", "View"].iter().any(|it| operation.starts_with(it))
    };
    // A preview runs the functions itself, and so not those that ask them.
    let functions =
        folders("functions").into_iter().filter(|it| !["press-button", "report-operations"].contains(&it.as_str()));
    let granted = functions.flat_map(|it| grants(&template, &role_of(&template, &it)));
    let of_functions = granted.filter(reads).filter(|it| !READS_OF_CHANGES.contains(&it.as_str()));
    let own = calls::of_preview().into_iter().map(|it| it.action).filter(|it| reads(it) && !it.starts_with("sts:"));
    let needed: BTreeSet<String> = of_functions.chain(own).map(|it| it.to_lowercase()).collect();
    let offered: BTreeSet<String> = reads::actions().iter().map(|it| it.to_lowercase()).collect();
    assert_eq!(offered, needed, "shared/preview/src/reads.rs lists what only reads");
}

/// A function that the board does not ask needs nobody, as far as people can see.
#[test]
fn the_board_asks_every_function_that_decides_something_and_may_ask_no_other() {
    let decide =
        folders("functions").into_iter().filter(|it| !["press-button", "report-operations"].contains(&it.as_str()));
    let decide: BTreeSet<String> = decide.collect();
    let asked: BTreeSet<String> = board::Section::NeedsYou.functions().iter().map(|it| it.to_string()).collect();
    assert_eq!(asked, decide, "Section::functions in shared/board/src/section.rs lists them");
    let part = |it: &board::Section| it.functions().iter().all(|it| decide.contains(*it));
    assert!(board::Section::ALL.iter().all(|(_, it)| part(it)));
    let stack = Stack::with(&[]);
    let policy = Policy::of_role(&stack, "ReportOperationsRole");
    for function in folders("functions") {
        let arn = format!("arn:aws:lambda:ap-northeast-2:123456789012:function:nightshift-{function}");
        let allowed = policy.allows(&Request::new("lambda:InvokeFunction", &arn));
        assert_eq!(allowed, decide.contains(&function), "AskForDryRuns in template.yaml: {function}");
    }
}

#[test]
fn aws_is_called_only_in_files_named_after_the_service() {
    let wrong = calls::outside_of_service_files().into_iter();
    assert_none(wrong.map(|it| format!("{it} sends a request; move it to the file of its service")).collect());
}

/// The actions that a function needs, each with the reason.
fn needs(function: &str) -> BTreeMap<String, String> {
    let calls = calls::of_function(function);
    let mut needed: BTreeMap<_, _> =
        calls.iter().map(|it| (it.action.clone(), format!("called in {}", it.place))).collect();
    for (_, action, why) in NEVER_MADE.into_iter().filter(|(name, ..)| *name == function) {
        let called = needed.len();
        needed.retain(|it, _| !it.eq_ignore_ascii_case(action));
        assert!(needed.len() < called, "{action} is not called at all, so say no more that {why}");
    }
    for (action, besides, why) in NEEDED_BESIDES {
        if needed.keys().any(|it| it.eq_ignore_ascii_case(action)) {
            needed.entry(besides.to_owned()).or_insert_with(|| why.to_owned());
        }
    }
    needed.extend(NEEDED_BY_LAMBDA.map(|(action, why)| (action.to_owned(), why.to_owned())));
    needed
}

fn grants(template: &Template, role: &str) -> BTreeSet<String> {
    template.statements(role).into_iter().flat_map(actions).collect()
}

fn actions(statement: &Value) -> Vec<String> {
    list(&statement["Action"]).into_iter().map(|it| it.as_str().expect("an action is a text").to_owned()).collect()
}

/// The logical id of a function's role.
fn role_of(template: &Template, function: &str) -> String {
    let id = logical_id(function);
    let functions = template.functions();
    let properties = functions.get(id.as_str()).unwrap_or_else(|| panic!("template.yaml has no {id}"));
    let role = &properties["Role"]["Fn::GetAtt"];
    assert_eq!(role[1], "Arn", "{id} has no role of its own");
    role[0].as_str().expect("a logical id").to_owned()
}

fn logical_id(function: &str) -> String {
    format!("{}Function", pascal_case(function))
}

// -------------------------------------------------------------------------------- how it is granted

/// Checks every statement of every function's role.
fn check_statements(problem: impl Fn(&Value) -> Option<String>) {
    let template = Template::read();
    let mut wrong = Vec::new();
    for function in folders("functions") {
        for statement in template.statements(&role_of(&template, &function)) {
            if let Some(problem) = problem(statement) {
                wrong.push(format!("{function}, statement {}: {problem}", statement["Sid"]));
            }
        }
    }
    assert_none(wrong);
}

#[test]
fn no_action_is_a_wildcard() {
    check_statements(|statement| {
        let odd = statement["Effect"] != "Allow" || statement["Action"].is_null() || statement["Resource"].is_null();
        let wide = actions(statement).into_iter().find(|it| it.contains(['*', '?']));
        match wide {
            Some(action) => Some(format!("{action} grants more than it says")),
            None => odd.then(|| "only Allow, Action and Resource are understood".to_owned()),
        }
    });
}

/// What may be deleted, and a text that each statement about it holds: that is how the README says it under "Is my data
/// safe".
const DELETED: [(&str, &str); 6] = [
    ("rds:DeleteDBInstance", ":db:nightshift-drill-*"),
    ("rds:DeleteDBCluster", ":nightshift-drill-*"),
    ("rds:DeleteDBSnapshot", ":snapshot:nightshift-*"),
    ("rds:DeleteDBClusterSnapshot", ":cluster-snapshot:nightshift-*"),
    ("ecr:BatchDeleteImage", "aws:ResourceTag/nightshift:keep-images"),
    ("s3:DeleteObject", "/*/20*-*-*/*"),
];

#[test]
fn nothing_can_be_deleted_but_what_the_readme_names_and_nothing_in_a_database_read() {
    let removes = |action: &String| {
        let (service, name) = action.split_once(':').expect("an action has a service");
        let is_tag = name == "DeleteTags";
        let ends = ["Delete", "BatchDelete", "Terminate", "Deregister", "Purge", "Reset"];
        !is_tag && ends.iter().any(|it| name.starts_with(it)) || ["rds-data", "rds-db"].contains(&service)
    };
    check_statements(|statement| {
        let text = statement.to_string();
        let is_named = |it: &String| DELETED.iter().any(|(action, held_to)| action == it && text.contains(held_to));
        let action = actions(statement).into_iter().filter(removes).find(|it| !is_named(it))?;
        Some(format!("{action} is not among what the README says can be deleted"))
    });
    let readme = read("README.md");
    let safe =
        readme.split("### Is my data safe").nth(1).and_then(|it| it.split("\n### ").next()).expect("the section");
    for said in
        ["called `nightshift-drill-…`", "A snapshot is deleted only", "An image is deleted only", "An object is"]
    {
        assert!(safe.contains(said), "the README does not say: {said}");
    }
}

/// "Runs that have begun end within five minutes", says the README of a pause.
#[test]
fn no_run_lasts_longer_than_five_minutes() {
    let template = Template::read();
    let lasts = template.functions().into_iter().map(|(id, it)| (id.to_owned(), it["Timeout"].as_u64().unwrap_or(3)));
    let long: Vec<_> = lasts.filter(|(_, seconds)| *seconds > 300).collect();
    assert_eq!(long, []);
    assert!(read("README.md").contains("runs that have begun end within five minutes"));
}

#[test]
fn only_actions_without_a_resource_are_granted_on_everything() {
    check_statements(|statement| {
        let on_everything = resources(statement).iter().any(|it| !it.contains(':') && it.contains('*'));
        let scoped = |it: &String| WITHOUT_RESOURCE.iter().all(|(action, _)| action != it);
        let action = actions(statement).into_iter().find(scoped)?;
        on_everything.then(|| format!("{action} can be granted on a resource"))
    });
}

#[test]
fn writes_on_services_need_the_tag_that_opts_in() {
    check_statements(|statement| {
        if remembers_that_people_were_told_of_a_sleeper(statement) {
            return None;
        }
        let resources = resources(statement);
        let action = actions(statement).into_iter().find(|it| it.starts_with("ecs:") && !reads(it))?;
        if resources.iter().all(|it| it.contains(":task-definition/")) {
            return None;
        }
        // Authorised against the service as well, whose statement asks for the tag; a deployment has none.
        if resources.iter().all(|it| it.contains(":service-deployment/")) {
            let both = ["ecs:ContinueServiceDeployment", "ecs:StopServiceDeployment"];
            return actions(statement)
                .into_iter()
                .find(|it| !both.contains(&it.as_str()))
                .map(|it| format!("{it} is not about one"));
        }
        // Application Auto Scaling validates in the caller's name, and not always on a service that has the tag.
        if statement["Condition"] == json!({ "Bool": { "aws:ViaAWSService": "true" } }) {
            return (action != "ecs:UpdateService").then(|| format!("{action} is not what AWS validates"));
        }
        let null = statement["Condition"]["Null"].as_object();
        let opted_in = null.is_some_and(|it| {
            it.iter().any(|(key, value)| key.starts_with("aws:ResourceTag/nightshift:") && value == "false")
        });
        let only_services = resources.iter().all(|it| it.contains(":service/"));
        (!opted_in || !only_services).then(|| format!("{action} is not held to services that opted in"))
    });
}

/// What sleeps and has lost the tag that opts in can only be told of, and must remember that it was.
fn remembers_that_people_were_told_of_a_sleeper(statement: &Value) -> bool {
    let of_sleepers: [&[&str]; 2] = [
        &["ecs:TagResource", "rds:AddTagsToResource"],
        &["autoscaling:CreateOrUpdateTags", "ec2:CreateTags", "scheduler:TagResource"],
    ];
    let only_adds = of_sleepers.iter().any(|it| actions(statement) == *it);
    let held_to_sleepers = json!({
        "ForAllValues:StringEquals": { "aws:TagKeys": "nightshift-state:sleep-problem" },
        "Null": { "aws:ResourceTag/nightshift-state:asleep": "false", "aws:TagKeys": "false" },
    });
    only_adds && statement["Condition"] == held_to_sleepers
}

fn names_drills(statement: &Value) -> bool {
    resources(statement)
        .iter()
        .all(|it| it.ends_with("db:nightshift-drill-*") || it.ends_with("cluster:nightshift-drill-*"))
}

/// What is created must be called as drills are, and carry the tag by which it is deleted.
fn is_held_to_new_drills(statement: &Value) -> bool {
    let tagged = statement["Condition"]["StringLike"]["aws:RequestTag/nightshift-state:drill"] == "of=*";
    names_drills(statement) && tagged && !actions(statement).iter().any(|it| it.contains("Delete"))
}

/// What is changed or deleted must be called as drills are, and carry the tags that they were given.
fn is_held_to_drills(statement: &Value) -> bool {
    let null = &statement["Condition"]["Null"];
    let made = &statement["Condition"]["StringLike"]["aws:ResourceTag/nightshift-state:made-by"];
    let deletes = actions(statement).iter().any(|it| it.contains("Delete"));
    let tagged = null["aws:ResourceTag/nightshift-state:drill"] == "false";
    names_drills(statement) && tagged && (!deletes || *made == "drill-restores *")
}

#[test]
fn only_keys_of_our_own_memory_can_be_tagged() {
    check_statements(|statement| {
        if remembers_that_people_were_told_of_a_sleeper(statement) {
            return None;
        }
        let tags = |it: &String| it.contains("TagResource") || it.contains("TagsToResource") || it.contains("TagsFrom");
        let action = actions(statement).into_iter().find(|it| tags(it) && !reads(it))?;
        // A snapshot is born with the tags of its database.
        if action == "rds:AddTagsToResource"
            && resources(statement).iter().all(|it| it.contains("snapshot:nightshift-*"))
        {
            return None;
        }
        let condition = &statement["Condition"];
        // A drill is born with the tags by which people sort the costs of its original.
        if is_held_to_new_drills(statement) {
            return None;
        }
        if condition["StringEquals"]["ecs:CreateAction"] == "RegisterTaskDefinition" {
            return None;
        }
        let ours = condition["ForAllValues:StringLike"]["aws:TagKeys"] == "nightshift-state:*";
        let some = condition["Null"]["aws:TagKeys"] == "false";
        (!ours || !some).then(|| format!("{action} is not held to keys under nightshift-state:"))
    });
}

#[test]
fn writes_on_databases_need_the_tag_that_opts_in_and_deletions_the_tag_of_the_maker() {
    check_statements(|statement| {
        if remembers_that_people_were_told_of_a_sleeper(statement) {
            return None;
        }
        let action = actions(statement).into_iter().find(|it| it.starts_with("rds:") && !reads(it))?;
        let null = &statement["Condition"]["Null"];
        if is_held_to_new_drills(statement) || is_held_to_drills(statement) {
            return None;
        }
        let resources = resources(statement);
        // A restore is authorised against the groups that it names, which it does not change; a deletion of a cluster
        // against the snapshot that would be taken with it.
        let group = |it: &String| ["og:*", "pg:*", "subgrp:*"].iter().any(|group| it.ends_with(group));
        let of_restores = action.starts_with("rds:Restore")
            && resources
                .iter()
                .all(|it| group(it) || it.ends_with("snapshot:nightshift-*") || it.ends_with("snapshot:rds:*"));
        let final_snapshots = action == "rds:DeleteDBCluster"
            && resources.iter().all(|it| it.ends_with("cluster-snapshot:nightshift-drill-*"));
        if of_restores || final_snapshots {
            return None;
        }
        let own = resources.iter().all(|it| it.contains("snapshot:nightshift-*"));
        let opted_in = null.as_object().is_some_and(|it| {
            it.iter().any(|(key, value)| key.starts_with("aws:ResourceTag/nightshift:") && value == "false")
        });
        if !own && !opted_in {
            return Some(format!("{action} is not held to databases that opted in, nor to snapshots of our name"));
        }
        let deletes = action.contains("Delete");
        let ours = own && null["aws:ResourceTag/nightshift-state:made-by"] == "false";
        (deletes && !ours).then(|| format!("{action} is not held to what Nightshift made"))
    });
}

#[test]
fn writes_on_budgets_need_the_tag_that_opts_in() {
    check_statements(|statement| {
        let action = actions(statement).into_iter().find(|it| it.starts_with("budgets:") && !reads(it))?;
        let opted_in = statement["Condition"]["Null"]["aws:ResourceTag/nightshift:budget"] == "false";
        (!opted_in).then(|| format!("{action} is not held to budgets that opted in"))
    });
}

#[test]
fn writes_on_repositories_need_the_tag_that_opts_in() {
    check_statements(|statement| {
        let writes = |it: &String| it.starts_with("ecr:") && !reads(it) && it != "ecr:BatchGetImage";
        let action = actions(statement).into_iter().find(writes)?;
        let opted_in = statement["Condition"]["Null"]["aws:ResourceTag/nightshift:keep-images"] == "false";
        (!opted_in).then(|| format!("{action} is not held to repositories that opted in"))
    });
}

#[test]
fn writes_on_alarms_need_the_tag_that_opts_in() {
    check_statements(|statement| {
        let action = actions(statement).into_iter().find(|it| it.starts_with("cloudwatch:") && !reads(it))?;
        let opted_in = statement["Condition"]["Null"]["aws:ResourceTag/nightshift:remedy"] == "false";
        let only_alarms = resources(statement).iter().all(|it| it.contains(":alarm:"));
        (!opted_in || !only_alarms).then(|| format!("{action} is not held to alarms that opted in"))
    });
}

#[test]
fn alarms_of_this_account_alone_wake_the_function_directly() {
    let template = Template::read();
    for (id, permission) in template.resources("AWS::Lambda::Permission") {
        let properties = &permission["Properties"];
        match properties["Principal"].as_str() {
            Some("lambda.alarms.cloudwatch.amazonaws.com") => {
                assert_eq!(reference(&properties["SourceAccount"]), "AWS::AccountId", "{id}");
            }
            Some("sns.amazonaws.com") => assert!(properties["SourceArn"].is_object(), "{id}"),
            other => panic!("{id} lets {other:?} in"),
        }
    }
}

#[test]
fn roles_are_passed_to_tasks_to_jobs_that_copy_and_to_schedules_only() {
    check_statements(|statement| {
        let passes = actions(statement).iter().any(|it| it == "iam:PassRole");
        let to = &statement["Condition"]["StringEquals"]["iam:PassedToService"];
        let to_tasks = *to == "ecs-tasks.amazonaws.com";
        let own = statement["Resource"] == json!({ "Fn::GetAtt": ["CopyJobRole", "Arn"] });
        let to_jobs = *to == "batchoperations.s3.amazonaws.com" && own;
        // The parameter names each of them, and none by default.
        let to_schedules =
            *to == "scheduler.amazonaws.com" && statement["Resource"] == json!({ "Ref": "ScheduleRoles" });
        let held = to_tasks || to_jobs || to_schedules;
        (passes && !held).then(|| "iam:PassRole is held neither to ECS tasks nor to jobs nor to schedules".to_owned())
    });
}

#[test]
fn every_function_has_a_role_of_its_own_without_managed_policies() {
    let template = Template::read();
    let mut users = BTreeMap::<_, Vec<_>>::new();
    for function in folders("functions") {
        users.entry(role_of(&template, &function)).or_default().push(function);
    }
    for (role, users) in users {
        assert_eq!(users.len(), 1, "{role} is shared by {users:?}");
        assert_eq!(role, format!("{}Role", pascal_case(&users[0])));
        let properties = &template.0["Resources"][&role]["Properties"];
        assert_eq!(properties["ManagedPolicyArns"], Value::Null, "{role}");
        let trusted = &properties["AssumeRolePolicyDocument"]["Statement"];
        assert_eq!(list(&list(trusted)[0]["Principal"]["Service"]), ["lambda.amazonaws.com"], "{role}");
        assert_eq!(list(trusted).len(), 1, "{role}");
    }
    for (id, properties) in template.functions() {
        assert_eq!(properties["Policies"], Value::Null, "{id}: SAM would add them to a role that it makes itself");
    }
}

/// IAM takes 10,240 characters of inline policies for a role, white space not counted; the rest is for task roles that
/// a parameter names.
#[test]
fn the_policies_of_a_role_fit_what_iam_takes() {
    const LIMIT: usize = 9_500;
    let template = Template::read();
    for function in folders("functions") {
        let role = role_of(&template, &function);
        let policies = &template.0["Resources"][&role]["Properties"]["Policies"];
        let documents: Vec<_> = list(policies).into_iter().map(|it| filled_in(&it["PolicyDocument"])).collect();
        let length: usize = documents.iter().map(|it| it.to_string().chars().filter(|it| *it != ' ').count()).sum();
        assert!(length <= LIMIT, "{role} has {length} characters of policies");
    }
}

/// A value with CloudFormation's functions replaced by texts as long as what they stand for may be.
fn filled_in(value: &Value) -> Value {
    let arn = || {
        json!("arn:aws-us-gov:logs:us-gov-east-1:123456789012:log-group:/aws/lambda/nightshift-snapshot-databases:*")
    };
    match value {
        Value::Array(values) => values.iter().map(filled_in).collect(),
        Value::Object(it) if it.contains_key("Fn::If") => filled_in(&value["Fn::If"][1]),
        Value::Object(it) if it.contains_key("Fn::Sub") => {
            let text = value["Fn::Sub"].as_str().expect("a text");
            let longest = [
                ("${AWS::Partition}", "aws-us-gov"),
                ("${AWS::Region}", "ap-northeast-2"),
                ("${AWS::AccountId}", "123456789012"),
                ("${AWS::StackName}", "nightshift-production"),
            ];
            json!(longest.iter().fold(text.to_owned(), |text, (name, long)| text.replace(name, long)))
        }
        Value::Object(it)
            if ["Ref", "Fn::GetAtt", "Fn::Select", "Fn::Split"].iter().any(|name| it.contains_key(*name)) =>
        {
            arn()
        }
        Value::Object(fields) => fields.iter().map(|(name, it)| (name.clone(), filled_in(it))).collect(),
        other => other.clone(),
    }
}

fn reads(action: &str) -> bool {
    let (_, name) = action.split_once(':').expect("an action has a service");
    ["Describe", "Get", "List", "View"].iter().any(|it| name.starts_with(it))
}

/// The resources of a statement: literal texts, and `[Ref]` or the like for what CloudFormation fills in.
fn resources(statement: &Value) -> Vec<String> {
    let text = |it: &Value| match (it.as_str(), it["Fn::Sub"].as_str()) {
        (Some(text), _) | (None, Some(text)) => text.to_owned(),
        _ => format!("[{}]", it.as_object().and_then(|it| it.keys().next()).expect("a function")),
    };
    list(&statement["Resource"]).into_iter().map(text).collect()
}

// -------------------------------------------------------------------------------- each function

#[test]
fn every_folder_of_functions_is_a_function_of_the_template() {
    let template = Template::read();
    let expected: BTreeSet<_> = folders("functions").iter().map(|it| logical_id(it)).collect();
    let present: BTreeSet<_> = template.functions().keys().map(|it| it.to_string()).collect();
    assert_eq!(present, expected);
    for function in folders("functions") {
        let id = logical_id(&function);
        let metadata = &template.0["Resources"][&id]["Metadata"];
        assert_eq!(metadata["BuildMethod"], "rust-cargolambda", "{id}");
        assert_eq!(metadata["BuildProperties"]["Binary"], *function, "{id}");
        let properties = &template.functions()[id.as_str()];
        assert_eq!(properties["CodeUri"], format!("functions/{function}"), "{id}");
        assert_eq!(properties["FunctionName"]["Fn::Sub"], format!("${{AWS::StackName}}-{function}"), "{id}");
    }
}

#[test]
fn every_function_has_a_log_group_that_forgets() {
    let template = Template::read();
    for (id, properties) in template.functions() {
        assert_eq!(properties["LoggingConfig"]["LogFormat"], "JSON", "{id}");
        let group = &template.0["Resources"][reference(&properties["LoggingConfig"]["LogGroup"])];
        assert_eq!(group["Type"], "AWS::Logs::LogGroup", "{id}");
        assert_eq!(reference(&group["Properties"]["RetentionInDays"]), "LogRetentionDays", "{id}");
        let name = properties["FunctionName"]["Fn::Sub"].as_str().expect("a name");
        assert_eq!(group["Properties"]["LogGroupName"]["Fn::Sub"], format!("/aws/lambda/{name}"), "{id}");
    }
}

#[test]
fn every_failed_run_is_kept_and_not_repeated() {
    for (id, properties) in Template::read().functions() {
        let invoke = &properties["EventInvokeConfig"];
        assert_eq!(invoke["MaximumRetryAttempts"], 0, "{id}");
        let kept = json!({ "Type": "SQS", "Destination": { "Fn::GetAtt": ["FailureQueue", "Arn"] } });
        assert_eq!(invoke["DestinationConfig"]["OnFailure"], kept, "{id}");
    }
}

#[test]
fn every_function_and_the_failure_queue_have_an_alarm() {
    let template = Template::read();
    let alarmed = |namespace: &str, metric: &str, dimension: Value| {
        template.resources("AWS::CloudWatch::Alarm").into_values().any(|it| {
            let properties = &it["Properties"];
            properties["Namespace"] == namespace
                && properties["MetricName"] == metric
                && properties["Dimensions"] == json!([dimension])
                && properties["AlarmActions"] == json!([{ "Ref": "Topic" }])
        })
    };
    for id in template.functions().keys() {
        let dimension = json!({ "Name": "FunctionName", "Value": { "Ref": id } });
        assert!(alarmed("AWS/Lambda", "Errors", dimension), "{id} has no alarm on its errors");
    }
    let dimension = json!({ "Name": "QueueName", "Value": { "Fn::GetAtt": ["FailureQueue", "QueueName"] } });
    assert!(alarmed("AWS/SQS", "ApproximateNumberOfMessagesVisible", dimension));
}

#[test]
fn every_event_that_reaches_no_function_is_kept() {
    for (id, properties) in Template::read().functions() {
        for (name, event) in properties["Events"].as_object().expect("something wakes the function") {
            if event["Type"] == "SNS" {
                // SNS tries for 23 days, and nothing can be set about that.
                let dead = &event["Properties"]["RedrivePolicy"]["deadLetterTargetArn"];
                assert_eq!(*dead, json!({ "Fn::GetAtt": ["FailureQueue", "Arn"] }), "{id}, {name}");
                continue;
            }
            let dead = &event["Properties"]["DeadLetterConfig"]["Arn"];
            assert_eq!(*dead, json!({ "Fn::GetAtt": ["FailureQueue", "Arn"] }), "{id}, {name}");
            let hours = event["Properties"]["RetryPolicy"]["MaximumEventAgeInSeconds"].as_u64();
            assert!(hours.is_some_and(|it| it <= 3600), "{id}, {name}: the next sweep is sooner than such a retry");
        }
    }
}

#[test]
fn every_schedule_leaves_its_name_to_cloudformation_and_knows_the_time_zone() {
    for (id, properties) in Template::read().functions() {
        for (name, event) in properties["Events"].as_object().expect("something wakes the function") {
            assert_ne!(event["Type"], "Schedule", "{id}, {name}: rules know only UTC");
            if event["Type"] == "ScheduleV2" {
                assert_eq!(event["Properties"]["OmitName"], true, "{id}, {name}: a second stack would collide");
                let zone = &event["Properties"]["ScheduleExpressionTimezone"];
                assert_eq!(reference(zone), "TimeZone", "{id}, {name}");
                let input: &str = event["Properties"]["Input"].as_str().expect("a schedule says what it sends");
                serde_json::from_str::<Value>(input).expect("the input is JSON");
            }
        }
    }
}

fn reference(value: &Value) -> &str {
    value["Ref"].as_str().unwrap_or_else(|| panic!("{value} is not a reference"))
}

// -------------------------------------------------------------------------------- messages

#[test]
fn no_function_hears_its_own_messages() {
    let template = Template::read();
    let about_messages = |value: &Value| {
        let text = value.to_string();
        ["\"Ref\":\"Topic\"", "[\"Topic\"", "\"FailureQueue\""].iter().any(|it| text.contains(it))
    };
    for (id, properties) in template.functions() {
        for (name, event) in properties["Events"].as_object().expect("something wakes the function") {
            let mut properties = event["Properties"].clone();
            let fields = properties.as_object_mut().expect("properties");
            // Where an event goes that reached no function.
            fields.remove("DeadLetterConfig");
            fields.remove("RedrivePolicy");
            assert!(!about_messages(&properties), "{id}, {name} listens to what the functions send");
            if let Some(pattern) = properties.get("Pattern") {
                let sources = list(&pattern["source"]);
                let ours = ["aws.lambda", "aws.sns", "aws.sqs", "aws.logs"];
                assert!(!sources.is_empty(), "{id}, {name} listens to everything");
                assert!(sources.iter().all(|it| it.as_str().is_some_and(|it| !ours.contains(&it))), "{id}, {name}");
            }
        }
    }
    for (id, subscription) in template.resources("AWS::SNS::Subscription") {
        let protocol = &subscription["Properties"]["Protocol"];
        assert!(!about_messages(subscription) || protocol == "email", "{id} sends messages on to {protocol}");
    }
    assert!(template.resources("AWS::Lambda::EventSourceMapping").is_empty(), "nothing is polled");
}

#[test]
fn nothing_that_is_sent_comes_back_to_where_it_was_sent_from() {
    let sends = sends(&Template::read());
    let places: BTreeSet<&String> = sends.keys().filter(|it| !it.ends_with("Function")).collect();
    assert!(sends.values().flatten().any(|it| it == "Topic"), "the functions tell people");
    assert!(places.iter().any(|it| *it == "BudgetTopic"), "a topic wakes a function");
    for place in places {
        let (mut reached, mut fresh) = (BTreeSet::new(), vec![place]);
        while let Some(from) = fresh.pop() {
            fresh.extend(sends.get(from).into_iter().flatten().filter(|it| reached.insert(*it)));
        }
        assert!(!reached.contains(place), "what is sent to {place} is in the end sent to it again, by {reached:?}");
    }
}

/// Who hands messages on to whom: functions, topics and queues, by their logical ids.
fn sends(template: &Template) -> BTreeMap<String, BTreeSet<String>> {
    let mut sends = BTreeMap::<String, BTreeSet<String>>::new();
    let mut send = |from: &str, to: &str| {
        sends.entry(from.to_owned()).or_default().insert(to.to_owned());
    };
    for function in folders("functions") {
        let id = logical_id(&function);
        for statement in template.statements(&role_of(template, &function)) {
            let hands_on = ["sns:Publish", "sqs:SendMessage", "lambda:InvokeFunction"];
            if actions(statement).iter().any(|it| hands_on.contains(&it.as_str())) {
                list(&statement["Resource"]).into_iter().for_each(|it| send(&id, &place(it)));
            }
        }
    }
    for (id, properties) in template.functions() {
        for event in properties["Events"].as_object().into_iter().flat_map(|it| it.values()) {
            let source = [("SNS", "Topic"), ("SQS", "Queue")].into_iter().find(|(kind, _)| event["Type"] == *kind);
            source.into_iter().for_each(|(_, field)| send(&place(&event["Properties"][field]), id));
        }
    }
    for subscription in template.resources("AWS::SNS::Subscription").into_values() {
        let properties = &subscription["Properties"];
        if ["lambda", "sqs"].iter().any(|it| properties["Protocol"] == *it) {
            send(&place(&properties["TopicArn"]), &place(&properties["Endpoint"]));
        }
    }
    for alarm in template.resources("AWS::CloudWatch::Alarm").into_values() {
        for dimension in list(&alarm["Properties"]["Dimensions"]) {
            let about = &dimension["Value"];
            if about.is_object() {
                list(&alarm["Properties"]["AlarmActions"]).into_iter().for_each(|it| send(&place(about), &place(it)));
            }
        }
    }
    sends
}

/// The logical id in a reference, or of the function that a text with the stack's name means.
fn place(value: &Value) -> String {
    let id = value["Ref"].as_str().or(value["Fn::GetAtt"][0].as_str()).map(str::to_owned);
    let named =
        || value["Fn::Sub"].as_str()?.split_once("function:${AWS::StackName}-").map(|(_, name)| logical_id(name));
    id.or_else(named).unwrap_or_else(|| panic!("{value} is nowhere that messages go to"))
}

#[test]
fn only_this_account_publishes_messages() {
    let template = Template::read();
    let policies = template.resources("AWS::SNS::TopicPolicy");
    let topics: Vec<&str> = template.resources("AWS::SNS::Topic").into_keys().collect();
    assert_eq!(policies.keys().map(|it| it.trim_end_matches("Policy")).collect::<Vec<_>>(), topics);
    for (id, publishers) in [
        ("BudgetTopicPolicy", &["budgets.amazonaws.com", "costalerts.amazonaws.com"][..]),
        ("TopicPolicy", &["cloudwatch.amazonaws.com"]),
    ] {
        let properties = &policies[id]["Properties"];
        let topic = json!({ "Ref": id.trim_end_matches("Policy") });
        assert_eq!(properties["Topics"], json!([topic]));
        let mut allowed = Vec::new();
        for statement in list(&properties["PolicyDocument"]["Statement"]) {
            assert_eq!((&statement["Action"], &statement["Resource"]), (&json!("sns:Publish"), &topic));
            let condition = &statement["Condition"];
            match statement["Effect"].as_str() {
                Some("Allow") => {
                    let service = statement["Principal"]["Service"].as_str().expect("a service");
                    assert_eq!(
                        reference(&condition["StringEquals"]["aws:SourceAccount"]),
                        "AWS::AccountId",
                        "{service}"
                    );
                    allowed.push(service);
                }
                _ => assert_eq!(condition["Bool"]["aws:SecureTransport"], "false"),
            }
        }
        assert_eq!(allowed, publishers, "{id}");
    }
}

#[test]
fn the_stacks_budget_is_enforced_and_speaks_to_a_topic_of_its_own() {
    let template = Template::read();
    let budget = &template.0["Resources"]["MonthlyBudget"];
    assert_eq!((&budget["Condition"], &budget["DependsOn"]), (&json!("HasBudget"), &json!("BudgetTopicPolicy")));
    let tag = &budget["Properties"]["ResourceTags"][0];
    assert_eq!(tag["Key"], "nightshift:budget");
    assert!(tag["Value"].as_str().is_some_and(|it| it.starts_with("enforce")), "{tag}");
    let mut steps = Vec::new();
    for notification in list(&budget["Properties"]["NotificationsWithSubscribers"]) {
        let subscribers = json!([{ "SubscriptionType": "SNS", "Address": { "Ref": "BudgetTopic" } }]);
        assert_eq!(notification["Subscribers"], subscribers);
        let it = &notification["Notification"];
        assert_eq!(it["ThresholdType"], "PERCENTAGE");
        steps.push(format!("{} {}", it["NotificationType"].as_str().expect("a kind"), it["Threshold"]));
    }
    assert_eq!(steps, ["FORECASTED 80", "ACTUAL 80", "ACTUAL 100"]);
}

// -------------------------------------------------------------------------------- environment

#[test]
fn the_template_sets_what_the_code_reads_but_for_the_clock() {
    let read: BTreeSet<_> = shipped("shared/runtime")
        .iter()
        .flat_map(|it| it.tokens.iter())
        .filter_map(|it| match &it.kind {
            Kind::Literal(text) => Some(text.trim_matches('"').to_owned()),
            _ => None,
        })
        .filter(|it| it.starts_with("NIGHTSHIFT_") && it.chars().all(|it| it.is_ascii_uppercase() || it == '_'))
        .filter(|it| it != "NIGHTSHIFT_NOW" && it != "NIGHTSHIFT_")
        .collect();
    for (id, properties) in Template::read().functions() {
        let variables = properties["Environment"]["Variables"].as_object().expect("an environment");
        let set: BTreeSet<_> = variables.keys().filter(|it| it.starts_with("NIGHTSHIFT_")).cloned().collect();
        assert_eq!(set, read, "{id}");
        assert_eq!(variables.len(), set.len(), "{id}: no code reads the others");
    }
}

#[test]
fn the_clock_is_never_fixed_in_an_account() {
    assert!(!Template::read().0.to_string().contains("NIGHTSHIFT_NOW"));
}

/// What CloudFormation takes and the functions refuse would stop each of their runs.
#[test]
fn an_address_of_runbooks_that_the_template_takes_is_one_for_the_functions() {
    let samples = [
        ("https://wiki.example", true),
        ("https://wiki.example/ops/", true),
        ("https://wiki.example:8443/ops", true),
        ("https://wiki.example/ops?of={name}#{problem}", true),
        ("https://wiki.example/{function}/{problem}", true),
        ("https://wiki.example/page?id=4", false),
        ("https://wiki.example#{problem}", false),
        ("https://wiki.example/{resource}", false),
        ("https://wiki.example/{name", false),
        ("https://ops@wiki.example/{name}", false),
        ("https://wiki/ops", false),
        ("https://wiki.example/a b", false),
        ("http://wiki.example/ops", false),
    ];
    let parameter = &Template::read().0["Parameters"]["RunbookBase"];
    let matches = "import re, sys\nfor it in sys.argv[2:]: print(bool(re.fullmatch(sys.argv[1], it)))";
    let mut python = std::process::Command::new("python3");
    python.args(["-c", matches, parameter["AllowedPattern"].as_str().expect("a pattern")]);
    let output = python.args(samples.map(|(text, _)| text)).output().expect("Python starts");
    let taken = String::from_utf8_lossy(&output.stdout).lines().map(|it| it == "True").collect::<Vec<_>>();
    assert_eq!(taken, samples.map(|(_, accepted)| accepted), "{output:?}");
    for (text, _) in samples.iter().zip(taken).filter(|(_, taken)| *taken).map(|(it, _)| it) {
        let read = text.parse::<reconcile::message::RunbookBase>();
        assert!(read.is_ok(), "{text}: {read:?}");
    }
    assert!(parameter["MaxLength"].as_u64().is_some_and(|it| it <= 200));
}

/// What is about a shop's own resources belongs into `deploy/watch.yaml`, and what is about a chat into `deploy/chat.yaml`.
#[test]
fn the_template_can_be_read_in_one_go() {
    // The script of the document is read in its own file.
    let script = read("deploy/compose/deploy.sh").lines().count();
    let lines = read("template.yaml").lines().count() - script;
    assert!(lines <= 2_940, "template.yaml has {lines} lines; two or three actions fit on one line");
}

/// checkov takes a suppression without a reason as well.
#[test]
fn every_check_that_is_skipped_says_why() {
    let text = read("template.yaml");
    let skipped: Vec<_> = text.lines().filter_map(|it| it.trim().strip_prefix("# checkov:skip=")).collect();
    assert!(!skipped.is_empty());
    for it in skipped {
        let reason = it.split_once(':').map_or("", |(_, reason)| reason);
        assert!(reason.split(' ').count() >= 5, "'{it}' has no reason");
    }
}

#[test]
fn every_parameter_is_explained_and_grouped() {
    let template = Template::read();
    let interface = &template.0["Metadata"]["AWS::CloudFormation::Interface"];
    let grouped: BTreeSet<_> = list(&interface["ParameterGroups"])
        .into_iter()
        .flat_map(|it| list(&it["Parameters"]))
        .map(|it| it.as_str().expect("a name").to_owned())
        .collect();
    let labelled = interface["ParameterLabels"].as_object().expect("labels");
    let readme = read("README.md");
    for (name, parameter) in template.0["Parameters"].as_object().expect("parameters") {
        assert!(parameter["Description"].is_string(), "{name} is not explained");
        assert!(!parameter["Default"].is_null(), "{name} has no default");
        assert_eq!(parameter["AllowedPattern"].is_string(), parameter["ConstraintDescription"].is_string(), "{name}");
        assert!(grouped.contains(name), "{name} is in no group");
        assert!(labelled.contains_key(name), "{name} has no label");
        assert!(readme.contains(&format!("`{name}")), "README.md says nothing of {name}");
    }
}

#[test]
fn what_is_deployed_as_it_is_shipped_changes_nothing() {
    let template = Template::read();
    let settings: toml::Table = read("samconfig.toml").parse().expect("samconfig.toml is TOML");
    let overrides = settings["default"]["global"]["parameters"]["parameter_overrides"].as_str().expect("a text");
    let overrides: BTreeMap<_, _> = overrides.split(' ').filter_map(|it| it.split_once('=')).collect();
    assert_eq!(overrides.get("DryRun"), Some(&"true"));
    assert!(overrides.contains_key("TimeZone"), "{overrides:?}");
    let parameters = template.0["Parameters"].as_object().expect("parameters");
    assert_none(overrides.keys().filter(|it| !parameters.contains_key(**it)).map(|it| format!("no {it}")).collect());
}

// -------------------------------------------------------------------------------- sample events

#[test]
fn every_sample_event_is_json_and_listed() {
    let readme = read("events/README.md");
    let mut wrong = Vec::new();
    let samples = files("events", ".json");
    for path in &samples {
        serde_json::from_str::<Value>(&read(path)).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
        let inside = path.strip_prefix("events").expect("it lies in events").display();
        if !readme.contains(&format!("]({inside})")) {
            wrong.push(format!("events/README.md does not list {inside}"));
        }
    }
    assert_eq!(readme.matches(".json](").count(), samples.len(), "events/README.md lists a file that is not there");
    assert_none(wrong);
}

#[test]
fn the_rules_let_through_what_the_functions_act_on() {
    let template = Template::read();
    let functions = template.functions();
    let woken_in = |function: &str, sample: &str| -> Vec<String> {
        let event: Value = serde_json::from_str(&read(format!("events/{function}/{sample}.json"))).expect("JSON");
        let events = &functions[logical_id(function).as_str()]["Events"];
        let events = events.as_object().expect("something wakes the function");
        let matching = events.iter().filter(|(_, it)| {
            let pattern = &it["Properties"]["Pattern"];
            !pattern.is_null() && matches(pattern, &event)
        });
        matching.map(|(name, _)| name.clone()).collect()
    };
    for available in ["snapshot-created", "cluster-snapshot-created"] {
        assert_eq!(woken_in("snapshot-databases", available), ["SnapshotAvailable"]);
    }
    assert!(woken_in("snapshot-databases", "snapshot-creating").is_empty());
    for change in ["alarm", "ok", "math", "anomaly", "composite", "muted", "log"] {
        assert_eq!(woken_in("remediate-alarm", &format!("state-change-{change}")), ["StateChanged"], "{change}");
    }
    assert_eq!(woken_in("remediate-alarm", "contributor-alarm"), ["StateChanged"]);
    let woken_by = |sample: &str| woken_in("deploy-image", sample);
    assert_eq!(woken_by("ecr-push"), ["ImagePushed"]);
    assert_eq!(woken_by("ecr-push-multi-arch-index"), ["ImagePushed"]);
    assert!(woken_by("ecr-push-untagged").is_empty());
    assert_eq!(woken_by("ecr-scan-complete"), ["ImageScanned"]);
    assert_eq!(woken_by("inspector-scan-complete"), ["ImageInspected"]);
    for available in ["snapshot-available", "cluster-snapshot-available"] {
        assert_eq!(woken_by(available), ["SnapshotAvailable"]);
    }
    assert_eq!(woken_by("migration-stopped"), ["MigrationEnded"]);
    assert_eq!(woken_by("ecs-deployment-completed"), ["DeploymentEnded"]);
    assert_eq!(woken_by("ecs-hook-awaiting"), ["DeploymentPaused"]);
    assert_eq!(woken_by("ecs-deployment-failed"), ["DeploymentEnded"]);
    assert!(woken_by("ecs-deployment-in-progress").is_empty());
    assert!(woken_by("sweep").is_empty());
}

/// Whether EventBridge matches the event, as far as the template's patterns go: equal values, `prefix` and `anything-but`.
fn matches(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(fields) => fields.iter().all(|(name, it)| matches(it, &event[name])),
        Value::Array(choices) => choices.iter().any(|choice| match choice.as_object() {
            None => choice == event,
            Some(operator) => match operator.keys().map(String::as_str).collect::<Vec<_>>()[..] {
                ["anything-but"] => !event.is_null() && !list(&choice["anything-but"]).contains(&event),
                ["prefix"] => {
                    event.as_str().zip(choice["prefix"].as_str()).is_some_and(|(it, start)| it.starts_with(start))
                }
                _ => panic!("{choice} is an operator that this does not know"),
            },
        }),
        other => panic!("{other} is not a pattern"),
    }
}

#[track_caller]
fn assert_none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
