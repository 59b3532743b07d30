//! A private Python environment with the pinned MiniStack, made on first use and shared by all tests after that.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

use super::{
    commands::Commands,
    folders::{local_aws_dir, target_dir},
};
use crate::{Error, Result};

/// The interpreter of the environment, which is made anew when `requirements.txt` has changed.
pub fn environment(commands: &Commands<'_>) -> Result<PathBuf> {
    let directory = target_dir().join("local-aws");
    let venv = directory.join("venv");
    let stamp = venv.join("installed.txt");
    let python = venv.join("bin/python");
    let requirements = local_aws_dir().join("requirements.txt");
    let wanted = fs::read_to_string(&requirements)?;

    fs::create_dir_all(&directory)?;
    // Test processes run at once: one installs, the others wait. The lock ends with the file handle.
    let lock = File::create(directory.join("venv.lock"))?;
    lock.lock()?;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    commands.step("installing MiniStack (once)");
    run(commands, Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    run(
        commands,
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(&requirements),
    )?;
    fs::write(&stamp, wanted)?;
    Ok(python)
}

/// Where its programs are.
pub fn tools() -> PathBuf {
    target_dir().join("local-aws/venv/bin")
}

fn run(commands: &Commands<'_>, command: &mut Command) -> Result<()> {
    let output = commands.output(command).map_err(|err| err.context("Python 3.10 or later is needed"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::new(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr))))
}
