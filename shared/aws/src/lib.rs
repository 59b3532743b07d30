//! Calls to AWS that several functions make. Decides nothing.
//!
//! [`Error`] is what every failed call becomes, [`tagging`] finds what opted in, [`ecs`] describes services, [`rds`]
//! finds databases and their snapshots, [`memory`] writes the memory tags of both, [`ec2`] and
//! [`ec2_autoscaling`] find instances and groups,
//! [`lambda`] wakes another function, [`scheduler`] reads and changes schedules, [`query`], [`rest`] and [`JsonApi`] call
//! what has no SDK crate here,
//! [`each`] bounds how many calls are under way, [`Pace`] how many begin per second.

use std::pin::Pin;

use aws_config::{Region, SdkConfig};

#[cfg(test)]
mod bad_input;
pub mod ec2;
pub mod ec2_autoscaling;
pub mod ecs;
mod error;
mod json_api;
pub mod lambda;
mod late;
pub mod memory;
mod moment;
mod pace;
mod presign;
pub mod query;
pub mod rds;
pub mod rest;
pub mod scheduler;
pub mod tagging;
mod untyped;

pub use error::{Error, ErrorKind};
pub use json_api::{Api, CODEDEPLOY, ECR, ECS, JsonApi, KMS, LOGS, PRICING, SECRETS_MANAGER, SSM};
pub use late::{Late, late, ready};
pub use moment::{moment, seconds};
pub use pace::{LeaveThrottling, Pace, each};

/// The same configuration for the services of another region.
pub fn in_region(config: &SdkConfig, region: &str) -> SdkConfig {
    config.to_builder().region(Region::new(region.to_owned())).build()
}

/// A call whose future is erased.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + 'a>>;
