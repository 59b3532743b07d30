//! The function binaries, built in one go, in the profile of whoever asks.

use std::{
    collections::BTreeMap,
    env, fs,
    path::PathBuf,
    process::{Command, Output},
    sync::Mutex,
};

use serde_json::Value;

use super::{
    commands::Commands,
    disk,
    folders::{target_dir, workspace},
};
use crate::{Error, Result};

/// The paths of all binaries by name, of every folder of `functions/`. Asks cargo once per process.
pub fn build(commands: &Commands<'_>) -> Result<BTreeMap<String, PathBuf>> {
    static BUILT: Mutex<Option<BTreeMap<String, PathBuf>>> = Mutex::new(None);
    let mut built = BUILT.lock().map_err(|_| Error::new("building the functions panicked in another thread"))?;
    if let Some(binaries) = &*built {
        return Ok(binaries.clone());
    }
    commands.step("building the functions");
    Ok(built.insert(cargo_build(commands, cargo_like_tests(), &functions()?)?).clone())
}

/// The binaries of these functions, or of all where none is named, from no more crates than they need. Whoever runs the
/// tests as well compiles the SDK twice then, but a newcomer has not to wait for what one story does not use.
pub fn build_only(commands: &Commands<'_>, these: &[&str]) -> Result<BTreeMap<String, PathBuf>> {
    commands.step("building the functions");
    let functions = if these.is_empty() { functions()? } else { these.iter().map(|it| (*it).to_owned()).collect() };
    cargo_build(commands, cargo(), &functions)
}

/// The path of another program of the workspace, whose package is called as it is.
pub fn program(commands: &Commands<'_>, name: &str) -> Result<PathBuf> {
    let mut cargo = cargo_like_tests();
    cargo.args(["--package", name, "--bin", name]);
    executables(&built(commands, &mut cargo)?.stdout)
        .remove(name)
        .ok_or_else(|| Error::new(format!("{name} built no binary of its name")))
}

/// `cargo build` in the profile of whoever asks.
#[expect(clippy::disallowed_methods, reason = "cargo says in the environment which cargo it is")]
fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).args(["build", "--message-format=json-render-diagnostics"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    cargo
}

/// `cargo build` with the crates that the tests are linked with.
fn cargo_like_tests() -> Command {
    let mut cargo = cargo();
    // Cargo unites the features of the packages that are named. With these two the binaries link the very crates that
    // the tests are linked with; without them the SDK is compiled a second time, which takes five minutes of CPU.
    cargo.args(["--package", "nightshift-tests", "--package", "testkit", "--features", "testkit/scripted"]);
    cargo
}

fn cargo_build(commands: &Commands<'_>, mut cargo: Command, functions: &[String]) -> Result<BTreeMap<String, PathBuf>> {
    for function in functions {
        cargo.args(["--package", function, "--bin", function]);
    }
    let binaries = executables(&built(commands, &mut cargo)?.stdout);
    match functions.iter().find(|it| !binaries.contains_key(*it)) {
        Some(missing) => Err(Error::new(format!("functions/{missing} built no binary of its name"))),
        None => Ok(binaries),
    }
}

fn built(commands: &Commands<'_>, cargo: &mut Command) -> Result<Output> {
    let output = commands.output(cargo)?;
    if !output.status.success() {
        let failed = Error::new(format!("cargo build failed:\n{}", String::from_utf8_lossy(&output.stderr)));
        return Err(disk::explained(failed, &target_dir()));
    }
    Ok(output)
}

fn functions() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for folder in fs::read_dir(workspace().join("functions"))? {
        let folder = folder?;
        if folder.path().join("Cargo.toml").exists() {
            names.push(folder.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// What cargo says it has built, one JSON message per line.
fn executables(messages: &[u8]) -> BTreeMap<String, PathBuf> {
    let messages =
        serde_json::Deserializer::from_slice(messages).into_iter::<Value>().map_while(std::result::Result::ok);
    messages
        .filter_map(|it| Some((it["target"]["name"].as_str()?.to_owned(), PathBuf::from(it["executable"].as_str()?))))
        .collect()
}
