//! An image goes out: through the gates, as a new revision.

use choose::Image;
use jiff::SignedDuration;
use reconcile::Step as _;
use rules::keys;

use super::case::Case;
use super::deployer;
use super::draft::{Change, Draft};
use super::gate::{self, Before, Blocked, Candidate, Passed};
use super::motion::Motion;
use super::step::{Deploy, MemoryChange, Revision, Step};
use super::world::{Fact, Observation, Task};

/// After this time ECS would still list a task that runs, and no longer one that has stopped.
const MIGRATION_FORGOTTEN: SignedDuration = SignedDuration::from_hours(2);

impl<'a> Draft<'a> {
    /// Deploys an image, once it has passed the gates.
    pub fn deploy(&mut self, image: &'a Image, tag: &str, motion: &Motion) {
        let case = self.case;
        let service = case.service;
        if let Some(reason) = deployer::asleep(case) {
            let waits = Blocked::pending(format!("{tag} is newer; {reason}"), case.wakes(self.now));
            return self.wait(image, tag, waits);
        }
        if let Some(setback) = deployer::setback(case, &image.digest, self.now.timestamp()) {
            self.problem("deployment-failed", setback.message);
            if setback.just_now {
                return;
            }
        }
        let via = match deployer::via(case) {
            Ok(via) => via,
            Err(problem) => return self.problem("code-deploy", problem),
        };
        let at_once = self.now_wanted.as_ref() == Some(&image.digest);
        let pass = if at_once { gate::pass_at_once } else { gate::pass };
        let health = match pass(self.candidate(image, tag)) {
            Ok(Passed { notes, health }) => {
                notes.into_iter().for_each(|(step, why)| self.act(step, why));
                health
            }
            Err(blocked) => return self.wait(image, tag, blocked),
        };
        let pinned = case.image.pinned(&image.digest);
        let previous = previous(case);
        let mut memory = vec![(case.keys.image, tag), (keys::PREVIOUS, &previous)];
        memory.extend(health.as_ref().map(|it| (keys::HEALTH, it.word())));
        let base = case.base();
        if let Some(missing) = case.containers.iter().find(|it| base.images().all(|(name, _)| name != *it)) {
            let message = format!("{} has no container {missing}, which gets the image", base.short_name());
            return self.problem("no-container", message);
        }
        let next = base.next(&case.containers, &pinned, &memory);
        // A run that died between registering and using the revision left it behind: use it instead of a second one.
        let left_over = case.newer_revision().filter(|it| it.next(&[], "", &[]) == next).map(|it| it.arn().to_owned());
        let from = case.running_label();
        let over = match motion {
            Motion::Forward(_) => format!("; {from}, which is still rolling out, is superseded"),
            _ if service.tags.contains_key(keys::ASLEEP) => "; the service is asleep and stays so".into(),
            _ => String::new(),
        };
        let ill = match &health {
            Some(Before::Ill(said)) => {
                format!("; its health is not judged, since what runs is ill already: {said}")
            }
            _ => String::new(),
        };
        let config = match case.new_config() {
            Some(base) => format!(", with the configuration of {}", base.short_name()),
            None => String::new(),
        };
        let chosen = match case.running().digest.as_ref() == Some(&image.digest) {
            true => format!("{tag} runs"),
            false => format!("{tag} is the image that '{}' selects in {}", case.rule.selector, case.repository),
        };
        let gates = if at_once { "; a person asked for it, through no gate" } else { "" };
        let why = format!("{chosen}{config}{over}{ill}{gates}");
        let step = Deploy {
            service: service.name.clone(),
            from,
            from_revision: case.revision.arn().into(),
            to: tag.into(),
            digest: image.digest.clone(),
            revision: left_over.map_or(Revision::Register(next), Revision::Registered),
            via,
        };
        let memory = memory.into_iter().map(|(key, value)| (key, value.to_owned())).collect();
        self.change = Some(Change { containers: case.containers.clone(), image: pinned, memory });
        self.act(Step::Deploy(step), why);
    }

