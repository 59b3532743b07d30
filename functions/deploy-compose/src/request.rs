//! Events and commands, reduced to where to look and what a person asks for.

use runtime::{Argument, BusEvent, Reading, no_such_command, not_for_us};
use serde_json::Value;

use crate::plan::{Command, Scope};

/// What a run of this function was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub(crate) scope: Scope,
    /// What a person commands, if a person did.
    pub(crate) command: Option<Command>,
}

const IMAGE: &str = "{\"instance\":\"ID or NAME\",\"image\":\"TAG or sha256:DIGEST\"}";
const MAYBE_IMAGE: &str = "{\"instance\":\"ID or NAME\"} or that and \"image\":\"TAG or sha256:DIGEST\"";
const DEPLOY: &str = "{\"instance\":\"ID or NAME\",\"image\":\"TAG or sha256:DIGEST\"} or that and \"now\":true";
const INSTANCE: &str = "{\"instance\":\"ID or NAME\"}";

impl runtime::Request for Request {
    const ACCEPTED: &'static [&'static str] = &[
        "{} (look everywhere)",
        "{\"dry_run\":true}",
        "{\"approve\":{\"instance\":\"ID or NAME\",\"image\":\"TAG or sha256:DIGEST\"}}",
        "{\"reject\":{\"instance\":\"ID or NAME\",\"image\":\"TAG or sha256:DIGEST\"}}",
        "{\"deploy\":{\"instance\":\"ID or NAME\",\"image\":\"TAG or sha256:DIGEST\"}} (with \"now\":true: through no gate)",
        "{\"rollback\":{\"instance\":\"ID or NAME\"}} (with \"image\": only if that one runs)",
        "{\"clear\":{\"instance\":\"ID or NAME\"}} (with \"image\": only if that one is rejected)",
        "{\"look\":{\"instance\":\"ID or NAME\"}} (read back what runs)",
        "{\"status\":{\"instance\":\"ID or NAME\"}} (what runs and what waits; changes nothing)",
        "EventBridge events \"ECR Image Action\", \"ECR Replication Action\", \"ECR Image Scan\", \"Inspector2 Scan\", \
         \"EC2 Command Invocation Status-change Notification\", \"EC2 Instance State-change Notification\", \
         \"RDS DB Snapshot Event\" and \"RDS DB Cluster Snapshot Event\"",
    ];

    fn sweep() -> Self {
        Request { scope: Scope::Everywhere, command: None }
    }

    fn command(name: &str, argument: Value) -> Result<Reading<Self>, String> {
        let form = match name {
            "approve" | "reject" => IMAGE,
            "deploy" => DEPLOY,
            "rollback" | "clear" => MAYBE_IMAGE,
            "look" | "status" => INSTANCE,
            _ => return Err(no_such_command(name)),
        };
        let mut argument = Argument::read(name, argument, form)?;
        let instance = argument.text("instance")?;
        if instance.trim().is_empty() || instance.len() > 256 {
            return Err(format!("\"{name}\": \"instance\" is not the id or the Name of an instance"));
        }
        let command = match name {
            "approve" => Command::Approve { image: argument.text("image")? },
            "reject" => Command::Reject { image: argument.text("image")? },
            "deploy" => Command::Deploy { image: argument.text("image")?, now: argument.flag("now")? },
            "rollback" => Command::RollBack { image: argument.optional_text("image")? },
            "clear" => Command::Clear { image: argument.optional_text("image")? },
            "look" => Command::Look,
            _ => Command::Status,
        };
        argument.end()?;
        Ok(Reading::Work(Request { scope: Scope::Instance(instance), command: Some(command) }))
    }

    fn bus(event: &BusEvent) -> Result<Reading<Self>, String> {
        let scope = match (event.source.as_str(), event.detail_type.as_str()) {
            ("aws.ecr", "ECR Image Action" | "ECR Replication Action") => image_action(&event.detail)?,
            ("aws.ecr", "ECR Image Scan") | ("aws.inspector2", "Inspector2 Scan") => {
                Reading::Work(scan_end(&event.detail)?)
            }
            ("aws.ssm", "EC2 Command Invocation Status-change Notification") => command_change(&event.detail)?,
            ("aws.ec2", "EC2 Instance State-change Notification") => state_change(&event.detail)?,
            ("aws.rds", "RDS DB Snapshot Event" | "RDS DB Cluster Snapshot Event") => snapshot_event(&event.detail),
            _ => return Err(not_for_us(event)),
        };
        Ok(scope.map(|scope| Request { scope, command: None }))
    }
}

fn field<'a>(detail: &'a Value, name: &str) -> &'a str {
    detail.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn image_action(detail: &Value) -> Result<Reading<Scope>, String> {
    let repository = field(detail, "repository-name");
    if repository.is_empty() {
        return Err("an \"ECR Image Action\" event without repository-name".into());
    }
    let pushed = matches!(field(detail, "action-type"), "PUSH" | "REPLICATE") && field(detail, "result") == "SUCCESS";
    Ok(match (pushed, field(detail, "image-tag")) {
        (false, _) => Reading::no_work(repository, "no image was pushed"),
        (true, "") => Reading::no_work(repository, "an image without a tag was pushed"),
        (true, _) => Reading::Work(Scope::Repository(repository.into())),
    })
}

