//! The one thing to do next about a service: the same whatever event led here, and nothing once it is done.

use choose::Selection;
use jiff::{SignedDuration, Timestamp};
use rules::keys;
use rules::memory::Verdict;

use super::apply_command::GoBack;
use super::case::Case;
use super::command::Command;
use super::draft::Draft;
use super::evidence::Lost;
use super::gate::{self, Before, Blocked, Candidate, Passed};
use super::motion::{Motion, motion};
use super::step::{Deploy, MemoryChange, Remember, Revision, RollBack, Step};
use super::verdict::PATIENCE;
use super::world::{Fact, Image, Observation, Task};
use super::{deployer, rollback, verdict};

/// After this time ECS would still list a task that runs, and no longer one that has stopped.
const MIGRATION_FORGOTTEN: SignedDuration = SignedDuration::from_hours(2);

impl<'a> Draft<'a> {
    /// Decides what is next.
    ///
    /// In this order: what a person asks, what became of the last deployment, a way back if the running image is
    /// rejected, patience while ECS is at work, and only then a newer image.
    pub fn decide(&mut self, command: Option<&Command>) {
        let case = self.case;
        let go_back = match self.apply_command(command) {
            Ok(go_back) => go_back,
            Err((kind, message)) => return self.problem(kind, message),
        };
        if let Some(error) = case.code_deploy_error() {
            return self.problem("code-deploy", error);
        }
        // An unreadable history must not block a rollback that a person asked for; the revisions record what ran before.
        if let Some(error) = case.history_error().filter(|_| go_back.is_none()) {
            return self.problem("unreadable-history", error);
        }
        if let Some(Lost { digest, pushed_at, by, why }) = verdict::lost(case, &self.memory) {
            let why = format!("{} did not stay: {why}", case.label(&digest));
            self.reject(digest, pushed_at, by, &why);
        }
        let running = case.running();
        let rejected = running.digest.as_ref().is_some_and(|it| self.memory.rejects(it));
        // What a person deployed by hand is theirs to repair.
        let ours = case.digest_of_ours(case.revision).is_some();
        // Nor does an older image help where the one that was live fails only now.
        let restart_failed = verdict::restart_failed(case, &self.memory, self.now);
        let fallen = ours && restart_failed.is_none() && matches!(motion(case), Motion::Fallen(_));
        if let Some(message) = restart_failed.filter(|_| !rejected && go_back.is_none()) {
            self.problem(verdict::RESTART_FAILED, message);
        }
        let asked = go_back.is_some();
        if rejected || asked || fallen {
            self.roll_back(go_back.as_ref());
        } else {
            self.go_on();
        }
        if case.memory.rollback.is_some() && !(asked && deployer::blocked(case).is_some()) {
            self.remember(MemoryChange::DropIntent, keys::ROLLBACK, None, "", "it is settled");
        }
        if !matches!(case.selection(&self.memory), Selection::Newer { .. }) {
            self.forget_migration();
        }
        self.say_what_stays();
    }

    /// A rejection does not say that the image before stays where another one is deployed in the same run.
    fn say_what_stays(&mut self) {
        let arn = &self.case.service.arn;
        let replaces = |it: &Step| matches!(it, Step::Deploy(_) | Step::RollBack(_) | Step::Stop(_));
        let of_service = self.plan.steps.iter_mut().filter(|it| it.resource == *arn);
        let steps: Vec<&mut Step> = of_service.map(|it| &mut it.step).collect();
        if steps.iter().any(|it| replaces(it)) {
            for step in steps {
                if let Step::Remember(it) = step {
                    it.stays = false;
                }
            }
        }
    }

