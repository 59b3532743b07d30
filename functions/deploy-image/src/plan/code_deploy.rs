//! Services that CodeDeploy deploys: which deployment group is theirs, and what its deployments amount to.

use jiff::Timestamp;

use super::app_spec::AppSpec;
use super::step::CreateDeployment;
use super::verdict::Motion;
use super::world::{Rollout, RolloutEnd, Service, ServiceName};

/// A deployment group.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The application that it belongs to.
    pub application: String,
    /// Its name.
    pub name: String,
    /// The ECS services that it deploys; CodeDeploy takes one.
    pub services: Vec<ServiceName>,
    /// Whether CodeDeploy goes back by itself when a deployment fails.
    pub goes_back: bool,
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.application, self.name)
    }
}

/// What CodeDeploy told of a service that it deploys.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeDeploy {
    /// The service's deployment group.
    pub group: Group,
    /// Its deployments, newest first: those since `since` and those that made the present task sets.
    pub attempts: Vec<Attempt>,
    /// The ids of all deployments since `since`.
    pub known: Vec<String>,
    /// How far back was looked.
    pub since: Timestamp,
}

/// A deployment of CodeDeploy.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Its id, `d-…`.
    pub id: String,
    /// The ARN of the task definition that it was to bring, if that can be told.
    pub task_definition: Option<String>,
    /// How far it is.
    pub status: Status,
    /// The status as CodeDeploy calls it.
    pub said: String,
    /// What went wrong, in CodeDeploy's words.
    pub reason: String,
    /// CodeDeploy itself began it, to undo another one.
    pub undoes: bool,
    /// When it began.
    pub began: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// By what it was deployed.
    pub app_spec: Source,
}

/// How far a deployment of CodeDeploy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Created, queued, in progress, baking or waiting for its traffic; or in a status that this version does not know.
    Open,
    /// It succeeded: the old tasks are gone.
    Succeeded,
    /// It failed.
    Failed,
    /// Somebody stopped it, or it waited too long for its traffic.
    Stopped,
}

/// Where the AppSpec of a deployment is.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// It says this.
    Text(String),
    /// It is where this function does not read.
    Elsewhere(String),
    /// It was not asked for, or is no longer there.
    Unread,
}

/// The deployment group among `groups` that deploys `service`; the error is a problem, with what mends it.
pub fn group_of<'a>(service: &ServiceName, groups: &'a [Group]) -> Result<&'a Group, String> {
    let mut its = groups.iter().filter(|it| it.services.contains(service));
    match (its.next(), its.next()) {
        (Some(group), None) => Ok(group),
        (Some(one), Some(other)) => Err(format!(
            "the CodeDeploy deployment groups {one} and {other} both deploy it, so it cannot be told which is meant; \
             delete the one that is not used"
        )),
        (None, _) => {
            Err("its deployments are CodeDeploy's, but no deployment group of this account and region names it; \
             create an application and a deployment group for it, or use the ECS deployment controller"
                .into())
        }
    }
}

impl CodeDeploy {
    /// The deployment under way: CodeDeploy takes one at a time.
    pub fn under_way(&self) -> Option<&Attempt> {
        self.attempts.iter().find(|it| it.status == Status::Open)
    }

    /// The past as the rest of the decision knows it. What undoes a deployment brings nothing, and is no part of it.
    pub fn rollouts(&self) -> Vec<Rollout> {
        let rollout = |it: &Attempt| {
            Some(Rollout {
                task_definition: it.task_definition.clone()?,
                end: match it.status {
                    Status::Open => RolloutEnd::Open,
                    Status::Succeeded => RolloutEnd::Successful,
                    Status::Failed => RolloutEnd::TakenBack,
                    Status::Stopped => RolloutEnd::Stopped,
                },
                reason: it.reason.clone(),
                began: it.began,
            })
        };
        self.attempts.iter().filter(|it| !it.undoes).filter_map(rollout).collect()
    }

    /// The ARN of the task definition that is being brought.
    pub fn target(&self) -> Option<&str> {
        self.under_way().filter(|it| !it.undoes)?.task_definition.as_deref()
    }

