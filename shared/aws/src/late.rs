//! Clients of the SDK that are made when they are first used.
//!
//! Each reads the SDK's table of partitions as it is made, a JSON with regular expressions: about 0.1 ms of CPU and
//! 0.1 MiB. Most runs find nothing to do and use one client or none.

use std::sync::LazyLock;

use aws_config::SdkConfig;

/// A client, or how to make it.
pub type Late<C> = LazyLock<C, Box<dyn FnOnce() -> C + Send + Sync>>;

/// The client that `make` makes of `config`, once it is used.
pub fn late<C>(config: &SdkConfig, make: impl FnOnce(&SdkConfig) -> C + Send + Sync + 'static) -> Late<C> {
    let config = config.clone();
    LazyLock::new(Box::new(move || make(&config)))
}

/// A client that is there already.
pub fn ready<C: Send + Sync + 'static>(client: C) -> Late<C> {
    LazyLock::new(Box::new(move || client))
}
