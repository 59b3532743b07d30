//! A shop with alarms, services and a database, and an AWS that carries plans out.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, Zoned};
use reconcile::{Plan, Step as _};
use rules::keys;

use crate::plan::{
    Act, Alarm, Asked, Database, Deed, Metric, Note, Rollout, RolloutEnd, Service, ServiceName, State, Step, Watches,
    World, plan,
};

pub const ASKED: Asked = Asked { max_remedies: 10, forget: false };

/// Saturday, ten past three at night.
pub fn now() -> Zoned {
    "2026-11-21T03:10:00+09:00[Asia/Seoul]".parse().unwrap()
}

/// So many minutes after [`now`], or before it.
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
    Metric { account: None, dimensions: tags(dimensions) }
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

/// AWS begins what `plan` says.
pub fn apply(plan: &Plan<Step>, world: &mut World) {
    for planned in &plan.steps {
        match &planned.step {
            Step::Act(act) => {
                remember(world, &act.alarm, Some(act.memory.to_string()));
                begin(act, world);
            }
            Step::Note(Note { alarm, memory, .. }) => {
                remember(world, alarm, memory.as_ref().map(ToString::to_string));
            }
        }
    }
}

fn remember(world: &mut World, alarm: &str, value: Option<String>) {
    let alarm = world.alarms.iter_mut().find(|it| it.name == *alarm).expect("the alarm is there");
    match value {
        Some(value) => drop(alarm.tags.insert(keys::REMEDIED.into(), value)),
        None => drop(alarm.tags.remove(keys::REMEDIED)),
    }
}

fn begin(act: &Act, world: &mut World) {
    let mut service = |arn: &str| {
        let index = world.services.iter().position(|it| it.arn == arn).expect("the service is there");
        std::mem::replace(&mut world.services[index], service("gone"))
    };
    let back = match &act.remedy {
        Deed::Notify => return,
        Deed::Restart(name) => {
            let arn = format!("arn:aws:ecs:ap-northeast-2:123456789012:service/{name}");
            Service { deploying: true, ..service(&arn) }
        }
        Deed::ScaleOut { arn, boost, .. } => {
            let mut it = service(arn);
            it.tags.insert(keys::BOOST_MEMORY.into(), boost.to_string());
            it
        }
        Deed::Rollback { arn, wish, .. } => {
            let mut it = service(arn);
            it.tags.insert(keys::ROLLBACK.into(), wish.to_string());
            it
        }
        Deed::Reboot { id, .. } => {
            let database = world.databases.iter_mut().find(|it| it.id == *id).expect("the database is there");
            database.status = "rebooting".into();
            return;
        }
        Deed::Wake { arn, .. } => {
            let mut it = service(arn);
            (it.desired, it.deploying) = (2, false);
            it.tags.remove(keys::ASLEEP);
            it
        }
    };
    let index = world.services.iter().position(|it| it.name.name == "gone").expect("it was taken out");
    world.services[index] = back;
}

/// What is done (as `* TARGET ACTION: reason`), left alone (as `+ ALARM: reason`) and wrong (as `! ALARM KIND: message`).
pub fn lines(world: &World, asked: Asked, now: &Zoned) -> Vec<String> {
    let plan = plan(world, asked, now);
    let name = |arn: &str| arn.rsplit([':', '/']).next().unwrap().to_owned();
    let done = plan.steps.iter().map(|it| format!("* {} {}: {}", name(&it.resource), it.step.action(), it.reason));
    let left = plan.skipped.iter().map(|it| format!("+ {}: {}", name(&it.resource), it.reason));
    let wrong = plan.problems.iter().map(|it| format!("! {} {}: {}", name(&it.resource), it.problem, it.message));
    done.chain(left).chain(wrong).collect()
}

/// Plans for so many minutes after [`now`], checks the beginnings of what comes, and carries it out.
#[track_caller]
pub fn check(world: &mut World, minutes: i64, expected: &[&str]) {
    let now = at(minutes);
    let lines = lines(world, ASKED, &now);
    let fits = lines.len() == expected.len() && lines.iter().zip(expected).all(|(line, it)| line.starts_with(it));
    assert!(fits, "{lines:#?}\nis not\n{expected:#?}");
    let plan = plan(world, ASKED, &now);
    apply(&plan, world);
}

/// The one thing that is done about the alarm of `world`, or else what is said of it.
#[track_caller]
pub fn answer(world: &World) -> String {
    answer_at(world, 0)
}

/// The same so many minutes after [`now`].
#[track_caller]
pub fn answer_at(world: &World, minutes: i64) -> String {
    let lines = lines(world, ASKED, &at(minutes));
    // A refusal is a problem and a note; the problem says it all.
    lines.iter().find(|it| it.starts_with('!')).unwrap_or(&lines[0]).clone()
}
