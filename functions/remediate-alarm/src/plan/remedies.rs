//! What each remedy comes to on its target, and what only this one remedy is refused for.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use reconcile::when;
use rules::deploy::DeployRule;
use rules::intent::{AwakeUntil, Boost, Moment};
use rules::memory::RollbackIntent;
use rules::remedied::by_alarm;
use rules::remedy::in_minutes;
use rules::sleep::Boosted;
use rules::{Digest, keys};

use super::blocked::Blocked;
use super::case::AlarmCase;
use super::step::RemedyAction;
use super::target::Target;
use super::world::{Database, RolloutEnd, Service, TaskSet, Wanted};

/// A boost ends by itself after this time.
const BOOST_LASTS: SignedDuration = SignedDuration::from_hours(1);

/// What was woken sleeps again after this time, unless it is awake by its schedule then.
const WAKE_LASTS: SignedDuration = SignedDuration::from_hours(2);

pub fn restart(service: &Service) -> Result<RemedyAction, Blocked> {
    match &service.controller {
        None => Ok(RemedyAction::Restart(service.name.clone())),
        Some(other) => Err(Blocked::problem(
            "controller",
            format!("{} is deployed by {other}; ECS cannot force a new deployment of it. Use notify", service.name),
        )),
    }
}

pub fn is_asleep(target: &Target<'_>) -> bool {
    let stopped = match target {
        Target::Service(it) => it.desired == 0,
        Target::Database(it) => matches!(it.status.as_str(), "stopped" | "stopping" | "starting"),
    };
    stopped || target.tags().contains_key(keys::ASLEEP)
}

