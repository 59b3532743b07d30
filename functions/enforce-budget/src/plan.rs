//! What people are told of budgets, and what is held and released for them. Pure: no clock, no environment, no AWS.

mod candidate;
mod change;
mod notification;
mod period;
pub mod scope;
pub mod spend;
mod state;
pub mod step;
mod verdict;
pub mod world;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Zoned;
use reconcile::{Outcome, Plan, Report, Trouble, when};
use rules::budget::tag_name;
use rules::keys;

use candidate::Candidate;
use change::Circumstances;
use scope::{Command, Own, Scope};
use state::BudgetState;
use step::Step;
use verdict::Verdict;
use world::{Budget, Resource, World};

/// What a run was asked for, and where it is.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    pub scope: &'a Scope,
    pub command: Option<&'a Command>,
    pub own: &'a Own,
}

/// What to tell, to hold and to release.
pub fn plan(world: &World, options: Options<'_>, now: &Zoned) -> Plan<Step> {
    let mut plan = Plan::remembering(keys::BUDGET_PROBLEM);
    let mut budgets: Vec<&Budget> = world.budgets.iter().collect();
    budgets.sort_by(|a, b| a.name.cmp(&b.name));
    let mut resources: Vec<&Resource> = world.resources.iter().collect();
    resources.sort_by(|a, b| a.arn.cmp(&b.arn));
    let candidates: Vec<Candidate> = resources.iter().map(|it| Candidate::read(it)).collect();
    let verdicts: Vec<Verdict> =
        budgets.iter().map(|it| verdict(it, &world.budgets, &candidates, options, now)).collect();
    for verdict in &verdicts {
        let sleeping = candidates.iter().filter(|it| it.is_newly_held_by(verdict, now)).count();
        verdict.tell(sleeping, now, &mut plan);
        verdict.measure(&mut plan);
        if let Some(fact) = verdict.fact(candidates.iter().filter_map(|it| it.held_for(verdict))) {
            plan.fact(&verdict.budget.arn, fact);
        }
    }
    if let Some(Command::Release(name)) = options.command {
        answer_release(name, &verdicts, now, &mut plan);
    }
    for it in resources.iter().filter(|it| it.arn.contains(":instance/")) {
        plan.named(&it.arn, &it.name);
    }
    notification::judge(options.scope, options.own, &world.budgets, &mut plan);
    let groups: BTreeSet<&str> = candidates.iter().filter_map(Candidate::expendable_group).collect();
    for candidate in &candidates {
        candidate.decide(&verdicts, &groups, now, &mut plan);
    }
    if candidates.is_empty()
        && let Some(trouble) = candidate::unknown_budgets(None, &verdicts)
    {
        plan.trouble("budgets", trouble);
    }
    for missing in &world.missing {
        match &missing.why {
            None => plan.skip(&missing.resource, "it no longer exists"),
            Some(why) => plan.trouble(&missing.resource, Trouble::unreadable("unreadable", "it", why)),
        }
    }
    plan
}

/// The notes that say that people were told, by the ARN of the budget.
pub fn to_remember(plan: &Plan<Step>) -> BTreeMap<String, String> {
    let tell = |step: &Step| match step {
        Step::Tell(it) => Some((it.note.budget.clone(), it.told.clone())),
        Step::Remember(_) | Step::Hold(_) | Step::Release(_) => None,
    };
    plan.steps.iter().filter_map(|it| tell(&it.step)).collect()
}

/// Those of them whose telling was carried out, so that people know by now.
pub fn told<'a>(notes: &'a BTreeMap<String, String>, report: &Report) -> Vec<(&'a str, &'a str)> {
    let done = report.actions.iter().filter(|it| it.outcome == Outcome::Done);
    let done: BTreeSet<&String> = done.map(|it| &it.resource).collect();
    let notes = notes.iter().filter(|(budget, _)| done.contains(budget) && report.notification_error.is_none());
    notes.map(|(budget, memory)| (budget.as_str(), memory.as_str())).collect()
}

fn verdict<'a>(
    budget: &'a Budget,
    all: &[Budget],
    candidates: &[Candidate],
    options: Options<'_>,
    now: &Zoned,
) -> Verdict<'a> {
    let state = budget.state(all, now.timestamp());
    let change = match &state {
        BudgetState::Enforced(enforced) => enforced.change(&Circumstances {
            sleep_at: candidates.iter().filter_map(|it| it.sleeps_at(&enforced.tag_name)).collect(),
            release: is_released(options.command, budget),
            witnessed: options.scope.witnessed(&budget.name, options.own),
            now: now.timestamp(),
        }),
        _ => None,
    };
    Verdict { budget, state, change }
}

/// Whether a person releases this budget, by its name or by what tags make of it.
fn is_released(command: Option<&Command>, budget: &Budget) -> bool {
    matches!(command, Some(Command::Release(name)) if *name == budget.name || *name == tag_name(&budget.name))
}

fn answer_release(name: &str, verdicts: &[Verdict<'_>], now: &Zoned, plan: &mut Plan<Step>) {
    let command = Command::Release(name.to_owned());
    let Some(verdict) = verdicts.iter().find(|it| is_released(Some(&command), it.budget)) else {
        let names: Vec<&str> = verdicts.iter().filter(|it| it.is_tagged()).map(|it| it.budget.name.as_str()).collect();
        let there =
            if names.is_empty() { "none is enforced".into() } else { format!("enforced are: {}", names.join(", ")) };
        return plan.refuse(format_args!("there is no budget '{name}'; {there}"));
    };
    match &verdict.state {
        BudgetState::Enforced(enforced) if verdict.change.as_ref().is_none_or(|it| !it.released) => {
            let since = enforced.memory.as_ref().and_then(|it| it.released).map(|it| when(it, now)).unwrap_or_default();
            plan.skip(&verdict.budget.arn, format!("what it held was released on {since} already"));
        }
        BudgetState::Enforced(_) => {}
        BudgetState::NotEnforced(why, _) => {
            plan.refuse(format_args!("'{name}' holds nothing: {why}"));
        }
        BudgetState::Unclear(trouble) => not_releasable(name, &trouble.message, plan),
        BudgetState::Unknown(why) => not_releasable(name, &format!("its tags cannot be read: {why}"), plan),
    }
}

fn not_releasable(name: &str, why: &str, plan: &mut Plan<Step>) {
    plan.refuse(format_args!("nothing of '{name}' can be released before this is fixed: {why}"));
}
