//! What notifications say, held against what AWS Budgets says. Nothing is ever done because of a notification.

use reconcile::{CommandLine, Plan};
use rules::keys;

use super::{Budget, Step};
use crate::request::{Anomaly, Kind, Notice, Request, Said};

/// Which account this is, and through which topic its budgets speak.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// The account.
    pub account: String,
    /// The ARN of the topic.
    pub topic: Option<String>,
}

/// Whether a notification can be about a budget of this account, so that it is worth looking.
pub fn is_ours(notice: &Notice, own: &Own) -> bool {
    let account = match &notice.said {
        Said::Budget { account, .. } => account.as_ref(),
        Said::Anomaly(_) => return false,
        Said::Unclear(_) => None,
    };
    came_through_ours(notice, own) && account.is_none_or(|it| *it == own.account)
}

fn came_through_ours(notice: &Notice, own: &Own) -> bool {
    own.topic.as_ref() == Some(&notice.topic)
}

/// Tells people what of the notifications is not as AWS Budgets says.
pub fn judge(request: &Request, own: &Own, budgets: &[Budget], plan: &mut Plan<Step>) {
    let Request::Heard(notices) = request else { return };
    for notice in notices {
        if !came_through_ours(notice, own) {
            let message = format!(
                "a notification '{}' came through this topic, which is not that of the budgets; it may be forged, and nothing was done",
                notice.subject
            );
            plan.problem(&notice.topic, "foreign-topic", message);
            continue;
        }
        match &notice.said {
            Said::Budget { account: Some(account), name, .. } if *account != own.account => {
                let message = format!(
                    "a notification speaks of the budget '{name}' of account {account}, not {}; it may be forged, and nothing was done",
                    own.account
                );
                plan.problem(&notice.topic, "foreign-account", message);
            }
            Said::Budget { name, kind, amount, .. } => {
                let told = budgets.iter().find(|it| it.name == *name);
                match told {
                    None => {
                        let message = format!(
                            "a notification speaks of the budget '{name}', which does not exist; it may be forged or deleted, and nothing was done"
                        );
                        plan.problem(&notice.topic, "no-such-budget", message);
                    }
                    Some(budget) => confirm(budget, *kind, *amount, plan),
                }
            }
            Said::Anomaly(it) => anomaly(it, plan),
            Said::Unclear(text) => {
                let message = format!("a notification cannot be understood, so all budgets were looked at: {text}");
                plan.problem(&notice.topic, "unclear-notification", message);
            }
        }
    }
}

/// Tells people if the budget does nothing, or if the figure of a notification is more than AWS says.
fn confirm(budget: &Budget, kind: Kind, claimed: Option<rules::budget::Money>, plan: &mut Plan<Step>) {
    if budget.tags.is_ok() && budget.tag(keys::BUDGET).is_none() {
        let tag = format!("Key={},Value=enforce", keys::BUDGET);
        let call = ["aws", "budgets", "tag-resource", "--resource-arn", &budget.arn, "--resource-tags", &tag];
        let message = format!(
            "'{}' has passed a threshold, but it is not enforced, so nothing was done; if it is to be, tag it: {}",
            budget.name,
            CommandLine::of(call)
        );
        return plan.problem(&budget.arn, "not-enforced", message);
    }
    let (figure, what) = match kind {
        Kind::Actual => (budget.actual.as_ref(), "spent"),
        Kind::Forecast => (budget.forecast.as_ref(), "forecast"),
        Kind::Other => return,
    };
    let Some(claimed) = claimed else { return };
    if figure.is_none_or(|it| claimed.clearly_exceeds(it.money)) {
        let figure = figure.map_or("no figure".into(), ToString::to_string);
        let message = format!(
            "a notification says {} {what}, AWS Budgets says {figure}, and that counts; it is forged, or the figures went down",
            claimed.rounded()
        );
        plan.problem(&budget.arn, "unconfirmed", message);
    }
}

/// Anomalies are told and never acted upon.
fn anomaly(it: &Anomaly, plan: &mut Plan<Step>) {
    let account = it.account.as_ref().map_or(String::new(), |it| format!(" in account {it}"));
    let link = if it.link.is_empty() { String::new() } else { format!("; look first at {}", it.link) };
    let message = format!("{}{account}; nothing was done{link}", it.summary);
    plan.problem(&it.monitor, "cost-anomaly", message);
}
