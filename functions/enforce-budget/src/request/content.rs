//! What a notification says: AWS Budgets sends English text, Cost Anomaly Detection JSON.
//!
//! Both are hints. Nothing is decided by what is read here; it tells where to look, and what people are told.

use serde_json::Value;

use super::amount;
use crate::plan::scope::{Anomaly, Content, Kind};

impl Content {
    /// Reads the body of a notification.
    pub fn read(message: &str) -> Self {
        if let Ok(Value::Object(fields)) = serde_json::from_str(message)
            && fields.contains_key("anomalyId")
        {
            return Content::Anomaly(Anomaly::read(&Value::Object(fields)));
        }
        Self::budget(message).unwrap_or_else(|| Content::Unclear(message.trim().chars().take(200).collect()))
    }

    /// The lines `Key: value` of the text; its sentences differ from one kind of budget to the other.
    fn budget(message: &str) -> Option<Self> {
        let line = |key: &str| {
            let value = message.lines().find_map(|it| it.trim().strip_prefix(key)?.strip_prefix(':'));
            value.map(str::trim).filter(|it| !it.is_empty())
        };
        let kind = match line("Alert Type").map(str::to_ascii_uppercase).as_deref() {
            Some("ACTUAL") => Kind::Actual,
            Some("FORECASTED") => Kind::Forecast,
            _ => Kind::Other,
        };
        let key = match kind {
            Kind::Actual => "ACTUAL Amount",
            Kind::Forecast => "FORECASTED Amount",
            Kind::Other => "Amount",
        };
        let account = message.lines().find_map(|it| it.trim().strip_prefix("AWS Account "));
        Some(Content::Budget {
            account: account.map(|it| it.trim().to_owned()),
            // AWS takes no longer name.
            name: line("Budget Name")?.chars().take(100).collect(),
            kind,
            amount: line(key).and_then(amount::read),
        })
    }
}

impl Anomaly {
    fn read(fields: &Value) -> Self {
        let text = |name: &str| fields[name].as_str().filter(|it| !it.is_empty());
        let impact = |name: &str| fields["impact"][name].as_f64().map(|it| format!("{it:.2}"));
        let what = text("dimensionalValue").or(text("dimensionValue")).or(text("monitorName")).unwrap_or("AWS");
        // A monitor of linked accounts names the account, and a name ends at these where it becomes a subject.
        let is_account = what.len() == 12 && what.bytes().all(|it| it.is_ascii_digit());
        let what = if is_account { format!("account {what}") } else { what.replace([':', '/'], " ") };
        let since = text("anomalyStartDate").map(|it| format!(" since {}", it.get(..10).unwrap_or(it)));
        let cost = impact("totalActualSpend").map_or("costs more than usual".into(), |it| format!("{it} spent"));
        let usual = impact("totalExpectedSpend").map(|it| format!(" instead of {it}"));
        let mut summary = format!("{cost}{}{}", usual.unwrap_or_default(), since.unwrap_or_default());
        let causes: Vec<String> =
            fields["rootCauses"].as_array().into_iter().flatten().take(5).filter_map(cause).collect();
        if !causes.is_empty() {
            summary += &format!(". It comes from {}", causes.join("; "));
        }
        Anomaly {
            account: text("accountId").map(str::to_owned),
            what,
            summary,
            link: text("anomalyDetailsLink").unwrap_or_default().into(),
        }
    }
}

/// `AWS CloudTrail, EU-InsightsEvents, eu-west-1, account acct`.
fn cause(cause: &Value) -> Option<String> {
    let part = |name: &str| cause[name].as_str().filter(|it| !it.is_empty()).map(str::to_owned);
    let account = part("linkedAccountName").or(part("linkedAccount")).map(|it| format!("account {it}"));
    let parts: Vec<String> =
        [part("service"), part("usageType"), part("region"), account].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rules::budget::Money;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_lines_with_keys_count_whatever_the_sentences_say() {
        let text = "AWS Budget Notification January 28, 2026\r\nAWS Account 123456789012\r\n\r\nDear AWS Customer,\r\n\r\n\
            You asked. Budget Name: is a line of its own.\r\n\r\nBudget Name: team: dev\r\nAlert Type: ACTUAL\r\nACTUAL Amount: $36.69\r\n";
        let amount = Some(Money::cents(3_669));
        let account = Some("123456789012".into());
        assert_eq!(
            Content::read(text),
            Content::Budget { account, name: "team: dev".into(), kind: Kind::Actual, amount }
        );
        let sparse = "Budget Name: team";
        let expected = Content::Budget { account: None, name: "team".into(), kind: Kind::Other, amount: None };
        assert_eq!(Content::read(sparse), expected);
    }

    #[test]
    fn what_is_neither_is_kept_for_people() {
        assert_eq!(Content::read(" Hello "), Content::Unclear("Hello".into()));
        assert_eq!(Content::read("{\"a\":1}"), Content::Unclear("{\"a\":1}".into()));
        assert_eq!(Content::read("Budget Name:"), Content::Unclear("Budget Name:".into()));
        assert_eq!(Content::read(&"x".repeat(999)), Content::Unclear("x".repeat(200)));
    }

    #[test]
    fn an_anomaly_is_summed_up_with_what_is_there() {
        let Content::Anomaly(bare) = Content::read("{\"anomalyId\":\"1\"}") else { panic!("an anomaly") };
        assert_eq!((bare.summary.as_str(), bare.what.as_str()), ("costs more than usual", "AWS"));
        let full = json!({"anomalyId": "1", "dimensionalValue": "AWS CloudTrail", "anomalyStartDate": "2026-11-05T00:00:00Z",
            "impact": {"totalExpectedSpend": 0.27, "totalActualSpend": 12.09},
            "rootCauses": [{"service": "AWS CloudTrail", "region": "eu-west-1", "linkedAccountName": "acct", "usageType": "EU-InsightsEvents"}, {}]});
        let Content::Anomaly(full) = Content::read(&full.to_string()) else { panic!("an anomaly") };
        assert_eq!(
            (full.what.as_str(), full.summary.as_str()),
            (
                "AWS CloudTrail",
                "12.09 spent instead of 0.27 since 2026-11-05. \
                 It comes from AWS CloudTrail, EU-InsightsEvents, eu-west-1, account acct"
            )
        );
        for (dimension, named) in [("123456789012", "account 123456789012"), ("team:dev/api", "team dev api")] {
            let text = json!({"anomalyId": "1", "dimensionalValue": dimension}).to_string();
            let Content::Anomaly(it) = Content::read(&text) else { panic!("an anomaly") };
            assert_eq!(it.what, named);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = Content::read(&text);
        }
    }
}
