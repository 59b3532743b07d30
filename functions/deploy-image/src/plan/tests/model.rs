//! A model of one ECS service and one repository, small enough to be obviously right.
//!
//! It shows a decision exactly what `observe` would show it, and carries out the steps that come back.

mod pauses;
mod run;
mod tasks;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, Zoned};
use rules::{Digest, keys};
use serde_json::json;

use super::blue_green::BlueGreen;
use crate::plan::*;

pub const SERVICE: &str = "arn:aws:ecs:ap-northeast-2:123456789012:service/truegul-production/api-server";
pub const REGISTRY: &str = "123456789012.dkr.ecr.ap-northeast-2.amazonaws.com";
pub const REPOSITORY: &str = "truegul-api-server";
pub const WEB: &str = "truegul-web";

/// A service with its past, a repository, and a clock that moves a minute with everything that happens.
#[derive(Clone)]
pub struct Model {
    pub service: Service,
    pub revisions: Vec<TaskDefinition>,
    pub images: Vec<Image>,
    /// The images of a second repository, which a container `web` runs.
    pub web: Vec<Image>,
    pub past: Vec<Rollout>,
    pub blue_green: BlueGreen,
    /// Whether tasks of this image start.
    pub bad: Vec<Digest>,
    /// Whether something else keeps the tasks of the next deployment from starting.
    pub broken: bool,
    /// What scans tell.
    pub facts: BTreeMap<Fact, Observation>,
    /// The revisions of the migration's family.
    pub migrations: Vec<TaskDefinition>,
    /// Its tasks that ECS still knows.
    pub tasks: Vec<Task>,
    /// Every start of one that ECS ever accepted, by its token.
    pub tokens: Vec<String>,
    /// What ECS still answers to a token, and since when: which task, or none.
    pub answers: Vec<(String, i64, Option<String>)>,
    /// ECS has no room for the next task.
    pub no_capacity: bool,
    /// Snapshots, and the databases of the name that is asked for.
    pub snapshots: Vec<rules::database::Snapshot>,
    pub databases: Vec<rules::database::Database>,
    /// What the service's address answers.
    pub health: Health,
    /// It answers badly while one of these images runs.
    pub sick: Vec<Digest>,
    /// Other services that opted in.
    pub others: Vec<Service>,
    pub calendar: Calendar,
    /// The deployment under way, if it shifts traffic or pauses.
    pub shift: Option<Shift>,
    /// Each deployment of ECS pauses once for a person.
    pub asks: bool,
    /// The deployments that were taken back since nobody answered in time.
    pub unanswered: Vec<String>,
    /// The services that others promote from, and the alarms that watch them.
    pub sources: BTreeMap<ServiceName, Origin>,
    pub fired: Vec<Fired>,
    pub minutes: i64,
}

/// The digest of an image, made from a name: its last six letters are what a rejection remembers.
pub fn digest(name: &str) -> Digest {
    let bytes: String = name.bytes().map(|it| format!("{it:02x}")).collect();
    format!("sha256:{bytes:0>64}").parse().unwrap()
}

/// What runs, how the service goes and what it remembers, in one line.
impl std::fmt::Display for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let primary = self.service.primary().unwrap();
        let label = |it: &str| it.split_whitespace().map(shorten).collect::<Vec<_>>().join(" ");
        write!(f, "{} {:?}", self.running(), primary.state)?;
        for (key, value) in self.service.tags.iter().filter(|(key, _)| key.starts_with("nightshift-state:")) {
            write!(f, " | {}: {}", key.trim_start_matches("nightshift-state:"), label(value))?;
        }
        Ok(())
    }
}

/// A digest made by [`digest`] as the name that it was made from.
fn shorten(word: &str) -> String {
    let whole = word.strip_prefix("sha256:");
    // A rejection remembers the beginning only.
    let short = Some(word).filter(|it| it.len() == 12 && it.bytes().all(|it| it.is_ascii_hexdigit()));
    let Some(hex) = whole.or(short) else { return word.into() };
    let bytes = (0..hex.len()).step_by(2).filter_map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok());
    bytes.filter(|it| *it != 0).map(char::from).collect()
}

