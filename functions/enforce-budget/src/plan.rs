//! What people are told of budgets, and what is held and released for them. Pure: no clock, no environment, no AWS.

mod budget;
mod expendable;
mod hearsay;
mod step;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, Zoned};
use reconcile::{Measure, Plan};
use rules::budget::tag_name;
use rules::keys;
use serde_json::{Value, json};

pub use budget::{Amount, Budget, TimeUnit};
pub use expendable::Resource;
pub use hearsay::{Own, is_ours};
pub use step::{Hold, Note, Release, Step, Tell};

use crate::request::Request;
use budget::{Case, Change, Figures, Standing, Unusable, day};
use expendable::Governed;

/// Where people look first.
const CONSOLE: &str = "https://console.aws.amazon.com/costmanagement/home#/budgets";

/// Everything that the decision depends on.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// All budgets of the account.
    pub budgets: Vec<Budget>,
    /// What is tagged as expendable in the region, or is held.
    pub resources: Vec<Resource>,
    /// What AWS would not tell about.
    pub unseen: Vec<Unseen>,
}

/// A resource that AWS would not tell about.
#[derive(Debug, Clone, PartialEq)]
pub struct Unseen {
    /// Its ARN, or what else AWS calls it.
    pub resource: String,
    /// Why; `None` if it is gone.
    pub why: Option<String>,
}

/// A budget with what it means, and what has changed about it.
struct Verdict<'a> {
    budget: &'a Budget,
    standing: Standing<'a>,
    change: Option<Change>,
}

/// What to tell, to hold and to release.
pub fn plan(world: &World, request: &Request, own: &Own, now: &Zoned) -> Plan<Step> {
    let mut plan = Plan::remembering(keys::BUDGET_PROBLEM);
    let mut budgets: Vec<&Budget> = world.budgets.iter().collect();
    budgets.sort_by(|a, b| a.name.cmp(&b.name));
    let mut resources: Vec<&Resource> = world.resources.iter().collect();
    resources.sort_by(|a, b| a.arn.cmp(&b.arn));
    let governed: Vec<Governed> = resources.iter().map(|it| Governed::read(it)).collect();
    let verdicts: Vec<Verdict> =
        budgets.iter().map(|it| verdict(it, &world.budgets, &governed, request, now.timestamp())).collect();
    for verdict in &verdicts {
        verdict.tell(&governed, now, &mut plan);
        verdict.measure(&mut plan);
    }
    if let Request::Release(name) = request {
        answer_release(name, &verdicts, now, &mut plan);
    }
    hearsay::judge(request, own, &world.budgets, &mut plan);
    for governed in &governed {
        governed.decide(&verdicts, now, &mut plan);
    }
    for unseen in &world.unseen {
        match &unseen.why {
            None => plan.skip(&unseen.resource, "it no longer exists"),
            Some(why) => plan.problem(&unseen.resource, "unreadable", why),
        }
    }
    plan
}

/// The notes that say that people were told, by the ARN of the budget.
pub fn told(plan: &Plan<Step>) -> BTreeMap<String, String> {
    let tell = |step: &Step| match step {
        Step::Tell(it) => Some((it.note.budget.clone(), it.told.clone())),
        Step::Hold(_) | Step::Release(_) => None,
    };
    plan.steps.iter().filter_map(|it| tell(&it.step)).collect()
}

fn verdict<'a>(
    budget: &'a Budget,
    all: &[Budget],
    governed: &[Governed],
    request: &Request,
    now: Timestamp,
) -> Verdict<'a> {
    let standing = budget.standing(all, now);
    let change = match &standing {
        Standing::Enforced(case) => {
            let sleep_at: BTreeSet<u32> = governed.iter().filter_map(|it| it.sleeps_at(&case.tag_name)).collect();
            case.change(&sleep_at, is_asked_for(request, budget), now)
        }
        _ => None,
    };
    Verdict { budget, standing, change }
}

/// Whether a person releases this budget, by its name or by what tags make of it.
fn is_asked_for(request: &Request, budget: &Budget) -> bool {
    matches!(request, Request::Release(name) if *name == budget.name || *name == tag_name(&budget.name))
}

