//! `follow=CLUSTER/SERVICE` on a group of EventBridge Scheduler: its schedules run the revision that the service has proven.
//!
//! Only what names a revision of the service's own family is changed. A family without a revision is always the newest
//! one that is registered, proven or not: that is what its owner asked for, so it stays.

use std::collections::BTreeSet;

use reconcile::{Plan, Trouble};
use rules::follow::FollowRule;
use rules::{BadTag, ServiceName, keys};

use super::proven::proven_revision;
use super::step::{Follow, Step};
use super::world::{Fact, Observation, Origin, ScheduleGroup, Scheduled, World, short_name};

/// What the tags of a group say, if they say anything.
pub fn followed(group: &ScheduleGroup) -> Option<Result<ServiceName, BadTag>> {
    let rule = group.tags.get(keys::DEPLOY)?.parse::<FollowRule>();
    Some(rule.map(|it| it.service))
}

/// Decides about the schedules of a group.
pub fn decide(group: &ScheduleGroup, world: &World, plan: &mut Plan<Step>, lacking: &mut BTreeSet<Fact>) {
    plan.examined(&group.arn, &group.tags);
    let service = match followed(group) {
        None => return plan.skip(&group.arn, format_args!("it has no {} tag", keys::DEPLOY)),
        Some(Err(bad)) => return plan.problem(&group.arn, "bad-tag", bad),
        Some(Ok(service)) => service,
    };
    if world.schedule_roles.is_empty() {
        let message = format!(
            "its schedules do not follow {service} yet; they do once the parameter ScheduleRoles of the stack names the roles \
             with which they run tasks"
        );
        return plan.problem(&group.arn, "follow-off", message);
    }
    let schedules = match &group.schedules {
        Some(Ok(schedules)) => schedules,
        Some(Err(error)) => {
            return plan.trouble(&group.arn, Trouble::unreadable("unreadable-schedules", "its schedules", error));
        }
        None => return,
    };
    let fact = Fact::Origin(service.clone());
    let source = match world.facts.get(&fact) {
        None => {
            lacking.insert(fact);
            return;
        }
        Some(Observation::Origin(Some(source))) => source,
        Some(Observation::Unavailable(error)) => {
            let what = format_args!("what {service} runs, which its schedules follow,");
            return plan.trouble(&group.arn, Trouble::unreadable("unreadable-source", what, error));
        }
        Some(_) => {
            let message =
                format!("there is no service {service}, which its schedules follow; correct follow=CLUSTER/SERVICE");
            return plan.problem(&group.arn, "no-such-source", message);
        }
    };
    let of_family: Vec<&Scheduled> = schedules.iter().filter(|it| is_of_family(it, source)).collect();
    if of_family.is_empty() {
        let family = family(&source.service.task_definition);
        let family = short_name(family);
        let message = format!(
            "none of its schedules runs a task of the family {family} on ECS, which is that of {service}, so none follows it"
        );
        return plan.problem(&group.arn, "nothing-follows", message);
    }
    match proven_revision(source) {
        Err(why) => plan.skip(&group.arn, format_args!("its schedules stay: {why}")),
        Ok(proven) => {
            for schedule in of_family {
                move_to(proven, schedule, group, &service, world, plan, lacking);
            }
        }
    }
}

fn is_of_family(schedule: &Scheduled, source: &Origin) -> bool {
    family(&schedule.task_definition) == family(&source.service.task_definition)
}

/// The ARN of a task definition without its revision.
fn family(arn: &str) -> &str {
    match arn.rsplit_once(':') {
        Some((family, revision)) if !revision.contains('/') => family,
        _ => arn,
    }
}

/// Whether `text` is `pattern`, in which each `*` stands for anything, as in IAM.
fn is_named(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        match text.find(part) {
            _ if parts.peek().is_none() => return text.ends_with(part),
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    true
}

fn move_to(
    proven: &str,
    schedule: &Scheduled,
    group: &ScheduleGroup,
    service: &ServiceName,
    world: &World,
    plan: &mut Plan<Step>,
    lacking: &mut BTreeSet<Fact>,
) {
    let name = format!("{}/{}", group.name, schedule.name);
    let (runs, next) = (short_name(&schedule.task_definition), short_name(proven));
    if schedule.task_definition == proven {
        return plan.skip(&group.arn, format_args!("{name} runs {next}, which {service} has proven"));
    }
    if family(&schedule.task_definition) == schedule.task_definition {
        return plan.skip(
            &group.arn,
            format_args!(
                "{name} names the family {runs} without a revision, so ECS runs the newest one that is registered, proven or \
                 not; name a revision, such as {next}, and it follows {service}"
            ),
        );
    }
    if !world.schedule_roles.iter().any(|it| is_named(it, &schedule.role)) {
        let message = format!(
            "{name} does not follow {service}: its role is not allowed; add {} to the parameter ScheduleRoles of the stack",
            schedule.role
        );
        return plan.problem(&group.arn, "follow-role", message);
    }
    // A service may go on with a revision that was deregistered; a new task cannot begin with it.
    let fact = Fact::TaskDefinition(proven.to_owned());
    match world.facts.get(&fact) {
        None => {
            lacking.insert(fact);
            return;
        }
        Some(Observation::TaskDefinition(it)) if it.is_active() => {}
        Some(Observation::Unavailable(error)) => {
            let what = format_args!("what {service} runs, which its schedules follow,");
            return plan.trouble(&group.arn, Trouble::unreadable("unreadable-source", what, error));
        }
        Some(_) => {
            let message = format!(
                "{name} does not follow {service}: {next} is deregistered; the service runs it, but no new task can begin with \
                 it: deploy the service once more"
            );
            return plan.problem(&group.arn, "inactive-revision", message);
        }
    }
    let step = Follow {
        group: group.name.clone(),
        schedule: schedule.name.clone(),
        service: service.clone(),
        role: schedule.role.clone(),
        from: schedule.task_definition.clone(),
        to: proven.to_owned(),
    };
    plan.act(&group.arn, Step::Follow(step), format_args!("{service} has proven {next}"));
}
