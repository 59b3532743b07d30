//! What is expendable: whether it must sleep, and for which budget.

use std::collections::BTreeSet;

use jiff::{Timestamp, Zoned};
use reconcile::{Plan, Trouble, when};
use rules::BadTag;
use rules::budget::{Expendable, tag_name};
use rules::database::{MEMBER, told_of_member};
use rules::intent::{self, AwakeUntil};
use rules::keys;

use super::state::BudgetState;
use super::step::{Hold, Release, Step};
use super::verdict::Verdict;
use super::world::{Resource, Whole};

/// What a hold of a budget begins with.
const BY_BUDGET: &str = "budget:";

/// A resource, with what its tags say.
pub struct Candidate<'a> {
    resource: &'a Resource,
    /// Its tag, if it has one.
    rule: Option<Result<Expendable, BadTag>>,
    /// Its hold, if it has one.
    hold: Option<Result<intent::Hold, BadTag>>,
}

impl<'a> Candidate<'a> {
    /// Reads the tags of a resource.
    pub fn read(resource: &'a Resource) -> Self {
        let tag = |key: &str| resource.tags.get(key).map(String::as_str);
        let rule = tag(keys::BUDGET).map(str::parse);
        let hold = tag(keys::HOLD_MEMORY).map(str::parse);
        Candidate { resource, rule, hold }
    }

