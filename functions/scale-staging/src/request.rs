//! Events and commands, reduced to where to look and what a person asks for.

use runtime::{Argument, BusEvent, Reading, no_such_command, not_for_us};
use serde_json::Value;

use crate::plan::{Command, Request, Scope, Until};

/// AWS starts a cluster or an instance that has been stopped for seven days.
const STARTED_BY_AWS: [&str; 2] = ["RDS-EVENT-0153", "RDS-EVENT-0154"];

/// A cluster or an instance has been started, so that it can be stopped, and what waits for it can be woken.
const STARTED: [&str; 2] = ["RDS-EVENT-0151", "RDS-EVENT-0088"];

impl runtime::Request for Request {
    const ACCEPTED: &'static [&'static str] = &[
        "{} (look everywhere)",
        "{\"dry_run\":true}",
        "{\"resource\":\"ARN\"}",
        "{\"wake\":{\"resource\":\"ARN\",\"until\":\"23:00\"}}",
        "{\"sleep\":{\"resource\":\"ARN\"}}",
        "{\"report\":\"day\"}",
        "EventBridge events \"RDS DB Instance Event\" and \"RDS DB Cluster Event\"",
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
        ("aws.rds", "RDS DB Instance Event" | "RDS DB Cluster Event") => {}
        _ => return Err(not_for_us(event)),
    }
    let field = |name: &str| event.detail.get(name).and_then(Value::as_str).unwrap_or_default();
    let arn = event.resources.first().map_or_else(|| field("SourceArn"), String::as_str);
    Ok(match field("EventID") {
        id if STARTED.contains(&id) => Reading::Work(Scope::Everywhere),
        id if STARTED_BY_AWS.contains(&id) && !arn.is_empty() => Reading::Work(Scope::Resource(arn.into())),
        _ => Reading::no_work(field("SourceIdentifier"), "the database was not started"),
    })
}

fn command(name: &str, argument: Value) -> Result<Request, String> {
    if name == "report" {
        return match argument.as_str() {
            Some("day") => Ok(Request { scope: Scope::LastDay, command: None }),
            _ => Err(format!("\"report\" takes \"day\", not {argument}")),
        };
    }
    if name == "resource" {
        let Value::String(arn) = &argument else { return Err(format!("\"resource\" takes \"ARN\", not {argument}")) };
        return Ok(Request { scope: resource(name, arn.clone())?, command: None });
    }
    let form = match name {
        "wake" => "{\"resource\":\"ARN\",\"until\":\"23:00\"}, until as wanted",
        "sleep" => "{\"resource\":\"ARN\"}",
        _ => return Err(no_such_command(name)),
    };
    let mut argument = Argument::read(name, argument, form)?;
    let (arn, until) = (argument.text("resource")?, argument.optional_text("until")?);
    argument.end()?;
    let command = match (name, until) {
        ("sleep", None) => Command::Sleep,
        ("sleep", Some(_)) => return Err("\"sleep\" takes no until: its schedule wakes it, or \"wake\"".into()),
        (_, until) => Command::Wake(until.map_or(Ok(Until::NextChange), |it| read_until(&it))?),
    };
    Ok(Request { scope: resource(name, arn)?, command: Some(command) })
}

fn resource(command: &str, arn: String) -> Result<Scope, String> {
    let database = arn.starts_with("arn:") && (arn.contains(":db:") || arn.contains(":cluster:"));
    let machine = arn.starts_with("arn:") && (arn.contains(":instance/") || arn.contains(":autoScalingGroup:"));
    if database || machine || arn.starts_with("arn:") && rules::ServiceName::of_arn(&arn).is_some() {
        return Ok(Scope::Resource(arn));
    }
    Err(format!(
        "\"{command}\": resource \"{arn}\" is not the ARN of an ECS service (…:service/CLUSTER/SERVICE), \
         a DB instance (…:db:NAME), a DB cluster (…:cluster:NAME), an EC2 instance (…:instance/ID) or an Auto Scaling \
         group (…:autoScalingGroupName/NAME)"
    ))
}

