//! Private Python environments with pinned packages, made on first use and shared by all tests after that.

use std::{
    fmt::Write,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::Duration,
};

use super::{
    commands::Commands,
    disk,
    folders::{local_aws_dir, target_dir},
};
use crate::{Error, Result};

/// MiniStack and what its launcher needs.
pub const SERVER: Packages = Packages { pins: "requirements.txt", folder: "venv", what: "MiniStack" };
/// The AWS CLI.
pub const AWS_CLI: Packages = Packages { pins: "aws-cli.txt", folder: "aws-cli", what: "the AWS CLI" };
/// `cargo lambda`, with its compiler.
pub const CARGO_LAMBDA: Packages = Packages { pins: "cargo-lambda.txt", folder: "cargo-lambda", what: "cargo-lambda" };

/// The oldest Python that the pinned packages run on.
const OLDEST: (u32, u32) = (3, 10);

/// Variables that make Python or pip look, or install, outside of the environment that it is told to use. The others
/// stay: a proxy, a package index or a certificate is how pip reaches anything at all.
const MISLEADING: [&str; 14] = [
    "PIP_CONSTRAINT",
    "PIP_DRY_RUN",
    "PIP_NO_DEPS",
    "PIP_PREFIX",
    "PIP_PYTHON",
    "PIP_REQUIREMENT",
    "PIP_ROOT",
    "PIP_TARGET",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONPLATLIBDIR",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "__PYVENV_LAUNCHER__",
];

/// Pinned packages that have an environment of their own.
pub struct Packages {
    /// The file of pins, in `tests/local-aws`.
    pins: &'static str,
    folder: &'static str,
    what: &'static str,
}

impl Packages {
    /// The folder of their programs, `python` among them. Installs them if they are missing or have changed.
    pub fn install(&self, commands: &Commands<'_>) -> Result<PathBuf> {
        let all = target_dir().join("local-aws");
        fs::create_dir_all(&all).map_err(|err| Error::from(err).context(all.display()))?;
        self.install_into(&all, commands)
    }

    pub(super) fn install_into(&self, all: &Path, commands: &Commands<'_>) -> Result<PathBuf> {
        self.installed_in(all, commands).map_err(|err| disk::explained(err, all))
    }

    fn installed_in(&self, all: &Path, commands: &Commands<'_>) -> Result<PathBuf> {
        let venv = all.join(self.folder);
        let programs = venv.join("bin");
        let pins = local_aws_dir().join(self.pins);
        let pinned = fs::read_to_string(&pins)?;

        // Test processes run at once: one installs, the others wait. The lock ends with the file handle.
        let _lock = self.locked(&all.join(format!("{}.lock", self.folder)), commands)?;
        let stamp = venv.join("installed.txt");
        // The interpreter is asked each time: one that was updated or removed leaves a broken environment behind.
        let is_current =
            |it: &str| version(&programs.join("python")).is_ok_and(|(_, full)| it == stamped(&full, &pinned));
        if fs::read_to_string(&stamp).is_ok_and(|it| is_current(&it)) {
            return Ok(programs);
        }
        commands.step(&format!("installing {} (once)", self.what));
        let explained = |err: Error| {
            Error::new(format!("{err}\nTo begin anew, remove the folder {}.", venv.display()))
                .context(format_args!("installing {} failed", self.what))
        };
        let python = interpreter()?;
        run(commands, command(&python).args(["-m", "venv", "--clear"]).arg(&venv)).map_err(explained)?;
        let mut pip = command(&programs.join("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&pins);
        // Also where a configuration file of pip says otherwise.
        pip.env("PIP_USER", "0");
        run(commands, &mut pip).map_err(explained)?;
        let (_, full) = version(&programs.join("python")).map_err(explained)?;
        fs::write(&stamp, stamped(&full, &pinned)).map_err(Error::from).map_err(explained)?;
        Ok(programs)
    }

    /// Waits for whoever installs the same, and says so.
    fn locked(&self, path: &Path, commands: &Commands<'_>) -> Result<File> {
        let file = File::create(path).map_err(|err| Error::from(err).context(path.display()))?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(err)) => return Err(Error::from(err).context(path.display())),
                Err(TryLockError::WouldBlock) if commands.is_stopped() => {
                    return Err(Error::new(format!("stopped while another program installed {}", self.what)));
                }
                Err(TryLockError::WouldBlock) => {
                    if !std::mem::replace(&mut told, true) {
                        commands.step(&format!("another program installs {}", self.what));
                    }
                    thread::sleep(Duration::from_millis(100));
                }
            }
        }
    }
}

