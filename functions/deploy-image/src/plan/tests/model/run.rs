//! What a run sees of the model, and what its steps do to it.

use std::collections::BTreeMap;

use reconcile::Plan;
use rules::migrating::Start;

use super::{Model, REPOSITORY, SERVICE, WEB};
use crate::plan::*;

impl Model {
    /// What `observe` would see of all this from `scope`.
    pub fn world(&self, scope: &Scope) -> World {
        let newest = self.revisions.last().unwrap();
        let mut world = World {
            services: vec![self.service.clone()],
            whole: scope.is_whole(),
            calendar: self.calendar.clone(),
            newest_revision: BTreeMap::from([("api-server".into(), newest.arn().into())]),
            repositories: BTreeMap::from([
                (REPOSITORY.into(), Ok(self.images.clone())),
                (WEB.into(), Ok(self.web.clone())),
            ]),
            ..World::default()
        };
        for arn in [newest.arn(), &self.service.task_definition] {
            world.task_definitions.insert(arn.into(), self.revision(arn).clone());
        }
        if let Some(last) = self.past.iter().rfind(|it| it.task_definition == self.service.task_definition)
            && wants_pinned(&self.service, &world, scope)
        {
            let pinned = self.pinned_by_code_deploy().unwrap_or_else(|| last.pinned.clone());
            world.pinned.insert(SERVICE.into(), Ok(pinned));
        }
        let asked = wants_history(&self.service, &world, scope);
        if asked && self.service.controller == Controller::CodeDeploy {
            world.learn(BTreeMap::from([(SERVICE.into(), Ok(self.told()))]));
        } else if asked {
            world.history.insert(SERVICE.into(), Ok(self.past.iter().rev().cloned().collect()));
            for deployment in wanted_shifts(&world).remove(SERVICE).unwrap_or_default() {
                if let Some(told) = self.deployment(&deployment) {
                    world.learn_shift(SERVICE, &deployment, Ok(told));
                }
            }
        }
        loop {
            let wanted = wanted_revisions(&self.service, &world);
            if wanted.is_empty() {
                return world;
            }
            for arn in wanted {
                world.task_definitions.insert(arn.clone(), self.revision(&arn).clone());
            }
        }
    }

    pub fn plan(&self, scope: &Scope, command: Option<&Command>) -> Plan<Step> {
        let mut world = self.world(scope);
        loop {
            let decision = plan(&world, scope, command, &self.now());
            if decision.lacking.is_empty() {
                testkit::told::keep("deploy-image", &decision.plan);
                return decision.plan;
            }
            for fact in decision.lacking {
                let observation = self.observe(&fact);
                assert!(world.facts.insert(fact.clone(), observation).is_none(), "{fact:?} is asked for again");
            }
        }
    }

    fn observe(&self, fact: &Fact) -> Observation {
        let known = self.facts.get(fact).cloned();
        match fact {
            Fact::Scan { .. } => known.unwrap_or_else(|| Observation::Scans(vec![Scan::of(ScanState::Missing)])),
            Fact::Tasks { .. } => Observation::Tasks(self.tasks.clone()),
            Fact::TaskDefinition(name) => {
                let mut revisions = self.migrations.iter().rev();
                let found = revisions.find(|it| it.arn() == name || it.family() == name);
                let missing = || {
                    Observation::Unavailable(format!("DescribeTaskDefinition {name}: ClientException: no such family"))
                };
                found.map_or_else(missing, |it| Observation::TaskDefinition(Box::new(it.clone())))
            }
            Fact::Snapshot { id, .. } => {
                let snapshot = self.snapshots.iter().find(|it| it.id == *id).cloned();
                let databases = if snapshot.is_some() { vec![] } else { self.databases.clone() };
                Observation::Backup(Box::new(Backup { snapshot, databases }))
            }
            Fact::Health { .. } if self.sick.iter().any(|it| self.is_running(it)) => {
                Observation::Health(Health::Unhealthy("503".into()))
            }
            Fact::Health { .. } => Observation::Health(self.health.clone()),
            Fact::Needs(_) => known.unwrap_or_else(|| Observation::Needs(BTreeMap::new())),
            Fact::Lifecycle(_) => known.unwrap_or(Observation::Lifecycle(false)),
            Fact::Indexes { .. } => known.unwrap_or_else(|| Observation::Indexes(BTreeMap::new())),
            Fact::Origin(name) => Observation::Origin(self.sources.get(name).cloned().map(Box::new)),
            Fact::Fired => Observation::Fired(self.fired.clone()),
            Fact::Services => {
                Observation::Services([self.service.clone()].into_iter().chain(self.others.iter().cloned()).collect())
            }
        }
    }