    /// How `service` moves.
    pub fn motion(&self, service: &Service) -> Motion {
        match (self.under_way(), self.attempts.first()) {
            (Some(it), _) if it.undoes => Motion::Back,
            (Some(it), _) => Motion::Forward(it.began),
            // Its tasks have the traffic all the same.
            (None, Some(it))
                if matches!(it.status, Status::Failed | Status::Stopped)
                    && !it.undoes
                    && it.task_definition.as_ref() == Some(&service.task_definition) =>
            {
                Motion::Fallen(it.ended.or(it.began))
            }
            (None, _) => Motion::Still,
        }
    }

    /// How the next deployment of `service` is created; the error is a problem, with what mends it.
    pub fn next(&self, service: &Service) -> Result<CreateDeployment, String> {
        Ok(CreateDeployment {
            application: self.group.application.clone(),
            group: self.group.name.clone(),
            app_spec: self.app_spec(service)?,
            since: self.since,
            known: self.known.clone(),
        })
    }

    /// Hooks and the like are in the AppSpec of the deployment before, and nowhere else.
    fn app_spec(&self, service: &Service) -> Result<AppSpec, String> {
        let primary = service.task_sets.iter().find(|it| it.primary);
        let made_it = |it: &&Attempt| primary.is_some_and(|primary| primary.deployment.as_ref() == Some(&it.id));
        let last = self.attempts.iter().find(made_it);
        match last.map(|it| (&it.id, &it.app_spec)) {
            Some((id, Source::Text(content))) => AppSpec::like(content).ok_or_else(|| {
                format!("the AppSpec of its deployment {id} does not name one task definition by its ARN; {BY_HAND}")
            }),
            Some((id, Source::Elsewhere(place))) => Err(format!(
                "the AppSpec of its deployment {id} is in {place}, so it cannot be told which hooks belong to a \
                 deployment; {BY_HAND}"
            )),
            Some((_, Source::Unread)) | None => match primary {
                Some(it) if !it.properties["LoadBalancerInfo"].is_null() => Ok(AppSpec::with(&it.properties)),
                _ => {
                    Err(format!("it has no task set with a load balancer that an AppSpec could be made of; {BY_HAND}"))
                }
            },
        }
    }
}