fn read_until(text: &str) -> Result<Until, String> {
    if text.len() == 5
        && let Ok(time) = text.parse()
    {
        return Ok(Until::Time(time));
    }
    let refused =
        || format!("\"wake\": until \"{text}\" is neither a time such as 23:00 nor a moment such as 2026-11-21T23:00");
    text.parse().map(Until::Moment).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use runtime::Request as _;
    use serde_json::json;

    use super::*;

    const SERVICE: &str = "arn:aws:ecs:ap-northeast-2:123456789012:service/codemate-dev/codemate-backend";
    const DATABASE: &str = "arn:aws:rds:ap-northeast-2:123456789012:db:codemate-dev-db";
    const CLUSTER: &str = "arn:aws:rds:ap-northeast-2:123456789012:cluster:codemate-dev-cluster";

    /// What becomes of a sample file of `events/scale-staging`.
    fn sample(name: &str) -> Result<Reading<Request>, String> {
        let path = format!("{}/../../events/scale-staging/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let payload = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Request::read(runtime::event(payload)?)
    }

    #[test]
    fn every_sample_is_reduced_to_where_to_look() {
        let at = |arn: &str| Scope::Resource(arn.into());
        let until = Until::Time("23:00".parse().unwrap());
        for (name, scope, command) in [
            ("sweep", Scope::Everywhere, None),
            ("dry-run", Scope::Everywhere, None),
            ("scheduled-default", Scope::Everywhere, None),
            ("resource", at(SERVICE), None),
            ("report", Scope::LastDay, None),
            ("wake", at(SERVICE), Some(Command::Wake(until))),
            ("wake-until-next-change", at(DATABASE), Some(Command::Wake(Until::NextChange))),
            ("sleep", at(SERVICE), Some(Command::Sleep)),
            ("instance-started-by-aws", at(DATABASE), None),
            ("cluster-started-by-aws", at(CLUSTER), None),
            ("instance-started", Scope::Everywhere, None),
        ] {
            assert_eq!(sample(name), Ok(Reading::Work(Request { scope, command })), "{name}");
        }
        let no_work = Reading::no_work("codemate-dev-db", "the database was not started");
        assert_eq!(sample("instance-stopped"), Ok(no_work));
    }

    #[test]
    fn no_sample_is_forgotten() {
        let folder = format!("{}/../../events/scale-staging", env!("CARGO_MANIFEST_DIR"));
        let samples: Vec<_> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
        assert_eq!(samples.len(), 12);
        for path in samples {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(sample(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn what_is_not_for_us_is_refused_with_the_word_at_fault() {
        for (payload, wrong) in [
            (json!({"wak": {}}), "there is no command \"wak\""),
            (json!({"wake": {}}), "\"wake\" lacks \"resource\"; it takes {\"resource\":"),
            (
                json!({"wake": {"resource": SERVICE, "till": "23:00"}}),
                "\"wake\" knows no \"till\"; it takes {\"resource\":",
            ),
            (json!({"wake": {"resource": "a/b"}}), "\"wake\": resource \"a/b\" is not the ARN of an ECS service"),
            (json!({"wake": {"resource": SERVICE, "until": "late"}}), "\"wake\": until \"late\" is neither a time"),
            (json!({"wake": {"resource": SERVICE, "until": "25:00"}}), "\"wake\": until \"25:00\" is neither a time"),
            (json!({"sleep": {"resource": SERVICE, "until": "23:00"}}), "\"sleep\" takes no until"),
            (json!({"report": "week"}), "\"report\" takes \"day\", not \"week\""),
            (json!({"resource": {"arn": SERVICE}}), "\"resource\" takes \"ARN\", not {\"arn\":"),
            (
                json!({"resource": "arn:aws:ecs:r:1:service/old"}),
                "\"resource\": resource \"arn:aws:ecs:r:1:service/old\" is",
            ),
            (
                json!({"source": "aws.rds", "detail-type": "RDS DB Snapshot Event", "detail": {}}),
                "an event \"RDS DB Snapshot Event\" of aws.rds is not for this function",
            ),
        ] {
            let refused = runtime::event(payload).and_then(Request::read).unwrap_err();
            assert!(refused.starts_with(wrong), "{refused}");
        }
    }
}
