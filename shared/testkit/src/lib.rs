//! What the tests and the demo need and what never ships: an AWS on this machine, and calls to it.
//!
//! [`LocalAws`] deploys the real template with the real binaries into MiniStack, a local AWS that `tests/local-aws`
//! starts and completes. It names no function of Nightshift and knows nothing of what they do.
//!
//! With the feature `scripted`, the module of that name answers the real SDK from tables, without any network.

mod error;
mod local_aws;
#[cfg(feature = "scripted")]
pub mod scripted;
#[cfg(feature = "scripted")]
pub mod told;

pub use error::{Error, Result};
pub use local_aws::{Call, Invocation, LocalAws, Message, Options, Progress};
