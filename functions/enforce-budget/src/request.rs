//! Events and commands, reduced to where to look and what somebody says.

mod amount;
mod notice;

use runtime::{Argument, Notification, Reading, no_such_command};
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

impl runtime::Request for Request {
    const ACCEPTED: &'static [&'static str] = &[
        "{} (look at all budgets)",
        "{\"dry_run\":true}",
        "{\"release\":{\"budget\":\"NAME\"}}",
        "SNS notifications of AWS Budgets and of Cost Anomaly Detection",
    ];

    fn sweep() -> Self {
        Request::Everything
    }

    fn command(name: &str, argument: Value) -> Result<Reading<Self>, String> {
        if name != "release" {
            return Err(no_such_command(name));
        }
        let mut argument = Argument::read(name, argument, "{\"budget\":\"NAME\"}")?;
        let budget = argument.text("budget")?;
        argument.end()?;
        match budget.trim() {
            "" => Err(format!("\"{name}\": budget \"\" is not a name")),
            budget => Ok(Reading::Work(Request::Release(budget.into()))),
        }
    }

    fn notifications(all: Vec<Notification>) -> Result<Reading<Self>, String> {
        Ok(Reading::Work(Request::Heard(all.into_iter().map(heard).collect())))
    }
}

fn heard(notification: Notification) -> Notice {
    let said = Said::read(&notification.message);
    Notice { topic: notification.topic, subject: notification.subject.unwrap_or_default(), said }
}

#[cfg(test)]
mod tests {
    use rules::budget::Money;
    use runtime::Request as _;
    use serde_json::json;

    use super::*;

    fn sample(name: &str) -> Result<Reading<Request>, String> {
        let path = format!("{}/../../events/enforce-budget/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let payload = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Request::read(runtime::event(payload)?)
    }

    fn heard(name: &str) -> Said {
        let Ok(Reading::Work(Request::Heard(mut notices))) = sample(name) else { panic!("{name}") };
        assert_eq!(notices[0].topic, "arn:aws:sns:ap-northeast-2:123456789012:nightshift-BudgetTopic-1A2B3C4D5E6F");
        notices.remove(0).said
    }

    fn budget(kind: Kind, name: &str, amount: Option<Money>) -> Said {
        Said::Budget { account: Some("123456789012".into()), name: name.into(), kind, amount }
    }

    #[test]
    fn every_sample_is_reduced_to_where_to_look() {
        for sweep in ["sweep", "dry-run", "scheduled-default"] {
            assert_eq!(sample(sweep), Ok(Reading::Work(Request::Everything)), "{sweep}");
        }
        assert_eq!(sample("release"), Ok(Reading::Work(Request::Release("TrueGul Monthly".into()))));
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
            (json!({"release": {}}), "\"release\" lacks \"budget\"; it takes {\"budget\":\"NAME\"}"),
            (json!({"release": {"budget": " "}}), "\"release\": budget \"\" is not a name"),
            (
                json!({"release": {"budget": "a", "all": true}}),
                "\"release\" knows no \"all\"; it takes {\"budget\":\"NAME\"}",
            ),
            (json!({"release": "a"}), "\"release\" takes {\"budget\":\"NAME\"}, not \"a\""),
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
