//! Events and commands, reduced to what to look at.

use runtime::{BusEvent, Event};
use serde_json::Value;

/// What a run of this function was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Look at every database: is there a snapshot of tonight, and its copy?
    Everything,
    /// Look at the copies only: a snapshot has become available, at whatever time of the day.
    Copies,
    /// Look at nothing: an event that asks for no work, about this resource and for this reason.
    Nothing {
        /// What the event is about.
        about: String,
        /// Why there is nothing to do.
        reason: &'static str,
    },
}

/// The events that say that a manual snapshot of an instance or of a cluster is available.
const AVAILABLE: [&str; 2] = ["RDS-EVENT-0042", "RDS-EVENT-0075"];

impl runtime::Request for Request {
    const ACCEPTED: &'static str = "{} (look everywhere), {\"dry_run\":true}, \
        EventBridge events \"RDS DB Snapshot Event\" and \"RDS DB Cluster Snapshot Event\"";

    fn read(event: Event) -> Result<Self, String> {
        match event {
            Event::Sweep => Ok(Request::Everything),
            Event::Command { name, .. } => Err(format!("there is no command \"{name}\"")),
            Event::Bus(event) => bus_event(&event),
            Event::Notifications(_) => Err("an SNS notification is not for this function".into()),
            Event::Alarm(_) => Err("a CloudWatch alarm is not for this function".into()),
        }
    }
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
        let reason = "no snapshot has become available";
        let about = "nightshift-kfood-db-2026-11-21".into();
        assert_eq!(sample("snapshot-creating"), Ok(Request::Nothing { about, reason }));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_the_word_at_fault() {
        for (payload, wrong) in [
            (json!({"snapshot": {}}), "there is no command \"snapshot\""),
            (
                json!({"source": "aws.rds", "detail-type": "RDS DB Instance Event", "detail": {}}),
                "an event \"RDS DB Instance Event\" of aws.rds is not for this function",
            ),
        ] {
            assert_eq!(runtime::event(payload).and_then(Request::read), Err(wrong.into()));
        }
    }
}