/// What an environment was made of.
fn stamped(python: &str, pinned: &str) -> String {
    format!("# Python {python}\n{pinned}")
}

/// A Python that is new enough: `python3`, or one that has its version in its name.
fn interpreter() -> Result<PathBuf> {
    let names =
        std::iter::once("python3".to_owned()).chain((OLDEST.1..=20).rev().map(|minor| format!("python3.{minor}")));
    chosen(names.map(PathBuf::from), version)
}

/// The first one that is new enough. The error says what was found instead.
fn chosen(
    candidates: impl Iterator<Item = PathBuf>,
    version: impl Fn(&Path) -> Result<((u32, u32), String)>,
) -> Result<PathBuf> {
    let mut found = String::new();
    for candidate in candidates {
        match version(&candidate) {
            Ok((it, _)) if it >= OLDEST => return Ok(candidate),
            Ok((_, full)) => {
                let _ = write!(found, " {} is {full}.", candidate.display());
            }
            // Most of the names do not exist.
            Err(_) => {}
        }
    }
    let (major, minor) = OLDEST;
    let found = if found.is_empty() { " There is no python3 on the PATH." } else { &found };
    Err(Error::new(format!("The local AWS needs Python {major}.{minor} or later, with its module venv.{found}")))
}

/// The version of an interpreter, as numbers and in full. An interpreter that does not run has none.
fn version(python: &Path) -> Result<((u32, u32), String)> {
    const ASK: &str = "import sys; print('%d.%d.%d' % sys.version_info[:3])";
    // `-I` leaves out what the shell and the folder would add.
    let output = command(python).args(["-I", "-c", ASK]).output()?;
    let full = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut numbers = full.split('.').map_while(|it| it.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if output.status.success() => Ok(((major, minor), full)),
        _ => Err(Error::new(format!("{} does not run: {}", python.display(), said(&output)))),
    }
}

/// A call of Python that stays within its environment, whatever the shell has set.
fn command(python: &Path) -> Command {
    let mut command = Command::new(python);
    for variable in MISLEADING {
        command.env_remove(variable);
    }
    command
}

fn run(commands: &Commands<'_>, command: &mut Command) -> Result<()> {
    let output = commands.output(command)?;
    if output.status.success() {
        return Ok(());
    }
    let program = Path::new(command.get_program()).display().to_string();
    Err(Error::new(format!("{program} ended with {}: {}", output.status, said(&output))))
}