    pub fn candidate<'b>(&'b self, image: &'b Image, tag: &'b str) -> Candidate<'b> {
        Candidate { case: self.case, memory: &self.memory, image, tag, now: self.now }
    }

    /// Says why an image does not go out yet, does what lets it go on, or rejects it and looks for another one.
    ///
    /// Its migration may have run before something else blocked it. ECS forgets how that ended within an hour, and what
    /// the image waits for may take longer, so the result is recorded first.
    pub fn wait(&mut self, image: &'a Image, tag: &str, blocked: Blocked) {
        let mut blocked = blocked;
        if !matches!(blocked, Blocked::Reject { .. }) {
            match gate::migration_notes(self.candidate(image, tag)) {
                Ok(notes) => notes.into_iter().for_each(|(step, why)| self.act(step, why)),
                Err(other) => blocked = other,
            }
        }
        if matches!(blocked, Blocked::Pending(_) | Blocked::Requires(_)) {
            self.soon = Some(tag.into());
        }
        let Blocked::Reject { by, why } = blocked else {
            return self.hold(blocked);
        };
        self.reject(image.digest.clone(), image.pushed_at, by, &why);
        if by == "migration" && self.memory.migrating.take().is_some() {
            self.remember(MemoryChange::Migrating, keys::MIGRATING, None, tag, "it has failed");
        }
        self.deploy_selected();
    }

    /// Says why an image does not go out yet, or does what lets it go on.
    pub fn hold(&mut self, blocked: Blocked) {
        self.waits = self.waits.take().or(waits_for(&blocked));
        match blocked {
            Blocked::Lacks(fact) => {
                self.lacking.insert(fact);
            }
            Blocked::Pending(wait) => self.skip(wait),
            Blocked::NeedsPerson(kind, message) => self.problem(kind, message),
            Blocked::Asks { kind, message, choices } => self.ask(kind, message, choices),
            Blocked::Scheduled(kind, message) => self.plan.monthly(&self.case.service.arn, kind, message),
            Blocked::Requires(acts) => acts.into_iter().for_each(|(step, why)| self.act(step, why)),
            Blocked::Reject { why, .. } => self.problem("rejected", why),
        }
    }

    /// No image waits for its migration any more: the mark of one goes once its task is known to have stopped.
    pub fn forget_migration(&mut self) {
        let case = self.case;
        let Some(mark) = self.memory.migrating.as_ref() else { return };
        let Some(family) = mark.family.as_ref().or(case.rule.migrate.as_ref()) else { return };
        let fact = Fact::Tasks { cluster: case.service.name.cluster.clone(), family: family.clone() };
        let tasks = match case.observation(&fact) {
            None => return self.hold(Blocked::Lacks(fact)),
            Some(Observation::Tasks(tasks)) => tasks,
            Some(_) => return,
        };
        let mut of_run = tasks.iter().filter(|it| it.started_by == mark.run).peekable();
        let known = of_run.peek().is_some() || !mark.may_run();
        let long_ago = self.now.timestamp().duration_since(mark.since) > MIGRATION_FORGOTTEN;
        if of_run.all(Task::has_stopped) && (known || long_ago) {
            self.remember(MemoryChange::Migrating, keys::MIGRATING, None, "", "it does not run any more");
        }
    }
}

/// What a blocked image waits for, for whoever asks about that image alone.
fn waits_for(blocked: &Blocked) -> Option<String> {
    match blocked {
        // Observed first, in this very run.
        Blocked::Lacks(_) => None,
        Blocked::Pending(wait) => Some(wait.to_string()),
        Blocked::NeedsPerson(kind, message)
        | Blocked::Asks { kind, message, .. }
        | Blocked::Scheduled(kind, message) => Some(format!("{kind}: {message}")),
        Blocked::Requires(acts) => acts.first().map(|(step, why)| format!("{}: {why}", step.headline())),
        Blocked::Reject { why, .. } => Some(why.clone()),
    }
}

/// The last revision that was live: the one in use, or where that was never proven, the one before it.
fn previous(case: &Case<'_>) -> String {
    let before = case.revision.tags.get(keys::PREVIOUS).filter(|_| !case.proven());
    before.cloned().unwrap_or_else(|| case.revision.short_name())
}