const BY_HAND: &str = "deploy once by hand with the AppSpec as AppSpecContent, and it is the model from then on";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::world::{Controller, Launch, Safety, Strategy, TaskSet};

    fn group(name: &str, service: &str) -> Group {
        let services = vec![ServiceName::parse(service).unwrap()];
        Group { application: "kfood".into(), name: name.into(), services, goes_back: true }
    }

    fn attempt(id: &str, status: Status) -> Attempt {
        Attempt {
            id: id.into(),
            task_definition: Some(format!("td/{id}")),
            status,
            said: String::new(),
            reason: String::new(),
            undoes: false,
            began: None,
            ended: None,
            app_spec: Source::Unread,
        }
    }

    fn told(attempts: Vec<Attempt>) -> CodeDeploy {
        CodeDeploy {
            group: group("backend", "kfood-cluster/kfood-backend"),
            attempts,
            known: vec![],
            since: Timestamp::MIN,
        }
    }

    /// A service whose traffic goes to the tasks of deployment `d-1`.
    fn service(properties: Value) -> Service {
        let primary = TaskSet {
            primary: true,
            task_definition: "td/d-1".into(),
            deployment: Some("d-1".into()),
            began: None,
            properties,
        };
        Service {
            arn: "arn".into(),
            name: ServiceName::parse("kfood-cluster/kfood-backend").unwrap(),
            status: "ACTIVE".into(),
            controller: Controller::CodeDeploy,
            strategy: Strategy::Shifting("CODE_DEPLOY".into()),
            safety: Safety { gives_up: true, goes_back: true },
            launch: Launch::default(),
            desired: 2,
            running: 2,
            deployments: vec![],
            task_definition: "td/d-1".into(),
            task_sets: vec![primary],
            tags: Default::default(),
        }
    }

    #[test]
    fn a_service_has_one_deployment_group_or_a_problem() {
        let of = |groups: &[Group]| {
            let found = group_of(&ServiceName::parse("kfood-cluster/kfood-backend").unwrap(), groups);
            found.map(|it| it.to_string()).map_err(|it| it.split(';').next().unwrap().to_owned())
        };
        let (ours, other) =
            (group("backend", "kfood-cluster/kfood-backend"), group("staging", "kfood-dev/kfood-backend"));
        assert_eq!(of(&[other.clone(), ours.clone()]), Ok("kfood/backend".into()));
        assert!(of(&[other]).unwrap_err().ends_with("no deployment group of this account and region names it"));
        let twin = group("backend-2", "kfood-cluster/kfood-backend");
        assert!(
            of(&[ours, twin])
                .unwrap_err()
                .starts_with("the CodeDeploy deployment groups kfood/backend and kfood/backend-2")
        );
    }

    #[test]
    fn every_status_is_a_motion() {
        let undo = Attempt { undoes: true, ..attempt("d-3", Status::Open) };
        let gone_back = Attempt { undoes: true, ..attempt("d-3", Status::Succeeded) };
        for (attempts, expected) in [
            (vec![], Motion::Still),
            (vec![attempt("d-2", Status::Open), attempt("d-1", Status::Succeeded)], Motion::Forward(None)),
            (vec![undo, attempt("d-2", Status::Failed)], Motion::Back),
            (vec![gone_back, attempt("d-2", Status::Failed)], Motion::Still),
            (vec![attempt("d-2", Status::Failed), attempt("d-1", Status::Succeeded)], Motion::Still),
            (vec![attempt("d-2", Status::Stopped)], Motion::Still),
            (vec![attempt("d-1", Status::Succeeded)], Motion::Still),
            // It failed after the traffic had gone to its tasks.
            (vec![attempt("d-1", Status::Failed)], Motion::Fallen(None)),
            (vec![attempt("d-1", Status::Stopped)], Motion::Fallen(None)),
        ] {
            assert_eq!(told(attempts.clone()).motion(&service(Value::Null)), expected, "{attempts:?}");
        }
    }

    #[test]
    fn what_undoes_a_deployment_is_no_rollout_of_its_own() {
        let undo = Attempt { undoes: true, ..attempt("d-3", Status::Succeeded) };
        let unknown = Attempt { task_definition: None, ..attempt("d-4", Status::Succeeded) };
        let told = told(vec![unknown, undo, attempt("d-2", Status::Failed), attempt("d-1", Status::Succeeded)]);
        let ends: Vec<_> = told.rollouts().into_iter().map(|it| (it.task_definition, it.end)).collect();
        assert_eq!(ends, [("td/d-2".into(), RolloutEnd::TakenBack), ("td/d-1".into(), RolloutEnd::Successful)]);
    }

    #[test]
    fn the_app_spec_is_that_of_the_deployment_that_has_the_traffic() {
        let arn =
            |number: u8| format!("arn:aws:ecs:ap-northeast-2:123456789012:task-definition/kfood-backend:{number}");
        let with = |source: Source| Attempt { app_spec: source, ..attempt("d-1", Status::Succeeded) };
        let next = |attempts: Vec<Attempt>, properties: Value| {
            told(attempts).next(&service(properties)).map(|it| it.app_spec.naming(&arn(2)))
        };
        let text = |note: &str| Source::Text(format!("{note}\nTaskDefinition: {}\n", arn(1)));
        let newer = Attempt { app_spec: text("newer"), ..attempt("d-2", Status::Failed) };
        assert_eq!(
            next(vec![newer, with(text("hooks"))], Value::Null),
            Ok(format!("hooks\nTaskDefinition: {}\n", arn(2)))
        );
        let balanced = json!({"LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": 3000}});
        assert!(next(vec![], balanced.clone()).unwrap().contains(&arn(2)));
        for (attempts, properties, wrong) in [
            (
                vec![with(Source::Elsewhere("s3://b/k".into()))],
                balanced.clone(),
                "the AppSpec of its deployment d-1 is in s3://b/k",
            ),
            (
                vec![with(Source::Text("TaskDefinition: x".into()))],
                balanced,
                "the AppSpec of its deployment d-1 does not name",
            ),
            (vec![], Value::Null, "it has no task set with a load balancer"),
        ] {
            let problem = next(attempts, properties).unwrap_err();
            assert!(problem.starts_with(wrong) && problem.ends_with(BY_HAND), "{problem}");
        }
    }
}
