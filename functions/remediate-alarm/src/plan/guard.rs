//! Whether a remedy may be started. Whatever blocks it, the answer is a reason and never another action.

use jiff::Timestamp;
use rules::database::State as DatabaseState;
use rules::remedy::Remedy;

use super::blocked::Blocked;
use super::case::AlarmCase;
use super::limits::Started;
use super::remedies::{is_asleep, restart};
use super::step::RemedyAction;
use super::target::{self, Target};

impl AlarmCase<'_> {
    /// What `remedy` comes to, and the ARN of what it is done to.
    pub fn check(
        &self,
        fired: Timestamp,
        remedy: Remedy,
        started: &Started,
    ) -> Result<(String, RemedyAction), Blocked> {
        if !remedy.acts() {
            return Ok((self.alarm.arn.clone(), RemedyAction::Notify));
        }
        let target =
            target::find(self.alarm, self.contributor, &self.rule, remedy, self.world).map_err(Blocked::Problem)?;
        opted_in(&target, remedy)?;
        self.in_time(fired)?;
        if remedy != Remedy::Wake && is_asleep(&target) {
            return Err(Blocked::refused("asleep", format!("{} is asleep", target.name())));
        }
        at_rest(&target, remedy)?;
        if started.targets.contains(target.arn()) {
            let reason = format!("another alarm has just started a remedy on {}", target.name());
            return Err(Blocked::NotNow { kind: "busy", reason, told: true });
        }
        self.within_limits(fired, started)?;
        let action = match (remedy, target) {
            (Remedy::Restart, Target::Service(it)) => restart(it)?,
            (Remedy::ScaleOut, Target::Service(it)) => self.scale_out(it)?,
            (Remedy::Rollback, Target::Service(it)) => self.rollback(it)?,
            (Remedy::Reboot, Target::Database(it)) => self.reboot(it)?,
            (Remedy::Wake, target) => self.wake(&target)?,
            (_, target) => {
                return Err(Blocked::problem("no-target", format!("{remedy} is not for {}", target.name())));
            }
        };
        Ok((target.arn().into(), action))
    }
}

fn opted_in(target: &Target<'_>, remedy: Remedy) -> Result<(), Blocked> {
    let accepted = target.opted_in_by(remedy);
    if accepted.iter().any(|it| target.tags().contains_key(*it)) {
        return Ok(());
    }
    let (tags, name) = (accepted.join(" or "), target.name());
    let message = format!("{remedy} is not allowed: {name} has no tag {tags}; add it there, or change this tag");
    Err(Blocked::problem("not-opted-in", message))
}

/// Leaves alone what someone else is changing.
fn at_rest(target: &Target<'_>, remedy: Remedy) -> Result<(), Blocked> {
    let name = target.name();
    let not_now = |kind, reason| Err(Blocked::NotNow { kind, reason, told: true });
    match target {
        Target::Service(it) if it.status != "ACTIVE" => {
            Err(Blocked::problem("not-active", format!("{name} is {}, and nothing can be done to it", it.status)))
        }
        Target::Service(it) if it.deploying && !may_start_while_deploying(remedy, it.controller.is_some()) => {
            not_now("deploying", format!("{name} is being deployed"))
        }
        Target::Database(it) => match DatabaseState::of(&it.status) {
            DatabaseState::Serving | DatabaseState::Stopped => Ok(()),
            DatabaseState::Passing => not_now("busy", format!("{name} is {}", it.status)),
            DatabaseState::Broken => Err(Blocked::refused("broken", format!("{name} is {}", it.status))),
        },
        _ => Ok(()),
    }
}

/// A rollback is about the deployment. ECS starts more tasks of either revision in the middle of its own deployment,
/// but says nothing of those of CodeDeploy or of an external controller.
fn may_start_while_deploying(remedy: Remedy, by_others: bool) -> bool {
    match remedy {
        Remedy::Rollback => true,
        Remedy::ScaleOut => !by_others,
        _ => false,
    }
}