fn answer_release(name: &str, verdicts: &[Verdict<'_>], now: &Zoned, plan: &mut Plan<Step>) {
    let request = Request::Release(name.to_owned());
    let Some(verdict) = verdicts.iter().find(|it| is_asked_for(&request, it.budget)) else {
        let names: Vec<&str> = verdicts.iter().filter(|it| it.is_tagged()).map(|it| it.budget.name.as_str()).collect();
        let there =
            if names.is_empty() { "none is enforced".into() } else { format!("enforced are: {}", names.join(", ")) };
        return plan.problem(name, "no-such-budget", format!("there is no budget '{name}'; {there}"));
    };
    match (&verdict.standing, &verdict.change) {
        (Standing::Enforced(case), None) => {
            let since = case.memory.as_ref().and_then(|it| it.released).map(|it| local(it, now)).unwrap_or_default();
            plan.skip(&verdict.budget.arn, format!("what it held was released on {since} already"));
        }
        (Standing::Enforced(_), Some(_)) => {}
        (Standing::NotEnforced(why, _), _) => {
            plan.problem(name, "not-enforced", format!("it holds nothing: {why}"));
        }
        (Standing::Unclear(_, why), _) => {
            plan.problem(name, "not-releasable", format!("nothing of it can be released before this is mended: {why}"));
        }
    }
}

impl<'a> Verdict<'a> {
    /// Whether people mean it to be enforced.
    fn is_tagged(&self) -> bool {
        self.budget.tag(keys::BUDGET).is_some()
    }

    /// The case, if it is enforced.
    fn case(&self) -> Option<&Case<'a>> {
        match &self.standing {
            Standing::Enforced(case) => Some(case),
            _ => None,
        }
    }

    /// How much of it has been spent in percent, as far as that counts.
    fn reached(&self) -> u32 {
        let reached = self.change.as_ref().map(|it| it.after.actual);
        reached.or_else(|| self.case().map(Case::reached)).unwrap_or_default()
    }

    /// What was held before this moment is held no longer for that.
    fn holds_since(&self) -> Option<Timestamp> {
        let case = self.case()?;
        let memory = self.change.as_ref().map(|it| &it.after).or(case.memory.as_ref());
        let resets = memory.into_iter().flat_map(|it| [it.raised, it.released]).flatten();
        resets.chain([case.period.start]).max()
    }

    /// When a person released what it holds in this period.
    fn released(&self) -> Option<Timestamp> {
        let memory = self.change.as_ref().map(|it| &it.after).or(self.case()?.memory.as_ref());
        memory?.released
    }

    /// What must be remembered on the budget before anything is held or released for it.
    fn note(&self) -> Option<Note> {
        let (case, change) = (self.case()?, self.change.as_ref()?);
        // What people were told is remembered when they were told.
        let known = if change.raised_from.is_none() { case.memory.as_ref() } else { None };
        let (told, forecast) = known.map_or((0, 0), |it| (it.told, it.forecast));
        let memory = rules::budget::Warned { told, forecast, ..change.after.clone() };
        Some(Note { budget: self.budget.arn.clone(), memory: memory.to_string() })
    }

    /// Tells people of the budget, or why there is nothing to tell.
    fn tell(&self, governed: &[Governed], now: &Zoned, plan: &mut Plan<Step>) {
        let Budget { arn, name, .. } = self.budget;
        if let Ok(tags) = &self.budget.tags
            && self.is_tagged()
        {
            plan.examined(arn, tags);
        }
        let case = match &self.standing {
            Standing::Unclear(kind, message) => return plan.problem(arn, kind, message),
            Standing::NotEnforced(message, Some(kind)) => return plan.problem(arn, kind, message),
            Standing::NotEnforced(reason, None) => return plan.skip(arn, reason),
            Standing::Enforced(case) => case,
        };
        if let Err(Unusable::Problem(kind, message)) = &case.figures {
            plan.problem(arn, kind, message);
        }
        let Some((change, note)) = self.change.as_ref().zip(self.note()) else {
            match &case.figures {
                Ok(figures) => plan.skip(arn, self.in_words(figures)),
                Err(Unusable::NotYet(reason)) => plan.skip(arn, reason),
                Err(Unusable::Problem(..)) => {}
            }
            return;
        };
        let sleeping = governed.iter().filter(|it| it.is_newly_held_by(self)).count();
        let tell = Tell {
            action: if change.released { "release" } else { "warn" },
            headline: headline(name, change, case, sleeping),
            before: before(case),
            after: after(case),
            note,
            told: change.after.to_string(),
        };
        plan.act(arn, Step::Tell(tell), reason(change, case, now));
    }

    /// What CloudWatch keeps of an enforced budget. It takes no names but those in ASCII.
    fn measure(&self, plan: &mut Plan<Step>) {
        let Some(Ok(figures)) = self.case().map(|it| &it.figures) else { return };
        let mut measure = |metric, percent: u32| {
            plan.measure(Measure { metric, kind: "Budget", of: Some(self.budget.name.clone()), value: percent.into() });
        };
        if self.budget.name.is_ascii() {
            measure("BudgetSpentPercent", figures.percent);
            figures.forecast.iter().for_each(|(_, percent)| measure("BudgetForecastPercent", *percent));
        }
    }

    /// `64 % of 300 USD are spent (192 USD), 118 % are forecast`.
    fn in_words(&self, figures: &Figures) -> String {
        let Figures { limit, actual, percent, forecast } = figures;
        let forecast = match forecast {
            Some((_, percent)) => format!("{percent} % are forecast"),
            None => "there is no forecast yet".into(),
        };
        let most = if self.reached() > *percent { format!(", {} % at most", self.reached()) } else { String::new() };
        let released = self.released().map_or(String::new(), |_| "; a person released what it held".into());
        format!("{percent} % of {limit} are spent ({actual}{most}), {forecast}{released}")
    }
}

