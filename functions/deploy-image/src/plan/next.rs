//! The one thing to do next about a service: the same whatever event led here, and nothing once it is done.

use choose::Selection;
use rules::keys;
use rules::memory::Verdict;

use super::apply_command::ALREADY_GOING_BACK;
use super::case::Case;
use super::command::Command;
use super::draft::Draft;
use super::evidence::{Lost, is_of_others};
use super::gate::{self, Blocked};
use super::motion::{Motion, motion};
use super::step::{MemoryChange, Remember, Step};
use super::{deployer, offer, shift, verdict};

/// How many images are found lost in one run; what is left, the next run finds.
const AT_ONCE: usize = 3;

impl Draft<'_> {
    /// Decides what is next.
    ///
    /// In this order: what a person asks, what became of the last deployment, a way back if the running image is
    /// rejected, patience while ECS is at work, and only then a newer image.
    pub fn decide(&mut self, command: Option<&Command>) {
        let case = self.case;
        self.look_at_source();
        let go_back = match self.apply_command(command) {
            Ok(go_back) => go_back,
            Err(trouble) => {
                let further = (trouble.kind == ALREADY_GOING_BACK)
                    .then(|| offer::about_running(case, "Go back further", "rollback"));
                return self.ask(trouble.kind, trouble.message, further.flatten());
            }
        };
        if let Some(error) = case.code_deploy_error() {
            return self.problem("code-deploy", error);
        }
        // An unreadable history must not block a rollback that a person asked for; the revisions record what ran before.
        if let Some(error) = case.history_error().filter(|_| go_back.is_none()) {
            let message = format!("which deployments it had cannot be read: {error}");
            return self.problem("unreadable-history", message);
        }
        // A person may have gone back from one image to another that fails as well.
        for _ in 0..AT_ONCE {
            let Some(Lost { digest, pushed_at, by, why }) = verdict::lost(case, &self.memory) else { break };
            let why = format!("{} did not stay: {why}", case.label(&digest));
            self.reject(digest, pushed_at, by, &why);
        }
        self.tell_rejection();
        let running = case.running();
        let rejected = running.digest.as_ref().is_some_and(|it| self.memory.rejects(it));
        // What a person deployed by hand is theirs to repair.
        let ours = case.digest_of_ours(case.revision).is_some();
        // Nor does an older image help where the one that was live fails only now.
        let restart_failed = verdict::restart_failed(case, &self.memory, self.now);
        let began = case.service.primary().and_then(|it| it.began);
        let fallen = ours
            && restart_failed.is_none()
            && matches!(motion(case), Motion::Fallen(_))
            && !is_of_others(case, case.revision.arn(), began);
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

    /// The run that rejected an image may have ended before it told people: then this one does.
    fn tell_rejection(&mut self) {
        let case = self.case;
        let Some(rejected) =
            self.memory.rejected.as_ref().filter(|it| it.untold && case.memory.rejected.as_ref() == Some(*it))
        else {
            return;
        };
        let (value, key) = (rejected.value(), case.keys.rejected);
        let Some(last) = rejected.last() else { return };
        let by = rejected.by.as_deref().map(|it| format!("by {it}, ")).unwrap_or_default();
        let why = format!("it was rejected {by}and the run that did it may not have told so");
        match case.images.iter().find(|it| last.is(&it.digest)).map(|it| it.digest.clone()) {
            Some(digest) => self.remember_image(MemoryChange::Reject, key, value, &digest, why),
            None => self.remember(MemoryChange::Reject, key, value, &last.to_string(), why),
        }
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

    /// Nothing is wrong with the running image: is it live, and is there a newer one?
    fn go_on(&mut self) {
        let case = self.case;
        if let Err(blocked) = self.at_pauses() {
            return self.take_back(blocked);
        }
        if case.rule.health.is_some() && shift::has_all_traffic(case) {
            match gate::health_after(case, self.now.timestamp()) {
                Err(blocked @ (Blocked::Reject { .. } | Blocked::Lacks(_))) => return self.take_back(blocked),
                Err(blocked) => self.hold(blocked),
                Ok(_) => {}
            }
        }
        if let Some(error) = case.shift_error() {
            self.problem("unreadable-deployment", format!("how far its deployment is cannot be read: {error}"));
        }
        self.tell_all_traffic();
        if let Some(digest) = verdict::won(case, &self.memory) {
            if let Some(waits) = verdict::completes(case) {
                self.skip(waits);
                return self.deploy_selected();
            }
            match gate::health_after(case, self.now.timestamp()) {
                Ok(note) => self.win(Verdict { digest, at: self.now.timestamp() }, note),
                Err(blocked @ Blocked::Reject { .. }) => return self.take_back(blocked),
                Err(blocked) => self.hold(blocked),
            }
        }
        if let Some(stuck) = verdict::stuck(case, self.now).filter(|_| !shift::is_paused(case)) {
            self.problem("stuck", stuck);
        }
        if let Some((waits, choices)) = deployer::waits(case) {
            self.ask("waits-for-traffic", waits, choices);
        }
        self.deploy_selected();
    }

    /// The image in use must go, if `blocked` says so.
    fn take_back(&mut self, blocked: Blocked) {
        let running = self.case.running();
        match (blocked, running.digest) {
            (Blocked::Reject { by, why }, Some(digest)) => {
                let pushed_at = self.case.pushed_at(&digest).unwrap_or(running.no_later_than);
                self.reject(digest, pushed_at, by, &why);
                self.roll_back(None);
            }
            (blocked, _) => self.hold(blocked),
        }
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
            self.case.keys.verdict,
            value,
        );
        let is_approved = self.memory.approved.as_ref().is_some_and(|it| it.digest == verdict.digest);
        // After a way back, going back once more is not what takes it back.
        let digest = case.unused_revision().is_none().then_some(verdict.digest);
        self.act(Step::Remember(Remember { digest, is_approved, ..step }), why);
    }

    /// Deploys what the rule selects, or says why not.
    pub fn deploy_selected(&mut self) {
        let case = self.case;
        let motion = motion(case);
        let repository = &case.repository;
        let rule = case.rule.selector.to_string();
        let selection = case.selection(&self.memory);
        self.tell_foreign_revision();
        self.tell_unpullable();
        if let Err(bad) = case.window() {
            return self.problem("bad-tag", bad);
        }
        if self.tell_source(&selection) {
            return;
        }
        if !matches!(selection, Selection::Newer { .. }) {
            self.tell_unread();
            self.tell_older_image();
            if self.deploy_config() {
                return;
            }
        }
        match selection {
            Selection::Newer { image, tag } => {
                let at_once = self.now_wanted.as_ref() == Some(&image.digest);
                if let Some(left) = self.leaves_first().filter(|_| !at_once) {
                    return self.wait(image, &tag, self.after_way_back(&tag, &case.label(&left)));
                }
                let waits = match motion {
                    Motion::Back => format!("{} is taking a deployment back", deployer::name(case)),
                    // ECS may let a newer image take its place, except where a person is being asked.
                    Motion::Forward(_) if shift::is_paused(case) || case.shifts() && shift::shift(case).is_none() => {
                        format!("{} is under way{}", deployer::under_way(case), shift::until(case, self.now, &self.answered))
                    }
                    _ => return self.deploy(image, &tag, &motion),
                };
                self.wait(image, &tag, Blocked::pending(format!("{tag} is newer, but {waits}"), "that has ended"));
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
                self.skip(format!(
                    "{}, which a person approved instead of {tag}, stays until something newer is pushed",
                    case.running_label()
                ));
            }
            Selection::Rejected { older } => {
                let running = case.running_label();
                let name = self.rejected_name();
                self.skip(match older {
                    Some(older) => format!(
                        "{name} is rejected, and {older}, which is older, does not go out by itself; {running} stays. \
                         Send \"approve\" to deploy {older} all the same"
                    ),
                    None => format!("{name} is rejected; {running} stays until a newer image is pushed"),
                });
            }
            Selection::Unfit { tag, why } => {
                self.problem("unfit-image", format!("{tag} is not deployed: {why}; '{rule}' selects it in {repository}"));
            }
            Selection::NoMatch { seen } if seen.is_empty() => {
                self.problem("no-image", format!("the repository {repository} holds no tagged image"));
            }
            Selection::NoMatch { seen } => self.problem(
                "no-image",
                format!("its rule selects no image; '{rule}' is for {repository}, which has the tags {}", seen.join(", ")),
            ),
            Selection::CannotTell { tag } => self.problem(
                "unknown-age",
                format!(
                    "cannot tell whether {tag} is newer: {} is gone from the registry. '{rule}' selects {tag}, and {repository} \
                     does not hold what runs: push a new image, or deploy {tag} by hand once",
                    case.running_label()
                ),
            ),
        }
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
        Motion::Forward(_) => {
            let place = shift::shift(case).map(shift::place).filter(|it| !it.is_empty());
            format!("{tag}, {chosen}, is rolling out{}", place.map_or(String::new(), |it| format!(": {it}")))
        }
        Motion::Back => format!("{} is going back to {tag}, {chosen}", deployer::name(case)),
        Motion::Fallen(_) => format!("{tag}, {chosen}, failed"),
    }
}
