//! What is done about one thing that can be in ALARM.

use jiff::Timestamp;
use reconcile::{Hint, Plan, Trouble, when};
use rules::keys;
use rules::remedied::{Remedied, Taken};
use rules::remedy::Remedy;

use super::blocked::Blocked;
use super::case::{AlarmCase, MOST_TAGS};
use super::limits::Started;
use super::next_remedy::NextRemedy;
use super::scope::Command;
use super::step::{ChangeKind, MemoryChange, StartRemedy, Step};
use super::world::{State, Wanted};

/// Whether CloudWatch keeps the alarm's own actions back.
enum Muted {
    No,
    By(String),
    /// It cannot be read, for this reason.
    Unknown(String),
}

impl AlarmCase<'_> {
    pub fn decide(&self, started: &mut Started, plan: &mut Plan<Step>) {
        let arn = &self.alarm.arn;
        if self.options.command == Some(Command::Clear) {
            return self.clear(plan);
        }
        if let Some(why) = self.alarm.silenced {
            return plan.skip(arn, why);
        }
        let fired = match (self.state, self.since) {
            (State::Unknown, _) => return plan.skip(arn, "it has too little data to tell"),
            (State::Ok, since) => return self.is_well(since, plan),
            (State::Alarm, None) => {
                let message = "CloudWatch does not say since when it is in ALARM, so nothing is done";
                return plan.problem(arn, "no-moment", message);
            }
            (State::Alarm, Some(fired)) => fired,
        };
        let next = self.next_remedy(fired);
        if let NextRemedy::Nothing(reason) = next {
            return plan.skip(arn, reason);
        }
        // A mute ends: CloudWatch runs the actions of what is still in ALARM then, and so does the next sweep.
        match self.muted() {
            Muted::By(rule) => {
                return plan.skip(arn, format!("{rule} of CloudWatch is in force, so nothing is done now"));
            }
            Muted::Unknown(why) => {
                return plan.trouble(arn, Trouble::unreadable("unreadable", "whether it is muted", why));
            }
            Muted::No => {}
        }
        match next {
            NextRemedy::Nothing(reason) => plan.skip(arn, reason),
            NextRemedy::AtTheEnd(message) => plan.problem(arn, "still-in-alarm", self.with_advice(message)),
            NextRemedy::Due { rung, remedy, why } => self.answer(fired, rung, remedy, &why, started, plan),
        }
    }

    fn muted(&self) -> Muted {
        let name = &self.alarm.name;
        // An event says whether its alarm was muted when it was sent.
        let event = self.options.scope.event(name).map(|it| it.muted);
        match (self.world.mute_rules.get(name), self.world.unreadable.get(&Wanted::MuteRules(name.clone())), event) {
            (Some(rules), ..) => match rules.first() {
                Some(rule) => Muted::By(format!("the mute rule {rule}")),
                None => Muted::No,
            },
            (None, _, Some(true)) => Muted::By("a mute rule".into()),
            (None, Some(why), None) => Muted::Unknown(why.clone()),
            (None, ..) => Muted::No,
        }
    }

    /// Starts `remedy`, or says why not.
    fn answer(
        &self,
        fired: Timestamp,
        rung: u32,
        remedy: Remedy,
        why: &str,
        started: &mut Started,
        plan: &mut Plan<Step>,
    ) {
        let arn = &self.alarm.arn;
        if !self.can_remember() {
            let message = format!(
                "{remedy} is not started: the alarm has {MOST_TAGS} tags. AWS allows no more, so Nightshift could not remember it: remove one"
            );
            return plan.problem(arn, "no-room", message);
        }
        let (on, action) = match self.check(fired, remedy, started) {
            Ok(found) => found,
            Err(blocked) => return self.is_blocked(fired, remedy, blocked, plan),
        };
        if remedy.acts() {
            started.targets.insert(on.clone());
            started.alarms.insert(arn.clone());
            started.remedies += 1;
        }
        let last = Some(Taken::after(self.memory.as_ref(), remedy, rung, self.now));
        let step = StartRemedy {
            alarm: self.label.clone(),
            alarm_arn: arn.clone(),
            key: self.key.clone(),
            before: self.alarm.tags.get(&self.key).cloned(),
            memory: Remedied { fired, left: false, since: self.since(fired), last },
            story: if remedy.acts() { Some(on.clone()) } else { self.story() },
            action,
        };
        plan.hint(&on, Hint::Related(arn.clone()));
        self.alarm.runbook().into_iter().for_each(|it| plan.hint(&on, Hint::Runbook(it)));
        let said = if self.reason.is_empty() { String::new() } else { format!(" ({})", self.reason) };
        let position = format!("step {rung} of {} of its tag", self.rule.ladder.len());
        let look = self.alarm.advice().unwrap_or_else(|| look_first(remedy).into());
        plan.act(&on, Step::Start(step), format_args!("{why}{said}; {remedy} is {position}. {look}"));
    }

    fn is_blocked(&self, fired: Timestamp, remedy: Remedy, blocked: Blocked, plan: &mut Plan<Step>) {
        let (arn, moment) = (&self.alarm.arn, when(fired, self.now));
        match blocked {
            Blocked::Problem(trouble) => plan.trouble(arn, trouble),
            Blocked::NotNow { kind, reason, told } => {
                let until = when(self.answered_by(fired), self.now);
                let message = format!(
                    "{remedy} waits: {reason}; it fired at {moment}. Each sweep tries again until {until}; after that it needs you"
                );
                match told {
                    true => plan.problem(arn, kind, self.with_advice(message)),
                    false => plan.skip(arn, message),
                }
            }
            Blocked::Refused { kind, reason } => {
                let message = format!("{remedy} is refused: {reason}; it fired at {moment}, and needs you");
                plan.problem(arn, kind, self.with_advice(message));
                let last = self.memory.as_ref().and_then(|it| it.last.clone());
                let memory = Remedied { fired, left: true, since: self.since(fired), last };
                let change = self.change(Some(memory), ChangeKind::HandedOver);
                plan.act(arn, change, format_args!("{remedy} is refused: {reason}"));
            }
        }
    }

    /// Tells once that all is well again.
    fn is_well(&self, since: Option<Timestamp>, plan: &mut Plan<Step>) {
        let arn = &self.alarm.arn;
        let Some(memory) = &self.memory else { return plan.skip(arn, "it is OK") };
        let Some(began) = memory.since else {
            // Contributors come and go, and tags are few.
            if self.key != keys::REMEDIED && self.is_without_effect(memory) {
                return plan.act(arn, self.change(None, ChangeKind::Expired), "it has no effect any more");
            }
            return plan.skip(arn, "it is OK");
        };
        let ended = since.unwrap_or(self.now.timestamp());
        let after = match &memory.last {
            Some(it) if it.at >= began => format!("after {} at {}", it.remedy, when(it.at, self.now)),
            _ => "without a remedy".into(),
        };
        let closed = Remedied { since: None, ..memory.clone() };
        let change = self.change(Some(closed), ChangeKind::Recovered(ended.duration_since(began)));
        plan.act(arn, change, format_args!("OK since {}, {after}", when(ended, self.now)));
    }

    /// Whether neither a limit nor the ladder depends on it.
    fn is_without_effect(&self, memory: &Remedied) -> bool {
        let now = self.now.timestamp();
        let over = memory.last.as_ref().is_none_or(|it| now >= self.ladder_ends(it));
        over && memory.today(self.now) == 0 && memory.within_the_hour(now) == 0
    }

    fn clear(&self, plan: &mut Plan<Step>) {
        let remembers = |key: &&String| *key == keys::REMEDIED || key.starts_with(keys::REMEDIED_OF);
        let all: Vec<&String> = self.alarm.tags.keys().filter(remembers).collect();
        for key in &all {
            let before = self.alarm.tags.get(*key).cloned();
            let (alarm, arn, key) = (self.alarm.name.clone(), self.alarm.arn.clone(), key.to_string());
            let kind = ChangeKind::Cleared;
            let change = MemoryChange { alarm, arn, key, before, memory: None, story: None, kind };
            plan.act(&self.alarm.arn, Step::Remember(change), "a person asked for it");
        }
        if all.is_empty() {
            plan.skip(&self.alarm.arn, "it remembers nothing");
        }
    }

    fn change(&self, memory: Option<Remedied>, kind: ChangeKind) -> Step {
        Step::Remember(MemoryChange {
            alarm: self.label.clone(),
            arn: self.alarm.arn.clone(),
            key: self.key.clone(),
            before: self.alarm.tags.get(&self.key).cloned(),
            memory,
            story: self.story(),
            kind,
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