/// One line, which is also the subject of the message.
fn headline(name: &str, change: &Change, case: &Case<'_>, sleeping: usize) -> String {
    if change.released {
        return format!("{name}: holds nothing any more until {}", day(case.period.end));
    }
    let Ok(figures) = &case.figures else { return format!("{name}: no figures") };
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

fn before(case: &Case<'_>) -> Value {
    match &case.memory {
        None => json!({"told": "nothing in this period"}),
        Some(it) => {
            let limit = it.limit.map(rules::budget::Money::rounded);
            json!({"told": format!("{} % spent, {} % forecast", it.told, it.forecast), "limit": limit})
        }
    }
}

fn after(case: &Case<'_>) -> Value {
    let period = format!("{} to {} (UTC)", day(case.period.start), day(case.period.end));
    let Ok(Figures { limit, actual, percent, forecast }) = &case.figures else { return json!({"period": period}) };
    let forecast = forecast.as_ref().map(|(amount, percent)| format!("{amount}, {percent} %"));
    json!({"spent": format!("{actual}, {percent} %"), "limit": limit.to_string(), "forecast": forecast, "period": period})
}

fn reason(change: &Change, case: &Case<'_>, now: &Zoned) -> String {
    let until = local(case.period.end, now);
    let mut reasons = Vec::new();
    if change.released {
        reasons.push(format!("a person asked for it; nothing is put to sleep for this budget before {until}"));
    }
    if let Some(before) = change.raised_from {
        reasons.push(format!("the limit was {}, and is reckoned anew from now on", before.rounded()));
    }
    if !change.passed.is_empty() {
        let passed: Vec<String> = change.passed.iter().map(|it| format!("{it} %")).collect();
        reasons.push(format!(
            "{} of the limit {} passed",
            passed.join(" and "),
            if passed.len() > 1 { "are" } else { "is" }
        ));
    }
    if change.forecast {
        reasons.push(format!("the forecast has passed {} %, which only warns", case.rule.warn_at));
    }
    format!("{}; the period ends {until}; look first at {CONSOLE}", reasons.join("; "))
}

/// A moment in the stack's zone, for people.
fn local(moment: Timestamp, now: &Zoned) -> String {
    moment.to_zoned(now.time_zone().clone()).strftime("%Y-%m-%d %H:%M").to_string()
}
