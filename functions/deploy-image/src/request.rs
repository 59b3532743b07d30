//! Events and commands, reduced to where to look and what a person asks for.

use runtime::{Argument, BusEvent, Reading, no_such_command, not_for_us};
use serde_json::Value;

use crate::plan::{Command, STARTED_BY, Scope, ServiceName, family};

/// What a run of this function was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub scope: Scope,
    /// What a person commands, if a person did.
    pub command: Option<Command>,
}

impl runtime::Request for Request {
    const ACCEPTED: &'static [&'static str] = &[
        "{} (look everywhere)",
        "{\"dry_run\":true}",
        "{\"approve\":{\"service\":\"CLUSTER/SERVICE\",\"image\":\"TAG or sha256:DIGEST\"}}",
        "{\"approve\":{\"service\":\"CLUSTER/SERVICE\",\"image\":\"TAG\",\"now\":true}} (without the rest of a soak)",
        "{\"reject\":{\"service\":\"CLUSTER/SERVICE\",\"image\":\"TAG or sha256:DIGEST\"}}",
        "{\"deploy\":{\"service\":\"CLUSTER/SERVICE\",\"image\":\"TAG or sha256:DIGEST\"}} (with \"now\":true: through no gate)",
        "{\"rollback\":{\"service\":\"CLUSTER/SERVICE\"}} (with \"image\": only if that one runs)",
        "{\"clear\":{\"service\":\"CLUSTER/SERVICE\"}} (with \"image\": only if that one is rejected)",
        "{\"status\":{\"service\":\"CLUSTER/SERVICE\",\"image\":\"TAG or sha256:DIGEST\"}} (where the image stands; changes nothing)",
        "{\"resource\":\"ARN of a service\"} (look at it now)",
        "EventBridge events \"ECR Image Action\", \"ECR Replication Action\", \"ECR Image Scan\", \"Inspector2 Scan\", \
         \"ECS Deployment State Change\", \"ECS Hook State Change\", \"ECS Task State Change\", \"RDS DB Snapshot Event\", \
         \"RDS DB Cluster Snapshot Event\" and \"CodeDeploy Deployment State-change Notification\"",
    ];

    fn sweep() -> Self {
        Request { scope: Scope::Everywhere, command: None }
    }

    fn command(name: &str, argument: Value) -> Result<Reading<Self>, String> {
        command(name, argument).map(Reading::Work)
    }

    fn bus(event: &BusEvent) -> Result<Reading<Self>, String> {
        Ok(bus_event(event)?.map(|scope| Request { scope, command: None }))
    }
}

fn bus_event(event: &BusEvent) -> Result<Reading<Scope>, String> {
    match (event.source.as_str(), event.detail_type.as_str()) {
        ("aws.ecr", "ECR Image Action" | "ECR Replication Action") => image_action(&event.detail),
        ("aws.ecr", "ECR Image Scan") | ("aws.inspector2", "Inspector2 Scan") => {
            scan_end(&event.detail).map(Reading::Work)
        }
        ("aws.ecs", "ECS Deployment State Change") => deployment_change(event),
        ("aws.codedeploy", "CodeDeploy Deployment State-change Notification") => {
            group_of(&event.detail).map(Reading::Work)
        }
        ("aws.rds", "RDS DB Snapshot Event" | "RDS DB Cluster Snapshot Event") => Ok(snapshot_event(&event.detail)),
        ("aws.ecs", "ECS Hook State Change") => hook_change(&event.detail),
        ("aws.ecs", "ECS Task State Change") => task_change(&event.detail),
        _ => Err(not_for_us(event)),
    }
}

fn image_action(detail: &Value) -> Result<Reading<Scope>, String> {
    let field = |name: &str| detail.get(name).and_then(Value::as_str).unwrap_or_default();
    let repository = field("repository-name");
    if repository.is_empty() {
        return Err("an \"ECR Image Action\" event without repository-name".into());
    }
    let no_work = |reason| Reading::no_work(repository, reason);
    Ok(match (field("action-type"), field("result"), field("image-tag")) {
        // An image that was replicated from another region or account counts as pushed here.
        ("PUSH" | "REPLICATE", "SUCCESS", "") => {
            no_work("an image without a tag was pushed, such as a part of a multi-platform image")
        }
        ("PUSH" | "REPLICATE", "SUCCESS", _) => Reading::Work(Scope::Repository(repository.into())),
        ("PUSH" | "REPLICATE", _, _) => no_work("the push did not succeed"),
        _ => no_work("nothing was pushed"),
    })
}

