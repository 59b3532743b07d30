//! Services that are left alone before anything is decided.

use std::fmt::Display;

use reconcile::Trouble;

use super::world::{Controller, Service};

/// Why a service is left alone before anything is decided.
pub enum Leave {
    /// It is none of this run's business.
    Elsewhere(String),
    Skip(String),
    Problem(Trouble),
}

impl Leave {
    pub fn problem(kind: &'static str, message: impl Display) -> Self {
        Leave::Problem(Trouble::new(kind, message))
    }
}

/// Whether ECS lets this function begin deployments of the service.
pub fn deployable(service: &Service) -> Result<(), Leave> {
    match &service.controller {
        Controller::Ecs | Controller::CodeDeploy => Ok(()),
        Controller::Express => Err(Leave::problem(
            "express-service",
            "ECS alone deploys Express Mode services; it owns their deployments, scaling and load balancer, and changes them by \
             UpdateExpressGatewayService only. Deploy it with that, or remove the tag",
        )),
        Controller::External => Err(Leave::problem(
            "external-controller",
            "nothing may deploy it but its EXTERNAL controller; use the deployment controller ECS or CODE_DEPLOY, or remove the tag",
        )),
        Controller::Unknown(name) => Err(Leave::problem(
            "unknown-controller",
            format!("its deployment controller is unknown: {name}; use ECS, or remove the tag"),
        )),
    }
}
