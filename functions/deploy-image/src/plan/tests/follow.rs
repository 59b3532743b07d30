//! Schedules that follow a service run what it has proven, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Zoned;
use proptest::prelude::*;
use proptest::strategy::Strategy;
use reconcile::Plan;
use rules::{ServiceName, keys};
use serde_json::json;

use super::model::{Model, digest};
use super::stories::words;
use crate::plan::*;

const ROLE: &str = "arn:aws:iam::123456789012:role/nightly";
const GROUP: &str = "arn:aws:scheduler:ap-northeast-2:123456789012:schedule-group/jobs";

fn revision(name: &str) -> String {
    format!("arn:aws:ecs:ap-northeast-2:123456789012:task-definition/{name}")
}

fn schedule(name: &str, task_definition: &str) -> Scheduled {
    Scheduled { name: name.into(), role: ROLE.into(), task_definition: revision(task_definition) }
}

/// `shop/api` runs api:12, which is live there, and the group `jobs` follows it with these schedules.
fn world(schedules: &[(&str, &str)]) -> World {
    let name = ServiceName::parse("shop/api").unwrap();
    let mut service = Model::new("newest").service;
    (service.name, service.task_definition) = (name.clone(), revision("api:12"));
    service.deployments[0].state = RolloutState::Completed;
    let pinned = BTreeMap::from([("app".to_owned(), digest("v1.2.0"))]);
    let origin = Origin { service, history: vec![], pinned };
    let group = ScheduleGroup {
        arn: GROUP.into(),
        name: "jobs".into(),
        tags: BTreeMap::from([(keys::DEPLOY.into(), "follow=shop/api".into())]),
        schedules: Some(Ok(schedules.iter().map(|(name, runs)| schedule(name, runs)).collect())),
    };
    let definition = |status: &str| {
        let fields = json!({"taskDefinitionArn": revision("api:12"), "status": status});
        TaskDefinition { fields: fields.as_object().unwrap().clone(), tags: BTreeMap::new() }
    };
    World {
        groups: vec![group],
        schedule_roles: BTreeSet::from([ROLE.to_owned()]),
        facts: BTreeMap::from([
            (Fact::Origin(name), Observation::Origin(Some(Box::new(origin)))),
            (Fact::TaskDefinition(revision("api:12")), Observation::TaskDefinition(Box::new(definition("ACTIVE")))),
        ]),
        ..World::default()
    }
}

fn rejected(image: &str) -> String {
    format!("{} pushed=2026-11-20T18:00:00Z by=person", digest(image))
}

impl World {
    fn source(&mut self) -> &mut Origin {
        let found = self.facts.values_mut().find_map(|it| match it {
            Observation::Origin(Some(source)) => Some(source),
            _ => None,
        });
        found.unwrap()
    }
}

fn decide(world: &World) -> Plan<Step> {
    let now: Zoned = "2026-11-21T03:10:00+09:00[Asia/Seoul]".parse().unwrap();
    let decision = plan(world, &Scope::Everywhere, None, &now);
    assert!(decision.lacking.is_empty(), "{:?}", decision.lacking);
    testkit::told::keep("deploy-image", &decision.plan);
    decision.plan
}

#[track_caller]
fn check(world: &World, expected: &[&str]) {
    let said = words(&decide(world));
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for it in expected {
        assert!(said.iter().any(|said| said.starts_with(it)), "{it}: {said:#?}");
    }
}

#[test]
fn a_schedule_of_the_family_gets_the_revision_that_the_service_has_proven() {
    let world = world(&[("nightly", "api:11"), ("hourly", "api:12"), ("always", "api"), ("report", "report:3")]);
    check(
        &world,
        &[
            "jobs/nightly: runs api:12 from now on (was api:11), as shop/api does: shop/api has proven api:12",
            "skip: jobs/hourly runs api:12, which shop/api has proven",
            "skip: jobs/always names the family api without a revision, so ECS runs the newest one that is registered, proven \
             or not; name a revision, such as api:12, and it follows shop/api",
        ],
    );
}

