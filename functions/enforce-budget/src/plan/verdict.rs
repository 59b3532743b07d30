//! A budget with what it means and what has changed about it, and how people are told.

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::{Measure, Plan, when};
use rules::budget::{Money, Warned};
use rules::facts::{self, Fact};
use rules::keys;
use serde_json::{Value, json};

use super::change::Change;
use super::period::day;
use super::state::{BudgetState, Enforced, Figures, Unusable};
use super::step::{MemoryNote, Step, Tell};
use super::world::Budget;

/// Where people look first.
const CONSOLE: &str = "https://console.aws.amazon.com/costmanagement/home#/budgets";

/// What is spent so soon in a period was mostly fixed before it began.
const SOON: SignedDuration = SignedDuration::from_hours(3 * 24);

pub struct Verdict<'a> {
    pub budget: &'a Budget,
    pub state: BudgetState<'a>,
    pub change: Option<Change>,
}

impl<'a> Verdict<'a> {
    /// Whether people mean it to be enforced.
    pub fn is_tagged(&self) -> bool {
        self.budget.tag(keys::BUDGET).is_some()
    }

    pub fn enforced(&self) -> Option<&Enforced<'a>> {
        match &self.state {
            BudgetState::Enforced(it) => Some(it),
            _ => None,
        }
    }

    fn memory(&self) -> Option<&Warned> {
        self.change.as_ref().map(|it| &it.after).or(self.enforced()?.memory.as_ref())
    }

    /// How much of it has been spent in percent, as far as that counts.
    pub fn reached(&self) -> u32 {
        self.memory().map_or(0, |it| it.actual)
    }

    /// What was held before this moment is held no longer for that.
    pub fn holds_since(&self) -> Option<Timestamp> {
        let resets = self.memory().into_iter().flat_map(|it| [it.raised, it.released]).flatten();
        resets.chain([self.enforced()?.period.start]).max()
    }

    /// When a person released what it holds in this period.
    pub fn released(&self) -> Option<Timestamp> {
        self.memory()?.released
    }

    /// The figure that one reading has shown and that does not count yet.
    pub fn seen_once(&self) -> Option<u32> {
        self.memory()?.seen.map(|it| it.percent)
    }

    /// What must be remembered on the budget before anything is held or released for it.
    pub fn note(&self) -> Option<MemoryNote> {
        let (enforced, change) = (self.enforced()?, self.change.as_ref()?);
        let memory = if change.is_told() {
            // What people were told is remembered when they were told.
            let known = if change.raised_from.is_none() { enforced.memory.as_ref() } else { None };
            let (told, forecast) = known.map_or((0, 0), |it| (it.told, it.forecast));
            Warned { told, forecast, ..change.after.clone() }
        } else {
            change.after.clone()
        };
        let before = self.budget.tag(keys::WARNED).map(str::to_owned);
        Some(MemoryNote { budget: self.budget.arn.clone(), before, memory: memory.to_string() })
    }

    /// Tells people of the budget, or why there is nothing to tell; `sleeping` are put to sleep by it in this run.
    pub fn tell(&self, sleeping: usize, now: &Zoned, plan: &mut Plan<Step>) {
        let Budget { arn, name, .. } = self.budget;
        if let Ok(tags) = &self.budget.tags
            && self.is_tagged()
        {
            plan.examined(arn, tags);
        }
        let enforced = match &self.state {
            BudgetState::Unclear(trouble) => return plan.trouble(arn, trouble.clone()),
            BudgetState::Unknown(why) => return plan.skip(arn, format!("its tags cannot be read: {why}")),
            BudgetState::NotEnforced(message, Some(kind)) => return plan.problem(arn, kind, message),
            BudgetState::NotEnforced(reason, None) => return plan.skip(arn, reason),
            BudgetState::Enforced(enforced) => enforced,
        };
        if let Err(Unusable::Problem(trouble)) = &enforced.figures {
            plan.trouble(arn, trouble.clone());
        }
        for unknown in enforced.figures.iter().flat_map(|it| it.parts.unknown()) {
            if let Some(kind) = unknown.problem {
                plan.problem(arn, kind, &unknown.message);
            }
        }
        if let Some(message) = self.budget.unreadable_forecast() {
            plan.problem(arn, "unreadable-figure", message);
        }
        let told = self.change.as_ref().filter(|it| it.is_told());
        match (told, self.note()) {
            (Some(change), Some(note)) => {
                let tell = Tell {
                    action: if change.released { "release" } else { "warn" },
                    headline: headline(name, change, enforced, sleeping),
                    before: before(enforced),
                    after: after(enforced),
                    note,
                    told: change.after.to_string(),
                };
                plan.act(arn, Step::Tell(tell), self.reason(change, enforced, now));
            }
            (None, Some(note)) => plan.act(arn, Step::Remember(note), self.in_words(enforced)),
            (_, None) => match &enforced.figures {
                Err(Unusable::Problem(..)) => {}
                _ => plan.skip(arn, self.in_words(enforced)),
            },
        }
    }

    /// What CloudWatch keeps of an enforced budget. It takes no names but those in ASCII.
    pub fn measure(&self, plan: &mut Plan<Step>) {
        let Some(Ok(figures)) = self.enforced().map(|it| &it.figures) else { return };
        let mut measure = |metric, percent: u32| {
            plan.measure(Measure { metric, kind: "Budget", of: Some(self.budget.name.clone()), value: percent.into() });
        };
        if self.budget.name.is_ascii() {
            measure("BudgetSpentPercent", figures.percent);
            figures.forecast.iter().for_each(|(_, percent)| measure("BudgetForecastPercent", *percent));
        }
    }

    /// The figures, for the board; `held` is what sleeps for it, and since when.
    pub fn fact<'b>(&self, held: impl Iterator<Item = (&'b str, Timestamp)>) -> Option<Fact> {
        let enforced = self.enforced()?;
        let Figures { limit, actual, percent, forecast, parts } = enforced.figures.as_ref().ok()?;
        let (names, since): (Vec<String>, Vec<Timestamp>) = held.map(|(name, since)| (name.to_owned(), since)).unzip();
        Some(Fact::Budget(facts::Budget {
            name: self.budget.name.clone(),
            currency: limit.currency.clone(),
            limit: limit.money.to_string(),
            actual: actual.money.to_string(),
            percent: *percent,
            forecast: forecast.as_ref().map(|(it, _)| it.money.to_string()),
            from: enforced.period.start,
            until: enforced.period.end,
            held_since: since.into_iter().min(),
            held: names,
            parts: parts.facts(),
        }))
    }

    /// `64 % of 300 USD are spent (192 USD), 118 % are forecast`.
    fn in_words(&self, enforced: &Enforced<'_>) -> String {
        let Figures { limit, actual, percent, forecast, parts } = match &enforced.figures {
            Ok(figures) => figures,
            Err(Unusable::NotYet(reason)) => return reason.clone(),
            Err(Unusable::Problem(trouble)) => return trouble.message.clone(),
        };
        let forecast = match forecast {
            Some((_, percent)) => format!("{percent} % are forecast"),
            None => "there is no forecast yet".into(),
        };
        let most = if self.reached() > *percent { format!(", {} % at most", self.reached()) } else { String::new() };
        let once = self.seen_once().map_or(String::new(), |it| format!("; {it} % wait for a second reading"));
        let released = self.released().map_or(String::new(), |_| "; a person released what it held".into());
        let parts = match parts.in_words().trim() {
            "" => String::new(),
            parts => format!("; {}", parts.trim_matches(['(', ')'])),
        };
        format!("{percent} % of {limit} are spent ({actual}{most}{parts}), {forecast}{once}{released}")
    }

    /// What its figure is made of, where that is more than AWS; empty otherwise.
    pub fn parts_in_words(&self) -> String {
        let figures = self.enforced().and_then(|it| it.figures.as_ref().ok());
        figures.map(|it| it.parts.in_words()).unwrap_or_default()
    }

    fn reason(&self, change: &Change, enforced: &Enforced<'_>, now: &Zoned) -> String {
        let until = when(enforced.period.end, now);
        let mut reasons = Vec::new();
        if change.released {
            reasons.push(format!("a person asked for it; nothing is put to sleep for this budget before {until}"));
        }
        if let Some(before) = change.raised_from {
            reasons.push(format!("the limit was {}, and what is spent counts from now on", before.rounded()));
        }
        if !change.passed.is_empty() {
            let passed: Vec<String> = change.passed.iter().map(|it| format!("{it} %")).collect();
            let verb = if passed.len() > 1 { "are" } else { "is" };
            reasons.push(format!("{} of the limit {verb} passed{}", passed.join(" and "), self.parts_in_words()));
        }
        if change.after.seen.is_some() && !change.passed.is_empty() {
            reasons.push(
                "nothing sleeps before a second reading, an hour later or more, or AWS's notification confirms it"
                    .into(),
            );
        }
        if self.is_spent_soon(now) && change.passed.iter().any(|it| *it >= 100) {
            reasons.push(
                "it is spent in the first days of its period, so its fixed costs alone may be above the limit".into(),
            );
        }
        if change.forecast {
            reasons.push(format!("the forecast has passed {} %, which only warns", enforced.rule.warn_at));
        }
        format!("{}; the period ends {until}; look first at {CONSOLE}", reasons.join("; "))
    }

    /// Whether the period has hardly begun.
    pub fn is_spent_soon(&self, now: &Zoned) -> bool {
        let start = self.enforced().map(|it| it.period.start);
        let first = self.budget.starts;
        start.is_some_and(|it| first.is_none_or(|first| first < it) && now.timestamp().duration_since(it) < SOON)
    }
}

