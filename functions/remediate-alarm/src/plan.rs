//! What to do about each alarm. Pure: no clock, no environment, no AWS.
//!
//! A firing, which is the moment at which an alarm went into ALARM, gets one answer: a remedy, or a refusal that hands
//! it to a person. A remedy that did not help is followed by the next one on the ladder.

mod guard;
mod step;
mod target;
mod turn;
mod world;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::{Timestamp, Zoned};
use reconcile::Plan;
use rules::keys;
use rules::remedied::{Remedied, Taken};
use rules::remedy::{Remedy, RemedyRule};

pub use step::{Act, Deed, Note, Step, What};
pub use world::{Alarm, Database, Metric, Rollout, RolloutEnd, Service, ServiceName, State, Wanted, Watches, World};

use step::local;
use turn::Turn;

/// How the run was asked to behave.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// How many remedies there may be within an hour, over all alarms of the account.
    pub max_remedies: u32,
    /// A person wants what the alarms remember to be forgotten.
    pub forget: bool,
}

/// What to do about the alarms of `world`.
pub fn plan(world: &World, asked: Asked, now: &Zoned) -> Plan<Step> {
    let mut plan = Plan::remembering(keys::REMEDY_PROBLEM);
    for (about, reason) in &world.unseen {
        plan.skip(about, reason);
    }
    let mut begun = Begun::default();
    for alarm in in_order(&world.alarms) {
        match Case::read(alarm, world, asked, now) {
            Err(Unfit::NotOurs) => plan.skip(&alarm.arn, format_args!("it has no tag {}", keys::REMEDY)),
            // Whether it opted in, and what it remembers, may not even be known.
            Err(Unfit::Unread(why)) => {
                if alarm.tags.contains_key(keys::REMEDY) {
                    plan.examined(&alarm.arn, &alarm.tags);
                }
                plan.problem(&alarm.arn, "unreadable", why);
            }
            Err(Unfit::Bad(kind, message)) => {
                plan.examined(&alarm.arn, &alarm.tags);
                plan.problem(&alarm.arn, kind, message);
            }
            Ok(case) => {
                plan.examined(&alarm.arn, &alarm.tags);
                case.decide(&mut begun, &mut plan);
            }
        }
    }
    plan
}

/// What has to be read before `plan` can decide about the alarms of `world`.
pub fn wanted(world: &World, now: &Zoned) -> BTreeSet<Wanted> {
    let asked = Asked { max_remedies: 0, forget: false };
    let cases = world.alarms.iter().filter_map(|it| Case::read(it, world, asked, now).ok());
    cases.flat_map(|it| it.wanted()).collect()
}

/// Whether anything is to be decided about `alarm` that depends on more than its state: then its own tags have to be
/// read, since the tag index lags behind.
pub fn is_of_interest(alarm: &Alarm) -> bool {
    let open =
        || alarm.tags.get(keys::REMEDIED).is_some_and(|it| it.parse().map_or(true, |it: Remedied| it.since.is_some()));
    alarm.unreadable.is_none() && (alarm.state == State::Alarm || open())
}

/// Those that fired first come first.
fn in_order(alarms: &[Alarm]) -> Vec<&Alarm> {
    let mut all: Vec<&Alarm> = alarms.iter().collect();
    all.sort_by(|a, b| (a.since, &a.arn).cmp(&(b.since, &b.arn)));
    all
}

/// What this run begins, as far as it is decided: the next alarm is not to come in its way.
#[derive(Debug, Default)]
struct Begun {
    /// The ARNs of what something is done to.
    targets: BTreeSet<String>,
    /// The ARNs of the alarms that it is done for.
    alarms: BTreeSet<String>,
}