/// Inspector names the repository by its ARN.
fn scan_end(detail: &Value) -> Result<Scope, String> {
    let repository = field(detail, "repository-name");
    match repository.split_once(":repository/").map_or(repository, |(_, name)| name) {
        "" => Err("an event of a scan without repository-name".into()),
        name => Ok(Scope::Repository(name.into())),
    }
}

/// A command has ended, well or not: what it said is read, not taken from the event.
fn command_change(detail: &Value) -> Result<Reading<Scope>, String> {
    let instance = field(detail, "instance-id");
    if instance.is_empty() {
        return Err("an \"EC2 Command Invocation Status-change Notification\" event without instance-id".into());
    }
    Ok(match field(detail, "status") {
        "Pending" | "InProgress" | "Delayed" | "Cancelling" => {
            Reading::no_work(instance, "the command has not ended yet")
        }
        _ => Reading::Work(Scope::Instance(instance.into())),
    })
}

fn state_change(detail: &Value) -> Result<Reading<Scope>, String> {
    match (field(detail, "instance-id"), field(detail, "state")) {
        ("", _) => Err("an \"EC2 Instance State-change Notification\" event without instance-id".into()),
        (id, "running") => Ok(Reading::Work(Scope::Instance(id.into()))),
        (id, _) => Ok(Reading::no_work(id, "the instance does not run now")),
    }
}

/// A manual snapshot is available; those before deployments open a gate.
fn snapshot_event(detail: &Value) -> Reading<Scope> {
    let id = field(detail, "SourceIdentifier");
    match field(detail, "EventID") {
        "RDS-EVENT-0042" | "RDS-EVENT-0075" if id.contains("predeploy") => Reading::Work(Scope::Everywhere),
        _ => Reading::no_work(id, "no snapshot before a deployment has become available"),
    }
}

#[cfg(test)]
mod tests {
    use runtime::Request as _;
    use serde_json::json;

    use super::*;

    /// What becomes of a sample file of `events/deploy-compose`.
    fn sample(name: &str) -> Result<Reading<Request>, String> {
        let path = format!("{}/../../events/deploy-compose/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let payload = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Request::read(runtime::event(payload)?)
    }

    const ID: &str = "i-0123456789abcdef0";

    #[test]
    fn every_sample_is_reduced_to_where_to_look() {
        let at = |scope| Ok(Reading::Work(Request { scope, command: None }));
        for name in ["sweep", "dry-run", "scheduled-default"] {
            assert_eq!(sample(name), at(Scope::Everywhere), "{name}");
        }
        for name in ["command-success", "instance-running"] {
            assert_eq!(sample(name), at(Scope::Instance(ID.into())), "{name}");
        }
        for name in ["ecr-push", "ecr-scan-complete", "inspector-scan-complete"] {
            assert!(matches!(sample(name), Ok(Reading::Work(Request { scope: Scope::Repository(_), .. }))), "{name}");
        }
        for (name, reason) in [
            ("command-in-progress", "the command has not ended yet"),
            ("instance-stopped", "the instance does not run now"),
        ] {
            assert_eq!(sample(name), Ok(Reading::no_work(ID, reason)), "{name}");
        }
        for name in ["ecr-push-untagged", "snapshot-available"] {
            assert!(sample(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn every_command_names_an_instance() {
        let of = |name: &str| match sample(name) {
            Ok(Reading::Work(Request { scope: Scope::Instance(name), command: Some(command) })) => (name, command),
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(of("deploy").1, Command::Deploy { image: "v1.2.0".into(), now: true });
        assert_eq!(of("reject"), (ID.into(), Command::Reject { image: "v1.2.0".into() }));
        assert_eq!(of("rollback").1, Command::RollBack { image: None });
        assert_eq!(of("clear").1, Command::Clear { image: Some("v1.2.0".into()) });
        assert_eq!((of("look").1, of("status").1), (Command::Look, Command::Status));
        assert!(matches!(of("approve").1, Command::Approve { .. }));
    }

    #[test]
    fn what_is_not_for_us_is_refused_with_the_word_at_fault() {
        for (payload, wrong) in [
            (json!({"run": {}}), "there is no command \"run\"".to_owned()),
            (json!({"look": {}}), format!("\"look\" lacks \"instance\"; it takes {INSTANCE}")),
            (
                json!({"look": {"instance": " "}}),
                "\"look\": \"instance\" is not the id or the Name of an instance".into(),
            ),
            (
                json!({"source": "aws.ssm", "detail-type": "EC2 Command Status-change Notification", "detail": {}}),
                "an event \"EC2 Command Status-change Notification\" of aws.ssm is not for this function".into(),
            ),
        ] {
            assert_eq!(runtime::event(payload).and_then(Request::read), Err(wrong));
        }
    }
}
