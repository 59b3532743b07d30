//! What stands in the way of a remedy. Whatever does, the answer is a reason and never an action.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use rules::deploy::DeployRule;
use rules::memory::RollbackWish;
use rules::remedied::by_alarm;
use rules::remedy::{Remedy, in_minutes};
use rules::sleep::Boosted;
use rules::wish::{AwakeUntil, Boost, Moment};
use rules::{BadTag, Digest, keys};

use super::step::{Deed, local};
use super::target::{self, Target};
use super::world::{Database, RolloutEnd, Service};
use super::{Alarm, Begun, Case, State};

/// A firing that nobody answered for so long is not answered out of the blue.
const TOO_OLD: SignedDuration = SignedDuration::from_hours(1);

/// A boost ends by itself after this time.
const BOOST_LASTS: SignedDuration = SignedDuration::from_hours(1);

/// What was woken sleeps again after this time, unless it is awake by its schedule then.
const WAKE_LASTS: SignedDuration = SignedDuration::from_hours(2);

/// Why a remedy is not begun: its kind, and what is told.
#[derive(Debug)]
pub enum Obstacle {
    /// Something is to be mended; once it is, the alarm is answered.
    Problem(&'static str, String),
    /// The answer to this firing is no; it is a person's.
    Refusal(&'static str, String),
}

use Obstacle::{Problem, Refusal};

impl Case<'_> {
    /// What `remedy` comes to, and the ARN of what it is done to.
    pub fn check(&self, fired: Timestamp, remedy: Remedy, begun: &Begun) -> Result<(String, Deed), Obstacle> {
        if !remedy.acts() {
            return Ok((self.alarm.arn.clone(), Deed::Notify));
        }
        let target = target::find(self.alarm, &self.rule, remedy, self.world)
            .map_err(|(kind, message)| Problem(kind, message))?;
        self.opted_in(&target, remedy)?;
        self.in_time(fired)?;
        if remedy != Remedy::Wake {
            awake(&target)?;
        }
        if remedy != Remedy::Rollback {
            at_rest(&target)?;
        }
        if begun.targets.contains(target.arn()) {
            return Err(Refusal("busy", format!("another alarm has just begun a remedy on {}", target.name())));
        }
        self.within_limits(fired, begun)?;
        let deed = match (remedy, target) {
            (Remedy::Restart, Target::Service(it)) => restart(it)?,
            (Remedy::ScaleOut, Target::Service(it)) => self.scale_out(it)?,
            (Remedy::Rollback, Target::Service(it)) => self.rollback(it)?,
            (Remedy::Reboot, Target::Database(it)) => self.reboot(it)?,
            (Remedy::Wake, target) => self.wake(&target)?,
            (_, target) => return Err(Problem("no-target", format!("{remedy} is not for {}", target.name()))),
        };
        Ok((target.arn().into(), deed))
    }

    fn opted_in(&self, target: &Target<'_>, remedy: Remedy) -> Result<(), Obstacle> {
        let accepted = target.opted_in_by(remedy);
        if accepted.iter().any(|it| target.tags().contains_key(*it)) {
            return Ok(());
        }
        let tags = accepted.join(" or ");
        let name = target.name();
        Err(Problem(
            "not-opted-in",
            format!("{remedy} is for {name}, which has no tag {tags}: add it there, or change this tag"),
        ))
    }

    fn in_time(&self, fired: Timestamp) -> Result<(), Obstacle> {
        let age = self.now.timestamp().duration_since(fired);
        if !self.is_answered(fired) && age > TOO_OLD {
            return Err(Refusal("too-old", "nobody answered it within an hour, so it may long be a person's".into()));
        }
        Ok(())
    }

    fn within_limits(&self, fired: Timestamp, begun: &Begun) -> Result<(), Obstacle> {
        let last = self.memory.as_ref().and_then(|it| it.last.as_ref());
        if let Some(last) = last.filter(|it| self.cooling(it)) {
            let (cooldown, at) = (in_minutes(self.rule.cooldown), local(last.at, self.now));
            return Err(Refusal("cooldown", format!("{} was begun at {at}, and cooldown={cooldown}", last.remedy)));
        }
        let limit = self.rule.limit;
        if self.memory.as_ref().is_some_and(|it| it.today(self.now) >= limit) {
            return Err(Refusal("daily-limit", format!("limit={limit} is reached on {}", self.now.date())));
        }
        let most = self.asked.max_remedies;
        if self.of_the_hour(fired, begun) >= most {
            let what = "so much at once is no matter for single remedies";
            return Err(Refusal(
                "too-many",
                format!("the account has had NIGHTSHIFT_MAX_REMEDIES={most} within an hour, and {what}"),
            ));
        }
        Ok(())
    }

    /// How many remedies of this hour come before the one that answers this firing.
    ///
    /// The tag index lags behind, and in a storm many runs see the same: so an alarm that has fired before this one and
    /// whose answer is not known yet counts as well, and the runs agree on who comes first.
    fn of_the_hour(&self, fired: Timestamp, begun: &Begun) -> u32 {
        let now = self.now.timestamp();
        let own = self.memory.as_ref().map_or(0, |it| it.within_the_hour(now));
        let others = self.world.alarms.iter().chain(&self.world.others).filter(|it| it.arn != self.alarm.arn);
        others.map(|it| spent(it, (fired, &self.alarm.arn), begun, now)).sum::<u32>() + own
    }

    fn scale_out(&self, service: &Service) -> Result<Deed, Obstacle> {
        let (step, max) = (self.rule.step, self.rule.max);
        let now = self.now.timestamp();
        let boost = |key| -> Result<Option<Boost>, Obstacle> {
            let Some(value) = service.tags.get(key) else { return Ok(None) };
            let boost = Boost::read(key, value).map_err(bad_tag)?;
            Ok(Some(boost).filter(|it| it.until.instant(self.now.time_zone()) > now))
        };
        if boost(keys::BOOST)?.is_some() {
            return Err(Refusal("boosted", format!("{} has a boost of a person, which goes first", service.name)));
        }
        // Two alarms that go off together: what the first one wished may not have been granted yet.
        let wished = boost(keys::BOOST_MEMORY)?.map_or(0, |it| it.step);
        let (alone, granted) = without_boost(service)?;
        let room = max.saturating_sub(alone.saturating_add(wished));
        if room == 0 {
            let more = match wished.saturating_sub(granted) {
                0 => String::new(),
                more => format!(" and {more} more wished already"),
            };
            return Err(Refusal(
                "at-max",
                format!("{} has {} tasks{more}, and max={max}", service.name, service.desired),
            ));
        }
        let until = Moment::Exact(in_seconds(now + BOOST_LASTS));
        Ok(Deed::ScaleOut {
            arn: service.arn.clone(),
            service: service.name.clone(),
            desired: service.desired,
            // `step` comes on top of what was wished before.
            boost: Boost { step: wished + step.min(room), until, by: Some(by_alarm(&self.alarm.name)) },
            before: service.tags.get(keys::BOOST_MEMORY).cloned(),
        })
    }

    fn rollback(&self, service: &Service) -> Result<Deed, Obstacle> {
        let unreadable = self.world.unreadable.get(&super::Wanted::History(service.arn.clone()));
        if let Some(why) = unreadable {
            return Err(Problem("unreadable", why.clone()));
        }
        if let Some(wish) = service.tags.get(keys::ROLLBACK) {
            return Err(Refusal("wished-already", format!("{} waits for a rollback already: {wish}", service.name)));
        }
        self.went_live_lately(service)?;
        let wish =
            RollbackWish { digest: self.digest(service)?, by: by_alarm(&self.alarm.name), at: self.now.timestamp() };
        let revision = service.task_definition.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Deed::Rollback { arn: service.arn.clone(), service: service.name.clone(), revision, wish })
    }