    /// One run, which dies after that many calls to AWS. Returns what it had planned.
    pub fn run(&mut self, scope: &Scope, command: Option<&Command>, calls: usize) -> Plan<Step> {
        let plan = self.plan(scope, command);
        self.carry_out(&plan, calls);
        plan
    }

    /// Carries out a plan, which may have been made of an earlier state, up to that many calls to AWS.
    pub fn carry_out(&mut self, plan: &Plan<Step>, calls: usize) {
        let mut left = calls;
        for planned in &plan.steps {
            for call in 0..4 {
                let via = match &planned.step {
                    Step::Deploy(Deploy { via, .. }) | Step::RollBack(RollBack { via, .. }) => Some(via),
                    _ => None,
                };
                let refused = call == 0
                    && match via {
                        Some(DeployVia::CreateDeployment(how)) => self.refuses(how),
                        Some(DeployVia::UpdateService(seen)) => self.has_changed(seen),
                        None => false,
                    };
                if left == 0 || refused {
                    return;
                }
                left -= usize::from(self.call(&planned.step, call));
            }
        }
    }

    /// Whether the service is not as the decision saw it.
    fn has_changed(&self, seen: &Unchanged) -> bool {
        self.service.task_definition != seen.task_definition
            || self.service.primary().map(|it| &it.id) != seen.deployment.as_ref()
    }

    /// A call of a step; `false` if the step has no such call.
    fn call(&mut self, step: &Step, call: usize) -> bool {
        match (step, call) {
            (Step::Deploy(Deploy { revision: Revision::Register(fields), .. }), 0) => drop(self.register(fields)),
            (Step::Deploy(Deploy { revision: Revision::Register(_), .. }), 1) => {
                let arn = self.revisions.last().unwrap().arn().to_owned();
                self.deploy(&arn);
            }
            (Step::Deploy(Deploy { revision: Revision::Registered(arn), .. }), 0) => self.deploy(arn),
            (Step::RollBack(back), 0) => self.deploy(&back.to_revision),
            (Step::Stop(Stop { by: StoppedBy::Ecs, .. }), 0) => self.stop_shift(),
            (Step::Continue(it), 0) => self.continue_shift(&it.hook),
            (Step::Stop(_), 0) => self.stop_deployment(),
            (Step::Migrate(it), 0) => match &it.revision {
                Revision::Register(fields) => self.add_migration(fields),
                Revision::Registered(_) => self.minutes += 1,
            },
            (Step::Migrate(it), 1) => self.leave_mark(it, Start::Asked),
            (Step::Migrate(it), 2) => self.run_task(it),
            (Step::Migrate(it), 3) => self.leave_mark(it, Start::Accepted),
            // It is only asked for.
            (Step::AskForSnapshot(_), 0) => self.minutes += 1,
            (Step::Remember(it), 0) => {
                self.minutes += 1;
                match &it.value {
                    Some(value) => drop(self.service.tags.insert(it.key.into(), value.clone())),
                    None => drop(self.service.tags.remove(it.key)),
                }
            }
            // People are told in between.
            (step @ Step::Remember(_), 1) => match reconcile::Step::once_told(step) {
                Some(step) => return self.call(&step, 0),
                None => return false,
            },
            _ => return false,
        }
        true
    }

    /// Lets ECS work and the function sweep until nothing moves any more.
    pub fn settle(&mut self) {
        self.settle_with(|_| {});
    }

    /// The same, and each time something else happens as well.
    pub fn settle_with(&mut self, happens: impl Fn(&mut Self)) {
        for _ in 0..30 {
            let before = (self.service.clone(), self.blue_green.clone(), self.shift.clone());
            self.finish();
            happens(self);
            let still = (&self.service, &self.blue_green, &self.shift) == (&before.0, &before.1, &before.2);
            if self.run(&Scope::Everywhere, None, usize::MAX).steps.is_empty() && still {
                return;
            }
        }
        panic!("it never settles: {self}");
    }
}
