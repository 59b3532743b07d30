//! A shop with alarms, services and a database, and an AWS that carries plans out.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::{Plan, Step as _};
use rules::keys;

use crate::plan::plan;
use crate::plan::scope::{Options, Scope};
use crate::plan::step::{MemoryChange, RemedyAction, StartRemedy, Step};
use crate::plan::world::{Alarm, Database, Metric, Rollout, RolloutEnd, Service, ServiceName, State, Watches, World};

pub const SWEEP: Options<'static> = Options { scope: &Scope::EveryAlarm, command: None, max_remedies: 10 };

/// Saturday, ten past three at night.
pub fn now() -> Zoned {
    "2026-11-21T03:10:00+09:00[Asia/Seoul]".parse().unwrap()
}

/// That many minutes after [`now`], or before it.
pub fn at(minutes: i64) -> Zoned {
    now().checked_add(SignedDuration::from_mins(minutes)).unwrap()
}

pub fn moment(minutes: i64) -> Timestamp {
    at(minutes).timestamp()
}

pub fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

pub fn metric(dimensions: &[(&str, &str)]) -> Metric {
    Metric { dimensions: tags(dimensions), ..Metric::default() }
}

/// An alarm on `shop/api` that has just fired.
pub fn alarm(name: &str, rule: &str) -> Alarm {
    Alarm {
        name: name.into(),
        arn: format!("arn:aws:cloudwatch:ap-northeast-2:123456789012:alarm:{name}"),
        state: State::Alarm,
        since: Some(moment(0)),
        reason: "12 datapoints were greater than the threshold (10.0)".into(),
        description: String::new(),
        watches: Watches::Metrics(vec![metric(&[("ClusterName", "shop"), ("ServiceName", "api")])]),
        silenced: None,
        unreadable: None,
        tags: tags(&[(keys::REMEDY, rule)]),
    }
}

/// A service of two tasks that opted in to everything; what it runs went live ten minutes ago.
pub fn service(name: &str) -> Service {
    Service {
        arn: format!("arn:aws:ecs:ap-northeast-2:123456789012:service/shop/{name}"),
        name: ServiceName { cluster: "shop".into(), name: name.into() },
        status: "ACTIVE".into(),
        controller: None,
        desired: 2,
        deploying: false,
        task_definition: revision(name, 42),
        task_sets: Vec::new(),
        target_groups: vec![group(name)],
        tags: tags(&[(keys::DEPLOY, "newest"), (keys::SCHEDULE, "always")]),
    }
}

pub fn revision(name: &str, number: u32) -> String {
    format!("arn:aws:ecs:ap-northeast-2:123456789012:task-definition/{name}:{number}")
}

fn group(name: &str) -> String {
    format!("arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:targetgroup/{name}/6d0ecf831eec9f09")
}

pub fn database(id: &str) -> Database {
    Database {
        arn: format!("arn:aws:rds:ap-northeast-2:123456789012:db:{id}"),
        id: id.into(),
        is_cluster: false,
        member_of: None,
        status: "available".into(),
        multi_az: true,
        tags: tags(&[(keys::BACKUP, "days=30"), (keys::SCHEDULE, "always")]),
    }
}

pub fn rollout(task_definition: String, end: RolloutEnd, minutes: i64) -> Rollout {
    Rollout { task_definition, end, at: Some(moment(minutes)) }
}

/// `shop/api`, `shop/web` and `shop-db`, and these alarms.
pub fn world(alarms: Vec<Alarm>) -> World {
    let services = vec![service("api"), service("web")];
    let past = |it: &Service| {
        let name = &it.name.name;
        let history = vec![
            rollout(revision(name, 42), RolloutEnd::Successful, -10),
            rollout(revision(name, 41), RolloutEnd::Successful, -3000),
        ];
        (it.arn.clone(), history)
    };
    let images = services.iter().map(|it| {
        let image = format!("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/{}@sha256:{:064x}", it.name.name, 2);
        (it.task_definition.clone(), vec![("app".to_owned(), image)])
    });
    World {
        alarms,
        history: services.iter().map(past).collect(),
        images: images.collect(),
        services,
        databases: vec![database("shop-db")],
        ..World::default()
    }
}