/// The scan of an image has ended, well or not. Inspector names the repository by its ARN.
fn scan_end(detail: &Value) -> Result<Scope, String> {
    let repository = detail.get("repository-name").and_then(Value::as_str).unwrap_or_default();
    let name = repository.split_once(":repository/").map_or(repository, |(_, name)| name);
    match name {
        "" => Err("an event of a scan without repository-name".into()),
        name => Ok(Scope::Repository(name.into())),
    }
}

fn deployment_change(event: &BusEvent) -> Result<Reading<Scope>, String> {
    let arn = event.resources.first().ok_or("an \"ECS Deployment State Change\" event that names no service")?;
    match ServiceName::of_arn(arn) {
        Some(name) => Ok(Reading::Work(Scope::Service(name))),
        None => Ok(Reading::no_work(arn, "the service has an ARN of the old short form, which cannot carry tags")),
    }
}

/// A deployment has come to a hook. The event names no image, so the service is read.
fn hook_change(detail: &Value) -> Result<Reading<Scope>, String> {
    let field = |name: &str| detail.get(name).and_then(Value::as_str).unwrap_or_default();
    let arn = field("serviceArn");
    let name = ServiceName::of_arn(arn).ok_or("an \"ECS Hook State Change\" event that names no service")?;
    Ok(match field("eventName") {
        "HOOK_AWAITING_ACTION" | "HOOK_TIMED_OUT" => Reading::Work(Scope::Service(name)),
        _ => Reading::no_work(arn, "no deployment of it waits at the hook"),
    })
}

/// CodeDeploy names the group; which service that deploys is asked of CodeDeploy.
fn group_of(detail: &Value) -> Result<Scope, String> {
    let field = |name: &str| detail.get(name).and_then(Value::as_str).filter(|it| !it.is_empty()).map(str::to_owned);
    match (field("application"), field("deploymentGroup")) {
        (Some(application), Some(group)) => Ok(Scope::DeploymentGroup { application, group }),
        _ => {
            Err("a \"CodeDeploy Deployment State-change Notification\" event without application or deploymentGroup"
                .into())
        }
    }
}

/// A manual snapshot is available; those before deployments open a gate.
fn snapshot_event(detail: &Value) -> Reading<Scope> {
    let field = |name: &str| detail.get(name).and_then(Value::as_str).unwrap_or_default();
    let id = field("SourceIdentifier");
    match field("EventID") {
        "RDS-EVENT-0042" | "RDS-EVENT-0075" => Reading::Work(Scope::Snapshot(id.into())),
        _ => Reading::no_work(id, "no snapshot has become available"),
    }
}

/// A task has changed; a migration that stopped lets its image go on, or not.
fn task_change(detail: &Value) -> Result<Reading<Scope>, String> {
    let field = |name: &str| detail.get(name).and_then(Value::as_str).unwrap_or_default();
    let definition = field("taskDefinitionArn");
    if definition.is_empty() {
        return Err("an \"ECS Task State Change\" event without taskDefinitionArn".into());
    }
    let no_work = |reason| Reading::no_work(field("taskArn"), reason);
    Ok(match (field("lastStatus"), field("startedBy").starts_with(STARTED_BY)) {
        ("STOPPED", true) => Reading::Work(Scope::Migration(family(definition).into())),
        (_, false) => no_work("the task is not a migration of this function"),
        (_, true) => no_work("the migration still runs"),
    })
}

fn command(name: &str, argument: Value) -> Result<Request, String> {
    if name == "resource" {
        return wake_up(&argument);
    }
    let form = match name {
        "approve" => {
            "{\"service\":\"CLUSTER/SERVICE\",\"image\":\"TAG or sha256:DIGEST\"} or that and \"hook\":\"ID\" or \"now\":true"
        }
        "reject" | "status" => "{\"service\":\"CLUSTER/SERVICE\",\"image\":\"TAG or sha256:DIGEST\"}",
        "deploy" => "{\"service\":\"CLUSTER/SERVICE\",\"image\":\"TAG or sha256:DIGEST\"} or that and \"now\":true",
        "rollback" | "clear" => "{\"service\":\"CLUSTER/SERVICE\"} or that and \"image\":\"TAG or sha256:DIGEST\"",
        _ => return Err(no_such_command(name)),
    };
    let mut argument = Argument::read(name, argument, form)?;
    let service = argument.text("service")?;
    let service = ServiceName::parse(&service)
        .ok_or_else(|| format!("\"{name}\": service \"{service}\" is not CLUSTER/SERVICE"))?;
    let command = match name {
        "approve" => Command::Approve {
            image: argument.text("image")?,
            hook: argument.optional_text("hook")?,
            now: argument.flag("now")?,
        },
        "deploy" => Command::Deploy { image: argument.text("image")?, now: argument.flag("now")? },
        "reject" => Command::Reject { image: argument.text("image")? },
        "status" => Command::Status { image: argument.text("image")? },
        "rollback" => Command::RollBack { image: argument.optional_text("image")? },
        _ => Command::Clear { image: argument.optional_text("image")? },
    };
    argument.end()?;
    Ok(Request { scope: Scope::Service(service), command: Some(command) })
}

