//! An account with a budget and something expendable, and an AWS that carries plans out, whole or in part.

use std::collections::BTreeMap;

use jiff::{Timestamp, Zoned};
use reconcile::Plan;
use rules::budget::{Money, Warned};
use rules::keys;

use crate::plan::{Amount, Budget, Own, Resource, Step, TimeUnit, World, plan};
use crate::request::{Kind, Notice, Request, Said};

pub const TOPIC: &str = "arn:aws:sns:ap-northeast-2:123456789012:budgets";
pub const NAME: &str = "TrueGul Monthly";

pub fn own() -> Own {
    Own { account: "123456789012".into(), topic: Some(TOPIC.into()) }
}

/// A moment in Seoul by its wall clock there.
pub fn at(text: &str) -> Zoned {
    format!("{text}+09:00[Asia/Seoul]").parse().unwrap()
}

pub fn now() -> Zoned {
    at("2026-11-24T12:00:00")
}

pub fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// So many dollars.
pub fn usd(cents: i64) -> Option<Amount> {
    Some(Amount { money: Money::cents(cents), currency: "USD".into() })
}

/// An enforced monthly budget of 300 USD of which so much is spent.
pub fn budget(name: &str, cents: i64) -> Budget {
    Budget {
        name: name.into(),
        arn: format!("arn:aws:budgets::123456789012:budget/{name}"),
        kind: "COST".into(),
        unit: TimeUnit::Monthly,
        starts: Some(instant("2026-01-01T00:00:00Z")),
        ends: Some(instant("2087-06-15T00:00:00Z")),
        limit: usd(30_000),
        planned: BTreeMap::new(),
        adjusts_itself: false,
        actual: usd(cents),
        forecast: None,
        unhealthy: None,
        tags: Ok(BTreeMap::from([(keys::BUDGET.into(), "enforce".into())])),
    }
}

/// A service of staging that is awake as its schedule says, and expendable as `rule` says.
pub fn service(name: &str, rule: &str) -> Resource {
    Resource {
        arn: format!("arn:aws:ecs:ap-northeast-2:123456789012:service/staging/{name}"),
        name: format!("staging/{name}"),
        member_of: None,
        tags: BTreeMap::from([(keys::BUDGET.into(), rule.into()), (keys::SCHEDULE.into(), "always".into())]),
    }
}

pub fn world(cents: i64, rules: &[&str]) -> World {
    let service = |(index, rule): (usize, &&str)| service(&format!("app-{index}"), rule);
    World {
        budgets: vec![budget(NAME, cents)],
        resources: rules.iter().enumerate().map(service).collect(),
        unseen: Vec::new(),
    }
}

pub fn says(kind: Kind, name: &str, cents: i64) -> Request {
    let (account, amount) = (Some(own().account), Some(Money::cents(cents)));
    let said = Said::Budget { account, name: name.into(), kind, amount };
    Request::Heard(vec![Notice { topic: TOPIC.into(), subject: "AWS Budgets".into(), said }])
}

fn write(world: &mut World, budget: &str, memory: &str) {
    let found = world.budgets.iter_mut().find(|it| it.arn == budget).unwrap();
    found.tags.as_mut().unwrap().insert(keys::WARNED.into(), memory.into());
}

/// Carries out those steps of `plan` that `done` lets through; without `told` the run dies before people know.
pub fn applied_in_part(plan: &Plan<Step>, mut world: World, done: impl Fn(usize) -> bool, told: bool) -> World {
    for (_, planned) in plan.steps.iter().enumerate().filter(|(index, _)| done(*index)) {
        if let Some(note) = planned.step.first() {
            write(&mut world, &note.budget, &note.memory);
        }
    }
    for (_, planned) in plan.steps.iter().enumerate().filter(|(index, _)| done(*index)) {
        let resource = world.resources.iter_mut().find(|it| it.arn == planned.resource);
        match &planned.step {
            Step::Tell(it) if told => write(&mut world, &it.note.budget, &it.told),
            Step::Tell(_) => {}
            Step::Hold(it) => drop(resource.unwrap().tags.insert(keys::HOLD_MEMORY.into(), it.hold.clone())),
            Step::Release(_) => drop(resource.unwrap().tags.remove(keys::HOLD_MEMORY)),
        }
    }
    world
}

pub fn applied(plan: &Plan<Step>, world: World) -> World {
    applied_in_part(plan, world, |_| true, true)
}

/// What a run does to the world, and what it says of it in [`lines`].
pub fn run(world: World, request: &Request, now: &Zoned) -> (World, Vec<String>) {
    let plan = plan(&world, request, &own(), now);
    let lines = lines(&plan);
    (applied(&plan, world), lines)
}

/// What is done (`* NAME ACTION: reason`), left alone (`+ NAME: reason`) and wrong (`! NAME KIND: message`).
pub fn lines(plan: &Plan<Step>) -> Vec<String> {
    use reconcile::Step as _;
    let name = |arn: &str| arn.rsplit('/').next().unwrap().to_owned();
    let done = plan.steps.iter().map(|it| match &it.step {
        Step::Tell(tell) => format!("* {}: {}", tell.headline, it.reason.split("; the period ends").next().unwrap()),
        step => format!("* {} {}: {}", name(&it.resource), step.action(), it.reason),
    });
    let left = plan.skipped.iter().map(|it| format!("+ {}: {}", name(&it.resource), it.reason));
    let wrong = plan.problems.iter().map(|it| format!("! {} {}: {}", name(&it.resource), it.problem, it.message));
    done.chain(left).chain(wrong).collect()
}

/// The names of what is held by a budget.
pub fn held(world: &World) -> Vec<&str> {
    let held = |it: &&Resource| it.tags.get(keys::HOLD_MEMORY).is_some_and(|it| it.starts_with("by=budget:"));
    world.resources.iter().filter(held).map(|it| it.name.trim_start_matches("staging/")).collect()
}

pub fn memory(world: &World) -> Option<Warned> {
    world.budgets[0].tag(keys::WARNED).map(|it| it.parse().unwrap())
}
