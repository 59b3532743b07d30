//! One EC2 instance: when it is stopped and started, and when a person's change stands.
//!
//! EC2 tells when an instance was started last, so that what a person started is told from a run that died.

use jiff::Zoned;
use reconcile::Trouble;
use rules::keys;
use serde_json::{Value, json};

use super::command::Command;
use super::draft::{Decision, Draft};
use super::machine::{InstanceCase, Stoppable};
use super::misplaced::{Kind, misplaced};
use super::needs::{Need, Used, databases_named, still_used};
use super::person::apply_command;
use super::step::{Call, Change, Target};
use super::times::{COMPOSES_AGAIN_WITHIN, COMPOSES_WITHIN};
use super::wants::Wants;
use super::world::{Instance, World};

/// What to do about an instance whose tags are `wants`, as far as what needs it allows; and what it needs itself.
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
    let mut draft = Draft::new(target, &instance.tags, Instance::view(&instance.state));
    let foreign = wants.leave_out_memory_of_another(Some(&instance.id), None);
    let asked = apply_command(command, &mut wants, &mut draft, now, &world.calendar);
    let needing: Vec<&Need> = needs.iter().filter(|it| it.is_for(&instance.arn, world.backing())).collect();
    let verdict = wants.verdict_where_needed(&needing, now, &world.calendar);
    need.awake = verdict.awake;
    let (state, used) = (instance.state.clone(), still_used(&needing).or_else(|| deploys(instance, now)));
    let mut case = InstanceCase { of: instance, state, wants, verdict, world, now, draft, asked, used };
    if foreign {
        case.draft.forget(&[keys::ASLEEP, keys::REFUSED]);
        case.step(Change::Remember, "forgets what its tags say of another instance, which it was made like");
    }
    match case.verdict.awake {
        true => case.wake(),
        false => case.sleep(),
    }
    case.forget_what_is_over();
    let idle = case.idle();
    case.tell_that_it_sleeps_soon(&needing);
    (case.draft.finish(idle), need)
}

/// Stopped in the middle of a deployment, it would say nothing of that any more, and its image would count as bad.
fn deploys(instance: &Instance, now: &Zoned) -> Option<String> {
    let sent = instance.deployment()?;
    let lasts = if sent.again { COMPOSES_AGAIN_WITHIN } else { COMPOSES_WITHIN };
    let is_under_way = now.timestamp().duration_since(sent.at) < lasts;
    is_under_way.then(|| "it is stopped once the deployment to it has ended".into())
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

impl Stoppable for Instance {
    const SERVE: &'static str = "run";

    fn own_id(&self) -> Option<String> {
        Some(self.id.clone())
    }

    fn view(state: &str) -> Value {
        json!({"state": state})
    }

    fn serves(&self, _: &World) -> bool {
        self.state == "running"
    }

    fn words(&self, _: &World) -> String {
        self.state.clone()
    }

    fn says(&self, _: &World) -> String {
        let reason = self.state_reason.as_deref().filter(|it| !it.is_empty());
        reason.map_or_else(String::new, |it| format!("; EC2 says: {}", it.trim_end_matches('.')))
    }

    fn start(&self) -> (Call, &'static str) {
        (Call::StartInstance { id: self.id.clone() }, "pending")
    }

    fn waits_for(wants: &Wants) -> &[String] {
        &wants.schedule.after
    }
}