impl Model {
    /// A service that runs v1.0.0 by its tag, as a person once deployed it, with the tag `rule`.
    pub fn new(rule: &str) -> Self {
        let mut model = Model {
            service: Service {
                arn: SERVICE.into(),
                name: ServiceName::of_arn(SERVICE).unwrap(),
                status: "ACTIVE".into(),
                controller: Controller::Ecs,
                strategy: Strategy::Rolling,
                safety: Safety { gives_up: true, goes_back: true },
                launch: Launch::default(),
                desired: 2,
                running: 2,
                deployments: vec![],
                bakes: SignedDuration::ZERO,
                pauses: false,
                early_success: false,
                newest_event: None,
                task_definition: String::new(),
                task_sets: vec![],
                target_groups: vec![],
                alternates: false,
                revisions: vec![
                    "arn:aws:ecs:ap-northeast-2:123456789012:service-revision/truegul-production/api-server/1".into(),
                ],
                tags: BTreeMap::from([(keys::DEPLOY.into(), rule.into())]),
            },
            revisions: vec![],
            images: vec![],
            web: vec![],
            past: vec![],
            blue_green: BlueGreen::default(),
            bad: vec![],
            broken: false,
            facts: BTreeMap::new(),
            migrations: vec![],
            tasks: vec![],
            tokens: vec![],
            answers: vec![],
            no_capacity: false,
            snapshots: vec![],
            databases: vec![],
            health: Health::Healthy,
            sick: vec![],
            others: vec![],
            calendar: Calendar::default(),
            shift: None,
            asks: false,
            unanswered: vec![],
            sources: BTreeMap::new(),
            fired: vec![],
            minutes: 0,
        };
        model.push("v1.0.0");
        let image = format!("{REGISTRY}/{REPOSITORY}:v1.0.0");
        let first = json!({"family": "api-server", "containerDefinitions": [
            {"name": "app", "image": image, "essential": true}, {"name": "log", "image": "public.ecr.aws/fluent-bit:2"}]});
        let arn = model.register(&first);
        model.update_service(&arn);
        model.finish();
        model
    }

    /// The same with a container `web`, whose image is web-1 of another repository and which has the tag `rule`.
    pub fn with_web(app: &str, web: &str) -> Self {
        let mut model = Model::new(&format!("{app} container=app"));
        model.service.tags.insert(keys::DEPLOY_2.into(), format!("{web} container=web"));
        model.push_web("web-1");
        let fields = json!({"family": "api-server", "containerDefinitions": [
            {"name": "app", "image": format!("{REGISTRY}/{REPOSITORY}:v1.0.0"), "essential": true},
            {"name": "web", "image": format!("{REGISTRY}/{WEB}:web-1")}]});
        let arn = model.register(&fields);
        model.update_service(&arn);
        model.finish();
        model
    }

    /// Pushes an image to the second repository.
    pub fn push_web(&mut self, tag: &str) -> Digest {
        std::mem::swap(&mut self.images, &mut self.web);
        let digest = self.push(tag);
        std::mem::swap(&mut self.images, &mut self.web);
        digest
    }

    /// What the containers of the service are set to.
    pub fn both(&self) -> String {
        let revision = self.revision(&self.service.task_definition);
        let name = |image: &str| match image.rsplit_once('@') {
            Some((_, digest)) => shorten(digest),
            None => image.rsplit_once(':').unwrap().1.into(),
        };
        revision.images().map(|(_, image)| name(image)).collect::<Vec<_>>().join(" ")
    }

    pub fn now(&self) -> Zoned {
        self.moment().to_zoned(jiff::tz::TimeZone::get("Asia/Seoul").unwrap())
    }

    fn moment(&self) -> Timestamp {
        let start: Timestamp = "2026-11-20T18:00:00Z".parse().unwrap();
        start + SignedDuration::from_mins(self.minutes)
    }

