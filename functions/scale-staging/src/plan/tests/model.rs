//! A small shop and an AWS that carries plans out, call by call, as ECS, Application Auto Scaling and RDS do.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use reconcile::Plan;
use rules::ServiceName;
use rules::database::{Database, Kind};
use rules::keys;
use rules::schedule::StackCalendar;
use rules::sleep::{Limits, Suspended};

use crate::plan::{
    Backing, Call, Command, Events, Instance, Job, JobGroup, LastEvent, Listed, Request, Scaled, Scope, Service,
    Sleeper, Step, World, databases_in_question, plan, services_to_look_at,
};

pub const HOURS: &str = "mon-fri 08:00-20:00";

/// A moment in Seoul, such as `2026-11-20T20:00`; that is a Friday.
pub fn at(local: &str) -> Zoned {
    format!("{local}:00+09:00[Asia/Seoul]").parse().unwrap()
}

pub fn tags(tags: &[(&str, &str)]) -> BTreeMap<String, String> {
    tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

pub fn service_arn(name: &str) -> String {
    format!("arn:aws:ecs:ap-northeast-2:123456789012:service/staging/{name}")
}

pub fn service(name: &str, schedule: &str, desired: i32) -> Service {
    Service {
        arn: service_arn(name),
        scaled: Scaled::Service(ServiceName::of_arn(&service_arn(name)).unwrap()),
        status: "ACTIVE".into(),
        is_daemon: false,
        is_express: false,
        desired,
        running: desired,
        pending: 0,
        created_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        deploying_since: None,
        deployed_at: Some("2026-11-02T00:00:00Z".parse().unwrap()),
        updated_at: Some("2026-11-02T00:05:00Z".parse().unwrap()),
        messages: Vec::new(),
        target: None,
        target_arn: None,
        copy: None,
        scheduled_actions: Vec::new(),
        tags: tags(&[(keys::SCHEDULE, schedule), ("team", "web")]),
    }
}

pub fn scaled(name: &str, schedule: &str, desired: i32, min: i32, max: i32) -> Service {
    let target = Limits { min, max, suspended: Suspended::default() };
    let target_arn = Some(format!("arn:aws:application-autoscaling:r:1:scalable-target/{name}"));
    Service { target: Some(target), target_arn, copy: Some(Ok(None)), ..service(name, schedule, desired) }
}

pub fn database(id: &str, schedule: &str) -> Sleeper {
    Sleeper {
        database: Database {
            kind: Kind::Instance,
            id: id.into(),
            arn: format!("arn:aws:rds:ap-northeast-2:123456789012:db:{id}"),
            resource_id: Some(format!("db-{id}")),
            status: "available".into(),
            engine: "postgres".into(),
            member_of: None,
            restarts_at: None,
            tags: tags(&[(keys::SCHEDULE, schedule), ("team", "web")]),
        },
        cannot_stop: None,
        writer: None,
        created_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        copies_tags: false,
        maintenance_window: None,
        backup_window: None,
        pending: Vec::new(),
    }
}

/// An Aurora cluster with its one instance.
pub fn cluster(id: &str, schedule: &str) -> [Sleeper; 2] {
    let mut cluster = database(id, schedule);
    cluster.database.kind = Kind::Cluster;
    cluster.database.arn = cluster.database.arn.replace(":db:", ":cluster:");
    cluster.database.engine = "aurora-postgresql".into();
    let mut member = database(&format!("{id}-1"), "always");
    member.database.engine = "aurora-postgresql".into();
    member.database.member_of = Some(id.into());
    member.database.tags.clear();
    [cluster, member]
}

/// What there is, and what RDS has done.
#[derive(Debug, Clone, PartialEq)]
pub struct Shop {
    pub services: Vec<Service>,
    pub databases: Vec<Sleeper>,
    pub instances: Vec<Instance>,
    pub job_groups: Vec<JobGroup>,
    /// Snapshots by id, with their tags.
    pub snapshots: BTreeMap<String, BTreeMap<String, String>>,
    /// Snapshots that are complete.
    pub ready: BTreeSet<String>,
    /// Databases that AWS started last, and no person.
    pub started_by_aws: Vec<String>,
    /// When RDS stopped a database last.
    pub stops: BTreeMap<String, Timestamp>,
    /// What RDS said last.
    pub said: Option<String>,
    pub calendar: StackCalendar,
    /// The parameter SleepNotice.
    pub notice: Option<SignedDuration>,
}

pub fn shop(services: Vec<Service>, databases: Vec<Sleeper>) -> Shop {
    Shop {
        services,
        databases,
        instances: Vec::new(),
        job_groups: Vec::new(),
        snapshots: BTreeMap::new(),
        ready: BTreeSet::new(),
        started_by_aws: Vec::new(),
        stops: BTreeMap::new(),
        said: None,
        calendar: StackCalendar::default(),
        notice: None,
    }
}

pub fn nothing() -> Shop {
    shop(Vec::new(), Vec::new())
}

/// How many of these services a sweep looks at closely, where they need nothing else.
pub fn looked_at(listed: Vec<Listed>, now: &str) -> usize {
    let (shop, calendar) = (nothing(), StackCalendar::default());
    let (close, _) =
        services_to_look_at(listed, &Scope::Everywhere, shop.backing(), &calendar, (false, None), &at(now));
    close.len()
}

pub fn sweep() -> Request {
    Request { scope: Scope::Everywhere, command: None }
}

pub fn asking(arn: &str, command: Command) -> Request {
    Request { scope: Scope::Resource(arn.into()), command: Some(command) }
}

/// An Auto Scaling group with that many instances.
pub fn group(name: &str, schedule: &str, desired: i32, min: i32, max: i32) -> Service {
    let arn =
        format!("arn:aws:autoscaling:ap-northeast-2:123456789012:autoScalingGroup:uuid:autoScalingGroupName/{name}");
    let mut group = scaled(name, schedule, desired, min, max);
    (group.arn, group.scaled) = (arn, Scaled::Group(name.into()));
    (group.target_arn, group.copy, group.updated_at, group.deployed_at) = (None, None, None, None);
    group
}

pub fn instance(id: &str, schedule: &str) -> Instance {
    Instance {
        arn: format!("arn:aws:ec2:ap-northeast-2:123456789012:instance/{id}"),
        id: id.into(),
        state: "running".into(),
        launched_at: Some("2026-11-02T00:00:00Z".parse().unwrap()),
        stopped_at: None,
        state_reason: None,
        lifecycle: None,
        root_device: "ebs".into(),
        operator: None,
        can_hibernate: false,
        tags: tags(&[(keys::SCHEDULE, schedule), ("Name", "shop")]),
    }
}

impl Shop {
    pub fn backing(&self) -> Backing<'_> {
        Backing { databases: &self.databases, services: &self.services, instances: &self.instances }
    }

    /// With a person's hold on everything.
    pub fn held(mut self) -> Self {
        self.services.iter_mut().for_each(|it| drop(it.tags.insert(keys::HOLD.into(), "closed".into())));
        self
    }

    /// What a run sees.
    pub fn seen(&self, now: &Zoned) -> World {
        self.seen_as(self.services.clone(), Vec::new(), now)
    }

    /// What a sweep sees that looks closely only where something can be due.
    pub fn seen_by_sweep(&self, now: &Zoned) -> World {
        let listed = self.services.iter().filter(|it| !it.is_group());
        let listed = listed.map(|it| Listed { arn: it.arn.clone(), tags: it.tags.clone() }).collect();
        let (close, listed) =
            services_to_look_at(listed, &Scope::Everywhere, self.backing(), &self.calendar, (false, self.notice), now);
        let services = self.services.iter().filter(|it| it.is_group() || close.contains(&it.arn)).cloned().collect();
        self.seen_as(services, listed, now)
    }

    fn seen_as(&self, services: Vec<Service>, listed: Vec<Listed>, now: &Zoned) -> World {
        let mut world = World {
            services,
            listed,
            instances: self.instances.clone(),
            job_groups: self.job_groups.clone(),
            databases: self.databases.clone(),
            calendar: self.calendar.clone(),
            notice: self.notice,
            ..World::default()
        };
        for (database, id) in crate::plan::pending_snapshots(&self.databases, &self.calendar, now) {
            let is_ready = database.kind == Kind::Cluster && self.ready.contains(&id);
            let status = if is_ready { "available" } else { "creating" };
            let status = self.snapshots.contains_key(&id).then(|| status.to_owned());
            world.snapshots.insert(database.arn.clone(), Ok(status));
        }
        let in_question = databases_in_question(&world, &Scope::Everywhere, now);
        let last = |it: &Database| match self.started_by_aws.contains(&it.arn) {
            true => Some(LastEvent { at: now.timestamp(), started_by_aws: true }),
            false => self.stops.get(&it.arn).map(|at| LastEvent { at: *at, started_by_aws: false }),
        };
        let events = |it: &Database| Events { last: last(it), newest: self.said.clone() };
        world.events = in_question.iter().map(|it| (it.arn.clone(), Ok(events(it)))).collect();
        world
    }

    pub fn plan(&self, request: &Request, now: &Zoned) -> Plan<Step> {
        let plan = plan(&self.seen(now), request, now);
        testkit::told::keep("scale-staging", &plan);
        plan
    }

    /// One whole run; returns how many calls it made.
    pub fn run(&mut self, request: &Request, now: &Zoned) -> usize {
        let calls = calls(&self.plan(request, now));
        calls.iter().for_each(|(arn, call)| self.make(arn, call, now.timestamp()));
        calls.len()
    }

    /// A run that dies after that many calls; `false` if it was done by then.
    pub fn run_killed_after(&mut self, calls_made: usize, request: &Request, now: &Zoned) -> bool {
        let calls = calls(&self.plan(request, now));
        calls.iter().take(calls_made).for_each(|(arn, call)| self.make(arn, call, now.timestamp()));
        calls_made < calls.len()
    }

    /// What AWS makes of one call.
    pub fn make(&mut self, arn: &str, call: &Call, now: Timestamp) {
        if let Some(service) = self.services.iter_mut().find(|it| it.arn == arn) {
            return make_on_service(service, call, now);
        }
        if let Some(instance) = self.instances.iter_mut().find(|it| it.arn == arn) {
            return make_on_instance(instance, call, now);
        }
        if let Some(group) = self.job_groups.iter_mut().find(|it| it.arn == arn) {
            return make_on_jobs(group, call);
        }
        let snapshots = &mut self.snapshots;
        let database = &mut self.databases.iter_mut().find(|it| it.database.arn == arn).unwrap().database;
        match call {
            Call::Stop { snapshot, .. } => {
                assert_eq!(database.status, "available", "{arn} cannot be stopped");
                if let Some(id) = snapshot {
                    assert!(snapshots.insert(id.clone(), BTreeMap::new()).is_none(), "{id} is there already");
                }
                database.status = "stopping".into();
                database.restarts_at = Some(now + (7 * 24).hours());
                self.started_by_aws.retain(|it| it != arn);
                // RDS tells of it once it is stopped, some minutes later.
                self.stops.insert(arn.to_owned(), now + 5.minutes());
            }
            Call::Start { .. } => {
                assert_eq!(database.status, "stopped", "{arn} cannot be started");
                database.status = "starting".into();
            }
            Call::TagSnapshot { arn, tags, .. } => {
                let id = arn.rsplit(':').next().unwrap();
                let snapshot = snapshots.get_mut(id).unwrap_or_else(|| panic!("there is no {id} to be tagged"));
                snapshot.extend(tags.iter().cloned());
            }
            Call::AskForSnapshot { begun, .. } => {
                let moment = begun.to_zoned(at("2026-01-01T00:00").time_zone().clone());
                let id = format!("nightshift-{}-{}", database.id, moment.strftime("%Y-%m-%d-%H%M%S"));
                snapshots.entry(id).or_default();
            }
            other => memory(&mut database.tags, other),
        }
    }

    /// What takes RDS and ECS some minutes is done.
    pub fn settle(&mut self) {
        for Sleeper { database, .. } in &mut self.databases {
            match database.status.as_str() {
                "stopping" => database.status = "stopped".into(),
                "starting" => {
                    database.status = "available".into();
                    database.restarts_at = None;
                }
                _ => {}
            }
        }
        self.services.iter_mut().for_each(|it| it.running = it.desired);
        for instance in &mut self.instances {
            match instance.state.as_str() {
                "stopping" => instance.state = "stopped".into(),
                "pending" => instance.state = "running".into(),
                _ => {}
            }
        }
        self.ready = self.snapshots.keys().cloned().collect();
    }

    /// Runs every five minutes until nothing is left to do; panics if that never comes.
    pub fn run_until_quiet(&mut self, now: &Zoned) -> Zoned {
        let mut now = now.clone();
        for _ in 0..8 {
            let calls = self.run(&sweep(), &now);
            let before = self.clone();
            self.settle();
            if calls == 0 && *self == before {
                return now;
            }
            now = now.checked_add(5.minutes()).unwrap();
        }
        panic!("it never becomes quiet: {self:#?}");
    }

    pub fn service(&mut self, name: &str) -> &mut Service {
        self.services.iter_mut().find(|it| it.scaled.name() == name).unwrap()
    }

    pub fn tags(&self, arn: &str) -> &BTreeMap<String, String> {
        let services = self.services.iter().map(|it| (&it.arn, &it.tags));
        let instances = self.instances.iter().map(|it| (&it.arn, &it.tags));
        let databases = self.databases.iter().map(|it| (&it.database.arn, &it.database.tags));
        let jobs = self.job_groups.iter().map(|it| (&it.arn, &it.tags));
        services.chain(instances).chain(databases).chain(jobs).find(|(it, _)| *it == arn).unwrap().1
    }

    pub fn database(&mut self, id: &str) -> &mut Database {
        &mut self.databases.iter_mut().find(|it| it.database.id == id).unwrap().database
    }

    /// What is done (`* name action: headline | reason`), left alone (`+ name: reason`) and wrong (`! name kind: message`).
    pub fn lines(&self, request: &Request, now: &Zoned) -> Vec<String> {
        let plan = self.plan(request, now);
        let name = |arn: &str| arn.rsplit(['/', ':']).next().unwrap().to_owned();
        let steps = plan.steps.iter();
        let done = steps.map(|it| {
            let action = reconcile::Step::action(&it.step);
            format!("* {} {action}: {} | {}", name(&it.resource), it.step.headline, it.reason)
        });
        let left = plan.skipped.iter().map(|it| format!("+ {}: {}", name(&it.resource), it.reason));
        let wrong = plan.problems.iter().map(|it| format!("! {} {}: {}", name(&it.resource), it.problem, it.message));
        done.chain(left).chain(wrong).collect()
    }

    #[track_caller]
    pub fn check(&self, now: &str, expected: &[&str]) {
        assert_eq!(self.lines(&sweep(), &at(now)), expected);
    }
}

