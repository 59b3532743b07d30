//! Programs of this machine that call the local AWS: nothing of the shell leads them elsewhere, and none waits for ever.

use std::{
    env,
    process::{Command, Output},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::{LocalAws, commands::Commands};
use crate::Result;

impl LocalAws {
    /// Points a program at this AWS.
    ///
    /// What the shell has would win: a profile or an endpoint of one service leads to the real AWS, a proxy does not
    /// reach this machine, and a function refuses a `NIGHTSHIFT_` variable that it does not know.
    #[expect(clippy::disallowed_methods, reason = "what the shell has is what has to go")]
    pub fn point(&self, program: &mut Command) {
        for name in env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(|it| leads_elsewhere(it)) {
            program.env_remove(name);
        }
        program.env("AWS_ENDPOINT_URL", self.endpoint()).env("AWS_REGION", Self::REGION);
        program.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    }

    /// Runs a program to its end, or ends it after `limit` with an error that says so.
    pub fn output_within(&self, limit: Duration, program: &mut Command) -> Result<Output> {
        let deadline = Instant::now() + limit;
        let is_over = || Instant::now() > deadline || self.stop.load(Ordering::Relaxed);
        Commands { progress: &|_| (), stop: &is_over }.output(program)
    }
}

/// Whether a variable of the shell could lead a program away from the local AWS.
fn leads_elsewhere(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    upper.starts_with("AWS_") && upper != "AWS_LC_SYS_NO_JITTER_ENTROPY"
        || upper.starts_with("NIGHTSHIFT_")
        || upper.ends_with("_PROXY")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_shell_has_for_another_aws_is_left_out() {
        for name in
            ["AWS_PROFILE", "AWS_ENDPOINT_URL_LAMBDA", "NIGHTSHIFT_NOW", "https_proxy", "HTTP_PROXY", "ALL_PROXY"]
        {
            assert!(leads_elsewhere(name), "{name}");
        }
        for name in ["PATH", "HOME", "CARGO_HOME", "AWS_LC_SYS_NO_JITTER_ENTROPY"] {
            assert!(!leads_elsewhere(name), "{name}");
        }
    }
}
