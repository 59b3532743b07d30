//! Events and commands, reduced to where to look and what notifications say.

mod amount;
mod content;

use runtime::{Argument, Reading, no_such_command};
use serde_json::Value;

use crate::plan::scope::{Command, Content, Notification, Scope};

/// What a run of this function was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub scope: Scope,
    pub command: Option<Command>,
}

impl runtime::Request for Request {
    const ACCEPTED: &'static [&'static str] = &[
        "{} (look at all budgets)",
        "{\"dry_run\":true}",
        "{\"release\":{\"budget\":\"NAME\"}}",
        "SNS notifications of AWS Budgets and of Cost Anomaly Detection",
    ];

    fn sweep() -> Self {
        Request { scope: Scope::AllBudgets, command: None }
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
            budget => {
                let command = Some(Command::Release(budget.into()));
                Ok(Reading::Work(Request { scope: Scope::AllBudgets, command }))
            }
        }
    }

    fn notifications(all: Vec<runtime::Notification>) -> Result<Reading<Self>, String> {
        let scope = Scope::Notified(all.into_iter().map(notification).collect());
        Ok(Reading::Work(Request { scope, command: None }))
    }
}

fn notification(it: runtime::Notification) -> Notification {
    let content = Content::read(&it.message);
    Notification { topic: it.topic, subject: it.subject.unwrap_or_default(), content }
}

#[cfg(test)]
mod tests {
    use rules::budget::Money;
    use runtime::Request as _;
    use serde_json::json;

    use super::*;
    use crate::plan::scope::Kind;

    fn sample(name: &str) -> Result<Reading<Request>, String> {
        let path = format!("{}/../../events/enforce-budget/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let payload = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Request::read(runtime::event(payload)?)
    }

    fn heard(name: &str) -> Content {
        let Ok(Reading::Work(Request { scope: Scope::Notified(mut all), .. })) = sample(name) else { panic!("{name}") };
        assert_eq!(all[0].topic, "arn:aws:sns:ap-northeast-2:123456789012:nightshift-BudgetTopic-1A2B3C4D5E6F");
        all.remove(0).content
    }

    fn budget(kind: Kind, name: &str, amount: Option<Money>) -> Content {
        Content::Budget { account: Some("123456789012".into()), name: name.into(), kind, amount }
    }

    #[test]
    fn every_sample_is_reduced_to_where_to_look() {
        for sweep in ["sweep", "dry-run", "scheduled-default"] {
            let all = Request { scope: Scope::AllBudgets, command: None };
            assert_eq!(sample(sweep), Ok(Reading::Work(all)), "{sweep}");
        }
        let command = Some(Command::Release("TrueGul Monthly".into()));
        assert_eq!(sample("release"), Ok(Reading::Work(Request { scope: Scope::AllBudgets, command })));
        let amount = |cents| Some(Money::cents(cents));
        assert_eq!(heard("budget-actual"), budget(Kind::Actual, "TrueGul Monthly", amount(30_472)));
        assert_eq!(heard("budget-forecast"), budget(Kind::Forecast, "TrueGul Monthly", amount(35_400)));
        assert_eq!(heard("budget-won"), budget(Kind::Actual, "K-Food monthly (KRW)", amount(123_456_700)));
        let Content::Anomaly(anomaly) = heard("cost-anomaly") else { panic!("an anomaly") };
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