pub fn calls(plan: &Plan<Step>) -> Vec<(String, Call)> {
    plan.steps.iter().flat_map(|it| it.step.calls.iter().map(|call| (it.resource.clone(), call.clone()))).collect()
}

fn make_on_service(service: &mut Service, call: &Call, now: Timestamp) {
    match call {
        Call::Limits { min, suspended, .. } => {
            let target = service.target.as_mut().expect("there is a scaling target");
            assert!(*min <= target.max, "{} cannot have more at least than at most", service.arn);
            (target.min, target.suspended) = (*min, *suspended);
            // Registering a target moves the count inside its limits at once.
            let desired = service.desired.clamp(target.min, target.max);
            if desired != service.desired {
                (service.desired, service.updated_at) = (desired, Some(now));
            }
        }
        Call::Count { desired, .. } => (service.desired, service.updated_at) = (*desired, Some(now)),
        Call::CopyMemory { value, .. } => service.copy = Some(Ok(Some(value.clone()))),
        other => memory(&mut service.tags, other),
    }
}

fn make_on_jobs(group: &mut JobGroup, call: &Call) {
    match (call, &mut group.jobs) {
        (Call::Jobs { jobs: names, on, .. }, Some(Ok(jobs))) => {
            jobs.iter_mut().filter(|it| names.contains(&it.name)).for_each(|it| switch(it, *on));
        }
        (other, _) => memory(&mut group.tags, other),
    }
}