    /// Whether the revision in use is as new as the rule wants it.
    ///
    /// A restart deploys the same revision again, and a rollback one that was live before: both have an older success.
    fn went_live_lately(&self, service: &Service) -> Result<(), Obstacle> {
        let history = self.world.history.get(&service.arn).map_or(&[][..], Vec::as_slice);
        let (name, within) = (&service.name, in_minutes(self.rule.within));
        if history.first().is_some_and(|it| it.end == RolloutEnd::GoingBack) {
            return Err(Refusal("going-back", format!("ECS is taking the last deployment of {name} back already")));
        }
        let of_this = || history.iter().filter(|it| it.task_definition == service.task_definition);
        let live = of_this().filter(|it| it.end == RolloutEnd::Successful).filter_map(|it| it.at).min();
        let begun = || of_this().filter(|it| it.end == RolloutEnd::Open).filter_map(|it| it.at).min();
        match live.or_else(begun) {
            None => Err(Refusal("no-deployment", format!("ECS knows no deployment that brought what {name} runs"))),
            Some(at) if self.now.timestamp().duration_since(at) > self.rule.within => {
                let at = local(at, self.now);
                Err(Refusal("not-deployed-lately", format!("what {name} runs is live since {at}, and within={within}")))
            }
            Some(_) => Ok(()),
        }
    }

    /// The image that runs, so that a newer one that comes meanwhile is not taken back in its place.
    fn digest(&self, service: &Service) -> Result<Option<Digest>, Obstacle> {
        let rule = service.tags.get(keys::DEPLOY).map(|it| it.parse::<DeployRule>());
        let rule = rule.transpose().map_err(bad_tag)?;
        let named = rule.and_then(|it| it.container);
        let images = self.world.images.get(&service.task_definition).map_or(&[][..], Vec::as_slice);
        let mut meant = images.iter().filter(|(name, _)| named.as_ref().is_none_or(|it| it == name));
        let digests: BTreeSet<Digest> =
            meant.by_ref().filter_map(|(_, image)| image.split_once('@')?.1.parse().ok()).collect();
        // Of several pinned containers there is no telling which one `deploy-image` is about: then whatever runs is meant.
        Ok(if digests.len() == 1 { digests.into_iter().next() } else { None })
    }