/// Why an alarm cannot be decided about.
enum Unfit {
    /// It did not opt in.
    NotOurs,
    /// It or its tags could not be read, for this reason.
    Unread(String),
    /// Its tags cannot be understood: the kind of the problem, and the message.
    Bad(&'static str, String),
}

/// An alarm with its tags read.
struct Case<'a> {
    alarm: &'a Alarm,
    rule: RemedyRule,
    memory: Option<Remedied>,
    world: &'a World,
    asked: Asked,
    now: &'a Zoned,
}

impl<'a> Case<'a> {
    fn read(alarm: &'a Alarm, world: &'a World, asked: Asked, now: &'a Zoned) -> Result<Self, Unfit> {
        if let Some(why) = &alarm.unreadable {
            return Err(Unfit::Unread(why.clone()));
        }
        let tag = alarm.tags.get(keys::REMEDY).ok_or(Unfit::NotOurs)?;
        let rule = tag.parse().map_err(|it: rules::BadTag| Unfit::Bad("bad-tag", it.to_string()))?;
        // Without its memory there is no telling what was done before, so nothing is done.
        let memory = match alarm.tags.get(keys::REMEDIED) {
            Some(_) if asked.forget => None,
            Some(it) => Some(it.parse().map_err(|it: rules::BadTag| {
                Unfit::Bad("bad-memory", format!("{it}; remove that tag, and what was done before is forgotten"))
            })?),
            None => None,
        };
        Ok(Case { alarm, rule, memory, world, asked, now })
    }

    fn wanted(&self) -> BTreeSet<Wanted> {
        let Some(fired) = self.fired() else { return BTreeSet::new() };
        let Turn::Next { remedy, .. } = self.turn(fired) else { return BTreeSet::new() };
        if !remedy.acts() {
            return BTreeSet::new();
        }
        let mut wanted = target::wanted(self.alarm, &self.rule, &self.world.children);
        if remedy == Remedy::Rollback
            && let Ok(found) = target::find(self.alarm, &self.rule, remedy, self.world)
        {
            wanted.insert(Wanted::History(found.arn().into()));
        }
        wanted
    }

    /// When it went into ALARM, if it is in ALARM.
    fn fired(&self) -> Option<Timestamp> {
        self.alarm.since.filter(|_| self.alarm.state == State::Alarm)
    }

    fn decide(&self, begun: &mut Begun, plan: &mut Plan<Step>) {
        let arn = &self.alarm.arn;
        if self.asked.forget {
            return self.forget(plan);
        }
        if let Some(why) = self.alarm.silenced {
            return plan.skip(arn, why);
        }
        match (self.alarm.state, self.alarm.since) {
            (State::Unknown, _) => plan.skip(arn, "it has too little data to tell"),
            (State::Ok, since) => self.is_well(since, plan),
            (State::Alarm, None) => {
                plan.problem(arn, "no-moment", "CloudWatch does not say since when it is in ALARM, so nothing is done");
            }
            (State::Alarm, Some(fired)) if self.world.muted.contains(&self.alarm.name) && !self.is_answered(fired) => {
                plan.act(arn, self.leave(fired), "a mute rule of CloudWatch was in force when it fired");
            }
            (State::Alarm, Some(fired)) => match self.turn(fired) {
                Turn::Nothing(reason) => plan.skip(arn, reason),
                Turn::AtTheEnd(message) => plan.problem(arn, "still-in-alarm", self.with_advice(message)),
                Turn::Next { rung, remedy, why } => self.answer(fired, rung, remedy, &why, begun, plan),
            },
        }
    }

