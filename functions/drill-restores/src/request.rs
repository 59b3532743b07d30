//! Events and commands, reduced to what to look at.

use rules::drill;
use runtime::{Argument, BusEvent, Reading, no_such_command, not_for_us};
use serde_json::Value;

use crate::plan::Scope;

/// What a run of this function was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request(pub(crate) Scope);

const FORM: &str = "{\"database\":\"NAME\"}";

impl runtime::Request for Request {
    const ACCEPTED: &'static [&'static str] = &[
        "{} (look at every drill)",
        "{\"dry_run\":true}",
        "{\"drill\":{\"database\":\"NAME\"}}",
        "{\"end\":{\"database\":\"NAME\"}}",
        "EventBridge events \"RDS DB Instance Event\", \"RDS DB Cluster Event\" and \"ECS Task State Change\"",
    ];

    fn sweep() -> Self {
        Request(Scope::Everything)
    }

    fn command(name: &str, argument: Value) -> Result<Reading<Self>, String> {
        let scope = match name {
            "drill" => Scope::Drill(database(name, argument)?),
            "end" => Scope::End(database(name, argument)?),
            _ => return Err(no_such_command(name)),
        };
        Ok(Reading::Work(Request(scope)))
    }

    /// An event of a drill database or of its check: what has become of them is read, not taken from the event.
    fn bus(event: &BusEvent) -> Result<Reading<Self>, String> {
        let field = |name: &str| event.detail.get(name).and_then(Value::as_str).unwrap_or_default();
        let about = match (event.source.as_str(), event.detail_type.as_str()) {
            ("aws.rds", "RDS DB Instance Event" | "RDS DB Cluster Event") => field("SourceIdentifier"),
            ("aws.ecs", "ECS Task State Change") => field("startedBy"),
            _ => return Err(not_for_us(event)),
        };
        Ok(match about.starts_with(drill::PREFIX) {
            true => Reading::Work(Self::sweep()),
            false => Reading::no_work(about, "it is not about a drill"),
        })
    }
}

fn database(command: &str, argument: Value) -> Result<String, String> {
    let mut argument = Argument::read(command, argument, FORM)?;
    let database = argument.text("database")?;
    argument.end()?;
    let sound = |it: char| it.is_ascii_alphanumeric() || it == '-';
    if database.is_empty() || database.len() > 63 || !database.chars().all(sound) {
        return Err(format!("\"{command}\": \"{database}\" is not the name of a DB instance or DB cluster"));
    }
    // RDS compares names without regard to case, and stores them so.
    Ok(database.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use runtime::Request as _;
    use serde_json::json;

    use super::*;

    fn sample(name: &str) -> Result<Reading<Scope>, String> {
        let path = format!("{}/../../events/drill-restores/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let payload = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Ok(Request::read(runtime::event(payload)?)?.map(|it| it.0))
    }

    #[test]
    fn every_sample_is_reduced_to_what_to_look_at() {
        let everything =
            ["sweep", "dry-run", "scheduled-default", "instance-restored", "cluster-created", "check-stopped"];
        for sample_name in everything {
            assert_eq!(sample(sample_name), Ok(Reading::Work(Scope::Everything)), "{sample_name}");
        }
        assert_eq!(sample("drill"), Ok(Reading::Work(Scope::Drill("kfood-db".into()))));
        assert_eq!(sample("end"), Ok(Reading::Work(Scope::End("kfood-db".into()))));
        assert_eq!(sample("other-instance"), Ok(Reading::no_work("kfood-db", "it is not about a drill")));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_the_word_at_fault() {
        for (payload, wrong) in [
            (json!({"restore": {}}), "there is no command \"restore\"".to_owned()),
            (json!({"drill": {}}), format!("\"drill\" lacks \"database\"; it takes {FORM}")),
            (json!({"drill": "kfood-db"}), format!("\"drill\" takes {FORM}, not \"kfood-db\"")),
            (
                json!({"end": {"database": "a b"}}),
                "\"end\": \"a b\" is not the name of a DB instance or DB cluster".into(),
            ),
            (
                json!({"source": "aws.rds", "detail-type": "RDS DB Snapshot Event", "detail": {}}),
                "an event \"RDS DB Snapshot Event\" of aws.rds is not for this function".into(),
            ),
        ] {
            assert_eq!(runtime::event(payload).and_then(Request::read), Err(wrong));
        }
    }
}