    /// No image waits for its migration any more: the mark of one goes once its task is known to have stopped.
    fn forget_migration(&mut self) {
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

    /// The running image must be replaced: by a newer one if there is one, else by the last one that was live.
    fn roll_back(&mut self, asked: Option<&GoBack>) {
        let case = self.case;
        let service = case.service;
        let label = case.running_label();
        if let Some(reason) = deployer::blocked(case) {
            let kept = case.running().digest.is_some_and(|it| self.memory.rejects(&it));
            return match asked.is_some_and(|it| it.by_person) && !kept {
                true => self.problem(
                    "not-now",
                    format!("cannot roll back {label} yet: {reason}. Send the command again afterwards"),
                ),
                false => self.skip(format!("{label} must be replaced; {reason}")),
            };
        }
        let motion = motion(case);
        if case.by_code_deploy() && matches!(motion, Motion::Forward(_)) {
            return deployer::stop(case, asked.map(|it| it.why.as_str()), self.plan);
        }
        if let Some(reason) = self.patience(&motion).filter(|_| asked.is_none()) {
            return self.skip(reason);
        }
        if asked.is_none()
            && let Selection::Newer { image, tag } = case.selection(&self.memory)
        {
            match gate::pass(self.candidate(image, &tag)) {
                Ok(_) => return self.deploy(image, &tag, &motion),
                Err(blocked @ Blocked::Lacks(_)) => return self.hold(blocked),
                Err(_) => {}
            }
        }
        if let Some(failed) =
            verdict::failed_way_back(case, &self.memory).filter(|_| !asked.is_some_and(|it| it.by_person))
        {
            return self.problem("way-back-failed", failed);
        }
        match rollback::target(case, &self.memory) {
            Ok((revision, to)) => {
                let via = match deployer::via(case) {
                    Ok(via) => via,
                    Err(problem) => return self.problem("code-deploy", problem),
                };
                let step = RollBack {
                    service: service.name.clone(),
                    from: label.clone(),
                    from_digest: case.running().digest,
                    from_revision: case.revision.arn().into(),
                    to,
                    to_revision: revision.arn().into(),
                    via,
                };
                let why = asked.map_or_else(|| format!("{label} is rejected or failed"), |it| it.why.clone());
                self.act(Step::RollBack(step), format!("{why}; {} completed before it", revision.short_name()));
            }
            Err(why) => self.problem(
                "no-way-back",
                format!(
                    "{label} must be replaced, but there is nothing to go back to: {why}; push a newer image, or deploy one by hand"
                ),
            ),
        }
    }

    /// Why a service that must not stay as it is, is left alone for now: it goes back by itself, or its traffic is
    /// shifting.
    fn patience(&self, motion: &Motion) -> Option<String> {
        let case = self.case;
        let label = case.running_label();
        let now = self.now.timestamp();
        let young = |since: &Option<Timestamp>| since.is_some_and(|it| now.duration_since(it) < PATIENCE);
        match motion {
            Motion::Back => Some(format!("ECS is taking {label} back")),
            Motion::Fallen(since) if case.service.safety.goes_back && young(since) => {
                Some(format!("{label} failed, and {} goes back by itself", deployer::name(case)))
            }
            Motion::Forward(_) if case.shifts() => {
                Some("a deployment that shifts traffic is under way; it must end first".into())
            }
            _ => None,
        }
    }

    /// Nothing is wrong with the running image: is it live, and is there a newer one?
    fn go_on(&mut self) {
        let case = self.case;
        if let Some(digest) = verdict::won(case, &self.memory) {
            match gate::health_after(case, self.now.timestamp()) {
                Ok(note) => self.win(Verdict { digest, at: self.now.timestamp() }, note),
                Err(Blocked::Reject { by, why }) => {
                    let pushed_at = case.pushed_at(&digest).unwrap_or(case.running().no_later_than);
                    self.reject(digest, pushed_at, by, &why);
                    return self.roll_back(None);
                }
                Err(blocked) => self.hold(blocked),
            }
        }
        if let Some(stuck) = verdict::stuck(case, self.now) {
            self.problem("stuck", stuck);
        }
        if let Some(waits) = deployer::waits(case) {
            self.problem("waits-for-traffic", waits);
        }
        self.deploy_selected();
    }

    /// What people call the image that was rejected last.
    fn rejected_name(&self) -> String {
        let Some(rejected) = &self.memory.rejected else { return String::new() };
        let digest = || rejected.last().map_or_else(String::new, |it| format!("sha256:…{it}"));
        rejected.tag.clone().unwrap_or_else(digest)
    }

    fn win(&mut self, verdict: Verdict, note: Option<String>) {
        let Case { service, .. } = self.case;
        let mut why = format!("its deployment completed with {} of {} tasks", service.running, service.desired);
        note.iter().for_each(|it| why += &format!("; {it}"));
        let case = self.case;
        let value = Some(verdict.to_string());
        let step = Remember::new(
            service,
            MemoryChange::Live,
            &case.running_label(),
            case.running_label(),
            keys::VERDICT,
            value,
        );
        // After a way back, going back once more is not what takes it back.
        let digest = case.unused_revision().is_none().then_some(verdict.digest);
        self.act(Step::Remember(Remember { digest, ..step }), why);
    }

    fn candidate<'b>(&'b self, image: &'b Image, tag: &'b str) -> Candidate<'b> {
        Candidate { case: self.case, memory: &self.memory, image, tag, now: self.now }
    }

    /// Says why an image does not go out yet, does what lets it go on, or rejects it and looks for another one.
    ///
    /// Its migration may have run before something else blocked it. ECS forgets how that ended within an hour, and what
    /// the image waits for may take longer, so the result is recorded first.
    fn wait(&mut self, image: &'a Image, tag: &str, blocked: Blocked) {
        let mut blocked = blocked;
        if !matches!(blocked, Blocked::Reject { .. }) {
            match gate::migration_notes(self.candidate(image, tag)) {
                Ok(notes) => notes.into_iter().for_each(|(step, why)| self.act(step, why)),
                Err(other) => blocked = other,
            }
        }
        let Blocked::Reject { by, why } = blocked else { return self.hold(blocked) };
        self.reject(image.digest.clone(), image.pushed_at, by, &why);
        if by == "migration" && self.memory.migrating.take().is_some() {
            self.remember(MemoryChange::Migrating, keys::MIGRATING, None, tag, "it has failed");
        }
        self.deploy_selected();
    }

    /// Says why an image does not go out yet, or does what lets it go on.
    fn hold(&mut self, blocked: Blocked) {
        match blocked {
            Blocked::Lacks(fact) => {
                self.lacking.insert(fact);
            }
            Blocked::Pending(reason) => self.skip(reason),
            Blocked::NeedsPerson(kind, message) => self.problem(kind, message),
            Blocked::Requires(acts) => acts.into_iter().for_each(|(step, why)| self.act(step, why)),
            Blocked::Reject { why, .. } => self.problem("rejected", why),
        }
    }

    /// Deploys what the rule selects, or says why not.
    fn deploy_selected(&mut self) {
        let case = self.case;
        let motion = motion(case);
        let repository = &case.repository;
        let rule = case.rule.selector.to_string();
        let selection = case.selection(&self.memory);
        self.tell_foreign_revision();
        self.tell_unpullable();
        if !matches!(selection, Selection::Newer { .. }) {
            self.tell_unread();
            self.tell_older_image();
            if self.deploy_config() {
                return;
            }
        }
        match selection {
            Selection::Newer { image, tag } => {
                let waits = match motion {
                    Motion::Back => format!("{} is taking a deployment back", deployer::name(case)),
                    Motion::Forward(_) if case.shifts() => format!("{} is under way", deployer::under_way(case)),
                    _ => return self.deploy(image, &tag, &motion),
                };
                self.wait(image, &tag, Blocked::Pending(format!("{tag} is newer, but {waits}; after that")));
            }
            Selection::Current { tag } => match case.repair().filter(|_| !case.shifts() || motion == Motion::Still) {
                Some(image) => self.deploy(image, &tag, &motion),
                None => self.skip(current(case, &tag, &motion)),
            },
            Selection::Older { tag } => self.skip(format!(
                "{tag}, which '{rule}' selects in {repository}, is older than {}, which runs",
                case.running_label()
            )),
            Selection::Declined { tag } => {
                self.skip(format!("{}, which a person approved instead of {tag}, stays", case.running_label()));
            }
            Selection::Rejected { older } => {
                let running = case.running_label();
                let name = self.rejected_name();
                self.skip(match older {
                    Some(older) => format!(
                        "{name} is rejected, and {older}, which is older, does not go out by itself; {running} stays. \
                         Send \"approve\" to deploy {older} all the same"
                    ),
                    None => format!("{name} is rejected; {running} stays"),
                });
            }
            Selection::Unfit { tag, why } => {
                self.problem("unfit-image", format!("'{rule}' selects {tag} in {repository}, but {why}"));
            }
            Selection::NoMatch { seen } if seen.is_empty() => {
                self.problem("no-image", format!("the repository {repository} holds no tagged image"));
            }
            Selection::NoMatch { seen } => self.problem(
                "no-image",
                format!("'{rule}' selects no image of {repository}, which has the tags {}", seen.join(", ")),
            ),
            Selection::CannotTell { tag } => self.problem(
                "unknown-age",
                format!(
                    "'{rule}' selects {tag}, but the image that runs ({}) is no longer in {repository}, \
                     so it cannot be told which is newer; push a new image, or deploy {tag} by hand once",
                    case.running_label()
                ),
            ),
        }
    }

    /// Deploys an image, once it has passed the gates.
    pub fn deploy(&mut self, image: &'a Image, tag: &str, motion: &Motion) {
        let case = self.case;
        let service = case.service;
        if let Some(reason) = deployer::asleep(case) {
            return self.wait(image, tag, Blocked::Pending(format!("{tag} is newer; {reason}")));
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
        let health = match gate::pass(self.candidate(image, tag)) {
            Ok(Passed { notes, health }) => {
                notes.into_iter().for_each(|(step, why)| self.act(step, why));
                health
            }
            Err(blocked) => return self.wait(image, tag, blocked),
        };
        let pinned = case.image.pinned(&image.digest);
        let previous = previous(case);
        let mut memory = vec![(keys::IMAGE, tag), (keys::PREVIOUS, &previous)];
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
                format!("; its health is not judged by the address, which is ill already: {said}")
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
        let why = format!("{chosen}{config}{over}{ill}");
        let step = Deploy {
            service: service.name.clone(),
            from,
            from_revision: case.revision.arn().into(),
            to: tag.into(),
            digest: image.digest.clone(),
            revision: left_over.map_or(Revision::Register(next), Revision::Registered),
            via,
        };
        self.act(Step::Deploy(step), why);
    }
}

/// What to say of a service whose image is the one that its rule selects.
fn current(case: &Case<'_>, tag: &str, motion: &Motion) -> String {
    let chosen = format!("the one that '{}' selects in {}", case.rule.selector, case.repository);
    let asleep = if case.service.tags.contains_key(keys::ASLEEP) { "it is asleep and " } else { "" };
    match motion {
        Motion::Still => format!("{asleep}runs {tag}, {chosen}"),
        Motion::Forward(_) if case.by_code_deploy() => {
            format!("{tag}, {chosen}, is rolling out: {}", deployer::under_way(case))
        }
        Motion::Forward(_) => format!("{tag}, {chosen}, is rolling out"),
        Motion::Back => format!("{} is going back to {tag}, {chosen}", deployer::name(case)),
        Motion::Fallen(_) => format!("{tag}, {chosen}, failed"),
    }
}

/// The last revision that was live: the one in use, or where that was never proven, the one before it.
fn previous(case: &Case<'_>) -> String {
    let before = case.revision.tags.get(keys::PREVIOUS).filter(|_| !case.proven());
    before.cloned().unwrap_or_else(|| case.revision.short_name())
}
