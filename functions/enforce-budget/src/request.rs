//! Events and commands, reduced to where to look and what somebody says.

mod amount;
mod notice;

use runtime::{Event, Notification};
use serde::Deserialize;
use serde_json::Value;

pub use notice::{Anomaly, Kind, Notice, Said};

/// What a run of this function was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Look at all budgets and at all that is expendable.
    Everything,
    /// The same, because somebody says that a budget is being spent; what they say is only told, never believed.
    Heard(Vec<Notice>),
    /// A person gives free what this budget holds, by the budget's name.
    Release(String),
}

/// What a command names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    budget: String,
}

impl runtime::Request for Request {
    const ACCEPTED: &'static str = "{} (look at all budgets), {\"dry_run\":true}, \
        {\"release\":{\"budget\":\"NAME\"}}, SNS notifications of AWS Budgets and of Cost Anomaly Detection";

    fn read(event: Event) -> Result<Self, String> {
        match event {
            Event::Sweep => Ok(Request::Everything),
            Event::Command { name, argument } => command(&name, argument),
            Event::Notifications(all) => Ok(Request::Heard(all.into_iter().map(heard).collect())),
            Event::Bus(event) => {
                Err(format!("an event \"{}\" of {} is not for this function", event.detail_type, event.source))
            }
            Event::Alarm(_) => Err("a CloudWatch alarm is not for this function".into()),
        }
    }
}

fn heard(notification: Notification) -> Notice {
    let said = Said::read(&notification.message);
    Notice { topic: notification.topic, subject: notification.subject.unwrap_or_default(), said }
}

fn command(name: &str, argument: Value) -> Result<Request, String> {
    if name != "release" {
        return Err(format!("there is no command \"{name}\""));
    }
    let target: Target = serde_json::from_value(argument).map_err(|err| format!("\"{name}\": {err}"))?;
    match target.budget.trim() {
        "" => Err(format!("\"{name}\": budget \"\" is no name")),
        budget => Ok(Request::Release(budget.into())),
    }
}

#[cfg(test)]
mod tests {
    use rules::budget::Money;
    use runtime::Request as _;
    use serde_json::json;

    use super::*;

    fn sample(name: &str) -> Result<Request, String> {
        let path = format!("{}/../../events/enforce-budget/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let payload = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Request::read(runtime::event(payload)?)
    }

    fn heard(name: &str) -> Said {
        let Ok(Request::Heard(mut notices)) = sample(name) else { panic!("{name}") };
        assert_eq!(notices[0].topic, "arn:aws:sns:ap-northeast-2:123456789012:nightshift-BudgetTopic-1A2B3C4D5E6F");
        notices.remove(0).said
    }

    fn budget(kind: Kind, name: &str, amount: Option<Money>) -> Said {
        Said::Budget { account: Some("123456789012".into()), name: name.into(), kind, amount }
    }

    #[test]
    fn every_sample_is_reduced_to_where_to_look() {
        for sweep in ["sweep", "dry-run", "scheduled-default"] {
            assert_eq!(sample(sweep), Ok(Request::Everything), "{sweep}");
        }
        assert_eq!(sample("release"), Ok(Request::Release("TrueGul Monthly".into())));
        let amount = |cents| Some(Money::cents(cents));
        assert_eq!(heard("budget-actual"), budget(Kind::Actual, "TrueGul Monthly", amount(30_472)));
        assert_eq!(heard("budget-forecast"), budget(Kind::Forecast, "TrueGul Monthly", amount(35_400)));
        assert_eq!(heard("budget-won"), budget(Kind::Actual, "K-Food monthly (KRW)", amount(123_456_700)));
        let Said::Anomaly(anomaly) = heard("cost-anomaly") else { panic!("an anomaly") };
        assert_eq!((anomaly.account.as_deref(), anomaly.what.as_str()), (Some("123456789012"), "AWS CloudTrail"));
    }

    #[test]
    fn no_sample_is_forgotten() {
        let folder = format!("{}/../../events/enforce-budget", env!("CARGO_MANIFEST_DIR"));
        let samples: Vec<_> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
        assert_eq!(samples.len(), 8);
        for path in samples {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(sample(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_the_word_at_fault() {
        for (payload, wrong) in [
            (json!({"hold": {}}), "there is no command \"hold\""),
            (json!({"release": {}}), "\"release\": missing field `budget`"),
            (json!({"release": {"budget": " "}}), "\"release\": budget \"\" is no name"),
            (json!({"release": {"budget": "a", "all": true}}), "\"release\": unknown field `all`"),
            (json!({"release": "a"}), "\"release\": invalid type: string"),
            (
                json!({"source": "aws.rds", "detail-type": "RDS DB Instance Event", "detail": {}}),
                "an event \"RDS DB Instance Event\" of aws.rds is not for this function",
            ),
        ] {
            let refused = runtime::event(payload).and_then(Request::read).unwrap_err();
            assert!(refused.starts_with(wrong), "{refused}");
        }
    }
}