    /// Pushes an image with this tag; a tag that exists moves to it.
    pub fn push(&mut self, tag: &str) -> Digest {
        // Another image under a name that was used gets another first letter.
        let (first, rest) = tag.split_at(1);
        let letter = |times: u8| format!("{}{rest}", char::from(first.as_bytes()[0] + times));
        let used = |name: &String| self.images.iter().any(|it| it.digest == digest(name));
        let name = (0..20).map(letter).find(|name| !used(name)).unwrap();
        for image in &mut self.images {
            image.tags.retain(|it| it != tag);
        }
        self.minutes += 1;
        let digest = digest(&name);
        self.images.push(Image {
            digest: digest.clone(),
            tags: vec![tag.into()],
            pushed_at: self.moment(),
            media_type: None,
            artifact_media_type: None,
            subject: None,
            archived: false,
        });
        digest
    }

    pub fn register(&mut self, fields: &serde_json::Value) -> String {
        self.minutes += 1;
        let mut fields = fields.as_object().unwrap().clone();
        let tags = fields.remove("tags").and_then(|it| it.as_array().cloned()).unwrap_or_default();
        let text = |it: &serde_json::Value| it.as_str().unwrap().to_owned();
        let number = self.revisions.len() + 1;
        let arn = format!("arn:aws:ecs:ap-northeast-2:123456789012:task-definition/api-server:{number}");
        fields.insert("taskDefinitionArn".into(), json!(arn));
        fields.insert("revision".into(), json!(number));
        fields.insert("status".into(), json!("ACTIVE"));
        fields.insert("registeredAt".into(), json!(self.moment().as_second()));
        let tags = tags.iter().map(|it| (text(&it["key"]), text(&it["value"]))).collect();
        self.revisions.push(TaskDefinition { fields, tags });
        arn
    }

    /// Begins a deployment, by whomever it is that deploys.
    pub fn deploy(&mut self, arn: &str) {
        match self.service.controller {
            Controller::CodeDeploy => self.create_deployment(arn, false),
            _ => self.update_service(arn),
        }
    }

    pub fn update_service(&mut self, arn: &str) {
        self.minutes += 1;
        if let Some(last) = self.past.last_mut().filter(|it| matches!(it.end, RolloutEnd::Open | RolloutEnd::GoingBack))
        {
            last.end = if last.end == RolloutEnd::Open { RolloutEnd::Stopped } else { RolloutEnd::TakenBack };
            last.reason = "superseded".into();
        }
        let began = Some(self.moment());
        self.past.push(Rollout {
            arn: Some(format!("arn:service-deployment/{}", self.past.len() + 1)),
            expired: false,
            task_definition: arn.into(),
            end: RolloutEnd::Open,
            reason: String::new(),
            pinned: self.pinned(arn),
            began,
        });
        self.service.task_definition = arn.into();
        self.service.deployments = vec![Deployment {
            id: format!("ecs-svc/{}", self.past.len()),
            failed_tasks: 0,
            running: 2,
            primary: true,
            task_definition: arn.into(),
            state: RolloutState::InProgress,
            reason: "ECS deployment in progress.".into(),
            began,
        }];
        self.begin_shift();
    }

    /// The digests that ECS pins when a deployment of this revision begins.
    pub fn pinned(&self, arn: &str) -> BTreeMap<String, Digest> {
        let digest = |image: &str| {
            let image = ImageName::parse(image)?;
            let holds = |it: &&Image| it.tags.iter().any(|tag| Some(tag) == image.tag.as_ref());
            let all = || self.images.iter().chain(&self.web);
            image.digest.or_else(|| Some(all().find(holds)?.digest.clone()))
        };
        self.revision(arn).images().filter_map(|(name, image)| Some((name.to_owned(), digest(image)?))).collect()
    }

    /// Something has all tasks replaced by new ones of the same revision.
    pub fn restart(&mut self) {
        let arn = self.service.task_definition.clone();
        self.deploy(&arn);
    }

