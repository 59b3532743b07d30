//! Budget against actual, and what sleeping has saved.

use jiff::Zoned;
use reconcile::when;
use rules::budget::Money;
use rules::facts::{Budget, Fact};

use super::line::Lines;
use super::seen::Seen;
use super::usage::{Query, Slept};

/// The hours that did not run.
pub fn saved(seen: &Seen, lines: &mut Lines) {
    let Ok(usage) = &seen.usage else { return };
    let saved = usage.saved(&seen.board, seen.window);
    if saved.task_hours > 0.0 || saved.database_hours > 0.0 {
        let worth = worth(seen, &usage.slept(&seen.board, seen.window));
        lines.news(format!(
            "Asleep in {} days: {:.0} hours of tasks and {:.0} hours of databases that did not run{worth}",
            saved.days, saved.task_hours, saved.database_hours
        ));
    }
}

/// What they would have cost. Savings plans, discounts and what AWS bills of a stopped database are not in it.
fn worth(seen: &Seen, slept: &[Slept]) -> String {
    let databases = match &seen.weekly.databases {
        Some(Ok(databases)) => databases.as_slice(),
        _ => &[],
    };
    match &seen.prices {
        Some(Ok(prices)) => match prices.cost(slept, databases, &seen.stack.region) {
            Some(cost) => {
                let unpriced = match cost.unpriced {
                    0 => String::new(),
                    some => format!(", without {some} of which it has no price"),
                };
                format!(", about {:.2} USD at AWS's prices on demand{unpriced}", cost.usd)
            }
            None => "; AWS's price list has no price for them".into(),
        },
        Some(Err(why)) => format!("; AWS's price list could not be read: {why}"),
        None => String::new(),
    }
}

/// Each budget: what the month before came to, and how this one stands.
pub fn table(seen: &Seen, now: &Zoned, lines: &mut Lines) {
    for (_, fact) in seen.board.facts("enforce-budget") {
        let Fact::Budget(it) = fact else { continue };
        if let Some(percent) = last_month(seen, &it.name) {
            let line = format!("{}: {}", it.name, of_limit(it, percent));
            if percent >= 100 { lines.red(line, seen.stack.budgets()) } else { lines.news(line) }
        }
        lines.news(format!("{} now: {}", it.name, standing(it, now)));
        for part in &it.parts {
            let actual = part.actual.as_deref().map_or_else(|| "unknown".into(), rounded);
            let limit = part.limit.as_deref().map(|it| format!(" of {}", rounded(it))).unwrap_or_default();
            lines.news(format!("  {}: {actual}{limit} {}", part.name, it.currency));
        }
    }
}

/// The most that was read of a budget in the month before: AWS shows its final figure some hours into the next one.
fn last_month(seen: &Seen, budget: &str) -> Option<u32> {
    let usage = seen.usage.as_ref().ok()?;
    let (_, series) = usage.of(Query::BudgetSpent).find(|(name, _)| *name == budget)?;
    let most = series.iter().map(|it| it.1).fold(f64::MIN, f64::max);
    Some(most.max(0.0) as u32)
}

/// The amount is that of the limit as it is now.
fn of_limit(it: &Budget, percent: u32) -> String {
    let limit = it.limit.parse::<Money>().unwrap_or(Money::ZERO);
    let spent = limit.share(percent).rounded();
    format!("last month about {spent} of {} {} ({percent} %)", limit.rounded(), it.currency)
}

fn standing(it: &Budget, now: &Zoned) -> String {
    let held = match (it.held.is_empty(), it.held_since) {
        (true, _) => String::new(),
        (false, since) => {
            let since = since.map(|it| format!(" since {}", when(it, now))).unwrap_or_default();
            format!("; asleep for it{since}: {}", it.held.join(", "))
        }
    };
    format!("{} of {} {} ({} %){held}", rounded(&it.actual), rounded(&it.limit), it.currency, it.percent)
}

fn rounded(text: &str) -> String {
    text.parse::<Money>().map_or_else(|_| text.to_owned(), Money::rounded)
}
