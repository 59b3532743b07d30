//! What a task definition names is looked for before a revision of it is registered, and only then.

use serde_json::{Value, json};

use crate::aws::Script;
use crate::{push_event, told};

const SECRET: &str = "arn:aws:secretsmanager:ap-northeast-2:123456789012:secret:api/db-AbCdEf";

/// Three services on one task definition, and a second one that says the same for a fourth; v1.1.0 is pushed.
fn shop(missing: &[&'static str]) -> Script {
    let script = Script::new();
    script.push("api", "v1.0.0", 1, 1);
    script.push("api", "v1.1.0", 2, 5);
    let containers = json!([{"name": "app", "image": "123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/api:v1.0.0",
        "secrets": [{"name": "DB", "valueFrom": format!("{SECRET}:password::")}, {"name": "USER", "valueFrom": format!("{SECRET}:user::")},
                    {"name": "KEY", "valueFrom": "arn:aws:ssm:ap-northeast-2:123456789012:parameter/shop/key"}],
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/api"}}}]);
    let fields = json!({"executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "taskRoleArn": "arn:aws:iam::123456789012:role/task", "containerDefinitions": containers});
    let mut aws = script.aws();
    aws.missing = missing.to_vec();
    let first = aws.add_revision("api", fields.clone(), json!([]));
    for name in ["a", "b", "c"] {
        aws.add_service(&format!("shop/{name}"), "semver", &first);
    }
    let second = aws.add_revision("worker", fields, json!([]));
    aws.add_service("shop/worker", "semver", &second);
    drop(aws);
    script
}

const READS: [(&str, usize); 4] =
    [("GetRole", 2), ("DescribeSecret", 1), ("DescribeParameters", 2), ("DescribeLogGroups", 1)];

#[tokio::test(start_paused = true)]
async fn each_thing_is_looked_for_once_for_all_services_and_not_at_all_when_nothing_goes_out() {
    let script = shop(&[]);
    let report = script.invoke(push_event("api")).await.unwrap();
    assert!(told(&report).iter().all(|it| it.ends_with(" deploy Done")), "{:?}", told(&report));
    for (operation, times) in READS {
        assert_eq!(script.count(operation), times, "{operation}");
    }
    let parameters = script.sent("DescribeParameters");
    let filter = json!([{"Key": "Name", "Option": "Equals", "Values": ["/shop/key"]}]);
    assert_eq!(parameters[0]["ParameterFilters"], filter);
    script.invoke(json!({})).await.unwrap();
    assert!(READS.iter().all(|(operation, times)| script.count(operation) == *times), "{:?}", script.counts());
}

#[tokio::test(start_paused = true)]
async fn what_aws_does_not_know_holds_every_image_that_needs_it() {
    let role = "the role execution does not exist (executionRoleArn)";
    let secret = "the secret api/db-AbCdEf does not exist (DB of container app); the secret api/db-AbCdEf does not exist (USER of \
                  container app)";
    let parameter = "the parameter /shop/key does not exist (KEY of container app)";
    let group = "the log group /ecs/api does not exist (logs of container app)";
    for (missing, expected) in [("execution", role), (SECRET, secret), ("/shop/key", parameter), ("/ecs/api", group)] {
        let script = shop(&[missing]);
        let report = script.invoke(push_event("api")).await.unwrap();
        let held = told(&report);
        assert!(
            held.len() == 4 && held.iter().all(|it| it.contains(&format!(": {expected}. It goes out"))),
            "{held:#?}"
        );
        assert_eq!(script.count("RegisterTaskDefinition"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_read_or_gives_no_answer_holds_nothing() {
    let denied = |script: &Script| {
        for (operation, code) in [
            ("GetRole", "AccessDenied"),
            ("DescribeSecret", "AccessDeniedException"),
            ("DescribeParameters", "AccessDeniedException"),
            ("DescribeLogGroups", "AccessDeniedException"),
        ] {
            script.fail(operation, "", 100, 400, code);
        }
    };
    let broken = |script: &Script| READS.iter().for_each(|(it, _)| script.fail(it, "", 100, 500, "InternalFailure"));
    for faulty in [&denied as &dyn Fn(&Script), &broken] {
        let script = shop(&["execution", SECRET, "/shop/key", "/ecs/api"]);
        faulty(&script);
        let report = script.invoke(push_event("api")).await.unwrap();
        assert!(told(&report).iter().all(|it| it.ends_with(" deploy Done")), "{:?}", told(&report));
        assert_eq!(report.problems, Vec::<reconcile::Problem>::new());
        assert_eq!(script.sent("UpdateService").len(), 4);
        assert_ne!(script.sent("RegisterTaskDefinition")[0], Value::Null);
    }
}