impl AlarmCase<'_> {
    pub fn scale_out(&self, service: &Service) -> Result<RemedyAction, Blocked> {
        let (step, max) = (self.rule.step, self.rule.max);
        let now = self.now.timestamp();
        let boost = |key| -> Result<Option<Boost>, Blocked> {
            let Some(value) = service.tags.get(key) else { return Ok(None) };
            let boost = Boost::read(key, value).map_err(Blocked::bad_tag)?;
            Ok(Some(boost).filter(|it| it.until.instant(self.now.time_zone()) > now))
        };
        if boost(keys::BOOST)?.is_some() {
            let reason = format!("{} has a boost of a person, which outranks an alarm", service.name);
            return Err(Blocked::refused("boosted", reason));
        }
        // Two alarms that go off together: what the first one requested may not have been granted yet.
        let requested = boost(keys::BOOST_MEMORY)?.map_or(0, |it| it.step);
        let (alone, granted) = without_boost(service)?;
        let room = max.saturating_sub(alone.saturating_add(requested));
        if room == 0 {
            let more = match requested.saturating_sub(granted) {
                0 => String::new(),
                more => format!(" and {more} more requested already"),
            };
            let reason = format!("{} has {} tasks{more}, and max={max}", service.name, service.desired);
            return Err(Blocked::refused("at-max", reason));
        }
        let until = Moment::Exact(in_seconds(now + BOOST_LASTS));
        Ok(RemedyAction::ScaleOut {
            arn: service.arn.clone(),
            service: service.name.clone(),
            desired: service.desired,
            // `step` comes on top of what was requested before.
            boost: Boost { step: requested + step.min(room), until, by: Some(by_alarm(&self.alarm.name)) },
            before: service.tags.get(keys::BOOST_MEMORY).cloned(),
        })
    }

    pub fn rollback(&self, service: &Service) -> Result<RemedyAction, Blocked> {
        if let Some(why) = self.world.unreadable.get(&Wanted::History(service.arn.clone())) {
            return Err(Blocked::problem(
                "unreadable",
                format!("what was deployed to {} cannot be read: {why}", service.name),
            ));
        }
        if let Some(request) = service.tags.get(keys::ROLLBACK) {
            let reason = format!("a rollback of {} is requested already: {request}", service.name);
            return Err(Blocked::refused("already-requested", reason));
        }
        self.went_live_lately(service)?;
        let request =
            RollbackIntent { digest: self.digest(service)?, by: by_alarm(&self.alarm.name), at: self.now.timestamp() };
        let revision = service.task_definition.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(RemedyAction::Rollback { arn: service.arn.clone(), service: service.name.clone(), revision, request })
    }

    /// Whether what is deployed is as new as the rule wants it. A deployment that has not ended yet always is: its tasks
    /// take traffic however long it shifts, bakes or waits.
    fn went_live_lately(&self, service: &Service) -> Result<(), Blocked> {
        let (name, within) = (&service.name, in_minutes(self.rule.within));
        let live = if service.task_sets.is_empty() {
            self.live_since(service)?
        } else {
            match newest(&service.task_sets) {
                _ if service.task_sets.len() > 1 => None,
                only => only.and_then(|it| it.made),
            }
        };
        match live {
            Some(at) if self.now.timestamp().duration_since(at) > self.rule.within => {
                let at = when(at, self.now);
                let reason = format!("what {name} runs is live since {at}, and within={within}");
                Err(Blocked::refused("not-deployed-lately", reason))
            }
            _ => Ok(()),
        }
    }

    /// Since when the revision in use is live; `None` as long as its first deployment is under way.
    ///
    /// A restart deploys the same revision again, and a rollback one that was live before: both have an older success.
    fn live_since(&self, service: &Service) -> Result<Option<Timestamp>, Blocked> {
        let history = self.world.history.get(&service.arn).map_or(&[][..], Vec::as_slice);
        let name = &service.name;
        if history.first().is_some_and(|it| it.end == RolloutEnd::GoingBack) {
            let reason = format!("ECS is rolling the last deployment of {name} back already");
            return Err(Blocked::refused("going-back", reason));
        }
        let of_this = || history.iter().filter(|it| it.task_definition == service.task_definition);
        let live = of_this().filter(|it| it.end == RolloutEnd::Successful).filter_map(|it| it.at).min();
        if live.is_none() && !of_this().any(|it| it.end == RolloutEnd::Open) {
            let reason = format!("ECS knows no deployment that deployed what {name} runs");
            return Err(Blocked::refused("no-deployment", reason));
        }
        Ok(live)
    }

    /// The image that runs, so that a newer one that is deployed meanwhile is not rolled back in its stead.
    fn digest(&self, service: &Service) -> Result<Option<Digest>, Blocked> {
        // CodeDeploy deploys another one right now: the rollback is about whichever that is.
        if service.task_sets.len() > 1 {
            return Ok(None);
        }
        let rule = service.tags.get(keys::DEPLOY).map(|it| it.parse::<DeployRule>());
        let rule = rule.transpose().map_err(Blocked::bad_tag)?;
        let named = rule.and_then(|it| it.container);
        let images = self.world.images.get(&service.task_definition).map_or(&[][..], Vec::as_slice);
        let mut meant = images.iter().filter(|(name, _)| named.as_ref().is_none_or(|it| it == name));
        let digests: BTreeSet<Digest> =
            meant.by_ref().filter_map(|(_, image)| image.split_once('@')?.1.parse().ok()).collect();
        // Of several pinned containers there is no telling which one `deploy-image` is about: then whatever runs is meant.
        Ok(if digests.len() == 1 { digests.into_iter().next() } else { None })
    }

    pub fn reboot(&self, database: &Database) -> Result<RemedyAction, Blocked> {
        let id = &database.id;
        if database.is_cluster || database.member_of.is_some() {
            let what = "a cluster looks after its instances by itself";
            let message = format!("{id} is a DB cluster or a member of one, which is not rebooted: {what}; use notify");
            return Err(Blocked::problem("cluster", message));
        }
        if self.rule.failover && !database.multi_az {
            let message = format!("failover=true, but {id} has no standby: make it Multi-AZ, or remove the option");
            return Err(Blocked::problem("no-standby", message));
        }
        Ok(RemedyAction::Reboot { id: id.clone(), failover: self.rule.failover })
    }

    pub fn wake(&self, target: &Target<'_>) -> Result<RemedyAction, Blocked> {
        let (name, tags) = (target.name(), target.tags());
        if !is_asleep(target) {
            return Err(Blocked::refused("awake", format!("{name} is awake already")));
        }
        if !tags.contains_key(keys::ASLEEP) {
            let reason = format!("{name} was stopped by hand, and only a person starts it");
            return Err(Blocked::refused("not-put-to-sleep", reason));
        }
        if let Some(hold) = tags.get(keys::HOLD).or(tags.get(keys::HOLD_MEMORY)) {
            return Err(Blocked::refused("held", format!("{name} is held asleep: {hold}")));
        }
        let until = AwakeUntil(Moment::Exact(in_seconds(self.now.timestamp() + WAKE_LASTS)));
        let before = tags.get(keys::AWAKE_UNTIL_MEMORY).cloned();
        Ok(RemedyAction::Wake { arn: target.arn().into(), name, until, before })
    }
}

/// The task set that was made last, which is the one that CodeDeploy deploys.
fn newest(task_sets: &[TaskSet]) -> Option<&TaskSet> {
    task_sets.iter().max_by_key(|it| it.made)
}

/// How many tasks the service would have without the boost that was granted to it, and how many that one is.
fn without_boost(service: &Service) -> Result<(u32, u32), Blocked> {
    let boosted = service.tags.get(keys::BOOSTED).map(|it| it.parse::<Boosted>()).transpose();
    let boosted = boosted.map_err(Blocked::bad_tag)?;
    let granted = boosted.as_ref().map_or(0, |it| (it.to - it.from).max(0));
    // What is granted is remembered first: the tasks themselves may be on their way, or the scaling has changed them since.
    let least = boosted.map_or(0, |it| it.from);
    let count = |it: i32| u32::try_from(it).unwrap_or_default();
    Ok((count((service.desired - granted).max(least)), count(granted)))
}

/// A moment that reads well in a tag.
fn in_seconds(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}
