//! How a service moves just now: told by its deployments, whether ECS or CodeDeploy carries them out.

use jiff::Timestamp;

use super::case::Case;
use super::world::{CodeDeploy, RolloutEnd, RolloutState, Service, Status};

#[derive(Debug, Clone, PartialEq)]
pub enum Motion {
    Still,
    /// A deployment is under way since then.
    Forward(Option<Timestamp>),
    /// ECS is taking a deployment back.
    Back,
    /// A deployment failed and stands as it fell.
    Fallen(Option<Timestamp>),
}

pub fn motion(case: &Case<'_>) -> Motion {
    if case.by_code_deploy() {
        return case.code_deploy().map_or(Motion::Still, |it| of_code_deploy(it, case.service));
    }
    let Some(primary) = case.service.primary() else { return Motion::Still };
    let latest = case.history().first().map(|it| it.end);
    match primary.state {
        _ if latest == Some(RolloutEnd::GoingBack) => Motion::Back,
        RolloutState::Failed => Motion::Fallen(primary.began),
        RolloutState::InProgress => {
            let fallen = case.service.deployments.iter().any(|it| it.state == RolloutState::Failed);
            if fallen || primary.reason.contains("rolling back") {
                Motion::Back
            } else {
                Motion::Forward(primary.began)
            }
        }
        RolloutState::Unsaid if latest == Some(RolloutEnd::Open) => Motion::Forward(primary.began),
        RolloutState::Unsaid | RolloutState::Completed => Motion::Still,
    }
}

/// How a service moves that CodeDeploy deploys.
pub fn of_code_deploy(told: &CodeDeploy, service: &Service) -> Motion {
    match (told.under_way(), told.attempts.first()) {
        (Some(it), _) if it.undoes => Motion::Back,
        (Some(it), _) => Motion::Forward(it.began),
        // Its tasks have the traffic all the same.
        (None, Some(it))
            if (it.blames_image() || it.status == Status::Stopped)
                && !it.undoes
                && it.task_definition.as_ref() == Some(&service.task_definition) =>
        {
            Motion::Fallen(it.ended.or(it.began))
        }
        (None, _) => Motion::Still,
    }
}