    /// ECS does what it has to do next: the deployment under way completes, fails, or is taken back.
    pub fn finish(&mut self) {
        if self.service.controller == Controller::CodeDeploy {
            return self.shift();
        }
        if self.asks {
            return self.go_on();
        }
        let Some(primary) = self.service.deployments.first().cloned() else { return };
        if primary.state != RolloutState::InProgress {
            return;
        }
        self.minutes += 1;
        let going_back = self.past.last().is_some_and(|it| it.end == RolloutEnd::GoingBack);
        let bad = self.is_bad(&primary.task_definition) || !going_back && std::mem::take(&mut self.broken);
        let last = self.past.last_mut().unwrap();
        match (last.end, bad) {
            (RolloutEnd::GoingBack, _) => {
                last.end = RolloutEnd::TakenBack;
                self.service.deployments[0].state = RolloutState::Completed;
                self.service.deployments.truncate(1);
            }
            (_, false) => {
                last.end = RolloutEnd::Successful;
                self.service.deployments[0].state = RolloutState::Completed;
            }
            (_, true) if self.service.safety.goes_back => {
                last.end = RolloutEnd::GoingBack;
                last.reason = "ECS deployment circuit breaker: tasks failed to start.".into();
                let good =
                    self.past.iter().rfind(|it| it.end == RolloutEnd::Successful).unwrap().task_definition.clone();
                let began = Some(self.moment());
                let failed = Deployment { primary: false, state: RolloutState::Failed, ..primary };
                let back = Deployment {
                    id: format!("ecs-svc/{}-back", self.past.len()),
                    failed_tasks: 0,
                    running: 2,
                    primary: true,
                    task_definition: good.clone(),
                    state: RolloutState::InProgress,
                    reason: "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.".into(),
                    began,
                };
                self.service.task_definition = good;
                self.service.deployments = vec![back, failed];
            }
            (_, true) if self.service.safety.gives_up => {
                // Without going back it ends as if it had been stopped.
                last.end = RolloutEnd::Stopped;
                last.reason = "ECS deployment circuit breaker: tasks failed to start.".into();
                self.service.deployments[0].state = RolloutState::Failed;
                self.service.deployments[0].reason = last.reason.clone();
            }
            // Nothing makes ECS give up.
            (_, true) => {}
        }
    }

    /// Whether tasks of this revision fail to start.
    pub fn is_bad(&self, arn: &str) -> bool {
        let bad = |(_, image): (&str, &str)| self.bad.iter().any(|it| image.ends_with(&it.to_string()));
        self.service.desired > 0 && self.revision(arn).images().any(bad)
    }

    pub fn revision(&self, arn: &str) -> &TaskDefinition {
        self.revisions.iter().find(|it| it.arn() == arn).unwrap()
    }

    /// From now on the scan of an image tells this.
    pub fn scan(&mut self, digest: &Digest, scan: Scan) {
        let fact = Fact::Scan { repository: REPOSITORY.into(), digest: digest.clone() };
        self.facts.insert(fact, Observation::Scans(vec![scan]));
    }

    /// The name of the image that the service is set to.
    pub fn running(&self) -> String {
        let image = self.revision(&self.service.task_definition).images().next().unwrap().1.to_owned();
        match image.rsplit_once('@') {
            Some((_, digest)) => shorten(digest),
            None => image.rsplit_once(':').unwrap().1.into(),
        }
    }

    /// When the image that the service is set to was pushed.
    pub fn running_pushed_at(&self) -> Option<Timestamp> {
        let running = self.running();
        self.images.iter().find(|it| shorten(&it.digest.to_string()) == running).map(|it| it.pushed_at)
    }

    /// Whether this is the image that the service is set to.
    pub fn is_running(&self, digest: &Digest) -> bool {
        shorten(&digest.to_string()) == self.running()
    }
}

/// The one service of the model.
pub fn service() -> Scope {
    Scope::Service(ServiceName::of_arn(SERVICE).unwrap())
}

/// The one repository of the model.
pub fn repository() -> Scope {
    Scope::Repository(REPOSITORY.into())
}
