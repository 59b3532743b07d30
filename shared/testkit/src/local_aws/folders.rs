//! Where things lie: the workspace, the programs of the local AWS, and what cargo builds.

use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("the testkit lies two folders below the root").to_owned()
}

/// The launcher and the pinned versions.
pub fn local_aws_dir() -> PathBuf {
    workspace().join("tests/local-aws")
}

/// Where cargo puts what it builds, and the local AWS what it installs and logs.
#[expect(clippy::disallowed_methods, reason = "cargo says it in the environment")]
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), |dir| workspace().join(dir))
}