    /// Begins `remedy`, or says why not.
    fn answer(&self, fired: Timestamp, rung: u32, remedy: Remedy, why: &str, begun: &mut Begun, plan: &mut Plan<Step>) {
        let arn = &self.alarm.arn;
        let (on, deed) = match self.check(fired, remedy, begun) {
            Ok(found) => found,
            Err(guard::Obstacle::Problem(kind, message)) => return plan.problem(arn, kind, message),
            Err(guard::Obstacle::Refusal(kind, reason)) => {
                let moment = local(fired, self.now);
                let message = format!("it fired at {moment}, and {remedy} is refused: {reason}");
                plan.problem(arn, kind, self.with_advice(message));
                return plan.act(arn, self.leave(fired), format_args!("{remedy} is refused: {reason}"));
            }
        };
        if remedy.acts() {
            begun.targets.insert(on.clone());
            begun.alarms.insert(arn.clone());
        }
        let last = Some(Taken::after(self.memory.as_ref(), remedy, rung, self.now));
        let act = Act {
            alarm: self.alarm.name.clone(),
            alarm_arn: arn.clone(),
            before: self.alarm.tags.get(keys::REMEDIED).cloned(),
            memory: Remedied { fired, left: false, since: self.since(fired), last },
            remedy: deed,
        };
        let said = if self.alarm.reason.is_empty() { String::new() } else { format!(" ({})", self.alarm.reason) };
        let place = format!("step {rung} of {} of its tag", self.rule.ladder.len());
        let look = self.alarm.advice().unwrap_or_else(|| look_first(remedy).into());
        plan.act(&on, Step::Act(act), format_args!("{why}{said}; {remedy} is {place}. {look}"));
    }

    /// The message with what the alarm itself says: whoever made it knows best where to look.
    fn with_advice(&self, message: String) -> String {
        match self.alarm.advice() {
            Some(advice) => format!("{message}. {advice}"),
            None => message,
        }
    }

    /// Tells once that all is well again.
    fn is_well(&self, since: Option<Timestamp>, plan: &mut Plan<Step>) {
        let arn = &self.alarm.arn;
        let Some((memory, began)) = self.memory.as_ref().and_then(|it| Some((it, it.since?))) else {
            return plan.skip(arn, "it is OK");
        };
        let ended = since.unwrap_or(self.now.timestamp());
        let after = match &memory.last {
            Some(it) if it.at >= began => format!("after {} at {}", it.remedy, local(it.at, self.now)),
            _ => "without a remedy".into(),
        };
        let closed = Remedied { since: None, ..memory.clone() };
        let note = self.note(Some(closed), What::Recovered(ended.duration_since(began)));
        plan.act(arn, note, format_args!("OK since {}, {after}", local(ended, self.now)));
    }

    fn forget(&self, plan: &mut Plan<Step>) {
        match self.alarm.tags.contains_key(keys::REMEDIED) {
            false => plan.skip(&self.alarm.arn, "it remembers nothing"),
            true => plan.act(&self.alarm.arn, self.note(None, What::Forgotten), "a person asked for it"),
        }
    }

    /// This firing is a person's.
    fn leave(&self, fired: Timestamp) -> Step {
        let last = self.memory.as_ref().and_then(|it| it.last.clone());
        self.note(Some(Remedied { fired, left: true, since: self.since(fired), last }), What::Left)
    }

    fn note(&self, memory: Option<Remedied>, what: What) -> Step {
        Step::Note(Note {
            alarm: self.alarm.name.clone(),
            arn: self.alarm.arn.clone(),
            before: self.alarm.tags.get(keys::REMEDIED).cloned(),
            memory,
            what,
        })
    }

    /// Since when people wait to hear that all is well.
    fn since(&self, fired: Timestamp) -> Option<Timestamp> {
        self.memory.as_ref().and_then(|it| it.since).or(Some(fired))
    }
}

/// Where a person who is called out looks first, unless the alarm's description says it.
fn look_first(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::ScaleOut => "Look first at the load: requests per target, then CPU and memory of the service",
        Remedy::Restart => "Look first at the events of the service and at why its old tasks stopped",
        Remedy::Rollback => "Look first at what the last deployment changed, and at the log of its tasks",
        Remedy::Reboot => "Look first at the events of the DB instance, then at its connections and free storage",
        Remedy::Wake => "Look first at who uses it at this hour",
        Remedy::Notify => "Look first at the graph of the alarm, then at the runbook of the service",
    }
}
