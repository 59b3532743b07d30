//! Services that are left alone before anything is decided.

use super::world::{Controller, Service};

/// Why a service is left alone before anything is decided.
pub enum Leave {
    /// It is none of this run's business.
    Elsewhere(String),
    Skip(String),
    Problem(&'static str, String),
}

/// Whether ECS lets this function begin deployments of the service.
pub fn deployable(service: &Service) -> Result<(), Leave> {
    match &service.controller {
        Controller::Ecs | Controller::CodeDeploy => Ok(()),
        Controller::Express => Err(Leave::Problem(
            "express-service",
            "it is an Express Mode service: ECS owns its deployments, scaling and load balancer, and changes them by \
             UpdateExpressGatewayService only. Deploy it with that, or remove the tag"
                .into(),
        )),
        Controller::External => Err(Leave::Problem(
            "external-controller",
            "its deployments come from outside (deployment controller EXTERNAL), so nothing else may start one; \
             use the deployment controller ECS or CODE_DEPLOY, or remove the tag"
                .into(),
        )),
        Controller::Unknown(name) => Err(Leave::Problem(
            "unknown-controller",
            format!("this version does not know the deployment controller {name}; use ECS, or remove the tag"),
        )),
    }
}