/// One line, which is also the subject of the message.
fn headline(name: &str, change: &Change, enforced: &Enforced<'_>, sleeping: usize) -> String {
    if change.released {
        return format!("{name}: holds nothing any more until {}", day(enforced.period.end));
    }
    let Ok(figures) = &enforced.figures else { return format!("{name}: no figures") };
    let Figures { limit, percent, forecast, .. } = figures;
    let spent = change.after.actual.max(*percent);
    if change.raised_from.is_some() {
        return format!("{name}: limit raised to {limit}, {percent} % spent");
    }
    match forecast {
        Some((_, percent)) if change.passed.is_empty() => format!("{name}: {percent} % of {limit} forecast"),
        _ if sleeping > 0 => format!("{name}: {spent} % of {limit} spent, {sleeping} put to sleep"),
        _ => format!("{name}: {spent} % of {limit} spent"),
    }
}

fn before(enforced: &Enforced<'_>) -> Value {
    match &enforced.memory {
        None => json!({"told": "nothing in this period"}),
        Some(it) => {
            let limit = it.limit.map(Money::rounded);
            json!({"told": format!("{} % spent, {} % forecast", it.told, it.forecast), "limit": limit})
        }
    }
}

fn after(enforced: &Enforced<'_>) -> Value {
    let period = format!("{} to {} (UTC)", day(enforced.period.start), day(enforced.period.end));
    let Ok(Figures { limit, actual, percent, forecast, parts }) = &enforced.figures else {
        return json!({"period": period});
    };
    let parts = parts.in_words();
    let forecast = forecast.as_ref().map(|(amount, percent)| format!("{amount}, {percent} %"));
    json!({"spent": format!("{actual}, {percent} %{parts}"), "limit": limit.to_string(), "forecast": forecast, "period": period})
}
