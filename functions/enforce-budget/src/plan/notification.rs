//! What notifications say, held against what AWS Budgets says. Nothing is ever done because of a notification.

use reconcile::{CommandLine, Plan, Undo};
use rules::keys;

use super::scope::{Anomaly, Content, Kind, Own, Scope};
use super::step::Step;
use super::world::{Amount, Budget};

/// Tells people what of the notifications is not as AWS Budgets says.
pub fn judge(scope: &Scope, own: &Own, budgets: &[Budget], plan: &mut Plan<Step>) {
    let Scope::Notified(notifications) = scope else { return };
    for it in notifications {
        if !it.is_of_own_topic(own) {
            let message = format!(
                "a notification '{}' came through this topic, which is not that of the budgets; it may be forged, and nothing was done",
                it.subject
            );
            plan.problem(&it.topic, "foreign-topic", message);
            continue;
        }
        match &it.content {
            Content::Budget { account: Some(account), name, .. } if *account != own.account => {
                let message = format!(
                    "a notification is about account {account}; its budget is '{name}', and this account is {}. It may be forged, and nothing was done",
                    own.account
                );
                plan.problem(&it.topic, "foreign-account", message);
            }
            Content::Budget { name, kind, amount, .. } => {
                let told = budgets.iter().find(|it| it.name == *name);
                match told {
                    None => {
                        let message = format!(
                            "a notification speaks of the budget '{name}', which does not exist; it may be forged or deleted, and nothing was done"
                        );
                        plan.problem(&it.topic, "no-such-budget", message);
                    }
                    Some(budget) => confirm(budget, *kind, *amount, plan),
                }
            }
            Content::Anomaly(found) => anomaly(found, plan),
            Content::Unclear(text) => {
                let message = format!("a notification cannot be understood, so all budgets were looked at: {text}");
                plan.problem(&it.topic, "unclear-notification", message);
            }
        }
    }
}

/// Tells people if the budget does nothing, or if the figure of a notification is more than AWS says.
fn confirm(budget: &Budget, kind: Kind, claimed: Option<rules::budget::Money>, plan: &mut Plan<Step>) {
    if budget.tags.is_ok() && budget.tag(keys::BUDGET).is_none() {
        let tag = format!("Key={},Value=enforce", keys::BUDGET);
        let call = ["aws", "budgets", "tag-resource", "--resource-arn", &budget.arn, "--resource-tags", &tag];
        let message = "it has passed a threshold, but it is not enforced, so nothing was done; to enforce it, tag it";
        plan.problem(&budget.arn, "not-enforced", message);
        return plan.choice("Enforce it", Undo::Shell(CommandLine::of(call)));
    }
    let readable = |figure: &'_ Option<super::world::Figure>| figure.as_ref().and_then(|it| it.as_ref().ok()).cloned();
    let (figure, what): (Option<Amount>, _) = match kind {
        Kind::Actual => (readable(&budget.actual), "spent"),
        Kind::Forecast => (readable(&budget.forecast), "forecast"),
        Kind::Other => return,
    };
    let Some(claimed) = claimed else { return };
    if figure.as_ref().is_none_or(|it| claimed.clearly_exceeds(it.money)) {
        let figure = figure.as_ref().map_or("no figure".into(), ToString::to_string);
        let message = format!(
            "a notification says {} {what}, AWS Budgets says {figure}, and that counts; it is forged, or the figures went down",
            claimed.rounded()
        );
        plan.problem(&budget.arn, "unconfirmed", message);
    }
}

/// Anomalies are told and never acted upon.
fn anomaly(it: &Anomaly, plan: &mut Plan<Step>) {
    let account = it.account.as_ref().map_or(String::new(), |it| format!(", in account {it}"));
    let link = if it.link.is_empty() { String::new() } else { format!(". Look first at {}", it.link) };
    let message =
        format!("{}{account}. Nothing was done, for an anomaly never puts anything to sleep{link}", it.summary);
    plan.problem(&it.what, "cost-anomaly", message);
}
