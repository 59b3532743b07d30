//! The service that another one promotes from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rules::{Digest, ServiceName};

use super::service::{Rollout, Service};

/// A service that others promote from, as far as they depend on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    pub service: Service,
    /// Its past deployments, newest first; none where CodeDeploy deploys it.
    pub history: Vec<Rollout>,
    /// The digests that ECS pinned for the containers of what it runs.
    pub pinned: BTreeMap<String, Digest>,
}

/// An alarm that names the service that it watches in its remedy, and when it went into ALARM last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    pub alarm: String,
    pub service: ServiceName,
    pub at: Timestamp,
}
