//! One EC2 instance: when it is stopped and started, and when a person's change stands.
//!
//! EC2 tells when an instance was started last, so that what a person started is told from a run that died.

use jiff::{Timestamp, Zoned};
use reconcile::Trouble;
use rules::keys;
use serde_json::json;

use super::command::Command;
use super::draft::{Decision, Draft};
use super::misplaced::{Kind, misplaced};
use super::needs::{Need, Used, databases_named, still_used};
use super::person::apply_command;
use super::step::{Change, Refusal, Target};
use super::wants::{Source, Verdict, Wants};
use super::world::{Instance, World};

/// An instance with everything read, as it will be after the calls so far.
pub struct InstanceCase<'a> {
    pub instance: &'a Instance,
    /// As it will be after the calls so far.
    pub state: String,
    pub wants: Wants,
    pub verdict: Verdict,
    pub world: &'a World,
    pub now: &'a Zoned,
    pub draft: Draft,
    pub asked: bool,
    pub used: Option<String>,
}

/// What is to be done about an instance whose tags are `wants`, as far as what needs it allows; and what it needs itself.
pub fn decide(
    instance: &Instance,
    mut wants: Wants,
    command: Option<&Command>,
    needs: &[Need],
    world: &World,
    now: &Zoned,
) -> (Decision, Need) {
    let runs = !["stopped", "terminated"].contains(&instance.state.as_str());
    let mut need = Need {
        service: instance.name().unwrap_or(&instance.id).to_owned(),
        databases: databases_named(&instance.tags),
        awake: false,
        used: if runs { Used::ByInstance } else { Used::No },
    };
    if ["shutting-down", "terminated"].contains(&instance.state.as_str()) {
        return (Decision::idle(format!("it is {}", instance.state)), need);
    }
    if let Some(trouble) = misplaced(&wants.schedule, Kind::Instance) {
        return (Decision::trouble(trouble), need);
    }
    // What sleeps already wakes all the same.
    if wants.asleep.is_none()
        && let Some(decision) = unfit(instance, world)
    {
        return (decision, need);
    }
    let target = Target::Instance {
        arn: instance.arn.clone(),
        id: instance.id.clone(),
        name: instance.name().map(str::to_owned),
    };
    let mut draft = Draft::new(target, &instance.tags, view(&instance.state));
    let foreign = wants.leave_out_memory_of_another(Some(&instance.id), None);
    let asked = apply_command(command, &mut wants, &mut draft, now, &world.calendar);
    let needing: Vec<&Need> = needs.iter().filter(|it| it.is_for(&instance.arn, world.backing())).collect();
    let verdict = wants.verdict_where_needed(&needing, now, &world.calendar);
    need.awake = verdict.awake;
    let (state, used) = (instance.state.clone(), still_used(&needing));
    let mut case = InstanceCase { instance, state, wants, verdict, world, now, draft, asked, used };
    if foreign {
        case.draft.forget(&[keys::ASLEEP, keys::REFUSED]);
        case.step(Change::Remember, "forgets what its tags say of another instance, which it was made like");
    }
    match case.verdict.awake {
        true => case.wake(),
        false => case.sleep(),
    }
    let over = case.wants.over(case.at());
    case.draft.forget(&over);
    case.step(Change::Remember, "what is over is forgotten");
    let state = case.draft.idle().map_or_else(|| case.state_in_words(), str::to_owned);
    let idle = case.draft.is_idle().then(|| format!("{state}; {}; {}", case.verdict.why, case.next()));
    (case.draft.finish(idle), need)
}

/// Why an instance cannot sleep, if it cannot.
fn unfit(instance: &Instance, world: &World) -> Option<Decision> {
    let tell = |kind, message: String| Some(Decision::trouble(Trouble::new(kind, message)));
    let remove = format!("remove the tag {}", keys::SCHEDULE);
    if let Some(group) = instance.group() {
        // A group hands its tags on to its instances.
        if !world.backing().arns(&format!("asg:{group}")).is_empty() {
            return Some(Decision::idle(format!(
                "it belongs to the Auto Scaling group {group}, which sleeps as a whole"
            )));
        }
        let message = format!(
            "it belongs to the Auto Scaling group {group}, which would replace a stopped instance: put the tag {} on the \
             group instead",
            keys::SCHEDULE
        );
        return tell("group-member", message);
    }
    if let Some(operator) = &instance.operator {
        return tell(
            "managed-instance",
            format!("it is managed by {operator}, which starts and stops it itself: {remove}"),
        );
    }
    if let Some(lifecycle) = &instance.lifecycle {
        let message =
            format!("it was not bought on demand ({lifecycle}), and such an instance may not come back: {remove}");
        return tell("not-stoppable", message);
    }
    if instance.root_device == "instance-store" {
        let message = format!(
            "its root volume is an instance store, whose data a stop would lose: EC2 does not stop it; {remove}"
        );
        return tell("not-stoppable", message);
    }
    None
}

impl InstanceCase<'_> {
    /// Whether AWS refused this within the last hour, which is told as it was then.
    pub fn was_refused(&mut self, kind: Refusal) -> bool {
        let said = self.wants.refused(self.at()).filter(|_| !self.asked).map(str::to_owned);
        if let Some(said) = &said {
            self.draft.add_trouble(kind.trouble(said));
        }
        said.is_some()
    }

    pub fn ec2_says(&self) -> String {
        let reason = self.instance.state_reason.as_deref().filter(|it| !it.is_empty());
        reason.map_or_else(String::new, |it| format!("; EC2 says: {}", it.trim_end_matches('.')))
    }

    pub fn step(&mut self, change: Change, headline: impl Into<String>) {
        let reason = format!("{}; {}", self.verdict.why, self.next());
        self.draft.step(change, headline.into(), view(&self.state), reason);
    }

    pub fn at(&self) -> Timestamp {
        self.now.timestamp()
    }

    pub fn state_in_words(&self) -> String {
        match &self.wants.asleep {
            Some(asleep) if self.state == "stopped" => {
                format!("it is stopped since {}", self.wants.local(asleep.since, self.now))
            }
            None if self.state == "stopped" => "it was stopped by hand".into(),
            _ => format!("it is {}", self.state),
        }
    }

    fn next(&self) -> String {
        match self.verdict.source {
            Source::Needed => "sleeps when that does".into(),
            _ => self.wants.next(&self.verdict, self.now),
        }
    }
}

fn view(state: &str) -> serde_json::Value {
    json!({"state": state})
}
