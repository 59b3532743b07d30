//! The running image must be replaced, since it is rejected, failed, or a person or an alarm wants it gone.

use jiff::Timestamp;

use super::apply_command::GoBack;
use super::draft::Draft;
use super::gate::{self, Blocked};
use super::motion::{Motion, motion};
use super::step::{RollBack, Step};
use super::verdict::PATIENCE;
use super::{deployer, offer, rollback, shift, verdict};
use choose::Selection;
use gates::Wait;

impl Draft<'_> {
    /// The running image must be replaced: by a newer one if there is one that pauses for nobody, else by the last one that
    /// was live.
    pub fn roll_back(&mut self, asked: Option<&GoBack>) {
        let case = self.case;
        let service = case.service;
        let label = case.running_label();
        if let Some(reason) = deployer::blocked(case) {
            // The rejection is remembered by now, so a later run goes back.
            let until = deployer::asleep(case).map_or("that has ended".into(), |_| case.wakes(self.now));
            return self.skip(Wait { why: format!("{label} must be replaced; {reason}"), until });
        }
        let motion = motion(case);
        if case.by_code_deploy() && matches!(motion, Motion::Forward(_)) {
            return deployer::stop(case, asked.map(|it| it.why.as_str()), self.plan);
        }
        if matches!(motion, Motion::Forward(_)) && self.stop_shift(asked.map(|it| it.why.as_str())) {
            return;
        }
        if let Some(reason) = self.patience(&motion).filter(|_| asked.is_none()) {
            return self.skip(reason);
        }
        let target = rollback::target(case, &self.memory);
        let failed = verdict::failed_way_back(case, &self.memory).filter(|_| !asked.is_some_and(|it| it.by_person));
        if asked.is_none()
            && let Selection::Newer { image, tag } = case.selection(&self.memory)
        {
            // A newer image would pause for a person, and what must go would have the traffic until the answer.
            let at_once = self.now_wanted.as_ref() == Some(&image.digest);
            if shift::pauses(case) && target.is_ok() && failed.is_none() && !at_once {
                self.hold(self.after_way_back(&tag, &label));
            } else {
                match gate::pass(self.candidate(image, &tag)) {
                    Ok(_) => return self.deploy(image, &tag, &motion),
                    Err(blocked @ Blocked::Lacks(_)) => return self.hold(blocked),
                    Err(_) => {}
                }
            }
        }
        if let Some(failed) = failed {
            return self.ask("way-back-failed", failed, offer::about_running(case, "Go back from it", "rollback"));
        }
        match target {
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
                format!("{label} cannot be replaced: {why}; push a newer image, or deploy one by hand"),
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
}