#[test]
fn it_follows_back_as_well() {
    let mut world = world(&[("nightly", "api:13")]);
    world.source().service.tags.insert(keys::REJECTED.into(), rejected("v1.3.0"));
    check(&world, &["jobs/nightly: runs api:12 from now on (was api:13), as shop/api does"]);
}

#[test]
fn what_is_not_proven_leaves_every_schedule_as_it_is() {
    type Alter = fn(&mut Origin);
    let alter: [(&str, Alter); 6] = [
        ("shop/api has a deployment under way, and api:12 is not proven before its end", |it| {
            it.service.deployments[0].state = RolloutState::InProgress;
        }),
        ("the deployment of api:12 to shop/api failed", |it| it.service.deployments[0].state = RolloutState::Failed),
        ("api:12 was not found live on shop/api yet", |it| (it.service.desired, it.service.running) = (0, 0)),
        ("api:12 was not found live on shop/api yet", |it| {
            drop(it.service.tags.insert(keys::DEPLOY.into(), "newest health=targets".into()));
        }),
        ("shop/api runs an image that is rejected there", |it| {
            drop(it.service.tags.insert(keys::REJECTED.into(), rejected("v1.2.0")));
        }),
        ("shop/api is draining, so nothing is proven there", |it| it.service.status = "DRAINING".into()),
    ];
    for (why, alter) in alter {
        let mut world = world(&[("nightly", "api:11")]);
        alter(world.source());
        check(&world, &[&format!("skip: its schedules stay: {why}")]);
    }
}

#[test]
fn what_was_found_live_before_it_fell_asleep_is_proven() {
    let mut world = world(&[("nightly", "api:11")]);
    let service = &mut world.source().service;
    (service.desired, service.running) = (0, 0);
    service.tags.insert(keys::ASLEEP.into(), "since=2026-11-20T18:00:00Z desired=2 by=schedule".into());
    let verdict = format!("won {} at=2026-11-20T17:00:00Z", digest("v1.2.0"));
    service.tags.insert(keys::VERDICT.into(), verdict);
    check(&world, &["jobs/nightly: runs api:12 from now on (was api:11)"]);
}

#[test]
fn what_keeps_a_group_from_following_is_told_with_what_to_do() {
    let follows = |tag: &str| {
        let mut world = world(&[("nightly", "api:11")]);
        world.groups[0].tags.insert(keys::DEPLOY.into(), tag.into());
        world
    };
    check(&follows("newest"), &["bad-tag: nightshift:deploy: no option 'follow' in 'newest'; accepted: follow="]);
    check(
        &follows("follow=api"),
        &["bad-tag: nightshift:deploy: follow=api cannot be understood in 'follow=api'; accepted: "],
    );
    let mut off = world(&[("nightly", "api:11")]);
    off.schedule_roles.clear();
    check(&off, &["follow-off: its schedules do not follow shop/api yet; they do once the parameter ScheduleRoles"]);
    let mut other = world(&[("nightly", "api:11"), ("weekly", "api:11")]);
    other.groups[0].schedules.as_mut().unwrap().as_mut().unwrap()[0].role =
        "arn:aws:iam::123456789012:role/other".into();
    check(
        &other,
        &[
            "follow-role: jobs/nightly does not follow shop/api: its role is not allowed; add arn:aws:iam::123456789012:role/other to",
            "jobs/weekly: runs api:12 from now on",
        ],
    );
    let none = "nothing-follows: none of its schedules runs a task of the family api on ECS, which is that of shop/api";
    check(&world(&[("report", "report:3")]), &[none]);
    check(&world(&[]), &[none]);
    let mut gone = world(&[("nightly", "api:11")]);
    gone.facts.insert(Fact::Origin(ServiceName::parse("shop/api").unwrap()), Observation::Origin(None));
    check(&gone, &["no-such-source: there is no service shop/api, which its schedules follow; correct follow="]);
    let mut inactive = world(&[("nightly", "api:11")]);
    for it in inactive.facts.values_mut() {
        if let Observation::TaskDefinition(it) = it {
            it.fields.insert("status".into(), "INACTIVE".into());
        }
    }
    check(
        &inactive,
        &["inactive-revision: jobs/nightly does not follow shop/api: api:12 is deregistered; the service runs it"],
    );
    let mut unreadable = world(&[]);
    unreadable.groups[0].schedules = Some(Err("ListSchedules jobs: AccessDeniedException: no".into()));
    check(
        &unreadable,
        &["unreadable-schedules: its schedules cannot be read: ListSchedules jobs: AccessDeniedException: no"],
    );
}

