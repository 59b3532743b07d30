//! An account with a budget and something expendable, and an AWS that carries plans out, whole or in part.

use std::collections::BTreeMap;

use jiff::{Timestamp, Zoned};
use reconcile::Plan;
use rules::budget::{Money, Warned};
use rules::keys;

use crate::plan::scope::{Command, Content, Kind, Notification, Own, Scope};
use crate::plan::step::{MemoryNote, Step};
use crate::plan::world::{Amount, Budget, Figure, Resource, TimeUnit, Whole, World};
use crate::plan::{Options, plan};

pub const TOPIC: &str = "arn:aws:sns:ap-northeast-2:123456789012:budgets";
pub const NAME: &str = "TrueGul Monthly";

/// What wakes a run in these tests.
#[derive(Debug, Clone)]
pub enum Wake {
    Sweep,
    Notified(Notification),
    Release(&'static str),
}

pub const SWEEP: Wake = Wake::Sweep;

/// What a run that is woken so comes to.
pub fn planned(world: &World, wake: &Wake, now: &Zoned) -> Plan<Step> {
    let (scope, command) = match wake.clone() {
        Wake::Sweep => (Scope::AllBudgets, None),
        Wake::Notified(it) => (Scope::Notified(vec![it]), None),
        Wake::Release(name) => (Scope::AllBudgets, Some(Command::Release(name.into()))),
    };
    let plan = plan(world, Options { scope: &scope, command: command.as_ref(), own: &own() }, now);
    testkit::told::keep("enforce-budget", &plan);
    plan
}

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

/// That many dollars.
pub fn usd(cents: i64) -> Option<Figure> {
    Some(Ok(Amount { money: Money::cents(cents), currency: "USD".into() }))
}

pub fn money(figure: &Option<Figure>) -> Money {
    figure.clone().unwrap().unwrap().money
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
        readings: BTreeMap::new(),
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

/// The same of an EC2 instance, of a group or of none.
pub fn instance(id: &str, rule: &str, group: Option<&str>) -> Resource {
    Resource {
        arn: format!("arn:aws:ec2:ap-northeast-2:123456789012:instance/{id}"),
        name: "shop".into(),
        member_of: group.map(|it| Whole::Group(it.into())),
        ..service(id, rule)
    }
}

/// The same of an Auto Scaling group.
pub fn group(name: &str, rule: &str) -> Resource {
    let arn = "arn:aws:autoscaling:ap-northeast-2:123456789012:autoScalingGroup:1:autoScalingGroupName";
    Resource { arn: format!("{arn}/{name}"), name: name.into(), ..service(name, rule) }
}

pub fn world(cents: i64, rules: &[&str]) -> World {
    let service = |(index, rule): (usize, &&str)| service(&format!("app-{index}"), rule);
    World {
        budgets: vec![budget(NAME, cents)],
        resources: rules.iter().enumerate().map(service).collect(),
        missing: Vec::new(),
    }
}

pub fn says(kind: Kind, name: &str, cents: i64) -> Wake {
    let (account, amount) = (Some(own().account), Some(Money::cents(cents)));
    let content = Content::Budget { account, name: name.into(), kind, amount };
    Wake::Notified(Notification { topic: TOPIC.into(), subject: "AWS Budgets".into(), content })
}

fn write(world: &mut World, budget: &str, memory: &str) {
    let found = world.budgets.iter_mut().find(|it| it.arn == budget).unwrap();
    found.tags.as_mut().unwrap().insert(keys::WARNED.into(), memory.into());
}

/// Carries out those steps of `plan` that `done` lets through, and none before what it needs; without `told` the run
/// dies before people know.
pub fn applied_in_part(plan: &Plan<Step>, mut world: World, done: impl Fn(usize) -> bool, told: bool) -> World {
    for (_, planned) in plan.steps.iter().enumerate().filter(|(index, _)| done(*index)) {
        if let Step::Tell(crate::plan::step::Tell { note, .. }) | Step::Remember(note) = &planned.step {
            write(&mut world, &note.budget, &note.memory);
        }
    }
    for (_, planned) in plan.steps.iter().enumerate().filter(|(index, _)| is_done(plan, *index, &done)) {
        let resource = world.resources.iter_mut().find(|it| it.arn == planned.resource);
        match &planned.step {
            Step::Tell(it) if told => write(&mut world, &it.note.budget, &it.told),
            Step::Tell(_) | Step::Remember(MemoryNote { .. }) => {}
            Step::Hold(it) => drop(resource.unwrap().tags.insert(keys::HOLD_MEMORY.into(), it.hold.clone())),
            Step::Release(_) => drop(resource.unwrap().tags.remove(keys::HOLD_MEMORY)),
        }
    }
    world
}

/// Whether a step is carried out: nothing is before what it needs.
pub fn is_done(plan: &Plan<Step>, index: usize, done: impl Fn(usize) -> bool) -> bool {
    let needs = reconcile::Step::needs(&plan.steps[index].step);
    let needed = plan.steps.iter().position(|it| Some(it.resource.as_str()) == needs);
    done(index) && needed.is_none_or(done)
}

pub fn applied(plan: &Plan<Step>, world: World) -> World {
    applied_in_part(plan, world, |_| true, true)
}

/// What a run does to the world, and what it says of it in [`lines`].
pub fn run(world: World, wake: &Wake, now: &Zoned) -> (World, Vec<String>) {
    let plan = planned(&world, wake, now);
    let lines = lines(&plan);
    (applied(&plan, world), lines)
}

/// The same twice, an hour apart, as it takes for a figure to count; what the second one says.
pub fn run_twice(world: World, wake: &Wake, now: &Zoned) -> (World, Vec<String>) {
    let before = now.checked_sub(jiff::SignedDuration::from_hours(1)).unwrap();
    let (world, _) = run(world, wake, &before);
    run(world, wake, now)
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