/// Another function has written a request on a service.
fn wake_up(argument: &Value) -> Result<Request, String> {
    let service = argument.as_str().and_then(ServiceName::of_arn);
    let service =
        service.ok_or_else(|| format!("\"resource\": {argument} is not the ARN of a service in a cluster"))?;
    Ok(Request { scope: Scope::Service(service), command: None })
}

#[cfg(test)]
mod tests {
    use runtime::Request as _;
    use serde_json::json;

    use super::*;

    /// What becomes of a sample file of `events/deploy-image`.
    fn sample(name: &str) -> Result<Reading<Request>, String> {
        let path = format!("{}/../../events/deploy-image/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let payload = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Request::read(runtime::event(payload)?)
    }

    #[track_caller]
    fn check(name: &str, scope: Scope, command: Option<Command>) {
        assert_eq!(sample(name), Ok(Reading::Work(Request { scope, command })), "{name}");
    }

    fn api_server() -> Scope {
        Scope::Service(ServiceName { cluster: "truegul-production".into(), name: "api-server".into() })
    }

    #[test]
    fn every_sample_is_reduced_to_where_to_look() {
        for sweep in ["sweep", "dry-run", "scheduled-default"] {
            check(sweep, Scope::Everywhere, None);
        }
        for push in ["ecr-push", "ecr-push-multi-arch-index", "ecr-replication"] {
            check(push, Scope::Repository("truegul-api-server".into()), None);
        }
        for change in ["ecs-deployment-in-progress", "ecs-deployment-completed", "ecs-deployment-failed"] {
            check(change, api_server(), None);
        }
        check("approve", api_server(), Some(Command::Approve { image: "v1.1.0".into(), hook: None, now: false }));
        check("deploy", api_server(), Some(Command::Deploy { image: "v1.0.0".into(), now: true }));
        check("status", api_server(), Some(Command::Status { image: "v1.1.0".into() }));
        check("reject", api_server(), Some(Command::Reject { image: "v1.1.0".into() }));
        check("rollback", api_server(), Some(Command::RollBack { image: None }));
        check("clear", api_server(), Some(Command::Clear { image: None }));
        check("migration-stopped", Scope::Migration("truegul-production-migrate".into()), None);
        let snapshot = "nightshift-predeploy-truegul-db-f08ecf662fa0";
        for available in ["snapshot-available", "cluster-snapshot-available"] {
            check(available, Scope::Snapshot(snapshot.into()), None);
        }
        check("ecs-hook-awaiting", api_server(), None);
        check("wake-up", api_server(), None);
        for scan in ["ecr-scan-complete", "inspector-scan-complete"] {
            check(scan, Scope::Repository("truegul-api-server".into()), None);
        }
        for change in ["codedeploy-success", "codedeploy-failure", "codedeploy-stop", "codedeploy-ready"] {
            let scope = Scope::DeploymentGroup { application: "kfood".into(), group: "kfood-backend".into() };
            check(change, scope, None);
        }
        assert!(matches!(sample("ecr-push-untagged").unwrap(), Reading::NoWork { .. }));
    }

    #[test]
    fn no_sample_is_forgotten() {
        let folder = format!("{}/../../events/deploy-image", env!("CARGO_MANIFEST_DIR"));
        let samples: Vec<_> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
        assert_eq!(samples.len(), 27);
        for path in samples {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(sample(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn what_is_not_for_us_is_refused_with_the_word_at_fault() {
        let bus = |detail_type: &str, detail: Value| json!({"source": "aws.ecr", "detail-type": detail_type, "detail": detail, "resources": []});
        for (payload, wrong) in [
            (json!({"aprove": {}}), "there is no command \"aprove\""),
            (json!({"approve": {"service": "a/b"}}), "\"approve\" lacks \"image\"; it takes {\"service\":"),
            (json!({"approve": {"image": "v1"}}), "\"approve\" lacks \"service\"; it takes {\"service\":"),
            (json!({"approve": {"service": "b", "image": "v1"}}), "\"approve\": service \"b\" is not CLUSTER/SERVICE"),
            (json!({"clear": {"service": "a/b", "image": 1}}), "\"clear\": \"image\" is 1, not a text in quotes;"),
            (json!({"clear": {"service": "a/b", "force": true}}), "\"clear\" knows no \"force\"; it takes"),
            (
                json!({"deploy": {"service": "a/b", "image": "v1", "now": 1}}),
                "\"deploy\": \"now\" is 1, not true or false;",
            ),
            (json!({"rollback": "api"}), "\"rollback\" takes {\"service\":\"CLUSTER/SERVICE\"} or that and"),
            (bus("ECR Image Scan", json!({})), "an event of a scan without repository-name"),
            (
                bus("ECR Referrer Action", json!({})),
                "an event \"ECR Referrer Action\" of aws.ecr is not for this function",
            ),
            (json!({"resource": "truegul/api"}), "\"resource\": \"truegul/api\" is not the ARN of a service"),
            (json!({"resource": {"service": "a/b"}}), "\"resource\": {\"service\":\"a/b\"} is not the ARN"),
            (json!({"resource": "arn:aws:rds:ap-northeast-2:123456789012:db:app"}), "\"resource\": \"arn:aws:rds:"),
            (bus("ECR Image Action", json!("{}")), "an \"ECR Image Action\" event without repository-name"),
            (
                json!({"source": "aws.codedeploy", "detail-type": "CodeDeploy Deployment State-change Notification",
                       "detail": {"application": "kfood", "deploymentGroup": ""}, "resources": []}),
                "a \"CodeDeploy Deployment State-change Notification\" event without application or deploymentGroup",
            ),
        ] {
            let refused = runtime::event(payload).and_then(Request::read).unwrap_err();
            assert!(refused.starts_with(wrong), "{refused}");
        }
    }

    #[test]
    fn pushes_without_a_new_image_are_no_work() {
        let push = |action: &str, result: &str, tag: Value| {
            image_action(&json!({"action-type": action, "result": result, "repository-name": "r", "image-tag": tag}))
        };
        assert_eq!(push("PUSH", "SUCCESS", json!("v1")), Ok(Reading::Work(Scope::Repository("r".into()))));
        for (action, result, tag) in
            [("PUSH", "FAILURE", json!("v1")), ("DELETE", "SUCCESS", json!("v1")), ("PUSH", "SUCCESS", Value::Null)]
        {
            assert!(matches!(push(action, result, tag).unwrap(), Reading::NoWork { .. }), "{action} {result}");
        }
    }

    #[test]
    fn a_snapshot_that_is_not_available_is_no_work() {
        let nothing = snapshot_event(&json!({"EventID": "RDS-EVENT-0040", "SourceIdentifier": "s"}));
        assert!(matches!(nothing, Reading::NoWork { .. }));
    }

    #[test]
    fn a_task_that_is_no_migration_or_still_runs_is_no_work() {
        let task = |started_by: &str, status: &str| {
            task_change(&json!({"startedBy": started_by, "lastStatus": status, "taskArn": "arn:task",
                "taskDefinitionArn": "arn:aws:ecs:ap-northeast-2:123456789012:task-definition/m:7"}))
        };
        assert_eq!(task("ns-1", "STOPPED"), Ok(Reading::Work(Scope::Migration("m".into()))));
        for (started_by, status) in [("ecs-svc/1", "STOPPED"), ("", "STOPPED"), ("ns-1", "RUNNING")] {
            assert!(matches!(task(started_by, status), Ok(Reading::NoWork { .. })), "{started_by} {status}");
        }
        assert!(task_change(&json!({"lastStatus": "STOPPED"})).is_err());
    }

    #[test]
    fn an_old_short_arn_is_no_work() {
        let event = BusEvent {
            source: "aws.ecs".into(),
            detail_type: "ECS Deployment State Change".into(),
            resources: vec!["arn:aws:ecs:ap-northeast-2:123456789012:service/api-server".into()],
            detail: json!({}),
        };
        assert!(matches!(bus_event(&event).unwrap(), Reading::NoWork { .. }));
    }
}
