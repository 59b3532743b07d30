//! Events and commands, reduced to what to look at.

use rules::Digest;
use runtime::{Argument, BusEvent, Reading, no_such_command, not_for_us};
use serde_json::Value;

/// What a run of this function was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Look at every database: is there a snapshot of tonight, and its copy?
    Everything,
    /// Look at the copies only: a snapshot has become available, at whatever time of the day.
    Copies,
    /// Take a snapshot of one database before a deployment.
    BeforeDeploy(Wish),
}

/// A snapshot that is wanted before a deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// The DB instance or DB cluster.
    pub database: String,
    /// The image that is to be deployed.
    pub image: Digest,
}

/// The events that say that a manual snapshot of an instance or of a cluster is available.
const AVAILABLE: [&str; 2] = ["RDS-EVENT-0042", "RDS-EVENT-0075"];

impl runtime::Request for Request {
    const ACCEPTED: &'static [&'static str] = &[
        "{} (look everywhere)",
        "{\"dry_run\":true}",
        "{\"snapshot\":{\"database\":\"NAME\",\"image\":\"sha256:DIGEST\"}}",
        "EventBridge events \"RDS DB Snapshot Event\" and \"RDS DB Cluster Snapshot Event\"",
    ];

    fn sweep() -> Self {
        Request::Everything
    }

    fn command(name: &str, argument: Value) -> Result<Reading<Self>, String> {
        if name != "snapshot" {
            return Err(no_such_command(name));
        }
        let mut argument = Argument::read(name, argument, "{\"database\":\"NAME\",\"image\":\"sha256:DIGEST\"}")?;
        let (database, image) = (argument.text("database")?, argument.text("image")?);
        argument.end()?;
        let sound = |it: char| it.is_ascii_alphanumeric() || it == '-';
        if database.is_empty() || database.len() > 63 || !database.chars().all(sound) {
            return Err(format!("\"{name}\": \"{database}\" is not the name of a DB instance or DB cluster"));
        }
        let image = image.parse().map_err(|err| format!("\"{name}\": {err}"))?;
        // RDS compares names without regard to case, and stores them so.
        Ok(Reading::Work(Request::BeforeDeploy(Wish { database: database.to_ascii_lowercase(), image })))
    }

    fn bus(event: &BusEvent) -> Result<Reading<Self>, String> {
        match (event.source.as_str(), event.detail_type.as_str()) {
            ("aws.rds", "RDS DB Snapshot Event" | "RDS DB Cluster Snapshot Event") => {}
            _ => return Err(not_for_us(event)),
        }
        let field = |name: &str| event.detail.get(name).and_then(Value::as_str).unwrap_or_default();
        Ok(match field("EventID") {
            id if AVAILABLE.contains(&id) => Reading::Work(Request::Copies),
            _ => Reading::no_work(field("SourceIdentifier"), "no snapshot has become available"),
        })
    }
}

#[cfg(test)]
mod tests {
    use runtime::Request as _;
    use serde_json::json;

    use super::*;

    fn sample(name: &str) -> Result<Reading<Request>, String> {
        let path = format!("{}/../../events/snapshot-databases/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let payload = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Request::read(runtime::event(payload)?)
    }

    #[test]
    fn every_sample_is_reduced_to_what_to_look_at() {
        for sweep in ["sweep", "dry-run", "scheduled-default"] {
            assert_eq!(sample(sweep), Ok(Reading::Work(Request::Everything)), "{sweep}");
        }
        for available in ["snapshot-created", "cluster-snapshot-created"] {
            assert_eq!(sample(available), Ok(Reading::Work(Request::Copies)), "{available}");
        }
        let image = format!("sha256:{}", "1a2b3c4d".repeat(8)).parse().unwrap();
        let wish = Wish { database: "kfood-db".into(), image };
        assert_eq!(sample("snapshot"), Ok(Reading::Work(Request::BeforeDeploy(wish))));
        let no_work = Reading::no_work("nightshift-kfood-db-2026-11-21", "no snapshot has become available");
        assert_eq!(sample("snapshot-creating"), Ok(no_work));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_the_word_at_fault() {
        for (payload, wrong) in [
            (json!({"backup": {}}), "there is no command \"backup\""),
            (
                json!({"snapshot": {}}),
                "\"snapshot\" lacks \"database\"; it takes {\"database\":\"NAME\",\"image\":\"sha256:DIGEST\"}",
            ),
            (
                json!({"snapshot": {"database": "a"}}),
                "\"snapshot\" lacks \"image\"; it takes {\"database\":\"NAME\",\"image\":\"sha256:DIGEST\"}",
            ),
            (
                json!({"snapshot": {"database": "a", "image": "v1.1.0"}}),
                "\"snapshot\": 'v1.1.0' is not a digest; accepted: sha256: and 64 lower-case hex digits",
            ),
            (
                json!({"snapshot": {"database": "a b", "image": "v1.1.0"}}),
                "\"snapshot\": \"a b\" is not the name of a DB instance or DB cluster",
            ),
            (
                json!({"source": "aws.rds", "detail-type": "RDS DB Instance Event", "detail": {}}),
                "an event \"RDS DB Instance Event\" of aws.rds is not for this function",
            ),
        ] {
            assert_eq!(runtime::event(payload).and_then(Request::read), Err(wrong.into()));
        }
    }
}
