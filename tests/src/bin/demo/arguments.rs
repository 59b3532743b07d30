//! The command line.

use crate::stories::{self, Story};

/// What is asked for.
pub enum Command {
    Help,
    List,
    Play { story: &'static Story, keep: bool },
}

/// Reads the arguments; the error says what is wrong with them.
pub fn read(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut name = None;
    let mut keep = false;
    for argument in arguments {
        match argument.as_str() {
            "-h" | "--help" => return Ok(Command::Help),
            "--keep" => keep = true,
            option if option.starts_with('-') => {
                return Err(format!("There is no option {option}, only --keep and --help."));
            }
            _ if name.is_some() => return Err(format!("One story at a time: what is {argument:?}?")),
            _ => name = Some(argument),
        }
    }
    match name.as_deref() {
        Some("help") => Ok(Command::Help),
        Some("list") => Ok(Command::List),
        name => Ok(Command::Play { story: stories::find(name.unwrap_or(stories::PLAIN))?, keep }),
    }
}

pub fn help() -> String {
    format!(
        "\
Plays a story of Nightshift on an AWS that runs on this machine only. Needs Rust and Python 3.

    cargo demo          plays the story {}
    cargo demo NAME     plays another one
    cargo demo list     names them all

    --keep    leaves the local AWS up after the story, until Ctrl-C, and says how to talk to it
    --help    this text

The first time it installs MiniStack into target/local-aws and builds the functions, which takes some minutes.
Ends with 0 if all went as told, with 1 if not, with 2 if the command line makes no sense, with 130 after Ctrl-C.",
        stories::PLAIN
    )
}
