//! The model of a service that CodeDeploy deploys: two task sets, and one deployment at a time that moves between them.

use std::collections::BTreeMap;

use rules::Digest;
use serde_json::json;

use super::model::{Model, SERVICE};
use crate::plan::*;

/// How the model's deployment group behaves, and what it has done, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BlueGreen {
    pub attempts: Vec<Attempt>,
    /// The digests that ECS pinned for the tasks of each.
    pub pinned: Vec<BTreeMap<String, Digest>>,
    /// CodeDeploy undoes what fails.
    pub goes_back: bool,
    /// What is bad fails only once it has the traffic.
    pub late: bool,
}

impl Model {
    /// A service that runs v1.0.0, which CodeDeploy deploys from now on.
    pub fn by_code_deploy(rule: &str) -> Self {
        let mut model = Model::new(rule);
        model.service.controller = Controller::CodeDeploy;
        model.service.strategy = Strategy::Shifting("CODE_DEPLOY".into());
        model.blue_green.goes_back = true;
        let first = model.task_set(true, model.service.task_definition.clone(), None);
        model.set(vec![first]);
        model
    }

    fn task_set(&self, primary: bool, task_definition: String, deployment: Option<String>) -> TaskSet {
        let properties = json!({"LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": 3000}});
        let id = format!("ecs-svc/{}", self.blue_green.attempts.len());
        TaskSet { id, primary, task_definition, deployment, began: Some(self.now().timestamp()), properties }
    }

    /// The service as DescribeServices shows it with these task sets.
    fn set(&mut self, task_sets: Vec<TaskSet>) {
        let deployment = |it: &TaskSet| Deployment {
            id: it.id.clone(),
            failed_tasks: 0,
            running: 2,
            primary: it.primary,
            task_definition: it.task_definition.clone(),
            state: RolloutState::Unsaid,
            reason: String::new(),
            began: it.began,
        };
        self.service.deployments = task_sets.iter().map(deployment).collect();
        self.service.task_definition = task_sets.iter().find(|it| it.primary).unwrap().task_definition.clone();
        self.service.task_sets = task_sets;
    }

    /// What CodeDeploy tells of the service.
    pub fn told(&self) -> CodeDeploy {
        CodeDeploy {
            group: Group {
                application: "truegul".into(),
                name: "api-server".into(),
                services: vec![ServiceName::of_arn(SERVICE).unwrap()],
                goes_back: self.blue_green.goes_back,
                waits: jiff::SignedDuration::ZERO,
            },
            attempts: self.blue_green.attempts.iter().rev().cloned().collect(),
            known: self.blue_green.attempts.iter().map(|it| it.id.clone()).collect(),
            since: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    /// Whether CodeDeploy, or the look before asking it, refuses this.
    pub fn refuses(&self, how: &CreateDeployment) -> bool {
        let attempts = &self.blue_green.attempts;
        attempts.iter().any(|it| it.status == Status::Open || !how.known.contains(&it.id))
    }

    /// CreateDeployment; refused while another one is under way.
    pub fn create_deployment(&mut self, task_definition: &str, undoes: bool) {
        if self.blue_green.attempts.iter().any(|it| it.status == Status::Open) {
            return;
        }
        self.minutes += 1;
        let attempt = Attempt {
            id: format!("d-{}", self.blue_green.attempts.len() + 1),
            task_definition: Some(task_definition.into()),
            status: Status::Open,
            said: "Created".into(),
            code: String::new(),
            reason: String::new(),
            undoes,
            began: Some(self.now().timestamp()),
            ended: None,
            app_spec: Source::Unread,
        };
        self.blue_green.attempts.push(attempt);
        let known = self.revisions.iter().any(|it| it.arn() == task_definition);
        let pinned = if known { self.pinned(task_definition) } else { BTreeMap::new() };
        self.blue_green.pinned.push(pinned);
    }

    /// The digests that ECS pinned for the tasks that have the traffic, if a deployment of CodeDeploy made them.
    pub fn pinned_by_code_deploy(&self) -> Option<BTreeMap<String, Digest>> {
        let id = self.service.task_sets.iter().find(|it| it.primary)?.deployment.as_ref()?;
        let at = self.blue_green.attempts.iter().position(|it| it.id == *id)?;
        self.blue_green.pinned.get(at).cloned()
    }

    /// StopDeployment with the request to go back, by whomever.
    pub fn stop_deployment(&mut self) {
        if self.blue_green.attempts.last().is_some_and(|it| it.status == Status::Open && !it.undoes) {
            self.minutes += 1;
            self.end(Status::Stopped, "MANUAL_STOP");
            self.back_to_blue();
        }
    }

    /// CodeDeploy does what it has to do next.
    pub fn shift(&mut self) {
        let Some(last) = self.blue_green.attempts.last().filter(|it| it.status == Status::Open).cloned() else {
            return;
        };
        self.minutes += 1;
        let target = last.task_definition.clone().unwrap();
        if last.undoes {
            self.back_to_blue();
            return self.end(Status::Succeeded, "");
        }
        let bad = self.is_bad(&target);
        let mut task_sets = self.service.task_sets.clone();
        let green = task_sets.iter().position(|it| it.deployment.as_ref() == Some(&last.id));
        match green {
            None => {
                task_sets.push(self.task_set(false, target, Some(last.id)));
                self.set(task_sets);
                self.blue_green.attempts.last_mut().unwrap().said = "InProgress".into();
            }
            Some(green) if !task_sets[green].primary && (!bad || self.blue_green.late) => {
                task_sets.iter_mut().for_each(|it| it.primary = false);
                task_sets[green].primary = true;
                self.set(task_sets);
            }
            Some(green) if !bad => {
                self.set(vec![task_sets.swap_remove(green)]);
                self.end(Status::Succeeded, "");
            }
            Some(_) => {
                self.end(Status::Failed, "HEALTH_CONSTRAINTS");
                match self.blue_green.goes_back {
                    true => self.create_deployment(&target, true),
                    false => self.set(task_sets.drain(..).filter(|it| it.primary).collect()),
                }
            }
        }
    }

    fn end(&mut self, status: Status, reason: &str) {
        let ended = Some(self.now().timestamp());
        let last = self.blue_green.attempts.last_mut().unwrap();
        *last = Attempt {
            status,
            said: format!("{status:?}"),
            code: reason.into(),
            reason: reason.into(),
            ended,
            ..last.clone()
        };
    }

    /// The tasks that were there before have the traffic again, and no others are left.
    fn back_to_blue(&mut self) {
        let first = self.service.task_sets[0].clone();
        self.set(vec![TaskSet { primary: true, ..first }]);
    }
}