/// The world of one alarm on `shop/api` that has just fired.
pub fn fired(rule: &str) -> World {
    world(vec![alarm("api-5xx", rule)])
}

/// AWS starts what `plan` says.
pub fn apply(plan: &Plan<Step>, world: &mut World) {
    for planned in &plan.steps {
        match &planned.step {
            Step::Start(step) => {
                remember(world, &step.alarm_arn, &step.key, Some(step.memory.to_string()));
                start(step, world);
            }
            Step::Remember(MemoryChange { arn, key, memory, .. }) => {
                remember(world, arn, key, memory.as_ref().map(ToString::to_string));
            }
        }
    }
}

fn remember(world: &mut World, alarm: &str, key: &str, value: Option<String>) {
    let alarm = world.alarms.iter_mut().find(|it| it.arn == *alarm).expect("the alarm is there");
    match value {
        Some(value) => drop(alarm.tags.insert(key.into(), value)),
        None => drop(alarm.tags.remove(key)),
    }
}

fn start(step: &StartRemedy, world: &mut World) {
    let mut service = |arn: &str, change: &dyn Fn(&mut Service)| {
        change(world.services.iter_mut().find(|it| it.arn == arn).expect("the service is there"));
    };
    match &step.action {
        RemedyAction::Notify => {}
        RemedyAction::Restart(name) => {
            let arn = format!("arn:aws:ecs:ap-northeast-2:123456789012:service/{name}");
            service(&arn, &|it| it.deploying = true);
        }
        RemedyAction::ScaleOut { arn, boost, .. } => {
            service(arn, &|it| drop(it.tags.insert(keys::BOOST_MEMORY.into(), boost.to_string())));
        }
        RemedyAction::Rollback { arn, request, .. } => {
            service(arn, &|it| drop(it.tags.insert(keys::ROLLBACK.into(), request.to_string())));
        }
        RemedyAction::Reboot { id, .. } => {
            let database = world.databases.iter_mut().find(|it| it.id == *id).expect("the database is there");
            database.status = "rebooting".into();
        }
        RemedyAction::Wake { arn, .. } => service(arn, &|it| {
            (it.desired, it.deploying) = (2, false);
            it.tags.remove(keys::ASLEEP);
        }),
    }
}

/// What is done (as `* TARGET ACTION: reason`), left alone (as `+ ALARM: reason`) and wrong (as `! ALARM KIND: message`).
pub fn lines(world: &World, options: Options<'_>, now: &Zoned) -> Vec<String> {
    let plan = plan(world, options, now);
    testkit::told::keep("remediate-alarm", &plan);
    let name = |arn: &str| arn.rsplit([':', '/']).next().unwrap().to_owned();
    let done = plan.steps.iter().map(|it| format!("* {} {}: {}", name(&it.resource), it.step.action(), it.reason));
    let left = plan.skipped.iter().map(|it| format!("+ {}: {}", name(&it.resource), it.reason));
    let wrong = plan.problems.iter().map(|it| format!("! {} {}: {}", name(&it.resource), it.problem, it.message));
    done.chain(left).chain(wrong).collect()
}

/// Plans for that many minutes after [`now`], checks the beginnings of what comes, and carries it out.
#[track_caller]
pub fn check(world: &mut World, minutes: i64, expected: &[&str]) {
    let now = at(minutes);
    let lines = lines(world, SWEEP, &now);
    let fits = lines.len() == expected.len() && lines.iter().zip(expected).all(|(line, it)| line.starts_with(it));
    assert!(fits, "{lines:#?}\nis not\n{expected:#?}");
    let plan = plan(world, SWEEP, &now);
    apply(&plan, world);
}

/// The one thing that is done about the alarm of `world`, or else what is said of it.
#[track_caller]
pub fn answer(world: &World) -> String {
    answer_at(world, 0)
}

/// The same that many minutes after [`now`].
#[track_caller]
pub fn answer_at(world: &World, minutes: i64) -> String {
    let lines = lines(world, SWEEP, &at(minutes));
    // A refusal is a problem and a note; the problem says it all.
    lines.iter().find(|it| it.starts_with('!')).unwrap_or(&lines[0]).clone()
}
