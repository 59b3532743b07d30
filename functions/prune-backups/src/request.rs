//! This function can only be asked to look everywhere.

/// Look everywhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep;

impl runtime::Request for Sweep {
    const ACCEPTED: &'static [&'static str] = &["{} (look everywhere)", "{\"dry_run\":true}"];

    fn sweep() -> Self {
        Sweep
    }
}

#[cfg(test)]
mod tests {
    use runtime::{Reading, Request as _};
    use serde_json::json;

    use super::*;

    #[test]
    fn every_sample_is_a_sweep() {
        for name in ["sweep", "dry-run", "scheduled-default"] {
            let path = format!("{}/../../events/prune-backups/{name}.json", env!("CARGO_MANIFEST_DIR"));
            let payload = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            assert_eq!(runtime::event(payload).and_then(Sweep::read), Ok(Reading::Work(Sweep)), "{name}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for (payload, wrong) in [
            (json!({"delete": "nightshift-app-db-2026-11-21"}), "there is no command \"delete\""),
            (
                json!({"source": "aws.rds", "detail-type": "RDS DB Snapshot Event", "detail": {}}),
                "an event \"RDS DB Snapshot Event\" of aws.rds is not for this function",
            ),
        ] {
            assert_eq!(runtime::event(payload).and_then(Sweep::read), Err(wrong.into()));
        }
    }
}