/// What a program said. Debian's and Ubuntu's Python says on standard output that the package python3-venv is missing.
fn said(output: &Output) -> String {
    let texts = [&output.stderr, &output.stdout].map(|it| String::from_utf8_lossy(it).trim().to_owned());
    texts.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn found(versions: &[(&str, (u32, u32))]) -> String {
        let version = |it: &Path| {
            let known = versions.iter().find(|(name, _)| Path::new(name) == it);
            known.map(|(_, it)| (*it, format!("{}.{}.1", it.0, it.1))).ok_or_else(|| Error::new("it does not exist"))
        };
        let names = ["python3", "python3.12", "python3.10"].map(PathBuf::from);
        chosen(names.into_iter(), version).map_or_else(|err| err.to_string(), |it| it.display().to_string())
    }

    #[test]
    fn a_python_that_is_too_old_is_passed_over_for_one_that_has_its_version_in_its_name() {
        assert_eq!(found(&[("python3", (3, 13))]), "python3");
        assert_eq!(found(&[("python3", (3, 9)), ("python3.10", (3, 10))]), "python3.10");
        let needs = "The local AWS needs Python 3.10 or later, with its module venv.";
        assert_eq!(found(&[("python3", (3, 8))]), format!("{needs} python3 is 3.8.1."));
        assert_eq!(found(&[]), format!("{needs} There is no python3 on the PATH."));
    }

    /// A program of that text.
    fn program(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
        path
    }

    #[test]
    fn what_python_says_on_either_stream_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let python = program(folder.path(), "python", "echo 'install the python3-venv package'; exit 1");
        let stop = AtomicBool::new(false);
        let commands = Commands { progress: &|_| (), stop: &|| stop.load(Ordering::Relaxed) };
        let error = run(&commands, &mut command(&python)).expect_err("it fails").to_string();
        assert!(error.ends_with("install the python3-venv package"), "{error}");
        let error = version(&python).expect_err("it has no version").to_string();
        assert!(error.contains("does not run"), "{error}");
    }

    #[test]
    fn variables_that_lead_out_of_the_environment_do_not_reach_python() {
        let removed: Vec<_> =
            command(Path::new("python3")).get_envs().map(|(name, value)| (name.to_owned(), value.is_none())).collect();
        for variable in ["PYTHONPATH", "PYTHONHOME", "PIP_TARGET"] {
            assert!(removed.contains(&(variable.into(), true)), "{variable}");
        }
    }

    #[test]
    fn an_environment_whose_interpreter_has_gone_is_not_taken_for_installed() {
        let folder = tempfile::tempdir().expect("a folder");
        let all = folder.path();
        let packages = Packages { pins: "aws-cli.txt", folder: "tools", what: "the tools" };
        let programs = all.join("tools/bin");
        fs::create_dir_all(&programs).expect("a folder");
        let pinned = fs::read_to_string(local_aws_dir().join("aws-cli.txt")).expect("the pins");
        fs::write(all.join("tools/installed.txt"), stamped("3.12.1", &pinned)).expect("the stamp");
        program(&programs, "python", "echo 3.12.1");

        // What is stamped is there, so nothing is installed: the step would be told.
        let stop = AtomicBool::new(false);
        let commands = Commands { progress: &|it| panic!("{it:?}"), stop: &|| stop.load(Ordering::Relaxed) };
        assert_eq!(packages.install_into(all, &commands).ok(), Some(programs.clone()));

        // The same with another interpreter or none is installed anew; here that is stopped before it begins.
        stop.store(true, Ordering::Relaxed);
        let commands = Commands { progress: &|_| (), stop: &|| stop.load(Ordering::Relaxed) };
        program(&programs, "python", "echo 3.13.0");
        assert!(packages.install_into(all, &commands).is_err());
        fs::remove_file(programs.join("python")).ok();
        assert!(packages.install_into(all, &commands).is_err());
    }

    #[test]
    fn whoever_waits_for_another_install_is_told_and_can_be_stopped() {
        let folder = tempfile::tempdir().expect("a folder");
        let lock = File::create(folder.path().join("tools.lock")).expect("a file");
        lock.lock().expect("nobody else has it");
        let stop = AtomicBool::new(false);
        let tell = |_: super::super::progress::Progress<'_>| stop.store(true, Ordering::Relaxed);
        let commands = Commands { progress: &tell, stop: &|| stop.load(Ordering::Relaxed) };
        let packages = Packages { pins: "aws-cli.txt", folder: "tools", what: "the tools" };
        let error = packages.install_into(folder.path(), &commands).expect_err("it is stopped").to_string();
        assert_eq!(error, "stopped while another program installed the tools");
    }
}
