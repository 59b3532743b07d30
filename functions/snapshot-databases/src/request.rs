//! Events and commands, reduced to what to look at.

use rules::Digest;
use runtime::{BusEvent, Event};
use serde::Deserialize;
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
    /// Look at nothing: an event that asks for no work, about this resource and for this reason.
    Nothing {
        /// What the event is about.
        about: String,
        /// Why there is nothing to do.
        reason: &'static str,
    },
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
    const ACCEPTED: &'static str = "{} (look everywhere), {\"dry_run\":true}, \
        {\"snapshot\":{\"database\":\"NAME\",\"image\":\"sha256:DIGEST\"}}, \
        EventBridge events \"RDS DB Snapshot Event\" and \"RDS DB Cluster Snapshot Event\"";

    fn read(event: Event) -> Result<Self, String> {
        match event {
            Event::Sweep => Ok(Request::Everything),
            Event::Command { name, argument } => command(&name, argument),
            Event::Bus(event) => bus_event(&event),
            Event::Notifications(_) => Err("an SNS notification is not for this function".into()),
            Event::Alarm(_) => Err("a CloudWatch alarm is not for this function".into()),
        }
    }
}

/// What the command names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    database: String,
    image: String,
}

fn command(name: &str, argument: Value) -> Result<Request, String> {
    if name != "snapshot" {
        return Err(format!("there is no command \"{name}\""));
    }
    let target: Target = serde_json::from_value(argument).map_err(|err| format!("\"{name}\": {err}"))?;
    let sound = |it: char| it.is_ascii_alphanumeric() || it == '-';
    if target.database.is_empty() || target.database.len() > 63 || !target.database.chars().all(sound) {
        return Err(format!("\"{name}\": \"{}\" is no name of a DB instance or DB cluster", target.database));
    }
    let image = target.image.parse().map_err(|err| format!("\"{name}\": {err}"))?;
    // RDS compares names without regard to case, and stores them so.
    Ok(Request::BeforeDeploy(Wish { database: target.database.to_ascii_lowercase(), image }))
}

fn bus_event(event: &BusEvent) -> Result<Request, String> {
    match (event.source.as_str(), event.detail_type.as_str()) {
        ("aws.rds", "RDS DB Snapshot Event" | "RDS DB Cluster Snapshot Event") => {}
        (source, detail_type) => {
            return Err(format!("an event \"{detail_type}\" of {source} is not for this function"));
        }
    }
    let field = |name: &str| event.detail.get(name).and_then(Value::as_str).unwrap_or_default();
    let about = field("SourceIdentifier").to_owned();
    Ok(match field("EventID") {
        id if AVAILABLE.contains(&id) => Request::Copies,
        _ => Request::Nothing { about, reason: "no snapshot has become available" },
    })
}

#[cfg(test)]
mod tests {
    use runtime::Request as _;
    use serde_json::json;

    use super::*;

    fn sample(name: &str) -> Result<Request, String> {
        let path = format!("{}/../../events/snapshot-databases/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let payload = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Request::read(runtime::event(payload)?)
    }

    #[test]
    fn every_sample_is_reduced_to_what_to_look_at() {
        for sweep in ["sweep", "dry-run", "scheduled-default"] {
            assert_eq!(sample(sweep), Ok(Request::Everything), "{sweep}");
        }
        for available in ["snapshot-created", "cluster-snapshot-created"] {
            assert_eq!(sample(available), Ok(Request::Copies), "{available}");
        }
        let image = format!("sha256:{}", "1a2b3c4d".repeat(8)).parse().unwrap();
        let wish = Wish { database: "kfood-db".into(), image };
        assert_eq!(sample("snapshot"), Ok(Request::BeforeDeploy(wish)));
        let reason = "no snapshot has become available";
        let about = "nightshift-kfood-db-2026-11-21".into();
        assert_eq!(sample("snapshot-creating"), Ok(Request::Nothing { about, reason }));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_the_word_at_fault() {
        for (payload, wrong) in [
            (json!({"backup": {}}), "there is no command \"backup\""),
            (json!({"snapshot": {}}), "\"snapshot\": missing field `database`"),
            (json!({"snapshot": {"database": "a"}}), "\"snapshot\": missing field `image`"),
            (
                json!({"snapshot": {"database": "a", "image": "v1.1.0"}}),
                "\"snapshot\": 'v1.1.0' is not a digest; accepted: sha256: and 64 lower-case hex digits",
            ),
            (
                json!({"snapshot": {"database": "a b", "image": "v1.1.0"}}),
                "\"snapshot\": \"a b\" is no name of a DB instance or DB cluster",
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
