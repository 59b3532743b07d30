//! `cargo reliability`: plays the stories of all functions once for each of their calls and each disturbance.
//!
//! The plays run in `tests/reliability/`, in one process that forks: on the real binaries, and an AWS that can be copied
//! within milliseconds. This program builds, starts it, and says in tables what came of it.

mod arguments;
mod load;
mod outcome;
mod page;
mod played;

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;
use testkit::{Error, LocalAws, Options, Result};

use arguments::{Arguments, HELP};
use load::Load;
use outcome::Outcome;
use played::Played;

fn main() -> ExitCode {
    let arguments = match arguments::read(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            say(HELP);
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            complain(&wrong);
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Whether every play ended as it should.
fn run(arguments: &Arguments) -> Result<bool> {
    let (python, binaries) = LocalAws::interpreter_and_binaries(&Options::default())?;
    let folder = binaries.values().next().and_then(|it| it.parent()).ok_or_else(|| Error::new("nothing was built"))?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    if arguments.load {
        let loads = play(&python, "load.py", folder, arguments, Load::read)?;
        for load in &loads {
            load.wrong.iter().for_each(|it| say(&format!("{}: {it}\n", load.name)));
        }
        let table = page::loads(&loads);
        say(&table);
        if arguments.write {
            page::write(workspace, page::LOADS, &table)?;
        }
        return match loads.is_empty() {
            true => Err(Error::new("no load was played")),
            false => Ok(loads.iter().all(|it| it.wrong.is_empty())),
        };
    }
    let lines = play(&python, "trial.py", folder, arguments, |it| {
        let outcome = Outcome::read(it)?;
        complain(&format!("{}: {} plays, {} wrong", outcome.story, outcome.plays, outcome.wrong.len()));
        Ok(it.clone())
    })?;
    let outcomes = lines.iter().map(Outcome::read).collect::<Result<Vec<_>>>()?;
    for outcome in &outcomes {
        for wrong in &outcome.wrong {
            say(&format!("{}: {wrong}\n", outcome.story));
        }
    }
    say(&page::tables(&outcomes));
    if arguments.write {
        let played = Played::beside(folder);
        let lines = if arguments.some_stories() { played.with(lines)? } else { lines };
        played.keep(&lines)?;
        let all = lines.iter().map(Outcome::read).collect::<Result<Vec<_>>>()?;
        page::write(workspace, page::STORIES, &page::tables(&all))?;
    }
    if outcomes.iter().all(|it| it.plays == 0) {
        return Err(Error::new("no story was played"));
    }
    Ok(outcomes.iter().all(|it| it.wrong.is_empty()))
}

/// Runs a program of `tests/reliability/`, which says in a line of JSON what came of each thing that it played.
fn play<T>(
    python: &Path,
    script: &str,
    binaries: &Path,
    arguments: &Arguments,
    read: impl Fn(&Value) -> Result<T>,
) -> Result<Vec<T>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reliability").join(script);
    let mut command = Command::new(python);
    command.arg(script).arg("--binaries").arg(binaries).args(&arguments.passed_on);
    let mut process = command.stdout(Stdio::piped()).spawn()?;
    let mut outcomes = Vec::new();
    for line in BufReader::new(process.stdout.take().ok_or_else(|| Error::new("no output"))?).lines() {
        outcomes.push(read(&serde_json::from_str(&line?)?)?);
    }
    match process.wait()? {
        status if status.success() => Ok(outcomes),
        status => Err(Error::new(format!("the plays ended with {status}"))),
    }
}

fn say(text: &str) {
    // Whoever closed the pipe has read enough.
    let _ = writeln!(io::stdout(), "{text}");
}

fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