    /// The name of the Auto Scaling group that it is, if it is one that is expendable.
    pub fn expendable_group(&self) -> Option<&'a str> {
        let is_group = self.resource.arn.contains(":autoScalingGroup:");
        (is_group && self.rule.is_some()).then_some(self.resource.name.as_str())
    }

    /// At how many percent of the budget it sleeps, if that may put it to sleep at all.
    pub fn sleeps_at(&self, budget: &str) -> Option<u32> {
        let rule = self.rule.as_ref()?.as_ref().ok().filter(|_| self.resource.member_of.is_none())?;
        rule.budget.as_ref().is_none_or(|it| it == budget).then_some(rule.sleep_at)
    }

    /// Whether it sleeps once it is held: `scale-staging` looks only at what has a schedule.
    fn can_sleep(&self) -> bool {
        self.resource.tags.contains_key(keys::SCHEDULE)
    }

    /// Whether this run puts it to sleep for the budget.
    pub fn is_newly_held_by(&self, verdict: &Verdict<'_>, now: &Zoned) -> bool {
        self.hold.is_none() && self.can_sleep() && self.is_wanted_by(verdict) && self.kept_awake(now).is_none()
    }

    /// Whether the budget, by what is spent of it, wants this to sleep.
    fn is_wanted_by(&self, verdict: &Verdict<'_>) -> bool {
        let sleep_at = verdict.enforced().and_then(|it| self.sleeps_at(&it.tag_name));
        verdict.released().is_none() && sleep_at.is_some_and(|it| it <= verdict.reached())
    }

    /// Its name, and since when it sleeps for the budget, if it does.
    pub fn held_for(&self, verdict: &Verdict<'_>) -> Option<(&'a str, Timestamp)> {
        let hold = self.hold.as_ref()?.as_ref().ok()?;
        let budget = hold.by.strip_prefix(BY_BUDGET)?;
        (budget == tag_name(&verdict.budget.name)).then_some((self.resource.name.as_str(), hold.since))
    }

    /// What to do about it.
    pub fn decide(
        &self,
        verdicts: &[Verdict<'_>],
        expendable_groups: &BTreeSet<&str>,
        now: &Zoned,
        plan: &mut Plan<Step>,
    ) {
        let Resource { arn, name, tags, .. } = self.resource;
        let Some(rule) = &self.rule else { return self.left_behind(verdicts, plan) };
        plan.examined(arn, tags);
        // A group hands its tags on to its instances.
        if let Some(Whole::Group(group)) = &self.resource.member_of
            && expendable_groups.contains(group.as_str())
        {
            return plan.skip(arn, format!("it belongs to the Auto Scaling group {group}, which sleeps as a whole"));
        }
        if let Some(trouble) = self.trouble(verdicts) {
            let lacks_schedule = trouble.kind == "no-schedule";
            plan.trouble(arn, trouble);
            // A schedule is what it lacks to be put to sleep, not to be released.
            if !lacks_schedule {
                return;
            }
        }
        let Ok(rule) = rule else { return };
        let kept_awake = self.kept_awake(now);
        let mut wanting = verdicts.iter().find(|it| self.is_wanted_by(it)).filter(|_| self.can_sleep());
        if let (Some(until), Some(verdict)) = (kept_awake, wanting.take_if(|_| kept_awake.is_some()))
            && self.hold.is_none()
        {
            let (reached, budget, until) = (verdict.reached(), &verdict.budget.name, when(until, now));
            return plan
                .skip(arn, format!("{reached} % of {budget} are spent, but a person keeps it awake until {until}"));
        }
        let hold = self.hold.as_ref().and_then(|it| it.as_ref().ok());
        let wants_out = match hold {
            None => None,
            Some(hold) => match hold.by.strip_prefix(BY_BUDGET) {
                None => return plan.skip(arn, format!("it is held by {} already", hold.by)),
                Some(budget) => match self.free_again(budget, hold, verdicts, now) {
                    None => return plan.skip(arn, format!("held by {budget} since {}", when(hold.since, now))),
                    Some(free) => Some((hold, free)),
                },
            },
        };
        let before = tags.get(keys::HOLD_MEMORY).cloned();
        match (wanting, wants_out) {
            (Some(verdict), _) => {
                let reason = format!(
                    "{} % of {} are spent{}, and it sleeps at {} %; back to its schedule on {} at the latest",
                    verdict.reached(),
                    verdict.budget.name,
                    verdict.parts_in_words(),
                    rule.sleep_at,
                    verdict.enforced().map_or(String::new(), |it| when(it.period.end, now)),
                );
                let soon = "; it is spent in the first days of its period: fixed costs alone may be above the limit";
                let reason = if verdict.is_spent_soon(now) { reason + soon } else { reason };
                let by = format!("{BY_BUDGET}{}", tag_name(&verdict.budget.name));
                let hold = Hold {
                    resource: arn.clone(),
                    name: name.clone(),
                    budget: verdict.budget.name.clone(),
                    before,
                    hold: intent::Hold { by, since: whole_second(now) }.to_string(),
                    after: verdict.note().map(|it| it.budget),
                };
                plan.act(arn, Step::Hold(hold), reason);
            }
            (None, Some((hold, free))) => {
                let release =
                    Release { resource: arn.clone(), name: name.clone(), hold: hold.to_string(), after: free.after };
                plan.act(arn, Step::Release(release), free.reason);
            }
            (None, None) if plan.problems.last().is_none_or(|it| it.resource != *arn) => {
                plan.skip(arn, self.awake(rule, verdicts));
            }
            (None, None) => {}
        }
    }

    /// Why it can neither be held nor released, or what keeps it from being put to sleep.
    fn trouble(&self, verdicts: &[Verdict<'_>]) -> Option<Trouble> {
        let rule = match self.rule.as_ref()? {
            Ok(rule) => rule,
            Err(bad) => return Some(Trouble::new("bad-tag", bad)),
        };
        match &self.resource.member_of {
            Some(Whole::Cluster(cluster)) => {
                return Some(Trouble::new(MEMBER, told_of_member(cluster, "sleeps", keys::BUDGET)));
            }
            Some(Whole::Group(group)) => {
                let message = format!(
                    "it belongs to the Auto Scaling group {group}, which would replace a stopped instance: put the tag \
                     {} on the group instead",
                    keys::BUDGET
                );
                return Some(Trouble::new("group-member", message));
            }
            None => {}
        }
        if let Some(Err(bad)) = &self.hold {
            return Some(Trouble::new("unreadable-hold", format!("{bad}; remove the tag, and it is decided anew")));
        }
        if !self.can_sleep() {
            let message = format!(
                "no budget can put it to sleep: it lacks {0}; give it that tag, such as {0}=always, which leaves it awake otherwise",
                keys::SCHEDULE
            );
            return Some(Trouble::new("no-schedule", message));
        }
        let tagged = || verdicts.iter().filter(|it| it.is_tagged());
        let named = |it: &&Verdict<'_>| rule.budget.as_ref() == Some(&tag_name(&it.budget.name));
        let held_by = self.hold.as_ref().and_then(|it| it.as_ref().ok()?.by.strip_prefix(BY_BUDGET));
        let meant = held_by.or(rule.budget.as_deref());
        if let Some(trouble) = unknown_budgets(meant, verdicts) {
            return Some(trouble);
        }
        match &rule.budget {
            // First it is released; the next run says what is missing.
            _ if held_by.is_some() => None,
            // Among those whose tags are not known it may be.
            _ if verdicts.iter().any(|it| matches!(it.state, BudgetState::Unknown(_))) => None,
            Some(name) if !tagged().any(|it| named(&it)) => {
                let names: Vec<String> = tagged().map(|it| tag_name(&it.budget.name)).collect();
                let there = if names.is_empty() { "none".into() } else { names.join(", ") };
                Some(Trouble::new(
                    "no-such-budget",
                    format!("no enforced budget is called {name} in tags; there is: {there}"),
                ))
            }
            None if tagged().next().is_none() => {
                let message = format!("no budget of the account is enforced: tag one with {}=enforce", keys::BUDGET);
                Some(Trouble::new("no-budget", message))
            }
            _ => None,
        }
    }

    /// Why a hold of `budget` is not needed any more, or `None` as long as it is.
    fn free_again(&self, budget: &str, hold: &intent::Hold, verdicts: &[Verdict<'_>], now: &Zoned) -> Option<Free> {
        let by = verdicts.iter().find(|it| tag_name(&it.budget.name) == budget && it.is_tagged());
        let by = by.or_else(|| verdicts.iter().find(|it| tag_name(&it.budget.name) == budget));
        let after = by.and_then(Verdict::note).map(|it| it.budget);
        let free = |reason: String| Some(Free { reason, after });
        let Some(verdict) = by else { return free(format!("there is no budget {budget} any more")) };
        let enforced = match &verdict.state {
            BudgetState::Enforced(enforced) => enforced,
            BudgetState::NotEnforced(why, _) => return free(format!("{} is not enforced: {why}", verdict.budget.name)),
            BudgetState::Unclear(..) | BudgetState::Unknown(_) => return None,
        };
        let name = &verdict.budget.name;
        if self.sleeps_at(&enforced.tag_name).is_none() {
            return free(format!("its tag {} is about another budget", keys::BUDGET));
        }
        if let Some(until) = self.kept_awake(now) {
            return free(format!("a person keeps it awake until {}", when(until, now)));
        }
        if self.is_wanted_by(verdict) {
            return None;
        }
        if let Some(released) = verdict.released() {
            return free(format!("a person released what {name} holds on {}", when(released, now)));
        }
        match verdict.holds_since() {
            Some(since) if since == enforced.period.start && hold.since < since => {
                free(format!("a new period of {name} has begun"))
            }
            Some(since) if hold.since < since => free(format!("the limit of {name} was raised")),
            _ => free(format!("{} % of {name} are spent, and its tag {} says more", verdict.reached(), keys::BUDGET)),
        }
    }

    fn awake(&self, rule: &Expendable, verdicts: &[Verdict<'_>]) -> String {
        let of = |it: &Verdict<'_>| {
            let enforced = it.enforced().filter(|it| self.sleeps_at(&it.tag_name).is_some())?;
            let figures = enforced.figures.as_ref().ok()?;
            Some(format!("{} % of {}", figures.percent, it.budget.name))
        };
        let spent: Vec<String> = verdicts.iter().filter_map(of).collect();
        let spent =
            if spent.is_empty() { "no figure counts now".into() } else { format!("{} are spent", spent.join(", ")) };
        let sleeps = |it: &&Verdict<'_>| it.enforced().is_some_and(|it| self.sleeps_at(&it.tag_name).is_some());
        let once = verdicts.iter().filter(sleeps).filter_map(Verdict::seen_once).any(|it| it >= rule.sleep_at);
        let once = if once { ", seen once, so a second reading has to confirm it" } else { "" };
        format!("it sleeps at {} %; {spent}{once}", rule.sleep_at)
    }

    /// Until when a person keeps it awake: that outranks a budget.
    fn kept_awake(&self, now: &Zoned) -> Option<Timestamp> {
        let value = self.resource.tags.get(keys::AWAKE_UNTIL)?;
        // One that cannot be read is told by scale-staging, whose tag it is.
        let AwakeUntil(moment) = AwakeUntil::read(keys::AWAKE_UNTIL, value).ok()?;
        Some(moment.instant(now.time_zone())).filter(|it| *it > now.timestamp())
    }

    /// A hold on what is not expendable any more: by the rules of IAM this function can neither remove it nor remember
    /// there that people were told, so the budget does.
    fn left_behind(&self, verdicts: &[Verdict<'_>], plan: &mut Plan<Step>) {
        let Resource { arn, name, .. } = self.resource;
        let Some(Ok(hold)) = &self.hold else { return };
        let Some(budget) = hold.by.strip_prefix(BY_BUDGET) else { return };
        let by = verdicts.iter().find(|it| tag_name(&it.budget.name) == budget && it.is_tagged());
        let message = format!(
            "{name} stays asleep: it has lost its tag {}; {} holds it, and without that tag nothing releases it: put the tag back, or remove the tag {}",
            keys::BUDGET,
            hold.by,
            keys::HOLD_MEMORY
        );
        plan.problem(by.map_or(arn, |it| &it.budget.arn), "left-behind", message);
    }
}

/// Why something is free again, and the budget whose memory is written first.
struct Free {
    reason: String,
    after: Option<String>,
}

/// Of which budgets it is not known whether they are enforced, though it may be one of them that is meant. Their own
/// memory of what was told cannot be read either, so what depends on them remembers it.
pub fn unknown_budgets(meant: Option<&str>, verdicts: &[Verdict<'_>]) -> Option<Trouble> {
    let enforced = verdicts.iter().any(|it| it.enforced().is_some());
    let lasting = |it: &&Verdict<'_>| it.budget.tags.as_ref().is_err_and(|it| !it.for_now);
    let meant = |it: &&Verdict<'_>| match meant {
        Some(name) => name == tag_name(&it.budget.name),
        None => !enforced,
    };
    let unknown: Vec<&Verdict<'_>> = verdicts.iter().filter(lasting).filter(meant).collect();
    let first = unknown.first()?;
    let why = first.budget.tags.as_ref().err().map_or("", |it| &it.why);
    let more = if unknown.len() > 1 { format!(" and of {} more budgets", unknown.len() - 1) } else { String::new() };
    let message = format!(
        "the tags of {}{more} cannot be read, so it is not known whether it is enforced: {why}",
        first.budget.name
    );
    Some(Trouble::new("unreadable-tags", message))
}

/// Tags keep whole seconds.
fn whole_second(now: &Zoned) -> jiff::Timestamp {
    jiff::Timestamp::from_second(now.timestamp().as_second()).unwrap_or(now.timestamp())
}
