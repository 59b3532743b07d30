//! The command line.

use std::path::PathBuf;

use crate::stories::{self, Story};

/// What is asked for.
pub enum Command {
    Help,
    List,
    Play { story: &'static Story, options: Options },
}

/// How it is played.
#[derive(Default)]
pub struct Options {
    /// Leave the local AWS up afterwards.
    pub keep: bool,
    /// Build every function, as the tests do.
    pub all: bool,
    /// Where to write the story as a page.
    pub html: Option<PathBuf>,
}

/// Reads the arguments; the error says what is wrong with them.
pub fn read(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut name = None;
    let mut options = Options::default();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-h" | "--help" => return Ok(Command::Help),
            "--keep" => options.keep = true,
            "--html" => match arguments.next() {
                Some(file) if !file.starts_with('-') => options.html = Some(file.into()),
                _ => return Err("--html needs the name of the file to write, such as story.html.".into()),
            },
            "--all" => options.all = true,
            option if option.starts_with('-') => {
                return Err(format!("There is no option {option}, only --keep, --all, --html and --help."));
            }
            _ if name.is_some() => return Err(format!("One story at a time: what is {argument:?}?")),
            _ => name = Some(argument),
        }
    }
    match name.as_deref() {
        Some("help") => Ok(Command::Help),
        Some("list") => Ok(Command::List),
        name => Ok(Command::Play { story: stories::find(name.unwrap_or(stories::PLAIN))?, options }),
    }
}

pub fn help() -> String {
    format!(
        "\
Plays a story of Nightshift on an AWS that runs on this machine only. 
Needs Rust, and Python 3.10 or later with venv.

    cargo demo          plays the story {}
    cargo demo NAME     plays another one
    cargo demo list     names them all

    --keep    leaves the local AWS up after the story, until Ctrl-C, and says how
              to talk to it; builds every function
    --all     builds every function, from the crates that the tests use, and not
              only what the story needs
    --html FILE    writes the story as a page too, which needs nothing else
    --help    this text

The first time it installs MiniStack into target/local-aws and builds the
functions, which takes some minutes. Ends with 0 if all went as told, with 1 if
not, with 2 if the command line makes no sense, with 130 after Ctrl-C.",
        stories::PLAIN
    )
}