#[test]
fn roles_may_be_named_by_a_part_of_their_name() {
    for (named, follows) in [
        ("arn:aws:iam::123456789012:role/night*", true),
        ("arn:aws:iam::123456789012:role/*", true),
        ("arn:aws:iam::123456789012:role/n*t*y", true),
        ("arn:aws:iam::123456789012:role/nightly-*", false),
        ("arn:aws:iam::123456789012:role/n*x*y", false),
        ("arn:aws:iam::123456789012:role/*ly2", false),
        ("arn:aws:iam::123456789012:role/night", false),
    ] {
        let mut world = world(&[("nightly", "api:11")]);
        world.schedule_roles = BTreeSet::from([named.to_owned()]);
        assert_eq!(decide(&world).steps.len(), usize::from(follows), "{named}");
    }
}

fn runs() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["api:1", "api:11", "api:12", "api:13", "api", "report:12", "report", "api-2:12"])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn only_what_is_proven_is_followed_and_only_by_schedules_of_its_family_whose_role_is_named(
        schedules in prop::collection::vec((runs(), any::<bool>()), 0..6),
        state in prop::sample::select(vec![RolloutState::Completed, RolloutState::InProgress, RolloutState::Failed]),
        running in 0..3i32, bad in any::<bool>(), won in any::<bool>(), health in any::<bool>()
    ) {
        let names: Vec<String> = (0..schedules.len()).map(|it| format!("s{it}")).collect();
        let pairs: Vec<(&str, &str)> = names.iter().zip(&schedules).map(|(name, (runs, _))| (name.as_str(), *runs)).collect();
        let mut world = world(&pairs);
        let all = world.groups[0].schedules.as_mut().unwrap().as_mut().unwrap();
        for (it, (_, named)) in all.iter_mut().zip(&schedules).filter(|(_, (_, named))| !named) {
            it.role = format!("{named}");
        }
        let source = world.source();
        source.service.deployments[0].state = state;
        (source.service.desired, source.service.running) = (running, running);
        let tags = &mut source.service.tags;
        if bad {
            tags.insert(keys::REJECTED.into(), rejected("v1.2.0"));
        }
        if won {
            tags.insert(keys::VERDICT.into(), format!("won {} at=2026-11-20T17:00:00Z", digest("v1.2.0")));
        }
        if health {
            tags.insert(keys::DEPLOY.into(), "newest health=targets".into());
        }
        let proven = state == RolloutState::Completed && !bad && (won || running > 0 && !health);
        let plan = decide(&world);
        for it in &plan.steps {
            let Step::Follow(it) = &it.step else { panic!("{it:?}") };
            let at: usize = it.schedule[1..].parse().unwrap();
            let (runs, named) = schedules[at];
            prop_assert!(proven && named && it.to == revision("api:12") && it.from == revision(runs), "{:?}", it);
            prop_assert!(["api:1", "api:11", "api:13"].contains(&runs), "{}", runs);
        }
        let due = schedules.iter().filter(|(runs, named)| *named && ["api:1", "api:11", "api:13"].contains(runs)).count();
        prop_assert_eq!(plan.steps.len(), if proven { due } else { 0 });
        // Once it is done, it is done.
        let mut after = world.clone();
        for it in after.groups[0].schedules.as_mut().unwrap().as_mut().unwrap() {
            let done = |step: &&reconcile::Planned<Step>| matches!(&step.step, Step::Follow(step) if step.schedule == it.name);
            if plan.steps.iter().any(|step| done(&step)) {
                it.task_definition = revision("api:12");
            }
        }
        prop_assert_eq!(decide(&after).steps, vec![]);
    }
}