    fn reboot(&self, database: &Database) -> Result<Deed, Obstacle> {
        let id = &database.id;
        if database.is_cluster || database.member_of.is_some() {
            let what = "a cluster looks after its instances by itself";
            return Err(Problem(
                "cluster",
                format!("{id} is a DB cluster or a member of one, which is not rebooted: {what}; use notify"),
            ));
        }
        if self.rule.failover && !database.multi_az {
            return Err(Problem(
                "no-standby",
                format!("failover=true, but {id} has no standby: make it Multi-AZ, or remove the option"),
            ));
        }
        Ok(Deed::Reboot { id: id.clone(), failover: self.rule.failover })
    }

    fn wake(&self, target: &Target<'_>) -> Result<Deed, Obstacle> {
        let (name, tags) = (target.name(), target.tags());
        if !is_asleep(target) {
            return Err(Refusal("awake", format!("{name} is awake already")));
        }
        if !tags.contains_key(keys::ASLEEP) {
            return Err(Refusal(
                "not-put-to-sleep",
                format!("{name} was stopped by hand, and only a person starts it"),
            ));
        }
        if let Some(hold) = tags.get(keys::HOLD).or(tags.get(keys::HOLD_MEMORY)) {
            return Err(Refusal("held", format!("{name} is held asleep: {hold}")));
        }
        let until = AwakeUntil(Moment::Exact(in_seconds(self.now.timestamp() + WAKE_LASTS)));
        Ok(Deed::Wake { arn: target.arn().into(), name, until })
    }
}

/// What an alarm takes of the account's limit before another one that fired at `before`.
fn spent(alarm: &Alarm, before: (Timestamp, &String), begun: &Begun, now: Timestamp) -> u32 {
    let memory = alarm.tags.get(keys::REMEDIED).map(|it| it.parse::<rules::remedied::Remedied>());
    // What cannot be read may have been anything.
    let Ok(memory) = memory.transpose() else { return 1 };
    let counted = memory.as_ref().map_or(0, |it| it.within_the_hour(now));
    if begun.alarms.contains(&alarm.arn) {
        return counted + 1;
    }
    let acts = || {
        alarm.tags.get(keys::REMEDY).is_some_and(|it| it.parse().is_ok_and(|it: rules::remedy::RemedyRule| it.acts()))
    };
    let unanswered = |since: Timestamp| memory.as_ref().is_none_or(|it| since > it.fired);
    let waits = alarm.since.is_some_and(|since| {
        alarm.state == State::Alarm
            && (since, &alarm.arn) < before
            && now.duration_since(since) < TOO_OLD
            && unanswered(since)
    });
    counted + u32::from(waits && acts())
}

fn restart(service: &Service) -> Result<Deed, Obstacle> {
    match &service.controller {
        None => Ok(Deed::Restart(service.name.clone())),
        Some(other) => Err(Problem(
            "controller",
            format!(
                "the deployments of {} are the business of {other}, and ECS restarts nothing there: use notify",
                service.name
            ),
        )),
    }
}

/// How many tasks the service would have without the boost that was granted to it, and how many that one is.
fn without_boost(service: &Service) -> Result<(u32, u32), Obstacle> {
    let boosted = service.tags.get(keys::BOOSTED).map(|it| it.parse::<Boosted>()).transpose().map_err(bad_tag)?;
    let granted = boosted.as_ref().map_or(0, |it| (it.to - it.from).max(0));
    // What is granted is remembered first: the tasks themselves may be on their way, or the scaling has changed them since.
    let least = boosted.map_or(0, |it| it.from);
    let count = |it: i32| u32::try_from(it).unwrap_or_default();
    Ok((count((service.desired - granted).max(least)), count(granted)))
}

fn is_asleep(target: &Target<'_>) -> bool {
    let stopped = match target {
        Target::Service(it) => it.desired == 0,
        Target::Database(it) => matches!(it.status.as_str(), "stopped" | "stopping" | "starting"),
    };
    stopped || target.tags().contains_key(keys::ASLEEP)
}

fn awake(target: &Target<'_>) -> Result<(), Obstacle> {
    if is_asleep(target) {
        return Err(Refusal("asleep", format!("{} is asleep", target.name())));
    }
    Ok(())
}

/// Refuses what is being changed by somebody else.
fn at_rest(target: &Target<'_>) -> Result<(), Obstacle> {
    let name = target.name();
    match target {
        Target::Service(it) if it.status != "ACTIVE" => {
            Err(Problem("not-active", format!("{name} is {}, and nothing can be done to it", it.status)))
        }
        Target::Service(it) if it.deploying => Err(Refusal("deploying", format!("{name} is being deployed"))),
        Target::Database(it) if !matches!(it.status.as_str(), "available" | "stopped" | "storage-optimization") => {
            Err(Refusal("busy", format!("{name} is {}", it.status)))
        }
        _ => Ok(()),
    }
}

fn bad_tag(error: BadTag) -> Obstacle {
    Problem("bad-tag", error.to_string())
}

/// A moment that reads well in a tag.
fn in_seconds(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}
