//! `health=targets`: which target groups the running revision has, and what their targets say of it.

use super::world::{Health, Service, Target};

/// The target groups of the revision in use. `of_revision` is what ECS tells of that, where two groups alternate: the
/// tasks of before are in the other one for a while, and say nothing about the new image.
pub fn target_groups(service: &Service, of_revision: Option<Vec<String>>) -> Result<Vec<String>, Health> {
    match of_revision {
        _ if !service.alternates => Ok(service.target_groups.clone()),
        Some(groups) if !groups.is_empty() => Ok(groups),
        _ => Err(Health::Unreachable("ECS does not tell yet which target group the running revision has".into())),
    }
}

/// What the targets of these groups, by ARN, say together.
///
/// A target that is drained or gets no traffic says nothing. One that is unhealthy outweighs all; where nothing counts,
/// as with health checks switched off, that says nothing about the image.
pub fn judge(groups: &[(String, Vec<Target>)]) -> Health {
    let (mut ill, mut silent, mut starting) = (None, None, false);
    for (arn, targets) in groups {
        let name = arn.split('/').nth(1).unwrap_or(arn);
        let counted: Vec<&Target> = targets.iter().filter(|it| !["draining", "unused"].contains(&it.state())).collect();
        let unhealthy: Vec<&Target> = counted.iter().copied().filter(|it| it.state() == "unhealthy").collect();
        if let Some(first) = unhealthy.first() {
            let count = format!("{} of {} targets of the target group {name}", unhealthy.len(), counted.len());
            ill.get_or_insert(format!("{count} are unhealthy: {}", first.said));
        }
        if counted.is_empty() {
            silent.get_or_insert(format!("no target of the target group {name} gets traffic"));
        }
        for other in counted {
            match other.state() {
                "healthy" | "unhealthy" => {}
                "initial" => starting = true,
                state => drop(
                    silent.get_or_insert(format!("a target of the target group {name} is {state}: {}", other.said)),
                ),
            }
        }
    }
    match (ill, silent) {
        (Some(ill), _) => Health::Unhealthy(ill),
        (None, Some(silent)) => Health::Unreachable(silent),
        (None, None) if starting => Health::Later,
        (None, None) => Health::Healthy,
    }
}
