//! `cargo reliability`: plays the stories of all functions once for each of their calls and each disturbance.
//!
//! The plays run in `tests/reliability/`, in one process that forks: on the real binaries, and an AWS that can be copied
//! within milliseconds. This program builds, starts it, and says in tables what came of it.

mod arguments;
mod outcome;
mod page;

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use testkit::{Error, LocalAws, Options, Result};

use arguments::{Arguments, HELP};
use outcome::Outcome;

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
    let begun = Instant::now();
    let outcomes = play(&python, folder, arguments)?;
    for outcome in &outcomes {
        for wrong in &outcome.wrong {
            say(&format!("{}: {wrong}\n", outcome.story));
        }
    }
    let tables = page::tables(&outcomes, begun.elapsed());
    say(&tables);
    if arguments.write {
        page::write(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")), &tables)?;
    }
    if outcomes.iter().all(|it| it.plays == 0) {
        return Err(Error::new("no story was played"));
    }
    Ok(outcomes.iter().all(|it| it.wrong.is_empty()))
}

fn play(python: &Path, binaries: &Path, arguments: &Arguments) -> Result<Vec<Outcome>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reliability/trial.py");
    let mut command = Command::new(python);
    command.arg(script).arg("--binaries").arg(binaries).args(&arguments.passed_on);
    let mut process = command.stdout(Stdio::piped()).spawn()?;
    let mut outcomes = Vec::new();
    for line in BufReader::new(process.stdout.take().ok_or_else(|| Error::new("no output"))?).lines() {
        let outcome = Outcome::read(&serde_json::from_str(&line?)?)?;
        complain(&format!("{}: {} plays, {} wrong", outcome.story, outcome.plays, outcome.wrong.len()));
        outcomes.push(outcome);
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