/// What one UpdateSchedule does, if it is still to do.
pub fn switch(job: &mut Job, on: bool) {
    match on {
        false if job.is_to_disable() => (job.enabled, job.marked) = (false, true),
        true if job.marked => (job.enabled, job.marked) = (true, false),
        _ => {}
    }
}

fn make_on_instance(instance: &mut Instance, call: &Call, now: Timestamp) {
    match call {
        Call::StopInstance { id, .. } => {
            assert_eq!(*id, instance.id);
            // Stopping what is stopped is not an error, nor is starting what runs.
            if instance.state == "running" {
                (instance.state, instance.stopped_at) = ("stopping".into(), Some(now));
            }
        }
        Call::StartInstance { id } => {
            assert_eq!(*id, instance.id);
            if instance.state == "stopped" {
                (instance.state, instance.launched_at) = ("pending".into(), Some(now));
            }
        }
        other => memory(&mut instance.tags, other),
    }
}

fn memory(tags: &mut BTreeMap<String, String>, call: &Call) {
    match call {
        Call::Remember(key, value) => {
            assert!(key.starts_with(keys::MEMORY) && value.len() <= 256, "{key}={value}");
            tags.insert(key.to_string(), value.clone());
        }
        Call::Forget(gone) => gone.iter().for_each(|it| {
            assert!(tags.remove(*it).is_some(), "{it} is not there");
        }),
        other => panic!("{other:?} is not for this resource"),
    }
}
