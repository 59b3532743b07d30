//! Events and commands, reduced to what to look at.

use runtime::{Argument, BusEvent, Reading, no_such_command, not_for_us};
use serde_json::Value;

use crate::plan::{Command, Occasion, Scope};

/// What a run of this function was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request(pub(crate) Scope);

/// The events that say that a manual snapshot of an instance or of a cluster is available.
const AVAILABLE: [&str; 2] = ["RDS-EVENT-0042", "RDS-EVENT-0075"];

/// The two forms of the command `snapshot`.
const SNAPSHOT: &str =
    "{\"database\":\"NAME\",\"image\":\"sha256:DIGEST\"} or {\"database\":\"NAME\",\"before-sleep\":\"MOMENT\"}";

impl runtime::Request for Request {
    const ACCEPTED: &'static [&'static str] = &[
        "{} (look everywhere)",
        "{\"dry_run\":true}",
        "{\"snapshot\":{\"database\":\"NAME\",\"image\":\"sha256:DIGEST\"}}",
        "{\"snapshot\":{\"database\":\"NAME\",\"before-sleep\":\"MOMENT\"}}",
        "{\"copies\":{}}",
        "EventBridge events \"RDS DB Snapshot Event\" and \"RDS DB Cluster Snapshot Event\"",
    ];

    fn sweep() -> Self {
        Request(Scope::Everything)
    }

    fn command(name: &str, argument: Value) -> Result<Reading<Self>, String> {
        let scope = match name {
            "copies" => Argument::read(name, argument, "{}")?.end().map(|()| Scope::Copies)?,
            "snapshot" => Scope::One(snapshot(Argument::read(name, argument, SNAPSHOT)?)?),
            _ => return Err(no_such_command(name)),
        };
        Ok(Reading::Work(Request(scope)))
    }

    fn bus(event: &BusEvent) -> Result<Reading<Self>, String> {
        match (event.source.as_str(), event.detail_type.as_str()) {
            ("aws.rds", "RDS DB Snapshot Event" | "RDS DB Cluster Snapshot Event") => {}
            _ => return Err(not_for_us(event)),
        }
        let field = |name: &str| event.detail.get(name).and_then(Value::as_str).unwrap_or_default();
        Ok(match field("EventID") {
            id if AVAILABLE.contains(&id) => Reading::Work(Request(Scope::Copies)),
            _ => Reading::no_work(field("SourceIdentifier"), "no snapshot has become available"),
        })
    }
}

fn snapshot(mut argument: Argument) -> Result<Command, String> {
    let database = argument.text("database")?;
    let (image, moment) = (argument.optional_text("image")?, argument.optional_text("before-sleep")?);
    argument.end()?;
    let sound = |it: char| it.is_ascii_alphanumeric() || it == '-';
    if database.is_empty() || database.len() > 63 || !database.chars().all(sound) {
        return Err(format!("\"snapshot\": \"{database}\" is not the name of a DB instance or DB cluster"));
    }
    let occasion = match (image, moment) {
        (Some(image), None) => {
            Occasion::Deployment(image.parse().map_err(|err: rules::BadDigest| format!("\"snapshot\": {err}"))?)
        }
        (None, Some(moment)) => Occasion::Sleep(moment.parse().map_err(|_| {
            format!("\"snapshot\": before-sleep \"{moment}\" is not a moment such as 2026-11-20T11:00:00Z")
        })?),
        _ => return Err(format!("\"snapshot\" takes {SNAPSHOT}")),
    };
    // RDS compares names without regard to case, and stores them so.
    Ok(Command { database: database.to_ascii_lowercase(), occasion })
}

#[cfg(test)]
mod tests {
    use runtime::Request as _;
    use serde_json::json;

    use super::*;

    fn sample(name: &str) -> Result<Reading<Scope>, String> {
        let path = format!("{}/../../events/snapshot-databases/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let payload = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Ok(Request::read(runtime::event(payload)?)?.map(|it| it.0))
    }

    #[test]
    fn every_sample_is_reduced_to_what_to_look_at() {
        for sweep in ["sweep", "dry-run", "scheduled-default"] {
            assert_eq!(sample(sweep), Ok(Reading::Work(Scope::Everything)), "{sweep}");
        }
        for copies in ["snapshot-created", "cluster-snapshot-created", "copies"] {
            assert_eq!(sample(copies), Ok(Reading::Work(Scope::Copies)), "{copies}");
        }
        let image = format!("sha256:{}", "1a2b3c4d".repeat(8)).parse().unwrap();
        let command =
            |database: &str, occasion| Reading::Work(Scope::One(Command { database: database.into(), occasion }));
        assert_eq!(sample("snapshot"), Ok(command("kfood-db", Occasion::Deployment(image))));
        let evening = "2026-11-20T11:00:00Z".parse().unwrap();
        assert_eq!(sample("snapshot-before-sleep"), Ok(command("shop", Occasion::Sleep(evening))));
        let no_work = Reading::no_work("nightshift-kfood-db-2026-11-21", "no snapshot has become available");
        assert_eq!(sample("snapshot-creating"), Ok(no_work));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_the_word_at_fault() {
        let form = SNAPSHOT;
        for (payload, wrong) in [
            (json!({"backup": {}}), "there is no command \"backup\"".to_owned()),
            (json!({"copies": {"to": "us-west-2"}}), "\"copies\" knows no \"to\"; it takes {}".into()),
            (json!({"snapshot": {}}), format!("\"snapshot\" lacks \"database\"; it takes {form}")),
            (json!({"snapshot": {"database": "a"}}), format!("\"snapshot\" takes {form}")),
            (
                json!({"snapshot": {"database": "a", "before-sleep": "tonight"}}),
                "\"snapshot\": before-sleep \"tonight\" is not a moment such as 2026-11-20T11:00:00Z".into(),
            ),
            (
                json!({"snapshot": {"database": "a", "image": "v1.1.0"}}),
                "\"snapshot\": 'v1.1.0' is not a digest; accepted: sha256: and 64 lower-case hex digits".into(),
            ),
            (
                json!({"snapshot": {"database": "a b", "image": "v1.1.0"}}),
                "\"snapshot\": \"a b\" is not the name of a DB instance or DB cluster".into(),
            ),
            (
                json!({"source": "aws.rds", "detail-type": "RDS DB Instance Event", "detail": {}}),
                "an event \"RDS DB Instance Event\" of aws.rds is not for this function".into(),
            ),
        ] {
            assert_eq!(runtime::event(payload).and_then(Request::read), Err(wrong));
        }
    }
}
